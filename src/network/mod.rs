//! Dense networks for tables: weights from a safetensors file read by candle, layers from a
//! manifest, products on the packed kernels.
//!
//! Owns the forward pass of networks whose input is a row of numbers and categories. Scores agree
//! with PyTorch to 1e-5, and are the same bits alone, in any batch and in any order. Nothing here
//! knows files, columns or links. Graphs hand their chains of dense layers to the same steps.

pub mod architecture;
pub(crate) mod block;
mod build;
pub(crate) mod curve;
mod encoding;
#[cfg(test)]
mod reference;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod step;
#[cfg(test)]
mod tests;
mod weights;

pub use architecture::{Architecture, Layer};
pub use encoding::Encoding;

use self::block::Pool;
use self::encoding::Feature;
use self::step::{BLOCK_ROWS, Step};
use self::weights::Weights;
use crate::error::{Error, Result};
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::interrupt::check_process;
use crate::kernel::product::Rows;
use crate::model::{Model, NumericModel, Scores, Wants, Worker, trace};
use crate::outcome::Margins;

/// The largest code that single precision holds exactly, and with it every smaller one.
const MAX_CODES: usize = 1 << f32::MANTISSA_DIGITS;

/// A dense network, ready to score.
#[derive(Debug)]
pub struct Network {
    features: Vec<Feature>,
    /// The positions of all features together.
    width: usize,
    steps: Vec<Step>,
    margin_count: usize,
    parameter_count: usize,
}

impl Network {
    /// Fits layers to the weights of a safetensors file; the features enter the first layer in the
    /// order of `encodings`.
    ///
    /// # Errors
    /// Fails for a broken file; with [`crate::error::Kind::Contract`] if a tensor is missing, has
    /// another shape than its layer wants, or is read by no layer.
    pub fn load(
        architecture: &Architecture,
        encodings: &[Encoding],
        safetensors: &[u8],
    ) -> Result<Self> {
        let mut weights = Weights::open(safetensors)?;
        let features = encoding::features(encodings, &mut weights)?;
        if let Some(index) = features
            .iter()
            .position(|feature| feature.codes().is_some_and(|codes| codes > MAX_CODES))
        {
            return Err(
                Error::contract(format!("an embedding of more than {MAX_CODES} codes"))
                    .at_node(format!("input {index}")),
            );
        }
        let width = features
            .iter()
            .map(Feature::width)
            .fold(0, usize::saturating_add);
        let (steps, margin_count) = build::steps(architecture, &mut weights, width)?;
        let parameter_count = weights.parameter_count;
        weights.finish(&architecture.unused)?;
        Ok(Self {
            features,
            width,
            steps,
            margin_count,
            parameter_count,
        })
    }

    /// The number of codes that a feature knows, if it is a category.
    #[must_use]
    pub fn codes(&self, feature: usize) -> Option<usize> {
        self.features.get(feature).and_then(Feature::codes)
    }

    /// The number of numbers that it was trained to, running statistics included.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.parameter_count
    }

    fn score_columns(
        &self,
        columns: &Columns<f32>,
        workspace: &mut Workspace,
        margins: &mut Vec<f32>,
    ) -> Result<()> {
        let row_count = columns.row_count();
        margins.clear();
        margins.reserve(row_count * self.margin_count);
        for first_row in (0..row_count).step_by(BLOCK_ROWS) {
            check_process()?;
            let count = BLOCK_ROWS.min(row_count - first_row);
            self.enter(columns, first_row, count, &mut workspace.rows);
            if trace::is_followed() && first_row == 0 {
                self.note_entered(&workspace.rows);
            }
            let rows = Rows {
                values: &workspace.rows,
                width: self.width,
                stride: self.width,
                count,
            };
            let result = step::run(&self.steps, rows, &mut workspace.pool);
            result.append_to(margins);
            workspace.pool.give(result);
        }
        Ok(())
    }

    /// Notes what the first layer reads of the first row.
    fn note_entered(&self, rows: &[f32]) {
        let mut outputs = Vec::new();
        let mut values = rows.iter();
        for (index, feature) in self.features.iter().enumerate() {
            let (name, width) = (trace::name(index), feature.width());
            outputs.extend(
                values
                    .by_ref()
                    .take(width)
                    .enumerate()
                    .map(|(part, value)| {
                        let name = match width {
                            1 => name.clone(),
                            _ => format!("{name}[{part}]"),
                        };
                        let value = value.to_string();
                        trace::Value { name, value }
                    }),
            );
        }
        trace::note_step(trace::Step {
            name: "inputs".to_owned(),
            operation: "encoded".to_owned(),
            outputs,
            ..trace::Step::default()
        });
    }

    /// The first layer's rows of a block, row-major.
    fn enter(&self, columns: &Columns<f32>, first_row: usize, count: usize, rows: &mut Vec<f32>) {
        rows.clear();
        rows.resize(count * self.width, 0.0);
        let mut start = 0;
        for (index, feature) in self.features.iter().enumerate() {
            let end = start + feature.width();
            let values = &columns.column(index)[first_row..first_row + count];
            rows.chunks_exact_mut(self.width)
                .zip(values)
                .for_each(|(row, value)| feature.write(*value, &mut row[start..end]));
            start = end;
        }
    }
}

/// Per-worker scratch space for scoring.
#[derive(Debug, Default)]
struct Workspace {
    rows: Vec<f32>,
    pool: Pool,
}

impl Model for Network {
    fn family(&self) -> &'static str {
        "network"
    }

    fn feature_count(&self) -> usize {
        self.features.len()
    }

    fn memory_bytes(&self) -> usize {
        self.features
            .iter()
            .map(Feature::memory_bytes)
            .sum::<usize>()
            + step::memory_bytes(&self.steps)
    }
}

impl NumericModel for Network {
    fn precision(&self) -> Precision {
        Precision::Single
    }

    fn margin_count(&self) -> usize {
        self.margin_count
    }

    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(NetworkWorker {
            network: self,
            workspace: Workspace::default(),
        })
    }
}

/// A network at work on one thread.
#[derive(Debug)]
struct NetworkWorker<'a> {
    network: &'a Network,
    workspace: Workspace,
}

impl Worker for NetworkWorker<'_> {
    fn score(
        &mut self,
        block: &FeatureBlock,
        wants: &Wants<'_>,
        scores: &mut Scores,
    ) -> Result<()> {
        scores.reset();
        if wants.offsets.is_some() {
            return Err(Error::internal("offsets for a model that takes none"));
        }
        let network = self.network;
        let (FeatureBlock::Single(columns), Margins::Single(margins)) =
            (block, &mut scores.margins)
        else {
            return Err(Error::internal(
                "a block of another precision than the network's",
            ));
        };
        if columns.row_count() > 0 && columns.feature_count() != network.features.len() {
            return Err(Error::internal(format!(
                "a block of {} features for a network of {}",
                columns.feature_count(),
                network.features.len()
            )));
        }
        network.score_columns(columns, &mut self.workspace, margins)
    }
}
