//! Predictions of several models for the same rows, ranked by a metric.
//!
//! Owns the order of the arms and which of their differences are real: each arm is compared with
//! the best one on the rows that both have, by the paired tests of [`crate::monitor::compare`], and
//! the probabilities are corrected for the number of comparisons (S. Holm, *A simple sequentially
//! rejective multiple test procedure*, 1979). It must not know how the ranking is shown.

use super::record;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::monitor::compare::{self, Decision, Paired};
use crate::monitor::evaluate::{ALL, Evaluation, Question, Task, evaluate, is_loss};
use crate::monitor::interval::Estimate;
use crate::report::arms::ArmLine;
use crate::storage::Location;
use crate::table::ReadOptions;
use crate::table::origin::Origin;

/// A difference is real if it were rarer than this without one.
pub const SIGNIFICANCE: f64 = 0.05;

/// The predictions of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arm {
    /// What reports call it.
    pub name: String,
    /// The table.
    pub path: Location,
}

/// What is known of an arm against the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is the best.
    Best,
    /// It is worse, and that is no chance.
    Worse,
    /// It may be as good as the best.
    Undecided,
    /// No row tells it from the best.
    Same,
}

impl Standing {
    /// The word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Worse => "worse",
            Self::Undecided => "undecided",
            Self::Same => "same",
        }
    }
}

/// An arm in its place.
#[derive(Clone, Debug)]
pub struct RankedArm {
    /// Its name.
    pub name: String,
    /// The rows that were evaluated.
    pub rows: u64,
    /// The metric that ranks.
    pub estimate: Estimate,
    /// All metrics by their names.
    pub metrics: Vec<(String, Estimate)>,
    /// What its files say of its model, by name.
    pub model: Vec<(String, String)>,
    /// The metric of this arm less that of the best, on the rows that both have.
    pub difference: Option<Paired>,
    /// The probability of such a difference without one, corrected for the number of arms.
    pub p_adjusted: Option<f64>,
    /// What is known of it.
    pub standing: Standing,
}

impl RankedArm {
    fn line(&self) -> ArmLine<'_> {
        ArmLine {
            name: &self.name,
            rows: self.rows,
            estimate: self.estimate,
            metrics: &self.metrics,
            model: &self.model,
            difference: self.difference.as_ref(),
            p_adjusted: self.p_adjusted,
            standing: self.standing.name(),
        }
    }
}

/// All arms, the best first.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// The metric that ranks them.
    pub metric: String,
    /// The arm that was named first.
    pub first: String,
    /// The arms.
    pub arms: Vec<RankedArm>,
}

impl Ranking {
    /// The arms as a report lists them.
    #[must_use]
    pub fn lines(&self) -> Vec<ArmLine<'_>> {
        self.arms.iter().map(RankedArm::line).collect()
    }
}

/// How tables are read, and where rows go that do not fit into memory.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// How delimited text is read.
    pub options: &'a ReadOptions,
    /// The directory for rows that are put aside.
    pub directory: &'a Location,
    /// The bytes of rows that are sorted at once.
    pub run_bytes: usize,
}

/// Reads `NAME=PATH`, or a path, whose stem is the name then.
#[must_use]
pub fn parse(text: &str) -> Arm {
    let named = text
        .split_once('=')
        .filter(|(name, path)| !name.is_empty() && !name.contains('/') && !path.is_empty());
    match named {
        Some((name, path)) => Arm {
            name: name.to_owned(),
            path: path.into(),
        },
        None => of_path(&Location::from(text)),
    }
}

/// The arm of a table, which is called as its file.
#[must_use]
pub fn of_path(path: &Location) -> Arm {
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    Arm {
        name: stem.to_string_lossy().into_owned(),
        path: path.to_owned(),
    }
}

