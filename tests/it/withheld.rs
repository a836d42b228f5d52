//! A single file that a gate withheld: kept for the next run, and for no other.

use std::fmt::Write;
use std::path::PathBuf;

use crate::harness::{Room, data};

const LINE: &str = "score --model good.json rows.csv --output out.parquet --baseline base.pq \
                    --profile out.pq --on-unseen a=reject";
const GATE: &str = "--gate rows_in<=0";

/// Rows of which some are rejected.
fn rows(first: u32) -> String {
    let mut text = "id,a,b\n".to_owned();
    for row in first..first + 400 {
        let number = if row % 50 == 3 {
            "x".to_owned()
        } else {
            (row % 7).to_string()
        };
        writeln!(text, "{row},{number},{}", f64::from(row) / 10.0).unwrap();
    }
    text
}

fn room() -> Room {
    let room = Room::new();
    let model = std::fs::read(data("hostile/good.json")).unwrap();
    room.file("good.json", model);
    room.file("rows.csv", rows(0));
    room.tallow("profile rows.csv --output base.pq").ok();
    room
}

fn kept(room: &Room) -> Vec<PathBuf> {
    let names = [
        ".out.parquet.withheld",
        ".out.parquet.withheld.json",
        ".out.parquet.withheld.observed",
        ".out.rejected.pq.withheld",
    ];
    names.map(|name| room.path(name)).into()
}

fn are_there(room: &Room) -> bool {
    let there: Vec<bool> = kept(room).iter().map(|path| path.exists()).collect();
    assert!(there.iter().all(|one| *one == there[0]), "{there:?}");
    there[0]
}

#[test]
fn a_withheld_file_is_published_without_scoring_again() {
    let room = room();
    room.tallow(
        &LINE
            .replace("out.p", "plain.p")
            .replace("profile out", "profile plain"),
    )
    .ok();
    let first = room.tallow(&format!("{LINE} {GATE}")).fails(5);
    assert!(first.stderr.contains("without scoring again"), "{first}");
    for name in ["out.parquet", "out.pq", "out.rejected.pq"] {
        assert!(!room.path(name).exists(), "{name}");
    }
    assert!(are_there(&room));
    let again = room.tallow(&format!("{LINE} {GATE}")).fails(5);
    assert!(again.stderr.contains("in an earlier run"), "{again}");
    assert!(are_there(&room) && !room.path("out.parquet").exists());
    let published = room.tallow(&format!("{LINE} {GATE} --on-gate publish --format json"));
    let published = published.fails(5);
    assert!(
        published.stderr.contains("in an earlier run"),
        "{published}"
    );
    assert_eq!(published.json()["status"], "gates_failed");
    assert_eq!(published.json()["ledger"]["rejected"], 8);
    let read = |name: &str| std::fs::read(room.path(name)).unwrap();
    for name in ["parquet", "pq", "rejected.pq"] {
        assert!(
            read(&format!("out.{name}")) == read(&format!("plain.{name}")),
            "{name}"
        );
    }
    assert!(!are_there(&room));
    room.tallow("replay out.parquet").ok();
}

#[test]
fn a_gate_that_lets_it_pass_publishes_it_too() {
    let room = room();
    room.tallow(&format!("{LINE} {GATE}")).fails(5);
    let passed = room.tallow(&format!("{LINE} --gate rows_in>0")).ok();
    assert!(passed.stderr.contains("in an earlier run"), "{passed}");
    assert!(!are_there(&room) && room.path("out.rejected.pq").exists());
}

