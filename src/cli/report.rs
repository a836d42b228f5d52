//! `tallow report`: reports as one HTML page.

use serde_json::json;

use super::console::Console;
use super::page::Page;
use super::report_args::ReportArgs;
use crate::count::counted;
use crate::error::Result;
use crate::request::report_page::ReportPage;
use crate::run::report_page::write_page;

pub(super) fn run(args: ReportArgs, console: &Console) -> Result<()> {
    let request = ReportPage::from(args);
    let written = write_page(&request)?;
    if console.is_json() {
        return console.json(&json!({
            "status": "done",
            "output": request.output.text(),
            "reports": written.report_count,
            "bytes": written.byte_count,
        }));
    }
    console.show(&Page::new(&format!(
        "{} on one page: {}",
        counted(written.report_count, "report"),
        request.output.display()
    )))
}
