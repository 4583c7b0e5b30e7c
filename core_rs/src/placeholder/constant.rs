//! Constants that hold placeholders for other inputs of their task.

use std::fmt;

use super::{segments, Placeholder, Segment};
use crate::cel::Lookup;
use crate::value::Value;

/// A constant that cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConstantError {
    /// The input that a text holds, but that is absent.
    pub parameter: String,
}

impl fmt::Display for ConstantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the constant holds the input {}, which is absent", self.parameter)
    }
}

impl std::error::Error for ConstantError {}

/// Puts the task's other inputs into a constant, wherever its texts name them, in lists and objects too. Placeholders
/// for the run's identity stay as they are, for the key; rendering resolves them.
///
/// A text that is one placeholder and nothing else becomes the input's value, type and all, or null where it is absent;
/// within a longer text stands the value's text. `Ok(None)`: an input is not known yet.
pub fn resolve_constant<'a>(
    constant: &Value,
    lookup: &impl Fn(&str) -> Lookup<'a>,
) -> Result<Option<Value>, ConstantError> {
    Ok(Some(match constant {
        Value::String(text) => return resolve_text(text, lookup),
        Value::List(items) => {
            let mut resolved = Vec::with_capacity(items.len());
            for item in items {
                match resolve_constant(item, lookup)? {
                    Some(item) => resolved.push(item),
                    None => return Ok(None),
                }
            }
            Value::List(resolved)
        }
        Value::Object(members) => {
            let mut resolved = std::collections::BTreeMap::new();
            for (key, member) in members {
                match (resolve_text(key, lookup)?, resolve_constant(member, lookup)?) {
                    (Some(key), Some(member)) => resolved.insert(key.to_text(), member),
                    _ => return Ok(None),
                };
            }
            Value::Object(resolved)
        }
        other => other.clone(),
    }))
}

fn resolve_text<'a>(text: &str, lookup: &impl Fn(&str) -> Lookup<'a>) -> Result<Option<Value>, ConstantError> {
    if !text.contains("{{$") {
        return Ok(Some(Value::String(text.to_owned())));
    }
    let mut resolved = String::new();
    for segment in segments(text) {
        match segment {
            Segment::Placeholder(Placeholder::InputParameter(name), written) => match lookup(name) {
                Lookup::Unknown => return Ok(None),
                Lookup::Known(value) if written.len() == text.len() => return Ok(Some(value.clone())),
                Lookup::Absent if written.len() == text.len() => return Ok(Some(Value::Null)),
                Lookup::Known(value) => resolved.push_str(&value.to_text()),
                Lookup::Absent => return Err(ConstantError { parameter: name.to_owned() }),
            },
            Segment::Text(text) | Segment::Placeholder(_, text) => resolved.push_str(text),
        }
    }
    Ok(Some(Value::String(resolved)))
}
