//! `tallow log`: the runs that data sets, outputs and reports record.

use serde_json::json;

use super::console::Console;
use super::page::Page;
use super::paths::locations;
use super::record_args::LogArgs;
use crate::error::{Error, Result};
use crate::registry::listing::aligned;
use crate::report::history::RecordedRun;
use crate::run::history::runs;

pub(super) fn run(args: &LogArgs, console: &Console) -> Result<()> {
    let (runs, without) = runs(&locations(args.paths.clone()))?;
    console.warnings(&without, usize::MAX);
    if console.is_json() {
        let runs = serde_json::to_value(&runs)
            .map_err(|error| Error::internal("runs without JSON").because(error))?;
        return console.json(&json!({"runs": runs}));
    }
    let rows: Vec<_> = runs.iter().map(RecordedRun::row).collect();
    let mut page = Page::default();
    aligned(&rows).iter().for_each(|line| page.line(line));
    console.show(&page)
}
