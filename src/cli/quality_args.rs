//! What rows and scores should be like: flags that clap derives.

use std::path::PathBuf;

use clap::Args;

/// What rows should be like.
#[derive(Clone, Debug, Default, Args)]
pub struct QualityArgs {
    /// A condition on rows: `[NAME:] SQL[; mostly=99%][; on-fail=reject]`
    ///
    /// SQL as for `--where`, computed by polars in the same pass. A row meets the rule if the SQL
    /// is true. `mostly` is the minimum share of rows that must meet it. `on-fail` decides what
    /// happens if fewer do: `warn` (the default) reports it, `fail` withholds the output (exit 5).
    /// `reject` rejects every row that does not meet it. May be repeated; a package states its own
    /// under `[[rules]]`.
    ///
    /// Short forms, which null passes: `not_null(COLUMN)`, `range(age, 0, 120)` (`*` is open),
    /// `set(region, 'north', 'south')`, `pattern(code, '^[A-Z]+$')`, `length(code, 1, 30)`,
    /// `type(visits, integer)`. Of the whole table: `unique(id)` (an estimate
    /// beyond 100,000 values), `unique(id, exact)`, `fresh(day, 26h)`, `row_count(1000, *)`.
    #[arg(
        long,
        value_name = "RULE",
        allow_hyphen_values = true,
        help_heading = "Quality"
    )]
    pub rule: Vec<String>,
    /// Name up to N rows that do not meet each rule, with their values, in the report
    ///
    /// Columns of `--hash-columns` are shown as hashes. Those of `--drop-columns` are not shown,
    /// nor are derived columns with either flag.
    #[arg(
        long,
        value_name = "N",
        default_value_t,
        hide_default_value = true,
        help_heading = "Quality"
    )]
    pub rule_examples: usize,
    /// Estimate how well the model does before labels come, by a file of `evaluate
    /// --save-reference`
    ///
    /// The report gets `estimated_roc_auc`, `estimated_f1` and others. Each has a band that holds
    /// the value that labels will show, in 95 % of cases. This assumes that scores still mean what
    /// they meant in the reference: inputs may drift, but not their relation to the label. By
    /// default the package's reference; `none` for no estimate.
    #[arg(long, value_name = "FILE", help_heading = "Quality")]
    pub reference: Option<PathBuf>,
    /// Column of the loss that your own loss model expects of each row
    ///
    /// For regressions, whose predictions do not show their errors. Train a model of the absolute
    /// error, score the rows with it first, and name its column here (or derive one in the
    /// package). The report gets its mean, `estimated_loss`, with a 95 % band.
    #[arg(
        long,
        value_name = "COLUMN",
        allow_hyphen_values = true,
        help_heading = "Quality"
    )]
    pub loss_column: Option<String>,
}
