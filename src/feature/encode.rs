//! Columns to numbers: one encoder per input, which fills a run of the feature block and passes
//! verdicts on rows.
//!
//! Every implicit step is counted: a null let through, a category no one trained on, text that
//! became a number. Numbers from text and decimals go through `f64` first, as in the Python scripts
//! that the models come from.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::DataType;

use super::fill::Filling;
use super::lookup::Lookup;
use super::missing::{MissingValues, Sentinels};
use super::real::Real;
use super::verdict::{Coercions, Origin, Verdicts};
use super::{Columns, FeatureBlock, Precision, native};
use crate::contract::binding::BoundInput;
use crate::contract::{InputKind, Policy};
use crate::error::{Error, Result};

/// Turns the columns of a batch into a feature block.
#[derive(Debug)]
pub struct Encoder {
    inputs: Vec<(BoundInput, Lookup, Sentinels)>,
    /// The precision of blocks; none where columns keep the types that their inputs declare.
    precision: Option<Precision>,
    /// Whether messages may hold the values of rows.
    shows_values: bool,
}

impl Encoder {
    /// An encoder for these inputs.
    #[must_use]
    pub fn new(
        inputs: Vec<BoundInput>,
        missing: &MissingValues,
        precision: Option<Precision>,
    ) -> Self {
        let equipped = |bound: BoundInput| {
            let (lookup, sentinels) = (
                Lookup::new(&bound.input.kind),
                missing.of(&bound.input, &bound.column),
            );
            (bound, lookup, sentinels)
        };
        Self {
            inputs: inputs.into_iter().map(equipped).collect(),
            precision,
            shows_values: false,
        }
    }

    /// The same, with the values of rows in its messages or without.
    #[must_use]
    pub fn showing_values(self, shows_values: bool) -> Self {
        Self {
            shows_values,
            ..self
        }
    }

    /// The same, with blocks in single precision if every column holds nothing else; `is_taken`:
    /// whether the model takes such blocks.
    #[must_use]
    pub fn narrowed(self, is_taken: bool) -> Self {
        let is_single = |(bound, ..): &(BoundInput, Lookup, Sentinels)| {
            let input = &bound.input;
            let fills = [&input.on_null, &input.on_unseen].map(|policy| match policy {
                Policy::Default(_) => true,
                Policy::Error | Policy::Null | Policy::Reject => false,
            });
            bound.data_type == DataType::Float32
                && matches!(input.kind, InputKind::Number)
                && fills == [false, false]
        };
        if is_taken && self.precision.is_some() && self.inputs.iter().all(is_single) {
            Self {
                precision: Some(Precision::Single),
                ..self
            }
        } else {
            self
        }
    }

    /// The precision of blocks; none where columns keep the types that their inputs declare.
    #[must_use]
    pub fn precision(&self) -> Option<Precision> {
        self.precision
    }

    /// The inputs in the order of the model's features.
    #[must_use]
    pub fn inputs(&self) -> impl ExactSizeIterator<Item = &BoundInput> + Clone {
        self.inputs.iter().map(|(bound, ..)| bound)
    }

    /// The inputs, each with what means a missing value in its column.
    #[must_use]
    pub fn inputs_with_sentinels(
        &self,
    ) -> impl ExactSizeIterator<Item = (&BoundInput, &Sentinels)> {
        self.inputs
            .iter()
            .map(|(bound, _, sentinels)| (bound, sentinels))
    }

    /// Fills `block` with the columns (one array per input, all of `row_count` rows), counts what
    /// was done to each column and says which rows must be dropped.
    ///
    /// # Errors
    /// Fails at the first value whose policy is to stop, naming row and column.
    pub fn encode(
        &self,
        columns: &[ArrayRef],
        row_count: usize,
        block: &mut FeatureBlock,
        counts: &mut [Coercions],
        origin: Origin,
    ) -> Result<Verdicts> {
        let mut verdicts = Verdicts::default();
        match block {
            FeatureBlock::Single(block) if self.precision == Some(Precision::Single) => {
                self.fill(columns, row_count, block, counts, origin, &mut verdicts)?;
            }
            FeatureBlock::Double(block) if self.precision == Some(Precision::Double) => {
                self.fill(columns, row_count, block, counts, origin, &mut verdicts)?;
            }
            _ => return Err(Error::internal("a feature block of the wrong precision")),
        }
        Ok(verdicts)
    }

    fn fill<T: Real>(
        &self,
        columns: &[ArrayRef],
        row_count: usize,
        block: &mut Columns<T>,
        counts: &mut [Coercions],
        origin: Origin,
        verdicts: &mut Verdicts,
    ) -> Result<()> {
        block.reset(row_count, self.inputs.len(), T::MISSING);
        for (index, ((bound, lookup, missing), column)) in
            self.inputs.iter().zip(columns).enumerate()
        {
            let (out, counts) = (block.column_mut(index), &mut counts[index]);
            let shows_values = self.shows_values;
            let mut filling = Filling {
                bound,
                lookup,
                index,
                missing,
                shows_values,
                out,
                counts,
                verdicts,
                origin,
            };
            filling
                .fill(column)
                .map_err(|error| error.at_path(origin.path).at_column(&bound.column))?;
        }
        Ok(())
    }

    /// The columns in the types that their inputs declare, for models of columns; only texts for a
    /// tokenizer have nulls. Counts and verdicts are as in [`Encoder::encode`].
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn encode_columns(
        &self,
        columns: &[ArrayRef],
        row_count: usize,
        counts: &mut [Coercions],
        origin: Origin,
    ) -> Result<(Vec<ArrayRef>, Verdicts)> {
        if self.precision.is_some() {
            return Err(Error::internal("columns for a model of numbers"));
        }
        let mut verdicts = Verdicts::default();
        let mut arrays = Vec::with_capacity(columns.len());
        let mut scratch = vec![0.0; row_count];
        for (index, ((bound, lookup, missing), column)) in
            self.inputs.iter().zip(columns).enumerate()
        {
            let (out, counts) = (scratch.as_mut_slice(), &mut counts[index]);
            let shows_values = self.shows_values;
            let mut filling = Filling {
                bound,
                lookup,
                index,
                missing,
                shows_values,
                out,
                counts,
                verdicts: &mut verdicts,
                origin,
            };
            let array = match &bound.input.kind {
                InputKind::Native(native) => native::fill(*native, column, &mut filling),
                InputKind::Text => native::fill_texts(column, &mut filling),
                InputKind::Category(_) | InputKind::HashedCategory(_) => filling
                    .fill(column)
                    .map(|()| -> ArrayRef { Arc::new(Float64Array::from(filling.out.to_vec())) }),
                _ => Err(Error::contract(
                    "the manifest gives an input another kind than the model's",
                )),
            };
            arrays
                .push(array.map_err(|error| error.at_path(origin.path).at_column(&bound.column))?);
        }
        Ok((arrays, verdicts))
    }
}
