//! Where the results of a run go: names and formats, before any of them exists.

use arrow::datatypes::Schema;

use super::list::all_items;
use super::options::byte_size;
use crate::error::{Error, Result, shell_word};
use crate::output::names::{self, STATE, earlier};
use crate::output::publication::check_directory;
use crate::pipeline::Job;
use crate::request::challenger::Challengers;
use crate::request::output::Output;
use crate::storage::{Location, Lock, canonical, find};
use crate::table::dataset::Dataset;
use crate::table::hive::Partitioning;
use crate::table::keyring::Keyring;
use crate::table::location::inside;
use crate::table::name_index::NameIndex;
use crate::table::output_format::OutputFormat;
use crate::table::spelling::did_you_mean;

/// Rows of a part where no one says otherwise: eight row groups of the output.
const DEFAULT_ROWS_PER_PART: u64 = 1 << 20;

/// What a run is expected to write for each row alongside the columns that come along: a
/// probability and a label, compressed.
const SCORE_BYTES: f64 = 6.0;

/// The size of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PartSize {
    Rows(u64),
    Bytes(u64),
}

/// Where results go.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own, or whether it was given"
)]
pub struct Target {
    /// The file, or the data set's directory.
    pub path: Location,
    /// The format of the predictions.
    pub format: OutputFormat,
    /// The report; none if none is needed.
    pub report: Option<Location>,
    /// Whether the user named the report.
    pub is_report_named: bool,
    /// The rejected rows: a file, or a directory in a data set; none if they are not needed.
    pub rejected: Option<Location>,
    /// Whether the user named the table of rejected rows.
    pub is_rejected_named: bool,
    /// The columns that name directories in a data set.
    pub partition_by: Vec<String>,
    /// Whether existing results are replaced.
    pub overwrite: bool,
    /// Whether an unfinished run is forgotten.
    pub restart: bool,
    /// None for a single file.
    part_size: Option<PartSize>,
}

impl Target {
    /// Gives every result its name.
    ///
    /// # Errors
    /// A usage error for flags that contradict each other; fails if the directory that should hold
    /// the output is not there.
    pub fn resolve(args: &Output) -> Result<Self> {
        let Output {
            output,
            overwrite,
            restart,
            output_format,
            rows_per_part,
            bytes_per_part,
            partition_by,
            report,
            rejected,
            sign_key: _,
            sign_certificate: _,
        } = args;
        if output.is_stream() {
            refuse_with_stream(args)?;
        }
        let bytes_per_part = bytes_per_part
            .as_deref()
            .map(|text| byte_size("--bytes-per-part", text))
            .transpose()?;
        let is_dataset = is_directory(output)?
            || rows_per_part.is_some()
            || bytes_per_part.is_some()
            || !partition_by.is_empty();
        let part_size = match (rows_per_part, bytes_per_part) {
            _ if !is_dataset => None,
            (Some(0), _) => {
                return Err(Error::usage(
                    "`--rows-per-part 0`: a part needs at least one row",
                ));
            }
            (Some(rows), _) => Some(PartSize::Rows(*rows)),
            (None, Some(bytes)) => Some(PartSize::Bytes(bytes)),
            (None, None) => Some(PartSize::Rows(DEFAULT_ROWS_PER_PART)),
        };
        if *restart && !is_dataset {
            return Err(Error::usage(
                "`--restart` is for data sets: a single file is written anew by every run",
            )
            .hint("pass `--overwrite` to replace it"));
        }
        // Next to a stream there is nothing.
        let expected = |named: &Option<Location>, default: Location| match named {
            Some(path) if path.as_os_str() == "none" => None,
            Some(path) => Some(path.clone()),
            None => (!output.is_stream()).then_some(default),
        };
        let target = Self {
            format: output_format.map_or_else(|| format_of(output, is_dataset), Ok)?,
            report: expected(report, names::report(output, is_dataset)),
            is_report_named: report.is_some(),
            rejected: expected(rejected, names::rejected(output, is_dataset)),
            is_rejected_named: rejected.is_some(),
            partition_by: all_items("--partition-by", partition_by)?,
            overwrite: *overwrite,
            restart: *restart,
            path: output.clone(),
            part_size,
        };
        target.check_names()?;
        target.check_encryption()?;
        Ok(target)
    }

