//! Which of the values that stand for a missing one occur in the data.
//!
//! Owns one flag for each value that a user or a package names, shared by all that compare values
//! with it. It must not know columns or rows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Who names a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamedBy {
    /// `--missing VALUE`, for all columns of the model.
    Flag,
    /// `--missing COLUMN=VALUE`.
    FlagOf(String),
    /// The model or its package, for any of its inputs.
    Model,
}

/// Whether a value occurs.
#[derive(Clone, Debug, Default)]
pub struct TokenUse(Arc<AtomicBool>);

impl TokenUse {
    /// Notes that it does.
    pub fn mark(&self) {
        // Rows without end find it set: they only read.
        if !self.0.load(Ordering::Relaxed) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    fn is_marked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Two flags are as good as each other: what they say depends on the rows.
impl PartialEq for TokenUse {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

/// The flags of all values that are named.
#[derive(Clone, Debug, Default)]
pub struct TokenUses(Arc<Mutex<BTreeMap<(NamedBy, String), TokenUse>>>);

impl TokenUses {
    /// The flag of a value, which is the same for all who ask.
    #[must_use]
    pub fn of(&self, named_by: NamedBy, token: &str) -> TokenUse {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry((named_by, token.to_owned())).or_default().clone()
    }

    /// The values that do not occur in any row that was read.
    #[must_use]
    pub fn unmet(&self) -> Vec<(NamedBy, String)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unmet = all.iter().filter(|(_, token)| !token.is_marked());
        unmet.map(|(named, _)| named.clone()).collect()
    }
}

impl PartialEq for TokenUses {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

/// Whether a value is one of these tokens, which is noted.
pub(crate) fn meets<T: PartialEq>(tokens: &[(T, &TokenUse)], value: &T) -> bool {
    let met = tokens.iter().find(|(token, _)| token == value);
    if let Some((_, token)) = met {
        token.mark();
    }
    met.is_some()
}
