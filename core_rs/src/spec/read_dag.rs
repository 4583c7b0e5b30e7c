//! DAGs as they are written: their tasks, and where their outputs come from.

use crate::document::{halves_of_members, Document, Members, Node};
use crate::halves::both;
use crate::spec::problems::{Path, Problems};
use crate::spec::raw::{RawDag, RawOutput, RawTask};
use crate::spec::read::{Read, SpecReader};
use crate::spec::recent::Recent;

/// Tasks with more bytes than this are worth a second thread.
const LARGE: usize = 1 << 20;

impl SpecReader<'_> {
    pub(super) fn dag<'a>(&mut self, doc: &Document<'a>, path: &Path<'_>) -> Read<RawDag<'a>> {
        let mut dag = RawDag::default();
        let mut members = self.members(doc, path);
        while let Some((key, doc)) = members.next_member()? {
            let path = path.field(key);
            match key {
                "tasks" => dag.tasks.extend(self.tasks(&doc, &path)?),
                "outputs" => self.dag_outputs(&doc, &path, &mut dag)?,
                _ => {}
            }
        }
        Ok(dag)
    }

    /// Many tasks are read by two threads.
    fn tasks<'a>(&mut self, doc: &Document<'a>, path: &Path<'_>) -> Read<Vec<RawTask<'a>>> {
        let Node::Struct(bytes) = doc.node else {
            self.members(doc, path);
            return Ok(Vec::new());
        };
        if bytes.len() < LARGE {
            return self.tasks_in(bytes, path);
        }
        let (first, second) = halves_of_members(bytes)?;
        let (tasks, (more, found)) = both(
            || self.tasks_in(first, path),
            || {
                let mut problems = Problems::default();
                (SpecReader { problems: &mut problems }.tasks_in(second, path), problems)
            },
        );
        let mut tasks = tasks?;
        self.problems.append(found);
        tasks.append(&mut more?);
        Ok(tasks)
    }

    fn tasks_in<'a>(&mut self, members: &'a [u8], path: &Path<'_>) -> Read<Vec<RawTask<'a>>> {
        let mut tasks = Vec::new();
        let mut recent = Recent::default();
        let mut members = Members::new(members);
        while let Some((name, doc)) = members.next_member()? {
            tasks.push(self.task(name, &doc, &path.key(name), &mut recent)?);
        }
        Ok(tasks)
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

    pub(super) fn selector<'a>(
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
}
