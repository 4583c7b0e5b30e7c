//! The compiled run: what a run that has ended leaves for its reruns, so that a rerun whose spec is unchanged is planned
//! by one sweep over numbers, without its spec and its records being read.
//!
//! It is made by the general planner: a rerun that asks for nothing is planned once, when the run has ended, and its graph
//! kept together with what became of each task. Where such a rerun is asked for more (tasks to run again), the sweep
//! decides anew what hangs on that. What a rule of few words cannot decide (a condition, a loop or a choice among branches
//! whose inputs are no longer those of the kept plan) is refused, and the general planner has the word.
//!
//! Invariants: what is decided here is what the general planner decides, to the etag; a test compares both on random
//! pipelines. The bytes are read back with every length and every number checked: any bytes give an answer or a refusal.

mod ask;
mod build;
mod graph;
mod labels;
mod layout;
mod sweep;

use std::fmt;

pub use build::compile;
pub(crate) use build::{Compilation, Compiled};
pub(crate) use graph::{
    Past, Rule, Waits, HAS_OWN_DOUBT, IS_END_FROZEN, IS_IMPORTER, IS_ITERATION, IS_LEAF, NEEDS_ITS_VIEW,
    RUNS_AFTER_ANY_END, WAS_IN_QUESTION,
};
pub use labels::{Artifact, Labels};

use crate::messages::{Message, RunRequest, UnchangedPlan};
use crate::wire::WireError;
use ask::Ask;
use graph::Graph;

/// Why the general planner has to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The bytes are no compiled run, or one of another version.
    Malformed,
    /// The request asks for something that the sweep has no rule for.
    Asked(&'static str),
    /// Something that is asked reaches a task that the sweep has no rule for.
    Reached(&'static str),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Malformed => f.write_str("the compiled run cannot be read"),
            Refusal::Asked(what) => write!(f, "the request holds {what}"),
            Refusal::Reached(what) => write!(f, "what is asked reaches {what}"),
        }
    }
}

impl From<WireError> for Refusal {
    fn from(_: WireError) -> Self {
        Refusal::Malformed
    }
}

/// The plan of a rerun from the compiled run of its original. `labels` are read where configs name tasks, and may be empty
/// where none does. `asked` is a RunRequest without spec and records, with their digests instead.
pub fn plan(graph: &[u8], labels: &[u8], asked: &RunRequest<'_>) -> UnchangedPlan {
    decide(graph, labels, asked)
        .unwrap_or_else(|refusal| UnchangedPlan { refusal: refusal.to_string(), ..UnchangedPlan::default() })
}

fn decide(graph: &[u8], labels: &[u8], asked: &RunRequest<'_>) -> Result<UnchangedPlan, Refusal> {
    let graph = Graph::read(graph)?;
    let ask = Ask::read(asked, &graph, labels)?;
    let decided = sweep::sweep(&graph, &ask)?;
    let mut parameters = asked.original.as_ref().map(|original| original.parameters.clone()).unwrap_or_default();
    parameters.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(UnchangedPlan {
        refusal: String::new(),
        digest: crate::etag::digest_with(asked, &graph.head.spec_digest).to_vec(),
        counts: decided.counts(),
        cache_keys: decided.cache_keys,
        verdicts: decided.verdicts,
        reasons: decided.reasons,
        causes: layout::to_bytes(&decided.causes),
        pipeline_name: graph.head.pipeline_name.clone(),
        schema_version: graph.head.schema_version.clone(),
        parameters,
        has_artifacts: graph.head.has_artifacts,
    })
}

/// The artifacts that must be there for a plan to hold: of every task whose outcome is reused and read by one that will
/// run, and of reused importers. `all`: those of every task, which is what an etag stands for.
///
/// # Errors
/// The bytes are no labels, or not those of this plan.
pub fn read_artifacts<'l>(labels: &Labels<'l>, plan: &[u8], all: bool) -> Result<Vec<Artifact<'l>>, Refusal> {
    let plan = UnchangedPlan::decode(plan)?;
    labels.wanted(&plan.verdicts, all)
}
