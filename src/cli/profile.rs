//! `tallow profile`: what the columns of tables hold, in one small file.

use serde_json::json;

use super::console::Console;
use super::drift_args::ProfileArgs;
use super::page::Page;
use super::run_events::listener;
use super::{scheduler, signal};
use crate::count::counted;
use crate::error::Result;
use crate::request::comparison::Profiling;
use crate::run::profile::profile;

pub(super) fn run(args: ProfileArgs, console: &Console) -> Result<()> {
    let request = Profiling::from(args);
    let interrupt = signal::watch(console)?;
    let caller = scheduler::caller(console)?;
    let profile = profile(&request, &caller, &interrupt, &*listener(console))?;
    let rows = profile.columns.first().map_or(0, |column| column.rows);
    let columns = profile.columns.len();
    let output = request.output.display();
    if console.is_json() {
        return console.json(&json!({
            "status": "done", "rows": rows, "columns": columns, "output": output.to_string(),
        }));
    }
    let (rows, columns) = (counted(rows, "row"), counted(columns, "column"));
    console.show(&Page::new(&format!(
        "profiled {rows} in {columns}: {output}"
    )))
}
