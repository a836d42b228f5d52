//! `tallow inspect`: what a path is: a model with its inputs, data with its columns, a report with
//! what it says of its run, a profile with its histograms.

use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value as Json, json};

use super::args::InspectArgs;
use super::console::Console;
use super::inspect_profile;
use super::page::Page;
use crate::contract::{Contract, Input, InputKind, Width};
use crate::count::{counted, listed};
use crate::error::{Error, Kind, Result};
use crate::feature::Precision;
use crate::format::ImportOptions;
use crate::monitor::profile_table::is_profile;
use crate::output::names::IDENTITY;
use crate::output::publication::Manifest;
use crate::package::open::{Identity, MODEL_MARKS, OpenedModel, open};
use crate::plan::effect::refuse_trees;
use crate::plan::options::tree_selection;
use crate::plan::reading::dialect_options;
use crate::report::renderer::{Detail, Report};
use crate::report::stored::{StoredReport, is_report};
use crate::report::text::rows_text;
use crate::storage::{Location, find, read_head};
use crate::table::csv_guess::looks_delimited;
use crate::table::dataset::Dataset;
use crate::table::location::{is_pattern, locate, missing};
use crate::table::{FORMATS, ReadOptions, content, lake};

/// The most inputs or columns that are listed for users; JSON has them all.
const LISTED: usize = 60;

/// The most categories of an input that are listed for users.
const CATEGORIES_LISTED: usize = 6;

pub(super) fn run(args: &InspectArgs, console: &Console) -> Result<()> {
    let InspectArgs { path, trees, text } = args;
    let path = &Location::from(path);
    let reading = dialect_options(&text.clone().into(), &[])?;
    let options = ImportOptions {
        trees: tree_selection(trees.as_deref())?,
        for_inspection: true,
        ..ImportOptions::default()
    };
    let found = match find(path)? {
        Some(found) => found,
        None if is_pattern(path) => return show(&data_or_report(path, &reading)?, console),
        None => return Err(missing(path)),
    };
    if found.is_directory {
        lake::refuse(path)?;
    } else {
        lake::refuse_catalog(path)?;
    }
    let manifest = if found.is_directory {
        Manifest::find(path)?
    } else {
        None
    };
    if manifest.is_none() && found.is_directory && find(path.join(IDENTITY))?.is_some() {
        let error =
            Error::contract("the directory holds a data set that is not finished").at_path(path);
        return Err(
            error.hint("the same `tallow score` goes on where it stopped; `--restart` starts over")
        );
    }
    let not_a_model = || refuse_trees(trees.as_deref(), None);
    let shown = match manifest {
        Some(manifest) => {
            let (page, object) = not_a_model().and_then(|()| data_set(path, &manifest))?;
            Shown::Page(page, object)
        }
        None if is_data(path, found.is_directory)? => {
            not_a_model().and_then(|()| data_or_report(path, &reading))?
        }
        None => {
            let opened = open(path, &options).map_err(|error| neither(error, path))?;
            refuse_trees(trees.as_deref(), Some(opened.loaded.model.family()))?;
            let (page, object) = model(&opened);
            Shown::Page(page, object)
        }
    };
    show(&shown, console)
}

/// What is shown of a path.
enum Shown {
    /// Lines, and the same as JSON.
    Page(Page, Json),
    /// The last of the reports in the file.
    Report(Location, Vec<StoredReport>),
}

fn show(shown: &Shown, console: &Console) -> Result<()> {
    match shown {
        Shown::Page(_, object) if console.is_json() => console.json(object),
        Shown::Page(page, _) => console.show(page),
        Shown::Report(path, reports) => report(path, reports, console),
    }
}

/// A file that a table format recognises by its content or, failing all model formats, by its name;
/// or a directory of such files.
fn is_data(path: &Location, is_directory: bool) -> Result<bool> {
    if is_directory {
        for mark in MODEL_MARKS {
            if find(path.join(mark))?.is_some() {
                return Ok(false);
            }
        }
        let found = locate(&[path.to_owned()], false);
        return Ok(found.is_ok_and(|found| {
            found
                .files
                .iter()
                .all(|file| recognised(&file.path).unwrap_or(false))
        }));
    }
    recognised(path)
}

fn recognised(path: &Location) -> Result<bool> {
    let head = read_head(path)?;
    let is_text_model = head.starts_with(b"tree\n") || head.trim_ascii_start().starts_with(b"{");
    let of_table = FORMATS
        .iter()
        .map(|format| format.reader)
        .find(|reader| reader.recognises(&head, path));
    // Any text may be delimited: a name says that it is, or its lines do.
    let is_named = FORMATS
        .iter()
        .any(|format| format.reader.recognises(&[], path));
    Ok(!is_text_model
        && of_table.is_some_and(|reader| reader.has_magic() || is_named || looks_delimited(&head)))
}

