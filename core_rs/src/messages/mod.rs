//! The messages of engine.proto, which says what their fields mean.
//!
//! Invariant: encoding writes fields in the order of their numbers, so equal messages have equal bytes.

mod decision;
mod enums;
mod launch;
mod record;
mod request;
mod run;

pub use crate::message::{Enum, Message};
pub use decision::*;
pub use enums::*;
pub use launch::*;
pub use record::*;
pub use request::*;
pub use run::*;

#[cfg(test)]
mod tests;
