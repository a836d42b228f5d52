//! SQL's text to an expression: what is understood, and by which name the rest is refused.
//!
//! Owns the step from the parser's tree to [`Node`]. Rows reach a query in batches that are cut by
//! memory and thread count, so whatever looks at other rows (an aggregate, a window, a subquery) is
//! refused by name; so is whatever is not known. It must not know columns.

use arrow::datatypes::DataType;
use sqlparser::ast::{
    BinaryOperator, CastKind, CeilFloorKind, DataType as SqlType, DateTimeField, Expr, Function,
    FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Interval, TrimWhereField,
    UnaryOperator, Value,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::calendar::{Field, Span};
use super::date_text::{date_of, timestamp_of};
use super::functions::{find, is_aggregate, is_changing, names};
use super::node::{Comparison, Literal, Node, Operator, Pattern};
use super::special::{argument_counts, special};
use super::sql_type::arrow_type;
use crate::table::spelling::did_you_mean;

/// Why a text is refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is not an expression.
    NotUnderstood(String),
    /// A part looks at other rows, or changes from run to run.
    OtherRows(String),
    /// A part that is not supported, and what to write instead.
    Unsupported { what: String, hint: String },
    /// It names its result.
    Named,
}

pub(super) type Parsed<T> = Result<T, Refusal>;

pub(super) fn unsupported<T>(what: impl Into<String>, hint: impl Into<String>) -> Parsed<T> {
    Err(Refusal::Unsupported {
        what: what.into(),
        hint: hint.into(),
    })
}

/// Parses one expression; `max_depth` bounds how deep it may nest.
pub(super) fn parse(text: &str, max_depth: usize) -> Parsed<Node> {
    let wrong = |error: ParserError| Refusal::NotUnderstood(reason(error));
    let parser = Parser::new(&GenericDialect).with_recursion_limit(max_depth);
    let mut parser = parser.try_with_sql(text).map_err(wrong)?;
    let tree = parser.parse_expr().map_err(wrong)?;
    match &parser.peek_token().token {
        Token::EOF => node(&tree),
        Token::Word(word) if word.value.eq_ignore_ascii_case("as") => Err(Refusal::Named),
        other => Err(Refusal::NotUnderstood(format!(
            "`{other}` follows the end of the expression"
        ))),
    }
}

/// What the parser did not understand, in our words.
fn reason(error: ParserError) -> String {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => return "it is nested too deeply".to_owned(),
    };
    // Where in the text: an expression is one short line.
    let text = text.split(" at Line: ").next().unwrap_or_default();
    let parts = text
        .strip_prefix("Expected: ")
        .and_then(|text| text.split_once(", found: "));
    match parts {
        Some((expected, "EOF")) => format!("it ends where {} should follow", quoted(expected)),
        Some((expected, found)) => format!("expected {}, found `{found}`", quoted(expected)),
        None => {
            let mut letters = text.chars();
            let first = letters.next().map(|first| first.to_lowercase().to_string());
            first.unwrap_or_default() + letters.as_str()
        }
    }
}

/// Signs in backticks; words as they are.
fn quoted(expected: &str) -> String {
    if expected.contains(char::is_alphabetic) {
        expected.to_owned()
    } else {
        format!("`{expected}`")
    }
}

fn boxed(tree: &Expr) -> Parsed<Box<Node>> {
    node(tree).map(Box::new)
}

fn negated(node: Node, is_negated: bool) -> Node {
    if is_negated {
        Node::Not(Box::new(node))
    } else {
        node
    }
}

