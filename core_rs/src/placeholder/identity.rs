//! Placeholders for what a run and its tasks are called: symbolic in keys, resolved only where a task runs.

use std::collections::BTreeSet;

use super::{segments, Placeholder, Segment};
use crate::value::Value;

/// What a run or a task is called, where it writes, or when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// The run's id, as chosen by its creator.
    PipelineJobName,
    /// The run's full resource name.
    PipelineJobResourceName,
    /// The run's number.
    PipelineJobUuid,
    /// The task's name.
    PipelineTaskName,
    /// Unique to the task in the run.
    PipelineTaskUuid,
    /// The output directory.
    PipelineRoot,
    /// When the run was made.
    PipelineJobCreateTimeUtc,
    /// When the run was scheduled for.
    PipelineJobScheduleTimeUtc,
    /// A folder that the tasks of a run share.
    WorkspacePath,
}

impl Identity {
    /// Every one.
    pub const ALL: [Identity; 9] = [
        Identity::PipelineJobName,
        Identity::PipelineJobResourceName,
        Identity::PipelineJobUuid,
        Identity::PipelineTaskName,
        Identity::PipelineTaskUuid,
        Identity::PipelineRoot,
        Identity::PipelineJobCreateTimeUtc,
        Identity::PipelineJobScheduleTimeUtc,
        Identity::WorkspacePath,
    ];

    /// How it is written in a placeholder, e.g. `pipeline_job_name`.
    pub fn name(self) -> &'static str {
        match self {
            Identity::PipelineJobName => "pipeline_job_name",
            Identity::PipelineJobResourceName => "pipeline_job_resource_name",
            Identity::PipelineJobUuid => "pipeline_job_uuid",
            Identity::PipelineTaskName => "pipeline_task_name",
            Identity::PipelineTaskUuid => "pipeline_task_uuid",
            Identity::PipelineRoot => "pipeline_root",
            Identity::PipelineJobCreateTimeUtc => "pipeline_job_create_time_utc",
            Identity::PipelineJobScheduleTimeUtc => "pipeline_job_schedule_time_utc",
            Identity::WorkspacePath => "workspace_path",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Identity> {
        Self::ALL.into_iter().find(|identity| identity.name() == name)
    }
}

/// What the placeholders of one task resolve to.
#[derive(Debug, Clone, Copy, Default)]
pub struct IdentityValues<'a> {
    /// `{{$.pipeline_job_name}}`
    pub job_name: &'a str,
    /// `{{$.pipeline_job_resource_name}}`
    pub job_resource_name: &'a str,
    /// `{{$.pipeline_job_uuid}}`
    pub job_uuid: &'a str,
    /// `{{$.pipeline_task_name}}`
    pub task_name: &'a str,
    /// `{{$.pipeline_task_uuid}}`
    pub task_uuid: &'a str,
    /// `{{$.pipeline_root}}`
    pub pipeline_root: &'a str,
    /// `{{$.pipeline_job_create_time_utc}}`
    pub create_time_utc: &'a str,
    /// `{{$.pipeline_job_schedule_time_utc}}`
    pub schedule_time_utc: &'a str,
    /// `{{$.workspace_path}}`
    pub workspace_path: &'a str,
}

impl<'a> IdentityValues<'a> {
    /// The value of one placeholder.
    pub fn get(&self, identity: Identity) -> &'a str {
        match identity {
            Identity::PipelineJobName => self.job_name,
            Identity::PipelineJobResourceName => self.job_resource_name,
            Identity::PipelineJobUuid => self.job_uuid,
            Identity::PipelineTaskName => self.task_name,
            Identity::PipelineTaskUuid => self.task_uuid,
            Identity::PipelineRoot => self.pipeline_root,
            Identity::PipelineJobCreateTimeUtc => self.create_time_utc,
            Identity::PipelineJobScheduleTimeUtc => self.schedule_time_utc,
            Identity::WorkspacePath => self.workspace_path,
        }
    }
}

/// Adds the identity placeholders of a text to `found`.
pub fn identities_in_text(text: &str, found: &mut BTreeSet<Identity>) {
    for segment in segments(text) {
        if let Segment::Placeholder(Placeholder::Identity(identity), _) = segment {
            found.insert(identity);
        }
    }
}

/// Adds the identity placeholders in all texts of a value to `found`.
pub fn identities_in_value(value: &Value, found: &mut BTreeSet<Identity>) {
    match value {
        Value::String(text) => identities_in_text(text, found),
        Value::List(items) => items.iter().for_each(|item| identities_in_value(item, found)),
        Value::Object(members) => {
            for (key, member) in members {
                identities_in_text(key, found);
                identities_in_value(member, found);
            }
        }
        _ => {}
    }
}

/// The value with every identity placeholder resolved, in all its texts.
pub fn resolve_identities(value: &Value, values: &IdentityValues<'_>) -> Value {
    match value {
        Value::String(text) => Value::String(text_resolved(text, values)),
        Value::List(items) => Value::List(items.iter().map(|item| resolve_identities(item, values)).collect()),
        Value::Object(members) => Value::Object(
            members.iter().map(|(key, item)| (text_resolved(key, values), resolve_identities(item, values))).collect(),
        ),
        other => other.clone(),
    }
}

fn text_resolved(text: &str, values: &IdentityValues<'_>) -> String {
    segments(text)
        .map(|segment| match segment {
            Segment::Text(text) => text,
            Segment::Placeholder(Placeholder::Identity(identity), _) => values.get(identity),
            Segment::Placeholder(_, written) => written,
        })
        .collect()
}
