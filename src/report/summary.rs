//! The report as a person likes to read it: a few aligned lines.

use std::path::PathBuf;

use indicatif::{HumanBytes, HumanCount};

use super::run::Circumstances;
use super::scores::described;
use crate::count::counted;
use crate::format::rounds::ROUNDS_USED;
use crate::package::open::Identity;
use crate::pipeline::part::RowCounts;
use crate::pipeline::stage::Stage;
use crate::pipeline::{Job, Outcomes};

/// Width of the labels at the left, which columns of long names make wider, up to the other.
const LABEL_WIDTHS: [usize; 2] = [12, 24];

/// A label and what is said.
type Line = (String, String);

/// The most columns of a group that are listed.
const COLUMNS_SHOWN: usize = 6;

/// Files beside the output.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files<'a> {
    /// The report, if there is one.
    pub report: Option<&'a str>,
    /// The rejected rows, if there are any.
    pub rejected: Option<&'a str>,
}

/// The lines, without colour; `verbose` adds the time per stage.
#[must_use]
pub fn lines(
    job: &Job,
    outcomes: &Outcomes,
    circumstances: &Circumstances,
    files: &Files,
    verbose: bool,
) -> Vec<String> {
    let mut lines = vec![rows(outcomes)];
    lines.extend(rejections(job, outcomes));
    let scores = outcomes.seen.get().map(described).into_iter().flatten();
    lines.extend(scores.map(|(name, text)| line(&name, &text)));
    lines.extend(coercions(job, outcomes));
    lines.extend(tokens(job, circumstances));
    lines.extend(
        circumstances
            .model
            .told(ROUNDS_USED)
            .map(|rounds| line("rounds used", rounds)),
    );
    lines.extend(
        circumstances
            .model
            .told("offset")
            .map(|offset| line("offset", offset)),
    );
    lines.extend(
        circumstances
            .model
            .told("arithmetic")
            .map(|arithmetic| line("arithmetic", arithmetic)),
    );
    if verbose {
        lines.extend(Stage::ALL.iter().map(|stage| {
            line(
                stage.name(),
                &format!("{:.3} s of work", outcomes.times.of(*stage).as_secs_f64()),
            )
        }));
    }
    lines.push(line(
        "output",
        &format!(
            "{} ({})",
            circumstances.output,
            HumanBytes(circumstances.output_bytes)
        ),
    ));
    lines.extend(files.report.map(|path| line("report", path)));
    lines.extend(files.rejected.map(|path| line("rejected in", path)));
    lines.extend(circumstances.bad_files.iter().map(|file| {
        line(
            "left out",
            &format!("{}: {}", file.path.display(), file.reason),
        )
    }));
    lines.extend(
        ignored_told(&circumstances.ignored)
            .iter()
            .map(|told| line("ignored", told)),
    );
    let [least, most] = LABEL_WIDTHS;
    let width = lines
        .iter()
        .map(|(label, _)| label.chars().count())
        .max()
        .unwrap_or(0)
        .clamp(least, most);
    let lines = lines
        .into_iter()
        .map(|(label, text)| format!("  {label:width$} {text}"));
    [headline(outcomes, circumstances), String::new()]
        .into_iter()
        .chain(lines)
        .collect()
}

/// The most ignored files that are named.
const IGNORED_NAMED: usize = 3;

/// How many files in directories were not read because of their endings, and the first of them;
/// none if there are none.
#[must_use]
pub fn ignored_told(paths: &[PathBuf]) -> Option<String> {
    let names: Vec<String> = paths
        .iter()
        .take(IGNORED_NAMED)
        .map(|path| path.display().to_string())
        .collect();
    let more = if paths.len() > IGNORED_NAMED {
        ", …"
    } else {
        ""
    };
    let count = counted(paths.len() as u64, "file");
    (!paths.is_empty()).then(|| {
        format!(
            "{count} not read because of the ending: {}{more} (`--any-ending` reads all)",
            names.join(", ")
        )
    })
}

fn line(label: &str, text: &str) -> Line {
    (label.to_owned(), text.to_owned())
}

fn headline(outcomes: &Outcomes, circumstances: &Circumstances) -> String {
    let Identity { name, format, .. } = &circumstances.model;
    let total = outcomes.ledger.total();
    let seconds = circumstances.wall.as_secs_f64();
    let speed = HumanCount((outcomes.rows_read() as f64 / seconds.max(1e-9)) as u64);
    let memory = circumstances
        .peak_memory_bytes
        .map_or(String::new(), |bytes| {
            format!(", {} peak", HumanBytes(bytes))
        });
    format!(
        "{name} ({format}) scored {} in {seconds:.2} s ({speed} rows/s{memory})",
        counted(total.scored, "row")
    )
}

