//! The walk through sorted rows, which gives every segment its metrics.
//!
//! Owns which metrics a task has, and their names: those of scikit-learn. It must not know how they
//! are shown.

use super::columns::Columns;
use super::found::{ALL, Counts, Evaluation, Segment, Tables};
use super::gather::{Gather, NO_CLASS, Sums, ordered_number};
use super::label::{Labels, in_order, positive};
use super::mismatch::disjoint;
use super::question::{Question, Task};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::monitor::calibration::Calibration;
use crate::monitor::confusion::{Average, Confusion};
use crate::monitor::curve::{Costs, Curve, CurveMetrics};
use crate::monitor::estimate::reference::{ClassBuilder, Reference};
use crate::monitor::interval::Estimate;
use crate::monitor::ranking::Ranking;
use crate::monitor::regression::{Influence, median_interval};
use crate::table::sorted::Record;

/// The threshold of predicted classes that are not in the table.
const DEFAULT_THRESHOLD: f64 = 0.5;

/// Steps of the sweep over thresholds between 0 and 1.
const SWEEP_STEPS: u32 = 20;

/// Rows between two looks at whether the process was asked to stop.
const ROWS_BETWEEN_CHECKS: u64 = 1 << 16;

/// What a walk needs to know of the whole.
struct Whole<'a> {
    request: &'a Question,
    task: Task,
    epsilon: f64,
    classes: &'a [String],
    /// The numbers of the classes in the order in which they are shown.
    order: Vec<usize>,
    /// The classes that have a column of scores.
    scored: usize,
    /// The number of the positive class of two; [`NO_CLASS`] for one that did not come.
    positive: u32,
    costs: Costs,
}

/// Walks through the rows.
///
/// # Errors
/// Fails if rows cannot be read back, or no class is known to be positive.
pub(super) fn walk(
    request: &Question,
    columns: &Columns,
    labels: &Labels,
    gather: Gather,
    counts: Counts,
    interrupt: &Interrupt,
) -> Result<Evaluation> {
    let classes = labels.classes.names();
    let is_binary = columns.task == Task::Binary;
    let positive = is_binary
        .then(|| positive(request.positive.as_deref(), classes))
        .transpose()?;
    let number = |name: &String| classes.iter().position(|class| class == name);
    let whole = Whole {
        request,
        task: columns.task,
        epsilon: columns.epsilon,
        classes,
        order: in_order(classes),
        scored: columns.classes.len(),
        positive: positive
            .as_ref()
            .and_then(number)
            .map_or(NO_CLASS, |at| at as u32),
        costs: Costs {
            false_positive: request.cost_fp.unwrap_or(1.0),
            false_negative: request.cost_fn.unwrap_or(1.0),
        },
    };
    let names = labels.segments.names();
    let name = |segment: u32| match segment.checked_sub(1) {
        Some(index) => names[index as usize].clone(),
        None => ALL.to_owned(),
    };
    let all = gather.sums.get(&0);
    let disjoint = all.and_then(|all| disjoint(all.classes.keys().copied(), classes));
    let mut sums = gather.sums;
    let mut segments = Vec::new();
    let mut builders = Vec::new();
    let mut end = |segment: u32, walk: Option<Walk>, sums: Sums| {
        let mut walk = walk.unwrap_or_else(|| Walk::new(&whole, &sums, false));
        builders.extend(walk.take_builders());
        segments.push(walk.finish(&whole, name(segment), &sums));
    };
    let mut current: Option<(u32, Walk, Sums)> = None;
    let mut sorted = gather.sorter.finish()?;
    let mut rows = 0;
    while let Some((key, payload)) = sorted.next_record()? {
        rows += 1;
        if rows % ROWS_BETWEEN_CHECKS == 0 {
            interrupt.check()?;
        }
        let (segment, key) = key.split_first_chunk::<4>().ok_or_else(damaged)?;
        let segment = u32::from_be_bytes(*segment);
        if let Some((last, walk, sums)) = current.take_if(|current| current.0 != segment) {
            interrupt.check()?;
            end(last, Some(walk), sums);
        }
        let (_, walk, _) = if let Some(current) = &mut current {
            current
        } else {
            let sums = sums.remove(&segment).ok_or_else(damaged)?;
            let is_kept = request.wants_reference && segment == 0;
            current.insert((segment, Walk::new(&whole, &sums, is_kept), sums))
        };
        walk.step(&whole, (key.to_vec(), payload))
            .ok_or_else(damaged)?;
    }
    if let Some((last, walk, sums)) = current {
        end(last, Some(walk), sums);
    }
    // Segments whose rows have no score are not in the order of scores.
    sums.into_iter()
        .for_each(|(segment, sums)| end(segment, None, sums));
    segments.sort_by(|left, right| left.name.cmp(&right.name));
    let reference = request
        .wants_reference
        .then(|| reference(&whole, columns, positive.as_deref(), builders, &segments))
        .transpose()?;
    Ok(Evaluation {
        reference,
        counts,
        task: columns.task,
        classes: match &positive {
            Some(positive) => vec![negative(classes, positive), positive.clone()],
            None => whole
                .order
                .iter()
                .map(|class| classes[*class].clone())
                .collect(),
        },
        positive,
        costs: whole.costs,
        segments,
        run_id: None,
        origin: None,
        split: Vec::new(),
        names_models: false,
        disjoint,
    })
}

