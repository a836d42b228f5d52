//! Values that stand for a missing one, in every format: `--missing -999` and `missing` in a
//! package's manifest.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Decimal128Array, Float32Array, Float64Array, Int16Array, Int64Array,
    RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Float64Type};

use crate::harness::{Room, Run, column, data, numbers};

/// A model of the columns `a` and `b`, with the column `a` in a table of its own and `b` always
/// 0.5.
fn scores(a: ArrayRef, flags: &str) -> Vec<f64> {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    let b: ArrayRef = Arc::new(Float64Array::from(vec![0.5; a.len()]));
    room.parquet(
        "rows.parquet",
        &RecordBatch::try_from_iter_with_nullable([("a", a, true), ("b", b, true)]).unwrap(),
        100,
    );
    room.tallow(&format!(
        "score --model good.json rows.parquet --output out.parquet {flags}"
    ))
    .ok();
    numbers(column(&room.table("out.parquet"), "probability"))
}

#[test]
fn a_sentinel_in_a_typed_column_scores_as_a_null_does() {
    let missing = scores(
        Arc::new(Float64Array::from(vec![Some(0.1), None, Some(0.9)])),
        "",
    );
    let found = scores(Arc::new(Float64Array::from(vec![0.1, -999.0, 0.9])), "");
    assert_ne!(
        missing, found,
        "the sentinel must be another number to the model"
    );
    for flags in [
        "--missing=-999",
        "--missing -999",
        "--missing -999.0",
        "--missing a=-999",
        "--missing NA,-999",
        "--missing a=-1 --missing -999",
    ] {
        assert_eq!(
            scores(Arc::new(Float64Array::from(vec![0.1, -999.0, 0.9])), flags),
            missing,
            "{flags}"
        );
        assert_eq!(
            scores(Arc::new(Float32Array::from(vec![0.1, -999.0, 0.9])), flags),
            missing,
            "{flags}"
        );
    }
    assert_eq!(
        scores(
            Arc::new(Float64Array::from(vec![0.1, -999.0, 0.9])),
            "--missing b=-999"
        ),
        found
    );
    let whole = scores(Arc::new(Int64Array::from(vec![Some(0), None, Some(1)])), "");
    assert_eq!(
        scores(
            Arc::new(Int64Array::from(vec![0, -999, 1])),
            "--missing -999"
        ),
        whole
    );
    assert_eq!(
        scores(
            Arc::new(Int16Array::from(vec![0, -999, 1])),
            "--missing -999.0"
        ),
        whole
    );
    let decimals = Decimal128Array::from(vec![0, -99_900, 100])
        .with_precision_and_scale(9, 2)
        .unwrap();
    assert_eq!(scores(Arc::new(decimals), "--missing -999"), whole);
    // XGBoost compares in single precision: 0.1 in a column of floats is its `missing=0.1`.
    let tenth = scores(Arc::new(Float32Array::from(vec![None, Some(0.9)])), "");
    assert_eq!(
        scores(
            Arc::new(Float32Array::from(vec![0.1, 0.9])),
            "--missing 0.1"
        ),
        tenth
    );
}

#[test]
fn delimited_text_compares_numbers_as_numbers_and_always_misses_an_empty_one() {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    room.file(
        "rows.csv",
        "a,b\n-999,0.5\n-999.0,0.5\n,0.5\n-9.99e2,0.5\n0.1,0.5\n",
    );
    let run = room
        .tallow(
            "score --model good.json rows.csv --output out.parquet --format json --missing -999",
        )
        .ok();
    assert_eq!(run.json()["coercions"]["a"]["missing"], 4, "{run}");
    let run = room
        .tallow(
            "score --model good.json rows.csv --output out.parquet --overwrite --missing c=-999",
        )
        .fails(2);
    assert!(
        run.stderr
            .contains("`--missing` names `c`, which is not an input of the model"),
        "{run}"
    );
}

