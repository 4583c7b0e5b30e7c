//! Reads and writes the protobuf wire format, without a schema and without copying.
//!
//! Invariant: no input makes this module panic or recurse; whatever is not well formed is a [`WireError`].

use std::fmt;

/// How deep messages may lie inside each other before reading refuses; groups count like messages. A
/// google.protobuf.Value takes three for each level of its own.
pub const MAX_DEPTH: u16 = 400;

/// What can be wrong with bytes that claim to be a protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireError {
    /// The bytes end inside a field.
    Truncated,
    /// A varint has more than ten bytes or does not fit 64 bits.
    VarintTooLong,
    /// A field number is zero or too large, or a wire type does not exist.
    BadTag,
    /// A group ends that was not begun, or with another number.
    BadGroup,
    /// A field has another wire type than its declaration.
    WrongType,
    /// A string is not UTF-8.
    BadUtf8,
    /// Messages lie deeper inside each other than [`MAX_DEPTH`].
    TooDeep,
    /// An enum has a number that this version does not know.
    UnknownEnum,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WireError::Truncated => "the message ends inside a field",
            WireError::VarintTooLong => "a varint is too long",
            WireError::BadTag => "a field has an impossible tag",
            WireError::BadGroup => "a group ends where none began",
            WireError::WrongType => "a field has another wire type than declared",
            WireError::BadUtf8 => "a string is not UTF-8",
            WireError::TooDeep => "messages are nested too deeply",
            WireError::UnknownEnum => "an enum has an unknown number",
        })
    }
}

impl std::error::Error for WireError {}

/// The result of reading.
pub type Result<T> = std::result::Result<T, WireError>;

/// What a field holds, as the wire tells it apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wire<'a> {
    /// Integers, booleans and enums.
    Varint(u64),
    /// Doubles and fixed 64 bit integers.
    Fixed64(u64),
    /// Strings, bytes, messages and packed lists.
    Bytes(&'a [u8]),
    /// Floats and fixed 32 bit integers.
    Fixed32(u32),
    /// A deprecated group, already passed over.
    Group,
}

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field<'a> {
    /// The field's number, at least 1.
    pub number: u32,
    /// Its content.
    pub wire: Wire<'a>,
    depth: u16,
}

impl<'a> Field<'a> {
    /// The content of a string, bytes or message field.
    #[inline]
    pub fn bytes(&self) -> Result<&'a [u8]> {
        match self.wire {
            Wire::Bytes(bytes) => Ok(bytes),
            _ => Err(WireError::WrongType),
        }
    }

    /// The content of a string field, checked to be UTF-8.
    #[inline]
    pub fn str(&self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| WireError::BadUtf8)
    }

    /// The content of an integer field; negative numbers as two's complement.
    #[inline]
    pub fn varint(&self) -> Result<u64> {
        match self.wire {
            Wire::Varint(value) => Ok(value),
            _ => Err(WireError::WrongType),
        }
    }

    /// The content of an int64 or, truncated like every protobuf runtime does, of an int32 field.
    #[inline]
    pub fn int(&self) -> Result<i64> {
        self.varint().map(|value| value as i64)
    }

    /// The content of a bool field.
    #[inline]
    pub fn bool(&self) -> Result<bool> {
        self.varint().map(|value| value != 0)
    }

    /// The content of a double field.
    #[inline]
    pub fn double(&self) -> Result<f64> {
        match self.wire {
            Wire::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(WireError::WrongType),
        }
    }

    /// A reader of the message in this field, one level deeper.
    #[inline]
    pub fn message(&self) -> Result<Reader<'a>> {
        let depth = self.depth.checked_sub(1).ok_or(WireError::TooDeep)?;
        Ok(Reader { rest: self.bytes()?, depth })
    }
}

/// Walks the fields of one message in the order of the bytes.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
    depth: u16,
}

