//! The models whose answers are a run's output: one, or several in an A/B test, of which each
//! answers the rows that the split gives it.
//!
//! Owns how arms work on one portion: which rows are whose, block by block, and how what comes of
//! them is put in order. Inputs are numbered through all arms. It must not know where rows go.

mod row;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, UInt32Array, new_empty_array};
use arrow::compute::{cast, interleave, take_record_batch};
use arrow::datatypes::{DataType, Field};

use super::observer::Watch;
use super::scorer::Scorer;
use super::scoring::{Rejection, Scored, ScoredBlock, Scoring};
use super::selection::Selection;
use super::split::Split;
use super::stage::Stage;
use crate::contract::binding::BoundInput;
use crate::error::{Error, Result};
use crate::feature::verdict::{Coercions, Origin};
use crate::model::Counter;
use crate::table::shown_type::shown_type;

/// The column of an A/B test that names the model which answered a row.
pub const MODEL: &str = "model";

/// The column of an A/B test with the model's version.
pub const MODEL_VERSION: &str = "model_version";

/// A model with its binding, under a name.
#[derive(Debug)]
pub struct Arm {
    /// The name in reports.
    pub name: String,
    /// The model's version, if it has one.
    pub version: Option<String>,
    /// The model, its encoder and its outcome, bound to the run's rows.
    pub scoring: Scoring,
    /// Columns that the package of a further arm derives from the columns that are read.
    pub selection: Option<Selection>,
    /// The nanoseconds of work on its rows.
    pub work: AtomicU64,
}

/// All arms of a run, in order: at least one.
#[derive(Debug)]
pub struct Arms {
    arms: Vec<Arm>,
    /// Which rows are whose, and the columns that all arms answer; none for one arm.
    split: Option<(Split, Vec<Field>)>,
}

/// The rows of a portion that one arm answers.
pub(super) struct ArmRows {
    batch: RecordBatch,
    /// Their positions in the portion.
    positions: Vec<u32>,
    /// Their positions among the rows that were read.
    kept: Vec<u32>,
}

impl ArmRows {
    /// Their positions in the portion.
    pub(super) fn positions(&self) -> &[u32] {
        &self.positions
    }
}

impl Arms {
    /// A run's one model.
    #[must_use]
    pub fn one(arm: Arm) -> Self {
        Self {
            arms: vec![arm],
            split: None,
        }
    }

    /// Several models, each of which answers the rows that the split gives it.
    ///
    /// # Errors
    /// A contract error if they answer with different columns.
    pub fn several(arms: Vec<Arm>, split: Split) -> Result<Self> {
        let mut fields = arms
            .first()
            .map_or_else(Vec::new, |arm| arm.scoring.fields());
        for arm in arms.iter().skip(1) {
            let own = arm.scoring.fields();
            if own.len() != fields.len() {
                return Err(different(&arm.name, &fields, &own));
            }
            let common = fields.iter().zip(&own).map(common_field);
            let common: Option<Vec<Field>> = common.collect();
            fields = common.ok_or_else(|| different(&arm.name, &fields, &own))?;
        }
        Ok(Self {
            arms,
            split: Some((split, fields)),
        })
    }

    /// Whether rows are split between several models.
    #[must_use]
    pub fn is_split(&self) -> bool {
        self.split.is_some()
    }

