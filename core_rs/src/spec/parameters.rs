//! The run's own inputs: what the user gives for the root's parameters, checked strictly.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::machine::{ParameterSlot, Slot, Slots};
use crate::messages::{ArtifactList, Parameter};
use crate::parameter::{check, from_legacy, ParameterType};
use crate::spec::problems::{Path, Problems};
use crate::spec::Spec;
use crate::value::Value;

/// The root's inputs. `given` in the order of the request; `is_legacy`: booleans, lists and structs may come as text.
pub fn root_inputs(
    spec: &Spec,
    given: &[Parameter],
    artifacts: &[ArtifactList],
    is_legacy: bool,
    problems: &mut Problems,
) -> Slots {
    let root = spec.component(spec.root);
    let config = Path::new("pipeline_job.runtime_config");
    let at = config.field("parameter_values");
    let mut values: BTreeMap<&str, Value> = BTreeMap::new();
    for parameter in given {
        if root.input(&parameter.name).is_none() {
            problems.add(at.key(&parameter.name), "the pipeline declares no such parameter");
            continue;
        }
        match Value::from_json(&parameter.json) {
            Ok(value) => {
                if values.insert(&parameter.name, value).is_some() {
                    problems.add(at.key(&parameter.name), "is given twice");
                }
            }
            Err(error) => problems.add(at.key(&parameter.name), format!("is no value: {error}")),
        }
    }
    let mut slots: Vec<ParameterSlot> = Vec::with_capacity(root.inputs.len());
    for input in root.inputs.iter() {
        let at = at.key(&input.name);
        if input.kind == ParameterType::TaskFinalStatus {
            problems.add(at, "a run cannot have a parameter of type TASK_FINAL_STATUS");
        }
        let value = values.remove(&*input.name).filter(|value| !value.is_null());
        slots.push(match value {
            Some(value) => {
                let value = if is_legacy || spec.is_legacy() { from_legacy(input.kind, value) } else { value };
                if let Err(mismatch) = check(input.kind, &value) {
                    problems.add(at, mismatch.to_string());
                }
                if let Some(literals) = input.literals.as_ref().filter(|literals| !literals.contains(&value)) {
                    let allowed: Vec<String> = literals.iter().map(Value::to_json).collect();
                    problems.add(at, format!("expected one of {}, found {}", allowed.join(", "), value.to_json()));
                }
                Slot::Known(Arc::new(value))
            }
            None => match &input.default {
                Some(default) => Slot::Known(Arc::clone(default)),
                None => {
                    if !input.is_optional {
                        problems.add(at, format!("is required, a value of type {}", input.kind.name()));
                    }
                    Slot::ABSENT
                }
            },
        });
    }
    let at = config.field("input_artifacts");
    let mut artifact_slots = vec![Slot::ABSENT; root.input_artifacts.len()];
    for list in artifacts {
        let index = root.input_artifact(&list.name).map(|index| index as usize);
        let declared = index.and_then(|index| root.input_artifacts.get(index));
        match (declared, index.and_then(|index| artifact_slots.get_mut(index))) {
            (Some(declared), Some(place)) => {
                let mut list = list.clone();
                list.is_list = declared.is_list;
                list.artifacts.iter_mut().for_each(|artifact| declared.schema.complete(artifact));
                *place = crate::machine::artifacts(&list, crate::machine::ROOT);
            }
            _ => problems.add(at.key(&list.name), "the pipeline declares no such input artifact"),
        }
    }
    for (input, slot) in root.input_artifacts.iter().zip(&artifact_slots) {
        if matches!(slot, Slot::Absent { .. }) && !input.is_optional {
            problems.add(at.key(&input.name), format!("is required, an artifact of type {}", input.schema.title));
        }
        if let Some(list) = slot.known() {
            for item in list.items.iter() {
                if !fits(&input.schema.title, &item.artifact.schema_title) {
                    let found = &item.artifact.schema_title;
                    problems.add(at.key(&input.name), format!("expected a {}, found a {found}", input.schema.title));
                }
            }
        }
    }
    Slots { parameters: slots.into(), artifacts: artifact_slots.into() }
}

/// True where an artifact of type `given` may stand for one of type `declared`.
pub fn fits(declared: &str, given: &str) -> bool {
    declared == given || declared == "system.Artifact" || declared.is_empty() || given.is_empty()
}
