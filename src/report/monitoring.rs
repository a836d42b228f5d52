//! What a run's monitoring found, as facts: sections `inputs` and `drift`.
//!
//! Owns the names of these facts. It must not know how they are computed or where they are shown.
//!
//! Section `inputs`, one subject for each column that the model reads, named as in the data (after
//! `--rename`), as the model reads it: after derived columns and policies, in the model's
//! precision. Its rows are those that were scored: filtered rows are not among them, nor those that
//! a policy or a rule rejected. So `count` is the ledger's `scored`, but in an A/B test, where it
//! counts the rows of the run's own model.
//!
//! | metric | meaning |
//! |---|---|
//! | `count` | rows that were scored |
//! | `null_count` | rows without a value, NaN not counted |
//! | `nan_count` | rows of NaN that came in as such |
//! | `infinite_count` | rows of +∞ and −∞ |
//! | `missing_rate` | share of rows without a value, NaN counted |
//! | `mean`, `standard_deviation` | of the finite numbers |
//! | `min`, `max` | only with `--show-values` |
//!
//! Section `drift`, one subject for each column of the baseline that the run has too, inputs and
//! scores:
//!
//! | metric | meaning |
//! |---|---|
//! | `verdict` | text: `ok`, `drift`, `undecided`, `missing`, `new`, `other_kind`, `not_compared` |
//! | `kind`, `baseline_kind` | text: what a column of another kind holds; `kind`, of times too |
//! | `js` | Jensen–Shannon distance, base 2; the least, where not every category is counted |
//! | `js_high` | the most, then |
//! | `js_noise` | what samples of one distribution have on average |
//! | `psi` | population stability index over 10 deciles of the baseline, or its categories |
//! | `ks_low`, `ks_high` | the Kolmogorov–Smirnov distance lies between them |
//! | `wasserstein`, `…_low`, `…_high` | over the baseline's standard deviation |
//! | `missing_rate`, `baseline_missing_rate` | shares of rows without a value |
//! | `unseen_rate`, `…_high`, `chi_square_p` | of categories |
//! | `p` | what decides below 10,000 rows |
//! | `mean`, `baseline_mean` | of the finite numbers |
//! | `rows`, `baseline_rows` | rows with a value |
//! | `max_js`, `max_ks` | the limits of the verdict |
//! | `histogram_…`, `category_…` | what [`super::overlay`] draws |
//! | `owner` | text: whom the manifest names for the column |
//!
//! With an empty subject: `drifted_share`, `drifted_share_high` (undecided columns counted as
//! drifted), `columns`, `drifted`, `undecided`, `missing_columns`, `new_columns`,
//! `other_kind_columns`, and the text `baseline` (the profile's path).
//!
//! Section `gates` is [`super::gates`]'s. A run's `status` is `withheld` or `gates_failed` if gates
//! or rules failed.

use std::borrow::Cow;

use arrow::datatypes::{DataType, Field};

use super::control::{self, History};
use super::drift::{Comparison, Uncompared};
use super::facts::Fact;
use super::gates::Judged;
use super::quality::Broken;
use crate::background;
use crate::feature::verdict::{Coercions, Reason};
use crate::monitor::against::{BaselineObserver, ColumnCounts, Counted, Counting};
use crate::monitor::against::{InputCounts, Values};
use crate::monitor::comparison::ColumnComparison;
use crate::monitor::drift::Limits;
use crate::monitor::profile::{ColumnProfile, Kind, Profile};
use crate::monitor::scores::ScoreStatistics;
use crate::pipeline::observer::Partials;
use crate::statistics::quantile_sketch::MAX_BUCKETS;
use crate::storage::Location;

/// The section of the model's inputs.
pub const INPUTS: &str = "inputs";

/// How the facts of estimates begin.
pub const ESTIMATED: &str = "estimated_";

/// The metrics of section `inputs`.
pub const INPUT_METRICS: [&str; 9] = [
    "count",
    "null_count",
    "nan_count",
    "infinite_count",
    "missing_rate",
    "mean",
    "standard_deviation",
    "min",
    "max",
];

/// The metrics of section `drift`, of a column; `ks` stands for `ks_low` and `ks_high`.
pub const DRIFT_METRICS: [&str; 25] = [
    "js",
    "js_high",
    "js_noise",
    "psi",
    "ks",
    "ks_low",
    "ks_high",
    "wasserstein",
    "wasserstein_low",
    "wasserstein_high",
    "baseline_missing_rate",
    "unseen_rate",
    "unseen_rate_high",
    "chi_square_p",
    "p",
    "baseline_mean",
    "rows",
    "baseline_rows",
    "drifted_share",
    "drifted_share_high",
    "drifted",
    "undecided",
    "missing_columns",
    "new_columns",
    "other_kind_columns",
];

/// The least limit of the Jensen–Shannon distance that is learnt: below it nothing is told apart.
const MIN_LIMIT: f64 = 0.01;

