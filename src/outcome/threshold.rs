//! The least probability that is called positive, as users ask for it.
//!
//! Owns which tasks take a threshold. It must not know where it is asked for.

use super::{Finished, Label, Shown, Task, is_probability};
use crate::error::{Error, Result};

impl Task {
    /// Sets the least probability that is called positive.
    ///
    /// # Errors
    /// A usage error if it is not a probability, if there are no two classes, or no probability of
    /// theirs.
    pub fn set_threshold(&mut self, requested: f64) -> Result<()> {
        if !is_probability(requested) {
            return Err(
                Error::usage(format!("a threshold of `{requested}` is not a probability"))
                    .hint("write a number from 0 to 1"),
            );
        }
        match self {
            Self::Binary { threshold, .. } => *threshold = requested,
            Self::Uncertain(uncertain) => return uncertain.own.set_threshold(requested),
            Self::Columns(Finished {
                threshold,
                classes: Some(_),
                ..
            }) => *threshold = Some(requested),
            Self::Listed(shown) if shown.iter().any(Shown::is_of_two_classes) => {
                let mut names = shown.iter().map(|one| &one.name);
                let Some(index) = names.position(|name| name == "probability") else {
                    return Err(Error::usage(
                        "a threshold is for the probability of two classes, and this model only \
                         gives their label",
                    ));
                };
                let labels = shown.iter_mut().filter(|one| one.is_of_two_classes());
                labels.for_each(|one| one.decided = Some((index, requested)));
            }
            Self::Columns(_) => {
                return Err(Error::usage(
                    "a threshold is for two classes, and the model's outputs are not a label with \
                     the probabilities of two",
                ));
            }
            _ => {
                return Err(Error::usage(
                    "a threshold is for models with two classes; this one has none",
                ));
            }
        }
        Ok(())
    }
}

impl Shown {
    /// Whether it is the label of two classes.
    fn is_of_two_classes(&self) -> bool {
        let two = |labels: &Vec<Label>| labels.len() == 2;
        self.name == "prediction" && self.labels.as_ref().is_some_and(two)
    }
}
