"""How do I score as a step in Airflow?

`--format json` prints one JSON object as the last line, which BashOperator pushes as the task's XCom when the run succeeds; on failure it is in
the task's log. `--skip-code 99` and `skip_on_exit_code=99` skip the task where there is nothing new. The output is a data set: a retry goes on after the
last finished part.
"""

import json
from datetime import datetime

from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator

COMMAND = """
tallow score --format json --skip-code 99 --max-error-rate 1% --min-rows 1000 \
    --model /srv/models/churn \
    --output /srv/scores/{{ ds }}/ \
    /srv/data/customers/{{ ds }}
"""


def account(**context):
    result = json.loads(context["ti"].xcom_pull(task_ids="score"))
    ledger = result["ledger"]
    print(f"{ledger['scored']} of {ledger['rows_in']} rows scored, {ledger['rejected']} rejected")


with DAG("churn_scores", start_date=datetime(2026, 1, 1), schedule="@daily", catchup=False) as dag:
    score = BashOperator(task_id="score", bash_command=COMMAND, do_xcom_push=True, skip_on_exit_code=99)
    score >> PythonOperator(task_id="account", python_callable=account)
