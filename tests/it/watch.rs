//! What a scoring run watches: profiles, drift and gates.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Float64Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take_record_batch;

use crate::harness::{Room, Run, data, table};

fn demo() -> Room {
    let room = Room::new();
    let whole = table(&data("demo/customers.parquet"));
    room.parquet("old.parquet", &whole, 700);
    room.parquet("shifted.parquet", &shifted(&whole), 700);
    let model = data("demo/churn/model.ubj");
    room.file("model.ubj", std::fs::read(model).unwrap());
    room
}

/// The same table with other charges.
fn shifted(batch: &RecordBatch) -> RecordBatch {
    let schema = batch.schema();
    let columns = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            let charges = column.as_any().downcast_ref::<Float64Array>();
            let column: ArrayRef = match charges.filter(|_| field.name() == "monthly_charge") {
                Some(charges) => {
                    let moved = charges.iter().map(|one| one.map(|one| one + 30.0));
                    Arc::new(moved.collect::<Float64Array>())
                }
                None => column.clone(),
            };
            (field.name().clone(), column, true)
        });
    RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).unwrap()
}

fn reversed(batch: &RecordBatch) -> RecordBatch {
    let rows = batch.num_rows() as u32;
    take_record_batch(batch, &UInt32Array::from_iter_values((0..rows).rev())).unwrap()
}

fn bytes(room: &Room, name: &str) -> Vec<u8> {
    std::fs::read(room.path(name)).unwrap()
}

const SCORE: &str = "score --model model.ubj";

/// A model of two numbers.
fn small() -> Room {
    let room = Room::new();
    let model = std::fs::read(data("hostile/good.json")).unwrap();
    room.file("good.json", model);
    let mut text = "id,a,b\n".to_owned();
    for row in 0..400 {
        writeln!(text, "{row},{},{}", row % 7, f64::from(row) / 10.0).unwrap();
    }
    room.file("rows.csv", text);
    room.tallow("profile rows.csv --model good.json --output base.pq")
        .ok();
    room
}

#[test]
fn the_same_data_has_not_drifted_and_shifted_data_has() {
    let room = demo();
    room.tallow("profile old.parquet --model model.ubj --output base.pq")
        .ok();
    let run = |input: &str, further: &str| {
        room.tallow(&format!(
            "{SCORE} {input} --output out.parquet --overwrite --baseline base.pq {further}"
        ))
    };
    let same = run("old.parquet", "--format json").ok().json();
    assert_eq!(same["drift"]["drifted_share"], 0, "{}", same["drift"]);
    for (name, column) in same["drift"].as_object().unwrap() {
        if let Some(js) = column.get("js") {
            assert_eq!(js, 0, "{name}");
            assert_eq!(column["verdict"], "ok", "{name}");
        }
    }
    assert_eq!(
        same["drift"]["probability"]["js"], 0,
        "scores are compared too"
    );
    let flags = ["drift", "inputs"].map(|section| same[section]["has_fiber"]["mean"].clone());
    assert_eq!(
        flags,
        [0.4395, 0.4395],
        "the mean of 0 and 1 is not rounded"
    );
    assert_eq!(same["drift"]["has_fiber"]["baseline_mean"], 0.4395);
    run("old.parquet", "--gate mean(has_fiber)>=0.4395").ok();
    run("old.parquet", "--gate mean(has_fiber)<=0.4395").ok();
    let moved = run("shifted.parquet", "--format json").ok().json();
    let charge = &moved["drift"]["monthly_charge"];
    assert_eq!(charge["verdict"], "drift");
    let means = ["mean", "baseline_mean"].map(|name| charge[name].as_f64().unwrap());
    assert!((means[0] - means[1] - 30.0).abs() < 1e-3, "{means:?}");
    assert_eq!(moved["drift"]["age"]["js"], 0);
    assert_eq!(
        moved["inputs"]["age"]["count"],
        same["inputs"]["age"]["count"]
    );
    let text = run("shifted.parquet", "").ok().stderr;
    assert!(
        text.contains("drift ") && text.contains("`monthly_charge`: drift"),
        "{text}"
    );
    let quiet = room.tallow(&format!(
        "{SCORE} old.parquet --output plain.parquet --baseline none --format json"
    ));
    let quiet = quiet.ok().json();
    assert!(quiet.get("drift").is_none() && quiet.get("inputs").is_none());
    assert!(bytes(&room, "plain.parquet") != Vec::<u8>::new());
}

