//! Arguments to plan: every default resolved, every path opened or creatable, the model bound.
//!
//! All that can fail cheaply fails here, before the first row. After this no room looks at an argument again.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use sha2::{Digest, Sha256};

use crate::cli::args::{BindingArgs, OutcomeArgs, OutputFormat, ResourceArgs, RowsArgs, ScoreArgs, WorkArgs};
use crate::contract::Policy;
use crate::contract::binding::{BindingOptions, BoundInput, bind, first_doubled};
use crate::digest::hexadecimal;
use crate::error::{Error, Result, shell_word};
use crate::feature::encode::Encoder;
use crate::model::format::{ImportOptions, TreeSelection};
use crate::model::open::{Identity, OpenedModel, open};
use crate::outcome::Task;
use crate::pipeline::Job;
use crate::pipeline::scoring::Scoring;
use crate::pipeline::selection::Selection;
use crate::table::commit::{PendingFile, SharedFile, canonical, directory_of, find};
use crate::table::dataset::Dataset;
use crate::table::location::resolve;
use crate::table::name_index::NameIndex;
use crate::table::{DEFAULT_PORTION_ROWS, ReadOptions};

/// A run, ready to start.
#[derive(Debug)]
pub struct Plan {
    /// The work.
    pub job: Job,
    /// The run's name: a digest of model, data and options, so that the same work has the same name.
    pub run_id: String,
    /// Which model scores, for the report and the output's footer.
    pub model: Identity,
}

/// Where the results of a run go; the files are open under their hidden names.
#[derive(Debug)]
pub struct OutputPlan {
    /// The predictions.
    pub output: PendingFile,
    /// Their path.
    pub path: PathBuf,
    /// Their format.
    pub format: OutputFormat,
    /// The report and its path, unless none is wanted.
    pub report: Option<(PendingFile, PathBuf)>,
    /// Whether existing files are replaced.
    pub overwrite: bool,
}

impl OutputPlan {
    /// Resolves the output of `tallow score` and opens its files.
    ///
    /// # Errors
    /// Fails if a file exists and may not be replaced, or cannot be created; a usage error if the output is one of the inputs.
    pub fn resolve(args: ScoreArgs, plan: &Plan) -> Result<Self> {
        let ScoreArgs { work, output: path, overwrite, output_format, report } = args;
        let by_name = if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv")) { OutputFormat::Csv } else { OutputFormat::Parquet };
        refuse_directory("--output", &path)?;
        let is_report_named = report.is_some();
        let report = match report {
            Some(path) if path.as_os_str() == "none" => None,
            Some(path) => Some(path),
            None => Some(path.with_extension("report.parquet")),
        };
        report.iter().try_for_each(|path| refuse_directory("--report", path))?;
        std::iter::once(&path).chain(&report).try_for_each(|target| refuse_input(target, &work.model, &plan.job.dataset))?;
        if report.as_ref().is_some_and(|report| same_target(report, &path)) {
            let error = Error::usage("output and report have the same name").at_path(&path);
            return Err(error.hint("choose another name for the report: `--report FILE`, or `--report none`"));
        }
        let output = PendingFile::create(&path, overwrite)?;
        let report = report.map(|path| Ok((create_report(&path, overwrite, is_report_named)?, path))).transpose()?;
        Ok(Self { output, path, format: output_format.unwrap_or(by_name), report, overwrite })
    }
}

/// The report's file. That its name is taken, while the output's is not, is a surprise to whoever named only the output.
fn create_report(path: &Path, overwrite: bool, is_named: bool) -> Result<PendingFile> {
    PendingFile::create(path, overwrite).map_err(|error| {
        let is_taken = !overwrite && find(path).is_ok_and(|found| found.is_some());
        if is_named || !is_taken {
            return error;
        }
        error.hint("another run's report has the name that this one's would have: name it with `--report FILE`, or pass `--overwrite` to replace it")
    })
}

/// A file is wanted, not the directory that should hold it.
fn refuse_directory(flag: &str, path: &Path) -> Result<()> {
    let ends_in_slash = path.as_os_str().as_encoded_bytes().last() == Some(&b'/');
    if !ends_in_slash && path.file_name().is_some() && !find(path)?.is_some_and(|found| found.is_directory) {
        return Ok(());
    }
    let inside = path.join(if flag == "--report" { "predictions.report.parquet" } else { "predictions.parquet" });
    let error = Error::usage(format!("`{flag}` names a directory, not a file")).at_path(path);
    Err(error.hint(format!("name a file in it: `{flag} {}`", shell_word(&inside.to_string_lossy()))))
}

