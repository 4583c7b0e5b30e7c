//! The end of a task: what its downstream learns, and what becomes of the DAG that holds it.

use std::sync::Arc;

use super::node::{Phase, Told};
use super::slot::{Artifacts, NodeId, Slot, Slots, ROOT};
use super::Machine;
use crate::messages::{Failure, Kind, Reason, RunEnded, State, Values, Verdict};
use crate::spec::DagOutput;
use crate::value::Value;

impl Machine {
    /// A task has ended. Its verdict, reason and outputs are set; `Unspecified`: how is not known before the run.
    pub(super) fn end(&mut self, id: NodeId, state: State) {
        self.end_with(id, state, Told::default());
    }

    /// The same, with what is told of it once.
    pub(super) fn end_with(&mut self, id: NodeId, state: State, told: Told) {
        let node = self.node_mut(id);
        let was_launched = node.phase == Phase::Launched;
        node.phase = Phase::Ended;
        node.state = state;
        let parent = node.parent;
        let index = node.index;
        let kind = node.kind;
        if state == State::Failed {
            self.has_failed = true;
        }
        if state == State::Cancelled {
            self.any_cancelled = true;
        }
        if !was_launched {
            self.tell_ended(id, told);
        }
        self.count_in(parent, id);
        if self.remake_of(id).is_some() {
            self.release_readers(id);
        } else if kind == Kind::Iteration {
            self.release_next(parent);
        } else {
            let spec = Arc::clone(&self.spec);
            if let Some(dag) = spec.component(self.node(parent).component).dag() {
                for &next in dag.downstream.get(index) {
                    if let Some(child) = self.child(parent, next) {
                        self.release(child);
                    }
                }
            }
        }
        let scope = self.scope_mut(parent);
        scope.open = scope.open.saturating_sub(1);
        if scope.open == 0 {
            self.ready.insert(parent);
        }
    }

    /// A task ends without having started, and so does all that is inside.
    pub(super) fn end_unstarted(&mut self, id: NodeId, state: State, reason: Reason, caused_by: NodeId) {
        let end = self.node(id).subtree_end.max(id + 1);
        let is_left_out = self.node(id).is_left_out;
        let verdict = match state {
            State::Skipped => Verdict::Skip,
            State::NotTriggered => Verdict::NotTriggered,
            _ => Verdict::Unspecified,
        };
        let inner_reason = match reason {
            Reason::Requested => Reason::RequestedByParent,
            other => other,
        };
        // What is asked of a task inside holds for what comes after the dag, started or not.
        let mut ends_here = false;
        for inner in id..end {
            let node = self.node_mut(inner);
            if node.phase != Phase::Waiting {
                continue;
            }
            ends_here |= node.ends_here;
            node.verdict = verdict;
            node.reason = if inner == id { reason } else { inner_reason };
            node.caused_by = caused_by;
            node.is_left_out = is_left_out;
            if inner != id {
                node.phase = Phase::Ended;
                node.state = state;
                self.tell_ended(inner, Told::default());
            }
        }
        self.node_mut(id).ends_here |= ends_here;
        self.end(id, state);
    }

    /// A task fails before it has started.
    pub(super) fn fail_unstarted(&mut self, id: NodeId, failure: Failure) {
        let end = self.node(id).subtree_end.max(id + 1);
        let mut ends_here = false;
        for inner in id + 1..end {
            let node = self.node_mut(inner);
            ends_here |= node.ends_here;
            if node.phase == Phase::Waiting {
                node.phase = Phase::Ended;
                node.state = State::NotTriggered;
                node.verdict = Verdict::NotTriggered;
                node.reason = Reason::UpstreamFailed;
                node.caused_by = id;
                self.tell_ended(inner, Told::default());
            }
        }
        let node = self.node_mut(id);
        node.ends_here |= ends_here;
        if let Some(doubt) = node.doubt {
            // It may not even be triggered; what is inside does not run in either case.
            return self.end_in_doubt(id, doubt);
        }
        if node.verdict == Verdict::Unspecified {
            let reason = self.reason_unstarted(id);
            let node = self.node_mut(id);
            (node.verdict, node.reason) = (Verdict::Execute, reason);
        }
        self.node_mut(id).details_mut().error = Some(failure);
        self.end(id, State::Failed);
    }

    /// Why a task would have run that failed before a key could be made.
    fn reason_unstarted(&self, id: NodeId) -> Reason {
        match self.record(id) {
            _ if !self.is_rerun() => Reason::FirstRun,
            None => Reason::NotInOriginal,
            Some(record) if record.usable().is_none() => Reason::NotSucceeded,
            Some(_) => Reason::KeyChanged,
        }
    }

    /// A task needs an output of one that was left out.
    pub(super) fn fail_needed(&mut self, id: NodeId, producer: NodeId, what: &str) {
        self.note_needed(id, producer, what);
        let message = format!("{what}, and {:?} was left out", self.path(producer));
        self.fail_unstarted(id, Failure { code: 9, message });
    }

