//! Challengers: models that score the rows of a run as well, and can do nothing to it.
//!
//! Owns how a worker scores a portion with them, after the run's own model has scored it, and how
//! one drops out: it fails, panics, takes too long, or reads a column that cannot be read. It
//! scores on threads of its own, so that a block which never ends stops nothing but itself. From
//! the row on at which it fails nothing of it is kept, whichever worker found it first. Columns are
//! decoded once for all models. It must not know where answers go or how they are compared.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, take};
use arrow::datatypes::{Schema, SchemaRef};

use super::apart::{Apart, Silence};
use super::job::{Finished, Job};
use super::observer::{ChampionScores, Observer, Partials, ScoredPortion};
use super::ordered::lock;
use super::scoring::{Rejection, ScoredBlock, Scoring};
use super::selection::Selection;
use super::stage::{Stage, StageTimes};
use super::work_clock::WorkClock;
use crate::contract::binding::BoundInput;
use crate::error::{Error, Result};
use crate::feature::verdict::Origin;
use crate::interrupt::check_process;
use crate::memory::confined;
use crate::panics::caught;
use crate::statistics::hash::spread;
use crate::storage::Location;
use crate::table::batch::of_retyped_columns;
use crate::table::dataset::Position;

/// How many times the work of the run's own model a challenger may take, unless a limit is given.
pub const DEFAULT_TIMES: f64 = 10.0;

/// The seconds of work that a challenger may always take, unless a limit is given.
pub const DEFAULT_SECONDS: f64 = 60.0;

/// A row: its file's index, and its number there from 0.
type Address = (usize, u64);

/// A model that scores the run's rows as well.
#[derive(Debug)]
pub struct Challenger {
    /// Its name in the run.
    pub name: String,
    /// The model, bound to the run's columns and then the further ones.
    pub scoring: Arc<Scoring>,
    /// Columns that its package derives.
    pub selection: Option<Selection>,
    /// The columns of its output: those that come along, then its own.
    pub output_schema: SchemaRef,
    /// What watches its answers.
    pub observers: Vec<Box<dyn Observer>>,
    /// Whether it reads columns that the run's own model does not.
    pub reads_further: bool,
    /// Why it dropped out, if it did.
    pub state: State,
}

/// How a challenger fares.
#[derive(Debug, Default)]
pub struct State {
    /// Where it failed first.
    failure: Mutex<Option<(Address, Option<Error>)>>,
    /// What all threads spent on it.
    work: WorkClock,
}

impl State {
    /// Whether nothing of it is needed from this row on.
    fn is_over(&self, address: Address) -> bool {
        lock(&self.failure)
            .as_ref()
            .is_some_and(|(failed, _)| *failed <= address)
    }

    /// Notes that it failed at a row.
    fn fail(&self, address: Address, error: Error) {
        let mut failure = lock(&self.failure);
        if failure.as_ref().is_none_or(|(failed, _)| address < *failed) {
            *failure = Some((address, Some(error)));
        }
    }

    /// Drops it before the first row.
    pub fn drop_out(&self, error: Error) {
        self.fail((0, 0), error);
    }

    /// Why it failed; only the first caller hears it.
    pub(super) fn take_failure(&self) -> Error {
        let taken = lock(&self.failure)
            .as_mut()
            .and_then(|(_, error)| error.take());
        taken.unwrap_or_else(|| Error::internal("a challenger that failed without an error"))
    }
}

/// All challengers of a run, and how the columns of all models are read at once.
#[derive(Debug)]
pub struct Challengers {
    /// The challengers.
    pub arms: Vec<Challenger>,
    /// The columns of the run and the further ones, in the table's order.
    pub read_schema: SchemaRef,
    /// Where the run's own columns are in it.
    pub own: Vec<usize>,
    /// Where the further ones are.
    pub further: Vec<usize>,
    /// The most seconds of work of each challenger, if a limit was given.
    pub max_seconds: Option<f64>,
    /// The most bytes that the values of one challenger may take on one worker.
    pub worker_bytes: u64,
    /// The work of the run's own model, in nanoseconds.
    pub champion_work: AtomicU64,
}

