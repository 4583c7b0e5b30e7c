//! The spec as it is written: the document's structure checked, names still names.
//!
//! Invariant: all problems of the structure are found in one pass; only bytes that are no message at all stop it.

use crate::document::{Document, Items, Members, Node};
use crate::parameter::ParameterType;
use crate::spec::problems::{Path, Problems};
use crate::spec::{Container, Executor, ExecutorBody, Importer, Resources, Retry, Schema};
use crate::value::Value;
use crate::wire::WireError;

pub(super) type Read<T> = Result<T, WireError>;

/// A component before its names are resolved.
#[derive(Debug, Default)]
pub(super) struct RawComponent<'a> {
    pub name: &'a str,
    pub inputs: Vec<RawParameter<'a>>,
    pub input_artifacts: Vec<RawArtifact<'a>>,
    pub outputs: Vec<RawParameter<'a>>,
    pub output_artifacts: Vec<RawArtifact<'a>>,
    pub executor_label: Option<&'a str>,
    pub dag: Option<RawDag<'a>>,
}

#[derive(Debug)]
pub(super) struct RawParameter<'a> {
    pub name: &'a str,
    pub kind: ParameterType,
    pub default: Option<Value>,
    pub is_optional: bool,
    pub literals: Option<Vec<Value>>,
}

#[derive(Debug)]
pub(super) struct RawArtifact<'a> {
    pub name: &'a str,
    pub schema: Schema,
    pub is_list: bool,
    pub is_optional: bool,
    pub metadata: Option<Value>,
}

#[derive(Debug, Default)]
pub(super) struct RawDag<'a> {
    pub tasks: Vec<RawTask<'a>>,
    pub outputs: Vec<RawOutput<'a>>,
    pub output_artifacts: Vec<RawOutput<'a>>,
}

#[derive(Debug)]
pub(super) struct RawOutput<'a> {
    pub name: &'a str,
    /// (producerSubtask, output key)
    pub selectors: Vec<(&'a str, &'a str)>,
    pub is_one_of: bool,
}

#[derive(Debug, Default)]
pub(super) struct RawTask<'a> {
    pub name: &'a str,
    pub component: Option<&'a str>,
    pub parameters: Vec<RawBinding<'a>>,
    pub artifacts: Vec<RawBinding<'a>>,
    pub dependent: Vec<&'a str>,
    pub is_cache_enabled: bool,
    pub cache_key: Option<&'a str>,
    pub condition: Option<&'a str>,
    pub runs_after_any_end: bool,
    pub iterator: Option<RawIterator<'a>>,
    pub parallelism: u32,
    pub retry: Option<Retry>,
}

#[derive(Debug)]
pub(super) struct RawIterator<'a> {
    pub is_artifact: bool,
    pub raw: Option<&'a str>,
    pub input: Option<&'a str>,
    pub item: &'a str,
}

#[derive(Debug)]
pub(super) struct RawBinding<'a> {
    pub name: &'a str,
    pub source: RawSource<'a>,
    pub selector: Option<&'a str>,
}

#[derive(Debug)]
pub(super) enum RawSource<'a> {
    /// A problem has been reported.
    Broken,
    Constant(Value),
    Input(&'a str),
    Output(&'a str, &'a str),
    FinalStatus(&'a str),
}

/// Reads documents and notes what is wrong with them.
pub(super) struct SpecReader<'p> {
    pub problems: &'p mut Problems,
}

