//! Fields inside struct columns by a path of names: `address.zip` is the field `zip` of the column
//! `address`.
//!
//! A column that has the whole name comes first; anyone who asks here has found none.

use arrow::array::{Array, ArrayRef, AsArray, make_array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema};

/// Where a field lies.
#[derive(Clone, Debug, PartialEq)]
pub struct NestedField<'a> {
    /// The column, by its position in the schema.
    pub column: usize,
    /// The positions of the fields inside it, outermost first.
    pub path: Vec<usize>,
    /// The field itself.
    pub field: &'a Field,
}

/// The field that a name with dots leads to, if it does.
#[must_use]
pub fn find<'a>(schema: &'a Schema, name: &str) -> Option<NestedField<'a>> {
    let (mut path, field) = inside(schema.fields(), name)?;
    if path.len() < 2 {
        return None;
    }
    let column = path.remove(0);
    Some(NestedField {
        column,
        path,
        field,
    })
}

/// A name among fields: one of them, or one inside a struct whose name stands before a dot.
fn inside<'a>(fields: &'a Fields, name: &str) -> Option<(Vec<usize>, &'a Field)> {
    if let Some((position, field)) = fields.find(name) {
        return Some((vec![position], field));
    }
    name.match_indices('.').find_map(|(dot, _)| {
        let (position, outer) = fields.find(&name[..dot])?;
        let DataType::Struct(inner) = outer.data_type() else {
            return None;
        };
        let (path, field) = inside(inner, &name[dot + 1..])?;
        Some(([vec![position], path].concat(), field))
    })
}

/// The path of names to the first field of this name inside a struct, if there is one.
#[must_use]
pub fn path_to(schema: &Schema, name: &str) -> Option<String> {
    fn search(fields: &Fields, name: &str, before: &str) -> Option<String> {
        fields.iter().find_map(|field| {
            let DataType::Struct(inner) = field.data_type() else {
                return None;
            };
            let own = format!("{before}{}.", field.name());
            if inner.find(name).is_some() {
                Some(format!("{own}{name}"))
            } else {
                search(inner, name, &own)
            }
        })
    }
    search(schema.fields(), name, "")
}

/// The values of the field at this path inside a column; missing where a struct around it is.
#[must_use]
pub fn values(column: &ArrayRef, path: &[usize]) -> Option<ArrayRef> {
    let mut values = column.clone();
    for position in path {
        let outer = values.as_struct_opt()?;
        let inner = outer.columns().get(*position)?;
        let nulls = NullBuffer::union(outer.nulls(), inner.nulls());
        values = if *inner.data_type() == DataType::Null {
            inner.clone()
        } else {
            make_array(inner.to_data().into_builder().nulls(nulls).build().ok()?)
        };
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StructArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn a_field_inside_structs_is_missing_where_a_struct_around_it_is() {
        let zip: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3), Some(4)]));
        let inner = StructArray::new(
            vec![Field::new("zip", DataType::Int64, true)].into(),
            vec![zip],
            Some(vec![true, true, false, true].into()),
        );
        let fields: Fields = vec![Field::new("a.b", inner.data_type().clone(), true)].into();
        let outer: ArrayRef = Arc::new(StructArray::new(
            fields,
            vec![Arc::new(inner)],
            Some(vec![true, true, true, false].into()),
        ));
        let schema = Schema::new(vec![
            Field::new("x", DataType::Int64, true),
            Field::new("address", outer.data_type().clone(), true),
        ]);
        let found = find(&schema, "address.a.b.zip").unwrap();
        assert_eq!((found.column, found.path.as_slice()), (1, &[0, 0][..]));
        let values = values(&outer, &found.path).unwrap();
        assert_eq!(
            values
                .as_primitive::<Int64Type>()
                .iter()
                .collect::<Vec<_>>(),
            [Some(1), None, None, None]
        );
        assert_eq!(
            [
                find(&schema, "x"),
                find(&schema, "x.zip"),
                find(&schema, "address.zip")
            ],
            [None, None, None]
        );
        assert_eq!(path_to(&schema, "zip").unwrap(), "address.a.b.zip");
    }
}
