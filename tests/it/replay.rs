//! `tallow replay` and `tallow log`: what a data set records of its run.

use std::path::Path;

use crate::harness::{Room, data};

/// Scores the demo's customers into parts of 60 rows.
fn scored(room: &Room) {
    for name in ["customers.csv", "churn"] {
        let from = data(&format!("demo/{name}"));
        if from.is_dir() {
            std::fs::create_dir(room.path(name)).unwrap();
            std::fs::copy(from.join("model.ubj"), room.path("churn/model.ubj")).unwrap();
        } else {
            std::fs::copy(from, room.path(name)).unwrap();
        }
    }
    room.tallow("score -qq --model churn customers.csv --output scores/ --rows-per-part 60")
        .ok();
}

fn append(path: &Path, bytes: &[u8]) {
    let mut content = std::fs::read(path).unwrap();
    content.extend_from_slice(bytes);
    std::fs::write(path, content).unwrap();
}

#[test]
fn a_run_gives_the_same_bytes_again_from_any_directory_and_leaves_nothing() {
    let room = Room::new();
    scored(&room);
    let before = room.listing_of("scores");
    std::fs::create_dir(room.path("tmp")).unwrap();
    let line = "replay scores --scratch tmp --threads 3 --format json";
    let found = room.tallow(line).ok().json();
    assert_eq!(found["status"], "same");
    assert_eq!(found["files"].as_object().unwrap().len(), 4, "{found}");
    assert_eq!(found["rows"], 200);
    assert_eq!(room.listing_of("tmp"), [""; 0]);
    assert_eq!(room.listing_of("scores"), before);
    let scores = room.path("scores").display().to_string();
    let other = Room::new();
    let text = other.run(["replay", &scores]).ok().stdout;
    assert!(
        text.starts_with("replayed 200 rows: 4 of 4 files have the same bytes"),
        "{text}"
    );
}

#[test]
fn a_run_with_a_reference_is_replayed_explained_and_corrected_from_any_directory() {
    let room = Room::new();
    scored(&room);
    let labels = data("demo/outcomes.csv").display().to_string();
    let evaluate = format!(
        "evaluate scores --label churned --labels {labels} --key customer_id \
         --save-reference reference.json"
    );
    room.tallow(&evaluate).ok();
    let line = "score -qq --model churn customers.csv --output known/ --reference reference.json";
    room.tallow(line).ok();
    let known = room.path("known").display().to_string();
    let other = Room::new();
    other.run(["retry", &known]).ok();
    // What rows are compared with changes none of them.
    std::fs::remove_file(room.path("reference.json")).unwrap();
    other.run(["replay", &known]).ok();
    other.run(["explain", &known, "--row", "1"]).ok();
}

#[test]
fn files_that_were_edited_or_removed_are_named() {
    let room = Room::new();
    scored(&room);
    append(&room.path("scores/part-00001.parquet"), b"x");
    std::fs::remove_file(room.path("scores/part-00002.parquet")).unwrap();
    let run = room.tallow("replay scores").fails(6);
    assert!(
        run.stderr.contains("`part-00001.parquet` was edited"),
        "{run}"
    );
    assert!(run.stderr.contains("`part-00002.parquet` is gone"), "{run}");
    let found = room.tallow("replay scores --format json").fails(6).json();
    assert_eq!(found["files"]["part-00000.parquet"], "same");
    assert_eq!(found["files"]["part-00001.parquet"], "edited");
    assert_eq!(found["exit_code"], 6);
}

#[test]
fn inputs_and_models_that_changed_or_are_gone_are_named() {
    let room = Room::new();
    scored(&room);
    let input = std::fs::read(room.path("customers.csv")).unwrap();
    let mut edited = input.clone();
    let last = edited.iter().rposition(u8::is_ascii_digit).unwrap();
    edited[last] = if edited[last] == b'1' { b'2' } else { b'1' };
    std::fs::write(room.path("customers.csv"), edited).unwrap();
    let error = room.tallow("replay scores").fails(3).stderr;
    assert!(
        error.contains("cannot be replayed") && error.contains("customers.csv"),
        "{error}"
    );
    std::fs::remove_file(room.path("customers.csv")).unwrap();
    let error = room.tallow("replay scores").fails(3).stderr;
    assert!(error.contains("`customers.csv` is gone"), "{error}");
    std::fs::write(room.path("customers.csv"), input).unwrap();
    room.tallow("replay scores").ok();
    let model = std::fs::read(data("golden/xgboost_3.2_binary_ubj/model.ubj"));
    let model = model.unwrap_or_else(|_| b"{}".to_vec());
    std::fs::write(room.path("churn/model.ubj"), model).unwrap();
    let run = room.tallow("replay scores");
    assert_ne!(run.code, 0, "{run}");
    for path in ["customers.csv", "churn", "missing"] {
        let error = room.run(["replay", path]).fails(1).stderr;
        assert!(error.contains("no run is recorded here"), "{path}: {error}");
    }
}

