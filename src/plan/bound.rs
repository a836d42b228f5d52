//! Columns that meet the model: expressions over the data, what the model reads, what comes along.
//!
//! Owns the order of these checks. It must not know what is watched or where results go.

use arrow::datatypes::SchemaRef;

use super::columns::{passthrough, refuse_duplicates, requested_columns, widened};
use super::opening::{OpenData, OpenModel};
use super::options::check_offset;
use super::{effect, mask, quality, reading, text, warning};
use crate::contract::binding::{BoundInput, bind, fed_columns};
use crate::contract::policies::check_names;
use crate::error::{Error, Result};
use crate::model::OffsetRule;
use crate::pipeline::mask::Mask;
use crate::pipeline::rule::Rules;
use crate::pipeline::selection::Selection;
use crate::query::Derived;
use crate::request::work::Work;

/// What is computed of each row, and judged, before the model reads it.
pub(super) struct Expressions {
    /// The filter and the derived columns.
    pub(super) selection: Option<Selection>,
    /// The data's columns and the derived ones.
    wide: SchemaRef,
    /// What outputs hash and leave out.
    pub(super) mask: Mask,
    pub(super) rules: Rules,
    pub(super) rule_count: usize,
}

/// Parses and binds the expressions of package and flags.
///
/// # Errors
/// A usage error for a text that does not parse; a contract error for a column that is missing.
pub(super) fn expressions(
    args: &Work,
    model: &OpenModel,
    data: &OpenData<'_>,
) -> Result<Expressions> {
    let OpenData {
        schema, missing, ..
    } = data;
    let opened = &model.opened;
    let fed = fed_columns(&opened.loaded.contract, schema, &data.options)?;
    let filter = args.rows.filter.as_deref();
    let selection = Selection::new(filter, &opened.derived, schema, &fed, missing)?;
    let wide = widened(selection.as_ref(), schema);
    let mask = mask::mask(&args.outcome, &wide)?;
    let entries = quality::entries(&opened.rules, &args.quality)?;
    let rules = Rules::new(&entries, &wide, schema, &fed, missing)?
        .with_examples(args.quality.rule_examples, mask.clone())
        .with_numbers(args.quality.loss_column.as_deref(), &wide)?;
    Ok(Expressions {
        selection,
        wide,
        mask,
        rules,
        rule_count: entries.len(),
    })
}

/// The columns of a run.
pub(super) struct BoundColumns {
    /// What the model reads, in its order.
    pub(super) bound: Vec<BoundInput>,
    /// What comes along with the scores.
    pub(super) along: Vec<String>,
    /// What is read of the data.
    pub(super) requested: SchemaRef,
    /// How a column of offsets is added.
    pub(super) offset_rule: Option<OffsetRule>,
    /// What the user should look at, though the run can go on.
    pub(super) warnings: Vec<Error>,
}

/// Binds columns to the model; expressions that nothing reads are dropped.
///
/// # Errors
/// A contract error for columns that are missing, of another type or there twice.
pub(super) fn columns(
    args: &Work,
    model: &OpenModel,
    data: &mut OpenData<'_>,
    expressions: &mut Expressions,
) -> Result<BoundColumns> {
    let opened = &model.opened;
    let contract = &opened.loaded.contract;
    let Expressions {
        selection,
        wide,
        mask,
        rules,
        ..
    } = expressions;
    if model.reads_texts && data.options.features.is_none() {
        data.options.features = text::columns(&args.text, contract, wide, data.dataset.is_text())?;
    }
    let OpenData {
        dataset,
        schema,
        options,
        features,
        missing,
        ..
    } = data;
    let offset_rule = check_offset(opened, &options.offset)?;
    let bound = bind(contract, wide, dataset, options)?;
    if !options.has_others {
        check_names(bound.iter(), options, &missing.columns)?;
    }
    // A column of offsets is not a feature: it comes along, and is in no order of training.
    let read = &bound[..bound.len() - options.offset.len()];
    let mut along = passthrough(&args.outcome, read, schema, wide)?;
    along.retain(|name| !mask.drops(name));
    let is_used = |name: &str| {
        let is_read = bound.iter().any(|one| one.column == name);
        is_read || along.iter().any(|column| column == name) || rules.reads(name)
    };
    let is_derived_read = |name: &str| {
        let by_expression = selection.as_ref().is_some_and(|one| one.reads(name));
        by_expression || is_used(name)
    };
    let unread: Vec<&str> = opened
        .derived
        .iter()
        .map(|Derived { name, .. }| name.as_str())
        .filter(|name| !is_derived_read(name))
        .collect();
    let warnings = warning::chosen_by_regex(*features, read)
        .into_iter()
        .chain(warning::unread_derived(&unread))
        .chain(warning::other_names(*features, contract, read))
        .chain(warning::read_again(dataset))
        .chain(warning::row_by_row(&opened.loaded.description))
        .chain(reading::without_effect(&args.rows, dataset)?)
        .chain(effect::warnings(args, dataset, &bound, options, missing))
        .collect();
    if let Some(selection) = selection {
        selection.keep_only(is_used);
    }
    let requested = requested_columns(&bound, &along, selection.as_ref(), rules, schema);
    refuse_duplicates(&requested, dataset)?;
    Ok(BoundColumns {
        bound,
        along,
        requested,
        offset_rule,
        warnings,
    })
}
