//! The verbs of a registry: from what is asked to what is shown.
//!
//! Owns the texts and the JSON objects. It must not know how either is printed.

use indicatif::HumanBytes;
use serde_json::{Map, Value as Json, json};

use super::cache::checked_log;
use super::listing::{head_text, list, log, show};
use super::log::{Author, Head, Moved};
use super::model::Local;
use super::name::{Reference, Selector};
use super::promotion::{CheckedGates, Promotion};
use super::push::Push;
use super::{Registry, verify};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::format::ImportOptions;
use crate::package::open::open;
use crate::request::registry::{RegistryCommand, RegistryRequest};
use crate::storage::{Location, read_unchanged};

/// What a verb shows.
#[derive(Debug, Default)]
pub struct Shown {
    /// Lines of text.
    pub lines: Vec<String>,
    /// The same as JSON.
    pub object: Map<String, Json>,
    /// What is wrong with the registry, if that was asked.
    pub errors: Vec<Error>,
}

impl Shown {
    pub(super) fn new(lines: Vec<String>, object: Json) -> Self {
        let object = match object {
            Json::Object(object) => object,
            _ => Map::new(),
        };
        Self {
            lines,
            object,
            errors: Vec::new(),
        }
    }
}

/// Does what is asked. A log that was cut short or rewritten since this machine saw it last is not
/// added to.
///
/// # Errors
/// As the registry's own operations; [`crate::error::Kind::Trust`] for such a log.
pub fn run(request: &RegistryRequest, local: &Local) -> Result<Shown> {
    let author = |reason: &Option<String>, expected: &Option<u64>| Author {
        actor: request.actor.clone(),
        reason: reason.clone(),
        expected: *expected,
        evaluation: None,
        comparison: None,
    };
    let registry = || Registry::open(&request.registry);
    let state = &local.state;
    match &request.command {
        RegistryCommand::Push {
            package,
            name,
            reason,
        } => {
            let author = author(reason, &None);
            push(request, state, (package, name.as_deref()), &author)
        }
        RegistryCommand::List => list(&registry()?, state),
        RegistryCommand::Show { model } => {
            let registry = registry()?;
            let name = Reference::parse(model).map_or(model.clone(), |one| one.model);
            check_seen(state, &registry, &name)?;
            show(&registry, model)
        }
        RegistryCommand::Promote {
            version,
            alias,
            evaluation,
            comparison,
            gates,
            skip_gates,
            accept_unnamed,
            expect,
            reason,
        } => {
            let to = Reference::expect(version)?;
            let registry = registry()?;
            check_seen(state, &registry, &to.model)?;
            let promotion = Promotion {
                evaluation: evaluation.as_ref(),
                comparison: comparison.as_ref(),
                gates,
                skips_gates: *skip_gates,
                accepts_unnamed: *accept_unnamed,
            };
            let to = registry.pinned(&to)?;
            let checked = registry.check_gates(&to, &promotion)?;
            let author = Author {
                evaluation: checked.evaluation.clone(),
                comparison: checked.comparison.clone(),
                ..author(reason, expect)
            };
            let moved = registry.promote(&to, alias, &author)?;
            check_seen(state, &registry, &to.model)?;
            Ok(promoted(moved_alias(&to.model, alias, &moved), &checked))
        }
        RegistryCommand::Rollback {
            alias,
            expect,
            reason,
        } => {
            let (model, name) = alias_of(alias)?;
            let registry = registry()?;
            check_seen(state, &registry, &model)?;
            let moved = registry.rollback(&model, &name, &author(reason, expect))?;
            check_seen(state, &registry, &model)?;
            Ok(moved_alias(&model, &name, &moved))
        }
        RegistryCommand::Log { model } => {
            let registry = registry()?;
            check_seen(state, &registry, model)?;
            log(&registry, model)
        }
        RegistryCommand::Verify { model, heads } => {
            let heads: Vec<Head> = heads
                .iter()
                .map(|head| Head::parse(head))
                .collect::<Result<_>>()?;
            let registry = registry()?;
            let mut found = registry.verify(model.as_deref(), &heads)?;
            let models = found.heads.iter();
            let seen = models.filter_map(|(model, _)| check_seen(state, &registry, model).err());
            let seen: Vec<Error> = seen.collect();
            found.errors.extend(seen);
            Ok(verified(found))
        }
        RegistryCommand::Gc {
            older_than_seconds,
            dry_run,
        } => gc(&registry()?, *older_than_seconds, *dry_run),
    }
}

/// Compares the log of a model with the last head that this machine saw, and keeps its present one.
fn check_seen(state: &Location, registry: &Registry, model: &str) -> Result<()> {
    checked_log(state, registry, model).map(drop)
}

