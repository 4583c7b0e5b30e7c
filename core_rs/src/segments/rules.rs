//! The rules by which tasks and attempts come to what a write says of them, and the rows that follow.

use std::collections::BTreeMap;
use std::fmt;

use super::entries::List;
use super::segment::{place_of, segment_of, Place, Segment, SegmentRow, StoredSegment, SIZE};
use super::{Attempt, AttemptState, TaskWrite};
use crate::message::Enum;
use crate::messages::State;
use crate::records::Moves;
use crate::task_rows::TaskRow;

/// Why nothing may be written.
#[derive(Debug, PartialEq)]
pub enum WriteError {
    /// The rules speak against what is said. The words are the caller's answer.
    Illegal(String),
    /// What is stored of this segment is not what was written, or not all that was asked about has been looked up.
    Broken(i64),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Illegal(words) => f.write_str(words),
            Self::Broken(segment) => write!(f, "segment {segment} of the run is not as it was written"),
        }
    }
}

type Result<T> = std::result::Result<T, WriteError>;

/// What has to be looked up, if there is any, before a write can be worked out: none of it is in the rows of segments.
#[derive(Debug, Default, PartialEq)]
pub struct Unknown {
    /// (task, number) of attempts that are not the last of their tasks.
    pub attempts: Vec<(i64, u32)>,
    /// Tasks that start and of which the write has no row: their paths.
    pub paths: Vec<i64>,
}

impl Unknown {
    /// Whether there is nothing to look up.
    pub fn is_empty(&self) -> bool {
        self.attempts.is_empty() && self.paths.is_empty()
    }
}

/// What was found of [`Unknown`]. What there is not is left out.
#[derive(Debug, Default)]
pub struct Known {
    /// By (task, number).
    pub attempts: BTreeMap<(i64, u32), AttemptState>,
    /// By task.
    pub paths: BTreeMap<i64, String>,
}

/// The rows to write.
#[derive(Debug, Default, PartialEq)]
pub struct Written {
    /// Segments of which there is no row yet, by number.
    pub new: Vec<SegmentRow>,
    /// The others, by number.
    pub changed: Vec<SegmentRow>,
    /// (segment, number of the entry, entries, records) of what was said of tasks.
    pub tasks: Vec<(i64, i64, String, Vec<u8>)>,
    /// (segment, number of the entry, entries) of what was said of attempts.
    pub attempts: Vec<(i64, i64, String)>,
    /// What has changed, as items of a JSON list: (task, attempt, state before, state after).
    pub changes: String,
    /// How many these are.
    pub change_count: i64,
}

