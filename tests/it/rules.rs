//! Rules: conditions on rows, columns and tables, by flag and by package.

use serde_json::Value as Json;

use crate::harness::{Room, Run, column, data, texts};

/// Twelve rows: `a` is low in five and missing in one, `b` is out of range in two.
fn room() -> Room {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    let mut rows = "id,a,b,kind,day\n".to_owned();
    for row in 0..12 {
        let a = if row == 3 {
            String::new()
        } else {
            format!("0.{}", row % 10)
        };
        let b = if row % 5 == 4 { "7.5" } else { "0.5" };
        let id = if row == 11 { 0 } else { row };
        let kind = if row % 2 == 0 { "x" } else { "" };
        rows += &format!("{id},{a},{b},{kind},2026-11-{:02}\n", row + 1);
    }
    room.file("rows.csv", rows);
    room
}

fn score(room: &Room, more: &[&str]) -> Run {
    let line = "score --model good.json rows.csv --overwrite --quiet --format json --on-null null";
    let arguments = line.split(' ').chain(more.iter().copied());
    room.run(arguments)
}

fn rules<'a>(texts: &[&'a str]) -> Vec<&'a str> {
    texts.iter().flat_map(|text| ["--rule", text]).collect()
}

const ALL: [&str; 7] = [
    "low: a < 0.5; mostly=40%",
    "range(b, 0, 1); on-fail=reject",
    "unique(id)",
    "unique(id, exact)",
    "row_count(1, 5)",
    "set(kind, 'x')",
    "late: day >= '2026-11-03'",
];

