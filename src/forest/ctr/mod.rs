//! Forests over CTR features: numbers that stand for categories and their combinations, taken from
//! tables that training filled.
//!
//! Owns the way from hashes of categories to these numbers and to the forest's own columns. The
//! rows go through in chunks: each category is cut to its hash once, each projection is hashed once
//! for each row, looked up once, and its row of the table holds the values of all CTRs that
//! training took from it. It must not know formats, texts or columns of a table. Source: CatBoost's
//! `ctr_helpers.cpp`, `static_ctr_provider.cpp` and `evaluator_impl.cpp`, 1.2.

mod table;

pub use table::Table;

use super::ensemble::Missing;
use crate::error::{Error, Result};
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::model::{Model, NumericModel, OffsetRule, Scores, Wants, Worker, trace};
use crate::outcome::Margins;

/// The most rows that go through at once. The more there are, the fewer times each table is brought
/// into the cache: with 512 a look-up takes two and a half times as long as with 4096.
const MAX_CHUNK: usize = 4096;

/// The rows that forests take together; chunks are multiples of it.
const SLICE: usize = 512;

/// What the derived columns of a chunk may take, unless they are too many for one slice.
const CHUNK_BYTES: usize = 8 << 20;

/// What hashes are multiplied by.
const FACTOR: u64 = 0x4906_ba49_4954_cb65;

/// Stands for a category that has no hash; no hash of 32 bits becomes it.
const NO_CATEGORY: u64 = 1 << 40;

/// What a float is asked on its way into a hash: whether it is greater than a border.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FloatPart {
    /// The feature's index.
    pub feature: usize,
    /// The largest value that is not greater.
    pub threshold: f64,
    /// Where NaN goes; left is "no".
    pub missing: Missing,
}

/// What is hashed together, in this order, and what it stands for.
#[derive(Debug)]
pub struct Projection {
    /// Features that hold the hashes of categories.
    pub categories: Vec<usize>,
    /// Features that are asked for a border.
    pub floats: Vec<FloatPart>,
    /// Features that are asked for a hash.
    pub one_hots: Vec<(usize, u32)>,
    /// The CTRs' values by the hash of all parts.
    pub table: Table,
}

/// A feature whose hashes are turned into the codes that one-hot conditions ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct OneHot {
    /// The feature's index.
    pub feature: usize,
    /// Codes by hash, ascending.
    pub codes: Vec<(u32, u32)>,
}

/// Continues a hash with another part.
#[must_use]
pub const fn step(hash: u64, part: u64) -> u64 {
    FACTOR.wrapping_mul(hash.wrapping_add(FACTOR.wrapping_mul(part)))
}

/// A category's hash of 32 bits as a part of another: its sign is kept.
#[must_use]
pub const fn part(hash: u32) -> u64 {
    hash.cast_signed() as i64 as u64
}

/// The 32 bits that a hash of one category alone was made of, if it was made so.
#[must_use]
pub fn only_category(hash: u64) -> Option<u32> {
    let category = hash.wrapping_mul(INVERSE).wrapping_mul(INVERSE) as u32;
    (step(0, part(category)) == hash).then_some(category)
}

/// `FACTOR` · `INVERSE` = 1, modulo 2^64.
const INVERSE: u64 = {
    let (mut inverse, mut round) = (FACTOR, 0);
    while round < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(FACTOR.wrapping_mul(inverse)));
        round += 1;
    }
    inverse
};

/// A model over columns that are made of a block's: the block's own, categories recoded, then the
/// CTRs of each projection.
#[derive(Debug)]
pub struct CtrForest {
    inner: Box<dyn NumericModel>,
    feature_count: usize,
    /// Features that hold hashes.
    categories: Vec<usize>,
    one_hots: Vec<OneHot>,
    projections: Vec<Projection>,
    /// The rows that go through at once.
    chunk: usize,
}

/// Such a model at work on one thread.
#[derive(Debug)]
struct CtrWorker<'a> {
    model: &'a CtrForest,
    inner: Box<dyn Worker + 'a>,
    /// What the inner worker makes of a chunk.
    found: Scores,
    columns: Derived,
}

/// The columns of a chunk, and what they are made with.
#[derive(Debug)]
struct Derived {
    block: FeatureBlock,
    /// For each feature that holds hashes, the chunk's.
    parts: Vec<Vec<u64>>,
    /// The chunk's hashes of a projection, and the rows of its table.
    hashes: Vec<u64>,
    rows: Vec<u32>,
}

