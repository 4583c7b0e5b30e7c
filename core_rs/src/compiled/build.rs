//! How a run is compiled: its own rerun is planned by the general planner, and what that says is kept.
//!
//! Invariant: the sweep over what is kept gives the general planner's plan, or nothing is kept.

use super::ask::Ask;
use super::graph::{Graph, Head, Past, Rule, Waits, RELEASE};
use super::labels::LabelWriter;
use crate::messages::{CompiledRun, RunRequest};

/// What the machine tells of itself, task by task in the order of ids.
#[derive(Debug, Default)]
pub(crate) struct Compilation {
    graph: Graph,
    labels: LabelWriter,
}

/// One task, as the machine has planned it.
#[derive(Debug)]
pub(crate) struct Compiled<'n> {
    pub(crate) name: &'n str,
    pub(crate) parent: u32,
    pub(crate) rule: Rule,
    pub(crate) flags: u8,
    pub(crate) past: Past,
    pub(crate) state: u8,
    pub(crate) verdict: u8,
    pub(crate) reason: u8,
    pub(crate) cause: u32,
    /// What its own condition leaves open.
    pub(crate) own_doubt: Option<Waits>,
    /// Under which the cross-run cache may answer for it.
    pub(crate) cache_key: Option<[u8; super::graph::KEY_BYTES]>,
}

impl Compilation {
    /// Adds the next task.
    pub(crate) fn task(&mut self, task: &Compiled<'_>) {
        let graph = &mut self.graph;
        graph.parents.push(task.parent);
        graph.upstream_ends.push(graph.upstream.len() as u32);
        graph.causes.push(task.cause);
        graph.states.push(task.state);
        graph.verdicts.push(task.verdict);
        graph.reasons.push(task.reason);
        graph.rules.push(task.rule);
        graph.flags.push(task.flags);
        graph.pasts.push(task.past);
        if let Some(doubt) = task.own_doubt {
            graph.doubts.push((graph.parents.len() as u32, doubt));
        }
        if let Some(key) = task.cache_key {
            graph.cache_keys.push((graph.parents.len() as u32, key));
        }
        self.labels.task(task.name, task.flags & super::graph::IS_IMPORTER != 0);
    }

    /// An upstream task of the last one added.
    pub(crate) fn upstream(&mut self, id: u32) {
        self.graph.upstream.push(id);
        if let Some(end) = self.graph.upstream_ends.last_mut() {
            *end = self.graph.upstream.len() as u32;
        }
    }

    /// An artifact of the last task added.
    pub(crate) fn artifact(&mut self, uri: &str, digest: &str, fingerprint: &str) {
        self.labels.artifact(uri, digest, fingerprint);
    }

    /// A task whose artifacts the last one added reads.
    pub(crate) fn reads(&mut self, origin: u32) {
        self.labels.reads(origin);
    }
}

/// The compiled run of a run that has ended: `request` is that of a rerun of it which asks for nothing. `None` where the
/// sweep could not plan such a rerun as the general planner does.
pub fn compile(request: &RunRequest<'_>) -> Option<CompiledRun> {
    if request.cache.iter().len() + request.configs.len() > 0 || request.settings.are_legacy_parameters {
        return None;
    }
    let (result, machine) = crate::plan::undisturbed(request)?;
    let mut compilation = Compilation::default();
    machine.compile_into(&mut compilation)?;
    let Compilation { mut graph, labels } = compilation;
    let spec = if request.spec.is_empty() { &request.original.as_ref()?.spec } else { &request.spec };
    graph.head = Head {
        pipeline_name: result.pipeline_name,
        schema_version: result.schema_version,
        salt: request.settings.salt.clone(),
        spec_digest: crate::etag::spec_digest(spec).to_vec(),
        has_artifacts: labels.has_artifacts(),
        key_domain: crate::key::DOMAIN.to_vec(),
        release: RELEASE.to_owned(),
    };
    let decided = super::sweep::sweep(&graph, &Ask::default()).ok()?;
    let is_same = (&decided.states, &decided.verdicts, &decided.reasons, &decided.causes)
        == (&graph.states, &graph.verdicts, &graph.reasons, &graph.causes);
    is_same.then(|| CompiledRun { graph: graph.write(), labels: labels.write() })
}
