//! stub
use crate::error::Result;
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use std::collections::BTreeSet;
/// d
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// n
    pub name: String,
    /// e
    pub expression: String,
}
/// q
#[derive(Debug)]
pub struct Query {
    schema: SchemaRef,
}
impl Query {
    /// n
    /// # Errors
    /// e
    pub fn new(_f: Option<&str>, _d: &[Derived], schema: &Schema) -> Result<Self> {
        Ok(Self { schema: std::sync::Arc::new(schema.clone()) })
    }
    /// c
    pub fn columns(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }
    /// s
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
    /// a
    /// # Errors
    /// e
    pub fn apply(&self, b: &RecordBatch) -> Result<(RecordBatch, Option<Vec<u32>>)> {
        Ok((b.clone(), None))
    }
}
