//! From names to indices: components, executors, tasks and their inputs and outputs are looked up once.
//!
//! Invariant: a spec is given back only if nothing is wrong with it, so what runs it need not check again.

use std::collections::HashMap;
use std::sync::Arc;

use crate::document::{Members, Node};
use crate::spec::order::topological;
use crate::spec::problems::{Path, Problems};
use crate::spec::read::{RawBinding, RawComponent, RawDag, RawIterator, RawOutput, RawSource, RawTask, Read, SpecReader};
use crate::spec::{
    ArtifactSource, Binding, Body, Component, Dag, DagOutput, Executor, ExecutorBody, Extras, InputArtifact,
    InputParameter, ItemSource, LoopItems, OutputArtifact, OutputParameter, ParameterSource, Spec, Task,
};
use crate::value::Value;

/// How deep DAGs may lie inside each other.
pub const MAX_DAG_DEPTH: usize = 64;

/// How many tasks a run may have before its loops are expanded.
pub const MAX_TASKS: u64 = 2_000_000;

const SPEC: &str = "pipeline_job.pipeline_spec";

/// Reads and checks the bytes of a google.protobuf.Struct that holds a pipeline spec. `None` if anything is wrong, which
/// `problems` then tells.
pub fn read_spec(bytes: &[u8], problems: &mut Problems) -> Option<Spec> {
    let before = problems.count();
    let spec = match read_document(bytes, problems) {
        Ok(spec) => spec,
        Err(error) => {
            problems.add(SPEC, format!("not a well-formed Struct: {error}"));
            None
        }
    };
    spec.filter(|_| problems.count() == before)
}

fn read_document(bytes: &[u8], problems: &mut Problems) -> Read<Option<Spec>> {
    let path = Path::new(SPEC);
    let mut spec = Spec::default();
    let mut raw: Vec<RawComponent<'_>> = Vec::new();
    let mut root = None;
    let mut reader = SpecReader { problems };
    let mut is_empty = true;
    let mut looks_like_job = false;
    let mut members = Members::new(bytes);
    while let Some((key, doc)) = members.next_member()? {
        let path = path.field(key);
        is_empty = false;
        match key {
            "pipelineInfo" => {
                let mut members = reader.members(&doc, &path);
                while let Some((key, doc)) = members.next_member()? {
                    if key == "name" {
                        spec.pipeline_name = reader.text(&doc, &path.field(key)).unwrap_or("").to_owned();
                    }
                }
            }
            "schemaVersion" => spec.schema_version = reader.text(&doc, &path).unwrap_or("").to_owned(),
            "defaultPipelineRoot" => spec.default_root = reader.text(&doc, &path).unwrap_or("").to_owned(),
            "components" => {
                let mut members = reader.members(&doc, &path);
                while let Some((name, doc)) = members.next_member()? {
                    let component = reader.component(name, &doc, &path.key(name))?;
                    raw.push(component);
                }
            }
            "root" => root = Some(reader.component("root", &doc, &path)?),
            "deploymentSpec" | "deploymentConfig" => {
                let mut members = reader.members(&doc, &path);
                while let Some((key, doc)) = members.next_member()? {
                    if key != "executors" {
                        continue;
                    }
                    let path = path.field(key);
                    let mut executors = reader.members(&doc, &path);
                    while let Some((label, doc)) = executors.next_member()? {
                        let executor = reader.executor(label, &doc, &path.key(label))?;
                        spec.executors.push(executor);
                    }
                }
            }
            "pipelineSpec" | "runtimeConfig" => looks_like_job = !matches!(doc.node, Node::Null),
            _ => {}
        }
    }
    if is_empty || (root.is_none() && spec.pipeline_name.is_empty()) {
        let hint = if looks_like_job { "; this is a whole PipelineJob" } else { "" };
        problems.add(SPEC, format!("expected a compiled pipeline with pipelineInfo, root and schemaVersion{hint}"));
        return Ok(None);
    }
    if spec.pipeline_name.is_empty() {
        problems.add(path.field("pipelineInfo").field("name"), "is required");
    }
    if !matches!(spec.schema_version.as_str(), "2.0.0" | "2.1.0") {
        let message = format!("expected 2.0.0 or 2.1.0, found {:?}", spec.schema_version);
        problems.add(path.field("schemaVersion"), message);
    }
    match root {
        Some(root) => raw.push(root),
        None => {
            problems.add(path.field("root"), "is required");
            return Ok(None);
        }
    }
    Linker { spec, problems, raw: &raw, path: &path, by_name: HashMap::new() }.link().map_or(Ok(None), |spec| Ok(Some(spec)))
}

