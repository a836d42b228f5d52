//! Boosted models as a user runs them: how many trees are used, offsets of margins, and names that
//! a library changed.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use serde_json::Value as Json;

use crate::harness::{Room, column, data, numbers, table};

/// A room with a golden case's model and input.
fn case(name: &str, model: &str) -> Room {
    let room = Room::new();
    let directory = data("golden").join(name);
    room.file(model, std::fs::read(directory.join(model)).unwrap());
    room.file(
        "rows.parquet",
        std::fs::read(directory.join("input.parquet")).unwrap(),
    );
    room
}

#[test]
fn fewer_trees_than_there_are_show_in_summary_report_and_inspect() {
    let room = case("xgboost_3.2_estimator", "model.ubj");
    let rendered =
        "6 of 10 (12 of 20 trees), up to the best iteration, as the estimator's `predict`";
    let run = room
        .tallow("score --model model.ubj rows.parquet --output out.parquet --report report.parquet")
        .ok();
    assert!(
        run.stderr.contains(&format!("rounds used  {rendered}")),
        "{run}"
    );
    let report: Json = serde_json::from_str(
        &room
            .tallow("inspect report.parquet --format json")
            .ok()
            .stdout,
    )
    .unwrap();
    assert!(report.to_string().contains(rendered), "{report}");
    let inspected: Json =
        serde_json::from_str(&room.tallow("inspect model.ubj --format json").ok().stdout).unwrap();
    let facts = &inspected["facts"];
    assert_eq!(
        [&facts["trees"], &facts["rounds"], &facts["best_iteration"]],
        [&Json::from(20), &Json::from(10), &Json::from(5)]
    );
    assert_eq!(facts["rounds_used"], rendered);
    assert_eq!(facts["base_score"], 0.5025);
    assert_eq!(facts["format_version"], "3.2.0", "a version is a text");
    let run = room.tallow("inspect model.ubj --trees all").ok();
    assert!(!run.stdout.contains("rounds_used"), "{run}");
}

#[test]
fn more_rounds_than_there_are_are_one_error_for_all_libraries() {
    for (name, model, rounds) in [
        ("xgboost_3.2_estimator", "model.ubj", 10),
        ("lightgbm_4_7_0_binary", "model.txt", 4),
        ("catboost_rmse", "model.json", 31),
    ] {
        let room = case(name, model);
        let run = room
            .tallow(&format!(
                "score --model {model} rows.parquet --output out.parquet --trees 99"
            ))
            .fails(2);
        assert!(
            run.stderr.contains(&format!(
                "cannot use 99 boosting rounds of a model that has {rounds}"
            )),
            "{run}"
        );
        assert!(
            run.stderr.contains(&format!("a number from 1 to {rounds}")),
            "{run}"
        );
        room.tallow(&format!(
            "score --model {model} rows.parquet --output out.parquet --trees {rounds}"
        ))
        .ok();
    }
}

#[test]
fn offsets_are_bound_by_name_and_checked() {
    let room = case("xgboost_3.2_offsetbinary", "model.ubj");
    let score = |rest: &str| {
        room.tallow(&format!(
            "score --model model.ubj rows.parquet --output out.parquet --overwrite {rest}"
        ))
    };
    let run = room
        .run([
            "score",
            "--model",
            "model.ubj",
            "rows.parquet",
            "--output",
            "out.parquet",
            "--offset",
            "exposure 0",
        ])
        .ok();
    assert!(
        run.stderr
            .contains("offset       exposure 0, in place of the base score"),
        "{run}"
    );
    let with_offset = table(&room.path("out.parquet"));
    assert!(
        with_offset.column_by_name("exposure 0").is_some(),
        "a column of offsets is not a feature, so it comes along"
    );
    score("").ok();
    assert_ne!(
        column(&with_offset, "probability"),
        column(&table(&room.path("out.parquet")), "probability")
    );
    let run = score("--offset exposure").fails(3);
    assert!(
        run.stderr
            .contains("`--offset` names a column that the data does not have"),
        "{run}"
    );
    let run = score("--offset amount,height").fails(3);
    assert!(
        run.stderr
            .contains("`--offset` names 2 columns, and the model has 1 margin"),
        "{run}"
    );
    let run = score("--offset amount,amount").fails(2);
    assert!(
        run.stderr.contains("`--offset` names a column twice"),
        "{run}"
    );
    // `amount` has missing values.
    let run = score("--offset amount").fails(1);
    assert!(
        run.stderr.contains("a value is missing") && run.stderr.contains("--on-null amount=reject"),
        "{run}"
    );
}

/// A margin that begins at infinity is infinite, whatever the trees add.
#[test]
fn an_infinite_offset_stops_the_run_at_its_row() {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    room.file("rows.csv", "a,b,start\n0.1,0.5,0\n0.1,0.5,inf\n");
    let run = room
        .tallow("score --model good.json rows.csv --output out.parquet --offset start")
        .fails(1);
    assert!(
        run.stderr.contains("a number is infinite") && run.stderr.contains("row 2, column `start`"),
        "{run}"
    );
}

