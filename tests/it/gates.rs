//! Gates: one judge for every verb, and the same exit code from the same command.

use std::fmt::Write;

use serde_json::Value as Json;

use crate::harness::{Room, column, data, table, texts};

/// A model of two numbers, its rows, and a baseline of them.
fn room() -> Room {
    let room = Room::new();
    let model = std::fs::read_to_string(data("hostile/good.json")).unwrap();
    room.file("next.json", model.replace("1.4904803E-1", "3.4904803E-1"));
    room.file("good.json", model);
    let mut text = "id,a,b\n".to_owned();
    for row in 0..400 {
        let a = if row % 40 == 7 {
            String::new()
        } else {
            format!("0.{:02}", (row * 37) % 100)
        };
        writeln!(text, "{row},{a},{}", f64::from(row) / 10.0).unwrap();
    }
    room.file("rows.csv", text);
    room.tallow("profile rows.csv --model good.json --output base.pq --on-null null")
        .ok();
    let mut labels = "probability,churned,region\n".to_owned();
    for row in 0..400 {
        let label = u8::from(row % 3 == 0);
        let score = f64::from((row * 37) % 100) / 100.0 * 0.6 + f64::from(label) * 0.3;
        let region = ["north", "south"][row as usize % 2];
        writeln!(labels, "{score},{label},{region}").unwrap();
    }
    room.file("labelled.csv", labels);
    room
}

const SCORE: &str = "score --model good.json rows.csv --on-null null";

#[test]
fn every_verb_reports_the_same_facts_of_a_gate() {
    let room = room();
    for (line, gate, metric, code) in [
        (
            "score --model good.json rows.csv --output o.parquet",
            "scored<=1",
            "scored",
            5,
        ),
        ("drift base.pq base.pq", "columns<=1", "columns", 5),
        (
            "evaluate labelled.csv --label churned",
            "roc_auc<=0.1",
            "roc_auc",
            5,
        ),
        (
            "compare labelled.csv labelled.csv",
            "rows_compared<=1",
            "rows_compared",
            5,
        ),
        (
            "compare labelled.csv labelled.csv",
            "rows_compared>=1",
            "rows_compared",
            0,
        ),
    ] {
        let run = room.tallow(&format!("{line} --gate {gate} --format json"));
        assert_eq!(run.code, code, "{line}: {run}");
        let found = run.json();
        let facts = &found["gates"][gate];
        let names: Vec<&str> = facts
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            names,
            [
                "level", "limit", "metric", "operator", "state", "subject", "tripped", "value"
            ],
            "{line}"
        );
        let state = if code == 5 { "fail" } else { "ok" };
        assert_eq!(facts["state"], state, "{line}");
        assert_eq!(facts["metric"], metric, "{line}");
        assert_eq!(found["gates"]["count"], 1, "{line}");
        assert_eq!(found["gates"]["failed"], u8::from(code == 5), "{line}");
    }
}

