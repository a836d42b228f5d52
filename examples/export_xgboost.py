"""How do I export an XGBoost model as a package that tallow scores?

    python examples/export_xgboost.py churn_package
    tallow check --model churn_package customers.parquet

Needs xgboost, pandas, pyarrow. `export` is what you copy; the rest trains a small model to show it
on."""

import hashlib
import json
import pathlib
import sys

import numpy as np
import pandas as pd
import xgboost


def export(model, rows, directory, name, version):
    """Writes a booster, or an estimator of the scikit-learn interface, with `rows`, a data frame of
    its features, as golden rows.

    An estimator stops at its best iteration and knows which value stands for a missing one
    (`missing=-999`); the package keeps both."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    is_estimator = hasattr(model, "get_booster")
    booster = model.get_booster() if is_estimator else model
    if booster.feature_names is None:
        raise SystemExit("the model has no names of features: train it on a data frame")
    model.save_model(directory / "model.ubj")
    rows = rows.rename(columns=str)[booster.feature_names]
    rows.to_parquet(directory / "golden_rows.parquet", index=False)
    missing = getattr(model, "missing", np.nan)
    missing = np.nan if missing is None else float(missing)
    last_round = getattr(model, "best_iteration", -1) if is_estimator else -1
    scores = booster.predict(
        xgboost.DMatrix(rows, missing=missing, enable_categorical=True),
        iteration_range=(0, last_round + 1),  # (0, 0) are all
    )
    pd.DataFrame(answers(booster, scores)).to_parquet(
        directory / "golden_expected.parquet", index=False
    )
    digest = hashlib.sha256((directory / "model.ubj").read_bytes()).hexdigest()
    inputs = ""
    if not np.isnan(missing):
        inputs = "".join(
            f"\n[[inputs]]\nname = {quoted(column)}\nmissing = {missing!r}\n" for column in rows
        )
    (directory / "tallow.toml").write_text(
        f"""\
name = {quoted(name)}
version = {quoted(version)}

[[artefacts]]
path = "model.ubj"
sha256 = "{digest}"
{inputs}
[golden]
rows = "golden_rows.parquet"
expected = "golden_expected.parquet"
""",
        encoding="utf-8",
    )


def quoted(text):
    """A string of TOML, which has JSON's escapes."""
    return json.dumps(text, ensure_ascii=False)


def answers(booster, scores):
    """The columns of `tallow score` for what the booster predicts."""
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    if objective == "binary:logistic" and scores.ndim == 1:
        return {"probability": scores, "prediction": (scores > 0.5).astype(np.int64)}
    if objective == "multi:softprob":
        named = {f"probability_{index}": column for index, column in enumerate(scores.T)}
        return {"prediction": scores.argmax(axis=1).astype(np.int64), **named}
    if objective == "multi:softmax":
        return {"prediction": scores.astype(np.int64)}
    if objective == "binary:logistic":
        # Labels that do not exclude each other.
        columns = dict(enumerate(scores.T))
        labels = {f"prediction_{index}": (column > 0.5).astype(np.int64)
                  for index, column in columns.items()}
        return labels | {f"probability_{index}": column for index, column in columns.items()}
    # Several targets or quantiles.
    if scores.ndim == 2 and scores.shape[1] > 1:
        return {f"prediction_{index}": column for index, column in enumerate(scores.T)}
    return {"prediction": scores.reshape(-1)}


def main():
    generator = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            "age": generator.normal(40, 12, 2000),
            "visits": generator.integers(0, 30, 2000),
            "city": generator.choice(["Oslo", "Rome", "Paris"], 2000),
        }
    )
    rows.loc[::11, "age"] = np.nan
    stays = (rows.visits + 10 * (rows.city == "Rome") + generator.normal(0, 5, 2000) > 18).astype(
        int
    )
    rows["city"] = rows["city"].astype("category")
    data = xgboost.DMatrix(rows, stays, enable_categorical=True)
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 4}, data, 30)
    export(booster, rows.head(50), sys.argv[1], "stays", "1")


if __name__ == "__main__":
    main()
