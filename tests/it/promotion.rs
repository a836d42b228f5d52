//! What promotes a version: reports that are of it, and gates that hold.

use serde_json::Value as Json;

use crate::harness::{Room, data};
use crate::registry::tallow;

/// A room whose registry has two versions of `m`, neither of which states its version.
fn versions() -> Room {
    let room = Room::new();
    for (model, output) in [("churn", "one"), ("candidate.ubj", "two")] {
        let pack = format!("pack {} --name m --output {output}", demo(model));
        tallow(&room, &pack).ok();
        tallow(&room, &format!("registry push {output}")).ok();
    }
    room
}

fn demo(name: &str) -> String {
    data(&format!("demo/{name}")).display().to_string()
}

fn score(room: &Room, arguments: &str) {
    let line = format!("score -qq {} {arguments}", demo("customers.csv"));
    tallow(room, &line).ok();
}

/// The report of an evaluation as JSON, which is also written to `output`.
fn evaluate(room: &Room, arguments: &str, output: &str) -> Json {
    let labels = demo("outcomes.csv");
    let line = format!(
        "evaluate {arguments} --labels {labels} --key customer_id --label churned --output \
         {output} --format json"
    );
    tallow(room, &line).ok().json()
}

#[test]
fn an_a_b_test_promotes_a_version_by_the_rows_that_it_answered() {
    let room = versions();
    let split = "--model m:1 --challenger next=m:2 --split next=50% --split-by customer_id";
    score(&room, &format!("{split} --output ab.parquet"));
    score(&room, &format!("{split} --output abc.csv"));
    score(&room, "--model m:1 --output one.parquet");
    let promote = |version: u32, flag: &str, more: &str| {
        let line = format!("registry promote m:{version} champion {flag} {more}");
        tallow(&room, &line)
    };
    evaluate(&room, "ab.parquet", "whole.pq");
    evaluate(&room, "abc.csv", "csv.pq");
    let compare = "compare one.parquet ab.parquet --key customer_id --output c.pq --format json";
    let compared = tallow(&room, compare).ok().json();
    assert_eq!(compared["models"]["b"]["split"], "m, next", "{compared}");
    for version in [1, 2] {
        for flag in [
            "--evaluation whole.pq",
            "--evaluation csv.pq",
            "--evaluation ab.report.pq",
            "--comparison c.pq",
        ] {
            let refused = promote(version, flag, "--accept-unnamed").fails(3).stderr;
            assert!(refused.contains("A/B test"), "{flag}: {refused}");
        }
    }
    let refused = promote(2, "--evaluation whole.pq", "").fails(3).stderr;
    assert!(refused.contains("has no segment of `next`"), "{refused}");
    assert!(refused.contains("--by model"), "{refused}");
    for (output, report) in [("ab.parquet", "by.pq"), ("abc.csv", "by_csv.pq")] {
        let found = evaluate(&room, &format!("{output} --by model"), report);
        assert_eq!(found["split"]["next"]["registry_version"], "2", "{found}");
        assert!(found["model"]["registry_model"].is_null(), "{found}");
        for (version, segment) in [(1, "model=m"), (2, "model=next")] {
            let value = found["evaluation"][segment]["roc_auc"].as_f64().unwrap();
            let flag = format!("--evaluation {report}");
            promote(version, &flag, &format!("--gate roc_auc=={value}")).ok();
            promote(version, &flag, &format!("--gate roc_auc>{value}")).fails(5);
        }
    }
    tallow(&room, "pack two --output three --model-version 3").ok();
    tallow(&room, "registry push three").ok();
    let refused = promote(3, "--evaluation by.pq", "").fails(3).stderr;
    assert!(
        refused.contains("`m`, `next`; none is known to be `m:3`"),
        "{refused}"
    );
}

