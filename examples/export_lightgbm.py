"""How do I export a LightGBM model as a package that tallow scores?

    python examples/export_lightgbm.py churn_package
    tallow check --model churn_package customers.parquet

Needs lightgbm, pandas, pyarrow. `export` is what you copy; the rest trains a small model to show it
on."""

import hashlib
import json
import pathlib
import sys

import lightgbm
import numpy as np
import pandas as pd


def export(booster, rows, directory, name, version):
    """Writes a booster with `rows`, a data frame of its features in the order of training, as
    golden rows.

    An estimator of the scikit-learn interface gives its booster by `booster_`. LightGBM keeps no
    labels: classes are numbers from 0, in the order of `classes_`."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    booster.save_model(directory / "model.txt")
    # LightGBM writes names with `_` for a blank; the golden rows keep the table's own.
    if [str(name).replace(" ", "_") for name in rows] != booster.feature_name():
        raise SystemExit(f"rows need the columns {booster.feature_name()}, in this order")
    # Text, not pandas' categories: any table may hold the rows to be scored.
    texts = {column: str for column in rows.select_dtypes("category")}
    rows.astype(texts).to_parquet(directory / "golden_rows.parquet", index=False)
    scores = booster.predict(rows)
    if scores.ndim == 2:
        answers = {"prediction": scores.argmax(axis=1)} | {
            f"probability_{label}": scores[:, label] for label in range(scores.shape[1])
        }
    elif "objective=binary" in booster.model_to_string():
        answers = {"probability": scores, "prediction": (scores > 0.5).astype(np.int64)}
    else:
        answers = {"prediction": scores}
    pd.DataFrame(answers).to_parquet(directory / "golden_expected.parquet", index=False)
    digest = hashlib.sha256((directory / "model.txt").read_bytes()).hexdigest()
    (directory / "tallow.toml").write_text(f"""\
name = {json.dumps(name)}
version = {json.dumps(version)}

[[artefacts]]
path = "model.txt"
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
    rows["city"] = rows["city"].astype("category")
    booster = lightgbm.train(
        {"objective": "binary", "verbose": -1}, lightgbm.Dataset(rows, stays), 30
    )
    export(booster, rows.head(50), sys.argv[1], "stays", "1")


if __name__ == "__main__":
    main()
