//! What `list`, `show` and `log` print: models, versions, files and entries.
//!
//! Owns the texts and the JSON objects. It must not change the registry.

use indicatif::HumanBytes;
use serde_json::{Value as Json, json};

use super::Registry;
use super::cache::checked_log;
use super::command::Shown;
use super::entry::{Action, Entry};
use super::history::{History, Version};
use super::log::Head;
use super::name::{Reference, Selector};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::storage::Location;

pub(super) fn head_text(head: Option<&Head>) -> Option<String> {
    head.map(ToString::to_string)
}

pub(super) fn list(registry: &Registry, state: &Location) -> Result<Shown> {
    let (mut rows, mut models, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for model in registry.models()? {
        let log = match checked_log(state, registry, &model) {
            Ok(log) => log,
            // The others are listed all the same.
            Err(error) => {
                let [versions, time] = ["its log cannot be read", ""].map(str::to_owned);
                models.push(json!({"model": model, "error": error.to_string()}));
                rows.push([model, versions, time, String::new()]);
                errors.push(error);
                continue;
            }
        };
        let history = History::of(&log, None);
        let Some(last) = history.versions().last() else {
            continue;
        };
        let aliases: Vec<String> = history
            .aliases()
            .map(|(alias, version)| format!("@{alias} is :{version}"))
            .collect();
        rows.push([
            model.clone(),
            counted(history.versions().len(), "version"),
            last.time.clone(),
            aliases.join(", "),
        ]);
        models.push(json!({
            "model": model,
            "version_count": history.versions().len(),
            "last_pushed": last.time,
            "aliases": aliases_json(&history),
        }));
    }
    if rows.is_empty() {
        rows.push([
            "the registry is empty".to_owned(),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
    Ok(Shown {
        errors,
        ..Shown::new(aligned(&rows), json!({ "models": models }))
    })
}

fn aliases_json(history: &History) -> Json {
    history
        .aliases()
        .map(|(alias, version)| (alias.to_owned(), Json::from(version)))
        .collect()
}

/// Rows as lines, their columns one below the other.
pub(crate) fn aligned<const COUNT: usize>(rows: &[[String; COUNT]]) -> Vec<String> {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..COUNT).map(width).collect();
    let line = |row: &[String; COUNT]| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

pub(super) fn show(registry: &Registry, text: &str) -> Result<Shown> {
    if let Some(reference) = Reference::parse(text) {
        return show_version(registry, &reference);
    }
    let history = History::of(&registry.existing_log(text)?, None);
    let aliases = |version: &Version| {
        let own = history
            .aliases()
            .filter(|(_, number)| *number == version.number);
        own.map(|(alias, _)| format!("@{alias}"))
            .collect::<Vec<_>>()
    };
    let rows: Vec<[String; 5]> = history
        .versions()
        .iter()
        .map(|version| {
            [
                format!("{text}:{}", version.number),
                version.label.clone().unwrap_or_default(),
                version.time.clone(),
                version.actor.clone(),
                aliases(version).join(" "),
            ]
        })
        .collect();
    let versions: Vec<Json> = history.versions().iter().map(version_json).collect();
    let object = json!({"model": text, "versions": versions, "aliases": aliases_json(&history)});
    Ok(Shown::new(aligned(&rows), object))
}

fn version_json(version: &Version) -> Json {
    json!({
        "version": version.number,
        "digest": version.digest,
        "label": version.label,
        "time": version.time,
        "actor": version.actor,
    })
}

fn show_version(registry: &Registry, reference: &Reference) -> Result<Shown> {
    let resolved = registry.resolve(reference, None)?;
    let history = History::of(&registry.existing_log(&reference.model)?, None);
    let own = Reference {
        selector: Selector::Number(resolved.version),
        ..reference.clone()
    };
    let version = history.select(&own)?;
    let record = registry.record(&resolved.digest)?;
    let mut lines = vec![
        format!("{own}, pushed {} by {}", version.time, version.actor),
        format!("digest {}", resolved.digest),
    ];
    let size = |bytes: u64| HumanBytes(bytes).to_string();
    let rows: Vec<[String; 3]> = record
        .files
        .iter()
        .map(|file| {
            [
                file.path.clone(),
                size(file.size_bytes),
                file.sha256.clone(),
            ]
        })
        .collect();
    lines.extend(aligned(&rows));
    let mut object = version_json(version);
    object["model"] = reference.model.clone().into();
    object["files"] = serde_json::to_value(&record.files)
        .map_err(|error| Error::internal("files without JSON").because(error))?;
    Ok(Shown::new(lines, object))
}

pub(super) fn log(registry: &Registry, model: &str) -> Result<Shown> {
    let log = registry.existing_log(model)?;
    let rows: Vec<[String; 5]> = log.entries().iter().map(entry_row).collect();
    let entries = log.entries().iter().map(serde_json::to_value);
    let entries: Vec<Json> = entries
        .collect::<serde_json::Result<_>>()
        .map_err(|error| Error::internal("entries without JSON").because(error))?;
    let head = head_text(log.head().as_ref());
    let mut lines = aligned(&rows);
    lines.extend(head.iter().map(|head| format!("head {head}")));
    Ok(Shown::new(
        lines,
        json!({"model": model, "entries": entries, "log_head": head}),
    ))
}

fn entry_row(entry: &Entry) -> [String; 5] {
    let done = match &entry.action {
        Action::Push { version, label, .. } => {
            let label = label
                .as_ref()
                .map_or_else(String::new, |label| format!(" ({label})"));
            format!("push :{version}{label}")
        }
        Action::Promote(target) => format!("promote @{} to :{}", target.alias, target.version),
        Action::Rollback(target) => format!("rollback @{} to :{}", target.alias, target.version),
    };
    [
        entry.seq.to_string(),
        entry.time.clone(),
        entry.actor.clone(),
        done,
        entry.reason.clone().unwrap_or_default(),
    ]
}
