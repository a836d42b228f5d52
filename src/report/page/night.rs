//! Reports put together: all that is known of one night.
//!
//! Owns how facts of a night are found. A night has at most one report of a kind: of a run, of
//! `drift`, of `evaluate`. Which reports belong together is [`mod@super::nights`]'s. It must not
//! know how facts are shown.

use std::collections::HashMap;

use super::block::State;
use crate::monitor::overlay::Overlay;
use crate::monitor::profile::Kind;
use crate::report::drift::severity;
use crate::report::facts::{Fact, Value};
use crate::report::gates::GATES;
use crate::report::stored::StoredReport;
use crate::report::{number, overlay};

/// The facts of one subject, by metric.
pub type Subject<'a> = (&'a str, Vec<&'a Fact>);

/// The facts of one report, found by their names.
#[derive(Debug)]
pub struct Indexed<'a> {
    /// The report.
    pub report: &'a StoredReport,
    values: HashMap<(&'a str, &'a str, &'a str), &'a Value>,
    sections: Vec<(&'a str, Vec<Subject<'a>>)>,
}

impl<'a> Indexed<'a> {
    /// Finds the facts of a report by their names.
    #[must_use]
    pub fn new(report: &'a StoredReport) -> Self {
        let mut values = HashMap::new();
        let mut sections: Vec<(&str, Vec<Subject>)> = Vec::new();
        let mut positions: HashMap<(&str, &str), (usize, usize)> = HashMap::new();
        let mut by_name: HashMap<&str, usize> = HashMap::new();
        for fact in &report.facts {
            let (section, subject) = (&*fact.section, fact.subject.as_str());
            values
                .entry((section, subject, fact.metric.as_str()))
                .or_insert(&fact.value);
            let at = *by_name.entry(section).or_insert_with(|| {
                sections.push((section, Vec::new()));
                sections.len() - 1
            });
            let subjects = &mut sections[at].1;
            let (_, index) = *positions.entry((section, subject)).or_insert_with(|| {
                subjects.push((subject, Vec::new()));
                (at, subjects.len() - 1)
            });
            subjects[index].1.push(fact);
        }
        Self {
            report,
            values,
            sections,
        }
    }

    /// A number.
    #[must_use]
    pub fn number(&self, section: &str, subject: &str, metric: &str) -> Option<f64> {
        match self.values.get(&(section, subject, metric))? {
            Value::Number(number) => Some(*number),
            Value::Text(_) => None,
        }
    }

    /// A text.
    #[must_use]
    pub fn text(&self, section: &str, subject: &str, metric: &str) -> Option<&'a str> {
        match self.values.get(&(section, subject, metric))? {
            Value::Text(text) => Some(text),
            Value::Number(_) => None,
        }
    }

    /// The subjects of a section that have a name, in their order, with their facts.
    #[must_use]
    pub fn subjects(&self, section: &str) -> Vec<&Subject<'a>> {
        let found = self.sections.iter().find(|(name, _)| *name == section);
        let subjects = found.into_iter().flat_map(|(_, subjects)| subjects);
        subjects
            .filter(|(subject, _)| !subject.is_empty())
            .collect()
    }

    /// The facts of a section about the whole.
    #[must_use]
    pub fn whole(&self, section: &str) -> &[&'a Fact] {
        let found = self.sections.iter().find(|(name, _)| *name == section);
        let subjects = found.into_iter().flat_map(|(_, subjects)| subjects);
        let mut whole = subjects.filter(|(subject, _)| subject.is_empty());
        whole.next().map_or(&[], |(_, facts)| facts)
    }

    /// The names of all sections, in their order.
    pub fn sections(&self) -> impl Iterator<Item = &'a str> {
        self.sections.iter().map(|(name, _)| *name)
    }

    /// Whether the report has the section.
    #[must_use]
    pub fn has(&self, section: &str) -> bool {
        self.sections().any(|name| name == section)
    }

    /// When the run began.
    #[must_use]
    pub fn started_at(&self) -> &'a str {
        self.text("run", "", "started_at").unwrap_or_default()
    }

    /// What it is a report of.
    #[must_use]
    pub fn title(&self) -> &'static str {
        match self.kind() {
            "evaluation" => "Evaluation",
            "drift" => "Drift",
            "comparison" => "Comparison",
            _ => "Run",
        }
    }

    /// What tells it from others of its night: the section that only such reports have.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        ["ledger", "evaluation", "drift", "comparison"]
            .into_iter()
            .find(|section| self.has(section))
            .unwrap_or("run")
    }
}

/// What is known of a night.
#[derive(Debug)]
pub struct Night<'a> {
    reports: Vec<Indexed<'a>>,
}

impl<'a> Night<'a> {
    /// A night of one report.
    #[must_use]
    pub fn with_one(report: Indexed<'a>) -> Self {
        Self {
            reports: vec![report],
        }
    }

