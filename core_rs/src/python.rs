//! The face towards Python: bytes in, bytes out, the interpreter free to go on meanwhile.
//!
//! Invariant: no panic crosses into Python as one; it becomes a RuntimeError. This module alone names pyo3.

mod tasks;

use std::mem::MaybeUninit;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::PyBytes;

// Links the C functions that the spawner process calls by name.
use reprise_host as _;
use reprise_host::presence::{are_unchanged, Known};

use crate::api;
use crate::compiled::{read_artifacts, Labels, Refusal};
use crate::messages::{CacheUse, Failure, Message};
use crate::pieces::Pieces;
use crate::plan_pages::PlanPages;
use crate::presence;
use crate::recorded::Recorded;
use crate::records::{RecordError, Records};
use crate::render::PlacedLaunch;

fn guarded<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    py.detach(|| at_once(work))
}

/// For what takes less time than it would to get the interpreter back.
fn at_once<T>(work: impl FnOnce() -> T) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| PyRuntimeError::new_err("the core has failed; this is a defect of Reprise"))
}

/// RunRequest to PlanResult.
#[pyfunction]
fn plan<'py>(py: Python<'py>, request: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let result = guarded(py, || api::plan(request))?;
    to_python(py, result)
}

/// RunRequest to PlanResult without tasks, and without the digest unless it is wanted.
#[pyfunction]
fn check<'py>(py: Python<'py>, request: &[u8], wants_digest: bool) -> PyResult<Bound<'py, PyBytes>> {
    let result = guarded(py, || api::check(request, wants_digest))?;
    Ok(PyBytes::new(py, &result))
}

/// RunRequest to the digest of all that its plan depends on. What is large may be given apart.
#[pyfunction]
#[pyo3(signature = (request, spec=None, records=None))]
fn etag<'py>(
    py: Python<'py>,
    request: &[u8],
    spec: Option<&[u8]>,
    records: Option<&[u8]>,
) -> PyResult<Bound<'py, PyBytes>> {
    let result = guarded(py, || api::etag(&pieces(request, spec, records)))?;
    Ok(PyBytes::new(py, &result))
}

/// A google.protobuf.Struct to the SHA-256 of its canonical text; empty where it has none.
#[pyfunction]
fn struct_digest<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let result = guarded(py, || api::struct_digest(data))?;
    Ok(PyBytes::new(py, &result))
}

/// A compiled pipeline to its declared tasks, its default root, and whether it is a whole PipelineJob.
#[pyfunction]
fn outline(py: Python<'_>, spec: &[u8]) -> PyResult<(usize, String, bool)> {
    guarded(py, || api::outline(spec))?.map_err(PyValueError::new_err)
}

/// Whether every client can read these bytes back as a google.protobuf.Struct of at most `deepest` levels.
#[pyfunction]
fn is_plain(py: Python<'_>, data: &[u8], deepest: usize) -> PyResult<bool> {
    guarded(py, || api::is_plain(data, deepest))
}

fn pieces<'a>(request: &'a [u8], spec: Option<&'a [u8]>, records: Option<&'a [u8]>) -> Pieces<'a> {
    Pieces { request, spec: spec.unwrap_or(&[]), records: records.unwrap_or(&[]), cache: &[] }
}

/// Two preimages of keys to KeyDifferences.
#[pyfunction]
fn explain<'py>(py: Python<'py>, old: &[u8], new: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let result = guarded(py, || api::explain(old, new))?;
    Ok(PyBytes::new(py, &result))
}

/// The record, in TaskRecords, of the task with this path or id.
#[pyfunction]
fn find_task<'py>(py: Python<'py>, records: &[u8], task: &str) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let found = guarded(py, || api::find_task(records, task))?.map_err(PyValueError::new_err)?;
    Ok(found.map(|record| PyBytes::new(py, &record)))
}

/// The record in `others` of what is task `task_id` in `records`.
#[pyfunction]
fn same_task<'py>(
    py: Python<'py>,
    records: &[u8],
    task_id: i64,
    others: &[u8],
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let found = guarded(py, || api::same_task(records, task_id, others))?.map_err(PyValueError::new_err)?;
    Ok(found.map(|record| PyBytes::new(py, &record)))
}

/// Head, counts, tasks, ends, cache keys, unchecked URIs.
type Pages<'py> = (
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Vec<String>,
);

