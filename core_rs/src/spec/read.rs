//! Reads a spec's structure: components, their inputs and outputs, dags.
//!
//! Invariant: all problems of the structure are found in one pass; only bytes that are no message at all stop it.

use crate::document::{Document, Items, Members, Node};
use crate::parameter::ParameterType;
use crate::spec::problems::{Path, Problems};
use crate::spec::raw::{RawArtifact, RawComponent, RawParameter};
use crate::spec::Schema;
use crate::value::Value;
use crate::wire::WireError;

pub(super) type Read<T> = Result<T, WireError>;

/// Reads documents and notes what is wrong with them.
pub(super) struct SpecReader<'p> {
    pub problems: &'p mut Problems,
}

impl SpecReader<'_> {
    pub(super) fn wrong(&mut self, path: &Path<'_>, expected: &str, found: &Document<'_>) {
        self.problems.add(path, format!("expected {expected}, found {}", found.kind()));
    }

    pub fn text<'a>(&mut self, doc: &Document<'a>, path: &Path<'_>) -> Option<&'a str> {
        match doc.node {
            Node::Text(text) => Some(text),
            Node::Null => None,
            _ => {
                self.wrong(path, "a string", doc);
                None
            }
        }
    }

    pub(super) fn flag(&mut self, doc: &Document<'_>, path: &Path<'_>) -> bool {
        match doc.node {
            Node::Bool(flag) => flag,
            Node::Null => false,
            _ => {
                self.wrong(path, "a boolean", doc);
                false
            }
        }
    }

    pub(super) fn number(&mut self, doc: &Document<'_>, path: &Path<'_>) -> f64 {
        match doc.node {
            Node::Number(number) if number.is_finite() => number,
            // JSON writes 64 bit integers as strings.
            Node::Text(text) => text.parse().ok().filter(|n: &f64| n.is_finite()).unwrap_or_else(|| {
                self.problems.add(path, format!("expected a number, found {text:?}"));
                0.0
            }),
            Node::Null => 0.0,
            _ => {
                self.wrong(path, "a number", doc);
                0.0
            }
        }
    }

    /// A count: a whole number that is not negative.
    pub(super) fn count(&mut self, doc: &Document<'_>, path: &Path<'_>) -> u32 {
        let number = self.number(doc, path);
        if number < 0.0 || number.fract() != 0.0 || number > f64::from(i32::MAX) {
            self.problems.add(path, format!("expected a whole number from 0 on, found {number}"));
            return 0;
        }
        number as u32
    }

    /// A google.protobuf.Duration as JSON has it, `3.5s`, in seconds.
    pub(super) fn duration(&mut self, doc: &Document<'_>, path: &Path<'_>) -> f64 {
        if matches!(doc.node, Node::Number(_)) {
            return self.number(doc, path);
        }
        let Some(text) = self.text(doc, path) else { return 0.0 };
        match text.strip_suffix('s').and_then(|n| n.parse::<f64>().ok()) {
            Some(seconds) if seconds.is_finite() && seconds >= 0.0 => seconds,
            _ => {
                self.problems.add(path, format!("expected a duration such as \"60s\", found {text:?}"));
                0.0
            }
        }
    }

    pub(super) fn value(&mut self, doc: &Document<'_>, path: &Path<'_>) -> Value {
        doc.value().unwrap_or_else(|error| {
            self.problems.add(path, error.to_string());
            Value::Null
        })
    }

    pub fn members<'a>(&mut self, doc: &Document<'a>, path: &Path<'_>) -> Members<'a> {
        match doc.node {
            Node::Struct(bytes) => Members::new(bytes),
            Node::Null => Members::new(&[]),
            _ => {
                self.wrong(path, "a struct", doc);
                Members::new(&[])
            }
        }
    }

    pub(super) fn items<'a>(&mut self, doc: &Document<'a>, path: &Path<'_>) -> Items<'a> {
        match doc.node {
            Node::List(bytes) => Items::new(bytes),
            Node::Null => Items::new(&[]),
            _ => {
                self.wrong(path, "a list", doc);
                Items::new(&[])
            }
        }
    }

    pub(super) fn texts<'a>(&mut self, doc: &Document<'a>, path: &Path<'_>) -> Read<Vec<&'a str>> {
        let mut texts = Vec::new();
        let mut items = self.items(doc, path);
        while let Some(item) = items.next_item()? {
            let at = path.index(texts.len());
            texts.push(self.text(&item, &at).unwrap_or(""));
        }
        Ok(texts)
    }

    pub fn component<'a>(&mut self, name: &'a str, doc: &Document<'a>, path: &Path<'_>) -> Read<RawComponent<'a>> {
        let mut component = RawComponent { name, ..RawComponent::default() };
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            match key {
                "inputDefinitions" => {
                    self.definitions(&doc, &path, &mut component.inputs, &mut component.input_artifacts)?;
                }
                "outputDefinitions" => {
                    self.definitions(&doc, &path, &mut component.outputs, &mut component.output_artifacts)?;
                }
                "executorLabel" => component.executor_label = self.text(&doc, &path),
                "dag" => component.dag = Some(self.dag(&doc, &path)?),
                _ => {}
            }
        }
        match (&component.dag, component.executor_label) {
            (None, None) => self.problems.add(path, "expected a dag or an executorLabel"),
            (Some(_), Some(_)) => self.problems.add(path, "has both a dag and an executorLabel"),
            _ => {}
        }
        Ok(component)
    }

    fn definitions<'a>(
        &mut self,
        doc: &Document<'a>,
        path: &Path<'_>,
        parameters: &mut Vec<RawParameter<'a>>,
        artifacts: &mut Vec<RawArtifact<'a>>,
    ) -> Read<()> {
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            match key {
                "parameters" => {
                    let mut entries = self.members(&doc, &path);
                    while let Some((name, doc)) = entries.next_member()? {
                        let parameter = self.parameter(name, &doc, &path.key(name))?;
                        parameters.push(parameter);
                    }
                }
                "artifacts" => {
                    let mut entries = self.members(&doc, &path);
                    while let Some((name, doc)) = entries.next_member()? {
                        let artifact = self.artifact(name, &doc, &path.key(name))?;
                        artifacts.push(artifact);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn parameter<'a>(&mut self, name: &'a str, doc: &Document<'a>, path: &Path<'_>) -> Read<RawParameter<'a>> {
        let mut kind = None;
        let mut is_kind_given = false;
        let mut parameter =
            RawParameter { name, kind: ParameterType::String, default: None, is_optional: false, literals: None };
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            match key {
                "parameterType" | "type" => {
                    is_kind_given = true;
                    if let Some(text) = self.text(&doc, &path) {
                        // Filled in by the Kubernetes backend with the task's own settings; here it is an empty struct.
                        kind = if text == "TASK_CONFIG" {
                            parameter.is_optional = true;
                            Some(ParameterType::Struct)
                        } else {
                            ParameterType::from_name(text)
                        };
                        if kind.is_none() {
                            self.problems.add(path, format!("{text:?} is no type of a parameter"));
                            kind = Some(ParameterType::String);
                        }
                    }
                }
                "defaultValue" => {
                    let value = self.value(&doc, &path);
                    parameter.default = (!value.is_null()).then_some(value);
                }
                "isOptional" => parameter.is_optional |= self.flag(&doc, &path),
                "literals" => {
                    let value = self.value(&doc, &path);
                    match value {
                        Value::List(items) if !items.is_empty() => parameter.literals = Some(items),
                        Value::List(_) | Value::Null => {}
                        _ => self.wrong(&path, "a list", &doc),
                    }
                }
                _ => {}
            }
        }
        match kind {
            Some(kind) => parameter.kind = kind,
            None if is_kind_given => {}
            None => self.problems.add(path.field("parameterType"), "is required"),
        }
        Ok(parameter)
    }

    fn artifact<'a>(&mut self, name: &'a str, doc: &Document<'a>, path: &Path<'_>) -> Read<RawArtifact<'a>> {
        let mut artifact =
            RawArtifact { name, schema: Schema::default(), is_list: false, is_optional: false, metadata: None };
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            match key {
                "artifactType" => artifact.schema = self.schema(&doc, &path)?,
                "isArtifactList" => artifact.is_list = self.flag(&doc, &path),
                "isOptional" => artifact.is_optional = self.flag(&doc, &path),
                "metadata" => artifact.metadata = Some(self.value(&doc, &path)),
                _ => {}
            }
        }
        Ok(artifact)
    }

    pub(super) fn schema(&mut self, doc: &Document<'_>, path: &Path<'_>) -> Read<Schema> {
        let mut schema = Schema::default();
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let text = match key {
                "schemaTitle" => &mut schema.title,
                "schemaVersion" => &mut schema.version,
                "instanceSchema" => &mut schema.instance,
                _ => continue,
            };
            *text = self.text(&doc, &path.field(key)).unwrap_or("").into();
        }
        // An inline schema names its title in its text; without one the artifact is a plain one.
        if schema.title.is_empty() {
            let title = schema.instance.lines().find_map(|line| line.trim().strip_prefix("title:"));
            let title = title.map_or("", |t| t.trim().trim_matches(['"', '\''])).rsplit("kfp.").next();
            schema.title = match title {
                Some("") | None => "system.Artifact".into(),
                Some(name) if name.contains('.') => name.into(),
                Some(name) => format!("system.{name}").into(),
            };
        }
        Ok(schema)
    }
}
