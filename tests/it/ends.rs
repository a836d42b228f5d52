//! How runs end: again and again, with nothing to do, with losses that are reported, and whatever
//! the system refuses.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Float32Array, RecordBatch};

use crate::harness::{Room, data};
use crate::recovery::files;

fn room() -> Room {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    room.file(
        "rows.csv",
        "id,region,a,b\n1,n,0.25,0.5\n2,s,0.9,0.1\n3,n,,0.5\n4,s,0.3,0.2\n5,n,0.1,0.1\n",
    );
    room
}

const FILE: &str = "score --model good.json rows.csv --output out.parquet --on-null a=reject";
const SET: &str =
    "score --quiet --model good.json rows.csv --output set/ --rows-per-part 2 --on-null a=reject";

/// Runs a line of a shell, in which `tallow` is the program; gives its exit code and all that it
/// printed.
fn bash(room: &Room, line: &str) -> (Option<i32>, String) {
    let script = format!(
        "tallow() {{ {} \"$@\"; }}; {line}",
        env!("CARGO_BIN_EXE_tallow")
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .env("NO_COLOR", "1")
        .current_dir(room.path(""))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (
        output.status.code(),
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
    )
}

#[test]
fn a_finished_file_that_is_what_would_be_made_is_success() {
    // As after a run that was killed when all was done: the scheduler starts the same command
    // again, for ever.
    let room = room();
    room.tallow(FILE).ok();
    let before = std::fs::metadata(room.path("out.parquet"))
        .unwrap()
        .modified()
        .unwrap();
    let run = room.tallow(&format!("{FILE} --format json")).ok();
    assert_eq!(
        run.stderr,
        "nothing to do with `out.parquet`: it is there, made from the same inputs by the same \
         model\n"
    );
    assert_eq!(run.json()["status"], "nothing_to_do");
    assert_eq!(
        std::fs::metadata(room.path("out.parquet"))
            .unwrap()
            .modified()
            .unwrap(),
        before
    );
    for (further, why) in [
        ("--threshold 0.4", "other options"),
        ("--output-format csv", "another format"),
    ] {
        let run = room.tallow(&format!("{FILE} {further}")).fails(1);
        assert!(run.stderr.contains("exists already"), "{why}: {run}");
    }
    let strict = room.tallow(&format!("{FILE} --max-errors 0")).fails(4);
    assert!(strict.stderr.contains("nothing to do with"), "{strict}");
    std::fs::remove_file(room.path("out.rejected.pq")).unwrap();
    assert!(
        room.tallow(FILE).fails(1).stderr.contains("exists already"),
        "the rejected rows are gone"
    );
    room.tallow(&format!("{FILE} --overwrite")).ok();
    // The middle of an input does not show in the run's name, but in its time.
    std::fs::File::options()
        .append(true)
        .open(room.path("rows.csv"))
        .unwrap()
        .set_modified(std::time::SystemTime::now())
        .unwrap();
    assert!(
        room.tallow(FILE).fails(1).stderr.contains("exists already"),
        "the input was touched"
    );
    let alone = "score --quiet --model good.json rows.csv --output alone.parquet --report none";
    room.tallow(alone).ok();
    room.tallow(&format!("{alone} --skip-code 99")).fails(99);
    room.tallow(&format!("{alone} --raw")).fails(1);
}

#[test]
fn a_damaged_manifest_is_replaced_on_request() {
    let room = room();
    room.tallow(
        &format!("{SET} --passthrough id").replace("--rows-per-part 2", "--rows-per-part 1"),
    )
    .ok();
    for damage in ["", "{\"format\": \"tallow data set\", ", "{}", "\u{0}"] {
        room.file("set/_tallow/manifest.json", damage);
        let run = room.tallow(SET).fails(1);
        assert!(
            run.stderr.contains("`set/_tallow/manifest.json`")
                && run.stderr.contains(
                    "hint: it was damaged, or written by another version: `--restart --overwrite`"
                ),
            "{run}"
        );
        room.tallow(&format!("{SET} --restart")).fails(1);
        room.tallow("inspect set").fails(1);
        room.tallow(&format!("{SET} --restart --overwrite")).ok();
        let parts: Vec<String> = room
            .listing_of("set")
            .into_iter()
            .filter(|name| name.starts_with("part-"))
            .collect();
        assert_eq!(
            parts,
            [
                "part-00000.parquet",
                "part-00001.parquet",
                "part-00002.parquet"
            ],
            "no part of the old data set is left"
        );
        assert!(
            !std::fs::read_to_string(room.path("set/_tallow/manifest.json"))
                .unwrap()
                .contains("replaces")
        );
        room.tallow(&format!("{SET} --skip-code 99")).fails(99);
    }
}

#[test]
fn an_object_that_no_one_can_read_is_not_a_success() {
    let room = room();
    let line = "score --model good.json rows.csv --format json --overwrite";
    let (code, text) = bash(&room, &format!("tallow {line} --output a.parquet >&-"));
    assert!(
        code == Some(1)
            && text.contains("`--format json` has nowhere to go: standard output is closed"),
        "{code:?} {text}"
    );
    assert!(!room.path("a.parquet").exists(), "told before the work");
    let (code, text) = bash(
        &room,
        &format!("tallow {line} --output a.parquet | true; exit ${{PIPESTATUS[0]}}"),
    );
    assert!(
        code == Some(1) && text.contains("its JSON object could not be written to standard output"),
        "{code:?} {text}"
    );
    assert!(room.path("a.parquet").exists());
    let (code, text) = bash(&room, "tallow inspect good.json >&-");
    assert!(
        code == Some(1) && text.contains("cannot write to standard output: it is closed"),
        "{code:?} {text}"
    );
    for line in [
        "tallow score --quiet --model good.json rows.csv --output b.parquet >&-",
        "tallow inspect good.json >/dev/null",
    ] {
        assert_eq!(bash(&room, line).0, Some(0), "{line}");
    }
}

#[test]
#[expect(clippy::format_collect, reason = "a few rows of a test")]
fn a_limit_on_the_size_of_files_is_an_error_that_names_it() {
    let room = room();
    room.file(
        "many.csv",
        format!(
            "id,a,b\n{}",
            (0..20_000)
                .map(|id| format!("{id},0.25,0.5\n"))
                .collect::<String>()
        ),
    );
    for output in ["text.csv", "out.parquet", "set/"] {
        let line = format!(
            "tallow score --quiet --model good.json many.csv --output {output} --passthrough id"
        );
        let (code, text) = bash(
            &room,
            &format!("(ulimit -f 8; {line}) 2>&1 | cat; exit ${{PIPESTATUS[0]}}"),
        );
        assert!(
            code == Some(1) && text.starts_with("error: cannot write"),
            "{output}: {code:?} {text}"
        );
        assert!(
            text.contains("File too large")
                && text.contains("hint: raise the limit on the size of files (`ulimit -f`)"),
            "{output}: {text}"
        );
        assert!(
            !room.path(output).join("_SUCCESS").exists() && !room.path(output).is_file(),
            "{output}"
        );
        assert_eq!(bash(&room, &line).0, Some(0), "{output}");
    }
}

#[test]
fn no_verb_dies_of_a_file_that_may_grow_no_further() {
    let room = room();
    let score = "score -qq --model good.json rows.csv --output out.parquet --report o.report.pq";
    room.tallow(score).ok();
    let key = data("signatures/prime256v1.key").display().to_string();
    for line in [
        "report o.report.pq --output page.html".to_owned(),
        format!("sign good.json --key {key}"),
        "registry push good.json --registry registry".to_owned(),
        "pack good.json --output package".to_owned(),
        "profile rows.csv --output p.profile.pq".to_owned(),
        "guide > guide.txt".to_owned(),
        "man > tallow.1".to_owned(),
        "completions bash > tallow.bash".to_owned(),
    ] {
        let limited = format!("(ulimit -f 0; tallow {line}) 2>&1 | cat; exit ${{PIPESTATUS[0]}}");
        let (code, text) = bash(&room, &limited);
        assert_eq!(code, Some(1), "{line}: {text}");
        assert!(text.contains("File too large"), "{line}: {text}");
    }
    let mut names = files(&room.path("")).into_keys();
    let left = names.find(|name| name.contains(".tmp-") || name.contains("/.tmp"));
    assert_eq!(left, None);
}

#[test]
fn files_that_replace_others_are_read_by_no_more_users() {
    let room = room();
    let set_mode = |name: &str| {
        std::fs::set_permissions(room.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    room.tallow(FILE).ok();
    room.tallow(SET).ok();
    let private = [
        "out.parquet",
        "out.report.pq",
        "out.rejected.pq",
        "set/part-00000.parquet",
        "set/_tallow/report.pq",
        "set/_tallow/rejected/part-00001.pq",
    ];
    private.iter().for_each(|name| set_mode(name));
    for line in [FILE, SET] {
        room.tallow(&format!("{line} --overwrite --threshold 0.4"))
            .ok();
    }
    for name in private {
        assert_eq!(
            std::fs::metadata(room.path(name))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o600,
            "{name}"
        );
    }
}

#[test]
#[expect(clippy::format_collect, reason = "a few rows of a test")]
fn a_run_that_is_stopped_among_thousands_of_partitions_stops_there() {
    let room = room();
    let count = 6_000;
    room.file(
        "many.csv",
        format!(
            "day,a,b\n{}",
            (0..count)
                .map(|day| format!("{day},0.25,0.5\n"))
                .collect::<String>()
        ),
    );
    let line = "score --quiet --model good.json many.csv --output set/ --partition-by day \
                --passthrough day --threads 1";
    let mut run = room
        .command()
        .args(line.split(' '))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !room
        .path("set/_tallow/staged/day=1/part-00000.parquet.staged")
        .exists()
    {
        assert!(
            run.try_wait().unwrap().is_none(),
            "the run ended before it could be stopped"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(
        Command::new("kill")
            .args(["-TERM", &run.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    let output = run.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(143),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let written = room.listing_of("set/_tallow/staged").len();
    assert!(written < count, "it wrote all {written} partitions first");
    assert!(!room.path("set/_SUCCESS").exists());
}

#[test]
fn a_value_that_is_too_long_for_a_directory_is_refused_with_its_column() {
    let room = room();
    room.file(
        "long.csv",
        format!(
            "id,region,a,b\n1,n,0.25,0.5\n2,{},0.5,0.5\n",
            "x".repeat(300)
        ),
    );
    let run = room
        .tallow("score --quiet --model good.json long.csv --output set/ --partition-by region")
        .fails(1);
    let text = "error: a value is too long for a partition: its directory's name would have 307 \
                bytes of 255 (`set/`, column `region`)\nhint: ";
    assert!(run.stderr.starts_with(text), "{run}");
}

#[test]
fn what_is_different_about_a_finished_data_set_is_named() {
    let room = room();
    for day in ["a", "b"] {
        room.file(
            &format!("days/{day}.csv"),
            format!("id,a,b\n1,0.25,0.5\n2,0.{},0.5\n", day.len()),
        );
    }
    let line = "score --quiet --model good.json days --output set/";
    room.tallow(line).ok();
    let text = |further: &str| room.tallow(&format!("{line} {further}")).fails(1).stderr;
    room.file("days/c.csv", "id,a,b\n3,0.5,0.5\n");
    let message = text("");
    assert!(
        message.starts_with(
            "error: the output exists already, and since it was made these changed: there is a \
             new input: `days/c.csv` (`set/`)\nhint: "
        ),
        "{message}"
    );
    std::fs::remove_file(room.path("days/a.csv")).unwrap();
    room.file("days/b.csv", "id,a,b\n3,0.5,0.5\n");
    let message = text("--threshold 0.4");
    for change in [
        "`--threshold`, from null to 0.4",
        "there is a new input: `days/c.csv`",
        "an input is gone: `days/a.csv`",
        "the input `days/b.csv`",
    ] {
        assert!(message.contains(change), "{change}: {message}");
    }
    for day in 0..9 {
        room.file(&format!("days/d{day}.csv"), "id,a,b\n3,0.5,0.5\n");
    }
    assert!(
        text("").contains("`days/d3.csv` and 5 more files"),
        "{}",
        text("")
    );
}

#[test]
fn retry_of_a_single_file_explains_what_to_do_instead() {
    let room = room();
    room.tallow(FILE).ok();
    let run = room.tallow("retry out.parquet").fails(1);
    assert_eq!(
        run.stderr,
        "error: `retry` works on data sets, and this is a single file (`out.parquet`)\nhint: \
         correct the rows of `out.rejected.pq` where they come from, and score again with \
         `--overwrite`; `--output DIR/` makes a data set, which `retry` completes\n"
    );
    room.tallow("retry out.rejected.pq").fails(1);
}

#[test]
fn a_command_that_can_never_work_is_not_busy() {
    let room = room();
    for flags in [
        "--report x.pq --rejected x.pq",
        "--report x.pq --rejected ./x.pq",
        "--metrics-file out.report.pq",
    ] {
        let run = room.tallow(&format!("{FILE} {flags}")).fails(2);
        assert!(run.stderr.contains("the same name"), "{flags}: {run}");
        assert!(!room.path("out.parquet").exists());
    }
}

#[test]
fn losses_are_reported_unless_only_errors_are_requested() {
    let room = room();
    room.file("days/broken.parquet", "PAR1 and no more");
    let numbers = |values: [Option<f32>; 5]| {
        Arc::new(values.into_iter().collect::<Float32Array>()) as ArrayRef
    };
    let columns = [
        (
            "a",
            numbers([Some(0.25), Some(0.9), None, Some(0.3), Some(0.1)]),
        ),
        ("b", numbers([Some(0.5); 5])),
    ];
    let rows = RecordBatch::try_from_iter_with_nullable(
        columns.map(|(name, column)| (name, column, true)),
    )
    .unwrap();
    room.parquet("days/good.parquet", &rows, 10);
    let line = "score --model good.json days --output out.parquet --overwrite --on-null a=reject \
                --on-bad-file skip --metrics-file m.prom";
    let quiet = room.tallow(&format!("{line} --quiet")).ok();
    let text = [
        "warning: a file was dropped: cannot read the Parquet footer (`days/broken.parquet`)\n",
        "warning: 1 of 5 rows were rejected (`out.parquet`)\nhint: each with its reason, they are \
         in `out.rejected.pq`\n",
    ];
    assert_eq!(quiet.stderr, text.concat(), "{quiet}");
    for flags in ["-qq", "--quiet --quiet"] {
        assert_eq!(
            room.tallow(&format!("{line} {flags}")).ok().stderr,
            "",
            "{flags}"
        );
    }
    let loud = room.tallow(line).ok();
    assert!(
        loud.stderr.contains("dropped") && !loud.stderr.contains("warning"),
        "the summary says it: {loud}"
    );
    let metrics = std::fs::read_to_string(room.path("m.prom")).unwrap();
    assert!(
        metrics.contains("\ntallow_files_skipped{job=\"good\",model=\"good\"} 1\n"),
        "{metrics}"
    );
    // Warnings of the plan are no summary.
    let run = room
        .tallow(&format!(
            "{} --quiet --features a,b",
            line.replace(" days ", " rows.csv ")
        ))
        .ok();
    assert!(
        run.stderr.contains("warning") || run.stderr.contains("rejected"),
        "{run}"
    );
    for (value, lines) in [("true", 2), ("1", 2), ("2", 0), ("no", 10)] {
        let output = room
            .command()
            .args(line.split(' '))
            .env("TALLOW_QUIET", value)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            text.lines()
                .filter(|line| !line.starts_with("hint"))
                .count()
                >= lines
                && (lines > 0 || text.is_empty()),
            "{value}: {text}"
        );
    }
}

#[test]
fn a_run_without_a_scored_row_fails_or_warns() {
    let room = room();
    room.file("bad.csv", "id,a,b\n1,,0.5\n2,,0.1\n");
    for (output, rejected) in [
        ("x.parquet", "x.rejected.pq"),
        ("x/", "x/_tallow/staged/_tallow/rejected/part-00000.pq"),
    ] {
        let line =
            format!("score --quiet --model good.json bad.csv --output {output} --on-null a=reject");
        let run = room.tallow(&line).fails(4);
        assert!(
            run.stderr.starts_with(
                "too many bad rows: no row was scored: each of 2 rows was rejected\nhint: the \
                 rejected rows, each with its reason, are in `x"
            ),
            "{run}"
        );
        assert!(!room.path(output).is_file() && !room.path(output).join("_SUCCESS").exists());
        assert_eq!(room.table(rejected).num_rows(), 2);
        room.tallow(&line).fails(4);
        room.tallow(&format!("{line} --max-error-rate 100%")).ok();
    }
    room.file("empty.csv", "id,a,b\n");
    let run = room
        .tallow("score --quiet --format json --model good.json empty.csv --output none.parquet")
        .ok();
    assert!(
        run.stderr.starts_with(
            "warning: the input has no rows, so the output has none (`none.parquet`)\n"
        ),
        "{run}"
    );
    assert_eq!(run.json()["warnings"].as_array().unwrap().len(), 1, "{run}");
    let run = room
        .run([
            "score",
            "--quiet",
            "--model",
            "good.json",
            "rows.csv",
            "--output",
            "filtered.csv",
            "--where",
            "b > 7",
        ])
        .ok();
    assert!(
        run.stderr.starts_with(
            "warning: `--where` kept no row, so the output has none (`filtered.csv`)\n"
        ),
        "{run}"
    );
}

#[test]
fn a_guard_that_compares_with_nothing_reports_it() {
    let room = room();
    let score = |flags: &str| {
        room.tallow(&format!(
            "score --quiet --model good.json rows.csv --output out.parquet --overwrite {flags}"
        ))
    };
    let nothing = "warning: `--max-row-delta` compares with nothing: there is no report of a good \
                   earlier run";
    for (flags, named) in [
        ("", ""),
        (
            "--previous-report reports/*.pq",
            " among `--previous-report 'reports/*.pq'`",
        ),
        (
            "--previous-report night.pq",
            " among `--previous-report night.pq`",
        ),
    ] {
        let run = score(&format!(
            "--max-row-delta 10% {flags} --report {}.pq",
            flags.len()
        ))
        .ok();
        assert!(
            run.stderr.starts_with(&format!("{nothing}{named}\nhint: ")),
            "{run}"
        );
    }
    assert_eq!(score("--max-row-delta 10% --report 0.pq").ok().stderr, "");
    room.file("broken.pq", "no report");
    score("--max-row-delta 10% --previous-report broken.pq").fails(1);
    score("--previous-report 0.pq").fails(2);
}

#[test]
fn help_and_version_that_a_full_disk_lost_are_a_failure() {
    for flag in ["--help", "--version"] {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let room = Room::new();
        let ended = room.command().arg(flag).stdout(full).status().unwrap();
        assert_eq!(ended.code(), Some(1), "{flag}");
    }
}

#[test]
fn the_account_of_a_run_that_the_budget_stops_adds_up() {
    let room = Room::new();
    let model = std::fs::read(data("hostile/good.json")).unwrap();
    room.file("good.json", model);
    // Of every ten rows one is filtered and one is rejected.
    let rows = (0..100).map(|row| match row % 10 {
        3 => format!("{row},x,1\n"),
        4 => format!("{row},1,-1\n"),
        _ => format!("{row},1,1\n"),
    });
    room.file("rows.csv", format!("id,a,b\n{}", rows.collect::<String>()));
    let run = |further: &str| {
        let line = format!(
            "score --model good.json rows.csv --where b>0 --on-unseen a=reject --overwrite \
             --output out.parquet --max-errors 4 --format json {further}"
        );
        room.tallow(&line).fails(4).json()
    };
    for batch_rows in [1, 7, 50, 1000] {
        for threads in [1, 2] {
            let found = run(&format!("--batch-rows {batch_rows} --threads {threads}"));
            // Row 43 has the fifth rejection.
            let expected = [
                ("rows_in", 44),
                ("rejected", 5),
                ("filtered", 4),
                ("scored", 35),
            ];
            for (name, count) in expected {
                assert_eq!(found["ledger"][name], count, "{name}, {batch_rows} rows");
            }
            assert_eq!(found["scores"]["probability"]["count"], 35);
            assert_eq!(room.table("out.rejected.pq").num_rows(), 5);
        }
    }
    // In the second of two files.
    room.file("more.csv", std::fs::read(room.path("rows.csv")).unwrap());
    let found = run("more.csv --max-error-rate 0.06");
    assert_eq!(found["ledger"]["rows_in"], 44);
    let line = "score --model good.json rows.csv more.csv --where b>0 --on-unseen a=reject \
                --output set/ --rows-per-part 30 --max-errors 12 --format json";
    let found = room.tallow(line).fails(4).json();
    for (name, count) in [
        ("rows_in", 124),
        ("rejected", 13),
        ("filtered", 12),
        ("scored", 99),
    ] {
        assert_eq!(found["ledger"][name], count, "{name} of a data set");
    }
}

#[test]
fn guards_judge_an_output_that_is_there() {
    let room = room();
    for (output, further) in [("set/", "--rows-per-part 2"), ("out.parquet", "")] {
        let line = format!("score --model good.json rows.csv --output {output} {further}");
        room.tallow(&line).ok();
        room.tallow(&format!("{line} --min-rows 1")).ok();
        let few = room.tallow(&format!("{line} --min-rows 1000 --format json"));
        let few = few.fails(5);
        assert!(few.stderr.contains("of `--min-rows`"), "{few}");
        assert_eq!(few.json()["status"], "failed");
    }
    let many = "id,a,b\n".to_owned() + &"1,2,3\n".repeat(90);
    room.file("many.csv", many);
    room.tallow("score --model good.json many.csv --output many.parquet")
        .ok();
    let line = "score --model good.json rows.csv --output out.parquet --max-row-delta 1% \
                --previous-report many.report.pq";
    let other = room.tallow(line).fails(5);
    assert!(other.stderr.contains("of `--max-row-delta`"), "{other}");
}
