"""How do I export a scikit-learn pipeline or estimator as a package that tallow scores?

    python examples/export_sklearn.py churn_package
    tallow check --model churn_package customers.parquet

Needs scikit-learn, skl2onnx, pandas, pyarrow. `export` is what you copy; the rest trains a small
pipeline to show it on. tallow also reads many pipelines without an export: `joblib.dump(model,
"model.joblib")`, see `tallow guide models`."""

import hashlib
import json
import pathlib
import sys

import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import (
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def export(model, rows, directory, name, version):
    """Writes the fitted pipeline, estimator or search with `rows`, a data frame of the columns that
    it was trained on, as golden rows.

    Labels are strings or integers; `False` and `True` become 0 and 1. Several labels or numbers a row are
    one list."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    model = getattr(model, "best_estimator_", model)
    rows = rows.astype(
        {column: rows[column].cat.categories.dtype for column in rows.select_dtypes("category")}
    )
    # Single precision is what skl2onnx computes in, so the golden rows are rounded to it before
    # anything is compared.
    rows = rows.astype({column: np.float32 for column in rows.select_dtypes("float")})
    answers = expected(model, rows)
    graph = convert(model, rows)
    if list(answers) == ["prediction"]:
        graph = prediction_only(graph)
    content = graph.SerializeToString()
    (directory / "model.onnx").write_bytes(content)
    rows.to_parquet(directory / "golden_rows.parquet", index=False)
    answers.to_parquet(directory / "golden_expected.parquet", index=False)
    (directory / "tallow.toml").write_text(f"""\
name = {json.dumps(name)}
version = {json.dumps(version)}

[[artefacts]]
path = "model.onnx"
sha256 = "{hashlib.sha256(content).hexdigest()}"

[golden]
rows = "golden_rows.parquet"
expected = "golden_expected.parquet"
tolerance = 1e-4
""")


def convert(model, rows):
    """The ONNX graph, whose inputs have the columns' own names."""
    # Classes come out as one matrix of probabilities, in the order of `classes_`.
    options = {id(model): {"zipmap": False}} if hasattr(model, "predict_proba") else None
    if reads_columns(model):
        graph = to_onnx(
            model, initial_types=[(column, port(rows[column])) for column in rows], options=options
        )
        rename_inputs(graph.graph, list(rows))
        return graph
    # Every other estimator reads one matrix; the names bind its columns to the table's.
    graph = to_onnx(
        model, initial_types=[("x", FloatTensorType([None, rows.shape[1]]))], options=options
    )
    entry = graph.metadata_props.add()
    entry.key, entry.value = "feature_names", json.dumps([str(column) for column in rows])
    return graph


def prediction_only(graph):
    """The graph without scores that are not probabilities, such as distances to a margin."""
    label = graph.graph.output[0].name
    graph = select_model_inputs_outputs(graph, outputs=[label])
    graph.graph.output[0].name = "prediction"
    for node in graph.graph.node:
        for names in [node.input, node.output]:
            names[:] = ["prediction" if name == label else name for name in names]
    return graph


def reads_columns(model):
    """Whether the first step picks columns by their names."""
    if isinstance(model, Pipeline):
        return reads_columns(model.steps[0][1])
    if isinstance(model, FeatureUnion):
        return any(reads_columns(part) for _, part in model.transformer_list)
    return isinstance(model, ColumnTransformer)


def rename_inputs(graph, names):
    """skl2onnx writes names without blanks and signs; the table has the real ones."""
    renamed = {port.name: str(name) for port, name in zip(graph.input, names, strict=True)}
    for port in graph.input:
        port.name = renamed[port.name]
    for node in graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = renamed.get(name, name)


def port(column):
    kinds = {"f": FloatTensorType, "i": Int64TensorType, "u": Int64TensorType, "b": Int64TensorType}
    return kinds.get(column.dtype.kind, StringTensorType)([None, 1])


def expected(model, rows):
    """The model's own answers, in the columns that tallow writes."""
    labels = np.asarray(model.predict(rows))
    if hasattr(model, "classes_") and labels.dtype.kind in "bf":
        labels = labels.astype(np.int64)
    if labels.ndim == 2 and labels.shape[1] > 1:
        return pd.DataFrame({"prediction": list(labels)})
    labels = labels.ravel()
    if not hasattr(model, "predict_proba"):
        return pd.DataFrame({"prediction": labels})
    scores = model.predict_proba(rows)
    if scores.shape[1] == 2:
        return pd.DataFrame({"probability": scores[:, 1], "prediction": labels})
    classes = model.classes_.astype(labels.dtype)
    return pd.DataFrame(
        {"prediction": labels}
        | {f"probability_{label}": scores[:, index] for index, label in enumerate(classes)}
    )


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
    stays = (rows.visits + 10 * (rows.city == "Rome") + generator.normal(0, 5, 2000) > 18).map(
        {True: "stays", False: "leaves"}
    )
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer(
        [
            ("numbers", numbers, ["age"]),
            ("counts", StandardScaler(), ["visits"]),
            ("texts", OneHotEncoder(), ["city"]),
        ]
    )
    pipeline = make_pipeline(columns, LogisticRegression()).fit(rows, stays)
    export(pipeline, rows.head(50), sys.argv[1], "stays", "1")


if __name__ == "__main__":
    main()
