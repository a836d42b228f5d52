//! The account of every row: in = scored + rejected + filtered, per file and in total.

use std::collections::BTreeMap;

use super::part::{PartAccount, RowCounts};
use crate::error::{Error, Result};
use crate::feature::verdict::Reason;
use crate::storage::Location;

/// The account of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAccount {
    /// The file.
    pub path: Location,
    /// What became of its rows.
    pub rows: RowCounts,
}

/// The account of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// One account per file, in input order.
    pub files: Vec<FileAccount>,
    /// (input, reason) → rows.
    pub reasons: BTreeMap<(usize, Reason), u64>,
}

impl Ledger {
    /// An account with nothing in it for each file.
    #[must_use]
    pub fn new(paths: impl Iterator<Item = Location>) -> Self {
        Self {
            files: paths
                .map(|path| FileAccount {
                    path,
                    rows: RowCounts::default(),
                })
                .collect(),
            reasons: BTreeMap::new(),
        }
    }

    /// Adds a part's account.
    pub fn add(&mut self, part: &PartAccount) {
        part.rows
            .iter()
            .for_each(|(file, counts)| self.files[*file].rows.add(counts));
        for &(input, reason, count) in &part.reasons {
            *self.reasons.entry((input, reason)).or_default() += count;
        }
    }

    /// The sum over all files.
    #[must_use]
    pub fn total(&self) -> RowCounts {
        let mut total = RowCounts::default();
        self.files.iter().for_each(|file| total.add(&file.rows));
        total
    }

    /// Checks that every row is accounted for, and that the output holds the scored ones.
    ///
    /// # Errors
    /// An imbalance is an error of ours and names the file.
    pub fn check(&self, rows_written: u64) -> Result<()> {
        for FileAccount {
            path,
            rows:
                RowCounts {
                    rows_in,
                    scored,
                    rejected,
                    filtered,
                },
        } in &self.files
        {
            if *rows_in != scored + rejected + filtered {
                let message = format!(
                    "the ledger does not balance: {rows_in} rows in, {scored} scored, {rejected} \
                     rejected, {filtered} filtered"
                );
                return Err(Error::internal(message).at_path(path));
            }
        }
        let scored = self.total().scored;
        if scored == rows_written {
            Ok(())
        } else {
            Err(Error::internal(format!(
                "{scored} rows were scored, {rows_written} written"
            )))
        }
    }
}
