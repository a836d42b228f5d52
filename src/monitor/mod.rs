//! What is learned of rows while they pass.
//!
//! Owns the observers of a run: each watches every portion on the worker that scored it, and what
//! the parts gave is merged. It must not know how facts are named or shown: that is [`crate::report`]'s.

pub mod scores;
