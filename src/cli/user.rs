//! The user who runs the program: name, and directories for the cache, state and configuration.
//!
//! Owns the variables that these come from. It must not know what is kept there.

use crate::registry::model::Local;
use crate::storage::Location;

/// Who acts: what `TALLOW_ACTOR` says, else the user and the host.
pub(super) fn actor() -> String {
    if let Some(named) = variable("TALLOW_ACTOR") {
        return named;
    }
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
        cache: user_directory("XDG_CACHE_HOME", ".cache").unwrap_or_default(),
        state: user_directory("XDG_STATE_HOME", ".local/state").unwrap_or_default(),
        registry: variable("TALLOW_REGISTRY").map(Location::from),
    }
}

/// A directory of the user's own: what the variable says, else below the home directory. Never one
/// below the working directory, which may be anyone's: none where no home directory is known.
pub(super) fn user_directory(name: &str, otherwise: &str) -> Option<Location> {
    let absolute = variable(name)
        .map(Location::from)
        .filter(Location::is_absolute);
    let directory = absolute.or_else(|| Some(home()?.join(otherwise)))?;
    Some(directory.join("tallow"))
}

/// The home directory: `HOME`, or that of the account where the variable is missing.
fn home() -> Option<Location> {
    let is_empty = std::env::var_os("HOME").is_some_and(|home| home.is_empty());
    let home = std::env::home_dir().filter(|_| !is_empty);
    home.map(Location::from).filter(Location::is_absolute)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
