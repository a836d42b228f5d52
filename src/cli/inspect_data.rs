//! `tallow inspect` of tables, and of a data set that tallow wrote.

use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value as Json, json};

use super::page::{LISTED, Page};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::report::summary::rows_text;
use crate::run::inspect::WrittenDataSet;
use crate::storage::Location;
use crate::table::dataset::Dataset;
use crate::table::shown_type::shown_type;

/// A data set that tallow wrote: what its manifest says, then its columns.
pub(super) fn data_set(path: &Location, set: &WrittenDataSet) -> Result<(Page, Json)> {
    let WrittenDataSet {
        manifest,
        is_whole,
        tables,
    } = set;
    let bytes: u64 = manifest
        .parts
        .iter()
        .flat_map(|part| &part.files)
        .map(|file| file.bytes)
        .sum();
    let state = if *is_whole {
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
        ("complete", state.to_owned()),
    ];
    let mut page = Page::new("data set");
    facts
        .iter()
        .for_each(|(label, rendered)| page.fact(label, rendered));
    tables.iter().for_each(|tables| columns(&mut page, tables));
    let object = json!({
        "kind": "data_set",
        "is_whole": is_whole,
        "columns": tables.as_ref().map_or(Vec::new(), column_objects),
        "manifest": serde_json::to_value(manifest)
            .map_err(|error| Error::internal("a manifest that is not JSON").because(error))?,
    });
    Ok((page, object))
}

/// The page of tables, and the same as JSON.
pub(super) fn tables(path: &Location, dataset: &Dataset) -> (Page, Json) {
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
                || "not counted: delimited text states no number".to_owned(),
                |rows| HumanCount(rows).to_string(),
            ),
        ),
        (
            "row_groups",
            groups.map_or_else(String::new, |groups| groups.to_string()),
        ),
        ("size", HumanBytes(bytes).to_string()),
    ];
    let mut page = Page::new("data");
    facts
        .iter()
        .filter(|(_, rendered)| !rendered.is_empty())
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
        .map(|field| format!("  {:24} {}", field.name(), shown_type(field.data_type())));
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