impl TaskWrite<'_> {
    /// The numbers of the segments that it concerns, sorted.
    pub fn segments(&self) -> Vec<i64> {
        let tasks = self.tasks.iter().flat_map(|rows| rows.iter()).map(|row| row.task_id);
        let attempts = self.attempts.iter().chain(self.starts).map(|attempt| attempt.task_id);
        let mut numbers: Vec<i64> = Vec::new();
        for number in tasks.chain(attempts).map(segment_of) {
            if numbers.last() != Some(&number) {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

/// A segment with what is being said of it.
#[derive(Debug)]
struct Open<'a> {
    segment: Segment,
    /// By place: the path of the task, where the write has a row of it.
    paths: [Option<&'a str>; SIZE],
    tasks: List,
    records: Vec<u8>,
    attempts: List,
}

/// The segments that a write concerns.
#[derive(Debug)]
pub struct Segments<'a> {
    /// By number.
    open: Vec<Open<'a>>,
    /// The one that was asked for last: neighbours are told of one after the other.
    last: usize,
    changes: List,
    change_count: i64,
}

impl<'a> Segments<'a> {
    /// `stored`: the rows that there are of the segments of `write`, and maybe others.
    ///
    /// # Errors
    /// [`WriteError::Broken`].
    pub fn new(write: &TaskWrite<'a>, stored: &[StoredSegment<'_>]) -> Result<Self> {
        let mut rows: BTreeMap<i64, &StoredSegment<'_>> = stored.iter().map(|row| (row.number, row)).collect();
        let mut open = Vec::new();
        for number in write.segments() {
            let segment = match rows.remove(&number) {
                Some(row) => Segment::read(row).ok_or(WriteError::Broken(number))?,
                None => Segment::new(number),
            };
            let (tasks, attempts) = (List::default(), List::default());
            open.push(Open { segment, paths: [None; SIZE], tasks, records: Vec::new(), attempts });
        }
        let mut segments = Self { open, last: 0, changes: List::default(), change_count: 0 };
        if !write.starts.is_empty() {
            for row in write.tasks.iter().flat_map(|rows| rows.iter()) {
                segments.of(row.task_id)?.paths[place_of(row.task_id)] = Some(row.path);
            }
        }
        Ok(segments)
    }

    /// What these segments do not say and `write` needs.
    ///
    /// # Errors
    /// [`WriteError::Broken`].
    pub fn unknown(&mut self, write: &TaskWrite<'_>) -> Result<Unknown> {
        let mut unknown = Unknown::default();
        for attempt in write.attempts {
            if self.of(attempt.task_id)?.segment.place(attempt.task_id).attempt_number != attempt.number {
                unknown.attempts.push((attempt.task_id, attempt.number));
            }
        }
        for start in write.starts {
            if self.of(start.task_id)?.paths[place_of(start.task_id)].is_none() {
                unknown.paths.push(start.task_id);
            }
        }
        Ok(unknown)
    }

    /// All that `write` says, in its order; either all of it holds or nothing may be written.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn work_out(mut self, write: &TaskWrite<'_>, moves: &Moves, known: &Known) -> Result<Written> {
        for row in write.tasks.iter().flat_map(|rows| rows.iter()) {
            self.change_task(&row, moves)?;
        }
        // What became of those that ran comes before what starts.
        for attempt in write.attempts {
            self.change_attempt(attempt, known)?;
        }
        for start in write.starts {
            self.start_attempt(start, write.fence, known)?;
        }
        Ok(self.into_rows())
    }

    fn of(&mut self, task_id: i64) -> Result<&mut Open<'a>> {
        let number = segment_of(task_id);
        if self.open.get(self.last).is_none_or(|open| open.segment.number != number) {
            let found = self.open.binary_search_by_key(&number, |open| open.segment.number);
            self.last = found.map_err(|_| WriteError::Broken(number))?;
        }
        self.open.get_mut(self.last).ok_or(WriteError::Broken(number))
    }

    fn log(&mut self, task_id: i64, attempt: u32, before: i32, after: i32) {
        self.changes.add_change(task_id, attempt, before, after);
        self.change_count += 1;
    }

    fn change_task(&mut self, row: &TaskRow<'_>, moves: &Moves) -> Result<()> {
        let open = self.of(row.task_id)?;
        let place = open.segment.place_mut(row.task_id);
        let before = place.state;
        // One of which nothing has been said begins as PENDING, whatever it is by now.
        let from = if before == State::Unspecified { State::Pending } else { before };
        let after = State::from_number(row.state).map_err(|_| illegal_move(from, row.state))?;
        if before == after && moves.is_final(before) {
            return Ok(()); // said before; an outcome does not change
        }
        if from != after && !moves.allow(from, after) {
            return Err(illegal_move(from, row.state));
        }
        place.state = after;
        open.tasks.add_task(row);
        open.records.extend_from_slice(row.record);
        if before != after {
            self.log(row.task_id, 0, before.number(), row.state);
        }
        Ok(())
    }

    fn change_attempt(&mut self, attempt: &Attempt<'_>, known: &Known) -> Result<()> {
        let &Attempt { task_id, number, state: after, .. } = attempt;
        let open = self.of(task_id)?;
        let place = open.segment.place_mut(task_id);
        let is_last = place.attempt_number == number;
        let earlier = || known.attempts.get(&(task_id, number)).copied().unwrap_or_default();
        let before = if is_last { place.attempt_state } else { earlier() };
        if before == AttemptState::Unspecified {
            return Err(WriteError::Illegal(format!("attempt {number} of task {task_id} was never started")));
        }
        if before.has_ended() && before == after {
            return Ok(()); // said before; an outcome does not change
        }
        if before.has_ended() || after < before {
            let (before, after) = (name_of(before), name_of(after));
            return Err(WriteError::Illegal(format!(
                "attempt {number} of task {task_id} cannot go from {before} to {after}"
            )));
        }
        if !is_last {
            // No other has started before it had ended.
            return Err(WriteError::Broken(segment_of(task_id)));
        }
        place.attempt_state = after;
        let fence = place.attempt_fence;
        open.attempts.add_attempt(attempt, fence, "");
        if before != after {
            self.log(task_id, number, before.number(), after.number());
        }
        Ok(())
    }

    fn start_attempt(&mut self, start: &Attempt<'_>, fence: i64, known: &Known) -> Result<()> {
        let &Attempt { task_id, number, state, .. } = start;
        let open = self.of(task_id)?;
        let place = open.segment.place_mut(task_id);
        if (place.attempt_number, place.attempt_state, place.attempt_fence) == (number, state, fence) {
            return Ok(()); // this very start, said before
        }
        check_may_start(start, place)?;
        if place.state == State::Unspecified {
            return Err(WriteError::Illegal(format!("task {task_id}, which is to start, does not exist")));
        }
        let path = open.paths[place_of(task_id)].or_else(|| known.paths.get(&task_id).map(String::as_str));
        let path = path.ok_or(WriteError::Broken(segment_of(task_id)))?;
        *place = Place { attempt_state: state, attempt_number: number, attempt_fence: fence, ..*place };
        open.attempts.add_attempt(start, fence, path);
        self.log(task_id, number, 0, state.number());
        Ok(())
    }

    fn into_rows(self) -> Written {
        let mut written = Written { change_count: self.change_count, ..Written::default() };
        for open in self.open {
            if open.tasks.is_empty() && open.attempts.is_empty() {
                continue;
            }
            let row = open.segment.row();
            let (segment, entry) = (row.number, row.entries);
            if open.segment.is_stored { &mut written.changed } else { &mut written.new }.push(row);
            if !open.tasks.is_empty() {
                written.tasks.push((segment, entry, open.tasks.into_text(), open.records));
            }
            if !open.attempts.is_empty() {
                written.attempts.push((segment, entry, open.attempts.into_text()));
            }
        }
        written.changes = self.changes.items().to_owned();
        written
    }
}

