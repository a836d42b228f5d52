//! The scores of a run, counted in the bins of a reference.
//!
//! Owns how columns of scores and predicted labels become sums. It must not know reports.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type};

use super::bins::{self, Bin, METRICS, Metrics};
use super::reference::{Reference, ReferenceClass};
use crate::error::{Error, Result};
use crate::monitor::interval::Estimate;
use crate::pipeline::observer::{Observer, Partial, ScoredPortion};
use crate::statistics::bytes::{Reader, Writer};

/// Least score of a class of two that is called positive.
const DEFAULT_THRESHOLD: f64 = 0.5;

/// Counts the scores of a run.
#[derive(Debug)]
pub struct PerformanceObserver {
    reference: Arc<Reference>,
    /// The columns of scores, class by class, among those that the model adds.
    scores: Vec<usize>,
    prediction: Option<usize>,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq)]
pub struct PerformanceCounts {
    /// By class, then by bin.
    classes: Vec<Vec<Bin>>,
    /// Rows without a score.
    without_score: u64,
    reference: Arc<Reference>,
}

/// What rows without labels are expected to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimates {
    /// The rows that have a score.
    pub rows: u64,
    /// The rows without one.
    pub without_score: u64,
    /// Metrics by their names, with bands that hold what labels would show in 95 % of cases.
    pub metrics: Vec<(String, Estimate)>,
}

impl PerformanceObserver {
    /// The observer of columns that a model adds.
    ///
    /// # Errors
    /// A contract error if the model does not add a column that the reference names.
    pub fn new(reference: Arc<Reference>, fields: &[Field]) -> Result<Self> {
        let index = |name: &str| {
            let index = fields.iter().position(|field| field.name() == name);
            index.ok_or_else(|| {
                Error::contract("the reference is of scores that the model does not give")
                    .at_column(name)
                    .hint(
                        "write the reference from this model's own predictions: `tallow evaluate \
                         --save-reference`",
                    )
            })
        };
        let scores = reference.classes.iter().map(|class| index(&class.score));
        Ok(Self {
            scores: scores.collect::<Result<_>>()?,
            prediction: reference.prediction.as_deref().map(index).transpose()?,
            reference,
        })
    }

    fn nothing(&self) -> PerformanceCounts {
        let classes = self.reference.classes.iter();
        PerformanceCounts {
            classes: classes.map(ReferenceClass::bins).collect(),
            without_score: 0,
            reference: self.reference.clone(),
        }
    }
}

impl Observer for PerformanceObserver {
    fn name(&self) -> &'static str {
        "performance"
    }

    fn version(&self) -> u32 {
        1
    }

    fn empty(&self) -> Box<dyn Partial> {
        Box::new(self.nothing())
    }

    fn observe(&self, portion: &ScoredPortion<'_>) -> Result<Box<dyn Partial>> {
        let column = |index: usize| {
            portion
                .scores
                .get(index)
                .ok_or_else(|| Error::internal("a column of scores that is not there"))
        };
        let scores = self.scores.iter().map(|index| numbers(column(*index)?));
        let scores = scores.collect::<Result<Vec<Float64Array>>>()?;
        let called = self.prediction.map(|index| texts(column(index)?));
        let called = called.transpose()?;
        let mut counts = self.nothing();
        let classes = &self.reference.classes;
        let threshold = self.reference.threshold.unwrap_or(DEFAULT_THRESHOLD);
        let mut row_scores = vec![0.0; classes.len()];
        for row in 0..scores.first().map_or(0, Array::len) {
            let is_known =
                |scores: &Float64Array| scores.is_valid(row) && !scores.value(row).is_nan();
            if !scores.iter().all(is_known) {
                counts.without_score += 1;
                continue;
            }
            for (value, scores) in row_scores.iter_mut().zip(&scores) {
                *value = scores.value(row);
            }
            let label = called
                .as_ref()
                .filter(|called| called.is_valid(row))
                .map(|called| called.value(row));
            let best = largest(&row_scores);
            let probabilities = probabilities(classes, &row_scores);
            for (number, class) in classes.iter().enumerate() {
                let is_called = match label {
                    Some(label) => label == class.label,
                    None if classes.len() == 1 => row_scores[number] >= threshold,
                    None => best == number,
                };
                let bin = class.bin(row_scores[number]);
                counts.classes[number][bin].add(probabilities[number], is_called);
            }
        }
        Ok(Box::new(counts))
    }

    fn needs_only_scores(&self) -> bool {
        true
    }

    fn partial_of(&self, bytes: &[u8]) -> Option<Box<dyn Partial>> {
        let mut reader = Reader::new(bytes);
        let mut counts = self.nothing();
        counts.without_score = reader.count()?;
        if reader.integer()? != counts.classes.len() as u64 {
            return None;
        }
        for bins in &mut counts.classes {
            if reader.integer()? != bins.len() as u64 {
                return None;
            }
            for bin in bins {
                for (rows, expected) in bin.rows.iter_mut().zip(&mut bin.expected) {
                    *rows = reader.count()?;
                    let low = u128::from(reader.integer()?);
                    *expected = u128::from(reader.integer()?) << 64 | low;
                }
            }
        }
        reader
            .is_at_end()
            .then(|| Box::new(counts) as Box<dyn Partial>)
    }
}

