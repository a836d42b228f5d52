//! Functions that are another way to write something else: what they stand for, and how many
//! arguments they take. It must not know SQL's text.

use arrow::datatypes::DataType;

use super::calendar::Field;
use super::node::{Literal, Node, Pattern};
use super::parse::{Parsed, unsupported};

/// How many arguments a function takes that is another way to write something else.
pub(super) fn argument_counts(name: &str) -> Option<&'static str> {
    Some(match name {
        "coalesce" => "1 or more",
        "ifnull" | "date_part" | "datepart" | "extract" => "2",
        "if" | "iff" => "3",
        "regexp_matches" | "regexp_like" | "regexp_full_match" => "2, or 3 with options",
        "date" => "1 or 2",
        "try" => "1",
        name if Field::of_name(name).is_some() => "1",
        _ => return None,
    })
}

/// A regular expression with the options that a call names as its last argument: `c` and `i`.
fn regular(arguments: &[Node], is_whole: bool) -> Parsed<Node> {
    let mut folds_case = false;
    if let Some(options) = arguments.get(2) {
        let letters = match options {
            Node::Literal(Literal::Text(letters))
                if letters.chars().all(|one| "ci".contains(one)) =>
            {
                letters
            }
            _ => {
                return unsupported(
                    "these options of a regular expression",
                    "the options are `'c'` (case matters) and `'i'` (case does not matter)",
                );
            }
        };
        folds_case = letters.ends_with('i');
    }
    Ok(Node::Matches {
        value: Box::new(arguments[0].clone()),
        pattern: Box::new(arguments[1].clone()),
        how: Pattern::Regex {
            folds_case,
            is_whole,
        },
    })
}

/// Functions that are another way to write something else.
pub(super) fn special(name: &str, arguments: &[Node]) -> Option<Parsed<Node>> {
    let boxed = |index: usize| Box::new(arguments[index].clone());
    let field = |text: &Node| match text {
        Node::Literal(Literal::Text(text)) => Field::of_name(text),
        _ => None,
    };
    Some(Ok(match (name, arguments.len()) {
        ("coalesce", 1..) | ("ifnull", 2) => Node::Coalesce(arguments.to_vec()),
        ("try", 1) => Node::Try(boxed(0)),
        ("if" | "iff", 3) => Node::Case {
            operand: None,
            branches: vec![(arguments[0].clone(), arguments[1].clone())],
            otherwise: Some(boxed(2)),
        },
        ("regexp_matches" | "regexp_like", 2 | 3) => return Some(regular(arguments, false)),
        ("regexp_full_match", 2 | 3) => return Some(regular(arguments, true)),
        ("date_part" | "datepart" | "extract", 2) => match field(&arguments[0]) {
            Some(field) => Node::Extract(field, boxed(1)),
            None => {
                return Some(unsupported(
                    format!("the first argument of `{name}`"),
                    "name a part of a date: `DATE_PART('month', day)`",
                ));
            }
        },
        ("date", 1) => Node::Cast {
            value: boxed(0),
            target: DataType::Date32,
            tries: false,
        },
        ("date", 2) => {
            let parsed = Node::Call("strptime", arguments.to_vec());
            Node::Cast {
                value: Box::new(parsed),
                target: DataType::Date32,
                tries: false,
            }
        }
        (name, 1)
            if Field::of_name(name).is_some_and(|_| name != "week" || arguments.len() == 1) =>
        {
            Node::Extract(Field::of_name(name)?, boxed(0))
        }
        _ => return None,
    }))
}
