//! A segment: what each of some neighbouring tasks and its last attempt have come to, as a store keeps it.

use crate::message::Enum;
use crate::messages::State;
use crate::segments::AttemptState;

/// Tasks are of one segment if their ids differ in these last bits alone. So few that what is written of a segment each
/// time, 14 bytes for each place, fits into a page beside others: a chain writes it for one task.
pub const SEGMENT_BITS: u32 = 6;
/// How many places a segment has.
pub const SIZE: usize = 1 << SEGMENT_BITS;

/// The segment of a task.
pub fn segment_of(task_id: i64) -> i64 {
    task_id >> SEGMENT_BITS
}

/// The place of a task in its segment, below [`SIZE`].
pub fn place_of(task_id: i64) -> usize {
    (task_id & ((1 << SEGMENT_BITS) - 1)) as usize
}

/// A segment's row as it was read. By place, which is what a task's id leaves over; numbers little-endian.
#[derive(Debug, Clone, Copy)]
pub struct StoredSegment<'a> {
    /// Of the segment.
    pub number: i64,
    /// How many writes have concerned it.
    pub entries: i64,
    /// A byte each: the state of the task; 0: there is none.
    pub states: &'a [u8],
    /// A byte each: the state of the task's last attempt; 0: there is none.
    pub attempt_states: &'a [u8],
    /// 4 bytes each: the number of that attempt.
    pub attempt_numbers: &'a [u8],
    /// 8 bytes each: the fence under which it was started.
    pub attempt_fences: &'a [u8],
}

/// A segment's row as it is to be stored.
#[derive(Debug, PartialEq)]
pub struct SegmentRow {
    /// Of the segment.
    pub number: i64,
    /// See [`StoredSegment`], also for the others.
    pub entries: i64,
    /// The states of the tasks.
    pub states: Vec<u8>,
    /// The states of their last attempts.
    pub attempt_states: Vec<u8>,
    /// The numbers of those.
    pub attempt_numbers: Vec<u8>,
    /// The fences of those.
    pub attempt_fences: Vec<u8>,
}

/// What a task and its last attempt have come to; all 0: there is none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    pub state: State,
    pub attempt_state: AttemptState,
    pub attempt_number: u32,
    pub attempt_fence: i64,
}

/// A segment as it is after what has been said so far.
#[derive(Debug)]
pub struct Segment {
    pub number: i64,
    pub entries: i64,
    pub is_stored: bool,
    places: [Place; SIZE],
}

impl Segment {
    /// One of whose tasks nothing has been said yet.
    pub fn new(number: i64) -> Self {
        Self { number, entries: 0, is_stored: false, places: [Place::default(); SIZE] }
    }

    /// `None` for a row that is not as it was written.
    pub fn read(stored: &StoredSegment<'_>) -> Option<Self> {
        let mut segment = Self { entries: stored.entries, is_stored: true, ..Self::new(stored.number) };
        let (numbers, no_rest) = stored.attempt_numbers.as_chunks::<4>();
        let (fences, none_either) = stored.attempt_fences.as_chunks::<8>();
        let lengths = [stored.states.len(), stored.attempt_states.len(), numbers.len(), fences.len()];
        if lengths != [SIZE; 4] || !no_rest.is_empty() || !none_either.is_empty() {
            return None;
        }
        let states = stored.states.iter().zip(stored.attempt_states);
        for (place, ((states, number), fence)) in segment.places.iter_mut().zip(states.zip(numbers).zip(fences)) {
            *place = Place {
                state: State::from_number(i32::from(*states.0)).ok()?,
                attempt_state: AttemptState::from_number(i32::from(*states.1)).ok()?,
                attempt_number: u32::from_le_bytes(*number),
                attempt_fence: i64::from_le_bytes(*fence),
            };
        }
        Some(segment)
    }

    /// As it is to be stored, with an entry more.
    pub fn row(&self) -> SegmentRow {
        let places = self.places.iter();
        SegmentRow {
            number: self.number,
            entries: self.entries.saturating_add(1),
            states: places.clone().map(|place| place.state.number() as u8).collect(),
            attempt_states: places.clone().map(|place| place.attempt_state.number() as u8).collect(),
            attempt_numbers: places.clone().flat_map(|place| place.attempt_number.to_le_bytes()).collect(),
            attempt_fences: places.flat_map(|place| place.attempt_fence.to_le_bytes()).collect(),
        }
    }

    /// Of a task of this segment.
    pub fn place(&self, task_id: i64) -> Place {
        self.places[place_of(task_id)]
    }

    /// Of a task of this segment.
    pub fn place_mut(&mut self, task_id: i64) -> &mut Place {
        &mut self.places[place_of(task_id)]
    }
}
