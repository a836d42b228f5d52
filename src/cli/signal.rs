//! Signals that ask a run to stop: the first is noted, the second ends the process at once. One that would kill it without a word is taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;

/// The note that signals leave.
///
/// # Errors
/// Fails if the system refuses.
pub(super) fn watch() -> Result<Interrupt> {
    let cannot = |error| Error::failed("cannot watch for signals").because(error);
    // A file that may grow no further (`ulimit -f`) is an error of the write, which says so; by default the signal ends the process without a word.
    flag::register(SIGXFSZ, Arc::default()).map_err(cannot)?;
    let came = Arc::new(AtomicUsize::new(0));
    let stop_at_once = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // In this order, so that the first signal only arms what the second one does.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop_at_once)).map_err(cannot)?;
        flag::register(signal, Arc::clone(&stop_at_once)).map_err(cannot)?;
        flag::register_usize(signal, Arc::clone(&came), signal as usize).map_err(cannot)?;
    }
    Ok(Interrupt::new(came))
}
