//! Whole sessions: each verb with all that it prints and its exit code, times and sizes apart.

use regex::Regex;

use crate::harness::{Room, data};

/// What differs from run to run or from machine to machine, and what it becomes.
const FILTERS: [(&str, &str); 8] = [
    (r"(time +)\d+\.\d\d s \([^)]*\)", "${1}[TIME]"),
    (r"in \d+\.\d\d s \([^)]*\)", "in [TIME] ([SPEED])"),
    (r"\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
    (r"[\d.]+ [KMG]iB", "[SIZE]"),
    (r"\d+ bytes", "[SIZE]"),
    (r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "[UUID]"),
    (r"(run_id +)\S+", "${1}[RUN]"),
    (r"(threads +)\d+", "${1}[N]"),
];

/// Runs the commands in one room, the demo at hand; everything that they print.
fn session(commands: &[&str]) -> String {
    let room = Room::new();
    for name in ["churn/model.ubj", "customers.parquet", "customers.csv"] {
        room.file(name, std::fs::read(data("demo").join(name)).unwrap());
    }
    let mut text = String::new();
    for command in commands {
        let run = room.tallow(command);
        text += &format!("$ tallow {command}\n{run}\n\n");
    }
    FILTERS.iter().fold(text, |text, (pattern, replacement)| {
        let pattern = Regex::new(pattern).unwrap();
        pattern.replace_all(&text, *replacement).into_owned()
    })
}

#[test]
fn inspect_shows_models_tables_data_sets_and_reports() {
    insta::assert_snapshot!(session(&[
        "inspect churn",
        "inspect customers.parquet",
        "score --model churn customers.csv --output scores/ -qq",
        "inspect scores",
        "score --model churn customers.csv --output out.csv -qq",
        "inspect out.report.pq",
        "inspect nothing",
    ]));
}

#[test]
fn check_shows_what_a_run_would_do_and_what_does_not_fit() {
    insta::assert_snapshot!(session(&[
        "check --model churn customers.csv --threads 2 --memory 512MiB",
        "check --model churn customers.csv --scan --on-null age=reject --threads 2",
        "check --model churn customers.csv --rename region=age",
        "check --model churn missing.csv",
    ]));
}

#[test]
fn profiles_are_shown_and_merged_only_with_their_like() {
    insta::assert_snapshot!(session(&[
        "profile customers.csv --output a.pq",
        "profile customers.parquet --output b.pq",
        "merge a.pq b.pq --output all.pq",
        "merge a.pq a.pq --output twice.pq",
        "inspect a.pq",
    ]));
}

#[test]
fn a_data_set_is_finished_once_and_its_rejected_rows_stay_until_they_are_corrected() {
    insta::assert_snapshot!(session(&[
        "score --model churn customers.csv --output scores/ --on-null age=reject",
        "score --model churn customers.csv --output scores/ --on-null age=reject",
        "retry scores",
        "score --model churn customers.csv --output scores/ --on-null age=0",
    ]));
}
