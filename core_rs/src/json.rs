//! Reads and writes JSON text of [`Value`]s, strictly and exactly.
//!
//! Invariant: writing is canonical. Equal values give equal text, and text that was written reads back as an equal value.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::value::{Value, MAX_NESTING};
use crate::wire::Writer;

/// Why a text is no JSON that Reprise takes, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// The byte at which reading stopped.
    pub offset: usize,
    /// What is wrong there.
    pub message: String,
}

impl std::fmt::Display for JsonError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at byte {}", self.message, self.offset)
    }
}

impl std::error::Error for JsonError {}

/// Reads exactly one JSON value. Integers are exact, a key that occurs twice is an error, and so are NaN, infinities
/// and numbers too large for a double.
pub fn parse(text: &str) -> Result<Value, JsonError> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.space();
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.error("something follows the value")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn error(&self, message: impl Into<String>) -> JsonError {
        JsonError { offset: self.at, message: message.into() }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn take(&mut self, wanted: u8) -> bool {
        let is_next = self.peek() == Some(wanted);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.space();
        match self.peek() {
            None => Err(self.error("the text ends where a value should be")),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.word(),
        }
    }

    fn word(&mut self) -> Result<Value, JsonError> {
        for (word, value) in [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))] {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.error(if self.rest().starts_with("NaN") || self.rest().starts_with("Infinity") {
            "NaN and infinities are no values"
        } else {
            "this is no JSON value"
        }))
    }

    fn deeper(&self, depth: usize) -> Result<usize, JsonError> {
        if depth >= MAX_NESTING {
            return Err(self.error(format!("values are nested more than {MAX_NESTING} levels deep")));
        }
        Ok(depth + 1)
    }

    fn list(&mut self, depth: usize) -> Result<Value, JsonError> {
        let depth = self.deeper(depth)?;
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.space();
            if self.take(b']') {
                return Ok(Value::List(items));
            }
            if !self.take(b',') {
                return Err(self.error("expected a comma or the end of the list"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, JsonError> {
        let depth = self.deeper(depth)?;
        self.at += 1;
        let mut members = BTreeMap::new();
        self.space();
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.error("expected a key"));
            }
            let key = self.string()?;
            self.space();
            if !self.take(b':') {
                return Err(self.error("expected a colon"));
            }
            let value = self.value(depth)?;
            if members.contains_key(&key) {
                return Err(self.error(format!("the key {key:?} occurs twice")));
            }
            members.insert(key, value);
            self.space();
            if self.take(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.take(b',') {
                return Err(self.error("expected a comma or the end of the object"));
            }
        }
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') && self.digits() == 0 {
            return Err(self.error("expected a digit"));
        }
        let mut is_integer = true;
        if self.take(b'.') {
            is_integer = false;
            if self.digits() == 0 {
                return Err(self.error("expected a digit after the point"));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            is_integer = false;
            self.at += 1;
            if !self.take(b'-') {
                self.take(b'+');
            }
            if self.digits() == 0 {
                return Err(self.error("expected a digit in the exponent"));
            }
        }
        let text = self.text.get(start..self.at).unwrap_or("");
        let value =
            if is_integer { Value::from_integer_text(text) } else { text.parse().ok().and_then(Value::from_f64) };
        value.ok_or_else(|| self.error("this number is too large"))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at - start
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            out.push_str(self.text.get(start..self.at).unwrap_or(""));
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                Some(_) => return Err(self.error("a string holds an unescaped control character")),
                None => return Err(self.error("a string does not end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let character = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.error("this escape does not exist")),
        };
        self.at += 1;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        let first = self.hex4()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            if !self.rest().starts_with("\\u") {
                return Err(self.error("half of a surrogate pair"));
            }
            self.at += 2;
            let second = self.hex4()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(self.error("half of a surrogate pair"));
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        char::from_u32(code).ok_or_else(|| self.error("half of a surrogate pair"))
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or("");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(self.error("expected four hexadecimal digits"));
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| self.error("expected four hexadecimal digits"))
    }
}

/// How the parts of lists and objects are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// Not at all: the canonical form, also what a STRING input gets.
    Compact,
    /// One blank after commas and colons, as Python's `json.dumps` has it.
    Spaced,
}

/// What text is appended to.
pub trait Sink {
    /// Appends a text.
    fn push_text(&mut self, text: &str);
    /// Appends an ASCII character.
    fn push_ascii(&mut self, character: u8);
}