/// What rows without labels are judged by.
fn reference(
    whole: &Whole,
    columns: &Columns,
    positive: Option<&str>,
    builders: Vec<ClassBuilder>,
    segments: &[Segment],
) -> Result<Reference> {
    let labels = match positive {
        Some(positive) => vec![positive.to_owned()],
        None => columns.classes.clone(),
    };
    let scores = columns.score_names();
    if builders.is_empty() || labels.len() != builders.len() || scores.len() != builders.len() {
        let error = Error::contract("a reference is made of probabilities, and there are none");
        return Err(error.hint(
            "predictions of classes have them as `probability` or `probability_<label>`; `--score` \
             names another column",
        ));
    }
    let mut classes = Vec::new();
    for ((builder, label), score) in builders.into_iter().zip(labels).zip(scores) {
        let class = builder.finish(label.clone(), score).ok_or_else(|| {
            Error::contract(format!(
                "a reference needs rows of the class `{label}` and rows of others"
            ))
            .hint("take predictions of more days")
        })?;
        classes.push(class);
    }
    let all = segments.iter().find(|segment| segment.name == ALL);
    let mut reference = Reference::new(all.map_or(0, |all| all.rows), classes);
    reference.threshold = whole.request.threshold;
    if reference.threshold.is_none() {
        reference.prediction = columns.predicted_name();
    }
    let metrics = all.into_iter().flat_map(|all| &all.metrics);
    let metrics = metrics.filter(|(_, estimate)| estimate.value.is_finite());
    reference.metrics = metrics
        .map(|(name, estimate)| (name.clone(), estimate.value))
        .collect();
    Ok(reference)
}

/// The other class of two; that of several is all but the positive one.
fn negative(classes: &[String], positive: &str) -> String {
    let others: Vec<&String> = classes.iter().filter(|class| *class != positive).collect();
    match others.as_slice() {
        [only] => (*only).clone(),
        _ => format!("not {positive}"),
    }
}

fn damaged() -> Error {
    Error::internal("a row that was put aside is damaged")
}

/// The walk through one segment.
enum Walk {
    Binary(Box<Binary>),
    Classes(Vec<Binary>),
    Regression(Box<Errors>),
    Ranking(Groups),
}

/// A score of one class against all others.
struct Binary {
    curve: Curve,
    calibration: Calibration,
    confusion: Confusion,
    /// The score being counted, and its positives and negatives.
    score: f64,
    tied: [u64; 2],
    /// What is kept for rows without labels, if that was asked for.
    builder: Option<ClassBuilder>,
}

/// Errors in rising order.
#[derive(Default)]
struct Errors {
    influence: Influence,
    mean: f64,
    ranks: [u64; 4],
    at_ranks: [f64; 4],
    rank: u64,
}

