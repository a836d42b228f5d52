//! `tallow explain`: how rows of a recorded run got their scores.

use serde_json::json;

use super::console::Console;
use super::page::Page;
use super::record_args::ExplainArgs;
use super::{scheduler, signal};
use crate::error::{Error, Result};
use crate::report::explanation::lines;
use crate::run::explain::{Explain, explain};

pub(super) fn run(args: ExplainArgs, console: &Console) -> Result<()> {
    let interrupt = signal::watch(console)?;
    let caller = scheduler::caller(console)?;
    let ExplainArgs {
        directory,
        row,
        filter,
        max_rows,
        keys,
    } = args;
    let asked = Explain {
        directory: directory.into(),
        row,
        filter,
        max_rows: max_rows.max(1),
        keys: keys.into(),
    };
    let rows = explain(&asked, &caller, &interrupt)?;
    if console.is_json() {
        let rows = serde_json::to_value(&rows)
            .map_err(|error| Error::internal("an explanation without JSON").because(error))?;
        return console.json(&json!({"rows": rows}));
    }
    let mut page = Page::default();
    for row in &rows {
        lines(row).iter().for_each(|line| page.line(line));
    }
    console.show(&page)
}
