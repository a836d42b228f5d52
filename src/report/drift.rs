//! Drift as facts.
//!
//! Owns the names of the facts and their order. It must not know how distances are computed.

use super::facts::Fact;
use super::overlay;
use crate::monitor::comparison::ColumnComparison;
use crate::monitor::drift::{
    Bracket, Drift, Limits, Verdict, drifted_share, drifted_share_high, verdicts_within,
};
use crate::monitor::profile::{Kind, Profile};

/// The section of drift.
pub const SECTION: &str = "drift";

/// The most columns whose histograms are in the report: those that changed most.
const HISTOGRAMS: usize = 60;

/// A distance below this tells nothing apart, whatever earlier nights had.
const MIN_DISTANCE: f64 = 0.01;

/// A distance may be so many times what samples of one distribution have on average: with 19
/// degrees of freedom one sample of 700 is beyond.
const CHANCE: f64 = 1.5;

/// Whether the distance of a column is one that samples of one distribution have.
#[must_use]
pub fn is_chance(facts: &[Fact], column: &str) -> bool {
    let own = |metric: &str| super::facts::number(facts, SECTION, column, metric);
    let noise = own("js_noise").unwrap_or(0.0);
    own("js").is_some_and(|js| js < (CHANCE * noise).max(MIN_DISTANCE))
}

/// How much a column changed: its distance, or by how much the share of missing values did; `fact`
/// gives the column's numbers.
#[must_use]
pub fn severity(fact: impl Fn(&str) -> Option<f64>) -> f64 {
    let missing = fact("baseline_missing_rate").zip(fact("missing_rate"));
    let missing = missing.map(|(before, now)| (now - before).abs());
    fact("js").unwrap_or(-1.0).max(missing.unwrap_or(-1.0))
}

/// A column of both tables, compared.
#[derive(Debug)]
struct Compared {
    column: ColumnComparison,
    verdict: Verdict,
    limits: Limits,
}

/// Everything that was compared.
#[derive(Debug)]
pub struct Comparison {
    columns: Vec<Compared>,
    /// The share of drifted columns, at least and at most.
    shares: [Option<f64>; 2],
    others: Vec<Uncompared>,
}

/// A column that was not compared.
#[derive(Debug)]
pub struct Uncompared {
    name: String,
    verdict: &'static str,
    /// What the baseline's column holds, and that of now, where they differ.
    kinds: Option<[Kind; 2]>,
}

impl Uncompared {
    /// A column of the baseline that is gone.
    #[must_use]
    pub fn missing(name: &str) -> Self {
        Self::new(name, "missing")
    }

    /// A column that the baseline does not have.
    #[must_use]
    pub fn new_column(name: &str) -> Self {
        Self::new(name, "new")
    }

    /// A column that holds something else than the baseline's, if it is known what.
    #[must_use]
    pub fn other_kind(name: &str, kinds: Option<[Kind; 2]>) -> Self {
        Self {
            kinds,
            ..Self::new(name, "other_kind")
        }
    }

    /// A column of whose values nothing is counted.
    #[must_use]
    pub fn uncounted(name: &str) -> Self {
        Self::new(name, "not_compared")
    }

    fn new(name: &str, verdict: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            verdict,
            kinds: None,
        }
    }

    fn facts(&self) -> Vec<Fact> {
        let text = |metric: &str, text: &str| Fact::text(SECTION, &self.name, metric, text);
        let kinds = self.kinds.into_iter().flat_map(|[baseline, now]| {
            [
                text("baseline_kind", baseline.name()),
                text("kind", now.name()),
            ]
        });
        std::iter::once(text("verdict", self.verdict))
            .chain(kinds)
            .collect()
    }
}

impl Comparison {
    /// Compares two profiles, column by column of the same name.
    #[must_use]
    pub fn of(baseline: &Profile, current: &Profile, limits: Limits) -> Self {
        let mut others = Vec::new();
        let mut columns = Vec::new();
        for column in &baseline.columns {
            match current.column(&column.name) {
                None => others.push(Uncompared::missing(&column.name)),
                Some(now) if now.kind() != column.kind() => {
                    let kinds = Some([column.kind(), now.kind()]);
                    others.push(Uncompared::other_kind(&column.name, kinds));
                }
                Some(now) => match ColumnComparison::of_profiles(column, now) {
                    Some(compared) => columns.push(compared),
                    None => others.push(Uncompared::uncounted(&column.name)),
                },
            }
        }
        let new = current
            .columns
            .iter()
            .filter(|now| baseline.column(&now.name).is_none());
        others.extend(new.map(|now| Uncompared::new_column(&now.name)));
        Self::new(columns, others, |_| limits)
    }

