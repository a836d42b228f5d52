//! What a pipeline computes of a row, noted step by step for explanations.
//!
//! Owns the names of the columns between steps. It must not change what is computed.

use std::sync::Arc;

use super::column::{Column, Step};
use super::engine::{Engine, gather};
use super::label::{Label, Mark};
use super::part::{Output, Part};
use crate::feature::Columns;
use crate::model::trace::{self, Sum, Term, VALUES_LIMIT, Value};
use crate::outcome::Margins;

/// The columns that a step made, which remember that.
pub(super) fn marked(columns: Vec<Column>, label: &Arc<Label>) -> Vec<Column> {
    let count = columns.len();
    let mark = |(index, column): (usize, Column)| {
        let label = Arc::clone(label);
        column.then([Step::Mark(Mark {
            label,
            index,
            count,
        })])
    };
    columns.into_iter().enumerate().map(mark).collect()
}

/// What a column is called behind so many of its steps: its input, and what is asked of it.
fn name_of(column: &Column, input_count: usize, steps: usize) -> String {
    let mut name = if column.input < input_count {
        trace::name(column.input)
    } else {
        format!("x{}", column.input)
    };
    let mut codes = None;
    for step in &column.steps[..steps] {
        match step {
            Step::Recode(own) => codes = Some(own),
            Step::Equals(code) if column.input < input_count => {
                let code_of_input = match codes {
                    Some(codes) => codes.iter().position(|own| own == code),
                    None => Some(*code as usize),
                };
                let category = code_of_input.and_then(|code| trace::category(column.input, code));
                let category = category.unwrap_or_else(|| code.to_string());
                name = format!("{name} = {category}");
            }
            Step::IsMissing => name = format!("{name} is missing"),
            Step::Mark(mark) if column.input >= input_count && name.starts_with('x') => {
                let own = mark.label.path.rsplit(" → ").next().unwrap_or_default();
                name = format!("{own}[{}]", mark.index);
            }
            _ => {}
        }
    }
    name
}

/// The names of the columns that a part reads.
pub(super) fn names(part: &Part, input_count: usize) -> Vec<String> {
    let columns = part.columns.iter();
    columns
        .map(|column| name_of(column, input_count, column.steps.len()))
        .collect()
}

/// Notes what transformers make of the first row on the way to a part.
pub(super) fn note_columns(part: &Part, input_count: usize, slot: impl Fn(&Column) -> Option<f64>) {
    for column in &part.columns {
        let Some(value) = slot(column) else {
            continue;
        };
        let mut value = [value];
        for (index, step) in column.steps.iter().enumerate() {
            step.run(&mut value);
            let Step::Mark(mark) = step else {
                continue;
            };
            trace::extend_step(trace::Step {
                name: mark.label.path.clone(),
                operation: mark.label.class.clone(),
                outputs: vec![Value {
                    name: name_of(column, input_count, index + 1),
                    value: value[0].to_string(),
                }],
                output_count: mark.count,
                ..trace::Step::default()
            });
        }
    }
}

/// Notes the terms that a vectoriser found in the first row.
pub(super) fn note_words(part: &Part, output: &Output) {
    let (Engine::Words(words), Output::Sparse(rows)) = (&part.engine, output) else {
        return;
    };
    let Some(row) = rows.first() else {
        return;
    };
    let output = |(column, value): &(u32, f64)| Value {
        name: words.term(*column),
        value: value.to_string(),
    };
    trace::note_step(trace::Step {
        name: part.path(),
        operation: part.class(),
        outputs: row.iter().map(output).collect(),
        output_count: words.width,
        ..trace::Step::default()
    });
}

/// Notes what a part makes of the first row.
pub(super) fn note_part(
    part: &Part,
    parts: &[Part],
    outputs: &[Output],
    features: &Columns<f64>,
    margins: &Margins,
    input_count: usize,
) {
    let Margins::Double(margins) = margins else {
        return;
    };
    let names = names(part, input_count);
    let margins: Vec<f64> = margins.iter().take(part.width()).copied().collect();
    if let Engine::Linear {
        intercepts,
        coefficients,
        ..
    } = &part.engine
    {
        let count = features.feature_count();
        for (output, intercept) in intercepts.iter().enumerate() {
            let mut terms: Vec<Term> = sparse_terms(part, parts, outputs, output);
            let own = coefficients.chunks_exact(count.max(1)).nth(output);
            let own = own.unwrap_or_default().iter().zip(&names).enumerate();
            terms.extend(own.map(|(feature, (coefficient, name))| {
                let value = features.column(feature)[0];
                Term {
                    feature: name.clone(),
                    value,
                    coefficient: *coefficient,
                    product: value * coefficient,
                }
            }));
            let products = terms.iter().fold(0.0, |sum, term| sum + term.product);
            trace::note_sum(Sum {
                output,
                intercept: *intercept,
                sum: products + intercept,
                terms,
            });
        }
    }
    note_formula(part, features);
    let input = |(feature, name): (usize, &String)| Value {
        name: name.clone(),
        value: features.column(feature)[0].to_string(),
    };
    let output = |(index, value): (usize, &f64)| Value {
        name: format!("[{index}]"),
        value: value.to_string(),
    };
    trace::note_step(trace::Step {
        name: part.path(),
        operation: part.class(),
        inputs: names
            .iter()
            .enumerate()
            .take(VALUES_LIMIT)
            .map(input)
            .collect(),
        outputs: margins.iter().enumerate().map(output).collect(),
        ..trace::Step::default()
    });
}

/// Notes what a formula computes of the first row on the way.
fn note_formula(part: &Part, features: &Columns<f64>) {
    let Engine::Formula(formula) = &part.engine else {
        return;
    };
    let mut values = vec![0.0; features.feature_count()];
    gather(features, 0, &mut values);
    let path = part.path();
    for mut step in formula.notes(&values) {
        std::mem::take(&mut step.sums)
            .into_iter()
            .for_each(trace::note_sum);
        if !path.is_empty() {
            step.name = format!("{path} → {}", step.name);
        }
        trace::note_step(step);
    }
}

/// The products of a linear part with the terms of vectorisers.
fn sparse_terms(part: &Part, parts: &[Part], outputs: &[Output], output: usize) -> Vec<Term> {
    let mut terms = Vec::new();
    for own in &part.terms {
        let (Some(Output::Sparse(rows)), Some(Engine::Words(words))) = (
            outputs.get(own.source),
            parts.get(own.source).map(|part| &part.engine),
        ) else {
            continue;
        };
        for (column, value) in rows.first().into_iter().flatten() {
            let index = *column as usize * own.coefficients.len() / words.width.max(1) + output;
            let coefficient = own.coefficients.get(index).copied().unwrap_or(0.0);
            terms.push(Term {
                feature: words.term(*column),
                value: *value,
                coefficient,
                product: value * coefficient,
            });
        }
    }
    terms
}
