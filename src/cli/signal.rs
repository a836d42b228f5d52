//! Signals that ask a run to stop: the first is noted and confirmed, the second ends the process at
//! once. One that would kill it silently is caught.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use super::console::Console;
use crate::background::apart;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;

/// What the first signal is answered with, before the work that has begun ends.
const STOPPING: &str =
    "stopping: what has begun ends first; a second signal ends the process at once";

/// Makes a file that may grow no further (`ulimit -f`) an error of the write, which says so: by
/// default the signal ends the process silently.
pub(super) fn survive_full_files() {
    // Where the system refuses, the default stays.
    let _ = flag::register(SIGXFSZ, Arc::default());
}

/// The note that signals leave; the first one is confirmed on `console` at once.
///
/// # Errors
/// Fails if the system refuses.
pub(super) fn watch(console: &Console) -> Result<Interrupt> {
    let cannot = |error| Error::failed("cannot watch for signals").because(error);
    let came = Arc::new(AtomicUsize::new(0));
    let stop_at_once = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // In this order, so that the first signal only arms what the second one does.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop_at_once))
            .map_err(cannot)?;
        flag::register(signal, Arc::clone(&stop_at_once)).map_err(cannot)?;
        flag::register_usize(signal, Arc::clone(&came), signal as usize).map_err(cannot)?;
    }
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(cannot)?;
    let console = console.clone();
    apart("tallow-signal", move || {
        if signals.forever().next().is_some() {
            console.print_text(STOPPING);
        }
    });
    Ok(Interrupt::new(came).of_process())
}
