"""Makes the demo: `python data/demo/make_demo.py` trains a churn model and writes the customers
that it is asked about.

Needs numpy, pandas, pyarrow and xgboost 3.2. Deterministic: the story below, one seed, one thread.
Writes `churn/model.ubj`, `customers.parquet` (2000 customers) and `customers.csv` (the first 200 of
them). All customers are invented.

The story: a telephone and internet provider asks which customers will leave within three months.
Those on a month-to-month contract leave most, those bound for two years hardly at all; new
customers leave more than old ones; calls to support and a high bill drive people away; paying by
hand goes with leaving; those who use much data stay."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import xgboost

FOLDER = Path(__file__).resolve().parent
SEED = 20260301
TRAINING_ROWS = 8000
CUSTOMER_ROWS = 2000
CSV_ROWS = 200
# The labels of the last customers have not come yet.
OUTCOME_ROWS = 1900
CANDIDATE_TREES = 25
TREES = 60
DEPTH = 4

CONTRACTS = ["month-to-month", "one year", "two year"]
PAYMENTS = ["bank transfer", "credit card", "electronic check", "mailed check"]
REGIONS = ["north", "east", "south", "west"]
# The model's order of features; the tables hold them in another one.
FEATURES = [
    "age",
    "tenure_months",
    "monthly_charge",
    "total_charge",
    "support_calls",
    "late_payments",
    "data_usage_gb",
    "contract",
    "payment_method",
    "paperless_billing",
    "has_fiber",
]
COLUMNS = [
    "customer_id",
    "region",
    "signup_date",
    "contract",
    "payment_method",
    "tenure_months",
    "monthly_charge",
    "total_charge",
    "data_usage_gb",
    "support_calls",
    "late_payments",
    "paperless_billing",
    "has_fiber",
    "age",
]


def people(rng, rows):
    """Customers as the provider's warehouse would hold them, without nulls."""
    contract = rng.choice(CONTRACTS, rows, p=[0.55, 0.24, 0.21])
    longest = np.select([contract == "month-to-month", contract == "one year"], [36, 60], 84)
    tenure = np.clip(rng.exponential(longest / 2.2), 1, 96).astype("int32")
    fiber = rng.random(rows) < 0.44
    usage = np.round(rng.gamma(2.0, np.where(fiber, 90, 35)), 1)
    charge = np.round(np.clip(rng.normal(np.where(fiber, 78, 44), 13) + usage * 0.03, 15, 140), 2)
    payment = np.where(
        contract == "month-to-month",
        rng.choice(PAYMENTS, rows, p=[0.17, 0.18, 0.47, 0.18]),
        rng.choice(PAYMENTS, rows, p=[0.33, 0.33, 0.17, 0.17]),
    )
    signup = (
        np.datetime64("2026-03-01")
        - (tenure * 30.44).astype("timedelta64[D]")
        - rng.integers(0, 30, rows).astype("timedelta64[D]")
    )
    return pd.DataFrame(
        {
            "region": rng.choice(REGIONS, rows, p=[0.31, 0.22, 0.28, 0.19]),
            "signup_date": signup,
            "age": np.clip(rng.normal(46, 16, rows), 18, 91).astype("int32"),
            "tenure_months": tenure,
            "monthly_charge": charge,
            "total_charge": np.round(charge * tenure * rng.uniform(0.93, 1.04, rows), 2),
            "support_calls": rng.poisson(np.where(fiber, 1.5, 0.9)).astype("int32"),
            "late_payments": rng.poisson(np.where(payment == "mailed check", 0.9, 0.35)).astype(
                "int32"
            ),
            "data_usage_gb": usage,
            "contract": contract,
            "payment_method": payment,
            "paperless_billing": rng.random(rows) < 0.59,
            "has_fiber": fiber,
        }
    )


def churned(rng, frame):
    """Whether a customer left, by the story above and by chance."""
    margin = (
        np.select(
            [frame["contract"] == "month-to-month", frame["contract"] == "one year"],
            [0.55, -1.15],
            -2.4,
        )
        + 1.5 * np.exp(-frame["tenure_months"] / 10)
        - 0.012 * frame["tenure_months"]
        + 0.38 * np.minimum(frame["support_calls"], 6)
        + 0.30 * np.minimum(frame["late_payments"], 4)
        + 0.028 * (frame["monthly_charge"] - 60)
        - 0.0045 * frame["data_usage_gb"]
        + 0.35 * (frame["payment_method"] == "electronic check")
        + 0.15 * frame["paperless_billing"]
        - 0.25 * ((frame["age"] > 60) & (frame["contract"] != "month-to-month"))
        - 1.55
    )
    return (rng.random(len(frame)) < 1 / (1 + np.exp(-margin))).astype("int32")


