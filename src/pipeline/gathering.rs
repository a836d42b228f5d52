//! What large observers see: gathered by part on the workers, not portion by portion.
//!
//! Owns the partials that no worker adds to at the moment. A worker takes one of its part, adds a
//! block or a portion, and gives it back, so that there are about as many as workers. What an
//! observer sees does not depend on how rows are cut, so it does not matter which rows went where.
//! It must not know what observers look at.

use std::sync::Mutex;

use super::observer::{Observer, Partials};
use super::ordered::lock;
use crate::error::Result;

/// Partials of the parts at work.
#[derive(Debug)]
pub(super) struct Gathering<'a> {
    observers: &'a [Box<dyn Observer>],
    /// Whether there is such an observer.
    is_needed: bool,
    /// The workers; more partials than these are merged where they can be.
    threads: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// (part, what was seen of it), the ones that were given back last at the end.
    idle: Vec<(u64, Partials)>,
    /// All partials: idle ones, and those that workers add to.
    count: usize,
}

impl<'a> Gathering<'a> {
    /// Nothing yet, of so many workers.
    pub(super) fn new(observers: &'a [Box<dyn Observer>], threads: usize) -> Self {
        Self {
            observers,
            is_needed: observers.iter().any(|observer| observer.gathers()),
            threads,
            state: Mutex::default(),
        }
    }

    /// Adds to what was seen of a part.
    ///
    /// # Errors
    /// The failure of `add`.
    pub(super) fn add(
        &self,
        part: u64,
        add: impl FnOnce(&mut Partials, &[Box<dyn Observer>]) -> Result<()>,
    ) -> Result<()> {
        if !self.is_needed {
            return Ok(());
        }
        let mut seen = match self.take(part) {
            Some(seen) => seen,
            None => self.made()?,
        };
        add(&mut seen, self.observers)?;
        lock(&self.state).idle.push((part, seen));
        Ok(())
    }

    /// Adds what was seen of a part, which has ended, to `seen`.
    ///
    /// # Errors
    /// An internal error if they are not the same observers.
    pub(super) fn finish(&self, part: u64, seen: &mut Partials) -> Result<()> {
        while let Some(one) = self.take(part) {
            lock(&self.state).count -= 1;
            seen.absorb(one)?;
        }
        Ok(())
    }

    /// Of a cache, the partials that were given back last have most.
    fn take(&self, part: u64) -> Option<Partials> {
        let mut state = lock(&self.state);
        let index = state.idle.iter().rposition(|(number, _)| *number == part)?;
        Some(state.idle.remove(index).1)
    }

    /// New partials. Where a part is nearly done while the next begins, its idle ones are merged,
    /// which is to be done anyway. The lock is held meanwhile: that part may end at any time, and
    /// what is being merged then must not be missed.
    fn made(&self) -> Result<Partials> {
        let mut state = lock(&self.state);
        while state.count >= self.threads {
            let Some((part, mut one, other)) = state.pair() else {
                break;
            };
            one.absorb(other)?;
            state.count -= 1;
            state.idle.push((part, one));
        }
        state.count += 1;
        drop(state);
        Ok(Partials::of(self.observers, |observer| observer.gathers()))
    }
}

impl State {
    /// Two idle partials of the same part, the oldest.
    fn pair(&mut self) -> Option<(u64, Partials, Partials)> {
        let parts = self.idle.iter().map(|(part, _)| *part);
        let is_twice = |part: &u64| self.idle.iter().filter(|(one, _)| one == part).count() > 1;
        let part = parts.filter(is_twice).min()?;
        let mut take = || {
            let index = self.idle.iter().position(|(number, _)| *number == part)?;
            Some(self.idle.remove(index).1)
        };
        let one = take()?;
        Some((part, one, take()?))
    }
}

#[cfg(test)]
mod tests {
    use std::any::Any;
    use std::sync::mpsc::{Sender, channel};
    use std::time::Duration;

    use super::super::observer::{EncodedBlock, Features, Partial, ScoredPortion};
    use super::*;
    use crate::error::Error;

    /// Counts what is added.
    #[derive(Debug)]
    struct Counts {
        gathers: bool,
        /// Told of each merge, which takes long then.
        merges: Option<Sender<()>>,
    }

    impl Counts {
        fn new(gathers: bool) -> Self {
            let merges = None;
            Self { gathers, merges }
        }
    }

    #[derive(Debug, Default)]
    struct Count {
        rows: u64,
        merges: Option<Sender<()>>,
    }

