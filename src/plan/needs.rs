//! What a run takes alongside its portions, from what was opened and bound.
//!
//! Owns which of a model's and a table's sizes count. How much that allows is `memory`'s.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};

use super::memory::{Needs, RESIDENT_STEP};
use crate::contract::Policy;
use crate::pipeline::arm::{Arm, Arms};
use crate::process;
use crate::table::chunk::leaf_count;
use crate::table::dataset::Dataset;
use crate::table::row_size::{fixed_width, is_varying};

/// What the run takes alongside its portions; the models and the footers are in memory by now.
pub(super) fn needs(dataset: &Dataset, arms: &Arms, output: &Schema, has_query: bool) -> Needs {
    let mut inputs = arms.inputs().map(|bound| &bound.input);
    let scores = arms.fields();
    let is_number = |field: &&Field| field.data_type() != &DataType::Utf8;
    let score_column_count = scores.iter().filter(is_number).count() as u64;
    let sum = |bytes: &dyn Fn(&Arm) -> usize| arms.iter().map(|arm| bytes(arm) as u64).sum();
    Needs {
        resident_bytes: process::memory_bytes()
            .unwrap_or(0)
            .next_multiple_of(RESIDENT_STEP),
        peak_bytes: process::peak_memory_bytes().unwrap_or(0),
        has_query,
        may_reject: inputs
            .any(|input| input.on_null == Policy::Reject || input.on_unseen == Policy::Reject),
        block_bytes: sum(&|arm| arm.scoring.block_bytes()),
        model_bytes: sum(&|arm| arm.scoring.model().model.worker_bytes()),
        score_row_bytes: row_bytes(&scores.into_iter().map(Arc::new).collect::<Vec<_>>()),
        score_column_count,
        output_row_bytes: row_bytes(output.fields()),
        output_leaf_count: leaf_count(output.fields()),
        has_texts: output
            .fields()
            .iter()
            .any(|field| is_varying(field.data_type())),
        row_count: dataset.row_count(),
        observed_bytes: 0,
        gathered_bytes: 0,
        output_count: 0,
    }
}

/// What a row of these columns takes, its texts and lists apart.
pub(super) fn row_bytes(fields: &[FieldRef]) -> u64 {
    let widths = fields.iter().map(|field| fixed_width(field.data_type()));
    widths.map(|width| width as u64).sum()
}
