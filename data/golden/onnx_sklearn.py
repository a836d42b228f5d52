"""Golden cases of scikit-learn pipelines exported by skl2onnx: scikit-learn's own numbers.

    python data/golden/onnx_sklearn.py

Needs numpy, pandas, pyarrow, scikit-learn, skl2onnx, onnx. Writes one folder for each case beside
this file."""

import json
import pathlib

import numpy as np
import onnx
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import skl2onnx
import sklearn
from skl2onnx import to_onnx
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

HERE = pathlib.Path(__file__).parent
ROWS = 200
VERSIONS = (
    f"scikit-learn {sklearn.__version__}, skl2onnx {skl2onnx.__version__}, onnx {onnx.__version__}"
)


def numbers(kind, columns=6, classes=2, seed=0):
    if kind == "regression":
        x, y = make_regression(600, columns, noise=5.0, random_state=seed)
    else:
        x, y = make_classification(
            600, columns, n_informative=4, n_redundant=0, n_classes=classes, random_state=seed
        )
    return x.astype(np.float32), y


def write(name, model, frame, expected, tolerance=1e-5, arguments=()):
    folder = HERE / f"onnx_{name}"
    folder.mkdir(exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    # Columns in another order than the model's, with one that it does not know.
    frame = frame[frame.columns[::-1]].assign(unused=1)
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / "input.parquet")
    pq.write_table(pa.table(expected), folder / "expected.parquet")
    case = {"model": "model.onnx", "tolerance": tolerance, "margin_tolerance": tolerance}
    (folder / "case.json").write_text(
        json.dumps(case | ({"arguments": list(arguments)} if arguments else {})) + "\n"
    )
    (folder / "ORIGIN.md").write_text(
        f"# onnx_{name}\n\nMade by `data/golden/onnx_sklearn.py` with {VERSIONS}; the expected "
        "numbers are scikit-learn's.\n"
    )


def answer(model, data):
    """scikit-learn's numbers under the names that tallow gives them."""
    if not hasattr(model, "predict_proba"):
        return {"prediction": np.asarray(model.predict(data), dtype=np.float32).ravel()}
    labels, scores = model.predict(data), model.predict_proba(data).astype(np.float32)
    labels = pa.array(
        labels.astype(object) if labels.dtype.kind in "UO" else labels.astype(np.int64)
    )
    if scores.shape[1] == 2:
        return {"probability": scores[:, 1], "prediction": labels}
    return {"prediction": labels} | {
        f"probability_{label}": scores[:, place] for place, label in enumerate(model.classes_)
    }


def named(model, columns):
    entry = model.metadata_props.add()
    entry.key, entry.value = "feature_names", json.dumps(list(columns))
    return model


def matrix(
    name,
    model,
    kind,
    classes=2,
    texts=None,
    options=None,
    names=True,
    tolerance=1e-5,
    dtype=np.float32,
):
    """A model of one matrix of numbers."""
    x, y = numbers(kind, classes=classes)
    x = x.astype(dtype)
    if texts is not None:
        y = np.array(texts, dtype=object)[y]
    model.fit(x, y)
    columns = [f"x{place}" for place in range(x.shape[1])]
    port = DoubleTensorType if dtype == np.float64 else FloatTensorType
    exported = to_onnx(model, initial_types=[("X", port([None, x.shape[1]]))], options=options)
    if names:
        exported = named(exported, columns)
    arguments = [] if names else ["--features", ",".join(columns)]
    expected = answer(model, x[:ROWS])
    if dtype == np.float64 and "prediction" in expected and kind == "regression":
        expected["prediction"] = np.asarray(model.predict(x[:ROWS]), dtype=np.float64)
    write(name, exported, pd.DataFrame(x[:ROWS], columns=columns), expected, tolerance, arguments)


