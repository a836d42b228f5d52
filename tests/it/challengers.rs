//! Challengers: models that score the same rows and can change nothing of the run's own results.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::harness::{Room, column, data, numbers, table, texts};
use crate::recovery::{files, room};

/// A run without its output and challengers.
const SCORE: &str = "score --model good.json in-0.parquet in-1.parquet --on-null a=reject";

/// The room with challengers: one that moves some scores, one that reads a column which the run's
/// own model does not, and others that fail in one way each.
fn challenged() -> Room {
    let room = room();
    let good = std::fs::read_to_string(room.path("good.json")).unwrap();
    let next = good.replace("1.4904803E-1", "3.4904803E-1");
    assert_ne!(good, next);
    room.file("next.json", &next);
    let named = |names: &str| {
        next.replace(r#"["a", "b"]"#, names)
            .replace(r#"["a","b"]"#, names)
    };
    assert_ne!(named(r#"["a","id"]"#), next);
    room.file("wide.json", named(r#"["a","id"]"#));
    room.file("missing.json", named(r#"["a","zzz"]"#));
    room.file("garbage.json", r#"{"learner": 1}"#);
    room
}

/// What of a report is the run's own, and does not show times.
fn own_facts(room: &Room, report: &str) -> Vec<Vec<Option<String>>> {
    let facts = table(&room.path(report));
    let columns = ["section", "subject", "metric", "value", "text", "unit"];
    let columns = columns.map(|name| texts(column(&facts, name)));
    let row = |row: usize| columns.iter().map(|column| column[row].clone()).collect();
    let rows: Vec<Vec<Option<String>>> = (0..facts.num_rows()).map(row).collect();
    let is_own = |row: &Vec<Option<String>>| {
        let section = row[0].as_deref().unwrap();
        !["models", "performance"].contains(&section)
            && !["invocation_id", "started_at", "output"].contains(&row[2].as_deref().unwrap())
    };
    rows.into_iter().filter(is_own).collect()
}

/// (subject, metric) → value or text of the section `models`.
fn models(room: &Room, report: &str) -> BTreeMap<(String, String), String> {
    let facts = table(&room.path(report));
    let text = |name: &str| texts(column(&facts, name));
    let (sections, subjects, metrics) = (text("section"), text("subject"), text("metric"));
    let (values, words) = (text("value"), text("text"));
    let own = (0..facts.num_rows()).filter(|row| sections[*row].as_deref() == Some("models"));
    own.map(|row| {
        let name = (
            subjects[row].clone().unwrap(),
            metrics[row].clone().unwrap(),
        );
        (
            name,
            values[row].clone().or_else(|| words[row].clone()).unwrap(),
        )
    })
    .collect()
}

fn fact<'a>(models: &'a BTreeMap<(String, String), String>, name: &str, metric: &str) -> &'a str {
    &models[&(name.to_owned(), metric.to_owned())]
}

const FAILING: &str = "--challenger missing.json --challenger garbage.json --challenger gone.json";

#[test]
fn challengers_change_no_byte_of_a_file_and_its_rejected_rows() {
    let room = challenged();
    room.tallow(&format!("{SCORE} --output alone.parquet")).ok();
    let read = |name: &str| std::fs::read(room.path(name)).unwrap();
    let cases = [
        ("one", "--challenger next.json --threads 1"),
        (
            "two",
            "--challenger next.json --challenger wide.json --batch-rows 61 --threads 5",
        ),
        ("failing", FAILING),
        ("slow", "--challenger next.json --challenger-time 0s"),
        (
            "large",
            "--challenger next.json --challenger-memory 1kb --threads 2",
        ),
        (
            "little",
            "--challenger next.json --challenger wide.json --memory 250MiB",
        ),
    ];
    for (name, options) in cases {
        let run = room.tallow(&format!("{SCORE} {options} --output {name}.parquet"));
        run.ok();
        assert_eq!(
            read(&format!("{name}.parquet")),
            read("alone.parquet"),
            "{name}"
        );
        assert_eq!(
            read(&format!("{name}.rejected.pq")),
            read("alone.rejected.pq"),
            "{name}"
        );
        assert_eq!(
            own_facts(&room, &format!("{name}.report.pq")),
            own_facts(&room, "alone.report.pq"),
            "{name}"
        );
    }
    assert_eq!(
        room.listing_of("two.parquet.challengers"),
        ["next.pq", "wide.pq"]
    );
    assert_eq!(
        read("one.parquet.challengers/next.pq"),
        read("two.parquet.challengers/next.pq")
    );
    assert_eq!(
        read("little.parquet.challengers/wide.pq"),
        read("two.parquet.challengers/wide.pq")
    );
    let failing = models(&room, "failing.report.pq");
    for name in ["missing", "garbage", "gone"] {
        assert_eq!(fact(&failing, name, "status"), "dropped");
    }
    assert!(fact(&failing, "missing", "reason").contains("`zzz`"));
    for name in ["slow", "large"] {
        let models = models(&room, &format!("{name}.report.pq"));
        let reason = fact(&models, "next", "reason");
        assert!(
            reason.contains("took more than") || reason.contains("memory"),
            "{reason}"
        );
        assert!(
            !room
                .path(&format!("{name}.parquet.challengers/next.pq"))
                .exists()
        );
    }
}

#[test]
fn a_challenger_answers_as_it_would_alone_and_is_compared() {
    let room = challenged();
    let line = format!("{SCORE} --challenger next.json --challenger same=good.json");
    let run = room.tallow(&format!("{line} --output both.parquet")).ok();
    assert!(run.stderr.contains("challenger   next: "), "{}", run.stderr);
    let alone = SCORE.replace("good.json", "next.json");
    room.tallow(&format!("{alone} --output alone.parquet")).ok();
    let (alone, own) = (
        table(&room.path("alone.parquet")),
        table(&room.path("both.parquet.challengers/next.pq")),
    );
    assert_eq!(alone, own, "with the columns that come along");
    let champion = table(&room.path("both.parquet"));
    let scores = |batch| numbers(column(batch, "probability"));
    let (first, second) = (scores(&champion), scores(&own));
    let flips = texts(column(&champion, "prediction"))
        .into_iter()
        .zip(texts(column(&own, "prediction")))
        .filter(|(first, second)| first != second)
        .count();
    let mean = first
        .iter()
        .zip(&second)
        .map(|(one, other)| other - one)
        .sum::<f64>();
    let models = models(&room, "both.report.pq");
    let number = |name, metric| fact(&models, name, metric).parse::<f64>().unwrap();
    assert_eq!(number("next", "flips"), flips as f64);
    assert!(flips > 0);
    assert!((number("next", "mean_difference") - mean / first.len() as f64).abs() < 1e-12);
    assert_eq!(number("next", "scored"), 13_862.0);
    assert_eq!(number("next", "rejected"), 140.0);
    assert_eq!(number("next", "rejected_null(a)"), 140.0);
    assert_eq!(number("same", "agreement"), 1.0);
    assert_eq!(number("same", "rank_correlation"), 1.0);
    assert_eq!(number("same", "psi"), 0.0);
    assert_eq!(number("same", "max_absolute_difference"), 0.0);
    assert_eq!(fact(&models, "good", "role"), "champion");
    assert!(number("next", "seconds_per_million_rows") > 0.0);
}

#[test]
fn a_data_set_has_data_sets_of_challengers_and_is_the_same_without() {
    let room = challenged();
    let parts = format!("{SCORE} --rows-per-part 1000 --partition-by region");
    room.tallow(&format!("{parts} --output alone/")).ok();
    let line = format!("{parts} --challenger next.json --challenger wide.json {FAILING}");
    room.tallow(&format!("{line} --output out/")).ok();
    assert_eq!(files(&room.path("out")), files(&room.path("alone")));
    assert_eq!(room.listing_of("out.challengers"), ["next", "wide"]);
    let alone = parts.replace("good.json", "next.json");
    room.tallow(&format!("{alone} --output next/")).ok();
    let rows = |directory: &str| {
        let files = files(&room.path(directory)).into_keys();
        let parts = files.filter(|name| name.contains("part-") && !name.starts_with('_'));
        parts
            .map(|name| table(&room.path(&format!("{directory}/{name}"))))
            .collect::<Vec<_>>()
    };
    assert_eq!(rows("out.challengers/next"), rows("next"));
    // Readers of the output see its own rows alone.
    let seen =
        room.tallow("score -qq --model good.json out --on-null reject --output again.parquet");
    seen.fails(3);
    let again = room.tallow(&format!("{line} --output out/ --skip-code 99"));
    assert_eq!(again.code, 99, "{}", again.stderr);
    let more = room
        .tallow(&format!("{line} --challenger b=good.json --output out/"))
        .fails(1);
    assert!(
        more.stderr
            .contains("without the answers of the challenger `b`"),
        "{}",
        more.stderr
    );
    room.tallow(&format!(
        "{line} --challenger b=good.json --output out/ --overwrite"
    ))
    .ok();
    assert_eq!(files(&room.path("out")), files(&room.path("alone")));
    let retried = room.tallow("retry out").ok();
    assert!(
        retried
            .stderr
            .contains("challengers do not score corrected rows")
    );
}

/// What readers see of a run with challengers.
fn seen(room: &Room, output: &str) -> BTreeMap<String, Vec<u8>> {
    let mut seen = files(&room.path(output));
    for name in ["next", "wide"] {
        let own = files(&room.path(&format!("{output}.challengers/{name}")));
        seen.extend(
            own.into_iter()
                .map(|(path, bytes)| (format!("{name}/{path}"), bytes)),
        );
    }
    seen
}

#[test]
fn a_run_that_is_killed_and_goes_on_gives_the_same_bytes_of_all_models() {
    let room = challenged();
    let line = format!(
        "{SCORE} --quiet --rows-per-part 1000 --batch-rows 50 --threads 1 --challenger next.json \
         --challenger wide.json --output"
    );
    room.tallow(&format!("{line} whole/")).ok();
    let expected = seen(&room, "whole");
    let steps = [
        "out.challengers/next/_tallow/part-00002.json",
        "out.challengers/wide/_tallow/part-00008.json",
        "out/_tallow/part-00004.json",
        "out.challengers/next/_SUCCESS",
        "out.challengers/wide/_tallow/publication.json",
    ];
    for step in steps {
        for directory in ["out", "out.challengers"] {
            let _ = std::fs::remove_dir_all(room.path(directory));
        }
        let mut child = room
            .command()
            .args(format!("{line} out/").split_whitespace())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !room.path(step).exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        let _ = child.kill();
        child.wait().unwrap();
        room.tallow(&format!("{line} out/")).ok();
        assert_eq!(seen(&room, "out"), expected, "killed at {step}");
        assert_eq!(
            models(&room, "out/_tallow/report.pq")
                .get(&("next".to_owned(), "rank_correlation".to_owned())),
            models(&room, "whole/_tallow/report.pq")
                .get(&("next".to_owned(), "rank_correlation".to_owned()))
        );
    }
}

#[test]
fn a_run_goes_on_whatever_became_of_its_challengers() {
    let room = challenged();
    let line = format!("{SCORE} --quiet --rows-per-part 1000 --output out/");
    room.tallow(&format!("{line} --challenger next.json")).ok();
    let expected = files(&room.path("out"));
    let own = || files(&room.path("out.challengers/next"));
    let answers = own();
    // The state of a run that was killed after its parts: published by a run that knew none.
    for damage in ["gone", "changed", "other"] {
        std::fs::remove_dir_all(room.path("out")).unwrap();
        match damage {
            "gone" => std::fs::remove_dir_all(room.path("out.challengers")).unwrap(),
            "changed" => {
                let part = room.path("out.challengers/next/part-00003.parquet");
                std::fs::write(part, b"PAR1").unwrap();
            }
            _ => {}
        }
        let run = room.tallow(&format!("{line} --challenger next.json --overwrite"));
        run.ok();
        assert_eq!(files(&room.path("out")), expected, "{damage}");
        assert_eq!(own(), answers, "{damage}");
    }
    // What an earlier night's challenger left does not outlive a night on which it fails.
    room.file("next.json", "{}");
    room.tallow(&format!(
        "{line} --challenger next.json --overwrite --restart"
    ))
    .ok();
    assert_eq!(files(&room.path("out")), expected);
    assert!(own().is_empty(), "{:?}", own().keys());
    // A file of somebody else's in its place is not touched.
    room.file("out.challengers/mine/notes.txt", "mine");
    let line = format!("{line} --challenger mine=good.json --overwrite --restart");
    room.tallow(&line).ok();
    assert_eq!(
        std::fs::read(room.path("out.challengers/mine/notes.txt")).unwrap(),
        b"mine"
    );
    let models = models(&room, "out/_tallow/report.pq");
    assert_eq!(fact(&models, "mine", "status"), "dropped");
}

#[test]
fn a_run_into_a_file_that_fails_leaves_no_directory_for_its_challengers() {
    let room = challenged();
    let line = format!("{SCORE} --quiet --output out.parquet --challenger next.json");
    room.tallow(&format!("{line} --gate rows_in<=0")).fails(5);
    assert!(!room.path("out.parquet.challengers").exists());
    room.tallow(&line).ok();
    assert!(room.path("out.parquet.challengers/next.pq").exists());
}

/// Bytes that a run asks the system for.
#[cfg(target_os = "linux")]
fn bytes_read(room: &Room, line: &str) -> u64 {
    let mut child = room
        .command()
        .args(line.split_whitespace())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let of = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", child.id())).unwrap();
    // Until it is waited for, a process that ended still says what it read.
    while !of("stat")
        .rsplit(')')
        .next()
        .unwrap()
        .trim()
        .starts_with('Z')
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    let io = of("io");
    let read = io
        .lines()
        .find_map(|line| line.strip_prefix("rchar: "))
        .unwrap()
        .parse();
    assert!(child.wait().unwrap().success(), "{line}");
    read.unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn a_challenger_costs_no_further_read_of_the_data() {
    let room = challenged();
    let line = "score -qq --model good.json in-0.parquet in-1.parquet in-2.parquet --on-null \
                a=reject --passthrough id --report none --output";
    let alone = bytes_read(&room, &format!("{line} alone.parquet"));
    let with =
        |options: &str, name: &str| bytes_read(&room, &format!("{line} {name}.parquet {options}"));
    let data: u64 = (0..3)
        .map(|file| {
            std::fs::metadata(room.path(&format!("in-{file}.parquet")))
                .unwrap()
                .len()
        })
        .sum();
    let one = with("--challenger next.json", "one");
    let three = "--challenger next.json --challenger b=good.json --challenger wide.json";
    let three = with(three, "three");
    // Of 1.15 times the data, each model's own file is the smallest part.
    assert!(alone > data / 2, "{alone} of {data}");
    assert!(one <= alone + alone * 15 / 100, "{one} after {alone}");
    assert!(three <= alone + alone * 15 / 100, "{three} after {alone}");
}

/// A room with the challenger `loop.onnx`, and a run of 500 rows of which one takes it minutes.
fn hanging() -> (Room, &'static str) {
    let room = challenged();
    std::fs::copy(data("challengers/loop.onnx"), room.path("loop.onnx")).unwrap();
    let row = |row| format!("{},{}", if row == 250 { 9e8 } else { 1.0 }, row % 5);
    let rows: Vec<String> = (0..500).map(row).collect();
    room.file("rows.csv", format!("a,b\n{}\n", rows.join("\n")));
    let score = "score -q --model good.json rows.csv --features a,b --batch-rows 50";
    (room, score)
}

#[test]
fn a_signal_drops_no_challenger_that_is_waited_for() {
    let (room, score) = hanging();
    let line = format!("{score} --challenger loop.onnx --challenger-time 10m --output scores/");
    let mut command = room.command();
    command.args(line.split(' ')).stderr(Stdio::null());
    let mut run = command.spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let sent = std::process::Command::new("kill")
        .args(["-TERM", &run.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    assert_eq!(run.wait().unwrap().code(), Some(143));
    let left = files(&room.path("."));
    assert!(
        !left.keys().any(|name| name.contains("dropped")),
        "{left:?}"
    );
}

#[test]
fn a_challenger_that_hangs_inside_a_block_is_left_behind() {
    let (room, score) = hanging();
    room.tallow(&format!("{score} --output alone.parquet")).ok();
    let begun = std::time::Instant::now();
    let run = room
        .tallow(&format!(
            "{score} --challenger loop.onnx --challenger-time 2s --threads 2 --output out.parquet"
        ))
        .ok();
    assert!(begun.elapsed() < Duration::from_mins(1), "{run}");
    let read = |name: &str| std::fs::read(room.path(name)).unwrap();
    assert_eq!(read("out.parquet"), read("alone.parquet"));
    let models = models(&room, "out.report.pq");
    let reason = fact(&models, "loop", "reason");
    assert!(reason.contains("it took more than 2 s of work"), "{reason}");
}

#[test]
fn blocks_that_hang_at_once_use_up_the_time_of_a_challenger_together() {
    let (room, score) = hanging();
    let row = |row| format!("{},{}", if row % 50 == 25 { 9e8 } else { 1.0 }, row % 5);
    let rows: Vec<String> = (0..500).map(row).collect();
    room.file("rows.csv", format!("a,b\n{}\n", rows.join("\n")));
    let begun = std::time::Instant::now();
    let options = "--challenger loop.onnx --challenger-time 80s --threads 8";
    let run = room
        .tallow(&format!("{score} {options} --output out.parquet"))
        .ok();
    // Eight threads wait, so the time is over after ten seconds.
    assert!(begun.elapsed() < Duration::from_mins(1), "{run}");
    let models = models(&room, "out.report.pq");
    let reason = fact(&models, "loop", "reason");
    assert!(reason.contains("took more than 80 s of work"), "{reason}");
}

#[test]
fn names_and_limits_of_challengers_are_checked_before_the_run() {
    let room = challenged();
    let wrong = |options: &str| {
        let line = format!("{SCORE} {options} --output out.parquet");
        room.tallow(&line).fails(2).stderr
    };
    assert!(wrong("--challenger good.json").contains("two models of the run are called `good`"));
    let twice = wrong("--challenger next.json --challenger NEXT=wide.json");
    assert!(twice.contains("`--challenger NAME=MODEL`"), "{twice}");
    assert!(wrong("--challenger-time 3m").contains("nothing without `--challenger`"));
    assert!(wrong("--challenger next.json --challenger-time soon").contains("not a time span"));
    assert!(!Path::new(&room.path("out.parquet")).exists());
}

#[test]
fn check_says_which_challengers_would_drop_out() {
    let room = challenged();
    let line = SCORE.replace("score", "check");
    let run = room
        .tallow(&format!(
            "{line} --challenger next.json --challenger missing.json --scan"
        ))
        .ok();
    assert!(
        run.stdout.contains("challenger next fits"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains("challenger missing would drop out"),
        "{}",
        run.stdout
    );
}

#[test]
fn answers_of_challengers_are_signed_as_those_of_the_run_are() {
    let room = challenged();
    let key = data("signatures/prime256v1.key").display().to_string();
    let public = data("signatures/prime256v1.pub").display().to_string();
    let verify = |path: &str| room.tallow(&format!("verify {path} --key {public}"));
    for output in ["one.parquet", "set/"] {
        let line = format!("{SCORE} --challenger next.json --output {output}");
        room.tallow(&line).ok();
        let what = if output == "set/" {
            "data set"
        } else {
            "table"
        };
        let refused = verify(output.trim_end_matches('/')).fails(6).stderr;
        assert!(
            refused.contains(&format!("the {what} is not signed (")),
            "{refused}"
        );
        assert!(refused.contains("--sign-key KEY.pem") && !refused.contains("model"));
        // What is there without a signature is not what was asked for.
        let unsigned = room.tallow(&format!("{line} --sign-key {key}")).fails(1);
        assert!(unsigned.stderr.contains("exists already"), "{unsigned}");
        room.tallow(&format!("{line} --sign-key {key} --overwrite"))
            .ok();
        let output = output.trim_end_matches('/');
        let file = if output == "set" { "next" } else { "next.pq" };
        let answers = format!("{output}.challengers/{file}");
        verify(output).ok();
        verify(&answers).ok();
        let again = room.tallow(&format!("{line} --sign-key {key}")).ok();
        assert!(again.stderr.contains("nothing to do"), "{again}");
        let changed = if output == "set" {
            format!("{answers}/part-00000.parquet")
        } else {
            answers.clone()
        };
        let mut bytes = std::fs::read(room.path(&changed)).unwrap();
        bytes[40] ^= 1;
        std::fs::write(room.path(&changed), bytes).unwrap();
        verify(&answers).fails(6);
    }
    // A challenger that drops out leaves no signature of an earlier one.
    room.tallow(&format!(
        "{SCORE} --challenger next.json --challenger-time 0s --output one.parquet --sign-key {key} \
         --overwrite"
    ))
    .ok();
    assert!(!room.path("one.parquet.challengers/next.pq.sig").exists());
}

#[test]
fn the_log_of_answers_of_challengers_says_who_ran_them() {
    let room = challenged();
    for (output, answers) in [
        ("one.parquet", "one.parquet.challengers/next.pq"),
        ("set/", "set.challengers/next"),
    ] {
        room.tallow(&format!("{SCORE} --challenger next.json --output {output}"))
            .ok();
        let log = |path: &str| {
            let line = format!("log {path} --format json");
            room.tallow(&line).ok().json()["runs"][0].clone()
        };
        let (own, found) = (log(output.trim_end_matches('/')), log(answers));
        assert!(own["actor"].as_str().unwrap().contains('@'), "{own}");
        for same in ["actor", "run_id", "status", "rows", "tool_version"] {
            assert_eq!(found[same], own[same], "{same}: {found}");
        }
        assert_eq!(
            (&found["model"], &found["output"]),
            (&"next".into(), &answers.into())
        );
        assert_ne!(found["model_digest"], own["model_digest"]);
    }
}

#[test]
fn a_job_file_holds_challengers_by_path_and_by_name() {
    let room = challenged();
    let printed = room
        .tallow(&format!(
            "{SCORE} --challenger next.json --challenger b=wide.json --challenger-time 5m \
             --output jobs/out.parquet --print-job"
        ))
        .ok();
    assert!(
        printed
            .stdout
            .contains(r#"challenger = ["next.json", "b=wide.json"]"#)
    );
    room.file(
        "jobs/nightly.toml",
        "model = \"../good.json\"\ninputs = [\"../in-0.parquet\"]\non_null = [\"a=reject\"]\n\
         challenger = [\"../next.json\", \"b=../wide.json\"]\noutput = \"out.parquet\"\n",
    );
    room.tallow("score --job jobs/nightly.toml").ok();
    assert_eq!(
        room.listing_of("jobs/out.parquet.challengers"),
        ["b.pq", "next.pq"]
    );
}

#[test]
fn answers_of_a_challenger_are_not_replayed_and_the_run_is_named() {
    let room = challenged();
    let line = format!("{SCORE} --challenger next.json");
    room.tallow(&format!("{line} --output out/ --rows-per-part 5000"))
        .ok();
    room.tallow(&format!("{line} --output one.parquet")).ok();
    for (answers, run) in [
        ("out.challengers/next", "out"),
        ("one.parquet.challengers/next.pq", "one.parquet"),
    ] {
        let error = room.tallow(&format!("replay {answers}")).fails(1).stderr;
        assert!(
            error.contains("the answers of a challenger are not replayed"),
            "{error}"
        );
        assert!(error.contains(&format!("tallow replay {run}\n")), "{error}");
        room.tallow(&format!("replay {run}")).ok();
    }
    std::fs::rename(room.path("out.challengers/next"), room.path("moved")).unwrap();
    let error = room.tallow("replay moved").fails(1).stderr;
    assert!(error.contains("replay the run itself, which"), "{error}");
}

#[test]
fn the_stability_index_of_a_challenger_is_that_of_a_comparison() {
    let room = Room::new();
    let demo = |name: &str| data(&format!("demo/{name}")).display().to_string();
    let (model, next, rows) = (demo("churn"), demo("candidate.ubj"), demo("customers.csv"));
    let line = format!(
        "score --model {model} --challenger next={next} {rows} --output day.parquet --format json"
    );
    let run = room.tallow(&line).ok().json();
    let compare = "compare day.parquet day.parquet.challengers/next.pq --format json";
    let compared = room.tallow(compare).ok().json();
    let psi = &compared["comparison"]["psi"];
    assert!(psi.as_f64().is_some_and(|psi| psi > 0.0), "{compared}");
    assert_eq!(&run["models"]["next"]["psi"], psi, "{run}");
}

#[test]
fn a_name_that_a_challenger_cannot_have_is_refused() {
    let room = challenged();
    std::fs::create_dir(room.path("v=2")).unwrap();
    std::fs::copy(room.path("next.json"), room.path("v=2/next.json")).unwrap();
    std::fs::copy(room.path("next.json"), room.path("a b=c.json")).unwrap();
    let score = |challenger: &str| {
        let line = format!("{SCORE} --output out.parquet --overwrite --challenger");
        room.run(line.split(' ').chain([challenger]))
    };
    for (challenger, message) in [
        ("b 2=next.json", "`b 2` cannot be the name of a challenger"),
        ("b 2=gone.json", "`b 2` cannot be the name of a challenger"),
        ("b 2=m:1", "`b 2` cannot be the name of a challenger"),
        (
            "../x=next.json",
            "`../x` cannot be the name of a challenger",
        ),
        ("=next.json", "`` cannot be the name of a challenger"),
        ("next=", "`--challenger next=` names no model"),
    ] {
        let error = score(challenger).fails(2).stderr;
        assert!(error.contains(message), "{challenger}: {error}");
        assert!(error.contains("`--challenger NAME=MODEL`"), "{error}");
    }
    let error = score("v=2/next.json").fails(2).stderr;
    assert!(
        error.contains("is read as a model called `v`") && error.contains("./v=2/next.json"),
        "{error}"
    );
    // A path may hold a `=`, whether it is there or not.
    for (challenger, is_there) in [
        ("./v=2/next.json", true),
        ("a b=c.json", true),
        ("days/v=3/next.json", false),
    ] {
        let run = score(challenger).ok();
        let has_dropped = run.stderr.contains("dropped out");
        assert_eq!(has_dropped, !is_there, "{challenger}: {}", run.stderr);
    }
}

#[test]
fn answers_to_rows_that_are_replaced_do_not_stay() {
    let room = challenged();
    for (output, answers) in [("out/ --rows-per-part 5000", "out"), ("one.pq", "one.pq")] {
        let line = format!("{SCORE} --output {output}");
        let listed = || {
            let directory = format!("{answers}.challengers");
            let is_there = room.path(&directory).exists();
            if is_there {
                room.listing_of(&directory)
            } else {
                Vec::new()
            }
        };
        let names = |names: &[&str]| -> Vec<String> {
            let end = if answers == "out" { "" } else { ".pq" };
            names.iter().map(|name| format!("{name}{end}")).collect()
        };
        let both = format!("{line} --challenger next.json --challenger wide.json");
        room.tallow(&both).ok();
        room.file(&format!("{answers}.challengers/notes.txt"), "mine");
        let notes = ["notes.txt".to_owned()];
        assert_eq!(
            listed(),
            [&names(&["next"])[..], &notes, &names(&["wide"])].concat()
        );
        // Other rows, and one of both challengers.
        let again = format!("{line} --overwrite --where id>10 --challenger next.json");
        room.tallow(&again).ok();
        assert_eq!(
            listed(),
            [&names(&["next"])[..], &notes].concat(),
            "{answers}"
        );
        room.tallow(&format!("{line} --overwrite --where id>20"))
            .ok();
        assert_eq!(listed(), notes, "{answers}");
    }
    // Rows that are corrected replace none of the others.
    let line = format!("{SCORE} --output set/ --rows-per-part 5000 --challenger next.json");
    room.tallow(&line).ok();
    room.tallow("retry set").ok();
    assert_eq!(room.listing_of("set.challengers"), ["next"]);
}

/// Two nights next to each other in one directory, each with a challenger.
fn nights(room: &Room, outputs: [&str; 2]) {
    for (night, output) in outputs.iter().enumerate() {
        let parts = if output.ends_with('/') {
            "--rows-per-part 1000"
        } else {
            std::fs::create_dir_all(room.path(output).parent().unwrap()).unwrap();
            ""
        };
        room.tallow(&format!(
            "score -qq --model good.json in-{night}.parquet --on-null a=null {parts} \
             --challenger next.json --output {output}"
        ))
        .ok();
    }
}

fn rows_of(room: &Room, input: &str) -> u64 {
    room.tallow(&format!("profile {input} --output p.pq --overwrite"))
        .ok();
    let shown = room.tallow("inspect p.pq --format json").ok().json();
    let rows = shown["columns"][0]["rows"].as_u64();
    rows.unwrap_or_else(|| panic!("{shown}"))
}

#[test]
fn answers_of_challengers_are_no_rows_of_the_directory_above() {
    let room = challenged();
    room.tallow("score -qq --model good.json in-0.parquet --on-null a=null --output alone/")
        .ok();
    let each = rows_of(&room, "alone");
    nights(&room, ["sets/day=1/", "sets/day=2/"]);
    nights(&room, ["files/n1.parquet", "files/n2.parquet"]);
    for input in [
        "sets",
        "sets/*",
        "sets/day=*",
        "sets/**/*.parquet",
        "s*s/**/part*",
        "files",
        "files/*.parquet*",
        "fil*/*.parquet*",
    ] {
        assert_eq!(rows_of(&room, input), 2 * each, "{input}");
    }
    // Where they are named they are read.
    for input in [
        "sets/day=1.challengers/next",
        "sets/day=1.challengers",
        "sets/*1.challengers/next/*.parquet",
        "files/n1.parquet.challengers",
        "files/n1.*.challengers/*.pq",
    ] {
        assert_eq!(rows_of(&room, input), each, "{input}");
    }
    // A directory of that name that is a user's is read, and his tables among answers.
    std::fs::create_dir_all(room.path("sets/mine.challengers")).unwrap();
    for own in ["sets/mine.challengers", "sets/day=2.challengers"] {
        let to = room.path(&format!("{own}/own.parquet"));
        std::fs::copy(room.path("sets/day=1/part-00000.parquet"), to).unwrap();
    }
    let part = table(&room.path("sets/day=1/part-00000.parquet")).num_rows() as u64;
    for input in ["sets", "sets/**/*.parquet"] {
        assert_eq!(rows_of(&room, input), 2 * each + 2 * part, "{input}");
    }
    std::fs::create_dir(room.path("only")).unwrap();
    std::fs::rename(
        room.path("files/n1.parquet.challengers"),
        room.path("only/n1.parquet.challengers"),
    )
    .unwrap();
    let error = room.tallow("profile only --output q.pq").fails(1);
    assert!(
        error
            .stderr
            .contains("answers of challengers are read only where they are named: `only/"),
        "{error}"
    );
}

#[test]
fn runs_and_reports_are_found_below_a_directory_and_by_patterns() {
    let room = challenged();
    nights(&room, ["nights/day=1/", "nights/day=2/"]);
    nights(&room, ["nights/more/a.parquet", "nights/more/b.parquet"]);
    std::fs::create_dir(room.path("empty")).unwrap();
    let outputs = |paths: &str| -> Vec<String> {
        let log = room.tallow(&format!("log {paths} --format json")).ok();
        let runs = log.json()["runs"].clone();
        let runs = runs.as_array().unwrap().iter();
        let mut found: Vec<String> = runs
            .map(|run| run["output"].as_str().unwrap().to_owned())
            .collect();
        found.sort();
        found
    };
    let files = ["nights/more/a.parquet", "nights/more/b.parquet"];
    let sets = ["nights/day=1", "nights/day=2"];
    assert_eq!(outputs("nights"), [sets, files].concat());
    assert_eq!(outputs("nights/more"), files);
    // As a shell expands `nights/day=*`.
    assert_eq!(
        outputs("nights/day=1 nights/day=1.challengers nights/day=2"),
        [
            "nights/day=1",
            "nights/day=1.challengers/next",
            "nights/day=2"
        ]
    );
    let log = room.tallow("log nights/day=1 empty in-0.parquet").ok();
    assert!(log.stdout.contains(" rows"), "{log}");
    assert_eq!(
        log.stderr.matches("no run is recorded here").count(),
        2,
        "{log}"
    );
    let error = room.tallow("log empty in-0.parquet").fails(1);
    assert!(
        error.stderr.contains("no run is recorded here (`empty`)"),
        "{error}"
    );
    let pages = |paths: &str| {
        let line = format!("report {paths} --output w.html --overwrite --format json");
        room.tallow(&line).ok().json()["reports"].as_u64().unwrap()
    };
    for (paths, count) in [
        ("nights", 4),
        ("nights/day=*", 2),
        ("nights/*", 4),
        ("nights/*/_tallow/report.pq", 2),
        ("nights/more/*.report.pq", 2),
    ] {
        assert_eq!(pages(paths), count, "{paths}");
    }
    let error = room.tallow("report empty --output x.html").fails(1);
    assert!(
        error.stderr.contains("there is no report in the directory"),
        "{error}"
    );
}
