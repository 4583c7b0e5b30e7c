//! Task records as the public API shows them: PipelineTaskDetail, bytes to bytes.
//!
//! Invariants: equal records give equal bytes, whether they are shown while the run goes on or once at its end. What is
//! written can be read by every protobuf runtime, wherever in an answer it stands: JSON that a google.protobuf.Value
//! cannot hold faithfully (integers past 2^53, deep nesting) is shown as its text.
//!
//! The field numbers are those of protos/reprise/v1/pipeline_job.proto and values.proto.

use crate::halves::{both, MANY};
use crate::messages::{Artifact, ArtifactList, Failure, Kind, Message, Parameter, Source, State, TaskRecord, Values};
use crate::value::Value;
use crate::wire::{Reader, Result, Writer};

/// Readers stop at 100 messages; a level of JSON costs up to three of them, and an answer eight around it.
const LONGEST_NESTING: usize = 30;
/// Beyond this a double would show another number than was meant.
const EXACT_IN_A_DOUBLE: u64 = 1 << 53;

/// What all tasks of a run have in common.
struct Run<'a> {
    name: &'a str,
    parent: &'a str,
    id: i64,
}

/// Some of the tasks of a run.
#[derive(Debug, PartialEq, Default)]
pub struct DetailPart {
    /// The id of its first task.
    pub first_task_id: i64,
    /// Fields of a PipelineJobDetail.
    pub detail: Vec<u8>,
}

/// The fields of a PipelineJobDetail: `task_details` for each task of `records` (engine.TaskRecords), in their order,
/// then what the run as a whole gave (`outputs`, an engine.Values; empty: nothing yet). In parts of so many tasks, at
/// least one.
///
/// # Errors
/// The bytes are no such messages.
pub fn job_detail_in_parts(
    records: &[u8],
    outputs: &[u8],
    run_name: &str,
    run_id: i64,
    tasks_in_a_part: usize,
) -> Result<Vec<DetailPart>> {
    let parent = run_name.split_once("/pipelineJobs/").map_or(run_name, |(parent, _)| parent);
    let run = Run { name: run_name, parent, id: run_id };
    let mut tasks = Vec::new();
    let mut reader = Reader::new(records);
    while let Some(field) = reader.next_field()? {
        if field.number == 1 {
            tasks.push(field.bytes()?);
        }
    }
    let groups: Vec<&[&[u8]]> = tasks.chunks(tasks_in_a_part.max(1)).collect();
    let made = |groups: &[&[&[u8]]]| groups.iter().map(|tasks| part(tasks, &run)).collect::<Result<Vec<_>>>();
    let mut parts: Vec<DetailPart> = if tasks.len() < MANY {
        made(&groups)?
    } else {
        let (first, second) = groups.split_at(groups.len() / 2);
        let (first, second) = both(|| made(first), || made(second));
        [first?, second?].into_iter().flatten().collect()
    };
    let outputs = Values::decode(outputs)?;
    let mut writer = Writer::new();
    if !outputs.parameters.is_empty() {
        writer.message(1000, |outer| write_parameters(outer, "", &outputs.parameters));
    }
    write_artifacts(&mut writer, 1001, &outputs.artifacts, &run, 0);
    match parts.last_mut() {
        Some(last) => last.detail.append(&mut writer.into_bytes()),
        None => parts.push(DetailPart { first_task_id: 0, detail: writer.into_bytes() }),
    }
    Ok(parts)
}

fn part(tasks: &[&[u8]], run: &Run<'_>) -> Result<DetailPart> {
    let mut first_task_id = None;
    let mut writer = Writer::new();
    for bytes in tasks {
        let record = TaskRecord::decode(bytes)?;
        first_task_id.get_or_insert(record.task_id);
        writer.message(3, |task| write_task(task, &record, run));
    }
    Ok(DetailPart { first_task_id: first_task_id.unwrap_or(0), detail: writer.into_bytes() })
}