#[test]
fn a_model_without_margins_takes_no_offsets() {
    let room = case("onnx_logistic_nameless", "model.onnx");
    let run = room
        .tallow(
            "score --model model.onnx rows.parquet --output out.parquet --features \
             x0,x1,x2,x3,x4,x5 --offset x0",
        )
        .fails(2);
    assert!(
        run.stderr.contains(
            "`--offset` is for models of XGBoost, LightGBM and CatBoost, and this is one of onnx"
        ),
        "{run}"
    );
}

/// `lightgbm_4_7_0_binary` has the features `age`, `income`, `score` and `visits`; with a space in
/// it, a name is stored with `_`.
#[test]
fn lightgbm_binds_names_with_spaces_where_one_column_is_meant() {
    let room = case("lightgbm_4_7_0_binary", "model.txt");
    let model = std::fs::read_to_string(room.path("model.txt")).unwrap();
    room.file(
        "model.txt",
        model.replace(
            "feature_names=age income score visits",
            "feature_names=age net_income score visits",
        ),
    );
    let rows = table(&room.path("rows.parquet"));
    let renamed = |income: &str| {
        let name = |name: &str| {
            if name == "income" {
                income.to_owned()
            } else {
                name.to_owned()
            }
        };
        let columns = rows
            .schema()
            .fields()
            .iter()
            .zip(rows.columns())
            .map(|(field, values)| (name(field.name()), values.clone()))
            .collect::<Vec<_>>();
        RecordBatch::try_from_iter(columns).unwrap()
    };
    room.parquet("rows.parquet", &renamed("net income"), 1000);
    room.tallow("score --model model.txt rows.parquet --output out.parquet")
        .ok();
    let expected = table(&data("golden/lightgbm_4_7_0_binary/expected.parquet"));
    let scores = |batch| numbers(column(batch, "probability"));
    assert_eq!(scores(&table(&room.path("out.parquet"))), scores(&expected));
    // Two columns could be meant, or the name differs otherwise: what to type stands in the hint,
    // for all columns at once.
    room.parquet("rows.parquet", &renamed("Net-Income"), 1000);
    let run = room
        .tallow("score --model model.txt rows.parquet --output other.parquet")
        .fails(3);
    assert!(
        run.stderr.contains("pass `--rename Net-Income=net_income`"),
        "{run}"
    );
}

/// The labels of an old `XGBClassifier` and the number that stood for a missing value lie in its
/// attribute `scikit_learn`.
#[test]
fn an_old_estimator_gives_its_own_labels_and_missing_value() {
    let room = Room::new();
    let meta = r#"{\"missing\": -999, \"classes_\": [\"no\", \"yes\"], \"n_classes_\": 2}"#;
    room.file(
        "model.json",
        format!(
            r#"{{"learner":{{"attributes":{{"scikit_learn":"{meta}"}},"feature_names":["x"],"feature_types":["float"],
            "gradient_booster":{{"model":{{"gbtree_model_param":{{"num_trees":"1"}},"tree_info":[0],"trees":[
            {{"base_weights":[0,1,2],"default_left":[false,false,false],"id":0,"left_children":[1,-1,-1],"right_children":[2,-1,-1],
            "split_conditions":[0.5,-1,1],"split_indices":[0,0,0],"tree_param":{{"num_nodes":"3"}}}}]}},"name":"gbtree"}},
            "learner_model_param":{{"base_score":"0.5","num_class":"0","num_feature":"1"}},"objective":{{"name":"binary:logistic"}}}},"version":[1,0,2]}}"#
        ),
    );
    let values: ArrayRef = Arc::new(Float64Array::from(vec![0.0, 1.0, -999.0]));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    room.parquet(
        "rows.parquet",
        &RecordBatch::try_from_iter([("id", ids), ("x", values)]).unwrap(),
        1000,
    );
    room.tallow("score --model model.json rows.parquet --output out.csv")
        .ok();
    let text = std::fs::read_to_string(room.path("out.csv")).unwrap();
    // A missing value goes right, as 1 does; below 0.5 it would go left.
    let labels: Vec<&str> = text
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().unwrap())
        .collect();
    assert_eq!(labels, ["no", "yes", "yes"], "{text}");
}

#[test]
fn fewer_trees_of_a_booster_in_a_pickle_show_too() {
    for name in ["sklearn_1_9_1_xgb_two", "sklearn_1_9_1_lgbm_three"] {
        let room = case(name, "model.joblib");
        let line = "score --model model.joblib rows.parquet --output out.parquet --trees 1";
        let run = room.tallow(line).ok();
        assert!(run.stderr.contains("rounds used"), "{name}: {run}");
        let inspected = room.tallow("inspect out.report.pq").ok();
        assert!(inspected.stdout.contains("rounds used"), "{inspected}");
        let inspected = room.tallow("inspect model.joblib --trees 1").ok();
        assert!(inspected.stdout.contains("rounds_used"), "{inspected}");
    }
}
