//! `tallow explain`: how rows of a recorded run got their scores.

use serde_json::Value as Json;

use crate::harness::{Room, column, data, numbers, table};

/// A model's file, and its rows.
fn golden(name: &str) -> (String, String) {
    let model = [
        "model.ubj",
        "model.json",
        "model.txt",
        "model.cbm",
        "model.pkl",
    ]
    .map(|file| data(&format!("golden/{name}/{file}")))
    .into_iter()
    .find(|path| path.exists())
    .unwrap_or_else(|| data(&format!("golden/{name}")));
    let rows = data(&format!("golden/{name}/input.parquet"));
    (model.display().to_string(), rows.display().to_string())
}

fn explained(room: &Room, arguments: &[&str]) -> Vec<Json> {
    let all = [&["explain"], arguments, &["--format", "json"]].concat();
    room.run(all).ok().json()["rows"]
        .as_array()
        .unwrap()
        .clone()
}

#[test]
fn the_way_through_the_trees_ends_at_the_leaves_of_the_library_and_adds_up() {
    let mut checked = 0;
    for name in [
        "xgboost_3.2_binary_ubj",
        "xgboost_3.2_missing",
        "lightgbm_4_7_0_binary",
        "lightgbm_4_7_0_zero_as_missing",
        "catboost_lossguide",
        "xgboost_3.2_softprob",
    ] {
        let (model, rows) = golden(name);
        if !std::path::Path::new(&rows).exists() {
            continue;
        }
        let room = Room::new();
        room.run([
            "score", "-qq", "--model", &model, &rows, "--output", "out/", "--raw",
        ])
        .ok();
        let leaves = data(&format!("golden/{name}/leaves.parquet"));
        let leaves = leaves.exists().then(|| table(&leaves));
        for row in [0, 7] {
            let found = explained(&room, &["out", "--row", &(row + 1).to_string()]).remove(0);
            let trees = found["trees"].as_array().unwrap();
            assert!(!trees.is_empty(), "{name}: {found}");
            for (number, tree) in trees.iter().enumerate() {
                let steps = tree["path"].as_array().unwrap();
                assert!(
                    steps.iter().all(|step| step["feature"].is_string()),
                    "{name}"
                );
                let Some(leaves) = &leaves else {
                    continue;
                };
                if leaves.num_columns() == trees.len() {
                    let expected = numbers(leaves.column(number))[row];
                    assert_eq!(
                        tree["leaf"].as_f64(),
                        Some(expected),
                        "{name} {row} {number}"
                    );
                    checked += 1;
                }
            }
            let margin = column(&table(&room.path("out/part-00000.parquet")), "prediction").len();
            assert!(margin > row, "{name}");
        }
    }
    assert!(checked > 20, "{checked} leaves were compared");
}

#[test]
fn an_explanation_has_the_values_the_coercions_and_the_score_of_the_output() {
    let room = Room::new();
    let (model, rows) = (data("demo/churn"), data("demo/customers.csv"));
    let (model, rows) = (model.display().to_string(), rows.display().to_string());
    room.run(["score", "-qq", "--model", &model, &rows, "--output", "out/"])
        .ok();
    let scores = table(&room.path("out/part-00000.parquet"));
    let probability = numbers(column(&scores, "probability"));
    let found = explained(&room, &["out", "--where", "customer_id = 'C-00021'"]);
    assert_eq!(found.len(), 1);
    let found = &found[0];
    assert_eq!(
        (&found["row"], &found["outcome"]),
        (&1.into(), &"scored".into())
    );
    assert_eq!(found["columns"]["customer_id"], "C-00021");
    assert!(
        found["model"]["digest"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    let shown: f32 = found["scores"]["probability"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(f64::from(shown), probability[0]);
    let inputs = found["inputs"].as_array().unwrap();
    let of = |name: &str| {
        inputs
            .iter()
            .find(|input| input["feature"] == name)
            .unwrap()
    };
    assert_eq!(
        (&of("age")["value"], &of("age")["read"]),
        (&"35".into(), &"35".into())
    );
    let missing = of("total_charge");
    assert_eq!(missing["read"], "NaN");
    assert!(
        missing["coercions"].to_string().contains("missing"),
        "{missing}"
    );
    let margins = found["margins"][0].as_f64().unwrap();
    assert!((1.0 / (1.0 + (-margins).exp()) - probability[0]).abs() < 1e-6);
    let text = room.run(["explain", "out", "--row", "1"]).ok().stdout;
    assert!(text.starts_with("row 1 of "), "{text}");
    insta::assert_snapshot!("explain", text);
    let limited = explained(&room, &["out", "--where", "age > 0", "--max-rows", "3"]);
    assert_eq!(limited.len(), 3);
}

#[test]
fn rows_that_were_rejected_or_filtered_are_explained_too() {
    let room = Room::new();
    let text = std::fs::read_to_string(data("demo/customers.csv")).unwrap();
    room.file("rows.csv", text.replacen(",35\n", ",abc\n", 1));
    let model = data("demo/churn").display().to_string();
    room.run([
        "score",
        "-qq",
        "--model",
        &model,
        "rows.csv",
        "--output",
        "out/",
        "--on-unseen",
        "age=reject",
        "--where",
        "region <> 'north'",
    ])
    .ok();
    let rejected = explained(&room, &["out", "--row", "1"]).remove(0);
    assert_eq!(rejected["outcome"], "rejected");
    assert!(
        rejected["reason"].as_str().unwrap().starts_with("age: "),
        "{rejected}"
    );
    let filtered = explained(&room, &["out", "--row", "2"]).remove(0);
    assert_eq!(
        (&filtered["outcome"], &filtered["row"]),
        (&"filtered".into(), &2.into())
    );
}

#[test]
fn other_models_inputs_and_rows_are_refused() {
    let room = Room::new();
    std::fs::copy(data("demo/customers.csv"), room.path("rows.csv")).unwrap();
    std::fs::copy(data("demo/churn/model.ubj"), room.path("model.ubj")).unwrap();
    room.tallow("score -qq --model model.ubj rows.csv --output out/")
        .ok();
    for (arguments, code, message) in [
        (&["--row", "201"][..], 2, "the input has 200 rows"),
        (&["--row", "0"], 2, "the input has"),
        (
            &["--where", "region = 'nowhere'"],
            3,
            "no row of the input satisfies",
        ),
        (
            &["--where", "region ="],
            2,
            "cannot understand the expression",
        ),
        (&[], 2, "--row"),
    ] {
        let run = room.run([&["explain", "out"], arguments].concat());
        assert_eq!(run.code, code, "{arguments:?}: {run}");
        assert!(run.stderr.contains(message), "{arguments:?}: {run}");
    }
    let text = std::fs::read_to_string(room.path("rows.csv")).unwrap();
    room.file("rows.csv", text.replacen(",35\n", ",36\n", 1));
    let error = room.run(["explain", "out", "--row", "1"]).fails(3).stderr;
    assert!(error.contains("the input is another one"), "{error}");
}