fn alias_of(text: &str) -> Result<(String, String)> {
    match Reference::expect(text)? {
        Reference {
            model,
            selector: Selector::Alias(alias),
        } => Ok((model, alias)),
        _ => Err(Error::usage(format!("`{text}` is not an alias")).hint("write `NAME@ALIAS`")),
    }
}

/// A model that cannot be opened is not pushed.
fn push(
    request: &RegistryRequest,
    state: &Location,
    (package, name): (&Location, Option<&str>),
    author: &Author,
) -> Result<Shown> {
    let opened = read_unchanged(|| open(package, &ImportOptions::default()))?;
    let model = name.unwrap_or(&opened.name);
    super::name::check_name(model, "model").map_err(|error| {
        if name.is_some() {
            error
        } else {
            error.hint("name the model: `--name NAME`")
        }
    })?;
    let registry = Registry::open_or_create(&request.registry)?;
    check_seen(state, &registry, model)?;
    let push = Push {
        path: package,
        model,
        label: opened.version.clone(),
    };
    let pushed = registry.push(&push, author)?;
    check_seen(state, &registry, model)?;
    let reference = format!("{model}:{}", pushed.version);
    let digest = format!("sha256:{}", opened.digest);
    let (count, bytes) = pushed.size;
    let line = if pushed.is_new {
        format!(
            "{reference} pushed: {} ({})",
            counted(count, "file"),
            HumanBytes(bytes)
        )
    } else {
        format!("{reference} holds the same files already")
    };
    let object = json!({
        "model": model,
        "version": pushed.version,
        "digest": pushed.digest,
        "model_digest": digest,
        "is_new": pushed.is_new,
        "log_head": head_text(pushed.head.as_ref()),
    });
    Ok(Shown::new(
        vec![
            line,
            format!("digest of the version {} (all files)", pushed.digest),
            format!("digest of the model   {digest} (as in reports)"),
        ],
        object,
    ))
}

/// What was checked before an alias was moved.
fn promoted(mut shown: Shown, checked: &CheckedGates) -> Shown {
    if !checked.held.is_empty() {
        let held = checked.held.join(", ");
        shown.lines.push(format!("gates that hold: {held}"));
    }
    shown.lines.extend(
        checked
            .warnings
            .iter()
            .map(|warned| format!("warning: {warned}")),
    );
    shown.object.insert("gates".into(), json!(checked.held));
    shown
        .object
        .insert("gate_warnings".into(), json!(checked.warnings));
    shown
        .object
        .insert("evaluation".into(), json!(checked.evaluation));
    shown
        .object
        .insert("comparison".into(), json!(checked.comparison));
    shown
}

fn moved_alias(model: &str, alias: &str, moved: &Moved) -> Shown {
    let from = moved
        .from
        .map_or_else(String::new, |from| format!(", before {model}:{from}"));
    let line = if moved.is_new {
        format!("{model}@{alias} is {model}:{}{from}", moved.version)
    } else {
        format!("{model}@{alias} is {model}:{} already", moved.version)
    };
    let object = json!({
        "model": model,
        "alias": alias,
        "version": moved.version,
        "from": moved.from,
        "is_new": moved.is_new,
        "log_head": head_text(moved.head.as_ref()),
    });
    Shown::new(vec![line], object)
}

fn verified(found: verify::Verified) -> Shown {
    let counts = [
        counted(found.model_count, "model"),
        counted(found.entry_count, "log entry"),
        counted(found.version_count, "version"),
        counted(found.object_count, "object"),
    ];
    let mut lines = vec![format!("checked {}", counts.join(", "))];
    lines.extend(
        found
            .heads
            .iter()
            .map(|(model, head)| format!("head of {model}: {head}")),
    );
    let heads: Map<String, Json> = found
        .heads
        .iter()
        .map(|(model, head)| (model.clone(), head.to_string().into()))
        .collect();
    let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
    let object = json!({
        "models": found.model_count,
        "log_entries": found.entry_count,
        "versions": found.version_count,
        "objects": found.object_count,
        "log_heads": heads,
        "errors": errors,
    });
    Shown {
        errors: found.errors,
        ..Shown::new(lines, object)
    }
}

fn gc(registry: &Registry, age_seconds: u64, is_dry: bool) -> Result<Shown> {
    let collected = registry.collect(age_seconds, is_dry)?;
    let done = if is_dry { "would remove" } else { "removed" };
    let line = format!(
        "{done} {} and {}; {} kept because of their age",
        counted(collected.object_count, "object"),
        counted(collected.leftover_count, "temporary file"),
        counted(collected.young_count, "object"),
    );
    let object = json!({
        "objects": collected.object_count,
        "temporary_files": collected.leftover_count,
        "young_objects": collected.young_count,
        "dry_run": is_dry,
    });
    Ok(Shown::new(vec![line], object))
}
