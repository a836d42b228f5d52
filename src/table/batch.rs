//! Batches that are put together from columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;

/// A batch of `row_count` rows, which it has without a column, too.
///
/// # Errors
/// Fails if the columns do not fit the schema.
pub fn of_columns(
    schema: SchemaRef,
    columns: Vec<ArrayRef>,
    row_count: usize,
) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(row_count));
    RecordBatch::try_new_with_options(schema, columns, &options)
}

/// As [`of_columns`], with the first fields of `schema` in the types that the columns have.
///
/// # Errors
/// Fails if a column has other rows.
pub fn of_retyped_columns(
    schema: &Schema,
    columns: Vec<ArrayRef>,
    row_count: usize,
) -> Result<RecordBatch, ArrowError> {
    let fields = schema.fields().iter().zip(&columns).map(|(field, column)| {
        let field = field.as_ref().clone();
        field.with_data_type(column.data_type().clone())
    });
    let schema = Schema::new(fields.collect::<Vec<_>>());
    of_columns(Arc::new(schema), columns, row_count)
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field};

    use super::*;

    #[test]
    fn a_batch_has_its_rows_without_columns_and_the_types_of_those_it_has() {
        let none = of_columns(Schema::empty().into(), Vec::new(), 3).unwrap();
        assert_eq!(none.num_rows(), 3);
        let text = |name| Field::new(name, DataType::Utf8, false);
        let schema = Schema::new(vec![text("a"), text("b")]);
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = of_retyped_columns(&schema, vec![column.clone()], 2).unwrap();
        assert_eq!(
            *batch.schema().field(0),
            Field::new("a", DataType::Int64, false)
        );
        assert_eq!(batch.num_columns(), 1);
        assert!(of_retyped_columns(&schema, vec![column], 3).is_err());
    }
}
