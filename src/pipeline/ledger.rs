//! The account of every row: in = scored + rejected + filtered, per file and in total.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::part::{PartAccount, RowCounts};
use crate::error::{Error, Result};
use crate::feature::verdict::Reason;

/// The account of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAccount {
    /// The file.
    pub path: PathBuf,
    /// Rows read.
    pub rows_in: u64,
    /// Rows with a prediction in the output.
    pub scored: u64,
    /// Rows left out by a policy.
    pub rejected: u64,
    /// Rows that `--where` left out.
    pub filtered: u64,
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
    pub fn new(paths: impl Iterator<Item = PathBuf>) -> Self {
        let account = |path| FileAccount { path, rows_in: 0, scored: 0, rejected: 0, filtered: 0 };
        Self { files: paths.map(account).collect(), reasons: BTreeMap::new() }
    }

    /// Adds a part's account.
    pub fn add(&mut self, part: &PartAccount) {
        for &(file, counts) in &part.rows {
            let account = &mut self.files[file];
            account.rows_in += counts.rows_in;
            account.scored += counts.scored;
            account.rejected += counts.rejected;
            account.filtered += counts.filtered;
        }
        for &(input, reason, count) in &part.reasons {
            *self.reasons.entry((input, reason)).or_default() += count;
        }
    }

    /// The sum over all files; its path is empty.
    #[must_use]
    pub fn total(&self) -> FileAccount {
        let mut total = FileAccount { path: PathBuf::new(), rows_in: 0, scored: 0, rejected: 0, filtered: 0 };
        for file in &self.files {
            total.rows_in += file.rows_in;
            total.scored += file.scored;
            total.rejected += file.rejected;
            total.filtered += file.filtered;
        }
        total
    }

    /// The sum over all files.
    #[must_use]
    pub fn rows(&self) -> RowCounts {
        let FileAccount { path: _, rows_in, scored, rejected, filtered } = self.total();
        RowCounts { rows_in, scored, rejected, filtered }
    }

    /// Checks that every row is accounted for, and that the output holds the scored ones.
    ///
    /// # Errors
    /// An imbalance is an error of ours and names the file.
    pub fn check(&self, rows_written: u64) -> Result<()> {
        for file in &self.files {
            if file.rows_in != file.scored + file.rejected + file.filtered {
                let message = format!(
                    "the ledger does not balance: {} rows in, {} scored, {} rejected, {} filtered",
                    file.rows_in, file.scored, file.rejected, file.filtered
                );
                return Err(Error::internal(message).at_path(&file.path));
            }
        }
        let scored = self.total().scored;
        if scored == rows_written { Ok(()) } else { Err(Error::internal(format!("{scored} rows were scored, {rows_written} written"))) }
    }
}
