//! `tallow compare`: predictions against predictions.

use std::path::PathBuf;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use serde_json::Value as Json;
use tallow::interrupt::Interrupt;
use tallow::monitor::compare::{Question, compare, compare_unpaired, open};
use tallow::report::comparison::facts;
use tallow::table::ReadOptions;
use tallow::table::sorted::DEFAULT_RUN_BYTES;

use crate::harness::{Room, column, data, numbers, table, texts};

/// The cases that `data/golden/comparison.py` made, with the flags that they need.
const CASES: [(&str, &str); 3] = [
    ("binary", "--by region"),
    ("classes", ""),
    ("regression", "--tolerance 5"),
];

fn case(name: &str, file: &str) -> PathBuf {
    data(&format!("golden/comparison_{name}/{file}"))
}

fn line(name: &str, flags: &str) -> String {
    format!(
        "compare {} {} --key id --label outcome --labels {} {flags}",
        case(name, "a.parquet").display(),
        case(name, "b.parquet").display(),
        case(name, "labels.csv").display()
    )
}

#[test]
fn measures_are_those_of_scipy_statsmodels_and_scikit_learn() {
    let mut failures = Vec::new();
    for (name, flags) in CASES {
        let found = Room::new()
            .tallow(&format!("{} --format json", line(name, flags)))
            .ok()
            .json();
        let text = std::fs::read(case(name, "expected.json")).unwrap();
        let expected: serde_json::Map<String, Json> = serde_json::from_slice(&text).unwrap();
        for (metric, expected) in &expected {
            let found = metric
                .split('/')
                .fold(&found["comparison"], |object, part| &object[part]);
            let expected = expected.as_f64().unwrap();
            let is_close = |found: f64| (found - expected).abs() <= 1e-9 * expected.abs().max(1.0);
            if !found.as_f64().is_some_and(is_close) {
                failures.push(format!("{name} {metric}: {found}, expected {expected}"));
            }
        }
        assert!(expected.len() > 20, "{name}");
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn intervals_of_the_bootstrap_are_near_those_of_scipy() {
    for (name, flags) in CASES {
        let Ok(text) = std::fs::read(case(name, "bootstrap.json")) else {
            assert_eq!(name, "classes");
            continue;
        };
        let found = Room::new()
            .tallow(&format!("{} --format json", line(name, flags)))
            .ok()
            .json();
        let expected: serde_json::Map<String, Json> = serde_json::from_slice(&text).unwrap();
        let ends = |ends: &serde_json::Map<String, Json>, metric: &str| {
            ["low", "high"].map(|end| ends[&format!("{metric}_{end}")].as_f64().unwrap())
        };
        let metrics = expected.keys().filter_map(|name| name.strip_suffix("_low"));
        let metrics: Vec<&str> = metrics.collect();
        assert!(!metrics.is_empty(), "{name}: {metrics:?}");
        for metric in metrics {
            let (own, theirs) = (
                ends(found["comparison"].as_object().unwrap(), metric),
                ends(&expected, metric),
            );
            // An end is known to 2 % of the width with as many replicates. Those of KS lie to one
            // side of the value: the own interval is moved onto it, and has the same width.
            let tolerance = 0.1 * (theirs[1] - theirs[0]);
            let middle = |[low, high]: [f64; 2]| match metric {
                "ks_difference" => f64::midpoint(low, high),
                _ => 0.0,
            };
            let from_middle = |ends: [f64; 2]| ends.map(|end| end - middle(ends));
            for (own, theirs) in from_middle(own).iter().zip(from_middle(theirs)) {
                assert!(
                    (own - theirs).abs() <= tolerance,
                    "{name} {metric}: {own}, expected {theirs}"
                );
            }
        }
    }
}

#[test]
fn order_files_and_memory_change_no_measure() {
    let reversed = |batch: &RecordBatch| {
        let rows = batch.num_rows() as u32;
        take_record_batch(batch, &UInt32Array::from_iter_values((0..rows).rev())).unwrap()
    };
    for (name, _) in CASES {
        let room = Room::new();
        let whole = table(&case(name, "a.parquet"));
        std::fs::create_dir(room.path("parts")).unwrap();
        room.parquet(
            "parts/1.parquet",
            &reversed(&whole.slice(200, whole.num_rows() - 200)),
            90,
        );
        room.parquet("parts/2.parquet", &whole.slice(0, 200), 90);
        let facts_of = |first: PathBuf, run_bytes: usize| {
            let question = Question {
                first: first.into(),
                second: case(name, "b.parquet").into(),
                label: Some("outcome".to_owned()),
                labels: vec![case(name, "labels.csv").into()],
                key: vec!["id".to_owned()],
                by: if name == "binary" {
                    vec!["region".to_owned()]
                } else {
                    Vec::new()
                },
                moved: 7,
                ..Question::default()
            };
            let options = ReadOptions::default();
            let open = |path| open(path, &options).unwrap();
            let tables = [open(&question.first), open(&question.second)];
            let found = compare(
                &question,
                &tables,
                &options,
                &room.path("").into(),
                run_bytes,
                &Interrupt::default(),
            )
            .unwrap()
            .rows()
            .unwrap();
            (facts(&found, [None, None]), found.moved)
        };
        let expected = facts_of(case(name, "a.parquet"), DEFAULT_RUN_BYTES);
        assert!(expected.0.len() > 30 && expected.1.len() == 7, "{name}");
        for run_bytes in [700, 6_000, DEFAULT_RUN_BYTES] {
            assert_eq!(
                facts_of(room.path("parts"), run_bytes),
                expected,
                "{name} {run_bytes}"
            );
        }
    }
}

#[test]
fn a_table_is_the_same_as_itself_and_swapped_tables_change_the_sign() {
    let room = Room::new();
    let (a, b) = (case("binary", "a.parquet"), case("binary", "b.parquet"));
    let (a, b) = (a.display(), b.display());
    let same = room
        .tallow(&format!("compare {a} {a} --format json"))
        .ok()
        .json();
    let same = &same["comparison"];
    for (name, expected) in [
        ("agreement", 1.0),
        ("identical", 1.0),
        ("rank_correlation", 1.0),
    ] {
        assert_eq!(same[name].as_f64(), Some(expected), "{name}");
    }
    assert_eq!(
        (&same["flips"], &same["psi"], &same["decile_swaps"]),
        (&0.into(), &0.into(), &0.into())
    );
    assert_eq!(same["sentence"], "a and b are the same on 700 rows");
    let of = |left: &dyn std::fmt::Display, right: &dyn std::fmt::Display| {
        let line = format!("compare {left} {right} --key id --format json");
        room.tallow(&line).ok().json()["comparison"].clone()
    };
    let (forth, back) = (of(&a, &b), of(&b, &a));
    assert_eq!(forth["flips"], back["flips"]);
    assert_eq!(forth["rank_correlation"], back["rank_correlation"]);
    assert_eq!(
        forth["mean_difference"].as_f64().map(|one| -one),
        back["mean_difference"].as_f64()
    );
}

const FIRST: &str = "id,probability,prediction,y\n1,0.9,1,1\n2,0.2,0,0\n3,0.7,1,1\n4,,,0\n\
                     5,0.5,1,0\n5,0.6,1,0\n6,0.4,0,1\n8,0.1,0,\n,0.3,0,0\n";

const SECOND: &str = "id,probability,prediction\n6,0.6,1\n3,0.7,1\n2,0.1,0\n1,0.4,0\n7,0.2,0\n\
                      4,0.8,1\n5,0.5,1\n8,abc,0\n";

#[test]
fn rows_that_are_not_compared_are_counted() {
    let room = Room::new();
    room.file("a.csv", FIRST);
    room.file("b.csv", SECOND);
    let found = room
        .tallow("compare a.csv b.csv --key id --label y --format json")
        .ok()
        .json();
    let found = &found["comparison"];
    for (name, expected) in [
        ("rows_read_a", 9),
        ("rows_read_b", 8),
        ("rows_compared", 4),
        ("rows_with_label", 4),
        ("rows_without_prediction_a", 1),
        ("rows_without_prediction_b", 1),
        ("rows_without_key_a", 1),
        ("rows_without_key_b", 0),
        ("rows_with_duplicate_key_a", 2),
        ("rows_with_duplicate_key_b", 0),
        ("rows_without_partner_a", 0),
        ("rows_without_partner_b", 2),
        ("flips", 2),
    ] {
        assert_eq!(found[name], expected, "{name}");
    }
    assert_eq!(found["agreement"], 0.5);
}

#[test]
fn a_key_that_a_row_without_a_prediction_shares_is_a_duplicate() {
    let room = Room::new();
    room.file("a.csv", "id,probability\n1,\n1,0.9\n2,0.2\n3,0.9\n");
    room.file("b.csv", "id,probability\n1,0.8\n2,0.1\n3,0.8\n");
    let found = room
        .tallow("compare a.csv b.csv --key id --format json")
        .ok()
        .json();
    for (name, expected) in [
        ("rows_compared", 2),
        ("rows_without_prediction_a", 1),
        ("rows_with_duplicate_key_a", 1),
        ("rows_without_partner_b", 1),
    ] {
        assert_eq!(found["comparison"][name], expected, "{name}");
    }
}

#[test]
fn a_row_without_a_prediction_is_noted_once() {
    let room = Room::new();
    room.file("a.csv", "id,probability\n1,0.1\n2,0.2\n3,0.9\n4,0.5\n");
    room.file("b.csv", "id,probability\n1,0.1\n2,\n3,0.8\n4,0.4\n");
    room.file("c.csv", "id,probability\n1,0.1\n2,\n3,0.8\n5,0.4\n");
    let note = |line: &str| {
        let shown = room.tallow(line).ok().stdout;
        let mut notes = shown.lines().filter(|line| line.contains("note: "));
        notes.next().unwrap_or_default().trim().to_owned()
    };
    for key in ["", " --key id"] {
        let line = format!("compare a.csv b.csv{key}");
        assert_eq!(note(&line), "note: 1 row of b without prediction", "{key}");
    }
    let expected = "note: 1 row of b without prediction; 1 row of a without partner; 1 row of b \
                    without partner";
    assert_eq!(note("compare a.csv c.csv --key id"), expected);
}

#[test]
fn rows_are_joined_by_their_order_only_where_that_is_the_same() {
    let room = Room::new();
    room.file("a.csv", "id,probability\n1,0.1\n2,0.2\n3,0.9\n");
    room.file("same.csv", "probability,id\n0.3,1\n0.2,2\n0.8,3\n");
    room.file("other.csv", "id,probability\n1,0.1\n3,0.9\n2,0.2\n");
    room.file("short.csv", "id,probability\n1,0.1\n");
    let found = room
        .tallow("compare a.csv same.csv --format json")
        .ok()
        .json();
    assert_eq!(found["comparison"]["rows_compared"], 3);
    let error = room.tallow("compare a.csv other.csv").fails(3).stderr;
    assert!(
        error.contains("not in the same order (row 2, column `id`)"),
        "{error}"
    );
    assert!(error.contains("`--key id`"), "{error}");
    let error = room.tallow("compare a.csv short.csv").fails(3).stderr;
    assert!(
        error.contains("the tables have 3 rows and 1 row"),
        "{error}"
    );
    let found = room.tallow("compare a.csv other.csv --key id --format json");
    assert_eq!(found.ok().json()["comparison"]["identical"], 1);
}

#[test]
fn gates_and_margins_decide_the_exit_code_once_the_report_is_written() {
    let room = Room::new();
    let held = format!(
        "{} --gate flip_rate<0.5 --gate roc_auc_difference_low(*)>-0.1 --output c.pq",
        line("binary", "--by region --margin 0.02")
    );
    let found = room.tallow(&format!("{held} --format json")).ok().json();
    assert_eq!(found["comparison"]["verdict"], "not_inferior");
    assert_eq!(found["comparison"]["not_inferior"], 1);
    assert_eq!(found["gates"]["flip_rate<0.5"]["state"], "ok");
    let error = room.tallow(&held).fails(1).stderr;
    assert!(error.contains("exists already"), "{error}");
    let tripped = format!("{} --gate flips<=10 --output d.pq", line("binary", ""));
    let result = room.tallow(&tripped).fails(5);
    assert!(
        result
            .stderr
            .contains("the only gate failed: `flips<=10`: 127"),
        "{}",
        result.stderr
    );
    assert!(result.stdout.contains("report d.pq"), "{}", result.stdout);
    let inspected = room.tallow("inspect d.pq --format json").ok().stdout;
    assert!(inspected.contains("\"failed\":1"), "{inspected}");
    let json = room
        .tallow(&format!("{tripped} --overwrite --format json"))
        .fails(5)
        .json();
    assert_eq!(
        (&json["status"], &json["exit_code"]),
        (&"gates_failed".into(), &5.into())
    );
    assert_eq!(json["comparison"]["flips"], 127);
    for (flags, message) in [
        ("--gate foo>1", "about a fact that the report does not have"),
        ("--gate flips", "is not a gate"),
        ("--metric mae", "has no metric `mae`"),
        ("--margin -1", "is not negative"),
        ("--moved 100000", "at most 10000"),
    ] {
        let error = room.tallow(&line("binary", flags)).fails(2).stderr;
        assert!(error.contains(message), "{flags}: {error}");
    }
}

#[test]
fn moved_rows_are_listed_on_request_and_never_in_the_report() {
    let room = Room::new();
    let quiet = room
        .tallow(&line("binary", "--output quiet.csv"))
        .ok()
        .stdout;
    let moved = room
        .tallow(&line("binary", "--moved 2 --output moved.csv"))
        .ok()
        .stdout;
    assert!(!quiet.contains("c0242"), "{quiet}");
    let rows: Vec<&str> = moved
        .lines()
        .filter(|line| line.starts_with("  c0"))
        .collect();
    assert_eq!(rows.len(), 2, "{moved}");
    assert!(
        rows[0].contains("c0242") && rows[1].contains("c0482"),
        "{rows:?}"
    );
    for report in ["quiet.csv", "moved.csv"] {
        let text = std::fs::read_to_string(room.path(report)).unwrap();
        assert!(
            text.contains("rank_correlation") && !text.contains("c0242"),
            "{report}"
        );
    }
    insta::assert_snapshot!("compare", moved.replace("moved.csv", "REPORT"));
}

#[test]
fn inspect_prints_the_text_of_a_stored_comparison() {
    let cases = CASES.map(|(name, flags)| line(name, flags));
    let alike = line("binary", "--by region --margin 0.02");
    let unlabelled = format!(
        "compare {} {} --key id",
        case("classes", "a.parquet").display(),
        case("classes", "b.parquet").display()
    );
    for line in cases.into_iter().chain([alike, unlabelled]) {
        for report in ["c.pq", "c.csv"] {
            let room = Room::new();
            let shown = room.tallow(&format!("{line} --output {report}")).ok();
            let text = shown.stdout.strip_suffix(&format!("report {report}\n"));
            let text = text.unwrap_or_else(|| panic!("{shown}"));
            assert!(
                text.lines().count() > 5 && !text.contains("report"),
                "{text}"
            );
            let inspected = room.tallow(&format!("inspect {report}")).ok().stdout;
            assert!(inspected.ends_with(text), "{inspected}\nand not\n{text}");
            assert!(inspected.starts_with("report\n"), "{inspected}");
        }
    }
}

#[test]
fn a_comparison_says_which_models_it_is_of() {
    let room = Room::new();
    for (output, threshold) in [("a.parquet", "0.5"), ("b.parquet", "0.3")] {
        room.tallow(&format!(
            "score -qq --model {} {} --threshold {threshold} --output {output}",
            data("demo/churn").display(),
            data("demo/customers.csv").display()
        ))
        .ok();
    }
    let found = room
        .tallow("compare a.parquet b.parquet --format json")
        .ok()
        .json();
    let models = &found["models"];
    assert!(
        models["a"]["digest"]
            .as_str()
            .unwrap()
            .starts_with("sha256:"),
        "{models}"
    );
    assert_eq!(models["a"], models["b"]);
    assert_eq!(found["comparison"]["mean_absolute_difference"], 0);
    assert!(found["comparison"]["flips"].as_u64().unwrap() > 0);
}

#[test]
fn an_output_in_text_is_of_the_model_that_its_report_names() {
    let room = Room::new();
    for output in ["a.csv", "b.parquet", "d/"] {
        let format = if output == "d/" {
            "--output-format csv"
        } else {
            ""
        };
        room.tallow(&format!(
            "score -qq --model {} {} --output {output} {format}",
            data("demo/churn").display(),
            data("demo/customers.csv").display()
        ))
        .ok();
    }
    let labels = data("demo/outcomes.csv").display().to_string();
    let model = |output: &str| {
        let line = format!(
            "evaluate {output} --labels {labels} --key customer_id --label churned --format json"
        );
        room.tallow(&line).ok().json()["model"].clone()
    };
    let expected = model("b.parquet");
    assert_eq!(expected["name"], "churn");
    for output in ["a.csv", "d"] {
        assert_eq!(model(output), expected, "{output}");
    }
    let line = "compare a.csv d --key customer_id --format json";
    let models = room.tallow(line).ok().json()["models"].clone();
    for side in ["a", "b"] {
        assert_eq!(models[side], expected, "{side}");
    }
}

#[test]
fn a_change_is_divided_between_data_and_model() {
    let room = Room::new();
    let demo = |name: &str| data(&format!("demo/{name}")).display().to_string();
    let text = std::fs::read_to_string(data("demo/customers.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    room.file("a.csv", lines[..151].join("\n") + "\n");
    let other = [&lines[..1], &lines[51..]].concat().join("\n") + "\n";
    room.file("b.csv", other);
    let mut means = Vec::new();
    for (output, rows, model) in [
        ("aa.parquet", "a.csv", "churn"),
        ("ab.parquet", "a.csv", "candidate.ubj"),
        ("ba.parquet", "b.csv", "churn"),
        ("bb/", "b.csv", "candidate.ubj"),
    ] {
        room.run([
            "score",
            "-qq",
            "--model",
            &demo(model),
            rows,
            "--output",
            output,
        ])
        .ok();
        let file = output.replace("bb/", "bb/part-00000.parquet");
        let scores = numbers(column(&room.table(&file), "probability"));
        means.push(scores.iter().sum::<f64>() / scores.len() as f64);
    }
    let before = room.listing();
    let line = "compare aa.parquet bb --key customer_id --attribute";
    let found = room.tallow(&format!("{line} --format json")).ok().json();
    let found = &found["attribution"];
    assert_eq!(found["column"], "probability");
    let of = |name: &str| found[name].as_f64().unwrap();
    for (name, expected) in [
        ("mean_a", means[0]),
        ("mean_data_a_model_b", means[1]),
        ("mean_data_b_model_a", means[2]),
        ("mean_b", means[3]),
        ("change", means[3] - means[0]),
        (
            "change_by_data",
            (means[2] - means[0] + means[3] - means[1]) / 2.0,
        ),
        (
            "change_by_model",
            (means[1] - means[0] + means[3] - means[2]) / 2.0,
        ),
    ] {
        assert!((of(name) - expected).abs() < 1e-9, "{name}: {found}");
    }
    assert!((of("share_of_data") + of("share_of_model") - 1.0).abs() < 1e-12);
    let shown = room
        .tallow(&format!("{line} --output c.pq --gate share_of_model<100"))
        .ok();
    assert!(
        shown.stdout.contains("the mean of `probability` went from"),
        "{shown}"
    );
    assert_eq!(
        room.listing().len(),
        before.len() + 1,
        "nothing else is written"
    );
    std::fs::remove_file(room.path("a.csv")).unwrap();
    let text = shown.stdout.strip_suffix("report c.pq\n").unwrap();
    let inspected = room.tallow("inspect c.pq").ok().stdout;
    assert!(inspected.ends_with(text), "{inspected}");
    let error = room.tallow(line).fails(3).stderr;
    assert!(error.contains("`a.csv` is gone"), "{error}");
}

#[test]
fn what_needs_no_joined_rows_is_the_same_without_them() {
    let room = Room::new();
    for (name, flags) in CASES {
        let question = Question {
            first: case(name, "a.parquet").into(),
            second: case(name, "b.parquet").into(),
            ..Question::default()
        };
        let options = ReadOptions::default();
        let tables = [&question.first, &question.second].map(|path| open(path, &options).unwrap());
        let unpaired = |run_bytes: usize| {
            let directory = room.path("").into();
            let interrupt = Interrupt::default();
            compare_unpaired(&question, &tables, &directory, run_bytes, &interrupt).unwrap()
        };
        let found = unpaired(DEFAULT_RUN_BYTES);
        let measures = &found.segments[0].measures;
        assert_eq!(measures, &unpaired(500).segments[0].measures, "{name}");
        let of = |metric: &str| measures.iter().find(|one| one.0 == metric).map(|one| one.1);
        let line = format!("{} --format json", line(name, flags));
        let paired = room.tallow(&line).ok().json();
        let number = |metric: &str| paired["comparison"][metric].as_f64();
        let rows = number("rows_compared").unwrap();
        // Every row of both tables has a partner in these cases.
        assert_eq!(
            found.counts.read.map(|rows| rows as f64),
            [rows; 2],
            "{name}"
        );
        if name == "classes" {
            let decided = |side: usize| {
                let mut rows = std::collections::BTreeMap::new();
                for (decisions, count) in paired["decisions"].as_object().unwrap() {
                    let class = decisions.split(['=', ',']).nth(2 * side + 1).unwrap();
                    *rows.entry(class.to_owned()).or_insert(0.0) += count.as_f64().unwrap();
                }
                rows
            };
            let (first, second) = (decided(0), decided(1));
            // By the formula of research: half a row more in each class.
            let total = rows + first.len() as f64 / 2.0;
            let psi: f64 = first
                .iter()
                .map(|(class, count)| {
                    let share = |count: f64| (count + 0.5) / total;
                    let (p, q) = (share(*count), share(second[class]));
                    (p - q) * (p / q).ln()
                })
                .sum();
            assert!(
                (of("psi").unwrap() - psi).abs() < 1e-12,
                "{measures:?} {psi}"
            );
            continue;
        }
        assert_eq!(of("psi"), number("psi"), "{name}");
        let differences = (
            of("mean_difference").unwrap(),
            number("mean_difference").unwrap(),
        );
        assert!(
            (differences.0 - differences.1).abs() < 1e-12,
            "{differences:?}"
        );
        assert_eq!(of("positive_rate_a").is_some(), name == "binary");
    }
}

#[test]
fn a_change_between_days_needs_no_shared_rows() {
    let room = Room::new();
    let demo = |name: &str| data(&format!("demo/{name}")).display().to_string();
    let text = std::fs::read_to_string(data("demo/customers.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    room.file("a.csv", lines[..121].join("\n") + "\n");
    let other = [&lines[..1], &lines[121..]].concat().join("\n") + "\n";
    room.file("b.csv", other);
    for (output, rows, model) in [
        ("a.parquet", "a.csv", "churn"),
        ("b.parquet", "b.csv", "candidate.ubj"),
    ] {
        let score = format!("score -qq --model {} {rows} --output {output}", demo(model));
        room.tallow(&score).ok();
    }
    let line = "compare a.parquet b.parquet --attribute";
    for keys in ["", "--key customer_id"] {
        let found = room
            .tallow(&format!("{line} {keys} --format json"))
            .ok()
            .json();
        let comparison = &found["comparison"];
        assert_eq!(comparison["rows_compared"], 0, "{found}");
        assert_eq!(comparison["rows_read_a"], 120);
        assert_eq!(comparison["rows_read_b"], 80);
        let of = |section: &str, metric: &str| found[section][metric].as_f64().unwrap();
        let pairs = [("mean_score_a", "mean_a"), ("mean_score_b", "mean_b")];
        for (of_table, of_scores) in pairs {
            let apart = of("comparison", of_table) - of("attribution", of_scores);
            assert!(apart.abs() < 1e-12, "{found}");
        }
        let parts = of("attribution", "change_by_data") + of("attribution", "change_by_model");
        assert!(
            (parts - of("attribution", "change")).abs() < 1e-12,
            "{found}"
        );
        for (side, file) in [("a", "a.parquet"), ("b", "b.parquet")] {
            let decided = texts(column(&room.table(file), "prediction"));
            let called = decided
                .iter()
                .filter(|one| one.as_deref() == Some("1"))
                .count();
            let rate = called as f64 / decided.len() as f64;
            assert_eq!(of("comparison", &format!("positive_rate_{side}")), rate);
        }
    }
    let shown = room
        .tallow(&format!("{line} --output c.pq --gate psi<10"))
        .ok()
        .stdout;
    insta::assert_snapshot!("days_apart", shown);
    let inspected = room.tallow("inspect c.pq").ok().stdout;
    assert!(
        inspected.contains("share no rows: mean score"),
        "{inspected}"
    );
    // What is about rows of both tables still needs them.
    for more in ["", "--attribute --moved 3", "--attribute --by region"] {
        let line = format!("compare a.parquet b.parquet {more}");
        let error = room.tallow(&line).fails(3).stderr;
        assert!(
            error.contains("rows cannot be joined by their order"),
            "{error}"
        );
    }
}

#[test]
fn a_challenger_is_attributed_and_explained_by_its_own_model() {
    let room = Room::new();
    let demo = |name: &str| data(&format!("demo/{name}")).display().to_string();
    let (champion, next, rows) = (demo("churn"), demo("candidate.ubj"), demo("customers.csv"));
    for output in ["day.parquet", "days/"] {
        let score = "score -qq --challenger";
        let line = format!("{score} next={next} --model {champion} {rows} --output {output}");
        room.tallow(&line).ok();
    }
    let alone = format!("score -qq --model {next} {rows} --output alone.parquet");
    room.tallow(&alone).ok();
    let of = |path: &str| {
        let line =
            format!("compare day.parquet {path} --key customer_id --attribute --format json");
        room.tallow(&line).ok().json()["attribution"].clone()
    };
    let expected = of("alone.parquet");
    assert_eq!(expected["share_of_model"], 1);
    assert_eq!(of("day.parquet.challengers/next.pq"), expected);
    assert_eq!(of("days.challengers/next"), expected);
    let explained = |path: &str| {
        let found = room
            .tallow(&format!("explain {path} --row 3 --format json"))
            .ok()
            .json();
        found["rows"].clone()
    };
    let row = explained("alone.parquet");
    assert!(
        row[0]["trees"]
            .as_array()
            .is_some_and(|trees| !trees.is_empty()),
        "{row}"
    );
    assert_eq!(explained("day.parquet.challengers/next.pq"), row);
    let error = room
        .tallow("replay day.parquet.challengers/next.pq")
        .fails(1)
        .stderr;
    assert!(error.contains("tallow replay day.parquet"), "{error}");
    // The answers, away from their run or after another one.
    std::fs::copy(
        room.path("day.parquet.challengers/next.pq"),
        room.path("next.pq"),
    )
    .unwrap();
    let error = room.tallow("explain next.pq --row 1").fails(1).stderr;
    assert!(error.contains("was moved away from its run"), "{error}");
    for name in ["day.parquet", "day.report.pq"] {
        std::fs::remove_file(room.path(name)).unwrap();
    }
    room.tallow(&alone.replace("alone.parquet", "day.parquet"))
        .ok();
    let error = room
        .tallow("explain day.parquet.challengers/next.pq --row 1")
        .fails(1)
        .stderr;
    assert!(
        error.contains("the run of the challenger is not recorded"),
        "{error}"
    );
}
