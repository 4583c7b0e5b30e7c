//! The cache key of a leaf, from what is known of its inputs.

use super::resolve::Resolved;
use super::slot::{ArtifactSlot, NodeId, Slot, TracedArtifact};
use super::Machine;
use crate::key::{ComponentKey, KeyArtifact, KeyBuilder};
use crate::parameter::ParameterType;
use crate::placeholder::{identities_in_text, identities_in_value, names_uri_or_path, IdentityValues};
use crate::spec::{Component, Container, Executor, ExecutorBody, Importer, Task};
use crate::value::Value;

/// A key and what it was made of. With unknown inputs only the preimage means something.
#[derive(Debug, Clone, Default)]
pub(super) struct LeafKey {
    pub digest: [u8; 32],
    pub preimage: Vec<u8>,
    pub is_complete: bool,
}

impl Machine {
    /// The key of a leaf. `importer`: its URI and metadata, resolved as far as they are known.
    pub(super) fn leaf_key(&mut self, task: &Task, resolved: &Resolved, importer: Option<&ImporterValues>) -> LeafKey {
        let spec = std::sync::Arc::clone(&self.spec);
        let component = spec.component(task.component);
        let executor = executor_of(&spec, component);
        let mut keys = std::mem::take(&mut self.keys);
        keys.clear();
        keys.salt(&self.settings.salt);
        if let Some(key) = task.extras.as_ref().and_then(|extras| extras.cache_key.as_ref()) {
            keys.cache_key(key);
        }
        let container: Option<&Container> = match executor.map(|executor| &executor.body) {
            Some(ExecutorBody::Container(body)) => Some(body),
            _ => None,
        };
        if let Some(values) = importer {
            keys.importer(values.uri.known().map(String::as_str), values.metadata.known(), None);
        }
        let prepared = self.component_keys.entry(task.component).or_insert_with(|| prepare(container, component));
        keys.component(prepared);
        for (input, slot) in component.inputs.iter().zip(resolved.slots.parameters.iter()) {
            match slot {
                Slot::Known(value) if input.kind == ParameterType::TaskFinalStatus => {
                    keys.parameter(&input.name, Some(input.kind), &status_for_key(value));
                }
                Slot::Known(value) => keys.parameter(&input.name, Some(input.kind), value),
                Slot::Unknown { .. } => keys.unknown_parameter(&input.name),
                Slot::Absent { .. } => {}
            }
        }
        if let Some(container) = container {
            for (name, slot) in resolved.extras.iter().filter(|(name, _)| container.names_input(name)) {
                match slot {
                    Slot::Known(value) => keys.parameter(name, None, value),
                    Slot::Unknown { .. } => keys.unknown_parameter(name),
                    Slot::Absent { .. } => {}
                }
            }
        }
        for (input, slot) in component.input_artifacts.iter().zip(resolved.slots.artifacts.iter()) {
            match slot {
                Slot::Known(list) => {
                    let is_location_named = container.is_some_and(|body| names_location(body, &input.name));
                    let metadata: Vec<Option<Value>> = list.items.iter().map(|item| author_metadata(item)).collect();
                    let artifacts: Vec<KeyArtifact<'_>> = list
                        .items
                        .iter()
                        .zip(&metadata)
                        .map(|(item, metadata)| KeyArtifact {
                            schema_title: &item.artifact.schema_title,
                            digest: &item.artifact.digest,
                            uri: &item.artifact.uri,
                            is_location_named,
                            author_metadata: metadata.as_ref(),
                        })
                        .collect();
                    keys.artifacts(&input.name, list.is_list, &artifacts);
                }
                Slot::Unknown { .. } => keys.unknown_artifacts(&input.name),
                Slot::Absent { .. } => {}
            }
        }
        let preimage = keys.preimage();
        let key = LeafKey { digest: crate::key::digest(&preimage), preimage, is_complete: keys.is_complete() };
        self.keys = keys;
        key
    }

    /// The key of the cross-run cache: where the task names the run's identity, what that resolves to counts too.
    pub(super) fn cache_key(
        &self,
        id: NodeId,
        task: &Task,
        resolved: &Resolved,
        executor: &Executor,
        key: &LeafKey,
    ) -> [u8; 32] {
        let mut found = std::collections::BTreeSet::new();
        for slot in resolved.slots.parameters.iter().chain(resolved.extras.iter().map(|(_, slot)| slot)) {
            if let Slot::Known(value) = slot {
                identities_in_value(value, &mut found);
            }
        }
        match &executor.body {
            ExecutorBody::Container(container) => {
                container.texts().for_each(|text| identities_in_text(text, &mut found));
            }
            ExecutorBody::Importer(importer) => {
                identities_in_value(&importer.metadata, &mut found);
                identities_in_text(importer.uri.as_deref().unwrap_or(""), &mut found);
            }
            ExecutorBody::Foreign(_) => {}
        }
        if found.is_empty() {
            return key.digest;
        }
        let (job_uuid, task_uuid) = (self.settings.run_id.to_string(), self.task_uuid(id));
        let values = self.identity_values(&job_uuid, &task_uuid, &task.name);
        let pairs: Vec<(&str, &str)> = found.iter().map(|i| (i.name(), values.get(*i))).collect();
        crate::key::cross_run_key(&key.digest, &pairs)
    }

