//! The engine of a translated pipeline: columns, then linear sums or a forest, all in f64.

use super::column::Column;
use crate::error::{Error, Result};
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::forest::Forest;
use crate::model::{Margins, Model, Scratch};

/// What is done to a row's margins at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
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
    Linear { intercepts: Vec<f64>, coefficients: Vec<f64>, ending: Ending },
    /// Trees; `rounds` rounds columns to f32 first, and the sums are divided at the end.
    Forest { forest: Forest, rounds: bool, divisor: f64 },
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

/// What one worker writes on.
struct Work {
    features: FeatureBlock,
    inner: Scratch,
}

impl Columnar {
    /// A pipeline of so many inputs.
    pub(super) fn new(input_count: usize, columns: Vec<Column>, engine: Engine) -> Self {
        let is_plain = columns.len() == input_count
            && columns.iter().enumerate().all(|(index, one)| one.is_raw() && one.input == index);
        Self { input_count, columns, engine, is_plain }
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
                values.iter_mut().for_each(|value| *value = f64::from(*value as f32));
            }
        }
    }
}

fn linear(intercepts: &[f64], coefficients: &[f64], features: &Columns<f64>, margins: &mut Vec<f64>) {
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
        row.iter_mut().zip(intercepts).for_each(|(sum, intercept)| *sum += intercept);
    }
}

fn end(ending: Ending, margins: &mut Vec<f64>, width: usize) {
    match ending {
        Ending::None => {}
        Ending::BothSides => {
            *margins = margins.iter().flat_map(|margin| [-margin, *margin]).collect();
        }
        Ending::EachAlone => {
            for row in margins.chunks_exact_mut(width) {
                row.iter_mut().for_each(|value| *value = 1.0 / (1.0 + (-*value).exp()));
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

    fn precision(&self) -> Precision {
        Precision::Double
    }

    fn feature_count(&self) -> usize {
        self.input_count
    }

    fn margin_count(&self) -> usize {
        match &self.engine {
            Engine::Linear { ending: Ending::BothSides, .. } => 2,
            Engine::Linear { intercepts, .. } => intercepts.len(),
            Engine::Forest { forest, .. } => forest.margin_count(),
        }
    }

    fn scratch(&self) -> Scratch {
        let inner = match &self.engine {
            Engine::Linear { .. } => Scratch::default(),
            Engine::Forest { forest, .. } => forest.scratch(),
        };
        let features = FeatureBlock::empty(Precision::Double);
        Scratch(Box::new(Work { features, inner }))
    }

    fn score(
        &self,
        block: &FeatureBlock,
        scratch: &mut Scratch,
        margins: &mut Margins,
    ) -> Result<()> {
        let internal = || Error::internal("a block of another shape than the pipeline's");
        let FeatureBlock::Double(columns) = block else {
            return Err(internal());
        };
        let is_wide = columns.feature_count() == self.input_count || columns.row_count() == 0;
        let work = scratch.0.downcast_mut::<Work>().filter(|_| is_wide).ok_or_else(internal)?;
        let is_direct = self.is_plain && !self.rounds();
        if let FeatureBlock::Double(features) = &mut work.features
            && !is_direct
        {
            if columns.row_count() == 0 {
                features.reset(0, 0, 0.0);
            } else {
                self.fill(columns, features);
            }
        }
        let features = if is_direct { block } else { &work.features };
        match &self.engine {
            Engine::Forest { forest, divisor, .. } => {
                forest.score(features, &mut work.inner, margins)?;
                if let Margins::Double(margins) = margins
                    && *divisor != 1.0
                {
                    margins.iter_mut().for_each(|margin| *margin /= divisor);
                }
            }
            Engine::Linear { intercepts, coefficients, ending } => {
                let (FeatureBlock::Double(features), Margins::Double(margins)) = (features, margins)
                else {
                    return Err(internal());
                };
                margins.clear();
                if features.row_count() > 0 {
                    linear(intercepts, coefficients, features, margins);
                    end(*ending, margins, intercepts.len());
                }
            }
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        let columns = self.columns.iter().map(|one| size_of::<Column>() + 32 * one.steps.len());
        let engine = match &self.engine {
            Engine::Linear { intercepts, coefficients, .. } => {
                size_of::<f64>() * (intercepts.len() + coefficients.len())
            }
            Engine::Forest { forest, .. } => forest.memory_bytes(),
        };
        engine + columns.sum::<usize>()
    }
}
