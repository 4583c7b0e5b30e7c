//! What becomes of a leaf whose inputs are lost when it is about to start: what made them goes back to work.
//!
//! Invariants: the end of the task that made a lost artifact stands, for others have gone by it. What it does again is a
//! task of its own, beside the first that waits for it, with an end of its own; all that read the artifact later read the
//! one that was made last. An artifact is made anew at most [`AT_MOST`] times in a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::expand::new_node;
use super::slot::{Artifacts, NodeId, Slot, TracedArtifact, ROOT};
use super::Machine;
use crate::machine::Phase;
use crate::messages::{Failure, Presence, Reason, State, Values, Verdict};
use crate::spec::ExecutorBody;

/// How many times one task's artifacts are made anew.
pub const AT_MOST: u32 = 3;

/// The tasks of a run that make lost artifacts anew.
#[derive(Debug, Default)]
pub(super) struct Remakes {
    /// By the task that made the artifacts first: what makes them anew, in order.
    made: BTreeMap<NodeId, Vec<NodeId>>,
    /// By the task that makes anew: who waits for it.
    readers: BTreeMap<NodeId, Vec<NodeId>>,
    /// By the task that waits: for whom.
    awaited: BTreeMap<NodeId, Vec<NodeId>>,
    count: u32,
}

impl Machine {
    /// A leaf that was launched did not start: of its inputs, these are lost. It is launched again when they are not.
    pub(super) fn inputs_lost(&mut self, id: NodeId, lost: &Values) {
        let node = self.node_mut(id);
        node.phase = Phase::Waiting;
        if self.is_cancelled {
            return self.end_unstarted(id, State::Cancelled, Reason::CancelledByRequest, ROOT);
        }
        if self.is_fail_fast() && !self.node(id).is_in_exit {
            return self.end_unstarted(id, State::NotTriggered, Reason::FailFast, ROOT);
        }
        let mut awaited = BTreeSet::new();
        for (name, artifact) in lost.artifacts.iter().flat_map(|list| list.artifacts.iter().map(|a| (&list.name, a))) {
            let how = if artifact.presence == Presence::Changed { "has changed" } else { "is gone" };
            let Some(origin) = self.origin_of(id, &artifact.uri).filter(|origin| *origin != ROOT) else {
                let message =
                    format!("the input artifact {name:?} ({}) {how}, and no task of this run made it", artifact.uri);
                return self.fail_unstarted(id, Failure { code: 9, message });
            };
            let first = self.first_maker(origin);
            let makers = self.remakes.made.get(&first).map(Vec::as_slice).unwrap_or(&[]);
            match makers.last().copied() {
                Some(maker) if self.node(maker).phase != Phase::Ended => {
                    awaited.insert(maker);
                }
                // Made anew since this one was launched.
                Some(maker) if maker != origin && self.has_outcome(maker) => {}
                _ if makers.len() as u32 >= AT_MOST => {
                    let message = format!(
                        "the input artifact {name:?} ({}) {how}, as it was each of the {AT_MOST} times that task {:?} made it anew",
                        artifact.uri,
                        self.path(first),
                    );
                    return self.fail_unstarted(id, Failure { code: 9, message });
                }
                _ => {
                    awaited.insert(self.make_again(first, id, artifact.presence));
                }
            }
        }
        self.wait_for(id, awaited.len());
        for maker in &awaited {
            self.remakes.readers.entry(*maker).or_default().push(id);
        }
        if awaited.is_empty() {
            self.ready.insert(id);
        } else {
            self.remakes.awaited.insert(id, awaited.into_iter().collect());
        }
    }

    /// Makes the task that makes the artifacts of `first` anew, in the DAG of the one that reads them.
    fn make_again(&mut self, first: NodeId, reader: NodeId, presence: Presence) -> NodeId {
        let id = self.nodes.len() as NodeId;
        let maker = self.node(first);
        let parent = self.node(reader).parent;
        let mut node = new_node(parent, maker.index, maker.component, maker.kind);
        let overrides = maker.details.as_ref().and_then(|details| details.overrides.clone());
        node.subtree_end = id + 1;
        node.is_in_exit = self.node(reader).is_in_exit;
        node.verdict = Verdict::Execute;
        node.reason = if presence == Presence::Changed { Reason::ArtifactChanged } else { Reason::ArtifactMissing };
        node.caused_by = reader;
        self.remakes.count += 1;
        let number = self.remakes.count;
        let details = node.details_mut();
        details.overrides = overrides;
        details.remake = Some((first, number));
        self.add(node, 0);
        self.scope_mut(parent).open += 1;
        self.remakes.made.entry(first).or_default().push(id);
        let spec = Arc::clone(&self.spec);
        let holder = self.node(self.node(first).parent).component;
        if let Some(dag) = spec.component(holder).dag() {
            self.tell_created(id, dag.task(self.node(first).index));
        }
        self.ready.insert(id);
        id
    }

