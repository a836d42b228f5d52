//! Numbered work over workers, results in order.
//!
//! Knows nothing of tables or models. The window between the last delivered result and the last
//! portion handed out is bounded, which bounds memory; the first failure in order of numbers is the
//! one that is reported. A worker that may take no further item, because the window is full, memory
//! is short or there is none, does pieces of the others' items instead.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rayon::ThreadPoolBuilder;

use super::pieces::{Pieces, Work};
use crate::error::{Error, Result};
use crate::panics::caught;

/// Portions in flight for each worker: one at work and one whose result waits for its turn.
const WINDOW_PER_WORKER: u64 = 2;

/// How often memory is looked at again while it is short: it may be given back at any time.
const PRESSURE_INTERVAL: Duration = Duration::from_millis(20);

/// Pieces that must be left for a further worker to be worth starting.
const PIECES_FOR_ANOTHER: usize = 2;

struct Queue<W: Work + ?Sized> {
    waiting: BTreeMap<u64, W::Outcome>,
    reserved: u64,
    /// Items taken from the source.
    taken: u64,
    /// Items reserved whose pieces are not all done yet.
    at_work: u64,
    has_ended: bool,
    delivered: u64,
    delivering: bool,
    failure: Option<(u64, Error)>,
    /// Items whose pieces anybody may do.
    open: Vec<Arc<Pieces<W>>>,
}

impl<W: Work + ?Sized> Queue<W> {
    /// An item of which pieces are left.
    fn unfinished(&self) -> Option<Arc<Pieces<W>>> {
        self.open.iter().find(|pieces| pieces.left() > 0).cloned()
    }
}

/// The items not handed out yet.
type Source<'a, I> = Box<dyn Iterator<Item = Result<I>> + Send + 'a>;

/// Takes results in order.
type Deliver<'a, T> = Box<dyn FnMut(T) -> Result<()> + Send + 'a>;

struct Shared<'a, W: Work + ?Sized> {
    work: &'a W,
    /// The next number, and where its item comes from.
    source: Mutex<(u64, Source<'a, W::Item>)>,
    queue: Mutex<Queue<W>>,
    changed: Condvar,
    deliver: Mutex<Deliver<'a, W::Outcome>>,
    window: u64,
}

/// What a worker does next.
enum Turn<W: Work + ?Sized> {
    /// Take an item.
    Take,
    /// Do pieces of another worker's item.
    Help(Arc<Pieces<W>>),
    /// Nothing: the run has failed, or there is nothing left.
    Over,
}

/// Does `work` on the items of `source` with `threads` workers and hands the results to `deliver`
/// in the items' order.
///
/// While `pressure` says so, nothing is begun alongside what is in flight. Each worker is a rayon
/// pool of one thread, so that libraries which fork inside stay on their worker's core.
///
/// # Errors
/// The failure with the lowest number, after all workers have stopped.
pub(super) fn for_each_in_order<'a, W: Work>(
    threads: usize,
    pressure: &(dyn Fn() -> bool + Sync),
    source: impl Iterator<Item = Result<W::Item>> + Send + 'a,
    work: &'a W,
    deliver: impl FnMut(W::Outcome) -> Result<()> + Send + 'a,
) -> Result<()> {
    let queue = Queue {
        waiting: BTreeMap::new(),
        reserved: 0,
        taken: 0,
        at_work: 0,
        has_ended: false,
        delivered: 0,
        delivering: false,
        failure: None,
        open: Vec::new(),
    };
    let shared = Shared {
        work,
        source: Mutex::new((0, Box::new(source))),
        queue: Mutex::new(queue),
        changed: Condvar::new(),
        deliver: Mutex::new(Box::new(deliver)),
        window: WINDOW_PER_WORKER * threads.max(1) as u64,
    };
    let turns = || {
        let mut state = work.state();
        loop {
            match shared.turn(pressure) {
                Turn::Take => shared.step(&mut state),
                Turn::Help(pieces) => pieces.work_on(work, &mut state),
                Turn::Over => break,
            }
        }
    };
    shared.start_workers(0, threads.max(1), &turns)?;
    let mut queue = lock(&shared.queue);
    match queue.failure.take() {
        Some((_, error)) => Err(error),
        None if queue.waiting.is_empty() => Ok(()),
        None => Err(Error::internal("a portion's result is missing")),
    }
}

