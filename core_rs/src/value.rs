//! The value of a parameter, and how it is read, compared, typed and shown.
//!
//! Invariant: every number has one form. Whole numbers are integers, exact at any size, however they were written;
//! a [`Value::Double`] is finite and either has a fraction or is 10^21 or more. So `==` is equality of meaning.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::json::{self, Spacing};
use crate::wire::{Reader, WireError};

/// How deep lists and objects may lie inside each other.
pub const MAX_NESTING: usize = 100;

/// From here on whole doubles are written with an exponent, by Go, JavaScript and the Kubeflow backend alike.
const FIRST_EXPONENTIAL: f64 = 1e21;

/// A JSON value with exact integers.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// JSON null; for a parameter: absent.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// An integer that needs more: its decimal digits, a minus before them where negative, no leading zeros.
    BigInt(String),
    /// A finite number that is no integer below 10^21.
    Double(f64),
    /// A text.
    String(String),
    /// A list.
    List(Vec<Value>),
    /// An object; keys are unique and sorted by code point.
    Object(BTreeMap<String, Value>),
}

/// Why bytes of google.protobuf.Value are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueError {
    /// The bytes are no protobuf message.
    Wire(WireError),
    /// A number that JSON does not have.
    NotFinite {
        /// Where, e.g. `['a'][3]`; empty for the value itself.
        path: String,
    },
    /// More than [`MAX_NESTING`] levels.
    TooDeep,
}

impl From<WireError> for ValueError {
    fn from(error: WireError) -> Self {
        ValueError::Wire(error)
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueError::Wire(error) => write!(f, "not a well-formed message: {error}"),
            ValueError::NotFinite { path } if path.is_empty() => f.write_str("NaN and infinities are no values"),
            ValueError::NotFinite { path } => write!(f, "NaN and infinities are no values (at {path})"),
            ValueError::TooDeep => write!(f, "values are nested more than {MAX_NESTING} levels deep"),
        }
    }
}

impl std::error::Error for ValueError {}

impl Value {
    /// The value of a double; `None` for NaN and infinities.
    pub fn from_f64(number: f64) -> Option<Value> {
        if !number.is_finite() {
            return None;
        }
        if number.fract() != 0.0 || number.abs() >= FIRST_EXPONENTIAL {
            return Some(Value::Double(number));
        }
        // 2^63 itself does not fit; every whole double below it does, exactly.
        if number.abs() < 9_223_372_036_854_775_808.0 {
            return Some(Value::Int(number as i64));
        }
        Value::from_integer_text(&format!("{number:.0}"))
    }

    /// The value of an integer's text as JSON spells it (`-?(0|[1-9][0-9]*)`).
    pub fn from_integer_text(text: &str) -> Option<Value> {
        if let Ok(number) = text.parse::<i64>() {
            return Some(Value::Int(number));
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_plain = digits.len() > 18 && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
        is_plain.then(|| Value::BigInt(text.to_owned()))
    }

    /// Reads the bytes of a google.protobuf.Value.
    pub fn from_protobuf(bytes: &[u8]) -> Result<Value, ValueError> {
        read_value(Reader::new(bytes), 0)
    }

    /// Reads the bytes of a google.protobuf.Struct, always giving an [`Value::Object`].
    pub fn from_protobuf_struct(bytes: &[u8]) -> Result<Value, ValueError> {
        read_struct(Reader::new(bytes), 0).map(Value::Object)
    }

    /// Reads JSON text; see [`json::parse`].
    pub fn from_json(text: &str) -> Result<Value, json::JsonError> {
        json::parse(text)
    }

    /// The canonical JSON text: compact, keys sorted, the same for equal values.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        json::write(self, Spacing::Compact, &mut out);
        out
    }

    /// The text that stands for the value where a placeholder names it: strings as they are, anything else as canonical
    /// JSON, which is what coercion to STRING makes of it too.
    pub fn to_text(&self) -> String {
        match self {
            Value::String(text) => text.clone(),
            other => other.to_json(),
        }
    }

    /// SHA-256 of the canonical form, in hex: the identity of a loop's item.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(b"reprise.item.v1\0");
        hasher.update(self.to_json());
        hex(&hasher.finalize())
    }

    /// True for null, which stands for an absent parameter.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The text, where the value is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The members, where the value is an object.
    pub fn as_object(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Value::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The items, where the value is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The boolean, where the value is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The integer, where the value is one of 64 bits.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The number as a double, rounded where it does not fit.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(*number as f64),
            Value::BigInt(digits) => digits.parse().ok(),
            Value::Double(number) => Some(*number),
            _ => None,
        }
    }

    /// The member of that name, where the value is an object and has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_object().and_then(|members| members.get(key))
    }

    /// What kind of value this is, in words for error messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::BigInt(_) => "an integer",
            Value::Double(_) => "a number",
            Value::String(_) => "a string",
            Value::List(_) => "a list",
            Value::Object(_) => "a struct",
        }
    }
}

/// Lower-case hexadecimal digits of bytes.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn deeper(depth: usize) -> Result<usize, ValueError> {
    if depth >= MAX_NESTING {
        return Err(ValueError::TooDeep);
    }
    Ok(depth + 1)
}

