//! What is done with a task once everything it waits for has happened: trigger, skip, inputs, condition, start.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::node::{Doubt, Phase, Scope, ScopeRequest, Told};
use super::resolve::Resolved;
use super::slot::{NodeId, Slot, ROOT};
use super::{Machine, Mode};
use crate::cel::{self, Lookup, Truth};
use crate::messages::{Failure, Kind, Reason, State, Verdict};
use crate::spec::{Component, Task};

/// What the upstream of a task lets it do.
struct Upstream {
    /// It does not trigger: the state to end in, why, and because of which task.
    blocked: Option<(State, Reason, NodeId)>,
    /// All that comes after this one is left out.
    ends_here: Option<NodeId>,
    doubt: Option<Doubt>,
}

/// What a condition says.
enum Verdicts {
    True,
    False,
    Unknown(NodeId),
    LeftOut(NodeId, String),
    Error(Failure),
}

impl Machine {
    pub(super) fn evaluate(&mut self, id: NodeId) {
        if self.is_cancelled {
            return self.end_unstarted(id, State::Cancelled, Reason::CancelledByRequest, ROOT);
        }
        if self.is_fail_fast() && !self.node(id).is_in_exit {
            return self.end_unstarted(id, State::NotTriggered, Reason::FailFast, ROOT);
        }
        if let Some((first, _)) = self.remake_of(id) {
            return self.evaluate_remake(id, first);
        }
        if self.ends_with_remakes(id) {
            return;
        }
        let spec = Arc::clone(&self.spec);
        let parent = self.node(id).parent;
        if self.node(id).kind == Kind::Iteration {
            return self.evaluate_iteration(id);
        }
        let Some(dag) = spec.component(self.node(parent).component).dag() else { return };
        let task = dag.task(self.node(id).index);
        let component = spec.component(task.component);
        let upstream = self.upstream(id, parent, task);
        let resolved = self.resolve(id, task);
        let condition = match (task.condition(), &resolved) {
            (None, _) => Verdicts::True,
            (Some(_), Err(failure)) => Verdicts::Error(failure.clone()),
            (Some(condition), Ok(resolved)) => self.check_condition(condition, component, resolved),
        };
        if upstream.ends_here.is_some() && !self.node(id).is_in_exit {
            // Whatever becomes of this one: what comes after it comes after that one too.
            self.node_mut(id).ends_here = true;
        }
        if let Verdicts::False = condition {
            return self.end_unstarted(id, State::NotTriggered, Reason::ConditionFalse, ROOT);
        }
        let mut doubt = upstream.doubt;
        if let Verdicts::Unknown(cause) = condition {
            doubt = Some(Doubt { reason: Reason::ConditionUnknown, cause });
        }
        // A sibling's unknown condition does not matter here: what is to be skipped is, also when that is false.
        let above = self.node(parent).scope.as_ref().and_then(|scope| scope.doubt);
        let in_question = match condition {
            Verdicts::Unknown(cause) => Some(Doubt { reason: Reason::ConditionUnknown, cause }),
            _ => above.filter(|doubt| doubt.reason == Reason::ConditionUnknown),
        };
        let skip = match upstream.ends_here.filter(|_| !self.node(id).is_in_exit) {
            Some(by) => Some((Reason::SkipDownstream, by)),
            None => self.skip_request(id).map(|reason| (reason, ROOT)),
        };
        match (skip, in_question) {
            (Some((reason, by)), None) => return self.leave_out(id, reason, by),
            (Some(_), Some(doubt)) => return self.end_all_in_doubt(id, doubt),
            (None, _) => {}
        }
        // Of a loop whose items are unknown this is not true: it will run, whatever they are.
        self.node_mut(id).is_in_question = doubt.is_some_and(|doubt| doubt.reason == Reason::ConditionUnknown);
        self.node_mut(id).doubt = doubt;
        if let Some((state, reason, by)) = upstream.blocked {
            return self.end_unstarted(id, state, reason, by);
        }
        match condition {
            Verdicts::Error(failure) => return self.fail_unstarted(id, failure),
            Verdicts::LeftOut(producer, what) => return self.fail_needed(id, producer, &what),
            Verdicts::True | Verdicts::False | Verdicts::Unknown(_) => {}
        }
        let resolved = match resolved {
            Ok(resolved) => resolved,
            Err(failure) => return self.fail_unstarted(id, failure),
        };
        match self.node(id).kind {
            Kind::Dag => {
                self.scope_mut(id).inputs = Arc::new(resolved.slots);
                self.take_scope_request(id);
                self.start_dag(id, doubt);
            }
            Kind::Loop => {
                self.scope_mut(id).inputs = Arc::new(resolved.slots);
                self.take_scope_request(id);
                self.start_loop(id, task, doubt);
            }
            _ => self.evaluate_leaf(id, task, resolved, doubt),
        }
    }

