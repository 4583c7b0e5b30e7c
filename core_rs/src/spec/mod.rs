//! The pipeline spec: read, checked, linked.

mod head;
mod link;
mod link_dag;
mod link_task;
mod lists;
mod model;
mod names;
mod nesting;
mod order;
pub mod parameters;
pub mod problems;
mod raw;
mod read;
mod read_dag;
mod read_executor;
mod read_task;
mod recent;
pub mod requirements;

pub use head::{read_head, Head};
pub use link::read_spec;
pub use lists::Lists;
pub use model::*;
