//! A translated pipeline at work: parts one after the other, each over columns of the table and of
//! the parts before it.
//!
//! Owns the slots that columns read: first the inputs of the table, then the outputs of each part.
//! The outputs of a vectoriser stay sparse where a linear part reads them.

use arrow::array::StringViewArray;

use super::engine::Engine;
use super::finite::{Check, cause};
use super::follow;
use super::part::{Output, Part, sparse_sums};
use crate::error::{Error, Result};
use crate::feature::verdict::Reason;
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::model::{Model, NumericModel, RefusedRow, Scores, Wants, Worker, trace};
use crate::outcome::Margins;

/// A pipeline.
#[derive(Debug)]
pub(super) struct Columnar {
    input_count: usize,
    /// The parts; the outputs of the last are the margins.
    parts: Vec<Part>,
    /// The first slot of each part's outputs.
    starts: Vec<usize>,
    /// Whether the last part reads the inputs as they are.
    is_plain: bool,
}

/// A pipeline at work on one thread.
#[derive(Debug)]
pub(super) struct ColumnarWorker<'a> {
    pipeline: &'a Columnar,
    features: FeatureBlock,
    workers: Vec<Option<Box<dyn Worker + 'a>>>,
    /// The outputs of the parts but the last.
    outputs: Vec<Output>,
}

impl Columnar {
    /// A pipeline of so many inputs.
    pub(super) fn new(input_count: usize, mut parts: Vec<Part>, last: Part) -> Self {
        parts.push(last);
        let (mut starts, mut sparse, mut slot) = (Vec::new(), Vec::new(), input_count);
        for (index, part) in parts.iter_mut().enumerate() {
            let width = part.width();
            part.split_terms(&sparse);
            part.scatter(&sparse);
            starts.push(slot);
            if matches!(part.engine, Engine::Words(_)) {
                sparse.push((index, slot..slot + width));
            }
            slot += width;
        }
        let is_plain = parts[parts.len() - 1].is_plain(input_count);
        Self {
            input_count,
            parts,
            starts,
            is_plain,
        }
    }

    fn last(&self) -> &Part {
        // There is always one: `new` adds it.
        &self.parts[self.parts.len() - 1]
    }

    /// A worker for one thread.
    pub(super) fn own_worker(&self) -> ColumnarWorker<'_> {
        ColumnarWorker {
            pipeline: self,
            features: FeatureBlock::empty(Precision::Double),
            workers: self.parts.iter().map(|part| part.engine.worker()).collect(),
            outputs: Vec::new(),
        }
    }

    /// The most columns that a part reads.
    pub(super) fn widest(&self) -> usize {
        let widths = self.parts.iter().map(|part| part.columns.len());
        widths.max().unwrap_or(1)
    }

    /// Fills a part's features from the table and the outputs before it.
    fn fill(
        &self,
        part: &Part,
        block: &Columns<f64>,
        outputs: &[Output],
        features: &mut Columns<f64>,
    ) -> Vec<RefusedRow> {
        let mut refused = Vec::new();
        features.reset(block.row_count(), part.columns.len(), 0.0);
        self.scatter(part, outputs, features);
        for (index, column) in part.columns.iter().enumerate() {
            let values = features.column_mut(index);
            let is_input = column.input < self.input_count;
            let before = if is_input {
                Some(block.column(column.input))
            } else {
                let from = self.starts.partition_point(|start| *start <= column.input) - 1;
                match &outputs[from] {
                    Output::Dense(columns) => {
                        Some(columns[column.input - self.starts[from]].as_slice())
                    }
                    Output::Sparse(_) => None,
                }
            };
            if let Some(before) = before {
                values.copy_from_slice(before);
            }
            column.run(values);
            if part.engine.rounds() {
                values
                    .iter_mut()
                    .for_each(|value| *value = f64::from(*value as f32));
            }
            if let Some(check) = Check::of(part, index, self.input_count) {
                let found = check.rows(values, before, is_input);
                refused.extend(found.map(|(row, reason)| (row, column.input, reason)));
            }
        }
        let cause = |found: (usize, usize, Reason)| {
            cause(&self.parts, &self.starts, self.input_count, block, found)
        };
        refused.into_iter().map(cause).collect()
    }

    /// Notes what transformers make of the first row on the way to a part.
    fn note_columns(&self, part: &Part, block: &Columns<f64>, outputs: &[Output]) {
        follow::note_columns(part, self.input_count, |column| {
            if column.input < self.input_count {
                return Some(block.column(column.input)[0]);
            }
            let from = self.starts.partition_point(|start| *start <= column.input) - 1;
            match outputs.get(from)? {
                Output::Dense(columns) => columns.get(column.input - self.starts[from])?.first(),
                Output::Sparse(_) => None,
            }
            .copied()
        });
    }

    /// Notes what a part makes of the first row.
    fn note_part(&self, part: &Part, features: &FeatureBlock, outputs: &[Output], made: &Margins) {
        if let FeatureBlock::Double(features) = features {
            follow::note_part(part, &self.parts, outputs, features, made, self.input_count);
        }
    }

    /// Writes the outputs of vectorisers where a part reads them.
    fn scatter(&self, part: &Part, outputs: &[Output], features: &mut Columns<f64>) {
        if part.scattered.is_empty() {
            return;
        }
        for (output, start) in outputs.iter().zip(&self.starts) {
            let Output::Sparse(rows) = output else {
                continue;
            };
            for (row, entries) in rows.iter().enumerate() {
                for (feature, value) in entries {
                    let slot = start + *feature as usize;
                    let first = part.scattered.partition_point(|(one, _)| *one < slot);
                    let targets = part.scattered[first..].iter();
                    for (_, index) in targets.take_while(|(one, _)| *one == slot) {
                        features.column_mut(*index)[row] = *value;
                    }
                }
            }
        }
    }
}

