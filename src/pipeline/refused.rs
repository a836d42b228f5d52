//! Rows that the model refuses once their values are read: what the policies say of them.
//!
//! Owns the verdicts, the messages and what stands in the output under `null`. It must not know
//! why a model refuses a row.

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::nullif;
use arrow::datatypes::DataType;

use crate::contract::Policy;
use crate::error::{Error, Result, shell_word};
use crate::feature::encode::Encoder;
use crate::feature::verdict::{Coercions, Origin, Reason};
use crate::model::RefusedRow;
use crate::outcome::Margins;

/// (row, input, reason) of rejected rows, in row order.
type Verdicts = Vec<(usize, usize, Reason)>;

/// Applies the policy of each input to the rows that the model refused because of it: rejects them
/// or stops. Returns the rows whose result is missing, in order.
///
/// # Errors
/// Fails at the first row whose policy is to stop, naming row and column.
pub(super) fn settle_numbers(
    encoder: &Encoder,
    mut refused: Vec<RefusedRow>,
    verdicts: &mut Verdicts,
    coercions: &mut [Coercions],
    origin: Origin,
) -> Result<Vec<usize>> {
    if refused.is_empty() {
        return Ok(Vec::new());
    }
    refused.sort_unstable_by_key(|refused| (refused.row, refused.input, refused.reason));
    refused.dedup_by_key(|refused| refused.row);
    let known = verdicts.len();
    let mut missing = Vec::new();
    for RefusedRow { row, input, reason } in refused {
        if is_known(&verdicts[..known], row) {
            continue;
        }
        let bound = encoder.inputs().nth(input);
        let bound = bound.ok_or_else(|| Error::internal("a row refused for an unknown input"))?;
        if let Some(counts) = coercions.get_mut(input) {
            counts.unfit_count += 1;
        }
        match bound.input.on_unseen {
            Policy::Reject => verdicts.push((row, input, reason)),
            Policy::Null => missing.push(row),
            Policy::Error | Policy::Default(_) => {
                let policy = |name: &str| shell_word(&format!("{}={name}", bound.column));
                let (reject, null) = (policy("reject"), policy("null"));
                return Err(Error::failed(message(reason))
                    .at_path(origin.path)
                    .at_column(&bound.column)
                    .at_row(origin.row_number(row))
                    .hint(format!(
                        "fix the row, or let the run continue: `--on-unseen {reject}` rejects such \
                         rows, `--on-unseen {null}` gives them a missing result"
                    )));
            }
        }
    }
    verdicts.sort_unstable_by_key(|(row, ..)| *row);
    Ok(missing)
}

/// What is wrong with a value that the model reads, after the steps in front of it.
fn message(reason: Reason) -> &'static str {
    match reason {
        Reason::Infinite => {
            "a step of the model makes an infinite number, or one too large for its precision, \
             which its library refuses"
        }
        _ => reason.message(),
    }
}

/// Applies the policy of the first input to the rows whose texts the model could not read; returns
/// how many there were.
///
/// # Errors
/// Fails at the first such row if the policy is to stop.
pub(super) fn settle_texts(
    encoder: &Encoder,
    refused: Vec<(usize, String)>,
    rejected: &mut Verdicts,
    origin: Origin,
) -> Result<u64> {
    let known = rejected.len();
    let mut count = 0;
    for (row, reason) in refused {
        if is_known(&rejected[..known], row) {
            continue;
        }
        count += 1;
        let error =
            Error::failed("cannot tokenize the text").because(std::io::Error::other(reason));
        let Some(bound) = encoder.inputs().next() else {
            return Err(error);
        };
        match bound.input.on_unseen {
            Policy::Reject => rejected.push((row, 0, Reason::Text)),
            Policy::Null => {}
            Policy::Error | Policy::Default(_) => {
                let policy = |name: &str| shell_word(&format!("{}={name}", bound.column));
                let (reject, null) = (policy("reject"), policy("null"));
                return Err(error
                    .at_path(origin.path)
                    .at_column(&bound.column)
                    .at_row(origin.row_number(row))
                    .hint(format!(
                        "pass `--on-unseen {reject}` to reject such rows, or `--on-unseen {null}` \
                         for a missing result"
                    )));
            }
        }
    }
    rejected.sort_unstable_by_key(|(row, ..)| *row);
    Ok(count)
}

fn is_known(verdicts: &[(usize, usize, Reason)], row: usize) -> bool {
    verdicts
        .binary_search_by(|(known, ..)| known.cmp(&row))
        .is_ok()
}

/// Makes the margins of these rows NaN, which is a missing result.
pub(super) fn without_margins(margins: &mut Margins, rows: &[usize], row_count: usize) {
    fn clear<T: Copy>(values: &mut [T], rows: &[usize], row_count: usize, missing: T) {
        let width = values.len() / row_count.max(1);
        for row in rows {
            if let Some(own) = values.get_mut(row * width..(row + 1) * width) {
                own.fill(missing);
            }
        }
    }
    match margins {
        Margins::Single(values) => clear(values, rows, row_count, f32::NAN),
        Margins::Double(values) => clear(values, rows, row_count, f64::NAN),
    }
}

/// The columns with null in these rows.
///
/// # Errors
/// An internal error for a type that has no nulls.
pub(super) fn without_results(columns: &mut [ArrayRef], rows: &[usize]) -> Result<()> {
    for column in columns.iter_mut().filter(|_| !rows.is_empty()) {
        let is_missing: BooleanArray = (0..column.len())
            .map(|row| Some(rows.binary_search(&row).is_ok()))
            .collect();
        if *column.data_type() != DataType::Null {
            *column = nullif(column, &is_missing).map_err(|error| {
                Error::internal("a result that cannot be missing").because(error)
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Float64Array};
    use arrow::datatypes::Float64Type;

    use super::*;

    #[test]
    fn results_of_refused_rows_are_missing_in_every_form() {
        let mut margins = Margins::Double(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        without_margins(&mut margins, &[1], 3);
        let Margins::Double(values) = &margins else {
            panic!("another precision");
        };
        assert_eq!(values[..2], [1.0, 2.0]);
        assert!(values[2].is_nan() && values[3].is_nan());
        assert_eq!(values[4..], [5.0, 6.0]);
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]))];
        without_results(&mut columns, &[0, 2]).unwrap();
        let found: Vec<Option<f64>> = columns[0].as_primitive::<Float64Type>().iter().collect();
        assert_eq!(found, [None, Some(2.0), None]);
    }
}
