//! Numbered work over workers, results in order.
//!
//! Knows nothing of tables or models. The window between the last delivered result and the last portion handed out is bounded,
//! which bounds memory; the first failure in order of numbers is the one that is reported.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rayon::ThreadPoolBuilder;

use crate::error::{Error, Result};

/// Portions in flight for each worker: one at work and one whose result waits for its turn.
const WINDOW_PER_WORKER: u64 = 2;

/// How often memory is looked at again while it is short: it may be given back at any time.
const PRESSURE_INTERVAL: Duration = Duration::from_millis(20);

struct Queue<T> {
    waiting: BTreeMap<u64, T>,
    reserved: u64,
    /// Items taken from the source.
    taken: u64,
    has_ended: bool,
    delivered: u64,
    delivering: bool,
    failure: Option<(u64, Error)>,
}

/// The items not handed out yet.
type Source<'a, W> = Box<dyn Iterator<Item = Result<W>> + Send + 'a>;

struct Shared<'a, W, T> {
    /// The next number, and where its item comes from.
    source: Mutex<(u64, Source<'a, W>)>,
    queue: Mutex<Queue<T>>,
    changed: Condvar,
    deliver: Mutex<Box<dyn FnMut(T) -> Result<()> + Send + 'a>>,
    window: u64,
}

/// Runs `work` over the items of `source` on `threads` workers and hands the results to `deliver` in the items' order.
///
/// While `pressure` says so, nothing is begun beside what is in flight. `worker` makes one worker's state, on the thread that uses it; `process` turns an item into a result. Each worker is a rayon pool of
/// one thread, so that libraries which fork inside stay on their worker's core.
///
/// # Errors
/// The failure with the lowest number, after all workers have stopped.
pub(super) fn for_each_in_order<'a, W: Send, T: Send, S>(
    threads: usize,
    pressure: &(dyn Fn() -> bool + Sync),
    source: impl Iterator<Item = Result<W>> + Send + 'a,
    worker: impl Fn() -> S + Sync,
    process: impl Fn(&mut S, W) -> Result<T> + Sync,
    deliver: impl FnMut(T) -> Result<()> + Send + 'a,
) -> Result<()> {
    let queue = Queue { waiting: BTreeMap::new(), reserved: 0, taken: 0, has_ended: false, delivered: 0, delivering: false, failure: None };
    let shared = Shared {
        source: Mutex::new((0, Box::new(source))),
        queue: Mutex::new(queue),
        changed: Condvar::new(),
        deliver: Mutex::new(Box::new(deliver)),
        window: WINDOW_PER_WORKER * threads.max(1) as u64,
    };
    let work = || {
        let mut state = worker();
        while shared.reserve(pressure) && shared.step(|item| process(&mut state, item)) {}
    };
    shared.start_workers(0, threads.max(1), &work)?;
    let mut queue = lock(&shared.queue);
    match queue.failure.take() {
        Some((_, error)) => Err(error),
        None if queue.waiting.is_empty() => Ok(()),
        None => Err(Error::internal("a portion's result is missing")),
    }
}

