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
    /// which is to be done anyway.
    fn made(&self) -> Result<Partials> {
        loop {
            let mut state = lock(&self.state);
            let is_full = state.count >= self.threads;
            let pair = if is_full { state.pair() } else { None };
            let Some((part, mut one, other)) = pair else {
                state.count += 1;
                break;
            };
            state.count -= 1;
            drop(state);
            one.absorb(other)?;
            lock(&self.state).idle.push((part, one));
        }
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

    use super::super::observer::{EncodedBlock, Features, Partial, ScoredPortion};
    use super::*;
    use crate::error::Error;

    /// Counts what is added; gathers or not.
    #[derive(Debug)]
    struct Counts(bool);

    #[derive(Debug, Default)]
    struct Count(u64);

    impl Observer for Counts {
        fn name(&self) -> &'static str {
            "counts"
        }

        fn version(&self) -> u32 {
            1
        }

        fn empty(&self) -> Box<dyn Partial> {
            Box::new(Count::default())
        }

        fn observe(&self, _portion: &ScoredPortion<'_>) -> Result<Box<dyn Partial>> {
            Ok(self.empty())
        }

        fn watches_blocks(&self) -> bool {
            true
        }

        fn observe_block(&self, partial: &mut dyn Partial, block: &EncodedBlock<'_>) -> Result<()> {
            partial.absorb(Box::new(Count(block.row_count as u64)))
        }

        fn gathers(&self) -> bool {
            self.0
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
            self.0 += other.0;
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

    #[test]
    fn each_part_gets_what_was_added_to_it_and_idle_partials_are_few() {
        let observers: Vec<Box<dyn Observer>> =
            vec![Box::new(Counts(false)), Box::new(Counts(true))];
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
                let found = seen
                    .iter()
                    .map(|one| (one as &dyn Any).downcast_ref::<Count>());
                let found: Vec<u64> = found.map(|one| one.unwrap().0).collect();
                let expected = if part == 9 { 0 } else { 6 };
                assert_eq!(found, [0, expected], "{threads} {part}");
            }
            assert_eq!(lock(&gathering.state).count, 0);
        }
        let gathering = Gathering::new(&observers, 2);
        let failed = gathering.add(7, |_, _| Err(Error::internal("a broken column")));
        assert!(failed.is_err());
    }
}