/// The metrics of numbers in section `scores`, besides its quantiles.
const SCORE_METRICS: [&str; 8] = [
    "count",
    "null_count",
    "nan_count",
    "infinite_count",
    "min",
    "max",
    "mean",
    "standard_deviation",
];

/// Facts that a gate can read.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The section.
    pub section: &'static str,
    /// The metric; one that ends in `_` stands for all that begin so.
    pub metric: String,
    /// The subjects; the empty one is the run as a whole.
    pub subjects: Vec<String>,
}

impl Offer {
    fn new(section: &'static str, metric: impl Into<String>, subjects: &[String]) -> Self {
        Self {
            section,
            metric: metric.into(),
            subjects: subjects.to_vec(),
        }
    }

    /// Whether a metric is meant.
    #[must_use]
    pub fn has_metric(&self, metric: &str) -> bool {
        self.metric == metric || self.metric.ends_with('_') && metric.starts_with(&self.metric)
    }

    /// Whether a subject, or `*`, is meant.
    #[must_use]
    pub fn has_subject(&self, subject: &str) -> bool {
        match subject {
            "*" => self.subjects.iter().any(|one| !one.is_empty()),
            subject => self.subjects.iter().any(|one| one == subject),
        }
    }

    /// The subjects that have a name.
    pub fn subjects(&self) -> impl Iterator<Item = &str> + Clone {
        let named = self.subjects.iter().filter(|one| !one.is_empty());
        named.map(String::as_str)
    }
}

/// The facts that the gates of a run can read: those of `known`, which a run without rows has too,
/// and those that rows give.
#[must_use]
pub fn offers(
    known: &[Fact],
    inputs: &[String],
    scores: &[Field],
    observer: Option<&BaselineObserver>,
    baseline: Option<&Profile>,
) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    let is_measured = |fact: &&Fact| fact.section != "run" && fact.as_number().is_some();
    for fact in known.iter().filter(is_measured) {
        let section = match &fact.section {
            Cow::Borrowed(section) => *section,
            Cow::Owned(_) => continue,
        };
        match offers
            .iter_mut()
            .find(|one| one.section == section && one.metric == fact.metric)
        {
            Some(offer) => offer.subjects.push(fact.subject.clone()),
            None => offers.push(Offer::new(
                section,
                &fact.metric,
                std::slice::from_ref(&fact.subject),
            )),
        }
    }
    let named = Coercions::default().named();
    let counted = named.map(|(metric, _)| Offer::new("coercions", metric, inputs));
    offers.extend(counted);
    offers.extend(Reason::ALL.map(|reason| Offer::new("rejections", reason.code(), inputs)));
    for field in scores {
        let name = [field.name().clone()];
        let is_number = is_number(field.data_type());
        if is_number {
            let metrics = SCORE_METRICS.iter();
            offers.extend(metrics.map(|metric| Offer::new("scores", *metric, &name)));
            offers.push(Offer::new("scores", "quantile_", &name));
        } else {
            offers.push(Offer::new("scores", "count_", &name));
        }
    }
    let watched = observer.map_or(&[][..], |observer| observer.columns());
    let columns: Vec<String> = watched
        .iter()
        .map(|column| column.reader.column.clone())
        .collect();
    if !columns.is_empty() {
        let metrics = INPUT_METRICS.iter();
        offers.extend(metrics.map(|metric| Offer::new(INPUTS, *metric, &columns)));
    }
    if let Some(baseline) = baseline {
        let scores = scores.iter().map(|field| field.name().clone());
        let compared = columns.into_iter().chain(scores);
        let compared: Vec<String> = compared
            .filter(|name| baseline.column(name).is_some())
            .collect();
        for metric in DRIFT_METRICS.into_iter().chain(["missing_rate", "mean"]) {
            let whole = [String::new()];
            let is_whole = metric.starts_with("drifted")
                || metric.ends_with("_columns")
                || metric == "undecided";
            let subjects = if is_whole { &whole[..] } else { &compared };
            offers.push(Offer::new(super::drift::SECTION, metric, subjects));
        }
    }
    offers
}

/// What gates can read of the facts of earlier nights: each followed fact is a subject.
#[must_use]
pub fn history_offers(offers: &[Offer]) -> Vec<Offer> {
    let followed = offers
        .iter()
        .filter(|offer| control::follows(offer.section, &offer.metric));
    let names: Vec<String> = followed
        .flat_map(|offer| {
            let subjects = offer.subjects.iter();
            subjects.map(|subject| control::name(subject, &offer.metric))
        })
        .collect();
    let offer = |metric: &&'static str| Offer::new(control::SECTION, *metric, &names);
    control::METRICS.iter().map(offer).collect()
}

fn is_number(data_type: &DataType) -> bool {
    match data_type {
        DataType::FixedSizeList(field, _) => is_number(field.data_type()),
        data_type => data_type.is_floating(),
    }
}

/// An input, its counts, and what the baseline has of it.
type Watching<'a> = (&'a Counted, &'a ColumnCounts, Option<&'a ColumnProfile>);