    /// Rows that are to be encrypted are written as Parquet.
    fn check_encryption(&self) -> Result<()> {
        if Keyring::of_process().writing.is_none() {
            return Ok(());
        }
        let rejected = self.rejected.iter();
        let files = rejected.map(|path| (path, OutputFormat::of_name(path)));
        let files = std::iter::once((&self.path, Ok(self.format))).chain(files);
        for (path, format) in files {
            if format? != OutputFormat::parquet() {
                return Err(Error::usage("CSV cannot be encrypted")
                    .at_path(path)
                    .hint("write Parquet: end the name in `.parquet`"));
            }
        }
        Ok(())
    }

    fn check_names(&self) -> Result<()> {
        for (flag, path) in [("--report", &self.report), ("--rejected", &self.rejected)] {
            let Some(path) = path else { continue };
            refuse_stream(flag, path)?;
            OutputFormat::of_name(path)?;
        }
        if self.is_dataset() && self.is_rejected_named && self.rejected.is_some() {
            return Err(Error::usage("rejected rows of a data set lie in it")
                .hint("remove `--rejected`, or pass `--rejected none`"));
        }
        if self.is_dataset() {
            return check_directory(&self.path);
        }
        let directory = self.path.directory();
        if !find(&directory)?.is_some_and(|found| found.is_directory) {
            let error = Error::failed(format!(
                "cannot create the file: there is no directory `{}`",
                directory.display()
            ))
            .at_path(&self.path);
            return Err(error.hint(format!(
                "mkdir -p {}",
                shell_word(&directory.to_string_lossy())
            )));
        }
        if let (Some(report), Some(rejected)) = (&self.report, &self.rejected)
            && same_target(report, rejected)
        {
            let error = Error::usage("report and rejected rows have the same name").at_path(report);
            return Err(error.hint("choose another name: `--report FILE` or `--rejected FILE`"));
        }
        for (flag, path) in [("--report", &self.report), ("--rejected", &self.rejected)] {
            let Some(path) = path else { continue };
            if is_directory(path)? {
                let error =
                    Error::usage(format!("`{flag}` names a directory, not a file")).at_path(path);
                let inside = path.join(format!("predictions.{}.pq", flag.trim_start_matches('-')));
                return Err(error.hint(format!(
                    "name a file in it: `{flag} {}`",
                    shell_word(&inside.to_string_lossy())
                )));
            }
            if same_target(path, &self.path) {
                let name = flag.trim_start_matches('-');
                let error = Error::usage(format!("output and {name} have the same name"))
                    .at_path(&self.path);
                return Err(error.hint(format!(
                    "choose another name: `{flag} FILE`, or `{flag} none`"
                )));
            }
        }
        Ok(())
    }

    /// Checks that the next run with the same `inputs` would not read what this one writes.
    ///
    /// # Errors
    /// A usage error that names the file and the input that it would be part of.
    pub fn refuse_inside_inputs(&self, inputs: &[Location]) -> Result<()> {
        let output = if self.is_dataset() {
            self.path.join("part-00000.parquet")
        } else {
            self.path.clone()
        };
        if !self.is_stream() {
            refuse_inside("output", &output, &self.path, inputs)?;
        }
        let report = self
            .report
            .iter()
            .filter(|_| !self.has_report_inside())
            .map(|path| ("report", path));
        let rejected = self
            .rejected
            .iter()
            .filter(|_| !self.is_dataset())
            .map(|path| ("table of rejected rows", path));
        report
            .chain(rejected)
            .try_for_each(|(what, path)| refuse_inside(what, path, path, inputs))
    }

