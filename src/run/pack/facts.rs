//! What a model card says of a model: facts as Markdown.
//!
//! Owns the tables. Which heading they stand under is the card's; nothing in them is a value of a
//! row.

use std::fmt::Write;

use super::golden::{Golden, TOLERANCE};
use crate::contract::reads::wants;
use crate::contract::{Policy, type_name};
use crate::count::{and_more, counted};
use crate::monitor::estimate::reference::Reference;
use crate::monitor::profile::Profile;
use crate::outcome::Task;
use crate::package::card::CardFacts;
use crate::package::open::OpenedModel;

/// The most inputs that a card lists.
const MAX_INPUTS: usize = 200;

/// What is known of a package's model.
pub(super) fn of(
    opened: &OpenedModel,
    golden: Option<&Golden>,
    baseline: Option<&Profile>,
    reference: Option<&Reference>,
) -> CardFacts {
    let mut sections = vec![
        ("details", details(opened)),
        ("use", outputs(opened)),
        ("metrics", metrics(opened)),
    ];
    sections.extend(golden.map(|golden| ("evaluation", golden_rows(golden))));
    sections.extend(baseline.map(|profile| ("training", training(profile))));
    sections.extend(reference.map(|reference| ("analyses", performance(reference))));
    sections.retain(|(_, text)| !text.is_empty());
    CardFacts {
        name: opened.name.clone(),
        front_matter: front_matter(opened),
        identity: identity(opened),
        sections,
    }
}

/// The number of a profile's rows.
pub(super) fn row_count(profile: &Profile) -> u64 {
    profile.columns.first().map_or(0, |column| column.rows)
}

fn front_matter(opened: &OpenedModel) -> Vec<(String, String)> {
    let task = match &opened.loaded.outcome.task {
        Task::Binary { .. } | Task::Classes { .. } | Task::Flags(_) => "tabular-classification",
        Task::Value | Task::Values(_) => "tabular-regression",
        _ => "other",
    };
    let fact = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    vec![fact("pipeline_tag", task), fact("tags", "[tallow]")]
}

fn identity(opened: &OpenedModel) -> Vec<(String, String)> {
    let fact = |key: &str, value: &str| (key.to_owned(), quoted(value));
    vec![
        fact("model_name", &opened.name),
        fact("library_name", &opened.loaded.description.format),
    ]
}

/// A string of YAML, in quotes where it may mean something else.
fn quoted(text: &str) -> String {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_ascii_lowercase().as_str())
        && !text.starts_with('-');
    if is_plain {
        text.to_owned()
    } else {
        // JSON's strings are YAML's.
        serde_json::Value::from(text).to_string()
    }
}

fn details(opened: &OpenedModel) -> String {
    let description = &opened.loaded.description;
    let own = [
        ("version", opened.version.clone()),
        ("format", Some(description.format.clone())),
        ("format version", description.format_version.clone()),
        ("family", Some(opened.loaded.model.family().to_owned())),
    ];
    let mut rows: Vec<[String; 2]> = own
        .into_iter()
        .filter_map(|(name, value)| Some([name.to_owned(), value?]))
        .collect();
    rows.extend(
        description
            .facts
            .iter()
            .map(|(name, value)| [name.clone(), value.clone()]),
    );
    rows.extend(opened.artefacts.iter().map(|artefact| {
        let name = format!("SHA-256 of `{}`", artefact.path.display());
        [name, artefact.sha256.clone()]
    }));
    format!("{}{}", table(["fact", "value"], &rows), inputs(opened))
}

fn inputs(opened: &OpenedModel) -> String {
    let contract = &opened.loaded.contract;
    if contract.inputs.is_empty() {
        return String::new();
    }
    let policy = |policy: Policy| match policy {
        Policy::Error => "error".to_owned(),
        Policy::Reject => "reject".to_owned(),
        Policy::Null => "missing".to_owned(),
        Policy::Default(value) => value.to_string(),
    };
    let rows: Vec<[String; 4]> = contract
        .inputs
        .iter()
        .take(MAX_INPUTS)
        .map(|input| {
            [
                input.name.clone(),
                wants(&input.kind),
                input.column_type.map(type_name).unwrap_or_default(),
                policy(input.on_null),
            ]
        })
        .collect();
    let mut text = format!(
        "\nIt reads {}:\n\n{}",
        counted(contract.inputs.len(), "input"),
        table(["input", "reads", "type", "null is"], &rows)
    );
    let hidden = contract.inputs.len().saturating_sub(MAX_INPUTS);
    if hidden > 0 {
        let more = and_more(hidden, "");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n…{more}: `tallow inspect` lists them.");
    }
    text
}

