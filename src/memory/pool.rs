//! The pool and its reservations: an upper limit, a counter, and refusals.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use indicatif::HumanBytes;

use super::machine::machine_bytes;
use crate::error::{Error, Result};

/// The part of the machine's memory that things of foreign size may take together where no
/// `--memory` says otherwise.
pub const DEFAULT_SHARE_PERCENT: u64 = 50;

/// A machine that does not state its memory is taken to have this much.
const UNKNOWN_MACHINE_BYTES: u64 = 4 << 30;

/// The most characters of a subject that a refusal repeats.
const SUBJECT_CHARACTERS: usize = 120;

/// A limit on bytes and how many of them are in use; clones share both.
#[derive(Clone, Debug)]
pub struct Pool(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    limit: AtomicU64,
    used: AtomicU64,
    /// Whether the limit follows from `--memory`.
    is_requested: AtomicBool,
}

static PROCESS: LazyLock<Pool> = LazyLock::new(|| Pool::new(default_limit()));

/// The limit where no one asked for one.
fn default_limit() -> u64 {
    machine_bytes().unwrap_or(UNKNOWN_MACHINE_BYTES) / 100 * DEFAULT_SHARE_PERCENT
}

impl Pool {
    /// A pool of its own.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self(Arc::new(Counters {
            limit: limit.into(),
            used: 0.into(),
            is_requested: false.into(),
        }))
    }

    /// The one pool that everything in this process shares.
    #[must_use]
    pub fn of_process() -> &'static Self {
        &PROCESS
    }

    /// Sets the limit that follows from `--memory`; none restores the default. What is in use
    /// already stays.
    pub fn set_limit(&self, limit: Option<u64>) {
        self.0
            .is_requested
            .store(limit.is_some(), Ordering::Relaxed);
        self.0
            .limit
            .store(limit.unwrap_or_else(default_limit), Ordering::Relaxed);
    }

    /// The limit, in bytes.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.0.limit.load(Ordering::Relaxed)
    }

    /// The bytes in use.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// The bytes that are left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.limit().saturating_sub(self.used())
    }

    /// Reserves bytes until the reservation is dropped; `what` is the subject of the refusal's
    /// message, such as "the model file".
    ///
    /// # Errors
    /// Fails if so much is not left.
    pub fn reserve(&self, bytes: u64, what: &str) -> Result<Reservation> {
        if self.take(bytes) {
            Ok(Reservation {
                pool: self.clone(),
                bytes,
            })
        } else {
            Err(self.refusal(bytes, what))
        }
    }

    /// Takes bytes out of the pool, if they are left.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let limit = self.limit();
        let more = |used: u64| {
            used.checked_add(bytes)
                .filter(|sum| bytes == 0 || *sum <= limit)
        };
        self.0
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    /// Takes bytes that exist already out of the pool, whether they are left or not.
    pub(super) fn take_anyway(&self, bytes: u64) {
        self.0.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Puts bytes back that were taken.
    pub(super) fn put_back(&self, bytes: u64) {
        self.0.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The error for something that is too large.
    pub(super) fn refusal(&self, bytes: u64, what: &str) -> Error {
        let subject: String = what.chars().take(SUBJECT_CHARACTERS).collect();
        let (needed, left, limit) = (
            HumanBytes(bytes),
            HumanBytes(self.left()),
            HumanBytes(self.limit()),
        );
        let error = Error::failed(format!(
            "{subject} would take {needed} of memory, and {left} of {limit} is left"
        ));
        if self.0.is_requested.load(Ordering::Relaxed) {
            return error.hint("pass a larger `--memory` if the model and the data can be trusted");
        }
        error.hint(format!(
            "this is {DEFAULT_SHARE_PERCENT} % of the machine's memory; `--memory SIZE` sets \
             another limit"
        ))
    }
}

/// Bytes of a pool; dropping them gives them back.
#[derive(Debug)]
#[must_use = "the bytes are given back when this is dropped"]
pub struct Reservation {
    pool: Pool,
    bytes: u64,
}

impl Reservation {
    /// The bytes that are reserved.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reserves more.
    ///
    /// # Errors
    /// Fails if so much is not left; what was reserved before stays reserved.
    pub fn grow(&mut self, more: u64, what: &str) -> Result<()> {
        if !self.pool.take(more) {
            return Err(self.pool.refusal(self.bytes.saturating_add(more), what));
        }
        self.bytes += more;
        Ok(())
    }

    /// Gives back what is more than `bytes`.
    pub fn shrink_to(&mut self, bytes: u64) {
        let excess = self.bytes.saturating_sub(bytes);
        self.pool.put_back(excess);
        self.bytes -= excess;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.pool.put_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_counts_until_it_is_dropped() {
        let pool = Pool::new(100);
        let mut first = pool.reserve(60, "the first").unwrap();
        assert_eq!((pool.used(), pool.left()), (60, 40));
        assert!(pool.reserve(41, "the second").is_err() && pool.used() == 60);
        first.grow(40, "the first").unwrap();
        assert!(first.grow(1, "the first").is_err());
        assert_eq!((first.bytes(), pool.left()), (100, 0));
        first.shrink_to(30);
        first.shrink_to(50);
        assert_eq!((first.bytes(), pool.used()), (30, 30));
        drop(first);
        assert_eq!(pool.used(), 0);
    }

    #[test]
    fn no_size_overflows_the_counter() {
        let pool = Pool::new(u64::MAX);
        let _all = pool.reserve(u64::MAX - 1, "all").unwrap();
        assert!(pool.reserve(2, "more").is_err());
        let mut none = pool.reserve(0, "nothing").unwrap();
        assert!(none.grow(u64::MAX, "more").is_err());
    }

    #[test]
    fn a_lower_limit_refuses_what_is_new_and_lets_nothing_be_made_for_nothing() {
        let pool = Pool::new(100);
        let kept = pool.reserve(80, "a model").unwrap();
        pool.set_limit(Some(50));
        assert!(pool.reserve(1, "a row").is_err() && pool.reserve(0, "nothing").is_ok());
        drop(kept);
        assert!(pool.reserve(50, "a row").is_ok());
    }

    #[test]
    fn a_refusal_is_small_and_names_what_was_too_large() {
        let pool = Pool::new(1 << 30);
        let error = pool.reserve(3 << 30, "the model file").unwrap_err();
        assert_eq!(
            error.message(),
            "the model file would take 3.00 GiB of memory, and 1.00 GiB of 1.00 GiB is left"
        );
        assert!(
            error
                .hint_text()
                .unwrap()
                .contains("50 % of the machine's memory")
        );
        pool.set_limit(Some(1 << 20));
        let error = pool.reserve(3 << 30, &"x".repeat(1 << 20)).unwrap_err();
        assert!(
            error.message().len() < 300
                && error.hint_text().unwrap().contains("a larger `--memory`")
        );
    }
}
