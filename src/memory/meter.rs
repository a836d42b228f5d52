//! Counting many small things on one thread: each thread takes bytes out of the process's pool
//! ahead of need, in steps, so that a tensor costs no shared counter.

use std::cell::Cell;

use super::pool::Pool;
use crate::error::{Error, Result};

/// What a thread takes out of the pool at once.
const STEP_BYTES: u64 = 1 << 20;

/// What is temporary and smaller is not counted: a step has few of them, except a loop, which drops
/// each soon.
const MIN_TEMPORARY: usize = 4 << 10;

/// What a thread has taken and what it uses of that.
struct Meter {
    /// Taken out of the pool and not in use.
    credit: Cell<u64>,
    /// In use; may be negative on a thread that drops what others made.
    used: Cell<i64>,
    /// The most that may be in use.
    ceiling: Cell<i64>,
    /// In use until the step ends; none outside of steps.
    temporary: Cell<Option<u64>>,
    /// Whether something was refused since this was last asked.
    was_refused: Cell<bool>,
}

thread_local! {
    static METER: Meter = const {
        Meter {
            credit: Cell::new(0),
            used: Cell::new(0),
            ceiling: Cell::new(i64::MAX),
            temporary: Cell::new(None),
            was_refused: Cell::new(false),
        }
    };
}

impl Drop for Meter {
    fn drop(&mut self) {
        Pool::of_process().put_back(self.credit.get());
    }
}

impl Meter {
    fn is_below_ceiling(&self, bytes: u64) -> bool {
        i64::try_from(bytes)
            .ok()
            .and_then(|bytes| self.used.get().checked_add(bytes))
            .is_some_and(|sum| sum <= self.ceiling.get())
    }

    fn refuse<T>(&self, error: Error) -> Result<T> {
        self.was_refused.set(true);
        Err(error)
    }

    fn check(&self, bytes: u64) -> Result<()> {
        let pool = Pool::of_process();
        if !self.is_below_ceiling(bytes) {
            return self.refuse(beyond_ceiling());
        }
        let left = pool.left().saturating_add(self.credit.get());
        if bytes <= left {
            Ok(())
        } else {
            self.refuse(pool.refusal(bytes, VALUES))
        }
    }

    fn take(&self, bytes: u64) -> Result<()> {
        if !self.is_below_ceiling(bytes) {
            return self.refuse(beyond_ceiling());
        }
        let pool = Pool::of_process();
        let missing = bytes.saturating_sub(self.credit.get());
        if missing > 0 {
            let step = missing
                .checked_next_multiple_of(STEP_BYTES)
                .unwrap_or(missing);
            let taken = [step, missing].into_iter().find(|bytes| pool.take(*bytes));
            let Some(taken) = taken else {
                return self.refuse(pool.refusal(bytes, VALUES));
            };
            self.credit.set(self.credit.get() + taken);
        }
        self.credit.set(self.credit.get() - bytes);
        self.used.set(self.used.get() + bytes as i64);
        Ok(())
    }

    /// Takes bytes that cannot be refused any more.
    fn note(&self, bytes: u64) {
        let missing = bytes.saturating_sub(self.credit.get());
        Pool::of_process().take_anyway(missing);
        self.credit
            .set((self.credit.get() + missing).saturating_sub(bytes));
        self.used.set(self.used.get().saturating_add(bytes as i64));
    }

    fn put_back(&self, bytes: u64) {
        self.used.set(self.used.get() - bytes as i64);
        let credit = self.credit.get() + bytes;
        let excess = if credit > 2 * STEP_BYTES {
            credit - STEP_BYTES
        } else {
            0
        };
        Pool::of_process().put_back(excess);
        self.credit.set(credit - excess);
    }
}

/// What is counted here, as refusals call it.
const VALUES: &str = "a value of the model";

fn beyond_ceiling() -> Error {
    Error::failed("a trial run of the model takes more memory than a trial may")
}

/// Bytes in use on this thread; dropping them gives them back, on whichever thread that happens.
#[derive(Debug)]
#[must_use = "the bytes are given back when this is dropped"]
pub struct Charge(u64);

/// Counts bytes that are about to be allocated.
///
/// # Errors
/// Fails if so much is not left in the process's pool, or under the ceiling of [`confined`].
pub fn charge(bytes: usize) -> Result<Charge> {
    METER
        .with(|meter| meter.take(bytes as u64))
        .map(|()| Charge(bytes as u64))
}

impl Drop for Charge {
    fn drop(&mut self) {
        // A thread that ends has no meter any more.
        if METER.try_with(|meter| meter.put_back(self.0)).is_err() {
            Pool::of_process().put_back(self.0);
        }
    }
}

/// Counts bytes that exist already: what is made after them may be refused.
pub fn note(bytes: usize) -> Charge {
    METER.with(|meter| meter.note(bytes as u64));
    Charge(bytes as u64)
}