#[test]
fn files_that_came_later_are_not_inputs_of_the_run() {
    let room = Room::new();
    std::fs::create_dir(room.path("landing")).unwrap();
    std::fs::copy(data("demo/customers.csv"), room.path("landing/1.csv")).unwrap();
    let model = data("demo/churn").display().to_string();
    room.run([
        "score", "-qq", "--model", &model, "landing", "--output", "scores/",
    ])
    .ok();
    std::fs::copy(data("demo/customers.csv"), room.path("landing/2.csv")).unwrap();
    room.tallow("replay scores").ok();
}

#[test]
fn rejected_rows_are_compared_too() {
    let room = Room::new();
    let text = std::fs::read_to_string(data("demo/customers.csv")).unwrap();
    let head = text.lines().next().unwrap().to_owned();
    let age = head
        .split(',')
        .position(|name| name.trim_matches('"') == "age")
        .unwrap();
    let lines: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(index, line)| {
            let mut cells: Vec<&str> = line.split(',').collect();
            if index == 5 {
                cells[age] = "";
            }
            cells.join(",")
        })
        .collect();
    room.file("rows.csv", lines.join("\n") + "\n");
    let model = data("demo/churn").display().to_string();
    let line = format!(
        "score -qq --model {model} rows.csv --on-null age=reject --output set/ --rows-per-part 100"
    );
    room.tallow(&line).ok();
    let found = room.tallow("replay set --format json").ok().json();
    assert_eq!(found["status"], "same");
    assert!(found["files"].as_object().unwrap().len() >= 3, "{found}");
}

#[test]
fn a_log_lists_runs_with_their_users_and_models() {
    let room = Room::new();
    scored(&room);
    let score = "score -qq --model churn customers.csv --output one.parquet";
    let mut named = room.command();
    named
        .args(score.split(' '))
        .env("TALLOW_ACTOR", "ann@build");
    assert!(named.status().unwrap().success());
    let found = room
        .tallow("log scores one.parquet --format json")
        .ok()
        .json();
    let runs = found["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2, "{found}");
    let of = |output: &str| runs.iter().find(|run| run["output"] == output).unwrap();
    assert!(
        of("scores")["actor"].as_str().unwrap().contains('@'),
        "{found}"
    );
    assert_eq!(
        (&of("scores")["status"], &of("scores")["rows"]),
        (&"done".into(), &200.into())
    );
    assert_eq!(of("one.parquet")["actor"], "ann@build");
    assert_eq!(of("one.parquet")["model"], "churn");
    assert!(
        of("one.parquet")["model_digest"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    assert_eq!(
        room.tallow("log scores one.report.pq one.parquet")
            .ok()
            .stdout
            .lines()
            .count(),
        2
    );
    let error = room.tallow("log customers.csv").fails(1).stderr;
    assert!(error.contains("no run is recorded here"), "{error}");
    // What is damaged hides nothing else below the directory.
    room.file("broken.report.pq", "no report");
    let run = room.tallow("log .").ok();
    assert_eq!(run.stdout.lines().count(), 2, "{run}");
    assert!(run.stderr.contains("broken.report.pq"), "{run}");
}

#[test]
fn a_single_output_is_replayed_and_explained_by_its_report() {
    let room = Room::new();
    scored(&room);
    room.tallow("score -qq --model churn customers.csv --output text.csv --where age>30")
        .ok();
    room.tallow("score -qq --model churn customers.csv --output one.parquet --profile p.pq")
        .ok();
    std::fs::remove_file(room.path("p.pq")).unwrap();
    for name in ["text.csv", "one.parquet"] {
        let run = room.run(["replay", name, "--scratch", ".", "--format", "json"]);
        let found = run.ok().json();
        assert_eq!(found["status"], "same", "{found}");
        assert_eq!(found["files"][name], "same", "{found}");
    }
    assert!(!room.path("p.pq").exists(), "a replay writes nothing");
    let there = room.listing();
    assert!(
        !there.iter().any(|name| name.contains("tallow-replay")),
        "{there:?}"
    );
    // From another directory, too.
    let path = room.path("one.parquet").display().to_string();
    Room::new().run(["replay", &path]).ok();
    let of_set = room.tallow("explain scores --row 3").ok().stdout;
    assert_eq!(
        room.tallow("explain one.parquet --row 3").ok().stdout,
        of_set
    );
    append(&room.path("text.csv"), b"x");
    let error = room.tallow("replay text.csv").fails(6).stderr;
    assert!(error.contains("`text.csv` was edited"), "{error}");
    let input = std::fs::read_to_string(room.path("customers.csv")).unwrap();
    let edited = room.file("customers.csv", input.replacen(",35\n", ",36\n", 1));
    // Records have times in seconds.
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    let edited = std::fs::File::options().write(true).open(edited).unwrap();
    edited.set_modified(later).unwrap();
    let error = room.tallow("explain one.parquet --row 1").fails(3).stderr;
    assert!(error.contains("the input is another one"), "{error}");
    // Without a report there is no record.
    room.tallow("score -qq --model churn customers.csv --output bare.parquet --report none")
        .ok();
    let error = room.tallow("replay bare.parquet").fails(1).stderr;
    assert!(
        error.contains("an output whose report is next to it"),
        "{error}"
    );
}
