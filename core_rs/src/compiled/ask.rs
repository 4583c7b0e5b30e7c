//! What a rerun asks beside its original: whether the sweep has rules for it, and which tasks are to run again.
//!
//! Invariant: whatever is not understood to the last field is refused, and the general planner has the word.

use super::graph::{Graph, Past, IS_ITERATION, IS_LEAF};
use super::labels::Labels;
use super::Refusal;
use crate::messages::{Config, RunRequest};

/// The leaves that were asked to run again.
#[derive(Debug, Default)]
pub(super) struct Ask {
    requested: Vec<u64>,
}

impl Ask {
    pub(super) fn is_requested(&self, id: u32) -> bool {
        has(&self.requested, id)
    }

    /// Reads a request. The labels are needed where a config names a task by more than its id.
    pub(super) fn read(asked: &RunRequest<'_>, graph: &Graph, labels: &[u8]) -> Result<Ask, Refusal> {
        check(asked, graph)?;
        if asked.configs.is_empty() {
            return Ok(Ask::default());
        }
        let mut requested = vec![0; graph.len() / 64 + 1];
        let mut named = requested.clone();
        let is_named_in_words = asked.configs.iter().any(|config| !config.task_name.is_empty());
        let labels = is_named_in_words.then(|| Labels::read(labels)).transpose()?;
        for config in &asked.configs {
            let id = u32::try_from(config.task_id).ok().filter(|id| *id >= 1 && *id as usize <= graph.len());
            let id = id.ok_or(Refusal::Asked("a config that names its task otherwise than by id"))?;
            if let Some(labels) = labels.filter(|_| !config.task_name.is_empty()) {
                if !is_name_of(&config.task_name, id, graph, &labels) {
                    return Err(Refusal::Asked("a config whose name is another task's"));
                }
            }
            if has(&named, id) {
                return Err(Refusal::Asked("two configs for one task"));
            }
            mark(&mut named, id);
            if is_request(config, id, graph)? {
                mark(&mut requested, id);
            }
        }
        Ok(Ask { requested })
    }
}

fn has(bits: &[u64], id: u32) -> bool {
    bits.get(id as usize / 64).is_some_and(|word| word >> (id % 64) & 1 == 1)
}

fn mark(bits: &mut [u64], id: u32) {
    if let Some(word) = bits.get_mut(id as usize / 64) {
        *word |= 1 << (id % 64);
    }
}

fn check(asked: &RunRequest<'_>, graph: &Graph) -> Result<(), Refusal> {
    let settings = &asked.settings;
    let original = asked.original.as_ref().ok_or(Refusal::Asked("no original"))?;
    if !asked.spec.is_empty() || !original.records.is_empty() {
        return Err(Refusal::Asked("a spec or records of its own"));
    }
    // The same text is the same value; the other way round does not matter.
    if !settings.parameters.iter().all(|given| original.parameters.contains(given)) {
        return Err(Refusal::Asked("other parameters"));
    }
    if !settings.input_artifacts.is_empty() {
        return Err(Refusal::Asked("input artifacts"));
    }
    if settings.are_legacy_parameters {
        return Err(Refusal::Asked("parameters of schema 2.0.0"));
    }
    if settings.salt != graph.head.salt {
        return Err(Refusal::Asked("another salt"));
    }
    if !asked.cache.is_empty() {
        return Err(Refusal::Asked("outcomes of other runs"));
    }
    Ok(())
}

/// Whether a config asks for its task to run again; otherwise it says nothing.
fn is_request(config: &Config, id: u32, graph: &Graph) -> Result<bool, Refusal> {
    let index = id as usize - 1;
    let (past, flags) = match (graph.pasts.get(index), graph.flags.get(index)) {
        (Some(past), Some(flags)) => (*past, *flags),
        _ => return Err(Refusal::Malformed),
    };
    let gives_inputs = !config.input_parameters.is_empty() || !config.input_artifacts.is_empty();
    if gives_inputs || !config.drop_overrides.is_empty() {
        return Err(Refusal::Asked("other inputs of a task"));
    }
    if config.skip_downstream_tasks || (config.skip_task && config.has_inputs) {
        return Err(Refusal::Asked("a task to be left out"));
    }
    let is_leaf = flags & IS_LEAF != 0;
    match (past, config.skip_task) {
        (Past::Succeeded, true) => Ok(false),
        (Past::Succeeded, false) if is_leaf => Ok(true),
        (Past::Succeeded, false) => Err(Refusal::Asked("all tasks of a DAG")),
        (Past::Reused, true) => Ok(false),
        (Past::Reused, false) => Ok(config.has_inputs && is_leaf),
        (Past::LeftOut | Past::Other, false) if config.has_inputs => {
            Err(Refusal::Asked("a task that was left out, by name"))
        }
        (Past::LeftOut | Past::Other, false) => Ok(false),
        (Past::LeftOut | Past::Other, true) => Err(Refusal::Asked("a task to be left out")),
    }
}

/// True for the task's name, and for its path.
fn is_name_of(given: &str, id: u32, graph: &Graph, labels: &Labels<'_>) -> bool {
    if given == labels.name(id) {
        return true;
    }
    let mut rest = given;
    let mut at = id;
    // A parent comes before its children, so this ends.
    loop {
        let Some(before) = rest.strip_suffix(labels.name(at)) else { return false };
        let is_iteration = graph.flags.get(at as usize - 1).is_some_and(|flags| flags & IS_ITERATION != 0);
        let parent = parent_of(graph, at);
        // The name of an iteration holds that of its loop.
        let holder = if is_iteration && parent != 0 { parent_of(graph, parent) } else { parent };
        if holder == 0 {
            return before.is_empty();
        }
        let Some(before) = before.strip_suffix('.') else { return false };
        if holder >= at {
            return false;
        }
        (rest, at) = (before, holder);
    }
}

fn parent_of(graph: &Graph, id: u32) -> u32 {
    graph.parents.get((id as usize).wrapping_sub(1)).copied().unwrap_or(0)
}