def mixed(name, last, zipmap, scale=True, unknown="ignore"):
    """Columns of numbers and texts, each an input of its own."""
    generator = np.random.default_rng(7)
    count = 600
    frame = pd.DataFrame(
        {
            "age": generator.uniform(18, 80, count).astype(np.float32),
            "income": generator.lognormal(10, 1, count).astype(np.float32),
            "visits": generator.integers(0, 30, count),
            "city": generator.choice(["Oslo", "Paris", "Rome", "New York"], count),
            "plan": generator.choice(["free", "basic", "pro"], count),
        }
    )
    frame.loc[generator.random(count) < 0.1, "income"] = np.nan
    score = frame.age / 30 + (frame.city == "Rome") * 2 - (frame.plan == "free") + frame.visits / 20
    label = np.where(score + generator.normal(0, 0.7, count) > 2.6, "stays", "leaves")
    steps = [
        (
            "numbers",
            make_pipeline(*([SimpleImputer(strategy="median")] + [StandardScaler()] * scale)),
            ["age", "income"],
        ),
        ("counts", StandardScaler(), ["visits"])
        if scale
        else ("counts", "passthrough", ["visits"]),
        ("texts", OneHotEncoder(handle_unknown=unknown), ["city", "plan"]),
    ]
    model = make_pipeline(ColumnTransformer(steps), last)
    model.fit(frame, label)
    types = [
        (
            column,
            StringTensorType([None, 1])
            if frame[column].dtype.kind in "OUT" or str(frame[column].dtype).startswith("str")
            else Int64TensorType([None, 1])
            if frame[column].dtype.kind == "i"
            else FloatTensorType([None, 1]),
        )
        for column in frame
    ]
    exported = to_onnx(model, initial_types=types, options={id(model): {"zipmap": zipmap}})
    rows = frame[:ROWS].copy()
    if unknown == "ignore":
        # A city that nobody trained on.
        rows.loc[rows.index[::17], "city"] = "Atlantis"
    write(name, exported, rows, answer(model, rows))


def main():
    logistic = lambda: LogisticRegression(max_iter=1000)
    matrix("logistic", make_pipeline(StandardScaler(), logistic()), "classes")
    matrix(
        "logistic_three",
        make_pipeline(StandardScaler(), logistic()),
        "classes",
        classes=3,
        texts=["a", "b", "c"],
    )
    matrix("logistic_nameless", make_pipeline(MinMaxScaler(), logistic()), "classes", names=False)
    # Targets of some hundreds in single precision: near zero a difference of one step is more than
    # 1e-5.
    matrix(
        "linear", make_pipeline(StandardScaler(), LinearRegression()), "regression", tolerance=1e-4
    )
    matrix("linear_double", LinearRegression(), "regression", dtype=np.float64)
    matrix(
        "polynomial",
        make_pipeline(PolynomialFeatures(2), StandardScaler(), LinearRegression()),
        "regression",
        tolerance=1e-4,
    )
    matrix(
        "decision_tree", DecisionTreeClassifier(max_depth=5, random_state=0), "classes", classes=4
    )
    matrix(
        "random_forest",
        RandomForestClassifier(12, max_depth=6, random_state=0),
        "classes",
        texts=["no", "yes"],
    )
    matrix(
        "random_forest_three",
        RandomForestClassifier(12, max_depth=5, random_state=0),
        "classes",
        classes=3,
    )
    matrix(
        "random_forest_regression",
        RandomForestRegressor(12, max_depth=6, random_state=0),
        "regression",
    )
    matrix("extra_trees", ExtraTreesRegressor(8, max_depth=6, random_state=0), "regression")
    matrix(
        "gradient_boosting", GradientBoostingClassifier(n_estimators=20, random_state=0), "classes"
    )
    matrix(
        "gradient_boosting_three",
        GradientBoostingClassifier(n_estimators=10, random_state=0),
        "classes",
        classes=3,
    )
    matrix(
        "gradient_boosting_regression",
        GradientBoostingRegressor(n_estimators=20, random_state=0),
        "regression",
    )
    matrix(
        "perceptron",
        make_pipeline(
            StandardScaler(),
            MLPClassifier(hidden_layer_sizes=(16, 8), max_iter=200, random_state=0),
        ),
        "classes",
        classes=3,
    )
    matrix(
        "perceptron_regression",
        make_pipeline(
            StandardScaler(), MLPRegressor(hidden_layer_sizes=(16,), max_iter=400, random_state=0)
        ),
        "regression",
    )
    matrix("naive_bayes", GaussianNB(), "classes", classes=3)
    matrix(
        "support_vectors",
        make_pipeline(StandardScaler(), SVC(probability=True, random_state=0)),
        "classes",
        classes=3,
        tolerance=1e-4,
    )
    matrix(
        "support_vectors_two",
        make_pipeline(StandardScaler(), SVC(probability=True, random_state=0)),
        "classes",
        tolerance=1e-4,
    )
    matrix("support_vectors_regression", make_pipeline(StandardScaler(), SVR()), "regression")
    matrix("normalizer", make_pipeline(Normalizer(), logistic()), "classes")
    mixed("mixed", logistic(), True)
    mixed("mixed_tensor", logistic(), False)
    # No text of zeros is a category that this encoder takes.
    mixed("mixed_known", logistic(), False, unknown="error")
    # scikit-learn scales in double precision and skl2onnx in single: a scaled value may fall on the
    # other side of a threshold.
    mixed(
        "mixed_forest", RandomForestClassifier(10, max_depth=5, random_state=0), False, scale=False
    )


if __name__ == "__main__":
    main()
