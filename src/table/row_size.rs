//! What rows take, in bytes: a function of their values and types alone, so that what is cut by it
//! is cut at the same positions in every run.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait, RecordBatch};
use arrow::datatypes::DataType;

/// What an element of a list counts at least.
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

/// Adds the size of the column's value in each row, for types whose values vary. Returns whether
/// they do.
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
        DataType::List(_) => {
            let list = column.as_list::<i32>();
            add(column, sizes, of_lists(list.value_offsets(), list.values()));
        }
        DataType::LargeList(_) => {
            let list = column.as_list::<i64>();
            add(column, sizes, of_lists(list.value_offsets(), list.values()));
        }
        DataType::Map(..) => {
            let map = column.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            add(column, sizes, of_lists(map.value_offsets(), &entries));
        }
        DataType::FixedSizeList(_, length) => {
            let list = column.as_fixed_size_list();
            let length = usize::try_from(*length).unwrap_or(0);
            let mut own = vec![0; list.values().len()];
            if !add_sizes(list.values(), &mut own) {
                return false;
            }
            let sums = own.chunks(length.max(1)).map(|own| own.iter().sum());
            add(column, sizes, sums);
        }
        DataType::Struct(_) => {
            let mut own = vec![0; column.len()];
            let fields = column.as_struct().columns().iter();
            let varying = fields.filter(|field| add_sizes(field, &mut own)).count();
            if varying == 0 {
                return false;
            }
            add(column, sizes, own.into_iter());
        }
        _ => return false,
    }
    true
}

/// What lists take that begin and end at these offsets of their elements.
fn of_lists<O: OffsetSizeTrait>(offsets: &[O], elements: &ArrayRef) -> impl Iterator<Item = usize> {
    let width = fixed_width(elements.data_type()).max(ELEMENT_BYTES);
    let mut own = Vec::new();
    if is_deep(elements.data_type()) {
        own.resize(elements.len(), 0);
        add_sizes(elements, &mut own);
    }
    offsets.windows(2).map(move |ends| {
        let (start, end) = (ends[0].as_usize(), ends[1].as_usize());
        let varying = own.get(start..end).unwrap_or_default();
        width * (end - start) + varying.iter().sum::<usize>()
    })
}

/// Whether elements of a type may be longer than others, at any depth.
fn is_deep(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => fields.iter().any(|field| is_deep(field.data_type())),
        DataType::FixedSizeList(field, _) => is_deep(field.data_type()),
        DataType::Dictionary(..) => false,
        other => is_varying(other),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        Int32Builder, Int64Array, ListBuilder, MapBuilder, StringArray, StringBuilder, StructArray,
    };
    use arrow::datatypes::Field;

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

    #[test]
    fn what_lists_structs_and_maps_hold_is_counted() {
        let text = |value: &str| value.to_owned();
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some(text("abc")), None, Some(text("defgh"))]);
        lists.append_value([Some(text("x"))]);
        lists.append_null();
        lists.append_value(Vec::<Option<String>>::new());
        let lists = lists.finish();
        let structs = StructArray::from(vec![(
            Arc::new(Field::new("l", lists.data_type().clone(), true)),
            Arc::new(lists.clone()) as ArrayRef,
        )]);
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        for count in [2, 0, 1, 0] {
            for _ in 0..count {
                maps.keys().append_value("key");
                maps.values().append_value(1);
            }
            maps.append(true).unwrap();
        }
        let sizes = |column: ArrayRef| {
            let mut sizes = vec![0; column.len()];
            assert!(add_sizes(&column, &mut sizes));
            sizes
        };
        // 8 bytes for an element and what its text takes.
        assert_eq!(sizes(Arc::new(lists.clone())), [32, 9, 0, 0]);
        assert_eq!(sizes(Arc::new(structs)), [32, 9, 0, 0]);
        assert_eq!(sizes(Arc::new(maps.finish())), [22, 0, 11, 0]);
        assert_eq!(sizes(Arc::new(lists.slice(1, 2))), [9, 0]);
    }
}
