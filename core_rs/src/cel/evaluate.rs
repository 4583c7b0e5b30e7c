//! Computes the value of an expression's tree.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::parser::Node;
use super::{CelError, Lookup};
use crate::value::Value;

/// A value, or that it depends on something not known yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome<'a> {
    Known(Cow<'a, Value>),
    Unknown,
}

type Evaluated<'a> = Result<Outcome<'a>, CelError>;

/// What an expression can name.
pub(super) struct Environment<'a, 'f> {
    pub(super) lookup: &'f dyn Fn(&str) -> Lookup<'a>,
    pub(super) string_value: Option<&'a Value>,
}

fn known<'a>(value: Value) -> Evaluated<'a> {
    Ok(Outcome::Known(Cow::Owned(value)))
}

impl<'a> Environment<'a, '_> {
    pub(super) fn evaluate<'n>(&self, node: &'n Node) -> Evaluated<'n>
    where
        'a: 'n,
    {
        match node {
            Node::Literal(value) => Ok(Outcome::Known(Cow::Borrowed(value))),
            Node::Parameter(name) => match (self.lookup)(name) {
                Lookup::Known(value) => Ok(Outcome::Known(Cow::Borrowed(value))),
                Lookup::Unknown => Ok(Outcome::Unknown),
                Lookup::Absent => Err(CelError::new(format!("there is no input parameter {name}"))),
            },
            Node::StringValue => match self.string_value {
                Some(Value::String(text)) => known(Value::String(text.clone())),
                Some(other) => known(Value::String(other.to_json())),
                None => Err(CelError::new("string_value exists in selectors only")),
            },
            Node::List(nodes) => self.list(nodes),
            Node::Not(inner) => self.unary(inner, |value| match value {
                Value::Bool(flag) => Ok(Value::Bool(!flag)),
                other => Err(CelError::new(format!("! takes a boolean, not {}", other.kind()))),
            }),
            Node::And(a, b) => self.junction(a, b, false),
            Node::Or(a, b) => self.junction(a, b, true),
            Node::Compare(operator, a, b) => self.binary(a, b, |a, b| compare(operator, a, b).map(Value::Bool)),
            Node::In(a, b) => self.binary(a, b, |item, container| match container {
                Value::List(items) => Ok(Value::Bool(items.contains(item))),
                Value::Object(members) => Ok(Value::Bool(item.as_str().is_some_and(|key| members.contains_key(key)))),
                other => Err(CelError::new(format!("in takes a list or a struct, not {}", other.kind()))),
            }),
            Node::Choose(condition, then, otherwise) => match self.evaluate(condition)? {
                Outcome::Unknown => Ok(Outcome::Unknown),
                Outcome::Known(value) => match value.as_ref() {
                    Value::Bool(true) => self.evaluate(then),
                    Value::Bool(false) => self.evaluate(otherwise),
                    other => Err(CelError::new(format!("? takes a boolean, not {}", other.kind()))),
                },
            },
            Node::Index(container, index) => self.binary(container, index, element),
            Node::Call(name, arguments) => self.call(name, arguments),
        }
    }

    fn unary<'n>(&self, node: &'n Node, apply: impl FnOnce(&Value) -> Result<Value, CelError>) -> Evaluated<'n>
    where
        'a: 'n,
    {
        match self.evaluate(node)? {
            Outcome::Unknown => Ok(Outcome::Unknown),
            Outcome::Known(value) => known(apply(&value)?),
        }
    }

    fn binary<'n>(
        &self,
        a: &'n Node,
        b: &'n Node,
        apply: impl FnOnce(&Value, &Value) -> Result<Value, CelError>,
    ) -> Evaluated<'n>
    where
        'a: 'n,
    {
        match (self.evaluate(a), self.evaluate(b)) {
            (Ok(Outcome::Unknown), _) | (_, Ok(Outcome::Unknown)) => Ok(Outcome::Unknown),
            (Err(error), _) | (_, Err(error)) => Err(error),
            (Ok(Outcome::Known(a)), Ok(Outcome::Known(b))) => known(apply(&a, &b)?),
        }
    }

    /// `&&`, which `false` decides, or `||`, which `true` decides, from either side.
    fn junction<'n>(&self, a: &'n Node, b: &'n Node, decisive: bool) -> Evaluated<'n>
    where
        'a: 'n,
    {
        let side = |node: &'n Node| match self.evaluate(node)? {
            Outcome::Unknown => Ok(None),
            Outcome::Known(value) => match value.as_ref() {
                Value::Bool(flag) => Ok(Some(*flag)),
                other => Err(CelError::new(format!("&& and || take booleans, not {}", other.kind()))),
            },
        };
        let left = side(a);
        if left == Ok(Some(decisive)) {
            return known(Value::Bool(decisive));
        }
        let right = side(b);
        if right == Ok(Some(decisive)) {
            return known(Value::Bool(decisive));
        }
        if left == Ok(None) || right == Ok(None) {
            return Ok(Outcome::Unknown);
        }
        left?;
        right?;
        known(Value::Bool(!decisive))
    }

    fn list<'n>(&self, nodes: &'n [Node]) -> Evaluated<'n>
    where
        'a: 'n,
    {
        let mut items = Vec::with_capacity(nodes.len());
        let mut is_unknown = false;
        for node in nodes {
            match self.evaluate(node)? {
                Outcome::Unknown => is_unknown = true,
                Outcome::Known(value) => items.push(value.into_owned()),
            }
        }
        if is_unknown {
            return Ok(Outcome::Unknown);
        }
        known(Value::List(items))
    }

    fn call<'n>(&self, name: &str, arguments: &'n [Node]) -> Evaluated<'n>
    where
        'a: 'n,
    {
        match (name, arguments) {
            ("int", [inner]) => self.unary(inner, to_int),
            ("double", [inner]) => self.unary(inner, to_double),
            ("string", [inner]) => self.unary(inner, |value| match value {
                Value::String(text) => Ok(Value::String(text.clone())),
                Value::Bool(_) | Value::Int(_) | Value::BigInt(_) | Value::Double(_) => {
                    Ok(Value::String(value.to_json()))
                }
                other => Err(CelError::new(format!("string() takes no {}", other.kind()))),
            }),
            ("bool", [inner]) => self.unary(inner, |value| match value {
                Value::Bool(flag) => Ok(Value::Bool(*flag)),
                Value::String(text) => match text.as_str() {
                    "true" | "TRUE" | "True" | "1" | "t" => Ok(Value::Bool(true)),
                    "false" | "FALSE" | "False" | "0" | "f" => Ok(Value::Bool(false)),
                    _ => Err(CelError::new(format!("bool() cannot read {text:?}"))),
                },
                other => Err(CelError::new(format!("bool() takes no {}", other.kind()))),
            }),
            ("size" | ".size", [inner]) => self.unary(inner, |value| {
                let length = match value {
                    Value::String(text) => text.chars().count(),
                    Value::List(items) => items.len(),
                    Value::Object(members) => members.len(),
                    other => return Err(CelError::new(format!("size() takes no {}", other.kind()))),
                };
                Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
            }),
            ("parseJson", [inner]) => self.unary(inner, |value| match value {
                Value::String(text) => Value::from_json(text)
                    .map_err(|error| CelError::new(format!("parseJson cannot read the value: {error}"))),
                other => Err(CelError::new(format!("parseJson takes a string, not {}", other.kind()))),
            }),
            (".startsWith", [text, part]) => self.text_test(text, part, |text, part| text.starts_with(part)),
            (".endsWith", [text, part]) => self.text_test(text, part, |text, part| text.ends_with(part)),
            (".contains", [text, part]) => self.text_test(text, part, |text, part| text.contains(part)),
            _ => Err(CelError::new(format!(
                "there is no function {} of {} arguments",
                name.trim_start_matches('.'),
                arguments.len()
            ))),
        }
    }

    fn text_test<'n>(&self, text: &'n Node, part: &'n Node, test: impl Fn(&str, &str) -> bool) -> Evaluated<'n>
    where
        'a: 'n,
    {
        self.binary(text, part, |text, part| match (text, part) {
            (Value::String(text), Value::String(part)) => Ok(Value::Bool(test(text, part))),
            _ => Err(CelError::new("startsWith, endsWith and contains take strings")),
        })
    }
}

