//! How well a model probably does before its labels come.
//!
//! Owns what is kept of rows with labels, what is counted of rows without, and what follows from
//! both. It assumes that calibration still holds: inputs may have changed, their relation to the
//! label may not. It must not know how estimates are shown.

pub mod bins;
pub mod loss;
pub mod observer;
pub mod reference;

/// What the estimate of a loss model rests on.
pub const LOSS_ASSUMPTION: &str = "the loss model holds: rows are like those that it learnt from, \
                                   and their relation to the label has not changed";

/// What every estimate from scores rests on.
pub const ASSUMPTION: &str = "scores mean what they meant in the reference: inputs may drift, \
                              their relation to the label may not";