    /// Columns that were compared, and those that could not be; `limits` are those of a column.
    #[must_use]
    pub fn new(
        columns: Vec<ColumnComparison>,
        others: Vec<Uncompared>,
        limits: impl Fn(&str) -> Limits,
    ) -> Self {
        let drifts: Vec<Drift> = columns.iter().map(|one| one.drift).collect();
        let limits: Vec<Limits> = columns.iter().map(|one| limits(&one.name)).collect();
        let verdicts = verdicts_within(&drifts, &limits);
        let of_columns = columns.iter().zip(verdicts);
        let verdicts: Vec<Verdict> = of_columns
            .map(|(column, distances)| column.verdict(distances))
            .collect();
        let columns = columns.into_iter().zip(&verdicts).zip(&limits);
        Self {
            shares: [
                drifted_share(&drifts, &verdicts),
                drifted_share_high(&drifts, &verdicts),
            ],
            columns: columns
                .map(|((column, verdict), limits)| Compared {
                    column,
                    verdict: *verdict,
                    limits: *limits,
                })
                .collect(),
            others,
        }
    }

    /// Whether no column is compared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Whether a column is among those compared.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|one| one.column.name == name)
    }

    /// The facts of the section `drift`.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        let names = ["drifted_share", "drifted_share_high"];
        let shares = names.into_iter().zip(self.shares);
        let shares =
            shares.filter_map(|(name, share)| Some(Fact::number(SECTION, "", name, share?, "")));
        let with = |verdict: Verdict| {
            let found = self.columns.iter().filter(|one| one.verdict == verdict);
            found.count() as u64
        };
        let without = |reason: &str| {
            let found = self.others.iter().filter(|one| one.verdict == reason);
            found.count() as u64
        };
        let counts = [
            ("columns", self.columns.len() as u64),
            ("drifted", with(Verdict::Drift)),
            ("undecided", with(Verdict::Undecided)),
            ("missing_columns", without("missing")),
            ("new_columns", without("new")),
            ("other_kind_columns", without("other_kind")),
        ]
        .map(|(metric, count)| Fact::count(SECTION, "", metric, count, "columns"));
        let columns = self.columns.iter().flat_map(Compared::facts);
        let others = self.others.iter().flat_map(Uncompared::facts);
        let histograms = self.by_severity().into_iter().take(HISTOGRAMS);
        let histograms = histograms
            .flat_map(|one| overlay::facts(&one.column.name, one.column.overlay.as_ref()));
        shares
            .chain(counts)
            .chain(columns)
            .chain(others)
            .chain(histograms)
            .collect()
    }

    /// Columns that have drifted first, then by distance.
    fn by_severity(&self) -> Vec<&Compared> {
        let mut sorted: Vec<&Compared> = self.columns.iter().collect();
        sorted.sort_by(|left, right| {
            let severity = |one: &Compared| {
                let is_drifted = one.verdict == Verdict::Drift;
                (is_drifted, one.column.drift.js.unwrap_or(-1.0))
            };
            let (left, right) = (severity(left), severity(right));
            right.0.cmp(&left.0).then(right.1.total_cmp(&left.1))
        });
        sorted
    }
}

impl Compared {
    fn facts(&self) -> Vec<Fact> {
        let limits = self.limits;
        let ColumnComparison {
            name,
            kind,
            missing_rates: [baseline_missing_rate, missing_rate],
            row_counts: _,
            means: [baseline_mean, mean],
            drift,
            overlay: _,
        } = &self.column;
        let Drift {
            js,
            js_high,
            js_noise,
            psi,
            ks,
            wasserstein,
            unseen_rate,
            unseen_rate_high,
            chi_square_p,
            p,
            rows,
        } = *drift;
        let ends = |bracket: Option<Bracket>| {
            bracket.map_or([None; 2], |Bracket { low, high }| [Some(low), Some(high)])
        };
        let [ks_low, ks_high] = ends(ks);
        let [wasserstein_low, wasserstein_high] = ends(wasserstein);
        let middle = wasserstein.map(|bracket| f64::midpoint(bracket.low, bracket.high));
        let numbers = [
            ("js", js),
            ("js_high", js_high),
            ("js_noise", js_noise),
            ("psi", psi),
            ("ks_low", ks_low),
            ("ks_high", ks_high),
            ("wasserstein", middle),
            ("wasserstein_low", wasserstein_low),
            ("wasserstein_high", wasserstein_high),
            ("missing_rate", *missing_rate),
            ("baseline_missing_rate", *baseline_missing_rate),
            ("unseen_rate", unseen_rate),
            ("unseen_rate_high", unseen_rate_high),
            ("chi_square_p", chi_square_p),
            ("p", p),
            ("mean", *mean),
            ("baseline_mean", *baseline_mean),
            ("max_js", Some(limits.js)),
            ("max_ks", ks.map(|_| limits.ks)),
        ];
        let numbers = numbers
            .into_iter()
            .filter_map(|(metric, value)| Some(Fact::number(SECTION, name, metric, value?, "")));
        let counts = [("baseline_rows", rows[0]), ("rows", rows[1])]
            .map(|(metric, count)| Fact::count(SECTION, name, metric, count, "rows"));
        let verdict = Fact::text(SECTION, name, "verdict", self.verdict.name());
        let kind = kind
            .is_time()
            .then(|| Fact::text(SECTION, name, "kind", kind.name()));
        std::iter::once(verdict)
            .chain(kind)
            .chain(numbers)
            .chain(counts)
            .collect()
    }
}
