//! Job files: options in TOML under the names of flags; flags and variables come before them.

use crate::harness::{Room, data, root};

const JOB: &str = "version = 1
model = \"good.json\"
inputs = [\"../landing/*.csv\"]
output = \"../out/scores.parquet\"
passthrough = [\"id\"]
max_error_rate = 0.5
";

fn room() -> Room {
    let room = Room::new();
    let model = std::fs::read(data("hostile/good.json")).unwrap();
    room.file("jobs/good.json", &model);
    room.file("good.json", &model);
    room.file("landing/a.csv", "id,a,b\n1,0.25,0.5\n2,0.75,0.5\n");
    std::fs::create_dir_all(room.path("out")).unwrap();
    room.file("jobs/nightly.toml", JOB);
    room
}

#[test]
fn paths_of_a_job_file_begin_at_its_directory() {
    let room = room();
    let run = room
        .tallow("score --job jobs/nightly.toml --format json")
        .ok();
    assert_eq!(run.json()["ledger"]["scored"], 2, "{run}");
    assert!(room.path("out/scores.parquet").exists());
    let checked = room.tallow("check --job jobs/nightly.toml").fails(1);
    assert!(
        checked.stderr.contains("the output exists already"),
        "{checked}"
    );
    let checked = room
        .tallow("check --job jobs/nightly.toml --overwrite --scan")
        .ok();
    assert!(checked.stdout.contains(" landing/a.csv"), "{checked}");
}

#[test]
fn flags_come_before_variables_and_variables_before_the_file() {
    let room = room();
    let printed = |line: &str, variables: &[(&str, &str)]| {
        let mut command = room.command();
        command
            .envs(variables.iter().copied())
            .args(line.split(' '));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let table: toml::Table =
            toml::from_str(&String::from_utf8(output.stdout).unwrap()).unwrap();
        (table["model"].to_string(), table["output"].to_string())
    };
    let job = "score --job jobs/nightly.toml --print-job";
    let (model, output) = printed(job, &[]);
    assert_eq!(
        (&*model, &*output),
        ("\"jobs/good.json\"", "\"out/scores.parquet\"")
    );
    let (model, output) = printed(
        job,
        &[("TALLOW_MODEL", "v.json"), ("TALLOW_OUTPUT", "v.csv")],
    );
    assert_eq!((&*model, &*output), ("\"v.json\"", "\"v.csv\""));
    let line = format!("{job} --output flag.csv");
    let (model, output) = printed(
        &line,
        &[("TALLOW_MODEL", "v.json"), ("TALLOW_OUTPUT", "v.csv")],
    );
    assert_eq!((&*model, &*output), ("\"v.json\"", "\"flag.csv\""));
    let (model, _) = printed("score --print-job", &[("TALLOW_JOB", "jobs/nightly.toml")]);
    assert_eq!(model, "\"jobs/good.json\"");
}

#[test]
fn a_flag_replaces_what_the_file_lists() {
    let room = room();
    room.file(
        "jobs/lists.toml",
        format!("{JOB}on_null = [\"a=reject\", \"b=0\"]\nrows_per_part = 5\n"),
    );
    let printed = |flags: &str| {
        let run = room
            .tallow(&format!("score --job jobs/lists.toml --print-job{flags}"))
            .ok();
        toml::from_str::<toml::Table>(&run.stdout).unwrap()
    };
    let table = printed("");
    assert_eq!(table["on_null"].to_string(), "[\"a=reject\", \"b=0\"]");
    assert_eq!(table["max_error_rate"].as_str(), Some("0.5"));
    let table = printed(" --on-null null --bytes-per-part 1MiB");
    assert_eq!(table["on_null"].to_string(), "[\"null\"]");
    assert!(
        !table.contains_key("rows_per_part"),
        "the flag excludes what the file says"
    );
}

#[test]
fn a_printed_job_is_the_job_that_was_given() {
    let room = room();
    let line = "score --model good.json landing/a.csv --output o.parquet --where a>0.1 --raw \
                --on-null a=reject --on-null b=0 --threshold 0.25 --delimiter , --max-errors 3 \
                --missing=-999 --text review --max-row-delta 30% --metrics-file m.prom \
                --job-name nightly --threads 2 --normalize=false --format json -qq --verbose \
                --log-format json --progress-seconds 5 --profile auto";
    let first = room.tallow(&format!("{line} --print-job")).ok().stdout;
    insta::assert_snapshot!(first);
    room.file("job.toml", &first);
    assert_eq!(
        room.tallow("score --job job.toml --print-job").ok().stdout,
        first
    );
}

#[test]
fn words_in_a_job_file_are_no_paths_from_its_directory() {
    let room = room();
    room.file(
        "jobs/words.toml",
        "model = \"../good.json\"\ninputs = [\"../landing/a.csv\"]\noutput = \"o.parquet\"\n\
         profile = \"auto\"\nrejected = \"none\"\nbaseline = \"none\"\non_null = \"null\"\n",
    );
    room.tallow("score --job jobs/words.toml").ok();
    assert!(room.path("jobs/o.profile.pq").exists());
    for name in ["auto", "none"] {
        assert!(!room.path(&format!("jobs/{name}")).exists(), "{name}");
    }
}

/// A terminal obeys U+009B and turns text round at U+202E; TOML can hold both as numbers.
#[test]
fn a_printed_job_holds_no_character_that_a_terminal_obeys() {
    let room = room();
    let text = "a\u{9b}31m\u{202e}\\\"b";
    let run = room
        .run([
            "score",
            "--model",
            "good.json",
            "landing/a.csv",
            "--output",
            "o.parquet",
            "--job-name",
            text,
            "--print-job",
        ])
        .ok();
    assert!(
        run.stdout
            .contains(r#"job_name = "a\U0000009B31m\U0000202E\\\"b""#),
        "{run}"
    );
    let job: toml::Table = run.stdout.parse().unwrap();
    assert_eq!(job["job_name"].as_str(), Some(text));
}

#[test]
fn what_a_job_file_may_not_hold_is_a_usage_error_that_names_the_key() {
    let room = room();
    let cases = [
        (
            "on_nul = \"reject\"",
            "a job file has no key `on_nul`",
            "did you mean `on_null`?",
        ),
        (
            "on-null = \"reject\"",
            "a job file has no key `on-null`",
            "did you mean `on_null`?",
        ),
        (
            "job = \"x.toml\"",
            "a job file has no key `job`",
            "long flags",
        ),
        (
            "raw = \"yes\"",
            "`raw` is true or false, and the job file has: string",
            "",
        ),
        (
            "limit = [1, 2]",
            "`limit` is one value, and the job file has: array",
            "",
        ),
        (
            "rename = { a = \"b\" }",
            "`rename` is a text or a number",
            "",
        ),
        (
            "version = 2",
            "this version of job files is not known: 2",
            "version = 1",
        ),
        ("raw =", "the job file is not TOML at line 1", ""),
        (
            "rows_per_part = 1\nbytes_per_part = \"1MiB\"",
            "exclude each other",
            "keep one",
        ),
    ];
    for (text, message, hint) in cases {
        room.file("bad.toml", text);
        let run = room.tallow("score --job bad.toml --model good.json landing/a.csv -o o.csv");
        let run = run.fails(2);
        assert!(
            run.stderr.contains(message) && run.stderr.contains(hint),
            "{text}: {run}"
        );
        assert!(run.stderr.contains("bad.toml"), "{text}: {run}");
    }
    room.file("bad.toml", "limit = \"many\"");
    let run = room
        .tallow("score --job bad.toml --model good.json landing/a.csv -o o.csv")
        .fails(2);
    let message =
        "usage error: `limit` cannot be `many`: invalid digit found in string (`bad.toml`)";
    assert!(run.stderr.contains(message), "{run}");
    room.file("bad.toml", "on_bad_file = \"skp\"");
    let run = room
        .tallow("score --job bad.toml --model good.json landing/a.csv -o o.csv")
        .fails(2);
    let message = "`on_bad_file` cannot be `skp` (`bad.toml`)\nhint: did you mean `skip`";
    assert!(run.stderr.contains(message), "{run}");
    let mut named = room.command();
    named
        .args([
            "score",
            "--model",
            "good.json",
            "landing/a.csv",
            "-o",
            "o.csv",
        ])
        .env("TALLOW_THREADS", "abc");
    let output = named.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("the variable `TALLOW_THREADS` cannot be `abc`"),
        "{stderr}"
    );
    // A job file that was moved away from what it names.
    room.file("elsewhere/moved.toml", "model = \"good.json\"");
    let run = room
        .tallow("score --job elsewhere/moved.toml landing/a.csv -o o.csv")
        .fails(2);
    assert!(
        run.stderr
            .contains("`model`: there is no `elsewhere/good.json`"),
        "{run}"
    );
    assert!(
        run.stderr
            .contains("paths of a job file start at its own directory"),
        "{run}"
    );
    let run = room
        .tallow("score --job nightly --model good.json landing/a.csv -o o.csv")
        .fails(1);
    assert!(
        run.stderr.contains("`--job-name NAME` names the job"),
        "{run}"
    );
}

#[test]
fn retry_takes_the_data_set_and_the_resources_of_a_job_file() {
    let room = room();
    room.file("landing/a.csv", "id,a,b\n1,0.25,0.5\n2,,0.5\n");
    let job = JOB.replace("scores.parquet", "set/");
    room.file(
        "jobs/nightly.toml",
        format!("{job}on_null = \"a=reject\"\nthreads = 1\nraw = true\n"),
    );
    room.tallow("score --job jobs/nightly.toml").ok();
    let run = room
        .tallow("retry --job jobs/nightly.toml --format json")
        .ok();
    assert_eq!(run.json()["status"], "nothing_to_do", "{run}");
}

#[test]
fn the_example_of_a_job_file_runs() {
    let room = Room::new();
    let job = root().join("examples/nightly.toml");
    let run = room
        .tallow(&format!("score --job {} --output o.parquet", job.display()))
        .ok();
    assert!(
        run.stderr
            .contains("there is no report of a good earlier run"),
        "{run}"
    );
    assert!(room.path("o.parquet").exists());
}

#[test]
fn paths_of_a_job_file_are_shown_without_detours() {
    let room = room();
    let text = "model = \"../good.json\"\ninputs = [\"../landing/a.csv\", \"../landing/*.csv\"]\n\
                output = \"../out/o.parquet\"\n";
    room.file("jobs/far.toml", text);
    let printed = room.tallow("score --job jobs/far.toml --print-job").ok();
    for line in [
        "model = \"good.json\"\n",
        "inputs = [\"landing/a.csv\", \"landing/*.csv\"]\n",
        "output = \"out/o.parquet\"\n",
    ] {
        assert!(printed.stdout.contains(line), "{line}{printed}");
    }
    // Behind a link, `..` is the directory above the one that it leads to.
    room.file("deep/er/linked.toml", text);
    std::os::unix::fs::symlink("deep/er", room.path("link")).unwrap();
    let printed = room.tallow("score --job link/linked.toml --print-job").ok();
    let line = "output = \"link/../out/o.parquet\"\n";
    assert!(printed.stdout.contains(line), "{printed}");
}
