//! The types that parameters are declared with, and what they make of values.
//!
//! Invariant: [`check`] never changes a value, [`coerce`] does so only from data to STRING and where a whole number
//! changes nothing.

use std::fmt;

use crate::value::Value;

/// The declared type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ParameterType {
    /// A text.
    String,
    /// A whole number.
    NumberInteger,
    /// Any number.
    NumberDouble,
    /// A boolean.
    Boolean,
    /// A list.
    List,
    /// An object.
    Struct,
    /// How a task ended; given by the machine, an object.
    TaskFinalStatus,
}

impl ParameterType {
    /// The type of that name, in the spelling of schema 2.1.0 (`NUMBER_INTEGER`) or of 2.0.0 (`INT`).
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "STRING" => Self::String,
            "NUMBER_INTEGER" | "INT" => Self::NumberInteger,
            "NUMBER_DOUBLE" | "DOUBLE" => Self::NumberDouble,
            "BOOLEAN" => Self::Boolean,
            "LIST" => Self::List,
            "STRUCT" => Self::Struct,
            "TASK_FINAL_STATUS" => Self::TaskFinalStatus,
            _ => return None,
        })
    }

    /// The name in schema 2.1.0.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "STRING",
            Self::NumberInteger => "NUMBER_INTEGER",
            Self::NumberDouble => "NUMBER_DOUBLE",
            Self::Boolean => "BOOLEAN",
            Self::List => "LIST",
            Self::Struct => "STRUCT",
            Self::TaskFinalStatus => "TASK_FINAL_STATUS",
        }
    }
}

/// A value of another type than its parameter's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeMismatch {
    /// What was declared.
    pub expected: ParameterType,
    /// What came, in words.
    pub found: &'static str,
}

impl fmt::Display for TypeMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected a value of type {}, found {}", self.expected.name(), self.found)
    }
}

impl std::error::Error for TypeMismatch {}

/// Checks a value that a user gives, without coercion. Null fits no type: whether a parameter may be absent is asked
/// elsewhere.
pub fn check(expected: ParameterType, value: &Value) -> Result<(), TypeMismatch> {
    use ParameterType as Type;
    let fits = match expected {
        Type::String => matches!(value, Value::String(_)),
        Type::Boolean => matches!(value, Value::Bool(_)),
        Type::List => matches!(value, Value::List(_)),
        Type::NumberInteger => matches!(value, Value::Int(_) | Value::BigInt(_)),
        Type::NumberDouble => matches!(value, Value::Int(_) | Value::BigInt(_) | Value::Double(_)),
        Type::Struct | Type::TaskFinalStatus => matches!(value, Value::Object(_)),
    };
    if fits {
        return Ok(());
    }
    Err(TypeMismatch { expected, found: value.kind() })
}

/// What a leaf's input of that type makes of a value that comes from data: a STRING takes anything as compact JSON with
/// sorted keys, other types take only their own.
pub fn coerce(expected: ParameterType, value: Value) -> Result<Value, TypeMismatch> {
    match (expected, value) {
        (ParameterType::String, Value::Null) => Err(TypeMismatch { expected, found: Value::Null.kind() }),
        (ParameterType::String, value @ Value::String(_)) => Ok(value),
        (ParameterType::String, other) => Ok(Value::String(other.to_json())),
        (_, value) => check(expected, &value).map(|()| value),
    }
}

/// Reads a run parameter that came as text by schema 2.0.0: booleans, lists and structs are JSON inside strings.
/// A text that does not fit its type stays what it is, for [`check`] to refuse.
pub fn from_legacy(expected: ParameterType, value: Value) -> Value {
    match (&value, expected) {
        (Value::String(_), ParameterType::String) => value,
        (Value::String(text), _) => match Value::from_json(text) {
            Ok(read) if check(expected, &read).is_ok() => read,
            _ => value,
        },
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        Value::from_json(text).unwrap()
    }

    #[test]
    fn users_values_are_not_coerced() {
        assert!(check(ParameterType::String, &json("1")).is_err());
        assert!(check(ParameterType::NumberInteger, &json("\"1\"")).is_err());
        assert!(check(ParameterType::NumberInteger, &json("1.5")).is_err());
        assert!(check(ParameterType::NumberInteger, &json("1.0")).is_ok());
        assert!(check(ParameterType::NumberDouble, &json("1")).is_ok());
        assert!(check(ParameterType::List, &json("{}")).is_err());
        assert!(check(ParameterType::String, &Value::Null).is_err());
        let error = check(ParameterType::Boolean, &json("[]")).unwrap_err();
        assert_eq!(error.to_string(), "expected a value of type BOOLEAN, found a list");
    }

    #[test]
    fn a_string_input_takes_data_as_compact_json() {
        for (from, to) in [("{\"b\":[1.0,2.5],\"a\":null}", "{\"a\":null,\"b\":[1,2.5]}"), ("true", "true"), ("3", "3")]
        {
            assert_eq!(coerce(ParameterType::String, json(from)), Ok(Value::String(to.to_owned())));
        }
        assert!(coerce(ParameterType::NumberInteger, json("\"3\"")).is_err());
        assert!(coerce(ParameterType::String, Value::Null).is_err());
    }

    #[test]
    fn legacy_parameters_are_read_from_text() {
        assert_eq!(from_legacy(ParameterType::List, json("\"[1]\"")), json("[1]"));
        assert_eq!(from_legacy(ParameterType::String, json("\"[1]\"")), json("\"[1]\""));
        assert_eq!(from_legacy(ParameterType::Boolean, json("\"x\"")), json("\"x\""));
    }
}
