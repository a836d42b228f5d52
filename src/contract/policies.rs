//! Policies for missing and unseen values, as they meet the inputs that are bound.
//!
//! Owns which names a policy may have. It must not know what a policy does to a value.

use super::binding::{BindingOptions, BoundInput};
use super::{Input, InputKind, NativeElement, NativeType, Policy};
use crate::error::{Error, Result};
use crate::table::spelling::did_you_mean;

pub(super) fn apply_policies(input: &mut Input, column: &str, options: &BindingOptions) {
    let applies = |name: &str| name == "*" || name == column || name == input.name;
    if let Some((_, policy)) = options.on_null.iter().rev().find(|(name, _)| applies(name)) {
        input.on_null = *policy;
    }
    if let Some((_, policy)) = options
        .on_unseen
        .iter()
        .rev()
        .find(|(name, _)| applies(name))
    {
        input.on_unseen = *policy;
    }
}

pub(super) fn check_policy_names(bound: &[BoundInput], options: &BindingOptions) -> Result<()> {
    let known = |name: &str| {
        name == "*"
            || bound
                .iter()
                .any(|one| one.column == name || one.input.name == name)
    };
    for (flag, policies) in [
        ("--on-null", &options.on_null),
        ("--on-unseen", &options.on_unseen),
    ] {
        if let Some((name, _)) = policies.iter().find(|(name, _)| !known(name)) {
            let names = bound
                .iter()
                .flat_map(|one| [one.column.as_str(), one.input.name.as_str()]);
            let error = Error::usage(format!(
                "`{flag}` names `{name}`, which is not an input of the model"
            ));
            return Err(error.hint(did_you_mean(
                name,
                &names,
                "`tallow check` shows the model's inputs and the columns that feed them",
            )));
        }
    }
    let replaced = bound.iter().find(|one| {
        one.input.kind == InputKind::Text && matches!(one.input.on_unseen, Policy::Default(_))
    });
    replaced.map_or(Ok(()), |one| {
        Err(
            Error::usage("`--on-unseen` cannot replace a text that the tokenizer refuses")
                .at_column(&one.column)
                .hint("pass `error`, `reject` or `null`"),
        )
    })
}

/// Checks that every column that `--missing` names feeds the model.
///
/// # Errors
/// A usage error that names the first one that does not.
pub fn check_missing_names(bound: &[BoundInput], columns: &[(String, Vec<String>)]) -> Result<()> {
    let is_known = |name: &str| {
        bound
            .iter()
            .any(|one| one.column == name || one.input.name == name)
    };
    let Some((name, _)) = columns.iter().find(|(name, _)| !is_known(name)) else {
        return Ok(());
    };
    let names = bound
        .iter()
        .flat_map(|one| [one.column.as_str(), one.input.name.as_str()]);
    let otherwise = "`tallow check` shows the model's inputs and the columns that feed them; \
                     quote a value that holds a `=`: `'\"a=b\"'`";
    Err(Error::usage(format!(
        "`--missing` names `{name}`, which is not an input of the model"
    ))
    .hint(did_you_mean(name, &names, otherwise)))
}

/// A graph decides itself what becomes of a category that it does not know, so a policy for one
/// column would promise what no one keeps.
pub(super) fn check_graph_policies(bound: &[BoundInput], options: &BindingOptions) -> Result<()> {
    let is_text = |one: &&BoundInput| {
        matches!(
            one.input.kind,
            InputKind::Native(NativeType {
                element: NativeElement::Text,
                ..
            })
        )
    };
    let names = |one: &&BoundInput| {
        options
            .on_unseen
            .iter()
            .any(|(name, _)| *name == one.column || *name == one.input.name)
    };
    match bound.iter().filter(is_text).find(names) {
        None => Ok(()),
        Some(one) => Err(Error::usage(
            "`--on-unseen` does not reach the categories of a graph, which decides itself what an \
             unknown one becomes",
        )
        .at_column(&one.column)
        .hint(
            "leave it out for this column; a graph that refuses unknown categories stops the run \
             at the row that has one",
        )),
    }
}
