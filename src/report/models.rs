//! The facts of several models in one run: the run's own and its challengers.
//!
//! Owns the section `models`, one subject for each model. It must not know where answers lie.

use std::sync::atomic::Ordering;

use super::facts::{Fact, Value, of_section};
use super::number::percent;
use crate::count::counted;
use crate::feature::encode::Encoder;
use crate::monitor::pairs::PairStatistics;
use crate::monitor::scores::{ScoreStatistics, Statistic};
use crate::package::open::Identity;
use crate::pipeline::arm::MODEL;
use crate::pipeline::stage::Stage;
use crate::pipeline::{Job, Outcomes};

/// The report's section.
pub const SECTION: &str = "models";

/// The numbers of every model in a run.
pub const MODEL_METRICS: [&str; 4] = [
    "scored",
    "rejected",
    "work_seconds",
    "seconds_per_million_rows",
];

/// The numbers of a model that scores all rows.
pub const ROW_METRICS: [&str; 2] = ["rows_in", "filtered"];

/// The number of a model that answers a share of the rows.
pub const SHARE: &str = "share";

/// How the decisions of a challenger differ from those of the run's own model.
pub const LABEL_METRICS: [&str; 3] = ["agreement", "flips", "compared_labels"];

/// How the scores of a challenger differ from those of the run's own model.
pub const SCORE_METRICS: [&str; 7] = [
    "rank_correlation",
    "rank_correlation_rows",
    "mean_difference",
    "mean_absolute_difference",
    "max_absolute_difference",
    "compared_scores",
    "psi",
];

/// A challenger.
#[derive(Debug)]
pub struct Model<'a> {
    /// Its name in the run.
    pub name: &'a str,
    /// Which model it is, if it could be opened.
    pub identity: Option<&'a Identity>,
    /// What it did.
    pub outcomes: Option<&'a Outcomes>,
    /// What its rejections are numbered by.
    pub inputs: Option<&'a Encoder>,
    /// Where its answers are.
    pub output: Option<String>,
    /// Why it dropped out, if it did.
    pub dropped: Option<String>,
}

/// The facts of the run's own model, then of each challenger.
#[must_use]
pub fn facts(champion: &Identity, outcomes: &Outcomes, challengers: &[Model<'_>]) -> Vec<Fact> {
    let own = Model {
        name: &champion.name,
        identity: Some(champion),
        outcomes: Some(outcomes),
        inputs: None,
        output: None,
        dropped: None,
    };
    let mut facts = model_facts(&own, "champion");
    facts.extend(cost(own.name, outcomes));
    for model in challengers {
        facts.extend(model_facts(model, "challenger"));
        let Some(own) = model.outcomes.filter(|_| model.dropped.is_none()) else {
            continue;
        };
        facts.extend(rejections(model, own));
        facts.extend(cost(model.name, own));
        facts.extend(comparison(model.name, own));
    }
    facts
}

/// The facts of the models of an A/B test; `identities` has each arm's model and share, the run's
/// own first.
#[must_use]
pub fn split_facts(
    job: &Job,
    outcomes: &Outcomes,
    identities: &[(&Identity, Option<f64>)],
) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut first_input = 0;
    for (arm, (identity, share)) in job.arms.iter().zip(identities) {
        let model = Model {
            name: &arm.name,
            identity: Some(identity),
            outcomes: None,
            inputs: None,
            output: None,
            dropped: None,
        };
        let role = if share.is_some() {
            "challenger"
        } else {
            "champion"
        };
        facts.extend(model_facts(&model, role));
        let number = |metric: &str, value: f64, unit| {
            Fact::number(SECTION, arm.name.as_str(), metric, value, unit)
        };
        facts.extend(share.map(|share| number("share", share, "")));
        let end = first_input + arm.scoring.encoder().inputs().len();
        let rejected = outcomes.ledger.reasons.iter();
        let rejected = rejected.filter(|((input, _), _)| (first_input..end).contains(input));
        let rejected: u64 = rejected.map(|(_, count)| count).sum();
        first_input = end;
        let scored = answered(outcomes, &arm.name);
        facts.push(number("scored", scored as f64, "rows"));
        facts.push(number("rejected", rejected as f64, "rows"));
        let seconds = arm.work.load(Ordering::Relaxed) as f64 / 1e9;
        facts.push(number("work_seconds", seconds, "seconds"));
        if scored > 0 && outcomes.rows_before == 0 {
            let each = seconds / (scored + rejected) as f64 * 1e6;
            facts.push(number(
                "seconds_per_million_rows",
                each,
                "seconds/million rows",
            ));
        }
    }
    facts
}

