//! Flags that would change nothing: a usage error where no data could make a difference, a warning
//! where this data makes none.
//!
//! Owns what each flag needs so that it has an effect. It must not know how warnings are shown.

use arrow::datatypes::DataType;

use super::options::tree_selection;
use super::target::Target;
use crate::contract::binding::{BindingOptions, BoundInput};
use crate::contract::{InputKind, NativeElement, NativeType, NumberRange, Policy, Width};
use crate::error::{Error, Result};
use crate::feature::missing::MissingValues;
use crate::feature::token_use::NamedBy;
use crate::outcome::Task;
use crate::package::open::OpenedModel;
use crate::report::cost::Price;
use crate::request::output::{Limits, OnBudget, Output, Telemetry};
use crate::request::rows::Rows;
use crate::request::work::{Binding, Prediction, Work};
use crate::table::cast::{is_number, is_text};
use crate::table::dataset::Dataset;

/// Families whose models consist of trees.
const OF_TREES: [&str; 1] = ["forest"];

/// Checks what depends on the model alone.
///
/// # Errors
/// A usage error for the first flag that no data could give an effect.
pub(super) fn refuse(args: &Work, opened: &OpenedModel, reads_texts: bool) -> Result<()> {
    let Work { rows, outcome, .. } = args;
    let Prediction { raw, trees, .. } = outcome;
    if rows.limit == Some(0) {
        return Err(Error::usage("`--limit 0` reads no row")
            .hint("`tallow check` binds model and data without scoring a row"));
    }
    let loaded = &opened.loaded;
    let family = loaded.model.family();
    if trees.is_some() && !OF_TREES.contains(&family) && family != "linear" {
        let message =
            format!("`--trees` is for models of trees, and this one is of the family `{family}`");
        return Err(Error::usage(message).hint("remove `--trees`"));
    }
    let fields = |raw| {
        loaded
            .outcome
            .fields(loaded.model.margin_count(), loaded.model.precision(), raw)
    };
    // Text models check it themselves: they add margins to their own columns.
    if *raw && !reads_texts && fields(true) == fields(false) {
        let error = Error::usage(
            "`--raw` writes the scores before the link, and this model finishes its own columns",
        );
        return Err(error.hint(match loaded.outcome.task {
            Task::Listed(_) => {
                "remove `--raw`; a decision that the estimator has is a column already"
            }
            _ => {
                "remove `--raw`; a graph gives its raw scores if it is exported with them as \
                 an output"
            }
        }));
    }
    Ok(())
}

/// Checks the flags of an inspection.
///
/// # Errors
/// A usage error for `--trees` with anything but a model of trees.
pub fn refuse_trees(trees: Option<&str>, family: Option<&str>) -> Result<()> {
    match (trees, family) {
        (None, _) | (Some(_), Some("forest" | "linear")) => Ok(()),
        (Some(trees), _) => {
            tree_selection(Some(trees))?;
            Err(
                Error::usage("`--trees` is for models of trees, and this is not one")
                    .hint("remove `--trees`"),
            )
        }
    }
}

/// Checks guards, observers and names of results, which depend on one another alone.
///
/// # Errors
/// A usage error for the first flag without which nothing would change.
pub fn refuse_alone(
    output: &Output,
    guards: &Limits,
    observers: &Telemetry,
    target: &Target,
) -> Result<()> {
    let has_budget = guards.max_errors.is_some() || guards.max_error_rate.is_some();
    let has_report = output
        .report
        .as_ref()
        .is_none_or(|path| path.as_os_str() != "none");
    let needs = |is_wrong: bool, flag: &str, needed: &str| {
        if is_wrong {
            Err(
                Error::usage(format!("`{flag}` does nothing without {needed}"))
                    .hint(format!("add {needed}, or remove `{flag}`")),
            )
        } else {
            Ok(())
        }
    };
    needs(
        guards.on_budget == OnBudget::Publish && !has_budget,
        "--on-budget",
        "`--max-errors` or `--max-error-rate`",
    )?;
    needs(
        guards.previous_report.is_some() && guards.max_row_delta.is_none(),
        "--previous-report",
        "`--max-row-delta`",
    )?;
    let is_observed = observers.metrics_file.is_some() || observers.lineage_file.is_some();
    needs(
        observers.job_name.is_some() && !is_observed,
        "--job-name",
        "`--metrics-file` or `--lineage-file`",
    )?;
    if let Some(price) = &observers.price_per_hour {
        Price::parse(price)?;
    }
    // A Parquet file and a data set say themselves which run made them.
    let is_known = has_report || target.is_dataset() || target.format.keeps_metadata();
    needs(
        guards.skip_code.is_some() && !is_known,
        "--skip-code",
        "a report: it records what made the existing file",
    )
}

/// Warns of flags that change nothing for this data.
pub(super) fn warnings(
    args: &Work,
    dataset: &Dataset,
    bound: &[BoundInput],
    options: &BindingOptions,
    missing: &MissingValues,
) -> Vec<Error> {
    let mut warnings = of_sentinels(&args.rows, bound, missing);
    warnings.extend(of_unseen(&args.binding, bound, options, dataset.is_text()));
    warnings.extend(of_lake_files(dataset));
    warnings
}

/// Warns of files that were copied out of a table whose log decides which of them are its rows.
fn of_lake_files(dataset: &Dataset) -> Option<Error> {
    let file = dataset.files.first()?;
    let kind = if dataset
        .schema()
        .column_with_name("_hoodie_commit_time")
        .is_some()
    {
        "an Apache Hudi"
    } else if file
        .table
        .schema()
        .metadata()
        .contains_key("iceberg.schema")
    {
        "an Apache Iceberg"
    } else {
        return None;
    };
    let warning = Error::failed(format!(
        "the files are those of {kind} table without its log: rows that were replaced or deleted \
         may be among them"
    ));
    Some(
        warning
            .at_path(&file.path)
            .hint("export the table, and score the export"),
    )
}

