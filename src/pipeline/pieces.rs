//! Work in three steps, of which the middle one is cut into pieces: anyone who has nothing else to
//! do takes the next piece.
//!
//! A file of one row group is one portion, decoded by one worker; without pieces the others would
//! look on while it is scored, and at the end of every run they would wait for the last portion.
//! Knows nothing of tables or models. Pieces are claimed in order, so that the first failure
//! in order is always known.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use super::ordered::{guarded, lock};
use crate::error::{Error, Result};

/// What workers do with items.
pub(super) trait Work: Sync {
    /// What comes in.
    type Item: Send;
    /// Per-worker scratch space, made on the thread that uses it.
    type State;
    /// An item that is ready to be worked on piece by piece.
    type Prepared: Send + Sync;
    /// What came of one piece.
    type Piece: Send;
    /// What comes out.
    type Outcome: Send;

    /// A worker's state.
    fn state(&self) -> Self::State;

    /// The first step.
    ///
    /// # Errors
    /// Fails if the item is broken.
    fn prepare(&self, state: &mut Self::State, item: Self::Item) -> Result<Self::Prepared>;

    /// The number of pieces.
    fn piece_count(&self, prepared: &Self::Prepared) -> usize;

    /// The step of one piece, numbered from 0.
    ///
    /// # Errors
    /// Fails if the piece cannot be done.
    fn piece(
        &self,
        state: &mut Self::State,
        prepared: &Self::Prepared,
        number: usize,
    ) -> Result<Self::Piece>;

    /// The last step, with all pieces in order.
    ///
    /// # Errors
    /// Fails if they do not go together.
    fn finish(&self, prepared: &Self::Prepared, pieces: Vec<Self::Piece>) -> Result<Self::Outcome>;
}

/// An item whose pieces are being done.
pub(super) struct Pieces<W: Work + ?Sized> {
    prepared: W::Prepared,
    count: usize,
    next: AtomicUsize,
    has_failed: AtomicBool,
    done: Mutex<Done<W::Piece>>,
    all_done: Condvar,
}

struct Done<P> {
    pieces: Vec<Option<P>>,
    count: usize,
    failure: Option<(usize, Error)>,
}

impl<W: Work + ?Sized> Pieces<W> {
    pub(super) fn new(work: &W, prepared: W::Prepared) -> Self {
        let count = work.piece_count(&prepared);
        let done = Done {
            pieces: std::iter::repeat_with(|| None).take(count).collect(),
            count: 0,
            failure: None,
        };
        Self {
            prepared,
            count,
            next: AtomicUsize::new(0),
            has_failed: AtomicBool::new(false),
            done: Mutex::new(done),
            all_done: Condvar::new(),
        }
    }

    /// The pieces that no one has begun.
    pub(super) fn left(&self) -> usize {
        self.count.saturating_sub(self.next.load(Ordering::Relaxed))
    }

    /// Does pieces until none is left to begin.
    pub(super) fn work_on(&self, work: &W, state: &mut W::State) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.count {
                return;
            }
            // What follows a failure is of no use; what came before it has been claimed already.
            let piece = (!self.has_failed.load(Ordering::Relaxed))
                .then(|| guarded(|| work.piece(state, &self.prepared, number)));
            self.book(number, piece);
        }
    }

    fn book(&self, number: usize, piece: Option<Result<W::Piece>>) {
        let mut done = lock(&self.done);
        match piece {
            Some(Ok(piece)) => done.pieces[number] = Some(piece),
            Some(Err(error)) => {
                self.has_failed.store(true, Ordering::Relaxed);
                if done
                    .failure
                    .as_ref()
                    .is_none_or(|(first, _)| number < *first)
                {
                    done.failure = Some((number, error));
                }
            }
            None => {}
        }
        done.count += 1;
        if done.count == self.count {
            self.all_done.notify_all();
        }
    }

    /// Waits for the pieces of others and takes the last step.
    ///
    /// # Errors
    /// The first failure in the pieces' order.
    pub(super) fn finish(&self, work: &W) -> Result<W::Outcome> {
        let mut done = lock(&self.done);
        while done.count < self.count {
            done = self
                .all_done
                .wait(done)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if let Some((_, error)) = done.failure.take() {
            return Err(error);
        }
        let pieces = done
            .pieces
            .drain(..)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| Error::internal("a piece of a portion is missing"))?;
        drop(done);
        work.finish(&self.prepared, pieces)
    }
}

/// Work that is done in one step.
pub(super) struct Whole<W, T, S: Fn() -> T, P> {
    state: S,
    process: P,
    kind: std::marker::PhantomData<fn(W) -> T>,
}

impl<W, T, S: Fn() -> T, P> Whole<W, T, S, P> {
    pub(super) fn new(state: S, process: P) -> Self {
        Self {
            state,
            process,
            kind: std::marker::PhantomData,
        }
    }
}

impl<W: Send, T, S: Fn() -> T + Sync, R: Send, P: Fn(&mut T, W) -> Result<R> + Sync> Work
    for Whole<W, T, S, P>
{
    type Item = W;
    type State = T;
    type Prepared = Mutex<Option<R>>;
    type Piece = ();
    type Outcome = R;

    fn state(&self) -> T {
        (self.state)()
    }

    fn prepare(&self, state: &mut T, item: W) -> Result<Mutex<Option<R>>> {
        (self.process)(state, item).map(|outcome| Mutex::new(Some(outcome)))
    }

    fn piece_count(&self, _prepared: &Mutex<Option<R>>) -> usize {
        0
    }

    fn piece(&self, _state: &mut T, _prepared: &Mutex<Option<R>>, _number: usize) -> Result<()> {
        Ok(())
    }

    fn finish(&self, prepared: &Mutex<Option<R>>, _pieces: Vec<()>) -> Result<R> {
        lock(prepared)
            .take()
            .ok_or_else(|| Error::internal("an outcome was taken twice"))
    }
}
