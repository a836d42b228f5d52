//! Words and numbers for facts: how a fact is called on a page, and how its value is written.
//!
//! Owns the choice of digits by the fact's name, so that a fact looks the same in every section. It
//! must not know where on a page it stands.

use crate::report::number;

/// Facts between 0 and 1 that are written as percentages.
const PERCENTAGES: [&str; 6] = ["_rate", "_share", "rate", "share", "compliance", "_tripped"];

/// Distances, with three decimals.
const DISTANCES: [&str; 8] = [
    "js",
    "psi",
    "ks_low",
    "ks_high",
    "wasserstein",
    "wasserstein_low",
    "wasserstein_high",
    "chi_square_p",
];

/// The value of a fact as a page shows it.
#[must_use]
pub fn value(metric: &str, value: f64) -> String {
    let is_share = (0.0..=1.0).contains(&value);
    if is_share && PERCENTAGES.iter().any(|end| metric.ends_with(end)) {
        number::percent(value)
    } else if DISTANCES.contains(&metric) {
        number::share(value, 3)
    } else if metric.ends_with("seconds") {
        number::seconds(value)
    } else if metric.ends_with("bytes") {
        number::bytes(value)
    } else if value.fract() == 0.0 && value.abs() >= 1.0 {
        number::count(value)
    } else {
        number::short(value)
    }
}

/// A metric of an evaluation with its usual name.
#[must_use]
pub fn metric_name(metric: &str) -> String {
    let known = match metric {
        "roc_auc" => "ROC AUC",
        "gini" => "Gini",
        "ks" => "KS",
        "ece" => "ECE",
        "f1" => "F1",
        "mcc" => "MCC",
        "brier" => "Brier score",
        "r2" => "R\u{b2}",
        "mae" => "MAE",
        "rmse" => "RMSE",
        "mape" => "MAPE",
        "smape" => "sMAPE",
        "ndcg" => "NDCG",
        "map" => "MAP",
        "psi" => "PSI",
        "js" => "JS",
        _ => return metric.replace('_', " "),
    };
    known.to_owned()
}

/// A statistical test with its usual name.
#[must_use]
pub fn test_name(test: &str) -> String {
    match test {
        "delong" => "DeLong".to_owned(),
        "mcnemar" => "McNemar".to_owned(),
        other => words(other),
    }
}

/// A reason or a kind of values in words.
#[must_use]
pub fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// A path as a page shows it: its last two names, or all of it where values are shown.
#[must_use]
pub fn path(path: &str, is_whole: bool) -> String {
    if is_whole {
        return path.to_owned();
    }
    // What follows `?` in a URL may be a password.
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let names: Vec<&str> = path
        .split(['/', '\\'])
        .filter(|name| !name.is_empty())
        .collect();
    let is_short = names.len() <= 2 && !path.starts_with(['/', '\\']) && !path.contains("://");
    if is_short {
        return names.join("/");
    }
    names
        .last()
        .map_or_else(|| path.to_owned(), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_has_the_digits_of_its_kind() {
        let shown = [
            value("missing_rate", 0.174),
            value("js", 0.2144),
            value("peak_memory_bytes", 1_048_576.0),
            value("wall_seconds", 2.941),
            value("rows", 2_001_187.0),
            value("mean", 0.294_31),
        ];
        assert_eq!(
            shown,
            ["17.4%", "0.214", "1.00 MiB", "2.94 s", "2,001,187", "0.294"]
        );
    }

    #[test]
    fn paths_lose_what_names_the_machine_and_passwords() {
        let shown = |text| path(text, false);
        assert_eq!(shown("data/customers.parquet"), "data/customers.parquet");
        assert_eq!(shown("/home/anna/secret/x.parquet"), "x.parquet");
        assert_eq!(shown("https://user:pw@host/x.csv?sig=abc"), "x.csv");
        assert_eq!(shown("s3://bucket/y/"), "y");
        assert_eq!(path("/home/x", true), "/home/x");
    }
}
