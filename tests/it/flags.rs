//! Every flag, family and format: one that changes nothing is refused or warned of.

use crate::harness::{Room, Run, data};
use crate::text_models::lay_out;

/// What becomes of a flag.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It has an effect, or may have one.
    Works,
    /// No data could give it an effect.
    Refused,
    /// This data gives it none.
    Warned,
}

use Fate::{Refused, Warned, Works};

/// Models by family, with a table that they read.
const FAMILIES: [&str; 5] = ["forest", "linear", "graph", "text", "python"];

fn room(family: &str) -> Room {
    let room = Room::new();
    let golden = |name: &str, model: &str| {
        room.file(
            &format!("model/{model}"),
            std::fs::read(data(&format!("golden/{name}/{model}"))).unwrap(),
        );
        room.file(
            "rows.parquet",
            std::fs::read(data(&format!("golden/{name}/input.parquet"))).unwrap(),
        );
    };
    match family {
        "forest" => {
            room.file(
                "model/good.json",
                std::fs::read(data("hostile/good.json")).unwrap(),
            );
            let values = || {
                std::sync::Arc::new(arrow::array::Float64Array::from(vec![0.1, 0.9]))
                    as arrow::array::ArrayRef
            };
            let rows = arrow::array::RecordBatch::try_from_iter([
                ("a", values()),
                ("b", values()),
                ("id", values()),
            ])
            .unwrap();
            room.parquet("rows.parquet", &rows, 10);
            room.file("rows.csv", "a,b,id\n0.1,0.9,1\n0.9,0.1,2\n");
        }
        "linear" => {
            let source = std::fs::read_dir(data("golden"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
            let name = source
                .filter(|name| name.starts_with("xgboost_") && name.ends_with("_linearbinary"))
                .min()
                .unwrap();
            let model = std::fs::read_dir(data(&format!("golden/{name}")))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
            let model = model
                .into_iter()
                .find(|file| file.starts_with("model"))
                .unwrap();
            golden(&name, &model);
        }
        "graph" => golden("onnx_linear", "model.onnx"),
        "python" => golden("sklearn_1_9_1_forest_three", "model.joblib"),
        _ => {
            lay_out(&room, "bert_two");
            room.file("rows.csv", "id,text\n1,one\n2,two words\n");
            let texts =
                std::sync::Arc::new(arrow::array::StringArray::from(vec!["one", "two words"]))
                    as arrow::array::ArrayRef;
            room.parquet(
                "rows.parquet",
                &arrow::array::RecordBatch::try_from_iter([("text", texts)]).unwrap(),
                10,
            );
        }
    }
    room
}

fn fate(run: &Run, flag: &str) -> Fate {
    match run.code {
        2 => Refused,
        0 if run.stderr.contains("warning") && run.stderr.contains(flag) => Warned,
        0 => Works,
        _ => panic!("{flag}: {run}"),
    }
}

#[test]
fn a_flag_has_an_effect_or_is_refused_or_warned_of() {
    // (flag, format, what becomes of it for a forest, a linear model, a graph, a text model and an
    // estimator of scikit-learn)
    let cases: [(&str, &str, [Fate; 5]); 27] = [
        (
            "--trees=all",
            "parquet",
            [Works, Works, Refused, Refused, Refused],
        ),
        ("--trees=3", "parquet", [Refused; 5]),
        ("--raw", "parquet", [Works, Works, Refused, Works, Works]),
        (
            "--threshold=0.4",
            "parquet",
            [Works, Works, Refused, Works, Refused],
        ),
        ("--limit=0", "parquet", [Refused; 5]),
        ("--limit=1", "parquet", [Works; 5]),
        ("--delimiter=;", "parquet", [Warned; 5]),
        ("--quote='", "parquet", [Warned; 5]),
        ("--no-header", "parquet", [Warned; 5]),
        ("--quote='", "csv", [Works; 5]),
        // No value of the rows is either.
        ("--missing=NA", "parquet", [Warned; 5]),
        ("--missing=-999", "parquet", [Warned; 5]),
        ("--missing=NA", "csv", [Works; 5]),
        ("--missing=-999", "csv", [Warned; 5]),
        (
            "--on-unseen=null",
            "parquet",
            [Warned, Warned, Warned, Works, Works],
        ),
        ("--on-unseen=null", "csv", [Works; 5]),
        (
            "--on-unseen=0",
            "csv",
            [Works, Works, Works, Refused, Works],
        ),
        ("--max-errors=1", "parquet", [Warned; 5]),
        ("--max-error-rate=1%", "parquet", [Warned; 5]),
        ("--rejected=r.parquet", "parquet", [Warned; 5]),
        ("--on-budget=publish", "parquet", [Refused; 5]),
        ("--previous-report=x.parquet", "parquet", [Refused; 5]),
        ("--job-name=nightly", "parquet", [Refused; 5]),
        ("--restart", "parquet", [Refused; 5]),
        ("--normalize", "parquet", [Refused; 5]),
        ("--chunk=8", "parquet", [Refused; 5]),
        (
            "--text=text",
            "parquet",
            [Refused, Refused, Refused, Works, Refused],
        ),
    ];
    for (index, family) in FAMILIES.iter().enumerate() {
        let room = room(family);
        for (flag, format, fates) in &cases {
            if !room.path(&format!("rows.{format}")).exists() {
                continue;
            }
            let line = [
                "score",
                "--model",
                "model",
                &format!("rows.{format}"),
                "--output",
                "out.parquet",
                "--overwrite",
                flag,
            ];
            let run = room.run(line);
            assert_eq!(
                fate(&run, flag.split('=').next().unwrap()),
                fates[index],
                "{family}, {format}, {flag}: {run}"
            );
            // The dry run says the same, once it reads the rows.
            let line = [
                "check",
                "--scan",
                "--model",
                "model",
                &format!("rows.{format}"),
                "--output",
                "out.parquet",
                "--overwrite",
                flag,
            ];
            let run = room.run(line);
            assert_eq!(
                fate(&run, flag.split('=').next().unwrap()),
                fates[index],
                "check, {family}, {format}, {flag}: {run}"
            );
        }
    }
}

#[test]
fn flags_that_lean_on_others_say_which() {
    let room = room("forest");
    let run = |line: &str| {
        room.tallow(&format!(
            "score --model model rows.parquet --output out.parquet --overwrite {line}"
        ))
    };
    assert!(
        run("--output-format csv --skip-code 99 --report none")
            .fails(2)
            .stderr
            .contains("`--skip-code` does nothing without a report")
    );
    assert!(
        run("--on-budget publish")
            .fails(2)
            .stderr
            .contains("add `--max-errors` or `--max-error-rate`")
    );
    run("--on-budget publish --max-errors 1 --on-null reject").ok();
    run("--job-name nightly --metrics-file m.prom").ok();
    for (flag, needed) in [
        ("--on-gate publish", "a gate"),
        ("--strict-gates", "a gate"),
        ("--max-js 0.2", "a baseline"),
        ("--max-ks 0.2", "a baseline"),
        ("--rule-examples 3", "a rule"),
    ] {
        let name = flag.split(' ').next().unwrap();
        let warning = format!("warning: `{name}` has no effect without {needed}");
        let warned = run(flag).ok();
        assert!(warned.stderr.contains(&warning), "{flag}: {warned}");
    }
    let warned = run("--history nowhere").ok();
    assert!(warned.stderr.contains("no earlier report"), "{warned}");
    let refused = run("--signature-time 2026-01-01T00:00:00Z").fails(2);
    assert!(
        refused
            .stderr
            .contains("does nothing without `--require-signature`"),
        "{refused}"
    );
    let effective = run("--gate scored>=1 --on-gate publish --strict-gates").ok();
    assert!(!effective.stderr.contains("no effect"), "{effective}");
    let two = run("--missing a=-999,b=-1").fails(2);
    let hint = "repeat it: `--missing a=-999 --missing b=-1`";
    assert!(two.stderr.contains(hint), "{two}");
    let two = run("--on-null a=reject,b=null").fails(2);
    let hint = "repeat it: `--on-null a=reject --on-null b=null`";
    assert!(two.stderr.contains(hint), "{two}");
    let warned = run("--missing a=x,-1").ok();
    assert!(
        warned
            .stderr
            .contains("`--missing x` has no effect: the column `a` does not hold text"),
        "{warned}"
    );
    assert!(!warned.stderr.contains("`--missing -1`"), "{warned}");
    let inspected = room.tallow("inspect rows.parquet --trees all").fails(2);
    assert!(
        inspected
            .stderr
            .contains("`--trees` is for models of trees"),
        "{inspected}"
    );
    room.tallow("inspect model/good.json --trees all").ok();
}

#[test]
fn check_takes_the_flags_of_score_and_scans_what_score_would_stop_at() {
    let room = room("forest");
    room.file("bad.csv", "a,b\n0.1,0.9\n0.5,x\n");
    let flags =
        "--output out.parquet --max-errors 0 --on-null reject --metrics-file m.prom --min-rows 1";
    let run = room
        .tallow(&format!("check --model model bad.csv {flags}"))
        .ok();
    assert!(
        run.stdout
            .contains("scanned no row: `--scan` reads and scores them all"),
        "{run}"
    );
    let scanned = room
        .tallow(&format!("check --model model bad.csv --scan {flags}"))
        .fails(1);
    let scored = room
        .tallow(&format!("score --model model bad.csv {flags}"))
        .fails(1);
    assert_eq!(scanned.stderr, scored.stderr);
    // Of the two, only `score` writes one.
    std::fs::remove_file(room.path("m.prom")).unwrap();
    let rejecting = room
        .tallow("check --model model bad.csv --scan --on-unseen reject --format json")
        .ok()
        .json();
    assert_eq!(
        (
            &rejecting["scanned"]["scored"],
            &rejecting["scanned"]["rejected"]
        ),
        (&1.into(), &1.into())
    );
    let run = room
        .tallow("check --model model bad.csv --scan --on-unseen reject --max-errors 0")
        .fails(4);
    assert!(
        run.stderr
            .contains("`tallow score` writes the rejected rows"),
        "{run}"
    );
    room.tallow("check --model model bad.csv --min-rows 3 --scan --on-unseen null")
        .fails(5);
    assert!(
        !room.path("out.parquet").exists()
            && room.listing().iter().all(|name| !name.contains("prom")),
        "{:?}",
        room.listing()
    );
    room.file("out.parquet", "x");
    assert!(
        room.tallow("check --model model rows.csv --output out.parquet")
            .fails(1)
            .stderr
            .contains("the output exists already")
    );
    room.tallow("check --model model rows.csv --output out.parquet --overwrite")
        .ok();
}

#[test]
fn messages_hold_values_only_if_they_are_asked_for() {
    let demo = Room::new();
    demo.file(
        "model.ubj",
        std::fs::read(data("demo/churn/model.ubj")).unwrap(),
    );
    demo.file(
        "rows.csv",
        std::fs::read_to_string(data("demo/customers.csv"))
            .unwrap()
            .replacen("month-to-month", "Month to Month", 1),
    );
    let silent = demo
        .tallow("check --model model.ubj rows.csv --scan")
        .fails(1);
    assert!(
        silent
            .stderr
            .contains("hint: the nearest category that is known is `month-to-month`"),
        "{silent}"
    );
    assert!(!silent.stderr.contains("Month to Month"), "{silent}");
    let shown = demo
        .tallow("check --model model.ubj rows.csv --scan --show-values")
        .fails(1);
    assert!(
        shown
            .stderr
            .contains("a category was never seen in training: `Month to Month`"),
        "{shown}"
    );
    let room = room("forest");
    room.file("rows.csv", "a,b\n0.1,secret\n");
    assert!(
        !room
            .tallow("score --model model rows.csv --output o.parquet")
            .fails(1)
            .stderr
            .contains("secret")
    );
    let shown = room
        .tallow("score --model model rows.csv --output o.parquet --show-values")
        .fails(1);
    assert!(
        shown.stderr.contains("a text is not a number: `secret`"),
        "{shown}"
    );
}

#[test]
fn a_fraction_where_a_whole_number_is_read_is_called_that() {
    let room = Room::new();
    room.file(
        "package/model.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    let manifest = "name = \"x\"\n[[artefacts]]\npath = \"model.json\"\n[[inputs]]\nname = \
                    \"a\"\ntype = \"int8\"\n";
    room.file("package/tallow.toml", manifest);
    for (value, message) in [
        (
            "12.7",
            "a number has a fraction, and the model reads integers",
        ),
        ("300", "a number is outside the range"),
        ("x", "a text is not a number"),
    ] {
        room.file("rows.csv", format!("a,b\n{value},0.5\n"));
        let run = room
            .tallow("score --model package rows.csv --output o.parquet")
            .fails(1);
        assert!(run.stderr.contains(message), "{run}");
    }
}

#[test]
fn a_missing_value_that_no_row_holds_is_warned_of() {
    let room = room("forest");
    room.file("rows.csv", "a,b\n0.1,NA\n-999,0.9\n");
    let run = |flags: &[&str]| {
        let line = "score --model model rows.csv --output out.parquet --overwrite";
        let line = line.split_whitespace().chain(flags.iter().copied());
        room.run(line).ok().stderr
    };
    let idle = |stderr: &str| {
        let lines = stderr.lines().filter(|line| line.starts_with("warning"));
        lines.map(str::to_owned).collect::<Vec<String>>()
    };
    for flags in [
        &["--missing=-999,NA"][..],
        &["--missing", "a=-999"],
        &["--missing", "a=-999.0"],
        // Words that mean a missing value without being named need not occur.
        &["--missing=-999,NA,null"],
        // The filter drops what would have been missing.
        &["--missing=-999,NA", "--where", "a IS NOT NULL"],
        // Rows that were not read may hold it.
        &["--missing=-1,NA", "--limit", "1"],
    ] {
        assert_eq!(idle(&run(flags)), [""; 0], "{flags:?}");
    }
    assert_eq!(
        idle(&run(&["--missing=-12345,NA,inf,foo", "--missing", "b=7"])),
        [
            "warning: `--missing -12345` has no effect: no value of the model's columns equals \
             `-12345`",
            "warning: `--missing foo` has no effect: no value of the model's columns equals `foo`",
            "warning: `--missing inf` has no effect: no value of the model's columns equals `inf`",
            "warning: `--missing b=7` has no effect: no value of the column `b` equals `7`",
        ]
    );
    room.file(
        "package/tallow.toml",
        "name = \"p\"\nversion = \"1\"\n[[artefacts]]\npath = \"good.json\"\n[[inputs]]\n\
         name = \"a\"\nmissing = [-999, -998]\n",
    );
    room.file(
        "package/good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    let line = "score --model package rows.csv --output out.parquet --overwrite";
    let run = room.tallow(line).ok();
    assert_eq!(
        idle(&run.stderr),
        [
            "warning: the model's missing value `-998` has no effect: no value of the columns that \
             it is for equals `-998`"
        ]
    );
}

#[test]
fn messages_of_wrong_values_name_what_was_typed_and_what_would_do() {
    let room = room("forest");
    let score = "score --model model rows.csv --output o.parquet";
    let two = "a,c,d\n0.1,0.9,1\n";
    room.file("two.csv", two);
    room.file("none.csv", "c,d\n0.1,0.9\n");
    let texts: Vec<String> = [
        format!("{score} --max-error-rate 200"),
        format!("{score} --memory 5"),
        "score --model model rows.csv --output set/ --partition-by idd".to_owned(),
        "score --model model rows.csv --output set/ --partition-by elsewhere".to_owned(),
        format!("{score} --passthrough elsewhere"),
        format!("{score} --passthrough idd"),
        format!("{score} --rename elsewhere=x"),
        format!("{score} --where a=1AND"),
        format!("{score} --where (a=1"),
        format!("{score} --where a='x"),
        format!("{score} --where a=)"),
        "score --model model two.csv --output o.parquet".to_owned(),
        "score --model model none.csv --output o.parquet".to_owned(),
        "evaluate rows.csv --label a --task regression".to_owned(),
        "evaluate rows.csv --label a --task regression --prediction elsewhere".to_owned(),
        "evaluate rows.csv --label a --task binary".to_owned(),
        "pack elsewhere --output packed".to_owned(),
        "inspect elsewhere".to_owned(),
    ]
    .iter()
    .map(|line| {
        let run = room.tallow(line);
        assert_ne!(run.code, 0, "{line}");
        format!("$ tallow {line}\n{}\n", run.stderr)
    })
    .collect();
    let text = regex::Regex::new(r"\d+ ?MiB")
        .unwrap()
        .replace_all(&texts.concat(), "N MiB")
        .into_owned();
    insta::assert_snapshot!("wrong_values", text);
}