    fn evaluate_iteration(&mut self, id: NodeId) {
        let doubt = self.node(self.node(id).parent).scope.as_ref().and_then(|scope| scope.doubt);
        if let Some(reason) = self.skip_request(id) {
            return match doubt.filter(|doubt| doubt.reason == Reason::ConditionUnknown) {
                Some(doubt) => self.end_all_in_doubt(id, doubt),
                None => self.leave_out(id, reason, ROOT),
            };
        }
        self.take_scope_request(id);
        self.start_dag(id, doubt);
    }

    fn upstream(&self, id: NodeId, parent: NodeId, task: &Task) -> Upstream {
        let mut upstream =
            Upstream { blocked: None, ends_here: None, doubt: self.node(parent).scope.as_ref().and_then(|s| s.doubt) };
        let has_overrides = self.node(id).details.as_ref().is_some_and(|details| details.overrides.is_some());
        for &index in task.upstream.iter() {
            let Some(child) = self.child(parent, index) else { continue };
            let node = self.node(child);
            if node.ends_here && upstream.ends_here.is_none() {
                upstream.ends_here = Some(child);
            }
            if node.may_end_here && !self.node(id).is_in_exit {
                upstream.doubt = Some(Doubt { reason: Reason::ConditionUnknown, cause: child });
            }
            if has_overrides && self.is_edge_overridden(id, task, index) {
                continue;
            }
            let blocked = match node.state {
                State::Failed if !task.runs_after_any_end => (State::NotTriggered, Reason::UpstreamFailed, child),
                State::NotTriggered if !task.runs_after_any_end => match node.reason {
                    Reason::ConditionFalse => (State::NotTriggered, Reason::ConditionFalse, child),
                    Reason::FailFast => (State::NotTriggered, Reason::FailFast, child),
                    _ => (State::NotTriggered, Reason::UpstreamFailed, child),
                },
                State::Cancelled if !task.runs_after_any_end => (State::Cancelled, Reason::CancelledByRequest, child),
                State::Unspecified => {
                    // Where its condition turns out false, what comes after it is not triggered either.
                    let is_in_question = node.is_in_question && !task.runs_after_any_end;
                    let reason = if is_in_question { Reason::ConditionUnknown } else { Reason::UpstreamChanged };
                    if is_in_question || upstream.doubt.is_none() {
                        upstream.doubt = Some(Doubt { reason, cause: child });
                    }
                    continue;
                }
                _ => continue,
            };
            // Cancelled says more than not triggered.
            if upstream.blocked.is_none() || blocked.0 == State::Cancelled {
                upstream.blocked = Some(blocked);
            }
        }
        upstream
    }

    fn check_condition(&self, condition: &str, component: &Component, resolved: &Resolved) -> Verdicts {
        let unknown = Cell::new(None);
        let left_out = RefCell::new(None);
        let truth = cel::evaluate(condition, |name| match resolved.parameter(component, name) {
            Some(Slot::Known(value)) => Lookup::Known(value),
            Some(Slot::Unknown { cause }) => {
                unknown.set(unknown.get().or(Some(*cause)));
                Lookup::Unknown
            }
            Some(Slot::Absent { left_out: by }) if *by != ROOT => {
                left_out.replace(Some((*by, name.to_owned())));
                Lookup::Absent
            }
            _ => Lookup::Absent,
        });
        match (truth, left_out.into_inner()) {
            (Ok(Truth::True), _) => Verdicts::True,
            (Ok(Truth::False), _) => Verdicts::False,
            (Ok(Truth::Unknown), _) => Verdicts::Unknown(unknown.get().unwrap_or(ROOT)),
            (Err(_), Some((by, name))) => Verdicts::LeftOut(by, format!("the condition reads {name:?}")),
            (Err(error), None) => {
                Verdicts::Error(Failure { code: 3, message: format!("condition {condition:?}: {error}") })
            }
        }
    }

    /// Lets the children of a DAG or an iteration run.
    pub(super) fn start_dag(&mut self, id: NodeId, doubt: Option<Doubt>) {
        self.node_mut(id).phase = Phase::Started;
        self.scope_mut(id).doubt = doubt;
        self.tell_started(id);
        let children = std::mem::take(&mut self.scope_mut(id).children);
        for &child in &children {
            self.release(child);
        }
        let scope = self.scope_mut(id);
        scope.children = children;
        if scope.open == 0 {
            self.ready.insert(id);
        }
    }