/// What is not a model may be text that is not a table either.
fn neither(error: Error, path: &Location) -> Error {
    let is_text = read_head(path).is_ok_and(|head| {
        std::str::from_utf8(&head[..head.len().min(1024)]).is_ok_and(|_| !head.contains(&0))
    });
    let is_unknown =
        error.kind() == Kind::Contract && error.message().starts_with("the file is not a model");
    if let Some(other) = read_head(path)
        .ok()
        .filter(|_| is_unknown)
        .and_then(|head| content::refusal(&head, path))
    {
        return other;
    }
    if is_unknown && is_text {
        return Error::contract("the file is neither a model nor a table that tallow knows")
            .at_path(path)
            .hint(
                "delimited text has the same number of fields in every line, or a name that ends \
                 in `.csv`, `.tsv` or `.txt`",
            );
    }
    error
}

fn model(opened: &OpenedModel) -> (Page, Json) {
    let loaded = &opened.loaded;
    let mut page = Page::new("model");
    let shape = [
        (
            "precision".to_owned(),
            loaded
                .model
                .precision()
                .map_or("native", Precision::name)
                .to_owned(),
        ),
        (
            "memory".to_owned(),
            HumanBytes(loaded.model.memory_bytes() as u64).to_string(),
        ),
        (
            "inputs".to_owned(),
            loaded.contract.inputs.len().to_string(),
        ),
        ("named".to_owned(), naming(&loaded.contract).to_owned()),
        ("outputs".to_owned(), outputs(opened).join(", ")),
    ];
    let identity = opened.identity();
    let facts = identity.named();
    for (name, value) in facts.iter().chain(&shape).chain(&opened.provided) {
        page.fact(name, value);
    }
    page.line("inputs");
    inputs(&mut page, &loaded.contract);
    if !opened.artefacts.is_empty() {
        page.line("artefacts");
        opened.artefacts.iter().for_each(|one| {
            page.line(format!(
                "  {:24} sha256:{}",
                one.path.display().to_string(),
                one.sha256
            ));
        });
    }
    let object = json!({
        "kind": "model",
        "facts": facts.iter().chain(&shape).chain(&opened.provided)
            .map(|(name, value)| (name.clone(), json_value(&identity, name, value)))
            .collect::<serde_json::Map<_, _>>(),
        "inputs": loaded.contract.inputs.iter()
            .map(|input| json!({"name": input.name, "kind": kind(input, usize::MAX)}))
            .collect::<Vec<_>>(),
        "artefacts": opened.artefacts.iter()
            .map(|one| json!({"path": one.path.text(), "sha256": one.sha256,
                "bytes": one.byte_count}))
            .collect::<Vec<_>>(),
        "derived": opened.derived.iter()
            .map(|derived| json!({"name": derived.name, "expression": derived.expression}))
            .collect::<Vec<_>>(),
    });
    (page, object)
}

/// A number for a fact that is one, such as a count of trees.
fn json_value(identity: &Identity, name: &str, value: &str) -> Json {
    match identity.number(name) {
        Some(number) if number.fract() == 0.0 => Json::from(number as i64),
        Some(number) => Json::from(number),
        None if name == "inputs" => value
            .parse::<u64>()
            .map_or_else(|_| Json::from(value), Json::from),
        None => Json::from(value),
    }
}

/// Whether the columns that feed the model are known by name.
fn naming(contract: &Contract) -> &'static str {
    match contract.inputs.first() {
        _ if contract.named => "yes",
        Some(input) if input.kind == InputKind::Text => {
            "no: `--text` says which column holds the texts, if there are several"
        }
        _ => "no: `--features` must say which columns feed it",
    }
}

fn outputs(opened: &OpenedModel) -> Vec<String> {
    let loaded = &opened.loaded;
    loaded
        .outcome
        .fields(loaded.model.margin_count(), loaded.model.precision(), false)
        .iter()
        .map(|field| field.name().clone())
        .collect()
}

fn inputs(page: &mut Page, contract: &Contract) {
    let lines = contract
        .inputs
        .iter()
        .map(|input| format!("  {:24} {}", input.name, kind(input, CATEGORIES_LISTED)));
    page.list(lines, LISTED);
}

fn kind(input: &Input, most: usize) -> String {
    match &input.kind {
        InputKind::Number => "number".into(),
        InputKind::CategoryCode => "category code".into(),
        InputKind::Text => "text".into(),
        InputKind::HashedCategory(categories) if categories.hashes.is_empty() => {
            "category, known by its hash".into()
        }
        InputKind::HashedCategory(categories) => format!(
            "category, known by {}",
            counted(categories.hashes.len(), "hash")
        ),
        InputKind::Native(native) => {
            let element = format!("{:?}", native.element).to_lowercase();
            match native.width {
                Width::One => element,
                Width::Exactly(count) => format!("{count} × {element}"),
                Width::Multiple(1) => format!("? × {element}"),
                Width::Multiple(unit) => format!("? × {unit} × {element}"),
            }
        }
        InputKind::Category(vocabulary) => {
            format!("category: {}", listed(&vocabulary.values, most, ", ", ""))
        }
    }
}

