//! What a scheduler says of the run in the environment: Airflow's `AIRFLOW_CTX_*`.

use std::collections::BTreeMap;

/// The prefix of Airflow's variables.
const PREFIX: &str = "AIRFLOW_CTX_";

/// The variables that are there, by their names without the prefix, in lower case: `dag_id`, `task_id`, `dag_run_id`, `try_number`, …
pub(super) fn context() -> BTreeMap<String, String> {
    let own = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.to_str()?.strip_prefix(PREFIX)?.to_ascii_lowercase();
        Some((name, value.to_string_lossy().into_owned()))
    };
    std::env::vars_os().filter_map(own).collect()
}
