//! The sections of gates and rules: what was asked of the run, and what holds.

use super::block::{Block, Cell, Section, State, Table};
use super::night::{Gate, Night};
use super::svg::{Chart, Svg};
use super::wording;
use crate::count::counted;
use crate::report::number;

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
    let report = night.with("rules").or_else(|| night.with("quality"))?;
    let section = if report.has("rules") {
        "rules"
    } else {
        "quality"
    };
    let mut rows: Vec<(State, f64, Vec<Cell>)> = Vec::new();
    for (name, _) in report.subjects(section) {
        let number = |metric: &str| report.number(section, name, metric);
        let state = report.text(section, name, "state");
        let (compliance, mostly) = (number("compliance"), number("mostly"));
        let is_broken = match (compliance, mostly) {
            (Some(compliance), mostly) => compliance < mostly.unwrap_or(1.0),
            _ => false,
        };
        let state = match state {
            Some("fail") => State::Fail,
            Some("warn") => State::Warn,
            Some("undecided") => State::Undecided,
            Some(_) => State::Ok,
            None if is_broken => State::Warn,
            None => State::Ok,
        };
        let failing = compliance.map_or(0.0, |compliance| 1.0 - compliance);
        let allowed = mostly.map(|mostly| 1.0 - mostly);
        let percent = |share: Option<f64>| {
            share.map_or_else(
                || Cell::number(number::UNKNOWN),
                |share| Cell::number(number::percent(share)),
            )
        };
        let count = number("failed").or_else(|| number("failing_rows"));
        let count = count.map_or_else(
            || Cell::number(number::UNKNOWN),
            |count| Cell::number(number::count(count)),
        );
        let used = allowed
            .filter(|allowed| *allowed > 0.0)
            .map(|allowed| failing / allowed);
        let expression = report.text(section, name, "expression").unwrap_or_default();
        rows.push((
            state,
            failing,
            vec![
                Cell::state(state, if state == State::Ok { "ok" } else { "broken" }),
                Cell::code(name).noted(expression),
                count,
                percent(compliance.map(|compliance| 1.0 - compliance)).marked(state),
                percent(allowed),
                Cell::chart("wide", bar(used, state)),
            ],
        ));
    }
    if rows.is_empty() {
        return None;
    }
    rows.sort_by(|left, right| left.0.cmp(&right.0).then(right.1.total_cmp(&left.1)));
    let broken = rows.iter().filter(|row| row.0 < State::Undecided).count();
    let mut table = Table::new(
        "Rules",
        &[
            ("State", ""),
            ("Rule", ""),
            ("Failing rows", "r"),
            ("Failing", "r"),
            ("Allowed", "r"),
            ("Failing against allowed", "wide"),
        ],
    );
    table.class = "fit";
    let state = rows[0].0;
    let count = counted(rows.len(), "rule");
    table.rows = rows.into_iter().map(|row| row.2).collect();
    Some(Section {
        id: "rules",
        title: "Rules".to_owned(),
        note: if broken == 0 {
            "all hold".to_owned()
        } else {
            format!("{broken} broken")
        },
        state,
        lead: format!("{count}, {broken} broken."),
        blocks: vec![Block::Table(table)],
        ..Section::default()
    })
}