#[expect(clippy::too_many_lines, reason = "one arm for each kind of expression")]
fn node(tree: &Expr) -> Parsed<Node> {
    Ok(match tree {
        Expr::Identifier(name) => return column(name),
        Expr::Nested(inner) => return node(inner),
        Expr::Value(value) => Node::Literal(literal(&value.value)?),
        Expr::TypedString(typed) => return typed_text(&typed.data_type, &typed.value.value),
        Expr::Interval(interval) => Node::Span(span(interval)?),
        Expr::UnaryOp { op, expr } => return unary(*op, expr),
        Expr::BinaryOp { left, op, right } => return binary(left, op, right),
        Expr::IsNull(inner) => Node::IsNull(boxed(inner)?),
        Expr::IsUnknown(inner) => Node::IsNull(Box::new(boolean(inner)?)),
        Expr::IsNotNull(inner) => Node::Not(Box::new(Node::IsNull(boxed(inner)?))),
        Expr::IsNotUnknown(inner) => Node::Not(Box::new(Node::IsNull(Box::new(boolean(inner)?)))),
        Expr::IsTrue(inner) => Node::IsTruth(boxed(inner)?, true),
        Expr::IsFalse(inner) => Node::IsTruth(boxed(inner)?, false),
        Expr::IsNotTrue(inner) => negated(Node::IsTruth(boxed(inner)?, true), true),
        Expr::IsNotFalse(inner) => negated(Node::IsTruth(boxed(inner)?, false), true),
        Expr::IsDistinctFrom(left, right) => {
            Node::Compare(Comparison::Distinct, boxed(left)?, boxed(right)?)
        }
        Expr::IsNotDistinctFrom(left, right) => {
            Node::Compare(Comparison::NotDistinct, boxed(left)?, boxed(right)?)
        }
        Expr::InList {
            expr,
            list,
            negated: is_negated,
        } => negated(
            Node::In(boxed(expr)?, list.iter().map(node).collect::<Parsed<_>>()?),
            *is_negated,
        ),
        Expr::Between {
            expr,
            negated: is_negated,
            low,
            high,
        } => negated(
            Node::Between {
                value: boxed(expr)?,
                low: boxed(low)?,
                high: boxed(high)?,
            },
            *is_negated,
        ),
        Expr::Like {
            negated: is_negated,
            any: false,
            expr,
            pattern,
            escape_char,
        }
        | Expr::ILike {
            negated: is_negated,
            any: false,
            expr,
            pattern,
            escape_char,
        } => {
            let how = Pattern::Like {
                folds_case: matches!(tree, Expr::ILike { .. }),
                escape: escape(escape_char.as_ref().map(|value| &value.value))?,
            };
            negated(
                Node::Matches {
                    value: boxed(expr)?,
                    pattern: boxed(pattern)?,
                    how,
                },
                *is_negated,
            )
        }
        Expr::SimilarTo {
            negated: is_negated,
            expr,
            pattern,
            escape_char: None,
        } => {
            let how = Pattern::Regex {
                folds_case: false,
                is_whole: true,
            };
            negated(
                Node::Matches {
                    value: boxed(expr)?,
                    pattern: boxed(pattern)?,
                    how,
                },
                *is_negated,
            )
        }
        Expr::RLike {
            negated: is_negated,
            expr,
            pattern,
            ..
        } => {
            let how = Pattern::Regex {
                folds_case: false,
                is_whole: false,
            };
            negated(
                Node::Matches {
                    value: boxed(expr)?,
                    pattern: boxed(pattern)?,
                    how,
                },
                *is_negated,
            )
        }
        Expr::Cast {
            kind,
            expr,
            data_type,
            array: false,
            format: None,
        } => {
            let tries = matches!(kind, CastKind::TryCast | CastKind::SafeCast);
            Node::Cast {
                value: boxed(expr)?,
                target: arrow_type(data_type)?,
                tries,
            }
        }
        Expr::Extract { field, expr, .. } => Node::Extract(extracted(field)?, boxed(expr)?),
        Expr::Ceil {
            expr,
            field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
        } => Node::Call("ceil", vec![node(expr)?]),
        Expr::Floor {
            expr,
            field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
        } => Node::Call("floor", vec![node(expr)?]),
        Expr::Position { expr, r#in } => Node::Call("strpos", vec![node(r#in)?, node(expr)?]),
        Expr::Substring {
            expr,
            substring_from,
            substring_for,
            ..
        } => {
            let from = substring_from
                .as_deref()
                .map_or(Ok(Node::Literal(Literal::Integer(1))), node)?;
            let length = substring_for.as_deref().map(node).transpose()?;
            Node::Call(
                "substring",
                [node(expr)?, from].into_iter().chain(length).collect(),
            )
        }
        Expr::Trim {
            trim_where,
            trim_what,
            expr,
            trim_characters,
        } => {
            let name = match trim_where {
                Some(TrimWhereField::Leading) => "ltrim",
                Some(TrimWhereField::Trailing) => "rtrim",
                Some(TrimWhereField::Both) | None => "trim",
            };
            let listed = trim_characters.as_deref().unwrap_or_default().iter();
            let what = trim_what.as_deref().into_iter().chain(listed).map(node);
            Node::Call(
                name,
                std::iter::once(node(expr))
                    .chain(what)
                    .collect::<Parsed<_>>()?,
            )
        }
        Expr::Case {
            operand,
            conditions,
            else_result,
            ..
        } => {
            let branches = conditions
                .iter()
                .map(|one| Ok((node(&one.condition)?, node(&one.result)?)))
                .collect::<Parsed<_>>()?;
            let otherwise = else_result.as_deref().map(boxed).transpose()?;
            Node::Case {
                operand: operand.as_deref().map(boxed).transpose()?,
                branches,
                otherwise,
            }
        }
        Expr::Function(function) => return call(function),
        Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
            return Err(Refusal::OtherRows("a subquery".to_owned()));
        }
        Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => {
            return Err(Refusal::OtherRows("a selection of columns".to_owned()));
        }
        Expr::InUnnest { .. } => return Err(Refusal::OtherRows("UNNEST".to_owned())),
        Expr::CompoundIdentifier(parts) => {
            let path: Vec<&str> = parts.iter().map(|part| part.value.as_str()).collect();
            let whole = path.join(".");
            let hint = format!(
                "a column whose name holds a dot stands in double quotes, `\"{whole}\"`; fields \
                 of structs cannot be read"
            );
            return unsupported(format!("`{whole}`"), hint);
        }
        other => {
            return unsupported(
                format!("`{other}`"),
                "`tallow score --help` lists what works",
            );
        }
    })
}

