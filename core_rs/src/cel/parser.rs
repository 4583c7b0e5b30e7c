//! Makes a tree of an expression.

use super::lexer::{tokens, Token};
use super::CelError;
use crate::value::Value;

/// How deep an expression may be nested.
const MAX_DEPTH: usize = 60;

/// How many elements and comparisons may be taken of results of others, in all: each is a level of the tree.
const MAX_CHAINED: usize = 200;

/// A part of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Literal(Value),
    /// `inputs.parameter_values['name']`
    Parameter(String),
    /// `string_value`, in a selector.
    StringValue,
    List(Vec<Node>),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Compare(&'static str, Box<Node>, Box<Node>),
    In(Box<Node>, Box<Node>),
    Choose(Box<Node>, Box<Node>, Box<Node>),
    Index(Box<Node>, Box<Node>),
    Call(String, Vec<Node>),
}

impl Node {
    /// Calls `visit` for each direct part.
    pub(super) fn children(&self, visit: &mut dyn FnMut(&Node)) {
        match self {
            Node::Literal(_) | Node::Parameter(_) | Node::StringValue => {}
            Node::Not(a) => visit(a),
            Node::And(a, b) | Node::Or(a, b) | Node::Compare(_, a, b) | Node::In(a, b) | Node::Index(a, b) => {
                visit(a);
                visit(b);
            }
            Node::Choose(a, b, c) => {
                visit(a);
                visit(b);
                visit(c);
            }
            Node::List(nodes) | Node::Call(_, nodes) => nodes.iter().for_each(visit),
        }
    }
}

/// The tree of `text`.
pub(super) fn parse(text: &str) -> Result<Node, CelError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0, chained: 0 };
    let node = parser.expression()?;
    match parser.tokens.get(parser.at) {
        None => Ok(node),
        Some(token) => Err(unexpected(Some(token))),
    }
}

fn unexpected(token: Option<&Token>) -> CelError {
    CelError::new(match token {
        None => "the expression ends too early".to_owned(),
        Some(Token::Symbol(symbol @ ("+" | "-" | "*" | "/" | "%"))) => {
            format!("arithmetic is not supported in expressions ({symbol})")
        }
        Some(Token::Symbol(symbol)) => format!("unexpected {symbol} in the expression"),
        Some(Token::Name(name)) => format!("unexpected {name} in the expression"),
        Some(Token::Literal(value)) => format!("unexpected {} in the expression", value.to_json()),
    })
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    chained: usize,
}

impl Parser {
    fn take(&mut self, symbol: &str) -> bool {
        let is_next = matches!(self.tokens.get(self.at), Some(Token::Symbol(next)) if *next == symbol);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, symbol: &str) -> Result<(), CelError> {
        if self.take(symbol) {
            return Ok(());
        }
        Err(unexpected(self.tokens.get(self.at)))
    }

    fn take_in(&mut self) -> bool {
        let is_next = matches!(self.tokens.get(self.at), Some(Token::Name(name)) if name == "in");
        self.at += usize::from(is_next);
        is_next
    }

    /// Runs `parse` one level deeper.
    fn deeper(&mut self, parse: impl FnOnce(&mut Self) -> Result<Node, CelError>) -> Result<Node, CelError> {
        if self.depth >= MAX_DEPTH {
            return Err(CelError::new("the expression is nested too deeply"));
        }
        self.depth += 1;
        let node = parse(self);
        self.depth -= 1;
        node
    }

    fn chain(&mut self) -> Result<(), CelError> {
        self.chained += 1;
        if self.chained > MAX_CHAINED {
            return Err(CelError::new("the expression is nested too deeply"));
        }
        Ok(())
    }

    fn expression(&mut self) -> Result<Node, CelError> {
        self.deeper(|parser| {
            let condition = parser.or()?;
            if !parser.take("?") {
                return Ok(condition);
            }
            let then = parser.or()?;
            parser.expect(":")?;
            let otherwise = parser.expression()?;
            Ok(Node::Choose(condition.into(), then.into(), otherwise.into()))
        })
    }

    fn or(&mut self) -> Result<Node, CelError> {
        let first = self.and()?;
        let mut rest = Vec::new();
        while self.take("||") {
            rest.push(self.and()?);
        }
        balanced(first, rest, |a, b| Node::Or(a.into(), b.into()))
    }

    fn and(&mut self) -> Result<Node, CelError> {
        let first = self.relation()?;
        let mut rest = Vec::new();
        while self.take("&&") {
            rest.push(self.relation()?);
        }
        balanced(first, rest, |a, b| Node::And(a.into(), b.into()))
    }

    fn relation(&mut self) -> Result<Node, CelError> {
        let mut left = self.unary()?;
        let mut is_chained = false;
        loop {
            let operator = ["==", "!=", "<=", ">=", "<", ">"].into_iter().find(|operator| self.take(operator));
            let is_in = operator.is_none() && self.take_in();
            if operator.is_none() && !is_in {
                return Ok(left);
            }
            if is_chained {
                self.chain()?;
            }
            is_chained = true;
            let right = self.unary()?;
            left = match operator {
                Some(operator) => Node::Compare(operator, left.into(), right.into()),
                None => Node::In(left.into(), right.into()),
            };
        }
    }