#[test]
fn a_report_promotes_the_version_that_it_names_and_no_other() {
    let room = versions();
    let promote = |report: &str, more: &str| {
        let line = format!("registry promote m:2 champion --evaluation {report} {more}");
        tallow(&room, &line)
    };
    // Models that are named by their paths are known by their digests: in and out of a package.
    for (model, output) in [
        ("two".to_owned(), "package.parquet"),
        (demo("candidate.ubj"), "file.parquet"),
        ("two".to_owned(), "rows.csv"),
    ] {
        score(&room, &format!("--model {model} --output {output}"));
        let report = format!("{output}.pq");
        evaluate(&room, output, &report);
        promote(&report, "").ok();
    }
    score(&room, "--model one --output other.parquet");
    evaluate(&room, "other.parquet", "other.pq");
    // The gates of a version do not make predictions its own.
    evaluate(&room, "other.parquet --model m:2", "gates.pq");
    // Nothing says where these rows are from.
    std::fs::copy(room.path("rows.csv"), room.path("moved.csv")).unwrap();
    evaluate(&room, "moved.csv", "moved.pq");
    for report in ["other.pq", "gates.pq", "moved.pq"] {
        let refused = promote(report, "").fails(3).stderr;
        let message = "the report does not name the version `m:2`";
        assert!(refused.contains(message), "{report}: {refused}");
        assert!(refused.contains("--accept-unnamed"), "{refused}");
        let done = promote(report, "--accept-unnamed").ok().stdout;
        let warning = format!("warning: `{report}` does not name the version `m:2`");
        assert!(done.contains(&warning), "{done}");
    }
    evaluate(&room, "moved.csv --model m:2", "stated.pq");
    promote("stated.pq", "").ok();
    // A report that is of another version is of no use, whatever is accepted.
    score(&room, "--model m:1 --output first.parquet");
    evaluate(&room, "first.parquet", "first.pq");
    let refused = promote("first.pq", "--accept-unnamed").fails(3).stderr;
    assert!(
        refused.contains("the report is of `m:1`, not of `m:2`"),
        "{refused}"
    );
}

#[test]
fn a_gate_of_a_package_is_about_a_fact_that_a_report_can_have() {
    let room = Room::new();
    let model = demo("churn");
    let pack = |gate: &str| {
        let line = format!("pack {model} --name m --output m --overwrite --gate");
        room.run(line.split(' ').chain([gate]))
    };
    for (gate, near) in [
        ("roc_acu >= 0.7", "`roc_auc`"),
        ("driftedshare < 0.2", "`drifted_share`"),
        ("rejectd < 3", "`rejected`"),
        ("flip_rat < 0.1", "`flip_rate`"),
        ("zzzzzzzz < 1", "tallow guide monitoring"),
    ] {
        let error = pack(gate).fails(2).stderr;
        let message = format!("the gate `{gate}` is about a fact that no report has");
        assert!(error.contains(&message), "{error}");
        assert!(error.contains(near), "{gate}: {error}");
    }
    // Every number of a run's report may be one.
    let (rows, next) = (demo("customers.csv"), demo("candidate.ubj"));
    tallow(
        &room,
        &format!("profile {rows} --model {model} --output base.parquet"),
    )
    .ok();
    let labels = demo("outcomes.csv");
    score(&room, &format!("--model {model} --output known.parquet"));
    let reference = format!(
        "evaluate known.parquet --label churned --labels {labels} --key customer_id \
         --save-reference reference.json"
    );
    tallow(&room, &reference).ok();
    std::fs::create_dir(room.path("nights")).unwrap();
    for night in 1..=2 {
        let line = format!(
            "score -qq --model {model} {rows} --output day{night}.parquet --baseline base.parquet \
             --challenger next={next} --reference reference.json --rule age>0 --history nights \
             --report nights/{night}.pq --on-unseen age=reject --price-per-hour 1"
        );
        let run = tallow(&room, &line);
        assert!(run.code == 0 || run.code == 5, "{run}");
    }
    let report = room.tallow("inspect nights/2.pq --format json").ok().json();
    let mut metrics = std::collections::BTreeSet::new();
    for (section, facts) in report.as_object().unwrap() {
        let is_read = !["run", "gates", "overlay"].contains(&section.as_str());
        numbers(facts, &mut |metric| {
            if is_read {
                metrics.insert(metric.to_owned());
            }
        });
    }
    assert!(metrics.len() > 60, "{metrics:?}");
    let words = |metric: &&String| {
        metric
            .bytes()
            .all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
    };
    let gates = metrics.iter().filter(words);
    let gates = gates.map(|metric| format!("{metric}(*)<1"));
    let gates = gates.flat_map(|gate| ["--gate".to_owned(), gate]);
    let line = format!("pack {model} --name m --output m --overwrite");
    room.run(line.split(' ').map(str::to_owned).chain(gates))
        .ok();
}

