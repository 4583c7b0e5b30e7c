//! The graph of a compiled run: tasks in the order of their ids, which is topological, with what became of each in the
//! plan of a rerun that asks for nothing.

use super::layout::{push, Cut};
use super::Refusal;
use crate::message::message;
use crate::messages::{Message, Reason};

const MAGIC: &[u8; 8] = b"reprise\x01";

/// The version of the layout and of the rules that made the plan in it: to be raised when the planner's rules change.
const VERSION: u32 = 1;

/// This release.
pub(crate) const RELEASE: &str = env!("CARGO_PKG_VERSION");

message! {
    /// What a compiled run says of itself.
    Head {
        pipeline_name: String = 1,
        schema_version: String = 2,
        /// Of the project; in every key.
        salt: String = 3,
        /// Of the canonical spec, as the etag has it.
        spec_digest: Vec<u8> = 4,
        has_artifacts: bool = 5,
        /// The version of the keys' encoding.
        key_domain: Vec<u8> = 6,
        /// The release that made it: another one may plan by other rules.
        release: String = 7,
    }
}

/// What the sweep may decide of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Rule {
    /// Nothing: it stays what it was while all that it sees is what it was.
    Frozen = 0,
    /// A leaf with an outcome whose key is unchanged.
    Usable = 1,
    /// A leaf without an outcome.
    NotUsable = 2,
    /// Part of an exit task.
    Exit = 3,
    /// An importer that asks to run each time.
    Reimport = 4,
    /// A leaf of which only this is known: that it waits for a condition.
    Waiting = 5,
    /// A task with tasks inside, which have their turn.
    Open = 6,
}

impl Rule {
    fn from_number(number: u8) -> Option<Rule> {
        Some(match number {
            0 => Rule::Frozen,
            1 => Rule::Usable,
            2 => Rule::NotUsable,
            3 => Rule::Exit,
            4 => Rule::Reimport,
            5 => Rule::Waiting,
            6 => Rule::Open,
            _ => return None,
        })
    }
}

/// A container or an importer.
pub(crate) const IS_LEAF: u8 = 1;
/// ALL_UPSTREAM_TASKS_COMPLETED.
pub(crate) const RUNS_AFTER_ANY_END: u8 = 2;
/// It was in question whether it is triggered.
pub(crate) const WAS_IN_QUESTION: u8 = 4;
/// A condition or a list hangs on what it sees.
pub(crate) const NEEDS_ITS_VIEW: u8 = 8;
/// Its own condition leaves it in doubt, by the list of doubts.
pub(crate) const HAS_OWN_DOUBT: u8 = 16;
/// Its end hangs on more than the ends of what is inside.
pub(crate) const IS_END_FROZEN: u8 = 32;
/// An iteration of a loop.
pub(crate) const IS_ITERATION: u8 = 64;
/// An importer.
pub(crate) const IS_IMPORTER: u8 = 128;

/// What the original has of a task, as far as a config's meaning hangs on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Past {
    /// It failed, was cancelled, or never started.
    Other = 0,
    Succeeded = 1,
    /// SKIPPED, with outputs.
    Reused = 2,
    /// SKIPPED, without.
    LeftOut = 3,
}

impl Past {
    fn from_number(number: u8) -> Option<Past> {
        Some(match number {
            0 => Past::Other,
            1 => Past::Succeeded,
            2 => Past::Reused,
            3 => Past::LeftOut,
            _ => return None,
        })
    }
}

/// Why it is not sure that a task's turn comes, and the task that has to run first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(crate) reason: Reason,
    pub(crate) cause: u32,
}

/// The graph. Task `id` is at `id - 1` of every list; 0 is the root.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) head: Head,
    pub(crate) parents: Vec<u32>,
    pub(crate) upstream_ends: Vec<u32>,
    pub(crate) upstream: Vec<u32>,
    pub(crate) causes: Vec<u32>,
    /// (task, doubt), by task.
    pub(crate) doubts: Vec<(u32, Waits)>,
    pub(crate) states: Vec<u8>,
    pub(crate) verdicts: Vec<u8>,
    pub(crate) reasons: Vec<u8>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) flags: Vec<u8>,
    pub(crate) pasts: Vec<Past>,
    /// (task, key) of the leaves for which the cross-run cache is asked, by task.
    pub(crate) cache_keys: Vec<(u32, [u8; KEY_BYTES])>,
}

/// The length of a cache key.
pub(crate) const KEY_BYTES: usize = 32;

