//! The table of all runs of a history.

use super::block::{Block, Cell, Section, State, Table, on_page};
use super::evaluation::main_metric;
use super::night::Night;
use super::wording;
use crate::report::number;

/// The most nights in the table; those that failed are always there.
const TABLE_NIGHTS: usize = 60;

/// All runs, the newest first.
pub(super) fn section(nights: &[Night], states: &[State]) -> Section {
    let has = |of: &dyn Fn(&Night) -> bool| nights.iter().any(of);
    let score = nights.iter().rev().find_map(|night| {
        let report = night.with("scores")?;
        let subjects = report.subjects("scores");
        let mut all = subjects.into_iter();
        all.find(|(name, _)| report.number("scores", name, "mean").is_some())
            .map(|(name, _)| *name)
    });
    let has_drift = has(&|night| night.with("drift").is_some());
    let has_gates = has(&|night| !night.gates().is_empty());
    let has_rows = has(&|night| night.with("ledger").is_some());
    let has_time = has(&|night| night.number("performance", "wall_seconds").is_some());
    let metric = nights
        .iter()
        .rev()
        .find_map(|night| main_metric(night.with("evaluation")?).map(|metric| metric.0));
    let mut table = Table::new("All runs", &[("Run", ""), ("State", "")]);
    let score_head = score.map(|name| format!("Mean {name}"));
    let metric_head = metric.map(wording::metric_name);
    let mut head = |is_there: bool, text: &str| {
        if is_there {
            table.heads.push(super::block::Head::new(text, "r"));
        }
    };
    head(has_rows, "Rows in");
    head(has_rows, "Rejected");
    head(score.is_some(), score_head.as_deref().unwrap_or_default());
    head(has_drift, "Drifted");
    head(has_gates, "Gates failed");
    head(metric.is_some(), metric_head.as_deref().unwrap_or_default());
    head(has_time, "Wall time");
    head(true, "Version");
    let newest = nights.len().saturating_sub(TABLE_NIGHTS);
    let shown = (0..nights.len())
        .rev()
        .filter(|night| *night >= newest || states[*night] == State::Fail);
    for index in shown {
        let (night, state) = (&nights[index], states[index]);
        let word = match state {
            State::Fail => night
                .main()
                .report
                .status()
                .filter(|status| *status != "done"),
            State::Warn => Some("warning"),
            State::Undecided | State::Ok => Some("passed"),
        };
        let word = wording::words(word.unwrap_or("failed"));
        let number = |value: Option<f64>, text: &dyn Fn(f64) -> String| {
            let text = value.map_or_else(|| number::UNKNOWN.to_owned(), text);
            Cell::number(text)
        };
        let mut row = vec![
            Cell::head(number::time(night.started_at())).with_class("nw"),
            Cell::state(state, word),
        ];
        if has_rows {
            row.push(number(night.number("ledger", "rows_in"), &number::count));
            row.push(number(night.number("ledger", "rejected"), &number::count));
        }
        if let Some(score) = score {
            row.push(number(night.of("scores", score, "mean"), &|mean| {
                on_page(&number::short(mean))
            }));
        }
        if has_drift {
            let columns = night.columns();
            let drifted = columns.iter().filter(|one| one.has_changed).count();
            let known = night.with("drift").map(|_| drifted as f64);
            row.push(number(known, &number::count));
        }
        if has_gates {
            let gates = night.gates();
            let failed = gates
                .iter()
                .filter(|gate| gate.state == State::Fail)
                .count();
            let known = (!gates.is_empty()).then_some(failed as f64);
            row.push(number(known, &number::count));
        }
        if let Some(metric) = metric {
            row.push(number(night.number("evaluation", metric), &number::metric));
        }
        if has_time {
            row.push(number(
                night.number("performance", "wall_seconds"),
                &number::seconds,
            ));
        }
        let version = night
            .version()
            .unwrap_or_else(|| number::UNKNOWN.to_owned());
        let version = version.strip_prefix("digest ").unwrap_or(&version);
        row.push(Cell::text(version).with_class("mono"));
        // The style sheet of this table sets its cells, of which a history has many.
        for cell in &mut row {
            let classes = cell
                .class
                .split(' ')
                .filter(|class| !["r", "nw"].contains(class));
            cell.class = classes.collect::<Vec<_>>().join(" ");
        }
        table.rows.push(row);
    }
    table.class = "runs";
    table.is_sticky = true;
    let failed = states.iter().filter(|state| **state == State::Fail).count();
    Section {
        id: "runs",
        title: "All runs".to_owned(),
        note: if failed > 0 {
            format!("{failed} failed")
        } else {
            nights.len().to_string()
        },
        state: if failed > 0 { State::Fail } else { State::Ok },
        lead: "The newest first.".to_owned(),
        blocks: vec![Block::Table(table)],
        ..Section::default()
    }
}
