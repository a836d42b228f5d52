//! Types of columns as users name them: `string` rather than Arrow's `LargeUtf8`.
//!
//! Owns the words. It must not know columns. JSON keeps Arrow's own names, which programs compare.

use arrow::datatypes::DataType;

/// The name of a type. How wide offsets or dictionary keys are does not show in it.
#[must_use]
pub fn shown_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Float32 => "float".into(),
        DataType::Float64 => "double".into(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".into(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "binary".into(),
        DataType::FixedSizeBinary(length) => format!("binary({length})"),
        DataType::Date32 | DataType::Date64 => "date".into(),
        DataType::Time32(_) | DataType::Time64(_) => "time".into(),
        DataType::Timestamp(_, None) => "timestamp".into(),
        DataType::Timestamp(_, Some(zone)) => format!("timestamp in {zone}"),
        DataType::Duration(_) => "duration".into(),
        DataType::Interval(_) => "interval".into(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => format!("decimal({precision}, {scale})"),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => format!("list of {}", shown_type(item.data_type())),
        DataType::FixedSizeList(item, length) => {
            format!("list of {length} {}", shown_type(item.data_type()))
        }
        DataType::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("{} {}", field.name(), shown_type(field.data_type())))
                .collect();
            format!("struct({})", fields.join(", "))
        }
        DataType::Dictionary(_, value) => shown_type(value),
        // Booleans, integers and null have one name everywhere; of others Arrow's must do.
        other => other.to_string().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{Field, TimeUnit};

    use super::*;

    #[test]
    fn types_have_the_names_that_users_know() {
        let item = Arc::new(Field::new("item", DataType::Float64, true));
        let cases = [
            (DataType::Boolean, "boolean"),
            (DataType::Int32, "int32"),
            (DataType::UInt8, "uint8"),
            (DataType::Float32, "float"),
            (DataType::LargeUtf8, "string"),
            (DataType::Date32, "date"),
            (
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                "timestamp in UTC",
            ),
            (DataType::Decimal128(10, 2), "decimal(10, 2)"),
            (
                DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
                "string",
            ),
            (DataType::List(item.clone()), "list of double"),
            (DataType::FixedSizeList(item.clone(), 3), "list of 3 double"),
            (
                DataType::Struct([item].into_iter().collect()),
                "struct(item double)",
            ),
            (DataType::Null, "null"),
        ];
        for (data_type, expected) in cases {
            assert_eq!(shown_type(&data_type), expected);
        }
    }
}