fn write_task(task: &mut Writer, record: &TaskRecord, run: &Run<'_>) {
    task.int(1, record.task_id);
    task.string(2, &record.name);
    write_time(task, 3, record.created_ns);
    write_time(task, 4, record.started_ns);
    write_time(task, 5, record.ended_ns);
    if record.kind == Kind::Container && record.attempts > 0 {
        task.message(6, |detail| detail.message(1, |container| write_attempts(container, record, run)));
    }
    task.int(7, record.state as i64);
    if record.started_ns != 0 || record.inputs.is_some() || record.outputs.is_some() {
        task.message(8, |execution| write_execution(execution, record, run));
    }
    write_error(task, 9, record.error.as_ref());
    if let Some(inputs) = &record.inputs {
        write_artifacts(task, 10, &inputs.artifacts, run, 0);
    }
    if let Some(outputs) = &record.outputs {
        write_artifacts(task, 11, &outputs.artifacts, run, record.ended_ns);
    }
    task.int(12, record.parent_task_id);
    for change in &record.history {
        task.message(13, |status| {
            write_time(status, 1, change.at_ns);
            status.int(2, change.state as i64);
            write_error(status, 3, change.error.as_ref());
        });
    }
    task.string(14, &record.path);
    task.int(1000, record.verdict as i64);
    task.int(1001, record.reason as i64);
    task.string(1002, &record.reason_field);
    task.string(1003, &record.caused_by);
    if let Some(source) = &record.source {
        task.message(1004, |reused| write_source(reused, source));
    }
    task.bool(1005, record.is_left_out);
    task.int(1006, i64::from(record.attempts));
    task.string(1007, &record.kill_method);
    if let Some(overrides) = &record.override_inputs {
        let parameters = overrides.parameters.iter().map(|parameter| &parameter.name);
        for name in parameters.chain(overrides.artifacts.iter().map(|list| &list.name)) {
            task.bytes_always(1008, name.as_bytes());
        }
    }
    if let Some(cache) = &record.cache_use {
        task.int(1020, cache.answer as i64);
        task.string(1021, &cache.note);
    }
}

pub(crate) fn write_source(reused: &mut Writer, source: &Source) {
    reused.string(1, &source.run_name);
    reused.int(2, source.task_id);
    reused.string(3, &source.path);
}

fn write_attempts(container: &mut Writer, record: &TaskRecord, run: &Run<'_>) {
    let attempt = |number: i32| format!("{}/tasks/{}/attempts/{number}", run.name, record.task_id);
    container.string(1, &attempt(record.attempts));
    for number in 1..record.attempts {
        container.string(3, &attempt(number));
    }
}

fn write_execution(execution: &mut Writer, record: &TaskRecord, run: &Run<'_>) {
    let (parent, id, task_id) = (run.parent, run.id, record.task_id);
    execution.string(1, &format!("{parent}/metadataStores/default/executions/{id}-{task_id}"));
    execution.string(2, &record.name);
    execution.int(6, execution_state(record.state));
    write_time(execution, 11, record.created_ns);
    write_time(execution, 12, record.history.last().map_or(record.ended_ns, |change| change.at_ns));
    execution.string(
        13,
        match record.kind {
            Kind::Container => "system.ContainerExecution",
            Kind::Importer => "system.ImporterExecution",
            Kind::Unspecified | Kind::Dag | Kind::Loop | Kind::Iteration => "system.DagExecution",
        },
    );
    execution.string(14, "0.0.1");
    execution.message(15, |metadata| {
        if let Some(inputs) = &record.inputs {
            write_parameters(metadata, "input:", &inputs.parameters);
        }
        if let Some(outputs) = &record.outputs {
            write_parameters(metadata, "output:", &outputs.parameters);
        }
    });
}

fn execution_state(state: State) -> i64 {
    match state {
        State::Unspecified => 0,
        State::Pending => 1,
        State::Running | State::CancelPending | State::Cancelling => 2,
        State::Succeeded => 3,
        State::Failed => 4,
        State::Skipped => 5,
        State::Cancelled | State::NotTriggered => 6,
    }
}

/// The members of a google.protobuf.Struct.
fn write_parameters(metadata: &mut Writer, prefix: &str, parameters: &[Parameter]) {
    for parameter in parameters {
        metadata.message(1, |entry| {
            entry.string(1, &format!("{prefix}{}", parameter.name));
            entry.message(2, |value| write_json(value, &parameter.json));
        });
    }
}

/// The entries of a map from names to ArtifactLists.
fn write_artifacts(outer: &mut Writer, number: u32, lists: &[ArtifactList], run: &Run<'_>, made_ns: i64) {
    for list in lists {
        outer.message(number, |entry| {
            entry.string(1, &list.name);
            entry.message(2, |shown| {
                for artifact in &list.artifacts {
                    shown.message(1, |one| write_artifact(one, &list.name, artifact, run, made_ns));
                }
            });
        });
    }
}

fn write_artifact(shown: &mut Writer, name: &str, artifact: &Artifact, run: &Run<'_>, made_ns: i64) {
    shown.string(1, &format!("{}/metadataStores/default/artifacts/{}", run.parent, artifact.name));
    shown.string(2, name);
    shown.string(6, &artifact.uri);
    shown.string(9, &artifact.digest);
    write_time(shown, 11, made_ns);
    write_time(shown, 12, made_ns);
    shown.int(13, 2); // LIVE
    shown.string(14, &artifact.schema_title);
    shown.string(15, &artifact.schema_version);
    match Value::from_json(&artifact.metadata_json) {
        Ok(Value::Object(members)) if members.is_empty() => {}
        Ok(value @ Value::Object(_)) if nesting(&value) <= LONGEST_NESTING => {
            shown.message(16, |metadata| write_members(metadata, &value));
        }
        _ if artifact.metadata_json.is_empty() => {}
        _ => shown.message(16, |metadata| {
            metadata.message(1, |entry| {
                entry.string(1, "json");
                entry.message(2, |text| text.bytes_always(3, artifact.metadata_json.as_bytes()));
            });
        }),
    }
}

