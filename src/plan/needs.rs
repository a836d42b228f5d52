//! What a run takes alongside its portions, from what was opened and bound.
//!
//! Owns which of a model's and a table's sizes count, and that a run keeps to its allowance. How
//! much that is, is `memory`'s.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};

use super::memory::{Allowance, Needs, RESIDENT_STEP};
use crate::contract::Policy;
use crate::memory::Pool;
use crate::package::manifest::OnFail;
use crate::pipeline::arm::{Arm, Arms};
use crate::pipeline::rule::Rules;
use crate::process;
use crate::table::chunk::leaf_count;
use crate::table::dataset::Dataset;
use crate::table::row_size::{fixed_width, is_varying};

/// What watching takes in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchBytes {
    /// For the whole run, shared by all workers.
    pub held: u64,
    /// For each portion.
    pub portion: u64,
    /// For what each worker gathers.
    pub gathered: u64,
}

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

impl Needs {
    /// The same with what rules take.
    pub(super) fn with_rules(mut self, rules: &Rules) -> Self {
        self.may_reject |= rules.may(OnFail::Reject);
        self.has_query |= !rules.is_empty();
        self.score_row_bytes += rules.row_bytes();
        self
    }

    /// The same with what watching takes.
    pub(super) fn with_watching(mut self, watch: WatchBytes) -> Self {
        (self.observed_bytes, self.gathered_bytes) = (watch.portion, watch.gathered);
        // Bins and their tables are made once the first rows have come.
        self.resident_bytes += watch.held;
        self
    }
}

impl Allowance {
    /// Lets the process and the data's readers keep to it; `is_limited` says whether the user set a
    /// limit.
    pub(super) fn keep(&self, dataset: &mut Dataset, is_limited: bool) {
        let pool = Pool::of_process();
        if let Some(bytes) = self.foreign_bytes {
            pool.set_limit(Some(pool.used().saturating_add(bytes)));
        }
        let mut options = dataset.options().clone();
        options.portion_bytes = self.portion_bytes;
        if is_limited {
            options.max_portion_bytes = self.portion_bytes;
        }
        dataset.set_options(options);
    }
}

/// What a row of these columns takes, its texts and lists apart.
pub(super) fn row_bytes(fields: &[FieldRef]) -> u64 {
    let widths = fields.iter().map(|field| fixed_width(field.data_type()));
    widths.map(|width| width as u64).sum()
}
