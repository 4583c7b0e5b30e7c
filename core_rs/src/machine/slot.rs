//! What is known of one input or output while a run goes on, or before it has begun.

use std::sync::Arc;

use crate::messages::{Artifact, ArtifactList};
use crate::value::Value;

/// The number of a task within its run; 0 is the root, which is no task.
pub type NodeId = u32;

/// The root, or: no task.
pub const ROOT: NodeId = 0;

/// A value that may be absent, or not known before some task has ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Slot<T> {
    /// There is none.
    Absent {
        /// The task that was left out and would have made it; [`ROOT`]: no such task.
        left_out: NodeId,
    },
    /// It waits for a task.
    Unknown {
        /// That task.
        cause: NodeId,
    },
    /// It is known.
    Known(T),
}

impl<T> Slot<T> {
    /// Absent, and nobody left it out.
    pub const ABSENT: Slot<T> = Slot::Absent { left_out: ROOT };

    /// The value, where there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Slot::Known(value) => Some(value),
            _ => None,
        }
    }

    /// The task it waits for, if it does.
    pub fn cause(&self) -> Option<NodeId> {
        match self {
            Slot::Unknown { cause } => Some(*cause),
            _ => None,
        }
    }
}

/// A parameter. Null is absent.
pub type ParameterSlot = Slot<Arc<Value>>;

/// An artifact, and the task of this run that it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct TracedArtifact {
    /// The artifact.
    pub artifact: Artifact,
    /// Who has it as an output; [`ROOT`]: it was given to the run.
    pub origin: NodeId,
}

/// One artifact or a list of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifacts {
    /// In order.
    pub items: Arc<[Arc<TracedArtifact>]>,
    /// Declared as a list.
    pub is_list: bool,
}

/// An artifact, or a list of them, that may be absent or unknown.
pub type ArtifactSlot = Slot<Artifacts>;

/// The values of a component's declared inputs, or outputs, in the order of their declaration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Slots {
    /// One for each declared parameter.
    pub parameters: Box<[ParameterSlot]>,
    /// One for each declared artifact.
    pub artifacts: Box<[ArtifactSlot]>,
}

impl Slots {
    /// The parameter of that index.
    pub fn parameter(&self, index: u32) -> ParameterSlot {
        self.parameters.get(index as usize).cloned().unwrap_or(Slot::ABSENT)
    }

    /// The artifacts of that index.
    pub fn artifact(&self, index: u32) -> ArtifactSlot {
        self.artifacts.get(index as usize).cloned().unwrap_or(Slot::ABSENT)
    }
}

/// A parameter of that value.
pub fn parameter(value: Value) -> ParameterSlot {
    if value.is_null() {
        Slot::ABSENT
    } else {
        Slot::Known(Arc::new(value))
    }
}

/// The artifacts of a message, made or given by `origin`.
pub fn artifacts(list: &ArtifactList, origin: NodeId) -> ArtifactSlot {
    let items: Vec<Arc<TracedArtifact>> =
        list.artifacts.iter().map(|artifact| Arc::new(TracedArtifact { artifact: artifact.clone(), origin })).collect();
    if items.is_empty() && !list.is_list {
        return Slot::ABSENT;
    }
    Slot::Known(Artifacts { items: items.into(), is_list: list.is_list })
}
