"""How do I train, release and roll back a model in Airflow?

Airflow 3. Every day: train, pack, evaluate, compare with the champion, promote, score, and check
the scores against those of the day before. A gate that trips ends with exit code 5: a candidate
that is not good enough is not promoted, and the champion scores; scores in which too many decisions
flip roll the champion back, if another model made those of the day before.

    airflow dags test churn_life_cycle 2026-01-31
"""

from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PARAMETERS = {
    "python": "python3",
    "train": "/srv/examples/train_churn.py",
    "customers": "/srv/data/customers.parquet",
    "outcomes": "/srv/data/outcomes.csv",
    "registry": "/srv/registry",
    "work": "/srv/work",
    "trees": 60,
    "max_flip_rate": 0.2,
}

PRELUDE = """
set -eu
export TALLOW_REGISTRY={{ params.registry }} TALLOW_ACTOR=airflow@{{ dag.dag_id }}
customers={{ params.customers }} outcomes={{ params.outcomes }}
build={{ params.work }}/{{ ds }} scores={{ params.work }}/scores
mkdir -p "$build" "$scores"
labels="--labels $outcomes --key customer_id --label churned"
"""

TASKS = {
    "train": """
{{ params.python }} {{ params.train }} $customers $outcomes $build --trees {{ params.trees }}
""",
    "pack": """
rm -rf $build/package
tallow pack $build/model.ubj --output $build/package --name churn --model-version {{ ds }} \
    --data $build/train.parquet --golden $build/holdout.parquet --gate 'roc_auc >= 0.7'
tallow registry push $build/package --format json > $build/pushed.json
""",
    "evaluate": """
tallow score -q --model $build/package $build/holdout.parquet --output $build/candidate.parquet \
    --overwrite
tallow evaluate $build/candidate.parquet $labels --output $build/evaluation.pq --overwrite
""",
    "compare": """
if tallow registry list | grep -q @champion; then
    tallow score -q --model churn@champion $build/holdout.parquet --overwrite \
        --output $build/champion.parquet
    tallow compare $build/champion.parquet $build/candidate.parquet $labels --margin 0.02 \
        --output $build/comparison.pq --overwrite
fi
""",
    "promote": """
version=$(sed 's/.*"version":\\([0-9]*\\).*/\\1/' $build/pushed.json)
set -- --evaluation $build/evaluation.pq
if [ -f $build/comparison.pq ]; then
    set -- "$@" --comparison $build/comparison.pq --gate 'not_inferior == 1'
fi
code=0
tallow registry promote churn:$version champion "$@" || code=$?
# A gate that trips keeps the champion, and the day goes on with it.
[ $code = 0 ] || [ $code = 5 ]
""",
    "score": """
tallow score -q --model churn@champion $customers --output $scores/{{ ds }}/ --overwrite
""",
    "check_scores": """
before=$(ls $scores | grep -v '{{ ds }}' | tail -1)
if [ -n "$before" ]; then
    code=0
    tallow compare $scores/$before $scores/{{ ds }} --key customer_id --format json \
        --gate 'flip_rate <= {{ params.max_flip_rate }}' > $build/night.json || code=$?
    models=$(grep -o '"digest":"[^"]*"' $build/night.json | sort -u | wc -l)
    # Any other failure says nothing about the champion.
    [ $code -eq 0 ] || [ $code -eq 5 ] || exit $code
    # If the model is the same, the data is to blame.
    [ $code -eq 0 ] || [ $models -gt 1 ] || exit $code
    if [ $code -eq 5 ]; then
        tallow registry rollback churn@champion --reason 'too many decisions flipped'
    fi
fi
""",
}

with DAG(
    "churn_life_cycle",
    start_date=datetime(2026, 1, 1),
    schedule="@daily",
    catchup=False,
    max_active_runs=1,
    params=PARAMETERS,
) as dag:
    last = None
    for name, command in TASKS.items():
        task = BashOperator(task_id=name, bash_command=PRELUDE + command)
        if last:
            last >> task
        last = task
