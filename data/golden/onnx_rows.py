"""Graphs whose rows are not the first axis, and small graphs of unusual inputs.

    python data/golden/onnx_rows.py [data/golden]

Needs numpy, pyarrow, onnx, onnxruntime. Golden cases `onnx_rows_*`: what is expected is what ONNX
Runtime gives for all rows at once. `onnx_inputs` holds the models alone; `tests/it/graph_inputs.rs`
names what ONNX Runtime makes of their rows."""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "data/golden")
VERSIONS = f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}"
ORIGIN = (
    f"Made by `data/golden/onnx_rows.py` with {VERSIONS}; the expected numbers are ONNX Runtime's "
    "for all rows at once.\n"
)
R = np.random.default_rng(5)
ROWS = 40


def real(*shape):
    return R.standard_normal(shape).astype(np.float32)


def model(nodes, inputs, outputs, initializers=()):
    port = lambda name, kind, shape: h.make_tensor_value_info(name, kind, shape)
    graph = h.make_graph(
        nodes,
        "g",
        [port(*one) for one in inputs],
        [port(*one) for one in outputs],
        [nh.from_array(v, k) for k, v in dict(initializers).items()],
    )
    return h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)


def lstm(shape, answer, last):
    """An LSTM of 4 over rows of 2; `last`: its last state, else every state."""
    weights = {"W": real(1, 16, 2), "R": real(1, 16, 4), "axis": np.array([0 if last else 1])}
    nodes = [
        h.make_node("LSTM", ["x", "W", "R"], ["Y", "Yh"], hidden_size=4),
        h.make_node("Squeeze", ["Yh" if last else "Y", "axis"], ["y"]),
    ]
    return model(nodes, [("x", T.FLOAT, shape)], [("y", T.FLOAT, answer)], weights)


def keep(name, made, rows, at, answers_at, arguments=()):
    """`rows`: rows first; `at`: the axis of the input that counts them; `answers_at`: that of the
    output."""
    folder = ROOT / name
    folder.mkdir(exist_ok=True)
    onnx.save(made, folder / "model.onnx")
    found = onnxruntime.InferenceSession(made.SerializeToString()).run(
        None, {"x": np.moveaxis(rows, 0, at)}
    )[0]
    found = np.moveaxis(found, answers_at, 0).reshape(len(rows), -1)
    lists = lambda values: pa.FixedSizeListArray.from_arrays(
        pa.array(values.reshape(-1)), values.reshape(len(values), -1).shape[1]
    )
    pq.write_table(pa.table({"x": lists(rows)}), folder / "input.parquet")
    pq.write_table(pa.table({"y": lists(found)}), folder / "expected.parquet")
    (folder / "ORIGIN.md").write_text(ORIGIN)
    (folder / "case.json").write_text(
        json.dumps({"model": "model.onnx", "tolerance": 1e-5, "arguments": list(arguments)}) + "\n"
    )


windows = real(ROWS, 3, 2)
keep("onnx_rows_fixed_time", lstm([3, "batch", 2], ["batch", 4], True), windows, 1, 0)
keep(
    "onnx_rows_asked",
    lstm([3, None, 2], [3, None, 4], False),
    windows,
    1,
    1,
    ["--rows-axis", "x=1"],
)
product = model(
    [h.make_node("MatMul", ["w", "x"], ["y"])],
    [("x", T.FLOAT, [4, "batch"])],
    [("y", T.FLOAT, [3, "batch"])],
    {"w": real(3, 4)},
)
keep("onnx_rows_time_first", lstm(["time", "batch", 2], ["batch", 4], True), windows, 1, 0)
keep("onnx_rows_second_of_both", lstm([3, "batch", 2], [3, "batch", 4], False), windows, 1, 1)
keep("onnx_rows_features_first", product, real(ROWS, 4), 1, 1)

