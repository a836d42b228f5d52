//! `tallow pack`: makes a package of a model.

use serde_json::json;

use super::console::Console;
use super::pack_args::PackArgs;
use super::page::Page;
use super::signal;
use crate::count::counted;
use crate::error::Result;
use crate::request::pack::Pack;
use crate::run::pack::{Packed, next_command, pack};

pub(super) fn run(args: PackArgs, console: &Console) -> Result<()> {
    let request = Pack::from(args);
    let interrupt = signal::watch(console)?;
    let packed = pack(&request, &interrupt)?;
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
            "signed": packed.is_signed,
        }));
    }
    console.show(&page(&packed, &output, &next_command(&request)))
}

fn page(packed: &Packed, output: &str, next: &str) -> Page {
    let files = counted(packed.file_count, "file");
    let version = packed
        .version
        .as_deref()
        .map_or_else(String::new, |one| format!(" {one}"));
    let mut page = Page::new(&format!(
        "packed {}{version}: {output} ({files})",
        packed.name
    ));
    page.fact("digest", &packed.digest);
    if let Some(golden) = &packed.golden {
        let rows = counted(golden.row_count as u64, "row");
        let compared = golden
            .original_difference
            .map_or_else(String::new, |difference| {
                format!(", at most {difference:.1e} from the original library")
            });
        page.fact("golden", format!("{rows}{compared}"));
    }
    if let Some(rows) = packed.baseline_rows {
        page.fact("baseline", counted(rows, "row"));
    }
    if packed.is_signed {
        page.fact("signature", "model.sig");
    }
    page.fact("next", next);
    page
}