/// Groups of rows, one after the other.
#[derive(Default)]
struct Groups {
    ranking: Ranking,
    group: Vec<u8>,
    rows: Vec<(f64, f64)>,
}

impl Walk {
    fn new(whole: &Whole, sums: &Sums, is_kept: bool) -> Self {
        let binary = |class| Binary {
            builder: is_kept.then(|| ClassBuilder::new(sums.rows)),
            ..Binary::new(whole, sums, class)
        };
        match whole.task {
            Task::Binary => Self::Binary(Box::new(binary(whole.positive))),
            Task::Classes => Self::Classes((0..whole.scored as u32).map(binary).collect()),
            Task::Regression => Self::Regression(Box::new(Errors {
                mean: sums.regression.mean_value().unwrap_or(0.0),
                ranks: median_interval(sums.rows).unwrap_or_default(),
                ..Errors::default()
            })),
            Task::Ranking => Self::Ranking(Groups::default()),
        }
    }

    /// Takes the next row; none for bytes that no row has.
    fn step(&mut self, whole: &Whole, (key, payload): Record) -> Option<()> {
        match self {
            Self::Binary(binary) => {
                let score = ordered_number(key.as_slice().try_into().ok()?);
                let [actual, predicted] = pair(&payload, u32::from_le_bytes)?;
                let is_called = match predicted {
                    NO_CLASS => score >= whole.request.threshold.unwrap_or(DEFAULT_THRESHOLD),
                    predicted => predicted == whole.positive,
                };
                let is_positive = actual == whole.positive;
                binary.calibration.add(score, is_positive, whole.epsilon);
                binary
                    .confusion
                    .add(usize::from(is_positive), usize::from(is_called), 1);
                binary.step(score, is_positive);
            }
            Self::Classes(classes) => {
                let (class, score) = key.split_first_chunk::<4>()?;
                let class = classes.get_mut(u32::from_be_bytes(*class) as usize)?;
                class.step(
                    ordered_number(score.try_into().ok()?),
                    *payload.first()? == 1,
                );
            }
            Self::Regression(errors) => {
                let [prediction, value] = pair(&payload, f64::from_le_bytes)?;
                errors.step(prediction, value);
            }
            Self::Ranking(groups) => {
                let [score, relevance] = pair(&payload, f64::from_le_bytes)?;
                if groups.group != key {
                    groups.end_group();
                    groups.group = key;
                }
                groups.rows.push((score, relevance));
            }
        }
        Some(())
    }

    /// What is kept for rows without labels, class by class.
    fn take_builders(&mut self) -> Vec<ClassBuilder> {
        let of = |binary: &mut Binary| {
            binary.end_tie();
            binary.builder.take()
        };
        match self {
            Self::Binary(binary) => of(binary).into_iter().collect(),
            Self::Classes(classes) => classes.iter_mut().filter_map(of).collect(),
            Self::Regression(_) | Self::Ranking(_) => Vec::new(),
        }
    }

    fn finish(self, whole: &Whole, name: String, sums: &Sums) -> Segment {
        let (metrics, tables) = match self {
            Self::Binary(binary) => binary.finish(),
            Self::Classes(classes) => class_metrics(whole, sums, classes),
            Self::Regression(errors) => (errors.metrics(sums), Tables::default()),
            Self::Ranking(groups) => (groups.metrics(), Tables::default()),
        };
        let known = |(name, estimate): (String, Option<Estimate>)| Some((name, estimate?));
        Segment {
            name,
            rows: sums.rows,
            metrics: metrics.into_iter().filter_map(known).collect(),
            tables,
        }
    }
}

/// Metrics that may not be defined.
type Metrics = Vec<(String, Option<Estimate>)>;

fn named<const N: usize>(metrics: [(&str, Option<Estimate>); N]) -> Metrics {
    metrics
        .into_iter()
        .map(|(name, estimate)| (name.to_owned(), estimate))
        .collect()
}

/// Two values of one size.
fn pair<T, const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> T) -> Option<[T; 2]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    Some([value(*first), value(rest.try_into().ok()?)])
}

