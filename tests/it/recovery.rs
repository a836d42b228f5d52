//! Data sets that are interrupted, resumed, corrected and guarded: whatever happens, the rows are
//! all there once.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Float32Array, Int64Array, RecordBatch, StringArray};

use crate::harness::{Room, column, data, table, texts};

/// Rows of each input file; no multiple of a part or a batch.
const ROWS: usize = 7_001;

/// The same small model everywhere, and three files of rows for it; every hundredth `a` is missing.
pub(crate) fn room() -> Room {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    for file in 0..3 {
        room.parquet(
            &format!("in-{file}.parquet"),
            &rows(file * ROWS, ROWS),
            2_500,
        );
    }
    room
}

fn rows(first: usize, count: usize) -> RecordBatch {
    let ids = first..first + count;
    let number = |id: usize| ((id * 2_654_435_761) % 1_000) as f32 / 1_000.0;
    RecordBatch::try_from_iter_with_nullable([
        (
            "id",
            Arc::new(ids.clone().map(|id| id as i64).collect::<Int64Array>()) as ArrayRef,
            true,
        ),
        (
            "region",
            Arc::new(
                ids.clone()
                    .map(|id| Some(["north", "south", "a/b"][id % 3]))
                    .collect::<StringArray>(),
            ) as ArrayRef,
            true,
        ),
        (
            "a",
            Arc::new(
                ids.clone()
                    .map(|id| (id % 100 != 7).then(|| number(id)))
                    .collect::<Float32Array>(),
            ) as ArrayRef,
            true,
        ),
        (
            "b",
            Arc::new(ids.map(number).collect::<Float32Array>()) as ArrayRef,
            true,
        ),
    ])
    .unwrap()
}

pub(crate) const SCORE: &str = "score --quiet --model good.json in-0.parquet in-1.parquet \
                                in-2.parquet --on-null a=reject --rows-per-part 1000";

/// Every file below a directory that readers see, by its path, but for what shows times.
pub(crate) fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(directory)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                open.push(path);
            } else if ["_tallow/rejected/", "_tallow/corrections/"]
                .iter()
                .any(|kind| name.starts_with(kind))
                || !name.starts_with("_tallow")
            {
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

/// The rows of all parts in order.
fn ids(directory: &Path) -> Vec<i64> {
    let names: Vec<String> = files(directory)
        .into_keys()
        .filter(|name| name.contains("part-") && !name.starts_with('_'))
        .collect();
    let parts = names.iter().map(|name| table(&directory.join(name)));
    parts
        .flat_map(|part| texts(column(&part, "id")))
        .map(|id| id.unwrap().parse().unwrap())
        .collect()
}

#[test]
fn a_data_set_holds_every_row_once_and_reports_it() {
    let room = room();
    room.tallow(&format!("{SCORE} --output out/")).ok();
    let names: Vec<String> = files(&room.path("out")).into_keys().collect();
    assert_eq!(
        names
            .iter()
            .filter(|name| name.starts_with("part-"))
            .count(),
        22
    );
    assert!(
        names.contains(&"_SUCCESS".to_owned())
            && names.contains(&"_tallow/rejected/part-00000.pq".to_owned())
    );
    let requested: Vec<i64> = (0..3 * ROWS as i64).filter(|id| id % 100 != 7).collect();
    assert_eq!(ids(&room.path("out")), requested);
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(room.path("out/_tallow/manifest.json")).unwrap())
            .unwrap();
    assert_eq!(manifest["ledger"]["rows_in"], 3 * ROWS);
    assert_eq!(manifest["ledger"]["scored"], requested.len());
    assert_eq!(manifest["inputs"][1]["path"], "in-1.parquet");
    let options = manifest["configuration"].as_object().unwrap();
    assert!(
        options.contains_key("--where")
            && options.contains_key("--on-null")
            && !options.contains_key("--filter"),
        "{options:?}"
    );
    assert!(
        manifest["parts"][3]["files"][0]["sha256"]
            .as_str()
            .unwrap()
            .len()
            == 64
    );
    let rejected = table(&room.path("out/_tallow/rejected/part-00007.pq"));
    assert_eq!(
        texts(column(&rejected, "rejected_reason"))
            .first()
            .unwrap()
            .as_deref(),
        Some("null")
    );
    assert_eq!(
        texts(column(&rejected, "id")).first().unwrap().as_deref(),
        Some("7007")
    );
    assert_eq!(
        texts(column(&rejected, "rejected_row"))
            .first()
            .unwrap()
            .as_deref(),
        Some("7")
    );
    assert_eq!(
        texts(column(&rejected, "rejected_file"))
            .first()
            .unwrap()
            .as_deref(),
        Some("in-1.parquet")
    );
}

#[test]
fn threads_batches_and_memory_do_not_change_a_byte_of_a_data_set() {
    let room = room();
    // The facts but for those that tell times, names of attempts and where the output lies.
    let facts = |output: &str, further: &str| {
        let mut facts = room
            .tallow(&format!(
                "{} --output {output}/ {further}",
                SCORE.replace("--quiet", "--format json")
            ))
            .ok()
            .json();
        ["run", "performance", "invocation_id", "report", "rejected"]
            .iter()
            .for_each(|name| _ = facts.as_object_mut().unwrap().remove(*name));
        facts
    };
    let rendered = facts("out", "--threads 1");
    let whole = files(&room.path("out"));
    for (number, further) in [
        "--threads 3 --batch-rows 61",
        "--threads 2 --memory 200MiB",
        "--batch-rows 1",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(
            rendered,
            facts(&format!("other-{number}"), further),
            "{further}"
        );
        assert!(
            whole == files(&room.path(&format!("other-{number}"))),
            "{further}"
        );
    }
}

