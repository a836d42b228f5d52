//! A ceiling on memory as a size of portions and a number of workers.
//!
//! What a run takes is added up from above: the process as it is once the model is read, what
//! reading takes of each worker (which the files say, see [`Demand`]), the rows that wait for the
//! writer. Nothing of it changes a byte of the output. The pipeline also looks at the resident size
//! while it runs, and begins nothing new alongside what is at work while that is near the ceiling.
//!
//! What is planned here is what we choose. What a model, an expression or a file makes larger than
//! planned is counted by [`crate::memory`], whose limit is [`before_rows`] until there is a plan
//! and [`Allowance::foreign_bytes`] after it.

use arrow::datatypes::Schema;

use crate::count::counted;
use crate::error::{Error, Result};
use crate::pipeline::scoring::BLOCK_ROWS;
use crate::process;
use crate::statistics::quantile_sketch::{BUCKET_BYTES, MAX_BUCKETS};
use crate::table::chunk::chunk_bytes;
use crate::table::dataset::Dataset;
use crate::table::demand::Demand;
use crate::table::parquet_sink::{ENCODER_BYTES, ROW_GROUP_ROWS, row_group_bytes};
use crate::table::{DEFAULT_PORTION_BYTES, ReadOptions};

/// The sizes of portions that a run may have, largest first. Smaller ones cost more in overhead
/// than they save.
pub const PORTION_BYTES: [usize; 8] = [
    DEFAULT_PORTION_BYTES,
    12 << 20,
    8 << 20,
    6 << 20,
    WORTHWHILE_PORTION_BYTES,
    2 << 20,
    1 << 20,
    512 << 10,
];

/// A further worker is worth it only if all have portions of this size: each portion decodes whole
/// pages, so that finer ones decode the same pages again. Two workers with 1 MiB took twice as long
/// as one with 5 MiB.
const WORTHWHILE_PORTION_BYTES: usize = 4 << 20;

/// What the program takes of itself once it works: code that is used for the first time, buffers,
/// the threads' own heaps.
const WORKING_BYTES: u64 = 16 << 20;

/// What an array takes besides its values: itself, its type, its buffers.
const ARRAY_BYTES: u64 = 256;

/// A query's engine. Measured with 1 000 rows: 21 MiB.
const QUERY_BYTES: u64 = 24 << 20;

/// What a worker takes alongside its portions and its block of features: its stack, the model's
/// scratch space, what the allocator keeps for its thread.
const WORKER_BYTES: u64 = 6 << 20;

/// Portions in flight for each worker: one at work, one that waits for its turn.
const PORTIONS_PER_WORKER: u64 = 2;

/// What the allocator keeps of what was given back, in hundredths of what is in use.
const KEPT_PERCENT: u64 = 25;

/// What the process takes at its start varies by some pages from run to run: it is counted in
/// steps, so that a run is allowed what the one before said that it needs.
pub const RESIDENT_STEP: u64 = 4 << 20;

/// The share of the ceiling at which nothing new is begun.
const PRESSURE: f64 = 0.7;

/// What a run takes alongside its portions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// What the process takes before its first row, the model included.
    pub resident_bytes: u64,
    /// The most that it took so far.
    pub peak_bytes: u64,
    /// Whether rows pass a filter or get derived columns.
    pub has_query: bool,
    /// Whether rows may be rejected.
    pub may_reject: bool,
    /// A worker's block of features.
    pub block_bytes: u64,
    /// What a worker's model makes of it on the way to scores.
    pub model_bytes: u64,
    /// What the scores of a row take.
    pub score_row_bytes: u64,
    /// The columns of numbers among the scores, whose values are counted in each portion.
    pub score_column_count: u64,
    /// What a row of the output takes, its texts and lists apart.
    pub output_row_bytes: u64,
    /// The columns of the output, nested ones counted by leaf.
    pub output_leaf_count: usize,
    /// Whether the output has texts or lists.
    pub has_texts: bool,
    /// What observers keep of a portion besides the statistics of scores.
    pub observed_bytes: u64,
    /// What those observers keep that gather what they see.
    pub gathered_bytes: u64,
    /// The rows of the output, or more, where that is known.
    pub row_count: Option<u64>,
    /// The outputs beyond the run's own: those of challengers.
    pub output_count: u64,
}