impl<'a> Reader<'a> {
    /// A reader of a whole message.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes, depth: MAX_DEPTH }
    }

    /// A reader of a whole message that allows `depth` levels of messages in it.
    #[inline]
    pub fn with_depth(bytes: &'a [u8], depth: u16) -> Self {
        Reader { rest: bytes, depth }
    }

    /// The next field, or `None` at the end. After an error the reader stays where the error is.
    #[inline(always)]
    pub fn next_field(&mut self) -> Result<Option<Field<'a>>> {
        // What most fields are, kept small enough to be inlined: short bytes with a number below 16.
        if let [tag @ 0x08..=0x7f, length @ 0..=0x7f, rest @ ..] = self.rest {
            if tag & 7 == 2 {
                if let Some((bytes, rest)) = rest.split_at_checked(usize::from(*length)) {
                    self.rest = rest;
                    let number = u32::from(tag >> 3);
                    return Ok(Some(Field { number, wire: Wire::Bytes(bytes), depth: self.depth }));
                }
            }
        }
        self.any_field()
    }

    /// The next field, and all of its bytes, the tag included.
    #[inline]
    pub fn next_raw(&mut self) -> Result<Option<(Field<'a>, &'a [u8])>> {
        let before = self.rest;
        let field = self.next_field()?;
        let raw = before.get(..before.len() - self.rest.len()).unwrap_or(&[]);
        Ok(field.map(|field| (field, raw)))
    }

    /// What has not been read yet.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn any_field(&mut self) -> Result<Option<Field<'a>>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, kind) = self.tag()?;
        let wire = self.content(number, kind)?;
        Ok(Some(Field { number, wire, depth: self.depth }))
    }

    #[inline]
    fn tag(&mut self) -> Result<(u32, u8)> {
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number > 0x1fff_ffff {
            return Err(WireError::BadTag);
        }
        Ok((number as u32, (tag & 7) as u8))
    }

    #[inline]
    fn content(&mut self, number: u32, kind: u8) -> Result<Wire<'a>> {
        match kind {
            0 => Ok(Wire::Varint(self.varint()?)),
            1 => Ok(Wire::Fixed64(u64::from_le_bytes(self.array()?))),
            2 => Ok(Wire::Bytes(self.length_delimited()?)),
            3 => self.pass_group(number).map(|()| Wire::Group),
            4 => Err(WireError::BadGroup),
            5 => Ok(Wire::Fixed32(u32::from_le_bytes(self.array()?))),
            _ => Err(WireError::BadTag),
        }
    }

    /// Passes over a group and everything in it, without recursion.
    fn pass_group(&mut self, number: u32) -> Result<()> {
        let mut open = vec![number];
        while let Some(&innermost) = open.last() {
            let (number, kind) = self.tag()?;
            match kind {
                3 => {
                    if open.len() >= usize::from(self.depth) {
                        return Err(WireError::TooDeep);
                    }
                    open.push(number);
                }
                4 if number == innermost => {
                    open.pop();
                }
                _ => {
                    self.content(number, kind)?;
                }
            }
        }
        Ok(())
    }

    /// Reads one varint; also serves packed lists, where nothing but varints stands.
    #[inline]
    pub fn varint(&mut self) -> Result<u64> {
        if let [first, rest @ ..] = self.rest {
            if *first < 0x80 {
                self.rest = rest;
                return Ok(u64::from(*first));
            }
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for (index, &byte) in self.rest.iter().take(10).enumerate() {
            if index == 9 && byte > 1 {
                return Err(WireError::VarintTooLong);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.rest = self.rest.get(index + 1..).ok_or(WireError::Truncated)?;
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { WireError::Truncated } else { WireError::VarintTooLong })
    }

    #[inline]
    fn length_delimited(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// True when every byte has been read.
    #[inline]
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Writes a message. Scalars that equal their default are left out, as proto3 has it.
#[derive(Debug, Default, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty message.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty message with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Writer { bytes: Vec::with_capacity(capacity) }
    }

    /// The message.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The bytes written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends a varint without a tag.
    #[inline]
    pub fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// Appends bytes as they are, within the body of a field.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    #[inline]
    fn tag(&mut self, number: u32, kind: u8) {
        self.raw_varint(u64::from(number) << 3 | u64::from(kind));
    }

    /// An int64, int32 or enum field.
    #[inline]
    pub fn int(&mut self, number: u32, value: i64) {
        if value != 0 {
            self.tag(number, 0);
            self.raw_varint(value as u64);
        }
    }

    /// A bool field.
    #[inline]
    pub fn bool(&mut self, number: u32, value: bool) {
        self.int(number, i64::from(value));
    }

    /// A double field; minus zero is written, zero is not.
    #[inline]
    pub fn double(&mut self, number: u32, value: f64) {
        if value.to_bits() != 0 {
            self.double_always(number, value);
        }
    }

    /// A double that has presence, as in a oneof.
    #[inline]
    pub fn double_always(&mut self, number: u32, value: f64) {
        self.tag(number, 1);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// An integer or bool that has presence, as in a oneof.
    #[inline]
    pub fn int_always(&mut self, number: u32, value: i64) {
        self.tag(number, 0);
        self.raw_varint(value as u64);
    }

    /// A string field.
    #[inline]
    pub fn string(&mut self, number: u32, value: &str) {
        self.bytes(number, value.as_bytes());
    }

    /// A bytes field.
    #[inline]
    pub fn bytes(&mut self, number: u32, value: &[u8]) {
        if !value.is_empty() {
            self.bytes_always(number, value);
        }
    }

    /// A string, bytes or already encoded message that is written also when empty: repeated fields and submessages.
    #[inline]
    pub fn bytes_always(&mut self, number: u32, value: &[u8]) {
        self.tag(number, 2);
        self.raw_varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// A submessage, written by `body`. Its length is put in front afterwards, so that nothing is encoded twice.
    #[inline]
    pub fn message(&mut self, number: u32, body: impl FnOnce(&mut Writer)) {
        self.tag(number, 2);
        let at = self.bytes.len();
        self.bytes.push(0);
        body(self);
        let length = self.bytes.len() - at - 1;
        if length < 0x80 {
            if let Some(byte) = self.bytes.get_mut(at) {
                *byte = length as u8;
            }
        } else {
            let mut prefix = Writer { bytes: Vec::with_capacity(10) };
            prefix.raw_varint(length as u64);
            self.bytes.splice(at..at + 1, prefix.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_field_is_read_back() {
        let mut writer = Writer::new();
        writer.int(1, -7);
        writer.double(2, 0.5);
        writer.string(3, "é");
        writer.message(4, |w| w.bytes(1, &[9; 300]));
        writer.bool(500, true);
        let mut reader = Reader::new(writer.as_bytes());
        let mut next = || reader.next_field().unwrap().unwrap();
        assert_eq!(next().int(), Ok(-7));
        assert_eq!(next().double(), Ok(0.5));
        assert_eq!(next().str(), Ok("é"));
        assert_eq!(next().message().unwrap().next_field().unwrap().unwrap().bytes().unwrap().len(), 300);
        assert_eq!(next().bool(), Ok(true));
        assert!(reader.next_field().unwrap().is_none());
    }

    #[test]
    fn groups_are_passed_over() {
        // field 5 as a group that holds a varint and another group, then field 1
        let bytes = [0x2b, 0x08, 0x01, 0x33, 0x34, 0x2c, 0x08, 0x07];
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.next_field().unwrap().unwrap().wire, Wire::Group);
        assert_eq!(reader.next_field().unwrap().unwrap().int(), Ok(7));
    }

    #[test]
    fn malformed_bytes_are_errors() {
        for (bytes, error) in [
            (&[0x0a, 0x05, 0x01][..], WireError::Truncated),
            (&[0x08], WireError::Truncated),
            (&[0x00, 0x00], WireError::BadTag),
            (&[0x0f, 0x00], WireError::BadTag),
            (&[0x0c], WireError::BadGroup),
            (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], WireError::VarintTooLong),
            (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], WireError::Truncated),
            (&[0x0b; 1000], WireError::TooDeep),
        ] {
            assert_eq!(Reader::new(bytes).next_field(), Err(error), "{bytes:?}");
        }
    }
}
