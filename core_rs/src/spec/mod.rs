//! The pipeline spec: read, checked, linked.

mod head;
mod link;
mod model;
mod order;
pub mod parameters;
pub mod problems;
mod read;
pub mod requirements;

pub use head::{read_head, Head};
pub use link::read_spec;
pub use model::*;
