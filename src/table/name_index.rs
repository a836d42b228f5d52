//! Columns by name, looked up once for many names: a schema searches its fields one by one, which
//! wide tables feel.

use std::collections::HashMap;

use arrow::datatypes::{Field, Schema};

/// The positions of a schema's columns by their names.
#[derive(Debug)]
pub struct NameIndex<'a> {
    schema: &'a Schema,
    /// The first position of each name, and how many columns have it.
    indices: HashMap<&'a str, (usize, usize)>,
}

impl<'a> NameIndex<'a> {
    /// The index of `schema`.
    #[must_use]
    pub fn new(schema: &'a Schema) -> Self {
        let mut indices = HashMap::with_capacity(schema.fields().len());
        for (position, field) in schema.fields().iter().enumerate() {
            indices
                .entry(field.name().as_str())
                .or_insert((position, 0))
                .1 += 1;
        }
        Self { schema, indices }
    }

    /// The position of the first column of this name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.indices.get(name).map(|&(position, _)| position)
    }

    /// The first column of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'a Field> {
        self.position(name)
            .map(|position| self.schema.field(position))
    }

    /// Whether more than one column has this name.
    #[must_use]
    pub fn is_duplicate(&self, name: &str) -> bool {
        self.indices.get(name).is_some_and(|&(_, count)| count > 1)
    }
}
