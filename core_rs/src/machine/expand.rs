//! How tasks come to be: ids in topological order, a DAG before its children, an upstream task with all below it before
//! what consumes it.

use std::sync::Arc;

use super::node::{Item, Node, Phase, Scope};
use super::slot::{ArtifactSlot, Artifacts, NodeId, Slot, Slots, ROOT};
use super::{Machine, MAX_NODES};
use crate::messages::{Failure, Kind, NodeCreated, Reason, State, TaskRecord, Verdict, What};
use crate::spec::{Body, ExecutorBody, ItemSource, Task};
use crate::value::Value;

impl Machine {
    pub(super) fn make_root(&mut self, inputs: Slots) {
        let mut root = new_node(ROOT, 0, self.spec.root, Kind::Dag);
        root.scope = Some(Box::new(Scope { inputs: Arc::new(inputs), ..Scope::default() }));
        self.add(root, 0);
    }

    /// Adds a task that waits for so many events.
    pub(super) fn add(&mut self, node: Node, waits_for: usize) {
        self.nodes.push(node);
        self.waiting.push(waits_for as u32);
    }

    /// A task waits for so many events, whatever it waited for before.
    pub(super) fn wait_for(&mut self, id: NodeId, events: usize) {
        if let Some(waiting) = self.waiting.get_mut(id as usize) {
            *waiting = events as u32;
        }
    }

    /// Makes the children of a DAG or an iteration, and all below them that is known.
    pub(super) fn expand_dag(&mut self, id: NodeId) {
        let spec = Arc::clone(&self.spec);
        let Some(dag) = spec.component(self.node(id).component).dag() else { return };
        self.scope_mut(id).is_expanded = true;
        self.scope_mut(id).open = dag.tasks.len() as u32;
        self.scope_mut(id).children = Vec::with_capacity(dag.tasks.len());
        for (index, task) in dag.tasks.iter().enumerate() {
            let component = spec.component(task.component);
            let kind = match &component.body {
                Body::Dag(_) if task.iterator().is_some() => Kind::Loop,
                Body::Dag(_) => Kind::Dag,
                Body::Executor(executor) => match spec.executor(*executor).map(|executor| &executor.body) {
                    Some(ExecutorBody::Importer(_)) => Kind::Importer,
                    _ => Kind::Container,
                },
                Body::Missing => Kind::Container,
            };
            let child = self.nodes.len() as NodeId;
            let mut node = new_node(id, index as u32, task.component, kind);
            node.is_in_exit = task.is_exit || self.node(id).is_in_exit;
            self.add(node, task.upstream.len() + 1);
            self.scope_mut(id).children.push(child);
            self.attach_prior(child);
            self.tell_created(child, task);
            if kind == Kind::Dag || kind == Kind::Loop {
                // What depends on siblings that have not ended comes out as unknown, and is resolved again at the start.
                let inputs = self.resolve_dag_inputs(child, task);
                self.scope_mut(child).inputs = Arc::new(inputs);
                if kind == Kind::Dag {
                    self.expand_dag(child);
                } else if let Some(Ok(items)) = self.items(child, task).known() {
                    let items = items.clone();
                    let _ = self.expand_loop(child, task, items);
                }
            }
            self.node_mut(child).subtree_end = self.nodes.len() as NodeId;
        }
    }