fn data_or_report(path: &Location, reading: &ReadOptions) -> Result<Shown> {
    let dataset = Dataset::open(&locate(&[path.to_owned()], false)?.files, &[], reading)?;
    match dataset.files.as_slice() {
        [file] if is_report(&dataset.schema()) => {
            let reports = StoredReport::read(&file.path)?;
            Ok(Shown::Report(path.to_owned(), reports))
        }
        [file] if is_profile(&dataset.schema()) => {
            let bytes = file.table.identity().byte_count();
            let (page, object) = inspect_profile::page(&file.path, bytes, reading)?;
            Ok(Shown::Page(page, object))
        }
        _ => {
            let (page, object) = data(path, &dataset);
            Ok(Shown::Page(page, object))
        }
    }
}

/// Shows what the last run in a report did.
fn report(path: &Location, reports: &[StoredReport], console: &Console) -> Result<()> {
    let last = reports
        .last()
        .ok_or_else(|| Error::internal("a report without a run"))?;
    let head = [
        ("kind", json!("report")),
        ("path", json!(path.text())),
        ("run_id", json!(last.run_id)),
        ("runs", json!(reports.len())),
    ];
    console.report(&Report {
        head: head
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect(),
        facts: &last.facts,
        detail: Detail::All,
    })
}

/// A data set that tallow wrote: what its manifest says, then its columns.
fn data_set(path: &Location, manifest: &Manifest) -> Result<(Page, Json)> {
    let is_whole = manifest.is_whole(path)?;
    let bytes: u64 = manifest
        .parts
        .iter()
        .flat_map(|part| &part.files)
        .map(|file| file.bytes)
        .sum();
    let state = if is_whole {
        "yes"
    } else {
        "no: files are missing or of another size"
    };
    let model = ["name", "version"]
        .iter()
        .filter_map(|key| manifest.model.get(*key))
        .cloned()
        .collect::<Vec<_>>()
        .join(" ");
    let facts = [
        ("path", path.display().to_string()),
        ("run_id", manifest.run_id.clone()),
        ("finished_at", manifest.finished_at.clone()),
        ("tool_version", manifest.identity.tool_version.clone()),
        ("model", model),
        ("model_digest", manifest.identity.model_digest.clone()),
        ("inputs", counted(manifest.identity.inputs.len(), "file")),
        ("rows", rows_text(&manifest.ledger)),
        ("parts", manifest.parts.len().to_string()),
        ("size", HumanBytes(bytes).to_string()),
        ("whole", state.to_owned()),
    ];
    let mut page = Page::new("data set");
    facts
        .iter()
        .for_each(|(label, rendered)| page.fact(label, rendered));
    // Without a row there may be no part to take columns from.
    let found = locate(&[path.to_owned()], false).ok();
    let dataset = found
        .map(|found| Dataset::open(&found.files, &[], &ReadOptions::default()))
        .transpose()?;
    dataset
        .iter()
        .for_each(|dataset| columns(&mut page, dataset));
    let object = json!({
        "kind": "data_set",
        "is_whole": is_whole,
        "columns": dataset.as_ref().map_or(Vec::new(), column_objects),
        "manifest": serde_json::to_value(manifest)
            .map_err(|error| Error::internal("a manifest that is not JSON").because(error))?,
    });
    Ok((page, object))
}

fn data(path: &Location, dataset: &Dataset) -> (Page, Json) {
    let rows = dataset.row_count();
    let groups: Option<usize> = dataset
        .files
        .iter()
        .map(|file| file.table.row_group_count())
        .sum();
    let bytes: u64 = dataset
        .files
        .iter()
        .map(|file| file.table.identity().byte_count())
        .sum();
    let facts = [
        ("path", path.display().to_string()),
        (
            "format",
            dataset
                .files
                .first()
                .map_or("", |file| file.format)
                .to_owned(),
        ),
        ("files", dataset.files.len().to_string()),
        (
            "rows",
            rows.map_or_else(
                || "known once read".to_owned(),
                |rows| HumanCount(rows).to_string(),
            ),
        ),
        (
            "row_groups",
            groups.map_or_else(|| "none".to_owned(), |groups| groups.to_string()),
        ),
        ("size", HumanBytes(bytes).to_string()),
    ];
    let mut page = Page::new("data");
    facts
        .iter()
        .for_each(|(label, rendered)| page.fact(label, rendered));
    columns(&mut page, dataset);
    let object = json!({
        "kind": "data", "path": path.text(),
            "format": facts[1].1, "files": dataset.files.len(),
            "rows": rows, "row_groups": groups, "bytes": bytes,
        "columns": column_objects(dataset)
    });
    (page, object)
}

fn columns(page: &mut Page, dataset: &Dataset) {
    let schema = dataset.schema();
    page.line(format!("columns ({})", schema.fields().len()));
    let lines = schema
        .fields()
        .iter()
        .map(|field| format!("  {:24} {}", field.name(), field.data_type()));
    page.list(lines, LISTED);
}

fn column_objects(dataset: &Dataset) -> Vec<Json> {
    dataset
        .schema()
        .fields()
        .iter()
        .map(|field| json!({"name": field.name(), "type": field.data_type().to_string()}))
        .collect()
}
