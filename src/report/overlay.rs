//! Histograms of a column over its baseline, as facts, and read back from them.
//!
//! Owns the names of these facts. It must not know how bins are chosen or drawn.

use std::collections::BTreeMap;

use super::drift::SECTION;
use super::facts::{Fact, Value};
use crate::monitor::overlay::{Counts, Overlay, OverlayBin};

/// The facts of a column: the counts of every bin or category.
#[must_use]
pub fn facts(name: &str, overlay: Option<&Overlay>) -> Vec<Fact> {
    let number = |metric: &str, value| Fact::number(SECTION, name, metric, value, "");
    let counts = |prefix: &str, [before, now]: Counts| {
        [("baseline", before), ("count", now)].map(|(side, count)| {
            Fact::count(SECTION, name, format!("{prefix}_{side}"), count, "rows")
        })
    };
    let mut facts: Vec<Fact> = Vec::new();
    match overlay {
        Some(Overlay::Numbers { bins, is_log }) => {
            let scale = if *is_log { "log" } else { "linear" };
            facts.push(Fact::text(SECTION, name, "histogram_scale", scale));
            for (index, bin) in bins.iter().enumerate() {
                let prefix = format!("histogram_{index:02}");
                let edges = [("low", bin.low), ("high", bin.high)];
                facts.extend(
                    edges
                        .into_iter()
                        .filter_map(|(end, edge)| Some(number(&format!("{prefix}_{end}"), edge?))),
                );
                facts.extend(counts(&prefix, bin.counts));
            }
        }
        Some(Overlay::Categories { named, other, new }) => {
            for (index, (text, both)) in named.iter().enumerate() {
                let prefix = format!("category_{index:02}");
                facts.push(Fact::text(SECTION, name, format!("{prefix}_name"), text));
                facts.extend(counts(&prefix, *both));
            }
            facts.extend(counts("category_other", *other));
            facts.extend(counts("category_new", [0, *new]));
        }
        None => {}
    }
    facts
}

/// The histogram of a column whose facts these are; none if they hold none.
#[must_use]
pub fn read<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> Option<Overlay> {
    let mut scale = None;
    let mut bins: BTreeMap<&str, OverlayBin> = BTreeMap::new();
    let mut categories: BTreeMap<&str, (String, Counts)> = BTreeMap::new();
    for fact in facts {
        if fact.metric == "histogram_scale" {
            scale = Some(&fact.value);
        } else if let Some(rest) = fact.metric.strip_prefix("histogram_") {
            let (Some((index, what)), Some(value)) = (rest.split_once('_'), fact.as_number())
            else {
                continue;
            };
            let bin = bins.entry(index).or_insert(OverlayBin {
                low: None,
                high: None,
                counts: [0, 0],
            });
            match what {
                "low" => bin.low = Some(value),
                "high" => bin.high = Some(value),
                "baseline" => bin.counts[0] = value as u64,
                "count" => bin.counts[1] = value as u64,
                _ => {}
            }
        } else if let Some(rest) = fact.metric.strip_prefix("category_") {
            let Some((index, what)) = rest.split_once('_') else {
                continue;
            };
            let category = categories.entry(index).or_default();
            match (what, &fact.value) {
                ("name", Value::Text(text)) => category.0.clone_from(text),
                ("baseline", Value::Number(count)) => category.1[0] = *count as u64,
                ("count", Value::Number(count)) => category.1[1] = *count as u64,
                _ => {}
            }
        }
    }
    if !bins.is_empty() {
        return Some(Overlay::Numbers {
            bins: bins.into_values().collect(),
            is_log: scale == Some(&Value::Text("log".to_owned())),
        });
    }
    let other = categories.remove("other").map(|(_, counts)| counts);
    let new = categories.remove("new").map(|(_, counts)| counts);
    (other.is_some() || !categories.is_empty()).then(|| Overlay::Categories {
        named: categories.into_values().collect(),
        other: other.unwrap_or_default(),
        new: new.unwrap_or_default()[1],
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};

    use super::*;
    use crate::monitor::profile::Profile;

    #[test]
    fn histograms_are_read_back_as_they_were() {
        let numbers = (0..300).map(|row| f64::from(row) / 7.0);
        let numbers: ArrayRef = Arc::new(Float64Array::from_iter_values(numbers));
        let texts = (0..300).map(|row| ["a", "b", "c"][row % 3]);
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        for values in [numbers, texts] {
            let column = |values: ArrayRef| {
                let batch = RecordBatch::try_from_iter([("x", values)]).unwrap();
                let mut profile = Profile::new(&batch.schema(), &|_| false);
                profile.observe(&batch).unwrap();
                profile.columns.remove(0)
            };
            let (baseline, current) =
                (column(values.slice(0, 200)), column(values.slice(100, 200)));
            let expected = Overlay::of(&baseline, &current);
            assert!(expected.is_some());
            assert_eq!(read(&facts("x", expected.as_ref())), expected);
        }
        assert_eq!(read(&[Fact::text("drift", "x", "verdict", "ok")]), None);
    }
}
