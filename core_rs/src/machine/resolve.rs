//! Where the inputs of a task come from, and what they are.
//!
//! Invariant: resolving changes nothing; what waits for a task that has not ended is unknown.

use std::cell::Cell;
use std::sync::Arc;

use super::node::{Item, Phase};
use super::slot::{artifacts, ArtifactSlot, NodeId, ParameterSlot, Slot, Slots, ROOT};
use super::Machine;
use crate::cel::Lookup;
use crate::messages::{Failure, Kind, Reason, State};
use crate::parameter::{coerce, ParameterType};
use crate::placeholder::resolve_constant;
use crate::spec::{ArtifactSource, Binding, BoundInput, Component, ParameterSource, Task};
use crate::value::Value;

/// All inputs of a task.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    /// In the order of the component's declaration.
    pub slots: Slots,
    /// Inputs of the task that its component does not declare.
    pub extras: Vec<(Box<str>, ParameterSlot)>,
}

impl Resolved {
    /// The parameter of that name.
    pub fn parameter(&self, component: &Component, name: &str) -> Option<&ParameterSlot> {
        match component.input(name) {
            Some(index) => self.slots.parameters.get(index as usize),
            None => self.extras.iter().find(|(extra, _)| &**extra == name).map(|(_, slot)| slot),
        }
    }
}

impl Machine {
    /// The inputs of a DAG or a loop; those that fail to resolve are absent here and told at the start.
    pub(super) fn resolve_dag_inputs(&self, id: NodeId, task: &Task) -> Slots {
        self.resolve(id, task).map(|resolved| resolved.slots).unwrap_or_default()
    }

    /// The inputs of a task: bindings, then constants that name other inputs, selectors, overrides, defaults, and for a
    /// leaf coercion.
    pub(super) fn resolve(&self, id: NodeId, task: &Task) -> Result<Resolved, Failure> {
        let spec = &self.spec;
        let component = spec.component(task.component);
        let parent = self.node(id).parent;
        let mut resolved = Resolved {
            slots: Slots {
                parameters: vec![Slot::ABSENT; component.inputs.len()].into(),
                artifacts: vec![Slot::ABSENT; component.input_artifacts.len()].into(),
            },
            extras: Vec::new(),
        };
        for binding in task.parameters.iter() {
            let slot = match &binding.source {
                ParameterSource::Template(_) => continue,
                source => self.select(binding, component, self.bound_parameter(parent, source))?,
            };
            put(&mut resolved, binding, slot);
        }
        for binding in task.parameters.iter() {
            if let ParameterSource::Template(value) = &binding.source {
                let slot = fill_template(value, component, &resolved)?;
                let slot = self.select(binding, component, slot)?;
                put(&mut resolved, binding, slot);
            }
        }
        for binding in task.artifacts.iter() {
            if let Some(place) =
                binding.input.index().and_then(|index| resolved.slots.artifacts.get_mut(index as usize))
            {
                *place = self.bound_artifact(parent, &binding.source);
            }
        }
        self.lay_overrides(id, component, &mut resolved);
        let is_leaf = self.node(id).is_leaf();
        if is_leaf {
            self.take_remade(&mut resolved.slots);
        }
        for (slot, declared) in resolved.slots.parameters.iter_mut().zip(component.inputs.iter()) {
            if let (Slot::Absent { .. }, Some(default)) = (&slot, &declared.default) {
                *slot = Slot::Known(Arc::clone(default));
            }
            if let (true, Slot::Known(value)) = (is_leaf, &slot) {
                if needs_coercion(declared.kind, value) {
                    let coerced = coerce(declared.kind, value.as_ref().clone()).map_err(|mismatch| Failure {
                        code: 3,
                        message: format!("input {:?}: {mismatch}", declared.name),
                    })?;
                    *slot = Slot::Known(Arc::new(coerced));
                }
            }
        }
        Ok(resolved)
    }