#[test]
fn gates_of_an_evaluation_decide_its_exit_code() {
    let room = room();
    let line = "evaluate labelled.csv --label churned --by region";
    let all = room.tallow(&format!("{line} --format json")).ok().json();
    let of = |name: &str| all["evaluation"][name].as_f64().unwrap();
    let (value, low) = (of("roc_auc"), of("roc_auc_low"));
    let between = f64::midpoint(value, low);
    for (gate, further, code) in [
        ("roc_auc>=0.5".to_owned(), "", 0),
        ("roc_auc>=0.99".to_owned(), "", 5),
        ("roc_auc(region=north)>=0.5".to_owned(), "", 0),
        ("roc_auc(*)>=0.99".to_owned(), "", 5),
        ("rows_evaluated==400".to_owned(), "", 0),
        (format!("roc_auc>={between}"), "", 0),
        (format!("roc_auc>={between}"), "--strict-gates", 5),
        (format!("roc_auc_low>={between}"), "", 5),
        ("auc>=0.5".to_owned(), "", 2),
        ("roc_auc(region=west)>=0.5".to_owned(), "", 2),
        ("roc_auc".to_owned(), "", 2),
    ] {
        let run = room.tallow(&format!(
            "{line} {further} --gate {gate} --output report.pq --overwrite"
        ));
        assert_eq!(run.code, code, "{gate} {further}: {run}");
    }
    let whole = room
        .tallow("evaluate labelled.csv --label churned --gate roc_auc(*)>=0.5")
        .fails(2);
    assert!(whole.stderr.contains("write `roc_auc`"), "{whole}");
    assert!(whole.stderr.contains("`--by COLUMN`"), "{whole}");
    let typo = room.tallow(&format!("{line} --gate roc_acu>=0.5")).fails(2);
    assert!(typo.stderr.contains("did you mean `roc_auc`?"), "{typo}");
    let bad = room
        .tallow(&format!(
            "{line} --gate roc_auc>=0.99 --output bad.pq --format json"
        ))
        .fails(5)
        .json();
    assert_eq!(
        (&bad["status"], &bad["exit_code"]),
        (&"gates_failed".into(), &5.into())
    );
    assert_eq!(bad["evaluation"]["roc_auc"], value);
    let report = room.tallow("inspect bad.pq --format json").ok();
    assert!(report.stdout.contains("\"failed\":1"), "{report}");
    let facts = table(&room.path("bad.pq"));
    let status = texts(column(&facts, "metric"))
        .iter()
        .position(|metric| metric.as_deref() == Some("status"))
        .unwrap();
    let status = texts(column(&facts, "text"))[status].clone();
    assert_eq!(status.as_deref(), Some("gates_failed"));
    room.tallow("report bad.pq --output bad.html").ok();
    let page = std::fs::read_to_string(room.path("bad.html")).unwrap();
    assert!(page.contains("The only gate failed"), "the page names it");
}

#[test]
fn gates_of_a_package_about_evaluations_are_judged_by_evaluate() {
    let room = room();
    room.tallow(
        "pack good.json --output pack --gate roc_auc>=0.99 --gate missing_rate(a)<=0.5 --gate \
         roc_auc(region=north)>=0.5",
    )
    .ok();
    let line = "evaluate labelled.csv --label churned --model pack";
    let failed = room.tallow(line).fails(5);
    assert!(
        failed
            .stderr
            .contains("the only gate failed: `roc_auc>=0.99`"),
        "{failed}"
    );
    assert!(
        failed.stderr.contains("does not have their segments"),
        "{failed}"
    );
    let by = room.tallow(&format!("{line} --by region")).fails(5);
    assert!(by.stderr.contains("1 of 2 gates failed"), "{by}");
    let manifest = std::fs::read_to_string(room.path("pack/tallow.toml")).unwrap();
    let warns = manifest.replace("\"roc_auc>=0.99\"", "\"roc_auc>=0.99\"\nlevel = \"warn\"");
    assert_ne!(manifest, warns);
    room.file("pack/tallow.toml", warns);
    let warned = room
        .tallow(&format!("{line} --by region --format json"))
        .ok();
    assert!(
        warned
            .stderr
            .contains("a gate does not hold: `roc_auc>=0.99`"),
        "{warned}"
    );
    assert_eq!(warned.json()["gates"]["warned"], 1);
    room.tallow(&format!("{line} --gate accuracy>=2")).fails(5);
    room.tallow("evaluate labelled.csv --label churned --model nothing")
        .fails(1);
}

#[test]
fn the_same_command_gives_the_same_exit_code_again() {
    let room = room();
    let run =
        |name: &str, further: &str| room.tallow(&format!("{SCORE} --output {name} {further}"));
    for (index, (further, code)) in [
        ("--gate scored<=1 --on-gate publish", 5),
        ("--gate scored<=1", 5),
        ("--gate scored>=1", 0),
        ("--baseline base.pq --gate js(*)<-1 --on-gate publish", 5),
        ("--baseline base.pq --gate js(*)<0.1", 0),
        ("--gate missing(a)<=1 --on-gate publish", 5),
        ("--on-null a=reject --max-errors 0 --on-budget publish", 4),
        ("--on-null a=reject --max-errors 0", 4),
        (
            "--gate agreement(next)>=2 --challenger next.json --on-gate publish",
            5,
        ),
        (
            "--gate mean_difference(next)<=-1 --challenger next.json --on-gate publish",
            5,
        ),
        ("", 0),
    ]
    .into_iter()
    .enumerate()
    {
        for name in [format!("file{index}.parquet"), format!("set{index}/")] {
            let further = if name.ends_with('/') {
                format!("{further} --rows-per-part 150")
            } else {
                further.to_owned()
            };
            let first = run(&name, &further);
            assert_eq!(first.code, code, "{further}: {first}");
            for _ in 0..2 {
                let again = run(&name, &further);
                assert_eq!(again.code, code, "{further}: {again}");
                let published = further.contains("publish");
                let is_idle = again.stderr.contains("nothing to do");
                assert_eq!(is_idle, published || code == 0, "{further}: {again}");
            }
            if code == 0 {
                assert_eq!(run(&name, &format!("{further} --skip-code 99")).code, 99);
            }
        }
    }
}