#[test]
fn another_run_scores_again_and_forgets_what_was_kept() {
    let room = room();
    let withheld = || {
        room.tallow(&format!("{LINE} {GATE} --overwrite")).fails(5);
        assert!(are_there(&room));
    };
    let scores_again = |line: &str, why: &str| {
        let run = room.tallow(&format!("{line} --overwrite")).ok();
        assert!(!run.stderr.contains("in an earlier run"), "{why}: {run}");
        assert!(!are_there(&room), "{why}");
    };
    withheld();
    scores_again(&format!("{LINE} --threshold 0.3"), "another threshold");
    withheld();
    scores_again(&LINE.replace(" --baseline base.pq", ""), "other observers");
    for path in kept(&room) {
        withheld();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        std::fs::write(&path, bytes).unwrap();
        scores_again(LINE, &format!("{} was changed", path.display()));
        withheld();
        std::fs::remove_file(&path).unwrap();
        let run = room.tallow(&format!("{LINE} --overwrite")).ok();
        assert!(!run.stderr.contains("in an earlier run"), "{run}");
    }
    withheld();
    room.file("rows.csv", rows(400));
    scores_again(LINE, "another input");
}

#[test]
fn what_cannot_be_found_again_is_not_kept() {
    let room = room();
    room.file("next.json", std::fs::read(room.path("good.json")).unwrap());
    let challenged = room
        .tallow(&format!("{LINE} --challenger next.json {GATE}"))
        .fails(5);
    assert!(
        challenged.stderr.contains("--on-gate publish")
            && !challenged.stderr.contains("without scoring again"),
        "{challenged}"
    );
    assert!(!are_there(&room));
}

/// A rule that must hold and does not.
const RULE: &str = "small: b < 1; on-fail=fail";

#[test]
fn a_rule_that_fails_withholds_as_a_gate_does_and_hides_none() {
    let room = room();
    let score = |more: &str| {
        let words = format!("{LINE} --format json {more}");
        let words: Vec<&str> = words.split_whitespace().chain(["--rule", RULE]).collect();
        room.run(&words)
    };
    let alone = score("").fails(5);
    assert!(
        alone.stderr.contains("the data breaks the rule `small`")
            && alone.stderr.contains("the output was withheld")
            && alone.stderr.contains("without scoring again")
            && alone.stderr.contains("--rule-examples 5"),
        "{alone}"
    );
    assert_eq!(alone.json()["status"], "withheld");
    // What was compared with the baseline is known all the same.
    assert!(
        alone.json()["drift"]["columns"].as_u64().unwrap() > 0,
        "{alone}"
    );
    assert!(are_there(&room) && !room.path("out.parquet").exists());
    let both = score(GATE).fails(5);
    assert!(
        both.stderr.contains("in an earlier run")
            && both
                .stderr
                .contains("gate failed, the output was withheld: `rows_in<=0`")
            && both.stderr.contains("; the data breaks the rule `small`"),
        "{both}"
    );
    room.tallow("report out.parquet --output page.html").ok();
    let page = std::fs::read_to_string(room.path("page.html")).unwrap();
    assert!(page.contains("The rule small does not hold."), "{page}");
    let published = score("--on-gate publish").fails(5);
    assert!(
        published.stderr.contains("in an earlier run")
            && published.stderr.contains("the output was published"),
        "{published}"
    );
    assert_eq!(published.json()["status"], "gates_failed");
    assert!(room.path("out.parquet").exists() && !are_there(&room));
    let later = score("").fails(5);
    assert!(
        later.stderr.contains("nothing to do")
            && later.stderr.contains("an earlier run published the output"),
        "{later}"
    );
}

#[test]
fn a_data_set_with_a_failed_rule_is_published_on_request_and_fails_again() {
    let room = room();
    let score = |more: &[&str]| {
        let words = "score --model good.json rows.csv --output set/ --on-unseen a=reject \
                     --rows-per-part 100";
        let words = words.split_whitespace();
        let words: Vec<&str> = words
            .chain(["--rule", RULE])
            .chain(more.iter().copied())
            .collect();
        room.run(&words)
    };
    let withheld = score(&[]).fails(5);
    assert!(
        withheld.stderr.contains("the output was withheld"),
        "{withheld}"
    );
    assert!(!room.path("set/_SUCCESS").exists());
    let published = score(&["--on-gate", "publish"]).fails(5);
    assert!(published.stderr.contains("finished already"), "{published}");
    assert!(room.path("set/_SUCCESS").exists());
    for more in [&[][..], &["--on-gate", "publish"]] {
        let again = score(more).fails(5);
        assert!(again.stderr.contains("an earlier run published"), "{again}");
    }
}
