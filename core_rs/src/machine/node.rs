//! One task of a run, as the machine keeps it.

use std::sync::Arc;

use super::slot::{ArtifactSlot, NodeId, ParameterSlot, Slots};
use crate::messages::{Failure, Kind, Reason, Source, State, Values, Verdict};

/// How far a task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Something it waits for has not happened.
    Waiting,
    /// A DAG whose children may run.
    Started,
    /// A leaf that the server runs.
    Launched,
    /// Final. In a plan, with `State::Unspecified`: it will end at run time, nobody knows how.
    Ended,
}

/// Why nothing sure can be said of a task before others have run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// `ConditionUnknown` or `UpstreamChanged`.
    pub reason: Reason,
    /// The task that has to run first.
    pub cause: NodeId,
}

/// One task.
#[derive(Debug)]
pub struct Node {
    /// The task that holds it; the root holds itself.
    pub parent: NodeId,
    /// Its index among the parent's tasks, or iterations.
    pub index: u32,
    /// Its component.
    pub component: u32,
    /// One more than the last task that was created below it together with it.
    pub subtree_end: NodeId,
    /// A container, a DAG, ...
    pub kind: Kind,
    /// How far it has come.
    pub phase: Phase,
    /// How it ended.
    pub state: State,
    /// What the rerun makes of it.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The task that caused the verdict.
    pub caused_by: NodeId,
    /// Part of an exit task, or one itself.
    pub is_in_exit: bool,
    /// Left out by request: its outputs are absent, its downstream may run.
    pub is_left_out: bool,
    /// All that comes after it is left out.
    pub ends_here: bool,
    /// In a plan: whether all that comes after it is left out hangs on items that are not known.
    pub may_end_here: bool,
    /// In a plan: why it is not sure that its turn comes.
    pub doubt: Option<Doubt>,
    /// In a plan: whether it is triggered at all hangs on a condition that is not known.
    pub is_in_question: bool,
    /// The record of the original that it continues.
    pub prior: Option<u32>,
    /// The config that names it.
    pub config: Option<u32>,
    /// Of a DAG.
    pub scope: Option<Box<Scope>>,
    /// Its outputs, where it has any and they are known or partly known.
    pub outputs: Option<Box<Slots>>,
    /// What few tasks have, or what is said of them once.
    pub details: Option<Box<Details>>,
}

/// What a DAG, a loop or an iteration has beside.
#[derive(Debug, Default)]
pub struct Scope {
    /// The values of its inputs; an iteration shares those of its loop.
    pub inputs: Arc<Slots>,
    /// Of an iteration: the input that holds its item, and the item.
    pub item: Option<Item>,
    /// Its tasks in the order of the spec, or its iterations.
    pub children: Vec<NodeId>,
    /// Whether `children` are there: a loop's are not before its items are known.
    pub is_expanded: bool,
    /// In a plan, of a loop: its items are known, but whether it will ever be expanded is not.
    pub is_provisional: bool,
    /// Children that have not ended.
    pub open: u32,
    /// Of a loop: iterations that may not run yet, from here on.
    pub next_iteration: u32,
    /// Why its children may not run at all.
    pub doubt: Option<Doubt>,
    /// What became of its children so far.
    pub tally: Tally,
    /// A request that reaches all leaves inside.
    pub request: Option<ScopeRequest>,
}

/// What configs ask of the leaves inside a DAG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeRequest {
    /// All run again.
    Execute,
    /// Inherited skips inside are given up.
    DropInheritedSkips,
    /// The DAG stays left out but for the tasks inside that are named.
    LeaveOutUnnamed,
}

/// The ends and verdicts of a DAG's children.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// A child that failed; 0: none.
    pub failed: NodeId,
    /// A child was cancelled.
    pub is_cancelled: bool,
    /// A child whose end is not known; 0: none.
    pub unknown: NodeId,
    /// Some leaf is executed.
    pub executes: bool,
    /// Some leaf is decided at run time.
    pub re_evaluates: bool,
    /// Some leaf is reused.
    pub reuses: bool,
    /// Some leaf is left out.
    pub skips: bool,
    /// Some task is not triggered.
    pub is_not_triggered: bool,
    /// All that comes after some child is left out.
    pub ends_here: bool,
    /// That is not known of some child.
    pub may_end_here: bool,
}

/// What an iteration gets in the place of the list.
#[derive(Debug, Clone)]
pub enum Item {
    /// A parameter, with the index of the input.
    Parameter(u32, ParameterSlot),
    /// An artifact, with the index of the input.
    Artifact(u32, ArtifactSlot),
}

/// What few tasks have.
#[derive(Debug, Default)]
pub struct Details {
    /// Of an iteration.
    pub item_identity: String,
    /// The key field that differs.
    pub reason_field: String,
    /// Why it failed.
    pub error: Option<Failure>,
    /// Given by a config of this run or inherited.
    pub overrides: Option<Values>,
    /// Of a task that makes lost artifacts anew: the task that made them first, and a number in the run.
    pub remake: Option<(NodeId, u32)>,
    /// The first input that a config of this run changes, as the key's field; empty: none.
    pub overridden_field: String,
}

/// What is told of a task's end once, and not needed again.
#[derive(Debug, Default)]
pub struct Told {
    /// Resolved inputs.
    pub inputs: Option<Values>,
    /// In a plan, of a leaf: the same, encoded.
    pub encoded_inputs: Option<Vec<u8>>,
    /// Outputs, where they are not those of the task's slots.
    pub outputs: Option<Values>,
    /// Where a reused outcome comes from.
    pub source: Option<Source>,
    /// Digest and preimage.
    pub key: Option<([u8; 32], Vec<u8>)>,
    /// Under which the cross-run cache may answer for it.
    pub cache_key: Option<[u8; 32]>,
}

impl Node {
    /// True for a task that the server runs.
    pub fn is_leaf(&self) -> bool {
        matches!(self.kind, Kind::Container | Kind::Importer)
    }

    /// True where it has ended and how is known.
    pub fn has_known_end(&self) -> bool {
        self.phase == Phase::Ended && self.state != State::Unspecified
    }

    /// What few tasks have, made when first needed.
    pub fn details_mut(&mut self) -> &mut Details {
        self.details.get_or_insert_with(Box::default)
    }
}