    /// Whether the output is standard output.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.path.is_stream()
    }

    /// Checks that challengers have a file for their answers.
    ///
    /// # Errors
    /// A usage error for challengers next to standard output, unless the rows are split between
    /// them and the model.
    pub fn refuse_challengers(&self, challengers: &Challengers) -> Result<()> {
        let has_files = !challengers.challenger.is_empty() && challengers.split.is_empty();
        if self.is_stream() && has_files {
            let error = Error::usage(
                "answers of challengers lie next to a file, and `--output -` is standard output",
            );
            return Err(error.hint("name a file, or remove `--challenger`"));
        }
        Ok(())
    }

    /// Whether the output is a directory of parts.
    #[must_use]
    pub fn is_dataset(&self) -> bool {
        self.part_size.is_some()
    }

    /// Whether the report is one of the data set's own files.
    #[must_use]
    pub fn has_report_inside(&self) -> bool {
        self.is_dataset() && self.report.is_some() && !self.is_report_named
    }

    /// Where the report of a run that did not come to its end goes: alongside the good one, which
    /// it must not replace.
    #[must_use]
    pub fn unfinished_report(&self) -> Option<Location> {
        self.report.as_ref().filter(|_| !self.is_stream())?;
        Some(names::unfinished_report(&self.path, self.is_dataset()))
    }

    /// The report of the run that made what is there now: under the name that this run's will have,
    /// or that earlier versions gave it.
    ///
    /// # Errors
    /// Fails if the file system refuses to say.
    pub fn last_report(&self) -> Result<Option<Location>> {
        let Some(own) = self.report.clone() else {
            return Ok(None);
        };
        let earlier =
            (!self.is_report_named).then(|| earlier::report(&self.path, self.is_dataset()));
        for path in std::iter::once(own).chain(earlier) {
            if find(&path)?.is_some_and(|found| found.is_file) {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Makes sure that no other run writes here until the lock is dropped.
    ///
    /// # Errors
    /// [`crate::error::Kind::Busy`] if one does.
    pub fn lock(&self, owner: &str) -> Result<Lock> {
        if self.is_dataset() {
            return Lock::acquire_inside(&self.path, Location::from(STATE).join("lock"), owner)
                .map_err(|error| error.at_path(&self.path));
        }
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let lock = if self.is_stream() {
            self.path.clone()
        } else {
            self.path.directory().join(format!(".{name}.lock"))
        };
        Lock::acquire(lock, owner).map_err(|error| error.at_path(&self.path))
    }

    /// Checks that the run would not write over what it reads: neither a file of the data nor the
    /// model nor anything alongside it in its directory.
    ///
    /// # Errors
    /// A usage error that names the file.
    pub fn refuse_inputs(&self, model: &Location, dataset: &Dataset) -> Result<()> {
        let files = if self.is_dataset() {
            Vec::new()
        } else {
            [&self.report, &self.rejected]
                .into_iter()
                .flatten()
                .collect()
        };
        std::iter::once(&self.path)
            .filter(|path| !path.is_stream())
            .chain(files)
            .try_for_each(|path| refuse_input(path, model, dataset))?;
        let inside = self
            .is_dataset()
            .then(|| canonical(&self.path).ok())
            .flatten();
        let lies_inside = |path: &Location| {
            canonical(path).is_ok_and(|path| {
                inside
                    .as_ref()
                    .is_some_and(|directory| path.starts_with(directory))
            })
        };
        match dataset.files.iter().find(|file| lies_inside(&file.path)) {
            Some(file) => Err(Error::usage("an input lies in the output's directory")
                .at_path(&file.path)
                .hint("choose another directory for the output")),
            None => Ok(()),
        }
    }

    /// Rows of the input in each part; none for a single file. A size in bytes becomes rows by what
    /// the job's inputs take.
    #[must_use]
    pub fn rows_per_part(&self, job: &Job) -> Option<u64> {
        match self.part_size? {
            PartSize::Rows(rows) => Some(rows),
            PartSize::Bytes(bytes) => {
                let files = &job.dataset.files;
                let input_bytes: u64 = files
                    .iter()
                    .map(|file| file.table.identity().byte_count())
                    .sum();
                // The columns that come along are taken to be as wide as the others; text files
                // hold their rows in about this width.
                let rows = job
                    .dataset
                    .row_count()
                    .map_or(input_bytes as f64 / TEXT_ROW_BYTES, |rows| rows as f64);
                let columns: usize = files
                    .first()
                    .map_or(1, |file| file.table.schema().fields().len())
                    .max(1);
                let share = job.passthrough.len() as f64 / columns as f64;
                let row_bytes = input_bytes as f64 / rows.max(1.0) * share + SCORE_BYTES;
                Some(((bytes as f64 / row_bytes) as u64).max(1))
            }
        }
    }

    /// Which columns of the output name directories.
    ///
    /// # Errors
    /// A usage error for a column that does not come along from the data.
    pub fn partitioning(&self, output: &Schema, passthrough_count: usize) -> Result<Partitioning> {
        let names = NameIndex::new(output);
        let position = |name: &String| match names.position(name) {
            Some(position) if position < passthrough_count => Ok((name.clone(), position)),
            Some(_) => Err(
                Error::usage("`--partition-by` names a column that the model adds")
                    .at_column(name)
                    .hint("partition by columns of the data"),
            ),
            None => Err(Error::contract(
                "`--partition-by` names a column that is not in the output",
            )
            .at_column(name)
            .hint(did_you_mean(
                name,
                &output.fields()[..passthrough_count]
                    .iter()
                    .map(|field| field.name().as_str()),
                "name a column of the data; `--passthrough` adds more of them to the output",
            ))),
        };
        let columns = self
            .partition_by
            .iter()
            .map(position)
            .collect::<Result<Vec<_>>>()?;
        Ok(Partitioning::new(columns, output.fields().len()))
    }
}

/// Checks that the next run with the same `inputs` would not read the file at `path`, which users
/// know as `rendered`.
///
/// # Errors
/// A usage error that names the file and the input that it would be part of.
pub fn refuse_inside(
    what: &str,
    path: &Location,
    rendered: &Location,
    inputs: &[Location],
) -> Result<()> {
    let Some(input) = inside(path, inputs)? else {
        return Ok(());
    };
    let message = format!(
        "the {what} would lie in the input `{}`, so the next run would read it as data",
        input.display()
    );
    let hint =
        "write it elsewhere, or under a name that begins with `_` or `.`, which readers pass over";
    Err(Error::usage(message).at_path(rendered).hint(hint))
}

/// Checks that a file which is not the output is not standard output.
///
/// # Errors
/// A usage error that names the flag.
pub fn refuse_stream(flag: &str, path: &Location) -> Result<()> {
    if path.is_stream() {
        return Err(Error::usage(format!(
            "`{flag} -`: only predictions go to standard output"
        ))
        .hint(format!(
            "name a file: `{flag} FILE`; one called `-` is `./-`"
        )));
    }
    Ok(())
}

/// Checks that nothing is asked for that needs a name next to predictions.
fn refuse_with_stream(args: &Output) -> Result<()> {
    let needs_directory = [
        (args.rows_per_part.is_some(), "--rows-per-part"),
        (args.bytes_per_part.is_some(), "--bytes-per-part"),
        (!args.partition_by.is_empty(), "--partition-by"),
        (args.restart, "--restart"),
    ];
    if let Some((_, flag)) = needs_directory.iter().find(|(is_given, _)| *is_given) {
        let message = format!("`{flag}` is for data sets, and `--output -` is standard output");
        return Err(Error::usage(message).hint(format!("name a directory, or remove `{flag}`")));
    }
    if args.sign_key.is_some() {
        return Err(
            Error::usage("a signature lies next to a file, and `--output -` is none")
                .hint("name a file, or remove `--sign-key`"),
        );
    }
    Ok(())
}

/// The width of a row of text, where nothing is known of it.
const TEXT_ROW_BYTES: f64 = 100.0;

/// A directory of parts may be called what it likes: its name asks for a format if it can.
fn format_of(path: &Location, is_dataset: bool) -> Result<OutputFormat> {
    if is_dataset {
        return Ok(OutputFormat::of_name(path).unwrap_or_else(|_| OutputFormat::parquet()));
    }
    if path.is_stream() {
        return Ok(OutputFormat::of_stream());
    }
    OutputFormat::of_name(path).map_err(|error| {
        error.hint(format!(
            "end the name in {}, or pass `--output-format`",
            OutputFormat::extensions()
        ))
    })
}

/// Whether a name stands for a directory: by its last byte, or because it is one.
fn is_directory(path: &Location) -> Result<bool> {
    let ends_in_slash = path.as_os_str().as_encoded_bytes().last() == Some(&b'/');
    Ok(ends_in_slash
        || path.file_name().is_none()
        || find(path)?.is_some_and(|found| found.is_directory))
}

/// Checks that a file to be written is not the model, nor in it, nor one of the inputs.
///
/// # Errors
/// A usage error that names the file.
pub fn refuse_input(target: &Location, model: &Location, dataset: &Dataset) -> Result<()> {
    let hint = "choose another name: a run never writes over what it reads";
    if dataset
        .files
        .iter()
        .any(|file| same_file(&file.path, target))
    {
        return Err(
            Error::usage("a file that the run would write is one of the inputs")
                .at_path(target)
                .hint(hint),
        );
    }
    let is_inside = matches!((canonical(target.directory()), canonical(model)),
        (Ok(directory), Ok(model))
            if directory.starts_with(&model));
    if is_inside || same_file(model, target) {
        return Err(Error::usage("the output is, or lies in, the model")
            .at_path(target)
            .hint(hint));
    }
    Ok(())
}

/// Whether two names, of files that need not exist yet, are one: by another spelling, or through a
/// link.
/// Whether two files to be written are one.
#[must_use]
pub fn same_target(left: &Location, right: &Location) -> bool {
    let same_directory = || {
        matches!((canonical(left.directory()), canonical(right.directory())),
        (Ok(a), Ok(b)) if a == b)
    };
    same_file(left, right) || left.file_name() == right.file_name() && same_directory()
}

fn same_file(left: &Location, right: &Location) -> bool {
    left == right || matches!((canonical(left), canonical(right)), (Ok(a), Ok(b)) if a == b)
}