    /// Of a task that makes artifacts anew: the one that made them first, and its number among all such tasks.
    pub(super) fn remake_of(&self, id: NodeId) -> Option<(NodeId, u32)> {
        self.node(id).details.as_ref().and_then(|details| details.remake)
    }

    /// Its turn has come: it is launched as the one was that it stands for.
    pub(super) fn evaluate_remake(&mut self, id: NodeId, first: NodeId) {
        if self.ends_with_remakes(id) {
            return;
        }
        let spec = Arc::clone(&self.spec);
        let holder = self.node(self.node(first).parent).component;
        let Some(dag) = spec.component(holder).dag() else { return };
        let task = dag.task(self.node(first).index);
        let component = spec.component(task.component);
        let resolved = match self.resolve(first, task) {
            Ok(resolved) => resolved,
            Err(failure) => return self.fail_unstarted(id, failure),
        };
        let importer = match super::keys::executor_of(&spec, component).map(|executor| &executor.body) {
            Some(ExecutorBody::Importer(importer)) => Some(self.importer_values(importer, component, &resolved)),
            _ => None,
        };
        let key = self.leaf_key(task, &resolved, importer.as_ref());
        self.launch(id, task, component, resolved, importer, key);
    }

    /// Ends a task that waited in vain for what it reads; false: it waited for nothing, or has got it.
    pub(super) fn ends_with_remakes(&mut self, id: NodeId) -> bool {
        if self.remakes.awaited.is_empty() {
            return false;
        }
        for maker in self.remakes.awaited.remove(&id).unwrap_or_default() {
            match self.node(maker).state {
                State::Cancelled => {
                    self.end_unstarted(id, State::Cancelled, Reason::CancelledByRequest, maker);
                    return true;
                }
                State::Failed | State::NotTriggered => {
                    self.end_unstarted(id, State::NotTriggered, Reason::UpstreamFailed, maker);
                    return true;
                }
                _ => {}
            }
        }
        false
    }

    /// What is made anew is there, or will not be: those that wait for it go on.
    pub(super) fn release_readers(&mut self, id: NodeId) {
        for reader in self.remakes.readers.remove(&id).unwrap_or_default() {
            self.release(reader);
        }
    }

    /// The artifacts of a leaf's inputs as they were made last.
    pub(super) fn take_remade(&self, slots: &mut super::Slots) {
        if self.remakes.made.is_empty() {
            return;
        }
        for slot in &mut slots.artifacts {
            if let Slot::Known(list) = slot {
                let items = list.items.iter().map(|item| self.made_last(item).unwrap_or_else(|| Arc::clone(item)));
                *slot = Slot::Known(Artifacts { items: items.collect(), is_list: list.is_list });
            }
        }
    }

    /// The artifact that has taken the place of a lost one.
    fn made_last(&self, item: &TracedArtifact) -> Option<Arc<TracedArtifact>> {
        let makers = self.remakes.made.get(&self.first_maker(item.origin))?;
        let maker = makers.iter().rev().copied().find(|maker| self.has_outcome(*maker))?;
        if maker == item.origin {
            return None;
        }
        let before = self.node(item.origin).outputs.as_deref()?.artifacts.iter();
        let now = self.node(maker).outputs.as_deref()?.artifacts.iter();
        before.zip(now).find_map(|(before, now)| {
            let place = before.known()?.items.iter().position(|other| other.artifact.uri == item.artifact.uri)?;
            now.known()?.items.get(place).map(Arc::clone)
        })
    }

    /// Who made the artifact of that URI that a leaf reads; [`ROOT`]: it was given to the run.
    fn origin_of(&self, id: NodeId, uri: &str) -> Option<NodeId> {
        let reader = self.remake_of(id).map_or(id, |(first, _)| first);
        let resolved = self.resolve(reader, self.task_of(self.node(reader))).ok()?;
        let mut items = resolved.slots.artifacts.iter().filter_map(Slot::known).flat_map(|list| list.items.iter());
        items.find(|item| item.artifact.uri == uri).map(|item| item.origin)
    }

    fn first_maker(&self, id: NodeId) -> NodeId {
        self.remake_of(id).map_or(id, |(first, _)| first)
    }

    fn has_outcome(&self, id: NodeId) -> bool {
        let node = self.node(id);
        node.phase == Phase::Ended && matches!(node.state, State::Succeeded | State::Skipped)
    }
}
