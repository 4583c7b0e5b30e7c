//! One pass over the tasks in the order of their ids: what becomes of each, from what became of those before it.
//!
//! Invariant: the rules are those of `machine`, for tasks whose inputs are known to be what they were or not known at all.
//! A task is *touched* where it is no longer what the kept plan says, or something inside it is not.

use super::ask::Ask;
use super::graph::{
    Graph, Rule, Waits, HAS_OWN_DOUBT, IS_END_FROZEN, IS_ITERATION, IS_LEAF, NEEDS_ITS_VIEW, RUNS_AFTER_ANY_END,
    WAS_IN_QUESTION,
};
use super::layout::list;
use super::Refusal;
use crate::messages::{Reason, State, Verdict};

const UNKNOWN: u8 = 1;
const IN_QUESTION: u8 = 2;
const TOUCHED: u8 = 4;
/// Something that it waits for will run first.
const IN_DOUBT: u8 = 8;

/// What is decided of every task; task `id` is at `id - 1`.
#[derive(Debug, Default)]
pub(super) struct Decided {
    pub(super) states: Vec<u8>,
    pub(super) verdicts: Vec<u8>,
    pub(super) reasons: Vec<u8>,
    pub(super) causes: Vec<u32>,
    /// One after the other, the keys for which the cross-run cache may be asked.
    pub(super) cache_keys: Vec<u8>,
}

impl Decided {
    /// How many tasks have each verdict, by its number.
    pub(super) fn counts(&self) -> Vec<i64> {
        let mut counts = [0i64; 256];
        for verdict in &self.verdicts {
            counts[usize::from(*verdict)] += 1;
        }
        counts[..=Verdict::Dropped as usize].to_vec()
    }
}

/// What became of one task.
#[derive(Debug, Clone, Copy)]
struct Became {
    state: u8,
    verdict: u8,
    reason: u8,
    cause: u32,
}

/// What became of the tasks inside another.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    is_failed: bool,
    is_unknown: bool,
    is_not_triggered: bool,
    executes: bool,
    re_evaluates: bool,
    reuses: bool,
    skips: bool,
}

/// A task whose inside is being gone through.
#[derive(Debug, Clone, Copy)]
struct Open {
    id: u32,
    rule: Rule,
    doubt: Option<Waits>,
    /// Whether something that it sees is touched; those inside see it through it.
    is_view_touched: bool,
    is_inside_touched: bool,
    tally: Tally,
}

struct Sweep<'g> {
    graph: &'g Graph,
    decided: Decided,
    seen: Vec<u8>,
    open: Vec<Open>,
}

/// Decides every task of the graph.
pub(super) fn sweep(graph: &Graph, ask: &Ask) -> Result<Decided, Refusal> {
    let count = graph.len();
    let decided = Decided {
        states: graph.states.clone(),
        verdicts: graph.verdicts.clone(),
        reasons: graph.reasons.clone(),
        causes: graph.causes.clone(),
        cache_keys: Vec::new(),
    };
    let root = Open {
        id: 0,
        rule: Rule::Open,
        doubt: None,
        is_view_touched: false,
        is_inside_touched: false,
        tally: Tally::default(),
    };
    let mut sweep = Sweep { graph, decided, seen: vec![0; count + 1], open: vec![root] };
    let mut doubts = graph.doubts.iter();
    for index in 0..count {
        let id = index as u32 + 1;
        let own_doubt = match graph.flags.get(index) {
            Some(flags) if flags & HAS_OWN_DOUBT != 0 => {
                let (of, waits) = doubts.next().ok_or(Refusal::Malformed)?;
                if *of != id || waits.cause as usize > count {
                    return Err(Refusal::Malformed);
                }
                Some(*waits)
            }
            _ => None,
        };
        sweep.visit(index, own_doubt, ask)?;
    }
    while sweep.open.len() > 1 {
        sweep.close()?;
    }
    sweep.note_cache_keys();
    Ok(sweep.decided)
}

