//! `tallow registry`: named versions of models, and the aliases that point at them.

use serde_json::Value as Json;

use super::console::Console;
use super::page::Page;
use super::registry_args::RegistryArgs;
use super::user;
use crate::count::counted;
use crate::error::{Error, Result};
use crate::registry::command;

pub(super) fn run(args: RegistryArgs, console: &Console) -> Result<()> {
    let shown = command::run(&args.try_into()?, &user::local())?;
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
