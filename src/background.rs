//! Work on a second thread while this one goes on: what shortens the way to the first row, and from
//! the last one on.
//!
//! Owns the threads outside the pipeline, which `--threads` does not count: they end before the
//! first row is read, begin after the last one, or wait for something else than work. Where no
//! thread can be had the work is done on this one, so that nothing depends on it. It must not know
//! what is worked out.

use std::cmp::Reverse;
use std::iter;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::error::{Error, Result};

/// What items weigh together that pass from thread to thread at once, and the portions of them that
/// may wait.
const PORTION_WEIGHT: usize = 4_096;
const WAITING: usize = 2;

/// What items weigh together that are worth a thread: numbers to be read, or bytes to be passed
/// over.
const WORTH_A_THREAD: usize = 1 << 16;

/// Does `work` on a thread of its own that is never joined; where no thread can be had it is not
/// done.
pub fn apart(name: &str, work: impl FnOnce() + Send + 'static) {
    drop(thread::Builder::new().name(name.to_owned()).spawn(work));
}

/// Does both, `other` on a thread of its own.
///
/// # Errors
/// Fails only if the thread does.
pub fn both<A, B: Send>(
    own: impl FnOnce() -> A,
    other: impl FnOnce() -> B + Send,
) -> Result<(A, B)> {
    let other = Mutex::new(Some(other));
    let take = || other.lock().unwrap_or_else(PoisonError::into_inner).take();
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("tallow-alongside".into())
            .spawn_scoped(scope, || take().map(|other| other()));
        let own = own();
        let done = match thread {
            Ok(thread) => thread.join().ok().flatten(),
            // No thread could be had.
            Err(_) => take().map(|other| other()),
        };
        done.map(|done| (own, done)).ok_or_else(failed)
    })
}

/// What `work` gives for each item, in their order; if they weigh enough together, a second thread
/// takes part, the heaviest first.
///
/// # Errors
/// Fails only if the thread does.
pub fn each<T: Sync, R: Send>(
    items: &[T],
    weigh: impl Fn(&T) -> usize,
    work: impl Fn(&T) -> R + Sync,
) -> Result<Vec<R>> {
    if items.iter().map(&weigh).fold(0, usize::saturating_add) < WORTH_A_THREAD {
        return Ok(items.iter().map(work).collect());
    }
    let mut heaviest_first: Vec<usize> = (0..items.len()).collect();
    heaviest_first.sort_by_key(|index| Reverse(weigh(&items[*index])));
    let next = AtomicUsize::new(0);
    let take_part = || {
        let indices = iter::from_fn(|| heaviest_first.get(next.fetch_add(1, Ordering::Relaxed)));
        indices
            .map(|index| (*index, work(&items[*index])))
            .collect::<Vec<(usize, R)>>()
    };
    let (mut done, others) = both(take_part, take_part)?;
    done.extend(others);
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

/// Gives `items` to `work` in their order, and works them out ahead on a thread of their own; heavy
/// ones pass one by one, light ones many at once.
///
/// # Errors
/// Fails only if the thread does.
pub fn ahead<T: Send, R>(
    items: impl Iterator<Item = T> + Send,
    weigh: impl Fn(&T) -> usize + Sync,
    work: impl FnOnce(&mut dyn Iterator<Item = T>) -> R,
) -> Result<R> {
    let (sender, receiver) = sync_channel(WAITING);
    let (items, weigh) = (Mutex::new(Some((items, sender))), &weigh);
    let take = || items.lock().unwrap_or_else(PoisonError::into_inner).take();
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("tallow-ahead".into())
            .spawn_scoped(scope, || {
                if let Some((items, to)) = take() {
                    send(items, weigh, &to);
                }
            });
        match (thread, take) {
            (Ok(thread), _) => {
                let done = work(&mut received(receiver));
                thread.join().map(|()| done).map_err(|_| failed())
            }
            // No thread could be had.
            (Err(_), take) => take()
                .map(|(mut items, _)| work(&mut items))
                .ok_or_else(failed),
        }
    })
}

fn send<T>(items: impl Iterator<Item = T>, weigh: impl Fn(&T) -> usize, to: &SyncSender<Vec<T>>) {
    let (mut portion, mut weight) = (Vec::new(), 0_usize);
    for item in items {
        weight = weight.saturating_add(weigh(&item));
        portion.push(item);
        if weight >= PORTION_WEIGHT {
            weight = 0;
            if to.send(std::mem::take(&mut portion)).is_err() {
                return;
            }
        }
    }
    // No one listens any more where the work has ended before the items have.
    let _ = to.send(portion);
}

fn received<T>(from: Receiver<Vec<T>>) -> impl Iterator<Item = T> {
    iter::from_fn(move || from.recv().ok()).flatten()
}

fn failed() -> Error {
    Error::internal("a thread that works alongside this one failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_done() {
        assert_eq!(both(|| 1, || "two").unwrap(), (1, "two"));
    }

    #[test]
    fn each_gives_all_in_their_order() {
        for weight in [0, 1, WORTH_A_THREAD] {
            let items: Vec<usize> = (0..50).collect();
            let twofold = each(&items, |_| weight, |item| 2 * item).unwrap();
            assert_eq!(
                twofold,
                (0..50).map(|item| 2 * item).collect::<Vec<usize>>(),
                "{weight}"
            );
        }
    }

    #[test]
    fn items_come_in_their_order_whatever_they_weigh() {
        for weight in [0, 1, 1_000, usize::MAX >> 32] {
            let sum = ahead(
                0..10_000_u64,
                |_| weight,
                |items| items.enumerate().all(|(index, item)| index as u64 == item),
            )
            .unwrap();
            assert!(sum, "{weight}");
        }
    }

    #[test]
    fn work_that_ends_early_ends_the_thread() {
        let first = ahead(0.., |_| PORTION_WEIGHT, |items| items.nth(3)).unwrap();
        assert_eq!(first, Some(3));
    }

    #[test]
    fn a_thread_that_panics_is_an_error() {
        let broken = (0..10).inspect(|item| assert!(*item < 5, "on purpose"));
        let error = ahead(broken, |_| PORTION_WEIGHT, |items| items.count()).unwrap_err();
        assert_eq!(error.to_string(), failed().to_string());
    }
}
