//! `tallow pack`, shown: what was packed, and what to type next.

use super::page::Page;
use crate::count::counted;
use crate::run::pack::Packed;

/// The page of a package that was made.
pub(super) fn page(packed: &Packed, output: &str, next: &str) -> Page {
    let files = counted(packed.file_count, "file");
    let version = packed
        .version
        .as_deref()
        .map_or_else(String::new, |one| format!(" {one}"));
    let mut page = Page::new(&format!(
        "packed {}{version}: {output} ({files})",
        packed.name
    ));
    page.fact("model digest", &packed.digest);
    if let Some(golden) = &packed.golden {
        let rows = counted(golden.row_count as u64, "row");
        let compared = golden
            .original_difference
            .map_or_else(String::new, |difference| match difference {
                0.0 => ", equal to the original library's".to_owned(),
                _ => format!(", at most {difference:.1e} from the original library"),
            });
        page.fact("golden", format!("{rows}{compared}"));
    }
    if let Some(rows) = packed.baseline_rows {
        page.fact("baseline", counted(rows, "row"));
    }
    if let Some(rows) = packed.reference_rows {
        page.fact("reference", counted(rows, "labelled row"));
    }
    if packed.is_signed {
        page.fact("signature", "model.sig");
    }
    page.fact("next", next);
    page
}
