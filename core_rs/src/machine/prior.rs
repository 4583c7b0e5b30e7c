//! The original of a rerun, and what the request asks of its tasks: looked up by task, never by position.
//!
//! Invariant: nothing here changes but what has been matched.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::slot::NodeId;
use super::stored::{Record, Stored};
use crate::messages::{CachedOutcome, Config, Original, Reason, Source};
use crate::spec::problems::Problems;
use crate::spec::Spec;

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
    by_record: HashMap<u32, u32>,
    by_path: HashMap<String, u32>,
    /// The task of the new run that continues a record.
    pub(super) matched: Vec<Option<NodeId>>,
    /// The task of the new run that a config was found to name.
    pub(super) bound: Vec<Option<NodeId>>,
    /// The record that a config names.
    pub(super) named: Vec<Option<u32>>,
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
    /// Reads the original's records and finds the tasks that the configs name.
    pub fn new(
        original: Option<&Original<'_>>,
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
        let Some(original) = original else {
            if let Some(config) = configs.first() {
                problems.add(&config.field, "a rerun config needs an original run");
            }
            return prior;
        };
        prior.is_rerun = true;
        prior.run_name.clone_from(&original.resource_name);
        prior.run_id = original.run_id;
        match Stored::read(&original.records) {
            Ok(records) => prior.records = records,
            Err(error) => problems.add("original.records", format!("cannot be read: {error}")),
        }
        prior.matched = vec![None; prior.records.len()];
        prior.has_lost_artifacts = prior.records.iter().any(|record| record.usable().is_some_and(|outcome| outcome.lost().is_some()));
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

    fn read_configs(&mut self, configs: &[Config], spec: &Spec, problems: &mut Problems, warnings: &mut Vec<String>) {
        let mut by_id: HashMap<i64, u32> = HashMap::new();
        let mut by_path: HashMap<&str, u32> = HashMap::new();
        let mut by_name: HashMap<&str, Vec<u32>> = HashMap::new();
        if !configs.is_empty() {
            for (index, record) in self.records.iter().enumerate() {
                by_id.insert(record.task_id(), index as u32);
                by_path.insert(record.path(), index as u32);
                by_name.entry(record.name()).or_default().push(index as u32);
            }
        }
        let mut by_record: HashMap<u32, u32> = HashMap::new();
        let mut by_new_path: HashMap<String, u32> = HashMap::new();
        let mut named = vec![None; configs.len()];
        for (index, config) in configs.iter().enumerate() {
            let field = &config.field;
            if config.skip_task && config.has_inputs {
                problems.add(field, "skip_task and inputs exclude each other");
            }
            let record = if config.task_id != 0 {
                let Some(&record) = by_id.get(&config.task_id) else {
                    problems.add(format!("{field}.task_id"), format!("the original has no task {}", config.task_id));
                    continue;
                };
                let path = self.records.get(record).map_or("", |record| record.path());
                let name = self.records.get(record).map_or("", |record| record.name());
                let given = config.task_name.as_str();
                if !given.is_empty() && given != path && given != name {
                    let message = format!("task {} of the original is {path:?}", config.task_id);
                    problems.add(format!("{field}.task_name"), message);
                    continue;
                }
                Some(record)
            } else if config.task_name.is_empty() {
                problems.add(field, "names no task: task_id or task_name is required");
                continue;
            } else {
                let name = config.task_name.as_str();
                match (by_path.get(name), by_name.get(name).map(Vec::as_slice)) {
                    (Some(&record), _) | (None, Some(&[record])) => Some(record),
                    (None, Some([_, _, ..])) => {
                        let message = format!("the original has several tasks {name:?}; give the path or the id");
                        problems.add(format!("{field}.task_name"), message);
                        continue;
                    }
                    _ => None,
                }
            };
            if let Some(place) = named.get_mut(index) {
                *place = record;
            }
            let previous = match record {
                Some(record) => by_record.insert(record, index as u32),
                None => match path_in_spec(spec, &config.task_name) {
                    Some(path) => by_new_path.insert(path, index as u32),
                    None if config.task_name == "root" || config.task_name == spec.pipeline_name => {
                        warnings.push(format!("{field}: the root is no task; the config is ignored"));
                        None
                    }
                    None => {
                        let message =
                            format!("neither the original nor the new spec has a task {:?}", config.task_name);
                        problems.add(format!("{field}.task_name"), message);
                        None
                    }
                },
            };
            if let Some(previous) = previous.and_then(|previous| configs.get(previous as usize)) {
                problems.add(field, format!("is the second config for the task of {}", previous.field));
            }
        }
        self.named = named;
        self.by_record = by_record;
        self.by_path = by_new_path;
        self.configs = configs.to_vec();
        self.bound = vec![None; configs.len()];
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

    /// True where a record lies inside the task of that id. A parent's record comes before those of its children.
    pub(super) fn is_inside(&self, record: u32, task_id: i64) -> bool {
        let mut at = self.records.get(record);
        while let Some(record) = at {
            let parent = record.parent_task_id();
            if parent == task_id {
                return true;
            }
            at = self.records.find(parent).filter(|found| found.task_id() < record.task_id());
        }
        false
    }

    /// The config that names a task.
    pub(super) fn config_of(&self, record: Option<u32>, path: impl FnOnce() -> String) -> Option<u32> {
        match record {
            Some(record) => self.by_record.get(&record).copied(),
            None if self.by_path.is_empty() => None,
            None => self.by_path.get(&path()).copied(),
        }
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
fn without_iterations(path: &str) -> String {
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

/// The path of a task of the spec that is named by its path, with or without iterations, or by a name that is unique.
fn path_in_spec(spec: &Spec, name: &str) -> Option<String> {
    let mut component = spec.root;
    let plain = without_iterations(name);
    let is_path = plain.split('.').all(|step| {
        let task = spec.component(component).dag().and_then(|dag| dag.find(step));
        component = task.map_or(component, |task| task.component);
        task.is_some()
    });
    if is_path {
        return Some(name.to_owned());
    }
    let mut found = None;
    let mut stack = vec![(spec.root, String::new())];
    let mut steps = 0usize;
    while let Some((component, prefix)) = stack.pop() {
        let Some(dag) = spec.component(component).dag() else { continue };
        for task in dag.tasks.iter() {
            steps += 1;
            let dot = if prefix.is_empty() { "" } else { "." };
            let is_named = *task.name == *name;
            if is_named && found.is_some() || steps > super::MAX_NODES {
                return None;
            }
            let is_dag = spec.component(task.component).dag().is_some();
            if is_named || is_dag {
                let path = format!("{prefix}{dot}{}", task.name);
                if is_named {
                    found = Some(path.clone());
                }
                stack.push((task.component, path));
            }
        }
    }
    found
}
