"""How do I score as a step in Airflow?

Airflow 3; for Airflow 2.4 and newer `from airflow import DAG` instead of `airflow.sdk`, and
`AirflowFailException` from `airflow.exceptions`. `--format json` prints one JSON object as the last line, which BashOperator pushes as the task's XCom when the
task succeeds; on failure it is in the task's log. `--skip-code 99` and `skip_on_exit_code=99` skip
the task where there is nothing new. `--on-unseen reject` leaves bad rows out and counts them; more
than 1% fail the task. The output is a data set: a retry goes on after the last finished part.

A gate that fails ends with exit code 5, and its output is withheld. The task passes it on, and the
branch decides: a gate of the package with `on_trip = "retrain"` starts the training, and `account`
fails the day of every output that was withheld.

    airflow dags test churn_scores 2026-01-31
"""

import json
from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import BranchPythonOperator, PythonOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

COMMAND = """
code=0
tallow score --format json --skip-code 99 --min-rows {{ params.min_rows }} \
    --on-unseen reject --max-error-rate 1% \
    --model {{ params.model }} \
    --output {{ params.scores }}/{{ ds }}/ \
    {{ params.data }}/{{ ds }} || code=$?
[ $code = 5 ] || exit $code
"""

PARAMETERS = {
    "model": "/srv/models/churn",
    "data": "/srv/data/customers",
    "scores": "/srv/scores",
    "min_rows": 1000,
    "train": "echo python train_churn.py",
}


def result_of(ti):
    return json.loads(ti.xcom_pull(task_ids="score"))


def what_gates_ask_for(ti):
    asked = result_of(ti).get("on_trip", [])
    return ["account", "retrain"] if "retrain" in asked else ["account"]


def account(ti):
    result = result_of(ti)
    if "error" in result:
        raise AirflowFailException(result["error"]["message"])
    ledger = result["ledger"]
    print(f"{ledger['scored']} of {ledger['rows_in']} rows scored, {ledger['rejected']} rejected")


with DAG(
    "churn_scores",
    start_date=datetime(2026, 1, 1),
    schedule="@daily",
    catchup=False,
    params=PARAMETERS,
) as dag:
    score = BashOperator(
        task_id="score", bash_command=COMMAND, do_xcom_push=True, skip_on_exit_code=99
    )
    branch = BranchPythonOperator(task_id="branch", python_callable=what_gates_ask_for)
    retrain = BashOperator(task_id="retrain", bash_command="{{ params.train }}")
    score >> branch >> [PythonOperator(task_id="account", python_callable=account), retrain]
