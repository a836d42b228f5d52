//! What a user types about monitoring: clap derives only. The doc comments are the manual.

use std::path::PathBuf;

use clap::Args;

use crate::request::monitoring::{Monitoring, OnGate};
use crate::storage::Location;

/// Whether inputs and scores look as they should.
#[derive(Clone, Debug, Default, Args)]
pub struct MonitoringArgs {
    /// Write a profile of inputs and scores, as Parquet: a file, or `auto`
    ///
    /// `auto` is `predictions.profile.pq` next to `predictions.parquet`, and `_tallow/profile.pq`
    /// in a data set. The profile describes inputs as the model reads them, and can be the
    /// `--baseline` of later runs.
    #[arg(long, value_name = "FILE", help_heading = "Monitoring")]
    pub profile: Option<PathBuf>,
    /// Compare inputs and scores with this profile, or `none`
    ///
    /// [default: the package's own baseline, if it has one]
    #[arg(long, value_name = "FILE", help_heading = "Monitoring")]
    pub baseline: Option<PathBuf>,
    /// Jensen–Shannon distance from which a column has drifted [default: 0.1]
    #[arg(
        long,
        value_name = "DISTANCE",
        allow_negative_numbers = true,
        help_heading = "Monitoring"
    )]
    pub max_js: Option<f64>,
    /// Kolmogorov–Smirnov distance from which a column has drifted [default: 0.1]
    #[arg(
        long,
        value_name = "DISTANCE",
        allow_negative_numbers = true,
        help_heading = "Monitoring"
    )]
    pub max_ks: Option<f64>,
    /// Fail (exit 5) unless this holds: `js(*) < 0.1`
    ///
    /// May be repeated. `METRIC(SUBJECT) OPERATOR NUMBER` over the facts of the report; `*` stands
    /// for every subject. So `missing_rate(age) <= 0.05` is one. Gates of a package come first.
    /// `tallow check` lists gates and what they read.
    #[arg(long, value_name = "EXPRESSION", help_heading = "Guards")]
    pub gate: Vec<String>,
    /// Reports of earlier runs, for control limits and `zscore(mean(probability)) <= 4`
    ///
    /// A directory or a pattern. From 14 good reports on, the limits of the Jensen–Shannon
    /// distance are learnt from them, column by column, unless `--max-js` is given.
    #[arg(long, value_name = "DIR|FILES", help_heading = "Monitoring")]
    pub history: Option<PathBuf>,
    /// What happens to the output when a gate fails
    ///
    /// The exit code is 5 in either case. What is withheld is kept: `--on-gate publish` publishes
    /// it without scoring again.
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        default_value_t,
        help_heading = "Monitoring"
    )]
    pub on_gate: OnGate,
    /// Also fail if a gate cannot be decided because its limit lies between two bounds
    #[arg(long, help_heading = "Monitoring")]
    pub strict_gates: bool,
}

impl From<MonitoringArgs> for Monitoring {
    fn from(args: MonitoringArgs) -> Self {
        let MonitoringArgs {
            profile,
            baseline,
            max_js,
            max_ks,
            gate,
            history,
            on_gate,
            strict_gates,
        } = args;
        Self {
            profile: profile.map(Location::from),
            baseline: baseline.map(Location::from),
            max_js,
            max_ks,
            gate,
            history: history.map(Location::from),
            on_gate,
            strict_gates,
        }
    }
}