impl Partial for PerformanceCounts {
    fn merge(&mut self, other: &dyn Partial) -> Result<()> {
        let other: &dyn Any = other;
        let other = other
            .downcast_ref::<Self>()
            .filter(|other| other.classes.len() == self.classes.len())
            .ok_or_else(|| Error::internal("scores of another reference"))?;
        self.without_score += other.without_score;
        for (own, other) in self.classes.iter_mut().zip(&other.classes) {
            own.iter_mut()
                .zip(other)
                .for_each(|(own, other)| own.merge(other));
        }
        Ok(())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.integer(self.without_score);
        writer.integer(self.classes.len() as u64);
        for bins in &self.classes {
            writer.integer(bins.len() as u64);
            for bin in bins {
                for (rows, expected) in bin.rows.iter().zip(bin.expected) {
                    writer.integer(*rows);
                    writer.integer(expected as u64);
                    writer.integer((expected >> 64) as u64);
                }
            }
        }
        writer.into_bytes()
    }
}

impl PerformanceCounts {
    /// What the labels of earlier rows showed.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// What labels are expected to show; none without rows.
    #[must_use]
    pub fn estimates(&self) -> Option<Estimates> {
        let known = self.classes.iter().map(|bins| bins::estimate(bins));
        let known: Vec<Metrics> = known.collect::<Option<_>>()?;
        let replicates = bins::replicates(&self.classes);
        let errors: Vec<f64> = self
            .classes
            .iter()
            .map(|bins| bins::area_error(bins))
            .collect();
        let rows = self.classes.first()?;
        let rows = rows.iter().map(|bin| bin.rows[0] + bin.rows[1]).sum();
        let mut metrics = Vec::new();
        for (index, name) in METRICS.iter().enumerate() {
            let value = joined(&known, index, rows as f64, self);
            let drawn = replicates.iter();
            let drawn = drawn.map(|classes| joined(classes, index, rows as f64, self));
            let mut estimate = Estimate::of_moved_replicates(value, drawn.collect(), (0.0, 1.0));
            if *name == "roc_auc"
                && let Some((low, high)) = &mut estimate.interval
            {
                let error = errors.iter().sum::<f64>() / errors.len() as f64;
                (*low, *high) = ((*low - error).max(0.0), (*high + error).min(1.0));
            }
            if value.is_finite() {
                metrics.push((self.named(name), estimate));
            }
        }
        Some(Estimates {
            rows,
            without_score: self.without_score,
            metrics,
        })
    }

    fn named(&self, metric: &str) -> String {
        if self.classes.len() == 1 || metric == "accuracy" {
            metric.to_owned()
        } else {
            format!("{metric}_macro")
        }
    }
}

