//! Encodings that formats of models are written in, read without knowing what is in them.

pub(crate) mod flatbuffers;
pub(crate) mod json;
pub(crate) mod protobuf;
pub(crate) mod ubjson;
pub(crate) mod value;
pub(crate) mod yaml;
