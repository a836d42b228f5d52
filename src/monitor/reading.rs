//! What a model reads of a block, input by input: numbers or categories, without rejected rows.
//!
//! Owns how missing values, NaN and categories are told apart. It must not know what is counted of
//! them.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::{cast, filter};
use arrow::datatypes::{DataType, Float16Type, Float32Type, Float64Type};

use super::nan::nan_count;
use crate::contract::binding::BoundInput;
use crate::contract::{InputKind, NativeElement, NativeType, Policy, Width};
use crate::error::{Error, Result};
use crate::feature::FeatureBlock;
use crate::feature::missing::Sentinels;
use crate::pipeline::observer::{EncodedBlock, Features};

/// How an input's values are observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As the numbers that the model computes with.
    Numbers,
    /// As the model's integer codes of categories.
    Codes,
    /// As the categories that the column holds.
    Texts,
    /// Only whether there is a value.
    Presence,
}

/// An input of a model, to be observed.
#[derive(Clone, Debug)]
pub struct InputReader {
    /// The column's name in the data.
    pub column: String,
    /// How it is observed.
    pub reading: Reading,
    /// The column's type in the data.
    pub data_type: DataType,
    /// Whether the outputs do not show its values: nothing that is stored may hold one.
    pub is_hidden: bool,
    /// Whether the model reads a null as a missing value, whatever stands for one.
    keeps_nulls: bool,
    sentinels: Sentinels,
}

