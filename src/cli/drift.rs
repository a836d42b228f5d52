//! `tallow drift`: how columns changed between two tables or profiles.

use super::console::Console;
use super::drift_args::DriftArgs;
use super::findings::{show, summary};
use super::page::Page;
use super::run_events::listener;
use super::signal;
use crate::report::compat;
use crate::request::comparison::Comparison;
use crate::run::drift::drift;
use crate::run::result::Failure;

pub(super) fn run(args: DriftArgs, console: &Console) -> Result<(), Failure> {
    let request = Comparison::from(args);
    let interrupt = signal::watch(console)?;
    let found = drift(&request, &interrupt, &*listener(console))?;
    show(found.findings, console, |findings| {
        let mut page = Page::default();
        match &found.of_tool {
            Some(compared) => compat::lines(compared)
                .iter()
                .for_each(|line| page.line(line)),
            None => summary(findings, console)?,
        }
        if let Some(path) = &request.output {
            page.line(format!("report {}", path.display()));
        }
        Ok(page)
    })
}
