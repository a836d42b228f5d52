//! How much memory does a run take, at most, and does `--memory` hold?
//!
//! `cargo bench --bench memory`. A model of 20 trees and tables of 28 numbers are made in a
//! temporary directory (some 1.5 GB); then the program itself runs over up to 50 million rows, and
//! over tables of awkward shapes: hundreds of partitions, thousands of columns, giant pages. Each
//! run says its peak resident size, and `check` says before what it expects. Ends with an error if
//! the peak grows with the rows, or is above what `--memory` or `check` says.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use serde_json::{Value as Json, json};
use tallow::storage::PendingFile;

const COLUMNS: usize = 28;
const TREES: usize = 20;
const DEPTH: u32 = 6;

/// Rows that are made and written at once.
const BATCH_ROWS: usize = 20_000;

/// As many giant texts: a page ends at the first border of what is written at once that is behind
/// its size.
const GIANT_ROWS: usize = 50;

/// Bytes of each text of the table of long texts.
const TEXT_BYTES: usize = 4_096;

/// Columns of words, and of delimited text, of the wide tables.
const WORD_COLUMNS: usize = 272;
const TEXT_COLUMNS: usize = 3_000;

/// Values of the column that makes partitions.
const KEYS: u64 = 250;

/// Row groups as pyarrow writes them by default.
const GROUP_ROWS: usize = 1 << 20;

/// The rows that the peak of a run must not depend on, and how far it may lie apart: which portions
/// are in flight together is chance.
const MAX_GROWTH: f64 = 1.3;

/// Numbers that look random and are the same on every machine (Knuth, "The Art of Computer
/// Programming", 3.3.4).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn fraction(&mut self) -> f32 {
        self.next() as f32 / (1_u64 << 31) as f32
    }
}

fn main() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name);
    write(&path("model.json"), model().to_string().as_bytes());
    table(&path("two.parquet"), 2_000_000, GROUP_ROWS, PAGE_BYTES, &[]);
    table(
        &path("group.parquet"),
        5_000_000,
        5_000_000,
        PAGE_BYTES,
        &[],
    );
    table(
        &path("texts.parquet"),
        60_000,
        60_000,
        PAGE_BYTES,
        &[Further::Texts(TEXT_BYTES)],
    );
    table(
        &path("keys.parquet"),
        1_000_000,
        GROUP_ROWS,
        PAGE_BYTES,
        &[Further::Keys],
    );
    table(
        &path("words.parquet"),
        50_000,
        50_000,
        PAGE_BYTES,
        &[Further::Words; WORD_COLUMNS],
    );
    table(
        &path("giant.parquet"),
        4_000,
        4_000,
        8 << 20,
        &[Further::Texts(100_000)],
    );
    delimited(&path("wide.csv"), 8_000);
    println!(
        "{:60} {:>8} {:>9} {:>12} {:>8}",
        "run", "workers", "peak MiB", "expected MiB", "seconds"
    );
    let peaks = [1, 10, 25].map(|times| {
        run(
            directory.path(),
            &format!("{} million rows", 2 * times),
            &vec!["two.parquet"; times],
            &[],
            FILE,
        )
    });
    run(
        directory.path(),
        "5 million rows in one row group",
        &["group.parquet"],
        &[],
        FILE,
    );
    run(
        directory.path(),
        "60 thousand texts of 4 kB",
        &["texts.parquet"],
        &[],
        FILE,
    );
    let none: &[&str] = &[];
    for (file, name, shared, output) in [
        ("two.parquet", "2 million rows", none, FILE),
        ("group.parquet", "one row group", none, FILE),
        ("texts.parquet", "texts", none, FILE),
        ("keys.parquet", "250 partitions", ALL, PARTITIONS),
        ("words.parquet", "300 columns", none, FILE),
        ("wide.csv", "3000 columns of text", ALL, FILE),
        ("giant.parquet", "texts of 100 kB", none, FILE),
    ] {
        for (memory, threads) in [(200, "2"), (256, "2"), (512, "16"), (1_024, "16")] {
            let limit = format!("{memory}MiB");
            let name = format!("{name}, --memory {limit} --threads {threads}");
            let peak = run(
                directory.path(),
                &name,
                &[file],
                &[&["--memory", &limit, "--threads", threads], shared].concat(),
                output,
            );
            assert!(peak <= f64::from(memory), "`--memory {limit}` was not kept");
        }
    }
    assert!(
        peaks[2] <= peaks[0] * MAX_GROWTH,
        "memory grows with the rows: {peaks:?}"
    );
}

