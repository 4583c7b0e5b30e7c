//! Executors as they are written: containers and importers.

use crate::document::{Document, Node};
use crate::spec::problems::Path;
use crate::spec::raw::RawSource;
use crate::spec::read::{Read, SpecReader};
use crate::spec::{Container, Executor, ExecutorBody, Importer, Resources};

impl SpecReader<'_> {
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
                let is_memory =
                    path.to_string().ends_with("memoryLimit") || path.to_string().ends_with("memoryRequest");
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
                    RawSource::Constant(constant) if constant.as_str().is_some() => {
                        importer.uri = constant.as_str().map(str::to_owned);
                    }
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
