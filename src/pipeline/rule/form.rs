//! Short forms of rules: `not_null(age)`, `range(age, 0, 120)`, `unique(id)`.
//!
//! Owns their names and arguments, and the SQL that those about single rows stand for. Null passes
//! all of them but `not_null`: a column that may be missing is another rule. It must not know rows.

use crate::error::{Error, Result};

/// What a rule asks.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    /// A condition on each row, in SQL.
    Row(String),
    /// No value of a column comes twice, nulls aside.
    Unique {
        /// The column.
        column: String,
        /// Whether values are compared, not estimated.
        is_exact: bool,
    },
    /// The newest value of a column of dates or timestamps is at most so old.
    Fresh {
        /// The column.
        column: String,
        /// The age in seconds.
        max_age_seconds: f64,
    },
    /// The table has so many rows.
    RowCount {
        /// The fewest.
        min: u64,
        /// The most.
        max: u64,
    },
}

/// A name, its fewest and most arguments, and how it is written.
const FORMS: [(&str, usize, usize, &str); 9] = [
    ("not_null", 1, 1, "not_null(COLUMN)"),
    ("unique", 1, 2, "unique(COLUMN) or unique(COLUMN, exact)"),
    ("range", 3, 3, "range(COLUMN, LOW, HIGH), where `*` is open"),
    ("set", 2, usize::MAX, "set(COLUMN, 'a', 'b', …)"),
    ("pattern", 2, 2, "pattern(COLUMN, 'REGEX')"),
    (
        "type",
        2,
        2,
        "type(COLUMN, integer|number|boolean|date|timestamp)",
    ),
    (
        "length",
        3,
        3,
        "length(COLUMN, LOW, HIGH), where `*` is open",
    ),
    ("fresh", 2, 2, "fresh(COLUMN, 26h), in s, m, h or d"),
    ("row_count", 2, 2, "row_count(LOW, HIGH), where `*` is open"),
];

/// Names that SQL has functions of too: with other numbers of arguments they are those.
const ALSO_SQL: [&str; 1] = ["length"];

/// What the text of a rule asks: a short form, or SQL as it is.
///
/// # Errors
/// A usage error for a short form with other arguments than it takes.
pub(super) fn parse(text: &str) -> Result<Form> {
    let sql = || Ok(Form::Row(text.to_owned()));
    let Some((name, inner)) = call(text) else {
        return sql();
    };
    let name = name.to_ascii_lowercase();
    let Some((name, min, max, usage)) = FORMS.iter().find(|(known, ..)| *known == name) else {
        return sql();
    };
    let arguments = arguments(inner);
    if !(*min..=*max).contains(&arguments.len()) {
        if ALSO_SQL.contains(name) {
            return sql();
        }
        return Err(wrong(text, usage));
    }
    let form = match (*name, arguments.as_slice()) {
        ("row_count", [low, high]) => row_count(low, high),
        (name, [column, others @ ..]) => of_column(name, column, others),
        _ => None,
    };
    form.ok_or_else(|| wrong(text, usage))
}

fn wrong(text: &str, usage: &str) -> Error {
    Error::usage(format!("cannot understand the rule `{text}`")).hint(format!("write {usage}"))
}

fn of_column(name: &str, column: &str, others: &[&str]) -> Option<Form> {
    let name_of_column = column_name(column)?;
    let or_null = |condition: String| Some(Form::Row(format!("{column} IS NULL OR {condition}")));
    match (name, others) {
        ("not_null", []) => Some(Form::Row(format!("{column} IS NOT NULL"))),
        ("unique", []) => Some(Form::Unique {
            column: name_of_column,
            is_exact: false,
        }),
        ("unique", [how]) if how.eq_ignore_ascii_case("exact") => Some(Form::Unique {
            column: name_of_column,
            is_exact: true,
        }),
        ("range", [low, high]) => or_null(between(column, low, high)?),
        ("length", [low, high]) => or_null(between(&format!("LENGTH({column})"), low, high)?),
        ("set", items) => or_null(format!("{column} IN ({})", items.join(", "))),
        ("pattern", [pattern]) => or_null(format!("regexp_matches({column}, {pattern})")),
        ("type", [data_type]) => or_null(of_type(column, data_type)?),
        ("fresh", [age]) => Some(Form::Fresh {
            column: name_of_column,
            max_age_seconds: seconds(age)?,
        }),
        _ => None,
    }
}

fn between(value: &str, low: &str, high: &str) -> Option<String> {
    match (low, high) {
        ("*", "*") => None,
        ("*", high) => Some(format!("{value} <= {high}")),
        (low, "*") => Some(format!("{value} >= {low}")),
        (low, high) => Some(format!("{value} BETWEEN {low} AND {high}")),
    }
}

/// A number with a fraction is not an integer, though a cast would round it.
fn of_type(column: &str, data_type: &str) -> Option<String> {
    let cast = |sql: &str| format!("TRY_CAST({column} AS {sql})");
    let sql = match data_type.to_ascii_lowercase().as_str() {
        "integer" => return Some(format!("{} = {}", cast("BIGINT"), cast("DOUBLE"))),
        "number" => "DOUBLE",
        "boolean" => "BOOLEAN",
        "date" => "DATE",
        "timestamp" => "TIMESTAMP",
        _ => return None,
    };
    Some(format!("{} IS NOT NULL", cast(sql)))
}

