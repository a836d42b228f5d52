//! Sparse matrices of scipy: what estimators keep that were fitted on texts or on one-hot columns.
//!
//! Owns the forms by rows (CSR) and by columns (CSC), and what their parts must be. The numbers are
//! held by rows.

use super::object::{Matrix, Object, positions};
use crate::error::Result;

/// The most numbers of a sparse matrix that is laid out.
const LAID_OUT_LIMIT: usize = 1 << 26;

/// Rows of which only some columns are held, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SparseMatrix {
    pub(super) columns: usize,
    /// Where each row begins, and the end.
    starts: Vec<usize>,
    indices: Vec<usize>,
    values: Vec<f64>,
}

impl SparseMatrix {
    /// The sparse matrix that an attribute is.
    ///
    /// # Errors
    /// A contract error for other forms than CSR and CSC, and for parts that do not fit.
    pub(super) fn of(object: &Object, name: &str) -> Result<Self> {
        let sparse = object.attribute(name)?;
        let by_columns = match sparse.arena.class(sparse.id) {
            Some((_, "csr_matrix" | "csr_array")) => false,
            Some((_, "csc_matrix" | "csc_array")) => true,
            _ => return Err(sparse.refuse("only sparse matrices by rows or columns are read")),
        };
        let broken = || sparse.refuse("the parts of this sparse matrix do not fit each other");
        let part = |name: &str| positions(sparse.arena, sparse.need(name)?).ok_or_else(broken);
        let (shape, starts, indices) = (part("_shape")?, part("indptr")?, part("indices")?);
        let values = sparse.reals("data")?;
        let [rows, columns] = shape[..] else {
            return Err(broken());
        };
        let (outer, inner) = if by_columns {
            (columns, rows)
        } else {
            (rows, columns)
        };
        let is_fitting = starts.len().checked_sub(1) == Some(outer)
            && starts.is_sorted()
            && starts.last().is_some_and(|last| *last <= values.len())
            && values.len() == indices.len()
            && indices.iter().all(|index| *index < inner)
            && (!by_columns || rows <= object.arena.file_bytes());
        if !is_fitting {
            return Err(broken());
        }
        let mut entries: Vec<(usize, usize, f64)> = Vec::with_capacity(values.len());
        for (one, ends) in starts.windows(2).enumerate() {
            for entry in ends[0]..ends[1] {
                let (row, column) = if by_columns {
                    (indices[entry], one)
                } else {
                    (one, indices[entry])
                };
                entries.push((row, column, values[entry]));
            }
        }
        entries.sort_by_key(|(row, column, _)| (*row, *column));
        Ok(Self::of_entries(rows, columns, &entries))
    }

    /// Entries in order; those of the same place are added up.
    fn of_entries(rows: usize, columns: usize, entries: &[(usize, usize, f64)]) -> Self {
        let mut made = Self {
            columns,
            ..Self::default()
        };
        let mut entries = entries.iter().peekable();
        for row in 0..rows {
            made.starts.push(made.indices.len());
            while let Some((_, column, value)) = entries.next_if(|entry| entry.0 == row) {
                let start = made.starts[row];
                let is_same = made.indices[start..].last() == Some(column);
                if let Some(last) = made.values.last_mut().filter(|_| is_same) {
                    *last += value;
                } else {
                    made.indices.push(*column);
                    made.values.push(*value);
                }
            }
        }
        made.starts.push(made.indices.len());
        made
    }

    /// The number of rows.
    pub(super) fn row_count(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The numbers that are held.
    pub(super) fn number_count(&self) -> usize {
        self.values.len()
    }

    /// Each row: its columns in order, and their values.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&[usize], &[f64])> {
        let row = |ends: &[usize]| {
            let own = ends[0]..ends[1];
            (&self.indices[own.clone()], &self.values[own])
        };
        self.starts.windows(2).map(row)
    }

    /// The same with all its zeros.
    ///
    /// # Errors
    /// A contract error for one that is too large for that.
    pub(super) fn laid_out(&self, object: &Object) -> Result<Matrix> {
        let rows = self.row_count();
        let count = rows.checked_mul(self.columns);
        let count = count
            .filter(|count| *count <= LAID_OUT_LIMIT)
            .ok_or_else(|| {
                object.refuse("a sparse matrix in it has more than 64 million numbers")
            })?;
        let mut values = vec![0.0; count];
        let laid_out = values.chunks_exact_mut(self.columns.max(1));
        for (row, (columns, own)) in laid_out.zip(self.rows()) {
            for (column, value) in columns.iter().zip(own) {
                row[*column] = *value;
            }
        }
        Ok(Matrix {
            rows,
            columns: self.columns,
            values,
        })
    }
}