/// Ranks arms. `first` is what was found of the first of them.
///
/// # Errors
/// A usage error for two arms of one name, and for a metric that arms are not compared by; fails if
/// an arm cannot be evaluated.
pub fn rank(
    question: &Question,
    arms: &[Arm],
    first: &Evaluation,
    metric: Option<&str>,
    reading: Reading<'_>,
    interrupt: &Interrupt,
) -> Result<Ranking> {
    for (index, arm) in arms.iter().enumerate() {
        if arms[..index].iter().any(|known| known.name == arm.name) {
            return Err(
                Error::usage(format!("two arms have the name `{}`", arm.name))
                    .hint("name them: `--arm NAME=PATH`"),
            );
        }
    }
    let metric = metric.unwrap_or(match first.task {
        Task::Binary => "roc_auc",
        Task::Classes => "accuracy",
        Task::Regression | Task::Ranking => "mae",
    });
    if first.task == Task::Ranking {
        return Err(
            Error::usage("`--arm` ranks models of classes and of numbers")
                .hint("evaluate models that rank groups one by one"),
        );
    }
    let mut known = vec![Known::new(&arms[0], first, metric)?];
    for arm in &arms[1..] {
        let own = Question {
            predictions: vec![arm.path.clone()],
            by: Vec::new(),
            wants_reference: false,
            ..question.clone()
        };
        let evaluation = evaluate(
            &own,
            reading.options,
            reading.directory,
            reading.run_bytes,
            interrupt,
        )?;
        known.push(Known::new(arm, &evaluation, metric)?);
    }
    let sign = if is_loss(metric) { 1.0 } else { -1.0 };
    known.sort_by(|one, other| {
        (sign * one.estimate.value).total_cmp(&(sign * other.estimate.value))
    });
    let best = known[0].arm;
    let mut ranked = Vec::with_capacity(known.len());
    for own in known {
        let against = (!ranked.is_empty())
            .then(|| against(question, best, own.arm, metric, reading, interrupt))
            .transpose()?;
        let (difference, standing) = against.map_or((None, Standing::Best), |(difference, of)| {
            (Some(difference), of)
        });
        ranked.push(RankedArm {
            name: own.arm.name.clone(),
            rows: own.rows,
            estimate: own.estimate,
            metrics: own.metrics,
            model: own.model,
            difference,
            p_adjusted: None,
            standing,
        });
    }
    correct(&mut ranked);
    Ok(Ranking {
        metric: metric.to_owned(),
        first: arms[0].name.clone(),
        arms: ranked,
    })
}

/// What the files of predictions, and the record of their run, say of the model.
fn model_texts(origin: Option<&Origin>, path: &Location) -> Vec<(String, String)> {
    let is_named = origin.is_some();
    let origin = origin.into_iter().flat_map(Origin::texts);
    let origin = origin.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let of_record = record::model_texts_besides(path, is_named);
    origin.chain(of_record).collect()
}

/// An arm that was evaluated.
struct Known<'a> {
    arm: &'a Arm,
    rows: u64,
    estimate: Estimate,
    metrics: Vec<(String, Estimate)>,
    model: Vec<(String, String)>,
}

impl<'a> Known<'a> {
    fn new(arm: &'a Arm, evaluation: &Evaluation, metric: &str) -> Result<Self> {
        let all = evaluation.segments.iter().find(|one| one.name == ALL);
        let metrics = all.map_or_else(Vec::new, |all| all.metrics.clone());
        let estimate = metrics.iter().find(|(name, _)| name == metric);
        let Some((_, estimate)) = estimate else {
            let names: Vec<&str> = metrics.iter().map(|(name, _)| name.as_str()).collect();
            let error = Error::usage(format!("the evaluation has no metric `{metric}`"));
            return Err(error.hint(format!("the metrics are {}", names.join(", "))));
        };
        Ok(Self {
            arm,
            rows: all.map_or(0, |all| all.rows),
            estimate: *estimate,
            metrics,
            model: model_texts(evaluation.origin.as_ref(), &arm.path),
        })
    }
}

