//! What a user types for `report`: clap derives only. The doc comments are the manual.

use std::path::PathBuf;

use clap::Args;

use super::paths::locations;
use crate::request::report_page::ReportPage;

/// `tallow report`
///
/// The page is one file: no script, no font, no request. It holds aggregates and no rows. One
/// report, or one of a run with one of `drift` and one of `evaluate`, is a page of one night. More
/// are a page of their history: trends with control limits, a table of runs, and the last night.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// Reports: report files, globs, data sets, or outputs whose report is next to them
    #[arg(value_name = "REPORT", required = true)]
    pub reports: Vec<PathBuf>,
    /// Write the page here, as HTML
    #[arg(short, long, value_name = "FILE.html")]
    pub output: PathBuf,
    /// Replace an existing page
    #[arg(long)]
    pub overwrite: bool,
    /// Also show extremes of inputs, whole paths and messages about broken files
    #[arg(long)]
    pub show_values: bool,
}

impl From<ReportArgs> for ReportPage {
    fn from(args: ReportArgs) -> Self {
        let ReportArgs {
            reports,
            output,
            overwrite,
            show_values,
        } = args;
        Self {
            reports: locations(reports),
            output: output.into(),
            overwrite,
            show_values,
        }
    }
}