fn counts(object: &Json, rule: &str) -> (u64, u64, String) {
    let facts = &object["quality"][rule];
    let count = |name: &str| facts[name].as_u64().unwrap();
    (
        count("tested_count"),
        count("failed_count"),
        facts["verdict"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn rules_are_counted_and_one_rejects_its_rows() {
    let room = room();
    let arguments = [&["--output", "out.parquet"][..], &rules(&ALL)].concat();
    let object = score(&room, &arguments).ok().json();
    let expected = [
        ("low", (12, 6, "ok")),
        ("range(b, 0, 1)", (12, 2, "broken")),
        ("unique(id)", (12, 1, "broken")),
        ("unique(id, exact)", (12, 1, "broken")),
        ("row_count(1, 5)", (1, 1, "broken")),
        ("set(kind, 'x')", (12, 0, "ok")),
        ("late", (12, 2, "broken")),
    ];
    for (rule, (tested, failed, verdict)) in &expected {
        assert_eq!(
            counts(&object, rule),
            (*tested, *failed, (*verdict).to_owned()),
            "{rule}"
        );
    }
    assert_eq!(object["ledger"]["rejected"], 2);
    assert_eq!(object["rejections"]["range(b, 0, 1)"]["rule"], 2);
    let rejected = room.table("out.rejected.pq");
    assert_eq!(
        texts(column(&rejected, "rejected_column")),
        vec![Some("range(b, 0, 1)".to_owned()); 2]
    );
    assert_eq!(
        texts(column(&rejected, "rejected_reason")),
        vec![Some("rule".to_owned()); 2]
    );
    assert_eq!(
        texts(column(&rejected, "id")),
        [Some("4".to_owned()), Some("9".to_owned())]
    );
    assert_eq!(room.table("out.parquet").num_rows(), 10);
}

#[test]
fn threads_batches_parts_and_a_second_start_change_no_count() {
    let room = room();
    let own = rules(&ALL[..6]);
    let whole = [&["--output", "out.parquet"][..], &own].concat();
    let whole = score(&room, &whole).ok().json();
    for more in [
        &["--output", "parts/", "--rows-per-part", "5"][..],
        &["--output", "again/", "--rows-per-part", "3", "-j", "3"],
        &["--output", "small.parquet", "--batch-rows", "1", "-j", "2"],
    ] {
        let object = score(&room, &[more, &own].concat()).ok().json();
        assert_eq!(object["quality"], whole["quality"], "{more:?}");
        assert_eq!(object["ledger"], whole["ledger"], "{more:?}");
    }
    // A part that is made again: the others' counts come from what was stored with them.
    std::fs::remove_file(room.path("parts/_SUCCESS")).unwrap();
    let resumed = [&["--output", "parts/", "--rows-per-part", "5"][..], &own].concat();
    let object = score(&room, &resumed).ok().json();
    assert!(object["status"] == "nothing_to_do" || object["quality"] == whole["quality"]);
}

#[test]
fn a_rule_that_must_hold_withholds_the_output() {
    let room = room();
    let rule = ["--output", "out.parquet", "--rule", "a >= 0; on-fail=fail"];
    let run = score(&room, &rule).fails(5);
    assert!(run.stderr.contains("`a >= 0`: 1 of 12 rows do not meet it"));
    assert!(!room.path("out.parquet").exists());
    let held = [
        "--output",
        "out.parquet",
        "--rule",
        "a >= 0; mostly=90%; on-fail=fail",
    ];
    score(&room, &held).ok();
}

#[test]
fn examples_are_shown_only_if_they_are_asked_for() {
    let room = room();
    let rule = ["--output", "out.parquet", "--rule", "big: b < 1"];
    let object = score(&room, &rule).ok().json();
    assert!(object["quality"]["big"].get("example_1").is_none());
    let examples = [&rule[..], &["--rule-examples", "2"]].concat();
    let object = score(&room, &examples).ok().json();
    let facts = &object["quality"]["big"];
    assert_eq!(
        facts["example_1"],
        "rows.csv, row 5: id=4, a=0.4, b=7.5, kind=x, day=2026-11-05"
    );
    assert!(
        facts["example_2"]
            .as_str()
            .unwrap()
            .starts_with("rows.csv, row 10:")
    );
    assert!(facts.get("example_3").is_none());
}

#[test]
fn check_binds_rules_and_judges_them_with_scan() {
    let room = room();
    let line = "check --model good.json rows.csv --on-null null --rule";
    let check = |rule: &str, more: &[&str]| {
        let arguments = line.split(' ').chain([rule]).chain(more.iter().copied());
        room.run(arguments)
    };
    assert!(check("b < 1", &[]).ok().stdout.contains("rules   1 rule"));
    let scanned = check("b < 1", &["--scan", "--rule-examples", "1"]).ok();
    assert!(
        scanned
            .stdout
            .contains("`b < 1`: 2 of 12 rows do not meet it (83.3333 % do, at least 100 % must)")
            && scanned
                .stdout
                .contains("rows.csv, row 5: id=4, a=0.4, b=7.5"),
        "{}",
        scanned.stdout
    );
    for (rule, code, part) in [
        ("c < 1", 3, "column `c`"),
        ("b + 1", 3, "not true or false"),
        ("range(b, 1)", 2, "range(COLUMN, LOW, HIGH)"),
        ("unique(id); on-fail=reject", 2, "whole table"),
        ("fresh(a, 1d)", 3, "dates and timestamps"),
        ("pattern(kind, '(')", 3, "regular expression"),
        ("kind IN (SELECT 1)", 2, "subquery"),
        ("max(b) > 1", 2, "more than its own row"),
        ("b < 1; mostly=0", 2, "share above 0"),
        ("b < 1; on-fail=stop", 2, "on-fail=warn"),
    ] {
        let run = check(rule, &[]).fails(code);
        assert!(run.stderr.contains(part), "{rule}: {}", run.stderr);
    }
    let two = check("b < 1", &["--rule", "b < 1"]).fails(2);
    assert!(two.stderr.contains("two rules have the name `b < 1`"));
}

#[test]
fn columns_of_bytes_lists_and_time_zones_are_refused_or_right() {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BinaryArray, Float32Array, Int64Array, ListArray, TimestampMillisecondArray,
    };
    use arrow::datatypes::Int64Type;

    let room = room();
    let now = std::time::SystemTime::now();
    let now = now
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis() as i64;
    let number = || Arc::new(Float32Array::from(vec![0.5, 0.25])) as ArrayRef;
    let times = TimestampMillisecondArray::from(vec![now - 7_200_000, 0]);
    let lists = [Some(vec![Some(1)]), Some(vec![Some(1)])];
    let columns: [(&str, ArrayRef); 6] = [
        ("a", number()),
        ("b", number()),
        (
            "bytes",
            Arc::new(BinaryArray::from(vec![&b"\xff"[..], b"\xff"])),
        ),
        (
            "list",
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists)),
        ),
        ("moment", Arc::new(times.with_timezone("+02:00"))),
        ("n", Arc::new(Int64Array::from(vec![1, 1]))),
    ];
    let batch = arrow::array::RecordBatch::try_from_iter(columns).unwrap();
    room.parquet("t.parquet", &batch, 100);
    let judged = |rule: &str| {
        let line = [
            "check",
            "--scan",
            "--model",
            "good.json",
            "t.parquet",
            "--format",
            "json",
        ];
        room.run(line.iter().copied().chain(["--rule", rule]))
    };
    for rule in ["unique(bytes)", "unique(list, exact)", "list IS NULL"] {
        assert!(
            judged(rule).fails(3).stderr.contains("of the type"),
            "{rule}"
        );
    }
    for (rule, failed) in [
        ("fresh(moment, 3h)", 0),
        ("fresh(moment, 1h)", 1),
        ("unique(n)", 1),
        ("moment > '2020-01-01 00:00:00Z'", 1),
    ] {
        let object = judged(rule).ok().json();
        assert_eq!(object["quality"][rule]["failed_count"], failed, "{rule}");
    }
}

