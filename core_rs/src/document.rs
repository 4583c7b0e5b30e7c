//! A google.protobuf.Struct looked at where it lies: nothing is copied until a part is asked for.
//!
//! Invariant: reading never recurses and never panics; what is not well formed is a [`WireError`].

use crate::value::{Value, ValueError};
use crate::wire::{Reader, WireError};

/// One value of the document.
#[derive(Debug, Clone, Copy)]
pub enum Node<'a> {
    /// Null, or a value without a kind.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(&'a str),
    /// The bytes of a Struct.
    Struct(&'a [u8]),
    /// The bytes of a ListValue.
    List(&'a [u8]),
}

/// A value together with the bytes it was read from.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    raw: &'a [u8],
    /// What the value is.
    pub node: Node<'a>,
}

impl<'a> Document<'a> {
    /// Reads the outermost layer of a google.protobuf.Value.
    pub fn from_value(raw: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(raw);
        let mut node = Node::Null;
        while let Some(field) = reader.next_field()? {
            node = match field.number {
                1 => Node::Null,
                2 => Node::Number(field.double()?),
                3 => Node::Text(field.str()?),
                4 => Node::Bool(field.bool()?),
                5 => Node::Struct(field.bytes()?),
                6 => Node::List(field.bytes()?),
                _ => node,
            };
        }
        Ok(Document { raw, node })
    }

    /// What kind of value this is, in words for error messages.
    pub fn kind(&self) -> &'static str {
        match self.node {
            Node::Null => "null",
            Node::Bool(_) => "a boolean",
            Node::Number(_) => "a number",
            Node::Text(_) => "a string",
            Node::Struct(_) => "a struct",
            Node::List(_) => "a list",
        }
    }

    /// The value, read as a whole.
    pub fn value(&self) -> Result<Value, ValueError> {
        Value::from_protobuf(self.raw)
    }
}

/// The members of a Struct in the order of the bytes.
pub struct Members<'a> {
    reader: Reader<'a>,
}

impl<'a> Members<'a> {
    /// The members of the Struct in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Members { reader: Reader::new(bytes) }
    }

    /// The next member.
    pub fn next_member(&mut self) -> Result<Option<(&'a str, Document<'a>)>, WireError> {
        while let Some(field) = self.reader.next_field()? {
            if field.number != 1 {
                continue;
            }
            let mut entry = Reader::new(field.bytes()?);
            let (mut key, mut value): (&str, &[u8]) = ("", &[]);
            while let Some(part) = entry.next_field()? {
                match part.number {
                    1 => key = part.str()?,
                    2 => value = part.bytes()?,
                    _ => {}
                }
            }
            return Ok(Some((key, Document::from_value(value)?)));
        }
        Ok(None)
    }
}

/// The bytes of a Struct as two Structs, of which the first has the first members.
pub(crate) fn halves_of_members(bytes: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    let mut reader = Reader::new(bytes);
    while reader.rest().len() > bytes.len() / 2 && reader.next_field()?.is_some() {}
    Ok(bytes.split_at(bytes.len() - reader.rest().len()))
}

/// The items of a ListValue.
pub struct Items<'a> {
    reader: Reader<'a>,
}

impl<'a> Items<'a> {
    /// The items of the ListValue in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Items { reader: Reader::new(bytes) }
    }

    /// The next item.
    pub fn next_item(&mut self) -> Result<Option<Document<'a>>, WireError> {
        while let Some(field) = self.reader.next_field()? {
            if field.number == 1 {
                return Document::from_value(field.bytes()?).map(Some);
            }
        }
        Ok(None)
    }
}
