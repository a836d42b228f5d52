"""How do I export a scikit-learn pipeline as a package that tallow scores?

    python examples/export_sklearn.py churn_package
    tallow check --model churn_package customers.parquet

Needs scikit-learn, skl2onnx, pandas, pyarrow. `export` is what you copy; the rest trains a small pipeline to show it on.
"""

import hashlib
import pathlib
import sys

import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import BooleanTensorType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def export(pipeline, rows, directory, name, version):
    """Writes the fitted pipeline with `rows`, a data frame of the columns that it was trained on, as golden rows."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    # Single precision is what skl2onnx computes in, so the golden rows are rounded to it before anything is compared.
    rows = rows.astype({column: np.float32 for column in rows.select_dtypes("float")})
    model = to_onnx(pipeline, initial_types=[(column, port(rows[column])) for column in rows], options={id(pipeline): {"zipmap": False}})
    content = model.SerializeToString()
    (directory / "model.onnx").write_bytes(content)
    rows.to_parquet(directory / "golden_rows.parquet", index=False)
    expected(pipeline, rows).to_parquet(directory / "golden_expected.parquet", index=False)
    (directory / "tallow.toml").write_text(f"""\
name = "{name}"
version = "{version}"

[[artefacts]]
path = "model.onnx"
sha256 = "{hashlib.sha256(content).hexdigest()}"

[golden]
rows = "golden_rows.parquet"
expected = "golden_expected.parquet"
""")


def port(column):
    kinds = {"f": FloatTensorType, "i": Int64TensorType, "u": Int64TensorType, "b": BooleanTensorType}
    return kinds.get(column.dtype.kind, StringTensorType)([None, 1])


def expected(pipeline, rows):
    """The pipeline's own answers, in the columns that tallow writes."""
    labels = pipeline.predict(rows)
    if not hasattr(pipeline, "predict_proba"):
        return pd.DataFrame({"prediction": np.ravel(labels)})
    scores = pipeline.predict_proba(rows)
    if scores.shape[1] == 2:
        return pd.DataFrame({"probability": scores[:, 1], "prediction": labels})
    return pd.DataFrame({"prediction": labels} | {f"probability_{label}": scores[:, place] for place, label in enumerate(pipeline.classes_)})


def main():
    generator = np.random.default_rng(1)
    rows = pd.DataFrame({"age": generator.normal(40, 12, 2000), "visits": generator.integers(0, 30, 2000), "city": generator.choice(["Oslo", "Rome", "Paris"], 2000)})
    rows.loc[::11, "age"] = np.nan
    stays = (rows.visits + 10 * (rows.city == "Rome") + generator.normal(0, 5, 2000) > 18).map({True: "stays", False: "leaves"})
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer([("numbers", numbers, ["age"]), ("counts", StandardScaler(), ["visits"]), ("texts", OneHotEncoder(), ["city"])])
    pipeline = make_pipeline(columns, LogisticRegression()).fit(rows, stays)
    export(pipeline, rows.head(50), sys.argv[1], "stays", "1")


if __name__ == "__main__":
    main()