/// How much a run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The number of workers.
    pub threads: usize,
    /// The decoded size of a portion.
    pub portion_bytes: usize,
    /// The resident size at which no further portion is begun alongside others.
    pub pressure_bytes: Option<u64>,
    /// What models, expressions and files may take during the run beyond what they hold now.
    pub foreign_bytes: Option<u64>,
}

/// What models, expressions and files may take of `--memory` before it is known what a run needs.
#[must_use]
pub fn before_rows(memory_bytes: u64) -> u64 {
    let resident = process::memory_bytes()
        .unwrap_or(0)
        .next_multiple_of(RESIDENT_STEP);
    memory_bytes
        .saturating_sub(resident + WORKING_BYTES)
        .max(MIN_FOREIGN_BYTES)
}

/// Of what a plan leaves, models and expressions may hold so much at once, in hundredths: what they
/// make and drop in turn, of many sizes, the allocator keeps for a while.
const SPARE_PERCENT: u64 = 40;

/// With less no model could be opened, to say what would be enough.
const MIN_FOREIGN_BYTES: u64 = 32 << 20;

impl Needs {
    /// What a run of `threads` workers takes at most that reads so.
    #[must_use]
    pub fn estimate(&self, threads: usize, demand: &Demand) -> u64 {
        let workers = (threads as u64).min(demand.portion_count);
        let helpers = Self::helpers(threads, demand);
        let in_flight = (PORTIONS_PER_WORKER * workers).min(demand.portion_count);
        // The rows as they were read; of those at work also what a filter leaves of them, or what
        // is rejected.
        let at_work =
            demand.portion_bytes * (u64::from(self.has_query) + u64::from(self.may_reject));
        let rows = demand.portion_rows.unwrap_or(0);
        let counts = (rows.min(MAX_BUCKETS as u64) * BUCKET_BYTES as u64)
            .saturating_mul(self.score_column_count);
        let scores = rows
            .saturating_mul(self.score_row_bytes)
            .saturating_add(counts);
        // Each worker gathers; a part that is nearly done while the next begins, and the run.
        let observed = self
            .observed_bytes
            .saturating_mul(in_flight + helpers + 2)
            .saturating_add(self.gathered_bytes.saturating_mul(helpers + 2));
        let in_use = in_flight
            .saturating_mul(demand.portion_bytes.saturating_add(scores))
            .saturating_add(observed)
            + workers.saturating_mul(at_work.saturating_add(demand.decoding_bytes))
            + helpers.saturating_mul(self.block_bytes.saturating_add(self.model_bytes))
            + self.writer_bytes(demand);
        let fixed =
            self.resident_bytes + WORKING_BYTES + if self.has_query { QUERY_BYTES } else { 0 };
        let estimate = fixed
            .saturating_add(helpers * WORKER_BYTES)
            .saturating_add(in_use)
            .saturating_add(in_use / 100 * KEPT_PERCENT);
        estimate.max(self.peak_bytes)
    }

    /// The workers that have something to do: who has no portion helps with the blocks of
    /// another's.
    fn helpers(threads: usize, demand: &Demand) -> u64 {
        let blocks = demand
            .portion_rows
            .map_or(u64::MAX, |rows| rows.div_ceil(BLOCK_ROWS as u64));
        (threads as u64).min(demand.portion_count.saturating_mul(blocks))
    }

    /// What the plan of so many workers leaves of `most`, and what it has for models and
    /// expressions.
    fn foreign_bytes(&self, most: u64, threads: usize, demand: &Demand) -> u64 {
        let workers = (threads as u64).min(demand.portion_count);
        let query = if self.has_query {
            workers
                .saturating_mul(demand.portion_bytes)
                .saturating_add(QUERY_BYTES / 2)
        } else {
            0
        };
        let model = Self::helpers(threads, demand).saturating_mul(self.model_bytes);
        let spare = most.saturating_sub(self.estimate(threads, demand)) / 100 * SPARE_PERCENT;
        spare
            .saturating_add(query)
            .saturating_add(model)
            .max(WORKING_BYTES)
    }