#[test]
fn a_profile_is_the_same_whatever_the_order_threads_batches_parts_and_merges() {
    let room = demo();
    let whole = table(&data("demo/customers.parquet"));
    room.parquet("a.parquet", &reversed(&whole.slice(0, 900)), 100);
    room.parquet("b.parquet", &whole.slice(900, whole.num_rows() - 900), 333);
    room.tallow("profile old.parquet --model model.ubj --output whole.pq")
        .ok();
    let expected = bytes(&room, "whole.pq");
    for (index, line) in [
        "old.parquet --threads 1 --output o.parquet",
        "old.parquet --threads 4 --batch-rows 64 --output o.parquet",
        "b.parquet a.parquet --threads 3 --output o.parquet",
        "b.parquet a.parquet --output set/ --rows-per-part 300",
        "old.parquet --threads 4 --batch-rows 16 --output small/ --rows-per-part 50",
    ]
    .iter()
    .enumerate()
    {
        let name = format!("p{index}.pq");
        room.tallow(&format!("{SCORE} {line} --overwrite --profile {name}"))
            .ok();
        assert!(bytes(&room, &name) == expected, "{line}");
    }
    room.tallow(&format!(
        "{SCORE} a.parquet --output o.parquet --overwrite --profile auto"
    ))
    .ok();
    room.tallow(&format!("{SCORE} b.parquet --output b/ --profile auto"))
        .ok();
    for order in [
        "o.profile.pq b/_tallow/profile.pq",
        "b/_tallow/profile.pq o.profile.pq",
    ] {
        room.tallow(&format!("merge {order} --output merged.pq --overwrite"))
            .ok();
        assert!(bytes(&room, "merged.pq") == expected, "{order}");
    }
    let twice = room
        .tallow("merge o.profile.pq o.profile.pq --output twice.pq")
        .fails(2);
    assert!(twice.stderr.contains("count twice"), "{twice}");
    room.tallow("profile old.parquet --output raw.pq").ok();
    room.tallow("merge raw.pq o.profile.pq --output x.pq")
        .fails(3);
    assert!(!room.path("x.pq").exists() && !room.path("twice.pq").exists());
    let described = room.tallow("verify b").code;
    assert!(described != 101);
}

#[test]
fn profiles_know_the_model_whose_scores_they_hold() {
    let room = demo();
    let other = std::fs::read_to_string(data("hostile/good.json")).unwrap();
    room.file("other.json", other);
    room.file("two.csv", "a,b\n0.1,0.5\n0.2,7.5\n");
    room.tallow("profile two.csv --model other.json --output other.pq")
        .ok();
    room.tallow("profile old.parquet --model model.ubj --output one.pq")
        .ok();
    room.tallow("profile shifted.parquet --model model.ubj --output two.pq")
        .ok();
    // The same model under another name is the same model.
    std::fs::copy(room.path("model.ubj"), room.path("same.ubj")).unwrap();
    room.tallow("profile shifted.parquet --model same.ubj --output same.pq")
        .ok();
    room.tallow("merge one.pq two.pq --output merged.pq").ok();
    room.tallow("merge one.pq same.pq --output merged_too.pq")
        .ok();
    let refused = room.tallow("merge one.pq other.pq --output x.pq").fails(3);
    assert!(
        refused.stderr.contains("of the model other") && refused.stderr.contains("of model"),
        "{refused}"
    );
    let warning = "the baseline's scores are of another model";
    let score = |baseline: &str| {
        room.tallow(&format!(
            "{SCORE} old.parquet --output out.parquet --overwrite --baseline {baseline}"
        ))
        .ok()
    };
    for baseline in ["one.pq", "merged.pq", "same.pq"] {
        let run = score(baseline);
        assert!(!run.stderr.contains(warning), "{run}");
    }
    let run = score("other.pq");
    assert!(run.stderr.contains(warning), "{run}");
    let run = room.tallow("drift one.pq two.pq").ok();
    assert!(!run.stderr.contains(warning), "{run}");
}

