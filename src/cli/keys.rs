//! Keys of encrypted tables, for verbs that only read them. Runs that score install those that
//! their request names.

use super::args::Verb;
use super::console::Console;
use super::key_args::DecryptionArgs;
use crate::error::Result;
use crate::plan::keys;

/// Makes the keys that a verb names those of the process.
pub(super) fn install(verb: &Verb, console: &Console) -> Result<()> {
    let Some(named) = named(verb).filter(|named| !named.decryption_key.is_empty()) else {
        return Ok(());
    };
    let warnings = keys::install(&named.clone().into())?;
    warnings.iter().for_each(|warning| console.warning(warning));
    Ok(())
}

/// Warns of keys that opened nothing.
pub(super) fn warn_of_unread(console: &Console) {
    let warnings = keys::unread_columns();
    warnings.iter().for_each(|warning| console.warning(warning));
}

fn named(verb: &Verb) -> Option<&DecryptionArgs> {
    match verb {
        Verb::Inspect(args) => Some(&args.text.keys),
        Verb::Profile(args) => Some(&args.text.keys),
        Verb::Drift(args) => Some(&args.text.keys),
        Verb::Evaluate(args) => Some(&args.text.keys),
        Verb::Compare(args) => Some(&args.text.keys),
        Verb::Pack(args) => Some(&args.keys),
        Verb::Log(args) => Some(&args.keys),
        _ => None,
    }
}
