//! The tasks of one DAG put in order and linked.
//!
//! Invariant: tasks and problems come in the same order whether one thread sees to them or two.

use std::collections::HashMap;

use crate::halves::in_halves;
use crate::spec::link::Linker;
use crate::spec::link_task::TaskLinker;
use crate::spec::order::topological;
use crate::spec::problems::{Path, Problems};
use crate::spec::raw::{RawComponent, RawDag, RawSource, RawTask};
use crate::spec::{Dag, Task};

/// So many names are compared one by one.
const FEW_NAMES: usize = 8;

impl<'a> Linker<'a, '_> {
    /// The DAG of the component with index `declared`.
    pub(super) fn dag(&mut self, declared: u32, component: &RawComponent<'a>, raw: &RawDag<'a>, at: &Path<'_>) -> Dag {
        let tasks_at = at.field("tasks");
        // The names side by side: those in the document lie so far apart that each costs a trip to memory.
        let packed: String = raw.tasks.iter().map(|task| task.name).collect();
        let mut rest = packed.as_str();
        let mut sorted: Vec<(&str, &RawTask<'a>)> = Vec::with_capacity(raw.tasks.len());
        for task in &raw.tasks {
            let (name, others) = rest.split_at(task.name.len());
            sorted.push((name, task));
            rest = others;
        }
        sorted.sort_by_key(|(name, _)| *name);
        let mut by_name: HashMap<&str, u32> = HashMap::with_capacity(sorted.len());
        for (index, (name, _)) in sorted.iter().enumerate() {
            if by_name.insert(name, index as u32).is_some() {
                self.problems.add(tasks_at.key(name), "occurs twice");
            }
            if name.is_empty() || name.contains(['.', '/']) || name.chars().any(char::is_control) {
                self.problems.add(
                    tasks_at.key(name),
                    "a task's name is not empty and has no dots, slashes or control characters",
                );
            }
        }
        let components = &self.by_name;
        let needs: Vec<Needs> = gather(self.problems, &sorted, |part, problems| {
            let of = |(name, task): &(&str, &RawTask<'a>)| Needs {
                upstream: upstream(task, &by_name, &tasks_at.key(name), problems),
                component: task.component.and_then(|name| components.get(name)).copied(),
            };
            part.iter().map(of).collect()
        });
        let order = match topological(&needs, |needs| &needs.upstream) {
            Ok(order) => order,
            Err(cycle) => {
                let mut names: Vec<&str> =
                    cycle.iter().filter_map(|&index| sorted.get(index as usize)).map(|(name, _)| *name).collect();
                let first = names.first().copied().unwrap_or("");
                names.push(first);
                let message = format!("the tasks wait for each other: {}", names.join(" -> "));
                self.problems.add(tasks_at.key(first).field("dependentTasks"), message);
                return Dag::default();
            }
        };
        let mut place = vec![0u32; sorted.len()];
        for (index, &old) in order.iter().enumerate() {
            if let Some(slot) = place.get_mut(old as usize) {
                *slot = index as u32;
            }
        }
        let (spec, all) = (&self.spec, self.raw);
        let scope = DagScope {
            component,
            declared,
            tasks: &sorted,
            needs: &needs,
            by_name: &by_name,
            place: &place,
            order: &order,
        };
        let mut tasks: Vec<Task> = gather(self.problems, &order, |part, problems| {
            let mut linker = TaskLinker { spec, raw: all, scope: &scope, problems };
            part.iter().filter_map(|&old| linker.task(old, &tasks_at)).collect()
        });
        let mut downstream: Vec<Vec<u32>> = vec![Vec::new(); tasks.len()];
        for (index, task) in tasks.iter().enumerate() {
            for &before in &task.upstream {
                if let Some(list) = downstream.get_mut(before as usize) {
                    list.push(index as u32);
                }
            }
        }
        for (task, list) in tasks.iter_mut().zip(downstream) {
            task.downstream = list.into();
        }
        let mut linker = TaskLinker { spec, raw: all, scope: &scope, problems: self.problems };
        let outputs = linker.dag_outputs(&raw.outputs, &at.field("outputs").field("parameters"), false);
        let artifacts = linker.dag_outputs(&raw.output_artifacts, &at.field("outputs").field("artifacts"), true);
        Dag { tasks: tasks.into(), by_name: place.into(), outputs, output_artifacts: artifacts }
    }
}