#[test]
fn tables_without_a_column_in_common_are_not_the_same() {
    let room = demo();
    room.file("other.csv", "x,y\n1,2\n3,4\n");
    let run = room
        .tallow("drift other.csv old.parquet --output r.pq")
        .fails(3);
    assert!(run.stderr.contains("no column can be compared"), "{run}");
    assert!(!room.path("r.pq").exists());
    room.tallow("profile other.csv --output base.pq").ok();
    let run = room
        .tallow(&format!(
            "{SCORE} old.parquet --output out.parquet --baseline base.pq"
        ))
        .ok();
    assert!(run.stderr.contains("none of this run's columns"), "{run}");
}

#[test]
fn counts_against_a_baseline_are_the_same_whatever_the_order_threads_and_batches() {
    let room = demo();
    room.tallow("profile old.parquet --model model.ubj --output base.pq")
        .ok();
    let facts = |line: &str| {
        let run = room.tallow(&format!(
            "{SCORE} {line} --baseline base.pq --overwrite --format json"
        ));
        let found = run.ok().json();
        (found["drift"].clone(), found["inputs"].clone())
    };
    let expected = facts("shifted.parquet --threads 1 --output o.parquet");
    room.parquet(
        "turned.parquet",
        &reversed(&room.table("shifted.parquet")),
        90,
    );
    for line in [
        "shifted.parquet --threads 4 --batch-rows 50 --output o.parquet",
        "turned.parquet --threads 3 --output o.parquet",
        "turned.parquet --output set/ --rows-per-part 128",
    ] {
        assert_eq!(facts(line), expected, "{line}");
    }
}

#[test]
fn a_failed_gate_withholds_the_output_of_a_file() {
    let room = small();
    let line = "score --model good.json rows.csv --output out.parquet --baseline base.pq";
    let run = room
        .tallow(&format!(
            "{line} --gate js(a)<0.1 --gate missing_rate(*)<=0"
        ))
        .ok();
    assert!(run.stderr.contains("all 2 gates passed"), "{run}");
    let bad = room
        .tallow(&format!(
            "{line} --overwrite --gate mean(a)<=1 --gate js(*)<0.5 --format json"
        ))
        .fails(5);
    let found = bad.json();
    assert_eq!(found["gates"]["mean(a)<=1"]["state"], "fail");
    assert_eq!(found["gates"]["js(*)<0.5"]["state"], "ok");
    assert_eq!(found["gates"]["failed"], 1);
    assert!(bad.stderr.contains("--on-gate publish"), "{bad}");
    let report = room.tallow("inspect out.unfinished.report.pq").ok();
    assert!(report.stdout.contains("withheld"), "{report}");
    room.tallow("score --model good.json rows.csv --output other.parquet --gate rejected>0")
        .fails(5);
    assert!(!room.path("other.parquet").exists());
    let published = room
        .tallow(
            "score --model good.json rows.csv --output other.parquet --gate rejected>0 \
             --on-gate publish",
        )
        .fails(5);
    assert!(published.stderr.contains("was published"), "{published}");
    assert!(bytes(&room, "other.parquet").len() > 100);
    let plain = "score --model good.json rows.csv --output plain.parquet";
    room.tallow(plain).ok();
    assert!(bytes(&room, "plain.parquet") == bytes(&room, "other.parquet"));
}