    fn lay_overrides(&self, id: NodeId, component: &Component, resolved: &mut Resolved) {
        let Some(overrides) = self.node(id).details.as_ref().and_then(|details| details.overrides.as_ref()) else {
            return;
        };
        for given in &overrides.parameters {
            let place = component.input(&given.name).and_then(|i| resolved.slots.parameters.get_mut(i as usize));
            if let (Some(place), Ok(value)) = (place, Value::from_json(&given.json)) {
                *place = super::slot::parameter(value);
            }
        }
        for given in &overrides.artifacts {
            let index = component.input_artifact(&given.name);
            if let Some(place) = index.and_then(|i| resolved.slots.artifacts.get_mut(i as usize)) {
                *place = artifacts(given, ROOT);
            }
        }
    }

    fn bound_parameter(&self, dag: NodeId, source: &ParameterSource) -> ParameterSlot {
        match source {
            ParameterSource::Constant(value) | ParameterSource::Template(value) => {
                if value.is_null() {
                    Slot::ABSENT
                } else {
                    Slot::Known(Arc::clone(value))
                }
            }
            ParameterSource::Input(index) => self.scope_parameter(dag, *index),
            ParameterSource::Output { task, output } => match self.child(dag, *task) {
                Some(child) => self.output_parameter(child, *output),
                None => Slot::ABSENT,
            },
            ParameterSource::FinalStatus(task) => match self.child(dag, *task) {
                Some(child) => self.final_status(child),
                None => Slot::ABSENT,
            },
        }
    }

    fn bound_artifact(&self, dag: NodeId, source: &ArtifactSource) -> ArtifactSlot {
        match source {
            ArtifactSource::Input(index) => match self.node(dag).scope.as_deref() {
                Some(scope) => match &scope.item {
                    Some(Item::Artifact(item, slot)) if item == index => slot.clone(),
                    _ => scope.inputs.artifact(*index),
                },
                None => Slot::ABSENT,
            },
            ArtifactSource::Output { task, output } => match self.child(dag, *task) {
                Some(child) => self.output_artifact(child, *output),
                None => Slot::ABSENT,
            },
        }
    }

    fn scope_parameter(&self, dag: NodeId, index: u32) -> ParameterSlot {
        match self.node(dag).scope.as_deref() {
            Some(scope) => match &scope.item {
                Some(Item::Parameter(item, slot)) if *item == index => slot.clone(),
                _ => scope.inputs.parameter(index),
            },
            None => Slot::ABSENT,
        }
    }

    /// The task of that index in a DAG.
    pub(super) fn child(&self, dag: NodeId, index: u32) -> Option<NodeId> {
        self.node(dag).scope.as_ref()?.children.get(index as usize).copied()
    }

    /// One output parameter of a task, as far as it is known.
    pub(super) fn output_parameter(&self, id: NodeId, output: u32) -> ParameterSlot {
        let node = self.node(id);
        match &node.outputs {
            Some(outputs) if node.phase == Phase::Ended => outputs.parameter(output),
            _ => self.missing_output(id),
        }
    }

    /// One output artifact of a task, as far as it is known.
    pub(super) fn output_artifact(&self, id: NodeId, output: u32) -> ArtifactSlot {
        let node = self.node(id);
        match &node.outputs {
            Some(outputs) if node.phase == Phase::Ended => outputs.artifact(output),
            _ => self.missing_output(id),
        }
    }

    fn missing_output<T>(&self, id: NodeId) -> Slot<T> {
        let node = self.node(id);
        if !node.has_known_end() {
            return Slot::Unknown { cause: id };
        }
        Slot::Absent { left_out: if node.is_left_out { id } else { ROOT } }
    }

