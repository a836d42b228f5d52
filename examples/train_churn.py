"""How do I train a model whose versions tallow keeps?

    python train_churn.py customers.parquet outcomes.csv build --trees 60

Needs xgboost, pandas, pyarrow. Trains on half of the customers and writes `build/model.ubj`, the
training rows `build/train.parquet` and the other half, `build/holdout.parquet`. Deterministic: one
seed, one thread."""

import argparse
import pathlib

import pandas as pd
import xgboost

NUMBERS = ["age", "tenure_months", "monthly_charge", "total_charge", "support_calls"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("customers", type=pathlib.Path)
    arguments.add_argument("outcomes", type=pathlib.Path)
    arguments.add_argument("output", type=pathlib.Path)
    arguments.add_argument("--trees", type=int, default=60)
    asked = arguments.parse_args()
    rows = pd.read_parquet(asked.customers)
    rows = rows.merge(pd.read_csv(asked.outcomes), on="customer_id")
    features = rows[NUMBERS].astype("float64")
    features["contract"] = rows["contract"].astype("category")
    is_training = rows.index % 2 == 0
    labels = (rows["churned"].astype(str).isin(["1", "yes", "True"])).astype(int)
    model = xgboost.XGBClassifier(
        n_estimators=asked.trees,
        max_depth=3,
        learning_rate=0.1,
        enable_categorical=True,
        n_jobs=1,
        random_state=7,
    )
    model.fit(features[is_training], labels[is_training])
    asked.output.mkdir(parents=True, exist_ok=True)
    model.save_model(asked.output / "model.ubj")
    for name, part in [("train", is_training), ("holdout", ~is_training)]:
        rows[part].drop(columns="churned").to_parquet(asked.output / f"{name}.parquet", index=False)


main()
