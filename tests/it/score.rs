//! `tallow score`, as a user meets it.

use arrow::array::Array;
use arrow::datatypes::DataType;

use crate::harness::{Room, Run, column, data, numbers, table, texts};

/// A room with the demo's model and customers.
fn demo() -> Room {
    let room = Room::new();
    for name in ["churn/model.ubj", "customers.parquet", "customers.csv"] {
        room.file(name, std::fs::read(data("demo").join(name)).unwrap());
    }
    room
}

/// Times, speeds and sizes differ from run to run.
fn settled(run: &Run) -> String {
    let mut text = run.to_string();
    for (pattern, replacement) in [
        (r"in \d+\.\d\d s \([^)]*\)", "in [TIME] ([SPEED])"),
        (r"\([\d.]+ [KM]iB\)", "([SIZE])"),
    ] {
        text = regex::Regex::new(pattern)
            .unwrap()
            .replace_all(&text, replacement)
            .into_owned();
    }
    text
}

#[test]
fn the_demo_reports_the_user_what_happened() {
    let run = demo()
        .tallow("score --model churn customers.parquet --output predictions.parquet")
        .ok();
    insta::assert_snapshot!(settled(&run), @r"
    --- stderr
    churn (xgboost) scored 2,000 rows in [TIME] ([SPEED])

      rows         2,000 in = 2,000 scored + 0 rejected + 0 filtered
      probability  mean 0.2743, min 0.003971, median 0.2181, max 0.8934
                   █▅▃▃▂▃▃▂▂▂▂▂▂▂▂▁▁▁▁▁
      prediction   0: 1,601, 1: 399
      missing      age: 116, total_charge: 168, data_usage_gb: 86 and 1 more column
      output       predictions.parquet ([SIZE])
      report       predictions.report.pq
    --- exit 0
    ");
}

#[test]
fn columns_that_are_no_features_come_along_exactly() {
    let room = demo();
    room.tallow("score --model churn customers.parquet --output out.parquet")
        .ok();
    let (input, output) = (
        table(&data("demo/customers.parquet")),
        room.table("out.parquet"),
    );
    let names: Vec<String> = output
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(
        names,
        [
            "customer_id",
            "region",
            "signup_date",
            "probability",
            "prediction"
        ]
    );
    for name in ["customer_id", "region", "signup_date"] {
        assert_eq!(column(&input, name), column(&output, name));
    }
    let (probability, prediction) = (
        numbers(column(&output, "probability")),
        numbers(column(&output, "prediction")),
    );
    assert!(
        probability
            .iter()
            .zip(&prediction)
            .all(|(p, label)| (0.0..=1.0).contains(p) && (*label == 1.0) == (*p >= 0.5))
    );
    assert_eq!(
        column(&output, "probability").data_type(),
        &DataType::Float32
    );
}

#[test]
fn csv_scores_as_parquet_does_and_ids_stay_text() {
    let room = demo();
    room.tallow("score --model churn customers.csv --output text.csv")
        .ok();
    room.tallow("score --model churn customers.parquet --output typed.csv --limit 200")
        .ok();
    let read = |name: &str| std::fs::read_to_string(room.path(name)).unwrap();
    assert_eq!(read("text.csv"), read("typed.csv"));
    room.file(
        "odd.csv",
        "a,id,b\n0.1,00123,0.2\n0.1,9007199254740993,0.2\n0.1,1.10,0.2\n0.1,NA,0.2\n0.1,1e5,0.2\n\
         0.1,\"x,\"\"y\",0.2\n",
    );
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    room.tallow("score --model good.json odd.csv --output odd.parquet")
        .ok();
    let ids: Vec<String> = texts(column(&room.table("odd.parquet"), "id"))
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(
        ids,
        ["00123", "9007199254740993", "1.10", "NA", "1e5", "x,\"y"]
    );
}

#[test]
fn passthrough_and_raw_choose_the_columns() {
    let room = demo();
    let names = |flags: &str| -> Vec<String> {
        room.tallow(&format!(
            "score --model churn customers.parquet --output out.parquet --overwrite {flags}"
        ))
        .ok();
        room.table("out.parquet")
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    };
    assert_eq!(names("--passthrough none"), ["probability", "prediction"]);
    assert_eq!(
        names("--passthrough none --raw"),
        ["probability", "prediction", "margin"]
    );
    assert_eq!(
        names("--passthrough age,customer_id"),
        ["age", "customer_id", "probability", "prediction"]
    );
    assert_eq!(names("--passthrough all").len(), 16);
    let run = room
        .tallow("score --model churn customers.parquet --output x.parquet --passthrough nobody")
        .fails(3);
    assert!(run.stderr.contains("`nobody`"), "{run}");
}

#[test]
fn the_ledger_balances_with_filters_limits_and_rejections() {
    let room = demo();
    let run = room
        .run([
            "score",
            "--model",
            "churn",
            "customers.parquet",
            "--output",
            "out.parquet",
            "--format",
            "json",
            "--limit",
            "1500",
            "--on-null",
            "age=reject",
            "--where",
            "region = 'north'",
        ])
        .ok();
    let ledger = &run.json()["ledger"];
    let count = |name: &str| ledger[name].as_u64().unwrap();
    assert_eq!(count("rows_in"), 1_500);
    assert_eq!(
        count("rows_in"),
        count("scored") + count("rejected") + count("filtered")
    );
    assert!(count("rejected") > 0 && count("filtered") > 0 && count("scored") > 0);
    assert_eq!(
        run.json()["rejections"]["age"]["null"].as_u64(),
        Some(count("rejected"))
    );
    let output = room.table("out.parquet");
    assert_eq!(output.num_rows() as u64, count("scored"));
    assert!(
        texts(column(&output, "region"))
            .iter()
            .all(|region| region.as_deref() == Some("north"))
    );
}

#[test]
fn one_row_and_none_are_reported_as_users_say_it() {
    let room = demo();
    let score = |flags: &[&str]| {
        let fixed = [
            "score",
            "--model",
            "churn",
            "customers.csv",
            "--output",
            "out.parquet",
            "--overwrite",
        ];
        room.run(fixed.iter().chain(flags)).ok().stderr
    };
    let one = score(&["--limit", "1"]);
    assert!(one.starts_with("churn (xgboost) scored 1 row in "), "{one}");
    let none = score(&["--where", "age < 0"]);
    assert!(
        none.starts_with("churn (xgboost) scored 0 rows in "),
        "{none}"
    );
    assert!(
        none.contains("  probability  no row was scored\n  prediction   no row was scored\n"),
        "{none}"
    );
    let checked = room.tallow("check --model churn customers.parquet").ok();
    assert!(
        checked.stdout.contains("2,000 rows, 1 row group, "),
        "{checked}"
    );
}

#[test]
fn results_that_the_next_run_would_read_as_data_are_refused() {
    let room = demo();
    std::fs::create_dir(room.path("days")).unwrap();
    std::fs::rename(room.path("customers.csv"), room.path("days/monday.csv")).unwrap();
    let run = room
        .tallow("score --model churn days --output days/out.csv")
        .fails(2);
    insta::assert_snapshot!(run.stderr, @r"
    usage error: the output would lie in the input `days`, so the next run would read it as data (`days/out.csv`)
    hint: write it elsewhere, or under a name that begins with `_` or `.`, which readers pass over
    ");
    let run = room
        .tallow("score --model churn days --output days/scores/")
        .fails(2);
    assert!(
        run.stderr
            .contains("the output would lie in the input `days`"),
        "{run}"
    );
    let run = room
        .tallow("score --model churn days --output out.parquet --report days/report.parquet")
        .fails(2);
    assert!(
        run.stderr
            .contains("the report would lie in the input `days`"),
        "{run}"
    );
    let run = room
        .tallow("score --model churn days/*.csv --output days/out.csv")
        .fails(2);
    assert!(
        run.stderr.contains("would lie in the input `days/*.csv`"),
        "{run}"
    );
    for (flag, what) in [("--metrics-file", "metrics"), ("--lineage-file", "lineage")] {
        let run = room
            .tallow(&format!(
                "score --model churn days --output out.parquet {flag} days/told.txt"
            ))
            .fails(2);
        assert!(
            run.stderr
                .contains(&format!("the {what} file would lie in the input `days`")),
            "{run}"
        );
    }
    assert_eq!(std::fs::read_dir(room.path("days")).unwrap().count(), 1);
    for flags in [
        "days --output days/_out.csv",
        "days/*.csv --output days/out.parquet --overwrite",
    ] {
        room.tallow(&format!("score --model churn {flags}")).ok();
    }
}

#[test]
fn the_names_of_report_and_rejected_rows_say_their_format() {
    let room = demo();
    let score = |flags: &str| {
        room.tallow(&format!(
            "score --model churn customers.csv --output out.parquet --overwrite \
            --on-null reject {flags}"
        ))
    };
    score("--report facts.csv --rejected bad.csv").ok();
    let text = |name: &str| std::fs::read_to_string(room.path(name)).unwrap();
    assert!(
        text("facts.csv").starts_with("run_id,section,subject,metric,value,text,unit\n"),
        "{}",
        text("facts.csv")
    );
    assert!(
        text("facts.csv").contains(",run,,status,,done,\n"),
        "{}",
        text("facts.csv")
    );
    let header = text("bad.csv").lines().next().unwrap().to_owned();
    assert!(
        header.starts_with("customer_id,") && header.contains(",rejected_file,rejected_row,"),
        "{header}"
    );
    // A report in CSV serves the guards as one in Parquet does.
    score("--report facts.csv --max-row-delta 1%").ok();
    let run = score("--report facts.json").fails(2);
    assert!(
        run.stderr
            .starts_with("usage error: no table is written as `.json` (`facts.json`)"),
        "{run}"
    );
    score("--rejected bad.tsv").fails(2);
}

#[test]
fn a_file_repeated_has_two_accounts() {
    let room = demo();
    let json = room
        .tallow(
            "score --model churn customers.csv customers.csv --output out.parquet --format json",
        )
        .ok()
        .json();
    let files = json["files"].as_object().unwrap();
    assert_eq!(
        files.keys().collect::<Vec<_>>(),
        ["customers.csv", "customers.csv (2)"]
    );
    let sum: u64 = files
        .values()
        .map(|file| file["rows_in"].as_u64().unwrap())
        .sum();
    assert_eq!((sum, &json["ledger"]["rows_in"]), (400, &400.into()));
}

#[test]
fn a_filter_reads_numbers_in_text_files_too() {
    let room = demo();
    let filter = "tenure_months > 24 AND age IS NOT NULL";
    for (input, output) in [
        ("customers.csv", "text.csv"),
        ("customers.parquet", "typed.csv"),
    ] {
        room.run([
            "score", "--model", "churn", input, "--output", output, "--limit", "200", "--where",
            filter,
        ])
        .ok();
    }
    let read = |name: &str| std::fs::read_to_string(room.path(name)).unwrap();
    assert_eq!(read("text.csv"), read("typed.csv"));
    assert!(read("text.csv").lines().count() > 10);
}

#[test]
fn the_threshold_decides_the_label_and_is_checked() {
    let room = demo();
    room.tallow("score --model churn customers.parquet --output low.parquet --threshold 0.2")
        .ok();
    let output = room.table("low.parquet");
    let pairs = numbers(column(&output, "probability"))
        .into_iter()
        .zip(numbers(column(&output, "prediction")));
    assert!(
        pairs
            .into_iter()
            .all(|(probability, label)| (label == 1.0) == (probability >= 0.2))
    );
    room.tallow("score --model churn customers.parquet --output x.parquet --threshold 2")
        .fails(2);
}

#[test]
fn the_report_is_a_table_of_facts_and_agrees_with_the_json() {
    let room = demo();
    let run = room
        .tallow(
            "score --model churn customers.parquet --output out.parquet --format json \
        --report facts.parquet",
        )
        .ok();
    assert_eq!(run.stdout.lines().count(), 1);
    let (json, report) = (run.json(), room.table("facts.parquet"));
    assert_eq!(json["status"], "done");
    let (sections, metrics, subjects) = (
        texts(column(&report, "section")),
        texts(column(&report, "metric")),
        texts(column(&report, "subject")),
    );
    let values = numbers(column(&report, "value"));
    let fact = |section: &str, subject: &str, metric: &str| {
        let same = |row: &usize| {
            sections[*row].as_deref() == Some(section)
                && subjects[*row].as_deref() == Some(subject)
                && metrics[*row].as_deref() == Some(metric)
        };
        (0..values.len()).find(same).map(|row| values[row])
    };
    assert_eq!(fact("ledger", "", "scored"), Some(2_000.0));
    assert_eq!(fact("files", "customers.parquet", "rows_in"), Some(2_000.0));
    assert_eq!(
        fact("coercions", "age", "missing"),
        json["coercions"]["age"]["missing"].as_f64()
    );
    assert_eq!(
        fact("scores", "probability", "mean"),
        json["scores"]["probability"]["mean"].as_f64()
    );
    let scores = numbers(column(&room.table("out.parquet"), "probability"));
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    assert!((fact("scores", "probability", "mean").unwrap() - mean).abs() < 1e-12);
    assert_eq!(
        fact("scores", "probability", "min"),
        scores.iter().copied().reduce(f64::min)
    );
    for metric in [
        "null_count",
        "nan_count",
        "standard_deviation",
        "quantile_0.5",
        "max",
    ] {
        assert!(fact("scores", "probability", metric).is_some(), "{metric}");
    }
    assert!(
        fact("performance", "", "rows_per_second").is_some()
            && fact("performance", "score", "work_seconds").is_some()
    );
}

#[test]
fn the_footer_names_it_model_made_the_predictions() {
    let room = demo();
    room.tallow("score --model churn customers.parquet --output out.parquet")
        .ok();
    let file = std::fs::File::open(room.path("out.parquet")).unwrap();
    let metadata = parquet::file::metadata::ParquetMetaDataReader::new()
        .parse_and_finish(&file)
        .unwrap();
    let pairs = metadata.file_metadata().key_value_metadata().unwrap();
    let value = |key: &str| {
        pairs
            .iter()
            .find(|pair| pair.key == key)
            .and_then(|pair| pair.value.clone())
            .unwrap_or_else(|| panic!("{key}"))
    };
    assert_eq!(value("tallow.model_name"), "churn");
    assert!(value("tallow.model_digest").starts_with("sha256:"));
    assert_eq!(value("tallow.run_id").len(), 32);
    assert_eq!(value("tallow.version"), env!("CARGO_PKG_VERSION"));
}

#[test]
fn quiet_is_silent_and_failures_are_json_too() {
    let room = demo();
    let run = room
        .tallow("score --quiet --model churn customers.parquet --output out.parquet")
        .ok();
    assert!(run.stdout.is_empty() && run.stderr.is_empty(), "{run}");
    let run = room
        .tallow("score --format json --raw --model churn customers.parquet --output out.parquet")
        .fails(1);
    assert_eq!(run.json()["status"], "failed");
    assert_eq!(run.json()["error"]["path"], "out.parquet");
}

#[test]
fn dictionaries_and_nested_columns_pass_through() {
    use arrow::array::{
        ArrayRef, DictionaryArray, Float32Array, Int64Array, ListArray, RecordBatch, StructArray,
    };
    use arrow::datatypes::{Field, Int32Type, Int64Type};
    use std::sync::Arc;
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    let floats = || Arc::new(Float32Array::from(vec![Some(0.1), None, Some(0.9)])) as ArrayRef;
    let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]));
    let nested: ArrayRef = Arc::new(StructArray::from(vec![(
        Arc::new(Field::new("x", DataType::Int64, false)),
        Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef,
    )]));
    let dictionary: ArrayRef = Arc::new(
        ["p", "q", "p"]
            .into_iter()
            .collect::<DictionaryArray<Int32Type>>(),
    );
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("a", floats(), true),
        ("list", list, true),
        ("b", floats(), true),
        ("nested", nested, true),
        ("dictionary", dictionary, true),
    ])
    .unwrap();
    room.parquet("in.parquet", &batch, 2);
    room.tallow("score --model good.json in.parquet --output out.parquet")
        .ok();
    let output = room.table("out.parquet");
    for name in ["list", "nested", "dictionary"] {
        assert_eq!(
            column(&batch, name).data_type(),
            column(&output, name).data_type()
        );
        assert_eq!(
            &column(&batch, name).to_data(),
            &column(&output, name).to_data(),
            "{name}"
        );
    }
}

