//! What a run cost, as facts of the section `performance`.
//!
//! Owns the names of these facts and what they are per million rows. What the system does not
//! report is absent; nothing is estimated.

use super::facts::Fact;
use crate::error::{Error, Result};
use crate::process::{self, EnergyCounters};

/// The price of the machine for an hour, in a currency that the user names or leaves open.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// For an hour.
    pub per_hour: f64,
    /// Its currency; empty if it was not named.
    pub currency: String,
}

impl Price {
    /// Reads `0.40` or `0.40 USD`.
    ///
    /// # Errors
    /// A usage error for another text.
    pub fn parse(text: &str) -> Result<Self> {
        let (number, currency) = match text.trim().split_once(char::is_whitespace) {
            Some((number, currency)) => (number, currency.trim()),
            None => (text.trim(), ""),
        };
        let per_hour = number.parse::<f64>().ok();
        let per_hour = per_hour.filter(|price| price.is_finite() && *price >= 0.0);
        let is_word = currency.chars().all(char::is_alphabetic) && currency.chars().count() <= 8;
        match per_hour.filter(|_| is_word) {
            Some(per_hour) => Ok(Self {
                per_hour,
                currency: currency.to_owned(),
            }),
            None => Err(
                Error::usage(format!("`--price-per-hour {text}` is not a price"))
                    .hint("write a number, with a currency or without: `0.40` or `'0.40 USD'`"),
            ),
        }
    }
}

/// The metric of what a run cost in money.
pub const PRICE: &str = "price";

/// The same for a million rows.
pub const PRICE_PER_MILLION_ROWS: &str = "price_per_million_rows";

/// What the system counted for a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cost {
    /// Processor seconds of all threads.
    pub processor_seconds: Option<f64>,
    /// Bytes read and written.
    pub bytes_moved: Option<[u64; 2]>,
    /// Energy that the processors used.
    pub joules: Option<f64>,
    /// The price of the machine.
    pub price: Option<Price>,
}

impl Cost {
    /// Of a run that has not begun: what this system counts is zero.
    #[must_use]
    pub fn of_nothing(price: Option<Price>) -> Self {
        Self {
            processor_seconds: process::processor_seconds().map(|_| 0.0),
            bytes_moved: process::bytes_moved().map(|_| [0; 2]),
            joules: EnergyCounters::now().map(|_| 0.0),
            price,
        }
    }
}

/// The facts: `bytes_read`, `bytes_written`, `energy_joules`, `price`, each as counted and per
/// million rows, and `processor_seconds` per million rows.
#[must_use]
pub fn facts(cost: &Cost, wall_seconds: f64, rows: u64) -> Vec<Fact> {
    let fact = |metric: &str, value: f64, unit: &str| Fact {
        unit: unit.to_owned().into(),
        ..Fact::number("performance", "", metric, value, "")
    };
    let moved = |index: usize| cost.bytes_moved.map(|moved| moved[index] as f64);
    let price = cost.price.as_ref();
    let money = price.map(|price| price.per_hour * wall_seconds / 3600.0);
    let currency = price.map_or("", |price| price.currency.as_str());
    let totals = [
        ("processor_seconds", cost.processor_seconds, "seconds"),
        ("bytes_read", moved(0), "bytes"),
        ("bytes_written", moved(1), "bytes"),
        ("energy_joules", cost.joules, "joules"),
        (PRICE, money, currency),
    ];
    let mut facts = Vec::new();
    for (metric, total, unit) in totals {
        let Some(total) = total else { continue };
        if metric != "processor_seconds" {
            facts.push(fact(metric, total, unit));
        }
        if rows > 0 {
            let metric = format!("{metric}_per_million_rows");
            facts.push(fact(&metric, total * 1e6 / rows as f64, unit));
        }
    }
    facts.extend(price.map(|price| fact("price_per_hour", price.per_hour, currency)));
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_per_million_rows_and_absent_where_unknown() {
        let cost = Cost {
            processor_seconds: Some(3.0),
            bytes_moved: None,
            joules: Some(20.0),
            price: Some(Price::parse("3.6 USD").unwrap()),
        };
        let shown: Vec<String> = facts(&cost, 10.0, 500_000)
            .iter()
            .map(|fact| {
                format!(
                    "{} {:?} {}",
                    fact.metric,
                    fact.as_number().unwrap(),
                    fact.unit
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "processor_seconds_per_million_rows 6.0 seconds",
                "energy_joules 20.0 joules",
                "energy_joules_per_million_rows 40.0 joules",
                "price 0.01 USD",
                "price_per_million_rows 0.02 USD",
                "price_per_hour 3.6 USD",
            ]
        );
        assert_eq!(facts(&cost, 10.0, 0).len(), 3, "no rows");
        assert_eq!(facts(&Cost::default(), 10.0, 5), []);
    }

    #[test]
    fn a_price_is_a_number_and_a_currency() {
        let price = |text| {
            Price::parse(text)
                .ok()
                .map(|price| (price.per_hour, price.currency))
        };
        assert_eq!(price("0.40"), Some((0.4, String::new())));
        assert_eq!(price(" 1  EUR "), Some((1.0, "EUR".to_owned())));
        for text in ["", "-1", "inf", "nan", "x", "1 <b>", "1 2", "USD 1"] {
            assert_eq!(price(text), None, "{text}");
        }
    }
}