    /// The arms in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arm> + Clone {
        self.arms.iter()
    }

    /// The inputs of all arms with the columns that feed them.
    pub fn inputs(&self) -> impl Iterator<Item = &BoundInput> + Clone {
        self.iter().flat_map(|arm| arm.scoring.encoder().inputs())
    }

    /// What the models of all arms count.
    pub fn counters(&self) -> impl Iterator<Item = &Counter> {
        self.iter()
            .flat_map(|arm| arm.scoring.model().model.counters())
    }

    /// The columns that the arms add.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        match &self.split {
            None => self.iter().flat_map(|arm| arm.scoring.fields()).collect(),
            Some((_, fields)) => {
                let named = [(MODEL, false), (MODEL_VERSION, true)];
                let named =
                    named.map(|(name, may_miss)| Field::new(name, DataType::Utf8, may_miss));
                fields.iter().cloned().chain(named).collect()
            }
        }
    }

    /// The columns whose values are counted: a model has one version.
    #[must_use]
    pub fn observed_fields(&self) -> Vec<Field> {
        let mut fields = self.fields();
        if self.is_split() {
            fields.pop();
        }
        fields
    }

    /// Per-worker scratch space for scoring.
    #[must_use]
    pub fn scorers(&self) -> Vec<Scorer<'_>> {
        self.iter().map(|arm| arm.scoring.scorer()).collect()
    }

    /// The rows of a portion that each arm has; nothing for one arm, which has them all. The first
    /// `read_count` columns are those that were read; `kept` are the positions of the portion's
    /// rows among those that were read.
    ///
    /// # Errors
    /// Fails if a column cannot be derived.
    pub(super) fn rows(
        &self,
        batch: &RecordBatch,
        read_count: usize,
        kept: Option<&[u32]>,
    ) -> Result<Vec<ArmRows>> {
        let Some((split, _)) = &self.split else {
            return Ok(Vec::new());
        };
        let internal = |error| Error::internal("rows cannot be split").because(error);
        let mut positions: Vec<Vec<u32>> = self.iter().map(|_| Vec::new()).collect();
        for (row, model) in split.assign(batch)?.into_iter().enumerate() {
            if let Some(own) = positions.get_mut(model) {
                own.push(row as u32);
            }
        }
        let read: Vec<usize> = (0..read_count).collect();
        let read = batch.project(&read).map_err(internal)?;
        let arms = self.iter().zip(positions).enumerate();
        arms.map(|(index, (arm, positions))| {
            // What the run's own package derives is of no concern to the others.
            let all = if index == 0 { batch } else { &read };
            let rows = UInt32Array::from(positions.clone());
            let own = take_record_batch(all, &rows).map_err(internal)?;
            let own = match &arm.selection {
                Some(selection) => selection.apply(&own)?.0,
                None => own,
            };
            let kept = match kept {
                Some(kept) => positions.iter().map(|row| kept[*row as usize]).collect(),
                None => positions.clone(),
            };
            Ok(ArmRows {
                batch: own,
                positions,
                kept,
            })
        })
        .collect()
    }

    /// The number of blocks of a portion.
    pub(super) fn block_count(&self, row_count: usize, rows: &[ArmRows]) -> usize {
        if rows.is_empty() {
            return row_count.div_ceil(self.block_rows(0));
        }
        self.block_counts(rows).sum()
    }

    fn block_counts(&self, rows: &[ArmRows]) -> impl Iterator<Item = usize> {
        let rows = rows.iter().enumerate();
        rows.map(|(index, rows)| rows.positions.len().div_ceil(self.block_rows(index)))
    }

    /// The rows that an arm scores at once, by one worker.
    fn block_rows(&self, arm: usize) -> usize {
        let arm = self.arms.get(arm);
        arm.map_or(1, |arm| arm.scoring.block_rows().max(1))
    }

    /// The rows of block `number` of `row_count`, of a run with one arm.
    pub(super) fn block(&self, number: usize, row_count: usize) -> Range<usize> {
        let start = number * self.block_rows(0);
        start..(start + self.block_rows(0)).min(row_count)
    }

    /// Scores block `number` of a portion; `watch` sees what the first arm reads.
    ///
    /// # Errors
    /// As [`Scorer::score`].
    pub(super) fn score(
        &self,
        scorers: &mut [Scorer<'_>],
        batch: &RecordBatch,
        rows: &[ArmRows],
        origin: Origin<'_>,
        number: usize,
        watch: Watch<'_>,
    ) -> Result<ScoredBlock> {
        let missing = || Error::internal("a block of no arm");
        if rows.is_empty() {
            let range = self.block(number, batch.num_rows());
            let scorer = scorers.first_mut().ok_or_else(missing)?;
            return scorer.score(batch, range, origin, watch);
        }
        let (mut arm, mut first) = (0, 0);
        for count in self.block_counts(rows) {
            if number < first + count {
                break;
            }
            (arm, first) = (arm + 1, first + count);
        }
        let own = rows.get(arm).ok_or_else(missing)?;
        let start = (number - first) * self.block_rows(arm);
        let end = (start + self.block_rows(arm)).min(own.positions.len());
        let origin = Origin {
            kept_rows: Some(&own.kept),
            ..origin
        };
        let scorer = scorers.get_mut(arm).ok_or_else(missing)?;
        let watch = watch.filter(|_| arm == 0);
        let block = scorer.score(&own.batch, start..end, origin, watch)?;
        let work = block.times.of(Stage::Encode) + block.times.of(Stage::Score);
        let nanoseconds = u64::try_from(work.as_nanos()).unwrap_or(u64::MAX);
        self.arms[arm]
            .work
            .fetch_add(nanoseconds, Ordering::Relaxed);
        Ok(block)
    }

    /// Puts the blocks of a portion of `row_count` rows together.
    ///
    /// # Errors
    /// As [`Scoring::gather`].
    pub(super) fn gather(
        &self,
        row_count: usize,
        rows: &[ArmRows],
        blocks: Vec<ScoredBlock>,
    ) -> Result<Scored> {
        let Some((_, fields)) = &self.split else {
            let arm = self.arms.first();
            let arm = arm.ok_or_else(|| Error::internal("a run without a model"))?;
            return arm.scoring.gather(blocks);
        };
        let mut blocks = blocks.into_iter();
        let counts: Vec<usize> = self.block_counts(rows).collect();
        let arms = self.iter().zip(rows).zip(counts);
        let scored = arms.map(|((arm, rows), count)| {
            let own: Vec<ScoredBlock> = blocks.by_ref().take(count).collect();
            of_arm(arm, rows, own, fields)
        });
        let scored = scored.collect::<Result<Vec<Scored>>>()?;
        self.joined(row_count, rows, scored)
    }

    /// The answers of all arms, in the order of the rows.
    fn joined(&self, row_count: usize, rows: &[ArmRows], scored: Vec<Scored>) -> Result<Scored> {
        let mut locations = vec![(0, 0); row_count];
        for (arm, rows) in rows.iter().enumerate() {
            for (index, position) in rows.positions.iter().enumerate() {
                locations[*position as usize] = (arm, index);
            }
        }
        let width = scored.first().map_or(0, |first| first.columns.len());
        let columns = (0..width).map(|column| {
            let parts: Vec<&dyn Array> = scored.iter().map(|one| &*one.columns[column]).collect();
            interleave(&parts, &locations)
                .map_err(|error| Error::internal("answers of several models").because(error))
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let arm_of = |location: &(usize, usize)| &self.arms[location.0];
        let names: StringArray = locations
            .iter()
            .map(|location| Some(arm_of(location).name.as_str()))
            .collect();
        let versions: StringArray = locations
            .iter()
            .map(|location| arm_of(location).version.as_deref())
            .collect();
        let mut all = Scored {
            columns,
            rejections: Vec::new(),
            coercions: Vec::new(),
            counts: Vec::new(),
        };
        all.columns.push(Arc::new(names));
        all.columns.push(Arc::new(versions));
        for (one, rows) in scored.into_iter().zip(rows) {
            let first_input = all.coercions.len();
            let rejections = one.rejections.into_iter().map(|rejection| Rejection {
                row: rows.positions[rejection.row] as usize,
                input: first_input + rejection.input,
                ..rejection
            });
            all.rejections.extend(rejections);
            all.coercions.extend(one.coercions);
            all.counts.extend(one.counts);
        }
        all.rejections
            .sort_unstable_by_key(|rejection| rejection.row);
        Ok(all)
    }
}

/// What an arm made of its rows, in the types that all arms answer with.
fn of_arm(arm: &Arm, rows: &ArmRows, blocks: Vec<ScoredBlock>, fields: &[Field]) -> Result<Scored> {
    if rows.positions.is_empty() {
        let columns = fields
            .iter()
            .map(|field| new_empty_array(field.data_type()));
        return Ok(Scored {
            columns: columns.collect(),
            rejections: Vec::new(),
            coercions: vec![Coercions::default(); arm.scoring.encoder().inputs().len()],
            counts: vec![0; arm.scoring.model().model.counters().len()],
        });
    }
    let mut scored = arm.scoring.gather(blocks)?;
    for (column, field) in scored.columns.iter_mut().zip(fields) {
        *column = cast(column, field.data_type())
            .map_err(|error| Error::internal("an answer of another type").because(error))?;
    }
    Ok(scored)
}

/// The field that can hold the answers of both: single precision fits into double.
fn common_field((first, second): (&Field, &Field)) -> Option<Field> {
    if first.name() != second.name() {
        return None;
    }
    let types = (first.data_type(), second.data_type());
    let data_type = match types {
        (first, second) if first == second => first.clone(),
        (DataType::Float32 | DataType::Float64, DataType::Float32 | DataType::Float64) => {
            DataType::Float64
        }
        _ => return None,
    };
    let is_nullable = first.is_nullable() || second.is_nullable();
    Some(Field::new(first.name(), data_type, is_nullable))
}

fn different(name: &str, expected: &[Field], actual: &[Field]) -> Error {
    let listed = |fields: &[Field]| {
        let one = |field: &Field| format!("{} ({})", field.name(), shown_type(field.data_type()));
        fields.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    Error::contract(format!(
        "`{name}` answers with other columns than the run's own model, so no output can hold both: \
         {} instead of {}",
        listed(actual),
        listed(expected)
    ))
    .hint("score all rows with both: remove `--split`")
}
