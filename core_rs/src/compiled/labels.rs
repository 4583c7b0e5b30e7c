//! What is looked up of few tasks of a compiled run: their names, their artifacts, and whose artifacts they read.
//!
//! Kept apart from the graph, since most reruns need none of it. Invariant: places never fall and lie within the bytes.

use super::layout::{list, push, Cut};
use super::Refusal;
use crate::messages::Verdict;

const MAGIC: &[u8; 8] = b"labels\x00\x01";

/// An artifact as it was when its task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact<'l> {
    /// Where it is.
    pub uri: String,
    /// It was declared and never written: nothing is there, and that is known.
    pub is_absent: bool,
    /// What the host said of it when its digest was taken.
    pub fingerprint: &'l str,
}

/// The labels of a compiled run.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'l> {
    name_ends: &'l [[u8; 4]],
    names: &'l [u8],
    tail: &'l [u8],
}

/// What the labels are made of, task by task.
#[derive(Debug, Default)]
pub(super) struct LabelWriter {
    name_ends: Vec<u32>,
    names: Vec<u8>,
    artifact_ends: Vec<u32>,
    artifacts: Vec<u8>,
    last_uri: String,
    importers: Vec<u32>,
    read_ends: Vec<u32>,
    reads: Vec<u32>,
}

impl LabelWriter {
    /// Begins the next task.
    pub(super) fn task(&mut self, name: &str, is_importer: bool) {
        self.names.extend_from_slice(name.as_bytes());
        self.name_ends.push(self.names.len() as u32);
        self.artifact_ends.push(self.artifacts.len() as u32);
        self.read_ends.push(self.reads.len() as u32);
        // Each task's URIs begin anew, so that it can be read alone.
        self.last_uri.clear();
        if is_importer {
            self.importers.push(self.name_ends.len() as u32);
        }
    }

    /// An artifact of the task.
    pub(super) fn artifact(&mut self, uri: &str, digest: &str, fingerprint: &str) {
        let shared = uri.bytes().zip(self.last_uri.bytes()).take_while(|(a, b)| a == b).count();
        let shared = (0..=shared).rev().find(|at| uri.is_char_boundary(*at)).unwrap_or(0);
        let tail = uri.get(shared..).unwrap_or(uri);
        let is_absent = u32::from(digest == ABSENT);
        push(&mut self.artifacts, &[shared as u32, tail.len() as u32, fingerprint.len() as u32, is_absent]);
        self.artifacts.extend_from_slice(tail.as_bytes());
        self.artifacts.extend_from_slice(fingerprint.as_bytes());
        self.last_uri.clear();
        self.last_uri.push_str(uri);
        if let Some(end) = self.artifact_ends.last_mut() {
            *end = self.artifacts.len() as u32;
        }
    }

    /// A task whose artifacts the task reads.
    pub(super) fn reads(&mut self, origin: u32) {
        let from = self.read_ends.len().checked_sub(2).and_then(|before| self.read_ends.get(before)).copied();
        let own = self.reads.get(from.unwrap_or(0) as usize..).unwrap_or(&[]);
        if !own.contains(&origin) {
            self.reads.push(origin);
        }
        if let Some(end) = self.read_ends.last_mut() {
            *end = self.reads.len() as u32;
        }
    }

    pub(super) fn has_artifacts(&self) -> bool {
        !self.artifacts.is_empty()
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.names.len() + self.artifacts.len() + 12 * self.name_ends.len() + 64);
        bytes.extend_from_slice(MAGIC);
        push(&mut bytes, &[self.name_ends.len() as u32, self.names.len() as u32]);
        push(&mut bytes, &self.name_ends);
        bytes.extend_from_slice(&self.names);
        if self.has_artifacts() {
            push(&mut bytes, &[self.artifacts.len() as u32, self.importers.len() as u32, self.reads.len() as u32]);
            push(&mut bytes, &self.artifact_ends);
            push(&mut bytes, &self.importers);
            push(&mut bytes, &self.read_ends);
            push(&mut bytes, &self.reads);
            bytes.extend_from_slice(&self.artifacts);
        }
        bytes
    }
}

/// In the place of a digest: nothing was there.
const ABSENT: &str = "absent";