#[test]
fn a_baseline_that_was_replaced_is_noticed_by_the_same_command() {
    let room = room();
    let changed = std::fs::read_to_string(room.path("rows.csv")).unwrap();
    room.file("others.csv", changed.replace(",0.", ",9."));
    let baseline = |rows: &str| {
        let line = format!("profile {rows} --model good.json --output base.pq --on-null null");
        room.tallow(&format!("{line} --overwrite")).ok();
    };
    for name in ["file.parquet", "set/"] {
        for gate in ["", "--gate js(*)<0.1"] {
            let name = format!("{}{name}", gate.len());
            let line = format!("{SCORE} --output {name} --baseline base.pq {gate}");
            baseline("rows.csv");
            let first = room.tallow(&line);
            assert_eq!(first.code, 0, "{line}: {first}");
            let again = room.tallow(&line);
            assert_eq!(again.code, 0, "{line}: {again}");
            assert!(!again.stderr.contains("another baseline"), "{again}");
            baseline("others.csv");
            let replaced = room.tallow(&line);
            assert_eq!(replaced.code, i32::from(!gate.is_empty()), "{replaced}");
            assert!(replaced.stderr.contains("another baseline"), "{replaced}");
            assert!(replaced.stderr.contains("`--overwrite"), "{replaced}");
            // A copy of the same baseline is the same baseline.
            baseline("rows.csv");
            std::fs::copy(room.path("base.pq"), room.path("copy.pq")).unwrap();
            let copied = room.tallow(&line.replace("base.pq", "copy.pq"));
            assert_eq!(copied.code, 0, "{copied}");
            assert!(!copied.stderr.contains("another baseline"), "{copied}");
        }
    }
}

/// Gates on every number of these sections that a gate can name.
fn gates_on(found: &Json, sections: &[&str]) -> Vec<String> {
    let mut gates = Vec::new();
    let is_name = |name: &str| {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        name.bytes().all(letters)
    };
    for section in sections {
        for (name, value) in found[section].as_object().into_iter().flatten() {
            if value.is_number() && is_name(name) {
                gates.push(format!("{name} > -1e300"));
            }
            let numbers = value.as_object().into_iter().flatten();
            let numbers = numbers.filter(|(metric, value)| value.is_number() && is_name(metric));
            gates.extend(numbers.map(|(metric, _)| format!("{metric}({name}) > -1e300")));
        }
    }
    gates
}

#[test]
fn every_fact_can_be_gated_and_a_misspelt_one_is_refused_before_data_is_read() {
    let room = room();
    let mut text =
        "prediction,probability_a,probability_b,probability_c,kind,size,query\n".to_owned();
    for row in 0..300 {
        let kind = ["a", "b", "c"][row * 7 % 5 % 3];
        let called = ["a", "b", "c"][row % 3];
        let high = 0.4 + (row % 10) as f64 / 100.0;
        let rest = (1.0 - high) / 2.0;
        let of = |name: &str| if called == name { high } else { rest };
        let (size, query) = (row % 17, row / 10);
        writeln!(
            text,
            "{called},{},{},{},{kind},{size},{query}",
            of("a"),
            of("b"),
            of("c")
        )
        .unwrap();
    }
    room.file("classes.csv", text);
    let evaluation = ["evaluation", "reliability", "gains", "thresholds"];
    for (line, sections) in [
        (
            "evaluate labelled.csv --label churned --by region",
            &evaluation[..],
        ),
        (
            "evaluate classes.csv --label kind --task classes",
            &evaluation,
        ),
        (
            "evaluate classes.csv --label size --prediction probability_a --task regression",
            &evaluation,
        ),
        (
            "compare labelled.csv labelled.csv --label churned",
            &["comparison", "differences"],
        ),
        ("drift base.pq rows.csv", &["drift"]),
    ] {
        let found = room.tallow(&format!("{line} --format json")).ok().json();
        let gates = gates_on(&found, sections);
        assert!(gates.len() > 8, "{line}: {gates:?}");
        let mut arguments: Vec<&str> = line.split_whitespace().collect();
        gates
            .iter()
            .for_each(|gate| arguments.extend(["--gate", gate]));
        let gated = room.command().args(&arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&gated.stderr);
        assert_eq!(gated.status.code(), Some(0), "{line}: {errors}");
        // The tables do not exist: the gate is wrong first.
        let first = line.split_whitespace().next().unwrap();
        let labels = if first == "evaluate" {
            "--label churned"
        } else {
            "none.csv"
        };
        let wrong = room.tallow(&format!("{first} none.csv {labels} --gate roc_acu>=0.5"));
        assert_eq!(wrong.code, 2, "{wrong}");
        assert!(wrong.stderr.contains("about a fact"), "{wrong}");
    }
}