impl Sweep<'_> {
    fn visit(&mut self, index: usize, own_doubt: Option<Waits>, ask: &Ask) -> Result<(), Refusal> {
        let graph = self.graph;
        let id = index as u32 + 1;
        let (Some(&parent), Some(&flags), Some(&rule)) =
            (graph.parents.get(index), graph.flags.get(index), graph.rules.get(index))
        else {
            return Err(Refusal::Malformed);
        };
        let top = loop {
            match self.open.last() {
                Some(top) if top.id == parent => break *top,
                Some(top) if top.id > parent => self.close()?,
                _ => return Err(Refusal::Malformed),
            }
        };
        let mut is_touched = top.is_view_touched;
        let mut doubt = top.doubt;
        for &upstream in list(&graph.upstream_ends, &graph.upstream, index) {
            if upstream >= id {
                return Err(Refusal::Malformed);
            }
            let seen = self.seen.get(upstream as usize).copied().unwrap_or(0);
            is_touched |= seen & TOUCHED != 0;
            if seen & UNKNOWN != 0 {
                let is_in_question = seen & IN_QUESTION != 0 && flags & RUNS_AFTER_ANY_END == 0;
                if is_in_question {
                    doubt = Some(Waits { reason: Reason::ConditionUnknown, cause: upstream });
                } else if doubt.is_none() {
                    doubt = Some(Waits { reason: Reason::UpstreamChanged, cause: upstream });
                }
            }
        }
        if is_touched && (rule == Rule::Frozen || flags & NEEDS_ITS_VIEW != 0) {
            return Err(Refusal::Reached("a condition, a loop or a task that no rule covers"));
        }
        let doubt = own_doubt.or(doubt);
        let is_in_question = match rule {
            Rule::Frozen => flags & WAS_IN_QUESTION != 0,
            Rule::Open if flags & IS_ITERATION != 0 => false,
            _ => doubt.is_some_and(|doubt| doubt.reason == Reason::ConditionUnknown),
        };
        let mut seen = if is_in_question { IN_QUESTION } else { 0 };
        if is_in_question != (flags & WAS_IN_QUESTION != 0) {
            seen |= TOUCHED;
        }
        if flags & IS_LEAF == 0 {
            self.set_seen(id, seen);
            self.open.push(Open {
                id,
                rule,
                doubt,
                is_view_touched: is_touched,
                is_inside_touched: seen & TOUCHED != 0,
                tally: Tally::default(),
            });
            return Ok(());
        }
        if doubt.is_some() {
            seen |= IN_DOUBT;
        }
        let became = match rule {
            Rule::Frozen => self.kept(index),
            _ => became(decide(rule, doubt, ask.is_requested(id))?),
        };
        if rule == Rule::Frozen && ask.is_requested(id) {
            return Err(Refusal::Reached("a task that no rule covers"));
        }
        self.end(index, became, seen, None);
        Ok(())
    }

    /// The cache may answer for what runs for the reason it ran for in the kept plan, and waits for nothing.
    fn note_cache_keys(&mut self) {
        for (id, key) in &self.graph.cache_keys {
            let index = (*id as usize).wrapping_sub(1);
            let is_in_doubt = self.seen.get(*id as usize).is_none_or(|seen| seen & IN_DOUBT != 0);
            let is_as_kept = self.decided.reasons.get(index) == self.graph.reasons.get(index);
            if self.decided.verdicts.get(index) == Some(&(Verdict::Execute as u8)) && is_as_kept && !is_in_doubt {
                self.decided.cache_keys.extend_from_slice(key);
            }
        }
    }

    /// What the kept plan says of a task.
    fn kept(&self, index: usize) -> Became {
        let graph = self.graph;
        Became {
            state: graph.states.get(index).copied().unwrap_or(0),
            verdict: graph.verdicts.get(index).copied().unwrap_or(0),
            reason: graph.reasons.get(index).copied().unwrap_or(0),
            cause: graph.causes.get(index).copied().unwrap_or(0),
        }
    }

    fn set_seen(&mut self, id: u32, seen: u8) {
        if let Some(place) = self.seen.get_mut(id as usize) {
            *place = seen;
        }
    }

    /// A task has come to its end; `inside`: the tally of its inside, of one that had its turn.
    fn end(&mut self, index: usize, became: Became, mut seen: u8, inside: Option<Tally>) {
        let kept = self.kept(index);
        let is_kept = (kept.state, kept.verdict, kept.reason, kept.cause)
            == (became.state, became.verdict, became.reason, became.cause);
        if !is_kept {
            seen |= TOUCHED;
            put(&mut self.decided.states, index, became.state);
            put(&mut self.decided.verdicts, index, became.verdict);
            put(&mut self.decided.reasons, index, became.reason);
            put(&mut self.decided.causes, index, became.cause);
        }
        if became.state == State::Unspecified as u8 {
            seen |= UNKNOWN;
        }
        self.set_seen(index as u32 + 1, seen);
        let is_leaf = self.graph.flags.get(index).is_some_and(|flags| flags & IS_LEAF != 0);
        if let Some(top) = self.open.last_mut() {
            top.is_inside_touched |= seen & TOUCHED != 0;
            top.tally.count(became, is_leaf, inside);
        }
    }

    /// All tasks inside the innermost open one have ended.
    fn close(&mut self) -> Result<(), Refusal> {
        let Some(open) = self.open.pop().filter(|open| open.id != 0) else { return Err(Refusal::Malformed) };
        let index = open.id as usize - 1;
        let flags = self.graph.flags.get(index).copied().unwrap_or(0);
        let mut seen = self.seen.get(open.id as usize).copied().unwrap_or(0);
        // Its outputs are unknown as soon as it is in doubt, which its verdict need not show.
        if open.is_inside_touched || open.is_view_touched {
            seen |= TOUCHED;
        }
        if open.rule == Rule::Frozen {
            self.end(index, self.kept(index), seen, None);
            return Ok(());
        }
        let became = if flags & IS_END_FROZEN == 0 {
            open.became()
        } else if open.is_inside_touched || open.is_view_touched {
            return Err(Refusal::Reached("a choice among branches"));
        } else {
            self.kept(index)
        };
        self.end(index, became, seen, Some(open.tally));
        Ok(())
    }
}

