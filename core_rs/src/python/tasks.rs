//! Rows of tasks in the core: from the machine of a run to the rows that a store writes, without an object for each.

use std::sync::Arc;

use pyo3::exceptions::{PyIndexError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBytes, PyString};

use super::{at_once, guarded};
use crate::message::Enum;
use crate::records::Moves;
use crate::segments::{
    self, Attempt, AttemptState, Known, SegmentRow, Segments, StoredSegment, TaskWrite as Write, WriteError,
};
use crate::task_rows;

/// Task id, path, state, record.
type RowTuple<'py> = (i64, Bound<'py, PyString>, i32, Bound<'py, PyBytes>);

/// Rows of tasks: a sequence of (task id, path, state, record), each made when it is asked for.
#[pyclass(frozen, sequence, module = "reprise._core")]
pub struct TaskRows {
    rows: Arc<task_rows::TaskRows>,
}

impl TaskRows {
    pub fn new(rows: task_rows::TaskRows) -> Self {
        Self { rows: Arc::new(rows) }
    }
}

#[pymethods]
impl TaskRows {
    fn __len__(&self) -> usize {
        self.rows.len()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, place: isize) -> PyResult<RowTuple<'py>> {
        let found = usize::try_from(place).ok().and_then(|place| self.rows.get(place));
        let row = found.ok_or_else(|| PyIndexError::new_err("no such row"))?;
        Ok((row.task_id, PyString::new(py, row.path), row.state, PyBytes::new(py, row.record)))
    }
}

/// Those of a batch as they are, or of any other sequence of (task id, path, state, record).
fn rows_of(given: &Bound<'_, PyAny>) -> PyResult<Arc<task_rows::TaskRows>> {
    if let Ok(batch) = given.cast::<TaskRows>() {
        return Ok(Arc::clone(&batch.get().rows));
    }
    let mut rows = task_rows::TaskRows::default();
    for row in given.try_iter()? {
        let (task_id, path, state, record): (i64, PyBackedStr, i32, PyBackedBytes) = row?.extract()?;
        rows.push(task_rows::TaskRow { task_id, path: &path, state, record: &record });
    }
    Ok(Arc::new(rows))
}

/// Task id, number, state, executor, handle, started_ns, ended_ns, is_counted, exit.
type AttemptTuple = (i64, u32, i32, PyBackedStr, PyBackedBytes, i64, i64, bool, PyBackedBytes);

struct GivenAttempt {
    row: AttemptTuple,
    state: AttemptState,
}

impl GivenAttempt {
    fn new(row: AttemptTuple) -> PyResult<Self> {
        let state = state_of(row.2)?;
        Ok(Self { row, state })
    }

    fn as_attempt(&self) -> Attempt<'_> {
        let (task_id, number, _, executor, handle, started_ns, ended_ns, is_counted, exit) = &self.row;
        Attempt {
            task_id: *task_id,
            number: *number,
            state: self.state,
            executor,
            handle,
            started_ns: *started_ns,
            ended_ns: *ended_ns,
            is_counted: *is_counted,
            exit,
        }
    }
}

fn state_of(number: i32) -> PyResult<AttemptState> {
    AttemptState::from_number(number).map_err(|_| PyValueError::new_err(format!("{number} is no state of an attempt")))
}

/// Number, entries, states, attempt states, attempt numbers, attempt fences.
type StoredTuple = (i64, i64, PyBackedBytes, PyBackedBytes, PyBackedBytes, PyBackedBytes);

fn as_stored(row: &StoredTuple) -> StoredSegment<'_> {
    let (number, entries, states, attempt_states, attempt_numbers, attempt_fences) = row;
    StoredSegment { number: *number, entries: *entries, states, attempt_states, attempt_numbers, attempt_fences }
}

/// The moves that a task may make: what writes are worked out by.
#[pyclass(frozen, module = "reprise._core")]
pub struct TaskRules {
    moves: Moves,
}

#[pymethods]
impl TaskRules {
    #[new]
    fn new(moves: Vec<(i32, i32)>) -> Self {
        Self { moves: Moves::new(moves) }
    }
}

/// What has to be looked up before a write can be worked out.
#[pyclass(frozen, get_all, module = "reprise._core")]
pub struct Unknown {
    /// Attempts (task, number), of which the states are needed.
    attempts: Vec<(i64, u32)>,
    /// Tasks, of which the paths are needed.
    paths: Vec<i64>,
}

/// The rows to store, or what has to be looked up first.
#[derive(IntoPyObject)]
pub enum Answer<'py> {
    Rows(Rows<'py>),
    Unknown(Unknown),
}

/// What was looked up: attempts (task, number, state), and (task, path).
type Found = (Vec<(i64, u32, i32)>, Vec<(i64, String)>);

fn known(found: Found) -> PyResult<Known> {
    let (attempts, paths) = found;
    let states = attempts.into_iter().map(|(task_id, number, state)| Ok(((task_id, number), state_of(state)?)));
    Ok(Known { attempts: states.collect::<PyResult<_>>()?, paths: paths.into_iter().collect() })
}

