//! Model and data, opened as the options want them.
//!
//! Owns what is checked before columns meet: the model, then the files. It must not know how they
//! are bound.

use arrow::datatypes::SchemaRef;

use super::import::import_options;
use super::options::{
    binding_options, check_virtual_ensembles, graph_features, missing_values, renames,
    set_threshold,
};
use super::reading::{self, read_options};
use super::{effect, signed, text};
use crate::contract::binding::BindingOptions;
use crate::error::{Error, Result};
use crate::feature::missing::MissingValues;
use crate::format::GraphFeatures;
use crate::package::open::{OpenedModel, open};
use crate::request::rows::OnBadFile;
use crate::request::work::Work;
use crate::storage::{Location, Pins, read_unchanged};
use crate::table::ReadOptions;
use crate::table::dataset::Dataset;
use crate::table::dataset_file::BadFile;
use crate::table::location::{Located, locate};

/// The model of a run.
pub(super) struct OpenModel {
    pub(super) opened: OpenedModel,
    /// (name, value) of who signed it.
    pub(super) signed: Vec<(String, String)>,
    /// Whether it reads texts through a tokenizer.
    pub(super) reads_texts: bool,
    /// Files that are read later must be those that were vouched for.
    pub(super) pins: Pins,
}

/// Opens the model and refuses options that are not for it.
///
/// # Errors
/// Whatever is wrong with the file, its signature or the options.
pub(super) fn model(args: &Work) -> Result<OpenModel> {
    let Work {
        model,
        binding,
        outcome,
        text,
        ..
    } = args;
    let import_options = import_options(binding, outcome, text)?;
    let (vouched, signed) = signed::verified(args)?;
    let open = || read_unchanged(|| open(model, &import_options));
    let mut opened = signed::guarded(vouched.as_ref(), open)?;
    let watched = [&opened.monitoring.baseline, &opened.monitoring.reference];
    let pins = signed::pinned(vouched.as_ref(), watched.into_iter().flatten())?;
    signed::refuse_revoked(args, &opened)?;
    check_virtual_ensembles(&opened, outcome.virtual_ensembles)?;
    if !binding.rows_axis.is_empty() && opened.loaded.model.family() != "graph" {
        return Err(Error::usage(
            "`--rows-axis` is for ONNX graphs, and this model reads one row after the other",
        )
        .hint("remove the flag"));
    }
    let reads_texts = text::reads_texts(&opened.loaded.contract);
    if !reads_texts {
        text::refuse(text)?;
        set_threshold(&mut opened, outcome.threshold)?;
    }
    effect::refuse(args, &opened, reads_texts)?;
    Ok(OpenModel {
        opened,
        signed,
        reads_texts,
        pins,
    })
}

/// The data of a run, and how its columns are to meet the model.
pub(super) struct OpenData<'a> {
    pub(super) dataset: Dataset,
    pub(super) schema: SchemaRef,
    pub(super) bad_files: Vec<BadFile>,
    /// Files in directories whose names do not end as those of tables do.
    pub(super) ignored: Vec<Location>,
    pub(super) options: BindingOptions,
    /// The value of `--features`, unless a graph was fed by it already.
    pub(super) features: Option<&'a str>,
    pub(super) missing: MissingValues,
}

/// Opens the data.
///
/// # Errors
/// A usage error for options that do not parse; fails if a file is missing or broken.
pub(super) fn data<'a>(args: &'a Work, opened: &OpenedModel) -> Result<OpenData<'a>> {
    let Work {
        inputs,
        binding,
        rows,
        resources,
        ..
    } = args;
    let renames = renames(binding)?;
    let mut options = BindingOptions {
        renaming: opened.loaded.contract.renaming,
        has_others: !args.challengers.challenger.is_empty(),
        ..binding_options(binding)?
    };
    let portion_rows = opened.loaded.model.portion_rows();
    let batch_rows = resources.batch_rows.or(portion_rows);
    let mut reading = read_options(rows, batch_rows, &renames)?;
    reading.text_columns = reading::text_columns(&opened.loaded.contract, &options, &renames);
    let found = locate(inputs, rows.any_ending)?;
    let (dataset, bad_files) = open_dataset(&found.files, &renames, &reading, rows.on_bad_file)?;
    let is_fed = is_fed(opened, &graph_features(binding)?)?;
    let features = binding.features.as_deref().and_then(<[String]>::first);
    let features = features.map(String::as_str).filter(|_| !is_fed);
    if is_fed {
        options.features = None;
    }
    let mut missing = missing_values(&rows.missing, dataset.is_text())?;
    missing.spelt_numbers = dataset.spelt_numbers();
    missing.number_format = dataset.options().numbers;
    Ok(OpenData {
        schema: dataset.schema(),
        dataset,
        bad_files,
        ignored: found.ignored,
        options,
        features,
        missing,
    })
}

/// Whether the columns that `--features` names for inputs of a graph are those of the contract
/// already.
fn is_fed(opened: &OpenedModel, features: &[GraphFeatures]) -> Result<bool> {
    let contract = &opened.loaded.contract;
    let has = |column: &String| contract.inputs.iter().any(|input| input.name == *column);
    let is_fed = opened.loaded.model.family() == "graph"
        && !features.is_empty()
        && contract.named
        && features.iter().all(|one| one.columns.iter().all(has));
    if is_fed || features.len() < 2 {
        return Ok(is_fed);
    }
    Err(Error::usage(
        "`--features INPUT=COLUMNS` is for the inputs of an ONNX graph, and this model reads one \
         table",
    )
    .hint("list the columns in the order of training: `--features a,b,c`"))
}

fn open_dataset(
    paths: &[Located],
    renames: &[(String, String)],
    options: &ReadOptions,
    on_bad_file: OnBadFile,
) -> Result<(Dataset, Vec<BadFile>)> {
    match on_bad_file {
        OnBadFile::Fail => Ok((Dataset::open(paths, renames, options)?, Vec::new())),
        OnBadFile::Skip => Dataset::open_readable(paths, renames, options),
    }
}