fn to_int(value: &Value) -> Result<Value, CelError> {
    let too_large = || CelError::new("int() of a number that does not fit 64 bits");
    match value {
        Value::Int(number) => Ok(Value::Int(*number)),
        // Doubles of that size were refused by the bounds; the cast truncates towards zero.
        Value::Double(number) if number.abs() < 9_223_372_036_854_775_808.0 => Ok(Value::Int(*number as i64)),
        Value::Double(_) | Value::BigInt(_) => Err(too_large()),
        Value::String(text) => match text.parse() {
            Ok(number) => Ok(Value::Int(number)),
            Err(_) => Err(CelError::new(format!("int() cannot read {text:?}"))),
        },
        other => Err(CelError::new(format!("int() takes no {}", other.kind()))),
    }
}

fn to_double(value: &Value) -> Result<Value, CelError> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    let what = || match value {
        Value::String(text) => format!("double() cannot read {text:?}"),
        other => format!("double() takes no {}", other.kind()),
    };
    number.and_then(Value::from_f64).ok_or_else(|| CelError::new(what()))
}

fn element(container: &Value, index: &Value) -> Result<Value, CelError> {
    match (container, index) {
        (Value::Object(members), Value::String(key)) => {
            members.get(key).cloned().ok_or_else(|| CelError::new(format!("there is no key {key:?}")))
        }
        (Value::List(items), Value::Int(index)) => usize::try_from(*index)
            .ok()
            .and_then(|index| items.get(index).cloned())
            .ok_or_else(|| CelError::new(format!("there is no item {index} in a list of {}", items.len()))),
        _ => Err(CelError::new(format!("{} has no element for {}", container.kind(), index.kind()))),
    }
}