#[test]
fn check_judges_gates_of_rows_that_it_scans() {
    let room = room();
    let check = |more: &str| {
        let line = SCORE.replacen("score", "check", 1);
        room.tallow(&format!("{line} {more}"))
    };
    let gate = "--gate mean(probability)<=0";
    check(gate).ok();
    let failed = check(&format!("{gate} --scan")).fails(5);
    assert!(failed.stderr.contains("the only gate failed"), "{failed}");
    check("--scan --gate mean(probability)>0 --gate rows_in>0").ok();
    check("--scan --gate js(*)>=0 --baseline base.pq").ok();
}

#[test]
fn an_output_that_is_there_is_judged_by_the_gates_of_the_command() {
    let room = room();
    for name in ["plain.parquet", "plain/"] {
        room.tallow(&format!("{SCORE} --output {name}")).ok();
        // The report has what these gates read.
        room.tallow(&format!(
            "{SCORE} --output {name} --gate mean(probability)<=0"
        ))
        .fails(5);
        room.tallow(&format!(
            "{SCORE} --output {name} --gate mean(probability)>=0"
        ))
        .ok();
        // It does not have what this one reads.
        let unknown = room
            .tallow(&format!(
                "{SCORE} --output {name} --baseline base.pq --gate js(*)<0.1"
            ))
            .fails(1);
        assert!(unknown.stderr.contains("judges them"), "{unknown}");
        let again = if name.ends_with('/') { "--restart" } else { "" };
        room.tallow(&format!(
            "{SCORE} --output {name} --baseline base.pq --gate js(*)<0.1 --overwrite {again}"
        ))
        .ok();
    }
    // Without a report, the parts of a data set hold what was counted.
    let bare = format!("{SCORE} --output bare/ --report none --baseline base.pq");
    room.tallow(&bare).ok();
    room.tallow(&format!("{bare} --gate js(*)<0.1")).ok();
    let failed = room
        .tallow(&format!("{bare} --gate scored<=1 --format json"))
        .fails(5);
    assert_eq!(failed.json()["status"], "gates_failed", "{failed}");
    room.tallow(&format!("{SCORE} --output bare.parquet --report none"))
        .ok();
    room.tallow(&format!(
        "{SCORE} --output bare.parquet --report none --gate scored>=1"
    ))
    .fails(1);
}

#[test]
fn a_data_set_that_failed_its_gates_still_fails_them_if_nothing_is_corrected() {
    let room = room();
    let line = "score --model good.json rows.csv --on-null a=reject --output out/";
    room.tallow(&format!("{line} --gate rejected<=1 --on-gate publish"))
        .fails(5);
    let retried = room.tallow("retry out").fails(5);
    assert!(retried.stderr.contains("nothing to correct"), "{retried}");
    room.tallow(&format!("{line} --overwrite --restart")).ok();
    room.tallow("retry out").ok();
}

