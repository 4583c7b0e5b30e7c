//! A plan as the public API shows it, so that any part of a large one can be sent without making it again.
//!
//! Invariant: the tasks are those of the PlanResult, in its order. The field numbers are those of
//! protos/reprise/v1/rerun.proto.

use std::collections::{BTreeMap, BTreeSet};

use crate::messages::{Message, PlanResult, Source};
use crate::wire::{Reader, Result, Writer};

/// A plan, in the parts that a server answers with.
#[derive(Debug, Default)]
pub struct PlanPages {
    /// The PlanResult without its tasks.
    pub head: Vec<u8>,
    /// Encoded VerdictCounts of the leaves, in the order of verdict and reason: entries of PlanRerunResponse.counts.
    pub counts: Vec<u8>,
    /// Encoded PlannedTasks, one after the other: entries of PlanRerunResponse.tasks.
    pub tasks: Vec<u8>,
    /// Where each of them ends in `tasks`, 8 bytes each in the order of this machine.
    pub ends: Vec<u8>,
    /// The keys under which the cross-run cache may answer, 32 bytes each.
    pub cache_keys: Vec<u8>,
    /// Where the artifacts lie that are reused although nobody could look at them, sorted.
    pub unchecked: Vec<String>,
}

const RESULT_TASKS: u32 = 3;
const COUNTS: u32 = 3;
const TASKS: u32 = 6;
/// CONTAINER and IMPORTER.
const LEAVES: std::ops::RangeInclusive<i64> = 1..=2;
const KEY_LENGTH: usize = 32;
/// The numbers of Verdict and Presence.
const REUSE: i64 = 1;
const UNCHECKABLE: i64 = 4;

/// The parts of a plan that is given as the bytes of a PlanResult.
///
/// # Errors
/// The bytes are no such message.
pub fn plan_pages(result: &[u8]) -> Result<PlanPages> {
    let mut head = PlanResult::default();
    let mut pages = PageWriter::default();
    let mut reader = Reader::new(result);
    while let Some(field) = reader.next_field()? {
        if field.number == RESULT_TASKS {
            pages.task(field.bytes()?)?;
        } else {
            head.read_field(&field)?;
        }
    }
    Ok(pages.finish(&head))
}

/// Takes a plan's records one by one.
#[derive(Debug, Default)]
pub(crate) struct PageWriter {
    pages: PlanPages,
    tasks: Writer,
    unchecked: BTreeSet<String>,
    counts: BTreeMap<(i64, i64), i64>,
}

impl PageWriter {
    /// The next task, an encoded TaskRecord.
    pub(crate) fn task(&mut self, record: &[u8]) -> Result<()> {
        let task = PlannedFields::read(record)?;
        if LEAVES.contains(&task.kind) {
            *self.counts.entry((task.verdict, task.reason)).or_default() += 1;
        }
        if task.verdict == REUSE {
            find_unchecked(task.outputs, &mut self.unchecked)?;
        }
        if task.cache_key.len() == KEY_LENGTH {
            self.pages.cache_keys.extend_from_slice(task.cache_key);
        }
        self.tasks.message(TASKS, |writer| task.write(writer));
        self.pages.ends.extend_from_slice(&(self.tasks.as_bytes().len() as u64).to_ne_bytes());
        Ok(())
    }

    /// The tasks of another one come after its own.
    pub(crate) fn append(&mut self, next: PageWriter) {
        let before = self.tasks.as_bytes().len() as u64;
        for end in next.pages.ends.chunks_exact(size_of::<u64>()) {
            let end = end.try_into().map_or(0, u64::from_ne_bytes);
            self.pages.ends.extend_from_slice(&(before + end).to_ne_bytes());
        }
        self.tasks.raw(next.tasks.as_bytes());
        self.pages.cache_keys.extend_from_slice(&next.pages.cache_keys);
        self.unchecked.extend(next.unchecked);
        for (verdict, count) in next.counts {
            *self.counts.entry(verdict).or_default() += count;
        }
    }

    /// All tasks have been given; `head` is the result without them.
    pub(crate) fn finish(self, head: &PlanResult) -> PlanPages {
        let mut counted = Writer::new();
        for ((verdict, reason), count) in self.counts {
            counted.message(COUNTS, |writer| {
                writer.int(1, verdict);
                writer.int(2, reason);
                writer.int(3, count);
            });
        }
        PlanPages {
            head: head.encode(),
            unchecked: self.unchecked.into_iter().collect(),
            counts: counted.into_bytes(),
            tasks: self.tasks.into_bytes(),
            ..self.pages
        }
    }
}