/// The rows of the output that a model answered.
fn answered(outcomes: &Outcomes, name: &str) -> u64 {
    let statistics = outcomes.seen.get::<ScoreStatistics>();
    let mut columns = statistics.into_iter().flat_map(ScoreStatistics::columns);
    let labels = columns.find_map(|(column, statistic)| match statistic {
        Statistic::Label(labels, _) if column == MODEL => Some(labels),
        _ => None,
    });
    let mut own = labels
        .into_iter()
        .flat_map(super::super::statistics::labels::LabelCounts::iter);
    own.find(|(label, _)| *label == name)
        .map_or(0, |(_, count)| count)
}

/// Who it is, what it did with the rows, how it ended.
fn model_facts(model: &Model<'_>, role: &str) -> Vec<Fact> {
    let text = |metric: &str, text: &str| Fact::text(SECTION, model.name, metric, text);
    let mut facts = vec![text("role", role)];
    if let Some(identity) = model.identity {
        facts.push(text("name", &identity.name));
        facts.extend(
            identity
                .version
                .iter()
                .map(|version| text("version", version)),
        );
        facts.push(text("digest", &identity.digest));
    }
    if let Some(reason) = &model.dropped {
        facts.push(text("status", "dropped"));
        facts.push(text("reason", reason));
        return facts;
    }
    facts.push(text("status", "scored"));
    facts.extend(model.output.iter().map(|path| text("output", path)));
    let total = model.outcomes.map(|outcomes| outcomes.ledger.total());
    let rows = total.into_iter().flat_map(|total| {
        [
            ("rows_in", total.rows_in),
            ("scored", total.scored),
            ("rejected", total.rejected),
            ("filtered", total.filtered),
        ]
    });
    facts.extend(
        rows.map(|(metric, count)| Fact::count(SECTION, model.name, metric, count, "rows")),
    );
    facts
}

/// Rows that a challenger rejected, for each of its columns and reasons.
fn rejections(model: &Model<'_>, outcomes: &Outcomes) -> Vec<Fact> {
    let columns: Vec<&str> = model
        .inputs
        .into_iter()
        .flat_map(Encoder::inputs)
        .map(|bound| bound.column.as_str())
        .collect();
    let reasons = outcomes.ledger.reasons.iter();
    reasons
        .filter_map(|(&(input, reason), &count)| {
            let metric = format!("rejected_{}({})", reason.code(), columns.get(input)?);
            Some(Fact::count(SECTION, model.name, metric, count, "rows"))
        })
        .collect()
}

/// What a model's work took for a million rows, of those that this process read.
fn cost(name: &str, outcomes: &Outcomes) -> Vec<Fact> {
    let stages = [Stage::Encode, Stage::Score, Stage::Finish];
    let seconds: f64 = stages
        .iter()
        .map(|stage| outcomes.times.of(*stage).as_secs_f64())
        .sum();
    let rows = outcomes.rows_read();
    let mut facts = vec![Fact::number(
        SECTION,
        name,
        "work_seconds",
        seconds,
        "seconds",
    )];
    if rows > 0 {
        let each = seconds / rows as f64 * 1e6;
        let unit = "seconds/million rows";
        facts.push(Fact::number(
            SECTION,
            name,
            "seconds_per_million_rows",
            each,
            unit,
        ));
    }
    facts
}

