//! The canonical JSON text of a google.protobuf.Value, straight from its bytes.
//!
//! Invariant: the text is that of [`Value::from_protobuf`] followed by [`Value::to_json`], without building the value.

use sha2::{Digest, Sha256};

use crate::json::{write_double, write_int, write_unchecked_string};
use crate::value::{Value, ValueError, MAX_NESTING};
use crate::wire::{Field, Reader, WireError};

/// Appends the canonical text of the value in `bytes`. After an error, part of it may have been appended.
pub fn write_protobuf(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    let start = out.len();
    write_value(Reader::new(bytes), 0, out)?;
    check_utf8(out.get(start..).unwrap_or(&[]))
}

/// The SHA-256 of the canonical text of the Struct in `bytes`, which is never held as a whole.
pub fn struct_digest(bytes: &[u8]) -> Result<[u8; 32], ValueError> {
    let mut out = Hashed { text: Vec::with_capacity(2 * HASHED_AT_ONCE), hasher: Sha256::new() };
    write_struct(Reader::new(bytes), 1, &mut out)?;
    out.take()?;
    Ok(out.hasher.finalize().into())
}

/// Where canonical text goes.
trait Output {
    fn text(&mut self) -> &mut Vec<u8>;

    /// A member of a struct has been written.
    fn member_ended(&mut self) -> Result<(), ValueError>;
}

impl Output for Vec<u8> {
    #[inline(always)]
    fn text(&mut self) -> &mut Vec<u8> {
        self
    }

    #[inline(always)]
    fn member_ended(&mut self) -> Result<(), ValueError> {
        Ok(())
    }
}

/// Text that is hashed piece by piece.
struct Hashed {
    text: Vec<u8>,
    hasher: Sha256,
}

/// So many bytes stay in the nearest cache.
const HASHED_AT_ONCE: usize = 1 << 13;

impl Hashed {
    fn take(&mut self) -> Result<(), ValueError> {
        check_utf8(&self.text)?;
        self.hasher.update(&self.text);
        self.text.clear();
        Ok(())
    }
}

impl Output for Hashed {
    #[inline]
    fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    #[inline]
    fn member_ended(&mut self) -> Result<(), ValueError> {
        if self.text.len() >= HASHED_AT_ONCE {
            self.take()?;
        }
        Ok(())
    }
}

/// Strings are copied as they come. Quotes stand between any two, so all are UTF-8 if and only if the whole is.
fn check_utf8(text: &[u8]) -> Result<(), ValueError> {
    std::str::from_utf8(text).map(|_| ()).map_err(|_| ValueError::Wire(WireError::BadUtf8))
}

fn write_value<O: Output>(mut reader: Reader<'_>, depth: usize, out: &mut O) -> Result<(), ValueError> {
    // A oneof: of several fields the last counts.
    let mut last: Option<Field<'_>> = None;
    while let Some(field) = reader.next_field()? {
        if (1..=6).contains(&field.number) {
            last = Some(field);
        }
    }
    let Some(field) = last else {
        out.text().extend_from_slice(b"null");
        return Ok(());
    };
    match field.number {
        2 => write_number(field.double()?, out.text())?,
        3 => write_unchecked_string(field.bytes()?, out.text()),
        4 => out.text().extend_from_slice(if field.bool()? { b"true" } else { b"false" }),
        5 => write_struct(field.message()?, depth + 1, out)?,
        6 => write_list(field.message()?, depth + 1, out)?,
        _ => out.text().extend_from_slice(b"null"),
    }
    Ok(())
}

#[inline]
fn write_number(number: f64, out: &mut Vec<u8>) -> Result<(), ValueError> {
    // What nearly every number is; the cast saturates, so what does not fit does not come back the same.
    let whole = number as i32;
    if f64::from(whole) == number {
        write_int(i64::from(whole), out);
        return Ok(());
    }
    match Value::from_f64(number) {
        None => return Err(ValueError::NotFinite { path: String::new() }),
        Some(Value::Int(number)) => write_int(number, out),
        Some(Value::BigInt(digits)) => out.extend_from_slice(digits.as_bytes()),
        Some(_) => write_double(number, out),
    }
    Ok(())
}

fn write_list<O: Output>(mut reader: Reader<'_>, depth: usize, out: &mut O) -> Result<(), ValueError> {
    if depth > MAX_NESTING {
        return Err(ValueError::TooDeep);
    }
    let mut separator = b'[';
    while let Some(field) = reader.next_field()? {
        if field.number == 1 {
            out.text().push(separator);
            separator = b',';
            write_value(field.message()?, depth, out)?;
        }
    }
    if separator == b'[' {
        out.text().push(separator);
    }
    out.text().push(b']');
    Ok(())
}