impl Challengers {
    /// The inputs of all challengers with the columns that feed them.
    pub fn inputs(&self) -> impl Iterator<Item = &BoundInput> + Clone {
        let arms = self.arms.iter();
        arms.flat_map(|arm| arm.scoring.encoder().inputs())
    }

    /// The columns that challengers are bound to: the run's own, then the further ones.
    #[must_use]
    pub fn batch_schema(&self) -> SchemaRef {
        let fields = self.own.iter().chain(&self.further);
        let fields = fields.map(|&index| self.read_schema.field(index).clone());
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Drops all that read further columns, which cannot be read from this row on.
    pub(super) fn drop_further(&self, position: Position, error: impl Fn() -> Error) {
        let arms = self.arms.iter().filter(|arm| arm.reads_further);
        arms.for_each(|arm| arm.state.fail((position.file, position.row), error()));
    }

    /// The columns of a batch that was read for all models: the run's own, and the further ones.
    ///
    /// # Errors
    /// An internal error if it is another batch.
    pub(super) fn split(&self, batch: &RecordBatch) -> Result<(RecordBatch, Vec<ArrayRef>)> {
        let own = batch.project(&self.own).map_err(|error| {
            Error::internal("columns of several models cannot be separated").because(error)
        })?;
        let further = self.further.iter();
        let further = further.map(|&index| batch.column(index).clone());
        Ok((own, further.collect()))
    }

    /// What a challenger may take from now on, by what the run's own model took until now.
    fn allowance(&self) -> Allowance {
        let champion = Duration::from_nanos(self.champion_work.load(Ordering::Relaxed));
        let champion = champion.as_secs_f64();
        Allowance {
            champion,
            seconds: self
                .max_seconds
                .unwrap_or_else(|| (DEFAULT_TIMES * champion).max(DEFAULT_SECONDS)),
        }
    }

    /// Checks that a challenger has time left.
    fn check_work(&self, arm: &Challenger) -> Result<()> {
        self.allowance().check(arm)
    }
}

/// How long a challenger may work in all, added up over all threads. It does not grow while a block
/// is waited for, whatever the run's own model does meanwhile.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    seconds: f64,
    /// What the run's own model took.
    champion: f64,
}

impl Allowance {
    /// Checks that a challenger has time left; blocks that it still works on count too.
    fn check(self, arm: &Challenger) -> Result<()> {
        let Self {
            seconds: most,
            champion,
        } = self;
        if arm.state.work.total().as_secs_f64() <= most {
            return Ok(());
        }
        let champion = if champion < 0.1 {
            "less than 0.1 s".to_owned()
        } else {
            format!("{champion:.1} s")
        };
        let error = Error::failed(format!(
            "it took more than {most:.0} s of work, and the run's own model {champion}"
        ));
        Err(error.hint("`--challenger-time SPAN` allows more"))
    }
}

/// What came of a portion's pieces, challenger by challenger; none of one that failed.
pub(super) type ChallengerBlocks = Vec<Option<Vec<ScoredBlock>>>;

/// The rows of a portion as challengers read them, one batch for each; none of one that failed.
#[derive(Default)]
pub(super) struct ChallengerRows {
    batches: Vec<Option<RecordBatch>>,
    origin: Arc<OwnOrigin>,
}

/// Where rows come from, for threads that may outlive the run.
#[derive(Default)]
struct OwnOrigin {
    path: Location,
    kept_rows: Option<Vec<u32>>,
    first_row: u64,
}

impl OwnOrigin {
    fn new(origin: Origin<'_>) -> Self {
        Self {
            path: origin.path.clone(),
            kept_rows: origin.kept_rows.map(<[u32]>::to_vec),
            first_row: origin.first_row,
        }
    }

    fn borrowed(&self) -> Origin<'_> {
        Origin {
            path: &self.path,
            kept_rows: self.kept_rows.as_deref(),
            first_row: self.first_row,
        }
    }
}

/// A portion's rows that the run's own model scores.
#[derive(Clone, Copy)]
pub(super) struct Portion<'a> {
    /// With the run's own columns, then those that it derives.
    pub(super) batch: &'a RecordBatch,
    pub(super) origin: Origin<'a>,
    pub(super) file: usize,
}

