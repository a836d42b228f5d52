//! How much memory does a run take, at most, and does `--memory` hold?
//!
//! `cargo bench --bench memory`. A model of 20 trees and tables of 28 numbers are made in a temporary directory (some 1.5 GB); then the program
//! itself runs over up to 50 million rows and says its peak resident size. Ends with an error if the peak grows with the rows, or is above
//! what `--memory` says.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use serde_json::{Value as Json, json};
use tallow::table::commit::PendingFile;

const COLUMNS: usize = 28;
const TREES: usize = 20;
const DEPTH: u32 = 6;

/// Rows that are made and written at once.
const BATCH_ROWS: usize = 20_000;

/// Bytes of each text of the table of long texts.
const TEXT_BYTES: usize = 4_096;

/// Row groups as pyarrow writes them by default.
const GROUP_ROWS: usize = 1 << 20;

/// The rows that the peak of a run must not depend on, and how far it may lie apart: which portions are in flight together is chance.
const MOST_GROWTH: f64 = 1.3;

/// Numbers that look random and are the same on every machine (Knuth, "The Art of Computer Programming", 3.3.4).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
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
    table(&path("two.parquet"), 2_000_000, GROUP_ROWS, false);
    table(&path("group.parquet"), 5_000_000, 5_000_000, false);
    table(&path("texts.parquet"), 60_000, 60_000, true);
    println!("{:40} {:>8} {:>9} {:>8}", "run", "workers", "peak MiB", "seconds");
    let peaks = [1, 10, 25].map(|times| run(directory.path(), &format!("{} million rows", 2 * times), &vec!["two.parquet"; times], &[]));
    run(directory.path(), "5 million rows in one row group", &["group.parquet"], &[]);
    run(directory.path(), "60 thousand texts of 4 kB", &["texts.parquet"], &[]);
    for (file, name) in [("two.parquet", "2 million rows"), ("group.parquet", "one row group"), ("texts.parquet", "texts")] {
        for (memory, threads) in [(200, "2"), (256, "2"), (512, "16"), (1_024, "16")] {
            let limit = format!("{memory}MiB");
            let name = format!("{name}, --memory {limit} --threads {threads}");
            let peak = run(directory.path(), &name, &[file], &["--memory", &limit, "--threads", threads]);
            assert!(peak <= f64::from(memory), "`--memory {limit}` was not kept");
        }
    }
    assert!(peaks[2] <= peaks[0] * MOST_GROWTH, "memory grows with the rows: {peaks:?}");
}

/// Scores the files; gives the peak resident size in MiB.
fn run(directory: &Path, name: &str, files: &[&str], further: &[&str]) -> f64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tallow"));
    command.args(["score", "--quiet", "--format", "json", "--overwrite", "--output", "out.parquet", "--model", "model.json"]);
    let output = command.args(files).args(further).current_dir(directory).output().expect("the program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Json = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let number = |metric: &str| told["performance"][metric].as_f64().expect("a number");
    let peak = number("peak_memory_bytes") / f64::from(1 << 20);
    println!("{name:40} {:>8} {peak:>9.0} {:>8.1}", number("threads"), number("wall_seconds"));
    peak
}

fn write(path: &Path, bytes: &[u8]) {
    let mut file = PendingFile::create(path, false).expect("a file");
    std::io::Write::write_all(&mut file, bytes).expect("bytes on the disk");
    file.publish(false).expect("a name");
}

/// A number for each row, 28 to score, and a long text where wanted; page and compression as most writers have them.
fn table(path: &Path, rows: usize, group_rows: usize, has_texts: bool) {
    let mut file = PendingFile::create(path, false).expect("a file");
    let compression = parquet::basic::Compression::SNAPPY;
    let properties = WriterProperties::builder().set_compression(compression).set_max_row_group_row_count(Some(group_rows)).build();
    let mut numbers = Numbers(1);
    let mut writer = ArrowWriter::try_new(&mut file, batch(&mut numbers, 0, 0, has_texts).schema(), Some(properties)).expect("a writer");
    for first in (0..rows).step_by(BATCH_ROWS) {
        writer.write(&batch(&mut numbers, first, BATCH_ROWS.min(rows - first), has_texts)).expect("rows on the disk");
    }
    writer.close().expect("a footer");
    file.publish(false).expect("a name");
}

fn batch(numbers: &mut Numbers, first: usize, rows: usize, has_texts: bool) -> RecordBatch {
    let mut columns = vec![("id".to_owned(), Arc::new((first..first + rows).map(|row| row as i64).collect::<Int64Array>()) as ArrayRef)];
    if has_texts {
        let mut text = || Some((0..TEXT_BYTES).map(|_| char::from(b'a' + (numbers.next() % 26) as u8)).collect::<String>());
        columns.push(("note".to_owned(), Arc::new((0..rows).map(|_| text()).collect::<StringArray>())));
    }
    for index in 0..COLUMNS {
        columns.push((format!("f{index}"), Arc::new((0..rows).map(|_| numbers.fraction()).collect::<Float32Array>())));
    }
    RecordBatch::try_from_iter(columns).expect("columns of one length")
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
            "base_score": "5E-1", "boost_from_average": "1", "num_class": "0", "num_feature": COLUMNS.to_string(), "num_target": "1"
        },
        "objective": {"name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}},
    }})
}

fn tree(numbers: &mut Numbers, index: usize) -> Json {
    let (inner, nodes) = ((1_usize << DEPTH) - 1, (1_usize << (DEPTH + 1)) - 1);
    let child = |node: usize, side: usize| if node < inner { (2 * node + side) as i64 } else { -1 };
    json!({
        "id": index,
        "left_children": (0..nodes).map(|node| child(node, 1)).collect::<Vec<_>>(),
        "right_children": (0..nodes).map(|node| child(node, 2)).collect::<Vec<_>>(),
        "parents": (0..nodes).map(|node| if node == 0 { 2_147_483_647 } else { (node - 1) / 2 }).collect::<Vec<_>>(),
        "split_indices": (0..nodes).map(|_| numbers.next() as usize % COLUMNS).collect::<Vec<_>>(),
        "split_conditions": (0..nodes).map(|_| numbers.fraction()).collect::<Vec<_>>(),
        "split_type": vec![0; nodes],
        "default_left": vec![0; nodes],
        "base_weights": vec![0.0; nodes],
        "loss_changes": vec![0.0; nodes],
        "sum_hessian": vec![1.0; nodes],
        "categories": [], "categories_nodes": [], "categories_segments": [], "categories_sizes": [],
        "tree_param": {"num_deleted": "0", "num_feature": COLUMNS.to_string(), "num_nodes": nodes.to_string(), "size_leaf_vector": "1"},
    })
}