/// What a task needs of others, by their indices in the order of names; and its component.
struct Needs {
    upstream: Vec<u32>,
    component: Option<u32>,
}

/// What `work` makes of all things; many are seen to by two threads. Problems come in the order of the things.
fn gather<T: Sync, O: Send>(
    problems: &mut Problems,
    things: &[T],
    work: impl Fn(&[T], &mut Problems) -> Vec<O> + Sync,
) -> Vec<O> {
    let ((mut made, found), second) = in_halves(things, |part| {
        let mut found = Problems::default();
        (work(part, &mut found), found)
    });
    problems.append(found);
    if let Some((mut more, found)) = second {
        made.append(&mut more);
        problems.append(found);
    }
    made
}

fn upstream(task: &RawTask<'_>, by_name: &HashMap<&str, u32>, at: &Path<'_>, problems: &mut Problems) -> Vec<u32> {
    let mut upstream = Vec::with_capacity(task.dependent.len());
    for (index, name) in task.dependent.iter().enumerate() {
        match by_name.get(name) {
            Some(&found) => upstream.push(found),
            None => problems.add(at.field("dependentTasks").index(index), format!("the dag has no task {name:?}")),
        }
    }
    let are_all_known = upstream.len() == task.dependent.len();
    for (group, bindings) in [("parameters", &task.parameters), ("artifacts", &task.artifacts)] {
        for binding in bindings.iter() {
            if let RawSource::Output(producer, _) | RawSource::FinalStatus(producer) = binding.source {
                // Compilers list every producer there, and a few names are compared faster than looked up.
                if are_all_known && task.dependent.iter().take(FEW_NAMES).any(|name| *name == producer) {
                    continue;
                }
                match by_name.get(producer) {
                    Some(&found) => upstream.push(found),
                    None => problems.add(
                        at.field("inputs").field(group).key(binding.name).field("producerTask"),
                        format!("the dag has no task {producer:?}"),
                    ),
                }
            }
        }
    }
    upstream.sort_unstable();
    upstream.dedup();
    upstream
}

/// What the parts of one DAG are looked up in. Places are those in topological order.
pub(super) struct DagScope<'s, 'a> {
    pub(super) component: &'s RawComponent<'a>,
    /// The index of that component.
    pub(super) declared: u32,
    tasks: &'s [(&'s str, &'s RawTask<'a>)],
    needs: &'s [Needs],
    by_name: &'s HashMap<&'s str, u32>,
    place: &'s [u32],
    order: &'s [u32],
}

impl<'s, 'a> DagScope<'s, 'a> {
    /// The task with that index in the order of names, its component, and the places of what it needs, sorted.
    pub(super) fn raw_task(&self, index: u32) -> Option<(&'s RawTask<'a>, Option<u32>, Vec<u32>)> {
        let ((_, task), needs) = (self.tasks.get(index as usize)?, self.needs.get(index as usize)?);
        let mut upstream: Vec<u32> =
            needs.upstream.iter().filter_map(|&before| self.place.get(before as usize).copied()).collect();
        upstream.sort_unstable();
        Some((task, needs.component, upstream))
    }

    /// The place of the task of that name. `near`: places where it may well be.
    pub(super) fn place_of(&self, name: &str, near: &[u32]) -> Option<u32> {
        if near.len() <= FEW_NAMES {
            let found = near.iter().find(|place| self.name_at(**place) == Some(name));
            if found.is_some() {
                return found.copied();
            }
        }
        self.by_name.get(name).and_then(|&index| self.place.get(index as usize)).copied()
    }

    /// The name of the task at that place.
    pub(super) fn name_at(&self, place: u32) -> Option<&'s str> {
        let index = *self.order.get(place as usize)?;
        self.tasks.get(index as usize).map(|(name, _)| *name)
    }

    /// The component of the task at that place.
    pub(super) fn component_at(&self, place: u32) -> Option<u32> {
        let index = *self.order.get(place as usize)?;
        self.needs.get(index as usize)?.component
    }
}
