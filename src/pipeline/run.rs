//! A run: portions to workers, results in order to their destination, an account of every row.

use crate::pipeline::part::PartPortion;
use std::collections::VecDeque;

use arrow::array::RecordBatch;

use super::budget::Budget;
use super::job::{Finished, Job, PortionWork};
use super::ledger::Ledger;
use super::ordered::for_each_in_order;
use super::part::{PartAccount, Segment};
use super::scoring::Rejection;
use super::stage::{Stage, StageTimes};
use crate::error::Result;
use crate::feature::verdict::Coercions;
use crate::interrupt::Interrupt;
use crate::report::scores::ScoreStatistics;
use crate::table::dataset::{FilePortions, Position};

/// Where results go, in order: part after part, and within a part row after row.
pub trait Destination: Send {
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

    /// Ends the part that rows were written to, or would have been.
    ///
    /// # Errors
    /// Fails if what is left cannot be written.
    fn end_part(&mut self, account: &PartAccount) -> Result<()>;
}

/// What a run did so far.
#[derive(Debug)]
pub struct Outcomes {
    /// The account of every row.
    pub ledger: Ledger,
    /// What was done to each input's values, in the inputs' order.
    pub coercions: Vec<Coercions>,
    /// The distribution of each outcome column.
    pub scores: ScoreStatistics,
    /// Work per stage over all workers.
    pub times: StageTimes,
    /// Rows that an earlier run had read already.
    pub rows_before: u64,
}

impl Outcomes {
    /// Nothing done yet.
    #[must_use]
    pub fn new(job: &Job) -> Self {
        Self {
            ledger: Ledger::new(job.dataset.files.iter().map(|file| file.path.clone())),
            coercions: vec![Coercions::default(); job.scoring.encoder().inputs().len()],
            scores: ScoreStatistics::new(&job.scoring.fields(), job.passthrough.len()),
            times: StageTimes::default(),
            rows_before: 0,
        }
    }

    /// Rows that this run itself read.
    #[must_use]
    pub fn rows_read(&self) -> u64 {
        self.ledger.total().rows_in - self.rows_before
    }

    /// Adds a part's account; its scores are observed apart, from its rows.
    pub fn add(&mut self, account: &PartAccount) {
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

/// Works on the segments in order and hands what comes of them to `destination`; `advance` hears of
/// input rows as they are done. What was done is in `outcomes` also if the run fails.
///
/// # Errors
/// The first failure in input order; [`Kind::Signal`](crate::error::Kind::Signal) or
/// [`Kind::ErrorBudget`](crate::error::Kind::ErrorBudget) if `control` ends the run.
pub fn run(
    job: &Job,
    segments: Vec<Segment>,
    destination: &mut dyn Destination,
    control: &Control,
    outcomes: &mut Outcomes,
    advance: &(dyn Fn(u64) + Sync),
) -> Result<()> {
    let first = segments.first().copied();
    let source = Source {
        job,
        control,
        segments: segments.into(),
        current: None,
    };
    let rejected = outcomes.ledger.total().rejected;
    let mut delivery = Delivery {
        job,
        control,
        destination,
        outcomes,
        account: None,
        rejected,
        has_ended_a_part: false,
        advance,
    };
    let worked = for_each_in_order(
        job.threads,
        &job.pressure(),
        source,
        &PortionWork(job),
        |finished| delivery.take(finished),
    );
    let ended = worked.and_then(|()| delivery.finish(first));
    if let Some(account) = delivery.account.take() {
        delivery.outcomes.add(&account);
    }
    ended
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
    part: u64,
    left_in_part: u64,
    left: u64,
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
                    &self.job.read_schema,
                    segment.start,
                    segment.start_byte,
                );
                self.current = Some(Cutting {
                    portions,
                    part: segment.first_part,
                    left_in_part: rows_per_part,
                    left: segment.row_count,
                });
                continue;
            };
            let most_rows = cutting.left.min(cutting.left_in_part);
            let next = if most_rows == 0 {
                None
            } else {
                cutting.portions.next_portion(most_rows)?
            };
            let Some(portion) = next else {
                self.current = None;
                continue;
            };
            let (part, rows) = (cutting.part, portion.portion.row_count);
            cutting.left -= rows;
            cutting.left_in_part -= rows;
            if cutting.left_in_part == 0 {
                (cutting.part, cutting.left_in_part) = (part + 1, rows_per_part);
            }
            return Ok(Some(PartPortion { part, portion }));
        }
    }
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
    destination: &'a mut dyn Destination,
    outcomes: &'a mut Outcomes,
    account: Option<PartAccount>,
    rejected: u64,
    has_ended_a_part: bool,
    advance: &'a (dyn Fn(u64) + Sync),
}

impl Delivery<'_> {
    fn take(&mut self, mut finished: Finished) -> Result<()> {
        if self
            .account
            .as_ref()
            .is_some_and(|account| account.number != finished.part)
        {
            self.end_part()?;
        }
        let start = Position {
            file: finished.file,
            row: finished.first_row,
        };
        let input_count = finished.coercions.len();
        let overrun = self
            .control
            .budget
            .overrun(self.rejected, finished.rejections.len() as u64);
        if let Some(excess) = overrun {
            finished.rejections.truncate(excess as usize);
        }
        self.outcomes.times.add(&finished.times);
        let mut times = StageTimes::default();
        times.measure(Stage::Write, || self.write(&finished))?;
        self.outcomes.times.add(&times);
        self.account
            .get_or_insert_with(|| PartAccount::new(finished.part, start, input_count))
            .book(&finished);
        self.rejected += finished.rejections.len() as u64;
        (self.advance)(finished.rows_in);
        if overrun.is_some() {
            Err(self.control.budget.exceeded(self.rejected, None))
        } else {
            Ok(())
        }
    }

    fn write(&mut self, finished: &Finished) -> Result<()> {
        self.outcomes.scores.observe(&finished.output)?;
        self.destination.write(finished.part, &finished.output)?;
        let Some(rejected) = finished
            .rejected
            .as_ref()
            .filter(|_| !finished.rejections.is_empty())
        else {
            return Ok(());
        };
        let rows = rejected.slice(0, finished.rejections.len());
        self.destination
            .reject(finished.part, finished.file, &rows, &finished.rejections)
    }

    fn end_part(&mut self) -> Result<()> {
        let Some(account) = self.account.take() else {
            return Ok(());
        };
        self.has_ended_a_part = true;
        self.outcomes.add(&account);
        let mut times = StageTimes::default();
        times.measure(Stage::Write, || self.destination.end_part(&account))?;
        self.outcomes.times.add(&times);
        Ok(())
    }

    /// Ends the last part; a run without rows has one part, which is empty.
    fn finish(&mut self, first: Option<Segment>) -> Result<()> {
        self.control.interrupt.check()?;
        self.end_part()?;
        let Some(first) = first.filter(|first| !self.has_ended_a_part && first.first_part == 0)
        else {
            return Ok(());
        };
        self.account = Some(PartAccount::new(
            0,
            first.start,
            self.job.scoring.encoder().inputs().len(),
        ));
        self.end_part()
    }
}
