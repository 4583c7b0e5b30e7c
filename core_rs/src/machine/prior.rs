//! The original of a rerun, and what the request asks of its tasks: looked up by task, never by position.
//!
//! Invariant: nothing here changes but what has been matched.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::slot::NodeId;
use super::stored::{Record, Stored};
use crate::messages::{CachedOutcome, Config, Original, Reason, Source};
use crate::spec::problems::Problems;
use crate::spec::Spec;
use crate::wire::WireError;

/// What a request says beside spec and parameters.
#[derive(Debug, Default)]
pub struct Prior {
    pub(super) is_rerun: bool,
    run_name: String,
    run_id: i64,
    pub(super) records: Stored,
    /// (parent's task id, name or item identity) to record; made when the order of the records does not tell.
    children: Option<HashMap<(i64, String), u32>>,
    /// The record that comes next where the new run is like the original.
    next: u32,
    pub(super) configs: Vec<Config>,
    pub(super) by_record: HashMap<u32, u32>,
    pub(super) by_path: BTreeMap<String, u32>,
    /// The task of the new run that continues a record.
    pub(super) matched: Vec<Option<NodeId>>,
    /// The task of the new run that a config was found to name.
    pub(super) bound: Vec<Option<NodeId>>,
    /// The record that a config names.
    pub(super) named: Vec<Option<u32>>,
    /// Ids of DAGs of the original with a task inside that a config gives inputs, be they empty.
    pub(super) holders_of_named: HashSet<i64>,
    /// Ids of DAGs of the original with a task inside at which a config ends the run.
    pub(super) holders_of_ends: HashSet<i64>,
    /// Known once the tasks that the new run begins with are.
    gone: Gone,
    pub(super) claimed: HashSet<u32>,
    /// Paths of tasks whose lost outputs somebody will read.
    pub(super) remake: BTreeSet<String>,
    cache: HashMap<Vec<u8>, CachedOutcome>,
    pub(super) has_lost_artifacts: bool,
}

/// What the original had, and the new spec has not.
#[derive(Debug, Default)]
struct Gone {
    /// Records of leaves whose path is gone, by key, in id order.
    by_key: HashMap<Vec<u8>, VecDeque<u32>>,
    records: Vec<u32>,
    /// Paths of the original without iterations.
    known_paths: HashSet<String>,
}

/// How many gone tasks are compared one by one with a task whose key is not complete.
const MAX_GONE_COMPARED: usize = 1000;

impl Prior {
    /// Takes the original and its records, and finds the tasks that the configs name.
    pub(crate) fn new(
        original: Option<(&Original<'_>, Result<Stored, WireError>)>,
        configs: &[Config],
        cache: &[CachedOutcome],
        spec: &Spec,
        problems: &mut Problems,
        warnings: &mut Vec<String>,
    ) -> Prior {
        let mut prior = Prior {
            cache: cache.iter().map(|outcome| (outcome.key.clone(), outcome.clone())).collect(),
            ..Prior::default()
        };
        let Some((original, records)) = original else {
            if let Some(config) = configs.first() {
                problems.add(&config.field, "a rerun config needs an original run");
            }
            return prior;
        };
        prior.is_rerun = true;
        prior.run_name.clone_from(&original.resource_name);
        prior.run_id = original.run_id;
        match records {
            Ok(records) => prior.records = records,
            Err(error) => problems.add("original.records", format!("cannot be read: {error}")),
        }
        prior.matched = vec![None; prior.records.len()];
        prior.has_lost_artifacts =
            prior.records.iter().any(|record| record.usable().is_some_and(|outcome| outcome.lost().is_some()));
        prior.read_configs(configs, spec, problems, warnings);
        prior
    }

    /// Keeps the outcomes of records that the new run has no task for: tasks that were renamed are found among them.
    pub(super) fn set_gone(&mut self, missing: &[(u32, Reason)]) {
        let mut gone = Gone::default();
        for (index, _) in missing {
            let record = self.records.get(*index).filter(Record::is_leaf);
            if let Some(outcome) = record.and_then(Record::usable) {
                gone.by_key.entry(outcome.key().to_vec()).or_default().push_back(*index);
                gone.records.push(*index);
            }
        }
        if !gone.records.is_empty() {
            gone.known_paths = self.records.iter().map(|record| without_iterations(record.path())).collect();
        }
        self.gone = gone;
    }

    /// Whether some outcome of the original lacks an artifact.
    pub fn has_lost_artifacts(&self) -> bool {
        self.has_lost_artifacts
    }

    /// The tasks of these paths run again, because their artifacts are lost and will be read.
    pub fn make_anew(&mut self, paths: BTreeSet<String>) {
        self.remake = paths;
    }

    /// The record that a task continues.
    pub(super) fn find(&mut self, parent: Option<i64>, name: &str) -> Option<u32> {
        let parent = parent?;
        let guess = self.records.get(self.next);
        if guess.is_some_and(|record| record.parent_task_id() == parent && record.own_name() == name) {
            self.next += 1;
            return Some(self.next - 1);
        }
        let records = &self.records;
        let children = self.children.get_or_insert_with(|| {
            let names = records.iter().enumerate();
            names
                .map(|(index, record)| ((record.parent_task_id(), record.own_name().to_owned()), index as u32))
                .collect()
        });
        let found = *children.get(&(parent, name.to_owned()))?;
        self.next = found + 1;
        Some(found)
    }

    /// The outcome of a record, and where it was really produced.
    pub(super) fn source(&self, record: Record<'_>) -> Source {
        record.source().unwrap_or_else(|| Source {
            run_name: self.run_name.clone(),
            run_id: self.run_id,
            task_id: record.task_id(),
            path: record.path().to_owned(),
        })
    }

    /// True where a task without a record may be one that was renamed.
    pub(super) fn may_be_renamed(&self, path: impl FnOnce() -> String) -> bool {
        !self.gone.records.is_empty() && !self.gone.known_paths.contains(&without_iterations(&path()))
    }

    /// The first gone record with that key, from now on taken.
    pub(super) fn claim(&mut self, key: &[u8]) -> Option<u32> {
        let record = self.gone.by_key.get_mut(key)?.pop_front()?;
        self.claimed.insert(record);
        Some(record)
    }

    /// True where some gone record may turn out to have the key that `preimage` will become.
    pub(super) fn may_claim(&self, preimage: &[u8]) -> bool {
        self.gone.records.iter().take(MAX_GONE_COMPARED).any(|record| {
            let outcome = self.records.get(*record).and_then(Record::usable);
            !self.claimed.contains(record)
                && outcome.is_some_and(|outcome| crate::key::matches(outcome.preimage(), preimage))
        })
    }

    /// What the cross-run cache is known to hold.
    pub(super) fn cached(&self, key: &[u8]) -> Option<&CachedOutcome> {
        self.cache.get(key)
    }
}

/// `a.for-loop-1[2].b` without `[2]`.
pub(super) fn without_iterations(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut is_inside = false;
    for c in path.chars() {
        match c {
            '[' => is_inside = true,
            ']' => is_inside = false,
            c if !is_inside => out.push(c),
            _ => {}
        }
    }
    out
}
