//! The values of a row that is explained, as texts.
//!
//! Owns which columns are shown. It must not know how the row was scored.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::util::display::array_value_to_string;
use serde_json::{Map, Value as Json};

use crate::contract::InputKind;
use crate::model::trace::TreePath;
use crate::outcome::Task;
use crate::pipeline::Job;

/// What the model reads in place of a column's value: a number with the digits of its precision, or
/// a category; none where its code says nothing to a reader.
pub(super) fn read_text(kind: &InputKind, value: f64, is_single: bool) -> Option<String> {
    match kind {
        InputKind::HashedCategory(_) => None,
        InputKind::Category(vocabulary) if value >= 0.0 => {
            let category = vocabulary.values.get(value as usize);
            category.map(ToString::to_string)
        }
        _ if is_single => Some((value as f32).to_string()),
        _ => Some(value.to_string()),
    }
}

/// Names what each leaf's values add to, where the task does.
pub(super) fn name_outputs(trees: &mut [TreePath], task: &Task) {
    let names: Vec<String> = match task {
        Task::Values(names) | Task::Flags(names) => names.clone(),
        Task::Classes { labels, .. } => labels.iter().map(ToString::to_string).collect(),
        _ => return,
    };
    for tree in trees {
        let names = tree
            .margins
            .iter()
            .map(|margin| names.get(*margin).cloned());
        tree.outputs = names.collect::<Option<Vec<_>>>().unwrap_or_default();
    }
}

/// The value of the only row; none if it is missing.
pub(super) fn text(column: &ArrayRef) -> Option<String> {
    if column.is_null(0) {
        return None;
    }
    array_value_to_string(column, 0).ok()
}

pub(super) fn named<'a>(
    columns: impl Iterator<Item = (String, &'a ArrayRef)>,
) -> Map<String, Json> {
    columns
        .map(|(name, column)| (name, text(column).map_or(Json::Null, Json::from)))
        .collect()
}

/// The columns that come along.
pub(super) fn passed(job: &Job, row: &RecordBatch) -> Map<String, Json> {
    let schema = row.schema();
    let columns = job.passthrough.iter();
    let columns = columns.filter(|index| !job.mask.covers(schema.field(**index).name()));
    named(columns.map(|index| (schema.field(*index).name().clone(), row.column(*index))))
}

/// The columns that expressions add.
pub(super) fn derived(job: &Job, row: &RecordBatch) -> Map<String, Json> {
    let schema = row.schema();
    let known = job.read_schema.fields().len();
    let fields = schema.fields().iter().zip(row.columns()).skip(known);
    named(fields.map(|(field, column)| (field.name().clone(), column)))
}