#[test]
fn a_bad_night_has_ten_lines_and_its_page_has_the_rest() {
    let room = demo();
    room.tallow("profile old.parquet --model model.ubj --output base.pq")
        .ok();
    let score = format!("{SCORE} shifted.parquet --output out.parquet --baseline base.pq");
    let gates = [
        "js(*)<0.2",
        "psi(*)<=0.1",
        "mean(probability)<=0.1",
        "mean(*)<=0",
    ];
    let rules = ["age >= 18", "not_null(age)", "range(monthly_charge,0,60)"];
    let with = |gates: &[&str], further: &[&str]| {
        let gates = gates.iter().flat_map(|gate| ["--gate", gate]);
        let rules = rules.iter().flat_map(|rule| ["--rule", rule]);
        let words: Vec<&str> = score.split_whitespace().chain(gates).chain(rules).collect();
        room.run([&words[..], further].concat())
    };
    let brief = |run: &Run, parts: &[&str]| {
        let text = format!("{}{}", run.stdout, run.stderr);
        assert!(text.lines().count() <= 10, "{text}");
        for part in parts {
            assert!(text.contains(part), "no `{part}`:\n{text}");
        }
    };
    let failed = with(&gates, &[]).fails(5);
    brief(
        &failed,
        &[
            "4 of 4 gates failed",
            "2,000 in = 2,000 scored",
            "broken       `age >= 18`",
            "`monthly_charge`: drift, JS",
            "more lines: tallow inspect out.unfinished.report.pq",
            "gate tripped: 4 of 4 gates failed",
            "hint: ",
        ],
    );
    let verbose = with(&gates, &["-v"]).fails(5).stderr;
    assert!(verbose.contains("`prediction`: drift"), "{verbose}");
    assert!(!verbose.contains("more lines"), "{verbose}");
    // The page is found by the name of the output that was withheld.
    room.tallow("report out.parquet --output page.html").ok();
    let page = std::fs::read_to_string(room.path("page.html")).unwrap();
    assert!(page.contains("js(monthly_charge)") && page.contains("withheld"));
    let warned = with(&[], &[]).ok();
    brief(
        &warned,
        &[
            "monthly_charge",
            "more lines",
            "warning: the data breaks",
            "output ",
        ],
    );
}

