//! Whole runs whose inputs fail while they are streamed: at every operation in turn, or by reads
//! that return a few bytes only.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::failing_disk::{Check, Sweep, check_dataset, check_files, room, tallow, timeless, tree};
use crate::storage::{Failure, Ordered};

/// Labels for the rows of the predictions, and one without a prediction.
const LABELS: &str = "id,label\n1,0\n2,1\n3,0\n4,1\n5,0\n6,1\n";

/// Writes rows in every container that is streamed, and what the runs of these tests read.
pub(super) fn write_inputs(room: &Path) {
    let directory = room.join("in");
    fs::create_dir(&directory).unwrap();
    let rows = fs::read(room.join("new.csv")).unwrap();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let (first, second) = rows.split_at(rows.len() / 2);
    let text = str::from_utf8(&rows).unwrap();
    let wide = |text: &str| {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
    };
    let predictions = text.replace(",a,b", ",probability,prediction");
    let predictions = predictions
        .replace(",,0.5", ",0.5,1")
        .replace("0.9,0.1", "0.9,1");
    let predictions = predictions
        .replace("0.25,0.5", "0.25,0")
        .replace("0.3,0.2", "0.3,0");
    let files: [(&str, Vec<u8>); 8] = [
        ("plain.csv", rows.clone()),
        ("gzip.csv.gz", [gzip(first), gzip(second)].concat()),
        ("zstd.csv.zst", zstd::encode_all(&rows[..], 1).unwrap()),
        ("wide.csv", wide(text)),
        ("wide.csv.gz", gzip(&wide(text))),
        (
            "predictions.csv.gz",
            gzip(predictions.replace("0.1,0.1", "0.1,0").as_bytes()),
        ),
        ("labels.csv.gz", gzip(LABELS.as_bytes())),
        ("labels.csv", LABELS.into()),
    ];
    for (name, bytes) in files {
        fs::write(directory.join(name), bytes).unwrap();
    }
}

const SCORE: &str = "score -qq --threads 1 --model {}/good.json --on-null a=reject";

/// A run that reads streams, and what its outputs are checked with.
const RUNS: [(&str, &Check); 6] = [
    (
        "{}/in/gzip.csv.gz --output {}/out/new.parquet",
        &check_files,
    ),
    (
        "{}/in/zstd.csv.zst --output {}/out/new.parquet",
        &check_files,
    ),
    (
        "{}/in/plain.csv --output {}/out/new.csv --rows-per-part 2",
        &check_files,
    ),
    (
        "{}/in/wide.csv --encoding utf-16 --output {}/out/new.parquet",
        &check_files,
    ),
    (
        "{}/in/wide.csv.gz --encoding utf-16 --output {}/out/set/ --rows-per-part 2",
        &check_dataset,
    ),
    (
        "{}/in/gzip.csv.gz {}/in/zstd.csv.zst {}/in/plain.csv --output {}/out/set/ \
         --rows-per-part 2 --partition-by region",
        &check_dataset,
    ),
];

const EVALUATE: &str = "evaluate {}/in/predictions.csv.gz --label label --labels \
                        {}/in/labels.csv.gz --key id --overwrite \
                        --output {}/out/evaluation.report.pq";

#[test]
fn streamed_inputs_may_fail_at_every_operation() {
    for (rest, check) in RUNS {
        for failure in [Failure::Once, Failure::FromThenOn] {
            let sweep = Sweep {
                before: &[],
                line: &format!("{SCORE} {rest}"),
                directory: "in",
                min_failures: 3,
                failure,
                check,
            };
            sweep.run();
        }
    }
}

#[test]
fn labels_and_predictions_may_fail_at_every_operation() {
    for directory in ["in", "out"] {
        for failure in [Failure::Once, Failure::FromThenOn] {
            let sweep = Sweep {
                before: &[],
                line: EVALUATE,
                directory,
                min_failures: 5,
                failure,
                check: &check_files,
            };
            sweep.run();
        }
    }
}

#[test]
fn short_reads_change_nothing() {
    let lines = RUNS.map(|(rest, _)| format!("{SCORE} {rest}"));
    let further = [
        EVALUATE.to_owned(),
        "profile {}/in/gzip.csv.gz {}/old.csv --output {}/out/new.profile.pq".to_owned(),
        "score -qq --model {}/good.json {}/in/rows.parquet --output {}/out/new.csv".to_owned(),
    ];
    for line in lines.into_iter().chain(further) {
        let room = room();
        let room = room.path();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/hostile/good.parquet");
        fs::copy(source, room.join("in/rows.parquet")).unwrap();
        let out = room.join("out");
        let made = || {
            let result = tallow(room, &line);
            assert_eq!(result, Ok(()), "{line}");
            let found = timeless(tree(&out));
            fs::remove_dir_all(&out).unwrap();
            fs::create_dir(&out).unwrap();
            found
        };
        let expected = made();
        for number in [1, 2, 3, 5] {
            let order = Ordered::new(room, number, Failure::ShortReads, 0);
            assert!(made() == expected, "{line}, from operation {number} on");
            assert!(order.has_come(), "{line}, {number}");
        }
    }
}