    fn unary(&mut self) -> Result<Node, CelError> {
        if self.take("!") {
            return self.deeper(|parser| Ok(Node::Not(parser.unary()?.into())));
        }
        if self.take("-") {
            return match self.tokens.get(self.at) {
                Some(Token::Literal(number @ (Value::Int(_) | Value::BigInt(_) | Value::Double(_)))) => {
                    let negative = Value::from_json(&format!("-{}", number.to_json()));
                    self.at += 1;
                    negative.map(Node::Literal).map_err(|_| CelError::new("bad number in the expression"))
                }
                _ => Err(unexpected(Some(&Token::Symbol("-")))),
            };
        }
        self.member()
    }

    fn member(&mut self) -> Result<Node, CelError> {
        let mut node = self.primary()?;
        loop {
            if self.take("[") {
                self.chain()?;
                let index = self.expression()?;
                self.expect("]")?;
                node = Node::Index(node.into(), index.into());
            } else if self.take(".") {
                self.chain()?;
                let name = self.name()?;
                node = if self.take("(") {
                    let mut arguments = vec![node];
                    arguments.extend(self.arguments(")")?);
                    Node::Call(format!(".{name}"), arguments)
                } else {
                    Node::Index(node.into(), Node::Literal(Value::String(name)).into())
                };
            } else {
                return Ok(node);
            }
        }
    }

    fn name(&mut self) -> Result<String, CelError> {
        match self.tokens.get(self.at) {
            Some(Token::Name(name)) => {
                self.at += 1;
                Ok(name.clone())
            }
            other => Err(unexpected(other)),
        }
    }

    fn arguments(&mut self, end: &str) -> Result<Vec<Node>, CelError> {
        let mut nodes = Vec::new();
        if self.take(end) {
            return Ok(nodes);
        }
        loop {
            nodes.push(self.expression()?);
            if self.take(end) {
                return Ok(nodes);
            }
            self.expect(",")?;
        }
    }

    fn primary(&mut self) -> Result<Node, CelError> {
        if self.take("(") {
            let node = self.expression()?;
            self.expect(")")?;
            return Ok(node);
        }
        if self.take("[") {
            return self.arguments("]").map(Node::List);
        }
        let token = self.tokens.get(self.at).cloned();
        match token {
            // Only behind a minus is there an int of that size.
            Some(Token::Literal(Value::BigInt(digits))) if digits == "9223372036854775808" => {
                Err(CelError::new("an integer in the expression is too large"))
            }
            Some(Token::Literal(value)) => {
                self.at += 1;
                Ok(Node::Literal(value))
            }
            Some(Token::Name(name)) => {
                self.at += 1;
                self.named(&name)
            }
            other => Err(unexpected(other.as_ref())),
        }
    }

    fn named(&mut self, name: &str) -> Result<Node, CelError> {
        match name {
            "true" => return Ok(Node::Literal(Value::Bool(true))),
            "false" => return Ok(Node::Literal(Value::Bool(false))),
            "null" => return Ok(Node::Literal(Value::Null)),
            "string_value" => return Ok(Node::StringValue),
            "inputs" => return self.parameter(),
            _ => {}
        }
        if self.take("(") {
            return self.arguments(")").map(|arguments| Node::Call(name.to_owned(), arguments));
        }
        Err(CelError::new(format!("the expression names {name}, which does not exist")))
    }

    fn parameter(&mut self) -> Result<Node, CelError> {
        self.expect(".")?;
        let map = self.name()?;
        if map != "parameter_values" {
            return Err(CelError::new(format!("inputs has no field {map}, only parameter_values")));
        }
        if self.take(".") {
            return self.name().map(Node::Parameter);
        }
        self.expect("[")?;
        let name = match self.tokens.get(self.at) {
            Some(Token::Literal(Value::String(name))) => name.clone(),
            other => return Err(unexpected(other)),
        };
        self.at += 1;
        self.expect("]")?;
        Ok(Node::Parameter(name))
    }
}

/// Joins operands of an associative operator as a balanced tree, so that long chains do not nest deeply.
fn balanced(first: Node, rest: Vec<Node>, join: impl Fn(Node, Node) -> Node + Copy) -> Result<Node, CelError> {
    let mut level = vec![first];
    level.extend(rest);
    while level.len() > 1 {
        let mut next = Vec::with_capacity(level.len().div_ceil(2));
        let mut nodes = level.into_iter();
        while let Some(a) = nodes.next() {
            next.push(match nodes.next() {
                Some(b) => join(a, b),
                None => a,
            });
        }
        level = next;
    }
    level.pop().ok_or_else(|| unexpected(None))
}