impl Binary {
    fn new(whole: &Whole, sums: &Sums, class: u32) -> Self {
        let positives = sums
            .classes
            .iter()
            .filter(|((actual, _), _)| *actual == class)
            .map(|(_, count)| count)
            .sum();
        let thresholds: Vec<f64> = (1..SWEEP_STEPS)
            .map(|step| f64::from(step) / f64::from(SWEEP_STEPS))
            .collect();
        let curve = Curve::new(positives, sums.rows - positives, &thresholds, whole.costs);
        Self {
            curve: match whole.task {
                Task::Binary => curve,
                // Of each of several classes the area alone is used.
                _ => curve.without_intervals(),
            },
            calibration: Calibration::default(),
            confusion: Confusion::new(2),
            score: f64::NAN,
            tied: [0; 2],
            builder: None,
        }
    }

    fn step(&mut self, score: f64, is_positive: bool) {
        if score != self.score {
            self.end_tie();
            self.score = score;
        }
        self.tied[usize::from(!is_positive)] += 1;
    }

    fn end_tie(&mut self) {
        let [positives, negatives] = std::mem::take(&mut self.tied);
        if positives + negatives > 0 {
            self.curve.step(self.score, positives, negatives);
            if let Some(builder) = &mut self.builder {
                builder.add(self.score, positives, negatives);
            }
        }
    }

    fn curve(mut self) -> CurveMetrics {
        self.end_tie();
        self.curve.finish()
    }

    fn finish(mut self) -> (Metrics, Tables) {
        self.end_tie();
        let Self {
            curve,
            calibration,
            confusion,
            ..
        } = self;
        let curve = curve.finish();
        let positive = confusion.class(1);
        let has_positives = positive.support > 0;
        let bias = calibration.calibration_in_the_large();
        let metrics = named([
            ("roc_auc", curve.roc_auc),
            ("gini", curve.gini),
            ("average_precision", curve.average_precision),
            ("ks", curve.ks),
            ("log_loss", calibration.log_loss()),
            ("brier", calibration.brier()),
            ("ece", calibration.ece()),
            ("calibration_in_the_large", bias.map(Estimate::exactly)),
            (
                "positive_rate",
                Estimate::proportion(positive.support, confusion.total()),
            ),
            ("accuracy", confusion.accuracy()),
            ("balanced_accuracy", confusion.balanced_accuracy()),
            ("precision", positive.precision),
            ("recall", positive.recall),
            ("specificity", confusion.specificity(1)),
            ("f1", has_positives.then_some(positive.f1)),
            ("mcc", confusion.mcc()),
        ]);
        let tables = Tables {
            confusion: Some(confusion),
            calibration: Some(calibration),
            curve: Some(curve),
        };
        (metrics, tables)
    }
}

fn class_metrics(whole: &Whole, sums: &Sums, curves: Vec<Binary>) -> (Metrics, Tables) {
    let mut shown_at = vec![0; whole.classes.len()];
    for (index, class) in whole.order.iter().enumerate() {
        shown_at[*class] = index;
    }
    let mut confusion = Confusion::new(whole.classes.len());
    for ((actual, predicted), count) in &sums.classes {
        let [actual, predicted] = [actual, predicted].map(|class| shown_at[*class as usize]);
        confusion.add(actual, predicted, *count);
    }
    let mut metrics = named([
        ("accuracy", confusion.accuracy()),
        ("balanced_accuracy", confusion.balanced_accuracy()),
        ("mcc", confusion.mcc()),
    ]);
    for (suffix, average) in [
        ("macro", Average::Macro),
        ("micro", Average::Micro),
        ("weighted", Average::Weighted),
    ] {
        for (index, metric) in ["precision", "recall", "f1"].into_iter().enumerate() {
            let averaged = confusion.averaged(average).map(|metrics| metrics[index]);
            metrics.push((format!("{metric}_{suffix}"), averaged));
        }
    }
    let has_losses = !sums.has_other_scores;
    let losses = [
        ("log_loss", sums.log_loss.estimate((0.0, f64::MAX))),
        ("brier", sums.brier.estimate((0.0, 2.0))),
    ];
    metrics.extend(named(
        losses.map(|(name, loss)| (name, loss.filter(|_| has_losses))),
    ));
    let mut areas: Vec<Option<Estimate>> = curves
        .into_iter()
        .map(|curve| curve.curve().roc_auc)
        .collect();
    // A class that only labels have is scored by nothing.
    areas.resize(whole.classes.len(), None);
    let areas: Vec<Option<Estimate>> = whole.order.iter().map(|class| areas[*class]).collect();
    let supports: Vec<u64> = (0..whole.classes.len())
        .map(|class| confusion.class(class).support)
        .collect();
    metrics.push((
        "roc_auc_macro".to_owned(),
        mean_area(&areas, &vec![1; areas.len()]),
    ));
    metrics.push(("roc_auc_weighted".to_owned(), mean_area(&areas, &supports)));
    for (class, number) in whole.order.iter().enumerate() {
        let (of_class, name) = (confusion.class(class), &whole.classes[*number]);
        metrics.extend([
            (format!("precision[{name}]"), of_class.precision),
            (format!("recall[{name}]"), of_class.recall),
            (format!("f1[{name}]"), Some(of_class.f1)),
            (format!("roc_auc[{name}]"), areas[class]),
        ]);
    }
    let tables = Tables {
        confusion: Some(confusion),
        ..Tables::default()
    };
    (metrics, tables)
}

