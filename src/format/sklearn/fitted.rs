//! What a translated estimator is: an engine, what its margins mean, and the columns it reads.

use super::column::Column;
use super::engine::Engine;
use super::object::Object;
use crate::error::{Error, Result};
use crate::outcome::{Link, Task};

/// The estimator's engine and what its margins mean.
pub(super) struct Fitted {
    pub(super) engine: Engine,
    pub(super) task: Task,
    pub(super) link: Link,
    /// Whether it takes missing values.
    pub(super) takes_missing: bool,
}

impl Fitted {
    /// Columns that are computed already.
    pub(super) fn columns(task: Task) -> Self {
        Self {
            engine: Engine::Columns,
            task,
            link: Link::Identity,
            takes_missing: true,
        }
    }

    /// An engine that takes no missing values, whose margins are what is shown.
    pub(super) fn plain(engine: Engine, task: Task) -> Self {
        Self {
            engine,
            task,
            link: Link::Identity,
            takes_missing: false,
        }
    }
}

/// Columns and the estimator that reads them.
pub(super) type Finished = (Vec<Column>, Fitted);

/// Fails for columns that differ in number from what was fitted.
///
/// # Errors
/// A contract error with both numbers.
pub(super) fn same_count(object: &Object, fitted: usize, count: usize) -> Result<()> {
    if fitted == count {
        return Ok(());
    }
    Err(object.refuse(&format!(
        "it was fitted on {fitted} columns and reads {count}"
    )))
}

/// Fails for a file that is broken in a way that no version of scikit-learn writes.
pub(super) fn broken<T>(what: &str) -> Result<T> {
    Err(Error::failed(what.to_owned())
        .hint("save the fitted estimator again, `joblib.dump(model, \"model.joblib\")`"))
}
