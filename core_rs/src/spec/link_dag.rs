//! The tasks of one DAG put in order and linked.
//!
//! Invariant: tasks and problems come in the same order whether one thread sees to them or two.

use crate::halves::in_halves;
use crate::spec::link::Linker;
use crate::spec::link_task::TaskLinker;
use crate::spec::names::{Lookup, Names};
use crate::spec::order::topological;
use crate::spec::problems::{Path, Problems};
use crate::spec::raw::{RawBinding, RawComponent, RawDag, RawTask};
use crate::spec::{Dag, Lists, Task};

/// So many names are compared one by one.
const FEW_NAMES: usize = 8;

/// So many tasks are seen to together where they lie anywhere in memory.
const AT_ONCE: usize = 32;

/// In the place of an index: there is none.
const NONE: u32 = u32::MAX;

impl<'a> Linker<'a, '_> {
    /// The DAG of the component with index `declared`.
    pub(super) fn dag(&mut self, declared: u32, component: &RawComponent<'a>, raw: &RawDag<'a>, at: &Path<'_>) -> Dag {
        let tasks_at = at.field("tasks");
        let names = Names::new(raw.tasks.iter().map(|task| task.name));
        let (sorted, lookup) = names.ordered();
        let mut ranks = vec![0u32; sorted.len()];
        let mut before = None;
        for (rank, &index) in sorted.iter().enumerate() {
            if let Some(slot) = ranks.get_mut(index as usize) {
                *slot = rank as u32;
            }
            let name = names.get(index);
            if before.replace(name) == Some(name) {
                self.problems.add(tasks_at.key(name), "occurs twice");
            }
            if name.is_empty() || name.contains(['.', '/']) || name.chars().any(char::is_control) {
                self.problems.add(
                    tasks_at.key(name),
                    "a task's name is not empty and has no dots, slashes or control characters",
                );
            }
        }
        let needs = self.needs(raw, &lookup, &ranks, &tasks_at);
        let order = match topological(sorted.len(), sorted.iter().copied(), |index| needs.upstream.get(index)) {
            Ok(order) => order,
            Err(cycle) => {
                let mut cycle: Vec<&str> = cycle.into_iter().map(|index| names.get(index)).collect();
                let first = cycle.first().copied().unwrap_or("");
                cycle.push(first);
                let message = format!("the tasks wait for each other: {}", cycle.join(" -> "));
                self.problems.add(tasks_at.key(first).field("dependentTasks"), message);
                return Dag::default();
            }
        };
        let mut places = vec![0u32; sorted.len()];
        for (place, &index) in order.iter().enumerate() {
            if let Some(slot) = places.get_mut(index as usize) {
                *slot = place as u32;
            }
        }
        let (spec, all) = (&self.spec, self.raw);
        let scope =
            DagScope { component, declared, tasks: &raw.tasks, names: &names, lookup: &lookup, needs, places: &places };
        let tasks: Vec<Task> = gather(self.problems, &order, |part, problems| {
            let mut linker = TaskLinker { spec, raw: all, scope: &scope, problems };
            let mut tasks = Vec::with_capacity(part.len());
            for batch in part.chunks(AT_ONCE) {
                scope.touch(batch);
                tasks.extend(batch.iter().filter_map(|&index| linker.task(index, &tasks_at)));
            }
            tasks
        });
        let downstream =
            Lists::inverted(tasks.len(), |task| tasks.get(task as usize).map_or(&[], |task| &task.upstream));
        let mut linker = TaskLinker { spec, raw: all, scope: &scope, problems: self.problems };
        let outputs = linker.dag_outputs(&raw.outputs, &at.field("outputs").field("parameters"), false);
        let artifacts = linker.dag_outputs(&raw.output_artifacts, &at.field("outputs").field("artifacts"), true);
        let by_name = sorted.iter().filter_map(|&index| places.get(index as usize)).copied().collect();
        Dag { tasks: tasks.into(), by_name, downstream, outputs, output_artifacts: artifacts }
    }

    /// What the tasks need, looked up as they are written: so their texts are gone through once, one after the other.
    fn needs(&mut self, raw: &RawDag<'a>, lookup: &Lookup<'_>, ranks: &[u32], tasks_at: &Path<'_>) -> Needs {
        let (components, problems) = (&self.by_name, &mut *self.problems);
        let ((mut needs, found), second) = in_halves(&raw.tasks, |part| {
            let (mut needs, mut problems) = (Needs::default(), Problems::default());
            for batch in part.chunks(AT_ONCE) {
                let names: Vec<&str> = batch.iter().flat_map(|task| task.dependent.iter().copied()).collect();
                let found = lookup.find_all(&names);
                let mut rest = found.as_slice();
                for task in batch {
                    let component = task.component.and_then(|name| components.get(name)).copied();
                    needs.components.push(component.unwrap_or(NONE));
                    let (dependent, others) = rest.split_at(task.dependent.len());
                    rest = others;
                    needs.add(task, dependent, lookup, ranks, &tasks_at.key(task.name), &mut problems);
                }
            }
            (needs, problems)
        });
        problems.append(found);
        if let Some((mut more, found)) = second {
            needs.upstream.append(more.upstream);
            needs.producers.append(more.producers);
            needs.components.append(&mut more.components);
            problems.append(found);
        }
        needs
    }
}