fn row_count(low: &str, high: &str) -> Option<Form> {
    let number = |text: &str, open: u64| {
        if text == "*" {
            Some(open)
        } else {
            text.replace('_', "").parse().ok()
        }
    };
    let (min, max) = (number(low, 0)?, number(high, u64::MAX)?);
    (min <= max).then_some(Form::RowCount { min, max })
}

fn seconds(text: &str) -> Option<f64> {
    let text = text.trim_matches('\'').trim();
    let unit = text.chars().last()?;
    let length = match unit {
        's' => 1.0,
        'm' => 60.0,
        'h' => 3_600.0,
        'd' => 86_400.0,
        _ => return None,
    };
    let count: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
    (count.is_finite() && count > 0.0).then_some(count * length)
}

/// The name that a column of SQL has in the table.
fn column_name(text: &str) -> Option<String> {
    if let Some(quoted) = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    {
        return (!quoted.is_empty()).then(|| quoted.replace("\"\"", "\""));
    }
    let mut letters = text.chars();
    let first = letters.next()?;
    let is_plain = (first.is_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_alphanumeric() || letter == '_');
    is_plain.then(|| text.to_owned())
}

/// The name and the arguments of a text that is one call from its beginning to its end.
fn call(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let (name, rest) = text.split_once('(')?;
    let inner = rest.strip_suffix(')')?;
    let (mut depth, mut quote) = (0_u32, None);
    for letter in inner.chars() {
        match (quote, letter) {
            (Some(open), letter) if open == letter => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.checked_sub(1)?,
            // Within quotes, brackets are letters.
            _ => {}
        }
    }
    (depth == 0 && quote.is_none()).then_some((name.trim(), inner))
}

/// The arguments between commas that are in no quotes and no brackets.
fn arguments(inner: &str) -> Vec<&str> {
    let (mut depth, mut quote, mut start) = (0_u32, None, 0);
    let mut arguments = Vec::new();
    for (index, letter) in inner.char_indices() {
        match (quote, letter) {
            (Some(open), letter) if open == letter => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, ',') if depth == 0 => {
                arguments.push(inner[start..index].trim());
                start = index + 1;
            }
            _ => {}
        }
    }
    arguments.push(inner[start..].trim());
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_stand_for_sql() {
        for (text, sql) in [
            ("not_null(age)", "age IS NOT NULL"),
            ("range(age, 0, 120)", "age IS NULL OR age BETWEEN 0 AND 120"),
            ("range(age, *, 120)", "age IS NULL OR age <= 120"),
            ("RANGE( age , 0.5, * )", "age IS NULL OR age >= 0.5"),
            (
                "set(\"the (region)\", 'a, b', 'it''s')",
                "\"the (region)\" IS NULL OR \"the (region)\" IN ('a, b', 'it''s')",
            ),
            (
                "pattern(code, '^(A|B),$')",
                "code IS NULL OR regexp_matches(code, '^(A|B),$')",
            ),
            (
                "length(code, 1, 30)",
                "code IS NULL OR LENGTH(code) BETWEEN 1 AND 30",
            ),
            (
                "type(visits, integer)",
                "visits IS NULL OR TRY_CAST(visits AS BIGINT) = TRY_CAST(visits AS DOUBLE)",
            ),
            (
                "type(day, date)",
                "day IS NULL OR TRY_CAST(day AS DATE) IS NOT NULL",
            ),
        ] {
            assert_eq!(parse(text).unwrap(), Form::Row(sql.to_owned()), "{text}");
        }
        for text in [
            "length(code) < 5",
            "length(code)",
            "(age > 1) AND (b)",
            "coalesce(b, TRUE)",
            "age > 1",
            "range(a, 0, 1) OR (b)",
        ] {
            assert_eq!(parse(text).unwrap(), Form::Row(text.to_owned()), "{text}");
        }
        assert_eq!(
            parse("unique(id)").unwrap(),
            Form::Unique {
                column: "id".into(),
                is_exact: false
            }
        );
        assert_eq!(
            parse("fresh(day, 1.5d)").unwrap(),
            Form::Fresh {
                column: "day".into(),
                max_age_seconds: 129_600.0
            }
        );
        assert_eq!(
            parse("row_count(1_000, *)").unwrap(),
            Form::RowCount {
                min: 1_000,
                max: u64::MAX
            }
        );
    }

    #[test]
    fn a_short_form_with_other_arguments_is_refused_with_its_usage() {
        for text in [
            "not_null()",
            "not_null(a, b)",
            "not_null(a + b)",
            "unique(id, fast)",
            "range(age, 0)",
            "range(age, *, *)",
            "type(age, float64)",
            "fresh(day, soon)",
            "fresh(day, -1h)",
            "row_count(10, 1)",
            "row_count(x, y)",
            "length(code, *, *)",
        ] {
            let error = parse(text).unwrap_err();
            let hint = error.hint_text().unwrap_or_default();
            assert!(hint.starts_with("write "), "{text}: {error}");
        }
    }
}