fn outputs(opened: &OpenedModel) -> String {
    let loaded = &opened.loaded;
    let fields =
        loaded
            .outcome
            .fields(loaded.model.margin_count(), loaded.model.precision(), false);
    let rows: Vec<[String; 2]> = fields
        .iter()
        .map(|field| [field.name().clone(), field.data_type().to_string()])
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("Its answers:\n\n{}", table(["column", "type"], &rows))
}

fn metrics(opened: &OpenedModel) -> String {
    match &opened.loaded.outcome.task {
        Task::Binary { labels, threshold } => format!(
            "`{}` is predicted where its probability is {}.",
            labels[1],
            at_least(*threshold)
        ),
        _ => String::new(),
    }
}

/// A threshold in words: the number right above 0.5 means "greater than 0.5".
fn at_least(threshold: f64) -> String {
    let (own, below) = (threshold.to_string(), threshold.next_down().to_string());
    if below.len() < own.len() {
        format!("greater than {below}")
    } else {
        format!("at least {own}")
    }
}

fn golden_rows(golden: &Golden) -> String {
    let rows = counted(golden.row_count as u64, "golden row");
    let mut text = format!(
        "{rows} with answers are part of the package; `tallow check` compares them with a \
         tolerance of {TOLERANCE:e}."
    );
    if let Some(difference) = golden.original_difference {
        let _ = match difference {
            0.0 => write!(text, " They equal the original library's."),
            _ => write!(
                text,
                " The original library's answers to these rows differ by at most {difference:.1e}."
            ),
        };
    }
    text
}

fn training(profile: &Profile) -> String {
    let rows: Vec<[String; 3]> = profile
        .columns
        .iter()
        .take(MAX_INPUTS)
        .map(|column| {
            let missing = column.missing_rate().unwrap_or(0.0);
            [
                column.name.clone(),
                column.kind().name().to_owned(),
                format!("{:.2} %", 100.0 * missing),
            ]
        })
        .collect();
    format!(
        "{} were profiled:\n\n{}",
        counted(row_count(profile), "row"),
        table(["column", "holds", "missing"], &rows)
    )
}

/// What labelled rows showed.
fn performance(reference: &Reference) -> String {
    let rows: Vec<[String; 2]> = reference
        .metrics
        .iter()
        .map(|(metric, value)| [metric.clone(), format!("{value:.4}")])
        .collect();
    format!(
        "On {} with labels:\n\n{}",
        counted(reference.rows, "row"),
        table(["metric", "value"], &rows)
    )
}

/// A table of Markdown.
fn table<const COUNT: usize>(head: [&str; COUNT], rows: &[[String; COUNT]]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let escaped = |text: &str| text.replace('|', "\\|").replace(['\n', '\r'], " ");
    let mut text = line(head.iter().map(|cell| (*cell).to_owned()).collect());
    // Writing to a string cannot fail.
    let _ = writeln!(text, "|{}", "---|".repeat(COUNT));
    for row in rows {
        text.push_str(&line(row.iter().map(|cell| escaped(cell)).collect()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_where_yaml_would_read_something_else() {
        for (text, expected) in [
            ("churn", "churn"),
            ("churn-2", "churn-2"),
            ("no", "\"no\""),
            ("12", "\"12\""),
            ("a: b", "\"a: b\""),
            ("- x", "\"- x\""),
            ("\"x\"", "\"\\\"x\\\"\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn thresholds_are_short_numbers() {
        assert_eq!(at_least(0.5), "at least 0.5");
        assert_eq!(at_least(0.5_f64.next_up()), "greater than 0.5");
        assert_eq!(at_least(0.3), "at least 0.3");
    }

    #[test]
    fn cells_do_not_break_their_table() {
        let text = table(["a"], &[["x|y\nz".to_owned()]]);
        assert_eq!(text, "| a |\n|---|\n| x\\|y z |\n");
    }
}
