//! Columns of lists, or of lists of lists, as one run of values with a range of it for each row.
//!
//! Owns the question whether a row's lists have the lengths that the model reads. It must not know
//! what the values are.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;

use crate::contract::NativeType;
use crate::error::{Error, Result};
use crate::table::cast::list_depth;

/// What a row's list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowList {
    /// It has the lengths that the model reads: so many values from this index on.
    Whole { start: usize, count: usize },
    /// It is missing, or a list inside it is.
    Missing,
    /// It has other lengths.
    Other,
}

/// Lists of whatever lengths over one run of values.
pub(super) struct Lists {
    pub(super) values: ArrayRef,
    pub(super) rows: Vec<RowList>,
}

impl Lists {
    /// The lists of a column, checked against the lengths that the model reads.
    pub(super) fn of(column: &ArrayRef, native: &NativeType) -> Result<Self> {
        let depth = list_depth(column.data_type());
        let axes = native.shape.axes();
        // One list for all axes is read in their order.
        let inner = if depth == 1 {
            &[][..]
        } else {
            axes.get(1..).unwrap_or_default()
        };
        if depth == 0 || depth != inner.len() + 1 {
            return Err(Error::internal(format!(
                "a column of {} where lists were bound",
                column.data_type()
            )));
        }
        let first = |count: usize| {
            if depth == 1 {
                native.width.fits(count)
            } else {
                fits(axes[0], count)
            }
        };
        let (mut values, bounds) = unpacked(column)?;
        let mut rows: Vec<RowList> = (0..column.len())
            .map(|row| match bounds.range(row) {
                _ if column.is_null(row) => RowList::Missing,
                (start, count) if first(count) => RowList::Whole { start, count },
                _ => RowList::Other,
            })
            .collect();
        for axis in inner {
            let (inside, bounds) = unpacked(&values)?;
            rows.iter_mut()
                .for_each(|row| *row = deeper(*row, &values, &bounds, *axis));
            values = inside;
        }
        // Lists of lists without any value are of no length that a model reads.
        rows.iter_mut().for_each(|row| {
            if matches!(row, RowList::Whole { count: 0, .. }) {
                *row = RowList::Other;
            }
        });
        Ok(Self { values, rows })
    }
}

fn fits(axis: usize, count: usize) -> bool {
    count > 0 && (axis == 0 || axis == count)
}

/// A row's values one level further in; all lists of the row must have one length.
fn deeper(row: RowList, lists: &ArrayRef, bounds: &Bounds, axis: usize) -> RowList {
    let RowList::Whole { start, count } = row else {
        return row;
    };
    if (start..start + count).any(|list| lists.is_null(list)) {
        return RowList::Missing;
    }
    let (first, length) = bounds.range(start);
    let is_even = (start..start + count).all(|list| bounds.range(list).1 == length);
    if is_even && fits(axis, length) {
        RowList::Whole {
            start: first,
            count: length * count,
        }
    } else {
        RowList::Other
    }
}

/// Where each list lies in its values.
enum Bounds {
    Fixed { first: usize, length: usize },
    Offsets(Vec<usize>),
}

impl Bounds {
    /// (first value, number of values).
    fn range(&self, row: usize) -> (usize, usize) {
        match self {
            Self::Fixed { first, length } => (first + row * length, *length),
            Self::Offsets(offsets) => (offsets[row], offsets[row + 1] - offsets[row]),
        }
    }
}

fn unpacked(column: &ArrayRef) -> Result<(ArrayRef, Bounds)> {
    let offsets = |all: Vec<usize>| Bounds::Offsets(all);
    Ok(match column.data_type() {
        DataType::FixedSizeList(..) => {
            let lists = column.as_fixed_size_list();
            let length = lists.value_length() as usize;
            (
                lists.values().clone(),
                Bounds::Fixed {
                    first: lists.value_offset_at(0),
                    length,
                },
            )
        }
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            (
                lists.values().clone(),
                offsets(
                    lists
                        .value_offsets()
                        .iter()
                        .map(|offset| *offset as usize)
                        .collect(),
                ),
            )
        }
        DataType::LargeList(_) => {
            let lists = column.as_list::<i64>();
            (
                lists.values().clone(),
                offsets(
                    lists
                        .value_offsets()
                        .iter()
                        .map(|offset| *offset as usize)
                        .collect(),
                ),
            )
        }
        other => {
            return Err(Error::internal(format!(
                "a column of {other} where lists were bound"
            )));
        }
    })
}