/// A lock that a panicking worker held is still usable: its panic is reported as a failure, and nothing more is delivered.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Send, T: Send> Shared<'_, W, T> {
    /// Runs `work` on a worker, and on further ones at the same time, up to `most`, each started only when all before it are busy: a small
    /// table is not worth a thread for each core. Returns when all are done.
    fn start_workers(&self, index: usize, most: usize, work: &(dyn Fn() + Sync)) -> Result<()> {
        let pool = ThreadPoolBuilder::new().num_threads(1).thread_name(move |_| format!("tallow-{index}")).build();
        let pool = pool.map_err(|error| {
            self.fail(u64::MAX, Error::failed("a worker thread is missing"));
            Error::failed("cannot start a worker thread").because(error).hint("pass fewer `--threads`")
        })?;
        pool.in_place_scope(|scope| {
            scope.spawn(|_| {
                if let Err(error) = guarded(|| Ok(work())) {
                    self.fail(u64::MAX, error);
                }
            });
            if index + 1 < most && self.has_work_for_another(index as u64 + 1) { self.start_workers(index + 1, most, work) } else { Ok(()) }
        })
    }

    /// Waits until as many items were taken as there are workers; false if there will be no more.
    fn has_work_for_another(&self, workers: u64) -> bool {
        let mut queue = lock(&self.queue);
        while queue.failure.is_none() && !queue.has_ended && queue.taken < workers {
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.failure.is_none() && !queue.has_ended
    }

    /// Waits for room in the window; false once the run has failed.
    fn reserve(&self, pressure: &(dyn Fn() -> bool + Sync)) -> bool {
        let mut queue = lock(&self.queue);
        // Once the source has ended, what it was last asked for in vain stays reserved: nobody may wait for that.
        let is_full = |queue: &Queue<T>| queue.reserved >= queue.delivered + self.window || queue.reserved > queue.delivered && pressure();
        while queue.failure.is_none() && !queue.has_ended && is_full(&queue) {
            let waited = self.changed.wait_timeout(queue, PRESSURE_INTERVAL);
            queue = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(queue, _)| queue);
        }
        queue.reserved += 1;
        queue.failure.is_none()
    }

    /// Takes an item, processes it and delivers what is ready; false when there is nothing more to do.
    fn step(&self, process: impl FnOnce(W) -> Result<T>) -> bool {
        let (number, item) = {
            let mut source = lock(&self.source);
            let number = source.0;
            source.0 += 1;
            match guarded(|| source.1.next().transpose()) {
                Ok(Some(item)) => (number, item),
                Ok(None) => return self.end(),
                Err(error) => return self.fail(number, error),
            }
        };
        lock(&self.queue).taken += 1;
        self.changed.notify_all();
        match guarded(|| process(item)).and_then(|result| self.hand_over(number, result)) {
            Ok(()) => true,
            Err(error) => self.fail(number, error),
        }
    }

    fn hand_over(&self, number: u64, result: T) -> Result<()> {
        let mut queue = lock(&self.queue);
        queue.waiting.insert(number, result);
        if queue.delivering {
            return Ok(());
        }
        while queue.failure.is_none() {
            let next = queue.delivered;
            let Some(result) = queue.waiting.remove(&next) else { break };
            queue.delivering = true;
            drop(queue);
            let outcome = guarded(|| (lock(&self.deliver))(result));
            queue = lock(&self.queue);
            queue.delivering = false;
            outcome?;
            queue.delivered += 1;
            self.changed.notify_all();
        }
        Ok(())
    }

    fn end(&self) -> bool {
        lock(&self.queue).has_ended = true;
        self.changed.notify_all();
        false
    }

    fn fail(&self, number: u64, error: Error) -> bool {
        let mut queue = lock(&self.queue);
        if queue.failure.as_ref().is_none_or(|(first, _)| number < *first) {
            queue.failure = Some((number, error));
        }
        queue.waiting.clear();
        self.changed.notify_all();
        false
    }
}

/// A panic of a library underneath becomes an error of ours.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|payload| Err(Error::internal(format!("a worker panicked: {}", panic_text(payload.as_ref())))))
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_arrive_in_order_whatever_the_workers_do() {
        for threads in [1, 2, 5] {
            let mut seen = Vec::new();
            let process = |(): &mut (), item: u64| {
                if item.is_multiple_of(3) {
                    std::thread::yield_now();
                }
                Ok(item * 2)
            };
            for_each_in_order(threads, &|| false, (0..500).map(Ok), || (), process, |item| Ok(seen.push(item))).unwrap();
            assert_eq!(seen, (0..500).map(|item| item * 2).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn the_first_failure_in_order_is_reported_and_nothing_after_it_is_delivered() {
        let mut seen = Vec::new();
        let process = |(): &mut (), item: u64| if item >= 7 { Err(Error::failed(format!("item {item}"))) } else { Ok(item) };
        let error = for_each_in_order(4, &|| true, (0..100).map(Ok), || (), process, |item| Ok(seen.push(item))).unwrap_err();
        assert_eq!(error.message(), "item 7");
        assert!(seen.iter().all(|&item| item < 7));
    }

    #[test]
    fn memory_that_stays_short_stops_nobody() {
        for threads in [1, 2, 7] {
            let mut seen = Vec::new();
            for_each_in_order(threads, &|| true, (0..50).map(Ok), || (), |(): &mut (), item: u64| Ok(item), |item| Ok(seen.push(item))).unwrap();
            assert_eq!(seen, (0..50).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn a_panic_and_a_failing_writer_are_errors() {
        let panicking = |(): &mut (), item: u64| if item == 3 { panic!("boom") } else { Ok(item) };
        let error = for_each_in_order(2, &|| false, (0..9).map(Ok), || (), panicking, |_| Ok(())).unwrap_err();
        assert_eq!(error.message(), "a worker panicked: boom");
        let error = for_each_in_order(2, &|| false, (0..9).map(Ok), || (), |(): &mut (), item: u64| Ok(item), |_| Err(Error::failed("disk full")))
            .unwrap_err();
        assert_eq!(error.message(), "disk full");
    }
}
