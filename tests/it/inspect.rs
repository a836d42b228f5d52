//! `tallow inspect`: what a path is.

use crate::harness::{Room, data};

#[test]
fn a_model_shows_what_it_reads_and_gives() {
    let run = Room::new().run(["inspect".as_ref(), data("demo/churn").as_os_str()]).ok();
    for part in
        ["xgboost", "binary:logistic", "sha256:", "contract                 category: month-to-month, one year, two year", "probability, prediction"]
    {
        assert!(run.stdout.contains(part), "{part}: {run}");
    }
    let json = Room::new().run(["inspect".as_ref(), data("demo/churn/model.ubj").as_os_str(), "--format".as_ref(), "json".as_ref()]).ok().json();
    assert_eq!((&json["kind"], json["inputs"].as_array().unwrap().len()), (&"model".into(), 11));
}

#[test]
fn a_table_shows_its_columns_and_rows() {
    let run = Room::new().run(["inspect".as_ref(), data("demo/customers.parquet").as_os_str()]).ok();
    assert!(run.stdout.contains("2,000") && run.stdout.contains("signup_date              Date32"), "{run}");
    let json = Room::new().run(["inspect".as_ref(), data("demo/customers.csv").as_os_str(), "--format".as_ref(), "json".as_ref()]).ok().json();
    assert_eq!((&json["format"], json["columns"].as_array().unwrap().len()), (&"csv".into(), 14));
}

#[test]
fn every_golden_model_can_be_inspected() {
    for entry in std::fs::read_dir(data("golden")).unwrap() {
        let directory = entry.unwrap().path();
        let Ok(text) = std::fs::read(directory.join("case.json")) else { continue };
        let case: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let run = Room::new().run(["inspect".as_ref(), directory.join(case["model"].as_str().unwrap()).as_os_str()]).ok();
        assert!(run.stdout.starts_with("model\n"), "{run}");
    }
}

#[test]
fn what_is_neither_says_so() {
    let room = Room::new();
    room.file("nothing.bin", [0_u8; 64]);
    room.tallow("inspect nothing.bin").fails(3);
    let message =
        "error: there is no such file or directory (`missing`)\nhint: check the spelling; a relative path starts at the working directory\n";
    for verb in ["inspect missing", "score --model missing nothing.bin --output out.parquet"] {
        assert_eq!(room.tallow(verb).fails(1).stderr, message);
    }
}