#[test]
fn parts_of_so_many_bytes_have_about_so_many_and_the_same_rows_in_every_run() {
    let room = room();
    let line = SCORE.replace(
        "--rows-per-part 1000",
        "--bytes-per-part 20KB --passthrough id",
    );
    room.tallow(&format!("{line} --output out/")).ok();
    room.tallow(&format!(
        "{line} --output other/ --threads 3 --batch-rows 77"
    ))
    .ok();
    let parts = |name: &str| {
        files(&room.path(name))
            .into_iter()
            .filter(|(name, _)| name.starts_with("part-"))
            .collect::<Vec<_>>()
    };
    let sizes: Vec<usize> = parts("out").iter().map(|(_, bytes)| bytes.len()).collect();
    assert!(parts("out") == parts("other"));
    // The inputs are not compressed and parts are, so these are smaller than was asked.
    assert!(
        sizes.len() > 3 && sizes.iter().all(|bytes| *bytes < 25_000),
        "{sizes:?}"
    );
    room.tallow(&format!("{line} --output larger/").replace("20KB", "40KB"))
        .ok();
    let larger = parts("larger").len();
    assert!(
        larger < sizes.len() && larger * 2 + 1 >= sizes.len(),
        "{larger} parts of twice as many bytes, {} before",
        sizes.len()
    );
    assert_eq!(
        ids(&room.path("out")).len(),
        (0..3 * ROWS).filter(|id| id % 100 != 7).count()
    );
    let run = room
        .tallow(&format!("{line} --output x/").replace("20KB", "0"))
        .fails(2);
    assert!(
        run.stderr.contains("`--bytes-per-part 0` is not a size"),
        "{run}"
    );
}

