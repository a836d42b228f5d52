//! Every case under `data/golden`, end to end: the columns that the original library's own numbers
//! say, and the leaf of every tree.
//!
//! A case is a directory with `model.*`, `input.parquet`, `expected.parquet`, perhaps
//! `leaves.parquet`, and `case.json` (model, tolerances, further arguments). `ORIGIN.md` says which
//! script and versions made it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use clap::Parser;
use serde::Deserialize;
use tallow::cli::args::{Cli, Verb};
use tallow::feature::FeatureBlock;
use tallow::feature::verdict::{Coercions, Origin};
use tallow::model::{Scores, Wants};
use tallow::plan::Plan;

use crate::harness::{Room, column, data, numbers, table, texts};

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) model: String,
    tolerance: f64,
    #[serde(default)]
    margin_tolerance: f64,
    #[serde(default)]
    pub(crate) arguments: Vec<String>,
    /// Whether the expected columns hold the margins, too.
    #[serde(default = "yes")]
    pub(crate) raw: bool,
    /// Other files of the same model.
    #[serde(default)]
    also: Vec<String>,
}

fn yes() -> bool {
    true
}

pub(crate) fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(data("golden"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("case.json").exists())
        .collect();
    cases.sort();
    cases
}

pub(crate) fn read(case: &Path) -> Case {
    serde_json::from_slice(&std::fs::read(case.join("case.json")).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", case.display()))
}

#[test]
fn every_case_scores_as_its_library_does() {
    let mut failures = Vec::new();
    for directory in cases() {
        failures.extend(failures_of(&directory));
    }
    assert!(
        failures.is_empty(),
        "{} differences:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// The cases of `data/golden/catboost_ctr.py --matrix FOLDER`, where the folder is named.
#[test]
fn catboost_matrix() {
    let Some(folder) = std::env::var_os("TALLOW_CATBOOST_MATRIX") else {
        return;
    };
    let cases: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("case.json").exists())
        .collect();
    let failures: Vec<String> = cases.iter().flat_map(|case| failures_of(case)).collect();
    assert!(
        failures.is_empty() && cases.len() >= 60,
        "{} cases, {} differences:\n{}",
        cases.len(),
        failures.len(),
        failures.join("\n")
    );
}

/// How the scores of a case differ from its library's, for each file of the model.
fn failures_of(directory: &Path) -> Vec<String> {
    let case = read(directory);
    let mut failures = Vec::new();
    for file in std::iter::once(&case.model).chain(&case.also) {
        let name = format!(
            "{}/{file}",
            directory.file_name().unwrap().to_string_lossy()
        );
        let room = Room::new();
        let (model, input, output) = (
            directory.join(file),
            directory.join("input.parquet"),
            room.path("out.parquet"),
        );
        let fixed = [
            "score",
            "--model",
            model.to_str().unwrap(),
            input.to_str().unwrap(),
            "--output",
            output.to_str().unwrap(),
            "--passthrough",
            "none",
        ];
        // A graph finishes its own columns: it has no margins to add.
        let raw = (case.raw && !name.starts_with("onnx")).then_some("--raw");
        let run = room.run(
            fixed
                .iter()
                .copied()
                .chain(raw)
                .chain(case.arguments.iter().map(String::as_str)),
        );
        if run.code != 0 {
            failures.push(format!("{name}: {run}"));
            continue;
        }
        failures.extend(
            differences(
                &case,
                &table(&directory.join("expected.parquet")),
                &table(&output),
            )
            .into_iter()
            .map(|difference| format!("{name}: {difference}")),
        );
    }
    failures
}

pub(crate) fn differences(case: &Case, expected: &RecordBatch, found: &RecordBatch) -> Vec<String> {
    let names = |batch: &RecordBatch| {
        batch
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect::<Vec<_>>()
    };
    let (mut requested, mut provided) = (names(expected), names(found));
    requested.sort();
    provided.sort();
    if requested != provided {
        return vec![format!("columns {provided:?}, expected {requested:?}")];
    }
    if expected.num_rows() != found.num_rows() {
        return vec![format!(
            "{} rows, expected {}",
            found.num_rows(),
            expected.num_rows()
        )];
    }
    requested
        .iter()
        .filter_map(|name| difference(case, name, expected, found))
        .collect()
}

/// The values of lists, one after another.
fn flat(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::FixedSizeList(..) => column.as_fixed_size_list().values().clone(),
        DataType::List(_) => column.as_list::<i32>().values().clone(),
        DataType::LargeList(_) => column.as_list::<i64>().values().clone(),
        _ => column.clone(),
    }
}

fn difference(
    case: &Case,
    name: &str,
    expected: &RecordBatch,
    found: &RecordBatch,
) -> Option<String> {
    let (requested, provided) = (column(expected, name), column(found, name));
    if let (Some(requested), Some(provided)) = (
        requested.as_list_opt::<i64>(),
        provided.as_list_opt::<i64>(),
    ) && requested.value_offsets() != provided.value_offsets()
    {
        return Some(format!("`{name}` has lists of other lengths than expected"));
    }
    let (requested, provided) = (&flat(requested), &flat(provided));
    // pandas writes its texts with wide offsets.
    let requested = &match requested.data_type() {
        DataType::LargeUtf8 => cast(requested, &DataType::Utf8).unwrap(),
        _ => requested.clone(),
    };
    if requested.data_type() != provided.data_type() {
        return Some(format!(
            "`{name}` is {}, expected {}",
            provided.data_type(),
            requested.data_type()
        ));
    }
    if !matches!(requested.data_type(), DataType::Float32 | DataType::Float64) {
        let row = texts(requested)
            .into_iter()
            .zip(texts(provided))
            .position(|(requested, provided)| requested != provided)?;
        return Some(format!("`{name}` differs first in row {row}"));
    }
    let tolerance = if name.starts_with("margin") {
        case.margin_tolerance
    } else {
        case.tolerance
    };
    let pairs = numbers(requested).into_iter().zip(numbers(provided));
    let wrong = |(requested, provided): (f64, f64)| {
        let both = requested.is_nan() && provided.is_nan()
            || requested.to_bits() == provided.to_bits()
            || requested == provided;
        let near = (requested - provided).abs() <= tolerance * requested.abs().max(1.0);
        !(both || near)
    };
    let (row, (requested, provided)) = pairs.enumerate().find(|(_, pair)| wrong(*pair))?;
    Some(format!(
        "`{name}` row {row} is {provided:e}, expected {requested:e}"
    ))
}

/// The leaf of every tree for every row, row after row, by the model and binding that `score` would
/// use; none for models without trees.
fn leaves(directory: &Path, case: &Case) -> Option<(usize, Vec<u32>)> {
    let (model, input) = (directory.join(&case.model), directory.join("input.parquet"));
    let fixed = [
        "tallow",
        "score",
        "--model",
        model.to_str().unwrap(),
        input.to_str().unwrap(),
        "--output",
        "none.parquet",
    ];
    let cli = Cli::try_parse_from(
        fixed
            .iter()
            .copied()
            .chain(case.arguments.iter().map(String::as_str)),
    )
    .unwrap();
    let Verb::Score(args) = cli.verb else {
        panic!("another verb")
    };
    let job = Plan::bind(&args.work.into()).unwrap().job;
    let scoring = &job.arms.iter().next().unwrap().scoring;
    let rows = table(&input);
    let nothing: ArrayRef = new_null_array(&DataType::Null, rows.num_rows());
    let encoder = scoring.encoder();
    let columns: Vec<ArrayRef> = encoder
        .inputs()
        .map(|bound| {
            rows.column_by_name(&bound.column)
                .unwrap_or(&nothing)
                .clone()
        })
        .collect();
    let model = &scoring.model().model;
    let model = model
        .as_numeric()
        .filter(|model| model.family() == "forest")?;
    let mut block = FeatureBlock::empty(model.precision());
    let mut counts = vec![Coercions::default(); columns.len()];
    let origin = Origin {
        path: &(&input).into(),
        kept_rows: None,
        first_row: 0,
    };
    encoder
        .encode(&columns, rows.num_rows(), &mut block, &mut counts, origin)
        .unwrap();
    let _offsets = block.split_last(scoring.offset_count());
    let wants = Wants {
        offsets: None,
        leaves: true,
    };
    let mut scores = Scores::empty(model.precision());
    model.worker().score(&block, &wants, &mut scores).unwrap();
    Some((rows.num_rows(), scores.leaves?))
}

/// Libraries number leaves in their own ways: the same leaf is one for which both always say the
/// same.
#[test]
fn every_row_reaches_the_leaf_that_its_library_states_in_every_tree() {
    let (mut checked, mut failures) = (0, Vec::new());
    for directory in cases()
        .into_iter()
        .filter(|directory| directory.join("leaves.parquet").exists())
    {
        let name = directory
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let expected = table(&directory.join("leaves.parquet"));
        let Some((row_count, found)) = leaves(&directory, &read(&directory)) else {
            failures.push(format!("{name}: no leaves"));
            continue;
        };
        if (expected.num_rows(), found.len()) != (row_count, row_count * expected.num_columns()) {
            failures.push(format!(
                "{name}: {} leaves, expected {} of {} rows",
                found.len(),
                expected.num_columns(),
                expected.num_rows()
            ));
            continue;
        }
        for (tree, theirs) in expected.columns().iter().enumerate() {
            let (mut there, mut here) = (HashMap::new(), HashMap::new());
            let pairs = numbers(theirs).into_iter().map(|leaf| leaf as i64).zip(
                found
                    .iter()
                    .skip(tree)
                    .step_by(expected.num_columns())
                    .copied(),
            );
            let differs = |(theirs, ours): (i64, u32)| {
                *there.entry(ours).or_insert(theirs) != theirs
                    || *here.entry(theirs).or_insert(ours) != ours
            };
            failures.extend(
                pairs
                    .map(differs)
                    .position(|differs| differs)
                    .map(|row| format!("{name}: tree {tree}, row {row}")),
            );
        }
        checked += 1;
    }
    assert!(
        failures.is_empty() && checked > 150,
        "{checked} cases, {} differences:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn every_format_has_a_golden_case() {
    let names: Vec<String> = cases()
        .iter()
        .map(|case| case.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    for importer in tallow::format::IMPORTERS {
        let name = importer.name();
        let prefix = match name {
            "safetensors" => "network_".to_owned(),
            "python" => "sklearn_".to_owned(),
            // A directory holds another format's file, or a text model of `data/golden/text`.
            _ if importer.is_of_directories() => continue,
            _ => format!("{name}_"),
        };
        assert!(
            names.iter().any(|case| case.starts_with(&prefix)),
            "no golden case for {name}"
        );
    }
}

#[test]
fn every_case_names_its_location_it_comes_from() {
    for case in cases() {
        assert!(
            case.join("ORIGIN.md").exists(),
            "{} is missing ORIGIN.md",
            case.display()
        );
    }
}