fn compare(operator: &str, a: &Value, b: &Value) -> Result<bool, CelError> {
    match operator {
        "==" => return Ok(is_equal(a, b)),
        "!=" => return Ok(!is_equal(a, b)),
        _ => {}
    }
    let order = match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        _ => order_of_numbers(a, b)
            .ok_or_else(|| CelError::new(format!("{operator} does not compare {} with {}", a.kind(), b.kind())))?,
    };
    Ok(match operator {
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    })
}

fn is_equal(a: &Value, b: &Value) -> bool {
    match order_of_numbers(a, b) {
        Some(order) => order == Ordering::Equal,
        None => a == b,
    }
}

/// Orders numbers by their exact values; `None` where one is no number.
fn order_of_numbers(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Double(b)) => Some(order_with_double(*a, *b)),
        (Value::Double(a), Value::Int(b)) => Some(order_with_double(*b, *a).reverse()),
        (Value::BigInt(a), Value::BigInt(b)) => Some(order_of_digits(a, b)),
        (Value::BigInt(a), Value::Int(_)) | (Value::Int(_), Value::BigInt(a)) => {
            let order = if a.starts_with('-') { Ordering::Less } else { Ordering::Greater };
            Some(if matches!(b, Value::BigInt(_)) { order.reverse() } else { order })
        }
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// A double that is no integer below 10^21 against an integer of 64 bits.
fn order_with_double(int: i64, double: f64) -> Ordering {
    match i128::from(int).cmp(&(double.floor() as i128)) {
        Ordering::Equal => Ordering::Less,
        order => order,
    }
}

fn order_of_digits(a: &str, b: &str) -> Ordering {
    let size = |digits: &str| (digits.len(), digits.trim_start_matches('-').to_owned());
    match (a.starts_with('-'), b.starts_with('-')) {
        (false, false) => size(a).cmp(&size(b)),
        (true, true) => size(b).cmp(&size(a)),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}
