//! What is wrong with a request, collected as it is found, each with the path of its field.
//!
//! Invariant: a path costs nothing until a problem needs it.

use crate::messages::Problem;

/// How many problems are reported at most; the next ones are counted.
pub const MAX_PROBLEMS: usize = 200;

/// The place of a value in the request: a step and where it starts from.
#[derive(Debug, Clone, Copy)]
pub struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'p> {
    Field(&'p str),
    Key(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    /// A first step.
    pub fn new(field: &'p str) -> Path<'p> {
        Path { parent: None, step: Step::Field(field) }
    }

    /// `self.name`.
    pub fn field<'a>(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Field(name) }
    }

    /// `self['key']`.
    pub fn key<'a>(&'a self, key: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Key(key) }
    }

    /// `self[index]`.
    pub fn index(&self, index: usize) -> Path<'_> {
        Path { parent: Some(self), step: Step::Index(index) }
    }
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}")?;
        }
        match self.step {
            Step::Field(name) if self.parent.is_some() => write!(f, ".{name}"),
            Step::Field(name) => f.write_str(name),
            Step::Key(key) => write!(f, "['{key}']"),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// The problems found so far.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<Problem>,
    omitted: usize,
}

impl Problems {
    /// Adds one.
    pub fn add(&mut self, field: impl std::fmt::Display, message: impl Into<String>) {
        if self.found.len() < MAX_PROBLEMS {
            self.found.push(Problem { field: field.to_string(), message: message.into() });
        } else {
            self.omitted += 1;
        }
    }

    /// Adds those that were found elsewhere, after its own.
    pub(super) fn append(&mut self, others: Problems) {
        for problem in others.found {
            self.add(problem.field, problem.message);
        }
        self.omitted += others.omitted;
    }

    /// How many were found.
    pub fn count(&self) -> usize {
        self.found.len() + self.omitted
    }

    /// True while nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All that was found; the last one tells how many were left out.
    pub fn into_vec(mut self) -> Vec<Problem> {
        if self.omitted > 0 {
            let message = format!("{} more problems were found", self.omitted);
            self.found.push(Problem { field: String::new(), message });
        }
        self.found
    }
}