/// A PlanResult in the parts that are answered with.
#[pyfunction]
fn plan_pages<'py>(py: Python<'py>, result: &[u8]) -> PyResult<Pages<'py>> {
    let pages = guarded(py, || api::plan_pages(result))?.map_err(PyValueError::new_err)?;
    to_pages(py, pages)
}

/// RunRequest, its spec and its original's records to its plan in those parts. `cache`: RunRequests with more of that.
#[pyfunction]
fn plan_in_parts<'py>(
    py: Python<'py>,
    request: &[u8],
    spec: &[u8],
    records: &[u8],
    cache: Vec<PyBackedBytes>,
) -> PyResult<Pages<'py>> {
    let pages = guarded(py, || {
        let cache: Vec<&[u8]> = cache.iter().map(|more| &**more).collect();
        api::plan_in_parts(&Pieces { request, spec, records, cache: &cache })
    })?
    .map_err(PyValueError::new_err)?;
    to_pages(py, pages)
}

fn to_pages(py: Python<'_>, pages: PlanPages) -> PyResult<Pages<'_>> {
    Ok((
        to_python(py, pages.head)?,
        to_python(py, pages.counts)?,
        to_python(py, pages.tasks)?,
        to_python(py, pages.ends)?,
        to_python(py, pages.cache_keys)?,
        pages.unchecked,
    ))
}

/// From so many bytes on the interpreter is free while they are copied: a gigabyte takes half a second.
const COPIED_APART: usize = 1 << 18;

/// The bytes, given up here.
fn to_python(py: Python<'_>, bytes: Vec<u8>) -> PyResult<Bound<'_, PyBytes>> {
    if bytes.len() < COPIED_APART {
        return Ok(PyBytes::new(py, &bytes));
    }
    let length = isize::try_from(bytes.len())?;
    // SAFETY: without a source the object is made with room for `length` bytes, not yet filled, or an error is set.
    let object = unsafe {
        let made = ffi::PyBytes_FromStringAndSize(std::ptr::null(), length);
        Bound::from_owned_ptr_or_err(py, made)?.cast_into_unchecked::<PyBytes>()
    };
    // SAFETY: the room is the object's own, and lives as long as it; nobody else knows of the object before it is given
    // back, so nothing else reads or writes there.
    let room = unsafe {
        let start = ffi::PyBytes_AsString(object.as_ptr()).cast::<MaybeUninit<u8>>();
        std::slice::from_raw_parts_mut(start, bytes.len())
    };
    py.detach(move || {
        for (place, byte) in room.iter_mut().zip(&bytes) {
            place.write(*byte);
        }
        drop(bytes);
    });
    Ok(object)
}

/// Artifacts of records from a byte on, as (URI, digest, fingerprint), and the byte to go on at.
#[pyfunction]
fn recorded_artifacts(
    py: Python<'_>,
    records: &[u8],
    start: usize,
    most: usize,
) -> PyResult<(Vec<(String, String, String)>, usize)> {
    guarded(py, || {
        let (found, next) = api::recorded_artifacts(records, start, most)?;
        let owned =
            |one: presence::Recorded<'_>| (one.uri.to_owned(), one.digest.to_owned(), one.fingerprint.to_owned());
        Ok((found.into_iter().map(owned).collect(), next))
    })?
    .map_err(|error: String| PyValueError::new_err(error))
}

/// Records with what became of their artifacts, and those of them that lost some.
#[pyfunction]
fn with_presence<'py>(
    py: Python<'py>,
    records: &[u8],
    presences: &[u8],
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let (all, lost) = guarded(py, || api::with_presence(records, presences))?.map_err(PyValueError::new_err)?;
    Ok((to_python(py, all)?, to_python(py, lost)?))
}

/// Records in which others stand in the place of those with their ids.
#[pyfunction]
fn replaced_records<'py>(py: Python<'py>, records: &[u8], others: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let merged = guarded(py, || api::replaced_records(records, others))?.map_err(PyValueError::new_err)?;
    to_python(py, merged)
}

/// RunRequest of a rerun that asks for nothing to the graph and the labels of a CompiledRun, where there is one.
#[pyfunction]
#[pyo3(signature = (request, spec=None, records=None))]
fn compile<'py>(
    py: Python<'py>,
    request: &[u8],
    spec: Option<&[u8]>,
    records: Option<&[u8]>,
) -> PyResult<Option<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>> {
    let Some(compiled) = guarded(py, || api::compile(&pieces(request, spec, records)))? else { return Ok(None) };
    Ok(Some((to_python(py, compiled.graph)?, to_python(py, compiled.labels)?)))
}