/// A google.rpc.Status.
fn write_error(outer: &mut Writer, number: u32, error: Option<&Failure>) {
    if let Some(error) = error {
        outer.message(number, |status| {
            status.int(1, i64::from(error.code));
            status.string(2, &error.message);
        });
    }
}

/// A google.protobuf.Timestamp; nothing for 0, which stands for "not yet".
fn write_time(outer: &mut Writer, number: u32, at_ns: i64) {
    if at_ns != 0 {
        outer.message(number, |time| {
            time.int(1, at_ns.div_euclid(1_000_000_000));
            time.int(2, at_ns.rem_euclid(1_000_000_000));
        });
    }
}

/// JSON text as a google.protobuf.Value.
fn write_json(writer: &mut Writer, text: &str) {
    match Value::from_json(text) {
        Ok(value) if nesting(&value) <= LONGEST_NESTING => write_value(writer, &value),
        _ => writer.bytes_always(3, text.as_bytes()),
    }
}

fn write_value(writer: &mut Writer, value: &Value) {
    match value {
        Value::Null => writer.int_always(1, 0),
        Value::Int(number) if number.unsigned_abs() <= EXACT_IN_A_DOUBLE => writer.double_always(2, *number as f64),
        Value::Int(number) => writer.bytes_always(3, number.to_string().as_bytes()),
        Value::Double(number) => writer.double_always(2, *number),
        Value::BigInt(digits) => writer.bytes_always(3, digits.as_bytes()),
        Value::String(text) => writer.bytes_always(3, text.as_bytes()),
        Value::Bool(is_true) => writer.int_always(4, i64::from(*is_true)),
        Value::Object(_) => writer.message(5, |members| write_members(members, value)),
        Value::List(items) => writer.message(6, |list| {
            for item in items {
                list.message(1, |one| write_value(one, item));
            }
        }),
    }
}

fn write_members(writer: &mut Writer, value: &Value) {
    for (key, item) in value.as_object().into_iter().flatten() {
        writer.message(1, |entry| {
            entry.string(1, key);
            entry.message(2, |inner| write_value(inner, item));
        });
    }
}

/// How many lists and objects lie inside each other.
fn nesting(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(nesting).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(nesting).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> Vec<u8> {
        let mut writer = Writer::new();
        write_json(&mut writer, json);
        writer.into_bytes()
    }

    #[test]
    fn values_that_a_double_cannot_hold_are_shown_as_text() {
        assert_eq!(shown("9007199254740992"), [&[0x11][..], &9_007_199_254_740_992_f64.to_le_bytes()].concat());
        assert_eq!(shown("9007199254740993"), b"\x1a\x109007199254740993");
        assert_eq!(shown("12345678901234567890"), b"\x1a\x1412345678901234567890");
        assert_eq!(shown("NaN"), b"\x1a\x03NaN");
    }

    #[test]
    fn nesting_is_shown_up_to_what_every_reader_takes() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(shown(&nested(LONGEST_NESTING)).first(), Some(&0x32));
        assert_eq!(shown(&nested(LONGEST_NESTING + 1)).first(), Some(&0x1a));
    }

    #[test]
    fn parts_say_the_same_however_many_there_are() {
        let records: Vec<u8> = (1..=MANY as i64 + 7)
            .flat_map(|task_id| {
                let mut writer = Writer::new();
                let record = TaskRecord { task_id, name: format!("task-{task_id}"), ..TaskRecord::default() };
                writer.message(1, |task| record.encode_into(task));
                writer.into_bytes()
            })
            .collect();
        let parts = |in_a_part| job_detail_in_parts(&records, b"", "p/pipelineJobs/x", 1, in_a_part).unwrap();
        let whole = parts(usize::MAX);
        assert!(whole.len() <= 2);
        let joined = |parts: &[DetailPart]| parts.iter().flat_map(|part| part.detail.clone()).collect::<Vec<u8>>();
        for in_a_part in [0, 1, 1000, MANY] {
            let found = parts(in_a_part);
            assert!(joined(&found) == joined(&whole), "{in_a_part}");
            let firsts: Vec<i64> = found.iter().map(|part| part.first_task_id).collect();
            let expected: Vec<i64> = (1..=MANY as i64 + 7).step_by(in_a_part.max(1)).collect();
            assert_eq!(firsts, expected);
        }
    }

    #[test]
    fn broken_records_are_an_error() {
        for bytes in [&b"\x0a"[..], b"\x0a\x05ab", b"\xff\xff", b"\x0a\x02\x1a\xff"] {
            assert!(job_detail_in_parts(bytes, b"", "", 1, 9).is_err(), "{bytes:?}");
            assert!(job_detail_in_parts(b"", bytes, "", 1, 9).is_err(), "{bytes:?}");
        }
    }
}
