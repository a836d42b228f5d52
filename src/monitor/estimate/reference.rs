//! What must be known of labelled rows so that rows without labels can be judged: a file.
//!
//! Owns its form: JSON, with the calibration of each class, the edges of the bins that scores are
//! counted in, and the metrics that the labels showed. It holds no rows. It must not know where
//! scores come from.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::bins::Bin;
use crate::error::{Error, Result};
use crate::monitor::isotonic::{Isotonic, IsotonicFit};
use crate::table::origin::Origin;

/// The version of what is written.
pub const VERSION: u32 = 2;

/// The oldest version that is read: it does not say of which model it is.
const OLDEST_VERSION: u32 = 1;

/// What a file of this form begins with.
const KIND: &str = "tallow reference";

/// The most bins of a class. With fewer distinct scores each has one of its own.
pub const MAX_BINS: usize = 4096;

/// The first characters of a digest that users see.
const DIGEST_SHOWN: usize = 19;

/// The largest file that is read.
pub const MAX_BYTES: u64 = 256 << 20;

/// What is known of labelled rows.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    kind: String,
    version: u32,
    /// The model that gave the scores, where their files said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ReferenceModel>,
    /// The rows.
    pub rows: u64,
    /// The column of predicted labels; none: the score decides.
    pub prediction: Option<String>,
    /// The least score of the positive class, where the score decides.
    pub threshold: Option<f64>,
    /// The positive class of two, or all classes that have scores.
    pub classes: Vec<ReferenceClass>,
    /// What the labels showed, by the names of metrics.
    pub metrics: BTreeMap<String, f64>,
}

/// The model that the scores of a reference are of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceModel {
    /// Its name.
    pub name: String,
    /// Its version, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `sha256:` and the digest of its own file, the same in and out of a package.
    pub digest: String,
}

impl ReferenceModel {
    /// The model that made predictions.
    #[must_use]
    pub fn of(origin: &Origin) -> Self {
        Self {
            name: origin.name.clone(),
            version: origin.version.clone(),
            digest: origin.file_digest.clone(),
        }
    }
}

