//! Rows of tasks as a store keeps them, many in one piece.

use crate::message::{Enum, Message};
use crate::messages::TaskRecord;
use crate::wire::Writer;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TaskRow<'a> {
    /// Of the task.
    pub task_id: i64,
    /// The task's path.
    pub path: &'a str,
    /// The number of its [`State`](crate::messages::State).
    pub state: i32,
    /// The encoded [`TaskRecord`].
    pub record: &'a [u8],
}

/// Where the texts of a row end; they begin where those of the one before do.
#[derive(Debug, Clone, Copy)]
struct End {
    task_id: i64,
    state: i32,
    path: usize,
    record: usize,
}

/// Rows in the order in which they were added: one buffer for all their paths, one for all their records.
#[derive(Debug, Default)]
pub struct TaskRows {
    ends: Vec<End>,
    paths: String,
    records: Writer,
}

impl TaskRows {
    /// None yet, with room for so many.
    pub fn with_capacity(rows: usize) -> Self {
        Self { ends: Vec::with_capacity(rows), ..Self::default() }
    }

    /// Add a row.
    pub fn push(&mut self, row: TaskRow<'_>) {
        self.records.raw(row.record);
        self.end(row.task_id, row.state, row.path);
    }

    /// Add the row of a record.
    pub fn push_record(&mut self, record: &TaskRecord) {
        record.encode_into(&mut self.records);
        self.end(record.task_id, record.state.number(), &record.path);
    }

    fn end(&mut self, task_id: i64, state: i32, path: &str) {
        self.paths.push_str(path);
        self.ends.push(End { task_id, state, path: self.paths.len(), record: self.records.as_bytes().len() });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The row at a place, from 0.
    pub fn get(&self, place: usize) -> Option<TaskRow<'_>> {
        let end = self.ends.get(place)?;
        let start = place.checked_sub(1).and_then(|before| self.ends.get(before));
        let (path, record) = start.map_or((0, 0), |start| (start.path, start.record));
        Some(TaskRow {
            task_id: end.task_id,
            path: self.paths.get(path..end.path)?,
            state: end.state,
            record: self.records.as_bytes().get(record..end.record)?,
        })
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = TaskRow<'_>> {
        (0..self.len()).filter_map(|place| self.get(place))
    }
}

impl PartialEq for TaskRows {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::State;

    #[test]
    fn rows_are_given_back_as_they_were_added() {
        let record = TaskRecord { task_id: 9, path: "a.é".into(), state: State::Failed, ..TaskRecord::default() };
        let given = TaskRow { task_id: -3, path: "", state: 2, record: &[] };
        let mut rows = TaskRows::with_capacity(2);
        assert!(rows.is_empty());
        rows.push(given);
        rows.push_record(&record);
        rows.push(TaskRow { record: b"r", path: "b", ..given });
        let encoded = record.encode();
        let made = TaskRow { task_id: 9, path: "a.é", state: 7, record: &encoded };
        assert_eq!(rows.iter().collect::<Vec<_>>(), [given, made, TaskRow { record: b"r", path: "b", ..given }]);
        assert_eq!((rows.len(), rows.get(3)), (3, None));
    }
}