INPUTS = ROOT / "onnx_inputs"
INPUTS.mkdir(exist_ok=True)
for kind in ("INT8", "UINT8", "INT32", "UINT32", "UINT64", "FLOAT16", "FLOAT"):
    code = getattr(T, kind)
    wide = T.INT64 if "INT" in kind and kind != "UINT64" else code
    nodes = (
        [h.make_node("Cast", ["x"], ["y"], to=wide)]
        if kind != "UINT64"
        else [h.make_node("Identity", ["x"], ["y"])]
    )
    onnx.save(
        model(nodes, [("x", code, ["N"])], [("y", wide, ["N"])]), INPUTS / f"{kind.lower()}.onnx"
    )
    onnx.save(
        model(nodes, [("x", code, ["N", 2])], [("y", wide, ["N", 2])]),
        INPUTS / f"{kind.lower()}_matrix.onnx",
    )
onnx.save(lstm(["s0", "s1", 2], ["s0", "s1", 4], False), INPUTS / "doubtful.onnx")
onnx.save(lstm([None, None, 2], [None, 4], True), INPUTS / "nameless.onnx")
onnx.save(lstm([3, 5, 2], [5, 4], True), INPUTS / "fixed.onnx")
axes = {"axis": np.array([1])}
onnx.save(
    model(
        [h.make_node("ReduceSum", ["x", "axis"], ["y"], keepdims=0)],
        [("x", T.FLOAT, ["N", 2, 3])],
        [("y", T.FLOAT, ["N", 3])],
        axes,
    ),
    INPUTS / "windows.onnx",
)
# Its names say the second axis, and no output is as long as that.
inner = {"inner": np.array([1, 2])}
onnx.save(
    model(
        [h.make_node("ReduceSum", ["x", "inner"], ["y"], keepdims=0)],
        [("x", T.FLOAT, ["time", "batch", 2])],
        [("y", T.FLOAT, ["batch"])],
        inner,
    ),
    INPUTS / "misnamed.onnx",
)
sign = [h.make_node("Sign", ["x"], ["y"])]
onnx.save(
    model(sign, [("x", T.UINT64, ["N"])], [("y", T.UINT64, ["N"])]), INPUTS / "uint64_sign.onnx"
)
nodes = [
    h.make_node("Mul", ["x_num", "w"], ["z"]),
    h.make_node("Concat", ["z", "x_cat"], ["all"], axis=1),
    h.make_node("ReduceSum", ["all", "axis"], ["y"], keepdims=0),
]
two = [("x_num", T.FLOAT, ["N", 2]), ("x_cat", T.FLOAT, ["N", 2])]
onnx.save(
    model(nodes, two, [("y", T.FLOAT, ["N"])], {**axes, "w": np.array([10, 100], np.float32)}),
    INPUTS / "two_matrices.onnx",
)
nodes = [
    h.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
    h.make_node("Identity", ["c"], ["constant"]),
    h.make_node("Mul", ["x", "factor"], ["scaled"]),
]
ports = [("mean", T.FLOAT, []), ("constant", T.FLOAT, [3]), ("scaled", T.FLOAT, ["N", 2])]
onnx.save(
    model(
        nodes,
        [("x", T.FLOAT, ["N", 2]), ("factor", T.FLOAT, [])],
        ports,
        {"c": np.array([1, 2, 3], np.float32)},
    ),
    INPUTS / "whole.onnx",
)
sparse = model(
    [h.make_node("MatMul", ["x", "w"], ["y"])],
    [("x", T.FLOAT, ["N", 3])],
    [("y", T.FLOAT, ["N", 2])],
)
values, indices = (
    nh.from_array(np.array([2, 3], np.float32), "w"),
    nh.from_array(np.array([[0, 1], [2, 0]]), "at"),
)
sparse.graph.sparse_initializer.append(h.make_sparse_tensor(values, indices, [3, 2]))
onnx.save(sparse, INPUTS / "sparse.onnx")
labels = [
    h.make_node("ArgMax", ["x"], ["first"], axis=1, keepdims=0),
    h.make_node("ArgMin", ["x"], ["second"], axis=1, keepdims=0),
    h.make_node("Softmax", ["x"], ["scores"], axis=1),
]
ports = [("first", T.INT64, ["N"]), ("second", T.INT64, ["N"]), ("scores", T.FLOAT, ["N", 3])]
onnx.save(model(labels, [("x", T.FLOAT, ["N", 3])], ports), INPUTS / "two_labels.onnx")
print(VERSIONS)