/// Notes the artifacts of a Values message that are UNCHECKABLE: Values.artifacts (2), ArtifactList.artifacts (2),
/// Artifact.uri (2) and presence (8).
fn find_unchecked(values: &[u8], found: &mut BTreeSet<String>) -> Result<()> {
    let mut lists = Reader::new(values);
    while let Some(list) = lists.next_field()? {
        if list.number != 2 {
            continue;
        }
        let mut artifacts = Reader::new(list.bytes()?);
        while let Some(artifact) = artifacts.next_field()? {
            if artifact.number != 2 {
                continue;
            }
            let (mut uri, mut presence) = ("", 0);
            let mut fields = Reader::new(artifact.bytes()?);
            while let Some(field) = fields.next_field()? {
                match field.number {
                    2 => uri = field.str()?,
                    8 => presence = field.int()?,
                    _ => {}
                }
            }
            if presence == UNCHECKABLE {
                found.insert(uri.to_owned());
            }
        }
    }
    Ok(())
}

/// What is shown of a planned task, where it lies in its TaskRecord.
#[derive(Default)]
struct PlannedFields<'a> {
    task_id: i64,
    parent_task_id: i64,
    name: &'a str,
    path: &'a str,
    kind: i64,
    verdict: i64,
    reason: i64,
    reason_field: &'a str,
    caused_by: &'a str,
    outputs: &'a [u8],
    source: Option<Source>,
    /// Packed ids.
    upstream: &'a [u8],
    cache_key: &'a [u8],
}

impl<'a> PlannedFields<'a> {
    fn read(record: &'a [u8]) -> Result<Self> {
        let mut task = PlannedFields::default();
        let mut reader = Reader::new(record);
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => task.task_id = field.int()?,
                2 => task.parent_task_id = field.int()?,
                3 => task.name = field.str()?,
                4 => task.path = field.str()?,
                5 => task.kind = field.int()?,
                7 => task.verdict = field.int()?,
                8 => task.reason = field.int()?,
                9 => task.reason_field = field.str()?,
                10 => task.caused_by = field.str()?,
                12 => task.outputs = field.bytes()?,
                16 => task.source = Some(Source::decode(field.bytes()?)?),
                24 => task.upstream = field.bytes()?,
                38 => task.cache_key = field.bytes()?,
                _ => {}
            }
        }
        Ok(task)
    }

    fn write(&self, writer: &mut Writer) {
        writer.int(1, self.task_id);
        writer.int(2, self.parent_task_id);
        writer.string(3, self.name);
        writer.string(4, self.path);
        writer.int(5, self.verdict);
        writer.int(6, self.reason);
        writer.string(7, self.reason_field);
        writer.string(8, self.caused_by);
        if let Some(source) = &self.source {
            writer.message(9, |reused| crate::details::write_source(reused, source));
        }
        writer.int(10, self.kind);
        writer.bytes(11, self.upstream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Kind, Reason, TaskRecord, Verdict};

    #[test]
    fn every_task_can_be_cut_out_and_leaves_are_counted() {
        let task = |task_id: i64, kind: Kind, reason: Reason| TaskRecord {
            task_id,
            kind,
            verdict: Verdict::Execute,
            reason,
            cache_key: if task_id == 2 { vec![7; 32] } else { Vec::new() },
            path: format!("task-{task_id}"),
            upstream: if task_id == 3 { vec![2] } else { Vec::new() },
            ..TaskRecord::default()
        };
        let result = PlanResult {
            warnings: vec!["beware".to_owned()],
            tasks: vec![
                task(1, Kind::Dag, Reason::Children),
                task(2, Kind::Container, Reason::FirstRun),
                task(3, Kind::Importer, Reason::FirstRun),
            ],
            ..PlanResult::default()
        };
        let pages = plan_pages(&result.encode()).unwrap();
        assert_eq!(PlanResult::decode(&pages.head).unwrap().warnings, ["beware"]);
        assert_eq!(pages.cache_keys, vec![7; 32]);
        assert_eq!(pages.counts, [0x1a, 6, 8, 3, 16, 1, 24, 2]);
        let end = |place: usize| {
            let bytes: [u8; 8] = pages.ends[8 * place..8 * place + 8].try_into().unwrap();
            u64::from_ne_bytes(bytes) as usize
        };
        assert_eq!(end(2), pages.tasks.len());
        let mut entry = Reader::new(&pages.tasks[end(0)..end(1)]);
        let mut second = Reader::new(entry.next_field().unwrap().unwrap().bytes().unwrap());
        assert_eq!(second.next_field().unwrap().unwrap().int(), Ok(2));
        assert_eq!(second.next_field().unwrap().unwrap().str(), Ok("task-2"));
        assert_eq!((entry.is_at_end(), end(0) > 0), (true, true));
        assert!(pages.tasks.ends_with(&[0x50, 2, 0x5a, 1, 2]), "the last is an importer and comes after task 2");
        assert!(plan_pages(&[0x1a, 9, 1]).is_err());
    }
}