    fn count_in(&mut self, parent: NodeId, id: NodeId) {
        let node = self.node(id);
        let (state, verdict, ends_here) = (node.state, node.verdict, node.ends_here);
        let may_end_here = node.may_end_here;
        let is_dag = !node.is_leaf();
        let inner = node.scope.as_ref().map(|scope| scope.tally).filter(|_| is_dag);
        let tally = &mut self.scope_mut(parent).tally;
        match state {
            State::Failed if tally.failed == ROOT => tally.failed = id,
            State::Cancelled => tally.is_cancelled = true,
            State::Unspecified if tally.unknown == ROOT => tally.unknown = id,
            State::NotTriggered => tally.is_not_triggered = true,
            _ => {}
        }
        tally.ends_here |= ends_here;
        tally.may_end_here |= may_end_here;
        match inner {
            Some(inner) if state != State::Skipped => {
                tally.executes |= inner.executes;
                tally.re_evaluates |= inner.re_evaluates || verdict == Verdict::ReEvaluate;
                tally.reuses |= inner.reuses;
                tally.skips |= inner.skips;
            }
            _ => {
                tally.executes |= verdict == Verdict::Execute;
                tally.re_evaluates |= verdict == Verdict::ReEvaluate;
                tally.reuses |= verdict == Verdict::Reuse;
                tally.skips |= verdict == Verdict::Skip;
            }
        }
    }

    /// All children of a DAG have ended: its state, its verdict, its outputs.
    pub(super) fn close(&mut self, id: NodeId) {
        if id == ROOT {
            return self.close_root();
        }
        let tally = self.node(id).scope.as_ref().map(|scope| scope.tally).unwrap_or_default();
        let mut failure = None;
        let mut state = match tally {
            _ if tally.failed != ROOT => {
                failure = Some(self.child_failure(tally.failed));
                State::Failed
            }
            _ if tally.is_cancelled => State::Cancelled,
            _ if tally.unknown != ROOT => State::Unspecified,
            _ => State::Succeeded,
        };
        let doubt = self.node(id).scope.as_ref().and_then(|scope| scope.doubt);
        match self.outputs_of(id) {
            Ok(outputs) => self.node_mut(id).outputs = outputs.map(Box::new),
            Err(error) if matches!(state, State::Succeeded | State::Unspecified) => {
                state = State::Failed;
                failure = Some(error);
            }
            Err(_) => {}
        }
        let is_rerun = self.is_rerun();
        let is_provisional = self.node(id).scope.as_ref().is_some_and(|scope| scope.is_provisional);
        let node = self.node_mut(id);
        node.ends_here |= tally.ends_here && !is_provisional;
        node.may_end_here |= tally.may_end_here || (tally.ends_here && is_provisional);
        if doubt.is_some() {
            // It may not be triggered, and would have no outputs then.
            state = State::Unspecified;
            node.outputs = None;
        }
        (node.verdict, node.reason) = match tally {
            _ if !is_rerun && tally.re_evaluates && doubt.is_some() => (Verdict::ReEvaluate, Reason::ConditionUnknown),
            _ if !is_rerun => (Verdict::Execute, Reason::FirstRun),
            _ if tally.executes => (Verdict::Execute, Reason::Children),
            // In doubt, it may not run at all, whatever its children are.
            _ if tally.re_evaluates || doubt.is_some() => (Verdict::ReEvaluate, Reason::Children),
            _ if tally.reuses => (Verdict::Reuse, Reason::Children),
            _ if tally.skips => (Verdict::Skip, Reason::Children),
            _ if tally.is_not_triggered => (Verdict::NotTriggered, Reason::Children),
            _ => (Verdict::Reuse, Reason::Children),
        };
        if let Some(doubt) = doubt.filter(|_| node.verdict == Verdict::ReEvaluate) {
            node.reason = doubt.reason;
            node.caused_by = doubt.cause;
        }
        if let Some(failure) = failure {
            node.details_mut().error = Some(failure);
        }
        self.end(id, state);
    }

    fn close_root(&mut self) {
        self.node_mut(ROOT).phase = Phase::Ended;
        let tally = self.node(ROOT).scope.as_ref().map(|scope| scope.tally).unwrap_or_default();
        let mut error = None;
        let mut state = State::Succeeded;
        if self.is_cancelled && self.any_cancelled {
            state = State::Cancelled;
            error = Some(Failure { code: 1, message: "the run was cancelled".to_owned() });
        } else if tally.failed != ROOT {
            state = State::Failed;
            error = Some(self.child_failure(tally.failed));
        } else if tally.is_cancelled {
            state = State::Failed;
            error = Some(Failure { code: 1, message: "a task was cancelled".to_owned() });
        }
        let outputs = match self.outputs_of(ROOT) {
            Ok(outputs) => outputs.unwrap_or_default(),
            Err(failure) => {
                if state == State::Succeeded {
                    state = State::Failed;
                    error = Some(failure);
                }
                Slots::default()
            }
        };
        let component = self.spec.component(self.spec.root);
        let outputs: Values = super::emit::output_values(component, &outputs);
        self.node_mut(ROOT).state = state;
        self.ended = Some(RunEnded { state, error, outputs: Some(outputs) });
    }

