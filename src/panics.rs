//! Panics of libraries underneath, made errors.
//!
//! Owns the note of where a panic happened: the process's hook writes it, and anyone who catches
//! the panic makes it the source of an error. It must not know what the work was.

use std::any::Any;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};

/// The message and the location of the last panic.
static LAST: Mutex<Option<(String, String)>> = Mutex::new(None);

/// Keeps message and location of every panic for [`caught`], and prints nothing.
pub fn note_quietly() {
    std::panic::set_hook(Box::new(note));
}

fn note(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let note = location.map(|location| (text(panic.payload()), location));
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = note;
}

/// Does `work`; a panic in it becomes an internal error with this message, and what the panic said,
/// and where, as its source.
///
/// # Errors
/// As `work`, and for a panic.
pub fn caught<T>(message: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|payload| Err(Error::internal(message).because(cause(&*payload))))
}

/// What a panic said; and where, if its note is there and was not replaced by that of another one.
fn cause(payload: &(dyn Any + Send)) -> String {
    let message = text(payload);
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match last.as_ref().filter(|(noted, _)| *noted == message) {
        Some((_, location)) => format!("{message} ({location})"),
        None => message,
    }
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_keeps_its_message_as_the_source_of_the_error() {
        let number = 7;
        let error = caught("a worker panicked", || -> Result<()> {
            panic!("boom {number}")
        });
        let error = error.unwrap_err();
        assert_eq!(error.message(), "a worker panicked");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.starts_with("boom 7"), "{source}");
        assert_eq!(caught("never", || Ok(1)).unwrap(), 1);
    }

    #[test]
    fn the_location_is_shown_with_the_message_it_belongs_to() {
        *LAST.lock().unwrap() = Some(("split".to_owned(), "src/a.rs:3:5".to_owned()));
        assert_eq!(cause(&"split"), "split (src/a.rs:3:5)");
        assert_eq!(cause(&"another"), "another");
        assert_eq!(cause(&7), "without a message");
    }
}
