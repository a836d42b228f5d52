//! `tallow inspect`: what a path is.

use crate::harness::{Room, data};

#[test]
fn a_model_shows_what_it_reads_and_gives() {
    let run = Room::new()
        .run(["inspect".as_ref(), data("demo/churn").as_os_str()])
        .ok();
    for part in [
        "xgboost",
        "binary:logistic",
        "sha256:",
        "contract                 category: month-to-month, one year, two year",
        "probability, prediction",
    ] {
        assert!(run.stdout.contains(part), "{part}: {run}");
    }
    let json = Room::new()
        .run([
            "inspect".as_ref(),
            data("demo/churn/model.ubj").as_os_str(),
            "--format".as_ref(),
            "json".as_ref(),
        ])
        .ok()
        .json();
    assert_eq!(
        (&json["kind"], json["inputs"].as_array().unwrap().len()),
        (&"model".into(), 11)
    );
}

#[test]
fn a_file_that_calls_something_shows_its_classes_and_is_refused() {
    let file = data("hostile/calls_in_pipeline.pkl");
    let run = Room::new().run(["inspect".as_ref(), file.as_os_str()]);
    assert_eq!(run.code, 6, "{run}");
    for part in [
        "standardscaler   sklearn.preprocessing.StandardScaler",
        "ridge            sklearn.linear_model.Ridge",
        "not_trusted      the file would call `posix.system`",
    ] {
        assert!(run.stdout.contains(part), "{part}: {run}");
    }
    assert!(
        run.stderr
            .contains("trust error: the file would call `posix.system`"),
        "{run}"
    );
    let json = ["--format", "json"].map(std::ffi::OsStr::new);
    let run = Room::new().run(["inspect".as_ref(), file.as_os_str(), json[0], json[1]]);
    assert_eq!(run.code, 6, "{run}");
    // The error is the line after.
    let page = run.stdout.lines().next().unwrap();
    let page: serde_json::Value = serde_json::from_str(page).unwrap();
    assert_eq!(
        page["facts"]["ridge"], "sklearn.linear_model.Ridge",
        "{run}"
    );
}

#[test]
fn a_table_shows_its_columns_and_rows() {
    let run = Room::new()
        .run([
            "inspect".as_ref(),
            data("demo/customers.parquet").as_os_str(),
        ])
        .ok();
    assert!(
        run.stdout.contains("2,000") && run.stdout.contains("signup_date              date"),
        "{run}"
    );
    let json = Room::new()
        .run([
            "inspect".as_ref(),
            data("demo/customers.csv").as_os_str(),
            "--format".as_ref(),
            "json".as_ref(),
        ])
        .ok()
        .json();
    assert_eq!(
        (&json["format"], json["columns"].as_array().unwrap().len()),
        (&"csv".into(), 14)
    );
}

#[test]
fn a_report_reports_what_its_run_did() {
    let room = Room::new();
    let (model, customers) = (data("demo/churn"), data("demo/customers.csv"));
    let fixed = [
        "score",
        "--model",
        model.to_str().unwrap(),
        customers.to_str().unwrap(),
        "--output",
        "out.parquet",
        "--on-null",
        "age=reject",
    ];
    for report in ["facts.parquet", "facts.csv"] {
        let score = room
            .run(
                fixed
                    .iter()
                    .copied()
                    .chain(["--overwrite", "--report", report]),
            )
            .ok();
        let run = room.tallow(&format!("inspect {report}")).ok();
        let rendered = score.stderr.lines().filter(|line| {
            ["  rows ", "  probability ", "  prediction "]
                .iter()
                .any(|label| line.starts_with(label))
        });
        let rendered: Vec<String> = rendered
            .map(|line| format!("  {:16} {}", line[2..14].trim(), &line[15..]))
            .collect();
        assert_eq!(rendered.len(), 3, "{score}");
        let further = [
            "report\n  path             facts.",
            "  status           done\n",
            "  model            churn (xgboost)\n",
            " in `age`\n",
            "missing",
        ];
        for part in rendered.iter().map(String::as_str).chain(further) {
            assert!(run.stdout.contains(part), "{part}: {run}");
        }
        let json = room
            .tallow(&format!("inspect {report} --format json"))
            .ok()
            .json();
        assert_eq!(
            (
                &json["kind"],
                &json["ledger"]["rows_in"],
                &json["run"]["status"]
            ),
            (&"report".into(), &200.into(), &"done".into())
        );
    }
}

#[test]
fn a_directory_of_text_files_is_data() {
    let room = Room::new();
    room.file("days/monday.csv", "a,b\n1,2\n");
    room.file("days/tuesday.csv", "b,a\n1,2\n");
    let run = room.tallow("inspect days").ok();
    assert!(
        run.stdout.starts_with(
            "data\n  path             days\n  format           csv\n  files            2\n"
        ),
        "{run}"
    );
    assert!(
        run.stdout
            .contains("columns (2)\n  a                        string\n"),
        "{run}"
    );
}

#[test]
fn a_data_set_shows_its_manifest_and_columns() {
    let room = Room::new();
    let (model, customers) = (data("demo/churn"), data("demo/customers.csv"));
    let score = [
        "score",
        "--model",
        model.to_str().unwrap(),
        customers.to_str().unwrap(),
        "--output",
        "scores/",
        "--rows-per-part",
        "90",
    ];
    room.run(score).ok();
    let run = room.tallow("inspect scores").ok();
    let lines = [
        "data set\n  path             scores\n",
        "  model            churn\n",
        "  inputs           1 file\n",
        "  rows             200 in = 200 scored + 0 rejected + 0 filtered\n",
        "  parts            3\n",
        "  complete         yes\n",
        "columns (5)\n",
        "  probability              float\n",
    ];
    for line in lines {
        assert!(run.stdout.contains(line), "{line}: {run}");
    }
    std::fs::remove_file(room.path("scores/part-00001.parquet")).unwrap();
    assert!(
        room.tallow("inspect scores")
            .ok()
            .stdout
            .contains("  complete         no: ")
    );
    let json = room.tallow("inspect scores --format json").ok().json();
    assert_eq!(
        (
            &json["kind"],
            &json["is_whole"],
            &json["manifest"]["ledger"]["scored"]
        ),
        (&"data_set".into(), &false.into(), &200.into())
    );
    let report = room.tallow("inspect scores/_tallow/report.pq").ok();
    assert!(
        report.stdout.starts_with("report\n")
            && report.stdout.contains("  status           done\n"),
        "{report}"
    );
}

#[test]
fn every_golden_model_can_be_inspected() {
    for entry in std::fs::read_dir(data("golden")).unwrap() {
        let directory = entry.unwrap().path();
        let Ok(text) = std::fs::read(directory.join("case.json")) else {
            continue;
        };
        let case: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let run = Room::new()
            .run([
                "inspect".as_ref(),
                directory.join(case["model"].as_str().unwrap()).as_os_str(),
            ])
            .ok();
        assert!(run.stdout.starts_with("model\n"), "{run}");
    }
}

#[test]
fn what_is_neither_reports_it() {
    let room = Room::new();
    room.file("nothing.bin", [0_u8; 64]);
    room.tallow("inspect nothing.bin").fails(3);
    let message = "error: there is no such file or directory (`missing`)\nhint: check the \
                   spelling; a relative path starts at the working directory\n";
    for verb in [
        "inspect missing",
        "score --model missing nothing.bin --output out.parquet",
    ] {
        assert_eq!(room.tallow(verb).fails(1).stderr, message);
    }
}
