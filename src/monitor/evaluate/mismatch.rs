//! Labels and predictions that should be the same classes and are not.
//!
//! Owns when that is certain, and the warning. It must not know how classes are read.

use std::collections::BTreeSet;

use crate::count::listed;
use crate::error::Error;

/// Labels and predictions of which a warning shows so many.
const VALUES_SHOWN: usize = 5;

/// Labels and predictions that can never be equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disjoint {
    /// Whether these are all: no prediction equals any label. Else they differ from each other in
    /// nothing but capitals and punctuation.
    pub is_whole: bool,
    /// The values of labels.
    pub labels: Vec<String>,
    /// The values of predictions.
    pub predictions: Vec<String>,
}
impl Disjoint {
    /// The warning that predictions cannot be right.
    #[must_use]
    pub fn warning(&self) -> Error {
        let quoted = |values: &[String]| {
            let values = values.iter().map(|value| format!("`{value}`"));
            listed(values, VALUES_SHOWN, ", ", "")
        };
        let (labels, predictions) = (quoted(&self.labels), quoted(&self.predictions));
        let message = if self.is_whole {
            format!(
                "no prediction equals any label: labels are {labels}, predictions are {predictions}"
            )
        } else {
            format!(
                "labels and predictions are spelled differently, and are not the same classes: \
                 labels {labels}, predictions {predictions}"
            )
        };
        Error::contract(message).hint(
            "give the model the names of its classes (`[outputs] labels` of a package) and score \
             again, or judge the scores: `--threshold 0.5`",
        )
    }
}

/// The classes of (actual, predicted) pairs where they have none in common, though that is no
/// chance of a few rows: several of one of them. Else those that are spelled alike, and are not the
/// same.
pub(in crate::monitor) fn disjoint(
    pairs: impl Iterator<Item = (u32, u32)> + Clone,
    classes: &[String],
) -> Option<Disjoint> {
    let names = |numbers: &[u32]| -> Vec<String> {
        let names = numbers.iter().map(|number| classes.get(*number as usize));
        names.flatten().cloned().collect()
    };
    // Decisions by a threshold have no class.
    let is_class = |class: &u32| (*class as usize) < classes.len();
    let actual: BTreeSet<u32> = pairs.clone().map(|(actual, _)| actual).collect();
    let predicted = pairs.map(|(_, predicted)| predicted);
    let predicted: BTreeSet<u32> = predicted.filter(is_class).collect();
    let [mut labels, mut predictions] = [(&actual, &predicted), (&predicted, &actual)]
        .map(|(own, other)| own.difference(other).copied().collect::<Vec<u32>>());
    let is_whole = labels.len() == actual.len();
    if !is_whole || actual.len().max(predicted.len()) < 2 {
        let folded = |class: &u32| classes.get(*class as usize).and_then(|name| folded(name));
        let [of_labels, of_predictions] = [&labels, &predictions]
            .map(|own| own.iter().filter_map(folded).collect::<BTreeSet<String>>());
        let is_among = |all: &BTreeSet<String>, class: &u32| {
            folded(class).is_some_and(|folded| all.contains(&folded))
        };
        labels.retain(|class| is_among(&of_predictions, class));
        predictions.retain(|class| is_among(&of_labels, class));
    }
    (!labels.is_empty() && !predictions.is_empty()).then(|| Disjoint {
        is_whole,
        labels: names(&labels),
        predictions: names(&predictions),
    })
}

/// A label without what is spelled in several ways; signs of numbers stay.
fn folded(label: &str) -> Option<String> {
    let is_kept = |letter: &char| letter.is_alphanumeric() || "+-.".contains(*letter);
    let kept = label.chars().filter(is_kept);
    let folded: String = kept.flat_map(char::to_lowercase).collect();
    (!folded.is_empty()).then_some(folded)
}