#[test]
fn what_was_written_in_hive_directories_is_read_from_them() {
    let room = room();
    let all = "--passthrough all --on-null a=null";
    let score = |inputs: &str, further: &str| {
        room.tallow(&format!(
            "score --quiet --model good.json {inputs} {further}"
        ))
        .ok()
    };
    // Ids become integers again, words stay words; a slash and null are among them.
    score("in-0.parquet", &format!("--output plain.parquet {all}"));
    score(
        "in-0.parquet",
        &format!("--output days/ --partition-by region {all} --rows-per-part 3000"),
    );
    let back = "--passthrough id,region --on-null a=null";
    score("days", &format!("--output back.parquet {back}"));
    score(
        "days/region=*/*.parquet",
        &format!("--output pattern.parquet {back}"),
    );
    let rows = |name: &str| {
        let table = room.table(name);
        let mut rows: Vec<_> = texts(column(&table, "id"))
            .into_iter()
            .zip(texts(column(&table, "region")))
            .zip(texts(column(&table, "probability")))
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(rows("back.parquet"), rows("plain.parquet"));
    assert_eq!(rows("pattern.parquet"), rows("plain.parquet"));
    score(
        "in-0.parquet",
        &format!("--output numbers/ --partition-by id {all} --limit 300"),
    );
    let rendered = room.tallow("inspect numbers --format json").ok();
    assert!(rendered.stdout.contains("Int64"), "{rendered}");
    score(
        "numbers",
        "--output more.parquet --passthrough id,region --on-null a=null --where id<100",
    );
    assert_eq!(room.table("more.parquet").num_rows(), 100);
    // A file that is named itself is read as it is.
    let run = room
        .tallow(
            "score --model good.json days/region=north/part-00000.parquet --output x.parquet \
             --passthrough region",
        )
        .fails(3);
    assert!(
        run.stderr
            .contains("names a column that is not in the data"),
        "{run}"
    );
}

#[test]
fn in_text_the_columns_of_hive_directories_are_text_and_feed_models_too() {
    let room = room();
    room.file(
        "days/a=0.25/rows.csv",
        "id,b
1,0.5
2,0.75
",
    );
    room.file(
        "days/a=__HIVE_DEFAULT_PARTITION__/rows.csv",
        "id,b
3,0.5
",
    );
    room.file(
        "flat.csv",
        "id,b,a
1,0.5,0.25
2,0.75,0.25
3,0.5,
",
    );
    room.tallow(
        "score --quiet --model good.json days --output one.parquet --on-null a=null --passthrough \
         all",
    )
    .ok();
    room.tallow(
        "score --quiet --model good.json flat.csv --output other.parquet --on-null a=null \
         --passthrough all",
    )
    .ok();
    let seen = |name: &str| {
        ["id", "b", "probability"].map(|name_of| texts(column(&room.table(name), name_of)))
    };
    assert_eq!(seen("one.parquet"), seen("other.parquet"));
    assert_eq!(
        texts(column(&room.table("one.parquet"), "a"))[..2],
        [Some("0.25".to_owned()), Some("0.25".to_owned())]
    );
}

#[test]
fn what_changed_since_an_unfinished_run_is_named_and_restart_forgets_it() {
    let room = room();
    room.tallow(&format!("{SCORE} --output out/ --max-errors 100"))
        .fails(4);
    assert!(
        room.path("out/_tallow/part-00003.json").exists() && !room.path("out/_SUCCESS").exists()
    );
    let run = room
        .tallow(&format!("{SCORE} --output out/ --threshold 0.4"))
        .fails(3);
    assert!(
        run.stderr.contains("`--threshold`, from null to 0.4"),
        "{run}"
    );
    room.parquet("in-1.parquet", &rows(5, ROWS), 2_500);
    let run = room.tallow(&format!("{SCORE} --output out/")).fails(3);
    assert!(
        run.stderr.contains("the input `in-1.parquet`") && run.stderr.contains("--restart"),
        "{run}"
    );
    room.tallow(&format!("{SCORE} --output out/ --restart"))
        .ok();
    assert!(room.path("out/_SUCCESS").exists());
}

#[test]
fn a_part_whose_bytes_are_not_its_records_is_made_again() {
    let room = room();
    room.tallow(&format!("{SCORE} --output whole/")).ok();
    room.tallow(&format!("{SCORE} --output out/ --max-errors 100"))
        .fails(4);
    for part in ["part-00002", "part-00004"] {
        let path = room.path(&format!("out/_tallow/staged/{part}.parquet.staged"));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[40] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    room.tallow(&format!("{SCORE} --output out/")).ok();
    assert!(files(&room.path("whole")) == files(&room.path("out")));
}

#[test]
fn a_run_over_delimited_text_goes_on_at_the_byte_where_it_stopped() {
    let room = room();
    let line = |row: i32| {
        format!(
            "{row},0.{row},{}",
            if row % 7 == 0 { "\"0.25\"" } else { "NA" }
        )
    };
    let text = format!(
        "id,a,b\n{}\n",
        (0..9_000).map(line).collect::<Vec<_>>().join("\n")
    );
    room.file("rows.csv", &text);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, text.as_bytes()).unwrap();
    room.file("more.csv.gz", gzip.finish().unwrap());
    let score = "score --quiet --model good.json rows.csv more.csv.gz --rows-per-part 1000 \
                 --on-null b=reject";
    room.tallow(&format!("{score} --output whole/")).ok();
    for stop in [1_900, 11_000] {
        let output = format!("out-{stop}/");
        room.tallow(&format!("{score} --output {output} --max-errors {stop}"))
            .fails(4);
        let last = if stop < 9_000 {
            "part-00001"
        } else {
            "part-00011"
        };
        let record: serde_json::Value = serde_json::from_slice(
            &std::fs::read(room.path(&format!("{output}_tallow/{last}.json"))).unwrap(),
        )
        .unwrap();
        if stop < 9_000 {
            let end = record["end_byte"].as_u64().unwrap() as usize;
            assert!(
                text[..end].ends_with('\n') && text[end..].starts_with("2000,"),
                "{record}"
            );
        } else {
            assert!(record["end_byte"].is_null(), "{record}");
        }
        room.tallow(&format!("{score} --output {output}")).ok();
        assert!(
            files(&room.path("whole")) == files(&room.path(&output)),
            "{stop}"
        );
    }
}

#[test]
fn statistics_of_a_resumed_run_are_those_of_an_undisturbed_one() {
    let room = room();
    let scores = |line: &str| {
        let json = room
            .tallow(&line.replace("--quiet", "--format json"))
            .ok()
            .json();
        (
            json["scores"].clone(),
            json["ledger"].clone(),
            json["rejections"].clone(),
            json["coercions"].clone(),
        )
    };
    for format in ["parquet", "csv"] {
        let whole = scores(&format!(
            "{SCORE} --output whole-{format}/ --output-format {format}"
        ));
        room.tallow(&format!(
            "{SCORE} --output out-{format}/ --output-format {format} --max-errors 100"
        ))
        .fails(4);
        assert_eq!(
            whole,
            scores(&format!(
                "{SCORE} --output out-{format}/ --output-format {format}"
            )),
            "{format}"
        );
    }
}

#[test]
fn what_was_observed_of_a_part_is_stored_with_it_or_found_out_from_its_output() {
    let room = room();
    let scores = |line: &str| {
        let run = room.tallow(&line.replace("--quiet", "--format json")).ok();
        run.json()["scores"].clone()
    };
    let whole = scores(&format!("{SCORE} --output whole/"));
    for kept in [0, 2, 6] {
        let output = format!("out-{kept}");
        room.tallow(&format!("{SCORE} --output {output}/ --max-errors 100"))
            .fails(4);
        let finished = room.listing_of(&format!("{output}/_tallow/staged/_tallow/observed"));
        assert_eq!(finished.len(), 10, "one table for each part: {finished:?}");
        // Parts of a version that stored nothing.
        for part in kept..10 {
            let path = room.path(&format!("{output}/_tallow/part-{part:05}.json"));
            let mut record: serde_json::Value =
                serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let table = record.as_object_mut().unwrap().remove("observed").unwrap();
            let staged = format!(
                "{output}/_tallow/staged/{}",
                table["path"].as_str().unwrap()
            );
            std::fs::remove_file(room.path(&staged)).unwrap();
            std::fs::write(&path, record.to_string()).unwrap();
        }
        let again = scores(&format!("{SCORE} --output {output}/"));
        assert_eq!(whole, again, "{kept} parts with what was observed");
    }
    let table = room.table("whole/_tallow/observed/part-00021.pq");
    assert_eq!(
        texts(column(&table, "observer")),
        [Some("scores".to_owned())]
    );
}

#[test]
fn rows_are_corrected_from_any_directory() {
    let room = room();
    let inside = "day[1]";
    for name in ["good.json", "in-0.parquet", "in-1.parquet", "in-2.parquet"] {
        room.file(
            &format!("{inside}/{name}"),
            std::fs::read(room.path(name)).unwrap(),
        );
        std::fs::remove_file(room.path(name)).unwrap();
    }
    let within = |line: &str| {
        let mut command = room.command();
        let run = command
            .current_dir(room.path(inside))
            .args(line.split_whitespace());
        let output = run.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output
    };
    within(
        "score --quiet --model good.json in-*.parquet --on-null a=reject --rows-per-part 1000 \
         --output out/ --report report.parquet",
    );
    let output = format!("{inside}/out");
    correct(&room, &output, "part-00000", 5);
    correct(&room, &output, "part-00001", 10);
    let run = room.tallow(&format!("retry {output} --format json")).ok();
    assert_eq!(run.json()["ledger"]["rejected"], 210 - 15, "{run}");
    assert_eq!(run.json()["files"]["in-0.parquet"]["rejected"], 70 - 15);
    let report = format!("{inside}/report.parquet");
    assert!(!room.path("report.parquet").exists() && room.path(&report).exists());
    let rejected = room.table(&format!("{output}/_tallow/rejected/part-00000.pq"));
    assert_eq!(
        texts(column(&rejected, "rejected_file")),
        vec![Some("in-0.parquet".to_owned()); 5],
        "as the first run called it"
    );
    correct(&room, &output, "part-00000", 5);
    within("retry out --quiet");
    let rejected = |part: &str| {
        room.path(&format!("{output}/_tallow/rejected/{part}.pq"))
            .exists()
    };
    assert!(!rejected("part-00000") && rejected("part-00002"));
    std::fs::rename(room.path(inside), room.path("gone")).unwrap();
    correct(&room, "gone/out", "part-00002", 10);
    let run = room.tallow("retry gone/out").fails(1);
    assert!(
        run.stderr
            .starts_with("error: the directory where the data set was made is gone"),
        "{run}"
    );
}

#[test]
fn the_same_again_is_nothing_to_do_and_another_run_needs_leave() {
    let room = room();
    room.tallow(&format!("{SCORE} --output out/")).ok();
    let before = std::fs::metadata(room.path("out/part-00000.parquet"))
        .unwrap()
        .modified()
        .unwrap();
    room.tallow(&format!("{SCORE} --output out/")).ok();
    room.tallow(&format!("{SCORE} --output out/ --skip-code 99"))
        .fails(99);
    assert_eq!(
        before,
        std::fs::metadata(room.path("out/part-00000.parquet"))
            .unwrap()
            .modified()
            .unwrap()
    );
    let run = room
        .tallow(&format!("{SCORE} --output out/ --raw"))
        .fails(1);
    assert!(run.stderr.contains("--overwrite"), "{run}");
    room.tallow(&format!(
        "{} --output out/ --overwrite",
        SCORE.replace("1000", "9000")
    ))
    .ok();
    assert_eq!(
        files(&room.path("out"))
            .keys()
            .filter(|name| name.starts_with("part-"))
            .count(),
        3,
        "old parts are gone"
    );
}

#[test]
fn partitions_are_hive_directories() {
    let room = room();
    room.tallow(&format!("{SCORE} --output out/ --partition-by region"))
        .ok();
    let names: Vec<String> = files(&room.path("out")).into_keys().collect();
    assert!(
        names.contains(&"region=a%2Fb/part-00000.parquet".to_owned()),
        "{names:?}"
    );
    let part = table(&room.path("out/region=north/part-00001.parquet"));
    assert!(part.column_by_name("region").is_none());
    let mut all = ids(&room.path("out"));
    all.sort_unstable();
    assert_eq!(all.len(), (0..3 * ROWS).filter(|id| id % 100 != 7).count());
    let run = room
        .tallow(&format!("{SCORE} --output x/ --partition-by prediction"))
        .fails(2);
    assert!(
        run.stderr
            .contains("`--partition-by` names a column that the model adds"),
        "{run}"
    );
}

#[test]
fn foreign_files_are_never_touched() {
    let room = room();
    room.file("out/precious.txt", "theirs");
    let run = room
        .tallow(&format!("{SCORE} --output out/ --overwrite"))
        .fails(1);
    assert!(
        run.stderr.contains("files that tallow did not write"),
        "{run}"
    );
    assert_eq!(
        std::fs::read(room.path("out/precious.txt")).unwrap(),
        b"theirs"
    );
}

#[test]
fn a_second_run_is_busy_at_once() {
    let room = room();
    room.file(
        "rows.csv",
        format!("id,a,b\n{}", "1,0.25,0.5\n".repeat(1_500_000)),
    );
    for (output, lock) in [
        ("out/", "out/_tallow/lock"),
        ("out.parquet", ".out.parquet.lock"),
    ] {
        let line =
            format!("score --quiet --model good.json rows.csv --batch-rows 16 --output {output}");
        let mut first = room
            .command()
            .args(line.split(' '))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !room.path(lock).exists() {
            assert!(first.try_wait().unwrap().is_none());
            std::thread::sleep(Duration::from_millis(1));
        }
        let run = room.tallow(&line).fails(75);
        assert!(
            run.stderr
                .contains(&format!("another run (process {} since ", first.id())),
            "{run}"
        );
        first.kill().unwrap();
        first.wait().unwrap();
        let run = room
            .tallow(&line.replace("--quiet ", "").replace("--batch-rows 16 ", ""))
            .ok();
        assert!(run.stderr.contains("after a run that died"), "{run}");
    }
}

#[test]
fn a_budget_is_kept_during_the_run_and_at_its_end() {
    let room = room();
    let score = |further: &str| {
        room.tallow(&format!(
            "{} {further}",
            SCORE
                .replace(" --rows-per-part 1000", "")
                .replace("--quiet ", "--format json ")
        ))
    };
    let run = score("--output out.parquet --max-errors 9").fails(4);
    assert!(
        run.stderr
            .contains("10 of 21,003 rows were rejected so far, more than `--max-errors 9` allows"),
        "{run}"
    );
    assert_eq!(
        (
            run.json()["status"].as_str(),
            run.json()["exit_code"].as_u64()
        ),
        (Some("withheld"), Some(4))
    );
    assert!(!room.path("out.parquet").exists());
    assert_eq!(room.table("out.rejected.pq").num_rows(), 10);
    score("--output out.parquet --max-error-rate 1%").ok();
    assert!(!room.path("out.unfinished.report.pq").exists());
    let run = score("--output more.parquet --max-error-rate 0.5% --on-budget publish").fails(4);
    assert_eq!(run.json()["status"], "over_budget");
    assert_eq!(
        room.table("more.parquet").num_rows() + room.table("more.rejected.pq").num_rows(),
        3 * ROWS
    );
}

#[test]
fn guards_trip_before_the_first_row_where_they_can() {
    let room = room();
    let score = |further: &str| {
        room.tallow(&format!(
            "score --quiet --model good.json in-0.parquet in-1.parquet --output out.parquet \
             --overwrite {further}"
        ))
    };
    assert!(
        score("--min-rows 20000")
            .fails(5)
            .stderr
            .contains("fewer than the 20000 of `--min-rows`")
    );
    score("--max-row-delta 30%").ok();
    let run = room
        .tallow(
            "score --quiet --model good.json in-0.parquet --output out.parquet --overwrite \
             --max-row-delta 30%",
        )
        .fails(5);
    assert!(run.stderr.contains("50.0 % apart"), "{run}");
    assert_eq!(
        room.table("out.parquet").num_rows(),
        2 * ROWS,
        "the good output stays"
    );
    score("--max-age 1h").ok();
    let two_hours_ago = std::time::SystemTime::now() - Duration::from_hours(2);
    let age = |name: &str| {
        std::fs::File::options()
            .append(true)
            .open(room.path(name))
            .unwrap()
            .set_modified(two_hours_ago)
            .unwrap();
    };
    age("in-0.parquet");
    score("--max-age 1h").ok();
    age("in-1.parquet");
    let run = score("--max-age 1h").fails(5);
    assert!(
        run.stderr
            .contains("the newest input is 2 h old, more than the 60 m of `--max-age`"),
        "{run}"
    );
    score("--max-age 3h").ok();
    assert!(score("--max-age soon").fails(2).stderr.contains("26h"));
    score("--skip-code 99").fails(99);
}

#[test]
fn a_broken_file_is_left_out_whole_and_accounted_for() {
    let room = room();
    let mut bytes = std::fs::read(room.path("in-1.parquet")).unwrap();
    let middle = bytes.len() / 2;
    bytes[4..60].fill(0xff);
    room.file("in-1.parquet", &bytes);
    room.file("in-2.parquet", &bytes[..middle]);
    room.tallow(&format!("{SCORE} --output out/")).fails(1);
    let run = room
        .tallow(&format!(
            "{} --output out/ --on-bad-file skip",
            SCORE.replace("--quiet", "--format json")
        ))
        .ok();
    assert_eq!(run.json()["ledger"]["rows_in"], ROWS);
    assert!(
        run.json()["bad_files"]["in-1.parquet"]["reason"]
            .as_str()
            .unwrap()
            .contains("cannot decode"),
        "{run}"
    );
    assert!(
        run.json()["bad_files"]["in-2.parquet"]["reason"]
            .as_str()
            .unwrap()
            .contains("footer"),
        "{run}"
    );
    assert!(run.stderr.contains("dropped"), "{run}");
    let run = room
        .tallow("score --model good.json in-1.parquet --output one.parquet --on-bad-file skip")
        .fails(1);
    let first_line =
        "error: no file of the data can be read (`in-1.parquet`)\n  caused by: cannot decode ";
    assert!(run.stderr.starts_with(first_line), "{run}");
}

#[test]
fn text_under_the_name_of_another_format_is_a_broken_file() {
    let room = room();
    room.file("in-1.parquet", "<html>the proxy is down</html>\n");
    let run = room.tallow(&format!("{SCORE} --output out/")).fails(1);
    let first_line = "error: cannot read the file: it is an HTML page, not Parquet or delimited \
                      text (`in-1.parquet`)\n";
    assert!(run.stderr.starts_with(first_line), "{run}");
    room.file("in-1.parquet", "the proxy is down\n");
    let run = room.tallow(&format!("{SCORE} --output out/")).fails(1);
    assert!(
        run.stderr.starts_with(
            "error: cannot read the file: it is named as Parquet, but holds text \
             (`in-1.parquet`)\n"
        ),
        "{run}"
    );
    let run = room
        .tallow(&format!(
            "{} --output out/ --on-bad-file skip",
            SCORE.replace("--quiet", "--format json")
        ))
        .ok();
    assert_eq!(run.json()["ledger"]["rows_in"], 2 * ROWS);
    assert_eq!(
        run.json()["bad_files"]["in-1.parquet"]["reason"],
        "it is named as Parquet, but holds text"
    );
}

#[test]
fn a_finished_data_set_that_lost_a_file_names_it() {
    let room = room();
    room.tallow(&format!("{SCORE} --output out/")).ok();
    std::fs::remove_file(room.path("out/part-00003.parquet")).unwrap();
    let run = room.tallow(&format!("{SCORE} --output out/")).fails(1);
    assert!(
        run.stderr
            .contains("its file `part-00003.parquet` is missing or not as it was written"),
        "{run}"
    );
    room.tallow(&format!("{SCORE} --output out/ --overwrite"))
        .ok();
    let mut bytes = std::fs::read(room.path("out/part-00003.parquet")).unwrap();
    bytes[40] ^= 1;
    room.file("out/part-00003.parquet", bytes);
    let run = room.tallow(&format!("{SCORE} --output out/")).fails(1);
    assert!(
        run.stderr
            .contains("its file `part-00003.parquet` is missing or not as it was written"),
        "{run}"
    );
}

#[test]
fn a_run_that_could_not_be_laid_out_is_not_a_unfinished_run() {
    let room = room();
    room.tallow(&format!("{SCORE} --output out/ --partition-by prediction"))
        .fails(2);
    room.tallow(&format!("{SCORE} --output out/ --partition-by region"))
        .ok();
}

#[test]
fn an_unfinished_data_set_is_inspected_as_what_it_is() {
    let room = room();
    room.file("out/_tallow/identity.json", "{}");
    let run = room.tallow("inspect out").fails(3);
    assert!(
        run.stderr.starts_with(
            "contract error: the directory holds a data set that is not finished (`out`)\nhint: \
             the same `tallow score`"
        ),
        "{run}"
    );
}

#[test]
fn in_corrected_text_an_empty_field_is_null() {
    let room = room();
    room.tallow(&format!("{SCORE} --output out/")).ok();
    let rows = table(&room.path("out/_tallow/rejected/part-00000.pq"));
    let rendered = ["id", "rejected_file", "rejected_row"].map(|name| texts(column(&rows, name)));
    let value = |index: usize, row: usize| rendered[index][row].clone().unwrap();
    let line = |row: usize| {
        format!(
            "{},north,0.25,,{},{}\n",
            value(0, row),
            value(1, row),
            value(2, row)
        )
    };
    let lines: String = (0..rows.num_rows()).map(line).collect::<Vec<_>>().concat();
    room.file(
        "mended.csv",
        format!("id,region,a,b,rejected_file,rejected_row\n{lines}"),
    );
    let run = room
        .tallow("retry out --corrected mended.csv --format json")
        .ok();
    assert_eq!(run.json()["ledger"]["rejected"], 210 - 10, "{run}");
}

/// Gives the first `most` rejected rows of a part the value that they lack.
pub(crate) fn correct(room: &Room, directory: &str, part: &str, most: usize) {
    let path = format!("{directory}/_tallow/rejected/{part}.pq");
    let rows = table(&room.path(&path));
    let a: Float32Array = (0..rows.num_rows())
        .map(|row| (row < most).then_some(0.25))
        .collect();
    let fields = rows.schema();
    let columns = fields.fields().iter().zip(rows.columns());
    let columns = columns.map(|(field, column)| {
        (
            field.name().clone(),
            if field.name() == "a" {
                Arc::new(a.clone()) as ArrayRef
            } else {
                column.clone()
            },
            true,
        )
    });
    room.parquet(
        &path,
        &RecordBatch::try_from_iter_with_nullable(columns).unwrap(),
        1_000,
    );
}

#[test]
fn corrected_rows_end_as_if_they_had_never_been_bad() {
    let room = room();
    room.tallow(&format!("{SCORE} --output out/")).ok();
    let run = room.tallow("retry out").ok();
    assert!(
        run.stderr
            .starts_with("nothing to correct in `out/`: no row in `_tallow/rejected/` was changed"),
        "{run}"
    );
    assert_eq!(
        ids(&room.path("out")).len(),
        (0..3 * ROWS).filter(|id| id % 100 != 7).count()
    );
    let untouched = std::fs::read(room.path("out/part-00003.parquet")).unwrap();
    // All rows of two parts are corrected, then half of a third, then the other half.
    let correct = |part: &str, most: usize| correct(&room, "out", part, most);
    ["part-00000", "part-00007"]
        .iter()
        .for_each(|part| correct(part, 10));
    correct("part-00005", 5);
    let run = room.tallow("retry out --format json").ok();
    assert_eq!(run.json()["ledger"]["rejected"], 210 - 25, "{run}");
    assert!(
        run.stderr
            .starts_with("remaking 3 of 22 parts with 30 corrected rows\n"),
        "only those with a mended row: {run}"
    );
    assert!(!room.path("out/_tallow/rejected/part-00000.pq").exists());
    assert_eq!(
        untouched,
        std::fs::read(room.path("out/part-00003.parquet")).unwrap()
    );
    for part in (0..=21)
        .map(|part| format!("part-{part:05}"))
        .filter(|part| {
            room.path(&format!("out/_tallow/rejected/{part}.pq"))
                .exists()
        })
    {
        correct(&part, 10);
    }
    room.tallow("retry --quiet out").ok();
    let run = room.tallow("retry out").ok();
    assert!(run.stderr.contains("no row of it was rejected"), "{run}");
    // The same rows, had they been right from the start.
    for file in 0..3 {
        let good = rows(file * ROWS, ROWS);
        let a = good.column(2).clone();
        let a: Float32Array =
            arrow::array::AsArray::as_primitive::<arrow::datatypes::Float32Type>(&a)
                .iter()
                .map(|a| Some(a.unwrap_or(0.25)))
                .collect();
        let columns = ["id", "region", "a", "b"].map(|name| {
            (
                name,
                if name == "a" {
                    Arc::new(a.clone()) as ArrayRef
                } else {
                    column(&good, name).clone()
                },
                true,
            )
        });
        room.parquet(
            &format!("in-{file}.parquet"),
            &RecordBatch::try_from_iter_with_nullable(columns).unwrap(),
            2_500,
        );
    }
    room.tallow(&format!("{SCORE} --output good/")).ok();
    for part in (0..=21).map(|part| format!("part-{part:05}.parquet")) {
        assert_eq!(
            table(&room.path("out").join(&part)),
            table(&room.path("good").join(&part)),
            "{part}"
        );
    }
    let run = room.tallow("retry out --skip-code 99").fails(99);
    assert!(
        run.stderr
            .starts_with("nothing to correct in `out/`: no row of it was rejected"),
        "{run}"
    );
}

#[test]
fn corrected_rows_are_distinguished_from_those_that_were_only_copied() {
    let room = room();
    room.tallow(&format!("{SCORE} --output out/")).ok();
    let copy = std::fs::read(room.path("out/_tallow/rejected/part-00007.pq")).unwrap();
    room.file("copies/part.parquet", &copy);
    let before = std::fs::metadata(room.path("out/_tallow/manifest.json"))
        .unwrap()
        .modified()
        .unwrap();
    for line in [
        "retry out --skip-code 99",
        "retry out --skip-code 99 --corrected copies",
        // The flag's earlier name.
        "retry out --skip-code 99 --mended copies",
    ] {
        let run = room.tallow(&format!("{line} --format json")).fails(99);
        assert_eq!(
            (&run.json()["status"], &run.json()["exit_code"]),
            (&"nothing_to_do".into(), &99.into()),
            "{run}"
        );
    }
    assert_eq!(
        before,
        std::fs::metadata(room.path("out/_tallow/manifest.json"))
            .unwrap()
            .modified()
            .unwrap()
    );
}

#[test]
fn corrected_rows_that_were_never_rejected_or_come_twice_are_refused() {
    let room = room();
    room.tallow(&format!("{SCORE} --output out/")).ok();
    let files_before = files(&room.path("out"));
    let rejected = table(&room.path("out/_tallow/rejected/part-00000.pq"));
    let row = texts(column(&rejected, "rejected_row"))[0].clone().unwrap();
    let corrected = |rows: &[&str]| {
        let lines: String = rows
            .iter()
            .map(|row| format!("1,north,0.25,,in-0.parquet,{row}\n"))
            .collect::<Vec<_>>()
            .concat();
        room.file(
            "mended.csv",
            format!("id,region,a,b,rejected_file,rejected_row\n{lines}"),
        );
        room.tallow("retry out --corrected mended.csv")
            .fails(3)
            .stderr
    };
    let twice = corrected(&[&row, &row]);
    assert!(
        twice.starts_with(&format!(
            "contract error: row corrected twice: in `mended.csv` (`in-0.parquet`, row {row})\n"
        )),
        "{twice}"
    );
    for other in ["1", "999999"] {
        let never = corrected(&[&row, other]);
        assert!(
            never.starts_with(&format!(
                "contract error: a corrected row was never rejected (`in-0.parquet`, row \
                 {other})\n"
            )),
            "{never}"
        );
    }
    assert!(
        files(&room.path("out")) == files_before,
        "nothing was touched"
    );
    // Without the part's table only the number of rows can be checked; what was corrected before
    // may be corrected again.
    let row_numbers: Vec<String> = texts(column(&rejected, "rejected_row"))
        .into_iter()
        .flatten()
        .collect();
    std::fs::remove_file(room.path("out/_tallow/rejected/part-00000.pq")).unwrap();
    let all: Vec<&str> = row_numbers.iter().map(String::as_str).collect();
    let more = corrected(&[&all[..], &["999"]].concat());
    assert!(
        more.starts_with(
            "contract error: more rows were corrected than the 10 rows that were rejected there \
             (`in-0.parquet`, row 999)"
        ),
        "{more}"
    );
    room.file(
        "out/_tallow/rejected/part-00000.pq",
        &files_before["_tallow/rejected/part-00000.pq"],
    );
    room.file(
        "mended.csv",
        format!("id,region,a,b,rejected_file,rejected_row\n1,north,0.25,,in-0.parquet,{row}\n"),
    );
    for _again in 0..2 {
        room.tallow("retry --quiet out --corrected mended.csv").ok();
    }
}

#[test]
fn corrected_rows_that_do_not_fit_are_refused() {
    let room = room();
    room.tallow(&format!("{SCORE} --output out/")).ok();
    // `--corrected` is the earlier name of the flag.
    for flag in ["--corrected", "--mended"] {
        let bad = room
            .tallow(&format!("retry out {flag} in-0.parquet"))
            .fails(3);
        assert!(bad.stderr.contains("identifies the row"), "{bad}");
    }
    room.parquet("in-0.parquet", &rows(9, ROWS), 2_500);
    let changed = room.tallow("retry out").fails(3);
    assert!(
        changed.stderr.contains("the input `in-0.parquet`"),
        "{changed}"
    );
    assert!(room.path("out/_SUCCESS").exists());
    room.tallow("retry in-1.parquet").fails(1);
    room.tallow("retry nowhere").fails(1);
}

#[test]
fn what_is_wrong_with_a_corrected_row_is_in_the_table_that_it_comes_from() {
    let state = Room::new();
    state.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    state.file("rows.csv", "id,a,b\n1,0.25,0.5\n2,,0.5\n3,,1\n");
    state
        .tallow("score --model good.json rows.csv --output out/ --on-null a=reject")
        .ok();
    let table = |value: &str| {
        format!("id,a,b,rejected_file,rejected_row\n3,0.5,1,rows.csv,3\n2,{value},0.5,rows.csv,2\n")
    };
    state.file("fixed.csv", table("abc"));
    let run = state.tallow("retry out --corrected fixed.csv").fails(1);
    assert!(
        run.stderr.contains("(`fixed.csv`, row 2, column `a`)"),
        "{run}"
    );
    assert!(!run.stderr.contains("--on-unseen"), "{run}");
    state.file("fixed.csv", table("0.75"));
    state.tallow("retry out --corrected fixed.csv").ok();
}

#[test]
fn a_damaged_record_of_a_part_is_refused_or_made_again() {
    const LINE: &str = "score --model good.json rows.csv --output out/ --rows-per-part 2 --on-null \
                        a=reject";
    let state = Room::new();
    state.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    state.file(
        "rows.csv",
        "id,a,b\n1,0.25,0.5\n2,0.5,0.5\n3,,1\n4,1,1\n5,,1\n6,0,0\n",
    );
    state.tallow(&format!("{LINE} --max-errors 1")).fails(4);
    let record = std::fs::read(state.path("out/_tallow/part-00001.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let whole = state.tallow(LINE).ok();
    assert!(whole.stderr.contains("finished already"), "{whole}");
    let expected = state.table("out/part-00001.parquet");
    // (where in the record, what is there instead, whether the part is made again in silence)
    let max = serde_json::json!(u64::MAX);
    let cases = [
        ("/rows/0/1/scored", serde_json::json!(2), false),
        ("/rows/0/1/rejected", serde_json::json!(0), false),
        ("/rows/0/1/rows_in", max.clone(), false),
        ("/rows/0/1/filtered", max.clone(), false),
        ("/rows/0/0", serde_json::json!(1), false),
        ("/end/file", max.clone(), false),
        ("/start/row", max.clone(), false),
        ("/reasons/0/0", serde_json::json!(99), false),
        ("/reasons/0/2", max.clone(), false),
        ("/coercions", serde_json::json!([]), false),
        ("/files/0/rows", max.clone(), false),
        ("/files", serde_json::json!([]), false),
        ("/number", max, true),
        ("/number", serde_json::json!(7), true),
        ("/files/0/sha256", serde_json::json!("00"), true),
    ];
    for (pointer, value, is_made_again) in cases {
        let room = Room::new();
        for name in ["good.json", "rows.csv"] {
            room.file(name, std::fs::read(state.path(name)).unwrap());
        }
        room.tallow(&format!("{LINE} --max-errors 1")).fails(4);
        let mut damaged = record.clone();
        *damaged.pointer_mut(pointer).unwrap() = value.clone();
        room.file("out/_tallow/part-00001.json", damaged.to_string());
        let run = room.tallow(LINE);
        if is_made_again {
            run.ok();
        } else {
            let run = run.fails(1);
            assert!(
                run.stderr.contains("the record of part 1 is damaged"),
                "{pointer} {value}: {run}"
            );
            room.tallow(&format!("{LINE} --restart")).ok();
        }
        assert_eq!(room.table("out/part-00001.parquet"), expected, "{pointer}");
    }
}
