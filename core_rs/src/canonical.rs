//! The canonical JSON text of a google.protobuf.Value, straight from its bytes.
//!
//! Invariant: the text is that of [`Value::from_protobuf`] followed by [`Value::to_json`], without building the value.

use crate::json::{write_double, write_int, write_string, Sink};
use crate::value::{Value, ValueError, MAX_NESTING};
use crate::wire::{Field, Reader};

/// Appends the canonical text of the value in `bytes`. After an error, part of it may have been appended.
pub fn write_protobuf(bytes: &[u8], out: &mut impl Sink) -> Result<(), ValueError> {
    write_value(Reader::new(bytes), 0, out)
}

fn write_value(mut reader: Reader<'_>, depth: usize, out: &mut impl Sink) -> Result<(), ValueError> {
    // A oneof: of several fields the last counts.
    let mut last: Option<Field<'_>> = None;
    while let Some(field) = reader.next_field()? {
        if (1..=6).contains(&field.number) {
            last = Some(field);
        }
    }
    let Some(field) = last else {
        out.push_text("null");
        return Ok(());
    };
    match field.number {
        2 => write_number(field.double()?, out)?,
        3 => write_string(field.str()?, out),
        4 => out.push_text(if field.bool()? { "true" } else { "false" }),
        5 => write_struct(field.message()?, depth + 1, out)?,
        6 => write_list(field.message()?, depth + 1, out)?,
        _ => out.push_text("null"),
    }
    Ok(())
}

fn write_number(number: f64, out: &mut impl Sink) -> Result<(), ValueError> {
    match Value::from_f64(number) {
        None => return Err(ValueError::NotFinite { path: String::new() }),
        Some(Value::Int(number)) => write_int(number, out),
        Some(Value::BigInt(digits)) => out.push_text(&digits),
        Some(_) => write_double(number, out),
    }
    Ok(())
}

fn write_list(mut reader: Reader<'_>, depth: usize, out: &mut impl Sink) -> Result<(), ValueError> {
    if depth > MAX_NESTING {
        return Err(ValueError::TooDeep);
    }
    let mut separator = "[";
    while let Some(field) = reader.next_field()? {
        if field.number == 1 {
            out.push_text(separator);
            separator = ",";
            write_value(field.message()?, depth, out)?;
        }
    }
    out.push_text(if separator == "[" { "[]" } else { "]" });
    Ok(())
}

fn write_struct(mut reader: Reader<'_>, depth: usize, out: &mut impl Sink) -> Result<(), ValueError> {
    if depth > MAX_NESTING {
        return Err(ValueError::TooDeep);
    }
    let mut members: Vec<(&str, Option<Reader<'_>>)> = Vec::new();
    while let Some(field) = reader.next_field()? {
        if field.number != 1 {
            continue;
        }
        let mut entry = field.message()?;
        let (mut key, mut value) = ("", None);
        while let Some(part) = entry.next_field()? {
            match part.number {
                1 => key = part.str()?,
                2 => value = Some(part.message()?),
                _ => {}
            }
        }
        members.push((key, value));
    }
    // Stable, so that of equal keys the last stays last: that one counts.
    members.sort_by_key(|(key, _)| *key);
    let mut separator = "{";
    for (index, (key, value)) in members.iter().enumerate() {
        if members.get(index + 1).is_some_and(|(next, _)| next == key) {
            continue;
        }
        out.push_text(separator);
        separator = ",";
        write_string(key, out);
        out.push_text(":");
        match value {
            Some(reader) => write_value(*reader, depth, out)?,
            None => out.push_text("null"),
        }
    }
    out.push_text(if separator == "{" { "{}" } else { "}" });
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
            let mut out = String::new();
            write_protobuf(writer.as_bytes(), &mut out).unwrap();
            assert_eq!(out, parsed.to_json());
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
        let mut out = String::new();
        write_protobuf(writer.as_bytes(), &mut out).unwrap();
        assert_eq!(out, "{\"a\":2}");
        assert_eq!(Value::from_protobuf(writer.as_bytes()).unwrap().to_json(), out);
    }

    #[test]
    fn numbers_that_json_lacks_and_endless_nesting_are_refused() {
        let mut writer = Writer::new();
        writer.double_always(2, f64::NAN);
        assert!(write_protobuf(writer.as_bytes(), &mut String::new()).is_err());
        let mut bytes = Vec::new();
        for _ in 0..120 {
            let mut writer = Writer::new();
            writer.message(6, |list| list.bytes_always(1, &bytes));
            bytes = writer.into_bytes();
        }
        assert_eq!(write_protobuf(&bytes, &mut String::new()), Err(ValueError::TooDeep));
    }
}