    /// Adds a report; that of the run comes first.
    pub fn add(&mut self, report: Indexed<'a>) {
        self.reports.push(report);
        self.reports.sort_by_key(|report| match report.kind() {
            "ledger" => 0,
            "drift" => 1,
            "evaluation" => 2,
            _ => 3,
        });
    }

    /// The report that has the section; that of the run, if several have.
    #[must_use]
    pub fn with(&self, section: &str) -> Option<&Indexed<'a>> {
        self.reports.iter().find(|report| report.has(section))
    }

    /// A number about the whole.
    #[must_use]
    pub fn number(&self, section: &str, metric: &str) -> Option<f64> {
        self.of(section, "", metric)
    }

    /// A number about a subject.
    #[must_use]
    pub fn of(&self, section: &str, subject: &str, metric: &str) -> Option<f64> {
        let mut all = self.reports.iter();
        all.find_map(|report| report.number(section, subject, metric))
    }

    /// A text about the whole.
    #[must_use]
    pub fn text(&self, section: &str, metric: &str) -> Option<&'a str> {
        let mut all = self.reports.iter();
        all.find_map(|report| report.text(section, "", metric))
    }

    /// The report of the run, or whichever there is.
    #[must_use]
    pub fn main(&self) -> &Indexed<'a> {
        &self.reports[0]
    }

    /// All reports, that of the run first.
    #[must_use]
    pub fn reports(&self) -> &[Indexed<'a>] {
        &self.reports
    }

    /// When it began.
    #[must_use]
    pub fn started_at(&self) -> &'a str {
        self.main().started_at()
    }

    /// The model's name; that of the reports where no run is among them.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.text("model", "name").map(str::to_owned);
        name.unwrap_or_else(|| self.main().title().to_owned())
    }

    /// The model's version, or the beginning of its digest.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        let version = self.text("model", "version").map(str::to_owned);
        let number = self.number("model", "version").map(number::short);
        version.or(number).or_else(|| {
            let digest = self.text("model", "digest")?;
            let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
            let digest: String = digest.chars().take(8).collect();
            Some(format!("digest {digest}"))
        })
    }

    /// The columns of a drift comparison, the worst first.
    #[must_use]
    pub fn columns(&self) -> Vec<Column<'a>> {
        let Some(report) = self.with("drift") else {
            return Vec::new();
        };
        let gates = self.gates();
        let mut columns: Vec<Column> = report
            .subjects("drift")
            .into_iter()
            .filter_map(|(name, facts)| Column::of(name, facts, &gates))
            .collect();
        columns.sort_by(|left, right| {
            let key = |one: &Column| severity(|metric| one.number(metric));
            let order = left.state.cmp(&right.state);
            order
                .then(key(right).total_cmp(&key(left)))
                .then(left.name.cmp(right.name))
        });
        columns
    }

    /// The gates, the worst first.
    #[must_use]
    pub fn gates(&self) -> Vec<Gate<'a>> {
        let Some(report) = self.with(GATES) else {
            return Vec::new();
        };
        let mut gates: Vec<Gate> = report
            .subjects(GATES)
            .into_iter()
            .map(|&(expression, _)| Gate {
                expression,
                state: match report.text(GATES, expression, "state") {
                    Some("fail") => State::Fail,
                    Some("warn") => State::Warn,
                    Some("undecided") => State::Undecided,
                    _ => State::Ok,
                },
                value: report.number(GATES, expression, "value"),
                limit: report.number(GATES, expression, "limit"),
                operator: report
                    .text(GATES, expression, "operator")
                    .unwrap_or_default(),
                metric: report.text(GATES, expression, "metric").unwrap_or_default(),
                subject: report
                    .text(GATES, expression, "subject")
                    .unwrap_or_default(),
            })
            .collect();
        gates.sort_by(|left, right| {
            let order = left.state.cmp(&right.state);
            let used = |gate: &Gate| gate.used().unwrap_or(0.0);
            order
                .then(used(right).total_cmp(&used(left)))
                .then(left.expression.cmp(right.expression))
        });
        gates
    }

    /// How the night stands.
    #[must_use]
    pub fn state(&self) -> State {
        let is_bad = self.reports.iter().any(|report| {
            let status = report.report.status();
            status.is_some_and(|status| status != "done")
        });
        if is_bad {
            return State::Fail;
        }
        let gates = self.gates();
        let columns = self.columns();
        let rules = self.reports.iter().flat_map(|report| {
            let rules = report.subjects("quality");
            rules
                .into_iter()
                .map(|(name, _)| super::gates::rule_state(report, name))
        });
        let states = gates.iter().map(|gate| gate.state);
        let columns = columns.iter().map(|column| column.state);
        states
            .chain(columns)
            .chain(rules)
            .filter(|state| *state != State::Undecided)
            .min()
            .unwrap_or_default()
    }
}