    impl Observer for Counts {
        fn name(&self) -> &'static str {
            "counts"
        }

        fn version(&self) -> u32 {
            1
        }

        fn empty(&self) -> Box<dyn Partial> {
            Box::new(Count {
                rows: 0,
                merges: self.merges.clone(),
            })
        }

        fn observe(&self, _portion: &ScoredPortion<'_>) -> Result<Box<dyn Partial>> {
            Ok(self.empty())
        }

        fn watches_blocks(&self) -> bool {
            true
        }

        fn observe_block(&self, partial: &mut dyn Partial, block: &EncodedBlock<'_>) -> Result<()> {
            let partial: &mut dyn Any = partial;
            let count: Option<&mut Count> = partial.downcast_mut();
            count.expect("a count").rows += block.row_count as u64;
            Ok(())
        }

        fn gathers(&self) -> bool {
            self.gathers
        }

        fn needs_only_scores(&self) -> bool {
            false
        }

        fn partial_of(&self, _bytes: &[u8]) -> Option<Box<dyn Partial>> {
            None
        }
    }

    impl Partial for Count {
        fn merge(&mut self, other: &dyn Partial) -> Result<()> {
            let other: &dyn Any = other;
            let other: &Self = other
                .downcast_ref()
                .ok_or_else(|| Error::internal("not a count"))?;
            if let Some(merges) = &self.merges {
                merges.send(()).expect("somebody listens");
                std::thread::sleep(Duration::from_millis(50));
            }
            self.rows += other.rows;
            Ok(())
        }

        fn to_bytes(&self) -> Vec<u8> {
            Vec::new()
        }
    }

    const BLOCK: EncodedBlock<'static> = EncodedBlock {
        columns: &[],
        features: Features::Columns(&[]),
        rejected: &[],
        row_count: 1,
    };

    /// So many workers at once and one more, as the innermost sees them.
    fn nested(gathering: &Gathering<'_>, part: u64, depth: u64) -> Result<()> {
        gathering.add(part, |seen, observers| {
            assert!(seen.iter().count() == 1, "of the one that gathers");
            if depth > 0 {
                nested(gathering, part, depth - 1)?;
            }
            seen.observe_block(observers, &BLOCK)
        })
    }

    fn rows(seen: &Partials) -> Vec<u64> {
        let counts = seen.iter().map(|one| {
            let count: Option<&Count> = (one as &dyn Any).downcast_ref();
            count.unwrap().rows
        });
        counts.collect()
    }

    #[test]
    fn each_part_gets_what_was_added_to_it_and_idle_partials_are_few() {
        let observers: Vec<Box<dyn Observer>> =
            vec![Box::new(Counts::new(false)), Box::new(Counts::new(true))];
        for (threads, counts) in [(2, [6, 7]), (9, [6, 9]), (64, [6, 12])] {
            let gathering = Gathering::new(&observers, threads);
            for (part, count) in [7, 8].into_iter().zip(counts) {
                nested(&gathering, part, 5).unwrap();
                let state = lock(&gathering.state);
                let of_part = state.idle.iter().filter(|(number, _)| *number == part);
                assert_eq!(of_part.count(), 6);
                assert_eq!(state.count, count, "those of the part before are merged");
            }
            for part in [8, 7, 9] {
                let mut seen = Partials::empty(&observers);
                gathering.finish(part, &mut seen).unwrap();
                let expected = if part == 9 { 0 } else { 6 };
                assert_eq!(rows(&seen), [0, expected], "{threads} {part}");
            }
            assert_eq!(lock(&gathering.state).count, 0);
        }
        let gathering = Gathering::new(&observers, 2);
        let failed = gathering.add(7, |_, _| Err(Error::internal("a broken column")));
        assert!(failed.is_err());
    }

    #[test]
    fn a_part_that_ends_while_another_worker_merges_its_partials_misses_nothing() {
        let (sender, merges) = channel();
        let observers: Vec<Box<dyn Observer>> = vec![Box::new(Counts {
            gathers: true,
            merges: Some(sender),
        })];
        let gathering = Gathering::new(&observers, 2);
        nested(&gathering, 7, 3).unwrap();
        let mut seen = Partials::empty(&observers);
        std::thread::scope(|scope| {
            scope.spawn(|| nested(&gathering, 8, 0).unwrap());
            merges.recv().unwrap();
            gathering.finish(7, &mut seen).unwrap();
        });
        assert_eq!(rows(&seen), [4]);
    }
}
