//! A worker's way through one portion: read and filter it, score its blocks, make the rows of the
//! output.
//!
//! Owns the steps and what is kept between them. What a job is, is `job`'s; the order of portions
//! is [`super::ordered`]'s.

use std::sync::Mutex;

use arrow::array::{ArrayRef, RecordBatch};

use super::arm::ArmRows;
use super::challenger::{
    self, Benches, ChallengerBlocks, ChallengerRows, ChampionAnswers, Portion,
};
use super::correction::Corrections;
use super::gathering::Gathering;
use super::job::{Finished, Job};
use super::observer::{EncodedBlock, Partials, ScoredPortion, Watch};
use super::ordered::lock;
use super::part::PartPortion;
use super::pieces::Work;
use super::rule::Verdicts;
use super::scorer::Scorer;
use super::scoring::ScoredBlock;
use super::stage::{Stage, StageTimes};
use crate::error::{Error, Result};
use crate::feature::verdict::Origin;
use crate::package::manifest::OnFail;
use crate::storage::check_unchanged;
use crate::table::dataset::Position;
use crate::table::dataset_file::DatasetFile;

/// A portion's rows, ready to be scored.
pub(super) struct Decoded {
    part: u64,
    file: usize,
    first_row: u64,
    end_byte: Option<u64>,
    rows_in: u64,
    /// The rows that the filter kept.
    batch: RecordBatch,
    /// Their positions among the portion's rows; none if all were kept.
    kept_rows: Option<Vec<u32>>,
    /// The rows that each of several arms answers.
    arms: Vec<ArmRows>,
    /// The same rows as challengers read them.
    challenged: ChallengerRows,
    /// What the rules say of the rows, where observers that watch blocks need to know.
    judged: Option<JudgedRows>,
    /// What observers saw of blocks: as many as workers are at work on them.
    seen: Mutex<Vec<Partials>>,
    times: StageTimes,
}

impl Decoded {
    fn origin<'a>(&'a self, job: &'a Job) -> Origin<'a> {
        Origin {
            path: &job.dataset.files[self.file].path,
            kept_rows: self.kept_rows.as_deref(),
            first_row: self.first_row,
        }
    }

    fn portion<'a>(&'a self, job: &'a Job) -> Portion<'a> {
        Portion {
            batch: &self.batch,
            origin: self.origin(job),
            file: self.file,
        }
    }
}

/// What the rules say of a portion before its rows are scored.
struct JudgedRows {
    verdicts: Verdicts,
    /// The rows that a rule rejects, ascending.
    broken: Vec<usize>,
}

impl Decoded {
    /// Judges the rows. Rows that a rule rejects are not in the output: who watches what the model
    /// reads does not see them.
    fn judge(&mut self, job: &Job) -> Result<JudgedRows> {
        let path = &job.dataset.files[self.file].path;
        let verdicts = self
            .times
            .measure(Stage::Query, || job.rules.judge(&self.batch))
            .map_err(|error| error.at_path(path))?;
        let mut rejections = Vec::new();
        job.rules
            .reject(&verdicts, &mut rejections, 0, self.origin(job));
        Ok(JudgedRows {
            verdicts,
            broken: rejections.iter().map(|one| one.row).collect(),
        })
    }

    /// The rows of a block of the first arm that a rule rejects, by their indices in the block.
    fn broken(&self, job: &Job, number: usize) -> Vec<usize> {
        let Some(judged) = self.judged.as_ref().filter(|one| !one.broken.is_empty()) else {
            return Vec::new();
        };
        let is_broken = |row: usize| judged.broken.binary_search(&row).is_ok();
        let positions = self.arms.first().map(ArmRows::positions);
        let row_count = positions.map_or(self.batch.num_rows(), <[u32]>::len);
        let block = job.arms.block(number, row_count);
        let row_of = |row: usize| positions.map_or(row, |positions| positions[row] as usize);
        let rows = block.clone().filter(|row| is_broken(row_of(*row)));
        rows.map(|row| row - block.start).collect()
    }
}

/// What a worker writes on.
pub(super) struct Bench<'a> {
    scorers: Vec<Scorer<'a>>,
    challengers: Benches,
}

/// What came of a block: of the run's models, and of its challengers.
pub(super) struct Block {
    scored: ScoredBlock,
    challenged: ChallengerBlocks,
}

/// A worker's way through one portion: read and filter it, score its blocks, make the output's rows
/// of them.
pub(super) struct PortionWork<'a> {
    pub(super) job: &'a Job,
    /// Rows that replace rows of the input.
    pub(super) corrections: Option<&'a Corrections>,
    /// What large observers see.
    pub(super) gathering: &'a Gathering<'a>,
}