/// A gate and what decided it.
#[derive(Debug)]
pub struct Gate<'a> {
    /// As it is written.
    pub expression: &'a str,
    /// How it stands.
    pub state: State,
    /// The value that decided.
    pub value: Option<f64>,
    /// What it is compared with.
    pub limit: Option<f64>,
    /// How.
    pub operator: &'a str,
    /// The fact.
    pub metric: &'a str,
    /// The fact's subject.
    pub subject: &'a str,
}

impl Gate<'_> {
    /// How much of the limit is used: 1 is at the limit.
    #[must_use]
    pub fn used(&self) -> Option<f64> {
        let (value, limit) = (self.value?, self.limit?);
        let used = match self.operator {
            "<" | "<=" if limit > 0.0 => value / limit,
            ">" | ">=" if (0.0..1.0).contains(&limit) && (0.0..=1.0).contains(&value) => {
                (1.0 - value) / (1.0 - limit)
            }
            ">" | ">=" if value > 0.0 => limit / value,
            _ => return None,
        };
        Some(used.max(0.0)).filter(|used| used.is_finite())
    }

    /// The fact that decided, as gates write it.
    #[must_use]
    pub fn fact(&self) -> String {
        if self.subject.is_empty() {
            self.metric.to_owned()
        } else {
            format!("{}({})", self.metric, self.subject)
        }
    }
}

/// A column and how far it is from its baseline.
#[derive(Debug)]
pub struct Column<'a> {
    /// Its name.
    pub name: &'a str,
    /// How it stands.
    pub state: State,
    /// The word for that.
    pub word: &'a str,
    /// Whether it changed against the baseline, gates apart.
    pub has_changed: bool,
    is_compared: bool,
    facts: Vec<&'a Fact>,
}

/// Columns of both sides by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DriftCounts {
    /// Those that are compared.
    pub compared: usize,
    /// Those of them that drifted.
    pub drifted: usize,
    /// Those that are missing today, or of another type.
    pub gone: usize,
}

impl DriftCounts {
    /// Counts columns.
    #[must_use]
    pub fn of(columns: &[Column<'_>]) -> Self {
        let mut counts = Self::default();
        for column in columns {
            match (column.is_compared, column.has_changed) {
                (true, has_changed) => {
                    counts.compared += 1;
                    counts.drifted += usize::from(has_changed);
                }
                (false, true) => counts.gone += 1,
                (false, false) => {}
            }
        }
        counts
    }
}

impl<'a> Column<'a> {
    /// Whether both sides have it, of one kind.
    #[must_use]
    pub const fn is_compared(&self) -> bool {
        self.is_compared
    }

    fn of(name: &'a str, facts: &[&'a Fact], gates: &[Gate<'a>]) -> Option<Self> {
        let mut all = facts.iter();
        let verdict = all.find(|fact| fact.metric == "verdict")?;
        let Value::Text(word) = &verdict.value else {
            return None;
        };
        let own: Vec<&Gate> = gates
            .iter()
            .filter(|gate| gate.subject == name && gate.state < State::Undecided)
            .collect();
        let gate = own.iter().map(|gate| gate.state).min();
        let state = match (word.as_str(), gate) {
            (_, Some(State::Fail)) => State::Fail,
            ("drift" | "missing" | "other_kind", _) | (_, Some(State::Warn)) => State::Warn,
            ("undecided", _) => State::Undecided,
            _ => State::Ok,
        };
        let has_changed = matches!(word.as_str(), "drift" | "missing" | "other_kind");
        let is_compared = !matches!(
            word.as_str(),
            "missing" | "new" | "other_kind" | "not_compared"
        );
        let is_missing = own.iter().all(|gate| gate.metric == "missing_rate");
        let word = match word.as_str() {
            "ok" if gate.is_some() && is_missing => "missing",
            "missing" => "column is missing",
            "new" => "new column",
            "other_kind" => "other type",
            "not_compared" => "not compared",
            word => word,
        };
        Some(Self {
            name,
            state,
            word,
            has_changed,
            is_compared,
            facts: facts.to_vec(),
        })
    }

    /// A number.
    #[must_use]
    pub fn number(&self, metric: &str) -> Option<f64> {
        let found = self.facts.iter().find(|fact| fact.metric == metric);
        found.and_then(|fact| fact.as_number())
    }

    /// A text.
    #[must_use]
    pub fn text(&self, metric: &str) -> Option<&'a str> {
        let found = self.facts.iter().find(|fact| fact.metric == metric);
        match &found?.value {
            Value::Text(text) => Some(text),
            Value::Number(_) => None,
        }
    }

    /// What kind of times it holds; none of other columns.
    #[must_use]
    pub fn times(&self) -> Option<Kind> {
        self.text("kind").and_then(Kind::time_of_name)
    }

    /// Its histogram over that of the baseline.
    #[must_use]
    pub fn overlay(&self) -> Option<Overlay> {
        overlay::read(self.facts.iter().copied())
    }
}
