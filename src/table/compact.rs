//! Views of texts without the pages that they use little of.
//!
//! A view keeps the whole page that its text lies in, and the dictionary that its word lies in. Of
//! a portion of few rows that may be hundreds of times what the rows themselves take.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray};
use arrow::buffer::Buffer;
use arrow::datatypes::{ByteViewType, DataType};

/// Pages may be this many times as large as what is used of them.
pub(super) const MAX_RETAINED: usize = 2;

/// So little is never worth a copy.
pub(super) const MIN_RETAINED: usize = 4 << 10;

/// The column, with its own copy of its texts where it uses little of the pages that they lie in.
pub(super) fn compacted(column: ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => {
            with_own_texts(column.as_string_view()).map_or(column, |own| Arc::new(own))
        }
        DataType::BinaryView => {
            with_own_texts(column.as_binary_view()).map_or(column, |own| Arc::new(own))
        }
        _ => column,
    }
}

fn with_own_texts<T: ByteViewType + ?Sized>(
    array: &GenericByteViewArray<T>,
) -> Option<GenericByteViewArray<T>> {
    let retained: usize = array.data_buffers().iter().map(Buffer::len).sum();
    (retained > MIN_RETAINED && retained > MAX_RETAINED * array.total_buffer_bytes_used())
        .then(|| array.gc())
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;

    use super::*;

    #[test]
    fn a_few_rows_do_not_keep_the_pages_of_all() {
        let all: StringViewArray = (0..10_000)
            .map(|row| (row % 7 != 0).then(|| format!("a text of some length, number {row}")))
            .collect();
        let kept = |array: &ArrayRef| {
            array
                .as_string_view()
                .data_buffers()
                .iter()
                .map(Buffer::len)
                .sum::<usize>()
        };
        let few: ArrayRef = Arc::new(all.slice(5_000, 10));
        let compact = compacted(few.clone());
        assert!(
            kept(&few) > 250_000 && kept(&compact) < 1_000,
            "{} {}",
            kept(&few),
            kept(&compact)
        );
        assert_eq!(&few, &compact);
        let most: ArrayRef = Arc::new(all.slice(10, 9_000));
        assert_eq!(
            kept(&compacted(most.clone())),
            kept(&most),
            "not worth a copy"
        );
    }
}
