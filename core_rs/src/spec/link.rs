//! From names to indices: components, executors, tasks and their inputs and outputs are looked up once.
//!
//! Invariant: a spec is given back only if nothing is wrong with it, so what runs it need not check again.

use std::collections::HashMap;
use std::sync::Arc;

use crate::document::{Members, Node};
use crate::spec::order::topological;
use crate::spec::problems::{Path, Problems};
use crate::spec::raw::{RawComponent, RawDag, RawOutput, RawSource, RawTask};
use crate::spec::read::{Read, SpecReader};
use crate::spec::{
    Body, Component, Dag, DagOutput, Executor, ExecutorBody, InputArtifact, InputParameter, OutputArtifact,
    OutputParameter, Spec, Task,
};

/// How deep DAGs may lie inside each other.
pub const MAX_DAG_DEPTH: usize = 64;

/// How many tasks a run may have before its loops are expanded.
pub const MAX_TASKS: u64 = 2_000_000;

/// So many names are compared one by one.
const FEW_NAMES: usize = 8;

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

/// Looks names up, and notes those that lead nowhere.
pub(super) struct Linker<'a, 'p> {
    pub(super) spec: Spec,
    pub(super) problems: &'p mut Problems,
    pub(super) raw: &'a [RawComponent<'a>],
    pub(super) path: &'p Path<'p>,
    pub(super) by_name: HashMap<&'a str, u32>,
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
        let are_all_known = upstream.len() == task.dependent.len();
        for (group, bindings) in [("parameters", &task.parameters), ("artifacts", &task.artifacts)] {
            for binding in bindings.iter() {
                if let RawSource::Output(producer, _) | RawSource::FinalStatus(producer) = binding.source {
                    // Compilers list every producer there, and a few names are compared faster than looked up.
                    if are_all_known && task.dependent.iter().take(FEW_NAMES).any(|name| *name == producer) {
                        continue;
                    }
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

}

/// What the parts of one DAG are looked up in.
pub(super) struct DagScope<'s, 'a> {
    pub(super) component: &'s RawComponent<'a>,
    tasks: &'s [&'s RawTask<'a>],
    pub(super) placed: &'s dyn Fn(&str) -> Option<u32>,
    order: &'s [u32],
}

impl<'s, 'a> DagScope<'s, 'a> {
    pub(super) fn raw_task(&self, placed: u32) -> Option<&'s RawTask<'a>> {
        let old = *self.order.get(placed as usize)?;
        self.tasks.get(old as usize).copied()
    }
}