/// The graph and the labels of a CompiledRun, and a RunRequest without spec and records, to UnchangedPlan.
#[pyfunction]
fn plan_unchanged<'py>(py: Python<'py>, graph: &[u8], labels: &[u8], asked: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let plan = guarded(py, || api::plan_unchanged(graph, labels, asked))?;
    to_python(py, plan)
}

/// Whether the artifacts that an UnchangedPlan rests on are local files or folders that are as they were.
#[pyfunction]
fn are_artifacts_unchanged(py: Python<'_>, labels: &[u8], plan: &[u8], all: bool) -> PyResult<bool> {
    guarded(py, || {
        let labels = Labels::read(labels)?;
        let artifacts = read_artifacts(&labels, plan, all)?;
        let known = artifacts.iter().map(|artifact| {
            let path = local_path(&artifact.uri)?.into();
            let fingerprint = (!artifact.is_absent).then(|| artifact.fingerprint.to_owned());
            Some(Known { path, fingerprint })
        });
        let known: Option<Vec<Known>> = known.collect();
        Ok(known.is_some_and(|known| are_unchanged(&known)))
    })?
    .map_err(|refusal: Refusal| PyValueError::new_err(refusal.to_string()))
}

/// The file behind a URI that can be read without decoding it.
fn local_path(uri: &str) -> Option<&str> {
    let path = uri.strip_prefix("file://").filter(|path| !path.contains(['%', '?', '#'])).unwrap_or(uri);
    path.starts_with('/').then_some(path)
}

/// Launch and RenderContext to Rendered.
#[pyfunction]
fn render<'py>(py: Python<'py>, launch: &[u8], context: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let result = guarded(py, || api::render(launch, context))?.map_err(PyValueError::new_err)?;
    Ok(PyBytes::new(py, &result))
}

/// Renders the launches of one run.
#[pyclass(frozen, module = "reprise._core")]
struct Renderer {
    renderer: crate::render::Renderer,
}

#[pymethods]
impl Renderer {
    #[new]
    fn new(py: Python<'_>, settings: &[u8]) -> PyResult<Self> {
        let renderer = guarded(py, || api::renderer(settings))?.map_err(PyValueError::new_err)?;
        Ok(Renderer { renderer })
    }

    /// Launches, each with the URI and the folder that it writes to, to Rendered, in their order.
    fn render<'py>(
        &self,
        py: Python<'py>,
        attempts: Vec<(PyBackedBytes, PyBackedStr, PyBackedStr)>,
        staged: Vec<(String, String)>,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let placed: Vec<PlacedLaunch<'_>> = attempts
            .iter()
            .map(|(launch, outputs_uri, outputs_dir)| PlacedLaunch { launch, outputs_uri, outputs_dir })
            .collect();
        let rendered =
            guarded(py, || api::render_all(&self.renderer, &placed, staged))?.map_err(PyValueError::new_err)?;
        Ok(rendered.iter().map(|one| PyBytes::new(py, one)).collect())
    }
}

/// TaskRecords and Values to the fields of a PipelineJobDetail, in parts of so many tasks: the id of each one's first
/// task, and its bytes.
#[pyfunction]
fn job_detail_in_parts<'py>(
    py: Python<'py>,
    records: &[u8],
    outputs: &[u8],
    run_name: &str,
    run_id: i64,
    tasks_in_a_part: usize,
) -> PyResult<Vec<(i64, Bound<'py, PyBytes>)>> {
    let parts = guarded(py, || api::job_detail_in_parts(records, outputs, run_name, run_id, tasks_in_a_part))?
        .map_err(PyValueError::new_err)?;
    parts.into_iter().map(|part| Ok((part.first_task_id, to_python(py, part.detail)?))).collect()
}

/// A compiled pipeline that has been read and checked: for the machines of all runs of it.
#[pyclass(frozen, module = "reprise._core")]
struct Spec {
    spec: Arc<crate::spec::Spec>,
}

#[pymethods]
impl Spec {
    #[new]
    fn new(py: Python<'_>, spec: &[u8]) -> PyResult<Self> {
        let spec = guarded(py, || api::spec(spec))?.map_err(PyValueError::new_err)?;
        Ok(Spec { spec: Arc::new(spec) })
    }
}

