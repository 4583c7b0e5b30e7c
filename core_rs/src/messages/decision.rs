//! [`Decision`], the one message with a oneof.

use super::launch::Launch;
use super::run::{NodeCreated, NodeEnded, NodeStarted};
use crate::message::{FieldType, Message};
use crate::wire::{Field, Result, Writer};

/// What becomes of one task, decided now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// The task.
    pub task_id: i64,
    /// What becomes of it; `None` only in bytes that were not written here.
    pub what: Option<What>,
}

/// What can become of a task.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// It exists from now on.
    Created(Box<NodeCreated>),
    /// A DAG, a loop or an iteration: its children may run.
    Started(Box<NodeStarted>),
    /// It has reached a final state without being launched, or with its children.
    Ended(Box<NodeEnded>),
    /// A leaf that has to run now.
    Launch(Box<Launch>),
}

impl Message for Decision {
    fn encode_into(&self, writer: &mut Writer) {
        self.task_id.write(1, writer);
        match &self.what {
            None => {}
            Some(What::Created(created)) => writer.message(2, |body| created.encode_into(body)),
            Some(What::Started(started)) => writer.message(3, |body| started.encode_into(body)),
            Some(What::Ended(ended)) => writer.message(4, |body| ended.encode_into(body)),
            Some(What::Launch(launch)) => writer.message(5, |body| launch.encode_into(body)),
        }
    }

    fn read_field(&mut self, field: &Field<'_>) -> Result<()> {
        fn boxed<M: Message>(field: &Field<'_>) -> Result<Box<M>> {
            let mut message = Box::<M>::default();
            message.read_all(field.message()?)?;
            Ok(message)
        }
        match field.number {
            1 => self.task_id.read(field)?,
            2 => self.what = Some(What::Created(boxed(field)?)),
            3 => self.what = Some(What::Started(boxed(field)?)),
            4 => self.what = Some(What::Ended(boxed(field)?)),
            5 => self.what = Some(What::Launch(boxed(field)?)),
            _ => {}
        }
        Ok(())
    }
}
