//! The records of a plan, written as tasks come to their ends, so that nothing is kept twice.

use super::emit::output_values;
use super::node::Told;
use super::slot::NodeId;
use super::Machine;
use crate::messages::{Kind, Message, State};
use crate::spec::Task;
use crate::wire::Writer;

/// Encoded TaskRecords in the order in which they were written.
#[derive(Debug, Default)]
pub struct Planned {
    bytes: Writer,
    /// Where the record of each task lies; by id.
    places: Vec<Place>,
}

/// Where a record lies.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    start: usize,
    end: usize,
}

/// The field of a TaskRecord that holds the key for which the cross-run cache may be asked.
pub(super) const CACHE_KEY: u32 = 38;

impl Planned {
    /// The record of a task.
    pub fn get(&self, id: NodeId) -> &[u8] {
        self.at(self.places.get(id as usize).copied().unwrap_or_default())
    }

    /// How many bytes all records have.
    pub fn size(&self) -> usize {
        self.bytes.as_bytes().len()
    }

    /// How many tasks there are, the root included.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True where nothing is planned.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Where all records lie, in id order.
    pub fn places(&self) -> &[Place] {
        self.places.get(1..).unwrap_or(&[])
    }

    /// The record that lies there.
    pub fn at(&self, place: Place) -> &[u8] {
        self.bytes.as_bytes().get(place.start..place.end).unwrap_or(&[])
    }
}

impl Machine {
    /// Writes down what is planned for a task.
    pub(super) fn tell_planned(&mut self, id: NodeId, told: Told) {
        let mut planned = std::mem::take(&mut self.planned);
        let start = planned.bytes.as_bytes().len();
        self.write_planned(id, told, &mut planned.bytes);
        let end = planned.bytes.as_bytes().len();
        if planned.places.len() < self.nodes.len() {
            planned.places.resize(self.nodes.len(), Place::default());
        }
        if let Some(place) = planned.places.get_mut(id as usize) {
            *place = Place { start, end };
        }
        self.planned = planned;
    }

    /// A TaskRecord, field by field in the order of their numbers.
    fn write_planned(&self, id: NodeId, told: Told, writer: &mut Writer) {
        let node = self.node(id);
        let task: &Task = self.task_of(node);
        let component = self.spec.component(node.component);
        let details = node.details.as_deref();
        let is_iteration = node.kind == Kind::Iteration;
        writer.int(1, i64::from(id));
        writer.int(2, i64::from(node.parent));
        if is_iteration {
            writer.string(3, &format!("{}[{}]", task.name, node.index));
        } else {
            writer.string(3, &task.name);
        }
        writer.string(4, &self.path(id));
        writer.int(5, node.kind as i64);
        writer.int(6, node.state as i64);
        writer.int(7, node.verdict as i64);
        writer.int(8, node.reason as i64);
        writer.string(9, details.map_or("", |details| &details.reason_field));
        writer.string(10, &self.path(node.caused_by));
        if let Some(inputs) = &told.encoded_inputs {
            writer.bytes_always(11, inputs);
        } else if let Some(inputs) = &told.inputs {
            writer.message(11, |body| inputs.encode_into(body));
        } else if !node.is_leaf() {
            let inputs = self.dag_input_values(id);
            writer.message(11, |body| inputs.encode_into(body));
        }
        if let Some(outputs) = &told.outputs {
            writer.message(12, |body| outputs.encode_into(body));
        } else if let Some(slots) = &node.outputs {
            let outputs = output_values(component, slots);
            writer.message(12, |body| outputs.encode_into(body));
        }
        if let (Some(error), State::Failed) = (details.and_then(|details| details.error.as_ref()), node.state) {
            writer.message(13, |body| error.encode_into(body));
        }
        if let Some((digest, _)) = &told.key {
            writer.bytes(14, digest);
        }
        if let Some(source) = &told.source {
            writer.message(16, |body| source.encode_into(body));
        }
        writer.bool(17, node.is_left_out);
        if let Some(overrides) = details.and_then(|details| details.overrides.as_ref()) {
            writer.message(18, |body| overrides.encode_into(body));
        }
        if is_iteration {
            writer.int(20, i64::from(node.index));
            writer.string(21, details.map_or("", |details| &details.item_identity));
        }
        writer.string(22, &component.name);
        if let Some(key) = &told.cache_key {
            writer.bytes(CACHE_KEY, key);
        }
        if !is_iteration {
            writer.bool(23, task.is_exit);
            if !task.upstream.is_empty() {
                writer.message(24, |packed| {
                    for &index in task.upstream.iter() {
                        if let Some(sibling) = self.child(node.parent, index) {
                            packed.raw_varint(u64::from(sibling));
                        }
                    }
                });
            }
        }
    }
}
