//! What a run of a graph may still do, and what it met and made.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::tensor::Tensor;
use crate::error::{Error, Result};
use crate::interrupt::check_process;

/// What a run made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    /// Bytes of the largest value.
    pub(super) largest_bytes: usize,
    /// Elements of all values.
    pub(super) elements: usize,
    /// Bytes of the values that are there at once, at most.
    pub(super) live_bytes: usize,
}

/// By input of the graph and its column, the number of values that no encoder of it knows.
pub(super) type UnseenCounts = BTreeMap<(usize, usize), u64>;

/// The nodes that one run may still execute, which stops a loop that would never end, and what the
/// run met.
#[derive(Debug)]
pub(crate) struct Fuel {
    steps: Cell<u64>,
    unseen: RefCell<UnseenCounts>,
    made: Cell<Made>,
    /// Bytes of the values that are there.
    live: Cell<usize>,
    /// Whether products count by what is multiplied, as they do where the time of a run must be
    /// bounded.
    weighs_products: bool,
    is_out: Cell<bool>,
}

/// Products of numbers, or numbers that they are read from, that count as one node more where they
/// count.
const STEP_PRODUCTS: usize = 1 << 20;

const STEP_READS: usize = 1 << 10;

impl Fuel {
    pub(super) fn new(steps: u64) -> Self {
        Self {
            steps: Cell::new(steps),
            unseen: RefCell::default(),
            made: Cell::default(),
            live: Cell::default(),
            weighs_products: false,
            is_out: Cell::default(),
        }
    }

    /// The same for runs that are only to see what a graph is like.
    pub(super) fn probing(steps: u64) -> Self {
        Self {
            weighs_products: true,
            ..Self::new(steps)
        }
    }

    pub(super) fn burn(&self, steps: u64) -> Result<()> {
        check_process()?;
        let Some(left) = self.steps.get().checked_sub(steps) else {
            self.is_out.set(true);
            return Err(Error::failed(
                "the graph runs more operators than a run may",
            ));
        };
        self.steps.set(left);
        Ok(())
    }

    /// For so many products of numbers, made of so many numbers.
    pub(super) fn burn_products(&self, products: usize, read: usize) -> Result<()> {
        if self.weighs_products {
            self.burn((products / STEP_PRODUCTS + read / STEP_READS) as u64)
        } else {
            Ok(())
        }
    }

    /// Whether a run stopped because it was too long.
    pub(super) fn is_out(&self) -> bool {
        self.is_out.get()
    }

    /// Notes values that an encoder does not know; of several encoders of a column the one that
    /// knows least counts.
    pub(super) fn met_unseen(&self, input: usize, column: usize, count: u64) {
        let mut unseen = self.unseen.borrow_mut();
        let known = unseen.entry((input, column)).or_default();
        *known = count.max(*known);
    }

    /// Notes a tensor that a node made, and returns its bytes; of one of no rows, what a row would
    /// take.
    pub(super) fn made_tensor(&self, tensor: &Tensor) -> usize {
        let len = match tensor.shape() {
            [0, row @ ..] => row.iter().copied().fold(1, usize::saturating_mul),
            _ => tensor.len(),
        };
        let bytes = len.saturating_mul(tensor.element_bytes());
        let made = self.made.get();
        let (largest_bytes, elements) = (
            made.largest_bytes.max(bytes),
            made.elements.saturating_add(len),
        );
        self.made.set(Made {
            largest_bytes,
            elements,
            ..made
        });
        bytes
    }

    /// Notes bytes of a value that is kept for its readers.
    pub(super) fn lives(&self, bytes: usize) {
        let live = self.live.get().saturating_add(bytes);
        self.live.set(live);
        let made = self.made.get();
        self.made.set(Made {
            live_bytes: made.live_bytes.max(live),
            ..made
        });
    }

    /// Notes bytes of a value that nothing reads any more.
    pub(super) fn dropped(&self, bytes: usize) {
        self.live.set(self.live.get().saturating_sub(bytes));
    }

    /// What nodes made since this was last asked.
    pub(super) fn take_made(&self) -> Made {
        self.live.set(0);
        self.made.take()
    }

    pub(super) fn into_unseen(self) -> UnseenCounts {
        self.unseen.into_inner()
    }
}