/// The state machine of one run, and the records of its tasks.
#[pyclass(frozen, module = "reprise._core")]
struct Run {
    recorded: std::sync::Mutex<Option<Recorded>>,
}

impl Run {
    /// With the interpreter free to go on meanwhile.
    fn work<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Recorded) -> Result<T, String> + Send,
    ) -> PyResult<T> {
        guarded(py, || {
            let mut guard = self.recorded.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            // Taken out while it works: after a panic the machine is gone, not half changed.
            let Some(mut recorded) = guard.take() else {
                return Err("the run's machine has failed before".to_owned());
            };
            let result = work(&mut recorded);
            *guard = Some(recorded);
            result
        })?
        .map_err(PyValueError::new_err)
    }

    fn change(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Records) -> Result<(), RecordError> + Send,
    ) -> PyResult<()> {
        self.work(py, |run| work(&mut run.records).map_err(|error| error.to_string()))
    }
}

#[pymethods]
impl Run {
    #[new]
    #[pyo3(signature = (request, spec=None, records=None, stored=Vec::new(), moves=Vec::new(), read_spec=None))]
    fn new(
        py: Python<'_>,
        request: &[u8],
        spec: Option<&[u8]>,
        records: Option<&[u8]>,
        stored: Vec<PyBackedBytes>,
        moves: Vec<(i32, i32)>,
        read_spec: Option<&Spec>,
    ) -> PyResult<Self> {
        let stored = stored.iter().map(|record| &**record);
        let read_spec = read_spec.map(|read| Arc::clone(&read.spec));
        let recorded = guarded(py, || api::recorded(&pieces(request, spec, records), read_spec, stored, moves))?;
        let recorded = recorded.map_err(PyValueError::new_err)?;
        Ok(Run { recorded: std::sync::Mutex::new(Some(recorded)) })
    }

    /// Events to Decisions, past the records; the first call starts the run.
    fn advance<'py>(&self, py: Python<'py>, events: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let decisions = self.work(py, |run| api::advance(&mut run.machine, events))?;
        to_python(py, decisions)
    }

    /// Start the run or take it up again, to the Decisions that are still to be acted upon.
    fn begin<'py>(&self, py: Python<'py>, now_ns: i64) -> PyResult<Bound<'py, PyBytes>> {
        let decisions = self.work(py, |run| run.begin(now_ns).map_err(|error| error.to_string()))?;
        to_python(py, decisions.encode())
    }

    /// What has happened to the Decisions that are still to be acted upon.
    fn tell<'py>(
        &self,
        py: Python<'py>,
        ended: Vec<(PyBackedBytes, String)>,
        succeeded: Vec<(i64, String)>,
        cancel: bool,
        now_ns: i64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let ended: Vec<(&[u8], String)> = ended.iter().map(|(event, how)| (&**event, how.clone())).collect();
        let decisions = self.work(py, |run| api::tell(run, &ended, succeeded, cancel, now_ns))?;
        to_python(py, decisions)
    }

    /// Whether a task has failed since this was made.
    fn has_failed(&self, py: Python<'_>) -> PyResult<bool> {
        self.work(py, |run| Ok(run.records.has_failed()))
    }

    /// The path of a task that is RUNNING.
    fn any_running(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.work(py, |run| Ok(run.records.any_running().map(str::to_owned)))
    }

    /// The TaskRecord of a task.
    fn record<'py>(&self, py: Python<'py>, task_id: i64) -> PyResult<Bound<'py, PyBytes>> {
        let record = self.work(py, |run| match run.records.get(task_id) {
            Ok(record) => Ok(record.encode()),
            Err(error) => Err(error.to_string()),
        })?;
        to_python(py, record)
    }

    /// All of them as TaskRecords, in the order of their ids.
    fn all_records<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let records = self.work(py, |run| Ok(run.records.encode_all()))?;
        to_python(py, records)
    }

    /// Note a CacheUse.
    fn note_cache(&self, py: Python<'_>, task_id: i64, cache_use: &[u8], is_shown: bool) -> PyResult<()> {
        let cache_use = CacheUse::decode(cache_use).map_err(|error| PyValueError::new_err(error.to_string()))?;
        self.change(py, |records| records.note_cache(task_id, cache_use, is_shown))
    }

    /// Move the tasks of these attempts (task, number) to RUNNING, to the rows to store.
    fn start_attempts(&self, py: Python<'_>, starts: Vec<(i64, i32)>, now_ns: i64) -> PyResult<tasks::TaskRows> {
        let rows = self.work(py, |run| match run.records.start_attempts(&starts, now_ns) {
            Ok(rows) => Ok(rows),
            Err(error) => Err(error.to_string()),
        })?;
        Ok(tasks::TaskRows::new(rows))
    }

    /// Of the last starts these were refused; None: all of them.
    fn take_back(&self, py: Python<'_>, task_ids: Option<std::collections::BTreeSet<i64>>) -> PyResult<()> {
        self.change(py, |records| {
            records.take_back(|task_id| task_ids.as_ref().is_none_or(|refused| refused.contains(&task_id)))
        })
    }

    /// A Failure after which the task is tried again.
    fn await_retry(&self, py: Python<'_>, task_id: i64, failure: &[u8], now_ns: i64) -> PyResult<()> {
        let failure = Failure::decode(failure).map_err(|error| PyValueError::new_err(error.to_string()))?;
        self.change(py, |records| records.await_retry(task_id, failure, now_ns))
    }

    /// The rows to store since the last call.
    fn take_dirty(&self, py: Python<'_>) -> PyResult<tasks::TaskRows> {
        self.work(py, |run| Ok(run.records.take_dirty())).map(tasks::TaskRows::new)
    }
}

