//! Numbers that a model reads: a dense block, one run of values per feature.
//!
//! Owns the block's layout (column-major, NaN for missing) and, in its files, the way from Arrow
//! columns to it. It must not know model families: a model says which precision it computes in and
//! how many features it reads, and gets a block of that shape.

pub mod category_hash;
pub mod encode;
mod exact;
pub mod fill;
mod fill_numbers;
mod fill_policy;
mod fill_texts;
mod lists;
mod lookup;
pub mod missing;
mod native;
pub mod number;
mod range;
mod real;
pub mod substitute;
mod sweep;
pub mod token_use;
mod vector;
pub mod verdict;

pub(crate) use self::real::Real;

/// The floating-point width that a model computes in, and therefore compares and adds in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// IEEE 754 binary32: XGBoost, networks.
    Single,
    /// IEEE 754 binary64: LightGBM, CatBoost.
    Double,
}

impl Precision {
    /// The name users use: `f32` or `f64`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Single => "f32",
            Self::Double => "f64",
        }
    }
}

/// Values of `row_count` rows in column-major order: the value of (row, feature) lies at `feature *
/// row_count + row`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns<T> {
    row_count: usize,
    values: Vec<T>,
}

impl<T: Copy> Columns<T> {
    /// A block of `row_count` rows and `feature_count` features, all `fill`.
    #[must_use]
    pub fn filled(row_count: usize, feature_count: usize, fill: T) -> Self {
        Self {
            row_count,
            values: vec![fill; row_count * feature_count],
        }
    }

    /// The number of rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.row_count
    }

    /// The number of features; 0 for a block without rows.
    #[must_use]
    pub fn feature_count(&self) -> usize {
        self.values.len().checked_div(self.row_count).unwrap_or(0)
    }

    /// The values of one feature, one per row.
    #[must_use]
    pub fn column(&self, feature: usize) -> &[T] {
        &self.values[feature * self.row_count..(feature + 1) * self.row_count]
    }

    /// The values of one feature, to be filled.
    #[must_use]
    pub fn column_mut(&mut self, feature: usize) -> &mut [T] {
        &mut self.values[feature * self.row_count..(feature + 1) * self.row_count]
    }

    /// A block of the first features, of which there must be as many.
    #[must_use]
    pub fn first(&self, feature_count: usize) -> Self {
        Self {
            row_count: self.row_count,
            values: self.values[..feature_count * self.row_count].to_vec(),
        }
    }

    /// All values, column after column.
    #[must_use]
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Takes the last features out as a block of their own, as many as `feature_count`.
    #[must_use]
    pub fn split_last(&mut self, feature_count: usize) -> Self {
        let kept = self
            .values
            .len()
            .saturating_sub(feature_count * self.row_count);
        Self {
            row_count: self.row_count,
            values: self.values.split_off(kept),
        }
    }

    /// Gives the block another shape and sets every value to `fill`, keeping the allocation.
    pub fn reset(&mut self, row_count: usize, feature_count: usize, fill: T) {
        self.row_count = row_count;
        self.values.clear();
        self.values.resize(row_count * feature_count, fill);
    }
}

/// The features of one batch in the precision of the model that reads them; NaN stands for a
/// missing value.
#[derive(Clone, Debug, PartialEq)]
pub enum FeatureBlock {
    /// For models that compute in [`Precision::Single`].
    Single(Columns<f32>),
    /// For models that compute in [`Precision::Double`].
    Double(Columns<f64>),
}

impl FeatureBlock {
    /// An empty block of this precision.
    #[must_use]
    pub fn empty(precision: Precision) -> Self {
        match precision {
            Precision::Single => Self::Single(Columns::default()),
            Precision::Double => Self::Double(Columns::default()),
        }
    }

    /// The precision of its numbers.
    #[must_use]
    pub const fn precision(&self) -> Precision {
        match self {
            Self::Single(_) => Precision::Single,
            Self::Double(_) => Precision::Double,
        }
    }

    /// Takes the last features out as a block of their own, as many as `feature_count`.
    #[must_use]
    pub fn split_last(&mut self, feature_count: usize) -> Self {
        match self {
            Self::Single(columns) => Self::Single(columns.split_last(feature_count)),
            Self::Double(columns) => Self::Double(columns.split_last(feature_count)),
        }
    }

    /// The number of rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        match self {
            Self::Single(columns) => columns.row_count(),
            Self::Double(columns) => columns.row_count(),
        }
    }
}
