//! What the original of a rerun and the configs have to say about each task.

use std::sync::Arc;

use super::node::{Details, ScopeRequest};
use super::resolve::Resolved;
use super::slot::{NodeId, ROOT};
use super::stored::Record;
use super::{Machine, Mode};
use crate::messages::{ArtifactList, Config, Kind, Presence, Problem, Reason, State, TaskRecord};
use crate::value::Value;

impl Machine {
    pub(super) fn is_rerun(&self) -> bool {
        self.prior.is_rerun
    }

    pub(super) fn record(&self, id: NodeId) -> Option<Record<'_>> {
        self.prior.records.get(self.node(id).prior?)
    }

    pub(super) fn config(&self, id: NodeId) -> Option<&Config> {
        self.prior.configs.get(self.node(id).config? as usize)
    }

    /// Finds the record that a new task continues, the config that names it, and the inputs that are overridden.
    pub(super) fn attach_prior(&mut self, id: NodeId) {
        if !self.prior.is_rerun {
            return;
        }
        let node = self.node(id);
        let parent =
            if node.parent == ROOT { Some(0) } else { self.record(node.parent).map(|record| record.task_id()) };
        let is_leaf = node.is_leaf();
        let spec = Arc::clone(&self.spec);
        let name: &str = match (&node.details, node.kind) {
            (Some(details), Kind::Iteration) => &details.item_identity,
            _ => {
                let dag = spec.component(self.node(node.parent).component).dag();
                dag.map_or("", |dag| &dag.task(node.index).name)
            }
        };
        let name = name.to_owned();
        let record = self.prior.find(parent, &name);
        let record =
            record.filter(|record| self.prior.records.get(*record).is_some_and(|record| record.is_leaf() == is_leaf));
        let config = self.prior.config_of(record, || self.path(id));
        let node = self.node_mut(id);
        node.prior = record;
        node.config = config;
        if let Some(place) = record.and_then(|record| self.prior.matched.get_mut(record as usize)) {
            *place = Some(id);
        }
        if let Some(place) = config.and_then(|config| self.prior.bound.get_mut(config as usize)) {
            *place = Some(id);
        }
        if self.config(id).is_some_and(|config| config.skip_downstream_tasks) {
            self.node_mut(id).ends_here = true;
        }
        self.attach_overrides(id);
    }

    fn attach_overrides(&mut self, id: NodeId) {
        let inherited = self.record(id).filter(Record::has_overrides).and_then(|record| record.override_inputs());
        let config = self.config(id).filter(|config| config.has_inputs || !config.drop_overrides.is_empty());
        if inherited.is_none() && config.is_none() {
            return;
        }
        let component = self.spec.component(self.node(id).component);
        let mut values = inherited.unwrap_or_default();
        values.parameters.retain(|given| component.input(&given.name).is_some());
        values.artifacts.retain(|given| component.input_artifact(&given.name).is_some());
        let mut changed = String::new();
        let mut wrong = Vec::new();
        if let Some(config) = config {
            values.parameters.retain(|given| !config.drop_overrides.contains(&given.name));
            values.artifacts.retain(|given| !config.drop_overrides.contains(&given.name));
            let old = self.record(id).and_then(|record| record.inputs());
            let old = old.as_ref();
            for given in &config.input_parameters {
                let field = format!("{}.inputs.parameter_values['{}']", config.field, given.name);
                let Some(input) = component.input(&given.name).and_then(|i| component.inputs.get(i as usize)) else {
                    wrong.push((field, "the task declares no such input".to_owned()));
                    continue;
                };
                let value = match Value::from_json(&given.json) {
                    Ok(value) => value,
                    Err(error) => {
                        wrong.push((field, format!("is no value: {error}")));
                        continue;
                    }
                };
                if let Err(mismatch) = crate::parameter::check(input.kind, &value) {
                    if !(value.is_null() && input.is_optional) {
                        wrong.push((field, mismatch.to_string()));
                    }
                }
                let before = old.and_then(|old| old.parameters.iter().find(|p| p.name == given.name));
                let before = before.and_then(|before| Value::from_json(&before.json).ok()).unwrap_or(Value::Null);
                if before != value && changed.is_empty() {
                    changed = format!("inputs.parameters.{}", given.name);
                }
                values.parameters.retain(|other| other.name != given.name);
                values.parameters.push(given.clone());
            }
            for given in &config.input_artifacts {
                let field = format!("{}.inputs.artifacts['{}']", config.field, given.name);
                let index = component.input_artifact(&given.name);
                let Some(input) = index.and_then(|i| component.input_artifacts.get(i as usize)) else {
                    wrong.push((field, "the task declares no such input artifact".to_owned()));
                    continue;
                };
                for artifact in &given.artifacts {
                    if !crate::spec::parameters::fits(&input.schema.title, &artifact.schema_title) {
                        let message = format!("expected a {}, found a {}", input.schema.title, artifact.schema_title);
                        wrong.push((field.clone(), message));
                    }
                }
                if !input.is_list && given.artifacts.len() != 1 {
                    wrong.push((field, format!("expected one artifact, found {}", given.artifacts.len())));
                }
                let before = old.and_then(|old| old.artifacts.iter().find(|list| list.name == given.name));
                if !before.is_some_and(|before| is_same_content(before, given)) && changed.is_empty() {
                    changed = format!("inputs.artifacts.{}", given.name);
                }
                let mut given = given.clone();
                given.is_list = input.is_list;
                given.artifacts.iter_mut().for_each(|artifact| input.schema.complete(artifact));
                values.artifacts.retain(|other| other.name != given.name);
                values.artifacts.push(given);
            }
        }
        values.parameters.sort_by(|a, b| a.name.cmp(&b.name));
        values.artifacts.sort_by(|a, b| a.name.cmp(&b.name));
        for (field, message) in wrong {
            self.problems.push(Problem { field, message });
        }
        let is_empty = values.parameters.is_empty() && values.artifacts.is_empty();
        let details: &mut Details = self.node_mut(id).details_mut();
        details.overrides = Some(values).filter(|_| !is_empty);
        details.overridden_field = changed;
    }

    /// Why a task is left out, if a config or the original says so.
    pub(super) fn skip_request(&self, id: NodeId) -> Option<Reason> {
        if !self.prior.is_rerun {
            return None;
        }
        let record = self.record(id);
        let is_left_out = record.is_some_and(|record| record.is_left_out());
        let config = self.config(id);
        if config.is_some_and(|config| config.skip_task) {
            let has_outcome = record.is_some_and(|record| match record.state() {
                State::Succeeded => true,
                State::Skipped => !record.is_left_out(),
                _ => false,
            });
            return (!has_outcome).then_some(Reason::Requested);
        }
        let above = self.node(self.node(id).parent).scope.as_ref().and_then(|scope| scope.request);
        let is_left_out = match above {
            Some(ScopeRequest::Execute | ScopeRequest::DropInheritedSkips) => false,
            Some(ScopeRequest::LeaveOutUnnamed) => true,
            None => is_left_out,
        };
        let is_named = config.is_some_and(|config| config.has_inputs) || self.holds_named(id);
        (is_left_out && !is_named).then_some(Reason::Inherited)
    }

    /// True for a DAG with a task inside that is given inputs, be they empty.
    fn holds_named(&self, id: NodeId) -> bool {
        !self.prior.holders_of_named.is_empty()
            && self.record(id).is_some_and(|record| self.prior.holders_of_named.contains(&record.task_id()))
    }

    /// Whether a config asks to end below some task of a loop whose iterations are not known yet.
    pub(super) fn may_end_inside(&self, id: NodeId) -> bool {
        self.record(id).is_some_and(|record| self.prior.holders_of_ends.contains(&record.task_id()))
    }

    /// What a config on a DAG, or on a task inside a DAG that was left out, asks of all leaves inside.
    pub(super) fn scope_request(&self, id: NodeId) -> Option<ScopeRequest> {
        let record = self.record(id)?;
        let config = self.config(id);
        if record.is_left_out() && config.is_some_and(|config| config.has_inputs) {
            return Some(ScopeRequest::DropInheritedSkips);
        }
        let is_asked =
            config.is_some_and(|config| record.state() == State::Succeeded && !config.skip_task && !has_values(config));
        if is_asked {
            return Some(ScopeRequest::Execute);
        }
        (record.is_left_out() && self.holds_named(id)).then_some(ScopeRequest::LeaveOutUnnamed)
    }

    /// The outcome that a task might have reused, kept for a later rerun where it never came to its turn.
    pub(super) fn kept_candidate(&self, id: NodeId) -> Option<TaskRecord> {
        let node = self.node(id);
        let never_came = matches!(node.reason, Reason::UpstreamFailed | Reason::FailFast | Reason::CancelledByRequest);
        if !self.prior.is_rerun || !node.is_leaf() || !never_came {
            return None;
        }
        self.candidate_of(id)
    }

    /// The outcome that a task might reuse, with its true source.
    pub(super) fn candidate_of(&self, id: NodeId) -> Option<TaskRecord> {
        let outcome = self.record(id)?.usable()?;
        let mut candidate = outcome.to_message();
        candidate.source = Some(self.prior.source(outcome));
        candidate.candidate = None;
        Some(candidate)
    }

    /// Somebody needs the output of a task that was left out.
    pub(super) fn note_needed(&mut self, id: NodeId, producer: NodeId, what: &str) {
        if self.mode == Mode::Run {
            return;
        }
        let mut at = producer;
        let field = loop {
            if let Some(config) = self.config(at) {
                break config.field.clone();
            }
            if at == ROOT {
                break "pipeline_job.pipeline_task_rerun_configs".to_owned();
            }
            at = self.node(at).parent;
        };
        let remedy = match self.node(producer).reason {
            Reason::Inherited => {
                "it was left out in the original, and runs again when it is given inputs, be they empty"
            }
            _ => "skip_downstream_tasks leaves out that too",
        };
        let message = format!(
            "task {:?} is left out, but task {:?} needs its output ({what}); {remedy}",
            self.path(producer),
            self.path(id),
        );
        self.problems.push(Problem { field, message });
    }

    /// Remembers which lost artifacts will be read, so that the next round makes them anew.
    pub(super) fn note_reads(&mut self, id: NodeId, resolved: &Resolved) {
        if !self.prior.has_lost_artifacts {
            return;
        }
        debug_assert!(self.node(id).is_leaf());
        let mut origins = Vec::new();
        for slot in resolved.slots.artifacts.iter() {
            for item in slot.known().into_iter().flat_map(|list| list.items.iter()) {
                let is_lost = matches!(item.artifact.presence, Presence::Missing | Presence::Changed);
                if is_lost && item.origin != ROOT {
                    origins.push(item.origin);
                }
            }
        }
        for origin in origins {
            let path = self.path(origin);
            self.lost_reads.insert(path);
        }
    }
}

/// True for a config that gives at least one input.
pub(super) fn has_values(config: &Config) -> bool {
    config.has_inputs && !(config.input_parameters.is_empty() && config.input_artifacts.is_empty())
}

/// True where two lists hold the same artifacts, by content where that is known.
fn is_same_content(a: &ArtifactList, b: &ArtifactList) -> bool {
    a.artifacts.len() == b.artifacts.len()
        && a.artifacts.iter().zip(&b.artifacts).all(|(a, b)| {
            if a.digest.is_empty() || b.digest.is_empty() {
                a.uri == b.uri
            } else {
                a.digest == b.digest
            }
        })
}
