//! The state machine of one run: which task may start, with what, and what has become of it.
//!
//! Invariant: the same request and the same events in the same order give the same decisions and the same task ids,
//! however the events are spread over calls. Work for one event is proportional to what the event changes.

mod ahead;
mod compile;
mod configs;
mod decide;
mod dropped;
mod emit;
mod end;
mod evaluate;
mod expand;
mod keys;
mod leaf;
mod node;
mod planned;
mod prior;
mod ready;
mod remake;
mod rerun;
mod resolve;
mod slot;
pub(crate) mod stored;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::messages::{
    Decision, Decisions, Events, Failure, FailurePolicy, LeafEnded, Problem, Reason, RunEnded, RunSettings, State,
    Verdict, What,
};
use crate::spec::Spec;

pub use node::{Doubt, Node, Phase, Scope, Tally};
pub use planned::Planned;
pub use prior::Prior;
pub use slot::{artifacts, ArtifactSlot, Artifacts, NodeId, ParameterSlot, Slot, Slots, ROOT};

/// How many tasks a run may have, iterations of loops included.
pub const MAX_NODES: usize = 2_500_000;

/// Whether leaves are really run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Leaves end by events.
    Run,
    /// A leaf that would run ends at once, in an unknown way.
    Plan,
}

/// The state machine of one run.
#[derive(Debug)]
pub struct Machine {
    pub(crate) spec: Arc<Spec>,
    pub(crate) settings: RunSettings,
    pub(crate) mode: Mode,
    pub(crate) nodes: Vec<Node>,
    /// Of each task: how many events it still waits for, the ends of its upstream and the start of its parent. Side by
    /// side, because an end counts down tasks that lie anywhere.
    waiting: Vec<u32>,
    /// Tasks for which everything they waited for has happened, and DAGs of which all children have ended.
    ready: ready::Ready,
    /// Up to here, what tasks take was read ahead.
    read_until: NodeId,
    decisions: Vec<Decision>,
    ended: Option<RunEnded>,
    is_begun: bool,
    is_cancelled: bool,
    has_failed: bool,
    any_cancelled: bool,
    keys: crate::key::KeyBuilder,
    component_keys: HashMap<u32, crate::key::ComponentKey>,
    prior: Prior,
    /// Found while planning.
    pub(crate) problems: Vec<Problem>,
    /// Paths of tasks whose lost outputs will be read.
    pub(crate) lost_reads: BTreeSet<String>,
    /// In a plan: the record of every task.
    pub(crate) planned: planned::Planned,
    remakes: remake::Remakes,
}

impl Machine {
    /// The machine of a run that has not begun; the root's inputs are the run's parameters.
    pub fn new(spec: Arc<Spec>, settings: RunSettings, inputs: Slots, prior: Prior, mode: Mode) -> Self {
        let mut machine = Machine {
            spec,
            settings,
            mode,
            nodes: Vec::new(),
            waiting: Vec::new(),
            ready: ready::Ready::default(),
            read_until: ROOT,
            decisions: Vec::new(),
            ended: None,
            is_begun: false,
            is_cancelled: false,
            has_failed: false,
            any_cancelled: false,
            keys: crate::key::KeyBuilder::new(),
            component_keys: HashMap::new(),
            prior,
            problems: Vec::new(),
            lost_reads: BTreeSet::new(),
            planned: planned::Planned::default(),
            remakes: remake::Remakes::default(),
        };
        machine.make_root(inputs);
        machine
    }

    /// Takes in what has happened and says what follows. The first call starts the run.
    pub fn advance(&mut self, events: Events) -> Decisions {
        if !self.is_begun {
            self.begin();
        }
        for ended in events.ended {
            self.leaf_ended(ended);
            self.settle();
        }
        if events.cancel && !self.is_cancelled {
            self.cancel();
            self.settle();
        }
        Decisions { decisions: std::mem::take(&mut self.decisions), run_ended: self.ended.take() }
    }

    /// Makes all tasks that are known now, and starts those that wait for nothing.
    pub(crate) fn begin(&mut self) {
        self.is_begun = true;
        self.expand_dag(ROOT);
        if self.prior.is_rerun {
            let missing = self.missing();
            self.prior.set_gone(&missing);
        }
        self.start_dag(ROOT, None);
        self.settle();
    }

    /// Sees to all that is ready in the order of ids, in which tasks, their records and what they wait for lie in memory.
    fn settle(&mut self) {
        while let Some(id) = self.ready.take_first() {
            self.read_ahead(id);
            let node = self.node(id);
            match node.phase {
                Phase::Waiting => self.evaluate(id),
                Phase::Started if node.scope.as_ref().is_some_and(|scope| scope.open == 0) => self.close(id),
                Phase::Started | Phase::Launched | Phase::Ended => {}
            }
        }
    }

    /// The task of that id. Ids come from the machine itself, or have been checked.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    pub(crate) fn scope_mut(&mut self, id: NodeId) -> &mut Scope {
        self.node_mut(id).scope.get_or_insert_with(Box::default)
    }

    fn leaf_ended(&mut self, event: LeafEnded) {
        let Some(id) = u32::try_from(event.task_id).ok().filter(|id| (*id as usize) < self.nodes.len()) else {
            return;
        };
        if self.node(id).phase != Phase::Launched || id == ROOT {
            return;
        }
        let outputs = event.outputs.unwrap_or_default();
        match event.state {
            State::Succeeded | State::Skipped => {
                self.take_outputs(id, &outputs, id);
                if event.state == State::Skipped {
                    let node = self.node_mut(id);
                    (node.verdict, node.reason) = (Verdict::Reuse, Reason::CacheHit);
                }
                self.end(id, event.state);
            }
            State::Failed => {
                let message = "the task failed".to_owned();
                self.node_mut(id).details_mut().error = Some(event.error.unwrap_or(Failure { code: 9, message }));
                // What it left before it failed may be read by tasks that run after any end.
                self.take_outputs(id, &outputs, id);
                self.end(id, State::Failed);
            }
            State::Cancelled => self.end(id, State::Cancelled),
            State::NotTriggered => {
                self.node_mut(id).reason = Reason::FailFast;
                self.end(id, State::NotTriggered);
            }
            State::Pending => self.inputs_lost(id, &outputs),
            _ => {}
        }
    }

    fn cancel(&mut self) {
        self.is_cancelled = true;
        for id in 1..self.nodes.len() as NodeId {
            let node = self.node(id);
            if node.phase == Phase::Waiting && self.node(node.parent).phase == Phase::Started {
                self.end_unstarted(id, State::Cancelled, Reason::CancelledByRequest, ROOT);
            }
        }
    }

    fn is_fail_fast(&self) -> bool {
        self.mode == Mode::Run && self.has_failed && self.settings.failure_policy == FailurePolicy::FailFast
    }

    fn decide(&mut self, id: NodeId, what: What) {
        if self.mode == Mode::Run {
            self.decisions.push(Decision { task_id: i64::from(id), what: Some(what) });
        }
    }
}
