//! Reading ahead of a plan: the values that tasks take lie anywhere in memory, and a task that is seen to alone waits for
//! one after the other.
//!
//! Invariant: nothing changes, and nothing depends on what is read.

use std::hint::black_box;
use std::sync::Arc;

use super::slot::{NodeId, Slot};
use super::{Machine, Mode};
use crate::halves::MANY;
use crate::spec::ParameterSource;
use crate::value::Value;

/// So many tasks are read ahead together: as many trips to memory as a processor makes at once, and less than its nearest
/// caches hold.
const AT_ONCE: u32 = 32;

impl Machine {
    /// Reads a little of all that this task and the next ones take, side by side, unless it was read already.
    pub(super) fn read_ahead(&mut self, id: NodeId) {
        if id < self.read_until || self.mode == Mode::Run || self.nodes.len() < MANY {
            return;
        }
        self.read_until = id.saturating_add(AT_ONCE);
        let nodes = self.nodes.get(id as usize..).unwrap_or(&[]).iter().take(AT_ONCE as usize);
        let mut read = 0;
        let mut producers = Vec::with_capacity(4 * AT_ONCE as usize);
        for node in nodes {
            for binding in self.task_of(node).parameters.iter() {
                match &binding.source {
                    ParameterSource::Constant(value) => read ^= touch(value),
                    ParameterSource::Output { task, output } => {
                        let producer =
                            self.child(node.parent, *task).and_then(|producer| self.nodes.get(producer as usize));
                        producers.extend(producer.map(|producer| (producer, *output)));
                    }
                    _ => {}
                }
            }
        }
        read ^= producers.iter().filter(|(producer, _)| producer.outputs.is_some()).count();
        let outputs: Vec<_> =
            producers.iter().filter_map(|(producer, output)| Some((producer.outputs.as_deref()?, *output))).collect();
        read ^= outputs.iter().map(|(slots, _)| slots.parameters.len()).sum::<usize>();
        for (slots, output) in outputs {
            if let Some(Slot::Known(value)) = slots.parameters.get(output as usize) {
                read ^= touch(value);
            }
        }
        black_box(read);
    }
}

fn touch(value: &Arc<Value>) -> usize {
    match value.as_ref() {
        Value::String(text) => text.bytes().next().map_or(0, usize::from),
        _ => Arc::strong_count(value),
    }
}