#[test]
fn gates_read_how_challengers_answer() {
    let room = room();
    let line = format!("{SCORE} --challenger next.json --overwrite");
    let facts = room
        .tallow(&format!("{line} --output free.parquet --format json"))
        .ok()
        .json();
    let next = &facts["models"]["next"];
    let agreement = next["agreement"].as_f64();
    let difference = next["mean_absolute_difference"].as_f64().unwrap();
    assert!(difference > 0.0, "{next}");
    for (gate, code) in [
        ("mean_absolute_difference(next)<=0", 5),
        ("mean_absolute_difference(*)<=0", 5),
        ("mean_absolute_difference(next)>0", 0),
        ("scored(next)==400", 0),
        ("scored(next)<400", 5),
        ("mean_absolute_difference(other)<=0", 2),
        ("mean_absolute_difference<=0", 2),
    ] {
        let run = room.tallow(&format!(
            "{line} --output gated.parquet --gate {gate} --format json"
        ));
        assert_eq!(run.code, code, "{gate}: {run}");
        let found = run.json();
        if code == 5 {
            assert_eq!(
                found["models"]["next"]["mean_absolute_difference"], difference,
                "{gate}"
            );
        }
    }
    if let Some(agreement) = agreement {
        room.tallow(&format!(
            "{line} --output gated.parquet --gate agreement(next)>{agreement}"
        ))
        .fails(5);
    }
    let none = room
        .tallow(&format!(
            "{SCORE} --output none.parquet --gate agreement(next)>=0.9"
        ))
        .fails(2);
    assert!(none.stderr.contains("--challenger MODEL"), "{none}");
    // A challenger that drops out shows nothing, so the gate does not hold.
    let missing = room
        .tallow(&format!(
            "{SCORE} --challenger gone.json --output gone.parquet --gate agreement(gone)>=0"
        ))
        .fails(5);
    assert!(
        missing.stderr.contains("there is no such value"),
        "{missing}"
    );
    assert!(missing.stderr.contains("dropped out"), "{missing}");
}

#[test]
fn a_data_set_withheld_for_a_challenger_is_published_without_scoring_again() {
    let room = room();
    let line = format!(
        "{SCORE} --challenger next.json --rows-per-part 100 --gate \
         mean_absolute_difference(next)<=0"
    );
    let first = room.tallow(&format!("{line} --output set/")).fails(5);
    assert!(first.stderr.contains("was withheld"), "{first}");
    let published = room
        .tallow(&format!("{line} --output set/ --on-gate publish"))
        .fails(5);
    assert!(
        published.stderr.contains("4 parts are finished already"),
        "{published}"
    );
    let plain = line.split(" --gate").next().unwrap();
    room.tallow(&format!("{plain} --output plain/")).ok();
    for name in ["part-00000.parquet", "part-00003.parquet"] {
        for (own, other) in [
            ("set", "plain"),
            ("set.challengers/next", "plain.challengers/next"),
        ] {
            let read = |directory: &str| room.table(&format!("{directory}/{name}"));
            assert_eq!(read(own), read(other), "{own}/{name}");
        }
    }
}

#[test]
fn every_subject_means_the_columns_where_challengers_have_the_fact_too() {
    let room = room();
    let line =
        format!("{SCORE} --challenger next.json --baseline base.pq --output o.parquet --overwrite");
    // `psi(*)` is about columns; the challenger has to be named.
    room.tallow(&format!("{line} --gate psi(*)<=0.001")).ok();
    let found = room
        .tallow(&format!("{line} --gate psi(next)<=-1 --format json"))
        .fails(5)
        .json();
    assert_eq!(found["gates"]["psi(next)<=-1"]["subject"], "next");
}

#[test]
fn gates_read_the_models_of_a_split() {
    let room = room();
    let line = "score --model good.json rows.csv --on-null null --challenger next.json --split \
                next=25% --split-by id --overwrite";
    for (gate, code) in [
        ("share(next)<=0.3", 0),
        ("share(next)<=0.1", 5),
        ("scored(next)>=400", 5),
        ("scored(*)>0", 0),
    ] {
        let run = room.tallow(&format!("{line} --output o.parquet --gate {gate}"));
        assert_eq!(run.code, code, "{gate}: {run}");
    }
}

#[test]
fn check_names_the_facts_that_each_gate_reads() {
    let room = room();
    let line = "check --model good.json rows.csv --on-null null --baseline base.pq --challenger \
                next.json --gate js(*)<0.1 --gate scored>=1 --gate psi(next)<1";
    let page = room.tallow(line).ok().stdout;
    for text in [
        "  js(*)<0.1  reads js of 4 subjects in drift\n",
        "  scored>=1  reads scored in ledger\n",
        "  psi(next)<1  reads psi(next) in models\n",
        "  models       scored(…) rejected(…)",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let found: Json = room.tallow(&format!("{line} --format json")).ok().json();
    assert_eq!(found["gates"][0]["reads"], "js of 4 subjects in drift");
}