impl Sink for String {
    #[inline]
    fn push_text(&mut self, text: &str) {
        self.push_str(text);
    }
    #[inline]
    fn push_ascii(&mut self, character: u8) {
        self.push(char::from(character));
    }
}

impl Sink for Vec<u8> {
    #[inline]
    fn push_text(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }
    #[inline]
    fn push_ascii(&mut self, character: u8) {
        self.push(character);
    }
}

/// The text becomes part of the field that is being written.
impl Sink for Writer {
    #[inline]
    fn push_text(&mut self, text: &str) {
        self.raw(text.as_bytes());
    }
    #[inline]
    fn push_ascii(&mut self, character: u8) {
        self.raw(&[character]);
    }
}

/// Appends the text of a value, keys sorted, to `out`.
pub fn write(value: &Value, spacing: Spacing, out: &mut impl Sink) {
    let (comma, colon) = match spacing {
        Spacing::Compact => (",", ":"),
        Spacing::Spaced => (", ", ": "),
    };
    match value {
        Value::Null => out.push_text("null"),
        Value::Bool(true) => out.push_text("true"),
        Value::Bool(false) => out.push_text("false"),
        Value::Int(number) => write_int(*number, out),
        Value::BigInt(digits) => out.push_text(digits),
        Value::Double(number) => write_double(*number, out),
        Value::String(text) => write_string(text, out),
        Value::List(items) => {
            out.push_ascii(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_text(comma);
                }
                write(item, spacing, out);
            }
            out.push_ascii(b']');
        }
        Value::Object(members) => {
            out.push_ascii(b'{');
            for (index, (key, item)) in members.iter().enumerate() {
                if index > 0 {
                    out.push_text(comma);
                }
                write_string(key, out);
                out.push_text(colon);
                write(item, spacing, out);
            }
            out.push_ascii(b'}');
        }
    }
}

/// Appends the decimal digits of an integer.
pub fn write_int(number: i64, out: &mut impl Sink) {
    if let digit @ 0..=9 = number {
        return out.push_ascii(b'0' + digit as u8);
    }
    let mut buffer = [0u8; 20];
    let mut rest = number.unsigned_abs();
    let mut length = 0;
    for place in buffer.iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
        length += 1;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push_ascii(b'-');
    }
    let digits = buffer.get(buffer.len() - length..).unwrap_or(&[]);
    out.push_text(std::str::from_utf8(digits).unwrap_or(""));
}

/// A text of up to 32 bytes, which no double's shortest form exceeds.
struct Short {
    bytes: [u8; 32],
    length: usize,
}

impl std::fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// Appends a double in the shortest form that reads back as the same double, spelt like Python's `repr`.
pub fn write_double(number: f64, out: &mut impl Sink) {
    let mut short = Short { bytes: [0; 32], length: 0 };
    let _ = write!(short, "{number:?}");
    let text = short.bytes.get(..short.length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("");
    // Rust writes 1e16 and 1e-5 where Python writes 1e+16 and 1e-05; where they switch to exponents is the same.
    let Some((mantissa, exponent)) = text.split_once('e') else { return out.push_text(text) };
    out.push_text(mantissa);
    out.push_ascii(b'e');
    let digits = exponent.strip_prefix('-');
    out.push_ascii(if digits.is_some() { b'-' } else { b'+' });
    let digits = digits.unwrap_or(exponent);
    if digits.len() < 2 {
        out.push_ascii(b'0');
    }
    out.push_text(digits);
}

/// True where one of eight bytes has to be escaped in a string: a quote, a backslash or a control character.
#[inline]
fn has_special(bytes: [u8; 8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let word = u64::from_le_bytes(bytes);
    // The usual test for a zero byte; a byte below 0x20 borrows, unless it was 0x80 or more.
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let is_control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
    (has_zero(word ^ (ONES * u64::from(b'"'))) | has_zero(word ^ (ONES * u64::from(b'\\'))) | is_control) != 0
}

/// The number of bytes before the first one that has to be escaped.
fn plain_length(bytes: &[u8]) -> usize {
    let (chunks, _) = bytes.as_chunks::<8>();
    let clean = chunks.iter().take_while(|chunk| !has_special(**chunk)).count() * 8;
    let rest = bytes.get(clean..).unwrap_or(&[]);
    clean + rest.iter().take_while(|&&byte| byte >= 0x20 && byte != b'"' && byte != b'\\').count()
}

/// Appends a JSON string. Only quotes, backslashes and control characters are escaped.
pub fn write_string(text: &str, out: &mut impl Sink) {
    out.push_ascii(b'"');
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at_checked(plain_length(rest.as_bytes())).unwrap_or((rest, ""));
        out.push_text(plain);
        let Some((byte, after)) = special.as_bytes().first().zip(special.get(1..)) else { break };
        write_escape(*byte, out);
        rest = after;
    }
    out.push_ascii(b'"');
}

/// Appends a JSON string to bytes. Nothing is checked: what is no UTF-8 makes `out` no UTF-8, for the caller to find.
pub(crate) fn write_unchecked_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at_checked(plain_length(rest)).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else { break };
        write_escape(*byte, out);
        rest = after;
    }
    out.push(b'"');
}

