//! What a CatBoost model file says, whichever of the two formats it is written in: features, CTRs
//! and trees, nothing translated.
//!
//! Owns the neutral structure. It must not know JSON, flatbuffers, columns of a table or how the
//! model is scored. The features of each kind are numbered among their kind; `flat` is the position
//! among all features.

use super::info::ModelInfo;
use crate::error::{Error, Result};
use crate::forest::{Child, Missing};

/// The most splits of a symmetric tree: twice CatBoost's own limit would still be a table of 2^32
/// leaves.
pub(super) const DEPTH_LIMIT: usize = 24;

/// The hash of an empty bucket, whose counts repeat those of another.
pub(super) const EMPTY_HASH: u64 = u64::MAX;

/// The whole model.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) floats: Vec<FloatFeature>,
    pub(super) categories: Vec<CategoricalFeature>,
    /// The categories' texts and hashes, of all features together; present only where a JSON file
    /// was saved with `pool=`.
    pub(super) texts: Option<Vec<(String, u32)>>,
    pub(super) ctrs: Vec<Ctr>,
    pub(super) tables: Vec<CtrTable>,
    pub(super) trees: Vec<StoredTree>,
    /// Whether the levels of each tree ask one question.
    pub(super) is_symmetric: bool,
    /// The number of values in a leaf.
    pub(super) output_count: usize,
    pub(super) scale: f64,
    /// One for each output, or empty.
    pub(super) bias: Vec<f64>,
    pub(super) info: ModelInfo,
}

#[derive(Debug)]
pub(super) struct FloatFeature {
    pub(super) index: u32,
    pub(super) flat: u32,
    pub(super) name: Option<String>,
    pub(super) missing: Missing,
}

#[derive(Debug)]
pub(super) struct CategoricalFeature {
    pub(super) index: u32,
    pub(super) flat: u32,
    pub(super) name: Option<String>,
}

/// What a split asks; "yes" goes right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Question {
    /// Whether a float feature, in single precision, is greater than the border.
    Float { feature: u32, border: f32 },
    /// Whether a categorical feature has this hash.
    OneHot { feature: u32, hash: u32 },
    /// Whether a CTR is greater than the border.
    Ctr { ctr: usize, border: f32 },
}

/// One tree; leaves hold `output_count` values each.
#[derive(Debug)]
pub(super) enum StoredTree {
    /// Bit i of a leaf's number is set where question i is answered yes.
    Symmetric {
        questions: Vec<Question>,
        values: Vec<f64>,
    },
    /// No leads to the first child of a node, yes to the second.
    Branching {
        root: Child,
        nodes: Vec<(Question, Child, Child)>,
        values: Vec<f64>,
    },
}

impl StoredTree {
    pub(super) fn questions(&self) -> impl Iterator<Item = Question> {
        let (level, node) = match self {
            Self::Symmetric { questions, .. } => (questions.as_slice(), &[][..]),
            Self::Branching { nodes, .. } => (&[][..], nodes.as_slice()),
        };
        level
            .iter()
            .copied()
            .chain(node.iter().map(|&(question, ..)| question))
    }
}

/// A number that stands for a category or a combination: a fraction from a table of counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ctr {
    /// The index of its table.
    pub(super) table: usize,
    /// Which class, or which border between classes.
    pub(super) target_border: usize,
    /// Added to the numerator and to the denominator.
    pub(super) prior: [f32; 2],
    pub(super) shift: f32,
    pub(super) scale: f32,
}

/// What is counted of a category.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum CtrType {
    Borders,
    Buckets,
    BinarizedTargetMeanValue,
    FloatTargetMeanValue,
    Counter,
    FeatureFreq,
}