/// How the answers of a challenger differ from those of the run's own model.
fn comparison(name: &str, own: &Outcomes) -> Vec<Fact> {
    let number = |metric: &str, value: f64| Fact::number(SECTION, name, metric, value, "");
    let count = |metric: &str, value: u64| Fact::count(SECTION, name, metric, value, "rows");
    let mut facts = Vec::new();
    if let Some(pairs) = own.seen.get::<PairStatistics>() {
        if let Some(agreement) = pairs.agreement() {
            facts.push(number("agreement", agreement));
            facts.push(count("flips", pairs.flips()));
            facts.push(count("compared_labels", pairs.label_rows()));
        }
        if let Some((correlation, rows)) = pairs.rank_correlation() {
            facts.push(number("rank_correlation", correlation));
            facts.push(count("rank_correlation_rows", rows));
        }
        let differences = [
            ("mean_difference", pairs.mean_difference()),
            ("mean_absolute_difference", pairs.mean_absolute_difference()),
            ("max_absolute_difference", pairs.max_absolute_difference()),
        ];
        let differences = differences.into_iter();
        facts.extend(differences.filter_map(|(metric, value)| Some(number(metric, value?))));
        if pairs.score_rows() > 0 {
            facts.push(count("compared_scores", pairs.score_rows()));
        }
        facts.extend(pairs.psi().map(|psi| number("psi", psi)));
    }
    facts
}

/// (label, text) of each challenger, for a summary.
#[must_use]
pub fn lines(facts: &[Fact]) -> Vec<(String, String)> {
    let facts: Vec<&Fact> = of_section(facts, SECTION).collect();
    let models = facts.chunk_by(|one, other| one.subject == other.subject);
    let models: Vec<&[&Fact]> = models.collect();
    let champion = models
        .first()
        .and_then(|facts| number(facts, "seconds_per_million_rows"));
    let challengers = models
        .iter()
        .filter(|facts| text(facts, "role") == Some("challenger"));
    challengers
        .map(|facts| {
            let line = line(facts, champion);
            (
                "challenger".to_owned(),
                format!("{}: {line}", facts[0].subject),
            )
        })
        .collect()
}

/// A challenger in a few words; `champion` is what a million rows cost the run's own model.
fn line(facts: &[&Fact], champion: Option<f64>) -> String {
    if let Some(reason) = text(facts, "reason") {
        return format!("dropped out: {reason}");
    }
    let number = |metric: &str| number(facts, metric);
    let mut words = Vec::new();
    if let Some((share, scored)) = number("share").zip(number("scored")) {
        let scored = counted(scored as u64, "row");
        words.push(format!("answered {scored} (share {} %)", share * 100.0));
    }
    if let Some((agreement, flips)) = number("agreement").zip(number("flips")) {
        let flips = counted(flips as u64, "flip");
        words.push(format!("{} agree ({flips})", percent(agreement)));
    }
    let measures = [
        ("Spearman", "rank_correlation"),
        ("PSI", "psi"),
        ("mean difference", "mean_difference"),
    ];
    // With labels there is more to say than has room in a line.
    let shown = if words.is_empty() { 3 } else { 2 };
    let measures = &measures[..shown];
    let measures = measures.iter();
    words.extend(measures.filter_map(|(label, metric)| {
        let value = number(metric)?;
        Some(format!("{label} {value:.4}"))
    }));
    if words.is_empty() {
        let scored = counted(number("scored").unwrap_or(0.0) as u64, "row");
        words.push(format!("{scored} scored, no column to compare"));
    }
    let rejected = number("rejected").filter(|count| *count > 0.0);
    words.extend(rejected.map(|count| format!("{} rejected", counted(count as u64, "row"))));
    let times = number("seconds_per_million_rows")
        .zip(champion)
        .filter(|(own, champion)| *own > 0.0 && *champion > 0.0);
    words.extend(times.map(|(own, champion)| format!("{:.1} times the work", own / champion)));
    words.join(", ")
}

fn number(facts: &[&Fact], metric: &str) -> Option<f64> {
    let fact = facts.iter().find(|fact| fact.metric == metric)?;
    fact.as_number()
}

fn text<'a>(facts: &[&'a Fact], metric: &str) -> Option<&'a str> {
    let fact = facts.iter().find(|fact| fact.metric == metric)?;
    match &fact.value {
        Value::Text(text) => Some(text),
        Value::Number(_) => None,
    }
}
