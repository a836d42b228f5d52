//! The time that threads spend on one thing, added up over all of them.
//!
//! Owns that work counts while it goes on: of four threads that wait for a second, four seconds are
//! counted before any of them is done. It must not know what the work is or how much is too much.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::ordered::lock;

/// A clock that runs as fast as there are threads at work.
#[derive(Debug)]
pub(super) struct WorkClock {
    epoch: Instant,
    times: Mutex<Times>,
}

#[derive(Debug, Default)]
struct Times {
    /// Of work that is done.
    finished: Duration,
    /// How many threads are at work.
    running: u32,
    /// When they began, as the sum of the times since the epoch.
    begun: Duration,
}

impl Default for WorkClock {
    fn default() -> Self {
        Self {
            epoch: Instant::now(),
            times: Mutex::default(),
        }
    }
}

impl WorkClock {
    /// Counts the time of this thread until the result is dropped.
    pub(super) fn begin(&self) -> Running<'_> {
        let mut times = lock(&self.times);
        let begun = self.epoch.elapsed();
        times.running += 1;
        times.begun += begun;
        Running { clock: self, begun }
    }

    /// What threads have spent until now, whether they are done or not.
    pub(super) fn total(&self) -> Duration {
        let times = lock(&self.times);
        let running = self.epoch.elapsed().saturating_mul(times.running);
        times.finished + running.saturating_sub(times.begun)
    }
}

/// A thread at work.
#[derive(Debug)]
pub(super) struct Running<'a> {
    clock: &'a WorkClock,
    begun: Duration,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut times = lock(&self.clock.times);
        let now = self.clock.epoch.elapsed();
        times.running -= 1;
        times.begun = times.begun.saturating_sub(self.begun);
        times.finished += now.saturating_sub(self.begun);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_are_still_at_work_count_each_on_its_own() {
        let clock = WorkClock::default();
        let wait = Duration::from_millis(20);
        let begun = Instant::now();
        let running: Vec<_> = (0..8).map(|_| clock.begin()).collect();
        std::thread::sleep(wait);
        let during = clock.total();
        let elapsed = begun.elapsed();
        assert!(during >= 8 * wait && during <= 8 * elapsed, "{during:?}");
        drop(running);
        let done = clock.total();
        assert!(done >= during && done <= 8 * begun.elapsed(), "{done:?}");
        std::thread::sleep(wait);
        assert_eq!(clock.total(), done, "no one is at work");
        drop(clock.begin());
        assert!(clock.total() < done + begun.elapsed());
    }
}
