//! The rows of a batch, computed together or in pieces.
//!
//! Owns how many rows are computed at once: all, unless the texts that the expression makes on the
//! way are too many to live together. It must not know expressions.

use std::ops::Range;

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;

use super::evaluate::Rows;
use super::made_text::{counted, text_bytes};
use super::value::{Fault, Outcome};
use crate::error::{Error, Result};
use crate::interrupt::check_process;

/// The most text that the values of a batch may be, in bytes.
const MAX_TEXT: usize = 128 << 20;

/// What a hint makes of it, so that the batches of all threads fit.
const MODEST_TEXT: usize = 16 << 20;

/// What `compute` gives for all rows. Where there is no memory for so many, it is asked for half of
/// them, down to single rows: its values depend on nothing but their row.
///
/// # Errors
/// Fails where the process was asked to stop; with what `explain` makes of a fault and of the rows
/// among which it came, for a value that cannot be computed and for too much text.
pub(super) fn in_pieces(
    rows: &Rows,
    compute: impl Fn(&Rows) -> Outcome<ArrayRef>,
    explain: impl Fn(Fault, Range<usize>) -> Error,
) -> Result<ArrayRef> {
    let (mut made, mut start, mut size, mut bytes) = (Vec::new(), 0, rows.count, 0);
    loop {
        check_process()?;
        let count = size.min(rows.count - start);
        match compute(&rows.slice(start, count)) {
            Ok(array) => {
                start += count;
                bytes += text_bytes(&array);
                made.push(array);
            }
            Err(fault) if fault.is_memory && count > 1 => size = count / 2,
            Err(fault) => {
                return Err(explain(
                    with_hint(fault, start, bytes),
                    start..start + count,
                ));
            }
        }
        if bytes > MAX_TEXT {
            return Err(explain(too_much(start, bytes), 0..start));
        }
        if start == rows.count {
            return joined(made, bytes)
                .map_err(|fault| explain(with_hint(fault, start, bytes), 0..start));
        }
    }
}

fn joined(mut made: Vec<ArrayRef>, bytes: usize) -> Outcome<ArrayRef> {
    if made.len() == 1 {
        return Ok(made.remove(0));
    }
    let arrays: Vec<&dyn Array> = made.iter().map(AsRef::as_ref).collect();
    counted(bytes, || Ok(concat(&arrays)?))
}

/// The values of `rows` rows are `bytes` of text.
fn too_much(rows: usize, bytes: usize) -> Fault {
    let fault = Fault::of_memory(format!(
        "its values are more than {} MiB of text of one batch",
        MAX_TEXT >> 20
    ));
    fault.hint(format!(
        "make shorter texts, or pass `--batch-rows {}`",
        modest_rows(rows, bytes)
    ))
}

/// Where values of earlier rows have taken the memory, fewer rows help.
fn with_hint(fault: Fault, rows: usize, bytes: usize) -> Fault {
    if !fault.is_memory || rows == 0 {
        return fault;
    }
    fault.hint(format!(
        "pass `--batch-rows {}`, or a larger `--memory`",
        modest_rows(rows, bytes)
    ))
}

/// How many rows are modest together where the values of `rows` are `bytes` long: the largest power
/// of two.
fn modest_rows(rows: usize, bytes: usize) -> usize {
    let modest = rows as u128 * MODEST_TEXT as u128 / bytes.max(MODEST_TEXT) as u128;
    1 << (modest as usize).max(1).ilog2()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn rows(count: usize) -> Rows {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count as i64));
        Rows {
            columns: HashMap::from([("n".to_owned(), numbers)]),
            integer_digits: Arc::default(),
            count,
        }
    }

    fn failed(fault: Fault, rows: Range<usize>) -> Error {
        let error = Error::failed(format!("{} at {rows:?}", fault.message));
        fault.hint.into_iter().fold(error, Error::hint)
    }

    #[test]
    fn pieces_are_halved_until_they_fit_and_give_what_the_whole_gives() {
        for most in 1..12 {
            for count in [0, 1, 2, 7, 10] {
                let sizes = RefCell::new(Vec::new());
                let fitting = |piece: &Rows| {
                    sizes.borrow_mut().push(piece.count);
                    if piece.count > most {
                        return Err(Fault::of_memory("too many"));
                    }
                    Ok(piece.columns["n"].clone())
                };
                let values = in_pieces(&rows(count), fitting, failed).unwrap();
                let values = values.as_primitive::<Int64Type>().values().to_vec();
                assert_eq!(values, (0..count as i64).collect::<Vec<_>>());
                let refused = sizes.borrow().iter().filter(|size| **size > most).count();
                assert!(refused <= 4, "{most} of {count}: {:?}", sizes.borrow());
            }
        }
    }

    #[test]
    fn a_fault_comes_with_the_rows_of_its_piece() {
        let faulty = |piece: &Rows| {
            let numbers = piece.columns["n"].as_primitive::<Int64Type>().values();
            match (piece.count > 3, numbers.contains(&5)) {
                (true, _) => Err(Fault::of_memory("too many")),
                (_, true) => Err(Fault::new("a five")),
                _ => Ok(piece.columns["n"].clone()),
            }
        };
        let error = in_pieces(&rows(10), faulty, failed).unwrap_err();
        assert_eq!(error.message(), "a five at 4..6");
        let never = |_: &Rows| Err(Fault::of_memory("no room"));
        let error = in_pieces(&rows(10), never, failed).unwrap_err();
        assert_eq!(
            (error.message(), error.hint_text()),
            ("no room at 0..1", None)
        );
    }

    #[test]
    fn values_that_are_too_long_together_name_the_rows_that_would_fit() {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1 << 20)]));
        let long = |piece: &Rows| {
            let index = arrow::array::UInt32Array::from(vec![0; piece.count]);
            match piece.count {
                0..=64 => Ok(arrow::compute::take(&text, &index, None)?),
                _ => Err(Fault::of_memory("too many")),
            }
        };
        let error = in_pieces(&rows(10_000), long, failed).unwrap_err();
        let expected = "make shorter texts, or pass `--batch-rows 16`";
        assert_eq!(error.hint_text(), Some(expected), "{error}");
        assert!(in_pieces(&rows(128), long, failed).is_ok());
    }
}
