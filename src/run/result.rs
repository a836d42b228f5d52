//! The result of a run: facts for standard output, and an exit code.

use serde_json::{Map, Value as Json};

use crate::error::Error;

/// A run that did what there was to do.
#[derive(Debug)]
pub struct RunResult {
    /// The JSON object for standard output.
    pub object: Map<String, Json>,
    /// 0, unless another one was asked for.
    pub code: u8,
    /// Whether there was nothing to do.
    pub was_idle: bool,
}

/// Why a run, or another verb, does not end with 0.
#[derive(Debug)]
pub struct Failure {
    /// The error, unless the exit code says all.
    pub error: Option<Error>,
    /// What else the JSON object on standard output holds.
    pub object: Map<String, Json>,
    /// The exit code.
    pub code: u8,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            code: error.kind().exit_code(),
            error: Some(error),
            object: Map::new(),
        }
    }
}
