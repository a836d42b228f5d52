//! `tallow compare`: predictions against predictions.

use serde_json::json;

use super::compare_args::CompareArgs;
use super::console::Console;
use super::page::Page;
use super::{scheduler, signal};
use crate::report::attribution::Attribution;
use crate::report::comparison::lines;
use crate::report::json::sections;
use crate::run::compare::compare;
use crate::run::ending::Failure;

pub(super) fn run(args: CompareArgs, console: &Console) -> Result<(), Failure> {
    let interrupt = signal::watch(console)?;
    let request = args.into();
    let caller = scheduler::caller(console)?;
    let compared = compare(&request, &std::env::temp_dir().into(), &caller, &interrupt)?;
    let mut object = sections(&compared.facts);
    let status = compared.judged.status();
    object.insert("status".to_owned(), json!(status));
    if !compared.found.moved.is_empty() {
        object.insert("moved".to_owned(), compared.moved());
    }
    let warnings = compared.judged.warnings();
    warnings.iter().for_each(|warning| console.warning(warning));
    let failure = compared.judged.failure("");
    if console.is_json() {
        let Some(error) = failure else {
            return Ok(console.json(&object.into())?);
        };
        return Err(Failure {
            object,
            ..error.into()
        });
    }
    let mut page = Page::default();
    lines(&compared.found)
        .iter()
        .for_each(|line| page.line(line));
    let attribution = compared.attribution.iter();
    attribution
        .flat_map(Attribution::lines)
        .for_each(|line| page.line(line));
    if let Some(path) = &request.output {
        page.line(format!("report {}", path.display()));
    }
    console.show(&page)?;
    failure.map_or(Ok(()), |error| Err(error.into()))
}
