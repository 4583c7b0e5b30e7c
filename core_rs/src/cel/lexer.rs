//! Cuts an expression into tokens.

use super::CelError;
use crate::value::Value;

/// The smallest part of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A number or a string.
    Literal(Value),
    /// A name, or one of `true`, `false`, `null`, `in`.
    Name(String),
    /// An operator or a bracket.
    Symbol(&'static str),
}

const SYMBOLS: [&str; 26] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", "{", "}", ".", ",", "?", ":", "-", "+", "*",
    "/", "%", "=", "&",
];

/// The tokens of `text`.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, CelError> {
    let mut lexer = Lexer { rest: text };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'a> {
    rest: &'a str,
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Result<Option<Token>, CelError> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        if first.is_ascii_digit() || (first == '.' && self.rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit())) {
            return self.number().map(Some);
        }
        if first == '\'' || first == '"' {
            return self.string(false).map(Some);
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
            if self.rest.starts_with(['\'', '"']) {
                return match name {
                    "r" | "R" => self.string(true).map(Some),
                    _ => Err(CelError::new(format!(
                        "unexpected quote after {name} (the compiler does not escape quotes inside strings)"
                    ))),
                };
            }
            return Ok(Some(Token::Name(name.to_owned())));
        }
        for symbol in SYMBOLS {
            if let Some(rest) = self.rest.strip_prefix(symbol) {
                self.rest = rest;
                return Ok(Some(Token::Symbol(symbol)));
            }
        }
        Err(CelError::new(format!("unexpected character {first:?} in the expression")))
    }

    fn take_while(&mut self, is_wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !is_wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn number(&mut self) -> Result<Token, CelError> {
        let start = self.rest;
        let bad = || CelError::new(format!("bad number at {:?}", start.chars().take(20).collect::<String>()));
        if let Some(digits) = start.strip_prefix("0x").or_else(|| start.strip_prefix("0X")) {
            self.rest = digits;
            let digits = self.take_while(|c| c.is_ascii_hexdigit());
            let number = i64::from_str_radix(digits, 16).map_err(|_| bad())?;
            return self.end_of_number(bad).map(|()| Token::Literal(Value::Int(number)));
        }
        self.take_while(|c| c.is_ascii_digit());
        let mut is_integer = true;
        if self.rest.starts_with('.') && self.rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit()) {
            is_integer = false;
            self.rest = self.rest.strip_prefix('.').unwrap_or("");
            self.take_while(|c| c.is_ascii_digit());
        }
        if let Some(exponent) = self.rest.strip_prefix(['e', 'E']) {
            is_integer = false;
            self.rest = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            if self.take_while(|c| c.is_ascii_digit()).is_empty() {
                return Err(bad());
            }
        }
        let text = start.get(..start.len() - self.rest.len()).unwrap_or("");
        let value = if is_integer {
            // One past the largest int may still get a minus; the parser refuses it otherwise.
            match text.parse::<u64>() {
                Ok(number) if number <= 1 << 63 => Value::from_integer_text(&number.to_string()),
                _ => None,
            }
        } else {
            text.parse().ok().and_then(Value::from_f64)
        };
        if is_integer {
            self.rest = self.rest.strip_prefix(['u', 'U']).unwrap_or(self.rest);
        }
        self.end_of_number(bad)?;
        value.map(Token::Literal).ok_or_else(bad)
    }

    fn end_of_number(&self, bad: impl Fn() -> CelError) -> Result<(), CelError> {
        match self.rest.chars().next() {
            Some(next) if next.is_ascii_alphanumeric() || next == '_' => Err(bad()),
            _ => Ok(()),
        }
    }

    fn string(&mut self, is_raw: bool) -> Result<Token, CelError> {
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| self.rest.starts_with(quote)).unwrap_or("'");
        self.rest = self.rest.strip_prefix(quote).unwrap_or("");
        let mut out = String::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix(quote) {
                self.rest = rest;
                return Ok(Token::Literal(Value::String(out)));
            }
            match self.next_char() {
                None => return Err(CelError::new("a string in the expression does not end")),
                Some('\n' | '\r') if quote.len() == 1 => {
                    return Err(CelError::new("a string in the expression holds a line break"));
                }
                Some('\\') if is_raw => {
                    out.push('\\');
                    out.extend(self.next_char());
                }
                Some('\\') => out.push(self.escape()?),
                Some(other) => out.push(other),
            }
        }
    }

    fn next_char(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    fn escape(&mut self) -> Result<char, CelError> {
        let kind = self.next_char().ok_or_else(|| CelError::new("a string in the expression does not end"))?;
        Ok(match kind {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' | '?' | '"' | '\'' | '`' => kind,
            'x' | 'X' => self.code(2, 16, "")?,
            'u' => self.code(4, 16, "")?,
            'U' => self.code(8, 16, "")?,
            '0'..='3' => self.code(2, 8, kind.encode_utf8(&mut [0; 4]))?,
            other => {
                return Err(CelError::new(format!("a string in the expression holds the unknown escape \\{other}")))
            }
        })
    }

    fn code(&mut self, length: usize, radix: u32, before: &str) -> Result<char, CelError> {
        let bad = || CelError::new("a string in the expression holds a bad escape");
        let (digits, rest) = self.rest.split_at_checked(length).ok_or_else(bad)?;
        if !digits.chars().all(|c| c.is_digit(radix)) {
            return Err(bad());
        }
        self.rest = rest;
        let code = u32::from_str_radix(&format!("{before}{digits}"), radix).map_err(|_| bad())?;
        char::from_u32(code).ok_or_else(bad)
    }
}