impl CtrType {
    /// In the order of their numbers.
    const ALL: [(Self, &'static str); 6] = [
        (Self::Borders, "Borders"),
        (Self::Buckets, "Buckets"),
        (Self::BinarizedTargetMeanValue, "BinarizedTargetMeanValue"),
        (Self::FloatTargetMeanValue, "FloatTargetMeanValue"),
        (Self::Counter, "Counter"),
        (Self::FeatureFreq, "FeatureFreq"),
    ];

    pub(super) fn named(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find_map(|(kind, own)| (own == name).then_some(kind))
            .ok_or_else(|| Error::contract(format!("CTRs of type `{name}` are not supported")))
    }

    pub(super) fn numbered(number: u8) -> Result<Self> {
        Self::ALL
            .get(usize::from(number))
            .map(|&(kind, _)| kind)
            .ok_or_else(|| Error::contract(format!("CTRs of type {number} are not supported")))
    }

    /// Whether the counts depend on how the target is cut into classes.
    pub(super) fn reads_target(self) -> bool {
        !matches!(self, Self::Counter | Self::FeatureFreq)
    }

    pub(super) fn name(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find_map(|(kind, name)| (kind == self).then_some(name))
            .unwrap_or_default()
    }
}

/// The parts that a combined category is made of, in the order of the hash.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Projection {
    /// Categorical features whose hash counts.
    pub(super) categories: Vec<u32>,
    /// Float features, and the border that they exceed or not.
    pub(super) floats: Vec<(u32, f32)>,
    /// Categorical features, and the hash that they have or not.
    pub(super) one_hots: Vec<(u32, u32)>,
}

impl Projection {
    /// Equal for equal projections alone.
    pub(super) fn key(&self) -> Vec<(u32, u32)> {
        let lengths = (self.categories.len() as u32, self.floats.len() as u32);
        let categories = self.categories.iter().map(|&feature| (feature, 0));
        let floats = self
            .floats
            .iter()
            .map(|&(feature, border)| (feature, border.to_bits()));
        let one_hots = self.one_hots.iter().copied();
        std::iter::once(lengths)
            .chain(categories)
            .chain(floats)
            .chain(one_hots)
            .collect()
    }
}

/// Counts of each category, or combination, that training saw.
#[derive(Debug)]
pub(super) struct CtrTable {
    pub(super) projection: Projection,
    pub(super) kind: CtrType,
    /// Which way of cutting the target into classes it counts; JSON does not say.
    pub(super) classifier: i32,
    pub(super) hashes: Vec<u64>,
    pub(super) counts: Counts,
    /// What counters are divided by.
    pub(super) denominator: i32,
}

/// The counts of a table, one row for each hash.
#[derive(Debug)]
pub(super) enum Counts {
    /// So many classes a row.
    Classes(usize, Vec<i32>),
    /// A sum of targets and a count.
    Means(Vec<(f32, i32)>),
    /// One count.
    Single(Vec<i32>),
}

impl Counts {
    pub(super) fn row_count(&self) -> usize {
        match self {
            Self::Classes(width, counts) => counts.len() / (*width).max(1),
            Self::Means(means) => means.len(),
            Self::Single(counts) => counts.len(),
        }
    }
}

/// Refuses features of a kind that is not supported.
pub(super) fn refuse_features(kind: &str, names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    Err(Error::contract(format!(
        "{kind} features are not supported: {}",
        quoted(names)
    ))
    .hint("train without these features"))
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Where NaN goes: treated as it is, `NaN > border` is false; the other treatments put an infinity
/// in its stead, but only for features that had NaN in training.
pub(super) fn missing_rule(treatment: &str, has_nans: bool, feature: u32) -> Result<Missing> {
    match treatment {
        "AsTrue" => Ok(Missing::Nan { left: !has_nans }),
        "AsIs" | "AsFalse" => Ok(Missing::Nan { left: true }),
        other => Err(Error::failed(format!("unknown treatment of NaN `{other}`"))
            .at_node(format!("float feature {feature}"))),
    }
}

/// The index of a node or a leaf, if there are not too many.
pub(super) fn number(index: usize) -> Result<u32> {
    u32::try_from(index).map_err(|_| Error::failed("the tree has too many nodes"))
}
