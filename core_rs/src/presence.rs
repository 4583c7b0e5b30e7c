//! The artifacts that records name, and what has become of them: read and written where they lie, without building the
//! records.
//!
//! Invariant: artifacts are counted in the order of the bytes, the same here and there; whatever is no artifact stays as it
//! was, byte for byte.

use std::collections::HashMap;

use crate::messages::{Enum, Presence};
use crate::wire::{Field, Reader, Result, Wire, WireError, Writer};

/// An artifact as its record has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recorded<'a> {
    /// Where it lies.
    pub uri: &'a str,
    /// Of its content.
    pub digest: &'a str,
    /// Changes when it is written to.
    pub fingerprint: &'a str,
}

/// A message on the way from a TaskRecord to an Artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Record,
    Candidate,
    Values,
    List,
    Artifact,
}

impl Level {
    /// Where a field leads on the way to artifacts: the outputs of a task and those of its candidate, whose own candidates
    /// nobody keeps.
    fn of(self, number: u32) -> Option<Level> {
        match (self, number) {
            (Level::Record | Level::Candidate, 12) => Some(Level::Values),
            (Level::Record, 19) => Some(Level::Candidate),
            (Level::Values, 2) => Some(Level::List),
            (Level::List, 2) => Some(Level::Artifact),
            _ => None,
        }
    }
}

/// The fields of an Artifact.
const URI: u32 = 2;
const DIGEST: u32 = 6;
const FINGERPRINT: u32 = 10;
const PRESENCE: u32 = 8;
/// The field of TaskRecords that holds them, and that of a TaskRecord that holds its id.
const TASKS: u32 = 1;
const TASK_ID: u32 = 1;

/// The artifacts of whole records from byte `start` on, until there are `most` or more; and where to go on.
///
/// # Errors
/// The bytes are no TaskRecords.
pub fn recorded(records: &[u8], start: usize, most: usize) -> Result<(Vec<Recorded<'_>>, usize)> {
    let rest = records.get(start..).ok_or(WireError::Truncated)?;
    let mut reader = Reader::new(rest);
    let mut found = Vec::new();
    while found.len() < most {
        let Some(field) = reader.next_field()? else { break };
        if field.number == TASKS {
            find(field.message()?, Level::Record, &mut found)?;
        }
    }
    Ok((found, records.len() - reader.rest().len()))
}

fn find<'a>(mut reader: Reader<'a>, level: Level, found: &mut Vec<Recorded<'a>>) -> Result<()> {
    let mut artifact = Recorded::default();
    while let Some(field) = reader.next_field()? {
        match (level, field.number) {
            (Level::Artifact, URI) => artifact.uri = field.str()?,
            (Level::Artifact, DIGEST) => artifact.digest = field.str()?,
            (Level::Artifact, FINGERPRINT) => artifact.fingerprint = field.str()?,
            (level, number) => {
                if let Some(level) = level.of(number) {
                    find(field.message()?, level, found)?;
                }
            }
        }
    }
    if level == Level::Artifact {
        found.push(artifact);
    }
    Ok(())
}

/// Records with what became of their artifacts, one number of a Presence for each; and of these the records some artifact
/// of which is missing or changed.
///
/// # Errors
/// The bytes are no TaskRecords, or have another number of artifacts.
pub fn with_presence(records: &[u8], presences: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut all = Writer::with_capacity(records.len() + presences.len() * 2);
    let mut lost = Writer::new();
    let mut presences = presences.iter();
    let mut reader = Reader::new(records);
    while let Some((field, raw)) = reader.next_raw()? {
        if field.number != TASKS {
            all.raw(raw);
            continue;
        }
        let mut record = Writer::with_capacity(raw.len() + 16);
        let is_lost = copy(field.message()?, Level::Record, &mut record, &mut presences)?;
        all.bytes_always(TASKS, record.as_bytes());
        if is_lost {
            lost.bytes_always(TASKS, record.as_bytes());
        }
    }
    match presences.next() {
        Some(_) => Err(WireError::Truncated),
        None => Ok((all.into_bytes(), lost.into_bytes())),
    }
}

/// Whether something was lost in it.
fn copy(
    mut reader: Reader<'_>,
    level: Level,
    writer: &mut Writer,
    presences: &mut std::slice::Iter<'_, u8>,
) -> Result<bool> {
    let mut is_lost = false;
    while let Some((field, raw)) = reader.next_raw()? {
        match level.of(field.number) {
            Some(inner) => {
                let from = field.message()?;
                let mut result = Ok(false);
                writer.message(field.number, |body| result = copy(from, inner, body, presences));
                is_lost |= result?;
            }
            None if level == Level::Artifact && field.number == PRESENCE => {}
            None => writer.raw(raw),
        }
    }
    if level == Level::Artifact {
        let presence = *presences.next().ok_or(WireError::Truncated)?;
        writer.int(PRESENCE, i64::from(presence));
        let presence = Presence::from_number(i32::from(presence))?;
        is_lost = matches!(presence, Presence::Missing | Presence::Changed);
    }
    Ok(is_lost)
}

