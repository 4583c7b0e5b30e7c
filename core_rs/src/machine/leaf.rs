//! A leaf whose turn has come: reused, run, or (in a plan) left for the run to decide.

use std::sync::Arc;

use super::emit;
use super::keys::{executor_of, first_unknown, ImporterValues, LeafKey};
use super::node::{Doubt, Phase, Told};
use super::resolve::{fill_template, Resolved};
use super::slot::{NodeId, Slot, ROOT};
use super::{Machine, Mode};
use crate::messages::{Failure, Launch, Message, OutputParameter, Reason, RetryPolicy, State, Values, Verdict, What};
use crate::placeholder::resolve_identities;
use crate::render::DeclaredInputs;
use crate::spec::{Component, ExecutorBody, Task};
use crate::value::Value;

/// What is decided of a leaf.
#[derive(Debug, Clone, Default)]
pub(crate) struct Decided {
    pub verdict: Verdict,
    pub reason: Reason,
    /// The field of the key that differs.
    pub field: String,
    pub caused_by: NodeId,
    /// What REUSE reuses.
    pub outcome: Option<super::decide::Outcome>,
}

impl Machine {
    pub(super) fn evaluate_leaf(&mut self, id: NodeId, task: &Task, resolved: Resolved, doubt: Option<Doubt>) {
        let spec = Arc::clone(&self.spec);
        let component = spec.component(task.component);
        let Some(executor) = executor_of(&spec, component) else { return };
        if let Some((producer, failure)) = missing_input(component, &resolved, spec.is_legacy()) {
            return match producer {
                Some(producer) => self.fail_needed(id, producer, &failure.message),
                None => self.fail_unstarted(id, failure),
            };
        }
        let importer = match &executor.body {
            ExecutorBody::Importer(importer) => Some(self.importer_values(importer, component, &resolved)),
            _ => None,
        };
        if let Some(ImporterValues { uri: Slot::Absent { .. }, .. }) = importer {
            let message = "the URI to import is absent".to_owned();
            return self.fail_unstarted(id, Failure { code: 3, message });
        }
        let key = self.leaf_key(task, &resolved, importer.as_ref());
        let doubt =
            doubt.or_else(|| first_unknown(&resolved).map(|cause| Doubt { reason: Reason::UpstreamChanged, cause }));
        let mut decided = self.decide_leaf(id, task, component, &key, doubt);
        let mut asked = None;
        if decided.verdict == Verdict::Execute && doubt.is_none() && self.may_read_cache(id, task, decided.reason) {
            let cache_key = self.cache_key(id, task, &resolved, executor, &key);
            // The run's own identity is not known to a plan, so what depends on it is left to the run.
            asked = Some(cache_key).filter(|cache_key| key.is_complete && *cache_key == key.digest);
            if let Some(outcome) = self.cached(&cache_key) {
                decided = Decided {
                    verdict: Verdict::Reuse,
                    reason: Reason::CacheHit,
                    outcome: Some(outcome),
                    ..Decided::default()
                };
            }
        }
        let node = self.node_mut(id);
        node.verdict = decided.verdict;
        node.reason = decided.reason;
        node.caused_by = decided.caused_by;
        if !decided.field.is_empty() {
            node.details_mut().reason_field = decided.field;
        }
        match decided.verdict {
            Verdict::Reuse => self.reuse(id, component, &resolved, key, decided.outcome),
            _ if self.mode == Mode::Plan => {
                self.note_reads(id, &resolved);
                let encoded_inputs = Some(emit::encoded_inputs(component, &resolved.slots));
                let key = key.is_complete.then_some((key.digest, key.preimage));
                self.end_with(
                    id,
                    State::Unspecified,
                    Told { encoded_inputs, key, cache_key: asked, ..Told::default() },
                );
            }
            _ => self.launch(id, task, component, resolved, importer, key),
        }
    }

    fn reuse(
        &mut self,
        id: NodeId,
        component: &Component,
        resolved: &Resolved,
        key: LeafKey,
        outcome: Option<super::decide::Outcome>,
    ) {
        let Some(outcome) = outcome else { return };
        self.take_outputs(id, &outcome.outputs, id);
        let (inputs, encoded_inputs) = match self.mode {
            Mode::Plan => (None, Some(emit::encoded_inputs(component, &resolved.slots))),
            Mode::Run => (Some(emit::input_values(component, &resolved.slots)), None),
        };
        let told = Told {
            inputs,
            encoded_inputs,
            outputs: Some(outcome.outputs),
            source: Some(outcome.source),
            key: Some((key.digest, key.preimage)),
            cache_key: None,
        };
        self.end_with(id, State::Skipped, told);
    }

    /// Of each attempt of a task with this executor; 0: none.
    fn timeout_ms(&self, executor: &str) -> i64 {
        let timeouts = &self.settings.timeouts;
        timeouts
            .binary_search_by(|one| one.executor.as_str().cmp(executor))
            .ok()
            .and_then(|at| timeouts.get(at))
            .map_or(0, |one| one.timeout_ms)
    }