/// A metric of one class, or the mean over several; of these the accuracy is the share of rows
/// whose called class is expected to be theirs.
fn joined(classes: &[Metrics], metric: usize, rows: f64, counts: &PerformanceCounts) -> f64 {
    if let [only] = classes {
        return only[metric];
    }
    if METRICS[metric] != "accuracy" {
        return classes.iter().map(|class| class[metric]).sum::<f64>() / classes.len() as f64;
    }
    let precision = 3;
    let called = counts.classes.iter().zip(classes).map(|(bins, class)| {
        let called: u64 = bins.iter().map(|bin| bin.rows[1]).sum();
        called as f64 * class[precision]
    });
    called.sum::<f64>() / rows
}

/// Calibrated probabilities; of several classes they add up to 1.
fn probabilities(classes: &[ReferenceClass], scores: &[f64]) -> Vec<f64> {
    let calibrated = classes.iter().zip(scores);
    let mut calibrated: Vec<f64> = calibrated
        .map(|(class, score)| class.calibration.value(*score))
        .collect();
    if classes.len() > 1 {
        let sum: f64 = calibrated.iter().sum();
        let even = 1.0 / classes.len() as f64;
        calibrated
            .iter_mut()
            .for_each(|value| *value = if sum > 0.0 { *value / sum } else { even });
    }
    calibrated
}

/// The first of the largest scores.
fn largest(scores: &[f64]) -> usize {
    let better = |best: usize, index: usize| {
        if scores[index] > scores[best] {
            index
        } else {
            best
        }
    };
    (1..scores.len()).fold(0, better)
}

fn numbers(column: &ArrayRef) -> Result<Float64Array> {
    let numbers = cast(column, &DataType::Float64).map_err(not_scores)?;
    Ok(numbers.as_primitive::<Float64Type>().clone())
}

fn texts(column: &ArrayRef) -> Result<StringArray> {
    let texts = cast(column, &DataType::Utf8).map_err(not_scores)?;
    Ok(texts.as_string::<i32>().clone())
}

fn not_scores(error: arrow::error::ArrowError) -> Error {
    Error::contract("the reference names a column that holds no scores").because(error)
}

#[cfg(test)]
mod tests {

    use arrow::array::RecordBatch;

    use super::*;
    use crate::feature::verdict::Origin;
    use crate::monitor::estimate::reference::ClassBuilder;

    const LABELS: [&str; 3] = ["a", "b", "c"];

    /// The rows of `data/golden/estimates.py`: scores of three classes, and the label.
    fn rows() -> Vec<([f64; 3], usize)> {
        let largest = |values: [f64; 3]| {
            let better = |best: usize, index: usize| {
                if values[index] > values[best] {
                    index
                } else {
                    best
                }
            };
            [1, 2].into_iter().fold(0, better)
        };
        let row = |i: u64| {
            let share = |number: u64, of: u64| (number % of) as f64 / of as f64;
            let raw = [
                share(17 * i, 53) + 0.1,
                share(31 * i + 5, 47) + 0.1,
                share(7919 * i, 101) + 0.1,
            ];
            let sum = raw[0] + raw[1] + raw[2];
            let noisy = [
                raw[0] + share(13 * i, 29),
                raw[1] + share(11 * i + 3, 23),
                raw[2] + share(29 * i, 31),
            ];
            (raw.map(|value| value / sum), largest(noisy))
        };
        (0..600).map(row).collect()
    }

    fn reference(rows: &[([f64; 3], usize)]) -> Reference {
        let class = |class: usize| {
            let mut scores: Vec<(f64, bool)> = rows
                .iter()
                .map(|(scores, label)| (scores[class], *label == class))
                .collect();
            scores.sort_by(|one, other| one.0.total_cmp(&other.0));
            let mut builder = ClassBuilder::new(scores.len() as u64);
            for tied in scores.chunk_by(|one, other| one.0 == other.0) {
                let positives = tied.iter().filter(|one| one.1).count() as u64;
                builder.add(tied[0].0, positives, tied.len() as u64 - positives);
            }
            let label = LABELS[class].to_owned();
            let score = format!("probability_{label}");
            builder.finish(label, score).unwrap()
        };
        let mut reference = Reference::new(rows.len() as u64, [0, 1, 2].map(class).into());
        reference.prediction = Some("prediction".to_owned());
        reference
    }