/// The mean of the classes' areas, each against all others; none if one is not defined. The
/// interval is that of areas that move together, so it is not too narrow.
fn mean_area(areas: &[Option<Estimate>], weights: &[u64]) -> Option<Estimate> {
    let total = weights.iter().sum::<u64>() as f64;
    let areas: Option<Vec<Estimate>> = areas.iter().copied().collect();
    let areas = areas.filter(|areas| !areas.is_empty() && total > 0.0)?;
    let mean = |of: &dyn Fn(&Estimate) -> f64| {
        let parts = areas.iter().zip(weights);
        parts
            .map(|(area, weight)| of(area) * *weight as f64)
            .sum::<f64>()
            / total
    };
    let is_known = areas.iter().all(|area| area.interval.is_some());
    let end = |which: fn((f64, f64)) -> f64| mean(&|area| area.interval.map_or(f64::NAN, which));
    Some(Estimate {
        value: mean(&|area| area.value),
        interval: is_known.then(|| (end(|ends| ends.0), end(|ends| ends.1))),
    })
}

impl Errors {
    fn step(&mut self, prediction: f64, value: f64) {
        let error = prediction - value;
        self.influence.add(error, value - self.mean);
        for (rank, at_rank) in self.ranks.iter().zip(&mut self.at_ranks) {
            if self.rank == *rank {
                *at_rank = error.abs();
            }
        }
        self.rank += 1;
    }

    fn metrics(&self, sums: &Sums) -> Metrics {
        let found = sums.regression.metrics(&self.influence);
        let [left, right, low, high] = self.at_ranks;
        let median = Estimate {
            value: f64::midpoint(left, right),
            interval: (sums.rows > 1).then_some((low, high)),
        };
        named([
            ("mae", found.mae),
            ("rmse", found.rmse),
            ("r2", found.r2),
            ("median_absolute_error", (sums.rows > 0).then_some(median)),
            ("mape", found.mape),
            ("smape", found.smape),
            ("mean_error", found.bias),
        ])
    }
}

impl Groups {
    fn end_group(&mut self) {
        if !self.rows.is_empty() {
            self.ranking.add(&mut self.rows);
            self.rows.clear();
        }
    }

    fn metrics(mut self) -> Metrics {
        self.end_group();
        let Ranking {
            ndcg,
            map,
            groups_without_relevance,
        } = self.ranking;
        let counted = |count: u64| Some(Estimate::exactly(count as f64));
        named([
            ("ndcg", ndcg.estimate((0.0, 1.0))),
            ("map", map.estimate((0.0, 1.0))),
            ("groups", counted(ndcg.count())),
            (
                "groups_without_relevance",
                counted(groups_without_relevance),
            ),
        ])
    }
}