impl Model for Columnar {
    fn family(&self) -> &'static str {
        let last = &self.last().engine;
        match (last, self.parts.len()) {
            (Engine::Columns, 2..) => self.parts[self.parts.len() - 2].engine.family(),
            _ => last.family(),
        }
    }

    fn feature_count(&self) -> usize {
        self.input_count
    }

    fn memory_bytes(&self) -> usize {
        self.parts.iter().map(Part::memory_bytes).sum()
    }
}

impl NumericModel for Columnar {
    fn precision(&self) -> Precision {
        Precision::Double
    }

    fn takes_single(&self) -> bool {
        match (&self.last().engine, &self.parts[..]) {
            (Engine::Forest { forest, .. }, [_]) => self.is_plain && forest.takes_single(),
            _ => false,
        }
    }

    fn margin_count(&self) -> usize {
        self.last().width()
    }

    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(self.own_worker())
    }
}

impl ColumnarWorker<'_> {
    /// Keeps the outputs of a part as slots.
    fn keep(&mut self, margins: &Margins, width: usize) -> Result<()> {
        let Margins::Double(margins) = margins else {
            return Err(Error::internal("a part of a pipeline in another precision"));
        };
        let column = |output: usize| -> Vec<f64> {
            margins
                .iter()
                .skip(output)
                .step_by(width)
                .copied()
                .collect()
        };
        self.outputs
            .push(Output::Dense((0..width).map(column).collect()));
        Ok(())
    }

    /// Computes the margins of rows, of which there are some; `texts` are the inputs that are
    /// texts, by index.
    ///
    /// # Errors
    /// Those of the models inside.
    pub(super) fn run(
        &mut self,
        block: &FeatureBlock,
        texts: &[(usize, &StringViewArray)],
        wants: &Wants<'_>,
        scores: &mut Scores,
    ) -> Result<()> {
        let internal = || Error::internal("a block of another shape than the pipeline's");
        let pipeline = self.pipeline;
        let FeatureBlock::Double(columns) = block else {
            return Err(internal());
        };
        self.outputs.clear();
        let mut refused = Vec::new();
        for (index, part) in pipeline.parts.iter().enumerate() {
            let is_last = index + 1 == pipeline.parts.len();
            if let Engine::Words(words) = &part.engine {
                let input = part.columns.first().map(|column| column.input);
                let text = texts.iter().find(|(one, _)| Some(*one) == input);
                let (_, text) = text.ok_or_else(internal)?;
                let row = |text: Option<&str>| words.row(text.unwrap_or_default());
                let output = Output::Sparse(text.iter().map(row).collect());
                if trace::is_followed() {
                    follow::note_words(part, &output);
                }
                self.outputs.push(output);
                continue;
            }
            let is_direct = is_last && pipeline.is_plain;
            if let FeatureBlock::Double(features) = &mut self.features
                && !is_direct
            {
                refused.extend(pipeline.fill(part, columns, &self.outputs, features));
            }
            let features = if is_direct { block } else { &self.features };
            let sums = sparse_sums(part, &self.outputs, columns.row_count());
            let worker = self.workers[index].as_deref_mut();
            if trace::is_followed() {
                pipeline.note_columns(part, columns, &self.outputs);
            }
            let mut own = Scores::empty(Precision::Double);
            let (wants, made) = if is_last {
                (*wants, &mut *scores)
            } else {
                (Wants::default(), &mut own)
            };
            if trace::is_followed() {
                let score = || part.engine.score(features, worker, &wants, sums, made);
                trace::with_names(follow::names(part, pipeline.input_count), score)?;
                let made = if is_last { &*scores } else { &own };
                pipeline.note_part(part, features, &self.outputs, &made.margins);
            } else {
                part.engine.score(features, worker, &wants, sums, made)?;
            }
            if !is_last {
                self.keep(&own.margins, part.width())?;
            }
        }
        scores.refused = refused;
        Ok(())
    }
}

impl Worker for ColumnarWorker<'_> {
    fn score(
        &mut self,
        block: &FeatureBlock,
        wants: &Wants<'_>,
        scores: &mut Scores,
    ) -> Result<()> {
        let internal = || Error::internal("a block of another shape than the pipeline's");
        *scores = Scores::empty(Precision::Double);
        let (row_count, feature_count) = match block {
            FeatureBlock::Double(columns) => (columns.row_count(), columns.feature_count()),
            FeatureBlock::Single(columns) if self.pipeline.takes_single() => {
                (columns.row_count(), columns.feature_count())
            }
            FeatureBlock::Single(_) => return Err(internal()),
        };
        if row_count == 0 {
            // A forest has leaves of no rows, too.
            if let (Engine::Forest { .. }, Some(Some(worker))) =
                (&self.pipeline.last().engine, self.workers.last_mut())
            {
                worker.score(block, wants, scores)?;
            }
            return Ok(());
        }
        if feature_count != self.pipeline.input_count || wants.offsets.is_some() {
            return Err(internal());
        }
        if let (FeatureBlock::Single(_), Some(worker)) = (block, self.workers.last_mut()) {
            let engine = &self.pipeline.last().engine;
            return engine.score(block, worker.as_deref_mut(), wants, Vec::new(), scores);
        }
        self.run(block, &[], wants, scores)
    }
}
