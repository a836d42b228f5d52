//! What rows take, in bytes: a function of their values and types alone, so that what is cut by it
//! is cut at the same positions in every run.

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait, RecordBatch};
use arrow::datatypes::DataType;

/// What an element of a list counts at least; texts in lists are short.
const ELEMENT_BYTES: usize = 8;

/// What a text or a list counts alongside its content: where it ends.
const OFFSET_BYTES: usize = 4;

/// What the rows of a batch take.
#[derive(Debug)]
pub struct RowSizes {
    /// What every row takes.
    fixed: usize,
    /// What the texts and lists of each row take; none if no column varies in size.
    varying: Option<Vec<usize>>,
}

impl RowSizes {
    /// The sizes of the batch's rows.
    #[must_use]
    pub fn new(batch: &RecordBatch) -> Self {
        let mut sizes = vec![0; batch.num_rows()];
        let vary = batch
            .columns()
            .iter()
            .filter(|column| add_sizes(column, &mut sizes))
            .count()
            > 0;
        let fixed = batch
            .columns()
            .iter()
            .map(|column| fixed_width(column.data_type()))
            .sum();
        Self {
            fixed,
            varying: vary.then_some(sizes),
        }
    }

    /// Of the `most` rows from `start` on, those up to and with the one that makes `bytes` reach
    /// `limit`; what they take is added to `bytes`.
    pub fn rows_until(&self, start: usize, most: usize, bytes: &mut usize, limit: usize) -> usize {
        let Some(varying) = &self.varying else {
            let rows = limit
                .saturating_sub(*bytes)
                .div_ceil(self.fixed.max(1))
                .min(most);
            *bytes += rows * self.fixed;
            return rows;
        };
        let mut rows = 0;
        while rows < most && *bytes < limit {
            *bytes += self.fixed + varying[start + rows];
            rows += 1;
        }
        rows
    }
}

/// What every value of a type takes, however long its text or list is.
#[must_use]
pub fn fixed_width(data_type: &DataType) -> usize {
    match data_type {
        DataType::Null => 0,
        DataType::Boolean => 1,
        DataType::FixedSizeBinary(width) => usize::try_from(*width).unwrap_or(0),
        DataType::Dictionary(key, _) => fixed_width(key),
        DataType::FixedSizeList(field, count) => {
            fixed_width(field.data_type()) * usize::try_from(*count).unwrap_or(0)
        }
        DataType::Struct(fields) => fields
            .iter()
            .map(|field| fixed_width(field.data_type()))
            .sum(),
        other => other.primitive_width().unwrap_or(OFFSET_BYTES),
    }
}

/// Whether values of a type may be longer than others.
#[must_use]
pub fn is_varying(data_type: &DataType) -> bool {
    match data_type {
        DataType::Null | DataType::Boolean | DataType::FixedSizeBinary(_) => false,
        DataType::FixedSizeList(field, _) => is_varying(field.data_type()),
        other => other.primitive_width().is_none(),
    }
}

/// Adds the size of the column's value in each row, for types whose values vary. Says whether they
/// do.
fn add_sizes(column: &ArrayRef, sizes: &mut [usize]) -> bool {
    fn add(column: &ArrayRef, sizes: &mut [usize], lengths: impl Iterator<Item = usize>) {
        match column.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => sizes
                .iter_mut()
                .zip(lengths)
                .for_each(|(sum, length)| *sum += length),
            // What lies under a null is no one's value, and may differ with the way it came.
            Some(nulls) => sizes
                .iter_mut()
                .zip(lengths)
                .zip(nulls)
                .filter(|(_, is_valid)| *is_valid)
                .for_each(|((sum, length), _)| *sum += length),
        }
    }
    fn between<O: OffsetSizeTrait>(offsets: &[O]) -> impl Iterator<Item = usize> {
        offsets
            .windows(2)
            .map(|ends| (ends[1] - ends[0]).as_usize())
    }
    let element = |data_type: &DataType| fixed_width(data_type).max(ELEMENT_BYTES);
    // A view's lowest 32 bits are its length.
    let of_views = |views: &[u128], sizes: &mut [usize]| {
        add(
            column,
            sizes,
            views.iter().map(|view| *view as u32 as usize),
        );
    };
    match column.data_type() {
        DataType::Utf8View => of_views(column.as_string_view().views(), sizes),
        DataType::BinaryView => of_views(column.as_binary_view().views(), sizes),
        DataType::Utf8 => add(
            column,
            sizes,
            between(column.as_string::<i32>().value_offsets()),
        ),
        DataType::LargeUtf8 => add(
            column,
            sizes,
            between(column.as_string::<i64>().value_offsets()),
        ),
        DataType::Binary => add(
            column,
            sizes,
            between(column.as_binary::<i32>().value_offsets()),
        ),
        DataType::LargeBinary => add(
            column,
            sizes,
            between(column.as_binary::<i64>().value_offsets()),
        ),
        DataType::List(field) => {
            let width = element(field.data_type());
            add(
                column,
                sizes,
                between(column.as_list::<i32>().value_offsets()).map(|count| width * count),
            );
        }
        DataType::LargeList(field) => {
            let width = element(field.data_type());
            add(
                column,
                sizes,
                between(column.as_list::<i64>().value_offsets()).map(|count| width * count),
            );
        }
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn rows_are_counted_until_their_bytes_reach_the_limit() {
        let ids = || Arc::new(Int64Array::from(vec![1; 5])) as ArrayRef;
        let numbers = RowSizes::new(&RecordBatch::try_from_iter([("id", ids())]).unwrap());
        let mut bytes = 3;
        assert_eq!((numbers.rows_until(0, 5, &mut bytes, 20), bytes), (3, 27));
        assert_eq!((numbers.rows_until(3, 2, &mut bytes, 20), bytes), (0, 27));
        let texts: ArrayRef = Arc::new(StringArray::from(vec![
            Some("ab"),
            None,
            Some("abcdefgh"),
            Some(""),
            None,
        ]));
        let texts = RowSizes::new(
            &RecordBatch::try_from_iter_with_nullable([("id", ids(), true), ("text", texts, true)])
                .unwrap(),
        );
        let mut bytes = 0;
        assert_eq!((texts.rows_until(0, 5, &mut bytes, 30), bytes), (3, 46));
    }
}
