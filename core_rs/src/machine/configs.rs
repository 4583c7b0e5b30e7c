//! Which tasks the configs of a request name: records of the original, or tasks of the new spec.
//!
//! Invariant: a config that names nothing, or what another one names, is a problem.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::prior::{without_iterations, Prior};
use crate::messages::Config;
use crate::spec::problems::Problems;
use crate::spec::Spec;

impl Prior {
    /// Finds the tasks that the configs name.
    pub(super) fn read_configs(
        &mut self,
        configs: &[Config],
        spec: &Spec,
        problems: &mut Problems,
        warnings: &mut Vec<String>,
    ) {
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
        let mut by_new_path: BTreeMap<String, u32> = BTreeMap::new();
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
            if record.and_then(|record| self.records.get(record)).is_some_and(|record| record.is_remake()) {
                // Google's SDK names it with all others. It stands for another task, and goes with that.
                if config.has_inputs {
                    let message = "the task only made lost artifacts anew: name the one that it stands for";
                    problems.add(format!("{field}.task_name"), message);
                }
                continue;
            }
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
        self.find_holders();
    }

    /// Marks the DAGs of the original that hold what the configs name.
    fn find_holders(&mut self) {
        let (mut of_named, mut of_ends) = (HashSet::new(), HashSet::new());
        let by_path = self.paths_of_new(|config| config.has_inputs);
        for (config, named) in self.configs.iter().zip(&self.named) {
            let holder = named.and_then(|named| self.records.get(named)).map(|record| record.parent_task_id());
            if config.has_inputs {
                self.mark_holders(holder.or_else(|| by_path.get(config.task_name.as_str()).copied()), &mut of_named);
            }
            if config.skip_downstream_tasks {
                self.mark_holders(holder, &mut of_ends);
            }
        }
        (self.holders_of_named, self.holders_of_ends) = (of_named, of_ends);
    }

    /// Adds a DAG and all above it. A parent's record comes before those of its children.
    fn mark_holders(&self, holder: Option<i64>, holders: &mut HashSet<i64>) {
        let mut at = holder.and_then(|id| self.records.find(id));
        while let Some(record) = at.filter(|record| holders.insert(record.task_id())) {
            at = self.records.find(record.parent_task_id()).filter(|found| found.task_id() < record.task_id());
        }
    }

    /// For the configs that name a task of the new spec only: the DAG of the original that would hold it.
    fn paths_of_new(&self, is_wanted: impl Fn(&Config) -> bool) -> HashMap<&str, i64> {
        let mut holders: HashMap<&str, i64> = HashMap::new();
        let mut wanted: HashMap<&str, Vec<&str>> = HashMap::new();
        for (path, index) in &self.by_path {
            let config = self.configs.get(*index as usize).filter(|config| is_wanted(config));
            if let (Some(config), Some((holder, _))) = (config, path.rsplit_once('.')) {
                wanted.entry(holder).or_default().push(&config.task_name);
            }
        }
        if !wanted.is_empty() {
            for record in self.records.iter().filter(|record| !record.is_leaf()) {
                for &name in wanted.get(record.path()).into_iter().flatten() {
                    holders.insert(name, record.task_id());
                }
            }
        }
        holders
    }

    /// The config that names a task.
    pub(super) fn config_of(&self, record: Option<u32>, path: impl FnOnce() -> String) -> Option<u32> {
        match record {
            Some(record) => self.by_record.get(&record).copied(),
            None if self.by_path.is_empty() => None,
            None => self.by_path.get(&path()).copied(),
        }
    }
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
