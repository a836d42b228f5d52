//! The engine of a translated pipeline: columns, then linear sums or a forest, all in f64.

use super::column::Column;
use crate::error::{Error, Result};
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::forest::Forest;
use crate::model::{Model, NumericModel, Scores, Wants, Worker};
use crate::outcome::Margins;

/// What is done to a row's margins at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunResult {
    None,
    /// One margin becomes two, of either sign.
    BothSides,
    /// The logistic function of each, divided by their sum.
    EachAlone,
}

/// What the last estimator computes.
#[derive(Debug)]
pub(super) enum Engine {
    /// Sums of columns times coefficients, which are stored output after output.
    Linear {
        intercepts: Vec<f64>,
        coefficients: Vec<f64>,
        ending: RunResult,
    },
    /// Trees; `rounds` rounds columns to f32 first, and the sums are divided at the end.
    Forest {
        forest: Box<Forest>,
        rounds: bool,
        divisor: f64,
    },
}

/// A pipeline.
#[derive(Debug)]
pub(super) struct Columnar {
    input_count: usize,
    columns: Vec<Column>,
    engine: Engine,
    /// Whether the columns are the inputs as they are.
    is_plain: bool,
}

/// A pipeline at work on one thread.
#[derive(Debug)]
struct ColumnarWorker<'a> {
    pipeline: &'a Columnar,
    features: FeatureBlock,
    /// The worker of the forest, if there is one.
    forest: Option<Box<dyn Worker + 'a>>,
}

impl Columnar {
    /// A pipeline of so many inputs.
    pub(super) fn new(input_count: usize, columns: Vec<Column>, engine: Engine) -> Self {
        let is_plain = columns.len() == input_count
            && columns
                .iter()
                .enumerate()
                .all(|(index, one)| one.is_raw() && one.input == index);
        Self {
            input_count,
            columns,
            engine,
            is_plain,
        }
    }

    fn rounds(&self) -> bool {
        matches!(self.engine, Engine::Forest { rounds: true, .. })
    }

    fn fill(&self, block: &Columns<f64>, features: &mut Columns<f64>) {
        features.reset(block.row_count(), self.columns.len(), 0.0);
        for (index, column) in self.columns.iter().enumerate() {
            let values = features.column_mut(index);
            values.copy_from_slice(block.column(column.input));
            column.run(values);
            if self.rounds() {
                values
                    .iter_mut()
                    .for_each(|value| *value = f64::from(*value as f32));
            }
        }
    }
}

fn linear(
    intercepts: &[f64],
    coefficients: &[f64],
    features: &Columns<f64>,
    margins: &mut Vec<f64>,
) {
    let (rows, width) = (features.row_count(), intercepts.len());
    margins.resize(rows * width, 0.0);
    let count = features.feature_count();
    for (output, own) in coefficients.chunks_exact(count.max(1)).enumerate() {
        for (feature, coefficient) in own.iter().enumerate() {
            let sums = margins.iter_mut().skip(output).step_by(width);
            for (sum, value) in sums.zip(features.column(feature)) {
                *sum += value * coefficient;
            }
        }
    }
    for row in margins.chunks_exact_mut(width) {
        row.iter_mut()
            .zip(intercepts)
            .for_each(|(sum, intercept)| *sum += intercept);
    }
}

fn end(ending: RunResult, margins: &mut Vec<f64>, width: usize) {
    match ending {
        RunResult::None => {}
        RunResult::BothSides => {
            *margins = margins
                .iter()
                .flat_map(|margin| [-margin, *margin])
                .collect();
        }
        RunResult::EachAlone => {
            for row in margins.chunks_exact_mut(width) {
                row.iter_mut()
                    .for_each(|value| *value = 1.0 / (1.0 + (-*value).exp()));
                let sum: f64 = row.iter().sum();
                row.iter_mut().for_each(|value| *value /= sum);
            }
        }
    }
}

impl Model for Columnar {
    fn family(&self) -> &'static str {
        match self.engine {
            Engine::Linear { .. } => "linear",
            Engine::Forest { .. } => "forest",
        }
    }

    fn feature_count(&self) -> usize {
        self.input_count
    }

    fn memory_bytes(&self) -> usize {
        let columns = self
            .columns
            .iter()
            .map(|one| size_of::<Column>() + 32 * one.steps.len());
        let engine = match &self.engine {
            Engine::Linear {
                intercepts,
                coefficients,
                ..
            } => size_of::<f64>() * (intercepts.len() + coefficients.len()),
            Engine::Forest { forest, .. } => forest.memory_bytes(),
        };
        engine + columns.sum::<usize>()
    }
}

impl NumericModel for Columnar {
    fn precision(&self) -> Precision {
        Precision::Double
    }

    fn margin_count(&self) -> usize {
        match &self.engine {
            Engine::Linear {
                ending: RunResult::BothSides,
                ..
            } => 2,
            Engine::Linear { intercepts, .. } => intercepts.len(),
            Engine::Forest { forest, .. } => forest.margin_count(),
        }
    }

    fn worker(&self) -> Box<dyn Worker + '_> {
        let forest = match &self.engine {
            Engine::Linear { .. } => None,
            Engine::Forest { forest, .. } => Some(forest.worker()),
        };
        Box::new(ColumnarWorker {
            pipeline: self,
            features: FeatureBlock::empty(Precision::Double),
            forest,
        })
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
        let pipeline = self.pipeline;
        let FeatureBlock::Double(columns) = block else {
            return Err(internal());
        };
        let has_rows = columns.row_count() > 0;
        if has_rows && columns.feature_count() != pipeline.input_count || wants.offsets.is_some() {
            return Err(internal());
        }
        let is_direct = pipeline.is_plain && !pipeline.rounds();
        if let FeatureBlock::Double(features) = &mut self.features
            && !is_direct
        {
            if has_rows {
                pipeline.fill(columns, features);
            } else {
                features.reset(0, 0, 0.0);
            }
        }
        let features = if is_direct { block } else { &self.features };
        match (&pipeline.engine, &mut self.forest) {
            (Engine::Forest { divisor, .. }, Some(forest)) => {
                forest.score(features, wants, scores)?;
                if let Margins::Double(margins) = &mut scores.margins
                    && *divisor != 1.0
                {
                    margins.iter_mut().for_each(|margin| *margin /= divisor);
                }
            }
            (
                Engine::Linear {
                    intercepts,
                    coefficients,
                    ending,
                },
                _,
            ) => {
                *scores = Scores::empty(Precision::Double);
                let (FeatureBlock::Double(features), Margins::Double(margins)) =
                    (features, &mut scores.margins)
                else {
                    return Err(internal());
                };
                if features.row_count() > 0 {
                    linear(intercepts, coefficients, features, margins);
                    end(*ending, margins, intercepts.len());
                }
            }
            (Engine::Forest { .. }, None) => return Err(internal()),
        }
        Ok(())
    }
}
