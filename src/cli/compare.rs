//! `tallow compare`: predictions against predictions.

use serde_json::Map;

use super::compare_args::CompareArgs;
use super::console::Console;
use super::findings::{show_with, summary};
use super::page::Page;
use super::{scheduler, signal};
use crate::report::comparison_lines;
use crate::run::compare::compare;
use crate::run::result::Failure;

pub(super) fn run(args: CompareArgs, console: &Console) -> Result<(), Failure> {
    let interrupt = signal::watch(console)?;
    let request = args.into();
    let caller = scheduler::caller(console)?;
    let compared = compare(&request, &std::env::temp_dir().into(), &caller, &interrupt)?;
    let warnings = compared.warnings.iter();
    warnings.for_each(|warning| console.warning(warning));
    // Keys of rows are shown and never in the report.
    let rows = compared.moved();
    let moved = rows.map(|rows| ("moved".to_owned(), rows));
    show_with(
        compared.findings,
        Map::from_iter(moved),
        console,
        |findings| {
            summary(findings, console)?;
            let mut page = Page::default();
            comparison_lines::moved(&compared.found.moved)
                .iter()
                .for_each(|line| page.line(line));
            if let Some(path) = &request.output {
                page.line(format!("report {}", path.display()));
            }
            Ok(page)
        },
    )
}