/// The names of the numbers in an object of a report.
fn numbers(facts: &Json, take: &mut impl FnMut(&str)) {
    for (name, value) in facts.as_object().into_iter().flatten() {
        match value {
            Json::Number(_) => take(name),
            value => numbers(value, take),
        }
    }
}

#[test]
fn a_gate_without_a_value_does_not_hold() {
    let room = Room::new();
    let model = demo("churn");
    let pack = |gates: &str| {
        tallow(
            &room,
            &format!("pack {model} --name m --output m --overwrite {gates}"),
        )
        .ok();
        tallow(&room, "registry push m").ok();
    };
    pack("--gate roc_auc>=0.7 --gate ks(age)<0.9");
    let labels = std::fs::read_to_string(demo("outcomes.csv")).unwrap();
    let labels = labels.replace(",1\n", ",0\n");
    room.file("one_class.csv", labels);
    score(&room, "--model m:1 --output day.parquet");
    let line = "evaluate day.parquet --labels one_class.csv --key customer_id --label churned \
                --positive 1 --output e.pq";
    tallow(&room, line).ok();
    let promote = |more: &str| {
        let line = format!("registry promote m:1 champion --evaluation e.pq {more}");
        tallow(&room, &line)
    };
    let refused = promote("").fails(5).stderr;
    let message = "`m:1` is not promoted: `roc_auc>=0.7`: there is no such value";
    assert!(refused.contains(message), "{refused}");
    // What is typed and is no fact of any report is misspelt.
    promote("--gate roc_acu>0.5").fails(2);
    promote("--gate accuracy(region=north)>0.5").fails(2);
    // A gate that only warns.
    let manifest = std::fs::read_to_string(room.path("m/tallow.toml")).unwrap();
    let warns = manifest.replace("\"roc_auc>=0.7\"", "\"roc_auc>=0.7\"\nlevel = \"warn\"");
    assert_ne!(manifest, warns);
    room.file("m/tallow.toml", warns);
    tallow(&room, "registry push m").ok();
    score(&room, "--model m:2 --output day.parquet --overwrite");
    tallow(&room, &format!("{line} --overwrite")).ok();
    let run = tallow(
        &room,
        "registry promote m:2 champion --evaluation e.pq --gate roc_auc>0.5",
    );
    assert!(
        run.fails(5)
            .stderr
            .contains("`roc_auc>0.5`: there is no such value")
    );
    let run = tallow(&room, "registry promote m:2 champion --evaluation e.pq").ok();
    assert!(
        run.stdout
            .contains("warning: `roc_auc>=0.7`: there is no such value"),
        "{run}"
    );
}

#[test]
fn a_gate_without_a_value_says_what_would_give_it() {
    let room = Room::new();
    let (model, labels) = (demo("churn"), demo("outcomes.csv"));
    for (name, gate, flag) in [
        (
            "one",
            "accuracy(plan=pro)>0.5",
            "`--by plan` of `tallow evaluate`",
        ),
        ("two", "not_inferior==1", "`--comparison FILE`"),
    ] {
        tallow(
            &room,
            &format!("pack {model} --name {name} --output {name} --gate {gate}"),
        )
        .ok();
        tallow(&room, &format!("registry push {name}")).ok();
        score(
            &room,
            &format!("--model {name}:1 --output day.parquet --overwrite"),
        );
        let evaluate = format!(
            "evaluate day.parquet --labels {labels} --key customer_id --label churned --output \
             e.pq --overwrite"
        );
        tallow(&room, &evaluate).ok();
        let line = format!("registry promote {name}:1 champion --evaluation e.pq");
        let refused = tallow(&room, &line).fails(5).stderr;
        assert!(
            refused.contains(&format!("`{gate}`: there is no such value")),
            "{refused}"
        );
        assert!(refused.contains(flag), "{refused}");
    }
    // A star is every segment, and no value.
    let line = format!("pack {model} --name n --output n --gate roc_auc(contract=*)>=0.6");
    let refused = tallow(&room, &line).fails(2).stderr;
    assert!(
        refused.contains("write `roc_auc(*) >= 0.6` for every segment"),
        "{refused}"
    );
}
