//! The guard on expressions: only those whose value depends on their own row alone.
//!
//! Owns the list of what may stand in an expression. Rows reach a query in batches that are cut by memory and thread count, so an
//! expression that looks at other rows (an aggregate, a window, a shift, a sort, a type guessed from the first value) would give
//! answers that depend on the cut. The list is one of permissions: what it does not name, even what a later polars adds, is refused.
//! It must not know tables.

use std::collections::BTreeSet;

use polars::lazy::dsl::{AggExpr, BooleanFunction, Expr, FunctionExpr, ListFunction, StringFunction, TemporalFunction};
use polars::prelude::LiteralValue;

/// The columns that `expression` reads.
///
/// # Errors
/// The name of what looks at other rows; of several, an aggregate first.
pub(super) fn columns_of(expression: &Expr) -> Result<BTreeSet<String>, String> {
    let mut columns = BTreeSet::new();
    let mut refused: Option<(bool, String)> = None;
    let mut pending = vec![expression];
    while let Some(node) = pending.pop() {
        match node {
            Expr::Column(name) => _ = columns.insert(name.to_string()),
            Expr::Literal(value) if is_single(value) => {}
            Expr::Alias(input, _) => pending.push(input),
            Expr::Cast { expr, .. } => pending.push(expr),
            Expr::BinaryExpr { left, right, .. } => pending.extend([&**left, &**right]),
            Expr::Ternary { predicate, truthy, falsy } => pending.extend([&**predicate, &**truthy, &**falsy]),
            Expr::Agg(AggExpr::Implode { input, .. }) if is_list_of_literals(input) => {}
            Expr::Function { input, function } if is_row_wise(function, input) => pending.extend(input),
            other => {
                let is_aggregate = matches!(other, Expr::Agg(_));
                if refused.as_ref().is_none_or(|(seen, _)| is_aggregate && !seen) {
                    refused = Some((is_aggregate, name_of(other)));
                }
                pending.extend(inputs_of(other));
            }
        }
    }
    refused.map_or(Ok(columns), |(_, name)| Err(name))
}

/// A literal of one value; a list of several stands only behind `IN`.
fn is_single(value: &LiteralValue) -> bool {
    match value {
        LiteralValue::Dyn(_) | LiteralValue::Scalar(_) => true,
        LiteralValue::Series(series) => series.len() == 1,
        LiteralValue::Range(_) => false,
    }
}

fn is_list_of_literals(expression: &Expr) -> bool {
    matches!(expression, Expr::Literal(LiteralValue::Series(_) | LiteralValue::Scalar(_) | LiteralValue::Dyn(_)))
}

fn is_row_wise(function: &FunctionExpr, inputs: &[Expr]) -> bool {
    match function {
        FunctionExpr::StringExpr(StringFunction::Strptime(_, options)) => {
            // Without a format polars guesses one from the first value that it sees.
            options.format.is_some() || inputs.iter().all(|input| matches!(input, Expr::Literal(_)))
        }
        FunctionExpr::StringExpr(function) => is_row_wise_string(function),
        FunctionExpr::TemporalExpr(function) => is_row_wise_temporal(function),
        FunctionExpr::Boolean(function) => is_row_wise_boolean(function),
        FunctionExpr::ListExpr(function) => matches!(function, ListFunction::Get(_)),
        FunctionExpr::Abs
        | FunctionExpr::Negate
        | FunctionExpr::Pow(_)
        | FunctionExpr::Trigonometry(_)
        | FunctionExpr::Atan2
        | FunctionExpr::Sign
        | FunctionExpr::FillNull
        | FunctionExpr::Clip { .. }
        | FunctionExpr::Coalesce
        | FunctionExpr::Log
        | FunctionExpr::Log1p
        | FunctionExpr::Exp
        | FunctionExpr::Round { .. }
        | FunctionExpr::Truncate { .. }
        | FunctionExpr::Floor
        | FunctionExpr::Ceil
        | FunctionExpr::MaxHorizontal
        | FunctionExpr::MinHorizontal => true,
        _ => false,
    }
}

