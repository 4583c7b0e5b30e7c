//! How components lie inside each other: not in themselves, not too deep, not too many.

use crate::spec::link::{Linker, MAX_DAG_DEPTH, MAX_TASKS};
use crate::spec::order::topological;

impl Linker<'_, '_> {
    /// No component contains itself, DAGs are not nested too deeply, and the tasks can be counted.
    pub(super) fn check_nesting(&mut self) {
        let uses: Vec<Vec<u32>> = self
            .spec
            .components
            .iter()
            .map(|component| {
                let mut uses: Vec<u32> = component
                    .dag()
                    .map(|dag| dag.tasks.iter().map(|task| task.component).collect())
                    .unwrap_or_default();
                uses.sort_unstable();
                uses.dedup();
                uses
            })
            .collect();
        let name = |index: u32| self.spec.component(index).name.to_string();
        let order = match topological(uses.len(), 0..uses.len() as u32, |index| {
            uses.get(index as usize).map_or(&[], Vec::as_slice)
        }) {
            Ok(order) => order,
            Err(cycle) => {
                let mut names: Vec<String> = cycle.iter().map(|&index| name(index)).collect();
                let first = names.first().cloned().unwrap_or_default();
                names.push(first.clone());
                // A task whose component is unknown points to the first component; that has been told already.
                if self.problems.is_empty() {
                    let message = format!("the component contains itself: {}", names.join(" -> "));
                    self.problems.add(self.path.field("components").key(&first), message);
                }
                return;
            }
        };
        // (levels of DAGs, tasks) of each component; what it uses comes first in `order`.
        let mut sizes = vec![(0usize, 0u64); uses.len()];
        for index in order {
            let Some(dag) = self.spec.component(index).dag() else { continue };
            let (mut depth, mut count) = (0, 0u64);
            for task in dag.tasks.iter() {
                let (inner_depth, inner_count) = sizes.get(task.component as usize).copied().unwrap_or_default();
                depth = depth.max(inner_depth);
                count = count.saturating_add(inner_count).saturating_add(1);
            }
            if let Some(size) = sizes.get_mut(index as usize) {
                *size = (depth + 1, count);
            }
            if let Some(component) = self.spec.components.get_mut(index as usize) {
                component.tasks_inside = count;
            }
        }
        let (depth, count) = sizes.get(self.spec.root as usize).copied().unwrap_or_default();
        if depth > MAX_DAG_DEPTH {
            self.problems
                .add(self.path.field("root"), format!("dags are nested {depth} deep; {MAX_DAG_DEPTH} is the limit"));
        }
        if count > MAX_TASKS {
            self.problems
                .add(self.path.field("root"), format!("the run would have {count} tasks; {MAX_TASKS} is the limit"));
        }
    }
}
