"""Golden cases of classifiers without probabilities, exported by skl2onnx: the labels and decision
values are scikit-learn's own.

    python data/golden/onnx_decisions.py

Needs numpy, pandas, pyarrow, scikit-learn, skl2onnx, onnx. Writes one folder for each case beside
this file."""

import json
import pathlib

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import skl2onnx
import sklearn
from skl2onnx import to_onnx
from sklearn.datasets import make_classification
from sklearn.linear_model import Perceptron, RidgeClassifier, SGDClassifier
from sklearn.svm import LinearSVC

HERE = pathlib.Path(__file__).parent
VERSIONS = (
    f"scikit-learn {sklearn.__version__}, skl2onnx {skl2onnx.__version__}, onnx {onnx.__version__}"
)


def case(name, model, classes, options=None):
    rows, labels = make_classification(
        400, 4, n_informative=3, n_redundant=0, n_classes=classes, random_state=3
    )
    rows = rows.astype(np.float32)
    model.fit(rows, labels)
    exported = to_onnx(model, rows[:1], options=options)
    entry = exported.metadata_props.add()
    entry.key, entry.value = "feature_names", json.dumps(list("abcd"))
    folder = HERE / f"onnx_decision_{name}"
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(exported.SerializeToString())
    some = rows[:60]
    pq.write_table(
        pa.table({column: some[:, place] for place, column in enumerate("abcd")}),
        folder / "input.parquet",
    )
    decisions = model.decision_function(some).astype(np.float32)
    if decisions.ndim > 1:
        margins = {f"margin_{place}": decisions[:, place] for place in range(classes)}
    elif name == "linear_svc":
        margins = {"margin": decisions}
    else:
        margins = {"margin_0": -decisions, "margin_1": decisions}
    pq.write_table(
        pa.table({"prediction": model.predict(some).astype(np.int64)} | margins),
        folder / "expected.parquet",
    )
    (folder / "case.json").write_text(json.dumps({"model": "model.onnx", "tolerance": 1e-4, "margin_tolerance": 1e-4}) + "\n")
    (folder / "ORIGIN.md").write_text(
        f"# onnx_decision_{name}\n\nMade by `data/golden/onnx_decisions.py` with {VERSIONS}; the "
        "expected labels and decision values are scikit-learn's.\n"
    )


def main():
    case("linear_svc", LinearSVC(random_state=0), 2)
    case("sgd_two", SGDClassifier(random_state=0, alpha=0.1), 2)
    case("perceptron_three", Perceptron(random_state=0), 3, {"zipmap": False})
    case("ridge_three", RidgeClassifier(), 3)


if __name__ == "__main__":
    main()
