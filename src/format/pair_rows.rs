//! Rows of two numbers, for tests of importers.

use crate::feature::{Columns, FeatureBlock};
use crate::model::LoadedModel;
use crate::outcome::Margins;

/// The margins that a model in double precision has for rows of two numbers.
pub(super) fn margins(loaded: &LoadedModel, rows: &[(f64, f64)]) -> Vec<f64> {
    let mut columns = Columns::filled(rows.len(), 2, 0.0);
    for (row, (first, second)) in rows.iter().enumerate() {
        columns.column_mut(0)[row] = *first;
        columns.column_mut(1)[row] = *second;
    }
    let model = loaded.model.as_numeric().unwrap();
    match model.margins(&FeatureBlock::Double(columns)).unwrap() {
        Margins::Double(margins) => margins,
        Margins::Single(_) => panic!("single precision"),
    }
}
