//! How many of a model's boosting rounds are used, and how that is reported.
//!
//! Owns the choice, its one error and its facts for XGBoost, LightGBM and CatBoost alike. It must
//! not know how a file stores its rounds: an importer counts them and says which the original
//! library would use.

use super::TreeSelection;
use crate::count::counted;
use crate::error::{Error, Result};

/// The name of the fact that is there only where fewer trees are used than the file holds.
pub const ROUNDS_USED: &str = "rounds_used";

/// The facts about a model's rounds in a list of facts, for a file that holds the model in
/// something else.
pub(super) fn of_facts(facts: Vec<(String, String)>) -> impl Iterator<Item = (String, String)> {
    const OWN: [&str; 4] = ["trees", "rounds", "best_iteration", ROUNDS_USED];
    facts
        .into_iter()
        .filter(|(name, _)| OWN.contains(&name.as_str()))
}

/// The boosting rounds of a model file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounds {
    /// The rounds in the file.
    pub available: usize,
    /// The rounds up to the best iteration, where the file stores one.
    pub best: Option<usize>,
    /// Whether the library that would score the file stops at the best iteration by itself.
    pub library_stops: bool,
}

/// The rounds that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UsedRounds {
    pub count: usize,
    why: &'static str,
}

impl Rounds {
    /// A file that stores no best iteration.
    pub(super) fn plain(available: usize) -> Self {
        Self {
            available,
            best: None,
            library_stops: false,
        }
    }

    /// The rounds that `selection` asks for.
    ///
    /// # Errors
    /// A usage error for more rounds than there are, and for none; fails where the best iteration
    /// is beyond them and would be used.
    pub(super) fn used(self, selection: TreeSelection) -> Result<UsedRounds> {
        match selection {
            TreeSelection::Library if self.library_stops => Ok(UsedRounds {
                count: self.up_to_best()?,
                why: "up to the best iteration, as the estimator's `predict`",
            }),
            TreeSelection::Best => Ok(UsedRounds {
                count: self.up_to_best()?,
                why: "up to the best iteration, as `--trees best` asks",
            }),
            TreeSelection::Library | TreeSelection::All => Ok(UsedRounds {
                count: self.available,
                why: "",
            }),
            TreeSelection::First(count) if (1..=self.available).contains(&count) => {
                Ok(UsedRounds {
                    count,
                    why: "as `--trees` asks",
                })
            }
            TreeSelection::First(count) => {
                let message = format!(
                    "cannot use {} of a model that has {}",
                    counted(count, "boosting round"),
                    self.available
                );
                Err(Error::usage(message).hint(format!(
                    "`--trees` takes `library`, `best`, `all` or a number from 1 to {}",
                    self.available
                )))
            }
        }
    }

    /// The rounds up to the best iteration. A slice of a model may keep that of the whole: the
    /// library refuses to predict with it.
    fn up_to_best(self) -> Result<usize> {
        let best = self.best.unwrap_or(self.available);
        if best > self.available {
            let error = Error::failed(format!(
                "the file's best iteration is {}, and it has only {}: its library refuses to \
                 predict with it",
                best - 1,
                counted(self.available, "boosting round")
            ));
            return Err(error.hint("`--trees all` uses all rounds that there are"));
        }
        Ok(best)
    }

    /// The facts of a description; `trees` counts the trees of the file, `used_trees` those that
    /// score.
    pub(super) fn facts(
        self,
        used: UsedRounds,
        trees: usize,
        used_trees: usize,
    ) -> Vec<(String, String)> {
        let mut facts = vec![
            ("trees", trees.to_string()),
            ("rounds", self.available.to_string()),
        ];
        facts.extend(
            self.best
                .and_then(|best| best.checked_sub(1))
                .map(|best| ("best_iteration", best.to_string())),
        );
        if used_trees < trees {
            let trees = if trees == self.available {
                String::new()
            } else {
                format!(" ({used_trees} of {})", counted(trees, "tree"))
            };
            facts.push((
                ROUNDS_USED,
                format!("{} of {}{trees}, {}", used.count, self.available, used.why),
            ));
        }
        facts
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn the_library_decides_unless_the_user_does() {
        let stored = |library_stops| Rounds {
            available: 27,
            best: Some(7),
            library_stops,
        };
        let used = |rounds: Rounds, selection| {
            rounds
                .used(selection)
                .map(|used| used.count)
                .map_err(|error| error.kind())
        };
        for (rounds, selection, expected) in [
            (stored(false), TreeSelection::Library, Ok(27)),
            (stored(true), TreeSelection::Library, Ok(7)),
            (stored(false), TreeSelection::Best, Ok(7)),
            (stored(true), TreeSelection::All, Ok(27)),
            (stored(true), TreeSelection::First(27), Ok(27)),
            (stored(true), TreeSelection::First(28), Err(Kind::Usage)),
            (stored(true), TreeSelection::First(0), Err(Kind::Usage)),
            (Rounds::plain(3), TreeSelection::Best, Ok(3)),
            (
                Rounds {
                    available: 5,
                    best: Some(7),
                    library_stops: true,
                },
                TreeSelection::Library,
                Err(Kind::Failed),
            ),
            (
                Rounds {
                    available: 5,
                    best: Some(7),
                    library_stops: false,
                },
                TreeSelection::Library,
                Ok(5),
            ),
        ] {
            assert_eq!(
                used(rounds, selection),
                expected,
                "{rounds:?} {selection:?}"
            );
        }
    }

    #[test]
    fn fewer_trees_than_there_are_are_a_fact() {
        let rounds = Rounds {
            available: 27,
            best: Some(7),
            library_stops: true,
        };
        let fact = |selection, name: &str| {
            let used = rounds.used(selection).unwrap();
            rounds
                .facts(used, 54, 2 * used.count)
                .into_iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value)
        };
        let text =
            "7 of 27 (14 of 54 trees), up to the best iteration, as the estimator's `predict`";
        assert_eq!(
            fact(TreeSelection::Library, ROUNDS_USED).as_deref(),
            Some(text)
        );
        assert_eq!(fact(TreeSelection::All, ROUNDS_USED), None);
        assert_eq!(
            fact(TreeSelection::All, "best_iteration").as_deref(),
            Some("6")
        );
    }
}
