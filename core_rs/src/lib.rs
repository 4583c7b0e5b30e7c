//! The deterministic heart of Reprise: pipeline spec, task graph, cache key, plan. Bytes in, bytes out.
//!
//! Invariant: a pure function of its bytes. No clock, files, environment, randomness or hash-map order.

pub mod api;
pub mod canonical;
pub mod cel;
pub mod compiled;
pub mod details;
pub mod document;
mod etag;
mod halves;
pub mod json;
pub mod key;
mod key_compare;
mod key_show;
pub mod machine;
pub mod message;
pub mod messages;
pub mod outline;
pub mod parameter;
pub mod pieces;
pub mod placeholder;
pub mod plan;
pub mod plan_pages;
pub mod presence;
#[cfg(feature = "python")]
mod python;
mod record_lookup;
pub mod recorded;
pub mod records;
pub mod render;
pub mod segments;
pub mod spec;
pub mod structure;
pub mod task_rows;
pub mod value;
pub mod wire;