impl Portion<'_> {
    fn address(&self, row: usize) -> Address {
        let row = if row < self.batch.num_rows() {
            self.origin.row_number(row)
        } else {
            self.origin.first_row
        };
        (self.file, row)
    }
}

/// A worker's state: the thread that each challenger scores on, once it has begun.
pub(super) struct Benches(Vec<Option<Bench>>);

/// A block to be scored.
struct Asked {
    batch: RecordBatch,
    rows: Range<usize>,
    origin: Arc<OwnOrigin>,
}

/// A thread that scores for one worker.
type Bench = Apart<Asked, Result<ScoredBlock>>;

/// Scores blocks until nothing is asked any more, or one panics: what that left behind is not used
/// again.
fn begin(scoring: &Arc<Scoring>, bytes: u64) -> Bench {
    let scoring = Arc::clone(scoring);
    Apart::begin("tallow-challenger", move |served| {
        let mut scorer = None;
        while let Some(asked) = served.next() {
            let Asked {
                batch,
                rows,
                origin,
            } = asked;
            let (done, _) = confined(bytes, || {
                caught("it panicked", || {
                    let scorer = scorer.get_or_insert_with(|| scoring.scorer());
                    scorer.score(&batch, rows, origin.borrowed(), None)
                })
            });
            let has_failed = done.is_err();
            served.answer(done);
            if has_failed {
                return;
            }
        }
    })
}

impl Benches {
    pub(super) fn new(challengers: Option<&Challengers>) -> Self {
        let arms = challengers.map_or(0, |challengers| challengers.arms.len());
        Self(std::iter::repeat_with(|| None).take(arms).collect())
    }
}

/// Does a challenger's work; an error or a panic is noted, and is all that happens.
fn guarded<T>(
    challengers: &Challengers,
    arm: &Challenger,
    address: Address,
    work: impl FnOnce() -> Result<T>,
) -> Option<T> {
    if arm.state.is_over(address) {
        return None;
    }
    let running = arm.state.work.begin();
    let (done, _) = confined(challengers.worker_bytes, || caught("it panicked", work));
    drop(running);
    match done.and_then(|done| challengers.check_work(arm).map(|()| done)) {
        Ok(done) => Some(done),
        Err(error) => {
            arm.state.fail(address, error);
            None
        }
    }
}

/// What each challenger reads of a portion; `further` are the columns that only challengers read,
/// of all rows of the portion, and `kept_rows` the rows that the filter kept.
pub(super) fn rows(
    challengers: &Challengers,
    portion: Portion<'_>,
    own_count: usize,
    further: Option<&[ArrayRef]>,
    kept_rows: Option<&[u32]>,
) -> Result<ChallengerRows> {
    let internal = |error| Error::internal("columns of challengers").because(error);
    let kept = kept_rows.map(|rows| UInt32Array::from(rows.to_vec()));
    let further = further
        .unwrap_or_default()
        .iter()
        .map(|column| match &kept {
            Some(kept) => take(column, kept, None),
            None => Ok(column.clone()),
        });
    let own = &portion.batch.columns()[..own_count];
    let columns = own.iter().cloned().map(Ok).chain(further);
    let columns = columns
        .collect::<std::result::Result<Vec<ArrayRef>, _>>()
        .map_err(internal)?;
    let schema = challengers.batch_schema();
    let row_count = portion.batch.num_rows();
    let batch = of_retyped_columns(&schema, columns, row_count).map_err(internal)?;
    let of_arm = |arm: &Challenger| {
        let address = portion.address(0);
        guarded(challengers, arm, address, || match &arm.selection {
            Some(selection) => Ok(selection.apply(&batch)?.0),
            None => Ok(batch.clone()),
        })
    };
    Ok(ChallengerRows {
        batches: challengers.arms.iter().map(of_arm).collect(),
        origin: Arc::new(OwnOrigin::new(portion.origin)),
    })
}

