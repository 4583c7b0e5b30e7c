//! The task records of one run while it goes on, and how decisions of the machine and what happens change them.
//!
//! Invariants: a record's state changes only along the moves that were given; what has changed since it was last taken
//! is dirty. Times come from the caller.

use std::collections::BTreeMap;

use crate::messages::{
    CacheAnswer, CacheUse, Decisions, Failure, Kind, Launch, LeafEnded, LostInputs, Message, NodeCreated, NodeEnded,
    NodeStarted, Reason, State, StateChange, TaskRecord, Values, Verdict, What,
};
use crate::task_rows::TaskRows;
use crate::wire::{WireError, Writer};

const STATES: usize = 16;
const TASKS_FIELD: u32 = 1; // of TaskRecords

/// Why records could not be changed.
#[derive(Debug, PartialEq)]
pub enum RecordError {
    /// What was stored is no TaskRecord.
    NotARecord(WireError),
    /// No such task.
    Unknown(i64),
    /// A task may not go from the one state to the other.
    IllegalMove(State, State),
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotARecord(error) => write!(f, "not a TaskRecord: {error}"),
            Self::Unknown(task_id) => write!(f, "the run has no task {task_id}"),
            Self::IllegalMove(from, to) => write!(f, "a task cannot go from {from:?} to {to:?}"),
        }
    }
}

type Result<T> = std::result::Result<T, RecordError>;

/// The table of the moves between states, which the caller has.
#[derive(Debug, Clone, Default)]
pub struct Moves([[bool; STATES]; STATES]);

impl Moves {
    /// From pairs of numbers of [`State`]; others are passed over.
    pub fn new(pairs: impl IntoIterator<Item = (i32, i32)>) -> Self {
        let mut moves = Self::default();
        for (from, to) in pairs {
            let place = usize::try_from(from).ok().zip(usize::try_from(to).ok());
            let row = place.and_then(|(from, to)| moves.0.get_mut(from)?.get_mut(to));
            if let Some(is_allowed) = row {
                *is_allowed = true;
            }
        }
        moves
    }

    /// Whether a task may go from the one to the other.
    pub(crate) fn allow(&self, from: State, to: State) -> bool {
        self.0[from as usize % STATES][to as usize % STATES]
    }

    /// Whether no move leads on from it.
    pub(crate) fn is_final(&self, state: State) -> bool {
        state != State::Unspecified && !self.0[state as usize % STATES].contains(&true)
    }
}

#[derive(Debug, Default)]
struct Entry {
    record: TaskRecord,
    is_dirty: bool,
}

/// The record of one task while it is being changed, found once.
struct Change<'a> {
    entry: &'a mut Entry,
    moves: &'a Moves,
    dirty: &'a mut Vec<i64>,
}

impl Change<'_> {
    fn move_to(&mut self, target: State, now_ns: i64) -> Result<()> {
        let state = self.entry.record.state;
        if !self.moves.allow(state, target) {
            return Err(RecordError::IllegalMove(state, target));
        }
        self.entry.record.state = target;
        self.touch(now_ns);
        Ok(())
    }

    fn touch(&mut self, now_ns: i64) {
        let record = &mut self.entry.record;
        let error = record.error.clone().filter(|_| self.moves.is_final(record.state));
        record.history.push(StateChange { at_ns: now_ns, state: record.state, error });
        self.mark_dirty();
    }

    fn mark_dirty(&mut self) {
        if !self.entry.is_dirty {
            self.entry.is_dirty = true;
            self.dirty.push(self.entry.record.task_id);
        }
    }
}

/// Of a record, what the start of an attempt changes.
#[derive(Debug)]
struct BeforeStart {
    task_id: i64,
    state: State,
    attempts: i32,
    started_ns: i64,
    changes: usize,
}

/// The records of the tasks of one run.
#[derive(Debug, Default)]
pub struct Records {
    moves: Moves,
    entries: BTreeMap<i64, Entry>,
    /// In the order in which they became dirty. One that is clean by now, or comes twice, counts once or not at all.
    dirty: Vec<i64>,
    event_count: i64,
    /// Of what the last `start_attempts` has moved.
    starting: Vec<BeforeStart>,
    /// While what happened is told again: launches that came to nothing, because inputs were lost.
    spent: BTreeMap<i64, usize>,
    /// Tasks that ended without being told of, and were launched again while what happened was told again.
    ended_unstarted: Vec<i64>,
    has_failed: bool,
}

