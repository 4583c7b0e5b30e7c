//! What the machine says to the server: values and decisions as messages.

use std::sync::Arc;

use super::node::{Item, Told};
use super::slot::{artifacts, ArtifactSlot, NodeId, ParameterSlot, Slot, Slots, ROOT};
use super::{Machine, Mode};
use crate::json::{self, Spacing};
use crate::messages::{
    ArtifactList, EnvVar, Kind, Launch, Message, NodeEnded, NodeStarted, OutputArtifact, OutputParameter, Parameter,
    Resources, State, Values, What,
};
use crate::spec::{Component, Container};
use crate::value::Value;
use crate::wire::Writer;

impl Machine {
    pub(super) fn tell_started(&mut self, id: NodeId) {
        if self.mode == Mode::Plan || id == ROOT {
            return;
        }
        let node = self.node(id);
        let inputs = self.dag_input_values(id);
        let started = NodeStarted { inputs: Some(inputs), verdict: node.verdict, reason: node.reason };
        self.decide(id, What::Started(Box::new(started)));
    }

    pub(super) fn tell_ended(&mut self, id: NodeId, told: Told) {
        if id == ROOT {
            return;
        }
        if self.mode == Mode::Plan {
            return self.tell_planned(id, told);
        }
        let candidate = self.kept_candidate(id).map(Box::new);
        let node = self.node(id);
        let details = node.details.as_deref();
        let component = self.spec.component(node.component);
        let slots = node.outputs.as_deref();
        let (key, preimage) = told.key.map(|(digest, preimage)| (digest.to_vec(), preimage)).unwrap_or_default();
        let ended = NodeEnded {
            state: node.state,
            verdict: node.verdict,
            reason: node.reason,
            reason_field: details.map(|details| details.reason_field.clone()).unwrap_or_default(),
            caused_by: self.path(node.caused_by),
            inputs: told.inputs,
            outputs: told.outputs.or_else(|| slots.map(|slots| output_values(component, slots))),
            error: details.and_then(|details| details.error.clone()).filter(|_| node.state == State::Failed),
            source: told.source,
            key,
            preimage,
            is_left_out: node.is_left_out,
            override_inputs: details.and_then(|details| details.overrides.clone()),
            candidate,
        };
        self.decide(id, What::Ended(Box::new(ended)));
    }

    /// The inputs of a DAG; an iteration's without the list that its item comes from.
    pub(crate) fn dag_input_values(&self, id: NodeId) -> Values {
        let node = self.node(id);
        let component = self.spec.component(node.component);
        let Some(scope) = &node.scope else { return Values::default() };
        let mut values = Values::default();
        let list = self.list_input(id);
        for (index, input) in component.inputs.iter().enumerate() {
            let slot = match &scope.item {
                Some(Item::Parameter(item, slot)) if *item as usize == index => slot.clone(),
                _ if list == Some(index as u32) => continue,
                _ => scope.inputs.parameter(index as u32),
            };
            push_parameter(&mut values, &input.name, &slot);
        }
        for (index, input) in component.input_artifacts.iter().enumerate() {
            let slot = match &scope.item {
                Some(Item::Artifact(item, slot)) if *item as usize == index => slot.clone(),
                _ if node.kind == Kind::Iteration && matches!(scope.item, Some(Item::Artifact(..))) => continue,
                _ => scope.inputs.artifact(index as u32),
            };
            push_artifacts(&mut values, &input.name, &slot);
        }
        values
    }
}

fn push_parameter(values: &mut Values, name: &str, slot: &ParameterSlot) {
    if let Slot::Known(value) = slot {
        values.parameters.push(Parameter { name: name.to_owned(), json: value.to_json() });
    }
}

fn push_artifacts(values: &mut Values, name: &str, slot: &ArtifactSlot) {
    if let Slot::Known(list) = slot {
        values.artifacts.push(ArtifactList {
            name: name.to_owned(),
            artifacts: list.items.iter().map(|item| item.artifact.clone()).collect(),
            is_list: list.is_list,
        });
    }
}

/// The known inputs of a leaf, by name.
pub(super) fn input_values(component: &Component, slots: &Slots) -> Values {
    let mut values = Values::default();
    for (input, slot) in component.inputs.iter().zip(slots.parameters.iter()) {
        push_parameter(&mut values, &input.name, slot);
    }
    for (input, slot) in component.input_artifacts.iter().zip(slots.artifacts.iter()) {
        push_artifacts(&mut values, &input.name, slot);
    }
    values
}

/// What [`input_values`] gives, encoded, without building it: a plan says it of every leaf.
pub(super) fn encoded_inputs(component: &Component, slots: &Slots) -> Vec<u8> {
    let mut writer = Writer::with_capacity(128);
    for (input, slot) in component.inputs.iter().zip(slots.parameters.iter()) {
        if let Slot::Known(value) = slot {
            writer.message(VALUES_PARAMETERS, |parameter| {
                parameter.string(PARAMETER_NAME, &input.name);
                parameter.message(PARAMETER_JSON, |text| json::write(value, Spacing::Compact, text));
            });
        }
    }
    for (input, slot) in component.input_artifacts.iter().zip(slots.artifacts.iter()) {
        if let Slot::Known(list) = slot {
            writer.message(VALUES_ARTIFACTS, |group| {
                group.string(LIST_NAME, &input.name);
                for item in list.items.iter() {
                    group.message(LIST_ARTIFACTS, |body| item.artifact.encode_into(body));
                }
                group.bool(LIST_IS_LIST, list.is_list);
            });
        }
    }
    writer.into_bytes()
}