/// Per path: (digest, fingerprint) of its content; None where nothing is there. Reads in parallel.
#[pyfunction]
fn digest_paths(py: Python<'_>, paths: Vec<std::path::PathBuf>) -> PyResult<Vec<Option<(String, String)>>> {
    guarded(py, || reprise_host::digest::digest_paths(&paths))?
        .into_iter()
        .map(|found| present(found.map(|digest| (digest.digest, digest.fingerprint))))
        .collect()
}

/// Per path: a mark that changes when it is written to, without reading it; None where nothing is there.
#[pyfunction]
fn fingerprint_paths(py: Python<'_>, paths: Vec<std::path::PathBuf>) -> PyResult<Vec<Option<String>>> {
    guarded(py, || reprise_host::digest::fingerprint_paths(&paths))?.into_iter().map(present).collect()
}

fn present<T>(found: std::io::Result<T>) -> PyResult<Option<T>> {
    match found {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(plan, module)?)?;
    module.add_function(wrap_pyfunction!(check, module)?)?;
    module.add_function(wrap_pyfunction!(etag, module)?)?;
    module.add_function(wrap_pyfunction!(struct_digest, module)?)?;
    module.add_function(wrap_pyfunction!(outline, module)?)?;
    module.add_function(wrap_pyfunction!(is_plain, module)?)?;
    module.add_function(wrap_pyfunction!(explain, module)?)?;
    module.add_function(wrap_pyfunction!(find_task, module)?)?;
    module.add_function(wrap_pyfunction!(same_task, module)?)?;
    module.add_function(wrap_pyfunction!(plan_pages, module)?)?;
    module.add_function(wrap_pyfunction!(plan_in_parts, module)?)?;
    module.add_function(wrap_pyfunction!(recorded_artifacts, module)?)?;
    module.add_function(wrap_pyfunction!(with_presence, module)?)?;
    module.add_function(wrap_pyfunction!(replaced_records, module)?)?;
    module.add_function(wrap_pyfunction!(compile, module)?)?;
    module.add_function(wrap_pyfunction!(plan_unchanged, module)?)?;
    module.add_function(wrap_pyfunction!(are_artifacts_unchanged, module)?)?;
    module.add_function(wrap_pyfunction!(render, module)?)?;
    module.add_function(wrap_pyfunction!(job_detail_in_parts, module)?)?;
    module.add_function(wrap_pyfunction!(digest_paths, module)?)?;
    module.add_function(wrap_pyfunction!(fingerprint_paths, module)?)?;
    module.add_class::<Renderer>()?;
    module.add_class::<Spec>()?;
    module.add_class::<Run>()?;
    module.add_class::<tasks::TaskRows>()?;
    module.add_class::<tasks::TaskRules>()?;
    module.add_class::<tasks::Unknown>()?;
    module.add_class::<tasks::TaskWrite>()
}