#[test]
fn a_package_states_rules_that_read_columns_of_its_own_and_derived_ones() {
    let room = room();
    room.file(
        "package/model.json",
        std::fs::read(room.path("good.json")).unwrap(),
    );
    let manifest = |on_fail: &str| {
        format!(
            "name = \"p\"\n[[artefacts]]\npath = \"model.json\"\n[[derived]]\nname = \"c\"\n\
             expression = \"a + b\"\n[[rules]]\nname = \"sum\"\nexpression = \"c < 2\"\n\
             on_fail = \"{on_fail}\"\n[[rules]]\nexpression = \"kind IS NOT NULL\"\nmostly = 0.5\n"
        )
    };
    room.file("package/tallow.toml", manifest("reject"));
    let line = "score --model package rows.csv --output out.parquet --overwrite --quiet --format \
                json --on-null null --passthrough id";
    let object = room.tallow(line).ok().json();
    assert_eq!(counts(&object, "sum"), (12, 3, "broken".to_owned()));
    assert_eq!(
        counts(&object, "kind IS NOT NULL"),
        (12, 6, "ok".to_owned())
    );
    assert_eq!(object["ledger"]["rejected"], 3);
    room.file("package/tallow.toml", manifest("stop"));
    let refused = room.tallow(line).fails(3);
    assert!(refused.stderr.contains("on_fail") || refused.stderr.contains("stop"));
}

#[test]
fn a_reference_gives_estimates_the_same_for_parts_threads_and_formats() {
    let room = Room::new();
    let demo = |name: &str| data("demo").join(name).display().to_string();
    let (model, table) = (demo("churn"), demo("customers.parquet"));
    let score = |more: &[&str]| {
        let line = [
            "score",
            "--quiet",
            "--format",
            "json",
            "--overwrite",
            "--model",
            &model,
            &table,
        ];
        room.run(line.iter().chain(more).copied()).ok().json()
    };
    score(&["--output", "p.parquet"]);
    let labels = demo("outcomes.csv");
    let evaluate = [
        "evaluate",
        "p.parquet",
        "--label",
        "churned",
        "--labels",
        &labels,
        "--key",
        "customer_id",
        "--save-reference",
        "reference.json",
        "--format",
        "json",
    ];
    let evaluated = room.run(evaluate).ok().json();
    let taken = room.run(evaluate).fails(1);
    assert!(taken.stderr.contains("--overwrite"), "{}", taken.stderr);
    let object = score(&["--output", "q.parquet", "--reference", "reference.json"]);
    let estimates = &object["estimates"];
    let number = |name: &str| estimates[name].as_f64().unwrap();
    for metric in ["roc_auc", "f1", "accuracy", "precision", "recall"] {
        let known = evaluated["evaluation"][metric].as_f64().unwrap();
        assert_eq!(number(&format!("reference_{metric}")), known, "{metric}");
        let estimate = number(&format!("estimated_{metric}"));
        // The same rows but for those whose labels have not come.
        assert!(
            (estimate - known).abs() < 0.01,
            "{metric} {estimate} {known}"
        );
        let low = number(&format!("estimated_{metric}_low"));
        let high = number(&format!("estimated_{metric}_high"));
        assert!(low < estimate && estimate < high, "{metric} {low} {high}");
    }
    for more in [
        &["--output", "parts/", "--rows-per-part", "300", "-j", "2"][..],
        &["--output", "small.parquet", "--batch-rows", "7", "-j", "3"],
    ] {
        let again = score(&[more, &["--reference", "reference.json"]].concat());
        assert_eq!(&again["estimates"], estimates, "{more:?}");
    }
    room.file("other.json", "{}");
    for (name, part) in [
        ("other.json", "not a reference"),
        ("none.json", "none.json"),
    ] {
        let line = format!("score --model {model} {table} --output r.parquet --reference {name}");
        let run = room.tallow(&line);
        assert!(run.stderr.contains(part), "{}", run.stderr);
    }
}