impl<'a> Work for PortionWork<'a> {
    type Item = PartPortion;
    type State = Bench<'a>;
    type Prepared = Decoded;
    type Piece = Block;
    type Outcome = Finished;

    fn state(&self) -> Bench<'a> {
        Bench {
            scorers: self.job.arms.scorers(),
            challengers: Benches::new(self.job.challengers.as_ref()),
        }
    }

    fn prepare(&self, _bench: &mut Bench<'a>, item: PartPortion) -> Result<Decoded> {
        let (job, mut times) = (self.job, StageTimes::default());
        let (part, file) = (item.part, item.portion.file);
        let (first_row, end_byte) = (
            item.portion.portion.first_row,
            item.portion.portion.end_byte,
        );
        let path = &job.dataset.files[file].path;
        let (batch, further) = times.measure(Stage::Read, || self.read(item))?;
        let batch = self
            .corrections
            .iter()
            .try_fold(batch, |batch, corrections| {
                corrections.apply(batch, file, first_row)
            })?;
        let rows_in = batch.num_rows() as u64;
        let (batch, kept_rows) = match &job.selection {
            None => (batch, None),
            Some(selection) => times
                .measure(Stage::Query, || selection.apply(&batch))
                .map_err(|error| error.map_row(|row| row + first_row).at_path(path))?,
        };
        let read_count = job.read_schema.fields().len();
        let arms = job.arms.rows(&batch, read_count, kept_rows.as_deref())?;
        let mut decoded = Decoded {
            part,
            file,
            first_row,
            end_byte,
            rows_in,
            batch,
            kept_rows,
            arms,
            challenged: ChallengerRows::default(),
            judged: None,
            seen: Mutex::default(),
            times,
        };
        if job.rules.may(OnFail::Reject) && job.observers.iter().any(|one| one.watches_blocks()) {
            decoded.judged = Some(decoded.judge(job)?);
        }
        if let Some(challengers) = &job.challengers {
            decoded.challenged = challenger::rows(
                challengers,
                decoded.portion(job),
                read_count,
                further.as_deref(),
                decoded.kept_rows.as_deref(),
            )?;
        }
        Ok(decoded)
    }

    fn piece_count(&self, decoded: &Decoded) -> usize {
        let rows = decoded.batch.num_rows();
        self.job.arms.block_count(rows, &decoded.arms)
    }

    fn piece(&self, bench: &mut Bench<'a>, decoded: &Decoded, number: usize) -> Result<Block> {
        let job = self.job;
        let scored = self.scored(&mut bench.scorers, decoded, number)?;
        let challenged = job
            .challengers
            .as_ref()
            .map_or_else(ChallengerBlocks::new, |all| {
                let rows = job.arms.block(number, decoded.batch.num_rows());
                let work = scored.times.of(Stage::Encode) + scored.times.of(Stage::Score);
                challenger::score(
                    all,
                    &mut bench.challengers,
                    &decoded.challenged,
                    decoded.portion(job),
                    &rows,
                    work,
                )
            });
        Ok(Block { scored, challenged })
    }

    fn finish(&self, decoded: &Decoded, blocks: Vec<Block>) -> Result<Finished> {
        let (job, mut times) = (self.job, decoded.times);
        let (blocks, challenged): (Vec<_>, Vec<_>) = blocks
            .into_iter()
            .map(|block| (block.scored, block.challenged))
            .unzip();
        blocks.iter().for_each(|block| times.add(&block.times));
        let row_count = decoded.batch.num_rows();
        let mut scored = times.measure(Stage::Finish, || {
            job.arms.gather(row_count, &decoded.arms, blocks)
        })?;
        let (rules, origin) = (&job.rules, decoded.origin(job));
        let verdicts = match &decoded.judged {
            Some(judged) => judged.verdicts.clone(),
            None => times
                .measure(Stage::Query, || rules.judge(&decoded.batch))
                .map_err(|error| error.at_path(origin.path))?,
        };
        let input_count = scored.coercions.len();
        rules.reject(&verdicts, &mut scored.rejections, input_count, origin);
        let columns = if job.challengers.is_some() {
            scored.columns.clone()
        } else {
            Vec::new()
        };
        let (output, rejected) = times.measure(Stage::Finish, || {
            job.split_rejected(&decoded.batch, scored.columns, &scored.rejections)
        })?;
        let portion = ScoredPortion {
            rows: &decoded.batch,
            rejections: &scored.rejections,
            scores: &output.columns()[job.passthrough.len()..],
            verdicts: &verdicts,
            origin,
            champion: None,
        };
        let seen = times.measure(Stage::Finish, || {
            let mut seen = Partials::of(&job.observers, |one| !one.gathers());
            seen.observe_more(&job.observers, &portion)?;
            self.gathering.add(decoded.part, |seen, observers| {
                seen.observe_more(observers, &portion)
            })?;
            let of_blocks = std::mem::take(&mut *lock(&decoded.seen));
            of_blocks.iter().try_for_each(|other| seen.merge(other))?;
            Ok::<_, Error>(seen)
        })?;
        let mut finished = Finished {
            part: decoded.part,
            file: decoded.file,
            first_row: decoded.first_row,
            end_byte: decoded.end_byte,
            rows_in: decoded.rows_in,
            filtered: decoded.rows_in - decoded.batch.num_rows() as u64,
            rejections: scored.rejections,
            rejected,
            coercions: scored.coercions,
            output,
            seen,
            counts: scored.counts,
            times,
            challengers: Vec::new(),
        };
        if let Some(challengers) = &job.challengers {
            let champion = ChampionAnswers {
                columns: &columns,
                rejections: &finished.rejections,
            };
            finished.challengers = challenger::finish(
                job,
                challengers,
                decoded.portion(job),
                &decoded.challenged,
                challenged,
                champion,
                &finished,
            );
        }
        Ok(finished)
    }
}

