//! A run: portions to workers, results in order to their receiver, an account of every row.

use std::collections::VecDeque;

use arrow::array::RecordBatch;

use super::budget::Budget;
use super::challenger::Challenger;
use super::correction::Corrections;
use super::gathering::Gathering;
use super::job::{Finished, Job};
use super::lane::{ChallengerLane, Entry, Lane};
use super::ledger::Ledger;
use super::observer::Partials;
use super::ordered::for_each_in_order;
use super::part::{PartAccount, PartPortion, Segment};
use super::portion_work::PortionWork;
use super::scoring::Rejection;
use super::stage::StageTimes;
use crate::error::{Error, Result};
use crate::feature::verdict::Coercions;
use crate::interrupt::Interrupt;
use crate::table::dataset::{FilePortions, Position};

/// Where results go, in order: part after part, and within a part row after row.
pub trait Receiver: Send {
    /// Takes rows of the output.
    ///
    /// # Errors
    /// Fails if they cannot be written.
    fn write(&mut self, part: u64, output: &RecordBatch) -> Result<()>;

    /// Takes rejected rows as they were read, with what is said of each; `file` is the index of
    /// their file.
    ///
    /// # Errors
    /// Fails if they cannot be written.
    fn reject(
        &mut self,
        part: u64,
        file: usize,
        rows: &RecordBatch,
        rejections: &[Rejection],
    ) -> Result<()>;

    /// Ends the part that rows were written to, or would have been; `seen` is what the observers
    /// saw of them.
    ///
    /// # Errors
    /// Fails if what is left cannot be written.
    fn end_part(&mut self, account: &PartAccount, seen: &Partials) -> Result<()>;
}

/// What a run did so far.
#[derive(Debug)]
pub struct Outcomes {
    /// The account of every row.
    pub ledger: Ledger,
    /// What was done to each input's values, in the inputs' order.
    pub coercions: Vec<Coercions>,
    /// What the job's observers saw.
    pub seen: Partials,
    /// Work per stage over all workers.
    pub times: StageTimes,
    /// For each of the models' counters, what this process added to it.
    pub counts: Vec<u64>,
    /// Rows that an earlier run had read already.
    pub rows_before: u64,
}

impl Outcomes {
    /// Nothing done yet.
    #[must_use]
    pub fn new(job: &Job) -> Self {
        Self {
            ledger: Ledger::new(job.dataset.files.iter().map(|file| file.name.clone())),
            coercions: vec![Coercions::default(); job.arms.inputs().count()],
            seen: Partials::empty(&job.observers),
            times: StageTimes::default(),
            counts: vec![0; job.arms.counters().count()],
            rows_before: 0,
        }
    }

    /// Nothing done yet, of a challenger.
    #[must_use]
    pub fn of_challenger(job: &Job, arm: &Challenger) -> Self {
        let scoring = &arm.scoring;
        Self {
            coercions: vec![Coercions::default(); scoring.encoder().inputs().len()],
            seen: Partials::empty(&arm.observers),
            counts: vec![0; scoring.model().model.counters().len()],
            ..Self::new(job)
        }
    }

    /// Rows that this run itself read.
    #[must_use]
    pub fn rows_read(&self) -> u64 {
        self.ledger.total().rows_in - self.rows_before
    }

    /// Adds a part: its account, and what the observers saw of it.
    ///
    /// # Errors
    /// An internal error if they were other observers.
    pub fn add(&mut self, account: &PartAccount, seen: &Partials) -> Result<()> {
        self.book(account);
        self.seen.merge(seen)
    }

    /// The same where `seen` is not needed further.
    ///
    /// # Errors
    /// As [`Outcomes::add`].
    pub(super) fn absorb(&mut self, account: &PartAccount, seen: Partials) -> Result<()> {
        self.book(account);
        self.seen.absorb(seen)
    }

