//! Work on a thread of its own, which is waited for only as long as the caller likes.
//!
//! A thread cannot be stopped from outside. One that does not answer in time is left behind: it
//! ends once its work does, or with the process, and nothing of it is used any more. Owns the
//! threads and the waiting. It must not know what is worked out.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::background;

/// How often the caller is asked whether to wait on.
const PATIENCE: Duration = Duration::from_millis(50);

/// A thread that answers requests.
#[derive(Debug)]
pub(super) struct Apart<Q, A> {
    requests: SyncSender<Q>,
    answers: Receiver<A>,
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
        background::apart(name, move || serve(served));
        Self { requests, answers }
    }

    /// The answer to a request, which is waited for while `waits`, given how long it was, says so.
    pub(super) fn ask(&self, request: Q, waits: impl Fn(Duration) -> bool) -> Result<A, Silence> {
        self.requests.send(request).map_err(|_| Silence::Gone)?;
        let begun = Instant::now();
        loop {
            match self.answers.recv_timeout(PATIENCE) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(Silence::Gone),
                Err(RecvTimeoutError::Timeout) if !waits(begun.elapsed()) => {
                    return Err(Silence::Late);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(apart.ask(1, |_| false), Ok(2));
        assert_eq!(
            apart.ask(120, |_| true),
            Ok(121),
            "it is slow, and waited for"
        );
        let begun = Instant::now();
        let late = apart.ask(600_000, |waited| waited < Duration::from_millis(100));
        assert_eq!(late, Err(Silence::Late));
        assert!(begun.elapsed() < Duration::from_secs(30));
        let dead = Apart::begin("dies", |served: Served<u64, u64>| {
            served.next();
        });
        assert_eq!(dead.ask(0, |_| true), Err(Silence::Gone));
    }
}
