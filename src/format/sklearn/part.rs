//! A part of a pipeline: an engine, the columns that it reads, and what it reads of vectorisers.
//!
//! Owns the sparse outputs of vectorisers: where a linear engine reads them they are never made
//! dense.

use std::sync::Arc;

use super::column::Column;
use super::engine::Engine;
use super::label::Label;
use super::words::SparseRow;

/// An engine and the columns that it reads.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) columns: Vec<Column>,
    pub(super) engine: Engine,
    /// What a linear engine reads of vectorisers.
    pub(super) terms: Vec<Terms>,
    /// (slot of a vectoriser's output, index of the column) in order, for other engines.
    pub(super) scattered: Vec<(usize, usize)>,
    /// Whether a missing value of a column is an error in scikit-learn.
    pub(super) rejects_missing: bool,
    /// Which estimator it is, where the pipeline is to be followed.
    pub(super) label: Option<Arc<Label>>,
}

/// Coefficients of a vectoriser's outputs.
#[derive(Debug)]
pub(super) struct Terms {
    /// The part that the vectoriser is.
    pub(super) source: usize,
    /// Those of each output after the other: one a margin.
    pub(super) coefficients: Vec<f64>,
}

impl Part {
    /// A part.
    pub(super) fn new(columns: Vec<Column>, engine: Engine) -> Self {
        Self {
            columns,
            engine,
            terms: Vec::new(),
            scattered: Vec::new(),
            rejects_missing: false,
            label: None,
        }
    }

    /// The steps that lead to its estimator.
    pub(super) fn path(&self) -> String {
        let label = self.label.as_ref();
        label.map_or_else(String::new, |label| label.path.clone())
    }

    /// The class of its estimator, or its family.
    pub(super) fn class(&self) -> String {
        let label = self.label.as_ref();
        label.map_or_else(
            || self.engine.family().to_owned(),
            |label| label.class.clone(),
        )
    }

    /// The number of its outputs.
    pub(super) fn width(&self) -> usize {
        self.engine.width(self.columns.len())
    }

    /// The bytes that it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        let columns = self
            .columns
            .iter()
            .map(|one| size_of::<Column>() + 32 * one.steps.len());
        let terms = self.terms.iter().map(|terms| 8 * terms.coefficients.len());
        self.engine.memory_bytes() + columns.sum::<usize>() + terms.sum::<usize>()
    }

    /// Whether it reads the inputs as they are.
    pub(super) fn is_plain(&self, input_count: usize) -> bool {
        let mut columns = self.columns.iter().enumerate();
        self.columns.len() == input_count
            && self.terms.is_empty()
            && !self.engine.rounds()
            && columns.all(|(index, one)| one.is_raw() && one.input == index)
    }

    /// Takes the columns that are a vectoriser's as they are out of a linear engine.
    pub(super) fn split_terms(&mut self, sparse: &[(usize, std::ops::Range<usize>)]) {
        let source = |column: &Column| {
            let mut sparse = sparse.iter();
            sparse.find(|(_, slots)| column.is_raw() && slots.contains(&column.input))
        };
        let Engine::Linear {
            intercepts,
            coefficients,
            ..
        } = &mut self.engine
        else {
            return;
        };
        if !self.columns.iter().any(|column| source(column).is_some()) {
            return;
        }
        let (width, count) = (intercepts.len(), self.columns.len());
        let mut terms: Vec<Terms> = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            let Some((part, slots)) = source(column) else {
                continue;
            };
            let at = terms.iter().position(|one| one.source == *part);
            let at = at.unwrap_or_else(|| {
                terms.push(Terms {
                    source: *part,
                    coefficients: vec![0.0; width * slots.len()],
                });
                terms.len() - 1
            });
            let feature = column.input - slots.start;
            for margin in 0..width {
                terms[at].coefficients[feature * width + margin] +=
                    coefficients[margin * count + index];
            }
        }
        let kept: Vec<bool> = self
            .columns
            .iter()
            .map(|column| source(column).is_none())
            .collect();
        let mut index = 0..coefficients.len();
        coefficients.retain(|_| index.next().is_some_and(|index| kept[index % count]));
        let mut kept = kept.into_iter();
        self.columns.retain(|_| kept.next().unwrap_or(false));
        self.terms = terms;
    }

    /// Notes which of its columns are a vectoriser's, to be filled row by row.
    pub(super) fn scatter(&mut self, sparse: &[(usize, std::ops::Range<usize>)]) {
        let is_sparse = |slot: usize| sparse.iter().any(|(_, slots)| slots.contains(&slot));
        let columns = self.columns.iter().enumerate();
        let found = columns.filter(|(_, column)| is_sparse(column.input));
        self.scattered = found.map(|(index, column)| (column.input, index)).collect();
        self.scattered.sort_unstable();
    }
}

/// What a part made of a block.
#[derive(Debug)]
pub(super) enum Output {
    /// Column after column.
    Dense(Vec<Vec<f64>>),
    /// Row after row.
    Sparse(Vec<SparseRow>),
}

/// What the sparse outputs add to the margins of a linear part.
pub(super) fn sparse_sums(part: &Part, outputs: &[Output], row_count: usize) -> Vec<f64> {
    if part.terms.is_empty() {
        return Vec::new();
    }
    let width = match &part.engine {
        Engine::Linear { intercepts, .. } => intercepts.len(),
        _ => 0,
    };
    let mut sums = vec![0.0; row_count * width];
    for terms in &part.terms {
        let Output::Sparse(rows) = &outputs[terms.source] else {
            continue;
        };
        for (sums, entries) in sums.chunks_exact_mut(width).zip(rows) {
            for (feature, value) in entries {
                let own = &terms.coefficients[*feature as usize * width..];
                for (sum, coefficient) in sums.iter_mut().zip(own) {
                    *sum += value * coefficient;
                }
            }
        }
    }
    sums
}
