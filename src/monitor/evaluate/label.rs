//! Labels and segments as small numbers.
//!
//! Owns the spelling of a label (`1`, `1.0` and `1` in text are one label), the numbers that stand
//! for labels, and which label is positive. It must not know columns.

use std::collections::HashMap;

use super::question::Task;
use crate::error::{Error, Result, shell_word};

/// The most classes: beyond it a confusion matrix says nothing, and the labels are numbers.
const MAX_CLASSES: usize = 256;

/// The most labels that an error lists.
const LABELS_SHOWN: usize = 8;

/// The most segments.
const MAX_SEGMENTS: usize = 1000;

/// Texts with numbers, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(in crate::monitor) struct Names {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }

    /// The names by their numbers.
    pub(in crate::monitor) fn names(&self) -> &[String] {
        &self.names
    }
}

/// The labels and segments of an evaluation.
#[derive(Clone, Debug, Default)]
pub(in crate::monitor) struct Labels {
    pub(in crate::monitor) classes: Names,
    pub(in crate::monitor) segments: Names,
    /// Whether there are two classes, which labels and predictions may write in several ways.
    is_binary: bool,
}

impl Labels {
    /// Classes that are known before the first row.
    pub(in crate::monitor) fn new(task: Task, classes: &[String]) -> Self {
        let mut labels = Self {
            is_binary: task == Task::Binary,
            ..Self::default()
        };
        classes.iter().for_each(|class| {
            labels.classes.number(class);
        });
        labels
    }

    /// The number of a label.
    pub(in crate::monitor) fn class(&mut self, text: &str) -> Result<u32> {
        let text = spelling(text);
        let same = if self.is_binary {
            same_as(&text, &self.classes.names).map(str::to_owned)
        } else {
            None
        };
        let number = self.classes.number(&same.unwrap_or(text));
        if self.classes.names.len() > MAX_CLASSES {
            let error = Error::contract(format!("the labels have more than {MAX_CLASSES} values"));
            return Err(error.hint("for labels that are numbers, pass `--task regression`"));
        }
        Ok(number)
    }

    /// The number of a segment.
    pub(in crate::monitor) fn segment(&mut self, name: &str) -> Result<u32> {
        let number = self.segments.number(name);
        if self.segments.names.len() > MAX_SEGMENTS {
            let error = Error::contract(format!(
                "`--by` cuts the rows into more than {MAX_SEGMENTS} segments"
            ));
            return Err(error.hint("name columns with few values, such as a region or a month"));
        }
        Ok(number)
    }
}

/// A label as it is compared: integers have no decimals, whatever type they are stored as.
pub(in crate::monitor) fn spelling(text: &str) -> String {
    let text = text.trim();
    let is_number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match text.parse::<f64>() {
        Ok(number) if is_number && number.fract() == 0.0 && number.abs() < 1e15 => {
            format!("{}", number as i64)
        }
        _ => text.to_owned(),
    }
}

/// The numbers of labels in the order in which they are shown: by number where all are integers,
/// else by text.
pub(in crate::monitor) fn in_order(labels: &[String]) -> Vec<usize> {
    let numbers: Option<Vec<i64>> = labels.iter().map(|label| label.parse().ok()).collect();
    let mut order: Vec<usize> = (0..labels.len()).collect();
    match numbers {
        Some(numbers) => order.sort_by_key(|index| numbers[*index]),
        None => order.sort_by_key(|index| &labels[*index]),
    }
    order
}

/// Pairs of a negative and a positive label that need no flag.
const KNOWN_PAIRS: [[&str; 2]; 8] = [
    ["0", "1"],
    ["-1", "1"],
    ["false", "true"],
    ["f", "t"],
    ["no", "yes"],
    ["n", "y"],
    ["negative", "positive"],
    ["neg", "pos"],
];

/// Pairs that say the same: `true` is `1`, and `yes`.
const SAME: [[&str; 2]; 4] = [
    ["0", "1"],
    ["false", "true"],
    ["no", "yes"],
    ["negative", "positive"],
];

/// The label among these that says the same: itself, or the one on its side of another pair.
fn same_as<'a>(text: &str, labels: &'a [String]) -> Option<&'a str> {
    let side = |text: &str| {
        let lower = text.to_lowercase();
        let side = |pair: &[&str; 2]| pair.iter().position(|one| *one == lower);
        SAME.iter().find_map(side)
    };
    if let Some(own) = labels.iter().find(|label| *label == text) {
        return Some(own);
    }
    let own = side(text)?;
    let mut labels = labels.iter().map(String::as_str);
    labels.find(|label| side(label) == Some(own))
}

