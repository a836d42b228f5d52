//! Texts in, vectors, labels, scores or entities out: text models and the forward passes under
//! them.

pub mod encoder;
pub mod transformer;