#[test]
fn warnings_around_a_summary_leave_it_ten_lines() {
    let room = demo();
    room.tallow("profile old.parquet --model model.ubj --output base.pq")
        .ok();
    std::fs::create_dir(room.path("reports")).unwrap();
    let early = "--rule-examples 3 --max-errors 5 --max-error-rate 1% --history reports";
    let late = "--missing age=-7 --missing tenure_months=-7 --missing monthly_charge=-7";
    let fail = "--gate js(*)<0.2 --gate psi(*)<=0.1";
    for (index, (flags, code, hidden)) in [
        (early.to_owned(), 0, ""),
        (
            format!("{early} --max-js 0.1 --rejected r.pq"),
            0,
            "2 not shown",
        ),
        (late.to_owned(), 0, ""),
        (format!("{early} {late}"), 0, ""),
        (fail.to_owned(), 5, ""),
        (
            format!("{early} {late} {fail} --gate zscore(rows_in)<=4"),
            5,
            "",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let line = format!("{SCORE} shifted.parquet --output o{index}.parquet --baseline base.pq");
        let line = format!("{line} {flags}");
        let run = room.tallow(&line);
        assert_eq!(run.code, code, "{line}: {run}");
        assert!(run.stderr.lines().count() <= 10, "{line}: {run}");
        assert!(run.stderr.contains(" scored 2,000 rows in "), "{run}");
        assert!(run.stderr.contains(hidden), "{run}");
        let verbose = room.tallow(&format!("{line} --overwrite -v")).stderr;
        assert!(!verbose.contains("`-v` shows all"), "{verbose}");
        let count = |text: &str, part: &str| text.matches(part).count();
        assert!(count(&verbose, "hint: ") >= count(&run.stderr, "hint: "));
    }
}

#[test]
fn a_rule_that_withholds_the_output_leaves_a_report() {
    let room = demo();
    let rule = [
        "--output",
        "out.parquet",
        "--rule",
        "not_null(age); on-fail=fail",
    ];
    let words = format!("{SCORE} old.parquet");
    let words: Vec<&str> = words.split_whitespace().chain(rule).collect();
    let run = room.run(&words).fails(5);
    assert!(run.stderr.lines().count() <= 10, "{run}");
    assert!(run.stderr.contains("broken       `not_null(age)`"), "{run}");
    let names = ["out.parquet", "out.report.pq"].map(|name| room.path(name).exists());
    assert_eq!(names, [false, false]);
    let report = room.tallow("inspect out.unfinished.report.pq").ok().stdout;
    assert!(report.contains("status           withheld"), "{report}");
    assert!(
        report.contains("broken           `not_null(age)`"),
        "{report}"
    );
    room.tallow("report out.parquet --output page.html").ok();
    room.run([&words[..], &["--rule", "age > 0"]].concat())
        .fails(5);
}

#[test]
fn bytes_that_were_written_hold_the_output() {
    let room = demo();
    let run = room.tallow(&format!(
        "{SCORE} old.parquet --output out.parquet --format json"
    ));
    let json = run.ok().json();
    let written = json["performance"]["bytes_written"].as_u64();
    let size = std::fs::metadata(room.path("out.parquet")).unwrap().len();
    assert!(
        written.is_none_or(|written| written >= size),
        "{written:?} of {size}"
    );
}

#[test]
fn a_data_set_that_a_gate_withheld_is_published_without_scoring_again() {
    let room = demo();
    room.tallow("profile old.parquet --model model.ubj --output base.pq")
        .ok();
    room.tallow(&format!(
        "{SCORE} shifted.parquet --output plain/ --rows-per-part 400 --profile plain.pq"
    ))
    .ok();
    let line = format!(
        "{SCORE} shifted.parquet --output set/ --rows-per-part 400 --baseline base.pq \
         --profile set.pq"
    );
    let gate = "--gate drifted_share<=0";
    let first = room.tallow(&format!("{line} {gate}")).fails(5);
    assert!(first.stderr.contains("without scoring again"), "{first}");
    assert!(!room.path("set/_SUCCESS").exists() && !room.path("set.pq").exists());
    let again = room.tallow(&format!("{line} {gate}")).fails(5);
    assert!(again.stderr.contains("finished already"), "{again}");
    let published = room.tallow(&format!("{line} {gate} --on-gate publish --format json"));
    let published = published.fails(5);
    assert!(
        published.stderr.contains("5 parts are finished already"),
        "{published}"
    );
    assert_eq!(published.json()["status"], "gates_failed");
    assert!(room.path("set/_SUCCESS").exists());
    for part in 0..5 {
        let name = |set: &str| format!("{set}/part-0000{part}.parquet");
        let (own, other) = (room.table(&name("set")), room.table(&name("plain")));
        assert_eq!(own, other);
    }
    assert!(
        bytes(&room, "set.pq") == bytes(&room, "plain.pq"),
        "resumed, the same profile"
    );
}

#[test]
fn a_gate_that_no_run_can_decide_is_a_usage_error_before_the_first_row() {
    let room = small();
    let refused = |further: &str| -> Run {
        let line = format!("score --model good.json rows.csv --output out.parquet {further}");
        let run = room.tallow(&line).fails(2);
        assert!(!room.path("out.parquet").exists());
        run
    };
    let shown = [
        "--gate js(a)<0.1",
        "--gate js(aa)<0.1 --baseline base.pq",
        "--gate jss(a)<0.1 --baseline base.pq",
        "--gate js<0.1 --baseline base.pq",
        "--gate roc_auc>=0.7",
        "--gate nonsense",
        "--max-js 2 --baseline base.pq",
    ]
    .map(|further| format!("$ {further}\n{}", refused(further).stderr));
    insta::assert_snapshot!("gates_refused", shown.join("\n"));
    let check = room
        .tallow("check --model good.json rows.csv --baseline base.pq --gate js(a)<0.1")
        .ok();
    for line in [
        "  baseline base.pq\n",
        "before publication\n  js(a)<0.1  reads js(a) in drift\n",
        "  ledger       rows_in scored rejected filtered\n",
        "  drift        js(…) js_high(…) js_noise(…) psi(…) ks(…)",
    ] {
        assert!(check.stdout.contains(line), "{line}: {check}");
    }
}

#[test]
fn missing_values_and_nan_are_counted_apart_and_gates_read_both() {
    let room = Room::new();
    let model = std::fs::read(data("hostile/good.json")).unwrap();
    room.file("good.json", model);
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "a",
            Arc::new(Float64Array::from(vec![
                Some(0.5),
                None,
                Some(f64::NAN),
                Some(2.0),
            ])),
        ),
        (
            "b",
            Arc::new(Float64Array::from(vec![f64::INFINITY, 1.0, 2.0, 3.0])),
        ),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    );
    room.parquet("rows.parquet", &batch.unwrap(), 10);
    let found = room
        .tallow(
            "score --model good.json rows.parquet --output o.parquet --format json \
             --gate missing_rate(*)<=0.5 --gate infinite_count(b)==1 --gate mean(b)==2 \
             --gate not_a_number(a)<=0",
        )
        .ok()
        .json();
    let a = &found["inputs"]["a"];
    assert_eq!(
        (a["null_count"].as_u64(), a["nan_count"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(a["missing_rate"], 0.5);
    assert_eq!(found["inputs"]["b"]["standard_deviation"], 1);
    assert!(a.get("max").is_none(), "extremes are values of rows");
    assert_eq!(found["gates"]["count"], 4);
}

#[test]
fn gates_of_a_package_are_judged_and_passed_on() {
    let room = demo();
    room.tallow(
        "pack model.ubj --output pack --data old.parquet --gate js(monthly_charge)<0.1 --gate \
         roc_auc>=0.7",
    )
    .ok();
    let path = room.path("pack/tallow.toml");
    let manifest = std::fs::read_to_string(&path).unwrap();
    let manifest = manifest.replacen(
        "expression = \"js(monthly_charge)<0.1\"",
        "expression = \"js(monthly_charge)<0.1\"\non_trip = \"retrain\"",
        1,
    );
    assert!(manifest.contains("retrain"), "{manifest}");
    std::fs::write(&path, manifest).unwrap();
    room.tallow("score --model pack old.parquet --output good.parquet")
        .ok();
    let bad = room
        .tallow(
            "score --model pack shifted.parquet --output bad.parquet --format json \
             --metrics-file m.prom --lineage-file l.jsonl --rule age<0 --gate \
             compliance(*)>=0",
        )
        .fails(5);
    assert_eq!(bad.json()["on_trip"][0], "retrain", "{bad}");
    let metrics = std::fs::read_to_string(room.path("m.prom")).unwrap();
    for line in [
        "tallow_gates_failed",
        "tallow_on_trip",
        "tallow_drift_js",
        "tallow_gate_tripped",
        "rule=\"age<0\"} 1",
        "tallow_rule_compliance",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    what_a_scheduler_should_do_comes_again(&room);
    let lineage = std::fs::read_to_string(room.path("l.jsonl")).unwrap();
    assert!(lineage.contains("dataQualityAssertions") && lineage.contains("dataQualityMetrics"));
    for (assertion, succeeds, column) in [
        ("js(monthly_charge)<0.1", false, Some("monthly_charge")),
        ("compliance(*)>=0", true, None),
        ("age<0", false, None),
    ] {
        let column = column.map_or(String::new(), |column| format!(",\"column\":\"{column}\""));
        let fields = format!("{{\"assertion\":\"{assertion}\"{column},\"success\":{succeeds}}}");
        assert!(lineage.contains(&fields), "{fields} in {lineage}");
    }
    let check = room.tallow("check --model pack old.parquet").ok();
    assert!(check.stdout.contains("js(monthly_charge)<0.1"), "{check}");
    assert!(
        check
            .stdout
            .contains("a run cannot judge: `evaluate --model` may\n  roc_auc>=0.7"),
        "{check}"
    );
    room.tallow("score --model pack shifted.parquet --output free.parquet --baseline none")
        .ok();
}

/// A run that finds its output made already passes on what its gates name, as the first one did.
fn what_a_scheduler_should_do_comes_again(room: &Room) {
    let path = room.path("pack/tallow.toml");
    let manifest = std::fs::read_to_string(&path).unwrap();
    let action = "on_trip = \"retrain\"";
    assert!(manifest.contains(action));
    for (level, code) in [("fail", 5), ("warn", 0)] {
        let level_text = format!("{action}\nlevel = \"{level}\"");
        std::fs::write(&path, manifest.replace(action, &level_text)).unwrap();
        for output in [format!("{level}.parquet"), format!("{level}/")] {
            let line = format!(
                "score --model pack shifted.parquet --output {output} --format json \
                 --on-gate publish --metrics-file again.prom"
            );
            let mut gates = None;
            for pass in ["first", "second"] {
                let run = room.tallow(&line);
                assert_eq!(run.code, code, "{pass} {line}: {run}");
                let found = run.json()["gates"].clone();
                assert_eq!(found["count"], 1, "{pass} {line}: {run}");
                assert_eq!(*gates.get_or_insert(found.clone()), found, "{pass}: {run}");
                assert_eq!(run.json()["on_trip"][0], "retrain", "{pass}: {run}");
                let metrics = std::fs::read_to_string(room.path("again.prom")).unwrap();
                let found = metrics
                    .lines()
                    .find(|line| line.starts_with("tallow_on_trip{"));
                let found = found.unwrap_or_else(|| panic!("{pass} {line}: {metrics}"));
                assert!(found.ends_with("action=\"retrain\"} 1"), "{found}");
            }
        }
    }
    std::fs::write(&path, manifest).unwrap();
}

#[test]
fn drift_takes_gates() {
    let room = demo();
    room.tallow("drift old.parquet old.parquet --gate drifted_share<=0")
        .ok();
    let bad = room
        .tallow("drift old.parquet shifted.parquet --gate js(*)<0.1 --output r.pq")
        .fails(5);
    assert!(bad.stderr.contains("`monthly_charge` has"), "{bad}");
    assert!(room.path("r.pq").exists());
    room.tallow("drift old.parquet old.parquet --gate nothing<1")
        .fails(2);
}

#[test]
fn nights_are_compared_with_earlier_nights() {
    let room = small();
    for night in 0..15 {
        let mut text = "id,a,b\n".to_owned();
        for row in 0..200 + night % 3 {
            writeln!(text, "{row},{},{}", row % 7, f64::from(row) / 10.0).unwrap();
        }
        room.file("night.csv", text);
        let line = format!(
            "score --model good.json night.csv --output n{night:02}.parquet --baseline base.pq \
             --rule a>=0 --loss-column b --history reports --gate zscore(rows_in)<=4 \
             --report reports/n{night:02}.report.pq"
        );
        if night == 0 {
            std::fs::create_dir(room.path("reports")).unwrap();
        }
        let run = room.tallow(&line).ok();
        let count = run.stderr.lines().filter(|line| !line.is_empty()).count();
        assert!(count <= 10, "night {night}: {run}");
        let is_learning = run.stderr.contains("cannot be decided");
        assert_eq!(is_learning, night < 14, "night {night}: {run}");
    }
    room.file("few.csv", "id,a,b\n1,0,1\n2,1,2\n");
    let few = room
        .tallow(
            "score --model good.json few.csv --output few.parquet --baseline base.pq --history \
             reports --gate zscore(rows_in)<=4 --format json",
        )
        .fails(5);
    assert_eq!(
        few.json()["history"]["rows_in"]["verdict"],
        "beyond",
        "{few}"
    );
    assert!(few.stderr.contains("  history      `"), "{few}");
    let cut = room.path("reports/n03.report.pq");
    let whole = std::fs::read(&cut).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let warned = room
        .tallow("score --model good.json few.csv --output cut.parquet --history reports")
        .ok();
    let text = "`--history` passes over 1 report that cannot be read (`reports/n03.report.pq`)";
    assert!(warned.stderr.contains(text), "{warned}");
    room.tallow("score --model good.json few.csv --output x.parquet --gate zscore(rows_in)<=4")
        .fails(2);
}

#[test]
fn numbers_of_other_tools_come_from_tables() {
    let room = Room::new();
    let rows = |of: &dyn Fn(u64) -> f64, count: u64| {
        let mut text = "x\n".to_owned();
        (0..count).for_each(|row| writeln!(text, "{}", of(row)).unwrap());
        text
    };
    let old = |i: u64| ((i * 7919 + 13) % 1009) as f64 / 1009.0 * 10.0;
    let new = |i: u64| ((i * 104_729 + 7) % 997) as f64 / 997.0 * 11.0 + 0.5;
    room.file("old.csv", rows(&old, 1500));
    room.file("new.csv", rows(&new, 1200));
    let found = |tool: &str| {
        let line = format!("drift old.csv new.csv --compat {tool} --format json");
        room.tallow(&line).ok().json()["drift"]["x"].clone()
    };
    // Evidently 0.7.21 and NannyML 0.13.1 on the same numbers
    let evidently = found("evidently");
    let psi = evidently["evidently_psi"].as_f64().unwrap();
    assert!((psi - 0.661_519_663_642_157_9).abs() < 1e-12, "{psi}");
    assert_eq!(evidently["evidently_verdict"], "drift");
    let js = found("nannyml")["nannyml_jensen_shannon"].as_f64().unwrap();
    assert!((js - 0.279_887_085_026_722_94).abs() < 1e-12, "{js}");
    room.tallow("profile old.csv --output old.pq").ok();
    room.tallow("drift old.pq new.csv --compat evidently")
        .fails(2);
    let gate = "--gate evidently_psi(x)<0.5";
    room.tallow(&format!("drift old.csv new.csv --compat evidently {gate}"))
        .fails(5);
}

#[test]
fn columns_that_other_tools_do_not_compare_are_named_with_the_reason() {
    let room = Room::new();
    let table = |name: &str, other: &str, kinds: ArrayRef, empty: Option<f64>| {
        let bytes: Vec<&[u8]> = vec![b"\xff\x00", b"b", b"c", b"d"];
        let numbers = |value| Arc::new(Float64Array::from(vec![value; 4])) as ArrayRef;
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("x", numbers(Some(1.0))),
            ("photo", Arc::new(BinaryArray::from_vec(bytes))),
            (other, numbers(Some(2.0))),
            ("kinds", kinds),
            ("empty", numbers(empty)),
        ];
        let columns = columns.into_iter();
        let columns = columns.map(|(name, column)| (name, column, true));
        room.parquet(
            name,
            &RecordBatch::try_from_iter_with_nullable(columns).unwrap(),
            9,
        );
    };
    let texts = StringArray::from(vec!["a", "b", "c", "d"]);
    let numbers = Float64Array::from(vec![1.0, 2.0, 3.0, 4.0]);
    table("old.parquet", "gone", Arc::new(texts), Some(1.0));
    table("new.parquet", "added", Arc::new(numbers), None);
    for tool in ["evidently", "nannyml"] {
        let line = format!("drift old.parquet new.parquet --compat {tool}");
        let shown = room.tallow(&line).ok().stdout;
        let first = shown.lines().next().unwrap_or_default();
        assert!(first.ends_with(", 5 not compared"), "{shown}");
        let found = room.tallow(&format!("{line} --format json")).ok().json()["drift"].clone();
        for (name, reason) in [
            ("photo", "not compared"),
            ("gone", "missing"),
            ("kinds", "other kind: numbers, the baseline has categories"),
            ("empty", "no values"),
            ("added", "new"),
        ] {
            let line = format!("  {name:24} {reason}");
            assert!(shown.lines().any(|one| one == line), "{line} in {shown}");
            let verdict = &found[name][format!("{tool}_verdict")];
            let word = reason.split(':').next().unwrap().replace(' ', "_");
            assert_eq!(*verdict, *word, "{name}: {found}");
        }
        assert_eq!(
            found["kinds"][format!("{tool}_baseline_kind")],
            "categories"
        );
    }
}