/// An arm less the best, on the rows that both have.
fn against(
    question: &Question,
    best: &Arm,
    arm: &Arm,
    metric: &str,
    reading: Reading<'_>,
    interrupt: &Interrupt,
) -> Result<(Paired, Standing)> {
    let pair = compare::Question {
        first: best.path.clone(),
        second: arm.path.clone(),
        key: question.key.clone(),
        label: Some(question.label.clone()),
        labels: question.labels.clone(),
        positive: question.positive.clone(),
        task: question.task,
        score: question.score.clone(),
        prediction: question.prediction.clone(),
        threshold: question.threshold,
        metric: Some(metric.to_owned()),
        ..compare::Question::default()
    };
    let tables = [
        compare::open(&pair.first, reading.options)?,
        compare::open(&pair.second, reading.options)?,
    ];
    let compared = compare::compare(
        &pair,
        &tables,
        reading.options,
        reading.directory,
        reading.run_bytes,
        interrupt,
    )?
    .rows()?;
    let verdict = compared
        .verdict
        .ok_or_else(|| Error::internal("a comparison without a verdict"))?;
    let standing = match verdict.decision {
        Decision::Same => Standing::Same,
        Decision::Worse => Standing::Worse,
        Decision::Better | Decision::NotInferior | Decision::Undecided => Standing::Undecided,
    };
    Ok((verdict.metric, standing))
}

/// Corrects probabilities for the number of comparisons; where there are some, they decide.
fn correct(arms: &mut [RankedArm]) {
    let mut order: Vec<(usize, f64)> = arms
        .iter()
        .enumerate()
        .filter_map(|(index, arm)| Some((index, arm.difference.as_ref()?.p?)))
        .collect();
    order.sort_by(|one, other| one.1.total_cmp(&other.1));
    let (count, mut least) = (order.len(), 0.0_f64);
    for (rank, (index, p)) in order.into_iter().enumerate() {
        least = least.max(p * (count - rank) as f64).min(1.0);
        let arm = &mut arms[index];
        arm.p_adjusted = Some(least);
        // On the rows that both have, one of fewer rows may be better than the first.
        let is_worse = arm
            .difference
            .as_ref()
            .is_some_and(|difference| (difference.difference.value < 0.0) == difference.is_score());
        if arm.standing != Standing::Same {
            arm.standing = if least < SIGNIFICANCE && is_worse {
                Standing::Worse
            } else {
                Standing::Undecided
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_corrected_as_holm_does() {
        // statsmodels 0.15.0: multipletests([0.01, 0.04, 0.03, 0.005], method="holm")
        let arm = |p: Option<f64>| RankedArm {
            name: String::new(),
            rows: 1,
            estimate: Estimate::exactly(0.5),
            metrics: Vec::new(),
            model: Vec::new(),
            difference: Some(Paired {
                name: "roc_auc",
                values: [0.6, 0.5],
                difference: Estimate::exactly(-0.1),
                p,
                test: "delong",
            }),
            p_adjusted: None,
            standing: Standing::Worse,
        };
        let mut arms: Vec<RankedArm> = [0.01, 0.04, 0.03, 0.005]
            .map(|p| arm(Some(p)))
            .into_iter()
            .chain([arm(None)])
            .collect();
        correct(&mut arms);
        let expected = [Some(0.03), Some(0.06), Some(0.06), Some(0.02), None];
        for (arm, expected) in arms.iter().zip(expected) {
            let is_near = match (arm.p_adjusted, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() < 1e-12,
                (found, expected) => found == expected,
            };
            assert!(is_near, "{arm:?}");
        }
        let standings: Vec<Standing> = arms.iter().map(|arm| arm.standing).collect();
        assert_eq!(
            standings,
            [
                Standing::Worse,
                Standing::Undecided,
                Standing::Undecided,
                Standing::Worse,
                Standing::Worse
            ]
        );
    }

    #[test]
    fn an_arm_is_named_or_called_as_its_file() {
        let of = |text: &str| {
            let arm = parse(text);
            (arm.name, arm.path.display().to_string())
        };
        assert_eq!(of("b=x/y.parquet"), ("b".into(), "x/y.parquet".into()));
        assert_eq!(of("x/y.parquet"), ("y".into(), "x/y.parquet".into()));
        assert_eq!(of("a/day=1/y.csv"), ("y".into(), "a/day=1/y.csv".into()));
    }
}
