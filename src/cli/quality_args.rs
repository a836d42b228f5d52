//! What rows should be like: flags that clap derives.

use clap::Args;

/// What rows should be like.
#[derive(Clone, Debug, Default, Args)]
pub struct QualityArgs {
    /// A condition on rows: `[NAME:] SQL[; mostly=99%][; on-fail=reject]`
    ///
    /// SQL as `--where` takes it, computed by polars in the same pass; a row meets the rule if it
    /// is true. `mostly` is the least share of rows that must meet it. If fewer do, `on-fail` says
    /// what happens: `warn` (the default) reports it, `fail` withholds the output (exit 5).
    /// `reject` rejects every row that does not meet it. May be repeated; a package states its own
    /// under `[[rules]]`.
    ///
    /// Short forms, which null passes: `not_null(COLUMN)`, `range(age, 0, 120)` (`*` is open),
    /// `set(region, 'north', 'south')`, `pattern(code, '^[A-Z]+$')`, `length(code, 1, 30)`,
    /// `type(visits, integer)`. Of the whole table: `unique(id)` (estimated in 4 KiB),
    /// `unique(id, exact)`, `fresh(day, 26h)`, `row_count(1000, *)`.
    #[arg(
        long,
        value_name = "RULE",
        allow_hyphen_values = true,
        help_heading = "Rules"
    )]
    pub rule: Vec<String>,
    /// Name up to N rows that do not meet each rule, with their values, in the report
    #[arg(
        long,
        value_name = "N",
        default_value_t,
        hide_default_value = true,
        help_heading = "Rules"
    )]
    pub rule_examples: usize,
}
