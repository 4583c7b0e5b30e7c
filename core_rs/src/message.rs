//! How Rust structs become protobuf messages and back: one trait for messages, one for the types of their fields.
//!
//! Invariant: decoding what was encoded gives an equal value; unknown fields are passed over; no input panics.

use crate::wire::{Field, Reader, Result, Wire, WireError, Writer};

/// How deep messages may lie inside each other. What is stored is never deeper than a few levels.
pub const MAX_MESSAGE_DEPTH: u16 = 64;

/// A protobuf message.
pub trait Message: Default {
    /// Appends every field that is not its default.
    fn encode_into(&self, writer: &mut Writer);

    /// Takes in one field, or passes over it.
    fn read_field(&mut self, field: &Field<'_>) -> Result<()>;

    /// Takes in every field of `reader`, over what is already there.
    fn read_all(&mut self, mut reader: Reader<'_>) -> Result<()> {
        while let Some(field) = reader.next_field()? {
            self.read_field(&field)?;
        }
        Ok(())
    }

    /// The message in `bytes`.
    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut message = Self::default();
        message.read_all(Reader::with_depth(bytes, MAX_MESSAGE_DEPTH))?;
        Ok(message)
    }

    /// The bytes of the message, fields in the order of their numbers.
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.encode_into(&mut writer);
        writer.into_bytes()
    }
}

/// For messages that hold messages of their own type.
impl<M: Message> Message for Box<M> {
    fn encode_into(&self, writer: &mut Writer) {
        (**self).encode_into(writer);
    }
    fn read_field(&mut self, field: &Field<'_>) -> Result<()> {
        (**self).read_field(field)
    }
}