/// The fields of Values, Parameter and ArtifactList.
const VALUES_PARAMETERS: u32 = 1;
const VALUES_ARTIFACTS: u32 = 2;
const PARAMETER_NAME: u32 = 1;
const PARAMETER_JSON: u32 = 2;
const LIST_NAME: u32 = 1;
const LIST_ARTIFACTS: u32 = 2;
const LIST_IS_LIST: u32 = 3;

/// The known outputs of a task, by name.
pub(super) fn output_values(component: &Component, slots: &Slots) -> Values {
    let mut values = Values::default();
    for (output, slot) in component.outputs.iter().zip(slots.parameters.iter()) {
        push_parameter(&mut values, &output.name, slot);
    }
    for (output, slot) in component.output_artifacts.iter().zip(slots.artifacts.iter()) {
        push_artifacts(&mut values, &output.name, slot);
    }
    values
}

/// Named outputs in the order of the component's declaration; undeclared ones are passed over.
pub(super) fn slots_of(component: &Component, values: &Values, origin: NodeId) -> Slots {
    let mut slots = Slots {
        parameters: vec![Slot::ABSENT; component.outputs.len()].into(),
        artifacts: vec![Slot::ABSENT; component.output_artifacts.len()].into(),
    };
    for given in &values.parameters {
        let place = component.output(&given.name).and_then(|index| slots.parameters.get_mut(index as usize));
        if let (Some(place), Ok(value)) = (place, Value::from_json(&given.json)) {
            *place = if value.is_null() { Slot::ABSENT } else { Slot::Known(Arc::new(value)) };
        }
    }
    for given in &values.artifacts {
        let index = component.output_artifact(&given.name);
        if let Some(place) = index.and_then(|index| slots.artifacts.get_mut(index as usize)) {
            *place = artifacts(given, origin);
        }
    }
    slots
}

/// The declared output parameters of a leaf.
pub(super) fn output_parameters(component: &Component) -> Vec<OutputParameter> {
    let declared = component.outputs.iter();
    declared
        .map(|output| OutputParameter { name: output.name.to_string(), parameter_type: output.kind.name().to_owned() })
        .collect()
}

/// The declared output artifacts of a leaf.
pub(super) fn output_artifacts(component: &Component) -> Vec<OutputArtifact> {
    let declared = component.output_artifacts.iter();
    declared
        .map(|output| OutputArtifact {
            name: output.name.to_string(),
            schema_title: output.schema.title.to_string(),
            schema_version: output.schema.version.to_string(),
            instance_schema: output.schema.instance.to_string(),
            metadata_json: output.metadata.as_ref().map(Value::to_json).unwrap_or_default(),
            is_list: output.is_list,
        })
        .collect()
}

/// What a container runs. `fill` puts inputs in the places of placeholders.
pub(super) fn container(container: &Container, fill: &dyn Fn(&str) -> String, launch: &mut Launch) {
    launch.image = container.image.clone();
    launch.command = container.command.clone();
    launch.args = container.args.clone();
    launch.env =
        container.env.iter().map(|(name, value)| EnvVar { name: name.clone(), value: value.clone() }).collect();
    launch.resources = container.resources.as_ref().map(|asked| Resources {
        cpu_limit: quantity(&fill(&asked.cpu_limit)),
        cpu_request: quantity(&fill(&asked.cpu_request)),
        memory_limit_bytes: quantity(&fill(&asked.memory_limit)),
        memory_request_bytes: quantity(&fill(&asked.memory_request)),
        accelerator_type: fill(&asked.accelerator_type),
        accelerator_count: quantity(&fill(&asked.accelerator_count)) as i64,
    });
}

/// Inputs that the component does not declare, where its container names them.
pub(super) fn push_named_extras(values: &mut Values, container: &Container, extras: &[(Box<str>, ParameterSlot)]) {
    for (name, slot) in extras.iter().filter(|(name, _)| container.names_input(name)) {
        push_parameter(values, name, slot);
    }
    values.parameters.sort_by(|a, b| a.name.cmp(&b.name));
}

/// A quantity as Kubernetes writes it: `0.5`, `500m`, `2G`, `512Mi`. What is none, as a placeholder, is 0.
fn quantity(text: &str) -> f64 {
    let at = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let factor = match unit {
        "" => 1.0,
        "m" => 1e-3,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return 0.0,
    };
    number.parse::<f64>().map_or(0.0, |number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Artifact;
    use crate::spec::{InputArtifact, InputParameter, Schema};

    #[test]
    fn encoded_inputs_are_the_bytes_of_the_values() {
        let input = |name: &str| InputParameter {
            name: name.into(),
            kind: crate::parameter::ParameterType::Struct,
            default: None,
            is_optional: true,
            literals: None,
        };
        let group = |name: &str| InputArtifact {
            name: name.into(),
            schema: Schema::default(),
            is_list: true,
            is_optional: true,
        };
        let component = Component {
            inputs: [input("absent"), input("long"), input("text")].into(),
            input_artifacts: [group("empty"), group("models")].into(),
            ..Component::default()
        };
        let known = |json: &str| Slot::Known(Arc::new(Value::from_json(json).unwrap()));
        let long = format!("{{\"a\": \"{}\"}}", "\\n".repeat(200));
        let model = Artifact { uri: "/a".into(), ..Artifact::default() };
        let lists = [vec![], vec![model.clone(), model]].map(|artifacts| {
            super::artifacts(&ArtifactList { artifacts, is_list: true, ..ArtifactList::default() }, ROOT)
        });
        let slots = Slots { parameters: [Slot::ABSENT, known(&long), known("\"é\"")].into(), artifacts: lists.into() };
        assert_eq!(encoded_inputs(&component, &slots), input_values(&component, &slots).encode());
    }
}