/// Has a challenger's thread score a block, for as long as the challenger has time. An error, a
/// panic or silence is noted, and is all that happens.
fn watched(
    challengers: &Challengers,
    arm: &Challenger,
    bench: &mut Option<Bench>,
    address: Address,
    asked: Asked,
) -> Option<ScoredBlock> {
    if arm.state.is_over(address) {
        return None;
    }
    let own = bench.get_or_insert_with(|| begin(&arm.scoring, challengers.worker_bytes));
    let allowance = challengers.allowance();
    let waits = || {
        let is_in_time = || allowance.check(arm);
        !arm.state.is_over(address) && check_process().and_then(|()| is_in_time()).is_ok()
    };
    let running = arm.state.work.begin();
    let done = own.ask(asked, waits).unwrap_or_else(|silence| {
        let error = match silence {
            Silence::Late => check_process().and_then(|()| allowance.check(arm)).err(),
            Silence::Gone => None,
        };
        Err(error.unwrap_or_else(|| Error::failed("its thread is not there any more")))
    });
    drop(running);
    match done.and_then(|done| challengers.check_work(arm).map(|()| done)) {
        Ok(block) => Some(block),
        Err(error) => {
            // A thread that does not answer is left behind, and ends at its next step.
            *bench = None;
            arm.state.fail(address, error);
            None
        }
    }
}

/// Scores a range of a portion's rows with every challenger; `champion_work` is what the run's own
/// model took for them.
pub(super) fn score(
    challengers: &Challengers,
    benches: &mut Benches,
    rows: &ChallengerRows,
    portion: Portion<'_>,
    range: &Range<usize>,
    champion_work: Duration,
) -> ChallengerBlocks {
    let nanoseconds = u64::try_from(champion_work.as_nanos()).unwrap_or(u64::MAX);
    challengers
        .champion_work
        .fetch_add(nanoseconds, Ordering::Relaxed);
    let arms = challengers.arms.iter().zip(&mut benches.0);
    let arms = arms.zip(&rows.batches);
    let scored = arms.map(|((arm, bench), batch)| {
        let batch = batch.as_ref()?;
        let mut blocks = Vec::new();
        let step = arm.scoring.block_rows().max(1);
        for start in range.clone().step_by(step) {
            let asked = Asked {
                batch: batch.clone(),
                rows: start..(start + step).min(range.end),
                origin: Arc::clone(&rows.origin),
            };
            let address = portion.address(start);
            blocks.push(watched(challengers, arm, bench, address, asked)?);
        }
        Some(blocks)
    });
    scored.collect()
}

/// The answers of the run's own model to a portion.
#[derive(Clone, Copy)]
pub(super) struct ChampionAnswers<'a> {
    /// Its columns, of all rows.
    pub(super) columns: &'a [ArrayRef],
    /// The rows that it rejected.
    pub(super) rejections: &'a [Rejection],
}

/// Puts together what every challenger made of a portion; `like` has the portion's own counts.
pub(super) fn finish(
    job: &Job,
    challengers: &Challengers,
    portion: Portion<'_>,
    rows: &ChallengerRows,
    pieces: Vec<ChallengerBlocks>,
    champion: ChampionAnswers<'_>,
    like: &Finished,
) -> Vec<Option<Finished>> {
    let mut of_arm: Vec<Option<Vec<ScoredBlock>>> =
        challengers.arms.iter().map(|_| Some(Vec::new())).collect();
    for piece in pieces {
        for (all, blocks) in of_arm.iter_mut().zip(piece) {
            *all = all.take().zip(blocks).map(|(mut all, blocks)| {
                all.extend(blocks);
                all
            });
        }
    }
    let arms = challengers.arms.iter().zip(&rows.batches).zip(of_arm);
    let finished = arms.map(|((arm, batch), blocks)| {
        let (batch, blocks) = (batch.as_ref()?, blocks?);
        let address = portion.address(portion.batch.num_rows().saturating_sub(1));
        guarded(challengers, arm, address, || {
            gathered(job, arm, portion, batch, blocks, champion, like)
        })
    });
    finished.collect()
}

