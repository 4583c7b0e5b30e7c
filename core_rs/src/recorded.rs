//! A run that goes on: its machine, and the records that say what has become of its tasks.
//!
//! Invariant: what the machine decides is in the records before the caller hears of it, so that both are stored with
//! one write.

use crate::machine::Machine;
use crate::messages::{Decisions, Events, LeafEnded};
use crate::records::{plain_success, RecordError, Records};

/// What has happened since the machine was last told.
#[derive(Debug, Default)]
pub struct News {
    /// Leaves that have ended, each with how its processes were.
    pub ended: Vec<(LeafEnded, String)>,
    /// Leaves that succeeded and have left nothing, after those.
    pub succeeded: Vec<(i64, String)>,
    /// The run is being cancelled.
    pub cancel: bool,
}

/// The machine of a run, and its records.
#[derive(Debug)]
pub struct Recorded {
    /// Which task may start, with what.
    pub machine: Machine,
    /// What has become of each.
    pub records: Records,
}

impl Recorded {
    /// Start the run, or tell the machine again what the records say has happened. Gives what is still to be done.
    ///
    /// # Errors
    /// What is recorded does not fit the run.
    pub fn begin(&mut self, now_ns: i64) -> Result<Decisions, RecordError> {
        let mut decisions = self.decide(Events::default(), now_ns)?;
        let ended = self.records.replayable();
        if !ended.is_empty() {
            self.records.note_failures(&ended);
            self.join(&mut decisions, Events { ended, cancel: false }, now_ns)?;
        }
        // Before a cancel is told again the machine launches what that cancel had ended: nothing else would end it.
        let ended = self.records.ended_unstarted();
        if !ended.is_empty() {
            self.join(&mut decisions, Events { ended, cancel: true }, now_ns)?;
        }
        Ok(decisions)
    }

    /// Take in what has happened. Gives the launches that follow, and the end of the run.
    ///
    /// # Errors
    /// The news does not fit the run.
    pub fn tell(&mut self, news: News, now_ns: i64) -> Result<Decisions, RecordError> {
        let mut events = Events { ended: Vec::with_capacity(news.ended.len() + news.succeeded.len()), cancel: false };
        let plain = news.succeeded.into_iter().map(|(task_id, kill_method)| (plain_success(task_id), kill_method));
        for (event, kill_method) in news.ended.into_iter().chain(plain) {
            self.records.end_leaf(&event, &kill_method, now_ns)?;
            events.ended.push(event);
        }
        if !news.cancel {
            return self.decide(events, now_ns);
        }
        self.records.mark_cancelling(now_ns)?;
        // First of all: what has ended may have been asked to by an earlier server, and is no failure of the run then.
        let mut decisions = self.decide(Events { cancel: true, ..Events::default() }, now_ns)?;
        self.join(&mut decisions, events, now_ns)?;
        Ok(decisions)
    }

    fn decide(&mut self, events: Events, now_ns: i64) -> Result<Decisions, RecordError> {
        let decisions = self.machine.advance(events);
        self.records.apply(decisions, now_ns)
    }

    fn join(&mut self, earlier: &mut Decisions, events: Events, now_ns: i64) -> Result<(), RecordError> {
        let later = self.decide(events, now_ns)?;
        earlier.decisions.extend(later.decisions);
        earlier.run_ended = later.run_ended.or(earlier.run_ended.take());
        Ok(())
    }
}
