//! `tallow pack`: makes a package of a model.

use serde_json::json;

use super::console::Console;
use super::pack_args::PackArgs;
use super::pack_page::page;
use super::signal;
use crate::error::Result;
use crate::request::pack::Pack;
use crate::run::pack::{next_command, pack};

pub(super) fn run(args: PackArgs, console: &Console) -> Result<()> {
    let request = Pack::from(args);
    let interrupt = signal::watch(console)?;
    let packed = pack(&request, &interrupt)?;
    packed.warnings.iter().for_each(|one| console.warning(one));
    let output = request.output.text();
    if console.is_json() {
        return console.json(&json!({
            "output": output,
            "name": packed.name,
            "version": packed.version,
            "digest": packed.digest,
            "files": packed.file_count,
            "golden_rows": packed.golden.as_ref().map(|golden| golden.row_count),
            "original_difference": packed.golden.as_ref().and_then(|one| one.original_difference),
            "baseline_rows": packed.baseline_rows,
            "reference_rows": packed.reference_rows,
            "signed": packed.is_signed,
        }));
    }
    console.show(&page(&packed, &output, &next_command(&request, &packed)))
}