/// A lock that a panicking worker held is still usable: its panic is reported as a failure, and
/// nothing more is delivered.
pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Work> Shared<'_, W> {
    /// Runs `work` on a worker, and on further ones at the same time, up to `most`, each started
    /// only when all before it are busy: a small table is not worth a thread for each core. Returns
    /// when all are done.
    fn start_workers(&self, index: usize, most: usize, work: &(dyn Fn() + Sync)) -> Result<()> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(1)
            .thread_name(move |_| format!("tallow-{index}"))
            .build();
        let pool = pool.map_err(|error| {
            self.fail(u64::MAX, Error::failed("a worker thread is missing"));
            Error::failed("cannot start a worker thread")
                .because(error)
                .hint("pass fewer `--threads`")
        })?;
        pool.in_place_scope(|scope| {
            scope.spawn(|_| {
                if let Err(error) = guarded(|| Ok(work())) {
                    self.fail(u64::MAX, error);
                }
            });
            if index + 1 < most && self.has_work_for_another(index as u64 + 1) {
                self.start_workers(index + 1, most, work)
            } else {
                Ok(())
            }
        })
    }

    /// Waits until as many items were taken as there are workers, or enough pieces are left for one
    /// more; false if there will be no more.
    fn has_work_for_another(&self, workers: u64) -> bool {
        let mut queue = lock(&self.queue);
        loop {
            if queue.failure.is_some() || queue.has_ended && queue.at_work == 0 {
                return false;
            }
            if !queue.has_ended && queue.taken >= workers
                || queue
                    .open
                    .iter()
                    .any(|pieces| pieces.left() >= PIECES_FOR_ANOTHER)
            {
                return true;
            }
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for room in the window, or for pieces of another worker's item.
    fn turn(&self, pressure: &(dyn Fn() -> bool + Sync)) -> Turn<W> {
        let mut queue = lock(&self.queue);
        let is_full = |queue: &Queue<W>| {
            queue.reserved >= queue.delivered + self.window
                || queue.reserved > queue.delivered && pressure()
        };
        loop {
            if queue.failure.is_some() || queue.has_ended && queue.at_work == 0 {
                return Turn::Over;
            }
            if !queue.has_ended && !is_full(&queue) {
                queue.reserved += 1;
                queue.at_work += 1;
                return Turn::Take;
            }
            if let Some(pieces) = queue.unfinished() {
                return Turn::Help(pieces);
            }
            let waited = self.changed.wait_timeout(queue, PRESSURE_INTERVAL);
            queue = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(queue, _)| queue);
        }
    }

    /// Takes an item, works on it and delivers what is ready.
    fn step(&self, state: &mut W::State) {
        let (number, item) = {
            let mut source = lock(&self.source);
            let number = source.0;
            source.0 += 1;
            (number, guarded(|| source.1.next().transpose()))
        };
        let outcome = match item {
            Ok(Some(item)) => {
                lock(&self.queue).taken += 1;
                self.changed.notify_all();
                guarded(|| self.work_on(item, state))
            }
            Ok(None) => return self.end(),
            Err(error) => Err(error),
        };
        lock(&self.queue).at_work -= 1;
        self.changed.notify_all();
        if let Err(error) = outcome.and_then(|outcome| self.hand_over(number, outcome)) {
            self.fail(number, error);
        }
    }

    /// The three steps of an item; of the middle one others do their share.
    fn work_on(&self, item: W::Item, state: &mut W::State) -> Result<W::Outcome> {
        let pieces = Arc::new(Pieces::new(self.work, self.work.prepare(state, item)?));
        if pieces.left() > 1 {
            lock(&self.queue).open.push(Arc::clone(&pieces));
            self.changed.notify_all();
        }
        pieces.work_on(self.work, state);
        lock(&self.queue)
            .open
            .retain(|open| !Arc::ptr_eq(open, &pieces));
        pieces.finish(self.work)
    }

    fn hand_over(&self, number: u64, result: W::Outcome) -> Result<()> {
        let mut queue = lock(&self.queue);
        queue.waiting.insert(number, result);
        if queue.delivering {
            return Ok(());
        }
        while queue.failure.is_none() {
            let next = queue.delivered;
            let Some(result) = queue.waiting.remove(&next) else {
                break;
            };
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

    fn end(&self) {
        let mut queue = lock(&self.queue);
        (queue.has_ended, queue.at_work) = (true, queue.at_work - 1);
        self.changed.notify_all();
    }

    fn fail(&self, number: u64, error: Error) {
        let mut queue = lock(&self.queue);
        if queue
            .failure
            .as_ref()
            .is_none_or(|(first, _)| number < *first)
        {
            queue.failure = Some((number, error));
        }
        queue.waiting.clear();
        self.changed.notify_all();
    }
}

/// A panic of a library underneath becomes an error of ours.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    caught("a worker panicked", work)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;
    use std::thread::ThreadId;

    use super::super::pieces::Whole;
    use super::*;

    /// Twice each item, in one step; items from `broken` on fail.
    fn twice(threads: usize, items: u64, broken: u64) -> (Vec<u64>, Result<()>) {
        let mut seen = Vec::new();
        let process = |(): &mut (), item: u64| {
            if item >= broken {
                Err(Error::failed(format!("item {item}")))
            } else {
                Ok(item * 2)
            }
        };
        let ended = for_each_in_order(
            threads,
            &|| true,
            (0..items).map(Ok),
            &Whole::new(|| (), process),
            |item| Ok(seen.push(item)),
        );
        (seen, ended)
    }

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
            for_each_in_order(
                threads,
                &|| false,
                (0..500).map(Ok),
                &Whole::new(|| (), process),
                |item| Ok(seen.push(item)),
            )
            .unwrap();
            assert_eq!(seen, (0..500).map(|item| item * 2).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn the_first_failure_in_order_is_reported_and_nothing_after_it_is_delivered() {
        let (seen, ended) = twice(4, 100, 7);
        assert_eq!(ended.unwrap_err().message(), "item 7");
        assert!(seen.iter().all(|&item| item < 14));
    }

    #[test]
    fn memory_that_stays_short_stops_no_one() {
        for threads in [1, 2, 7] {
            assert_eq!(
                twice(threads, 50, u64::MAX).0,
                (0..50).map(|item| item * 2).collect::<Vec<u64>>()
            );
        }
    }

    #[test]
    fn a_panic_and_a_failing_writer_are_errors() {
        let panicking = |(): &mut (), item: u64| if item == 3 { panic!("boom") } else { Ok(item) };
        let error = for_each_in_order(
            2,
            &|| false,
            (0..9).map(Ok),
            &Whole::new(|| (), panicking),
            |_| Ok(()),
        )
        .unwrap_err();
        assert_eq!(error.message(), "a worker panicked");
        let cause = error.causes().next().map(ToString::to_string);
        assert!(cause.unwrap().starts_with("boom"));
        let whole = Whole::new(|| (), |(): &mut (), item: u64| Ok(item));
        let error = for_each_in_order(2, &|| false, (0..9).map(Ok), &whole, |_| {
            Err(Error::failed("disk full"))
        })
        .unwrap_err();
        assert_eq!(error.message(), "disk full");
    }

    /// Items of as many pieces as they say; a piece gives its number and the thread that did it.
    /// The piece (item, number) of `broken` fails, and pieces wait for each other in pairs if they
    /// are to meet.
    struct Cut {
        broken: Option<(usize, usize)>,
        meeting: Option<Barrier>,
    }

    impl Work for Cut {
        type Item = usize;
        type State = ();
        type Prepared = usize;
        type Piece = (usize, ThreadId);
        type Outcome = Vec<(usize, ThreadId)>;

        fn state(&self) {}

        fn prepare(&self, (): &mut (), item: usize) -> Result<usize> {
            Ok(item)
        }

        fn piece_count(&self, prepared: &usize) -> usize {
            *prepared
        }

        fn piece(&self, (): &mut (), prepared: &usize, number: usize) -> Result<(usize, ThreadId)> {
            self.meeting.iter().for_each(|meeting| _ = meeting.wait());
            match self.broken {
                Some((item, first)) if item == *prepared && number >= first => {
                    Err(Error::failed(format!("piece {number}")))
                }
                _ => Ok((number, std::thread::current().id())),
            }
        }

        fn finish(
            &self,
            _prepared: &usize,
            pieces: Vec<(usize, ThreadId)>,
        ) -> Result<Vec<(usize, ThreadId)>> {
            Ok(pieces)
        }
    }

    #[test]
    fn one_item_is_shared_by_two_workers_piece_by_piece() {
        let mut seen = Vec::new();
        // Each piece waits for another: a single worker would never end.
        let work = Cut {
            broken: None,
            meeting: Some(Barrier::new(2)),
        };
        for_each_in_order(2, &|| false, [Ok(40)].into_iter(), &work, |pieces| {
            Ok(seen.extend(pieces))
        })
        .unwrap();
        assert!(seen.iter().map(|(number, _)| *number).eq(0..40));
        assert_eq!(
            seen.iter()
                .map(|(_, thread)| *thread)
                .collect::<HashSet<_>>()
                .len(),
            2
        );
    }

    #[test]
    fn pieces_of_all_sizes_come_together_in_order() {
        for threads in [1, 2, 5] {
            let mut seen = Vec::new();
            let work = Cut {
                broken: None,
                meeting: None,
            };
            for_each_in_order(threads, &|| false, (0..60).map(Ok), &work, |pieces| {
                Ok(seen.push(pieces))
            })
            .unwrap();
            assert!(seen.iter().map(Vec::len).eq(0..60));
            assert!(
                seen.iter()
                    .all(|pieces| pieces.iter().map(|(number, _)| *number).eq(0..pieces.len()))
            );
        }
    }

    #[test]
    fn the_first_failing_piece_is_reported() {
        for threads in [1, 2, 5] {
            let mut seen = 0;
            let work = Cut {
                broken: Some((30, 11)),
                meeting: None,
            };
            let error =
                for_each_in_order(
                    threads,
                    &|| false,
                    (0..60).map(Ok),
                    &work,
                    |_| Ok(seen += 1),
                )
                .unwrap_err();
            assert_eq!(error.message(), "piece 11");
            assert!(seen <= 30);
        }
    }
}
