//! The way of one model's results to where they go: part after part, with an account of each.
//!
//! Owns when a part ends, and that a challenger whose results cannot be taken drops out. It must
//! not know what models are.

use super::challenger::{Challenger, Challengers};
use super::gathering::Gathering;
use super::job::{Finished, Job};
use super::model_output::add_counts;
use super::observer::{Observer, Partials};
use super::part::{PartAccount, Segment};
use super::run::{Outcomes, Receiver};
use super::stage::{Stage, StageTimes};
use crate::error::{Error, Result};
use crate::table::dataset::Position;

/// Where results of a challenger go.
pub trait ChallengerReceiver: Receiver {
    /// Nothing more will come, because of `error`; what came is of no use.
    fn drop_out(&mut self, error: &Error);
}

/// A challenger's results.
pub struct Entry<'a> {
    /// Where they go.
    pub receiver: &'a mut dyn ChallengerReceiver,
    /// What was done.
    pub outcomes: &'a mut Outcomes,
    /// Why it dropped out, if it did.
    pub dropped: &'a mut Option<Error>,
}

/// One model's results on their way.
pub(super) struct Lane<'a> {
    pub(super) observers: &'a [Box<dyn Observer>],
    /// What large observers see of the run's own results.
    gathering: Option<&'a Gathering<'a>>,
    pub(super) input_count: usize,
    pub(super) outcomes: &'a mut Outcomes,
    /// The part at work, and what the observers saw of it so far.
    pub(super) part: Option<(PartAccount, Partials)>,
    pub(super) has_ended_a_part: bool,
}

impl<'a> Lane<'a> {
    /// The way of the run's own results.
    pub(super) fn of_run(
        job: &'a Job,
        gathering: &'a Gathering<'a>,
        outcomes: &'a mut Outcomes,
    ) -> Self {
        Self {
            gathering: Some(gathering),
            ..Self::new(&job.observers, job.arms.inputs().count(), outcomes)
        }
    }

    fn of_challenger(arm: &'a Challenger, outcomes: &'a mut Outcomes) -> Self {
        let input_count = arm.scoring.encoder().inputs().len();
        Self::new(&arm.observers, input_count, outcomes)
    }

    fn new(
        observers: &'a [Box<dyn Observer>],
        input_count: usize,
        outcomes: &'a mut Outcomes,
    ) -> Self {
        Self {
            observers,
            gathering: None,
            input_count,
            outcomes,
            part: None,
            has_ended_a_part: false,
        }
    }

    /// Whether results of this part are of another than the one at work.
    pub(super) fn is_beyond(&self, part: u64) -> bool {
        self.part
            .as_ref()
            .is_some_and(|(account, _)| account.number != part)
    }

    /// Writes a portion, which is the next, and books it.
    pub(super) fn take<R: Receiver + ?Sized>(
        &mut self,
        receiver: &mut R,
        finished: &Finished,
    ) -> Result<()> {
        let start = Position {
            file: finished.file,
            row: finished.first_row,
        };
        self.outcomes.times.add(&finished.times);
        add_counts(&mut self.outcomes.counts, &finished.counts);
        let mut times = StageTimes::default();
        times.measure(Stage::Write, || write(receiver, finished))?;
        self.outcomes.times.add(&times);
        let (account, seen) = self.part.get_or_insert_with(|| {
            (
                PartAccount::new(finished.part, start, self.input_count),
                Partials::empty(self.observers),
            )
        });
        account.book(finished);
        seen.merge(&finished.seen)
    }

    /// Ends the part at work, if there is one.
    pub(super) fn end_part<R: Receiver + ?Sized>(&mut self, receiver: &mut R) -> Result<()> {
        let Some((account, mut seen)) = self.part.take() else {
            return Ok(());
        };
        self.has_ended_a_part = true;
        if let Some(gathering) = self.gathering {
            gathering.finish(account.number, &mut seen)?;
        }
        let mut times = StageTimes::default();
        let ended = times.measure(Stage::Write, || receiver.end_part(&account, &seen));
        self.outcomes.absorb(&account, seen)?;
        ended?;
        self.outcomes.times.add(&times);
        Ok(())
    }

    /// Ends the last part; a run without rows has one part, which is empty.
    pub(super) fn finish<R: Receiver + ?Sized>(
        &mut self,
        receiver: &mut R,
        first: Option<Segment>,
    ) -> Result<()> {
        self.end_part(receiver)?;
        let Some(first) = first.filter(|first| !self.has_ended_a_part && first.first_part == 0)
        else {
            return Ok(());
        };
        let account = PartAccount::new(0, first.start, self.input_count);
        self.part = Some((account, Partials::empty(self.observers)));
        self.end_part(receiver)
    }
}

fn write<R: Receiver + ?Sized>(receiver: &mut R, finished: &Finished) -> Result<()> {
    receiver.write(finished.part, &finished.output)?;
    let rejected = finished.rejected.as_ref();
    let Some(rejected) = rejected.filter(|_| !finished.rejections.is_empty()) else {
        return Ok(());
    };
    let rows = rejected.slice(0, finished.rejections.len());
    receiver.reject(finished.part, finished.file, &rows, &finished.rejections)
}

/// A challenger's results on their way.
pub(super) struct ChallengerLane<'a> {
    arm: &'a Challenger,
    receiver: &'a mut dyn ChallengerReceiver,
    dropped: &'a mut Option<Error>,
    lane: Lane<'a>,
}

impl<'a> ChallengerLane<'a> {
    /// The ways of the results of all challengers that are still in the run.
    pub(super) fn all<'e: 'a>(
        challengers: Option<&'a Challengers>,
        entries: Vec<Entry<'e>>,
    ) -> Vec<ChallengerLane<'a>> {
        let arms = challengers.into_iter().flat_map(|all| &all.arms);
        let lanes = arms.zip(entries).map(|(arm, entry)| ChallengerLane {
            arm,
            receiver: entry.receiver,
            dropped: entry.dropped,
            lane: Lane::of_challenger(arm, entry.outcomes),
        });
        lanes.collect()
    }

    /// Takes a portion; none if the challenger failed.
    pub(super) fn take(&mut self, finished: Option<Finished>) {
        self.attempt(|arm, receiver, lane| match finished {
            Some(finished) => lane.take(receiver, &finished),
            None => Err(arm.state.take_failure()),
        });
    }

    pub(super) fn end_part(&mut self) {
        self.attempt(|_, receiver, lane| lane.end_part(receiver));
    }

    pub(super) fn finish(&mut self, first: Option<Segment>) {
        self.attempt(|_, receiver, lane| lane.finish(receiver, first));
    }

    /// Does a step unless the challenger has dropped out; if it fails, it does.
    fn attempt(
        &mut self,
        step: impl FnOnce(&Challenger, &mut dyn ChallengerReceiver, &mut Lane<'a>) -> Result<()>,
    ) {
        if self.dropped.is_some() {
            return;
        }
        if let Err(error) = step(self.arm, &mut *self.receiver, &mut self.lane) {
            self.receiver.drop_out(&error);
            self.arm.state.drop_out(Error::failed("it dropped out"));
            *self.dropped = Some(error);
        }
    }
}
