//! What a scheduler says of the run in the environment: Airflow's `AIRFLOW_CTX_*`, and
//! OpenLineage's own variables.

use std::collections::BTreeMap;

use super::console::Console;
use super::trust;
use super::user::{actor, local};
use crate::error::Result;
use crate::report::openlineage::{ParentRun, name_uuid};
use crate::run::caller::{Caller, invocation_id};

/// The prefix of Airflow's variables.
const PREFIX: &str = "AIRFLOW_CTX_";

/// The namespace of jobs where no one says otherwise: that of OpenLineage's own clients.
const DEFAULT_NAMESPACE: &str = "default";

/// Who started this process; its name is noted for the log.
///
/// # Errors
/// Fails if the user's configuration file cannot be read.
pub(super) fn caller(console: &Console) -> Result<Caller> {
    let namespace = lineage_namespace();
    let invocation_id = invocation_id();
    console.name_invocation(&invocation_id);
    Ok(Caller {
        invocation_id,
        actor: actor(),
        working_directory: std::env::current_dir().unwrap_or_default().into(),
        scheduler: context(),
        parent: parent(&namespace),
        namespace,
        local: local(),
        trust: trust::configured()?,
    })
}

/// The variables that are there, by their names without the prefix, in lower case: `dag_id`,
/// `task_id`, `dag_run_id`, `try_number`, …
fn context() -> BTreeMap<String, String> {
    let own = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.to_str()?.strip_prefix(PREFIX)?.to_ascii_lowercase();
        Some((name, value.to_string_lossy().into_owned()))
    };
    std::env::vars_os().filter_map(own).collect()
}

/// The namespace of jobs in lineage: `OPENLINEAGE_NAMESPACE`, as for every producer of OpenLineage.
fn lineage_namespace() -> String {
    variable("OPENLINEAGE_NAMESPACE").unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())
}

/// The run that started this one: what `OPENLINEAGE_PARENT_ID` says (`namespace/job/run`, which
/// Airflow's macro `lineage_parent_id` gives), else Airflow's task by its variables.
fn parent(namespace: &str) -> Option<ParentRun> {
    variable("OPENLINEAGE_PARENT_ID")
        .and_then(|text| requested_parent(&text))
        .or_else(|| airflow_task(namespace, &context()))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn requested_parent(text: &str) -> Option<ParentRun> {
    let mut parts = text.rsplitn(3, '/');
    let (run_id, job, namespace) = (parts.next()?, parts.next()?, parts.next()?);
    let is_uuid = run_id.len() == 36
        && run_id
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    is_uuid.then(|| ParentRun {
        namespace: namespace.to_owned(),
        job: job.to_owned(),
        run_id: run_id.to_owned(),
    })
}

/// Airflow's variables do not hold the identifier that its OpenLineage provider gives a task, so
/// this one is made of what they hold: the same for all that one attempt of the task starts.
fn airflow_task(namespace: &str, context: &BTreeMap<String, String>) -> Option<ParentRun> {
    let part = |name: &str| {
        context
            .get(name)
            .filter(|value| !value.is_empty())
            .map(String::as_str)
    };
    let (dag, task) = (part("dag_id")?, part("task_id")?);
    let run = part("dag_run_id")
        .or_else(|| part("run_id"))
        .or_else(|| part("execution_date"))?;
    let attempt = [part("try_number"), part("map_index")].map(Option::unwrap_or_default);
    let job = format!("{dag}.{task}");
    let run_id = name_uuid(&[namespace, &job, run, attempt[0], attempt[1]].join("\n"));
    Some(ParentRun {
        namespace: namespace.to_owned(),
        job,
        run_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_read_as_it_was_given_or_not_at_all() {
        let run_id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let parent = requested_parent(&format!("s3://airflow/dag.task/{run_id}")).unwrap();
        assert_eq!(
            (
                parent.namespace.as_str(),
                parent.job.as_str(),
                parent.run_id.as_str()
            ),
            ("s3://airflow", "dag.task", run_id)
        );
        for text in ["", "a/b", "namespace/job/no-uuid", run_id] {
            assert_eq!(requested_parent(text), None, "{text}");
        }
    }

    #[test]
    fn all_that_one_attempt_of_a_task_starts_has_one_parent() {
        let context = |attempt: &str| {
            let pairs = [
                ("dag_id", "score"),
                ("task_id", "churn"),
                ("dag_run_id", "scheduled__2026-11-21"),
                ("try_number", attempt),
            ];
            BTreeMap::from(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())))
        };
        let parent = airflow_task("default", &context("1")).unwrap();
        assert_eq!(parent.job, "score.churn");
        assert_eq!(
            Some(&parent),
            airflow_task("default", &context("1")).as_ref()
        );
        assert_ne!(
            Some(&parent.run_id),
            airflow_task("default", &context("2"))
                .map(|parent| parent.run_id)
                .as_ref()
        );
        assert_eq!(airflow_task("default", &BTreeMap::new()), None);
    }
}