fn write_struct<O: Output>(mut reader: Reader<'_>, depth: usize, out: &mut O) -> Result<(), ValueError> {
    if depth > MAX_NESTING {
        return Err(ValueError::TooDeep);
    }
    let mut members: Vec<(&[u8], Option<Reader<'_>>)> = Vec::with_capacity(8);
    while let Some(field) = reader.next_field()? {
        if field.number != 1 {
            continue;
        }
        let mut entry = field.message()?;
        let (mut key, mut value) = (&[][..], None);
        while let Some(part) = entry.next_field()? {
            match part.number {
                1 => key = part.bytes()?,
                2 => value = Some(part.message()?),
                _ => {}
            }
        }
        members.push((key, value));
    }
    // Stable, so that of equal keys the last stays last: that one counts. Bytes of UTF-8 sort like code points.
    members.sort_by_key(|(key, _)| *key);
    let mut separator = b'{';
    for (index, (key, value)) in members.iter().enumerate() {
        if members.get(index + 1).is_some_and(|(next, _)| next == key) {
            continue;
        }
        out.text().push(separator);
        separator = b',';
        write_unchecked_string(key, out.text());
        out.text().push(b':');
        match value {
            Some(reader) => write_value(*reader, depth, out)?,
            None => out.text().extend_from_slice(b"null"),
        }
        out.member_ended()?;
    }
    if separator == b'{' {
        out.text().push(separator);
    }
    out.text().push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Writer;

    fn value(writer: &mut Writer, value: &Value) {
        match value {
            Value::Null => writer.int_always(1, 0),
            Value::Bool(flag) => writer.int_always(4, i64::from(*flag)),
            Value::String(text) => writer.bytes_always(3, text.as_bytes()),
            Value::List(items) => writer.message(6, |list| {
                items.iter().for_each(|item| list.message(1, |inner| self::value(inner, item)));
            }),
            Value::Object(members) => writer.message(5, |object| {
                // Backwards, as a map may come.
                for (key, item) in members.iter().rev() {
                    object.message(1, |entry| {
                        entry.string(1, key);
                        entry.message(2, |inner| self::value(inner, item));
                    });
                }
            }),
            number => writer.double_always(2, number.as_f64().unwrap()),
        }
    }

    fn written(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write_protobuf(bytes, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_that_are_no_utf8_are_refused() {
        let mut writer = Writer::new();
        writer.bytes_always(3, b"a\xffb");
        assert_eq!(write_protobuf(writer.as_bytes(), &mut Vec::new()), Err(ValueError::Wire(WireError::BadUtf8)));
    }

    #[test]
    fn the_text_is_that_of_the_value() {
        for text in [
            "null",
            "[]",
            "{}",
            "[1,-2.5,1e+21,true,null,\"a\\\"b\"]",
            "{\"\":{\"b\":[],\"a\":[[{}]]},\"z\":\"é\",\"k\":100000000000000000000}",
        ] {
            let parsed = Value::from_json(text).unwrap();
            let mut writer = Writer::new();
            value(&mut writer, &parsed);
            assert_eq!(written(writer.as_bytes()), parsed.to_json());
            assert_eq!(Value::from_protobuf(writer.as_bytes()).unwrap(), parsed);
        }
    }

    #[test]
    fn of_equal_keys_the_last_counts() {
        let mut writer = Writer::new();
        writer.message(5, |object| {
            for number in [1.0, 2.0] {
                object.message(1, |entry| {
                    entry.string(1, "a");
                    entry.message(2, |inner| inner.double_always(2, number));
                });
            }
        });
        assert_eq!(written(writer.as_bytes()), "{\"a\":2}");
        assert_eq!(Value::from_protobuf(writer.as_bytes()).unwrap().to_json(), "{\"a\":2}");
    }

    #[test]
    fn numbers_that_json_lacks_and_endless_nesting_are_refused() {
        let mut writer = Writer::new();
        writer.double_always(2, f64::NAN);
        assert!(write_protobuf(writer.as_bytes(), &mut Vec::new()).is_err());
        let mut bytes = Vec::new();
        for _ in 0..120 {
            let mut writer = Writer::new();
            writer.message(6, |list| list.bytes_always(1, &bytes));
            bytes = writer.into_bytes();
        }
        assert_eq!(write_protobuf(&bytes, &mut Vec::new()), Err(ValueError::TooDeep));
    }

    #[test]
    fn a_struct_that_is_hashed_in_pieces_has_the_digest_of_its_text() {
        let members = |count: usize| {
            let mut writer = Writer::new();
            for member in (0..count).rev() {
                writer.message(1, |entry| {
                    entry.string(1, &format!("key {member:05}"));
                    entry.message(2, |inner| value(inner, &Value::from_json(r#"{"a":[1,{"b":"é"}]}"#).unwrap()));
                });
            }
            writer
        };
        for count in [0, 3, 2000] {
            let bytes = members(count);
            let mut whole = Writer::new();
            whole.bytes_always(5, bytes.as_bytes());
            let text = written(whole.as_bytes());
            assert_eq!(struct_digest(bytes.as_bytes()), Ok(Sha256::digest(&text).into()), "{count} members");
        }
        let mut broken = members(2000);
        broken.bytes_always(1, b"\x0a\x02\xff\xff");
        assert_eq!(struct_digest(broken.as_bytes()), Err(ValueError::Wire(WireError::BadUtf8)));
    }
}
