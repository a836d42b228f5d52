"""How do I export a CatBoost model as a package that tallow scores?

    python examples/export_catboost.py churn_package
    tallow check --model churn_package customers.parquet

Needs catboost, pandas, pyarrow. `export` is what you copy; the rest trains a small model to show it
on."""

import hashlib
import json
import pathlib
import sys

import catboost
import numpy as np
import pandas as pd


def export(model, rows, directory, name, version):
    """Writes a CatBoostClassifier, CatBoostRegressor or CatBoostRanker with `rows`, a data frame of
    its features, as golden rows.

    CatBoost stores boolean labels as the strings `False` and `True`."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    if type(model) is catboost.CatBoost:
        raise SystemExit("pass `catboost.to_classifier(model)`, or to_regressor or to_ranker")
    model.save_model(str(directory / "model.cbm"))
    rows = rows.rename(columns=str)[model.feature_names_]
    rows.to_parquet(directory / "golden_rows.parquet", index=False)
    pd.DataFrame(answers(model, rows)).to_parquet(
        directory / "golden_expected.parquet", index=False
    )
    digest = hashlib.sha256((directory / "model.cbm").read_bytes()).hexdigest()
    (directory / "tallow.toml").write_text(f"""\
name = {json.dumps(name)}
version = {json.dumps(version)}

[[artefacts]]
path = "model.cbm"
sha256 = "{digest}"

[golden]
rows = "golden_rows.parquet"
expected = "golden_expected.parquet"
tolerance = 1e-9
""")


def answers(model, rows):
    """The columns of `tallow score` for what the model predicts."""
    loss = model.get_all_params()["loss_function"]
    if not isinstance(model, catboost.CatBoostClassifier):
        return numbers(loss, model.predict(rows))
    scores = model.predict_proba(rows)
    if loss.startswith(("MultiLogloss", "MultiCrossEntropy")):
        labels = {f"prediction_{index}": (column > 0.5).astype(np.int64)
                  for index, column in enumerate(scores.T)}
        return labels | {f"probability_{index}": column for index, column in enumerate(scores.T)}
    predictions = stored(model.predict(rows))
    if len(model.classes_) == 2 and not loss.startswith("MultiClass"):
        return {"probability": scores[:, 1], "prediction": predictions}
    return {"prediction": predictions} | {
        f"probability_{label}": scores[:, index]
        for index, label in enumerate(stored(model.classes_))
    }


def stored(labels):
    """Labels as they are in the file: booleans as strings, 1.0 as 1."""
    labels = np.ravel(labels)
    kinds = {"b": str, "f": np.int64}
    return labels.astype(kinds.get(labels.dtype.kind, labels.dtype))


def numbers(loss, scores):
    """One number a row, or several with their names."""
    if scores.ndim == 1 or scores.shape[1] == 1:
        return {"prediction": np.ravel(scores)}
    names = range(scores.shape[1])
    if loss.startswith("RMSEWithUncertainty"):
        names = ["mean", "variance"]
    if loss.startswith("MultiQuantile:alpha="):
        names = loss.partition("=")[2].split(",")
    return {f"prediction_{name}": column for name, column in zip(names, scores.T)}


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
    pool = catboost.Pool(rows, stays, cat_features=["city"])
    model = catboost.CatBoostClassifier(
        iterations=30, verbose=False, allow_writing_files=False
    ).fit(pool)
    export(model, rows.head(50), sys.argv[1], "stays", "1")


if __name__ == "__main__":
    main()