/// Records in which those of `others` stand in the place of theirs with the same id.
///
/// # Errors
/// The bytes are no TaskRecords.
pub fn replaced(records: &[u8], others: &[u8]) -> Result<Vec<u8>> {
    let mut by_id: HashMap<i64, &[u8]> = HashMap::new();
    let mut reader = Reader::new(others);
    while let Some((field, raw)) = reader.next_raw()? {
        if field.number == TASKS {
            by_id.insert(task_id(&field)?, raw);
        }
    }
    let mut merged = Writer::with_capacity(records.len() + others.len());
    let mut reader = Reader::new(records);
    while let Some((field, raw)) = reader.next_raw()? {
        let other = if field.number == TASKS { by_id.get(&task_id(&field)?) } else { None };
        merged.raw(other.unwrap_or(&raw));
    }
    Ok(merged.into_bytes())
}

fn task_id(record: &Field<'_>) -> Result<i64> {
    let mut reader = record.message()?;
    let mut id = 0;
    while let Some(field) = reader.next_field()? {
        if let (TASK_ID, Wire::Varint(value)) = (field.number, field.wire) {
            id = value as i64;
        }
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::messages::{Artifact, ArtifactList, TaskRecord, TaskRecords, Values};

    fn outputs(uris: &[&str]) -> Option<Values> {
        let artifact = |uri: &&str| Artifact {
            uri: (*uri).to_owned(),
            digest: format!("digest of {uri}"),
            fingerprint: "f".to_owned(),
            ..Artifact::default()
        };
        let list = ArtifactList { artifacts: uris.iter().map(artifact).collect(), ..ArtifactList::default() };
        Some(Values { artifacts: vec![list], ..Values::default() })
    }

    fn records() -> TaskRecords {
        let candidate = TaskRecord { task_id: 9, outputs: outputs(&["/c"]), ..TaskRecord::default() };
        TaskRecords {
            tasks: vec![
                TaskRecord { task_id: 1, outputs: outputs(&["/a", "/b"]), ..TaskRecord::default() },
                TaskRecord { task_id: 2, candidate: Some(Box::new(candidate)), ..TaskRecord::default() },
                TaskRecord { task_id: 3, path: "x".repeat(300), outputs: outputs(&["/d"]), ..TaskRecord::default() },
            ],
        }
    }

    #[test]
    fn artifacts_are_told_in_parts_and_a_candidate_s_among_them() {
        let bytes = records().encode();
        let (first, next) = recorded(&bytes, 0, 1).unwrap();
        assert_eq!(first.iter().map(|one| one.uri).collect::<Vec<_>>(), ["/a", "/b"]);
        assert_eq!((first[1].digest, first[1].fingerprint), ("digest of /b", "f"));
        let (rest, end) = recorded(&bytes, next, 100).unwrap();
        assert_eq!(rest.iter().map(|one| one.uri).collect::<Vec<_>>(), ["/c", "/d"]);
        assert_eq!((end, recorded(&bytes, end, 1)), (bytes.len(), Ok((vec![], end))));
        assert!(recorded(&bytes, end + 1, 1).is_err());
    }

    #[test]
    fn what_became_of_artifacts_is_written_into_their_records_and_nowhere_else() {
        let (all, lost) = with_presence(&records().encode(), &[1, 2, 3, 1]).unwrap();
        let mut expected = records();
        let presence = |values: &mut Option<Values>, place: usize, presence: Presence| {
            values.as_mut().unwrap().artifacts[0].artifacts[place].presence = presence;
        };
        presence(&mut expected.tasks[0].outputs, 0, Presence::Present);
        presence(&mut expected.tasks[0].outputs, 1, Presence::Missing);
        presence(&mut expected.tasks[1].candidate.as_mut().unwrap().outputs, 0, Presence::Changed);
        presence(&mut expected.tasks[2].outputs, 0, Presence::Present);
        assert_eq!(TaskRecords::decode(&all).unwrap(), expected);
        assert_eq!(TaskRecords::decode(&lost).unwrap().tasks, expected.tasks[..2]);
        // Looked at again, what was said before is forgotten.
        assert_eq!(with_presence(&all, &[1, 1, 1, 1]).unwrap().1, b"");
        assert_eq!(
            replaced(&records().encode(), &lost).map(|bytes| TaskRecords::decode(&bytes).unwrap().tasks.len()),
            Ok(3)
        );
        for wrong in [&[1u8, 2, 3][..], &[1, 2, 3, 1, 1], &[1, 2, 3, 99]] {
            assert!(with_presence(&records().encode(), wrong).is_err());
        }
    }

    #[test]
    fn records_are_replaced_by_their_ids() {
        let other = TaskRecord { task_id: 2, name: "other".to_owned(), ..TaskRecord::default() };
        let others = TaskRecords { tasks: vec![other.clone()] }.encode();
        let merged = TaskRecords::decode(&replaced(&records().encode(), &others).unwrap()).unwrap();
        let mut expected = records();
        expected.tasks[1] = other;
        assert_eq!(merged, expected);
    }
}
