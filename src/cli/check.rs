//! `tallow check`: everything `score` would do before the first row, shown instead of done.

use super::check_page::{object, page};
use super::console::Console;
use super::key_args::keys;
use super::run_events::listener;
use super::score_args::CheckArgs;
use super::user::local;
use super::{signal, trust};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::plan;
use crate::request::output::Output;
use crate::request::{Request, VERSION};
use crate::run::check::check;
use crate::run::named_model;

pub(super) fn run(args: CheckArgs, console: &Console) -> Result<()> {
    let CheckArgs {
        job: _,
        work,
        scan,
        output,
        encryption,
        guards,
        monitoring,
        observers,
    } = args;
    let output = output.map(Output::from);
    let has_output = output.is_some();
    let mut request = Request {
        version: VERSION,
        keys: keys(work.rows.text.keys.clone(), encryption),
        work: work.into(),
        output: output.unwrap_or_default(),
        limits: guards.into(),
        monitoring: monitoring.into(),
        telemetry: observers.into(),
    };
    named_model::locate(&mut request.work, None, &local(), &trust::configured()?)?
        .iter()
        .for_each(|warning| console.warning(warning));
    plan::keys::install(&request.keys)?
        .iter()
        .for_each(|warning| console.warning(warning));
    let interrupt = if scan {
        signal::watch(console)?
    } else {
        Interrupt::default()
    };
    let events = listener(console);
    let found = check(&request, has_output, scan, &interrupt, &*events)?;
    if console.is_json() {
        console.json(&object(&found))
    } else {
        console.show(&page(&found))
    }
}
