//! A copy of the trees that a model is laid out from, for explanations.
//!
//! Owns the record: while one is taken on a thread, every forest that is made there leaves its
//! trees. A forest itself keeps none of them, since it is laid out for speed.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use super::ensemble::{Ensemble, Frame, Tree};

/// The trees of a forest while they pass.
pub(super) type Trees = Arc<Mutex<Vec<Tree>>>;

thread_local! {
    static RECORD: RefCell<Option<Vec<(Frame, Trees)>>> = const { RefCell::new(None) };
}

/// The ensembles of all forests that `make` makes on this thread.
pub fn recorded<T>(make: impl FnOnce() -> T) -> (T, Vec<Ensemble>) {
    let before = RECORD.with(|record| record.replace(Some(Vec::new())));
    let made = make();
    let record = RECORD.with(|record| record.replace(before));
    let ensembles = record.into_iter().flatten().map(|(frame, trees)| Ensemble {
        frame,
        trees: std::mem::take(&mut *trees.lock().unwrap_or_else(PoisonError::into_inner)),
    });
    (made, ensembles.collect())
}

/// Where the trees of a new forest go; none if no record is taken.
pub(super) fn begun(frame: &Frame) -> Option<Trees> {
    RECORD.with(|record| {
        let mut record = record.borrow_mut();
        let forests = record.as_mut()?;
        let trees = Trees::default();
        forests.push((frame.clone(), trees.clone()));
        Some(trees)
    })
}

/// Notes a tree.
pub(super) fn note(trees: Option<&Trees>, tree: &Tree) {
    if let Some(trees) = trees {
        let mut trees = trees.lock().unwrap_or_else(PoisonError::into_inner);
        trees.push(tree.clone());
    }
}
