"""How do I score as a step in Airflow?

Airflow 3; for Airflow 2.4 and newer `from airflow import DAG` instead of `airflow.sdk`. `--format
json` prints one JSON object as the last line, which BashOperator pushes as the task's XCom when the
run succeeds; on failure it is in the task's log. `--skip-code 99` and `skip_on_exit_code=99` skip
the task where there is nothing new. `--on-unseen reject` leaves bad rows out and counts them; more
than 1% fail the task. The output is a data set: a retry goes on after the last finished part.

    airflow dags test churn_scores 2026-01-31
"""

import json
from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

COMMAND = """
tallow score --format json --skip-code 99 --min-rows {{ params.min_rows }} \
    --on-unseen reject --max-error-rate 1% \
    --model {{ params.model }} \
    --output {{ params.scores }}/{{ ds }}/ \
    {{ params.data }}/{{ ds }}
"""

PARAMETERS = {
    "model": "/srv/models/churn",
    "data": "/srv/data/customers",
    "scores": "/srv/scores",
    "min_rows": 1000,
}


def account(ti):
    result = json.loads(ti.xcom_pull(task_ids="score"))
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
    score >> PythonOperator(task_id="account", python_callable=account)