/// What the tasks of a DAG need, by the indices of the tasks as they are written.
#[derive(Default)]
struct Needs {
    /// In the order of their names.
    upstream: Lists,
    /// What the inputs come from that come from a task, the parameters first.
    producers: Lists,
    components: Vec<u32>,
}

impl Needs {
    /// Adds those of the next task. `dependent`: what was found of the names that it lists.
    fn add(
        &mut self,
        task: &RawTask<'_>,
        dependent: &[Option<u32>],
        lookup: &Lookup<'_>,
        ranks: &[u32],
        at: &Path<'_>,
        problems: &mut Problems,
    ) {
        for (index, (name, found)) in task.dependent.iter().zip(dependent).enumerate() {
            if found.is_none() {
                problems.add(at.field("dependentTasks").index(index), format!("the dag has no task {name:?}"));
            }
        }
        let mut producers = Vec::with_capacity(task.parameters.len());
        for (group, bindings) in [("parameters", &task.parameters), ("artifacts", &task.artifacts)] {
            for (binding, producer) in bindings.iter().filter_map(|binding| Some((binding, binding.producer()?))) {
                // Compilers list every producer there, and a few names are compared faster than looked up.
                let near = task.dependent.iter().take(FEW_NAMES).position(|name| *name == producer);
                let listed = near.and_then(|near| dependent.get(near).copied().flatten());
                let found = listed.or_else(|| lookup.find(producer));
                if found.is_none() {
                    problems.add(
                        at.field("inputs").field(group).key(binding.name).field("producerTask"),
                        format!("the dag has no task {producer:?}"),
                    );
                }
                producers.push(found.unwrap_or(NONE));
            }
        }
        let produced = producers.iter().copied().filter(|found| *found != NONE);
        let mut upstream: Vec<u32> = dependent.iter().copied().flatten().chain(produced).collect();
        upstream.sort_unstable_by_key(|index| ranks.get(*index as usize));
        upstream.dedup();
        self.upstream.push(upstream);
        self.producers.push(producers);
    }
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

/// What the parts of one DAG are looked up in. An index is that of a task as it is written, a place that in topological
/// order.
pub(super) struct DagScope<'s, 'a> {
    pub(super) component: &'s RawComponent<'a>,
    /// The index of that component.
    pub(super) declared: u32,
    tasks: &'s [RawTask<'a>],
    names: &'s Names,
    lookup: &'s Lookup<'s>,
    needs: Needs,
    places: &'s [u32],
}

impl<'s, 'a> DagScope<'s, 'a> {
    /// The task of that index.
    pub(super) fn task(&self, index: u32) -> Option<&'s RawTask<'a>> {
        self.tasks.get(index as usize)
    }

    /// Reads a little of all that these tasks are made of, side by side: one after the other, each would wait for its own
    /// trips to memory.
    fn touch(&self, indices: &[u32]) {
        let tasks = || indices.iter().filter_map(|&index| self.task(index));
        let names = indices.iter().map(|&index| self.name(index).len() + self.upstream(index).len());
        std::hint::black_box(names.zip(tasks()).map(|(length, task)| length + task.parameters.len()).sum::<usize>());
        let bindings = tasks().flat_map(|task| task.parameters.iter().chain(&task.artifacts));
        std::hint::black_box(bindings.map(RawBinding::touch).sum::<usize>());
    }

    /// Its name.
    pub(super) fn name(&self, index: u32) -> &'s str {
        self.names.get(index)
    }

    /// Its component.
    pub(super) fn component_of(&self, index: u32) -> Option<u32> {
        self.needs.components.get(index as usize).copied().filter(|component| *component != NONE)
    }

    /// The indices of what it needs.
    pub(super) fn upstream(&self, index: u32) -> &[u32] {
        self.needs.upstream.get(index)
    }

    /// The indices of what its inputs come from, of those inputs that come from a task, the parameters first; one that
    /// there is not has no place.
    pub(super) fn producers(&self, index: u32) -> &[u32] {
        self.needs.producers.get(index)
    }

    /// The index of the task of that name.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.lookup.find(name)
    }

    /// The place of the task of that index.
    pub(super) fn place(&self, index: u32) -> Option<u32> {
        self.places.get(index as usize).copied()
    }
}
