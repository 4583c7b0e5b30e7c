//! Tasks linked: their component, and the source of each of their inputs.

use std::sync::Arc;

use crate::spec::link_dag::DagScope;
use crate::spec::problems::{Path, Problems};
use crate::spec::raw::{RawBinding, RawComponent, RawIterator, RawOutput, RawSource, RawTask};
use crate::spec::{
    ArtifactSource, Binding, BoundInput, DagOutput, Extras, ItemSource, LoopItems, ParameterSource, Spec, Task,
};
use crate::value::Value;

/// Links the tasks of one DAG, and notes names that lead nowhere.
pub(super) struct TaskLinker<'l, 'a> {
    /// Its components are declared; their bodies may be missing yet.
    pub(super) spec: &'l Spec,
    pub(super) raw: &'a [RawComponent<'a>],
    pub(super) scope: &'l DagScope<'l, 'a>,
    pub(super) problems: &'l mut Problems,
}

impl<'a> TaskLinker<'_, 'a> {
    /// The task of that index.
    pub(super) fn task(&mut self, index: u32, tasks_at: &Path<'_>) -> Option<Task> {
        let (scope, raw, name) = (self.scope, self.scope.task(index)?, self.scope.name(index));
        let component = scope.component_of(index);
        let at = tasks_at.key(name);
        let mut task = Task {
            name: name.into(),
            runs_after_any_end: raw.runs_after_any_end,
            is_cache_enabled: raw.is_cache_enabled,
            ..Task::default()
        };
        task.is_exit = raw.runs_after_any_end
            && scope.upstream(index).iter().any(|&before| {
                let component = self.raw_component(scope.component_of(before));
                scope.name(before).starts_with("exit-handler-") && component.is_some_and(|before| before.dag.is_some())
            });
        task.upstream = scope.upstream(index).iter().filter_map(|&before| scope.place(before)).collect();
        task.upstream.sort_unstable();
        let reference_at = at.field("componentRef");
        let component_at = reference_at.field("name");
        match (raw.component, component) {
            (None | Some(""), _) => self.problems.add(component_at, "is required"),
            (Some(_), Some(index)) => task.component = index,
            (Some(name), None) => self.problems.add(component_at, format!("the spec has no component {name:?}")),
        }
        let Some(component) = self.raw_component(component) else { return Some(task) };
        let inputs = at.field("inputs");
        let parameters_at = inputs.field("parameters");
        let artifacts_at = inputs.field("artifacts");
        let declared = self.spec.component(task.component);
        let mut producers = scope.producers(index).iter();
        let mut parameters: Vec<Binding<ParameterSource>> = raw
            .parameters
            .iter()
            .filter_map(|binding| {
                let producer = binding.producer().and_then(|_| producers.next()).copied();
                self.parameter(binding, producer, &task, &parameters_at.key(binding.name))
            })
            .collect();
        parameters.sort_by(|a, b| a.name(declared).cmp(b.name(declared)));
        let mut artifacts: Vec<Binding<ArtifactSource>> = raw
            .artifacts
            .iter()
            .filter_map(|binding| {
                let producer = binding.producer().and_then(|_| producers.next()).copied();
                self.artifact(binding, producer, &task, &artifacts_at.key(binding.name))
            })
            .collect();
        artifacts.sort_by(|a, b| a.name(declared).cmp(b.name(declared)));
        let item = raw.iterator.as_ref().map(|iterator| (iterator.is_artifact, iterator.item));
        for input in &component.inputs {
            let is_required = !input.is_optional && input.default.is_none() && !self.spec.is_legacy();
            let is_bound = raw.parameters.iter().any(|binding| binding.name == input.name);
            if is_required && !is_bound && item != Some((false, input.name)) {
                let message = format!("{:?} needs this input, and nothing is given for it", component.name);
                self.problems.add(parameters_at.key(input.name), message);
            }
        }
        for input in &component.input_artifacts {
            let is_bound = raw.artifacts.iter().any(|binding| binding.name == input.name);
            if !input.is_optional && !is_bound && item != Some((true, input.name)) {
                let message = format!("{:?} needs this artifact, and nothing is given for it", component.name);
                self.problems.add(artifacts_at.key(input.name), message);
            }
        }
        task.parameters = parameters.into();
        task.artifacts = artifacts.into();
        let iterator = raw.iterator.as_ref().and_then(|iterator| self.iterator(iterator, task.component, raw, &at));
        if iterator.is_some() && component.dag.is_none() {
            self.problems.add(at, "only a dag can be run for each item");
        }
        let condition = raw.condition.map(Box::from);
        if condition.is_some() || iterator.is_some() || raw.cache_key.is_some() || raw.retry.is_some() {
            task.extras = Some(Box::new(Extras {
                condition,
                iterator,
                parallelism: raw.parallelism,
                cache_key: raw.cache_key.map(str::to_owned),
                retry: raw.retry.clone(),
            }));
        }
        Some(task)
    }

    fn raw_component(&self, index: Option<u32>) -> Option<&'a RawComponent<'a>> {
        self.raw.get(index? as usize)
    }

    /// `producer`: the index of the task that the value comes from, where it comes from one.
    fn parameter(
        &mut self,
        raw: &RawBinding<'_>,
        producer: Option<u32>,
        of: &Task,
        at: &Path<'_>,
    ) -> Option<Binding<ParameterSource>> {
        let source = match &raw.source {
            RawSource::Broken => return None,
            RawSource::Template(value) => ParameterSource::Template(Arc::clone(value)),
            RawSource::Constant(value) => ParameterSource::Constant(Arc::clone(value)),
            RawSource::Input(name) => ParameterSource::Input(self.component_input(name, false, at)?),
            RawSource::Output(_, key) => {
                let (task, output) = self.producer(producer?, key, false, at)?;
                ParameterSource::Output { task, output }
            }
            RawSource::FinalStatus(_) => ParameterSource::FinalStatus(self.scope.place(producer?)?),
        };
        let input = self.spec.component(of.component).input(raw.name);
        Some(Binding { input: bound(input, raw.name), source, selector: raw.selector.map(Box::from) })
    }

    fn artifact(
        &mut self,
        raw: &RawBinding<'_>,
        producer: Option<u32>,
        of: &Task,
        at: &Path<'_>,
    ) -> Option<Binding<ArtifactSource>> {
        let source = match &raw.source {
            RawSource::Input(name) => ArtifactSource::Input(self.component_input(name, true, at)?),
            RawSource::Output(_, key) => {
                let (task, output) = self.producer(producer?, key, true, at)?;
                ArtifactSource::Output { task, output }
            }
            _ => return None,
        };
        let declared = self.spec.component(of.component);
        let input = declared.input_artifact(raw.name);
        if input.is_none() {
            self.problems.add(at, format!("{:?} declares no such input artifact", declared.name));
        }
        Some(Binding { input: bound(input, raw.name), source, selector: None })
    }

    fn component_input(&mut self, name: &str, is_artifact: bool, at: &Path<'_>) -> Option<u32> {
        let declared = self.spec.component(self.scope.declared);
        let found = if is_artifact { declared.input_artifact(name) } else { declared.input(name) };
        if found.is_none() {
            let (what, field) = if is_artifact {
                ("input artifact", "componentInputArtifact")
            } else {
                ("input parameter", "componentInputParameter")
            };
            let message = format!("{:?} declares no {what} {name:?}", self.scope.component.name);
            self.problems.add(at.field(field), message);
        }
        found
    }

    /// The place of the task of that index, and the index of its output.
    fn producer(&mut self, producer: u32, key: &str, is_artifact: bool, at: &Path<'_>) -> Option<(u32, u32)> {
        let task = self.scope.place(producer)?;
        let declared = self.spec.component(self.scope.component_of(producer)?);
        let output = if is_artifact { declared.output_artifact(key) } else { declared.output(key) };
        if output.is_none() {
            let (what, field) = if is_artifact {
                ("output artifact", "taskOutputArtifact.outputArtifactKey")
            } else {
                ("output parameter", "taskOutputParameter.outputParameterKey")
            };
            let producer = self.scope.name(producer);
            let message = format!("the task {producer:?} has no {what} {key:?}");
            self.problems.add(at.field(field), message);
        }
        Some((task, output?))
    }

    /// Where the outputs of the DAG come from.
    pub(super) fn dag_outputs(&mut self, raw: &[RawOutput<'_>], at: &Path<'_>, is_artifact: bool) -> Box<[DagOutput]> {
        let mut outputs: Vec<DagOutput> = Vec::with_capacity(raw.len());
        for output in raw {
            let at = at.key(output.name);
            let declared = self.spec.component(self.scope.declared);
            let index = if is_artifact { declared.output_artifact(output.name) } else { declared.output(output.name) };
            let Some(index) = index else {
                self.problems.add(at, "is not in the component's outputDefinitions");
                continue;
            };
            let mut selectors = Vec::with_capacity(output.selectors.len());
            for (producer, key) in &output.selectors {
                match self.scope.find(producer) {
                    Some(producer) => selectors.extend(self.producer(producer, key, is_artifact, &at)),
                    None => self.problems.add(at.field("producerSubtask"), format!("the dag has no task {producer:?}")),
                }
            }
            outputs.push(DagOutput { output: index, selectors: selectors.into(), is_one_of: output.is_one_of });
        }
        outputs.sort_by_key(|output| output.output);
        outputs.into()
    }

    fn iterator(
        &mut self,
        raw: &RawIterator<'_>,
        component: u32,
        task: &RawTask<'_>,
        at: &Path<'_>,
    ) -> Option<LoopItems> {
        let declared = self.spec.component(component);
        let at = at.field(if raw.is_artifact { "artifactIterator" } else { "parameterIterator" });
        let item = if raw.is_artifact { declared.input_artifact(raw.item) } else { declared.input(raw.item) };
        let name = declared.name.clone();
        let item = match item {
            Some(item) => item,
            None => {
                self.problems.add(at.field("itemInput"), format!("{name:?} declares no input {:?}", raw.item));
                return None;
            }
        };
        let items_at = at.field("items");
        let source = match (raw.raw, raw.input) {
            (Some(text), _) => match Value::from_json(text) {
                Ok(value @ Value::List(_)) => ItemSource::Raw(Arc::new(value)),
                Ok(other) => {
                    self.problems.add(items_at.field("raw"), format!("expected a list, found {}", other.kind()));
                    return None;
                }
                Err(error) => {
                    self.problems.add(items_at.field("raw"), format!("is no JSON: {error}"));
                    return None;
                }
            },
            (None, Some(input)) if raw.is_artifact => match declared.input_artifact(input) {
                Some(index) if task.artifacts.iter().any(|b| b.name == input) => ItemSource::Artifact(index),
                _ => {
                    self.problems.add(items_at.field("inputArtifact"), format!("the task has no input {input:?}"));
                    return None;
                }
            },
            (None, Some(input)) => match declared.input(input) {
                Some(index) => ItemSource::Parameter(index),
                None => {
                    self.problems.add(items_at.field("inputParameter"), format!("the task has no input {input:?}"));
                    return None;
                }
            },
            (None, None) => return None,
        };
        Some(LoopItems { item, source })
    }
}

/// An input by its index or, without one, by its name.
fn bound(index: Option<u32>, name: &str) -> BoundInput {
    index.map_or_else(|| BoundInput::Undeclared(name.into()), BoundInput::Declared)
}