fn put<T>(list: &mut [T], index: usize, value: T) {
    if let Some(place) = list.get_mut(index) {
        *place = value;
    }
}

impl Tally {
    fn count(&mut self, became: Became, is_leaf: bool, inside: Option<Tally>) {
        self.is_failed |= became.state == State::Failed as u8;
        self.is_unknown |= became.state == State::Unspecified as u8;
        self.is_not_triggered |= became.state == State::NotTriggered as u8;
        if is_leaf || became.state == State::Skipped as u8 {
            self.executes |= became.verdict == Verdict::Execute as u8;
            self.re_evaluates |= became.verdict == Verdict::ReEvaluate as u8;
            self.reuses |= became.verdict == Verdict::Reuse as u8;
            self.skips |= became.verdict == Verdict::Skip as u8;
        } else {
            // A task whose inside never had its turn counts for nothing but its doubt.
            let inside = inside.unwrap_or_default();
            self.executes |= inside.executes;
            self.re_evaluates |= inside.re_evaluates || became.verdict == Verdict::ReEvaluate as u8;
            self.reuses |= inside.reuses;
            self.skips |= inside.skips;
        }
    }
}

impl Open {
    /// How a task ends with those inside it, as `machine::end` has it.
    fn became(&self) -> Became {
        let tally = self.tally;
        let state = match tally {
            _ if self.doubt.is_some() => State::Unspecified,
            _ if tally.is_failed => State::Failed,
            _ if tally.is_unknown => State::Unspecified,
            _ => State::Succeeded,
        };
        let (verdict, reason) = match tally {
            _ if tally.executes => (Verdict::Execute, Reason::Children),
            _ if tally.re_evaluates || self.doubt.is_some() => (Verdict::ReEvaluate, Reason::Children),
            _ if tally.reuses => (Verdict::Reuse, Reason::Children),
            _ if tally.skips => (Verdict::Skip, Reason::Children),
            _ if tally.is_not_triggered => (Verdict::NotTriggered, Reason::Children),
            _ => (Verdict::Reuse, Reason::Children),
        };
        let (reason, cause) = match self.doubt {
            Some(doubt) if verdict == Verdict::ReEvaluate => (doubt.reason, doubt.cause),
            _ => (reason, 0),
        };
        Became { state: state as u8, verdict: verdict as u8, reason: reason as u8, cause }
    }
}

/// What becomes of a leaf, as `machine::decide` has it.
fn decide(rule: Rule, doubt: Option<Waits>, is_requested: bool) -> Result<(Verdict, Reason, u32), Refusal> {
    if let Some(doubt) = doubt.filter(|doubt| doubt.reason == Reason::ConditionUnknown) {
        return Ok((Verdict::ReEvaluate, doubt.reason, doubt.cause));
    }
    Ok(match (rule, doubt) {
        (Rule::Exit, _) => (Verdict::Execute, Reason::ExitTask, 0),
        (Rule::Waiting | Rule::Frozen | Rule::Open, _) => {
            return Err(Refusal::Reached("a task that waits for a condition"));
        }
        _ if is_requested => (Verdict::Execute, Reason::Requested, 0),
        (Rule::Reimport, _) => (Verdict::Execute, Reason::Reimport, 0),
        (Rule::NotUsable, _) => (Verdict::Execute, Reason::NotSucceeded, 0),
        (Rule::Usable, Some(doubt)) => (Verdict::ReEvaluate, doubt.reason, doubt.cause),
        (Rule::Usable, None) => (Verdict::Reuse, Reason::Unchanged, 0),
    })
}

fn became((verdict, reason, cause): (Verdict, Reason, u32)) -> Became {
    let state = if verdict == Verdict::Reuse { State::Skipped } else { State::Unspecified };
    Became { state: state as u8, verdict: verdict as u8, reason: reason as u8, cause }
}
