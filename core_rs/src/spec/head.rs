//! What can be said of a spec without reading its tasks.

use crate::document::Members;
use crate::spec::problems::{Path, Problems};
use crate::spec::read::{Read, SpecReader};
use crate::spec::Executor;

/// Name, version and executors of a pipeline.
#[derive(Debug, Default)]
pub struct Head {
    /// `pipelineInfo.name`.
    pub pipeline_name: String,
    /// `schemaVersion`.
    pub schema_version: String,
    /// All executors.
    pub executors: Vec<Executor>,
}

/// Reads the head of a spec that has been read as a whole before. `None` if it cannot be read after all.
pub fn read_head(bytes: &[u8]) -> Option<Head> {
    let mut problems = Problems::default();
    let head = read(bytes, &mut SpecReader { problems: &mut problems }).ok()?;
    problems.is_empty().then_some(head)
}

fn read(bytes: &[u8], reader: &mut SpecReader<'_>) -> Read<Head> {
    let path = Path::new("pipeline_job.pipeline_spec");
    let mut head = Head::default();
    let mut members = Members::new(bytes);
    while let Some((key, doc)) = members.next_member()? {
        let path = path.field(key);
        match key {
            "pipelineInfo" => {
                let mut members = reader.members(&doc, &path);
                while let Some((key, doc)) = members.next_member()? {
                    if key == "name" {
                        head.pipeline_name = reader.text(&doc, &path).unwrap_or("").to_owned();
                    }
                }
            }
            "schemaVersion" => head.schema_version = reader.text(&doc, &path).unwrap_or("").to_owned(),
            "deploymentSpec" | "deploymentConfig" => {
                let mut members = reader.members(&doc, &path);
                while let Some((key, doc)) = members.next_member()? {
                    if key != "executors" {
                        continue;
                    }
                    let mut executors = reader.members(&doc, &path);
                    while let Some((label, doc)) = executors.next_member()? {
                        let executor = reader.executor(label, &doc, &path)?;
                        head.executors.push(executor);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(head)
}