/// The comparison of each input, on two threads; none where there is nothing to compare.
fn compared_columns(known: &[Watching<'_>]) -> Vec<Option<ColumnComparison>> {
    let compare = |(column, counts, known): &Watching<'_>| {
        ColumnComparison::of_counts((*known)?, column, counts)
    };
    background::each(known, |_| MAX_BUCKETS, compare)
        .unwrap_or_else(|_| known.iter().map(compare).collect())
}

/// What a run watched, and when it is alarmed.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'a> {
    /// What counted the inputs.
    pub observer: &'a BaselineObserver,
    /// The baseline and where it was read.
    pub baseline: Option<(&'a Profile, &'a Location)>,
    /// When a column has drifted.
    pub limits: Limits,
    /// Whether facts may hold the extremes of inputs.
    pub shows_values: bool,
    /// (column, whom to ask about it).
    pub owners: &'a [(String, String)],
    /// What limits are learnt from, where the user did not give one.
    pub history: Option<&'a History>,
    /// The digest of the model that scored.
    pub model: &'a str,
}

impl Watched<'_> {
    /// The facts of sections `inputs` and `drift`.
    #[must_use]
    pub fn facts(&self, seen: &Partials) -> Vec<Fact> {
        let Some(counts) = seen.get::<InputCounts>() else {
            return Vec::new();
        };
        let columns = || self.observer.columns().iter().zip(&counts.columns);
        let mut facts: Vec<Fact> = columns()
            .flat_map(|(column, counts)| self.input_facts(column, counts))
            .collect();
        let Some((baseline, path)) = self.baseline else {
            return facts;
        };
        let known: Vec<_> = columns()
            .map(|(column, counts)| (column, counts, baseline.column(&column.reader.column)))
            .collect();
        let (mut compared, mut others) = (Vec::new(), Vec::new());
        for ((column, _, known), found) in known.iter().zip(compared_columns(&known)) {
            let name = &column.reader.column;
            match (known, found) {
                (None, _) => others.push(Uncompared::new_column(name)),
                (_, Some(one)) => compared.push(one),
                // Of such columns nothing but missing values is ever known.
                (Some(known), None) if known.kind() == Kind::Other => {
                    others.push(Uncompared::uncounted(name));
                }
                (Some(_), None) => others.push(Uncompared::other_kind(name, None)),
            }
        }
        if let Some(scores) = seen.get::<ScoreStatistics>() {
            for (name, statistic) in scores.columns() {
                let is_input = compared.iter().any(|one| one.name == name);
                let known = baseline.column(name).filter(|_| !is_input);
                compared
                    .extend(known.and_then(|known| ColumnComparison::of_scores(known, statistic)));
            }
        }
        let path = path.display().to_string();
        facts.push(Fact::text(super::drift::SECTION, "", "baseline", path));
        let compared = Comparison::new(compared, others, |name| self.limits_of(name));
        facts.extend(compared.facts());
        let owners = self.owners.iter().filter(|(name, _)| compared.has(name));
        facts.extend(
            owners.map(|(name, owner)| Fact::text(super::drift::SECTION, name, "owner", owner)),
        );
        facts
    }

    fn limits_of(&self, name: &str) -> Limits {
        let learnt = self
            .history
            .and_then(|history| history.learnt(name, "js", self.model));
        Limits {
            js: learnt.map_or(self.limits.js, |js| js.clamp(MIN_LIMIT, 1.0)),
            ..self.limits
        }
    }

    fn input_facts(&self, column: &Counted, counts: &ColumnCounts) -> Vec<Fact> {
        let name = &column.reader.column;
        let count = |metric: &str, count: u64| Fact::count(INPUTS, name, metric, count, "rows");
        let mut facts = vec![
            count("count", counts.rows),
            count("null_count", counts.missing),
        ];
        let mut numbers = vec![("missing_rate", counts.missing_rate())];
        if let (
            Values::Numbers { moments, .. },
            Counting::Bins(_, scale) | Counting::Numbers(scale),
        ) = (&counts.values, &column.counting)
        {
            facts.push(count("nan_count", counts.nan));
            facts.push(count("infinite_count", counts.infinite.iter().sum()));
            numbers.push(("mean", moments.mean(scale)));
            numbers.push(("standard_deviation", moments.standard_deviation(scale)));
            if self.shows_values {
                numbers.push(("min", counts.extremes.map(|ends| ends.0)));
                numbers.push(("max", counts.extremes.map(|ends| ends.1)));
            }
        }
        let numbers = numbers.into_iter();
        facts
            .extend(numbers.filter_map(|(metric, value)| {
                Some(Fact::number(INPUTS, name, metric, value?, ""))
            }));
        facts
    }
}

/// What was found of a run that read all of its rows.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The facts of inputs, drift, history, gates and models.
    pub facts: Vec<Fact>,
    /// What the gates say.
    pub judged: Judged,
    /// Rules that must hold and do not.
    pub broken: Vec<Broken>,
}
