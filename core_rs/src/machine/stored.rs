//! The records of an original, looked at where they lie: what every rerun asks of every task is kept by place, the rest
//! is read when somebody asks.
//!
//! Invariant: a place lies within the bytes, and a text's place is UTF-8.

use crate::messages::{Enum, Kind, Message, Presence, Source, State, TaskRecord, Values};
use crate::wire::{Reader, WireError};

/// Where something lies in the bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    start: u32,
    length: u32,
}

/// One record, by places.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    task_id: i64,
    parent_task_id: i64,
    kind: Kind,
    state: State,
    is_left_out: bool,
    iteration_index: i64,
    record: Place,
    name: Place,
    path: Place,
    inputs: Place,
    outputs: Place,
    key: Place,
    preimage: Place,
    source: Place,
    override_inputs: Place,
    candidate: Place,
    item_identity: Place,
    component: Place,
    remakes: i64,
    /// The record of the last task that made its artifacts anew.
    remade: Place,
}

/// All records of a run.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

/// One record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'s> {
    bytes: &'s [u8],
    entry: Entry,
}

impl Stored {
    /// The records in the bytes of a TaskRecords message.
    pub(crate) fn read(bytes: &[u8]) -> Result<Stored, WireError> {
        // Places are 32 bits.
        if u32::try_from(bytes.len()).is_err() {
            return Err(WireError::TooDeep);
        }
        let mut entries = Vec::new();
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.next_field()? {
            if field.number == 1 {
                entries.push(read_entry(bytes, field.bytes()?)?);
            }
        }
        let mut stored = Stored { bytes: bytes.to_vec(), entries };
        stored.find_remakes();
        Ok(stored)
    }

    /// Tells each task whose artifacts were made anew by whom. Such tasks are few, and come after those that they stand for.
    fn find_remakes(&mut self) {
        for index in 0..self.entries.len() {
            let Some(entry) = self.entries.get(index).copied().filter(|entry| entry.remakes != 0) else { continue };
            let has_outcome = matches!(entry.state, State::Succeeded | State::Skipped);
            let first = self.entries.binary_search_by_key(&entry.remakes, |entry| entry.task_id);
            if let (true, Some(first)) = (has_outcome, first.ok().and_then(|first| self.entries.get_mut(first))) {
                first.remade = entry.record;
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, index: u32) -> Option<Record<'_>> {
        self.entries.get(index as usize).map(|entry| Record { bytes: &self.bytes, entry: *entry })
    }

    /// The record of a task. Records lie in the order of their ids.
    pub(crate) fn find(&self, task_id: i64) -> Option<Record<'_>> {
        let index = self.entries.binary_search_by_key(&task_id, |entry| entry.task_id).ok()?;
        self.get(index as u32)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        self.entries.iter().map(|entry| Record { bytes: &self.bytes, entry: *entry })
    }
}

fn read_entry(whole: &[u8], record: &[u8]) -> Result<Entry, WireError> {
    let place = |part: &[u8]| -> Result<Place, WireError> {
        // Both are slices of one buffer, so the distance of their addresses is the offset.
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        match (u32::try_from(start), u32::try_from(part.len())) {
            (Ok(start), Ok(length)) => Ok(Place { start, length }),
            _ => Err(WireError::Truncated),
        }
    };
    let mut entry = Entry { record: place(record)?, ..Entry::default() };
    let mut reader = Reader::new(record);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => entry.task_id = field.int()?,
            2 => entry.parent_task_id = field.int()?,
            3 => entry.name = place(field.str()?.as_bytes())?,
            4 => entry.path = place(field.str()?.as_bytes())?,
            5 => entry.kind = Kind::from_number(field.int()? as i32)?,
            6 => entry.state = State::from_number(field.int()? as i32)?,
            11 => entry.inputs = place(field.bytes()?)?,
            12 => entry.outputs = place(field.bytes()?)?,
            14 => entry.key = place(field.bytes()?)?,
            15 => entry.preimage = place(field.bytes()?)?,
            16 => entry.source = place(field.bytes()?)?,
            17 => entry.is_left_out = field.bool()?,
            18 => entry.override_inputs = place(field.bytes()?)?,
            19 => entry.candidate = place(field.bytes()?)?,
            20 => entry.iteration_index = field.int()?,
            21 => entry.item_identity = place(field.str()?.as_bytes())?,
            22 => entry.component = place(field.str()?.as_bytes())?,
            40 => entry.remakes = field.int()?,
            _ => {}
        }
    }
    Ok(entry)
}