    /// The rows that wait until their row group is full, the chunk that is put together, an
    /// encoder; twice where rows may be rejected.
    fn writer_bytes(&self, demand: &Demand) -> u64 {
        // Texts may be longer than the mean for as long as a row group is.
        let texts = if self.has_texts {
            demand.text_row_bytes.map(|mean| mean.saturating_mul(2))
        } else {
            Some(0)
        };
        let rows = self
            .row_count
            .unwrap_or(u64::MAX)
            .min(ROW_GROUP_ROWS as u64);
        let group = texts.map_or(u64::MAX, |texts| {
            rows.saturating_mul(self.output_row_bytes.saturating_add(texts))
        });
        let own = |most: usize| group.min(most as u64);
        let (waiting, chunk) = (
            row_group_bytes(self.output_leaf_count),
            chunk_bytes(self.output_leaf_count),
        );
        let arrays = (own(waiting) / chunk as u64 + 1)
            .saturating_mul(self.output_leaf_count as u64 * ARRAY_BYTES);
        let writer = own(waiting) + own(2 * chunk) + own(ENCODER_BYTES) + arrays;
        let own = if self.may_reject { 2 * writer } else { writer };
        own.saturating_add(writer.saturating_mul(self.output_count))
    }
}

/// How many workers, up to `threads`, may have portions of which size if the process has
/// `memory_bytes`; `demands` are what reading takes, one for each of [`PORTION_BYTES`].
///
/// # Errors
/// A usage error if not even one worker with the smallest portions fits; it says what would, and
/// what it is that takes so much.
pub fn allow(
    memory_bytes: Option<u64>,
    threads: usize,
    needs: &Needs,
    demands: &[Demand],
) -> Result<Allowance> {
    let Some(most) = memory_bytes else {
        return Ok(Allowance {
            threads,
            portion_bytes: DEFAULT_PORTION_BYTES,
            pressure_bytes: None,
            foreign_bytes: None,
        });
    };
    let sizes = || PORTION_BYTES.into_iter().zip(demands);
    let fits = |threads: usize, demand: &Demand| needs.estimate(threads, demand) <= most;
    let worthwhile = sizes().find(|(bytes, _)| *bytes == WORTHWHILE_PORTION_BYTES);
    let workers = worthwhile.map_or(1, |(_, demand)| {
        (1..=threads)
            .take_while(|&workers| fits(workers, demand))
            .last()
            .unwrap_or(1)
    });
    let Some((portion_bytes, demand)) = sizes().find(|(_, demand)| fits(workers, demand)) else {
        return Err(too_little(most, needs, demands));
    };
    let foreign_bytes = Some(needs.foreign_bytes(most, workers, demand));
    Ok(Allowance {
        threads: workers,
        portion_bytes,
        pressure_bytes: Some((most as f64 * PRESSURE) as u64),
        foreign_bytes,
    })
}

/// What a run of `threads` workers may have, by what the files say from above; where that is not
/// enough, by what their page headers say.
///
/// # Errors
/// As [`allow`]; fails if a file cannot be read.
pub fn afford(
    memory_bytes: Option<u64>,
    threads: usize,
    needs: &Needs,
    dataset: &Dataset,
    schema: &Schema,
    options: &ReadOptions,
) -> Result<Allowance> {
    if memory_bytes.is_none() {
        return allow(None, threads, needs, &[]);
    }
    let ways = PORTION_BYTES.map(|bytes| ReadOptions {
        portion_bytes: bytes,
        max_portion_bytes: bytes,
        ..options.clone()
    });
    match allow(
        memory_bytes,
        threads,
        needs,
        &dataset.demands(schema, &ways, false)?,
    ) {
        Ok(all) if all.threads == threads && all.portion_bytes == DEFAULT_PORTION_BYTES => Ok(all),
        _ => allow(
            memory_bytes,
            threads,
            needs,
            &dataset.demands(schema, &ways, true)?,
        ),
    }
}

/// How tables are read portion by portion, by one thread, if the process has `memory_bytes` and
/// keeps `held_bytes` of what it reads.
///
/// # Errors
/// As [`allow`].
pub fn of_one_reader(memory_bytes: u64, dataset: &Dataset, held_bytes: u64) -> Result<ReadOptions> {
    let resident = process::memory_bytes()
        .unwrap_or(0)
        .next_multiple_of(RESIDENT_STEP);
    let needs = Needs {
        resident_bytes: resident.saturating_add(held_bytes),
        peak_bytes: process::peak_memory_bytes().unwrap_or(0),
        score_row_bytes: CONVERTED_BYTES,
        ..Needs::default()
    };
    let (schema, options) = (dataset.schema(), dataset.options());
    let read_schema = dataset.as_read(&schema);
    let allowance = afford(
        Some(memory_bytes),
        1,
        &needs,
        dataset,
        &read_schema,
        options,
    )?;
    Ok(ReadOptions {
        portion_bytes: allowance.portion_bytes,
        max_portion_bytes: allowance.portion_bytes,
        ..options.clone()
    })
}