#[test]
fn the_report_of_an_output_that_was_removed_is_in_no_ones_way() {
    let room = demo();
    let score = |output: &str| {
        room.tallow(&format!(
            "score --quiet --model churn customers.parquet --output {output}"
        ))
    };
    score("out.parquet").ok();
    score("out.parquet --raw").fails(1);
    std::fs::remove_file(room.path("out.parquet")).unwrap();
    assert!(
        score("out.csv")
            .fails(1)
            .to_string()
            .contains("another run's report"),
        "the report is of another output"
    );
    score("out.parquet").ok();
    std::fs::remove_file(room.path("out.parquet")).unwrap();
    room.file("out.report.pq", "precious");
    score("out.parquet").fails(1);
    assert_eq!(
        std::fs::read(room.path("out.report.pq")).unwrap(),
        b"precious"
    );
}

#[test]
fn what_is_not_a_file_is_not_replaced_by_one() {
    let room = demo();
    let socket = std::os::unix::net::UnixListener::bind(room.path("out.parquet")).unwrap();
    let run = room
        .tallow("score --model churn customers.parquet --output out.parquet --overwrite")
        .fails(1);
    assert!(
        run.stderr.starts_with(
            "error: cannot create the file: a pipe, a socket or a device \
            has its name (`out.parquet`)\n"
        ),
        "{run}"
    );
    drop(socket);
}