/// The numbers of an input in a block, as the model reads them: all rows that were not rejected,
/// NaN for a missing value and for NaN.
#[derive(Clone, Copy, Debug)]
pub enum Reals<'a> {
    /// In single precision.
    Single(&'a [f32]),
    /// In double precision.
    Double(&'a [f64]),
}

/// Where numbers lie that a block does not hold side by side.
#[derive(Debug, Default)]
pub struct Scratch {
    single: Vec<f32>,
    double: Vec<f64>,
}

/// The numbers of an input in a block.
#[derive(Debug, Default)]
pub struct Numbers {
    /// All rows; NaN for a missing value and for NaN.
    pub values: Vec<f64>,
    /// The rows whose value is missing.
    pub missing: u64,
    /// The rows whose value is NaN.
    pub nan: u64,
}

/// The categories of an input in a block.
#[derive(Debug, Default)]
pub struct Counted {
    /// The rows of each category.
    pub texts: Vec<(String, u64)>,
    /// The rows without a value.
    pub missing: u64,
    /// All rows.
    pub rows: u64,
}

impl InputReader {
    /// The reader of an input; `sentinels` mean a missing value in its column.
    #[must_use]
    pub fn new(bound: &BoundInput, sentinels: &Sentinels) -> Self {
        let reading = match &bound.input.kind {
            InputKind::Number => Reading::Numbers,
            InputKind::CategoryCode => Reading::Codes,
            InputKind::Category(_) | InputKind::HashedCategory(_) => Reading::Texts,
            InputKind::Native(NativeType {
                element,
                width: Width::One,
                ..
            }) => match element {
                NativeElement::Text | NativeElement::Boolean => Reading::Texts,
                _ => Reading::Numbers,
            },
            InputKind::Native(_) | InputKind::Text => Reading::Presence,
        };
        Self {
            column: bound.column.clone(),
            reading,
            data_type: bound.data_type.clone(),
            is_hidden: false,
            keeps_nulls: bound.input.on_null == Policy::Null,
            sentinels: sentinels.clone(),
        }
    }

    /// How a profile, which holds values, observes it.
    #[must_use]
    pub fn profiled(&self) -> Reading {
        if self.is_hidden {
            Reading::Presence
        } else {
            self.reading
        }
    }

    /// How many rows of a block count, and how many of them have no value, as the model reads them.
    ///
    /// # Errors
    /// An internal error if the block has not what was bound.
    pub fn counts(
        &self,
        block: &EncodedBlock<'_>,
        index: usize,
        scratch: &mut Numbers,
    ) -> Result<(u64, u64)> {
        match self.reading {
            Reading::Numbers => {
                self.numbers(block, index, scratch)?;
                Ok((self.presence(block, index)?.0, scratch.missing))
            }
            Reading::Codes | Reading::Texts => {
                let found = self.categories(block, index)?;
                Ok((found.rows, found.missing))
            }
            Reading::Presence => self.presence(block, index),
        }
    }

    /// Whether the column's own values can be counted as categories.
    #[must_use]
    pub fn may_be_texts(&self) -> bool {
        self.reading != Reading::Presence
            && (self.data_type == DataType::Boolean || self.data_type.is_string())
    }

    /// The numbers of the block's rows that were not rejected.
    ///
    /// # Errors
    /// An internal error if the block has no such input.
    pub fn numbers(
        &self,
        block: &EncodedBlock<'_>,
        index: usize,
        numbers: &mut Numbers,
    ) -> Result<()> {
        let mut scratch = Scratch::default();
        let values = &mut numbers.values;
        values.clear();
        match self.reals(block, index, &mut scratch)? {
            Reals::Single(singles) => values.extend(singles.iter().copied().map(f64::from)),
            Reals::Double(doubles) => values.extend_from_slice(doubles),
        }
        let without = values.iter().filter(|value| value.is_nan()).count() as u64;
        numbers.nan = self.nan_among(block, index, without)?;
        numbers.missing = without - numbers.nan;
        Ok(())
    }

    /// The numbers of the block's rows that were not rejected, in the precision that the model
    /// reads; in the block itself, where they lie there side by side.
    ///
    /// # Errors
    /// An internal error if the block has no such input.
    pub fn reals<'a>(
        &self,
        block: &EncodedBlock<'a>,
        index: usize,
        scratch: &'a mut Scratch,
    ) -> Result<Reals<'a>> {
        match block.features {
            Features::Numbers(FeatureBlock::Single(columns)) if index < columns.feature_count() => {
                let values = columns.column(index);
                Ok(Reals::Single(if block.rejected.is_empty() {
                    values
                } else {
                    keep(values, block.rejected, &mut scratch.single)
                }))
            }
            Features::Numbers(FeatureBlock::Double(columns)) if index < columns.feature_count() => {
                let values = columns.column(index);
                Ok(Reals::Double(if block.rejected.is_empty() {
                    values
                } else {
                    keep(values, block.rejected, &mut scratch.double)
                }))
            }
            // A block of no rows has no features.
            Features::Numbers(_) if block.row_count == 0 => Ok(Reals::Single(&[])),
            Features::Numbers(_) => Err(no_input()),
            Features::Columns(columns) => {
                let column = columns.get(index).ok_or_else(no_input)?;
                if column.null_count() == 0 && block.rejected.is_empty() {
                    if let Some(singles) = column.as_primitive_opt::<Float32Type>() {
                        return Ok(Reals::Single(singles.values()));
                    }
                    if let Some(doubles) = column.as_primitive_opt::<Float64Type>() {
                        return Ok(Reals::Double(doubles.values()));
                    }
                }
                let column = cast(column, &DataType::Float64).map_err(|error| {
                    Error::internal("an input that is not a number").because(error)
                })?;
                let column = column.as_primitive::<Float64Type>();
                let values: Vec<f64> = column
                    .iter()
                    .map(|value| value.unwrap_or(f64::NAN))
                    .collect();
                Ok(Reals::Double(keep(
                    &values,
                    block.rejected,
                    &mut scratch.double,
                )))
            }
        }
    }

    /// How many of `without`, the rows that were not rejected and whose number is NaN, are NaN in
    /// the data.
    ///
    /// # Errors
    /// An internal error if the block has no such input.
    pub fn nan_among(&self, block: &EncodedBlock<'_>, index: usize, without: u64) -> Result<u64> {
        if without == 0 {
            return Ok(0);
        }
        let column = block.columns.get(index).ok_or_else(no_input)?;
        let nulls = column.null_count() as u64;
        if self.keeps_nulls && block.rejected.is_empty() && nulls == without {
            return Ok(0);
        }
        let nan = match column.data_type() {
            DataType::Float32 => nan_count(
                column.as_primitive::<Float32Type>(),
                block.rejected,
                f32::is_nan,
            ),
            DataType::Float64 => nan_count(
                column.as_primitive::<Float64Type>(),
                block.rejected,
                f64::is_nan,
            ),
            DataType::Float16 => nan_count(
                column.as_primitive::<Float16Type>(),
                block.rejected,
                half::f16::is_nan,
            ),
            _ => 0,
        };
        Ok(nan.min(without))
    }

    /// The categories of the block's rows that were not rejected.
    ///
    /// # Errors
    /// An internal error if the column's values have no form as texts.
    pub fn categories(&self, block: &EncodedBlock<'_>, index: usize) -> Result<Counted> {
        if self.reading == Reading::Codes {
            return self.codes(block, index);
        }
        let column = block.columns.get(index).ok_or_else(no_input)?;
        // What the encoder takes for a category is not a missing value, however it is spelled.
        let mut codes = Vec::new();
        if !self.sentinels.is_empty() {
            let whole = EncodedBlock {
                rejected: &[],
                ..*block
            };
            codes = self.codes_of(&whole, index);
        }
        let texts = cast(&kept(column, block)?, &DataType::Utf8)
            .map_err(|error| Error::internal("a category without a text").because(error))?;
        let texts = texts.as_string::<i32>();
        let mut counts: HashMap<&str, (u64, usize)> = HashMap::new();
        for (row, text) in texts.iter().enumerate() {
            if let Some(text) = text {
                counts.entry(text).or_insert((0, row)).0 += 1;
            }
        }
        let mut counted = Counted {
            rows: texts.len() as u64,
            missing: texts.null_count() as u64,
            ..Counted::default()
        };
        let row_of = |kept: usize| nth_kept(block.rejected, kept);
        for (text, (count, first)) in counts {
            let is_code = || codes.get(row_of(first)).is_some_and(|code| !code.is_nan());
            if self.sentinels.is_text(text, is_code) {
                counted.missing += count;
            } else {
                counted.texts.push((text.to_owned(), count));
            }
        }
        Ok(counted)
    }

    /// The code of every row; none where there are no numbers.
    fn codes_of(&self, block: &EncodedBlock<'_>, index: usize) -> Vec<f64> {
        let mut scratch = Scratch::default();
        match self.reals(block, index, &mut scratch) {
            Ok(Reals::Single(codes)) => codes.iter().copied().map(f64::from).collect(),
            Ok(Reals::Double(codes)) => codes.to_vec(),
            Err(_) => Vec::new(),
        }
    }

    fn codes(&self, block: &EncodedBlock<'_>, index: usize) -> Result<Counted> {
        let mut numbers = Numbers::default();
        self.numbers(block, index, &mut numbers)?;
        let mut counts: HashMap<u64, u64> = HashMap::new();
        for value in numbers.values.iter().filter(|value| !value.is_nan()) {
            *counts.entry((value + 0.0).to_bits()).or_default() += 1;
        }
        let texts = counts.into_iter();
        let texts = texts.map(|(bits, count)| (f64::from_bits(bits).to_string(), count));
        Ok(Counted {
            texts: texts.collect(),
            missing: numbers.missing + numbers.nan,
            rows: numbers.values.len() as u64,
        })
    }

    /// The rows of the block that were not rejected, and those among them without a value.
    ///
    /// # Errors
    /// An internal error if the block has no such input.
    pub fn presence(&self, block: &EncodedBlock<'_>, index: usize) -> Result<(u64, u64)> {
        let column = block.columns.get(index).ok_or_else(no_input)?;
        let column = kept(column, block)?;
        Ok((column.len() as u64, column.logical_null_count() as u64))
    }
}

