//! Values of rows stay in the tables that are made of rows: no report, page, log, metrics or
//! lineage file holds any of them.

use std::path::Path;

use crate::harness::{Room, data};

/// Values that occur nowhere else: a text, a number, a category, and a date.
const SECRETS: [&str; 6] = [
    "ZZ-SECRET-CUSTOMER",
    "8675309.125",
    "ZZ-UNSEEN-CONTRACT",
    "1903-07-04",
    "ZZ-NOT-A-NUMBER",
    "ZZ-SECRET-REGION",
];

/// The demo's customers, two of which have secrets in every column that may hold one.
fn planted(room: &Room) {
    let text = std::fs::read_to_string(data("demo/customers.csv")).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let head: Vec<String> = lines[0]
        .split(',')
        .map(|name| name.trim_matches('"').to_owned())
        .collect();
    let mut plant = |row: usize, name: &str, value: &str| {
        let column = head.iter().position(|own| own == name).unwrap();
        let mut cells: Vec<&str> = lines[row].split(',').collect();
        cells[column] = value;
        lines[row] = cells.join(",");
    };
    plant(7, "customer_id", SECRETS[0]);
    plant(7, "monthly_charge", SECRETS[1]);
    plant(7, "region", SECRETS[5]);
    plant(8, "contract", SECRETS[2]);
    plant(8, "signup_date", SECRETS[3]);
    plant(9, "age", SECRETS[4]);
    room.file("rows.csv", lines.join("\n") + "\n");
}

