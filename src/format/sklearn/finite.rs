//! Numbers that steps of a pipeline make infinite, or NaN: scikit-learn checks what each of its
//! estimators reads and raises ("Input X contains infinity"), whatever the table held.
//!
//! Owns which columns of a part are checked, and which input of the table is named for a row. It
//! must not know policies.

use super::engine::{Engine, TreeReads};
use super::part::Part;
use crate::feature::Columns;
use crate::feature::verdict::Reason;
use crate::model::RefusedRow;

/// What an engine refuses of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Check {
    infinite: bool,
    undefined: bool,
}

impl Check {
    /// What a part refuses of one of its columns; none where nothing new can come.
    ///
    /// A column of the table was checked as it came in: only its steps can make it infinite. What a
    /// part computed is checked where an estimator reads it, which linear sums and trees are;
    /// formulas also read the insides of others, such as logs of probabilities.
    pub(super) fn of(part: &Part, index: usize, input_count: usize) -> Option<Self> {
        let column = &part.columns[index];
        let is_input = column.input < input_count;
        let infinite = match &part.engine {
            Engine::Forest { reads, .. } => *reads == TreeReads::FiniteSingle,
            Engine::Linear { .. } => true,
            Engine::Formula(_) => is_input,
            Engine::Foreign(_) | Engine::Words(_) | Engine::Columns => false,
        };
        let is_made = !is_input || !column.has_no_steps() || part.engine.rounds();
        let check = Self {
            infinite,
            undefined: column.refuses()
                || is_input && !column.has_no_steps() && part.rejects_missing,
        };
        (is_made && (check.infinite || check.undefined)).then_some(check)
    }

    /// The rows that are refused of a column, with the reason; `before` holds its values before its
    /// steps, and `is_input` is whether the table has them.
    pub(super) fn rows(
        self,
        values: &[f64],
        before: Option<&[f64]>,
        is_input: bool,
    ) -> impl Iterator<Item = (usize, Reason)> {
        // What was missing or infinite in the table has met its policy.
        let was_number = move |row: usize, reason: Reason| {
            before.is_none_or(|before| match reason {
                Reason::Undefined if !is_input => !before[row].is_nan(),
                _ => !is_input || before[row].is_finite(),
            })
        };
        let reason = move |(row, value): (usize, &f64)| {
            let reason = if value.is_infinite() && self.infinite {
                Reason::Infinite
            } else if value.is_nan() && self.undefined {
                Reason::Undefined
            } else {
                return None;
            };
            was_number(row, reason).then_some((row, reason))
        };
        values.iter().enumerate().filter_map(reason)
    }
}

/// The input that is named for a row: the largest number of those that a slot is made of.
pub(super) fn cause(
    parts: &[Part],
    starts: &[usize],
    input_count: usize,
    block: &Columns<f64>,
    refused: (usize, usize, Reason),
) -> RefusedRow {
    let (row, slot, reason) = refused;
    let mut seen = vec![false; parts.len()];
    let (mut open, mut inputs) = (vec![slot], Vec::new());
    while let Some(slot) = open.pop() {
        if slot < input_count {
            inputs.push(slot);
            continue;
        }
        let part = starts.partition_point(|start| *start <= slot) - 1;
        if !std::mem::replace(&mut seen[part], true) {
            open.extend(parts[part].columns.iter().map(|column| column.input));
        }
    }
    inputs.sort_unstable();
    let size = |input: &usize| {
        let value = block.column(*input)[row].abs();
        if value.is_nan() { -1.0 } else { value }
    };
    // Of equal ones the first.
    let largest = inputs
        .iter()
        .copied()
        .rev()
        .max_by(|one, other| size(one).total_cmp(&size(other)));
    RefusedRow {
        row,
        input: largest.unwrap_or(0),
        reason,
    }
}