    fn child_failure(&self, id: NodeId) -> Failure {
        let inner = self.node(id).details.as_ref().and_then(|details| details.error.as_ref());
        let code = inner.map_or(9, |failure| failure.code);
        let told = inner.map_or("", |failure| failure.message.as_str());
        // The innermost task is named once, however deep it lies.
        if !self.node(id).is_leaf() && told.starts_with("task \"") {
            return Failure { code, message: told.to_owned() };
        }
        Failure { code, message: format!("task {:?} failed: {told}", self.path(id)) }
    }

    /// The outputs of a DAG, an iteration or a loop whose children have ended; `None`: it declares none.
    fn outputs_of(&mut self, id: NodeId) -> Result<Option<Slots>, Failure> {
        let spec = Arc::clone(&self.spec);
        let component = spec.component(self.node(id).component);
        if component.outputs.is_empty() && component.output_artifacts.is_empty() {
            return Ok(None);
        }
        let mut slots = Slots {
            parameters: vec![Slot::ABSENT; component.outputs.len()].into(),
            artifacts: vec![Slot::ABSENT; component.output_artifacts.len()].into(),
        };
        if self.node(id).kind == Kind::Loop {
            self.collect(id, &mut slots);
            return Ok(Some(slots));
        }
        let Some(dag) = component.dag() else { return Ok(None) };
        for output in dag.outputs.iter() {
            let name = component.outputs.get(output.output as usize).map_or("", |output| &*output.name);
            let slot = self.pick(id, output, name, |machine, child, index| machine.output_parameter(child, index))?;
            if let Some(place) = slots.parameters.get_mut(output.output as usize) {
                *place = slot;
            }
        }
        for output in dag.output_artifacts.iter() {
            let declared = component.output_artifacts.get(output.output as usize);
            let name = declared.map_or("", |output| &*output.name);
            let slot = self.pick(id, output, name, |machine, child, index| machine.output_artifact(child, index))?;
            if let Some(place) = slots.artifacts.get_mut(output.output as usize) {
                *place = slot;
            }
        }
        Ok(Some(slots))
    }

    /// What one output of a DAG is, by its selectors.
    fn pick<T>(
        &mut self,
        id: NodeId,
        output: &DagOutput,
        name: &str,
        read: impl Fn(&Machine, NodeId, u32) -> Slot<T>,
    ) -> Result<Slot<T>, Failure> {
        let mut produced = None;
        let mut unknown = None;
        for &(task, index) in output.selectors.iter() {
            let Some(child) = self.child(id, task) else { continue };
            match read(self, child, index) {
                Slot::Known(value) => {
                    if produced.is_some() {
                        let message = format!("output {name:?}: more than one of the branches produced it");
                        return Err(Failure { code: 9, message });
                    }
                    produced = Some(value);
                }
                Slot::Unknown { cause } => unknown = unknown.or(Some(cause)),
                Slot::Absent { left_out } if left_out != ROOT && id != ROOT => {
                    // What ends at that task needs nothing of it: all that would read this is left out too.
                    if !self.node(left_out).ends_here {
                        self.note_needed(id, left_out, &format!("the output {name:?} comes from it"));
                        if output.is_one_of {
                            continue;
                        }
                    }
                    return Ok(Slot::Absent { left_out });
                }
                Slot::Absent { .. } => {}
            }
        }
        match (produced, unknown) {
            (Some(value), _) => Ok(Slot::Known(value)),
            (None, Some(cause)) => Ok(Slot::Unknown { cause }),
            (None, None) if output.is_one_of => {
                Err(Failure { code: 9, message: format!("output {name:?}: none of the branches produced it") })
            }
            (None, None) => Ok(Slot::ABSENT),
        }
    }

    /// The outputs of a loop: parameters as a list in the order of the iterations, artifacts flattened. Iterations
    /// without an output are left out.
    fn collect(&mut self, id: NodeId, slots: &mut Slots) {
        let children = self.node(id).scope.as_ref().map(|scope| scope.children.clone()).unwrap_or_default();
        for (index, place) in slots.parameters.iter_mut().enumerate() {
            let mut values = Vec::with_capacity(children.len());
            let mut unknown = None;
            for &child in &children {
                match self.output_parameter(child, index as u32) {
                    Slot::Known(value) => values.push(value.as_ref().clone()),
                    Slot::Unknown { cause } => unknown = unknown.or(Some(cause)),
                    Slot::Absent { .. } => {}
                }
            }
            *place = match unknown {
                Some(cause) => Slot::Unknown { cause },
                None => Slot::Known(Arc::new(Value::List(values))),
            };
        }
        for (index, place) in slots.artifacts.iter_mut().enumerate() {
            let mut items = Vec::new();
            let mut unknown = None;
            for &child in &children {
                match self.output_artifact(child, index as u32) {
                    Slot::Known(list) => items.extend(list.items.iter().cloned()),
                    Slot::Unknown { cause } => unknown = unknown.or(Some(cause)),
                    Slot::Absent { .. } => {}
                }
            }
            *place = match unknown {
                Some(cause) => Slot::Unknown { cause },
                None => Slot::Known(Artifacts { items: items.into(), is_list: true }),
            };
        }
    }
}