impl Graph {
    pub(crate) fn len(&self) -> usize {
        self.parents.len()
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let head = self.head.encode();
        let mut bytes = Vec::with_capacity(head.len() + 64 + self.len() * 18 + self.upstream.len() * 4);
        bytes.extend_from_slice(MAGIC);
        let doubts: Vec<u32> =
            self.doubts.iter().flat_map(|(id, waits)| [*id, waits.reason as u32, waits.cause]).collect();
        let lists = [self.upstream.len(), self.doubts.len(), self.cache_keys.len()];
        push(&mut bytes, &[VERSION, head.len() as u32, self.len() as u32]);
        push(&mut bytes, &lists.map(|length| length as u32));
        bytes.extend_from_slice(&head);
        for numbers in [&self.parents, &self.upstream_ends, &self.upstream, &self.causes, &doubts] {
            push(&mut bytes, numbers);
        }
        for small in [&self.states, &self.verdicts, &self.reasons, &self.flags] {
            bytes.extend_from_slice(small);
        }
        bytes.extend(self.rules.iter().map(|rule| *rule as u8));
        bytes.extend(self.pasts.iter().map(|past| *past as u8));
        for (id, key) in &self.cache_keys {
            push(&mut bytes, &[*id]);
            bytes.extend_from_slice(key);
        }
        bytes
    }

    /// Reads the bytes of [`Graph::write`]. That a task's parent and upstream come before it is checked by the sweep, which
    /// looks at them anyway.
    pub(crate) fn read(bytes: &[u8]) -> Result<Graph, Refusal> {
        let mut cut = Cut::new(bytes);
        if cut.bytes(MAGIC.len())? != MAGIC || cut.number()? != VERSION {
            return Err(Refusal::Malformed);
        }
        let (head, count) = (cut.number()?, cut.number()? as usize);
        let (edges, doubts, cache_keys) = (cut.number()? as usize, cut.number()? as usize, cut.number()? as usize);
        let head = Head::decode(cut.bytes(head as usize)?)?;
        if head.key_domain != crate::key::DOMAIN || head.release != RELEASE || head.spec_digest.len() != 32 {
            return Err(Refusal::Malformed);
        }
        let parents = cut.numbers(count)?;
        let upstream_ends = cut.ends(count, edges)?;
        let upstream = cut.numbers(edges)?;
        let causes = cut.numbers(count)?;
        let doubts = cut.numbers(doubts.checked_mul(3).ok_or(Refusal::Malformed)?)?;
        let doubts = doubts.as_chunks::<3>().0.iter().map(read_doubt).collect::<Result<_, _>>()?;
        let states = cut.bytes(count)?.to_vec();
        let verdicts = cut.bytes(count)?.to_vec();
        let reasons = cut.bytes(count)?.to_vec();
        let flags = cut.bytes(count)?.to_vec();
        let rules = cut.bytes(count)?.iter().map(|rule| Rule::from_number(*rule));
        let rules = rules.collect::<Option<_>>().ok_or(Refusal::Malformed)?;
        let pasts = cut.bytes(count)?.iter().map(|past| Past::from_number(*past));
        let pasts = pasts.collect::<Option<_>>().ok_or(Refusal::Malformed)?;
        let cache_keys = cut.bytes(cache_keys.checked_mul(4 + KEY_BYTES).ok_or(Refusal::Malformed)?)?;
        let cache_keys =
            cache_keys.as_chunks::<{ 4 + KEY_BYTES }>().0.iter().map(read_key).collect::<Result<_, _>>()?;
        cut.finish()?;
        if causes.iter().any(|cause| *cause as usize > count) {
            return Err(Refusal::Malformed);
        }
        Ok(Graph {
            head,
            parents,
            upstream_ends,
            upstream,
            causes,
            doubts,
            states,
            verdicts,
            reasons,
            rules,
            flags,
            pasts,
            cache_keys,
        })
    }
}

fn read_key(bytes: &[u8; 4 + KEY_BYTES]) -> Result<(u32, [u8; KEY_BYTES]), Refusal> {
    let mut cut = Cut::new(bytes);
    let id = cut.number()?;
    cut.bytes(KEY_BYTES)?.try_into().map(|key| (id, key)).map_err(|_| Refusal::Malformed)
}

fn read_doubt([id, reason, cause]: &[u32; 3]) -> Result<(u32, Waits), Refusal> {
    let reason = match *reason {
        10 => Reason::UpstreamChanged,
        15 => Reason::ConditionUnknown,
        _ => return Err(Refusal::Malformed),
    };
    Ok((*id, Waits { reason, cause: *cause }))
}
