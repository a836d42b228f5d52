//! Text vectorisers: terms counted, weighed and normed.
//!
//! Owns the way from terms to a sparse row. Sources: `sklearn/feature_extraction/text.py` and
//! `_hash.py` of 0.24 to 1.9.

use std::collections::{BTreeMap, HashMap};

use super::analysis::Analysis;
use super::formula::Formula;
use super::object::{Object, real};
use crate::error::Result;

/// The most columns of a vectoriser.
const WIDTH_LIMIT: usize = 1 << 24;

/// A sparse row: columns in order and their values.
pub(super) type SparseRow = Vec<(u32, f64)>;

/// How terms become columns.
#[derive(Debug)]
enum Lookup {
    Listed(HashMap<String, u32>),
    Hashed { alternates: bool },
}

/// How a row is normed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Norm {
    None,
    First,
    Second,
}

/// What is done to the counts.
#[derive(Debug, Default)]
pub(super) struct Weighing {
    is_sublinear: bool,
    factors: Option<Vec<f64>>,
    norm: Option<Norm>,
}

/// A vectoriser.
#[derive(Debug)]
pub(super) struct Words {
    analysis: Analysis,
    location: Lookup,
    /// The columns of a row.
    pub(super) width: usize,
    is_binary: bool,
    /// Applied one after the other.
    weighings: Vec<Weighing>,
}

impl Words {
    /// Reads a vectoriser.
    ///
    /// # Errors
    /// A contract error for classes and functions that are not known.
    pub(super) fn new(object: &Object) -> Result<Self> {
        let analysis = Analysis::new(object)?;
        let is_binary = object.flag("binary");
        if object.class().1 == "HashingVectorizer" {
            let width = object.real("n_features")? as usize;
            if width == 0 || width > WIDTH_LIMIT {
                return Err(object.refuse("it makes no columns, or more than 16 million"));
            }
            let weighing = Weighing {
                norm: norm(object)?,
                ..Weighing::default()
            };
            return Ok(Self {
                analysis,
                location: Lookup::Hashed {
                    alternates: object.flag("alternate_sign"),
                },
                width,
                is_binary,
                weighings: vec![weighing],
            });
        }
        let id = object.need("vocabulary_")?;
        let pairs = object.arena.pairs(id);
        let pairs = pairs.ok_or_else(|| object.refuse("its vocabulary is not a dictionary"))?;
        let entry = |(term, column): &(_, _)| {
            let column = real(object.arena, *column)?;
            let is_column = column >= 0.0 && column < pairs.len() as f64;
            let term = object.arena.text(*term)?.to_owned();
            is_column.then_some((term, column as u32))
        };
        let terms: Option<HashMap<String, u32>> = pairs.iter().map(entry).collect();
        let terms = terms.ok_or_else(|| object.refuse("its vocabulary is not one of terms"))?;
        let width = terms.len();
        let mut weighings = Vec::new();
        if object.class().1 == "TfidfVectorizer" {
            weighings.push(Weighing::new(&object.attribute("_tfidf")?, width)?);
        }
        Ok(Self {
            analysis,
            location: Lookup::Listed(terms),
            width,
            is_binary,
            weighings,
        })
    }

    /// Adds what a `TfidfTransformer` does.
    pub(super) fn weigh(&mut self, weighing: Weighing) {
        self.weighings.push(weighing);
    }

    /// The term of a column; of several, or of one that is hashed, its number.
    pub(super) fn term(&self, column: u32) -> String {
        let term = match &self.location {
            Lookup::Listed(terms) => terms.iter().find(|(_, own)| **own == column),
            Lookup::Hashed { .. } => None,
        };
        term.map_or_else(|| format!("[{column}]"), |(term, _)| format!("`{term}`"))
    }

    /// The row of a text.
    pub(super) fn row(&self, text: &str) -> SparseRow {
        let mut counts: BTreeMap<u32, f64> = BTreeMap::new();
        self.analysis.each(text, &mut |term| match &self.location {
            Lookup::Listed(terms) => {
                if let Some(column) = terms.get(term) {
                    *counts.entry(*column).or_default() += 1.0;
                }
            }
            Lookup::Hashed { alternates } => {
                let hash = murmur(term.as_bytes()) as i32;
                let column = hash.unsigned_abs() as usize % self.width;
                let value = if *alternates && hash < 0 { -1.0 } else { 1.0 };
                *counts.entry(column as u32).or_default() += value;
            }
        });
        let mut row: SparseRow = counts.into_iter().collect();
        if self.is_binary {
            row.iter_mut().for_each(|(_, value)| *value = 1.0);
        }
        for weighing in &self.weighings {
            weighing.run(&mut row);
        }
        row
    }

