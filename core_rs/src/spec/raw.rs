//! The spec as it is written: names are still names, and borrowed from the document.

use std::sync::Arc;

use crate::parameter::ParameterType;
use crate::spec::{Retry, Schema};
use crate::value::Value;

/// A component before its names are resolved.
#[derive(Debug, Default)]
pub(super) struct RawComponent<'a> {
    pub name: &'a str,
    pub inputs: Vec<RawParameter<'a>>,
    pub input_artifacts: Vec<RawArtifact<'a>>,
    pub outputs: Vec<RawParameter<'a>>,
    pub output_artifacts: Vec<RawArtifact<'a>>,
    pub executor_label: Option<&'a str>,
    pub dag: Option<RawDag<'a>>,
}

#[derive(Debug)]
pub(super) struct RawParameter<'a> {
    pub name: &'a str,
    pub kind: ParameterType,
    pub default: Option<Value>,
    pub is_optional: bool,
    pub literals: Option<Vec<Value>>,
}

#[derive(Debug)]
pub(super) struct RawArtifact<'a> {
    pub name: &'a str,
    pub schema: Schema,
    pub is_list: bool,
    pub is_optional: bool,
    pub metadata: Option<Value>,
}

#[derive(Debug, Default)]
pub(super) struct RawDag<'a> {
    pub tasks: Vec<RawTask<'a>>,
    pub outputs: Vec<RawOutput<'a>>,
    pub output_artifacts: Vec<RawOutput<'a>>,
}

#[derive(Debug)]
pub(super) struct RawOutput<'a> {
    pub name: &'a str,
    /// (producerSubtask, output key)
    pub selectors: Vec<(&'a str, &'a str)>,
    pub is_one_of: bool,
}

#[derive(Debug, Default)]
pub(super) struct RawTask<'a> {
    pub name: &'a str,
    pub component: Option<&'a str>,
    pub parameters: Vec<RawBinding<'a>>,
    pub artifacts: Vec<RawBinding<'a>>,
    pub dependent: Vec<&'a str>,
    pub is_cache_enabled: bool,
    pub cache_key: Option<&'a str>,
    pub condition: Option<&'a str>,
    pub runs_after_any_end: bool,
    pub iterator: Option<RawIterator<'a>>,
    pub parallelism: u32,
    pub retry: Option<Retry>,
}

#[derive(Debug)]
pub(super) struct RawIterator<'a> {
    pub is_artifact: bool,
    pub raw: Option<&'a str>,
    pub input: Option<&'a str>,
    pub item: &'a str,
}

#[derive(Debug)]
pub(super) struct RawBinding<'a> {
    pub name: &'a str,
    pub source: RawSource<'a>,
    pub selector: Option<&'a str>,
}

impl<'a> RawBinding<'a> {
    /// Reads a little of it and of its value; what comes out means nothing.
    pub fn touch(&self) -> usize {
        match &self.source {
            RawSource::Constant(value) | RawSource::Template(value) => Arc::strong_count(value),
            _ => self.name.len(),
        }
    }

    /// The task that it comes from, where it comes from one.
    pub fn producer(&self) -> Option<&'a str> {
        match self.source {
            RawSource::Output(producer, _) | RawSource::FinalStatus(producer) => Some(producer),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(super) enum RawSource<'a> {
    /// A problem has been reported.
    Broken,
    Constant(Arc<Value>),
    /// A constant that refers to other inputs of its task.
    Template(Arc<Value>),
    Input(&'a str),
    Output(&'a str, &'a str),
    FinalStatus(&'a str),
}