/// A part of which only the truth matters.
fn boolean(tree: &Expr) -> Parsed<Node> {
    Ok(Node::Or(
        boxed(tree)?,
        Box::new(Node::Literal(Literal::Boolean(false))),
    ))
}

fn column(name: &Ident) -> Parsed<Node> {
    let lower = name.value.to_ascii_lowercase();
    if name.quote_style.is_none() && is_changing(&lower) && lower.starts_with("current_") {
        return Err(Refusal::OtherRows(name.value.to_uppercase()));
    }
    if name.quote_style == Some('\'') {
        return Ok(Node::Literal(Literal::Text(name.value.clone())));
    }
    Ok(Node::Column(name.value.clone()))
}

fn literal(value: &Value) -> Parsed<Literal> {
    Ok(match value {
        Value::Null => Literal::Null,
        Value::Boolean(value) => Literal::Boolean(*value),
        Value::SingleQuotedString(text) | Value::NationalStringLiteral(text) => {
            Literal::Text(text.clone())
        }
        Value::DollarQuotedString(text) => Literal::Text(text.value.clone()),
        Value::Number(text, false) => number(text)
            .ok_or_else(|| Refusal::NotUnderstood(format!("`{text}` is not a number")))?,
        other => {
            return unsupported(
                format!("`{other}`"),
                "write a text in single quotes, `'north'`, and a number in digits",
            );
        }
    })
}

/// Integers of 64 bits, decimals of up to 38 digits, doubles for everything else: as SQL reads
/// them.
fn number(text: &str) -> Option<Literal> {
    if let Ok(value) = text.parse() {
        return Some(Literal::Integer(value));
    }
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction}");
    let count = digits.trim_start_matches('0').len().max(fraction.len());
    if is_plain
        && count <= 38
        && let (Ok(digits), Ok(scale)) = (digits.parse(), u8::try_from(fraction.len()))
    {
        return Some(Literal::Decimal(digits, scale));
    }
    text.parse().ok().map(Literal::Double)
}

fn escape(value: Option<&Value>) -> Parsed<Option<char>> {
    let text = match value {
        None => return Ok(None),
        Some(Value::SingleQuotedString(text)) => text,
        Some(other) => {
            return unsupported(
                format!("ESCAPE {other}"),
                "name one character: `ESCAPE '!'`",
            );
        }
    };
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (letter, None) => Ok(letter),
        _ => unsupported(
            format!("ESCAPE '{text}'"),
            "name one character: `ESCAPE '!'`",
        ),
    }
}