    fn start_loop(&mut self, id: NodeId, task: &Task, doubt: Option<Doubt>) {
        let items = match self.items(id, task) {
            Slot::Known(Ok(items)) => items,
            Slot::Known(Err(failure)) => return self.fail_unstarted(id, failure),
            Slot::Absent { left_out } if left_out != ROOT => {
                return self.fail_needed(id, left_out, "the loop goes over its output");
            }
            Slot::Absent { .. } => {
                let message = "the list of the loop's items is absent".to_owned();
                return self.fail_unstarted(id, Failure { code: 3, message });
            }
            Slot::Unknown { cause } => {
                let doubt = doubt.filter(|d| d.reason == Reason::ConditionUnknown);
                let doubt = doubt.unwrap_or(Doubt { reason: Reason::ConditionUnknown, cause });
                self.node_mut(id).may_end_here = self.may_end_inside(id);
                return self.end_in_doubt(id, doubt);
            }
        };
        if self.node(id).scope.as_ref().is_some_and(|scope| scope.is_expanded) {
            let (children, inputs) = match self.node(id).scope.as_deref() {
                Some(Scope { children, inputs, .. }) => (children.clone(), Arc::clone(inputs)),
                None => return,
            };
            for (child, item) in children.into_iter().zip(items) {
                let scope = self.scope_mut(child);
                scope.inputs = Arc::clone(&inputs);
                scope.item = Some(item);
            }
        } else {
            self.scope_mut(id).is_provisional = doubt.is_some();
            if let Err(failure) = self.expand_loop(id, task, items) {
                return self.fail_unstarted(id, failure);
            }
        }
        self.node_mut(id).phase = Phase::Started;
        self.scope_mut(id).doubt = doubt;
        self.tell_started(id);
        let count = self.node(id).scope.as_ref().map_or(0, |scope| scope.children.len());
        if count == 0 {
            self.ready.insert(id);
            return;
        }
        let limit = task.extras.as_ref().map_or(0, |extras| extras.parallelism) as usize;
        let at_once = if limit == 0 || self.mode == Mode::Plan { count } else { limit.min(count) };
        for _ in 0..at_once {
            self.release_next(id);
        }
    }

    /// Lets the next iteration of a loop run.
    pub(super) fn release_next(&mut self, id: NodeId) {
        let scope = self.scope_mut(id);
        let next = scope.next_iteration;
        if let Some(&child) = scope.children.get(next as usize) {
            scope.next_iteration += 1;
            self.release(child);
        }
    }

    /// One of the events that a task waits for has happened.
    pub(super) fn release(&mut self, id: NodeId) {
        let Some(waiting) = self.waiting.get_mut(id as usize) else { return };
        *waiting = waiting.saturating_sub(1);
        if *waiting == 0 && self.node(id).phase == Phase::Waiting {
            self.ready.insert(id);
        }
    }

    /// A task is left out by request, with all that is inside.
    fn leave_out(&mut self, id: NodeId, reason: Reason, caused_by: NodeId) {
        let node = self.node_mut(id);
        node.is_left_out = true;
        node.ends_here |= reason == Reason::SkipDownstream;
        self.end_unstarted(id, State::Skipped, reason, caused_by);
    }

    /// A task of which nothing can be said before others have run; plans only.
    pub(super) fn end_in_doubt(&mut self, id: NodeId, doubt: Doubt) {
        let node = self.node_mut(id);
        node.verdict = Verdict::ReEvaluate;
        node.reason = doubt.reason;
        node.caused_by = doubt.cause;
        self.end(id, State::Unspecified);
    }

    /// The same of a task that is left out if its turn comes: nothing inside is asked for its condition or its inputs, for
    /// none of that will run in either case.
    fn end_all_in_doubt(&mut self, id: NodeId, doubt: Doubt) {
        let end = self.node(id).subtree_end.max(id + 1);
        let (mut ends_here, mut may_end_here) = (false, false);
        for inner in id..end {
            let node = self.node(inner);
            let is_expanded = node.scope.as_ref().is_some_and(|scope| scope.is_expanded);
            may_end_here |= node.kind == Kind::Loop && !is_expanded && self.may_end_inside(inner);
        }
        for inner in id + 1..end {
            let node = self.node_mut(inner);
            ends_here |= node.ends_here;
            node.phase = Phase::Ended;
            node.state = State::Unspecified;
            node.verdict = Verdict::ReEvaluate;
            node.reason = doubt.reason;
            node.caused_by = doubt.cause;
            self.tell_ended(inner, Told::default());
        }
        let node = self.node_mut(id);
        node.ends_here |= ends_here;
        node.may_end_here |= may_end_here;
        node.is_in_question = true;
        node.doubt = Some(doubt);
        self.end_in_doubt(id, doubt);
    }

    fn take_scope_request(&mut self, id: NodeId) {
        let inherited = self.node(self.node(id).parent).scope.as_ref().and_then(|scope| scope.request);
        let request = match (self.scope_request(id), inherited) {
            (Some(ScopeRequest::Execute), _) | (_, Some(ScopeRequest::Execute)) => Some(ScopeRequest::Execute),
            (Some(ScopeRequest::LeaveOutUnnamed), Some(inherited)) => Some(inherited),
            (own, inherited) => own.or(inherited),
        };
        self.scope_mut(id).request = request;
    }
}
