//! The sections of gates and rules: what was asked of the run, and what holds.

use super::block::{Block, Cell, Section, State, Table};
use super::night::{Gate, Indexed, Night};
use super::svg::{Chart, Svg};
use super::wording;
use crate::count::counted;
use crate::report::number;
use crate::report::quality;

/// The section of gates, if a report has it.
#[must_use]
pub fn section(night: &Night) -> Option<Section> {
    let gates = night.gates();
    if gates.is_empty() {
        return None;
    }
    let count = |state: State| gates.iter().filter(|gate| gate.state == state).count();
    let (failed, warned) = (count(State::Fail), count(State::Warn));
    let undecided = count(State::Undecided);
    let note = match (failed, warned) {
        (0, 0) => format!("{} ok", gates.len() - undecided),
        (0, warned) => counted(warned, "warning"),
        (failed, _) => format!("{failed} failed"),
    };
    let mut table = Table::new(
        "Gates",
        &[
            ("State", ""),
            ("Gate", ""),
            ("Value", "r"),
            ("Limit", "r"),
            ("Value against limit", "wide"),
        ],
    );
    table.class = "fit";
    table.rows = gates.iter().map(row).collect();
    let lead = format!(
        "{}: {failed} failed, {warned} with a warning, {undecided} undecided.",
        counted(gates.len(), "gate")
    );
    Some(Section {
        id: "gates",
        title: "Gates".to_owned(),
        note,
        state: gates[0].state,
        lead,
        blocks: vec![
            Block::Table(table),
            Block::Note(
                "The line in the middle of each bar is the limit; a bar that crosses it trips the \
                 gate. Bars end at twice the limit. For \u{2265} on shares and AUC, the bar is \
                 the used part of the allowed shortfall from 1."
                    .to_owned(),
            ),
        ],
        ..Section::default()
    })
}

fn row(gate: &Gate) -> Vec<Cell> {
    let value = |value: Option<f64>| {
        value.map_or_else(
            || Cell::number(number::UNKNOWN),
            |value| Cell::number(wording::value(gate.metric, value)),
        )
    };
    let decided = if gate.expression.contains('*') && gate.value.is_some() {
        gate.fact()
    } else {
        String::new()
    };
    let expression = Cell::code(gate.expression).noted(decided);
    vec![
        Cell::state(gate.state, state_word(gate.state)),
        if gate.state == State::Ok {
            expression.with_class("mute")
        } else {
            expression
        },
        value(gate.value).marked(gate.state),
        value(gate.limit),
        Cell::chart("wide", bar(gate.used(), gate.state)),
    ]
}

fn state_word(state: State) -> &'static str {
    match state {
        State::Fail => "failed",
        State::Warn => "warning",
        State::Undecided => "undecided",
        State::Ok => "ok",
    }
}

/// A bar whose middle is the limit.
fn bar(used: Option<f64>, state: State) -> Svg {
    let Some(used) = used else {
        return Svg::default();
    };
    let label = format!("{:.0}% of the limit used", (100.0 * used).min(9999.0));
    let mut chart = Chart::new(12, &label);
    chart.rect("track", 0.0, 100.0, 0.0, 100.0);
    let class = match state {
        State::Fail => "bx",
        State::Warn => "wx",
        State::Undecided | State::Ok => "q",
    };
    chart.rect(class, 0.0, (50.0 * used).min(100.0), 0.0, 100.0);
    chart.vertical("lim", 50.0, 3);
    if used > 2.0 {
        chart.text("bad", [100.0, 0.0], [3, 10], "start", "\u{203a}");
    }
    chart.finish()
}

/// The section of rules, if a report has it.
#[must_use]
pub fn rules(night: &Night) -> Option<Section> {
    let report = night.with(quality::SECTION)?;
    let mut rules: Vec<Rule> = report
        .subjects(quality::SECTION)
        .into_iter()
        .map(|(name, _)| Rule::of(report, name))
        .collect();
    rules.sort_by(|left, right| {
        let order = left.state.cmp(&right.state);
        order
            .then(right.failing().total_cmp(&left.failing()))
            .then(left.name.cmp(right.name))
    });
    let broken = rules
        .iter()
        .filter(|rule| rule.state < State::Undecided)
        .count();
    let state = rules.first()?.state;
    let mut table = Table::new(
        "Rules",
        &[
            ("State", ""),
            ("Rule", ""),
            ("Failing", "r"),
            ("Allowed", "r"),
            ("Failing rows", "r"),
            ("Failing against allowed", "wide"),
        ],
    );
    table.class = "fit";
    table.rows = rules.iter().map(Rule::row).collect();
    Some(Section {
        id: "rules",
        title: "Rules".to_owned(),
        note: match broken {
            0 => "all hold".to_owned(),
            some => format!("{some} broken"),
        },
        state,
        lead: format!("{}, {broken} broken.", counted(rules.len(), "rule")),
        blocks: vec![Block::Table(table)],
        ..Section::default()
    })
}

/// A rule and how many rows satisfy it.
struct Rule<'a> {
    name: &'a str,
    expression: &'a str,
    state: State,
    compliance: Option<f64>,
    mostly: Option<f64>,
    failed: Option<f64>,
}

impl<'a> Rule<'a> {
    fn of(report: &Indexed<'a>, name: &'a str) -> Self {
        let number = |metric: &str| report.number(quality::SECTION, name, metric);
        let text = |metric: &str| report.text(quality::SECTION, name, metric);
        Self {
            name,
            expression: text("expression").unwrap_or_default(),
            state: rule_state(report, name),
            compliance: number("compliance"),
            mostly: number("mostly"),
            failed: number("failed_count"),
        }
    }

    /// The share of rows that do not satisfy it.
    fn failing(&self) -> f64 {
        self.compliance.map_or(0.0, |compliance| 1.0 - compliance)
    }

    fn row(&self) -> Vec<Cell> {
        let percent = |share: Option<f64>| {
            let text = share.map_or_else(|| number::UNKNOWN.to_owned(), number::percent);
            Cell::number(text)
        };
        let allowed = self.mostly.map(|mostly| 1.0 - mostly);
        let used = allowed
            .filter(|allowed| *allowed > 0.0)
            .map(|allowed| self.failing() / allowed);
        let word = match self.state {
            State::Fail | State::Warn => "broken",
            State::Undecided => "undecided",
            State::Ok => "ok",
        };
        let failed = self
            .failed
            .map_or_else(|| number::UNKNOWN.to_owned(), number::count);
        vec![
            Cell::state(self.state, word),
            Cell::code(self.name).noted(self.expression),
            percent(self.compliance.map(|compliance| 1.0 - compliance)).marked(self.state),
            percent(allowed),
            Cell::number(failed),
            Cell::chart("wide", bar(used, self.state)),
        ]
    }
}

/// How a rule stands: one that is broken is a warning, unless it fails the run.
#[must_use]
pub fn rule_state(report: &Indexed, name: &str) -> State {
    let text = |metric: &str| report.text(quality::SECTION, name, metric);
    match (text("verdict"), text("on_fail")) {
        (Some("broken"), Some("fail")) => State::Fail,
        (Some("broken"), _) => State::Warn,
        (Some("undecided"), _) => State::Undecided,
        _ => State::Ok,
    }
}