struct Linker<'a, 'p> {
    spec: Spec,
    problems: &'p mut Problems,
    raw: &'a [RawComponent<'a>],
    path: &'p Path<'p>,
    by_name: HashMap<&'a str, u32>,
}

impl<'a> Linker<'a, '_> {
    fn link(mut self) -> Option<Spec> {
        let raw = self.raw;
        let root = raw.len().checked_sub(1)?;
        self.spec.root = root as u32;
        let path = *self.path;
        let components = path.field("components");
        for (index, component) in raw.iter().take(root).enumerate() {
            if self.by_name.insert(component.name, index as u32).is_some() {
                self.problems.add(components.key(component.name), "occurs twice");
            }
        }
        let mut executors: HashMap<String, u32> = HashMap::new();
        for (index, executor) in self.spec.executors.iter().enumerate() {
            if executors.insert(executor.label.to_string(), index as u32).is_some() {
                self.problems.add(path.field("deploymentSpec").field("executors").key(&executor.label), "occurs twice");
            }
        }
        for component in raw.iter() {
            let declared = self.declare(component);
            self.spec.components.push(declared);
        }
        for (index, component) in raw.iter().enumerate() {
            let at = if index == root { path.field("root") } else { components.key(component.name) };
            let body = match (&component.dag, component.executor_label) {
                (Some(dag), _) => {
                    let at = at.field("dag");
                    Body::Dag(self.dag(component, dag, &at))
                }
                (None, Some(_)) if index == root => {
                    self.problems.add(at, "the root has to be a dag");
                    Body::Missing
                }
                (None, Some(label)) => match executors.get(label) {
                    Some(&executor) => {
                        self.check_leaf(component, executor, &at);
                        Body::Executor(executor)
                    }
                    None => {
                        self.problems
                            .add(at.field("executorLabel"), format!("deploymentSpec has no executor {label:?}"));
                        Body::Missing
                    }
                },
                (None, None) => Body::Missing,
            };
            if let Some(slot) = self.spec.components.get_mut(index) {
                slot.body = body;
            }
        }
        self.check_nesting();
        Some(self.spec)
    }

    /// The declared inputs and outputs of a component, sorted by name.
    fn declare(&mut self, raw: &RawComponent<'_>) -> Component {
        let mut inputs: Vec<InputParameter> = raw
            .inputs
            .iter()
            .map(|input| InputParameter {
                name: input.name.into(),
                kind: input.kind,
                default: input.default.clone().map(Arc::new),
                is_optional: input.is_optional || self.spec.is_legacy(),
                literals: input.literals.clone(),
            })
            .collect();
        let mut input_artifacts: Vec<InputArtifact> = raw
            .input_artifacts
            .iter()
            .map(|input| InputArtifact {
                name: input.name.into(),
                schema: input.schema.clone(),
                is_list: input.is_list,
                is_optional: input.is_optional,
            })
            .collect();
        let mut outputs: Vec<OutputParameter> = raw
            .outputs
            .iter()
            .map(|output| OutputParameter { name: output.name.into(), kind: output.kind })
            .collect();
        let mut output_artifacts: Vec<OutputArtifact> = raw
            .output_artifacts
            .iter()
            .map(|output| OutputArtifact {
                name: output.name.into(),
                schema: output.schema.clone(),
                is_list: output.is_list,
                metadata: output.metadata.clone(),
            })
            .collect();
        inputs.sort_by(|a, b| a.name.cmp(&b.name));
        input_artifacts.sort_by(|a, b| a.name.cmp(&b.name));
        outputs.sort_by(|a, b| a.name.cmp(&b.name));
        output_artifacts.sort_by(|a, b| a.name.cmp(&b.name));
        Component {
            name: raw.name.into(),
            inputs: inputs.into(),
            input_artifacts: input_artifacts.into(),
            outputs: outputs.into(),
            output_artifacts: output_artifacts.into(),
            body: Body::Missing,
            tasks_inside: 0,
        }
    }

    fn check_leaf(&mut self, component: &RawComponent<'_>, executor: u32, at: &Path<'_>) {
        let Some(Executor { body: ExecutorBody::Importer(importer), .. }) = self.spec.executor(executor) else {
            return;
        };
        if component.output_artifacts.len() != 1 {
            self.problems
                .add(at.field("outputDefinitions").field("artifacts"), "an importer has exactly one output artifact");
        }
        if let Some(input) = &importer.uri_input {
            if !component.inputs.iter().any(|declared| declared.name == input) {
                self.problems.add(
                    at.field("inputDefinitions").field("parameters"),
                    format!("the importer reads its URI from {input:?}, which is not declared"),
                );
            }
        }
    }

    fn dag(&mut self, component: &RawComponent<'a>, raw: &RawDag<'a>, at: &Path<'_>) -> Dag {
        let tasks_at = at.field("tasks");
        let mut sorted: Vec<&RawTask<'a>> = raw.tasks.iter().collect();
        sorted.sort_by_key(|task| task.name);
        let mut by_name: HashMap<&str, u32> = HashMap::with_capacity(sorted.len());
        for (index, task) in sorted.iter().enumerate() {
            if by_name.insert(task.name, index as u32).is_some() {
                self.problems.add(tasks_at.key(task.name), "occurs twice");
            }
            if task.name.is_empty() || task.name.contains(['.', '/']) || task.name.chars().any(char::is_control) {
                self.problems
                    .add(tasks_at.key(task.name), "a task's name is not empty and has no dots, slashes or control characters");
            }
        }
        let upstream: Vec<Vec<u32>> =
            sorted.iter().map(|task| self.upstream(task, &by_name, &tasks_at.key(task.name))).collect();
        let order = match topological(&upstream) {
            Ok(order) => order,
            Err(cycle) => {
                let mut names: Vec<&str> =
                    cycle.iter().filter_map(|&index| sorted.get(index as usize)).map(|task| task.name).collect();
                let first = names.first().copied().unwrap_or("");
                names.push(first);
                let message = format!("the tasks wait for each other: {}", names.join(" -> "));
                self.problems.add(tasks_at.key(first).field("dependentTasks"), message);
                return Dag::default();
            }
        };
        let mut place = vec![0u32; sorted.len()];
        for (index, &old) in order.iter().enumerate() {
            if let Some(slot) = place.get_mut(old as usize) {
                *slot = index as u32;
            }
        }
        let placed = |name: &str| by_name.get(name).and_then(|&old| place.get(old as usize)).copied();
        let scope = DagScope { component, tasks: &sorted, placed: &placed, order: &order };
        let mut tasks: Vec<Task> = Vec::with_capacity(order.len());
        for &old in &order {
            let (Some(task), Some(before)) = (sorted.get(old as usize), upstream.get(old as usize)) else { continue };
            let mut before: Vec<u32> = before.iter().filter_map(|&i| place.get(i as usize).copied()).collect();
            before.sort_unstable();
            let task_at = tasks_at.key(task.name);
            let task = self.task(task, before, &scope, &task_at);
            tasks.push(task);
        }
        let mut downstream: Vec<Vec<u32>> = vec![Vec::new(); tasks.len()];
        for (index, task) in tasks.iter().enumerate() {
            for &before in &task.upstream {
                if let Some(list) = downstream.get_mut(before as usize) {
                    list.push(index as u32);
                }
            }
        }
        for (task, list) in tasks.iter_mut().zip(downstream) {
            task.downstream = list.into();
        }
        let outputs = self.dag_outputs(&raw.outputs, &scope, &at.field("outputs").field("parameters"), false);
        let artifacts = self.dag_outputs(&raw.output_artifacts, &scope, &at.field("outputs").field("artifacts"), true);
        Dag { tasks: tasks.into(), by_name: place.into(), outputs, output_artifacts: artifacts }
    }

    fn upstream(&mut self, task: &RawTask<'_>, by_name: &HashMap<&str, u32>, at: &Path<'_>) -> Vec<u32> {
        let mut upstream = Vec::with_capacity(task.dependent.len());
        for (index, name) in task.dependent.iter().enumerate() {
            match by_name.get(name) {
                Some(&found) => upstream.push(found),
                None => self
                    .problems
                    .add(at.field("dependentTasks").index(index), format!("the dag has no task {name:?}")),
            }
        }
        for (group, bindings) in [("parameters", &task.parameters), ("artifacts", &task.artifacts)] {
            for binding in bindings.iter() {
                if let RawSource::Output(producer, _) | RawSource::FinalStatus(producer) = binding.source {
                    match by_name.get(producer) {
                        Some(&found) => upstream.push(found),
                        None => self.problems.add(
                            at.field("inputs").field(group).key(binding.name).field("producerTask"),
                            format!("the dag has no task {producer:?}"),
                        ),
                    }
                }
            }
        }
        upstream.sort_unstable();
        upstream.dedup();
        upstream
    }

    fn task(&mut self, raw: &RawTask<'a>, upstream: Vec<u32>, scope: &DagScope<'_, 'a>, at: &Path<'_>) -> Task {
        let mut task = Task {
            name: raw.name.into(),
            runs_after_any_end: raw.runs_after_any_end,
            is_cache_enabled: raw.is_cache_enabled,
            ..Task::default()
        };
        task.is_exit = raw.runs_after_any_end
            && upstream.iter().any(|&before| {
                scope.raw_task(before).is_some_and(|before| {
                    before.name.starts_with("exit-handler-") && self.raw_component(before).is_some_and(|c| c.dag.is_some())
                })
            });
        task.upstream = upstream.into();
        let reference_at = at.field("componentRef");
        let component_at = reference_at.field("name");
        match raw.component {
            None | Some("") => self.problems.add(component_at, "is required"),
            Some(name) => match self.by_name.get(name) {
                Some(&index) => task.component = index,
                None => self.problems.add(component_at, format!("the spec has no component {name:?}")),
            },
        }
        let Some(component) = self.raw_component(raw) else { return task };
        let inputs = at.field("inputs");
        let parameters_at = inputs.field("parameters");
        let artifacts_at = inputs.field("artifacts");
        let mut parameters: Vec<Binding<ParameterSource>> = raw
            .parameters
            .iter()
            .filter_map(|binding| self.parameter(binding, task.component, scope, &parameters_at.key(binding.name)))
            .collect();
        parameters.sort_by(|a, b| a.name.cmp(&b.name));
        let mut artifacts: Vec<Binding<ArtifactSource>> = raw
            .artifacts
            .iter()
            .filter_map(|binding| self.artifact(binding, task.component, scope, &artifacts_at.key(binding.name)))
            .collect();
        artifacts.sort_by(|a, b| a.name.cmp(&b.name));
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
        let iterator = raw.iterator.as_ref().and_then(|iterator| self.iterator(iterator, task.component, raw, at));
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
        task
    }

    fn raw_component(&self, task: &RawTask<'_>) -> Option<&'a RawComponent<'a>> {
        let index = *self.by_name.get(task.component?)?;
        self.raw.get(index as usize)
    }

    fn parameter(
        &mut self,
        raw: &RawBinding<'_>,
        component: u32,
        scope: &DagScope<'_, 'a>,
        at: &Path<'_>,
    ) -> Option<Binding<ParameterSource>> {
        let source = match &raw.source {
            RawSource::Broken => return None,
            RawSource::Constant(value) if holds_input_placeholder(value) => ParameterSource::Template(Arc::new(value.clone())),
            RawSource::Constant(value) => ParameterSource::Constant(Arc::new(value.clone())),
            RawSource::Input(name) => ParameterSource::Input(self.component_input(scope, name, false, at)?),
            RawSource::Output(producer, key) => {
                let (task, output) = self.producer(scope, producer, key, false, at)?;
                ParameterSource::Output { task, output }
            }
            RawSource::FinalStatus(producer) => ParameterSource::FinalStatus((scope.placed)(producer)?),
        };
        let input = self.spec.component(component).input(raw.name);
        let selector = raw.selector.map(Box::from);
        Some(Binding { name: raw.name.into(), input, source, selector })
    }

    fn artifact(
        &mut self,
        raw: &RawBinding<'_>,
        component: u32,
        scope: &DagScope<'_, 'a>,
        at: &Path<'_>,
    ) -> Option<Binding<ArtifactSource>> {
        let source = match &raw.source {
            RawSource::Input(name) => ArtifactSource::Input(self.component_input(scope, name, true, at)?),
            RawSource::Output(producer, key) => {
                let (task, output) = self.producer(scope, producer, key, true, at)?;
                ArtifactSource::Output { task, output }
            }
            _ => return None,
        };
        let input = self.spec.component(component).input_artifact(raw.name);
        if input.is_none() {
            let message = format!("{:?} declares no such input artifact", self.spec.component(component).name);
            self.problems.add(at, message);
        }
        Some(Binding { name: raw.name.into(), input, source, selector: None })
    }

    fn component_input(&mut self, scope: &DagScope<'_, '_>, name: &str, is_artifact: bool, at: &Path<'_>) -> Option<u32> {
        let declared = self.declared_of(scope);
        let found = if is_artifact { declared.input_artifact(name) } else { declared.input(name) };
        if found.is_none() {
            let (what, field) = if is_artifact {
                ("input artifact", "componentInputArtifact")
            } else {
                ("input parameter", "componentInputParameter")
            };
            let message = format!("{:?} declares no {what} {name:?}", scope.component.name);
            self.problems.add(at.field(field), message);
        }
        found
    }

    fn declared_of(&self, scope: &DagScope<'_, '_>) -> &Component {
        let index = self.by_name.get(scope.component.name).copied();
        let is_root = self.raw.last().is_some_and(|root| std::ptr::eq(root, scope.component));
        self.spec.component(if is_root { self.spec.root } else { index.unwrap_or(self.spec.root) })
    }

    fn producer(
        &mut self,
        scope: &DagScope<'_, 'a>,
        producer: &str,
        key: &str,
        is_artifact: bool,
        at: &Path<'_>,
    ) -> Option<(u32, u32)> {
        let task = (scope.placed)(producer)?;
        let raw = scope.raw_task(task)?;
        let component = *self.by_name.get(raw.component?)?;
        let declared = self.spec.component(component);
        let output = if is_artifact { declared.output_artifact(key) } else { declared.output(key) };
        if output.is_none() {
            let (what, field) = if is_artifact {
                ("output artifact", "taskOutputArtifact.outputArtifactKey")
            } else {
                ("output parameter", "taskOutputParameter.outputParameterKey")
            };
            let message = format!("the task {producer:?} has no {what} {key:?}");
            self.problems.add(at.field(field), message);
        }
        Some((task, output?))
    }

    fn iterator(&mut self, raw: &RawIterator<'_>, component: u32, task: &RawTask<'_>, at: &Path<'_>) -> Option<LoopItems> {
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

    fn dag_outputs(
        &mut self,
        raw: &[RawOutput<'_>],
        scope: &DagScope<'_, 'a>,
        at: &Path<'_>,
        is_artifact: bool,
    ) -> Box<[DagOutput]> {
        let mut outputs: Vec<DagOutput> = Vec::with_capacity(raw.len());
        for output in raw {
            let at = at.key(output.name);
            let declared = self.declared_of(scope);
            let index = if is_artifact { declared.output_artifact(output.name) } else { declared.output(output.name) };
            let Some(index) = index else {
                self.problems.add(at, "is not in the component's outputDefinitions");
                continue;
            };
            let mut selectors = Vec::with_capacity(output.selectors.len());
            for (producer, key) in &output.selectors {
                if (scope.placed)(producer).is_none() {
                    self.problems.add(at.field("producerSubtask"), format!("the dag has no task {producer:?}"));
                } else if let Some(selector) = self.producer(scope, producer, key, is_artifact, &at) {
                    selectors.push(selector);
                }
            }
            outputs.push(DagOutput { output: index, selectors: selectors.into(), is_one_of: output.is_one_of });
        }
        outputs.sort_by_key(|output| output.output);
        outputs.into()
    }

    /// No component contains itself, DAGs are not nested too deeply, and the tasks can be counted.
    fn check_nesting(&mut self) {
        let uses: Vec<Vec<u32>> = self
            .spec
            .components
            .iter()
            .map(|component| {
                let mut uses: Vec<u32> = component
                    .dag()
                    .map(|dag| dag.tasks.iter().map(|task| task.component).collect())
                    .unwrap_or_default();
                uses.sort_unstable();
                uses.dedup();
                uses
            })
            .collect();
        let name = |index: u32| self.spec.component(index).name.to_string();
        let order = match topological(&uses) {
            Ok(order) => order,
            Err(cycle) => {
                let mut names: Vec<String> = cycle.iter().map(|&index| name(index)).collect();
                let first = names.first().cloned().unwrap_or_default();
                names.push(first.clone());
                // A task whose component is unknown points to the first component; that has been told already.
                if self.problems.is_empty() {
                    let message = format!("the component contains itself: {}", names.join(" -> "));
                    self.problems.add(self.path.field("components").key(&first), message);
                }
                return;
            }
        };
        // (levels of DAGs, tasks) of each component; what it uses comes first in `order`.
        let mut sizes = vec![(0usize, 0u64); uses.len()];
        for index in order {
            let Some(dag) = self.spec.component(index).dag() else { continue };
            let (mut depth, mut count) = (0, 0u64);
            for task in dag.tasks.iter() {
                let (inner_depth, inner_count) = sizes.get(task.component as usize).copied().unwrap_or_default();
                depth = depth.max(inner_depth);
                count = count.saturating_add(inner_count).saturating_add(1);
            }
            if let Some(size) = sizes.get_mut(index as usize) {
                *size = (depth + 1, count);
            }
            if let Some(component) = self.spec.components.get_mut(index as usize) {
                component.tasks_inside = count;
            }
        }
        let (depth, count) = sizes.get(self.spec.root as usize).copied().unwrap_or_default();
        if depth > MAX_DAG_DEPTH {
            self.problems.add(self.path.field("root"), format!("dags are nested {depth} deep; {MAX_DAG_DEPTH} is the limit"));
        }
        if count > MAX_TASKS {
            self.problems.add(self.path.field("root"), format!("the run would have {count} tasks; {MAX_TASKS} is the limit"));
        }
    }
}

/// What the parts of one DAG are looked up in.
struct DagScope<'s, 'a> {
    component: &'s RawComponent<'a>,
    tasks: &'s [&'s RawTask<'a>],
    placed: &'s dyn Fn(&str) -> Option<u32>,
    order: &'s [u32],
}

impl<'s, 'a> DagScope<'s, 'a> {
    fn raw_task(&self, placed: u32) -> Option<&'s RawTask<'a>> {
        let old = *self.order.get(placed as usize)?;
        self.tasks.get(old as usize).copied()
    }
}

/// True where a constant refers to other inputs of its task.
fn holds_input_placeholder(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("{{$.inputs."),
        Value::List(items) => items.iter().any(holds_input_placeholder),
        Value::Object(members) => members.iter().any(|(key, value)| key.contains("{{$.inputs.") || holds_input_placeholder(value)),
        _ => false,
    }
}
