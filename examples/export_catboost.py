"""How do I export a CatBoost model as a package that tallow scores?

    python examples/export_catboost.py churn_package
    tallow check --model churn_package customers.parquet

Needs catboost, pandas, pyarrow. `export` is what you copy; the rest trains a small model to show it
on. Categories beyond `one_hot_max_size` become CTR features, which tallow does not read: train with
a size that covers them."""

import hashlib
import json
import pathlib
import sys

import catboost
import numpy as np
import pandas as pd


def export(model, pool, rows, directory, name, version):
    """Writes a model of classes, or of one number a row. The pool that it was trained on makes the
    file hold its categories; `rows` is a data frame of its features, the golden rows."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    model.save_model(str(directory / "model.json"), format="json", pool=pool)
    rows = rows[model.feature_names_]
    rows.to_parquet(directory / "golden_rows.parquet", index=False)
    predictions = np.ravel(model.predict(rows))
    if not isinstance(model, catboost.CatBoostClassifier):
        answers = {"prediction": predictions}
    elif len(model.classes_) == 2:
        answers = {"probability": model.predict_proba(rows)[:, 1], "prediction": predictions}
    else:
        scores = model.predict_proba(rows)
        answers = {"prediction": predictions} | {
            f"probability_{label}": scores[:, index] for index, label in enumerate(model.classes_)
        }
    pd.DataFrame(answers).to_parquet(directory / "golden_expected.parquet", index=False)
    digest = hashlib.sha256((directory / "model.json").read_bytes()).hexdigest()
    (directory / "tallow.toml").write_text(f"""\
name = {json.dumps(name)}
version = {json.dumps(version)}

[[artefacts]]
path = "model.json"
sha256 = "{digest}"

[golden]
rows = "golden_rows.parquet"
expected = "golden_expected.parquet"
tolerance = 1e-12
""")


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
        iterations=30, one_hot_max_size=10, verbose=False, allow_writing_files=False
    ).fit(pool)
    export(model, pool, rows.head(50), sys.argv[1], "stays", "1")


if __name__ == "__main__":
    main()
