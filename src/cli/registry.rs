//! `tallow registry`: named versions of models, and the aliases that point at them.

use std::path::PathBuf;

use serde_json::Value as Json;

use super::console::Console;
use super::page::Page;
use super::registry_args::{RegistryArgs, RegistryVerb};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::plan::options::seconds;
use crate::registry::command;
use crate::registry::model::Local;
use crate::request::registry::{RegistryCommand, RegistryRequest};

pub(super) fn run(args: RegistryArgs, console: &Console) -> Result<()> {
    let shown = command::run(&request(args)?)?;
    if console.is_json() {
        console.json(&Json::Object(shown.object))?;
    } else {
        let mut page = Page::default();
        shown.lines.iter().for_each(|line| page.line(line));
        console.show(&page)?;
    }
    let count = shown.errors.len();
    shown.errors.iter().for_each(|error| console.warning(error));
    match shown.errors.into_iter().next() {
        Some(first) => Err(
            Error::trust(format!("the registry has {}", counted(count, "fault"))).hint(
                first
                    .hint_text()
                    .unwrap_or("restore the registry from a backup"),
            ),
        ),
        None => Ok(()),
    }
}

fn request(args: RegistryArgs) -> Result<RegistryRequest> {
    let command = match args.verb {
        RegistryVerb::Push {
            package,
            name,
            reason,
        } => RegistryCommand::Push {
            package,
            name,
            reason,
        },
        RegistryVerb::List => RegistryCommand::List,
        RegistryVerb::Show { model } => RegistryCommand::Show { model },
        RegistryVerb::Promote {
            target,
            alias,
            expect,
            reason,
        } => RegistryCommand::Promote {
            version: target,
            alias,
            expect,
            reason,
        },
        RegistryVerb::Rollback {
            alias,
            expect,
            reason,
        } => RegistryCommand::Rollback {
            alias,
            expect,
            reason,
        },
        RegistryVerb::Log { model } => RegistryCommand::Log { model },
        RegistryVerb::Verify { model, heads } => RegistryCommand::Verify { model, heads },
        RegistryVerb::Gc {
            older_than,
            dry_run,
        } => {
            let older_than_seconds = seconds("--older-than", &older_than)? as u64;
            RegistryCommand::Gc {
                older_than_seconds,
                dry_run,
            }
        }
    };
    let registry = args.registry.ok_or_else(|| {
        Error::usage("no registry was given").hint("`--registry DIR`, or `TALLOW_REGISTRY`")
    })?;
    Ok(RegistryRequest {
        registry,
        actor: args.actor.unwrap_or_else(actor),
        command,
    })
}

/// The user and the host.
fn actor() -> String {
    let user = variable("USER")
        .or_else(|| variable("LOGNAME"))
        .unwrap_or_else(|| "unknown".into());
    format!(
        "{user}@{}",
        crate::process::host_name().unwrap_or_else(|| "unknown".into())
    )
}

/// Where this machine keeps what it read of registries: the cache and the state of the XDG base
/// directories.
pub(super) fn local() -> Local {
    Local {
        cache: user_directory("XDG_CACHE_HOME", ".cache"),
        state: user_directory("XDG_STATE_HOME", ".local/state"),
    }
}

/// A directory of the user's own: what the variable says, else below the home directory.
pub(super) fn user_directory(name: &str, otherwise: &str) -> PathBuf {
    let absolute = variable(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = variable("HOME").map(PathBuf::from).unwrap_or_default();
    absolute
        .unwrap_or_else(|| home.join(otherwise))
        .join("tallow")
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
