//! From names to indices: components, executors, tasks and their inputs and outputs are looked up once.
//!
//! Invariant: a spec is given back only if nothing is wrong with it, so what runs it need not check again.

use std::collections::HashMap;
use std::sync::Arc;

use crate::document::{Members, Node};
use crate::spec::problems::{Path, Problems};
use crate::spec::raw::RawComponent;
use crate::spec::read::{Read, SpecReader};
use crate::spec::{
    Body, Component, Executor, ExecutorBody, InputArtifact, InputParameter, OutputArtifact, OutputParameter, Spec,
};

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
    Linker { spec, problems, raw: &raw, path: &path, by_name: HashMap::new() }
        .link()
        .map_or(Ok(None), |spec| Ok(Some(spec)))
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
                    Body::Dag(self.dag(index as u32, component, dag, &at))
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
        let mut outputs: Vec<OutputParameter> =
            raw.outputs.iter().map(|output| OutputParameter { name: output.name.into(), kind: output.kind }).collect();
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
}
