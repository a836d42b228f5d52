//! What a user should look at before trusting a run that can go on.
//!
//! Owns the warnings of a plan. It must not know how they are shown.

use std::collections::HashSet;

use super::list::written;
use super::monitoring::Monitor;
use crate::contract::Contract;
use crate::contract::binding::BoundInput;
use crate::count::{self, counted};
use crate::error::{Error, shell_word};
use crate::feature::token_use::NamedBy;
use crate::graph::table::{ROW_BY_ROW, RUNS_AS};
use crate::model::Description;
use crate::package::manifest::OnFail;
use crate::pipeline::rule::Rules;
use crate::report::stored::{REPORT_ENDING, StoredReport};
use crate::request::monitoring::{Monitoring, OnGate};
use crate::storage::{Location, find};
use crate::table::dataset::Dataset;
use crate::table::location::resolve_present;

/// The most columns that a warning lists.
const LISTED: usize = 10;

/// Warns of columns that a regex chose: their order is the data's, and nothing checks that it is
/// that of training.
pub(super) fn chosen_by_regex(features: Option<&str>, bound: &[BoundInput]) -> Option<Error> {
    let pattern = features.filter(|text| text.starts_with('/'))?;
    let columns: Vec<&str> = bound.iter().map(|one| one.column.as_str()).collect();
    let message = format!(
        "`--features {}` feeds the model in the order of the data: {}",
        shell_word(pattern),
        listed(&columns)
    );
    Some(Error::contract(message).hint(format!(
        "if that is the order of training, write it down: `--features {}`",
        shell_word(&columns.iter().map(|name| written(name)).collect::<Vec<_>>().join(","))
    )))
}

/// Warns of columns that feed features of other names: `--features` binds by position, whatever the
/// model calls its features.
pub(super) fn other_names(
    features: Option<&str>,
    contract: &Contract,
    bound: &[BoundInput],
) -> Option<Error> {
    features.filter(|_| contract.named)?;
    let others: Vec<String> = bound
        .iter()
        .filter(|one| one.column != one.input.name)
        .map(|one| format!("{} <- {}", one.input.name, one.column))
        .collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let message = format!(
        "`--features` feeds the model's features with columns of other names, by position: {}",
        listed(&others)
    );
    (!others.is_empty()).then(|| {
        Error::contract(message).hint(
            "remove `--features` to bind by name, and name columns that are called otherwise \
             with `--rename`",
        )
    })
}

/// Warns of files that are read, and whose rows are scored, more than once.
pub(super) fn read_again(dataset: &Dataset) -> Option<Error> {
    let mut seen = HashSet::new();
    let again = dataset
        .files
        .iter()
        .filter(|file| !seen.insert(file.table.identity()));
    let again: Vec<String> = again.map(|file| file.path.display().to_string()).collect();
    let again: Vec<&str> = again.iter().map(String::as_str).collect();
    let message = format!(
        "a file that is given more than once is scored as often: {}",
        listed(&again)
    );
    (!again.is_empty())
        .then(|| Error::usage(message).hint("look for patterns and directories that overlap"))
}

/// Warns of derived columns that neither the model nor the output nor another expression reads.
pub(super) fn unread_derived(unread: &[&str]) -> Option<Error> {
    let (verb, noun) = if unread.len() == 1 {
        ("is", "column")
    } else {
        ("are", "columns")
    };
    let message = format!(
        "the derived {noun} {} {verb} read by nothing",
        listed(unread)
    );
    (!unread.is_empty()).then(|| {
        Error::contract(message).hint(
            "correct the name under `[[derived]]`, remove it there, or let it come along with \
             `--passthrough`",
        )
    })
}

/// Warns of a graph whose rows change each other's results: it is run on one row at a time, and a
/// library that runs it on many at once returns other numbers.
pub(super) fn row_by_row(description: &Description) -> Option<Error> {
    let mut facts = description.facts.iter();
    let (_, runs_as) = facts.find(|(name, _)| name == RUNS_AS)?;
    runs_as.ends_with(ROW_BY_ROW).then(|| {
        Error::contract(
            "the rows of the graph change each other's results, so each row is scored alone: a \
             library that runs many rows at once returns other numbers",
        )
        .hint(
            "look for an operator that sorts, sums or normalises along the axis of the rows, such \
             as `Softmax` with `axis=0`, and export the model without it",
        )
    })
}