/// What a text model read.
fn tokens(job: &Job, circumstances: &Circumstances) -> Option<Line> {
    let arms = job.arms.iter();
    let performed: Vec<_> = arms
        .flat_map(|arm| arm.scoring.model().model.performed())
        .collect();
    let of = |metric: &str| {
        performed
            .iter()
            .find(|performed| performed.metric == metric)
            .map(|performed| performed.count)
    };
    let (tokens, padding) = (of("tokens")?, of("padding_avoided")?);
    let speed = (tokens as f64 / circumstances.wall.as_secs_f64().max(1e-9)) as u64;
    Some(line("tokens", &tokens_told(tokens, speed, padding)))
}

/// What a text model read, how fast, and what it need not have.
pub(super) fn tokens_told(tokens: u64, speed: u64, padding: u64) -> String {
    let [tokens, speed, padding] = [tokens, speed, padding].map(HumanCount);
    format!("{tokens} ({speed} tokens/s), {padding} of padding avoided")
}

fn rows(outcomes: &Outcomes) -> Line {
    line("rows", &rows_told(&outcomes.ledger.total()))
}

/// What became of rows.
#[must_use]
pub fn rows_told(counts: &RowCounts) -> String {
    let RowCounts {
        rows_in,
        scored,
        rejected,
        filtered,
    } = *counts;
    let [all, scored, rejected, filtered] = [rows_in, scored, rejected, filtered].map(HumanCount);
    format!("{all} in = {scored} scored + {rejected} rejected + {filtered} filtered")
}

fn rejections(job: &Job, outcomes: &Outcomes) -> Vec<Line> {
    let inputs: Vec<&str> = job
        .arms
        .inputs()
        .map(|bound| bound.column.as_str())
        .collect();
    let reasons = outcomes.ledger.reasons.iter();
    reasons
        .map(|(&(input, reason), &count)| {
            line(
                "rejected",
                &format!(
                    "{}: {} in `{}`",
                    counted(count, "row"),
                    reason.code(),
                    inputs[input]
                ),
            )
        })
        .collect()
}

fn coercions(job: &Job, outcomes: &Outcomes) -> Vec<Line> {
    let inputs = job.arms.inputs().zip(&outcomes.coercions);
    let counts = inputs.flat_map(|(bound, counts)| {
        counts
            .named()
            .map(|(kind, count)| (bound.column.as_str(), kind, count))
    });
    let mut lines = Vec::new();
    let mut group = value_lines(&counts.collect::<Vec<_>>());
    for (label, texts) in &mut group {
        let more = texts.len().saturating_sub(COLUMNS_SHOWN);
        texts.truncate(COLUMNS_SHOWN);
        if more > 0 {
            texts.push(format!(
                "and {} (the report has them all)",
                counted(more, "more column")
            ));
        }
        lines.extend(
            texts
                .iter()
                .enumerate()
                .map(|(index, text)| line(if index == 0 { label } else { "" }, text)),
        );
    }
    lines
}

/// The groups that kinds of values are shown in, in order.
const GROUPS: [&str; 4] = ["missing", "unseen", "invalid", "coerced"];

/// The group of a kind of values; none for numbers in delimited text, which are what they should
/// be.
pub(super) fn value_group(kind: &str) -> Option<&'static str> {
    match kind {
        "text_to_number" => None,
        "missing" => Some("missing"),
        "unseen" => Some("unseen"),
        "not_a_number" => Some("invalid"),
        _ => Some("coerced"),
    }
}

/// For each group that has any: a text for each column, from (column, kind, count), which go column
/// after column.
pub(super) fn value_lines(counts: &[(&str, &str, u64)]) -> Vec<(&'static str, Vec<String>)> {
    let texts = |group: &'static str| {
        let own: Vec<_> = counts
            .iter()
            .filter(|(_, kind, count)| *count > 0 && value_group(kind) == Some(group))
            .collect();
        let one = |&&(_, kind, count): &&(&str, &str, u64)| {
            if group == "coerced" {
                format!("{} {kind}", HumanCount(count))
            } else {
                HumanCount(count).to_string()
            }
        };
        let columns = own.chunk_by(|one, other| one.0 == other.0);
        let texts = columns.map(|counts| {
            format!(
                "{}: {}",
                counts[0].0,
                counts.iter().map(one).collect::<Vec<_>>().join(", ")
            )
        });
        (group, texts.collect::<Vec<_>>())
    };
    GROUPS
        .map(texts)
        .into_iter()
        .filter(|(_, texts)| !texts.is_empty())
        .collect()
}