impl SpecReader<'_> {
    fn wrong(&mut self, path: &Path<'_>, expected: &str, found: &Document<'_>) {
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

    fn flag(&mut self, doc: &Document<'_>, path: &Path<'_>) -> bool {
        match doc.node {
            Node::Bool(flag) => flag,
            Node::Null => false,
            _ => {
                self.wrong(path, "a boolean", doc);
                false
            }
        }
    }

    fn number(&mut self, doc: &Document<'_>, path: &Path<'_>) -> f64 {
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
    fn count(&mut self, doc: &Document<'_>, path: &Path<'_>) -> u32 {
        let number = self.number(doc, path);
        if number < 0.0 || number.fract() != 0.0 || number > f64::from(i32::MAX) {
            self.problems.add(path, format!("expected a whole number from 0 on, found {number}"));
            return 0;
        }
        number as u32
    }

    /// A google.protobuf.Duration as JSON has it, `3.5s`, in seconds.
    fn duration(&mut self, doc: &Document<'_>, path: &Path<'_>) -> f64 {
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

    fn value(&mut self, doc: &Document<'_>, path: &Path<'_>) -> Value {
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

    fn items<'a>(&mut self, doc: &Document<'a>, path: &Path<'_>) -> Items<'a> {
        match doc.node {
            Node::List(bytes) => Items::new(bytes),
            Node::Null => Items::new(&[]),
            _ => {
                self.wrong(path, "a list", doc);
                Items::new(&[])
            }
        }
    }

    fn texts<'a>(&mut self, doc: &Document<'a>, path: &Path<'_>) -> Read<Vec<&'a str>> {
        let mut texts = Vec::new();
        let mut items = self.items(doc, path);
        while let Some(item) = items.next_item()? {
            let at = path.index(texts.len());
            texts.push(self.text(&item, &at).unwrap_or(""));
        }
        Ok(texts)
    }

    pub fn component<'a>(
        &mut self,
        name: &'a str,
        doc: &Document<'a>,
        path: &Path<'_>,
    ) -> Read<RawComponent<'a>> {
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
        let mut parameter = RawParameter {
            name,
            kind: ParameterType::String,
            default: None,
            is_optional: false,
            literals: None,
        };
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

    fn schema(&mut self, doc: &Document<'_>, path: &Path<'_>) -> Read<Schema> {
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

    fn dag<'a>(&mut self, doc: &Document<'a>, path: &Path<'_>) -> Read<RawDag<'a>> {
        let mut dag = RawDag::default();
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            match key {
                "tasks" => {
                    let mut tasks = self.members(&doc, &path);
                    while let Some((name, doc)) = tasks.next_member()? {
                        let task = self.task(name, &doc, &path.key(name))?;
                        dag.tasks.push(task);
                    }
                }
                "outputs" => self.dag_outputs(&doc, &path, &mut dag)?,
                _ => {}
            }
        }
        Ok(dag)
    }

    fn dag_outputs<'a>(&mut self, doc: &Document<'a>, path: &Path<'_>, dag: &mut RawDag<'a>) -> Read<()> {
        let mut members = self.members(doc, path);
        while let Some((group, doc)) = members.next_member()? {
            let path = path.field(group);
            let into = match group {
                "parameters" => &mut dag.outputs,
                "artifacts" => &mut dag.output_artifacts,
                _ => continue,
            };
            let mut entries = self.members(&doc, &path);
            while let Some((name, doc)) = entries.next_member()? {
                let path = path.key(name);
                let mut output = RawOutput { name, selectors: Vec::new(), is_one_of: false };
                let mut kinds = self.members(&doc, &path);
                while let Some((kind, doc)) = kinds.next_member()? {
                    let path = path.field(kind);
                    match kind {
                        "valueFromParameter" => {
                            let selector = self.selector(&doc, &path, "outputParameterKey")?;
                            output.selectors.push(selector);
                        }
                        "valueFromOneof" => {
                            output.is_one_of = true;
                            let mut lists = self.members(&doc, &path);
                            while let Some((key, doc)) = lists.next_member()? {
                                if key == "parameterSelectors" {
                                    self.selectors(&doc, &path.field(key), "outputParameterKey", &mut output)?;
                                }
                            }
                        }
                        "artifactSelectors" => {
                            self.selectors(&doc, &path, "outputArtifactKey", &mut output)?;
                            output.is_one_of = output.selectors.len() > 1;
                        }
                        _ => {}
                    }
                }
                if output.selectors.is_empty() {
                    self.problems.add(path, "expected the task and the output that it comes from");
                }
                into.push(output);
            }
        }
        Ok(())
    }

    fn selectors<'a>(
        &mut self,
        doc: &Document<'a>,
        path: &Path<'_>,
        output_key: &str,
        output: &mut RawOutput<'a>,
    ) -> Read<()> {
        let mut items = self.items(doc, path);
        let mut index = 0;
        while let Some(item) = items.next_item()? {
            let selector = self.selector(&item, &path.index(index), output_key)?;
            output.selectors.push(selector);
            index += 1;
        }
        Ok(())
    }

    fn selector<'a>(
        &mut self,
        doc: &Document<'a>,
        path: &Path<'_>,
        output_key: &str,
    ) -> Read<(&'a str, &'a str)> {
        let (mut producer, mut output) = ("", "");
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            if key == "producerSubtask" || key == "producerTask" {
                producer = self.text(&doc, &path.field(key)).unwrap_or("");
            } else if key == output_key {
                output = self.text(&doc, &path.field(key)).unwrap_or("");
            }
        }
        Ok((producer, output))
    }

    pub fn task<'a>(&mut self, name: &'a str, doc: &Document<'a>, path: &Path<'_>) -> Read<RawTask<'a>> {
        let mut task = RawTask { name, ..RawTask::default() };
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            match key {
                "componentRef" => {
                    let mut members = self.members(&doc, &path);
                    while let Some((key, doc)) = members.next_member()? {
                        if key == "name" {
                            task.component = self.text(&doc, &path.field(key));
                        }
                    }
                }
                "inputs" => {
                    let mut groups = self.members(&doc, &path);
                    while let Some((group, doc)) = groups.next_member()? {
                        let path = path.field(group);
                        let is_artifact = group == "artifacts";
                        if !is_artifact && group != "parameters" {
                            continue;
                        }
                        let mut entries = self.members(&doc, &path);
                        while let Some((name, doc)) = entries.next_member()? {
                            let binding = self.binding(name, &doc, &path.key(name), is_artifact)?;
                            let into = if is_artifact { &mut task.artifacts } else { &mut task.parameters };
                            into.push(binding);
                        }
                    }
                }
                "dependentTasks" => task.dependent = self.texts(&doc, &path)?,
                "cachingOptions" => {
                    let mut options = self.members(&doc, &path);
                    while let Some((key, doc)) = options.next_member()? {
                        match key {
                            "enableCache" => task.is_cache_enabled = self.flag(&doc, &path.field(key)),
                            "cacheKey" => {
                                task.cache_key =
                                    self.text(&doc, &path.field(key)).filter(|key| !key.is_empty());
                            }
                            _ => {}
                        }
                    }
                }
                "triggerPolicy" => self.trigger(&doc, &path, &mut task)?,
                "parameterIterator" | "artifactIterator" => {
                    if task.iterator.is_some() {
                        self.problems.add(path, "a task has one iterator at most");
                        continue;
                    }
                    task.iterator = self.iterator(&doc, &path, key == "artifactIterator")?;
                }
                "iteratorPolicy" => {
                    let mut options = self.members(&doc, &path);
                    while let Some((key, doc)) = options.next_member()? {
                        if key == "parallelismLimit" {
                            task.parallelism = self.count(&doc, &path.field(key));
                        }
                    }
                }
                "retryPolicy" => task.retry = Some(self.retry(&doc, &path)?),
                _ => {}
            }
        }
        Ok(task)
    }

    fn trigger<'a>(&mut self, doc: &Document<'a>, path: &Path<'_>, task: &mut RawTask<'a>) -> Read<()> {
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            match key {
                "condition" => task.condition = self.text(&doc, &path).filter(|text| !text.is_empty()),
                "strategy" => match self.text(&doc, &path) {
                    Some("ALL_UPSTREAM_TASKS_COMPLETED") => task.runs_after_any_end = true,
                    None | Some("ALL_UPSTREAM_TASKS_SUCCEEDED" | "TRIGGER_STRATEGY_UNSPECIFIED") => {}
                    Some(other) => self.problems.add(path, format!("{other:?} is no trigger strategy")),
                },
                _ => {}
            }
        }
        Ok(())
    }

    fn iterator<'a>(
        &mut self,
        doc: &Document<'a>,
        path: &Path<'_>,
        is_artifact: bool,
    ) -> Read<Option<RawIterator<'a>>> {
        let mut iterator = RawIterator { is_artifact, raw: None, input: None, item: "" };
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            match key {
                "itemInput" => iterator.item = self.text(&doc, &path).unwrap_or(""),
                "items" => {
                    let mut members = self.members(&doc, &path);
                    while let Some((key, doc)) = members.next_member()? {
                        let path = path.field(key);
                        match key {
                            "raw" => iterator.raw = self.text(&doc, &path),
                            "inputParameter" | "inputArtifact" => iterator.input = self.text(&doc, &path),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if iterator.raw.is_none() && iterator.input.is_none() {
            self.problems.add(path.field("items"), "expected the items or the input that holds them");
            return Ok(None);
        }
        Ok(Some(iterator))
    }

    fn retry(&mut self, doc: &Document<'_>, path: &Path<'_>) -> Read<Retry> {
        let mut retry = Retry { backoff_factor: 2.0, ..Retry::default() };
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            match key {
                "maxRetryCount" => retry.max_retry_count = self.count(&doc, &path) as i32,
                "backoffDuration" => retry.backoff_duration_s = self.duration(&doc, &path),
                "backoffFactor" => retry.backoff_factor = self.number(&doc, &path),
                "backoffMaxDuration" => retry.backoff_max_duration_s = self.duration(&doc, &path),
                _ => {}
            }
        }
        if retry.backoff_factor < 0.0 {
            self.problems.add(path.field("backoffFactor"), "must not be negative");
        }
        Ok(retry)
    }

    fn binding<'a>(
        &mut self,
        name: &'a str,
        doc: &Document<'a>,
        path: &Path<'_>,
        is_artifact: bool,
    ) -> Read<RawBinding<'a>> {
        let mut binding = RawBinding { name, source: RawSource::Broken, selector: None };
        let mut is_given = false;
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            let source = match (key, is_artifact) {
                ("componentInputParameter", false) | ("componentInputArtifact", true) => {
                    self.text(&doc, &path).map(RawSource::Input)
                }
                ("taskOutputParameter", false) => {
                    let (task, key) = self.selector(&doc, &path, "outputParameterKey")?;
                    Some(RawSource::Output(task, key))
                }
                ("taskOutputArtifact", true) => {
                    let (task, key) = self.selector(&doc, &path, "outputArtifactKey")?;
                    Some(RawSource::Output(task, key))
                }
                ("taskFinalStatus", false) => {
                    Some(RawSource::FinalStatus(self.selector(&doc, &path, "outputParameterKey")?.0))
                }
                ("runtimeValue", false) => Some(self.runtime_value(&doc, &path)?),
                ("parameterExpressionSelector", false) => {
                    binding.selector = self.text(&doc, &path).filter(|text| !text.is_empty());
                    continue;
                }
                _ => continue,
            };
            is_given = true;
            binding.source = source.unwrap_or(RawSource::Broken);
        }
        if !is_given {
            self.problems.add(path, "expected where the value comes from");
        }
        Ok(binding)
    }

    fn runtime_value<'a>(&mut self, doc: &Document<'a>, path: &Path<'_>) -> Read<RawSource<'a>> {
        let mut source = RawSource::Constant(Value::Null);
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            match key {
                "constant" => source = RawSource::Constant(self.value(&doc, &path)),
                "runtimeParameter" => {
                    if let Some(name) = self.text(&doc, &path) {
                        source = RawSource::Input(name);
                    }
                }
                "constantValue" => {
                    let mut kinds = self.members(&doc, &path);
                    while let Some((kind, doc)) = kinds.next_member()? {
                        let path = path.field(kind);
                        let value = match kind {
                            "stringValue" => self.value(&doc, &path),
                            "intValue" | "doubleValue" => {
                                Value::from_f64(self.number(&doc, &path)).unwrap_or(Value::Null)
                            }
                            _ => continue,
                        };
                        source = RawSource::Constant(value);
                    }
                }
                _ => {}
            }
        }
        Ok(source)
    }

    pub fn executor(&mut self, label: &str, doc: &Document<'_>, path: &Path<'_>) -> Read<Executor> {
        let mut body = None;
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            body = match key {
                "container" => Some(ExecutorBody::Container(self.container(&doc, &path)?)),
                "importer" => Some(ExecutorBody::Importer(self.importer(&doc, &path)?)),
                "customJob" | "resolver" => Some(ExecutorBody::Foreign(key.into())),
                _ => body,
            };
        }
        let body = body.unwrap_or_else(|| {
            self.problems.add(path, "expected a container or an importer");
            ExecutorBody::Foreign("".into())
        });
        Ok(Executor { label: label.into(), body })
    }

    fn container(&mut self, doc: &Document<'_>, path: &Path<'_>) -> Read<Container> {
        let mut container = Container::default();
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            match key {
                "image" => container.image = self.text(&doc, &path).unwrap_or("").to_owned(),
                "command" => container.command = owned(self.texts(&doc, &path)?),
                "args" => container.args = owned(self.texts(&doc, &path)?),
                "env" => {
                    let mut items = self.items(&doc, &path);
                    while let Some(item) = items.next_item()? {
                        let path = path.index(container.env.len());
                        let (mut name, mut value) = ("", "");
                        let mut members = self.members(&item, &path);
                        while let Some((key, doc)) = members.next_member()? {
                            match key {
                                "name" => name = self.text(&doc, &path.field(key)).unwrap_or(""),
                                "value" => value = self.text(&doc, &path.field(key)).unwrap_or(""),
                                _ => {}
                            }
                        }
                        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                            self.problems.add(path.field("name"), "is no name of an environment variable");
                        }
                        container.env.push((name.to_owned(), value.to_owned()));
                    }
                }
                "resources" => container.resources = Some(self.resources(&doc, &path)?),
                _ => {}
            }
        }
        Ok(container)
    }

    fn resources(&mut self, doc: &Document<'_>, path: &Path<'_>) -> Read<Resources> {
        let mut resources = Resources::default();
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            let into = match key {
                "cpuLimit" | "resourceCpuLimit" => &mut resources.cpu_limit,
                "cpuRequest" | "resourceCpuRequest" => &mut resources.cpu_request,
                "memoryLimit" | "resourceMemoryLimit" => &mut resources.memory_limit,
                "memoryRequest" | "resourceMemoryRequest" => &mut resources.memory_request,
                "accelerator" => {
                    let mut members = self.members(&doc, &path);
                    while let Some((key, doc)) = members.next_member()? {
                        let into = match key {
                            "type" | "resourceType" => &mut resources.accelerator_type,
                            "count" | "resourceCount" => &mut resources.accelerator_count,
                            _ => continue,
                        };
                        self.quantity(&doc, &path.field(key), key.starts_with("resource"), into);
                    }
                    continue;
                }
                _ => continue,
            };
            self.quantity(&doc, &path, key.starts_with("resource"), into);
        }
        Ok(resources)
    }

    /// The newer field, a text, wins over the older one, a number of CPUs or of gigabytes.
    fn quantity(&mut self, doc: &Document<'_>, path: &Path<'_>, is_text_form: bool, into: &mut String) {
        match doc.node {
            Node::Text(text) if is_text_form || into.is_empty() => *into = text.to_owned(),
            Node::Number(number) if into.is_empty() && number != 0.0 => {
                let is_memory = path.to_string().ends_with("memoryLimit") || path.to_string().ends_with("memoryRequest");
                *into = if is_memory { format!("{number}G") } else { number.to_string() };
            }
            Node::Text(_) | Node::Number(_) | Node::Null => {}
            _ => self.wrong(path, "a text or a number", doc),
        }
    }

    fn importer(&mut self, doc: &Document<'_>, path: &Path<'_>) -> Read<Importer> {
        let mut importer = Importer::default();
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            match key {
                "artifactUri" => match self.runtime_value(&doc, &path)? {
                    RawSource::Input(name) => importer.uri_input = Some(name.to_owned()),
                    RawSource::Constant(Value::String(uri)) => importer.uri = Some(uri),
                    _ => self.problems.add(path, "expected a constant URI or a runtimeParameter"),
                },
                "typeSchema" => importer.schema = self.schema(&doc, &path)?,
                "metadata" => importer.metadata = self.value(&doc, &path),
                "reimport" => importer.is_reimport = self.flag(&doc, &path),
                _ => {}
            }
        }
        if importer.uri.is_none() && importer.uri_input.is_none() {
            self.problems.add(path.field("artifactUri"), "is required");
        }
        Ok(importer)
    }
}

fn owned(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}
