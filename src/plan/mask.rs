//! Which columns of the data outputs hash or leave out.
//!
//! Owns these lists. How a value is hashed is `pipeline`'s.

use arrow::datatypes::Schema;

use super::list::all_items;
use crate::contract::renaming::column_names;
use crate::error::{Error, Result};
use crate::pipeline::mask::{HashKey, Mask, check_hashed};
use crate::request::work::Prediction;
use crate::table::keyring::Keyring;
use crate::table::spelling::did_you_mean_column;

/// The mask of a run whose data has the columns of `table`, derived ones included.
///
/// # Errors
/// A usage error for a column that is not in the data, that is named twice, or that is to be hashed
/// without a key; a contract error for one that cannot be hashed.
pub(super) fn mask(outcome: &Prediction, table: &Schema) -> Result<Mask> {
    let hashed = named("--hash-columns", &outcome.hash_columns, table)?;
    let dropped = named("--drop-columns", &outcome.drop_columns, table)?;
    if let Some(name) = hashed.iter().find(|name| dropped.contains(name)) {
        let error = Error::usage("a column is both hashed and dropped").at_column(name);
        return Err(error.hint("name it in `--hash-columns` or in `--drop-columns`"));
    }
    for name in &hashed {
        table.field_with_name(name).map_or(Ok(()), check_hashed)?;
    }
    let keyring = Keyring::of_process();
    let key = keyring.hashing.as_ref();
    if key.is_none() && !hashed.is_empty() {
        let error = Error::usage("`--hash-columns` needs `--hash-key`, the file of its key");
        return Err(error.hint("make one with `openssl rand 32 > hash.key`"));
    }
    let key = key.map(|key| HashKey::new(key.bytes())).transpose()?;
    Ok(Mask::new(key, hashed, dropped))
}

fn named(flag: &str, texts: &[String], table: &Schema) -> Result<Vec<String>> {
    let names = all_items(flag, texts)?;
    for (index, name) in names.iter().enumerate() {
        if table.column_with_name(name).is_none() {
            let error = Error::usage(format!("`{flag}` names a column that is not in the data"));
            let hint = did_you_mean_column(name, &column_names(table));
            return Err(error.at_column(name).hint(hint));
        }
        if names[..index].contains(name) {
            return Err(Error::usage(format!("`{flag}` names a column twice")).at_column(name));
        }
    }
    Ok(names)
}
