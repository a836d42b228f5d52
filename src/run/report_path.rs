//! Where a report of tables is written: not over a file that exists, nor over a table that is read.

use crate::error::{Error, Result};
use crate::plan::target::refuse_stream;
use crate::storage::{Location, canonical, find};
use crate::table::location::locate;

/// Refuses an output that exists, unless it may be replaced, and one in the place of an input.
///
/// # Errors
/// Fails for such an output.
pub fn refuse_taken(path: &Location, overwrite: bool, inputs: &[Location]) -> Result<()> {
    refuse_stream("--output", path)?;
    if find(path)?.is_none() {
        return Ok(());
    }
    if !overwrite {
        let error = Error::failed("the output exists already").at_path(path);
        return Err(error.hint("pass `--overwrite` to replace it, or choose another name"));
    }
    let own = canonical(path)?;
    for input in locate(inputs, false)?.files {
        if canonical(&input.path)? == own {
            let error = Error::usage("`--output` names a table that is read").at_path(path);
            return Err(error.hint("choose another name"));
        }
    }
    Ok(())
}