impl fmt::Display for ReferenceModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`", self.name)?;
        if let Some(version) = &self.version {
            write!(formatter, " of version {version}")?;
        }
        // As much of a digest as tells models apart.
        let digest: String = self.digest.chars().take(DIGEST_SHOWN).collect();
        write!(formatter, " ({digest}\u{2026})")
    }
}

/// What is known of one class.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceClass {
    /// Its label.
    pub label: String,
    /// The column of its scores.
    pub score: String,
    /// From its scores to probabilities.
    pub calibration: Isotonic,
    /// The lowest score of each bin, in rising order.
    pub edges: Vec<f64>,
}

impl Reference {
    /// What the labels of so many rows showed.
    #[must_use]
    pub fn new(rows: u64, classes: Vec<ReferenceClass>) -> Self {
        Self {
            kind: KIND.to_owned(),
            version: VERSION,
            model: None,
            rows,
            prediction: None,
            threshold: None,
            classes,
            metrics: BTreeMap::new(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// A contract error for other bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let wrong = || {
            Error::contract("not a reference").hint(
                "write one with `tallow evaluate --save-reference`, from predictions whose labels \
                 are known",
            )
        };
        let reference: Self =
            serde_json::from_slice(bytes).map_err(|error| wrong().because(error))?;
        if reference.kind != KIND {
            return Err(wrong());
        }
        if !(OLDEST_VERSION..=VERSION).contains(&reference.version) {
            return Err(Error::contract(format!(
                "the reference is of version {}, and this tallow reads versions up to {VERSION}",
                reference.version
            ))
            .hint("write it again with `tallow evaluate --save-reference`"));
        }
        let is_sound = |class: &ReferenceClass| {
            class.calibration.is_rising()
                && (1..=MAX_BINS).contains(&class.edges.len())
                && class.edges.windows(2).all(|pair| pair[0] < pair[1])
        };
        if reference.classes.is_empty() || !reference.classes.iter().all(is_sound) {
            return Err(Error::contract("the reference is damaged")
                .hint("write it again with `tallow evaluate --save-reference`"));
        }
        Ok(reference)
    }

    /// Whether it is of the model with one of these digests; one that does not say of which model
    /// it is may be of any.
    #[must_use]
    pub fn is_of(&self, digests: [&str; 2]) -> bool {
        let own = self.model.as_ref().map(|model| model.digest.as_str());
        own.is_none_or(|own| digests.contains(&own))
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// A contract error if a score is infinite: JSON has no such number.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let is_finite = |class: &ReferenceClass| {
            let points = class.calibration.points().iter().map(|point| point.0);
            points
                .chain(class.edges.iter().copied())
                .all(f64::is_finite)
        };
        if !self.classes.iter().all(is_finite) {
            return Err(Error::contract(
                "a score is infinite, and a reference cannot hold it",
            ));
        }
        serde_json::to_vec(self)
            .map_err(|error| Error::internal("a reference that is not JSON").because(error))
    }
}

impl ReferenceClass {
    /// The bins of no rows.
    #[must_use]
    pub fn bins(&self) -> Vec<Bin> {
        vec![Bin::default(); self.edges.len()]
    }

    /// The bin of a score.
    #[must_use]
    pub fn bin(&self, score: f64) -> usize {
        let above = self.edges.partition_point(|edge| *edge <= score);
        above.saturating_sub(1)
    }
}

/// A class's calibration and bins on their way: scores come in rising order.
#[derive(Clone, Debug)]
pub struct ClassBuilder {
    fit: IsotonicFit,
    rows: u64,
    seen: u64,
    /// All scores, while they are few.
    distinct: Option<Vec<f64>>,
    /// Scores at equal distances by rows.
    spaced: Vec<f64>,
    positives: u64,
}

impl ClassBuilder {
    /// Of so many rows.
    #[must_use]
    pub fn new(rows: u64) -> Self {
        Self {
            fit: IsotonicFit::default(),
            rows,
            seen: 0,
            distinct: Some(Vec::new()),
            spaced: Vec::new(),
            positives: 0,
        }
    }

    /// Takes the next higher score with its rows.
    pub fn add(&mut self, score: f64, positives: u64, negatives: u64) {
        let rows = positives + negatives;
        self.fit.add(score, positives as f64, rows as f64);
        if let Some(distinct) = &mut self.distinct {
            distinct.push(score);
        }
        if self
            .distinct
            .as_ref()
            .is_some_and(|few| few.len() > MAX_BINS)
        {
            self.distinct = None;
        }
        let due = self.spaced.len() as u128 * u128::from(self.rows);
        if u128::from(self.seen) * MAX_BINS as u128 >= due && self.spaced.len() < MAX_BINS {
            self.spaced.push(score);
        }
        self.seen += rows;
        self.positives += positives;
    }

    /// What is known of the class; none if all rows are of it, or none is.
    #[must_use]
    pub fn finish(self, label: String, score: String) -> Option<ReferenceClass> {
        (self.positives > 0 && self.positives < self.seen).then(|| ReferenceClass {
            label,
            score,
            calibration: self.fit.finish(),
            edges: self.distinct.unwrap_or(self.spaced),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_scores_have_bins_of_their_own_and_many_have_as_many_rows_each() {
        let built = |count: u64| {
            let mut builder = ClassBuilder::new(count);
            (0..count).for_each(|row| builder.add(row as f64, row % 2, 1 - row % 2));
            builder.finish("1".into(), "probability".into()).unwrap()
        };
        let few = built(1_000);
        assert_eq!(few.edges.len(), 1_000);
        assert_eq!(
            [few.bin(-1.0), few.bin(0.0), few.bin(7.5), few.bin(1e9)],
            [0, 0, 7, 999]
        );
        let many = built(100_000);
        assert_eq!(many.edges.len(), MAX_BINS);
        let widths = many.edges.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(
            widths.clone().all(|width| (24.0..=25.0).contains(&width)),
            "{widths:?}"
        );
        let mut one = ClassBuilder::new(2);
        one.add(0.5, 2, 0);
        assert!(one.finish("1".into(), "p".into()).is_none());
    }

    #[test]
    fn a_reference_comes_back_from_its_file_and_other_bytes_are_refused() {
        let mut builder = ClassBuilder::new(3);
        [(0.1, 0, 1), (0.30000000000000004, 1, 0), (0.9, 1, 0)]
            .iter()
            .for_each(|(score, positives, negatives)| builder.add(*score, *positives, *negatives));
        let class = builder.finish("1".into(), "probability".into()).unwrap();
        let mut reference = Reference::new(3, vec![class]);
        reference.metrics.insert("roc_auc".into(), 1.0 / 3.0);
        let bytes = reference.to_bytes().unwrap();
        assert_eq!(Reference::parse(&bytes).unwrap(), reference);
        let text = String::from_utf8(bytes).unwrap();
        let older = text.replace("\"version\":2", "\"version\":1");
        let older = Reference::parse(older.as_bytes()).unwrap();
        assert!(older.model.is_none() && older.is_of(["sha256:a", "sha256:b"]));
        let origin = Origin {
            name: "churn".into(),
            version: Some("3".into()),
            digest: "sha256:b".into(),
            file_digest: format!("sha256:{}", "a1".repeat(32)),
        };
        reference.model = Some(ReferenceModel::of(&origin));
        let again = Reference::parse(&reference.to_bytes().unwrap()).unwrap();
        assert_eq!(again, reference);
        assert!(again.is_of(["sha256:b", &origin.file_digest]));
        assert!(!again.is_of(["sha256:b", "sha256:c"]));
        let shown = again.model.unwrap().to_string();
        assert_eq!(shown, "`churn` of version 3 (sha256:a1a1a1a1a1a1\u{2026})");
        for (from, to, part) in [
            ("tallow reference", "other", "not a reference"),
            ("\"version\":2", "\"version\":3", "version 3"),
            ("0.9", "0.2", "damaged"),
            ("{", "[", "not a reference"),
        ] {
            let error = Reference::parse(text.replace(from, to).as_bytes()).unwrap_err();
            assert!(error.to_string().contains(part), "{from}: {error}");
        }
    }
}