/// Scores the files, with flags that `check` knows too; gives the peak resident size in MiB.
fn run(directory: &Path, name: &str, files: &[&str], shared: &[&str], output: &[&str]) -> f64 {
    let work = [
        &["--format", "json", "--model", "model.json"],
        files,
        shared,
    ]
    .concat();
    let expected = rendered(directory, &[&["check"], &work[..]].concat())["estimated_memory_bytes"]
        .as_f64()
        .expect("a number")
        / MEBIBYTE;
    let rendered = rendered(
        directory,
        &[&["score", "--quiet", "--overwrite"], &work[..], output].concat(),
    );
    let number = |metric: &str| rendered["performance"][metric].as_f64().expect("a number");
    let peak = number("peak_memory_bytes") / MEBIBYTE;
    println!(
        "{name:60} {:>8} {peak:>9.0} {expected:>12.0} {:>8.1}",
        number("threads"),
        number("wall_seconds")
    );
    assert!(peak <= expected, "`check` expected less");
    peak
}

/// Where rows go: a file, or directories.
const FILE: &[&str] = &["--output", "out.parquet"];
const PARTITIONS: &[&str] = &["--restart", "--output", "parts/", "--partition-by", "key"];

const ALL: &[&str] = &["--passthrough", "all"];

const MEBIBYTE: f64 = (1 << 20) as f64;

