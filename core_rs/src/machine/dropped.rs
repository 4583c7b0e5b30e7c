//! What the original had and the new run has not.

use std::collections::{HashMap, HashSet};

use super::prior::Prior;
use super::rerun::has_values;
use super::Machine;
use crate::messages::{Kind, Problem, Reason, TaskRecord, Verdict};

impl Machine {
    /// What the original had and the new run has not; complete once a plan has been made.
    pub(crate) fn dropped(&self) -> Vec<TaskRecord> {
        let prior: &Prior = &self.prior;
        let unclaimed = self.missing().into_iter().filter(|(index, _)| !prior.claimed.contains(index));
        unclaimed
            .filter_map(|(index, reason)| {
                let record = prior.records.get(index)?;
                Some(TaskRecord { verdict: Verdict::Dropped, reason, ..record.identity() })
            })
            .collect()
    }

    /// The records that no task of the new run continues, as far as its tasks are known, and why.
    pub(super) fn missing(&self) -> Vec<(u32, Reason)> {
        let prior: &Prior = &self.prior;
        let mut missing = Vec::new();
        if prior.matched.iter().all(Option::is_some) {
            return missing;
        }
        // Of each DAG: what became of it; `None`: its children are not known yet.
        let mut fates: HashMap<i64, Option<Reason>> = HashMap::new();
        for (index, record) in prior.records.iter().enumerate().filter(|(_, record)| !record.is_remake()) {
            let matched = prior.matched.get(index).copied().flatten();
            let parent = fates.get(&record.parent_task_id()).copied();
            let fate = match (matched, parent) {
                (Some(id), _) if self.node(id).kind == Kind::Loop => {
                    let is_known = self.node(id).scope.as_ref().is_some_and(|scope| scope.is_expanded);
                    is_known.then_some(Reason::Unspecified)
                }
                (Some(_), _) => Some(Reason::Unspecified),
                (None, Some(None)) => None,
                (None, Some(Some(reason))) if reason != Reason::Unspecified => Some(reason),
                (None, _) if record.kind() == Kind::Iteration => Some(Reason::ItemRemoved),
                (None, _) => Some(Reason::Removed),
            };
            if !record.is_leaf() {
                fates.insert(record.task_id(), fate);
            }
            if let (Some(reason), None) = (fate, matched) {
                missing.push((index as u32, reason));
            }
        }
        missing
    }

    /// Configs that found no task in the new run: told as warnings, or as problems where they carry inputs. `dropped`:
    /// what [`Machine::dropped`] gave.
    pub(crate) fn unbound_configs(&self, dropped: &[TaskRecord]) -> (Vec<Problem>, Vec<String>) {
        let prior: &Prior = &self.prior;
        let dropped: HashSet<i64> = dropped.iter().map(|record| record.task_id).collect();
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        for (config, (bound, named)) in prior.configs.iter().zip(prior.bound.iter().zip(&prior.named)) {
            let record = named.and_then(|named| prior.records.get(named));
            let Some(record) = record.filter(|record| bound.is_none() && dropped.contains(&record.task_id())) else {
                continue;
            };
            if has_values(config) {
                let message = format!("task {:?} is not in the new run, so it cannot take inputs", record.path());
                problems.push(Problem { field: format!("{}.inputs", config.field), message });
            } else {
                warnings.push(format!("{}: task {:?} is not in the new run", config.field, record.path()));
            }
        }
        (problems, warnings)
    }
}