def forget(rng, frame):
    """What the warehouse does not know: ages never asked, usage meters that failed, bills of the
    first month, unknown payments."""
    frame = frame.copy()
    frame["age"] = frame["age"].astype("Int32").mask(rng.random(len(frame)) < 0.06)
    frame["data_usage_gb"] = frame["data_usage_gb"].mask(rng.random(len(frame)) < 0.04)
    frame["total_charge"] = frame["total_charge"].mask(frame["tenure_months"] <= 1)
    frame["payment_method"] = frame["payment_method"].mask(rng.random(len(frame)) < 0.015)
    return frame


def features(frame):
    """The model's view: categories by name, numbers as they are, null for what is not known."""
    typed = frame[FEATURES].copy()
    typed["contract"] = pd.Categorical(typed["contract"], categories=CONTRACTS)
    typed["payment_method"] = pd.Categorical(typed["payment_method"], categories=PAYMENTS)
    typed["age"] = typed["age"].astype("Float64").astype("float64")
    return typed


def train(rng):
    frame = people(rng, TRAINING_ROWS)
    labels = churned(rng, frame)
    rows = xgboost.DMatrix(features(forget(rng, frame)), labels, enable_categorical=True)
    parameters = {
        "objective": "binary:logistic",
        "max_depth": DEPTH,
        "eta": 0.12,
        "min_child_weight": 8,
        "subsample": 0.9,
        "nthread": 1,
        "seed": SEED,
    }
    return xgboost.train(parameters, rows, num_boost_round=TREES)


def first_trees(model, count):
    """The model with its first trees only: the candidate of the guide. Slices of a booster lose the
    names of the categories."""
    held = json.loads(bytes(model.save_raw("json")))
    trees = held["learner"]["gradient_booster"]["model"]
    trees["trees"] = trees["trees"][:count]
    trees["tree_info"] = trees["tree_info"][:count]
    trees["iteration_indptr"] = trees["iteration_indptr"][: count + 1]
    trees["gbtree_model_param"]["num_trees"] = str(count)
    return xgboost.Booster(model_file=bytearray(json.dumps(held).encode()))


def table(frame):
    types = {"age": pa.int32(), "signup_date": pa.date32()}
    return pa.table(
        {name: pa.Array.from_pandas(frame[name], type=types.get(name)) for name in COLUMNS}
    )


def main():
    rng = np.random.default_rng(SEED)
    model = train(rng)
    (FOLDER / "churn").mkdir(parents=True, exist_ok=True)
    model.save_model(FOLDER / "churn" / "model.ubj")
    first_trees(model, CANDIDATE_TREES).save_model(FOLDER / "candidate.ubj")
    frame = people(rng, CUSTOMER_ROWS)
    labels = churned(rng, frame)
    frame["customer_id"] = [
        f"C-{number:05d}"
        for number in np.sort(rng.choice(np.arange(1, 40_000), CUSTOMER_ROWS, replace=False))
    ]
    frame = forget(rng, frame)
    customers = table(frame)
    pa.parquet.write_table(customers, FOLDER / "customers.parquet", compression="zstd")
    pa.csv.write_csv(
        customers.slice(0, CSV_ROWS),
        FOLDER / "customers.csv",
        pa.csv.WriteOptions(quoting_style="none"),
    )
    outcomes = pa.table({"customer_id": frame["customer_id"], "churned": labels.astype(int)})
    pa.csv.write_csv(
        outcomes.slice(0, OUTCOME_ROWS),
        FOLDER / "outcomes.csv",
        pa.csv.WriteOptions(quoting_style="none"),
    )
    scores = model.predict(xgboost.DMatrix(features(frame), enable_categorical=True))
    order = np.argsort(np.argsort(scores))
    auc = (order[labels == 1].mean() - order[labels == 0].mean()) / len(labels) + 0.5
    print(f"left: {labels.mean():.3f}, predicted: {scores.mean():.3f}, AUC: {auc:.3f}")
    print(frame.assign(score=scores).groupby("contract")["score"].agg(["size", "mean"]).round(3))


if __name__ == "__main__":
    main()