#[test]
fn categories_and_texts_have_sentinels_of_their_own() {
    let demo = Room::new();
    demo.file(
        "model.ubj",
        std::fs::read(data("demo/churn/model.ubj")).unwrap(),
    );
    let customers = crate::harness::table(&data("demo/customers.parquet"));
    let position = customers.schema().index_of("contract").unwrap();
    let write = |name: &str, change: fn(usize, Option<&str>) -> Option<String>| {
        let texts = crate::harness::texts(customers.column(position));
        let changed: StringArray = texts
            .iter()
            .enumerate()
            .map(|(row, text)| change(row, text.as_deref()))
            .collect();
        let mut columns = customers.columns().to_vec();
        columns[position] = Arc::new(changed);
        let schema = customers.schema();
        let fields = schema.fields().iter().enumerate().map(|(index, field)| {
            if index == position {
                Arc::new(
                    field
                        .as_ref()
                        .clone()
                        .with_data_type(arrow::datatypes::DataType::Utf8),
                )
            } else {
                field.clone()
            }
        });
        let schema = Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()));
        demo.parquet(name, &RecordBatch::try_new(schema, columns).unwrap(), 1_000);
    };
    write("null.parquet", |row, text| {
        text.filter(|_| row % 3 != 0).map(str::to_owned)
    });
    write("word.parquet", |row, text| {
        if row % 3 == 0 {
            Some("unknown".to_owned())
        } else {
            text.map(str::to_owned)
        }
    });
    let score = |name: &str, flags: &str| {
        let run = demo.tallow(&format!(
            "score --model model.ubj {name} --output out.parquet --overwrite --format json {flags}"
        ));
        (
            run.code,
            std::fs::read(demo.path("out.parquet"))
                .ok()
                .map(|_| numbers(column(&demo.table("out.parquet"), "probability"))),
            run,
        )
    };
    let nulls = score("null.parquet", "");
    assert_eq!(
        score("word.parquet", "--missing contract=unknown").1,
        nulls.1
    );
    assert_eq!(score("word.parquet", "--missing unknown").1, nulls.1);
    assert_eq!(
        score("word.parquet", "--missing nothing").0,
        1,
        "an unseen category stops XGBoost"
    );
    // A category that the model knows stays one, unless its own column is named.
    let known = score("word.parquet", "--missing unknown,two-year,month-to-month");
    assert_eq!(known.1, nulls.1);
    let own = score(
        "word.parquet",
        "--missing unknown --missing contract=month-to-month",
    );
    assert!(
        own.2.json()["coercions"]["contract"]["missing"].as_u64()
            > nulls.2.json()["coercions"]["contract"]["missing"].as_u64(),
        "{}",
        own.2
    );
}

#[test]
fn a_package_names_its_sentinels_and_expressions_see_null_there() {
    let room = Room::new();
    room.file(
        "package/model.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    let manifest = |missing: &str| {
        let text = format!(
            "name = \"x\"\n[[artefacts]]\npath = \"model.json\"\n[[inputs]]\nname = \
             \"a\"\nmissing = {missing}\n"
        );
        room.file("package/tallow.toml", text);
    };
    let a: ArrayRef = Arc::new(Int64Array::from(vec![0, -999, 1, -1]));
    let b: ArrayRef = Arc::new(Float64Array::from(vec![0.5; 4]));
    room.parquet(
        "rows.parquet",
        &RecordBatch::try_from_iter([("a", a), ("b", b)]).unwrap(),
        100,
    );
    let nulls = |flags: &[&str]| {
        let line = [
            "score",
            "--model",
            "package",
            "rows.parquet",
            "--output",
            "out.parquet",
            "--overwrite",
            "--format",
            "json",
        ];
        let json = room.run(line.iter().chain(flags)).ok().json();
        (
            json["coercions"]["a"]["missing"].as_u64().unwrap_or(0),
            json["ledger"]["filtered"].as_u64().unwrap(),
        )
    };
    for (missing, count) in [
        ("-999", 1),
        ("-999.0", 1),
        ("[-999, -1]", 2),
        ("[\"x\", -1]", 1),
        ("[]", 0),
    ] {
        manifest(missing);
        assert_eq!(nulls(&[]).0, count, "{missing}");
        assert_eq!(nulls(&["--where", "a IS NULL"]).1, 4 - count, "{missing}");
    }
    manifest("-999");
    assert_eq!(nulls(&["--missing", "a=-1"]).0, 2);
    assert_eq!(nulls(&["--where", "-a >= 0"]).1, 2, "a dash begins a value");
    manifest("true_and_false");
    let run = room.tallow("check --model package rows.parquet").fails(3);
    assert!(run.stderr.contains("cannot read the manifest"), "{run}");
}