fn is_row_wise_string(function: &StringFunction) -> bool {
    use StringFunction as S;
    matches!(
        function,
        S::ConcatHorizontal { .. }
            | S::Contains { .. }
            | S::CountMatches(_)
            | S::EndsWith
            | S::Find { .. }
            | S::LenBytes
            | S::LenChars
            | S::Lowercase
            | S::Normalize { .. }
            | S::PadEnd { .. }
            | S::PadStart { .. }
            | S::Replace { .. }
            | S::Reverse
            | S::Slice
            | S::Split(_)
            | S::StartsWith
            | S::StripChars
            | S::StripCharsEnd
            | S::StripCharsStart
            | S::StripPrefix
            | S::StripSuffix
            | S::Uppercase
    )
}

fn is_row_wise_temporal(function: &TemporalFunction) -> bool {
    use TemporalFunction as T;
    matches!(
        function,
        T::Millennium
            | T::Century
            | T::Year
            | T::IsoYear
            | T::Quarter
            | T::Month
            | T::Week
            | T::WeekDay
            | T::Day
            | T::OrdinalDay
            | T::Time
            | T::Date
            | T::Hour
            | T::Minute
            | T::Second
            | T::Millisecond
            | T::Microsecond
            | T::Nanosecond
            | T::TimeStamp(_)
            | T::ToString(_)
            | T::OffsetBy
    )
}

fn is_row_wise_boolean(function: &BooleanFunction) -> bool {
    use BooleanFunction as B;
    matches!(
        function,
        B::IsNull
            | B::IsNotNull
            | B::IsFinite
            | B::IsInfinite
            | B::IsNan
            | B::IsNotNan
            | B::IsIn { .. }
            | B::AllHorizontal
            | B::AnyHorizontal
            | B::Not
    )
}

/// What a user would call the part that is refused.
fn name_of(expression: &Expr) -> String {
    match expression {
        Expr::Agg(aggregate) => aggregate_name(aggregate).to_owned(),
        Expr::Function { function: FunctionExpr::StringExpr(StringFunction::Strptime(..)), .. } => "a date conversion without a format".to_owned(),
        Expr::Function { function, .. } => function.to_string(),
        Expr::Over { .. } => "OVER".to_owned(),
        Expr::SubPlan(..) => "a subquery".to_owned(),
        Expr::Selector(_) => "a selection of columns".to_owned(),
        Expr::Len => "COUNT".to_owned(),
        Expr::Explode { .. } => "UNNEST".to_owned(),
        Expr::Literal(_) => "a list of values".to_owned(),
        Expr::Sort { .. } | Expr::SortBy { .. } => "ORDER BY".to_owned(),
        Expr::Filter { .. } => "FILTER".to_owned(),
        other => format!("{other:?}"),
    }
}

fn aggregate_name(aggregate: &AggExpr) -> &'static str {
    match aggregate {
        AggExpr::Min { .. } => "MIN",
        AggExpr::Max { .. } => "MAX",
        AggExpr::Median(_) => "MEDIAN",
        AggExpr::NUnique(_) => "COUNT DISTINCT",
        AggExpr::First(_) | AggExpr::FirstNonNull(_) => "FIRST",
        AggExpr::Last(_) | AggExpr::LastNonNull(_) => "LAST",
        AggExpr::Item { .. } => "ITEM",
        AggExpr::Mean(_) => "AVG",
        AggExpr::Implode { .. } => "ARRAY_AGG",
        AggExpr::Count { .. } => "COUNT",
        AggExpr::Sum(_) => "SUM",
        AggExpr::AggGroups(_) => "GROUPS",
        AggExpr::Std(..) => "STDDEV",
        AggExpr::Var(..) => "VARIANCE",
    }
}

/// What stands inside a refused part, where an aggregate with a better name may hide.
fn inputs_of(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::Function { input, .. } => input.iter().collect(),
        Expr::Over { function, .. } => vec![function],
        Expr::Explode { input, .. } | Expr::Filter { input, .. } => vec![input],
        Expr::Sort { expr, .. } | Expr::SortBy { expr, .. } | Expr::Gather { expr, .. } => vec![expr],
        _ => Vec::new(),
    }
}
