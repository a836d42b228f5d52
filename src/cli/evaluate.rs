//! `tallow evaluate`: predictions against labels.

use super::console::Console;
use super::evaluate_args::EvaluateArgs;
use super::findings::{show, summary};
use super::page::Page;
use super::run_events::listener;
use super::{scheduler, signal};
use crate::request::evaluation::Evaluation;
use crate::run::evaluate::evaluate;
use crate::run::result::Failure;

pub(super) fn run(args: EvaluateArgs, console: &Console) -> Result<(), Failure> {
    let request = Evaluation::from(args);
    let files = [
        ("report", request.output.clone()),
        ("reference", request.save_reference.clone()),
    ];
    let interrupt = signal::watch(console)?;
    let caller = scheduler::caller(console)?;
    let temporary = std::env::temp_dir().into();
    let events = listener(console);
    let found = evaluate(request, &temporary, &caller, &interrupt, &*events)?;
    show(found, console, |findings| {
        summary(findings, console)?;
        let mut page = Page::default();
        for (label, path) in files {
            path.iter()
                .for_each(|path| page.line(format!("{label} {}", path.display())));
        }
        Ok(page)
    })
}