impl<'l> Labels<'l> {
    /// The labels in these bytes.
    ///
    /// # Errors
    /// They are none, or of another version.
    pub fn read(bytes: &'l [u8]) -> Result<Self, Refusal> {
        let mut cut = Cut::new(bytes);
        if cut.bytes(MAGIC.len())? != MAGIC {
            return Err(Refusal::Malformed);
        }
        let (count, names) = (cut.number()?, cut.number()?);
        let (name_ends, _) = cut.bytes((count as usize).checked_mul(4).ok_or(Refusal::Malformed)?)?.as_chunks::<4>();
        let names = cut.bytes(names as usize)?;
        Ok(Labels { name_ends, names, tail: cut.rest() })
    }

    /// The name of a task; "" for one that there is not.
    pub(super) fn name(&self, id: u32) -> &'l str {
        let end = |index: usize| self.name_ends.get(index).map(|end| u32::from_le_bytes(*end) as usize);
        let index = (id as usize).wrapping_sub(1);
        let start = index.checked_sub(1).map_or(Some(0), end);
        let name = start.zip(end(index)).and_then(|(start, end)| self.names.get(start..end));
        name.and_then(|name| std::str::from_utf8(name).ok()).unwrap_or("")
    }

    /// See [`super::read_artifacts`].
    pub(super) fn wanted(&self, verdicts: &[u8], all: bool) -> Result<Vec<Artifact<'l>>, Refusal> {
        let count = self.name_ends.len();
        if verdicts.len() != count {
            return Err(Refusal::Malformed);
        }
        if self.tail.is_empty() {
            return Ok(Vec::new());
        }
        let mut cut = Cut::new(self.tail);
        let (artifacts, importers, reads) = (cut.number()? as usize, cut.number()? as usize, cut.number()? as usize);
        let artifact_ends = cut.ends(count, artifacts)?;
        let importers = cut.numbers(importers)?;
        let read_ends = cut.ends(count, reads)?;
        let reads = cut.numbers(reads)?;
        let artifacts = cut.bytes(artifacts)?;
        cut.finish()?;
        let verdict = |id: u32| verdicts.get((id as usize).wrapping_sub(1)).copied().unwrap_or(0);
        let mut wanted = vec![all; count];
        let mut want = |id: u32| {
            if verdict(id) == Verdict::Reuse as u8 {
                if let Some(place) = wanted.get_mut((id as usize).wrapping_sub(1)) {
                    *place = true;
                }
            }
        };
        for (index, verdict) in verdicts.iter().enumerate() {
            if *verdict == Verdict::Execute as u8 || *verdict == Verdict::ReEvaluate as u8 {
                list(&read_ends, &reads, index).iter().for_each(|origin| want(*origin));
            }
        }
        // A lost import is made again even if nobody reads it.
        importers.iter().for_each(|importer| want(*importer));
        let mut found = Vec::new();
        let mut start = 0usize;
        for (is_wanted, end) in wanted.into_iter().zip(&artifact_ends) {
            if is_wanted {
                read_task(artifacts.get(start..*end as usize).ok_or(Refusal::Malformed)?, &mut found)?;
            }
            start = *end as usize;
        }
        Ok(found)
    }
}

/// The artifacts of one task.
fn read_task<'l>(bytes: &'l [u8], found: &mut Vec<Artifact<'l>>) -> Result<(), Refusal> {
    let mut cut = Cut::new(bytes);
    let mut last = String::new();
    while !cut.is_at_end() {
        let (shared, tail, fingerprint) = (cut.number()?, cut.number()?, cut.number()?);
        let is_absent = cut.number()? == 1;
        let mut uri = last.get(..shared as usize).ok_or(Refusal::Malformed)?.to_owned();
        uri.push_str(std::str::from_utf8(cut.bytes(tail as usize)?).map_err(|_| Refusal::Malformed)?);
        let fingerprint = std::str::from_utf8(cut.bytes(fingerprint as usize)?).map_err(|_| Refusal::Malformed)?;
        last.clone_from(&uri);
        found.push(Artifact { uri, is_absent, fingerprint });
    }
    Ok(())
}