    /// How a task ended, as the tasks that ask for it see it.
    fn final_status(&self, id: NodeId) -> ParameterSlot {
        let node = self.node(id);
        if !node.has_known_end() {
            return Slot::Unknown { cause: id };
        }
        let is_failure = match node.state {
            State::Failed => true,
            State::NotTriggered => !matches!(node.reason, Reason::ConditionFalse),
            _ => false,
        };
        let mut error = std::collections::BTreeMap::new();
        if is_failure {
            let failure = node.details.as_ref().and_then(|details| details.error.clone());
            let failure = failure.unwrap_or(Failure { code: 9, message: "the task was not triggered".to_owned() });
            error.insert("code".to_owned(), Value::Int(i64::from(failure.code)));
            error.insert("message".to_owned(), Value::String(failure.message));
        }
        let state = if is_failure { "FAILED" } else { "SUCCEEDED" };
        let status = [
            ("state", Value::String(state.to_owned())),
            ("pipelineJobResourceName", Value::String("{{$.pipeline_job_resource_name}}".to_owned())),
            ("pipelineTaskName", Value::String(self.task_of(node).name.to_string())),
            ("error", Value::Object(error)),
        ];
        let status = status.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Slot::Known(Arc::new(Value::Object(status)))
    }

    fn select(
        &self,
        binding: &Binding<ParameterSource>,
        component: &Component,
        slot: ParameterSlot,
    ) -> Result<ParameterSlot, Failure> {
        let (Some(selector), Slot::Known(value)) = (&binding.selector, &slot) else { return Ok(slot) };
        crate::cel::select(selector, value).map(super::slot::parameter).map_err(|error| Failure {
            code: 3,
            message: format!("input {:?}, selector {selector:?}: {error}", binding.name(component)),
        })
    }

    /// True for an upstream edge whose inputs are all overridden: it keeps the order and nothing else.
    pub(super) fn is_edge_overridden(&self, id: NodeId, task: &Task, upstream: u32) -> bool {
        let Some(overrides) = self.node(id).details.as_ref().and_then(|details| details.overrides.as_ref()) else {
            return false;
        };
        let component = self.spec.component(task.component);
        let mut is_bound = false;
        for binding in task.parameters.iter() {
            if matches!(&binding.source, ParameterSource::Output { task, .. } if *task == upstream) {
                is_bound = true;
                if !overrides.parameters.iter().any(|given| given.name == binding.name(component)) {
                    return false;
                }
            }
        }
        for binding in task.artifacts.iter() {
            if matches!(&binding.source, ArtifactSource::Output { task, .. } if *task == upstream) {
                is_bound = true;
                if !overrides.artifacts.iter().any(|given| given.name == binding.name(component)) {
                    return false;
                }
            }
        }
        is_bound
    }

    /// The key of the input that a loop's list comes in by, so that iterations need not repeat the list.
    pub(super) fn list_input(&self, id: NodeId) -> Option<u32> {
        let node = self.node(id);
        if node.kind != Kind::Iteration {
            return None;
        }
        match self.task_of(node).iterator()?.source {
            crate::spec::ItemSource::Parameter(index) => Some(index),
            _ => None,
        }
    }
}

fn put(resolved: &mut Resolved, binding: &Binding<ParameterSource>, slot: ParameterSlot) {
    match &binding.input {
        BoundInput::Declared(index) => {
            if let Some(place) = resolved.slots.parameters.get_mut(*index as usize) {
                *place = slot;
            }
        }
        BoundInput::Undeclared(name) => resolved.extras.push((name.clone(), slot)),
    }
}

fn needs_coercion(kind: ParameterType, value: &Value) -> bool {
    match kind {
        ParameterType::String => !matches!(value, Value::String(_)),
        other => crate::parameter::check(other, value).is_err(),
    }
}

/// Puts inputs in the places of `{{$.inputs.parameters['…']}}` inside a constant.
pub(super) fn fill_template(
    value: &Value,
    component: &Component,
    resolved: &Resolved,
) -> Result<ParameterSlot, Failure> {
    let cause = Cell::new(ROOT);
    let lookup = |name: &str| match resolved.parameter(component, name) {
        Some(Slot::Known(value)) => Lookup::Known(value),
        Some(Slot::Unknown { cause: waits_for }) => {
            cause.set(*waits_for);
            Lookup::Unknown
        }
        _ => Lookup::Absent,
    };
    match resolve_constant(value, &lookup) {
        Ok(Some(value)) => Ok(super::slot::parameter(value)),
        Ok(None) => Ok(Slot::Unknown { cause: cause.get() }),
        Err(error) => Err(Failure { code: 3, message: error.to_string() }),
    }
}
