//! A change between two outputs, divided between data and model: as facts, and as lines to read.
//!
//! Owns the arithmetic of the division and its names. It must not know where the means come from.
//!
//! Source: L. S. Shapley, "A value for n-person games" (1953), for two players.

use super::facts::{Fact, number, text};

/// The section of these facts.
pub const SECTION: &str = "attribution";

/// The means of four runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// The column whose mean it is.
    pub column: String,
    /// By the data of the first and the second output, and the model of each.
    pub means: [[f64; 2]; 2],
}

impl Attribution {
    /// From the first output to the second.
    #[must_use]
    pub fn change(&self) -> f64 {
        self.means[1][1] - self.means[0][0]
    }

    /// What of it is the data's: the mean of what other data change with either model.
    #[must_use]
    pub fn of_data(&self) -> f64 {
        let with = |model: usize| self.means[1][model] - self.means[0][model];
        f64::midpoint(with(0), with(1))
    }

    /// What of it is the model's: the mean of what the other model changes on either data.
    #[must_use]
    pub fn of_model(&self) -> f64 {
        let with = |data: usize| self.means[data][1] - self.means[data][0];
        f64::midpoint(with(0), with(1))
    }

    /// Facts for the report. Shares are of the change, and missing if there is none.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        let [[both_a, data_a], [data_b, both_b]] = self.means;
        let change = self.change();
        let share = |part: f64| (change != 0.0).then_some(part / change);
        let numbers = [
            ("mean_a", Some(both_a)),
            ("mean_b", Some(both_b)),
            ("mean_data_a_model_b", Some(data_a)),
            ("mean_data_b_model_a", Some(data_b)),
            ("change", Some(change)),
            ("change_by_data", Some(self.of_data())),
            ("change_by_model", Some(self.of_model())),
            ("share_of_data", share(self.of_data())),
            ("share_of_model", share(self.of_model())),
        ];
        let numbers = numbers.into_iter();
        let numbers = numbers
            .filter_map(|(metric, value)| Some(Fact::number(SECTION, "", metric, value?, "")));
        std::iter::once(Fact::text(SECTION, "", "column", &self.column))
            .chain(numbers)
            .collect()
    }
}

/// What a report says of the change; nothing if it does not divide it.
#[must_use]
pub fn lines(facts: &[Fact]) -> Vec<String> {
    let of = |metric: &str| number(facts, SECTION, "", metric);
    let (Some(column), Some(means)) = (
        text(facts, SECTION, "column"),
        of("mean_a").zip(of("mean_b")),
    ) else {
        return Vec::new();
    };
    let (before, now) = means;
    let parts = [
        ("", "change"),
        ("data ", "change_by_data"),
        ("model ", "change_by_model"),
    ];
    let [change, data, model] = parts.map(|(name, metric)| {
        of(metric).map_or_else(String::new, |value| format!("{name}{value:+.4}"))
    });
    let crossed = [
        ("inputs of a, model of b", "mean_data_a_model_b"),
        ("inputs of b, model of a", "mean_data_b_model_a"),
    ];
    let crossed = crossed
        .into_iter()
        .filter_map(|(what, metric)| Some(format!("  {what:32} {:>10.4}", of(metric)?)));
    let first = format!(
        "the mean of `{column}` went from {before:.4} to {now:.4} ({change}): {data}, {model}"
    );
    [String::new(), first].into_iter().chain(crossed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribution(means: [[f64; 2]; 2]) -> Attribution {
        Attribution {
            column: "probability".to_owned(),
            means,
        }
    }

    #[test]
    fn parts_add_up_to_the_change_and_are_the_mean_over_both_orders() {
        // By hand: data alone 0.1 or 0.3, the model alone 0.2 or 0.4.
        let found = attribution([[0.25, 0.5], [0.375, 0.875]]);
        assert_eq!(found.change(), 0.625);
        assert_eq!(found.of_data(), 0.25);
        assert_eq!(found.of_model(), 0.375);
        assert_eq!(found.of_data() + found.of_model(), found.change());
        let only_data = attribution([[0.25, 0.25], [0.5, 0.5]]);
        assert_eq!((only_data.of_data(), only_data.of_model()), (0.25, 0.0));
        let only_model = attribution([[0.25, 0.5], [0.25, 0.5]]);
        assert_eq!((only_model.of_data(), only_model.of_model()), (0.0, 0.25));
        let nothing = attribution([[0.25; 2]; 2]);
        let metrics: Vec<String> = nothing
            .facts()
            .into_iter()
            .map(|fact| fact.metric)
            .collect();
        assert!(!metrics.iter().any(|metric| metric.starts_with("share")));
    }
}