impl CtrForest {
    /// The model `inner` over the derived columns of blocks of `feature_count` features;
    /// `categories` hold hashes.
    ///
    /// # Errors
    /// An internal error if a part reads a feature that is not there, or if `inner` reads another
    /// number of columns.
    pub fn new(
        inner: Box<dyn NumericModel>,
        feature_count: usize,
        categories: Vec<usize>,
        one_hots: Vec<OneHot>,
        projections: Vec<Projection>,
    ) -> Result<Self> {
        let is_category = |feature: &usize| categories.contains(feature);
        let fits = projections.iter().all(|projection| {
            projection.categories.iter().all(is_category)
                && projection
                    .one_hots
                    .iter()
                    .all(|(feature, _)| is_category(feature))
                && projection
                    .floats
                    .iter()
                    .all(|float| float.feature < feature_count)
        });
        let width: usize = projections.iter().map(|one| one.table.width()).sum();
        let is_own = |feature: &usize| *feature < feature_count;
        if !fits
            || !categories.iter().all(is_own)
            || !one_hots.iter().all(|one| is_category(&one.feature))
            || inner.feature_count() != feature_count + width
            || inner.precision() != Precision::Double
        {
            return Err(Error::internal("CTRs that do not fit their forest"));
        }
        let row_bytes = inner.feature_count().max(1) * size_of::<f64>();
        let chunk = CHUNK_BYTES / row_bytes / SLICE * SLICE;
        Ok(Self {
            chunk: chunk.clamp(SLICE, MAX_CHUNK),
            inner,
            feature_count,
            categories,
            one_hots,
            projections,
        })
    }

    /// The combinations and categories that all tables know together.
    #[must_use]
    pub fn known_count(&self) -> usize {
        self.projections
            .iter()
            .map(|one| one.table.known_count())
            .sum()
    }

    fn columns<'a>(&self, block: &'a FeatureBlock) -> Result<&'a Columns<f64>> {
        match block {
            FeatureBlock::Double(columns)
                if columns.row_count() == 0 || columns.feature_count() == self.feature_count =>
            {
                Ok(columns)
            }
            _ => Err(Error::internal(
                "a block of another shape than the forest's",
            )),
        }
    }

    /// Fills the derived columns of the rows from `first` on.
    fn derive(
        &self,
        columns: &Columns<f64>,
        first: usize,
        count: usize,
        working: &mut Derived,
    ) -> Result<()> {
        let FeatureBlock::Double(derived) = &mut working.block else {
            return Err(Error::internal("derived columns of another precision"));
        };
        derived.reset(count, self.inner.feature_count(), 0.0);
        let rows = first..first + count;
        for feature in 0..self.feature_count {
            let own = &columns.column(feature)[rows.clone()];
            derived.column_mut(feature).copy_from_slice(own);
        }
        for (&feature, parts) in self.categories.iter().zip(&mut working.parts) {
            parts.clear();
            let own = &columns.column(feature)[rows.clone()];
            parts.extend(own.iter().map(|&value| hash_of(value)));
        }
        for one_hot in &self.one_hots {
            for value in derived.column_mut(one_hot.feature) {
                *value = one_hot.code(*value);
            }
        }
        let mut column = self.feature_count;
        for projection in &self.projections {
            working.hashes.clear();
            working.hashes.resize(count, 0);
            self.hash(
                projection,
                columns,
                first,
                &working.parts,
                &mut working.hashes,
            );
            let found = working
                .hashes
                .iter()
                .map(|&hash| projection.table.row(hash));
            working.rows.clear();
            working.rows.extend(found);
            for value in 0..projection.table.width() {
                let out = derived.column_mut(column);
                projection.table.gather(&working.rows, value, out);
                column += 1;
            }
        }
        Ok(())
    }

    /// Continues the hashes of a chunk, which begins at row `first`, with a projection's parts.
    fn hash(
        &self,
        projection: &Projection,
        columns: &Columns<f64>,
        first: usize,
        parts: &[Vec<u64>],
        hashes: &mut [u64],
    ) {
        let of = |feature: usize| {
            let index = self.categories.iter().position(|&own| own == feature);
            index.and_then(|index| parts.get(index))
        };
        for parts in projection
            .categories
            .iter()
            .filter_map(|&feature| of(feature))
        {
            for (hash, &part) in hashes.iter_mut().zip(parts) {
                *hash = step(*hash, part);
            }
        }
        for float in &projection.floats {
            let values = &columns.column(float.feature)[first..];
            let nan = float.nan_is_greater();
            for (hash, &value) in hashes.iter_mut().zip(values) {
                let is_greater = value > float.threshold || nan & value.is_nan();
                *hash = step(*hash, u64::from(is_greater));
            }
        }
        for &(feature, asked) in &projection.one_hots {
            let asked = part(asked);
            for (hash, &own) in hashes.iter_mut().zip(of(feature).into_iter().flatten()) {
                *hash = step(*hash, u64::from(own == asked));
            }
        }
    }
}

impl FloatPart {
    fn nan_is_greater(&self) -> bool {
        matches!(self.missing, Missing::Nan { left: false })
    }
}

impl OneHot {
    /// The code of a hash; −1 if no condition asks for it.
    fn code(&self, hash: f64) -> f64 {
        let hash = hash_of(hash);
        let found = self
            .codes
            .binary_search_by_key(&hash, |&(own, _)| part(own));
        found.map_or(-1.0, |index| f64::from(self.codes[index].1))
    }
}

