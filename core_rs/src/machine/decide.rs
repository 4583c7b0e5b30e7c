//! Run or reuse: what is decided of a leaf whose turn has come.
//!
//! Invariant: where several rules match, the order is condition, skip, exit task, override, request, lost artifact, key;
//! the first two are seen to before a leaf gets here.

use super::keys::LeafKey;
use super::leaf::Decided;
use super::node::{Doubt, ScopeRequest};
use super::rerun::has_values;
use super::slot::{NodeId, ROOT};
use super::stored::Record;
use super::Machine;
use crate::messages::{Kind, Message, Presence, Reason, Source, State, Values, Verdict};
use crate::spec::{ArtifactSource, Component, ExecutorBody, ParameterSource, Task};

/// An outcome that may be reused.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    pub outputs: Values,
    pub source: Source,
}

impl Machine {
    pub(super) fn decide_leaf(
        &mut self,
        id: NodeId,
        task: &Task,
        component: &Component,
        key: &LeafKey,
        doubt: Option<Doubt>,
    ) -> Decided {
        if let Some(doubt) = doubt.filter(|doubt| doubt.reason == Reason::ConditionUnknown) {
            return doubtful(doubt);
        }
        if !self.prior.is_rerun {
            return execute(Reason::FirstRun);
        }
        if self.node(id).is_in_exit {
            return execute(Reason::ExitTask);
        }
        let overridden = self.node(id).details.as_ref().map_or("", |details| &details.overridden_field);
        if !overridden.is_empty() {
            return Decided { field: overridden.to_owned(), ..execute(Reason::InputOverridden) };
        }
        if let Some(reason) = self.run_request(id) {
            return execute(reason);
        }
        let is_reimport = matches!(
            super::keys::executor_of(&self.spec, component).map(|executor| &executor.body),
            Some(ExecutorBody::Importer(importer)) if importer.is_reimport
        );
        if is_reimport {
            return execute(Reason::Reimport);
        }
        let Some(record) = self.record(id) else { return self.decide_unmatched(id, key, doubt) };
        let Some(outcome) = record.usable() else { return execute(Reason::NotSucceeded) };
        if let Some(presence) = self.prior.has_lost_artifacts.then(|| outcome.lost()).flatten() {
            if self.node(id).kind == Kind::Importer || self.prior.remake.contains(&self.path(id)) {
                let is_missing = presence == Presence::Missing;
                return execute(if is_missing { Reason::ArtifactMissing } else { Reason::ArtifactChanged });
            }
        }
        let difference = match crate::key::first_difference(outcome.preimage(), &key.preimage) {
            Ok(difference) => difference,
            Err(_) => return execute(Reason::NotComparable),
        };
        if let Some(field) = difference {
            let caused_by = self.producer_of(id, task, &field);
            return Decided { field, caused_by, ..execute(Reason::KeyChanged) };
        }
        if let Some(doubt) = doubt {
            return doubtful(doubt);
        }
        Decided {
            verdict: Verdict::Reuse,
            reason: Reason::Unchanged,
            outcome: Some(Outcome {
                outputs: Values::decode(outcome.outputs_bytes()).unwrap_or_default(),
                source: self.prior.source(outcome),
            }),
            ..Decided::default()
        }
    }

    /// A task of the new spec only: a renamed one, or a new one.
    fn decide_unmatched(&mut self, id: NodeId, key: &LeafKey, doubt: Option<Doubt>) -> Decided {
        if !self.prior.may_be_renamed(|| self.path(id)) {
            return execute(Reason::NotInOriginal);
        }
        match doubt {
            Some(doubt) if self.prior.may_claim(&key.preimage) => doubtful(doubt),
            Some(_) => execute(Reason::NotInOriginal),
            None => {
                let Some(index) = self.prior.claim(&key.digest) else { return execute(Reason::NotInOriginal) };
                let outcome = self.prior.records.get(index).and_then(Record::usable).map(|outcome| Outcome {
                    outputs: Values::decode(outcome.outputs_bytes()).unwrap_or_default(),
                    source: self.prior.source(outcome),
                });
                self.node_mut(id).prior = Some(index);
                Decided { verdict: Verdict::Reuse, reason: Reason::Renamed, outcome, ..Decided::default() }
            }
        }
    }

    /// Why a leaf is to run whatever its key says.
    fn run_request(&self, id: NodeId) -> Option<Reason> {
        let inherited = self.node(self.node(id).parent).scope.as_ref().and_then(|scope| scope.request);
        let by_parent = (inherited == Some(ScopeRequest::Execute)).then_some(Reason::RequestedByParent);
        let Some(config) = self.config(id).filter(|config| !config.skip_task && !has_values(config)) else {
            return by_parent;
        };
        // What Google's SDK fills in for tasks that the user did not name has no inputs.
        let is_asked = config.has_inputs || self.record(id).is_some_and(|record| record.state() == State::Succeeded);
        if is_asked {
            Some(Reason::Requested)
        } else {
            by_parent
        }
    }

    /// The sibling whose output comes in by the input that a key's field names.
    fn producer_of(&self, id: NodeId, task: &Task, field: &str) -> NodeId {
        let (parent, component) = (self.node(id).parent, self.spec.component(task.component));
        let found = if let Some(name) = field.strip_prefix("inputs.parameters.") {
            task.parameters.iter().find(|binding| binding.name(component) == name).and_then(|binding| {
                match binding.source {
                    ParameterSource::Output { task, .. } | ParameterSource::FinalStatus(task) => Some(task),
                    _ => None,
                }
            })
        } else if let Some(name) = field.strip_prefix("inputs.artifacts.") {
            task.artifacts.iter().find(|binding| binding.name(component) == name).and_then(|binding| {
                match binding.source {
                    ArtifactSource::Output { task, .. } => Some(task),
                    ArtifactSource::Input(_) => None,
                }
            })
        } else {
            None
        };
        found.and_then(|task| self.child(parent, task)).unwrap_or(ROOT)
    }

    /// A hit in what is known of the cross-run cache.
    pub(super) fn cached(&self, key: &[u8]) -> Option<Outcome> {
        let hit = self.prior.cached(key)?;
        let record = hit.record.as_ref()?;
        Some(Outcome {
            outputs: record.outputs.clone().unwrap_or_default(),
            source: hit.source.clone().or_else(|| record.source.clone()).unwrap_or_default(),
        })
    }
}

fn execute(reason: Reason) -> Decided {
    Decided { verdict: Verdict::Execute, reason, ..Decided::default() }
}

fn doubtful(doubt: Doubt) -> Decided {
    Decided { verdict: Verdict::ReEvaluate, reason: doubt.reason, caused_by: doubt.cause, ..Decided::default() }
}