    /// What `{{$.pipeline_task_uuid}}` is.
    pub(super) fn task_uuid(&self, id: NodeId) -> String {
        format!("{}-{id}", self.settings.run_id)
    }

    pub(super) fn identity_values<'v>(
        &'v self,
        job_uuid: &'v str,
        task_uuid: &'v str,
        task_name: &'v str,
    ) -> IdentityValues<'v> {
        IdentityValues {
            job_name: &self.settings.job_id,
            job_resource_name: &self.settings.resource_name,
            job_uuid,
            task_name,
            task_uuid,
            pipeline_root: &self.settings.pipeline_root,
            create_time_utc: &self.settings.create_time_utc,
            schedule_time_utc: &self.settings.schedule_time_utc,
            workspace_path: &self.settings.workspace_path,
        }
    }

    /// What an importer brings in, with placeholders for its inputs filled.
    pub(super) fn importer_values(
        &self,
        importer: &Importer,
        component: &Component,
        resolved: &Resolved,
    ) -> ImporterValues {
        let uri = match (&importer.uri_input, &importer.uri) {
            (Some(input), _) => match resolved.parameter(component, input) {
                Some(Slot::Known(value)) => Slot::Known(value.to_text()),
                Some(Slot::Unknown { cause }) => Slot::Unknown { cause: *cause },
                _ => Slot::ABSENT,
            },
            (None, Some(uri)) => {
                match super::resolve::fill_template(&Value::String(uri.clone()), component, resolved) {
                    Ok(Slot::Known(value)) => Slot::Known(value.to_text()),
                    Ok(Slot::Unknown { cause }) => Slot::Unknown { cause },
                    _ => Slot::ABSENT,
                }
            }
            (None, None) => Slot::ABSENT,
        };
        let metadata = match super::resolve::fill_template(&importer.metadata, component, resolved) {
            Ok(Slot::Known(value)) => Slot::Known(value.as_ref().clone()),
            Ok(Slot::Unknown { cause }) => Slot::Unknown { cause },
            _ => Slot::Known(Value::Object(std::collections::BTreeMap::new())),
        };
        ImporterValues { uri, metadata }
    }
}

/// What the keys of all tasks of a component have in common.
fn prepare(container: Option<&Container>, component: &Component) -> ComponentKey {
    let mut keys = KeyBuilder::new();
    if let Some(body) = container {
        keys.container(&body.image, &body.command, &body.args);
        for (name, value) in &body.env {
            keys.env(name, value);
        }
    }
    for output in component.outputs.iter() {
        keys.output_parameter(&output.name, output.kind);
    }
    for output in component.output_artifacts.iter() {
        keys.output_artifact(&output.name, &output.schema.title, output.is_list);
    }
    keys.component_key()
}

/// What an importer brings in.
#[derive(Debug)]
pub(super) struct ImporterValues {
    pub uri: Slot<String>,
    pub metadata: Slot<Value>,
}

/// The executor of a leaf.
pub(super) fn executor_of<'s>(spec: &'s crate::spec::Spec, component: &Component) -> Option<&'s Executor> {
    match component.body {
        crate::spec::Body::Executor(index) => spec.executor(index),
        _ => None,
    }
}

/// The state and the error count, not the names of the run and its task.
fn status_for_key(status: &Value) -> Value {
    let Some(members) = status.as_object() else { return status.clone() };
    let kept = members.iter().filter(|(key, _)| matches!(key.as_str(), "state" | "error"));
    Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn author_metadata(item: &TracedArtifact) -> Option<Value> {
    if !item.artifact.author_metadata || item.artifact.metadata_json.is_empty() {
        return None;
    }
    Value::from_json(&item.artifact.metadata_json).ok()
}

/// True where the command names the place of an input artifact outside the executor input.
fn names_location(container: &Container, input: &str) -> bool {
    names_uri_or_path(container.texts(), input)
}

/// The task that an artifact or a list of them waits for.
pub(super) fn first_unknown(resolved: &Resolved) -> Option<NodeId> {
    let parameters = resolved.slots.parameters.iter().find_map(Slot::cause);
    parameters.or_else(|| resolved.slots.artifacts.iter().find_map(ArtifactSlot::cause))
}
