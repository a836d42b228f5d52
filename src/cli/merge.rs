//! `tallow merge`: joins profiles of parts of the data.

use serde_json::json;

use super::console::Console;
use super::merge_args::MergeArgs;
use super::page::Page;
use crate::count::counted;
use crate::error::Result;
use crate::request::merging::Merging;
use crate::run::merge::merge;

pub(super) fn run(args: MergeArgs, console: &Console) -> Result<()> {
    let request = Merging::from(args);
    let (merged, count) = merge(&request)?;
    let output = request.output.display().to_string();
    let rows = merged.columns.first().map_or(0, |column| column.rows);
    if console.is_json() {
        return console.json(&json!({
            "status": "done", "profiles": count, "rows": rows,
            "columns": merged.columns.len(), "output": output,
        }));
    }
    console.show(&Page::new(&format!(
        "merged {} of {} in {}: {output}",
        counted(count, "profile"),
        counted(rows, "row"),
        counted(merged.columns.len(), "column"),
    )))
}