    /// Makes the iterations of a loop.
    pub(super) fn expand_loop(&mut self, id: NodeId, task: &Task, items: Vec<Item>) -> Result<(), Failure> {
        let spec = Arc::clone(&self.spec);
        let per_item = spec.component(task.component).tasks_inside.saturating_add(1);
        let total = (items.len() as u64).saturating_mul(per_item).saturating_add(self.nodes.len() as u64);
        if total > MAX_NODES as u64 {
            let message = format!("the loop has {} items; a run has {MAX_NODES} tasks at most", items.len());
            return Err(Failure { code: 8, message });
        }
        let identities = identities(&items);
        let inputs = self.node(id).scope.as_ref().map(|scope| Arc::clone(&scope.inputs)).unwrap_or_default();
        self.scope_mut(id).is_expanded = true;
        self.scope_mut(id).open = items.len() as u32;
        self.scope_mut(id).children = Vec::with_capacity(items.len());
        for (index, (item, identity)) in items.into_iter().zip(identities).enumerate() {
            let child = self.nodes.len() as NodeId;
            let mut node = new_node(id, index as u32, task.component, Kind::Iteration);
            node.is_in_exit = self.node(id).is_in_exit;
            node.details_mut().item_identity = identity;
            node.scope = Some(Box::new(Scope { inputs: Arc::clone(&inputs), item: Some(item), ..Scope::default() }));
            self.add(node, 1);
            self.scope_mut(id).children.push(child);
            self.attach_prior(child);
            self.tell_created(child, task);
            self.expand_dag(child);
            self.node_mut(child).subtree_end = self.nodes.len() as NodeId;
        }
        Ok(())
    }

    /// The items of a loop: unknown as long as its list is; an error if it is no list.
    pub(super) fn items(&self, id: NodeId, task: &Task) -> Slot<Result<Vec<Item>, Failure>> {
        let Some(iterator) = task.iterator() else { return Slot::ABSENT };
        let Some(scope) = &self.node(id).scope else { return Slot::ABSENT };
        let list = match &iterator.source {
            ItemSource::Raw(list) => Slot::Known(Arc::clone(list)),
            ItemSource::Parameter(input) => scope.inputs.parameter(*input),
            ItemSource::Artifact(input) => return artifact_items(&scope.inputs.artifact(*input), iterator.item),
        };
        match list {
            Slot::Unknown { cause } => Slot::Unknown { cause },
            Slot::Absent { left_out } => Slot::Absent { left_out },
            Slot::Known(list) => Slot::Known(parameter_items(&list, iterator.item)),
        }
    }

    /// The path of a task: names from below the root joined with dots.
    pub(crate) fn path(&self, id: NodeId) -> String {
        let node = self.node(id);
        if id != ROOT && node.parent == ROOT && node.details.is_none() {
            // What most tasks of a large run are.
            return self.task_of(node).name.to_string();
        }
        let mut steps: Vec<(NodeId, &Node)> = Vec::new();
        let mut at = id;
        while at != ROOT {
            let node = self.node(at);
            steps.push((at, node));
            at = node.parent;
        }
        let mut path = String::new();
        for (_, node) in steps.into_iter().rev() {
            if node.kind == Kind::Iteration {
                path.push_str(&format!("[{}]", node.index));
            } else {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&self.task_of(node).name);
                path.push_str(&again(node));
            }
        }
        path
    }

    /// What the spec says of a task; of an iteration, what it says of its loop.
    pub(crate) fn task_of<'s>(&'s self, node: &Node) -> &'s Task {
        let remake = node.details.as_ref().and_then(|details| details.remake);
        let holder = match (node.kind, remake) {
            (Kind::Iteration, _) => self.node(node.parent),
            (_, Some((first, _))) => self.node(first),
            _ => node,
        };
        static MISSING: std::sync::LazyLock<Task> = std::sync::LazyLock::new(Task::default);
        let dag = self.spec.component(self.node(holder.parent).component).dag();
        dag.map_or(&*MISSING, |dag| dag.task(holder.index))
    }

    /// Who a task is, without what became of it.
    pub(crate) fn identity(&self, id: NodeId, task: &Task) -> TaskRecord {
        let node = self.node(id);
        let is_iteration = node.kind == Kind::Iteration;
        let remake = self.remake_of(id);
        let siblings = self.node(node.parent).scope.as_ref().map(|scope| scope.children.as_slice()).unwrap_or(&[]);
        TaskRecord {
            task_id: i64::from(id),
            parent_task_id: i64::from(node.parent),
            name: match is_iteration {
                true => format!("{}[{}]", task.name, node.index),
                false => format!("{}{}", task.name, again(node)),
            },
            path: self.path(id),
            kind: node.kind,
            state: State::Pending,
            component: self.spec.component(node.component).name.to_string(),
            is_exit_task: task.is_exit && !is_iteration && remake.is_none(),
            iteration_index: if is_iteration { i64::from(node.index) } else { 0 },
            item_identity: node.details.as_ref().map(|details| details.item_identity.clone()).unwrap_or_default(),
            remakes: remake.map_or(0, |(first, _)| i64::from(first)),
            upstream: if is_iteration || remake.is_some() {
                Vec::new()
            } else {
                task.upstream.iter().filter_map(|&i| siblings.get(i as usize)).map(|&id| i64::from(id)).collect()
            },
            ..TaskRecord::default()
        }
    }

    pub(super) fn tell_created(&mut self, id: NodeId, task: &Task) {
        if self.mode == super::Mode::Run {
            let task = Some(self.identity(id, task));
            self.decide(id, What::Created(Box::new(NodeCreated { task })));
        }
    }
}

