//! `tallow evaluate`: predictions against labels.

use std::path::{Path, PathBuf};

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use serde_json::Value as Json;
use tallow::interrupt::Interrupt;
use tallow::monitor::evaluate::{Question, evaluate};
use tallow::report::{Fact, evaluation::facts};
use tallow::table::ReadOptions;
use tallow::table::sorted::DEFAULT_RUN_BYTES;

use crate::harness::{Room, data, table};

/// The cases that `data/golden/metrics.py` made, with the flags that they need alongside the key.
const CASES: [(&str, &str); 4] = [
    ("binary", "--by region"),
    ("classes", ""),
    ("regression", ""),
    ("ranking", "--group query"),
];

fn case(name: &str, file: &str) -> PathBuf {
    data(&format!("golden/metrics_{name}/{file}"))
}

#[test]
fn metrics_are_those_of_scikit_learn() {
    let mut failures = Vec::new();
    for (name, flags) in CASES {
        let (predictions, labels) = (case(name, "predictions.parquet"), case(name, "labels.csv"));
        let line = format!(
            "evaluate {} --label outcome --labels {} --key id {flags} --format json",
            predictions.display(),
            labels.display()
        );
        let found = Room::new().tallow(&line).ok().json();
        let text = std::fs::read(case(name, "expected.json")).unwrap();
        let expected: serde_json::Map<String, Json> = serde_json::from_slice(&text).unwrap();
        for (metric, expected) in &expected {
            let found = metric
                .split('/')
                .fold(&found["evaluation"], |object, part| &object[part]);
            let expected = expected.as_f64().unwrap();
            let is_close = |found: f64| (found - expected).abs() <= 1e-9 * expected.abs().max(1.0);
            if !found.as_f64().is_some_and(is_close) {
                failures.push(format!("{name} {metric}: {found}, expected {expected}"));
            }
        }
        assert!(expected.len() > 2, "{name}");
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

fn facts_of(request: &Question, run_bytes: usize, room: &Room) -> Vec<Fact> {
    let options = ReadOptions::default();
    let interrupt = Interrupt::default();
    let found = evaluate(
        request,
        &options,
        &room.path("").into(),
        run_bytes,
        &interrupt,
    );
    facts(&found.unwrap())
}

fn reversed(batch: &RecordBatch) -> RecordBatch {
    let rows = batch.num_rows() as u32;
    take_record_batch(batch, &UInt32Array::from_iter_values((0..rows).rev())).unwrap()
}

#[test]
fn order_files_and_memory_change_nothing() {
    for (name, _) in CASES {
        let room = Room::new();
        let path = case(name, "predictions.parquet");
        let whole = table(&path);
        let middle = whole.num_rows() / 3;
        room.parquet(
            "b.parquet",
            &reversed(&whole.slice(middle, whole.num_rows() - middle)),
            100,
        );
        room.parquet("c.parquet", &whole.slice(0, middle), 100);
        let request = |predictions: Vec<PathBuf>| Question {
            predictions: predictions.into_iter().map(Into::into).collect(),
            label: "outcome".to_owned(),
            labels: vec![case(name, "labels.csv").into()],
            key: vec!["id".to_owned()],
            by: if name == "binary" {
                vec!["region".to_owned()]
            } else {
                Vec::new()
            },
            group: (name == "ranking").then(|| "query".to_owned()),
            ..Question::default()
        };
        let parts = vec![room.path("b.parquet"), room.path("c.parquet")];
        let expected = facts_of(&request(vec![path]), DEFAULT_RUN_BYTES, &room);
        assert!(expected.len() > 10, "{name}");
        for run_bytes in [500, 5_000, DEFAULT_RUN_BYTES] {
            let found = facts_of(&request(parts.clone()), run_bytes, &room);
            assert_eq!(found, expected, "{name} {run_bytes}");
        }
    }
}

const PREDICTIONS: &str = "id,probability,prediction,region\n1,0.9,1,a\n\
    2,0.2,0,b\n3,0.7,1,\n4,,,a\n\
                           5,abc,1,a\n6,0.5,1,b\n6,0.4,0,b\n8,0.1,0,b\n";

const LABELS: &str = "id,y\n1,1\n2,0\n3,1\n3,1\n6,0\n6,1\n9,1\n2,0\n8,\n,1\n";

#[test]
fn late_duplicate_and_conflicting_labels_are_counted() {
    let room = Room::new();
    room.file("p.csv", PREDICTIONS);
    room.file("l.csv", LABELS);
    let line = "evaluate p.csv --label y --labels l.csv --key id --by region --format json";
    let found = room.tallow(line).ok().json();
    let found = &found["evaluation"];
    for (name, expected) in [
        ("rows_read", 8),
        ("rows_evaluated", 3),
        ("rows_without_prediction", 2),
        ("rows_without_label", 1),
        ("rows_with_conflicting_labels", 2),
        ("duplicate_predictions", 1),
        ("labels_read", 10),
        ("duplicate_labels", 3),
        ("labels_without_prediction", 2),
    ] {
        assert_eq!(found[name], expected, "{name}");
    }
    assert_eq!(found["region=(missing)"]["rows_evaluated"], 1);
}

#[test]
fn integers_join_floats_that_stand_for_them() {
    let room = Room::new();
    let predictions = table(&case("binary", "predictions.parquet"));
    let ids: Vec<String> = (0..predictions.num_rows())
        .map(|id| format!("{id}.0,yes"))
        .collect();
    room.file("l.csv", format!("id,outcome\n{}\n", ids.join("\n")));
    let line = format!(
        "evaluate {} --label outcome --labels l.csv --key id --types id=double --format json",
        case("binary", "predictions.parquet").display()
    );
    let found = room.tallow(&line).ok().json();
    assert_eq!(
        found["evaluation"]["rows_evaluated"],
        predictions.num_rows()
    );
}

#[test]
fn requests_that_do_not_fit_are_refused_with_what_to_type() {
    let room = Room::new();
    room.file("p.csv", PREDICTIONS);
    room.file("l.csv", LABELS);
    room.file("empty.csv", "probability,y\n");
    room.file("text.csv", "prediction,y\nchurn,churn\nstay,churn\n");
    room.file("blank.csv", "probability,y\n0.1,it's not\n0.9,it is\n");
    let refusals: Vec<String> = [
        "p.csv --label why --labels l.csv --key id",
        "p.csv --label y --labels l.csv",
        "p.csv --label prediction --key id",
        "p.csv --label y",
        "p.csv --label region",
        "p.csv --label region --task regression",
        "p.csv --label prediction --positive 2",
        "p.csv --label prediction --cost-fp -1",
        "p.csv --label prediction --threshold nan",
        "p.csv --label prediction --task regression --cost-fp 5",
        "p.csv --label prediction --task regression --positive 1",
        "text.csv --label y --cost-fn 5",
        "p.csv --label prediction --group region --threshold 0.5",
        "p.csv --label prediction --output p.csv",
        "p.csv --label prediction --output p.csv --overwrite",
        "p.csv --label prediction --output p.json",
        "p.csv --label prediction --by regoin",
        "p.csv --label y --labels l.csv --key region",
        "empty.csv --label y",
        "text.csv --label y",
        "blank.csv --label y",
    ]
    .into_iter()
    .map(|flags| {
        let run = room.tallow(&format!("evaluate {flags}"));
        assert!([1, 2, 3].contains(&run.code), "{flags}: {run}");
        format!("$ tallow evaluate {flags}\n{}", run.stderr)
    })
    .collect();
    insta::assert_snapshot!("refused_evaluations", refusals.join("\n"));
}

#[test]
fn the_lowest_cost_is_the_lowest_of_all_decisions() {
    let room = Room::new();
    room.file("rows.csv", "probability,y\n0.9,0\n0.8,1\n0.3,0\n0.2,0\n");
    let line = "evaluate rows.csv --label y --cost-fp 10 --cost-fn 1";
    let found = room.tallow(&format!("{line} --format json")).ok().json();
    let lowest = &found["thresholds"]["lowest_cost"];
    assert_eq!(lowest["cost"], 1.0, "{lowest}");
    assert_eq!(lowest["threshold"], 0.9_f64.next_up(), "{lowest}");
    assert_eq!(found["thresholds"]["false_positive_cost"], 10.0);
    let shown = room.tallow(&format!("{line} -v --output e.pq")).ok().stdout;
    let expected = "lowest cost 1 with no row called positive";
    assert!(shown.contains(expected), "{shown}");
    let every = "evaluate rows.csv --label y --cost-fp 0 -v";
    let shown = room.tallow(every).ok().stdout;
    assert!(shown.contains("lowest cost 0 at 0.8"), "{shown}");
    room.tallow("report e.pq --output page.html").ok();
    let page = std::fs::read_to_string(room.path("page.html")).unwrap();
    for part in [
        "Lowest 1; a false positive costs 10, a false negative 1",
        "no row is called positive",
        "above 0.9",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    // The threshold does what it stands for.
    let threshold = lowest["threshold"].as_f64().unwrap();
    let line = format!("evaluate rows.csv --label y --threshold {threshold} --format json");
    let found = room.tallow(&line).ok().json();
    assert_eq!(found["confusion"]["actual=1,predicted=1"], 0, "{found}");
}

#[test]
fn hostile_scores_have_the_metrics_that_are_defined() {
    let room = Room::new();
    let rows = "1.5,1\n-3,0\ninf,1\nnan,0\n-inf,0\n1e300,1\n5e-324,0\n";
    room.file("scores.csv", format!("probability,y\n{rows}"));
    let found = room
        .tallow("evaluate scores.csv --label y --format json")
        .ok()
        .json();
    let found = &found["evaluation"];
    assert_eq!(
        (&found["roc_auc"], &found["rows_evaluated"]),
        (&1.into(), &6.into())
    );
    assert!(
        found["log_loss"].is_null() && found["ece"].is_null(),
        "no probabilities"
    );
    room.file("one.csv", "probability,y\n0.5,1\n");
    let found = room
        .tallow("evaluate one.csv --label y --format json")
        .ok()
        .json();
    let found = &found["evaluation"];
    assert!(
        found["roc_auc"].is_null() && found["ks"].is_null(),
        "one class: {found}"
    );
    assert_eq!(found["accuracy"], 1);
    let rows = "1e300,1\n-1e300,0\ninf,1\nnan,0\n5e-324,-0.0\n";
    room.file("values.csv", format!("prediction,y\n{rows}"));
    let found = room
        .tallow("evaluate values.csv --label y --format json")
        .ok()
        .json();
    assert_eq!(found["evaluation"]["mae"], "inf");
    assert_eq!(found["evaluation"]["rows_evaluated"], 4);
}

#[test]
fn a_report_holds_the_facts_and_is_replaced_only_when_asked() {
    let room = Room::new();
    room.file("p.csv", "probability,y\n0.9,1\n0.1,0\n0.6,0\n");
    let line = "evaluate p.csv --label y --output r.csv";
    room.tallow(line).ok();
    let report = std::fs::read_to_string(room.path("r.csv")).unwrap();
    for fact in [
        ",run,,status,,done,",
        ",evaluation,,rows_evaluated,3",
        ",evaluation,,roc_auc,1",
        ",gains,decile_1,lift,",
        ",thresholds,lowest_cost,threshold,",
        ",reliability,0.8-0.9,positive_rate,1",
        "\"actual=0,predicted=1\",1",
    ] {
        assert!(report.contains(fact), "{fact}\n{report}");
    }
    let run = room.tallow(line).fails(1);
    assert!(run.stderr.contains("the output exists already"), "{run}");
    room.tallow(&format!("{line} --overwrite")).ok();
    let left: Vec<String> = room.listing();
    assert_eq!(left, ["p.csv", "r.csv"], "nothing is left behind");
    assert!(Path::new(&room.path("r.csv")).exists());
}

/// The rows of the golden numbers of two classes: two scores and the label.
fn golden_rows() -> Vec<(f64, f64, u8)> {
    let row = |i: u64| {
        let label = u8::from((31 * i + 7) % 97 < (17 * i) % 53);
        let base = ((17 * i) % 53) as f64 / 53.0;
        let first = base * 0.6 + ((7919 * i) % 1009) as f64 / 1009.0 * 0.4;
        let second = base * 0.8 + ((104_729 * i) % 997) as f64 / 997.0 * 0.2;
        let second = (second.clamp(0.001, 0.999) * 100.0).round_ties_even() / 100.0;
        (first.clamp(0.001, 0.999), second, label)
    };
    (0..2000).map(row).collect()
}

#[test]
fn arms_are_ranked_and_only_real_differences_are_called_so() {
    let room = Room::new();
    let rows = golden_rows();
    // The sums of golden_monitoring.json.
    let sums = rows.iter().fold((0.0, 0.0, 0), |sums, row| {
        (sums.0 + row.0, sums.1 + row.1, sums.2 + u32::from(row.2))
    });
    assert!((sums.0 - 988.636_693_849_692_4).abs() < 1e-9);
    assert!((sums.1 - 984.68).abs() < 1e-9);
    assert_eq!(sums.2, 497);
    let table = |name: &str, score: &dyn Fn(usize) -> f64| {
        let mut text = "id,probability,label\n".to_owned();
        for (row, (_, _, label)) in rows.iter().enumerate() {
            text += &format!("{row},{},{label}\n", score(row));
        }
        room.file(name, text);
    };
    table("first.csv", &|row| rows[row].0);
    table("second.csv", &|row| rows[row].1);
    table("copy.csv", &|row| rows[row].1);
    // Nearly the second: no test can tell them apart.
    table("near.csv", &|row| {
        rows[row].1 + if row % 500 == 0 { 0.01 } else { 0.0 }
    });
    let line = "evaluate first.csv --label label --key id --labels first.csv --types \
                probability=float64 --arm second.csv --arm twin=copy.csv --arm near.csv";
    let object = room.tallow(&format!("{line} --format json")).ok().json();
    let arms = &object["arms"];
    let standing = |name: &str| arms[name]["standing"].as_str().unwrap().to_owned();
    let rank = |name: &str| arms[name]["rank"].as_f64().unwrap();
    assert_eq!(arms["metric"], "roc_auc");
    assert_eq!(arms["count"], 4);
    assert_eq!(rank("first"), 4.0);
    assert_eq!(standing("first"), "worse");
    // golden_monitoring.json: the areas, and DeLong's probability (against `second`).
    let area = arms["second"]["roc_auc"].as_f64().unwrap();
    assert!((area - 0.681_791_346_883_697_4).abs() < 1e-12, "{area}");
    let area = arms["first"]["roc_auc"].as_f64().unwrap();
    assert!((area - 0.657_015_947_983_309).abs() < 1e-12, "{area}");
    let p = arms["first"]["p"].as_f64().unwrap();
    assert!((0.003..0.007).contains(&p), "{p}");
    let corrected = arms["first"]["p_adjusted"].as_f64().unwrap();
    assert!(corrected >= p && corrected < 0.05, "{corrected}");
    let near: Vec<String> = ["second", "twin", "near"]
        .iter()
        .map(|name| standing(name))
        .collect();
    assert_eq!(
        near.iter().filter(|one| *one == "best").count(),
        1,
        "{near:?}"
    );
    assert!(!near.contains(&"worse".to_owned()), "{near:?}");
    let text = room.tallow(line).ok();
    assert!(text.stdout.contains("arms by roc_auc"), "{}", text.stdout);
    for (line, part) in [
        (
            "--arm second.csv --arm second.csv",
            "two arms have the name `second`",
        ),
        (
            "--arm second.csv --metric accuracies",
            "no metric `accuracies`",
        ),
        ("--metric accuracy", "--arm"),
    ] {
        let line = format!("evaluate first.csv --label label --key id --labels first.csv {line}");
        let run = room.tallow(&line).fails(2);
        assert!(run.stderr.contains(part), "{}", run.stderr);
    }
}

#[test]
fn labels_that_are_no_numbers_are_counted_apart() {
    let room = Room::new();
    room.file(
        "p.csv",
        "id,prediction\n1,1.5\n2,2.5\n3,3.5\n4,4.5\n5,5.5\n",
    );
    room.file("l.csv", "id,y\n1,1.0\n2,n/a\n3,\"2,5\"\n4,\n5,5\n");
    let line = "evaluate p.csv --label y --labels l.csv --key id --task regression --format json";
    let run = room.tallow(line).ok();
    assert!(run.stderr.contains("2 labels are no number"), "{run}");
    let found = &run.json()["evaluation"];
    let count = |metric: &str| found[metric].as_u64().unwrap();
    assert_eq!(count("labels_not_numbers"), 2);
    assert_eq!(
        [count("rows_evaluated"), count("rows_without_label")],
        [2, 3]
    );
}

#[test]
fn classes_that_are_spelt_differently_are_warned_of() {
    let room = Room::new();
    let warning = "are spelled differently";
    let evaluated = |predictions: &str, labels: &str| {
        let rows = predictions.split(' ').zip(labels.split(' '));
        let rows = rows.map(|(prediction, label)| format!("{prediction},{label}\n"));
        room.file(
            "p.csv",
            format!("prediction,y\n{}", rows.collect::<String>()),
        );
        room.tallow("evaluate p.csv --label y --task classes")
            .ok()
            .stderr
    };
    let found = evaluated("oak elm Ash oak", "oak elm ash ash");
    assert!(
        found.contains(warning) && found.contains("labels `ash`, predictions `Ash`"),
        "{found}"
    );
    // A class that is never predicted, or never the label, is nothing unusual.
    assert!(!evaluated("oak elm fir", "oak elm ash").contains(warning));
    assert!(!evaluated("1 0 -1", "1 0 1").contains(warning));
    let found = evaluated("1 0 1", "yes no no");
    assert!(found.contains("no prediction equals any label"), "{found}");
}

#[test]
fn an_evaluation_names_the_run_that_made_its_predictions() {
    let room = Room::new();
    let model = std::fs::read(data("hostile/good.json")).unwrap();
    room.file("good.json", model);
    room.file("rows.csv", "a,b,y\n0.1,0.5,0\n0.2,7.5,1\n0.9,0.1,1\n");
    for output in ["out.parquet", "text.csv", "set/"] {
        let score = format!("score --model good.json rows.csv --output {output} --format json");
        let run_id = room.tallow(&score).ok().json()["run_id"].clone();
        let line = format!("evaluate {output} --label y --positive 1 --format json");
        let found = room.tallow(&line).ok().json();
        assert_eq!(found["evaluation"]["run_id"], run_id, "{output}");
    }
}