/// The hash that a block holds, its sign kept.
#[inline(always)]
fn hash_of(value: f64) -> u64 {
    if (0.0..=f64::from(u32::MAX)).contains(&value) {
        part(value as u32)
    } else {
        NO_CATEGORY
    }
}

impl Model for CtrForest {
    fn family(&self) -> &'static str {
        self.inner.family()
    }

    fn feature_count(&self) -> usize {
        self.feature_count
    }

    fn memory_bytes(&self) -> usize {
        let tables = self.projections.iter().map(|one| one.table.memory_bytes());
        self.inner.memory_bytes() + tables.sum::<usize>()
    }

    fn worker_bytes(&self) -> usize {
        let columns = self.inner.feature_count() + self.categories.len() + 2;
        self.inner.worker_bytes() + columns * self.chunk * size_of::<f64>()
    }
}

impl NumericModel for CtrForest {
    fn precision(&self) -> Precision {
        Precision::Double
    }

    fn margin_count(&self) -> usize {
        self.inner.margin_count()
    }

    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(CtrWorker {
            model: self,
            inner: self.inner.worker(),
            found: Scores::empty(Precision::Double),
            columns: Derived {
                block: FeatureBlock::empty(Precision::Double),
                parts: vec![Vec::new(); self.categories.len()],
                hashes: Vec::new(),
                rows: Vec::new(),
            },
        })
    }

    fn offset_rule(&self) -> Option<OffsetRule> {
        self.inner.offset_rule()
    }
}

impl CtrForest {
    /// What the columns of the forest are called: a CTR by what is hashed together, and its number
    /// where there are several of that.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = (0..self.feature_count).map(trace::name).collect();
        for projection in &self.projections {
            let categories = projection.categories.iter().map(|one| names[*one].clone());
            let floats = projection.floats.iter();
            let floats = floats.map(|one| format!("{} > {}", names[one.feature], one.threshold));
            let one_hots = projection.one_hots.iter();
            let one_hots = one_hots.map(|(feature, _)| format!("one of {}", names[*feature]));
            let parts: Vec<String> = categories.chain(floats).chain(one_hots).collect();
            let parts = parts.join(", ");
            let width = projection.table.width();
            names.extend((0..width).map(|value| match width {
                1 => format!("ctr({parts})"),
                _ => format!("ctr({parts})[{value}]"),
            }));
        }
        names
    }

    /// The first row and the number of rows of each chunk.
    fn chunks(&self, row_count: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let chunk = self.chunk;
        (0..row_count)
            .step_by(chunk)
            .map(move |first| (first, chunk.min(row_count - first)))
    }
}

impl Worker for CtrWorker<'_> {
    fn score(
        &mut self,
        block: &FeatureBlock,
        wants: &Wants<'_>,
        scores: &mut Scores,
    ) -> Result<()> {
        let columns = self.model.columns(block)?;
        let wrong = || Error::internal("margins of another precision than the forest's");
        let (mut margins, mut leaves) = (Vec::new(), wants.leaves.then(Vec::new));
        for (first, count) in self.model.chunks(columns.row_count()) {
            self.model
                .derive(columns, first, count, &mut self.columns)?;
            let offsets = match wants.offsets {
                None => None,
                Some(FeatureBlock::Double(offsets)) => {
                    Some(FeatureBlock::Double(cut(offsets, first, count)))
                }
                Some(_) => return Err(wrong()),
            };
            let wants = Wants {
                offsets: offsets.as_ref(),
                ..*wants
            };
            if trace::is_followed() {
                let names = self.model.names();
                trace::with_names(names, || {
                    self.inner
                        .score(&self.columns.block, &wants, &mut self.found)
                })?;
            } else {
                self.inner
                    .score(&self.columns.block, &wants, &mut self.found)?;
            }
            let Margins::Double(found) = &self.found.margins else {
                return Err(wrong());
            };
            margins.extend_from_slice(found);
            if let (Some(leaves), Some(found)) = (&mut leaves, &self.found.leaves) {
                leaves.extend_from_slice(found);
            }
        }
        *scores = Scores {
            margins: Margins::Double(margins),
            leaves,
            refused: Vec::new(),
        };
        Ok(())
    }
}

fn cut(columns: &Columns<f64>, first: usize, count: usize) -> Columns<f64> {
    let mut chunk = Columns::filled(count, columns.feature_count(), 0.0);
    for feature in 0..columns.feature_count() {
        chunk
            .column_mut(feature)
            .copy_from_slice(&columns.column(feature)[first..first + count]);
    }
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_of_one_category_gives_the_category_back() {
        for category in [0, 1, 7, u32::MAX, 1 << 31, 311_401_451] {
            assert_eq!(only_category(step(0, part(category))), Some(category));
        }
        assert_eq!(only_category(step(step(0, part(7)), part(7))), None);
    }
}