/// Warns of flags about gates, drift and history that change nothing, once it is known what there
/// is to judge and to compare with.
pub(super) fn of_monitoring(request: &Monitoring, monitor: &Monitor, rules: &Rules) -> Vec<Error> {
    let gate = ("a gate", "--gate", monitor.gates.is_empty());
    let withheld = (
        "a gate, or a rule with `on-fail=fail`",
        "--gate",
        monitor.gates.is_empty() && !rules.may(OnFail::Fail),
    );
    let baseline = ("a baseline", "--baseline", monitor.baseline.is_none());
    let flags = [
        ("--on-gate", request.on_gate == OnGate::Publish, withheld),
        ("--strict-gates", request.strict_gates, gate),
        ("--max-js", request.max_js.is_some(), baseline),
        ("--max-ks", request.max_ks.is_some(), baseline),
    ];
    let idle = flags
        .into_iter()
        .filter(|(_, is_said, (_, _, is_missing))| *is_said && *is_missing);
    let mut warnings: Vec<Error> = idle
        .map(|(flag, _, (needed, add, _))| {
            Error::usage(format!("`{flag}` has no effect without {needed}"))
                .hint(format!("add `{add}`, or remove `{flag}`"))
        })
        .collect();
    warnings.extend(request.history.as_ref().and_then(unread_history));
    let is_first = monitor
        .history
        .as_ref()
        .is_some_and(|found| found.report_count() == 0);
    if let Some(path) = request.history.as_ref().filter(|_| is_first) {
        warnings.push(
            Error::failed("`--history` compares with nothing: no earlier report is there")
                .at_path(path)
                .hint("this is right on the first night; later, name where the reports are kept"),
        );
    }
    warnings
}

/// The warning that reports in the directory of `--history` are passed over, because they cannot be
/// read: they would be missing from the limits.
fn unread_history(path: &Location) -> Option<Error> {
    find(path).ok()?.filter(|found| found.is_directory)?;
    let is_unread = |file: &Location| {
        file.to_string_lossy().ends_with(REPORT_ENDING) && !StoredReport::is_at(file)
    };
    let mut unread = resolve_present(path).ok()?.into_iter().filter(is_unread);
    let first = unread.next()?;
    let count = counted(unread.count() + 1, "report");
    let warning = Error::failed(format!(
        "`--history` passes over {count} that cannot be read"
    ));
    Some(
        warning
            .at_path(first)
            .hint("remove what was cut short, or copy it again"),
    )
}

/// Warns of values that stand for a missing one and that occur nowhere.
pub(super) fn unmet(unmet: Vec<(NamedBy, String)>) -> Vec<Error> {
    let count = unmet.len();
    let warning = |(named_by, token): (NamedBy, String)| {
        let (what, where_) = match &named_by {
            NamedBy::Flag => (
                format!("`--missing {}`", shell_word(&token)),
                "the model's columns".to_owned(),
            ),
            NamedBy::FlagOf(column) => (
                format!("`--missing {}`", shell_word(&format!("{column}={token}"))),
                format!("the column `{column}`"),
            ),
            NamedBy::Model => (
                format!("the model's missing value `{token}`"),
                "the columns that it is for".to_owned(),
            ),
        };
        Error::usage(format!(
            "{what} has no effect: no value of {where_} equals `{token}`"
        ))
        .hint(
            "look whether the data spells it otherwise: numbers are compared as numbers, all else \
             letter by letter",
        )
    };
    let rest = count.saturating_sub(LISTED);
    let more = (rest > 0).then(|| {
        Error::usage(format!(
            "{} more that stand for a missing one occur nowhere",
            counted(rest, "value")
        ))
    });
    unmet
        .into_iter()
        .take(LISTED)
        .map(warning)
        .chain(more)
        .collect()
}

pub(super) fn listed(names: &[&str]) -> String {
    count::listed(
        names.iter().map(|name| format!("`{name}`")),
        LISTED,
        ", ",
        "",
    )
}
