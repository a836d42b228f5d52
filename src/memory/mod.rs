//! One accountant for memory whose size somebody else chooses: a model, a table, an expression.
//!
//! Owns the process's [`Pool`]: how many bytes such things may take together, and how many they
//! take now. It must not know what the bytes are.
//!
//! # Two rooms, one limit
//!
//! [`crate::plan::memory`] plans what *we* choose before the first row: the size of portions and
//! the number of workers, so that the whole process stays below `--memory`. This room counts what
//! *others* choose while it is made: model files, tensors, results of SQL, schemas, normalized
//! texts, long records. Planning comes first and counting takes what is left: [`Pool::set_limit`]
//! gets `--memory` less what the plan needs. Without `--memory` the limit is
//! [`DEFAULT_SHARE_PERCENT`] of the machine's memory (or of the container's, or of `ulimit -v`), so
//! an input of a few hundred bytes can never take a machine down.
//!
//! # How to use it
//!
//! | what is made | call |
//! |---|---|
//! | one large thing that lives for a while | [`reserve`] its bytes, keep the [`Reservation`] alongside it |
//! | many small things on one thread (tensors) | [`charge`] each: no shared counter is touched most of the time |
//! | something that is only tried (constant folding, trial rows) | the same inside [`confined`], with a small ceiling |
//! | something that is gone when a short step of work ends | [`temporary`] inside [`step`] |
//! | a size that is checked before it is known exactly | [`room_for`] |
//!
//! Reserve *before* allocating, with checked or saturating arithmetic for the size; what cannot be
//! reserved must not be made. A refusal names what would have been made and how large it is, and
//! takes a few hundred bytes itself.

mod machine;
mod meter;
mod pool;

pub use self::machine::machine_bytes;
pub use self::meter::{Charge, charge, confined, note, room_for, step, temporary};
pub use self::pool::{DEFAULT_SHARE_PERCENT, Pool, Reservation};

use crate::error::Result;

/// Reserves bytes of the process's pool; `what` is the subject of the refusal's message, such as
/// "the model file".
///
/// # Errors
/// Fails if so much is not left.
pub fn reserve(bytes: u64, what: &str) -> Result<Reservation> {
    Pool::of_process().reserve(bytes, what)
}