    /// The bytes that it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        let terms = match &self.location {
            Lookup::Listed(terms) => terms.keys().map(|term| term.len() + 48).sum(),
            Lookup::Hashed { .. } => 0,
        };
        let factors = self.weighings.iter().filter_map(|one| one.factors.as_ref());
        terms + factors.map(|all| 8 * all.len()).sum::<usize>()
    }
}

fn norm(object: &Object) -> Result<Option<Norm>> {
    match object.text("norm") {
        "l1" => Ok(Some(Norm::First)),
        "l2" => Ok(Some(Norm::Second)),
        "" if object.find("norm").is_none() => Ok(Some(Norm::None)),
        other => Err(object.refuse(&format!("the norm `{other}` is not supported for texts"))),
    }
}

impl Weighing {
    /// What a `TfidfTransformer` does.
    ///
    /// # Errors
    /// A contract error for weights that do not fit the columns.
    pub(super) fn new(object: &Object, width: usize) -> Result<Self> {
        let factors = if !object.flag("use_idf") {
            None
        } else if object.find("idf_").is_some() {
            Some(object.reals("idf_")?)
        } else {
            // Up to 1.4 the diagonal of a sparse matrix.
            Some(object.attribute("_idf_diag")?.reals("data")?)
        };
        if factors.as_ref().is_some_and(|all| all.len() != width) {
            return Err(object.refuse("its weights do not fit the terms"));
        }
        Ok(Self {
            is_sublinear: object.flag("sublinear_tf"),
            factors,
            norm: norm(object)?,
        })
    }

    /// The same of columns of counts.
    pub(super) fn formula(self, width: usize) -> Formula {
        let held = self.factors.as_ref().map_or(0, Vec::len);
        Formula::new("texts", width, held, move |values, output| {
            let counts = values
                .iter()
                .enumerate()
                .filter(|(_, value)| **value != 0.0);
            let mut row: SparseRow = counts.map(|(at, value)| (at as u32, *value)).collect();
            self.run(&mut row);
            for (column, value) in row {
                output[column as usize] = value;
            }
        })
    }

    fn run(&self, row: &mut SparseRow) {
        if self.is_sublinear {
            row.iter_mut()
                .for_each(|(_, value)| *value = value.ln() + 1.0);
        }
        if let Some(factors) = &self.factors {
            row.iter_mut()
                .for_each(|(column, value)| *value *= factors[*column as usize]);
        }
        let values = || row.iter().map(|(_, value)| *value);
        let norm = match self.norm {
            Some(Norm::First) => values().map(f64::abs).sum(),
            Some(Norm::Second) => values().map(|value| value * value).sum::<f64>().sqrt(),
            Some(Norm::None) | None => 0.0,
        };
        if norm != 0.0 {
            row.iter_mut().for_each(|(_, value)| *value /= norm);
        }
    }
}

/// `MurmurHash3` of 32 bits for x86, with the seed 0.
fn murmur(bytes: &[u8]) -> u32 {
    const FIRST: u32 = 0xcc9e_2d51;
    const SECOND: u32 = 0x1b87_3593;
    let mixed = |block: u32| {
        block
            .wrapping_mul(FIRST)
            .rotate_left(15)
            .wrapping_mul(SECOND)
    };
    let mut hash = 0_u32;
    let (blocks, tail) = bytes.as_chunks::<4>();
    for block in blocks {
        hash ^= mixed(u32::from_le_bytes(*block));
        hash = hash
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64);
    }
    if !tail.is_empty() {
        let shifted = tail
            .iter()
            .rev()
            .fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
        hash ^= mixed(shifted);
    }
    hash ^= bytes.len() as u32;
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `sklearn.utils.murmurhash3_32(text, positive=True)` of 1.9.
    #[test]
    fn hashes_are_those_of_scikit_learn() {
        for (text, hash) in [
            ("", 0),
            ("a", 1_009_084_850),
            ("ab", 2_613_040_991),
            ("abc", 3_017_643_002),
            ("abcd", 1_139_631_978),
            ("Zürich", 694_770_001),
            ("hello world", 1_586_663_183),
        ] {
            assert_eq!(murmur(text.as_bytes()), hash, "{text}");
        }
    }
}
