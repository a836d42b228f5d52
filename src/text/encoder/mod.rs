//! Text encoders of the BERT family: texts in, vectors, labels, scores or entities out.
//!
//! Owns what an encoder is ([`architecture`]), its weights in one shape ([`weights`]), texts packed
//! without padding ([`packed`]), the forward passes over them, and the model around it: tokenizer,
//! pooling, heads. The files come as [`parts`]; [`fn@assemble`] makes a model of them. Nothing here
//! knows files on disk or threads.

pub mod architecture;
mod assemble;
mod bag;
mod bounded;
mod candle_layer;
mod classes;
pub mod config;
mod curve;
mod description;
mod device;
mod distances;
mod entities;
pub mod exported;
pub mod family;
mod forward;
mod head;
mod load;
mod long_word;
mod meaning;
mod names;
pub mod packed;
pub mod parts;
mod pooling;
mod ports;
mod precision;
mod reading;
mod reads;
pub mod reference;
mod rotary_family;
#[cfg(test)]
pub(crate) mod sample;
mod settings;
mod task;
#[cfg(test)]
mod tests;
mod text_model;
mod tokenizer;
mod tokenizer_settings;
mod unread;
pub mod weights;

pub use assemble::assemble;
pub use forward::forward;
pub use precision::ProductPrecision;
pub use reading::{TEXT, TEXT_PAIR};
pub use text_model::TextModel;