/// Whether bytes could be allocated now; nothing is reserved.
///
/// # Errors
/// As [`charge`].
pub fn room_for(bytes: usize) -> Result<()> {
    METER.with(|meter| meter.check(bytes as u64))
}

/// Counts bytes that are about to be allocated and are gone when the [`step`] ends; outside of
/// steps they are only checked.
///
/// # Errors
/// As [`charge`].
pub fn temporary(bytes: usize) -> Result<()> {
    if bytes < MIN_TEMPORARY {
        return Ok(());
    }
    METER.with(|meter| match meter.temporary.get() {
        None => meter.check(bytes as u64),
        Some(before) => meter
            .take(bytes as u64)
            .map(|()| meter.temporary.set(Some(before + bytes as u64))),
    })
}

/// Restores what was temporarily in use before a step.
struct Step(Option<u64>);

impl Drop for Step {
    fn drop(&mut self) {
        METER.with(|meter| {
            let within = meter.temporary.replace(self.0).unwrap_or(0);
            meter.put_back(within);
        });
    }
}

/// Does work whose [`temporary`] bytes are gone when it ends.
pub fn step<T>(work: impl FnOnce() -> T) -> T {
    let _restored = Step(METER.with(|meter| meter.temporary.replace(Some(0))));
    work()
}

/// Restores a ceiling, and whether something was refused outside of it.
struct Ceiling {
    bytes: i64,
    was_refused: bool,
}

impl Drop for Ceiling {
    fn drop(&mut self) {
        METER.with(|meter| {
            meter.ceiling.set(self.bytes);
            meter.was_refused.set(self.was_refused);
        });
    }
}

/// Does work for which this thread may charge at most `bytes` more than it has now: beyond that
/// [`charge`] fails. Also returns whether anything was refused.
pub fn confined<T>(bytes: u64, work: impl FnOnce() -> T) -> (T, bool) {
    let _restored = METER.with(|meter| {
        let own = meter
            .used
            .get()
            .saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
        let before = meter.ceiling.replace(own.min(meter.ceiling.get()));
        Ceiling {
            bytes: before,
            was_refused: meter.was_refused.replace(false),
        }
    });
    let result = work();
    (result, METER.with(|meter| meter.was_refused.get()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used() -> i64 {
        METER.with(|meter| meter.used.get())
    }

    #[test]
    fn what_is_charged_is_given_back() {
        let before = used();
        let kept = charge(3 << 20).unwrap();
        assert_eq!(used() - before, 3 << 20);
        assert!(Pool::of_process().used() >= 3 << 20);
        drop((kept, note(5)));
        assert_eq!(used(), before);
        assert!(METER.with(|meter| meter.credit.get()) <= 2 * STEP_BYTES);
    }

    #[test]
    fn a_charge_may_be_dropped_on_another_thread() {
        let kept = charge(5 << 20).unwrap();
        std::thread::spawn(move || drop(kept)).join().unwrap();
        assert_eq!(
            used(),
            5 << 20,
            "the thread that made it does not hear of it"
        );
    }

    #[test]
    fn no_size_is_too_large_to_be_refused() {
        assert!(
            charge(usize::MAX).is_err()
                && room_for(usize::MAX).is_err()
                && step(|| temporary(usize::MAX)).is_err()
        );
        assert!(
            charge(1 << 60)
                .unwrap_err()
                .to_string()
                .contains("a value of the model would take 1.00 EiB")
        );
    }

    #[test]
    fn a_ceiling_holds_within_and_not_after() {
        let (result, was_refused) = confined(100, || {
            let first = charge(60).unwrap();
            assert!(charge(41).is_err() && room_for(41).is_err() && room_for(40).is_ok());
            assert!(
                confined(1 << 20, || charge(41)).0.is_err(),
                "an inner ceiling is no higher than the outer one"
            );
            assert!(confined(10, || charge(11)).1 && !confined(10, || charge(10).is_ok()).1);
            drop(first);
            charge(100).map(drop)
        });
        assert!(result.is_ok() && was_refused && charge(1_000).is_ok());
        assert!(
            !confined(10, || ()).1,
            "a refusal is forgotten when its ceiling is gone"
        );
        let panicked = std::panic::catch_unwind(|| confined(1, || panic!("inside")));
        assert!(
            panicked.is_err() && charge(1_000).is_ok(),
            "also after a panic"
        );
    }

    #[test]
    fn what_is_temporary_is_gone_when_its_step_ends() {
        let before = used();
        step(|| {
            temporary(70_000).unwrap();
            step(|| temporary(30_000).unwrap());
            assert_eq!(used(), before + 70_000);
            assert!(confined(10_000, || temporary(11_000)).1);
        });
        temporary(1 << 20).unwrap();
        assert_eq!(used(), before);
    }
}