/// What the program says on standard output.
fn rendered(directory: &Path, arguments: &[&str]) -> Json {
    let output = Command::new(env!("CARGO_BIN_EXE_tallow"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("the program");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// A column alongside the numbers.
#[derive(Clone, Copy)]
enum Further {
    /// Texts of so many bytes, hardly any twice.
    Texts(usize),
    /// One of [`KEYS`] words, in a column `key`.
    Keys,
    /// One of 50 000 words.
    Words,
}

/// What most writers put in a page.
const PAGE_BYTES: usize = 1 << 20;

fn write(path: &Path, bytes: &[u8]) {
    let mut file = PendingFile::create(path, false).expect("a file");
    std::io::Write::write_all(&mut file, bytes).expect("bytes on the disk");
    file.publish(false).expect("a name");
}

/// A number for each row, 28 to score, and further columns.
fn table(path: &Path, rows: usize, group_rows: usize, page_bytes: usize, further: &[Further]) {
    let mut file = PendingFile::create(path, false).expect("a file");
    let properties = WriterProperties::builder()
        .set_compression(parquet::basic::Compression::SNAPPY)
        .set_max_row_group_row_count(Some(group_rows))
        .set_data_page_size_limit(page_bytes)
        .build();
    let mut numbers = Numbers(1);
    let mut writer = ArrowWriter::try_new(
        &mut file,
        batch(&mut numbers, 0, 0, further).schema(),
        Some(properties),
    )
    .expect("a writer");
    let step = if further
        .iter()
        .any(|column| matches!(column, Further::Texts(bytes) if *bytes > TEXT_BYTES))
    {
        GIANT_ROWS
    } else {
        BATCH_ROWS
    };
    for first in (0..rows).step_by(step) {
        writer
            .write(&batch(&mut numbers, first, step.min(rows - first), further))
            .expect("rows on the disk");
    }
    writer.close().expect("a footer");
    file.publish(false).expect("a name");
}

fn batch(numbers: &mut Numbers, first: usize, rows: usize, further: &[Further]) -> RecordBatch {
    let mut columns = vec![(
        "id".to_owned(),
        Arc::new(
            (first..first + rows)
                .map(|row| row as i64)
                .collect::<Int64Array>(),
        ) as ArrayRef,
    )];
    for (position, column) in further.iter().enumerate() {
        let name = if matches!(column, Further::Keys) {
            "key".to_owned()
        } else {
            format!("text{position}")
        };
        let mut text = || match column {
            Further::Texts(bytes) => (0..*bytes)
                .map(|_| char::from(b'a' + (numbers.next() % 26) as u8))
                .collect::<String>(),
            Further::Keys => format!("key-{:03}", numbers.next() % KEYS),
            Further::Words => format!("one of many words {:05}", numbers.next() % 50_000),
        };
        columns.push((
            name,
            Arc::new((0..rows).map(|_| Some(text())).collect::<StringArray>()),
        ));
    }
    for index in 0..COLUMNS {
        columns.push((
            format!("f{index}"),
            Arc::new(
                (0..rows)
                    .map(|_| numbers.fraction())
                    .collect::<Float32Array>(),
            ),
        ));
    }
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// Delimited text of [`TEXT_COLUMNS`] columns, of which the first are to score.
fn delimited(path: &Path, rows: usize) {
    let mut file = PendingFile::create(path, false).expect("a file");
    let mut numbers = Numbers(3);
    let mut line = |text: String| {
        std::io::Write::write_all(&mut file, text.as_bytes()).expect("text on the disk");
    };
    line(
        (0..TEXT_COLUMNS)
            .map(|column| format!("f{column}"))
            .collect::<Vec<_>>()
            .join(",")
            + "\n",
    );
    for _ in 0..rows {
        line(
            (0..TEXT_COLUMNS)
                .map(|_| format!("{:.4}", numbers.fraction()))
                .collect::<Vec<_>>()
                .join(",")
                + "\n",
        );
    }
    file.publish(false).expect("a name");
}

/// Trees that are full to their depth, as XGBoost writes them.
fn model() -> Json {
    let mut numbers = Numbers(2);
    let trees: Vec<Json> = (0..TREES).map(|index| tree(&mut numbers, index)).collect();
    json!({"version": [3, 2, 0], "learner": {
        "attributes": {},
        "feature_names": (0..COLUMNS).map(|index| format!("f{index}")).collect::<Vec<_>>(),
        "feature_types": [],
        "gradient_booster": {"name": "gbtree", "model": {
            "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": TREES.to_string()},
            "iteration_indptr": (0..=TREES).collect::<Vec<_>>(),
            "tree_info": vec![0; TREES],
            "trees": trees,
        }},
        "learner_model_param": {
            "base_score": "5E-1", "boost_from_average": "1", "num_class": "0",
            "num_feature": COLUMNS.to_string(), "num_target": "1"
        },
        "objective": {"name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}},
    }})
}

fn tree(numbers: &mut Numbers, index: usize) -> Json {
    let (inner, nodes) = ((1_usize << DEPTH) - 1, (1_usize << (DEPTH + 1)) - 1);
    let child = |node: usize, side: usize| {
        if node < inner {
            (2 * node + side) as i64
        } else {
            -1
        }
    };
    json!({
        "id": index,
        "left_children": (0..nodes).map(|node| child(node, 1)).collect::<Vec<_>>(),
        "right_children": (0..nodes).map(|node| child(node, 2)).collect::<Vec<_>>(),
        "parents": (0..nodes)
            .map(|node| if node == 0 { 2_147_483_647 } else { (node - 1) / 2 })
            .collect::<Vec<_>>(),
        "split_indices": (0..nodes).map(|_| numbers.next() as usize % COLUMNS).collect::<Vec<_>>(),
        "split_conditions": (0..nodes).map(|_| numbers.fraction()).collect::<Vec<_>>(),
        "split_type": vec![0; nodes],
        "default_left": vec![0; nodes],
        "base_weights": vec![0.0; nodes],
        "loss_changes": vec![0.0; nodes],
        "sum_hessian": vec![1.0; nodes],
        "categories": [], "categories_nodes": [], "categories_segments": [], "categories_sizes": [],
        "tree_param": {
            "num_deleted": "0", "num_feature": COLUMNS.to_string(),
            "num_nodes": nodes.to_string(), "size_leaf_vector": "1",
        },
    })
}