/// A run never writes over what it reads: neither a file of the data nor the model nor anything beside it in its directory.
fn refuse_input(target: &Path, model: &Path, dataset: &Dataset) -> Result<()> {
    if target.as_os_str() == "-" {
        return Err(Error::usage("standard output cannot take predictions yet").hint("name a file: `--output predictions.parquet`"));
    }
    let hint = "choose another name: a run never writes over what it reads";
    if dataset.files.iter().any(|file| same_file(&file.path, target)) {
        return Err(Error::usage("the output is one of the inputs").at_path(target).hint(hint));
    }
    let is_inside = matches!((canonical(directory_of(target)), canonical(model)), (Ok(directory), Ok(model)) if directory.starts_with(&model));
    if is_inside || same_file(model, target) {
        return Err(Error::usage("the output is, or lies in, the model").at_path(target).hint(hint));
    }
    Ok(())
}

/// Whether two names, of files that need not exist yet, are one: by another spelling, or through a link.
fn same_target(left: &Path, right: &Path) -> bool {
    let same_directory = || matches!((canonical(directory_of(left)), canonical(directory_of(right))), (Ok(a), Ok(b)) if a == b);
    same_file(left, right) || left.file_name() == right.file_name() && same_directory()
}

fn same_file(left: &Path, right: &Path) -> bool {
    left == right || matches!((canonical(left), canonical(right)), (Ok(a), Ok(b)) if a == b)
}

impl Plan {
    /// Opens model and data, binds them and lays out the output's columns.
    ///
    /// # Errors
    /// Whatever does not fit, in the order a person would check it: model, files, columns, expressions, output columns.
    pub fn resolve(args: &WorkArgs) -> Result<Self> {
        let WorkArgs { model, inputs, binding, rows, outcome, resources } = args;
        let ResourceArgs { threads, batch_rows } = resources;
        let mut opened = open(model, &ImportOptions { trees: tree_selection(&outcome.trees)? })?;
        set_threshold(&mut opened, outcome.threshold)?;
        let options = read_options(rows, *batch_rows)?;
        let dataset = Arc::new(Dataset::open(&resolve(inputs)?, &renames(binding)?, &options)?);
        let schema = dataset.schema();
        let (contract, is_text) = (&opened.loaded.contract, dataset.is_text());
        let selection = Selection::new(rows.filter.as_deref(), &opened.derived, &schema, is_text, contract, &rows.missing)?;
        let widened = |schema: &SchemaRef| selection.as_ref().map_or_else(|| schema.clone(), |selection| selection.widened(schema));
        let bound = bind(contract, &widened(&schema), &dataset, &binding_options(binding)?)?;
        let along = passthrough(outcome, &bound, &schema, &widened(&schema))?;
        let wanted = wanted_columns(&bound, &along, selection.as_ref(), &schema);
        refuse_doubled(&wanted, &dataset)?;
        let read_schema = dataset.as_read(&wanted);
        let batch_schema = widened(&read_schema);
        let run_id = run_id(args, &opened, &dataset)?;
        let identity = opened.identity();
        let missing_tokens = if is_text { rows.missing.clone() } else { Vec::new() };
        let encoder = Encoder::new(bound, missing_tokens, opened.loaded.model.precision());
        let scoring = Scoring::new(opened.loaded, encoder, &batch_schema, outcome.raw)?;
        let output_schema = output_schema(&along, &widened(&wanted), scoring.fields())?;
        let passthrough = positions(&along, &batch_schema)?;
        let threads = thread_count(*threads)?;
        let job = Job { dataset, read_schema, selection, scoring, passthrough, output_schema, limit: rows.limit, threads };
        Ok(Self { job, run_id, model: identity })
    }
}

/// `best`, `all` or a number of rounds.
///
/// # Errors
/// A usage error for anything else.
pub fn tree_selection(text: &str) -> Result<TreeSelection> {
    match text {
        "best" => Ok(TreeSelection::Best),
        "all" => Ok(TreeSelection::All),
        number => match number.parse() {
            Ok(rounds) if rounds > 0 => Ok(TreeSelection::First(rounds)),
            _ => Err(Error::usage(format!("`--trees {number}` is none of `best`, `all` and a number above 0"))),
        },
    }
}