#[test]
fn a_value_that_was_forgotten_is_not_taken_from_the_next_flag() {
    let room = Room::new();
    for line in [
        "score --where --limit 5 x",
        "score --missing -q x",
        "check --features --missing=1 x",
    ] {
        let run = room.tallow(line).fails(2);
        assert!(run.stderr.contains("` needs a value, and `"), "{run}");
    }
}

#[test]
fn names_with_commas_are_quoted_in_every_list() {
    let room = Room::new();
    let named = std::fs::read_to_string(data("hostile/good.json")).unwrap();
    room.file(
        "good.json",
        named.replacen(r#""feature_names":["a","b"]"#, r#""feature_names":[]"#, 1),
    );
    room.file("rows.csv", "\"a,1\",b,\"c,d\",e\n0.1,0.9,x,y\n");
    let line = [
        "score",
        "--model",
        "good.json",
        "rows.csv",
        "--output",
        "out/",
        "--features",
        "\"a,1\",b",
        "--passthrough",
        "\"c,d\",e",
    ];
    room.run(line.into_iter().chain(["--partition-by", "\"c,d\""]))
        .ok();
    assert!(
        room.listing_of("out")
            .iter()
            .any(|name| name.starts_with('c')),
        "{:?}",
        room.listing_of("out")
    );
    let run = room
        .run([
            "score",
            "--model",
            "good.json",
            "rows.csv",
            "--output",
            "o.parquet",
            "--features",
            "\"a,1",
        ])
        .fails(2);
    assert!(run.stderr.contains("a double quote is not closed"), "{run}");
}

#[test]
fn infinity_can_stand_for_a_missing_value() {
    let column = || Arc::new(Float64Array::from(vec![0.1, f64::INFINITY, 0.9]));
    let missing = scores(
        Arc::new(Float64Array::from(vec![Some(0.1), None, Some(0.9)])),
        "",
    );
    assert_eq!(scores(column(), "--missing inf"), missing);
}

/// The first number of the first column of numbers becomes infinite.
fn infinite_first(case: &str) -> (Room, Run) {
    let room = Room::new();
    let model = ["model.joblib", "model.pkl", "model.skops"]
        .map(|name| data(&format!("golden/{case}/{name}")))
        .into_iter()
        .find(|path| path.exists())
        .unwrap();
    let rows = crate::harness::table(&data(&format!("golden/{case}/input.parquet")));
    let index = rows
        .schema()
        .fields()
        .iter()
        .position(|field| *field.data_type() == DataType::Float64)
        .unwrap();
    let mut columns = rows.columns().to_vec();
    let mut numbers: Vec<Option<f64>> = columns[index]
        .as_primitive::<Float64Type>()
        .iter()
        .collect();
    numbers[0] = Some(f64::INFINITY);
    columns[index] = Arc::new(Float64Array::from(numbers));
    let rows = RecordBatch::try_new(rows.schema(), columns).unwrap();
    room.parquet("rows.parquet", &rows, 1_000);
    let run = room.tallow(&format!(
        "score --model {} rows.parquet --output out.parquet --overwrite",
        model.display()
    ));
    (room, run)
}

/// scikit-learn: "Input X contains infinity or a value too large for dtype('float64')", but for its
/// histogram-based boosting.
#[test]
fn infinite_numbers_stop_scikit_learns_models_as_they_stop_scikit_learn() {
    for case in [
        "sklearn_1_9_1_logistic_three",
        "sklearn_1_9_1_forest_three",
        "sklearn_1_9_1_mixed_logistic",
    ] {
        let run = infinite_first(case).1.fails(1);
        assert!(
            run.stderr.contains("a number is infinite") && run.stderr.contains("row 1,"),
            "{case}: {run}"
        );
    }
    infinite_first("sklearn_1_9_1_histogram_value").1.ok();
}