fn typed_text(data_type: &SqlType, value: &Value) -> Parsed<Node> {
    let Value::SingleQuotedString(text) = value else {
        return unsupported(
            format!("`{data_type} {value}`"),
            "write `DATE '2024-01-31'` or `TIMESTAMP '2024-01-31 10:00:00'`",
        );
    };
    let wrong = || Refusal::Unsupported {
        what: format!("`{data_type} '{text}'`"),
        hint: "write `DATE '2024-01-31'` or `TIMESTAMP '2024-01-31 10:00:00'`, in the local time \
               of the column and to the microsecond"
            .to_owned(),
    };
    match arrow_type(data_type)? {
        DataType::Date32 => date_of(text)
            .map(|days| Node::Literal(Literal::Date(days)))
            .ok_or_else(wrong),
        DataType::Timestamp(_, None) => timestamp_of(text)
            .map(|ticks| Node::Literal(Literal::Timestamp(ticks)))
            .ok_or_else(wrong),
        target => Ok(Node::Cast {
            value: Box::new(Node::Literal(Literal::Text(text.clone()))),
            target,
            tries: false,
        }),
    }
}

fn span(interval: &Interval) -> Parsed<Span> {
    let wrong = || Refusal::Unsupported {
        what: format!("`{interval}`"),
        hint: "write `INTERVAL '1 day'`, with years, months, weeks, days, hours, minutes or \
               seconds"
            .to_owned(),
    };
    let text = match interval.value.as_ref() {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::Number(text, false) => text.clone(),
            _ => return Err(wrong()),
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => format!("-{expr}"),
        _ => return Err(wrong()),
    };
    if interval.last_field.is_some() || interval.leading_precision.is_some() {
        return Err(wrong());
    }
    let text = interval
        .leading_field
        .as_ref()
        .map_or_else(|| text.clone(), |unit| format!("{text} {unit}"));
    Span::parse(&text).ok_or_else(wrong)
}

fn unary(op: UnaryOperator, tree: &Expr) -> Parsed<Node> {
    match op {
        UnaryOperator::Plus => node(tree),
        UnaryOperator::Not | UnaryOperator::BangNot => Ok(Node::Not(boxed(tree)?)),
        UnaryOperator::Minus => {
            // The lowest integer has no positive counterpart.
            if let Expr::Value(value) = tree
                && let Value::Number(digits, false) = &value.value
            {
                return Ok(Node::Literal(match format!("-{digits}").parse() {
                    Ok(value) => Literal::Integer(value),
                    Err(_) => match literal(&value.value)? {
                        Literal::Decimal(digits, scale) => Literal::Decimal(-digits, scale),
                        Literal::Double(value) => Literal::Double(-value),
                        other => other,
                    },
                }));
            }
            Ok(match node(tree)? {
                Node::Span(span) => Node::Span(span.negated()),
                inner => Node::Negate(Box::new(inner)),
            })
        }
        other => unsupported(
            format!("the operator `{other}`"),
            "write it with a function, such as ABS or SQRT",
        ),
    }
}

fn binary(left: &Expr, op: &BinaryOperator, right: &Expr) -> Parsed<Node> {
    use BinaryOperator as B;
    let arithmetic = |operator| Ok(Node::Arithmetic(operator, boxed(left)?, boxed(right)?));
    let compare = |comparison| Ok(Node::Compare(comparison, boxed(left)?, boxed(right)?));
    let matches = |how, is_negated| {
        Ok(negated(
            Node::Matches {
                value: boxed(left)?,
                pattern: boxed(right)?,
                how,
            },
            is_negated,
        ))
    };
    let like = |folds_case| Pattern::Like {
        folds_case,
        escape: None,
    };
    match op {
        B::Plus => arithmetic(Operator::Add),
        B::Minus => arithmetic(Operator::Subtract),
        B::Multiply => arithmetic(Operator::Multiply),
        B::Divide => arithmetic(Operator::Divide),
        B::DuckIntegerDivide | B::MyIntegerDivide => arithmetic(Operator::DivideWhole),
        B::Modulo => arithmetic(Operator::Remainder),
        B::Eq => compare(Comparison::Equal),
        B::NotEq => compare(Comparison::NotEqual),
        B::Lt => compare(Comparison::Less),
        B::LtEq => compare(Comparison::LessOrEqual),
        B::Gt => compare(Comparison::Greater),
        B::GtEq => compare(Comparison::GreaterOrEqual),
        B::And => Ok(Node::And(boxed(left)?, boxed(right)?)),
        B::Or => Ok(Node::Or(boxed(left)?, boxed(right)?)),
        B::StringConcat => Ok(Node::Call("||", vec![node(left)?, node(right)?])),
        B::PGExp => Ok(Node::Call("power", vec![node(left)?, node(right)?])),
        B::PGStartsWith => Ok(Node::Call("starts_with", vec![node(left)?, node(right)?])),
        B::PGRegexMatch | B::PGRegexIMatch | B::PGRegexNotMatch | B::PGRegexNotIMatch => {
            unsupported(
                format!("the operator `{op}`"),
                "write `REGEXP_MATCHES(text, pattern)` to search, or `REGEXP_FULL_MATCH` to match \
                 all of the text: DuckDB's versions differ in what the operator does",
            )
        }
        B::PGLikeMatch => matches(like(false), false),
        B::PGILikeMatch => matches(like(true), false),
        B::PGNotLikeMatch => matches(like(false), true),
        B::PGNotILikeMatch => matches(like(true), true),
        B::Regexp => matches(
            Pattern::Regex {
                folds_case: false,
                is_whole: false,
            },
            false,
        ),
        B::BitwiseXor => unsupported("the operator `^`", "write a power as `POWER(a, b)`"),
        other => unsupported(
            format!("the operator `{other}`"),
            "`tallow score --help` lists the operators that work",
        ),
    }
}

