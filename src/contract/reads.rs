//! What an input reads, in words, and what to type where a table has it otherwise.
//!
//! It must not read tables.

use arrow::datatypes::{FieldRef, Schema};

use super::{CategoryValue, Contract, Input, InputKind, NativeElement, NativeType, Width};
use crate::error::shell_word;
use crate::table::cast::is_number;

/// What an input reads, in words.
pub(crate) fn wants(kind: &InputKind) -> String {
    let words = match kind {
        InputKind::Native(NativeType {
            width: width @ (Width::Exactly(_) | Width::Multiple(_)),
            element,
            shape,
        }) => {
            let values = match element {
                NativeElement::Text => "texts",
                NativeElement::Integer(_) => "integers",
                _ => "numbers",
            };
            return match width {
                Width::Exactly(count) if shape.axes().len() > 1 => {
                    let axes: Vec<String> = shape.axes().iter().map(ToString::to_string).collect();
                    format!(
                        "lists of {count} {values}, or lists of lists of {} {values}",
                        axes.join(" × ")
                    )
                }
                Width::Exactly(count) => format!("lists of {count} {values}"),
                Width::Multiple(unit) if *unit > 1 => {
                    format!("lists of {values}, an integer of {unit} in each")
                }
                _ => format!("lists of {values}"),
            };
        }
        InputKind::Text
        | InputKind::Native(NativeType {
            element: NativeElement::Text,
            ..
        }) => "texts",
        InputKind::Number | InputKind::Native(_) => "numbers",
        InputKind::CategoryCode => "category codes (integers)",
        InputKind::HashedCategory(_) => "categories (texts or integers)",
        InputKind::Category(vocabulary) => match vocabulary.values.first() {
            Some(CategoryValue::Text(_)) => "categories (text)",
            Some(CategoryValue::Boolean(_)) => "categories (true or false)",
            _ => "categories (numbers)",
        },
    };
    words.to_owned()
}

/// Whether an input reads several values of a row.
pub(super) fn is_vector(kind: &InputKind) -> bool {
    matches!(
        kind,
        InputKind::Native(NativeType {
            width: Width::Exactly(_) | Width::Multiple(_),
            ..
        })
    )
}

/// What to type where inputs that read several values of a row are no columns of lists.
pub(super) fn of_lists<'a>(inputs: impl Iterator<Item = &'a Input> + Clone) -> String {
    let reads: Vec<String> = inputs
        .clone()
        .take(3)
        .map(|input| format!("`{}` reads {}", input.name, wants(&input.kind)))
        .collect();
    let flags: Vec<String> = inputs
        .map(|input| format!("--features {}", shell_word(&format!("{}=a,b", input.name))))
        .collect();
    format!(
        "{}: give a column of lists of that name, or name the columns of each, `{}`",
        reads.join(", "),
        flags.join(" ")
    )
}

/// The most columns that a hint lists.
const LISTED: usize = 40;

/// What to type for a model that does not name its features: the table's own columns of numbers,
/// where there are as many.
pub(super) fn of_nameless(contract: &Contract, schema: &Schema) -> String {
    let own = |field: &&FieldRef| is_number(field.data_type());
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .filter(own)
        .map(|field| field.name().as_str())
        .collect();
    let is_plain = !names.iter().any(|name| name.contains([',', '"']));
    if is_plain && names.len() == contract.inputs.len() && names.len() <= LISTED {
        let flag = format!("--features {}", shell_word(&names.join(",")));
        return format!(
            "the data has as many columns of numbers: if they are in the order of training, pass \
             `{flag}`; else change the order"
        );
    }
    "say which columns feed them, in the order of training: `--features a,b,c` or `--features \
     '/regex/'`"
        .to_owned()
}
