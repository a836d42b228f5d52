//! Whether the process was asked to stop: a note that signal handlers leave, and that all long work
//! looks at; and whether a thread was, whose work no one waits for any more.
//!
//! Who leaves the note is the command line's business. It must not know what the work is.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Kind, Result};

/// The note of this process, once signals are watched.
static OF_PROCESS: OnceLock<Interrupt> = OnceLock::new();

thread_local! {
    /// What may end the work of this thread alone.
    static OF_THREAD: RefCell<Option<Cancellation>> = const { RefCell::new(None) };
}

/// Fails if this process was asked to stop, or this thread was: for long work inside a model, which
/// knows nothing of the run that it is part of.
///
/// # Errors
/// As [`Interrupt::check`]; fails if the [`Cancellation`] of the thread was used.
pub fn check_process() -> Result<()> {
    OF_PROCESS.get().map_or(Ok(()), Interrupt::check)?;
    let is_cancelled = OF_THREAD.with_borrow(|own| own.as_ref().is_some_and(Cancellation::came));
    if is_cancelled {
        return Err(Error::failed("no one waits for this work any more"));
    }
    Ok(())
}

/// A note that ends the work of one thread; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// Asks the work to end.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The work of this thread ends once this is used.
    pub fn of_this_thread(self) {
        OF_THREAD.set(Some(self));
    }
}

/// The number of the signal that came; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    /// A note in `signal`: 0 until one comes, then its number.
    #[must_use]
    pub fn new(signal: Arc<AtomicUsize>) -> Self {
        Self(signal)
    }

    /// The same note, which [`check_process`] looks at from now on; the first one of a process
    /// stays.
    #[must_use]
    pub fn of_process(self) -> Self {
        OF_PROCESS.get_or_init(|| self.clone());
        self
    }

    /// Whether no signal came.
    ///
    /// # Errors
    /// [`Kind::Signal`] if one did, which the work that asks has not come to its end for.
    pub fn check(&self) -> Result<()> {
        self.came().map_or(Ok(()), |number| {
            let error = Error::new(
                Kind::Signal(number),
                format!("by signal {number}, before all was done"),
            );
            Err(error.hint(
                "the same command again makes the output; a data set goes on after its last \
                 finished part",
            ))
        })
    }

    /// The number of the signal, if one came.
    #[must_use]
    pub fn came(&self) -> Option<u8> {
        u8::try_from(self.0.load(Ordering::Relaxed))
            .ok()
            .filter(|number| *number > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::checkpoint::sha256_of;
    use crate::storage::Location;

    #[test]
    fn a_signal_stops_what_looks_at_the_note() {
        let signal = Arc::new(AtomicUsize::new(0));
        let interrupt = Interrupt::new(Arc::clone(&signal));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file.as_file(), b"some bytes").unwrap();
        assert!(
            interrupt.check().is_ok()
                && sha256_of(&Location::from(file.path()), &interrupt).is_ok()
        );
        signal.store(15, Ordering::Relaxed);
        assert_eq!(
            (interrupt.came(), interrupt.check().unwrap_err().kind()),
            (Some(15), Kind::Signal(15))
        );
        assert_eq!(
            sha256_of(&Location::from(file.path()), &interrupt)
                .unwrap_err()
                .kind(),
            Kind::Signal(15),
            "also in the middle of a file"
        );
    }
}