pub(super) fn new_node(parent: NodeId, index: u32, component: u32, kind: Kind) -> Node {
    Node {
        parent,
        index,
        component,
        subtree_end: 0,
        kind,
        phase: Phase::Waiting,
        state: State::Unspecified,
        verdict: Verdict::Unspecified,
        reason: Reason::Unspecified,
        caused_by: ROOT,
        is_in_exit: false,
        is_left_out: false,
        ends_here: false,
        may_end_here: false,
        doubt: None,
        is_in_question: false,
        prior: None,
        config: None,
        scope: None,
        outputs: None,
        details: None,
    }
}

/// What tells the name of a task that makes artifacts anew from that of the task that it stands for. No task of a compiled
/// pipeline has such a name.
fn again(node: &Node) -> String {
    let remake = node.details.as_ref().and_then(|details| details.remake);
    remake.map(|(_, number)| format!("~{number}")).unwrap_or_default()
}

fn parameter_items(list: &Arc<Value>, input: u32) -> Result<Vec<Item>, Failure> {
    let parsed;
    let items = match list.as_ref() {
        Value::List(items) => items,
        Value::String(text) => match Value::from_json(text) {
            Ok(Value::List(items)) => {
                parsed = items;
                &parsed
            }
            _ => return Err(no_list("a string that is no JSON list")),
        },
        other => return Err(no_list(other.kind())),
    };
    Ok(items.iter().map(|item| Item::Parameter(input, super::slot::parameter(item.clone()))).collect())
}

fn no_list(found: &str) -> Failure {
    Failure { code: 3, message: format!("the loop expects a list of items, found {found}") }
}

fn artifact_items(list: &ArtifactSlot, input: u32) -> Slot<Result<Vec<Item>, Failure>> {
    match list {
        Slot::Unknown { cause } => Slot::Unknown { cause: *cause },
        Slot::Absent { left_out } => Slot::Absent { left_out: *left_out },
        Slot::Known(list) => Slot::Known(Ok(list
            .items
            .iter()
            .map(|item| {
                Item::Artifact(input, Slot::Known(Artifacts { items: Arc::from([Arc::clone(item)]), is_list: false }))
            })
            .collect())),
    }
}

/// What makes each item the same in two runs: its digest, and its ordinal among equal ones.
fn identities(items: &[Item]) -> Vec<String> {
    let mut seen: std::collections::HashMap<String, u32> = std::collections::HashMap::with_capacity(items.len());
    items
        .iter()
        .map(|item| {
            let digest = match item {
                Item::Parameter(_, Slot::Known(value)) => value.digest(),
                Item::Parameter(..) => Value::Null.digest(),
                Item::Artifact(_, slot) => slot
                    .known()
                    .and_then(|list| list.items.first())
                    .map(|item| match item.artifact.digest.as_str() {
                        "" => Value::String(item.artifact.uri.clone()).digest(),
                        digest => Value::String(digest.to_owned()).digest(),
                    })
                    .unwrap_or_default(),
            };
            let ordinal = seen.entry(digest.clone()).or_insert(0);
            let identity = format!("{digest}#{ordinal}");
            *ordinal += 1;
            identity
        })
        .collect()
}