    pub(super) fn launch(
        &mut self,
        id: NodeId,
        task: &Task,
        component: &Component,
        resolved: Resolved,
        importer: Option<ImporterValues>,
        key: LeafKey,
    ) {
        let spec = Arc::clone(&self.spec);
        let Some(executor) = executor_of(&spec, component) else { return };
        let node = self.node(id);
        let details = node.details.as_deref();
        let mut launch = Launch {
            task_id: i64::from(id),
            path: self.path(id),
            name: task.name.to_string(),
            kind: node.kind,
            inputs: Some(emit::input_values(component, &resolved.slots)),
            output_parameters: emit::output_parameters(component),
            output_artifacts: emit::output_artifacts(component),
            retry: task.extras.as_ref().and_then(|extras| extras.retry.as_ref()).map(|retry| RetryPolicy {
                max_retry_count: retry.max_retry_count,
                backoff_duration_s: retry.backoff_duration_s,
                backoff_factor: retry.backoff_factor,
                backoff_max_duration_s: retry.backoff_max_duration_s,
            }),
            cache_key: self.cache_key(id, task, &resolved, executor, &key).to_vec(),
            is_cache_enabled: task.is_cache_enabled,
            may_read_cache: self.may_read_cache(id, task, node.reason),
            key: key.digest.to_vec(),
            preimage: key.preimage,
            verdict: node.verdict,
            reason: node.reason,
            reason_field: details.map(|details| details.reason_field.clone()).unwrap_or_default(),
            caused_by: self.path(node.caused_by),
            override_inputs: details.and_then(|details| details.overrides.clone()),
            candidate: self.candidate_of(id).map(Box::new),
            is_in_exit: node.is_in_exit,
            timeout_ms: self.timeout_ms(&executor.label),
            ..Launch::default()
        };
        match &executor.body {
            ExecutorBody::Container(container) => {
                let fill = |text: &str| match fill_template(&Value::String(text.to_owned()), component, &resolved) {
                    Ok(Slot::Known(value)) => value.to_text(),
                    _ => String::new(),
                };
                emit::container(container, &fill, &mut launch);
                if let Some(inputs) = &mut launch.inputs {
                    emit::push_named_extras(inputs, container, &resolved.extras);
                }
            }
            ExecutorBody::Importer(body) => {
                if let Some(values) = importer {
                    let (job_uuid, task_uuid) = (self.settings.run_id.to_string(), self.task_uuid(id));
                    let identity = self.identity_values(&job_uuid, &task_uuid, &task.name);
                    let uri = Value::String(values.uri.known().cloned().unwrap_or_default());
                    launch.importer_uri = resolve_identities(&uri, &identity).to_text();
                    let metadata = values.metadata.known().map(|metadata| resolve_identities(metadata, &identity));
                    launch.importer_metadata_json = metadata.as_ref().map(Value::to_json).unwrap_or_default();
                }
                launch.is_reimport = body.is_reimport;
            }
            ExecutorBody::Foreign(_) => {
                let message = "this executor runs on Google Cloud only".to_owned();
                return self.fail_unstarted(id, Failure { code: 12, message });
            }
        }
        launch.input_types = declared_inputs(component);
        self.node_mut(id).phase = Phase::Launched;
        self.decide(id, What::Launch(Box::new(launch)));
    }

    /// Whether the cross-run cache may answer for a leaf that would run.
    fn may_read_cache(&self, id: NodeId, task: &Task, reason: Reason) -> bool {
        use Reason as R;
        task.is_cache_enabled
            && !self.node(id).is_in_exit
            && !matches!(reason, R::Requested | R::RequestedByParent | R::ExitTask | R::Reimport)
    }

    /// Takes over what a leaf left, in the order of its component's outputs.
    pub(super) fn take_outputs(&mut self, id: NodeId, values: &Values, origin: NodeId) {
        let spec = Arc::clone(&self.spec);
        let component = spec.component(self.node(id).component);
        if component.outputs.is_empty() && component.output_artifacts.is_empty() {
            return;
        }
        self.node_mut(id).outputs = Some(Box::new(emit::slots_of(component, values, origin)));
    }
}

/// The declared inputs, as `render` reads them.
fn declared_inputs(component: &Component) -> Vec<u8> {
    let inputs = component.inputs.iter();
    DeclaredInputs {
        parameters: inputs
            .map(|input| OutputParameter { name: input.name.to_string(), parameter_type: input.kind.name().to_owned() })
            .collect(),
        artifacts: component.input_artifacts.iter().map(|input| input.name.to_string()).collect(),
    }
    .encode()
}

/// A required input that is absent, and who was left out and would have made it.
pub(super) fn missing_input(
    component: &Component,
    resolved: &Resolved,
    is_legacy: bool,
) -> Option<(Option<NodeId>, Failure)> {
    let failure = |name: &str| Failure { code: 3, message: format!("the required input {name:?} is absent") };
    let by = |left_out: &NodeId| Some(*left_out).filter(|left_out| *left_out != ROOT);
    for (input, slot) in component.inputs.iter().zip(resolved.slots.parameters.iter()) {
        if let (Slot::Absent { left_out }, false) = (slot, input.is_optional || is_legacy) {
            return Some((by(left_out), failure(&input.name)));
        }
    }
    for (input, slot) in component.input_artifacts.iter().zip(resolved.slots.artifacts.iter()) {
        if let (Slot::Absent { left_out }, false) = (slot, input.is_optional) {
            return Some((by(left_out), failure(&input.name)));
        }
    }
    None
}
