"""How do I export a LightGBM model as a package that tallow scores?

    python examples/export_lightgbm.py churn_package
    tallow check --model churn_package customers.parquet

Needs lightgbm, pandas, pyarrow. `export` is what you copy; the rest trains a small model to show it on.
"""

import hashlib
import pathlib
import sys

import lightgbm
import numpy as np
import pandas as pd


def export(booster, rows, directory, name, version):
    """Writes a booster of two classes, or of one number a row, with `rows`, a data frame of its features, as golden rows.

    An estimator of the scikit-learn interface gives its booster by `booster_`.
    """
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    booster.save_model(directory / "model.txt")
    rows = rows[booster.feature_name()]
    # Text, not pandas' categories: any table may hold the rows to be scored.
    texts = {column: str for column in rows.select_dtypes("category")}
    rows.astype(texts).to_parquet(directory / "golden_rows.parquet", index=False)
    scores = booster.predict(rows)
    is_binary = "objective=binary" in booster.model_to_string()
    answers = {"probability": scores, "prediction": (scores > 0.5).astype(np.int64)} if is_binary else {"prediction": scores}
    pd.DataFrame(answers).to_parquet(directory / "golden_expected.parquet", index=False)
    digest = hashlib.sha256((directory / "model.txt").read_bytes()).hexdigest()
    (directory / "tallow.toml").write_text(f"""\
name = "{name}"
version = "{version}"

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
    rows = pd.DataFrame({"age": generator.normal(40, 12, 2000), "visits": generator.integers(0, 30, 2000), "city": generator.choice(["Oslo", "Rome", "Paris"], 2000)})
    rows.loc[::11, "age"] = np.nan
    stays = (rows.visits + 10 * (rows.city == "Rome") + generator.normal(0, 5, 2000) > 18).astype(int)
    rows["city"] = rows["city"].astype("category")
    booster = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(rows, stays), 30)
    export(booster, rows.head(50), sys.argv[1], "stays", "1")


if __name__ == "__main__":
    main()