/// What one write of a run says of its tasks and their attempts.
#[pyclass(frozen, module = "reprise._core")]
pub struct TaskWrite {
    tasks: Vec<Arc<task_rows::TaskRows>>,
    attempts: Vec<GivenAttempt>,
    starts: Vec<GivenAttempt>,
    fence: i64,
}

impl TaskWrite {
    fn with<T>(&self, work: impl FnOnce(&Write<'_>) -> T) -> T {
        let tasks: Vec<&task_rows::TaskRows> = self.tasks.iter().map(Arc::as_ref).collect();
        let attempts: Vec<Attempt<'_>> = self.attempts.iter().map(GivenAttempt::as_attempt).collect();
        let starts: Vec<Attempt<'_>> = self.starts.iter().map(GivenAttempt::as_attempt).collect();
        work(&Write { tasks: &tasks, attempts: &attempts, starts: &starts, fence: self.fence })
    }
}

/// (run, number, entries, states, attempt states, attempt numbers, attempt fences) of a segment.
type NewSegment<'py> =
    (i64, i64, i64, Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// The same, run and number at the end.
type ChangedSegment<'py> =
    (i64, Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>, i64, i64);

/// New segments, changed ones, entries of tasks, entries of attempts, the changes and their number.
type Rows<'py> = (
    Vec<NewSegment<'py>>,
    Vec<ChangedSegment<'py>>,
    Vec<(i64, i64, i64, String, Bound<'py, PyBytes>)>,
    Vec<(i64, i64, i64, String)>,
    String,
    i64,
);

#[pymethods]
impl TaskWrite {
    #[new]
    fn new(
        tasks: Vec<Bound<'_, PyAny>>,
        attempts: Vec<AttemptTuple>,
        starts: Vec<AttemptTuple>,
        fence: i64,
    ) -> PyResult<Self> {
        let given = |rows: Vec<AttemptTuple>| rows.into_iter().map(GivenAttempt::new).collect::<PyResult<Vec<_>>>();
        Ok(Self {
            tasks: tasks.iter().map(rows_of).collect::<PyResult<_>>()?,
            attempts: given(attempts)?,
            starts: given(starts)?,
            fence,
        })
    }

    /// The numbers of the segments that it concerns.
    fn segments(&self) -> PyResult<Vec<i64>> {
        at_once(|| self.with(|write| write.segments()))
    }

    /// The rows to store, given the rows of these segments, and what was found of what is not in them.
    #[pyo3(signature = (rules, run_id, segments, found=None))]
    fn rows<'py>(
        &self,
        py: Python<'py>,
        rules: &TaskRules,
        run_id: i64,
        segments: Vec<StoredTuple>,
        found: Option<Found>,
    ) -> PyResult<Answer<'py>> {
        let known = found.map(known).transpose()?;
        let work_out = |write: &Write<'_>| {
            let stored: Vec<StoredSegment<'_>> = segments.iter().map(as_stored).collect();
            let mut segments = Segments::new(write, &stored)?;
            if known.is_none() {
                let unknown = segments.unknown(write)?;
                if !unknown.is_empty() {
                    return Ok(Err(unknown));
                }
            }
            segments.work_out(write, &rules.moves, &known.unwrap_or_default()).map(Ok)
        };
        let written = match guarded(py, || self.with(work_out))? {
            Ok(Ok(written)) => written,
            Ok(Err(segments::Unknown { attempts, paths })) => {
                return Ok(Answer::Unknown(Unknown { attempts, paths }));
            }
            Err(error @ WriteError::Illegal(_)) => return Err(PyValueError::new_err(error.to_string())),
            Err(error @ WriteError::Broken(_)) => return Err(PyRuntimeError::new_err(error.to_string())),
        };
        let columns = |row: &SegmentRow| {
            let SegmentRow { states, attempt_states, attempt_numbers, attempt_fences, .. } = row;
            [states, attempt_states, attempt_numbers, attempt_fences].map(|column| PyBytes::new(py, column))
        };
        let new = written.new.iter().map(|row| {
            let [states, attempt_states, numbers, fences] = columns(row);
            (run_id, row.number, row.entries, states, attempt_states, numbers, fences)
        });
        let changed = written.changed.iter().map(|row| {
            let [states, attempt_states, numbers, fences] = columns(row);
            (row.entries, states, attempt_states, numbers, fences, run_id, row.number)
        });
        let tasks = written
            .tasks
            .into_iter()
            .map(|(segment, entry, tasks, records)| (run_id, segment, entry, tasks, PyBytes::new(py, &records)));
        let attempts =
            written.attempts.into_iter().map(|(segment, entry, attempts)| (run_id, segment, entry, attempts));
        Ok(Answer::Rows((
            new.collect(),
            changed.collect(),
            tasks.collect(),
            attempts.collect(),
            written.changes,
            written.change_count,
        )))
    }
}