fn set_threshold(opened: &mut OpenedModel, threshold: Option<f64>) -> Result<()> {
    let Some(wanted) = threshold else { return Ok(()) };
    if !(0.0..=1.0).contains(&wanted) {
        return Err(Error::usage(format!("`--threshold {wanted}` is no probability")));
    }
    match &mut opened.loaded.outcome.task {
        Task::Binary { threshold, .. } => *threshold = wanted,
        _ => return Err(Error::usage("`--threshold` is for models with two classes; this one has none")),
    }
    Ok(())
}

fn read_options(rows: &RowsArgs, batch_rows: Option<usize>) -> Result<ReadOptions> {
    let RowsArgs { filter: _, limit: _, delimiter, quote, no_header, missing: _ } = rows;
    let one_byte = |flag: &str, text: &str| match text.as_bytes() {
        [byte] => Ok(*byte),
        _ if text == "tab" || text == "\\t" => Ok(b'\t'),
        _ => Err(Error::usage(format!("`{flag} {text}` is not one ASCII character"))),
    };
    if batch_rows == Some(0) {
        return Err(Error::usage("`--batch-rows 0`: a batch needs at least one row"));
    }
    Ok(ReadOptions {
        delimiter: delimiter.as_deref().map(|text| one_byte("--delimiter", text)).transpose()?,
        quote: one_byte("--quote", quote)?,
        has_header: !no_header,
        portion_rows: batch_rows.unwrap_or(DEFAULT_PORTION_ROWS),
        ..ReadOptions::default()
    })
}

fn renames(binding: &BindingArgs) -> Result<Vec<(String, String)>> {
    let pair = |text: &String| {
        let (from, to) = text.split_once('=').ok_or_else(|| Error::usage(format!("`--rename {text}` lacks a `=`")))?;
        Ok((from.to_owned(), to.to_owned()))
    };
    let pairs = binding.rename.iter().map(pair).collect::<Result<Vec<(String, String)>>>()?;
    for (index, (from, to)) in pairs.iter().enumerate() {
        if to.is_empty() || pairs[..index].iter().any(|(other, target)| other == from || target == to) {
            return Err(Error::usage(format!("`--rename {from}={to}` leaves a column without a name of its own")));
        }
    }
    Ok(pairs)
}

fn binding_options(binding: &BindingArgs) -> Result<BindingOptions> {
    let BindingArgs { rename: _, features, on_null, on_unseen } = binding;
    let policies = |flag: &str, texts: &[String]| texts.iter().map(|text| policy(flag, text)).collect::<Result<Vec<_>>>();
    let features = features.as_ref().map(|text| feature_list(text)).transpose()?;
    Ok(BindingOptions { features, on_null: policies("--on-null", on_null)?, on_unseen: policies("--on-unseen", on_unseen)? })
}

/// `a,b,c`, or one `/regex/`, which may hold commas.
fn feature_list(text: &str) -> Result<Vec<String>> {
    match text.strip_prefix('/') {
        Some(rest) if rest.len() > 1 && rest.ends_with('/') => Ok(vec![text.to_owned()]),
        Some(_) => Err(Error::usage(format!("`--features {text}` begins a regex that no `/` ends"))),
        None => Ok(text.split(',').map(str::to_owned).collect()),
    }
}

/// `POLICY` for all columns (`*`) or `COLUMN=POLICY`.
fn policy(flag: &str, text: &str) -> Result<(String, Policy)> {
    let (column, name) = text.rsplit_once('=').unwrap_or(("*", text));
    let policy = match name {
        "error" => Policy::Error,
        "reject" => Policy::Reject,
        "null" => Policy::Null,
        number => match number.parse::<f64>() {
            Ok(value) if value.is_finite() => Policy::Default(value),
            _ => {
                let error = Error::usage(format!("`{flag} {text}`: `{number}` is none of error, reject, null and a finite number"));
                return Err(error.hint("`null` lets the model see a missing value"));
            }
        },
    };
    Ok((column.to_owned(), policy))
}

/// The names of the columns that come along: by default the table's that feed no input; if named, derived ones may be among them.
fn passthrough(outcome: &OutcomeArgs, bound: &[BoundInput], schema: &Schema, widened: &Schema) -> Result<Vec<String>> {
    let all = || schema.fields().iter().map(|field| field.name().clone());
    match outcome.passthrough.as_deref() {
        None => {
            let features: HashSet<&str> = bound.iter().map(|input| input.column.as_str()).collect();
            Ok(all().filter(|name| !features.contains(name.as_str())).collect())
        }
        Some([one]) if one == "all" => Ok(all().collect()),
        Some([one]) if one == "none" => Ok(Vec::new()),
        Some(names) => match names.iter().find(|name| widened.column_with_name(name).is_none()) {
            Some(name) => Err(Error::contract("`--passthrough` names a column that the data lacks")
                .at_column(name)
                .hint("`tallow inspect` lists the columns of a file")),
            None => Ok(names.to_vec()),
        },
    }
}