pub(crate) fn write_escape(byte: u8, out: &mut impl Sink) {
    out.push_ascii(b'\\');
    match byte {
        b'\n' => out.push_ascii(b'n'),
        b'\r' => out.push_ascii(b'r'),
        b'\t' => out.push_ascii(b't'),
        8 => out.push_ascii(b'b'),
        12 => out.push_ascii(b'f'),
        b'"' | b'\\' => out.push_ascii(byte),
        control => {
            out.push_text("u00");
            out.push_ascii(b'0' + (control >> 4));
            let digit = control & 15;
            out.push_ascii(if digit < 10 { b'0' + digit } else { b'a' - 10 + digit });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(input: &str) -> String {
        parse(input).unwrap().to_json()
    }

    #[test]
    fn writing_is_canonical() {
        assert_eq!(text(" {\"b\" : [1.0, 2.50,-0.0, 1e2], \"a\":null} "), "{\"a\":null,\"b\":[1,2.5,0,100]}");
        assert_eq!(text("9007199254740993"), "9007199254740993");
        assert_eq!(text("-123456789012345678901234567890"), "-123456789012345678901234567890");
        assert_eq!(text("1e20"), "100000000000000000000");
        assert_eq!(text("[1e21,1e-7,1.5e-7,0.0001,5e-324]"), "[1e+21,1e-07,1.5e-07,0.0001,5e-324]");
        assert_eq!(text("\"\\u00e9\\ud83d\\ude00\\n\\u0001\\/\""), "\"é😀\\n\\u0001/\"");
    }

    #[test]
    fn equal_numbers_are_equal_values_however_written() {
        assert_eq!(parse("[1, 1e18]"), parse("[1.0, 1000000000000000000]"));
        assert_ne!(parse("9007199254740993"), parse("9007199254740992"));
    }

    #[test]
    fn what_is_no_json_is_refused_with_the_place() {
        for (input, message) in [
            ("", "the text ends where a value should be"),
            ("{\"a\":1,\"a\":2}", "the key \"a\" occurs twice"),
            ("[1,]", "this is no JSON value"),
            ("01", "something follows the value"),
            ("-", "expected a digit"),
            ("1.", "expected a digit after the point"),
            ("1e", "expected a digit in the exponent"),
            ("1e999", "this number is too large"),
            ("NaN", "NaN and infinities are no values"),
            ("-Infinity", "expected a digit"),
            ("\"a", "a string does not end"),
            ("\"\\ud800x\"", "half of a surrogate pair"),
            ("\"\\udc00\"", "half of a surrogate pair"),
            ("\"\\u00g0\"", "expected four hexadecimal digits"),
            ("\"\n\"", "a string holds an unescaped control character"),
            ("{1:2}", "expected a key"),
            ("[1 2]", "expected a comma or the end of the list"),
            ("nul", "this is no JSON value"),
        ] {
            assert_eq!(parse(input).unwrap_err().message, message, "{input}");
        }
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&format!("{}{}", "[".repeat(100), "]".repeat(100))).is_ok());
    }

    #[test]
    fn spaced_text_is_that_of_pythons_json_module() {
        let mut out = String::new();
        write(&parse("{\"a\":[1,2],\"b\":{}}").unwrap(), Spacing::Spaced, &mut out);
        assert_eq!(out, "{\"a\": [1, 2], \"b\": {}}");
    }
}