impl<'a> PortionWork<'a> {
    /// Scores block `number`; the observers that watch blocks see what the run's own model reads.
    fn scored(
        &self,
        scorers: &mut [Scorer<'a>],
        decoded: &Decoded,
        number: usize,
    ) -> Result<ScoredBlock> {
        let (job, origin) = (self.job, decoded.origin(self.job));
        let (batch, arms) = (&decoded.batch, &decoded.arms);
        if !job.observers.iter().any(|one| one.watches_blocks()) {
            return job.arms.score(scorers, batch, arms, origin, number, None);
        }
        let taken = lock(&decoded.seen).pop();
        let mut seen = taken.unwrap_or_else(|| Partials::of(&job.observers, |one| !one.gathers()));
        let broken = decoded.broken(job, number);
        let mut observe = |block: &EncodedBlock<'_>| {
            seen.observe_block(&job.observers, block)?;
            self.gathering.add(decoded.part, |seen, observers| {
                seen.observe_block(observers, block)
            })
        };
        let mut watch = |block: &EncodedBlock<'_>| {
            if broken.is_empty() {
                return observe(block);
            }
            let mut rejected = [block.rejected, &broken].concat();
            rejected.sort_unstable();
            rejected.dedup();
            let rejected = &rejected;
            observe(&EncodedBlock { rejected, ..*block })
        };
        let watch: Watch<'_> = Some(&mut watch);
        let scored = job
            .arms
            .score(scorers, batch, arms, origin, number, watch)?;
        lock(&decoded.seen).push(seen);
        Ok(scored)
    }
}

impl PortionWork<'_> {
    /// The rows of a portion as they are read: the run's own columns, and those that only
    /// challengers read, unless these cannot be read.
    fn read(&self, item: PartPortion) -> Result<(RecordBatch, Option<Vec<ArrayRef>>)> {
        let job = self.job;
        let PartPortion {
            portion, is_own, ..
        } = item;
        let DatasetFile { path, table, .. } = &job.dataset.files[portion.file];
        let (first_row, row_count) = (portion.portion.first_row, portion.portion.row_count);
        let batch = (portion.portion.decode)().map_err(|error| error.at_path(path));
        // Before anything is said of what was read: a file that is written to meanwhile is not
        // damaged, it is not finished.
        check_unchanged(path, &table.identity())?;
        let Some(challengers) = job.challengers.as_ref().filter(|_| !is_own) else {
            return Ok((batch?, None));
        };
        let error = match batch {
            Ok(batch) => {
                let (own, further) = challengers.split(&batch)?;
                return Ok((own, Some(further)));
            }
            Err(error) if challengers.further.is_empty() => return Err(error),
            Err(error) => error,
        };
        let start = Position {
            file: portion.file,
            row: first_row,
        };
        let own =
            challenger::read_own(job, start, row_count).map_err(|error| error.at_path(path))?;
        let text = error.in_one_line();
        challengers.drop_further(start, || Error::failed(text.clone()));
        Ok((own, None))
    }
}