/// Only the columns that something reads, in the table's order.
fn wanted_columns(bound: &[BoundInput], along: &[String], selection: Option<&Selection>, schema: &Schema) -> SchemaRef {
    let names: HashSet<&str> = bound.iter().map(|input| &input.column).chain(along).map(String::as_str).collect();
    let wanted = |name: &str| names.contains(name) || selection.is_some_and(|selection| selection.reads(name));
    Arc::new(Schema::new(schema.fields().iter().filter(|field| wanted(field.name())).cloned().collect::<Vec<_>>()))
}

/// Names decide what is read, so a name that is read must be unique; columns that nothing reads may be called what they like.
fn refuse_doubled(schema: &Schema, dataset: &Dataset) -> Result<()> {
    let Some(name) = first_doubled(schema.fields().iter().map(|field| field.name().as_str())) else { return Ok(()) };
    let error = Error::contract("the data has two columns of this name").at_column(name);
    let error = dataset.files.iter().fold(error, |error, file| error.at_path(&file.path));
    Err(error.hint("leave the column out with `--passthrough`, or rename one where the file is written"))
}

fn positions(names: &[String], schema: &Schema) -> Result<Vec<usize>> {
    let index = NameIndex::new(schema);
    let position = |name: &String| index.position(name).ok_or_else(|| Error::internal("a passthrough column is not read").at_column(name));
    names.iter().map(position).collect()
}

fn output_schema(passthrough: &[String], table: &Schema, outcome: Vec<Field>) -> Result<SchemaRef> {
    let along: HashSet<&str> = passthrough.iter().map(String::as_str).collect();
    if let Some(field) = outcome.iter().find(|field| along.contains(field.name().as_str())) {
        let error = Error::contract("the data has a column of the same name as one that the model adds").at_column(field.name());
        return Err(error.hint("leave it out with `--passthrough`, or rename it with `--rename`"));
    }
    let names = passthrough.iter().chain(outcome.iter().map(Field::name));
    if let Some(name) = first_doubled(names.map(String::as_str)) {
        return Err(Error::contract("the output would have two columns of this name")
            .at_column(name)
            .hint("name each column once in `--passthrough`"));
    }
    let index = NameIndex::new(table);
    let field = |name: &String| index.field(name).cloned().ok_or_else(|| Error::internal("a passthrough column is not known").at_column(name));
    let fields = passthrough.iter().map(field).chain(outcome.into_iter().map(Ok)).collect::<Result<Vec<Field>>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

/// What affinity and the container's quota allow, unless the user says otherwise.
fn thread_count(wanted: Option<usize>) -> Result<usize> {
    match wanted {
        Some(0) => Err(Error::usage("`--threads 0`: a run needs at least one thread")),
        Some(count) if count > MOST_THREADS => Err(Error::usage(format!("`--threads {count}` is more than the {MOST_THREADS} that make sense"))),
        Some(count) => Ok(count),
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}

/// More workers than the largest machines have cores.
const MOST_THREADS: usize = 1024;

/// Bytes at each end of an input that enter the run's name.
const FINGERPRINT_BYTES: u64 = 65_536;

/// A name for the work: the digest of tool version, model, options that show in the output, and the inputs' sizes and both ends (for Parquet
/// that holds the footer). The same command on the same data has the same name, so the same output bytes.
fn run_id(args: &WorkArgs, opened: &OpenedModel, dataset: &Dataset) -> Result<String> {
    let mut digest = Sha256::new();
    digest.update(env!("CARGO_PKG_VERSION"));
    digest.update(&opened.digest);
    let WorkArgs { model: _, inputs: _, binding, rows, outcome, resources: _ } = args;
    digest.update(format!("{binding:?}{rows:?}{outcome:?}"));
    for file in &dataset.files {
        let content = SharedFile::open(&file.path)?;
        digest.update(content.byte_count().to_le_bytes());
        let ends = [0, content.byte_count().saturating_sub(FINGERPRINT_BYTES)];
        for start in ends {
            let mut buffer = vec![0; FINGERPRINT_BYTES.min(content.byte_count()) as usize];
            content.read_exact_at(&mut buffer, start)?;
            digest.update(&buffer);
        }
    }
    Ok(hexadecimal(&digest.finalize()[..16]))
}