/// A type that a field can have.
pub trait FieldType {
    /// Writes the field, unless it is its default.
    fn write(&self, number: u32, writer: &mut Writer);
    /// Takes in one occurrence of the field.
    fn read(&mut self, field: &Field<'_>) -> Result<()>;
}

impl FieldType for String {
    #[inline]
    fn write(&self, number: u32, writer: &mut Writer) {
        writer.string(number, self);
    }
    #[inline]
    fn read(&mut self, field: &Field<'_>) -> Result<()> {
        *self = field.str()?.to_owned();
        Ok(())
    }
}

impl FieldType for Vec<u8> {
    #[inline]
    fn write(&self, number: u32, writer: &mut Writer) {
        writer.bytes(number, self);
    }
    #[inline]
    fn read(&mut self, field: &Field<'_>) -> Result<()> {
        *self = field.bytes()?.to_vec();
        Ok(())
    }
}

impl FieldType for i64 {
    #[inline]
    fn write(&self, number: u32, writer: &mut Writer) {
        writer.int(number, *self);
    }
    #[inline]
    fn read(&mut self, field: &Field<'_>) -> Result<()> {
        *self = field.int()?;
        Ok(())
    }
}

impl FieldType for i32 {
    #[inline]
    fn write(&self, number: u32, writer: &mut Writer) {
        writer.int(number, i64::from(*self));
    }
    #[inline]
    fn read(&mut self, field: &Field<'_>) -> Result<()> {
        *self = field.int()? as i32;
        Ok(())
    }
}

impl FieldType for bool {
    #[inline]
    fn write(&self, number: u32, writer: &mut Writer) {
        writer.bool(number, *self);
    }
    #[inline]
    fn read(&mut self, field: &Field<'_>) -> Result<()> {
        *self = field.bool()?;
        Ok(())
    }
}

impl FieldType for f64 {
    #[inline]
    fn write(&self, number: u32, writer: &mut Writer) {
        writer.double(number, *self);
    }
    #[inline]
    fn read(&mut self, field: &Field<'_>) -> Result<()> {
        *self = field.double()?;
        Ok(())
    }
}

impl FieldType for Vec<String> {
    fn write(&self, number: u32, writer: &mut Writer) {
        for item in self {
            writer.bytes_always(number, item.as_bytes());
        }
    }
    fn read(&mut self, field: &Field<'_>) -> Result<()> {
        self.push(field.str()?.to_owned());
        Ok(())
    }
}

impl FieldType for Vec<i64> {
    fn write(&self, number: u32, writer: &mut Writer) {
        if self.is_empty() {
            return;
        }
        writer.message(number, |packed| {
            for &item in self {
                packed.raw_varint(item as u64);
            }
        });
    }
    fn read(&mut self, field: &Field<'_>) -> Result<()> {
        match field.wire {
            Wire::Bytes(packed) => {
                let mut reader = Reader::new(packed);
                while !reader.is_at_end() {
                    self.push(reader.varint()? as i64);
                }
                Ok(())
            }
            _ => {
                self.push(field.int()?);
                Ok(())
            }
        }
    }
}

impl<M: Message> FieldType for Vec<M> {
    fn write(&self, number: u32, writer: &mut Writer) {
        for item in self {
            writer.message(number, |body| item.encode_into(body));
        }
    }
    fn read(&mut self, field: &Field<'_>) -> Result<()> {
        let mut item = M::default();
        item.read_all(field.message()?)?;
        self.push(item);
        Ok(())
    }
}

impl<M: Message> FieldType for Option<M> {
    fn write(&self, number: u32, writer: &mut Writer) {
        if let Some(message) = self {
            writer.message(number, |body| message.encode_into(body));
        }
    }
    fn read(&mut self, field: &Field<'_>) -> Result<()> {
        self.get_or_insert_with(M::default).read_all(field.message()?)
    }
}

/// The known numbers of a protobuf enum.
pub trait Enum: Copy + Default {
    /// The number on the wire.
    fn number(self) -> i32;
    /// The value of a number.
    fn from_number(number: i32) -> Result<Self>;
}

/// Reads the number of an enum field.
pub fn read_enum<E: Enum>(field: &Field<'_>) -> Result<E> {
    E::from_number(i32::try_from(field.int()?).map_err(|_| WireError::UnknownEnum)?)
}

/// Declares a message: `/// doc` `Name { /// doc` `field: Type = number, … }`.
macro_rules! message {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident : $type:ty = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $crate::message::Message for $name {
            fn encode_into(&self, writer: &mut $crate::wire::Writer) {
                $($crate::message::FieldType::write(&self.$field, $number, writer);)*
            }

            fn read_field(&mut self, field: &$crate::wire::Field<'_>) -> $crate::wire::Result<()> {
                match field.number {
                    $($number => $crate::message::FieldType::read(&mut self.$field, field),)*
                    _ => Ok(()),
                }
            }
        }
    };
}

/// Declares an enum; the first value is the default and should be number 0.
macro_rules! enumeration {
    ($(#[$doc:meta])* $name:ident { $(#[$first_doc:meta])* $first:ident = $first_number:literal,
        $($(#[$value_doc:meta])* $value:ident = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        #[repr(i32)]
        pub enum $name {
            $(#[$first_doc])*
            #[default]
            $first = $first_number,
            $($(#[$value_doc])* $value = $number,)*
        }

        impl $crate::message::Enum for $name {
            #[inline]
            fn number(self) -> i32 {
                self as i32
            }

            #[inline]
            fn from_number(number: i32) -> $crate::wire::Result<Self> {
                match number {
                    $first_number => Ok(Self::$first),
                    $($number => Ok(Self::$value),)*
                    _ => Err($crate::wire::WireError::UnknownEnum),
                }
            }
        }

        impl $crate::message::FieldType for $name {
            #[inline]
            fn write(&self, number: u32, writer: &mut $crate::wire::Writer) {
                writer.int(number, *self as i64);
            }
            #[inline]
            fn read(&mut self, field: &$crate::wire::Field<'_>) -> $crate::wire::Result<()> {
                *self = $crate::message::read_enum(field)?;
                Ok(())
            }
        }
    };
}

pub(crate) use {enumeration, message};