    fn fields() -> Vec<Field> {
        let number =
            |label: &&str| Field::new(format!("probability_{label}"), DataType::Float64, true);
        let text = Field::new("prediction", DataType::Utf8, true);
        std::iter::once(text)
            .chain(LABELS.iter().map(number))
            .collect()
    }

    fn columns(rows: &[([f64; 3], usize)]) -> Vec<ArrayRef> {
        let called: StringArray = rows
            .iter()
            .map(|(scores, _)| Some(LABELS[largest(scores)]))
            .collect();
        let score = |class: usize| {
            let scores: Float64Array = rows.iter().map(|(scores, _)| Some(scores[class])).collect();
            Arc::new(scores) as ArrayRef
        };
        vec![Arc::new(called), score(0), score(1), score(2)]
    }

    fn observed(observer: &PerformanceObserver, columns: &[ArrayRef]) -> PerformanceCounts {
        let none = RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty()));
        let portion = ScoredPortion {
            champion: None,
            rows: &none,
            rejections: &[],
            scores: columns,
            verdicts: &[],
            origin: Origin {
                path: &"a".into(),
                kept_rows: None,
                first_row: 0,
            },
        };
        let seen: Box<dyn Any> = observer.observe(&portion).unwrap();
        *seen.downcast().unwrap()
    }

    #[test]
    fn several_classes_are_averaged_as_in_nannyml() {
        let rows = rows();
        let observer = PerformanceObserver::new(Arc::new(reference(&rows)), &fields()).unwrap();
        let counts = observed(&observer, &columns(&rows));
        let found = counts.estimates().unwrap();
        assert_eq!((found.rows, found.without_score), (600, 0));
        for (name, expected) in [
            ("accuracy", 0.624_384_970_320_708_3),
            ("precision_macro", 0.624_323_371_474_574_5),
            ("recall_macro", 0.624_347_175_585_092_2),
            ("f1_macro", 0.624_312_810_413_325_6),
            ("specificity_macro", 0.812_202_159_798_025_6),
            ("roc_auc_macro", 0.821_070_780_449_075),
        ] {
            let metric = found.metrics.iter().find(|metric| metric.0 == name);
            let estimate = metric.unwrap().1;
            assert!(
                (estimate.value - expected).abs() < 1e-12,
                "{name} {estimate:?}"
            );
            let (low, high) = estimate.interval.unwrap();
            assert!(low < expected && expected < high, "{name} {estimate:?}");
        }
    }

    #[test]
    fn parts_merge_to_the_whole_and_come_back_from_their_bytes() {
        let rows = rows();
        let observer = PerformanceObserver::new(Arc::new(reference(&rows)), &fields()).unwrap();
        let whole = observed(&observer, &columns(&rows));
        let mut merged = observed(&observer, &columns(&rows[250..]));
        merged
            .merge(&observed(&observer, &columns(&rows[..250])))
            .unwrap();
        assert_eq!(merged, whole);
        let back: Box<dyn Any> = observer.partial_of(&whole.to_bytes()).unwrap();
        assert_eq!(*back.downcast::<PerformanceCounts>().unwrap(), whole);
        assert!(observer.partial_of(&whole.to_bytes()[1..]).is_none());
        let missing = PerformanceObserver::new(Arc::new(reference(&rows)), &fields()[..2]);
        assert!(missing.unwrap_err().to_string().contains("probability_b"));
    }

    #[test]
    fn rows_without_a_score_are_counted_apart() {
        let rows = rows();
        let observer = PerformanceObserver::new(Arc::new(reference(&rows)), &fields()).unwrap();
        let mut columns = columns(&rows[..3]);
        columns[2] = Arc::new(Float64Array::from(vec![Some(0.5), None, Some(f64::NAN)]));
        let found = observed(&observer, &columns).estimates().unwrap();
        assert_eq!((found.rows, found.without_score), (1, 2));
        let none = observed(&observer, &super::tests::columns(&[]));
        assert_eq!(none.estimates(), None);
    }
}