impl<'s> Record<'s> {
    fn bytes_at(&self, place: Place) -> &'s [u8] {
        let start = place.start as usize;
        self.bytes.get(start..start + place.length as usize).unwrap_or(&[])
    }

    fn text_at(&self, place: Place) -> &'s str {
        std::str::from_utf8(self.bytes_at(place)).unwrap_or("")
    }

    fn message_at<M: Message>(&self, place: Place) -> Option<M> {
        (place != Place::default()).then(|| M::decode(self.bytes_at(place)).unwrap_or_default())
    }

    pub(crate) fn task_id(&self) -> i64 {
        self.entry.task_id
    }

    pub(crate) fn parent_task_id(&self) -> i64 {
        self.entry.parent_task_id
    }

    pub(crate) fn kind(&self) -> Kind {
        self.entry.kind
    }

    pub(crate) fn state(&self) -> State {
        self.entry.state
    }

    pub(crate) fn is_left_out(&self) -> bool {
        self.entry.is_left_out
    }

    /// True for a task that made lost artifacts of another one anew: no task of the spec.
    pub(super) fn is_remake(&self) -> bool {
        self.entry.remakes != 0
    }

    pub(crate) fn is_leaf(&self) -> bool {
        matches!(self.entry.kind, Kind::Container | Kind::Importer)
    }

    pub(crate) fn name(&self) -> &'s str {
        self.text_at(self.entry.name)
    }

    pub(crate) fn path(&self) -> &'s str {
        self.text_at(self.entry.path)
    }

    /// What it is called among its siblings in any run: an iteration by its item.
    pub(crate) fn own_name(&self) -> &'s str {
        match self.entry.kind {
            Kind::Iteration => self.text_at(self.entry.item_identity),
            _ => self.name(),
        }
    }

    pub(crate) fn key(&self) -> &'s [u8] {
        self.bytes_at(self.entry.key)
    }

    pub(crate) fn preimage(&self) -> &'s [u8] {
        self.bytes_at(self.entry.preimage)
    }

    /// The bytes of the outputs, a Values message.
    pub(crate) fn outputs_bytes(&self) -> &'s [u8] {
        self.bytes_at(self.entry.outputs)
    }

    pub(crate) fn inputs(&self) -> Option<Values> {
        self.message_at(self.entry.inputs)
    }

    pub(crate) fn override_inputs(&self) -> Option<Values> {
        self.message_at(self.entry.override_inputs)
    }

    pub(crate) fn has_overrides(&self) -> bool {
        self.entry.override_inputs != Place::default()
    }

    pub(crate) fn source(&self) -> Option<Source> {
        self.message_at(self.entry.source)
    }

    /// The bytes of the whole record.
    pub(crate) fn bytes(&self) -> &'s [u8] {
        self.bytes_at(self.entry.record)
    }

    /// The whole record.
    pub(crate) fn to_message(self) -> TaskRecord {
        TaskRecord::decode(self.bytes()).unwrap_or_default()
    }

    /// Who the task is, without what became of it.
    pub(crate) fn identity(&self) -> TaskRecord {
        TaskRecord {
            task_id: self.entry.task_id,
            parent_task_id: self.entry.parent_task_id,
            name: self.name().to_owned(),
            path: self.path().to_owned(),
            kind: self.entry.kind,
            component: self.text_at(self.entry.component).to_owned(),
            iteration_index: self.entry.iteration_index,
            item_identity: self.text_at(self.entry.item_identity).to_owned(),
            ..TaskRecord::default()
        }
    }

    /// The outcome that the record has, its own or an ancestor's.
    pub(crate) fn usable(self) -> Option<Record<'s>> {
        let has_outcome = self.entry.state == State::Succeeded || self.entry.state == State::Skipped;
        if has_outcome && !self.entry.is_left_out && self.entry.remade != Place::default() {
            let entry = read_entry(self.bytes, self.bytes_at(self.entry.remade)).ok()?;
            return Some(Record { bytes: self.bytes, entry });
        }
        match self.entry.state {
            State::Succeeded => Some(self),
            State::Skipped if !self.entry.is_left_out => Some(self),
            State::NotTriggered | State::Cancelled | State::Pending | State::Unspecified => self.candidate(),
            _ => None,
        }
    }

    /// An ancestor's outcome, kept for a task that has none of its own.
    pub(super) fn candidate(&self) -> Option<Record<'s>> {
        let bytes = self.bytes_at(self.entry.candidate);
        let entry = read_entry(self.bytes, bytes).ok().filter(|_| !bytes.is_empty())?;
        Some(Record { bytes: self.bytes, entry })
    }

    /// The first artifact among the outputs that is gone, or not what it was.
    pub(crate) fn lost(&self) -> Option<Presence> {
        find_lost(self.outputs_bytes()).ok().flatten()
    }
}

/// Looks for an artifact's presence without reading the rest: Values.artifacts (2), ArtifactList.artifacts (2),
/// Artifact.presence (8).
fn find_lost(values: &[u8]) -> Result<Option<Presence>, WireError> {
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
            let mut fields = Reader::new(artifact.bytes()?);
            while let Some(field) = fields.next_field()? {
                if field.number == 8 {
                    let presence = Presence::from_number(field.int()? as i32)?;
                    if matches!(presence, Presence::Missing | Presence::Changed) {
                        return Ok(Some(presence));
                    }
                }
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Artifact, ArtifactList, TaskRecords};

    #[test]
    fn a_record_reads_as_it_was_written() {
        let artifact = Artifact { presence: Presence::Changed, ..Artifact::default() };
        let list = ArtifactList { artifacts: vec![artifact], ..ArtifactList::default() };
        let inner = TaskRecord { state: State::Succeeded, key: vec![7; 32], ..TaskRecord::default() };
        let tasks = vec![
            TaskRecord {
                task_id: 1,
                name: "a".into(),
                path: "x.a".into(),
                state: State::Succeeded,
                outputs: Some(Values { artifacts: vec![list], ..Values::default() }),
                ..TaskRecord::default()
            },
            TaskRecord {
                task_id: 2,
                parent_task_id: 1,
                state: State::NotTriggered,
                candidate: Some(Box::new(inner)),
                ..TaskRecord::default()
            },
        ];
        let stored = Stored::read(&TaskRecords { tasks: tasks.clone() }.encode()).unwrap();
        assert_eq!(stored.len(), 2);
        let first = stored.get(0).unwrap();
        assert_eq!((first.name(), first.path(), first.lost()), ("a", "x.a", Some(Presence::Changed)));
        assert_eq!(first.to_message(), tasks[0]);
        let second = stored.get(1).unwrap();
        assert_eq!((second.parent_task_id(), second.usable().unwrap().key()), (1, &[7u8; 32][..]));
        assert!(Stored::read(&[0x0a, 0x05, 1]).is_err());
    }
}
