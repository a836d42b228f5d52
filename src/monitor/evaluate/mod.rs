//! Predictions against the labels that came.
//!
//! Owns the way from tables to metrics: rows are read once, joined to their labels by key, sorted
//! by segment and score, and walked through in that order, all in bounded memory. Every metric is a
//! function of the rows alone, whatever the order of files and rows. It must not know how metrics
//! are named in a report or shown.

pub(in crate::monitor) mod columns;
mod found;
pub(in crate::monitor) mod gather;
pub(in crate::monitor) mod join;
pub(in crate::monitor) mod label;
pub(in crate::monitor) mod mismatch;
mod question;
mod walk;

use std::sync::Arc;

use self::columns::{Columns, LabelColumns};
pub use self::found::{ALL, Counts, Evaluation, Segment, Tables, is_loss};
use self::gather::Gather;
use self::join::Join;
use self::label::Labels;
pub use self::mismatch::Disjoint;
pub use self::question::{Question, Task};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::monitor::estimate::reference::ReferenceModel;
use crate::storage::Location;
use crate::table::ReadOptions;
use crate::table::dataset::Dataset;
use crate::table::location::locate;
use crate::table::origin::{names_models, origin, run_id, split_models};

/// Evaluates predictions. Rows that do not fit into memory are put aside in `directory`.
///
/// # Errors
/// Fails if a table cannot be read, a column is missing, or labels do not fit the task.
pub fn evaluate(
    request: &Question,
    options: &ReadOptions,
    directory: &Location,
    run_bytes: usize,
    interrupt: &Interrupt,
) -> Result<Evaluation> {
    let open = |paths| Dataset::open(&locate(paths, false)?.files, &[], options).map(Arc::new);
    let predictions = open(&request.predictions)?;
    let columns = Columns::of_predictions(request, &predictions)?;
    let mut labels = Labels::new(columns.task, &columns.classes);
    let mut counts = Counts::default();
    let mut gather = Gather::new(
        columns.task,
        (columns.has_segments(), columns.epsilon),
        directory,
        run_bytes,
    );
    if request.labels.is_empty() {
        columns.read_labelled(
            &predictions,
            &mut labels,
            &mut gather,
            &mut counts,
            interrupt,
        )?;
    } else {
        let mut join = Join::new(directory, run_bytes);
        columns.read_keyed(&predictions, &mut labels, &mut join, &mut counts, interrupt)?;
        let table = open(&request.labels)?;
        let keys = LabelColumns::of(request, &table)?;
        keys.read(
            &table,
            columns.task,
            &mut labels,
            &mut counts,
            interrupt,
            |key, actual| join.label(key, actual),
        )?;
        join.finish(&mut gather, &mut counts)?;
    }
    Columns::refuse_nothing(&counts, &predictions)?;
    let mut found = walk::walk(request, &columns, &labels, gather, counts, interrupt)?;
    found.run_id = run_id(&predictions);
    found.origin = origin(&predictions);
    found.split = split_models(&predictions);
    found.names_models = names_models(&predictions);
    if let Some(reference) = &mut found.reference {
        reference.model = found.origin.as_ref().map(ReferenceModel::of);
    }
    Ok(found)
}
