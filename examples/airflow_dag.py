"""How do I score as a step in Airflow?

`--format json` prints one JSON object as the last line, which BashOperator pushes as the task's XCom, on failure too. Exit code 3 (model
and data do not fit) and 6 (trust) mean that a retry will not help, so they fail the task at once.
"""

import json
from datetime import datetime

from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator

COMMAND = """
tallow score --format json --overwrite \
    --model /srv/models/churn \
    --output /srv/scores/{{ ds }}.parquet \
    /srv/data/customers/{{ ds }} \
|| { code=$?; case $code in 3|6) exit 255;; *) exit $code;; esac; }
"""


def account(**context):
    result = json.loads(context["ti"].xcom_pull(task_ids="score"))
    ledger = result["ledger"]
    print(f"{ledger['scored']} of {ledger['rows_in']} rows scored, {ledger['rejected']} rejected")


with DAG("churn_scores", start_date=datetime(2026, 1, 1), schedule="@daily", catchup=False) as dag:
    score = BashOperator(task_id="score", bash_command=COMMAND, do_xcom_push=True)
    score >> PythonOperator(task_id="account", python_callable=account)