    fn book(&mut self, account: &PartAccount) {
        self.ledger.add(account);
        self.coercions
            .iter_mut()
            .zip(&account.coercions)
            .for_each(|(sum, counts)| sum.add(counts));
    }
}

/// What may end a run before its rows do.
#[derive(Clone, Debug, Default)]
pub struct Control {
    /// Whether somebody asked it to stop.
    pub interrupt: Interrupt,
    /// How many rows may be rejected.
    pub budget: Budget,
}

/// The rows of a run.
#[derive(Debug)]
pub struct Input {
    /// The rows to be worked on, in order.
    pub segments: Vec<Segment>,
    /// Rows that replace rows of the input.
    pub corrections: Option<Corrections>,
}

impl Input {
    /// All rows of a job, as one part.
    #[must_use]
    pub fn whole(job: &Job) -> Self {
        let whole = Segment {
            first_part: 0,
            start: Position::default(),
            start_byte: None,
            row_count: job.limit.unwrap_or(u64::MAX),
        };
        Self {
            segments: vec![whole],
            corrections: None,
        }
    }
}

/// Works on the segments in order and hands what comes of them to `receiver`; `advance` hears of
/// input rows as they are done. What was done is in `outcomes` also if the run fails. `challengers`
/// has an entry for each of the job's, in their order.
///
/// # Errors
/// The first failure in input order; [`Kind::Signal`](crate::error::Kind::Signal) or
/// [`Kind::ErrorBudget`](crate::error::Kind::ErrorBudget) if `control` ends the run.
pub fn run(
    job: &Job,
    input: Input,
    receiver: &mut dyn Receiver,
    control: &Control,
    outcomes: &mut Outcomes,
    challengers: Vec<Entry<'_>>,
    advance: &(dyn Fn(u64) + Sync),
) -> Result<()> {
    let Input {
        segments,
        corrections,
    } = input;
    let first = segments.first().copied();
    let source = Source {
        job,
        control,
        segments: segments.into(),
        current: None,
    };
    let gathering = Gathering::new(&job.observers, job.threads);
    let rejected = outcomes.ledger.total().rejected;
    let mut delivery = Delivery {
        job,
        control,
        receiver,
        lane: Lane::of_run(job, &gathering, outcomes),
        challengers: ChallengerLane::all(job.challengers.as_ref(), challengers),
        rejected,
        advance,
    };
    let worked = for_each_in_order(
        job.threads,
        &job.pressure(),
        source,
        &PortionWork {
            job,
            corrections: corrections.as_ref(),
            gathering: &gathering,
        },
        |finished| delivery.take(finished),
    );
    let ended = worked.and_then(|()| delivery.finish(first));
    match delivery.lane.part.take() {
        Some((account, seen)) => ended.and(delivery.lane.outcomes.add(&account, &seen)),
        None => ended,
    }
}

/// Portions of the segments in order, none across the border of a part.
struct Source<'a> {
    job: &'a Job,
    control: &'a Control,
    segments: VecDeque<Segment>,
    current: Option<Cutting>,
}

/// A segment being cut.
struct Cutting {
    portions: FilePortions,
    /// Where the next portion begins, and the byte of the file there.
    next: (Position, Option<u64>),
    part: u64,
    left_in_part: u64,
    left: u64,
    /// Whether only the columns of the run's own model are read.
    is_own: bool,
}