impl Records {
    /// Those of a run of which these TaskRecords are stored.
    ///
    /// # Errors
    /// [`RecordError::NotARecord`].
    pub fn new<'a>(moves: Moves, stored: impl IntoIterator<Item = &'a [u8]>) -> Result<Self> {
        let mut records = Self { moves, ..Self::default() };
        for bytes in stored {
            let record = TaskRecord::decode(bytes).map_err(RecordError::NotARecord)?;
            let orders = record.lost_inputs.iter().map(|lost| lost.order).chain([record.end_order]);
            records.event_count = orders.fold(records.event_count, i64::max);
            if !record.lost_inputs.is_empty() {
                records.spent.insert(record.task_id, record.lost_inputs.len());
            }
            records.entries.insert(record.task_id, Entry { record, is_dirty: false });
        }
        Ok(records)
    }

    /// The record of a task.
    ///
    /// # Errors
    /// [`RecordError::Unknown`].
    pub fn get(&self, task_id: i64) -> Result<&TaskRecord> {
        self.entries.get(&task_id).map(|entry| &entry.record).ok_or(RecordError::Unknown(task_id))
    }

    fn is_ended(&self, task_id: i64) -> bool {
        self.entries.get(&task_id).is_some_and(|entry| self.moves.is_final(entry.record.state))
    }

    /// Whether a task has failed since these records were made.
    pub fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Note which of these ends, told of before, were failures.
    pub fn note_failures(&mut self, ended: &[LeafEnded]) {
        self.has_failed |= ended.iter().any(|event| event.state == State::Failed);
    }

    /// The path of a task that is RUNNING.
    pub fn any_running(&self) -> Option<&str> {
        let running = self.entries.values().find(|entry| entry.record.state == State::Running);
        running.map(|entry| entry.record.path.as_str())
    }

    /// All of them as TaskRecords, in the order of their ids.
    pub fn encode_all(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        for entry in self.entries.values() {
            writer.message(TASKS_FIELD, |body| entry.record.encode_into(body));
        }
        writer.into_bytes()
    }

    /// The events that the machine was told before, in the order in which it was.
    pub fn replayable(&self) -> Vec<LeafEnded> {
        let mut told = Vec::new();
        for record in self.entries.values().map(|entry| &entry.record) {
            for lost in &record.lost_inputs {
                let event = LeafEnded {
                    task_id: record.task_id,
                    state: State::Pending,
                    outputs: lost.inputs.clone(),
                    ..LeafEnded::default()
                };
                told.push((lost.order, event));
            }
            if record.end_order != 0 {
                told.push((record.end_order, as_event(record)));
            }
        }
        told.sort_by_key(|(order, _)| *order);
        told.into_iter().map(|(_, event)| event).collect()
    }

    /// The ends of tasks that ended without being told of and have been launched again by `apply`.
    pub fn ended_unstarted(&self) -> Vec<LeafEnded> {
        let ended = self.ended_unstarted.iter().filter_map(|task_id| self.entries.get(task_id));
        ended.map(|entry| as_event(&entry.record)).collect()
    }

    /// Take in what the machine has decided; gives the launches that are still to be made, and the end of the run.
    ///
    /// # Errors
    /// [`RecordError::Unknown`], [`RecordError::IllegalMove`]: a fault of the machine.
    pub fn apply(&mut self, mut decisions: Decisions, now_ns: i64) -> Result<Decisions> {
        let mut launches = Vec::with_capacity(decisions.decisions.len());
        for mut decision in decisions.decisions {
            let task_id = decision.task_id;
            match &mut decision.what {
                Some(What::Created(created)) => self.create(created, now_ns)?,
                Some(What::Started(started)) => self.start_dag(task_id, std::mem::take(&mut **started), now_ns)?,
                Some(What::Ended(ended)) => self.end_node(task_id, std::mem::take(&mut **ended), now_ns)?,
                Some(What::Launch(launch)) if self.takes_launch(task_id)? => {
                    self.launch(task_id, launch)?;
                    launches.push(decision);
                }
                Some(What::Launch(_)) | None => {}
            }
        }
        decisions.decisions = launches;
        Ok(decisions)
    }

    fn create(&mut self, created: &mut NodeCreated, now_ns: i64) -> Result<()> {
        let record = created.task.take().unwrap_or_default();
        let task_id = record.task_id;
        if self.entries.contains_key(&task_id) {
            return Ok(());
        }
        let record = TaskRecord { created_ns: now_ns, state: State::Pending, ..record };
        self.entries.insert(task_id, Entry { record, is_dirty: false });
        self.change(task_id)?.touch(now_ns);
        Ok(())
    }

    fn start_dag(&mut self, task_id: i64, started: NodeStarted, now_ns: i64) -> Result<()> {
        let mut change = self.change(task_id)?;
        let record = &mut change.entry.record;
        if record.state != State::Pending {
            return Ok(());
        }
        record.inputs = Some(started.inputs.unwrap_or_default());
        (record.verdict, record.reason) = (started.verdict, started.reason);
        record.started_ns = now_ns;
        change.move_to(State::Running, now_ns)
    }

    fn end_node(&mut self, task_id: i64, ended: NodeEnded, now_ns: i64) -> Result<()> {
        self.has_failed |= ended.state == State::Failed;
        let mut change = self.change(task_id)?;
        let record = &mut change.entry.record;
        if change.moves.is_final(record.state) {
            return Ok(());
        }
        if ended.verdict != Verdict::Unspecified {
            (record.verdict, record.reason) = (ended.verdict, ended.reason);
            (record.reason_field, record.caused_by) = (ended.reason_field, ended.caused_by);
        }
        replace(&mut record.inputs, ended.inputs);
        replace(&mut record.outputs, ended.outputs);
        replace(&mut record.error, ended.error);
        replace(&mut record.source, ended.source);
        replace(&mut record.override_inputs, ended.override_inputs);
        replace(&mut record.candidate, ended.candidate);
        if !ended.key.is_empty() {
            (record.key, record.preimage) = (ended.key, ended.preimage);
        }
        record.is_left_out = ended.is_left_out;
        record.ended_ns = now_ns;
        change.move_to(ended.state, now_ns)
    }

    /// Whether a launch is still to be made; if not, it has been before.
    fn takes_launch(&mut self, task_id: i64) -> Result<bool> {
        if let Some(spent) = self.spent.get_mut(&task_id).filter(|spent| **spent > 0) {
            *spent -= 1;
            return Ok(false);
        }
        if !self.is_ended(task_id) {
            return Ok(true);
        }
        if self.get(task_id)?.end_order == 0 {
            self.ended_unstarted.push(task_id);
        }
        Ok(false)
    }

    /// Keep what was resolved for a leaf that will run; its state changes when its first attempt starts.
    fn launch(&mut self, task_id: i64, launch: &Launch) -> Result<()> {
        let mut change = self.change(task_id)?;
        let record = &mut change.entry.record;
        record.inputs = Some(launch.inputs.clone().unwrap_or_default());
        (record.key, record.preimage) = (launch.key.clone(), launch.preimage.clone());
        (record.verdict, record.reason) = (launch.verdict, launch.reason);
        (record.reason_field, record.caused_by) = (launch.reason_field.clone(), launch.caused_by.clone());
        record.image = launch.image.clone();
        if !launch.is_cache_enabled || launch.cache_key.is_empty() {
            record.cache_use = Some(CacheUse { answer: CacheAnswer::Off, ..CacheUse::default() });
        }
        replace(&mut record.override_inputs, launch.override_inputs.clone());
        replace(&mut record.candidate, launch.candidate.clone());
        change.mark_dirty();
        Ok(())
    }

    /// Note what the cache had to say of a task. `is_shown`: taken with what is dirty, else with the next change.
    ///
    /// # Errors
    /// [`RecordError::Unknown`].
    pub fn note_cache(&mut self, task_id: i64, cache_use: CacheUse, is_shown: bool) -> Result<()> {
        let mut change = self.change(task_id)?;
        change.entry.record.cache_use = Some(cache_use);
        if is_shown {
            change.mark_dirty();
        }
        Ok(())
    }

    /// Move the tasks of these attempts (task, number) to RUNNING: the rows to store, which do not count as dirty.
    ///
    /// # Errors
    /// [`RecordError::Unknown`], [`RecordError::IllegalMove`].
    pub fn start_attempts(&mut self, starts: &[(i64, i32)], now_ns: i64) -> Result<TaskRows> {
        self.starting.clear();
        let mut rows = TaskRows::with_capacity(starts.len());
        for &(task_id, number) in starts {
            let mut change = self.change(task_id)?;
            let record = &change.entry.record;
            let before = BeforeStart {
                task_id,
                state: record.state,
                attempts: record.attempts,
                started_ns: record.started_ns,
                changes: record.history.len(),
            };
            if before.state != State::Running {
                change.move_to(State::Running, now_ns)?;
            }
            let record = &mut change.entry.record;
            record.attempts = number;
            if record.started_ns == 0 {
                record.started_ns = now_ns;
            }
            rows.push_record(record);
            change.entry.is_dirty = false;
            self.starting.push(before);
        }
        Ok(rows)
    }

    /// Of the last starts those that `were_refused` says were refused: their records are again what they were before.
    ///
    /// # Errors
    /// [`RecordError::Unknown`].
    pub fn take_back(&mut self, were_refused: impl Fn(i64) -> bool) -> Result<()> {
        for before in std::mem::take(&mut self.starting) {
            if !were_refused(before.task_id) {
                continue;
            }
            let mut change = self.change(before.task_id)?;
            let record = &mut change.entry.record;
            (record.state, record.attempts) = (before.state, before.attempts);
            record.started_ns = before.started_ns;
            record.history.truncate(before.changes);
            change.mark_dirty();
        }
        Ok(())
    }

    /// An attempt failed, and the task will be tried again.
    ///
    /// # Errors
    /// [`RecordError::Unknown`].
    pub fn await_retry(&mut self, task_id: i64, failure: Failure, now_ns: i64) -> Result<()> {
        let mut change = self.change(task_id)?;
        let record = &mut change.entry.record;
        record.history.push(StateChange { at_ns: now_ns, state: State::Failed, error: Some(failure) });
        if record.state == State::Running {
            change.move_to(State::Pending, now_ns)?;
        }
        Ok(())
    }

    /// Every leaf that runs is asked to stop.
    ///
    /// # Errors
    /// [`RecordError::IllegalMove`].
    pub fn mark_cancelling(&mut self, now_ns: i64) -> Result<()> {
        let is_leaf = |record: &TaskRecord| matches!(record.kind, Kind::Container | Kind::Importer);
        let running = self.entries.values().map(|entry| &entry.record);
        let running: Vec<i64> = running
            .filter(|record| record.state == State::Running && is_leaf(record))
            .map(|record| record.task_id)
            .collect();
        running.into_iter().try_for_each(|task_id| self.change(task_id)?.move_to(State::Cancelling, now_ns))
    }

    /// A leaf has ended (`kill_method`: how its processes were), or, PENDING, waits for inputs that are lost.
    ///
    /// # Errors
    /// [`RecordError::Unknown`], [`RecordError::IllegalMove`].
    pub fn end_leaf(&mut self, event: &LeafEnded, kill_method: &str, now_ns: i64) -> Result<()> {
        let order = self.event_count + 1;
        let mut change = self.change(event.task_id)?;
        let record = &mut change.entry.record;
        if event.state == State::Pending {
            record.lost_inputs.push(LostInputs { order, inputs: Some(event.outputs.clone().unwrap_or_default()) });
            change.mark_dirty();
            self.event_count = order;
            return Ok(());
        }
        replace(&mut record.outputs, event.outputs.clone());
        replace(&mut record.error, event.error.clone());
        if event.source.is_some() {
            record.source.clone_from(&event.source);
            (record.verdict, record.reason) = (Verdict::Reuse, Reason::CacheHit);
        }
        if event.state == State::NotTriggered {
            (record.verdict, record.reason) = (Verdict::NotTriggered, Reason::FailFast);
        }
        if event.state == State::Succeeded || record.attempts != 0 {
            record.candidate = None; // an earlier outcome stands in only for a task that never started
        }
        record.end_order = order;
        record.ended_ns = now_ns;
        kill_method.clone_into(&mut record.kill_method);
        let moved = change.move_to(event.state, now_ns);
        self.event_count = order;
        self.has_failed |= event.state == State::Failed;
        moved
    }

    /// The rows to store. They count as stored: a write that fails ends the server's hold of the run.
    pub fn take_dirty(&mut self) -> TaskRows {
        let dirty = std::mem::take(&mut self.dirty);
        let mut rows = TaskRows::with_capacity(dirty.len());
        for task_id in dirty {
            if let Some(entry) = self.entries.get_mut(&task_id).filter(|entry| entry.is_dirty) {
                entry.is_dirty = false;
                rows.push_record(&entry.record);
            }
        }
        rows
    }

    fn change(&mut self, task_id: i64) -> Result<Change<'_>> {
        let Self { entries, moves, dirty, .. } = self;
        let entry = entries.get_mut(&task_id).ok_or(RecordError::Unknown(task_id))?;
        Ok(Change { entry, moves, dirty })
    }
}

/// The end of a leaf that has left nothing.
pub fn plain_success(task_id: i64) -> LeafEnded {
    LeafEnded { task_id, state: State::Succeeded, outputs: Some(Values::default()), ..LeafEnded::default() }
}

fn replace<T>(field: &mut Option<T>, with: Option<T>) {
    if with.is_some() {
        *field = with;
    }
}

fn as_event(record: &TaskRecord) -> LeafEnded {
    LeafEnded {
        task_id: record.task_id,
        state: record.state,
        outputs: Some(record.outputs.clone().unwrap_or_default()),
        error: record.error.clone(),
        source: record.source.clone(),
    }
}

#[cfg(test)]
mod tests;
