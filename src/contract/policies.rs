//! Policies for missing and unseen values, as they meet the inputs that are bound.
//!
//! Owns which names a policy may have. It must not know what a policy does to a value.

use std::collections::HashSet;

use super::binding::{BindingOptions, BoundInput};
use super::{CategoryValue, Input, InputKind, NativeElement, NativeType, Policy};
use crate::error::{Error, Result, shell_word};
use crate::table::spelling::did_you_mean;

/// Gives an input the policies that are meant for it.
///
/// # Errors
/// A usage error for a number in the stead of a category, if no category is spelled so.
pub(super) fn apply_policies(
    input: &mut Input,
    column: &str,
    options: &BindingOptions,
) -> Result<()> {
    let applies = |name: &str| name == "*" || name == column || name == input.name;
    let find = |policies: &[(String, Policy)], flag: &str| {
        let mut latest = policies.iter().rev();
        let Some((name, policy)) = latest.find(|(name, _)| applies(name)) else {
            return Ok(None);
        };
        let policy = as_read(*policy, &input.kind);
        let policy = policy.map_err(|value| no_category(flag, name, value, column))?;
        Ok(Some(policy))
    };
    let on_null = find(&options.on_null, "--on-null")?;
    let on_unseen = find(&options.on_unseen, "--on-unseen")?;
    input.on_null = on_null.unwrap_or(input.on_null);
    input.on_unseen = on_unseen.unwrap_or(input.on_unseen);
    Ok(())
}

/// A policy with the code of the category that its number spells; the number if there is none.
fn as_read(policy: Policy, kind: &InputKind) -> Result<Policy, f64> {
    let (Policy::Default(value), InputKind::Category(vocabulary)) = (policy, kind) else {
        return Ok(policy);
    };
    let text = value.to_string();
    let is_spelled = |known: &CategoryValue| match known {
        CategoryValue::Text(own) => *own == text,
        CategoryValue::Integer(own) => *own as f64 == value,
        CategoryValue::Number(own) => *own == value,
        CategoryValue::Boolean(own) => f64::from(u8::from(*own)) == value,
    };
    let code = vocabulary.values.iter().position(is_spelled);
    code.map_or(Err(value), |code| Ok(Policy::Default(code as f64)))
}

fn no_category(flag: &str, name: &str, value: f64, column: &str) -> Error {
    let message = format!("`{flag}`: the model knows no category `{value}` of the column");
    let hint = if name == "*" {
        let own = shell_word(&format!("{column}=null"));
        format!("give the column a policy of its own: `{flag} {value} {flag} {own}`")
    } else {
        "pass a category that is a number, or `error`, `reject` or `null`".to_owned()
    };
    Error::usage(message).at_column(column).hint(hint)
}

pub(super) fn check_policies(bound: &[BoundInput]) -> Result<()> {
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

/// Checks that every column that `--on-null`, `--on-unseen` and `--missing` name is an input of a
/// model of the run.
///
/// # Errors
/// A usage error that names the first one that is not.
pub fn check_names<'a>(
    bound: impl Iterator<Item = &'a BoundInput> + Clone,
    options: &BindingOptions,
    missing: &[(String, Vec<String>)],
) -> Result<()> {
    let names = bound.flat_map(|one| [one.column.as_str(), one.input.name.as_str()]);
    let known: HashSet<&str> = names.clone().collect();
    let named = [
        ("--on-null", first_names(&options.on_null)),
        ("--on-unseen", first_names(&options.on_unseen)),
        ("--missing", first_names(missing)),
    ];
    for (flag, columns) in named {
        let mut columns = columns.into_iter();
        let is_other = |name: &&str| *name != "*" && !known.contains(name);
        let Some(name) = columns.find(is_other) else {
            continue;
        };
        let of_all = "`tallow check` shows the model's inputs and the columns that feed them";
        let otherwise = match flag {
            "--missing" => format!("{of_all}; quote a value that holds a `=`: `'\"a=b\"'`"),
            _ => of_all.to_owned(),
        };
        let what = if options.has_others {
            "any model of the run"
        } else {
            "the model"
        };
        let message = format!("`{flag}` names `{name}`, which is not an input of {what}");
        return Err(Error::usage(message).hint(did_you_mean(name, &names, &otherwise)));
    }
    Ok(())
}

fn first_names<T>(named: &[(String, T)]) -> Vec<&str> {
    named.iter().map(|(name, _)| name.as_str()).collect()
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
            "omit the policy for this column; a graph that refuses unknown categories stops the \
             run at the row that has one",
        )),
    }
}