/// No attempt of the task before it lives or has succeeded.
fn check_may_start(start: &Attempt<'_>, task: &Place) -> Result<()> {
    let (task_id, number) = (start.task_id, start.number);
    let (last, last_state) = (task.attempt_number, task.attempt_state);
    let refusal = if start.state.has_ended() || start.state == AttemptState::Unspecified {
        format!("attempt {number} of task {task_id} cannot begin at its end")
    } else if last >= number {
        format!("attempt {number} of task {task_id} was started before")
    } else if last > 0 && (last_state == AttemptState::Succeeded || !last_state.has_ended()) {
        format!("task {task_id} cannot start again: attempt {last} is {}", name_of(last_state))
    } else {
        return Ok(());
    };
    Err(WriteError::Illegal(refusal))
}

fn illegal_move(from: State, target: i32) -> WriteError {
    let target = State::from_number(target).map_or_else(|_| target.to_string(), name_of);
    WriteError::Illegal(format!("a task cannot go from {} to {target}", name_of(from)))
}

/// As the public API spells it: `NotTriggered` is NOT_TRIGGERED.
fn name_of(state: impl fmt::Debug) -> String {
    let mut name = String::new();
    for character in format!("{state:?}").chars() {
        if character.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(character.to_ascii_uppercase());
    }
    name
}
