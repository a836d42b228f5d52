//! Work on a thread of its own, which is waited for only as long as the caller likes.
//!
//! A thread cannot be stopped from outside. One that does not answer in time is left behind and
//! asked to end, which the loops of models look at; nothing of it is used any more. Owns the
//! threads and the waiting. It must not know what is worked out.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use crate::background;
use crate::interrupt::Cancellation;

/// How often the caller is asked whether to wait on.
const PATIENCE: Duration = Duration::from_millis(50);

/// A thread that answers requests.
#[derive(Debug)]
pub(super) struct Apart<Q, A> {
    requests: SyncSender<Q>,
    answers: Receiver<A>,
    cancellation: Cancellation,
}

/// What the thread has of it.
pub(super) struct Served<Q, A> {
    requests: Receiver<Q>,
    answers: SyncSender<A>,
}

impl<Q, A> Served<Q, A> {
    /// The next request; none once nothing is asked any more.
    pub(super) fn next(&self) -> Option<Q> {
        self.requests.recv().ok()
    }

    /// Answers it.
    pub(super) fn answer(&self, answer: A) {
        // The caller may not wait any more.
        let _ = self.answers.send(answer);
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// It was not waited for any longer.
    Late,
    /// The thread is not there.
    Gone,
}

impl<Q: Send + 'static, A: Send + 'static> Apart<Q, A> {
    /// Begins a thread of this name that does `serve`.
    pub(super) fn begin(name: &str, serve: impl FnOnce(Served<Q, A>) + Send + 'static) -> Self {
        let (requests, of_requests) = sync_channel(1);
        let (of_answers, answers) = sync_channel(1);
        let served = Served {
            requests: of_requests,
            answers: of_answers,
        };
        let cancellation = Cancellation::default();
        let own = cancellation.clone();
        background::apart(name, move || {
            own.of_this_thread();
            serve(served);
        });
        Self {
            requests,
            answers,
            cancellation,
        }
    }

    /// The answer to a request, which is waited for while `waits` says so.
    pub(super) fn ask(&self, request: Q, waits: impl Fn() -> bool) -> Result<A, Silence> {
        self.requests.send(request).map_err(|_| Silence::Gone)?;
        loop {
            match self.answers.recv_timeout(PATIENCE) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(Silence::Gone),
                Err(RecvTimeoutError::Timeout) if !waits() => {
                    self.cancellation.cancel();
                    return Err(Silence::Late);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl<Q, A> Drop for Apart<Q, A> {
    fn drop(&mut self) {
        self.cancellation.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Instant;

    use arrow::array::{ArrayRef, Float32Array};

    use super::*;
    use crate::format::ImportOptions;
    use crate::package::open::open;
    use crate::storage::Location;

    #[test]
    fn an_endless_loop_of_a_graph_ends_soon_once_no_one_waits_for_it() {
        struct Ended(Arc<AtomicBool>);
        impl Drop for Ended {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let has_ended = Arc::new(AtomicBool::new(false));
        let guard = Ended(Arc::clone(&has_ended));
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/challengers/loop.onnx");
        let opened = open(&Location::from(path), &ImportOptions::default()).unwrap();
        let apart = Apart::begin("endless", move |served: Served<f32, bool>| {
            let _guard = guard;
            let model = opened.loaded.model.as_columnar().unwrap();
            while let Some(rounds) = served.next() {
                let columns = [rounds, 1.0].map(|one| Arc::new(Float32Array::from(vec![one])));
                let columns = columns.map(|column| column as ArrayRef);
                served.answer(model.worker().score(&columns).is_ok());
            }
        });
        assert_eq!(apart.ask(3.0, || true), Ok(true));
        let begun = Instant::now();
        let late = apart.ask(1e18, || begun.elapsed() < Duration::from_millis(200));
        assert_eq!(late, Err(Silence::Late));
        drop(apart);
        let begun = Instant::now();
        while !has_ended.load(Ordering::Relaxed) {
            assert!(begun.elapsed() < Duration::from_secs(5), "it goes on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn work_that_hangs_is_not_waited_for_and_what_died_is_gone() {
        let apart = Apart::begin("hangs", |served: Served<u64, u64>| {
            while let Some(request) = served.next() {
                if request == 0 {
                    return;
                }
                std::thread::sleep(Duration::from_millis(request));
                served.answer(request + 1);
            }
        });
        assert_eq!(apart.ask(1, || false), Ok(2));
        assert_eq!(
            apart.ask(120, || true),
            Ok(121),
            "it is slow, and waited for"
        );
        let begun = Instant::now();
        let late = apart.ask(600_000, || begun.elapsed() < Duration::from_millis(100));
        assert_eq!(late, Err(Silence::Late));
        assert!(begun.elapsed() < Duration::from_secs(30));
        let dead = Apart::begin("dies", |served: Served<u64, u64>| {
            served.next();
        });
        assert_eq!(dead.ask(0, || true), Err(Silence::Gone));
    }
}