/// Warns that examples of failing rows are asked for where no rule is.
pub(super) fn of_examples(count: usize, rule_count: usize) -> Option<Error> {
    (count > 0 && rule_count == 0).then(|| {
        Error::usage("`--rule-examples` has no effect without a rule")
            .hint("add `--rule`, or remove `--rule-examples`")
    })
}

/// Warns of guards that no row can trip, once it is known what may reject one.
#[must_use]
pub fn of_rejections(output: Option<&Output>, guards: &Limits, may_reject: bool) -> Vec<Error> {
    if may_reject {
        return Vec::new();
    }
    let rejected = output
        .and_then(|output| output.rejected.as_ref())
        .filter(|path| path.as_os_str() != "none");
    let flags = [
        ("--max-errors", guards.max_errors.is_some()),
        ("--max-error-rate", guards.max_error_rate.is_some()),
        ("--rejected", rejected.is_some()),
    ];
    let said = flags.iter().filter(|(_, is_said)| *is_said);
    said.map(|(flag, _)| {
        Error::usage(format!(
            "`{flag}` has no effect: no policy rejects a row, so bad values stop the run or reach \
             the model"
        ))
        .hint(
            "pass `--on-null reject` or `--on-unseen reject`, for all columns or for one: \
             `--on-null age=reject`",
        )
    })
    .collect()
}

/// Whether a policy may leave a row out.
pub fn may_reject<'a>(mut inputs: impl Iterator<Item = &'a BoundInput>) -> bool {
    inputs.any(|bound| {
        bound.input.on_null == Policy::Reject || bound.input.on_unseen == Policy::Reject
    })
}

/// Warns of tokens that no value of the columns that they are for could equal.
fn of_sentinels(rows: &Rows, bound: &[BoundInput], missing: &MissingValues) -> Vec<Error> {
    if rows.missing.is_empty() || missing.is_untyped {
        return Vec::new();
    }
    let is_possible = |token: &str, one: &BoundInput| {
        let data_type = values_of(&one.data_type);
        is_text(data_type)
            || token.trim().parse::<f64>().is_ok()
                && (is_number(data_type) || *data_type == DataType::Boolean)
    };
    let everywhere = missing
        .everywhere
        .iter()
        .flatten()
        .map(|token| (None, token));
    let own = missing
        .columns
        .iter()
        .flat_map(|(name, tokens)| tokens.iter().map(move |token| (Some(name), token)));
    let is_idle = |(name, token): &(Option<&String>, &String)| {
        let is_meant = |one: &&BoundInput| {
            name.is_none_or(|name| one.column == *name || one.input.name == *name)
        };
        !bound
            .iter()
            .filter(is_meant)
            .any(|one| is_possible(token, one))
    };
    let idle = everywhere.chain(own).filter(is_idle);
    idle.map(|(name, token)| {
        let (what, named_by) = match name {
            None => (
                "none of the model's columns holds".to_owned(),
                NamedBy::Flag,
            ),
            Some(name) => (
                format!("the column `{name}` does not hold"),
                NamedBy::FlagOf(name.clone()),
            ),
        };
        // Once is enough: the end of the run has nothing to add.
        missing.uses.of(named_by, token).mark();
        Error::usage(format!("`--missing {token}` has no effect: {what} text"))
            .hint("in columns with a type, null is missing without being named")
    })
    .collect()
}

/// What a column's rows or lists hold.
fn values_of(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, value) => value,
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            field.data_type()
        }
        other => other,
    }
}

fn of_unseen(
    binding: &Binding,
    bound: &[BoundInput],
    options: &BindingOptions,
    is_untyped: bool,
) -> Option<Error> {
    if binding.on_unseen.is_empty() {
        return None;
    }
    let idle = options.on_unseen.iter().find(|(name, _)| {
        let is_meant =
            |one: &&BoundInput| name == "*" || one.column == *name || one.input.name == *name;
        !bound
            .iter()
            .filter(is_meant)
            .any(|one| can_be_unseen(one, is_untyped))
    });
    let (name, _) = idle?;
    let what = if name == "*" {
        "the model's columns hold plain numbers".to_owned()
    } else {
        format!("the column `{name}` holds plain numbers")
    };
    let error = Error::usage(format!(
        "`--on-unseen` has no effect: {what}, of which none is unseen or unreadable"
    ));
    Some(error.hint("missing numbers are the matter of `--on-null`"))
}

/// Whether a value may be one that the input cannot take.
#[expect(clippy::match_same_arms, reason = "the order of the arms decides")]
fn can_be_unseen(one: &BoundInput, is_untyped: bool) -> bool {
    let is_parsed = is_untyped && is_text(values_of(&one.data_type));
    match &one.input.kind {
        InputKind::Number | InputKind::CategoryCode => {
            is_parsed || one.input.numbers != NumberRange::All
        }
        InputKind::Category(vocabulary) => !vocabulary.values.is_empty(),
        InputKind::HashedCategory(_) => true,
        InputKind::Text => true,
        InputKind::Native(NativeType {
            width: Width::Exactly(_) | Width::Multiple(_),
            ..
        }) => true,
        InputKind::Native(NativeType {
            element: NativeElement::Integer(_) | NativeElement::Boolean,
            ..
        }) => true,
        InputKind::Native(NativeType {
            element: NativeElement::Text,
            ..
        }) => false,
        InputKind::Native(_) => is_parsed,
    }
}