fn read_value(mut reader: Reader<'_>, depth: usize) -> Result<Value, ValueError> {
    // A Value without a kind is not a value of JSON's; upb and Google's services read it as null.
    let mut value = Value::Null;
    while let Some(field) = reader.next_field()? {
        value = match field.number {
            1 => Value::Null,
            2 => Value::from_f64(field.double()?).ok_or_else(|| ValueError::NotFinite { path: String::new() })?,
            3 => Value::String(field.str()?.to_owned()),
            4 => Value::Bool(field.bool()?),
            5 => Value::Object(read_struct(field.message()?, depth)?),
            6 => Value::List(read_list(field.message()?, depth)?),
            _ => value,
        };
    }
    Ok(value)
}

fn read_struct(mut reader: Reader<'_>, depth: usize) -> Result<BTreeMap<String, Value>, ValueError> {
    let depth = deeper(depth)?;
    let mut members = BTreeMap::new();
    while let Some(field) = reader.next_field()? {
        if field.number != 1 {
            continue;
        }
        let mut entry = field.message()?;
        let (mut key, mut value) = ("", Value::Null);
        while let Some(part) = entry.next_field()? {
            match part.number {
                1 => key = part.str()?,
                2 => value = at(read_value(part.message()?, depth), || format!("['{key}']"))?,
                _ => {}
            }
        }
        members.insert(key.to_owned(), value);
    }
    Ok(members)
}

fn read_list(mut reader: Reader<'_>, depth: usize) -> Result<Vec<Value>, ValueError> {
    let depth = deeper(depth)?;
    let mut items = Vec::new();
    while let Some(field) = reader.next_field()? {
        if field.number == 1 {
            let index = items.len();
            items.push(at(read_value(field.message()?, depth), || format!("[{index}]"))?);
        }
    }
    Ok(items)
}

/// Puts a step before the path of an error.
fn at<T>(result: Result<T, ValueError>, step: impl FnOnce() -> String) -> Result<T, ValueError> {
    result.map_err(|error| match error {
        ValueError::NotFinite { path } => ValueError::NotFinite { path: step() + &path },
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Writer;

    fn number(value: f64) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.double_always(2, value);
        writer.into_bytes()
    }

    fn list(items: &[Vec<u8>]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.message(6, |list| items.iter().for_each(|item| list.bytes_always(1, item)));
        writer.into_bytes()
    }

    fn object(key: &str, value: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.message(5, |object| {
            object.message(1, |entry| {
                entry.string(1, key);
                entry.bytes_always(2, value);
            });
        });
        writer.into_bytes()
    }

    #[test]
    fn protobuf_and_json_give_the_same_value() {
        let bytes = object("a", &list(&[number(1.0), number(0.5), number(1e18), number(-1e20), number(1e22), vec![]]));
        let value = Value::from_protobuf(&bytes).unwrap();
        assert_eq!(value.to_json(), "{\"a\":[1,0.5,1000000000000000000,-100000000000000000000,1e+22,null]}");
        assert_eq!(Value::from_json(&value.to_json()), Ok(value));
    }

    #[test]
    fn a_number_that_json_lacks_is_refused_with_its_path() {
        let bytes = object("a", &list(&[number(1.0), number(f64::NAN)]));
        let error = Value::from_protobuf(&bytes).unwrap_err();
        assert_eq!(error, ValueError::NotFinite { path: "['a'][1]".to_owned() });
        assert!(Value::from_protobuf(&number(f64::INFINITY)).is_err());
    }

    #[test]
    fn nesting_is_limited() {
        let nested = |levels: usize| (0..levels).fold(number(1.0), |inner, _| list(&[inner]));
        assert!(Value::from_protobuf(&nested(MAX_NESTING)).is_ok());
        assert_eq!(Value::from_protobuf(&nested(MAX_NESTING + 1)), Err(ValueError::TooDeep));
    }

    #[test]
    fn the_largest_doubles_that_are_integers_keep_their_value() {
        assert_eq!(Value::from_f64(9_223_372_036_854_775_808.0), Some(Value::BigInt("9223372036854775808".to_owned())));
        assert_eq!(Value::from_f64(-9_223_372_036_854_775_808.0), Some(Value::Int(i64::MIN)));
        assert_eq!(Value::from_f64(-0.0), Some(Value::Int(0)));
    }

    #[test]
    fn placeholders_show_strings_raw_and_the_rest_as_json() {
        for (json, text) in
            [("\"a b\"", "a b"), ("1.0", "1"), ("true", "true"), ("{\"b\":1,\"a\":[1, 2]}", "{\"a\":[1,2],\"b\":1}")]
        {
            assert_eq!(Value::from_json(json).unwrap().to_text(), text);
        }
    }

    #[test]
    fn items_have_the_same_digest_only_where_equal() {
        let digest = |json: &str| Value::from_json(json).unwrap().digest();
        assert_eq!(digest("{\"a\":1,\"b\":2}"), digest("{\"b\":2.0,\"a\":1}"));
        assert_ne!(digest("1"), digest("\"1\""));
        assert_eq!(digest("1").len(), 64);
    }
}