/// The positive label: the one that was asked for, or that of a known pair.
pub(in crate::monitor) fn positive(asked: Option<&str>, labels: &[String]) -> Result<String> {
    let order = in_order(labels);
    let shown = order.iter().take(LABELS_SHOWN);
    let listed = shown
        .map(|index| format!("`{}`", labels[*index]))
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(asked) = asked {
        let asked = spelling(asked);
        if let Some(same) = same_as(&asked, labels) {
            return Ok(same.to_owned());
        }
        let error = Error::contract(format!("`--positive {asked}`: no row has this label"));
        return Err(error.hint(format!("the labels are {listed}")));
    }
    let lower: Vec<String> = labels.iter().map(|label| label.to_lowercase()).collect();
    let known = KNOWN_PAIRS
        .iter()
        .find(|pair| !lower.is_empty() && lower.iter().all(|label| pair.contains(&label.as_str())));
    let Some([_, positive]) = known else {
        let error = Error::usage(format!("which label is positive? There are {listed}"));
        let last = order
            .last()
            .map_or_else(|| "LABEL".to_owned(), |index| shell_word(&labels[*index]));
        return Err(error.hint(format!("pass `--positive {last}`, or `--task classes`")));
    };
    let found = labels
        .iter()
        .find(|label| label.to_lowercase() == *positive);
    Ok(found.map_or_else(|| (*positive).to_owned(), Clone::clone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_spelling_and_texts_keep_theirs() {
        let cases = [
            ("1", "1"),
            ("1.0", "1"),
            (" 1 ", "1"),
            ("-0.0", "0"),
            ("1.5", "1.5"),
            ("1e3", "1000"),
            ("inf", "inf"),
            ("nan", "nan"),
            ("007x", "007x"),
            ("Yes", "Yes"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(spelling(text), expected, "{text:?}");
        }
    }

    #[test]
    fn two_classes_that_are_written_in_two_ways_are_two() {
        let numbers = |task, texts: &[&str]| {
            let mut labels = Labels::new(task, &[]);
            let numbers: Vec<u32> = texts
                .iter()
                .map(|text| labels.class(text).unwrap())
                .collect();
            (numbers, labels.classes.names.len())
        };
        let texts = ["0", "1", "true", "False", "yes", "NO", "1.0", "Negative"];
        assert_eq!(
            numbers(Task::Binary, &texts),
            (vec![0, 1, 1, 0, 1, 0, 1, 0], 2)
        );
        assert_eq!(numbers(Task::Classes, &texts).1, 7);
        // One letter may be anything.
        assert_eq!(numbers(Task::Binary, &["t", "y", "1"]).1, 3);
        let labels = ["0", "1"].map(str::to_owned);
        assert_eq!(positive(Some("true"), &labels).unwrap(), "1");
        assert_eq!(positive(Some("No"), &labels).unwrap(), "0");
        assert!(positive(Some("t"), &labels).is_err());
    }

    #[test]
    fn labels_are_shown_in_the_order_of_numbers_or_texts() {
        let order = |labels: &[&str]| {
            let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
            in_order(&labels)
        };
        assert_eq!(order(&["10", "9", "-1"]), [2, 1, 0]);
        assert_eq!(order(&["b", "10", "9"]), [1, 2, 0]);
        assert_eq!(order(&[]), [0; 0]);
    }

    #[test]
    fn the_positive_label_is_the_one_of_a_known_pair_or_asked_for() {
        let of = |asked: Option<&str>, labels: &[&str]| {
            let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
            positive(asked, &labels).map_err(|error| error.message().to_owned())
        };
        assert_eq!(of(None, &["1", "0"]).unwrap(), "1");
        assert_eq!(of(None, &["0"]).unwrap(), "1", "only negatives came");
        assert_eq!(of(None, &["No", "Yes"]).unwrap(), "Yes");
        assert_eq!(of(Some("1.0"), &["0", "1"]).unwrap(), "1");
        assert!(
            of(Some("2"), &["0", "1"])
                .unwrap_err()
                .contains("no row has this label")
        );
        assert!(
            of(None, &["churned", "stayed"])
                .unwrap_err()
                .contains("which label is positive")
        );
        assert!(of(None, &["0", "1", "2"]).is_err());
    }
}
