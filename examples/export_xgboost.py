"""How do I export an XGBoost model as a package that tallow scores?

    python examples/export_xgboost.py churn_package
    tallow check --model churn_package customers.parquet

Needs xgboost, pandas, pyarrow. `export` is what you copy; the rest trains a small model to show it on.
"""

import hashlib
import pathlib
import sys

import numpy as np
import pandas as pd
import xgboost


def export(booster, rows, directory, name, version):
    """Writes a booster of two classes, or of one number a row, with `rows`, a data frame of its features, as golden rows.

    An estimator of the scikit-learn interface gives its booster by `get_booster()`.
    """
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    booster.save_model(directory / "model.ubj")
    rows = rows[booster.feature_names]
    # Text, not pandas' categories: any table may hold the rows to be scored.
    texts = {column: str for column in rows.select_dtypes("category")}
    rows.astype(texts).to_parquet(directory / "golden_rows.parquet", index=False)
    scores = booster.predict(xgboost.DMatrix(rows, enable_categorical=True))
    is_binary = '"binary:logistic"' in booster.save_config()
    answers = {"probability": scores, "prediction": (scores >= 0.5).astype(np.int64)} if is_binary else {"prediction": scores}
    pd.DataFrame(answers).to_parquet(directory / "golden_expected.parquet", index=False)
    digest = hashlib.sha256((directory / "model.ubj").read_bytes()).hexdigest()
    (directory / "tallow.toml").write_text(f"""\
name = "{name}"
version = "{version}"

[[artefacts]]
path = "model.ubj"
sha256 = "{digest}"

[golden]
rows = "golden_rows.parquet"
expected = "golden_expected.parquet"
""")


def main():
    generator = np.random.default_rng(1)
    rows = pd.DataFrame({"age": generator.normal(40, 12, 2000), "visits": generator.integers(0, 30, 2000), "city": generator.choice(["Oslo", "Rome", "Paris"], 2000)})
    rows.loc[::11, "age"] = np.nan
    stays = (rows.visits + 10 * (rows.city == "Rome") + generator.normal(0, 5, 2000) > 18).astype(int)
    rows["city"] = rows["city"].astype("category")
    data = xgboost.DMatrix(rows, stays, enable_categorical=True)
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 4}, data, 30)
    export(booster, rows.head(50), sys.argv[1], "stays", "1")


if __name__ == "__main__":
    main()
