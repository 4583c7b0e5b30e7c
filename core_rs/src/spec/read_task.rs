//! Tasks as they are written: triggers, iterators, retries, and where their inputs come from.

use std::sync::Arc;

use crate::document::Document;
use crate::spec::problems::Path;
use crate::spec::raw::{RawBinding, RawIterator, RawSource, RawTask};
use crate::spec::read::{Read, SpecReader};
use crate::spec::recent::Recent;
use crate::spec::Retry;
use crate::value::Value;

impl SpecReader<'_> {
    pub fn task<'a>(
        &mut self,
        name: &'a str,
        doc: &Document<'a>,
        path: &Path<'_>,
        recent: &mut Recent<'a>,
    ) -> Read<RawTask<'a>> {
        let mut task = RawTask { name, ..RawTask::default() };
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            match key {
                "componentRef" => {
                    let mut members = self.members(&doc, &path);
                    while let Some((key, doc)) = members.next_member()? {
                        if key == "name" {
                            task.component = self.text(&doc, &path.field(key)).map(|name| recent.same(name));
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
                            let name = recent.same(name);
                            let binding = self.binding(name, &doc, &path.key(name), is_artifact, recent)?;
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
                                task.cache_key = self.text(&doc, &path.field(key)).filter(|key| !key.is_empty());
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
        recent: &mut Recent<'a>,
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
                    Some(RawSource::Output(task, recent.same(key)))
                }
                ("taskOutputArtifact", true) => {
                    let (task, key) = self.selector(&doc, &path, "outputArtifactKey")?;
                    Some(RawSource::Output(task, recent.same(key)))
                }
                ("taskFinalStatus", false) => {
                    Some(RawSource::FinalStatus(self.selector(&doc, &path, "outputParameterKey")?.0))
                }
                ("runtimeValue", false) => match self.runtime_value(&doc, &path)? {
                    RawSource::Constant(value) if holds_input_placeholder(&value) => Some(RawSource::Template(value)),
                    source => Some(source),
                },
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

    pub(super) fn runtime_value<'a>(&mut self, doc: &Document<'a>, path: &Path<'_>) -> Read<RawSource<'a>> {
        let mut source = RawSource::Constant(Arc::new(Value::Null));
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            match key {
                "constant" => source = RawSource::Constant(Arc::new(self.value(&doc, &path))),
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
                        source = RawSource::Constant(Arc::new(value));
                    }
                }
                _ => {}
            }
        }
        Ok(source)
    }
}

/// True where a constant refers to other inputs of its task.
fn holds_input_placeholder(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("{{$.inputs."),
        Value::List(items) => items.iter().any(holds_input_placeholder),
        Value::Object(members) => {
            members.iter().any(|(key, value)| key.contains("{{$.inputs.") || holds_input_placeholder(value))
        }
        _ => false,
    }
}