/// The secrets that are in a file, as its bytes and, if it is a table of facts, as its texts.
fn found_in(room: &Room, path: &Path) -> Vec<&'static str> {
    let bytes = std::fs::read(path).unwrap();
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if path.extension().is_some_and(|ending| ending == "pq") {
        let path = path.display().to_string();
        text += &room.run(["inspect", &path, "--format", "json"]).stdout;
    }
    SECRETS
        .into_iter()
        .filter(|secret| text.contains(secret))
        .collect()
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// What is a shown text from, and the text.
type Shown = (&'static str, String);

fn scored(room: &Room, model: &str) -> Vec<Shown> {
    let score = [
        "score",
        "--model",
        model,
        "rows.csv",
        "--on-unseen",
        "reject",
        "--on-null",
        "null",
        "--metrics-file",
        "metrics.prom",
        "--lineage-file",
        "lineage.jsonl",
        "--log-format",
        "json",
        "--format",
        "json",
        "-v",
    ];
    let dataset = room
        .run([&score[..], &["--output", "scores/"]].concat())
        .ok();
    let file = room
        .run([&score[..], &["--output", "scores.parquet"]].concat())
        .ok();
    let checked = room.run([&["check"], &score[1..]].concat());
    let scanned = room.run([&["check", "--scan"], &score[1..]].concat());
    vec![
        ("score into a data set", dataset.to_string()),
        ("score into a file", file.to_string()),
        ("check", checked.to_string()),
        ("check --scan", scanned.to_string()),
    ]
}

/// What other verbs show of the rows that were scored.
fn followed(room: &Room) -> impl IntoIterator<Item = Shown> {
    room.file(
        "labels.csv",
        "customer_id,churned\nZZ-SECRET-CUSTOMER,1\nC-00021,0\n",
    );
    let lines = [
        "replay scores",
        "log scores scores.parquet",
        "compare scores scores.parquet --key customer_id --output compare.csv",
        "evaluate scores.parquet --labels labels.csv --label churned --key customer_id \
         --output evaluate.csv",
        "compare scores scores.parquet --key customer_id --output compare.pq --format json",
        "evaluate scores.parquet --labels labels.csv --label churned --key customer_id \
         --arm b=scores --output evaluate.pq --format json",
        "report scores.report.pq --output page.html",
        "report scores/_tallow/report.pq --output pages.html",
        "inspect scores",
        "inspect scores --format json",
        "retry scores -v",
        "evaluate scores.parquet --labels labels.csv --label churned --key customer_id \
         --save-reference reference.json -v",
        "drift before.csv rows.csv --output drift.pq -v",
        "drift before.csv rows.csv --format json",
        "report drift.pq --output drift.html",
        "report compare.pq --output compare.html",
    ];
    std::fs::copy(data("demo/customers.csv"), room.path("before.csv")).unwrap();
    lines.map(|line| (line, room.tallow(line).to_string()))
}

/// With everything that watches rows, in words for users.
fn watched(room: &Room, model: &str) -> [Shown; 2] {
    let watched = room.run([
        "score",
        "--model",
        model,
        "rows.csv",
        "--on-unseen",
        "reject",
        "--on-null",
        "null",
        "--rule",
        "range(age, 0, 120)",
        "--rule",
        "monthly_charge < 1000",
        "--gate",
        "mean(probability) < 2",
        "--history",
        "history",
        "--challenger",
        &format!("next={}", data("demo/candidate.ubj").display()),
        "--output",
        "watched.out.parquet",
        "--log-format",
        "text",
        "-v",
    ]);
    let page = room.tallow("report watched.out.report.pq --output watched.html");
    [
        ("a run that watches", watched.to_string()),
        ("the page of a run that watches", page.to_string()),
    ]
}

/// What is wrong with the rejected rows of a table.
fn rejected_messages(room: &Room, table: &str) -> String {
    let rejected = room.table(table);
    assert!(rejected.num_rows() > 0, "{table}");
    let messages = crate::harness::texts(crate::harness::column(&rejected, "rejected_message"));
    let text = messages
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(!text.is_empty(), "{table}");
    text
}

/// What a run shows that stops at a value.
fn stopped(room: &Room, model: &str) -> String {
    let stopped = room.run([
        "score",
        "--model",
        model,
        "rows.csv",
        "--output",
        "never.parquet",
    ]);
    assert_ne!(stopped.code, 0, "{stopped}");
    stopped.to_string()
}

fn look_at_files(room: &Room) {
    let mut looked_at = 0;
    for path in files(&room.path("")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_of_rows = name == "rows.csv"
            || name == "before.csv"
            || name == "labels.csv"
            || name.contains("rejected")
            || path.to_string_lossy().contains("/rejected/")
            || path.to_string_lossy().contains(".challengers/")
            || name.ends_with(".parquet");
        if is_of_rows {
            continue;
        }
        looked_at += 1;
        let found = found_in(room, &path);
        assert!(found.is_empty(), "`{}` holds {found:?}", path.display());
    }
    assert!(looked_at >= 18, "{looked_at} files were looked at");
    for page in [
        "page.html",
        "pages.html",
        "watched.html",
        "drift.html",
        "compare.html",
    ] {
        assert!(room.path(page).exists(), "{page}");
    }
}

#[test]
fn no_value_of_a_row_is_in_a_report_log_metrics_or_lineage_file() {
    let room = Room::new();
    planted(&room);
    let model = data("demo/churn").display().to_string();
    let mut shown = scored(&room, &model);
    shown.extend(followed(&room));
    shown.extend(watched(&room, &model));
    for table in ["scores.rejected.pq", "watched.out.rejected.pq"] {
        shown.push(("messages of rejected rows", rejected_messages(&room, table)));
    }
    shown.push(("a run that stops at a value", stopped(&room, &model)));
    for (what, text) in &shown {
        let found: Vec<&str> = SECRETS
            .into_iter()
            .filter(|one| text.contains(one))
            .collect();
        assert!(found.is_empty(), "{what} shows {found:?}: {text}");
    }
    look_at_files(&room);
    let scores = std::fs::read(room.path("scores.parquet")).unwrap();
    assert!(!scores.is_empty());
    let rows = crate::harness::texts(crate::harness::column(
        &room.table("scores.parquet"),
        "customer_id",
    ));
    assert!(
        rows.iter().any(|one| one.as_deref() == Some(SECRETS[0])),
        "the secret is in the rows"
    );
}