fn call(function: &Function) -> Parsed<Node> {
    let name = function.name.to_string().to_ascii_lowercase();
    if is_aggregate(&name) {
        return Err(Refusal::OtherRows(name.to_uppercase()));
    }
    if function.over.is_some() {
        return Err(Refusal::OtherRows("OVER".to_owned()));
    }
    if name == "age"
        && matches!(&function.args, FunctionArguments::List(list) if list.args.len() == 2)
    {
        return unsupported(
            "the function `AGE`",
            "count whole units with `DATE_DIFF('day', begin, end)`, or seconds with `EPOCH(end) - \
             EPOCH(begin)`",
        );
    }
    if is_changing(&name) {
        return Err(Refusal::OtherRows(name.to_uppercase()));
    }
    if name == "columns" {
        return Err(Refusal::OtherRows("a selection of columns".to_owned()));
    }
    let is_plain = function.filter.is_none()
        && function.null_treatment.is_none()
        && function.within_group.is_empty();
    let FunctionArguments::List(list) = &function.args else {
        return unsupported(
            format!("`{function}`"),
            "write the arguments in parentheses",
        );
    };
    if !is_plain || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return Err(Refusal::OtherRows(name.to_uppercase()));
    }
    let argument = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(tree)) => node(tree),
        other => unsupported(
            format!("`{other}` as an argument"),
            "write plain expressions, separated by commas",
        ),
    };
    let arguments = list
        .args
        .iter()
        .map(argument)
        .collect::<Parsed<Vec<Node>>>()?;
    special(&name, &arguments).unwrap_or_else(|| {
        if let Some(counts) = argument_counts(&name) {
            return unsupported(
                format!("`{name}` with {} arguments", arguments.len()),
                format!("it takes {counts}"),
            );
        }
        if name == "fmod" {
            return unsupported(
                "the function `fmod`",
                "write `MOD(a, b)`, whose result has the sign of `a`: DuckDB's versions differ in \
                 the sign of `fmod`",
            );
        }
        let Some((own, least, most)) = find(&name) else {
            let hint = did_you_mean(
                &name,
                &names(),
                "`tallow score --help` lists the functions that work",
            );
            return unsupported(format!("the function `{name}`"), hint);
        };
        if arguments.len() < least || arguments.len() > most {
            let count = if least == most {
                format!("{least}")
            } else {
                format!("{least} to {}", most.min(99))
            };
            return unsupported(
                format!("`{name}` with {} arguments", arguments.len()),
                format!("it takes {count}"),
            );
        }
        Ok(Node::Call(own, arguments))
    })
}

fn extracted(field: &DateTimeField) -> Parsed<Field> {
    let name = field.to_string();
    let hint = "YEAR, QUARTER, MONTH, WEEK, DAY, DOW, ISODOW, DOY, HOUR, MINUTE, SECOND and EPOCH \
                work, among others";
    Field::of_name(&name).ok_or_else(|| Refusal::Unsupported {
        what: format!("EXTRACT({name} …)"),
        hint: hint.to_owned(),
    })
}
