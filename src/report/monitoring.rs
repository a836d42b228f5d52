//! What a run's monitoring found, as facts: sections `inputs`, `drift` and `gates`.
//!
//! Owns the names of these facts. It must not know how they are computed or where they are shown.
//!
//! Section `inputs`, one subject for each column that the model reads, named as in the data (after
//! `--rename`), as the model reads it: after derived columns and policies, in the model's
//! precision, without rejected rows.
//!
//! | metric | meaning |
//! |---|---|
//! | `rows` | rows that the model read |
//! | `missing` | rows without a value, NaN not counted |
//! | `nan` | NaN that came in as such |
//! | `infinite` | values of +∞ and −∞ |
//! | `missing_rate` | share of rows without a value, NaN counted |
//! | `mean`, `standard_deviation` | of the finite numbers |
//! | `distinct` | distinct values, estimated; only with `--profile` |
//! | `min`, `max` | only with `--show-values` |
//!
//! Section `drift`, one subject for each column of the baseline that the run has too, inputs and
//! scores:
//!
//! | metric | meaning |
//! |---|---|
//! | `verdict` | text: `ok`, `drift`, `undecided`; or `missing`, `new`, `other_kind` |
//! | `js` | Jensen–Shannon distance, base 2 |
//! | `psi` | population stability index over 10 deciles of the baseline, or its categories |
//! | `ks_low`, `ks_high` | the Kolmogorov–Smirnov distance lies between them |
//! | `wasserstein`, `…_low`, `…_high` | over the baseline's standard deviation |
//! | `missing_rate`, `baseline_missing_rate` | shares of rows without a value |
//! | `unseen_rate`, `chi_square_p` | of categories |
//! | `p` | what decides below 10,000 rows |
//! | `mean`, `baseline_mean` | of the finite numbers |
//! | `rows`, `baseline_rows` | rows with a value |
//! | `max_js`, `max_ks` | the limits of the verdict |
//! | `histogram_NN_low`, `histogram_NN_high` | edges of bin NN, from 00; the outer bins are open |
//! | `histogram_NN_count`, `histogram_NN_baseline` | rows of the run and of the baseline in it |
//! | `category_NN_name` | text: the baseline's categories, most frequent first |
//! | `category_NN_count`, `category_NN_baseline` | rows of the run and of the baseline |
//! | `owner` | text: whom the manifest names for the column |
//!
//! With an empty subject: `drifted_share`, `drifted_share_high` (undecided columns counted as
//! drifted), `columns`, `drifted`, `undecided`, and the text `baseline` (the profile's path).
//!
//! Section `gates`, one subject for each gate, named by its expression:
//!
//! | metric | meaning |
//! |---|---|
//! | `state` | text: `ok`, `fail`, `warn`, `undecided` |
//! | `level` | text: `fail`, `warn` |
//! | `value` | the value that decided: of all subjects the worst; absent if there is none |
//! | `limit` | what it is compared with |
//! | `operator` | text: `<`, `<=`, `>`, `>=`, `==`, `!=` |
//! | `metric`, `subject` | texts: of the value that decided |
//! | `tripped` | subjects whose value the gate does not allow |
//! | `on_trip` | text: what the manifest names for the scheduler, where the gate tripped |
//!
//! With an empty subject: `count`, `failed`, `warned`, `undecided`.
//!
//! The run's `status` is `withheld` if a gate kept the output back, and `gates_failed` if it was
//! published all the same.

/// The section of the model's inputs.
pub const INPUTS: &str = "inputs";

/// The section of gates.
pub const GATES: &str = "gates";