fn no_input() -> Error {
    Error::internal("an input that the block does not have")
}

/// The values of rows that were not rejected, in `kept`.
fn keep<'a, T: Copy>(values: &[T], rejected: &[usize], kept: &'a mut Vec<T>) -> &'a [T] {
    kept.clear();
    let mut start = 0;
    for row in rejected {
        kept.extend_from_slice(values.get(start..*row).unwrap_or_default());
        start = row + 1;
    }
    kept.extend_from_slice(values.get(start..).unwrap_or_default());
    kept
}

/// The column without rejected rows.
fn kept(column: &ArrayRef, block: &EncodedBlock<'_>) -> Result<ArrayRef> {
    if block.rejected.is_empty() {
        return Ok(column.clone());
    }
    let mut keep = vec![true; column.len()];
    block.rejected.iter().for_each(|row| keep[*row] = false);
    filter(column, &BooleanArray::from(keep))
        .map_err(|error| Error::internal("cannot drop rejected rows").because(error))
}

/// The index in the block of a row that was not rejected.
fn nth_kept(rejected: &[usize], kept: usize) -> usize {
    let mut row = kept;
    for rejected in rejected {
        if *rejected > row {
            break;
        }
        row += 1;
    }
    row
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float32Array, StringArray};

    use super::*;
    use crate::contract::Input;
    use crate::feature::missing::MissingValues;
    use crate::feature::{Columns, Precision};

    fn reader(kind: InputKind, is_untyped: bool) -> InputReader {
        let bound = BoundInput {
            input: Input::of_kind("f", kind),
            column: "a".to_owned(),
            data_type: DataType::Utf8,
        };
        let missing = MissingValues {
            is_untyped,
            ..MissingValues::default()
        };
        let sentinels = missing.of(&bound.input, "a");
        InputReader::new(&bound, &sentinels)
    }

    #[test]
    fn missing_values_nan_and_rejected_rows_are_counted_apart() {
        let column: ArrayRef = Arc::new(Float32Array::from(vec![
            Some(1.0),
            None,
            Some(f32::NAN),
            Some(f32::NAN),
            Some(f32::INFINITY),
        ]));
        let mut features = Columns::<f32>::filled(5, 1, f32::NAN);
        features.column_mut(0)[0] = 1.0;
        features.column_mut(0)[4] = f32::INFINITY;
        let features = FeatureBlock::Single(features);
        assert_eq!(features.precision(), Precision::Single);
        let block = |rejected| EncodedBlock {
            columns: std::slice::from_ref(&column),
            features: Features::Numbers(&features),
            rejected,
            row_count: 5,
        };
        let mut found = Numbers::default();
        let numbers = reader(InputKind::Number, false);
        numbers.numbers(&block(&[]), 0, &mut found).unwrap();
        assert_eq!((found.values.len(), found.missing, found.nan), (5, 1, 2));
        numbers.numbers(&block(&[1, 2]), 0, &mut found).unwrap();
        assert_eq!((found.values.len(), found.missing, found.nan), (3, 0, 1));
    }

    #[test]
    fn nan_that_a_null_hides_and_in_rejected_rows_is_not_counted() {
        let nulls = arrow::buffer::NullBuffer::from(vec![true, false, true, true, true]);
        let values = vec![1.0, f32::NAN, f32::NAN, 2.0, f32::NAN];
        let column: ArrayRef = Arc::new(Float32Array::new(values.clone().into(), Some(nulls)));
        let mut features = Columns::<f32>::filled(5, 1, f32::NAN);
        features.column_mut(0).copy_from_slice(&values);
        let features = FeatureBlock::Single(features);
        let numbers = reader(InputKind::Number, false);
        let mut scratch = Scratch::default();
        for (rejected, kept, nan) in [
            (&[][..], &values[..], 2),
            (&[0, 4], &[f32::NAN, f32::NAN, 2.0], 1),
            (&[1, 2, 4], &[1.0, 2.0], 0),
            (&[0, 1, 2, 3, 4], &[], 0),
        ] {
            let block = EncodedBlock {
                columns: std::slice::from_ref(&column),
                features: Features::Numbers(&features),
                rejected,
                row_count: 5,
            };
            let Reals::Single(found) = numbers.reals(&block, 0, &mut scratch).unwrap() else {
                panic!("in another precision")
            };
            let bits = |values: &[f32]| values.iter().map(|one| one.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(found), bits(kept), "{rejected:?}");
            let without = found.iter().filter(|one| one.is_nan()).count() as u64;
            assert_eq!(
                numbers.nan_among(&block, 0, without).unwrap(),
                nan,
                "{rejected:?}"
            );
        }
    }

    #[test]
    fn a_word_for_missing_is_a_category_only_if_the_model_knows_it() {
        let column: ArrayRef = Arc::new(StringArray::from(vec![
            Some("a"),
            Some("NA"),
            None,
            Some("b"),
            Some("NA"),
        ]));
        let mut features = Columns::<f64>::filled(5, 1, f64::NAN);
        features.column_mut(0)[0] = 0.0;
        let mut known = features.clone();
        known.column_mut(0)[1] = 1.0;
        known.column_mut(0)[4] = 1.0;
        let of = |features: Columns<f64>, rejected: &[usize]| {
            let features = FeatureBlock::Double(features);
            let block = EncodedBlock {
                columns: std::slice::from_ref(&column),
                features: Features::Numbers(&features),
                rejected,
                row_count: 5,
            };
            let kind = InputKind::Category(crate::contract::Vocabulary {
                values: Vec::new(),
                unseen_code: f64::NAN,
            });
            let mut found = reader(kind, true).categories(&block, 0).unwrap();
            found.texts.sort();
            (found.texts, found.missing, found.rows)
        };
        let one = |text: &str, count| (text.to_owned(), count);
        assert_eq!(of(features, &[]), (vec![one("a", 1), one("b", 1)], 3, 5));
        assert_eq!(of(known, &[0]), (vec![one("NA", 2), one("b", 1)], 1, 4));
    }
}