impl Source<'_> {
    fn next_portion(&mut self) -> Result<Option<PartPortion>> {
        let rows_per_part = self.job.rows_per_part.unwrap_or(u64::MAX);
        loop {
            self.control.interrupt.check()?;
            let Some(cutting) = &mut self.current else {
                let Some(segment) = self.segments.pop_front() else {
                    return Ok(None);
                };
                let portions = self.job.dataset.portions_at(
                    self.job.file_schema(),
                    segment.start,
                    segment.start_byte,
                );
                self.current = Some(Cutting {
                    portions,
                    next: (segment.start, segment.start_byte),
                    part: segment.first_part,
                    left_in_part: rows_per_part,
                    left: segment.row_count,
                    is_own: false,
                });
                continue;
            };
            let max_rows = cutting.left.min(cutting.left_in_part);
            let next = if max_rows == 0 {
                None
            } else {
                match cutting.portions.next_portion(max_rows) {
                    Err(error) if !cutting.is_own && reads_further(self.job) => {
                        read_own(self.job, cutting, &error);
                        continue;
                    }
                    next => next?,
                }
            };
            let Some(portion) = next else {
                self.current = None;
                continue;
            };
            let (part, rows) = (cutting.part, portion.portion.row_count);
            let end = Position {
                file: portion.file,
                row: portion.portion.first_row + rows,
            };
            cutting.next = (end, portion.portion.end_byte);
            cutting.left -= rows;
            cutting.left_in_part -= rows;
            if cutting.left_in_part == 0 {
                (cutting.part, cutting.left_in_part) = (part + 1, rows_per_part);
            }
            return Ok(Some(PartPortion {
                part,
                portion,
                is_own: cutting.is_own,
            }));
        }
    }
}

/// Whether challengers read columns that the run's own model does not.
fn reads_further(job: &Job) -> bool {
    let challengers = job.challengers.as_ref();
    challengers.is_some_and(|challengers| !challengers.further.is_empty())
}

/// Goes on without the columns that only challengers read: the file cannot be cut with them.
fn read_own(job: &Job, cutting: &mut Cutting, error: &Error) {
    let (start, byte) = cutting.next;
    let text = error.in_one_line();
    if let Some(challengers) = &job.challengers {
        challengers.drop_further(start, || Error::failed(text.clone()));
    }
    cutting.portions = job.dataset.portions_at(&job.read_schema, start, byte);
    cutting.is_own = true;
}

impl Iterator for Source<'_> {
    type Item = Result<PartPortion>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_portion().transpose()
    }
}

/// Takes what workers finished, in order.
struct Delivery<'a> {
    job: &'a Job,
    control: &'a Control,
    receiver: &'a mut dyn Receiver,
    lane: Lane<'a>,
    challengers: Vec<ChallengerLane<'a>>,
    rejected: u64,
    advance: &'a (dyn Fn(u64) + Sync),
}

impl Delivery<'_> {
    fn take(&mut self, mut finished: Finished) -> Result<()> {
        // A signal is no fault of a challenger that was waited for: the run that goes on scores it.
        self.control.interrupt.check()?;
        if self.lane.is_beyond(finished.part) {
            self.end_part()?;
        }
        let overrun = self
            .control
            .budget
            .overrun(self.rejected, finished.rejections.len() as u64);
        if let Some(excess) = overrun {
            finished.cut(self.job, excess as usize)?;
        }
        let challenged = std::mem::take(&mut finished.challengers);
        self.challengers
            .iter_mut()
            .zip(challenged)
            .for_each(|(lane, finished)| lane.take(finished));
        self.lane.take(&mut *self.receiver, &finished)?;
        self.rejected += finished.rejections.len() as u64;
        (self.advance)(finished.rows_in);
        if overrun.is_some() {
            Err(self.control.budget.exceeded(self.rejected, None))
        } else {
            Ok(())
        }
    }

    /// Ends a part of all models; that of the run's own last, so that it is never there alone.
    fn end_part(&mut self) -> Result<()> {
        self.challengers
            .iter_mut()
            .for_each(ChallengerLane::end_part);
        self.lane.end_part(&mut *self.receiver)
    }

    /// Ends the last part; a run without rows has one part, which is empty.
    fn finish(&mut self, first: Option<Segment>) -> Result<()> {
        self.control.interrupt.check()?;
        self.challengers
            .iter_mut()
            .for_each(|lane| lane.finish(first));
        self.lane.finish(&mut *self.receiver, first)
    }
}