#[test]
fn the_mean_of_a_loss_model_is_reported_of_scored_rows_alone() {
    let room = room();
    let base = ["--output", "out.parquet", "--loss-column", "b"];
    let object = score(&room, &base).ok().json();
    let number = |object: &Json, name: &str| object["estimates"][name].as_f64().unwrap();
    let assumption = object["estimates"]["loss_assumption"].as_str().unwrap();
    assert!(
        assumption.starts_with("the loss model holds"),
        "{assumption}"
    );
    assert!(object["estimates"]["assumption"].is_null());
    let shown = room.tallow("inspect out.report.pq").ok().stdout;
    assert!(shown.contains(assumption), "{shown}");
    room.tallow("report out.report.pq --output page.html").ok();
    let page = std::fs::read_to_string(room.path("page.html")).unwrap();
    let lead = format!("Over 12 rows. Assumption: {assumption}.");
    assert!(
        page.contains(&lead) && !page.contains("calibrated"),
        "{page}"
    );
    // Ten rows of 0.5 and two of 7.5.
    let loss = number(&object, "estimated_loss");
    assert!((loss - 20.0 / 12.0).abs() < 1e-12, "{loss}");
    let (low, high) = (
        number(&object, "estimated_loss_low"),
        number(&object, "estimated_loss_high"),
    );
    assert!(low < loss && loss < high);
    let rejecting = [&base[..], &["--rule", "b < 1; on-fail=reject"]].concat();
    let object = score(&room, &rejecting).ok().json();
    assert_eq!(number(&object, "estimated_loss"), 0.5);
    assert_eq!(number(&object, "rows_with_loss"), 10.0);
    // As in NannyML, a loss that is expected to be negative counts as 0: 0, 3 and 0 of three rows.
    room.file(
        "losses.csv",
        "a,b,loss\n0.1,0.5,-2\n0.2,0.5,3\n0.3,0.5,-1\n",
    );
    let line = "score --model good.json losses.csv --output cut.parquet --loss-column loss \
                --format json";
    let object = room.tallow(line).ok().json();
    assert_eq!(number(&object, "estimated_loss"), 1.0);
    let unknown = ["--output", "out.parquet", "--loss-column", "zz"];
    assert!(score(&room, &unknown).fails(3).stderr.contains("`zz`"));
}

#[test]
fn inputs_are_those_of_the_rows_that_were_scored() {
    let room = room();
    // Row 3 has no `a`; `b` is out of range in rows 4 and 9.
    for (policy, rows) in [("--on-null=null", 10), ("--on-null=reject", 9)] {
        let flags = [
            policy,
            "--rule",
            "range(b, 0, 1); on-fail=reject",
            "--gate",
            "mean(b) == 0.5",
            "--profile",
            "profile.pq",
            "--output",
            "out.parquet",
        ];
        for further in [&[][..], &["--batch-rows", "3", "--threads", "3"]] {
            let line = "score --model good.json rows.csv --overwrite --format json";
            let arguments = line.split(' ').chain(flags).chain(further.iter().copied());
            let object = room.run(arguments).ok().json();
            assert_eq!(object["ledger"]["scored"], rows);
            for column in ["a", "b"] {
                assert_eq!(object["inputs"][column]["count"], rows, "{policy} {column}");
            }
            assert_eq!(object["inputs"]["b"]["mean"], 0.5, "{policy}");
            assert_eq!(object["inputs"]["b"]["standard_deviation"], 0, "{policy}");
            let profile = room.tallow("inspect profile.pq --format json").ok().stdout;
            assert!(
                !profile.contains("7.5"),
                "no row of the profile was rejected: {profile}"
            );
        }
    }
}