/// What a value takes while its column is observed: as a number of double precision, twice.
const CONVERTED_BYTES: u64 = 16;

/// Up to here what a run takes is about the same each time.
const STEADY_BYTES: u64 = 256 << 20;

/// Of what is beyond, a part as large as this one is left for the allocator's moods: a run of 2.4
/// GiB once began with 52 MiB more than the one before.
const SPARE_SHARE: u64 = 16;

fn too_little(most: u64, needs: &Needs, demands: &[Demand]) -> Error {
    let Some((least, demand)) = demands
        .iter()
        .map(|demand| (needs.estimate(1, demand), demand))
        .min_by_key(|(bytes, _)| *bytes)
    else {
        return Error::internal("a run without a way to cut its portions");
    };
    // The next run may begin with a little more; what it takes varies with what it holds.
    let spare = RESIDENT_STEP + least.saturating_sub(STEADY_BYTES) / SPARE_SHARE;
    let least = (least + spare).div_ceil(1 << 20);
    let requested = if most < 1 << 20 {
        counted(most, "byte")
    } else {
        format!("{} MiB", most >> 20)
    };
    let error = Error::usage(format!(
        "`--memory` of {requested} is too little: this run needs at least {least} MiB"
    ));
    let hint = format!("pass `--memory {least}MiB`");
    match demand
        .largest_page
        .as_ref()
        .filter(|(_, bytes)| *bytes > LARGE_PAGE_BYTES)
    {
        Some((column, bytes)) => {
            let hint = format!(
                "{hint}, or write the file with smaller pages: this column has pages of {} MiB, \
                 and a page is read whole",
                bytes >> 20
            );
            error.at_column(column).hint(hint)
        }
        None if needs.resident_bytes > most / 2 => error.hint(format!(
            "{hint}: the program and the model take {} MiB",
            needs.resident_bytes >> 20
        )),
        None => error.hint(hint),
    }
}