/// What a challenger made of a portion, whole.
fn gathered(
    job: &Job,
    arm: &Challenger,
    portion: Portion<'_>,
    batch: &RecordBatch,
    blocks: Vec<ScoredBlock>,
    champion: ChampionAnswers<'_>,
    like: &Finished,
) -> Result<Finished> {
    let mut times = StageTimes::default();
    blocks.iter().for_each(|block| times.add(&block.times));
    let scored = times.measure(Stage::Finish, || arm.scoring.gather(blocks))?;
    let passthrough = job.passthrough.iter();
    let columns = passthrough.map(|&position| portion.batch.column(position).clone());
    let columns = columns.chain(scored.columns).collect();
    let mut keep = vec![true; batch.num_rows()];
    scored
        .rejections
        .iter()
        .for_each(|rejection| keep[rejection.row] = false);
    let output = kept(&arm.output_schema, columns, &keep)?;
    let output = job.mask.apply(output, job.passthrough.len())?;
    let (scores, keys) = champion_scores(portion, champion, &keep)?;
    let origin = portion.origin;
    let seen = times.measure(Stage::Finish, || {
        let portion = ScoredPortion {
            rows: batch,
            rejections: &scored.rejections,
            scores: &output.columns()[job.passthrough.len()..],
            verdicts: &[],
            origin,
            champion: Some(ChampionScores {
                scores: &scores,
                keys: &keys,
            }),
        };
        Partials::observe(&arm.observers, &portion)
    })?;
    Ok(Finished {
        part: like.part,
        file: like.file,
        first_row: like.first_row,
        end_byte: like.end_byte,
        rows_in: like.rows_in,
        filtered: like.filtered,
        rejections: scored.rejections,
        rejected: None,
        coercions: scored.coercions,
        output,
        seen,
        counts: scored.counts,
        times,
        challengers: Vec::new(),
    })
}

/// The rows to keep of these columns, in the types that they are read as.
pub(super) fn kept(schema: &Schema, columns: Vec<ArrayRef>, keep: &[bool]) -> Result<RecordBatch> {
    let output = of_retyped_columns(schema, columns, keep.len()).map_err(|error| {
        Error::internal("the output's columns do not fit its schema").because(error)
    })?;
    if keep.iter().all(|keep| *keep) {
        return Ok(output);
    }
    filter_record_batch(&output, &BooleanArray::from(keep.to_vec()))
        .map_err(|error| Error::internal("cannot filter rows").because(error))
}

/// What the run's own model answered to the rows that are kept, null where it rejected one; and a
/// hash of each row's address in the input.
fn champion_scores(
    portion: Portion<'_>,
    champion: ChampionAnswers<'_>,
    keep: &[bool],
) -> Result<(Vec<ArrayRef>, Vec<u64>)> {
    let rows: Vec<usize> = (0..keep.len()).filter(|row| keep[*row]).collect();
    let key = |row: &usize| {
        spread(spread(portion.file as u64).wrapping_add(portion.origin.row_number(*row)))
    };
    let keys = rows.iter().map(key).collect();
    if champion.rejections.is_empty() && rows.len() == keep.len() {
        return Ok((champion.columns.to_vec(), keys));
    }
    let mut is_answered = vec![true; keep.len()];
    champion
        .rejections
        .iter()
        .for_each(|rejection| is_answered[rejection.row] = false);
    let index = |row: &usize| is_answered[*row].then_some(*row as u32);
    let indices: UInt32Array = rows.iter().map(index).collect();
    let columns = champion.columns.iter();
    let columns = columns.map(|column| take(column, &indices, None));
    let columns = columns.collect::<std::result::Result<_, _>>();
    let columns =
        columns.map_err(|error| Error::internal("answers cannot be compared").because(error))?;
    Ok((columns, keys))
}

/// Reads a portion's rows without the columns that only challengers read.
///
/// # Errors
/// As the run without challengers would.
pub(super) fn read_own(job: &Job, start: Position, row_count: u64) -> Result<RecordBatch> {
    let mut portions = job.dataset.portions(&job.read_schema, start);
    let (mut batches, mut left) = (Vec::new(), row_count);
    while left > 0 {
        let Some(next) = portions.next_portion(left)? else {
            break;
        };
        left = left.saturating_sub(next.portion.row_count);
        batches.push((next.portion.decode)()?);
    }
    let schema = batches
        .first()
        .map_or_else(|| job.read_schema.clone(), RecordBatch::schema);
    concat_batches(&schema, &batches)
        .map_err(|error| Error::internal("rows that were read again").because(error))
}
