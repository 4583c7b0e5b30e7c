//! What a plan that nothing disturbs leaves for the reruns to come: see `compiled`.

use super::leaf::missing_input;
use super::node::Node;
use super::slot::{NodeId, ROOT};
use super::stored::Record;
use super::Machine;
use crate::compiled::{Compilation, Compiled, Past, Rule, Waits};
use crate::compiled::{
    HAS_OWN_DOUBT, IS_END_FROZEN, IS_IMPORTER, IS_ITERATION, IS_LEAF, NEEDS_ITS_VIEW, RUNS_AFTER_ANY_END,
    WAS_IN_QUESTION,
};
use crate::messages::{Kind, Message, Reason, State, Values, Verdict};
use crate::spec::Task;
use crate::wire::Reader;

impl Machine {
    /// Tells all tasks of a plan that has been made. `None`: their order is not that of a rerun's tasks, or they are
    /// not those of the original.
    pub(crate) fn compile_into(&self, to: &mut Compilation) -> Option<()> {
        let count = self.nodes.len();
        if self.prior.records.len() + 1 != count {
            return None;
        }
        // Tasks without a turn, with all inside them.
        let mut is_frozen = vec![false; count];
        for id in 1..count as NodeId {
            let node = self.node(id);
            let record = self.record(id).filter(|record| record.task_id() == i64::from(id))?;
            let task = self.task_of(node);
            let rule = match is_frozen.get(node.parent as usize) {
                Some(false) if node.is_leaf() => self.leaf_rule(id, task, &record),
                Some(false) if self.has_had_its_turn(node) => Rule::Open,
                _ => Rule::Frozen,
            };
            if let Some(place) = is_frozen.get_mut(id as usize) {
                *place = rule == Rule::Frozen;
            }
            let own_doubt = node
                .doubt
                .filter(|_| rule != Rule::Frozen && task.condition().is_some() && node.kind != Kind::Iteration);
            to.task(&Compiled {
                name: record.name(),
                parent: node.parent,
                rule,
                flags: self.flags(node, task, own_doubt.is_some()),
                past: past_of(&record),
                state: node.state as u8,
                verdict: node.verdict as u8,
                reason: node.reason as u8,
                cause: node.caused_by,
                own_doubt: own_doubt.map(|doubt| Waits { reason: doubt.reason, cause: doubt.cause }),
                cache_key: self.planned_cache_key(id),
            });
            self.compile_edges(id, node, task, to);
            self.compile_artifacts(id, node, task, &record, to)?;
        }
        Some(())
    }

    /// The key that the plan would ask the cross-run cache for.
    fn planned_cache_key(&self, id: NodeId) -> Option<[u8; 32]> {
        let mut fields = Reader::new(self.planned.get(id));
        while let Ok(Some(field)) = fields.next_field() {
            if field.number == super::planned::CACHE_KEY {
                return field.bytes().ok()?.try_into().ok();
            }
        }
        None
    }

    fn compile_edges(&self, id: NodeId, node: &Node, task: &Task, to: &mut Compilation) {
        if node.kind == Kind::Iteration {
            return;
        }
        let has_overrides = node.details.as_ref().is_some_and(|details| details.overrides.is_some());
        for &index in task.upstream.iter() {
            if has_overrides && self.is_edge_overridden(id, task, index) {
                continue;
            }
            if let Some(upstream) = self.child(node.parent, index) {
                to.upstream(upstream);
            }
        }
    }

    fn compile_artifacts(
        &self,
        id: NodeId,
        node: &Node,
        task: &Task,
        record: &Record<'_>,
        to: &mut Compilation,
    ) -> Option<()> {
        let candidate = record.candidate();
        for held in [Some(*record), candidate].into_iter().flatten() {
            for list in Values::decode(held.outputs_bytes()).ok()?.artifacts {
                for artifact in list.artifacts {
                    to.artifact(&artifact.uri, &artifact.digest, &artifact.fingerprint);
                }
            }
        }
        if !node.is_leaf() || task.artifacts.is_empty() {
            return Some(());
        }
        let Ok(resolved) = self.resolve(id, task) else { return Some(()) };
        for slot in resolved.slots.artifacts.iter() {
            for item in slot.known().into_iter().flat_map(|list| list.items.iter()) {
                if item.origin != ROOT {
                    to.reads(item.origin);
                }
            }
        }
        Some(())
    }

    fn flags(&self, node: &Node, task: &Task, has_own_doubt: bool) -> u8 {
        let component = self.spec.component(node.component);
        let is_iteration = node.kind == Kind::Iteration;
        let tally = node.scope.as_ref().map(|scope| scope.tally).unwrap_or_default();
        let chooses = component.dag().is_some_and(|dag| {
            dag.outputs
                .iter()
                .chain(dag.output_artifacts.iter())
                .any(|output| output.is_one_of || output.selectors.len() > 1)
        });
        let fails_by_itself = node.state == State::Failed && tally.failed == ROOT;
        let mut flags = 0;
        for (is_set, flag) in [
            (node.is_leaf(), IS_LEAF),
            (task.runs_after_any_end && !is_iteration, RUNS_AFTER_ANY_END),
            (node.is_in_question, WAS_IN_QUESTION),
            (task.condition().is_some() && !is_iteration || node.kind == Kind::Loop, NEEDS_ITS_VIEW),
            (has_own_doubt, HAS_OWN_DOUBT),
            (!node.is_leaf() && (chooses || fails_by_itself), IS_END_FROZEN),
            (is_iteration, IS_ITERATION),
            (node.kind == Kind::Importer, IS_IMPORTER),
        ] {
            if is_set {
                flags |= flag;
            }
        }
        flags
    }

    /// True where the tasks inside were evaluated.
    fn has_had_its_turn(&self, node: &Node) -> bool {
        node.scope.as_ref().is_some_and(|scope| scope.is_expanded && !scope.children.is_empty() && scope.open == 0)
    }

    fn leaf_rule(&self, id: NodeId, task: &Task, record: &Record<'_>) -> Rule {
        let node = self.node(id);
        let component = self.spec.component(task.component);
        let is_started = match self.resolve(id, task) {
            Ok(resolved) => missing_input(component, &resolved, self.spec.is_legacy()).is_none(),
            Err(_) => false,
        };
        if !is_started || node.state == State::Failed {
            return Rule::Frozen;
        }
        match (node.verdict, node.reason) {
            (Verdict::Reuse, Reason::Unchanged) => Rule::Usable,
            (Verdict::ReEvaluate, Reason::UpstreamChanged) if record.usable().is_some() => Rule::Usable,
            (Verdict::ReEvaluate, Reason::ConditionUnknown) => Rule::Waiting,
            (Verdict::Execute, Reason::NotSucceeded) => Rule::NotUsable,
            (Verdict::Execute, Reason::ExitTask) => Rule::Exit,
            (Verdict::Execute, Reason::Reimport) => Rule::Reimport,
            _ => Rule::Frozen,
        }
    }
}

fn past_of(record: &Record<'_>) -> Past {
    match record.state() {
        _ if record.is_left_out() => Past::LeftOut,
        State::Succeeded => Past::Succeeded,
        State::Skipped => Past::Reused,
        _ => Past::Other,
    }
}