/// Writers make pages of 1 MiB; one of several is why a run takes much.
const LARGE_PAGE_BYTES: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Reading 30 numbers in pages of 1 MiB.
    fn numbers(portion_count: u64) -> Vec<Demand> {
        let demand = |bytes: usize| Demand {
            portion_bytes: bytes as u64,
            decoding_bytes: 2 * MIB,
            portion_rows: Some(bytes as u64 / 128),
            text_row_bytes: Some(20),
            portion_count,
            largest_page: Some(("f1".to_owned(), MIB)),
        };
        PORTION_BYTES.map(demand).to_vec()
    }

    const NEEDS: Needs = Needs {
        resident_bytes: 30 * MIB,
        peak_bytes: 31 * MIB,
        has_query: false,
        may_reject: false,
        block_bytes: MIB,
        model_bytes: 0,
        score_row_bytes: 12,
        score_column_count: 0,
        output_row_bytes: 24,
        output_leaf_count: 3,
        has_texts: true,
        observed_bytes: 0,
        gathered_bytes: 0,
        row_count: None,
        output_count: 0,
    };

    #[test]
    fn the_values_of_each_column_of_scores_are_counted_in_every_portion_in_flight() {
        let demand = &numbers(1)[0];
        let counted = Needs {
            score_column_count: 1,
            ..NEEDS
        };
        let more = counted.estimate(1, demand) - NEEDS.estimate(1, demand);
        let counts = (MAX_BUCKETS * BUCKET_BYTES) as u64;
        assert!((counts..2 * counts).contains(&more), "{more}");
    }

    #[test]
    fn what_observers_gather_is_counted_by_worker_and_not_by_portion() {
        let demand = &numbers(1_000)[0];
        let gathered = |threads| {
            let needs = Needs {
                gathered_bytes: 100 * MIB,
                ..NEEDS
            };
            needs.estimate(threads, demand) - NEEDS.estimate(threads, demand)
        };
        assert_eq!(gathered(1) / (125 * MIB), 3);
        assert_eq!((gathered(8) - gathered(2)) / (125 * MIB), 6);
    }

    #[test]
    fn a_large_run_is_allowed_what_the_error_names_also_if_it_begins_with_a_little_more() {
        let mut needs = Needs {
            observed_bytes: 400 * MIB,
            ..NEEDS
        };
        let error = allow(Some(100 * MIB), 2, &needs, &numbers(10)).unwrap_err();
        let hint = error.hint_text().unwrap_or_default();
        let size = hint.trim_start_matches("pass `--memory ");
        let size: u64 = size.split("MiB").next().unwrap().parse().unwrap();
        needs.resident_bytes += 52 * MIB;
        assert!(
            allow(Some(size * MIB), 2, &needs, &numbers(10)).is_ok(),
            "{hint}"
        );
    }

    #[test]
    fn a_small_input_is_expected_to_take_little() {
        let small = Needs {
            row_count: Some(1_000),
            ..NEEDS
        };
        let demand = Demand {
            portion_bytes: 1 << 14,
            decoding_bytes: 1 << 14,
            portion_rows: Some(1_000),
            portion_count: 1,
            ..Demand::none()
        };
        assert_eq!(small.estimate(16, &demand) / MIB, 53);
        assert_eq!(
            Needs {
                peak_bytes: 400 * MIB,
                ..small
            }
            .estimate(16, &demand),
            400 * MIB,
            "what was taken was taken"
        );
        assert!(NEEDS.estimate(16, &numbers(1_000)[0]) > 16 * 32 * MIB);
    }

    #[test]
    fn little_memory_means_smaller_portions_then_fewer_workers() {
        let demands = numbers(1_000);
        let allowed = |mebibytes: u64, threads| {
            allow(Some(mebibytes * MIB), threads, &NEEDS, &demands).unwrap()
        };
        let shape = |allowance: Allowance| (allowance.threads, allowance.portion_bytes >> 20);
        assert_eq!(
            [
                allowed(4_096, 2),
                allowed(182, 2),
                allowed(130, 2),
                allowed(100, 2)
            ]
            .map(shape),
            [(2, 16), (2, 16), (2, 6), (1, 6)]
        );
        let [few, many] = [allowed(512, 64), allowed(1_024, 64)].map(shape);
        assert!(
            few.0 >= 16 && many.0 > few.0 && few.1.min(many.1) >= 4,
            "{few:?} {many:?}"
        );
        let estimate = |most: u64, threads| {
            let Allowance {
                threads,
                portion_bytes,
                ..
            } = allowed(most, threads);
            NEEDS.estimate(
                threads,
                &demands[PORTION_BYTES
                    .iter()
                    .position(|bytes| *bytes == portion_bytes)
                    .unwrap()],
            )
        };
        assert!(
            [100, 128, 200, 256, 512, 1_000]
                .iter()
                .all(|&most| estimate(most, 64) <= most * MIB)
        );
        assert_eq!(
            allow(None, 3, &NEEDS, &demands).unwrap().pressure_bytes,
            None
        );
    }

    #[test]
    fn what_takes_too_much_is_named() {
        let message = |needs: &Needs, demands: &[Demand]| {
            let error = allow(Some(70 * MIB), 1, needs, demands).unwrap_err();
            (
                error.to_string(),
                error.hint_text().unwrap_or_default().to_owned(),
            )
        };
        let (text, hint) = message(&NEEDS, &numbers(10));
        assert!(
            text.starts_with("`--memory` of 70 MiB is too little: this run needs at least 89 MiB")
                && hint.starts_with("pass `--memory 89MiB"),
            "{text} {hint}"
        );
        let giant = numbers(10).into_iter().map(|demand| Demand {
            largest_page: Some(("note".into(), 64 * MIB)),
            decoding_bytes: 70 * MIB,
            ..demand
        });
        let (text, hint) = message(&NEEDS, &giant.collect::<Vec<_>>());
        assert!(
            text.contains("column `note`") && hint.contains("pages of 64 MiB"),
            "{text} {hint}"
        );
        let large = Needs {
            resident_bytes: 300 * MIB,
            ..NEEDS
        };
        assert!(
            message(&large, &numbers(10))
                .1
                .contains("the program and the model take 300 MiB")
        );
    }
}
