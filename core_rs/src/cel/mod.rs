//! Trigger conditions and parameter selectors: the part of the Common Expression Language that pipelines use.
//!
//! There are all operators but arithmetic, the conversions, and `parseJson`. Errors and unknown values follow CEL:
//! `false && x` is false and `true || x` is true whatever `x` is, on either side; and what depends on an unknown value
//! is unknown, an error beside it or not.
//!
//! Invariant: an expression is a pure function of its text and the values it names; no text makes this module panic or
//! recurse without bound.

mod evaluate;
mod lexer;
mod parser;

use std::collections::BTreeSet;
use std::fmt;

use crate::value::Value;
use evaluate::{Environment, Outcome};
use parser::Node;

/// Why an expression has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CelError {
    /// What is wrong, in words for the task's error.
    pub message: String,
}

impl CelError {
    fn new(message: impl Into<String>) -> Self {
        CelError { message: message.into() }
    }
}

impl fmt::Display for CelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CelError {}

/// What is known of a parameter that a condition names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lookup<'a> {
    /// Its value.
    Known(&'a Value),
    /// There is none, and there will be none.
    Absent,
    /// It depends on a task that has not ended.
    Unknown,
}

/// What is known of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It does not hold.
    False,
    /// It holds.
    True,
    /// That depends on a parameter that is not known yet.
    Unknown,
}

/// Evaluates a trigger condition over `inputs.parameter_values`. An error, or a result that is no boolean, is an error.
pub fn evaluate<'a>(condition: &str, lookup: impl Fn(&str) -> Lookup<'a>) -> Result<Truth, CelError> {
    let node = parser::parse(condition)?;
    match (Environment { lookup: &lookup, string_value: None }).evaluate(&node)? {
        Outcome::Unknown => Ok(Truth::Unknown),
        Outcome::Known(value) => match *value {
            Value::Bool(true) => Ok(Truth::True),
            Value::Bool(false) => Ok(Truth::False),
            ref other => Err(CelError::new(format!("the condition is no boolean but {}", other.kind()))),
        },
    }
}

/// The parameters that a condition names, sorted.
pub fn referenced(condition: &str) -> Result<Vec<String>, CelError> {
    fn walk(node: &Node, names: &mut BTreeSet<String>) {
        if let Node::Parameter(name) = node {
            names.insert(name.clone());
        }
        node.children(&mut |child| walk(child, names));
    }
    let mut names = BTreeSet::new();
    walk(&parser::parse(condition)?, &mut names);
    Ok(names.into_iter().collect())
}

/// Applies a selector such as `parseJson(string_value)["field"][0]` to a value. `string_value` is the value's text: a
/// string itself, anything else as JSON.
pub fn select(selector: &str, value: &Value) -> Result<Value, CelError> {
    let node = parser::parse(selector)?;
    let environment = Environment { lookup: &|_| Lookup::Absent, string_value: Some(value) };
    match environment.evaluate(&node)? {
        Outcome::Known(value) => Ok(value.into_owned()),
        Outcome::Unknown => Err(CelError::new("the selected value is not known")),
    }
}

#[cfg(test)]
mod tests;
