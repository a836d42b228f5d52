"""Golden cases of graphs whose rows differ in length or change each other: `onnx_lengths`,
`onnx_lengths_open`, `onnx_mixing`.

    python data/golden/onnx_lengths.py [data/golden]

Needs numpy, pyarrow, torch, onnx, onnxruntime, scikit-learn, skl2onnx. What is expected is what
ONNX Runtime gives for each row alone."""

import json
import pathlib
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
import skl2onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression
from torch import nn

warnings.filterwarnings("ignore")
ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "data/golden")
ROWS = 60
VERSIONS = (
    f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}, skl2onnx "
    f"{skl2onnx.__version__}, torch {torch.__version__.split('+')[0]}"
)
ORIGIN = (
    f"Made by `data/golden/onnx_lengths.py` with {VERSIONS}; the expected numbers are ONNX "
    "Runtime's for each row alone.\n"
)
random = np.random.default_rng(11)
torch.manual_seed(11)


class Tokens(nn.Module):
    """Tokens of any number, some of them hidden, through attention of two heads: a score for the
    row and one for each token."""

    def __init__(self):
        super().__init__()
        self.words, self.three, self.norm = (
            nn.Embedding(50, 16),
            nn.Linear(16, 48),
            nn.LayerNorm(16),
        )
        self.wide, self.row, self.token = (
            nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16)),
            nn.Linear(16, 1),
            nn.Linear(16, 1),
        )

    def forward(self, tokens, mask):
        words, (rows, count) = self.words(tokens), tokens.shape
        query, key, value = (
            part.reshape(rows, count, 2, 8).transpose(1, 2)
            for part in self.three(words).chunk(3, -1)
        )
        hidden = (mask == 0)[:, None, None, :]
        shares = torch.softmax(
            (query @ key.transpose(2, 3) / 8**0.5).masked_fill(hidden, float("-inf")), -1
        )
        states = self.norm(words + (shares @ value).transpose(1, 2).reshape(rows, count, 16))
        states = self.norm(states + self.wide(states))
        weights = mask.unsqueeze(-1).float()
        return self.row((states * weights).sum(1) / weights.sum(1)), self.token(states).squeeze(-1)


def keep(name, model, columns, expected, tolerance, arguments):
    folder = ROOT / name
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(model)
    pq.write_table(pa.table(columns), folder / "input.parquet")
    pq.write_table(pa.table(expected), folder / "expected.parquet")
    (folder / "ORIGIN.md").write_text(ORIGIN)
    (folder / "case.json").write_text(
        json.dumps({"model": "model.onnx", "tolerance": tolerance, "arguments": arguments}) + "\n"
    )


def alone(model, rows):
    """For each row, what the graph gives for a batch of it."""
    session = onnxruntime.InferenceSession(model)
    return [session.run(None, {name: values[None] for name, values in row.items()}) for row in rows]


def lengths():
    path = ROOT / "lengths.onnx"
    rows = []
    for _ in range(ROWS):
        count = int(random.integers(1, 9))
        mask = np.ones(count, np.int64)
        mask[count - int(random.integers(0, (count + 1) // 2)) :] = 0
        rows.append({"tokens": random.integers(0, 50, count), "mask": mask})
    axes = {
        "tokens": {0: "rows", 1: "tokens"},
        "mask": {0: "rows", 1: "tokens"},
        "score": {0: "rows"},
        "scores": {0: "rows", 1: "tokens"},
    }
    given = tuple(torch.tensor(values)[None] for values in rows[5].values())
    torch.onnx.export(
        Tokens().eval(),
        given,
        str(path),
        input_names=["tokens", "mask"],
        output_names=["score", "scores"],
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )
    model = path.read_bytes()
    path.unlink()
    answers = alone(model, rows)
    columns = {
        name: pa.array([row[name].tolist() for row in rows], pa.list_(pa.int64()))
        for name in ("tokens", "mask")
    }
    scores = pa.array([answer[1][0].tolist() for answer in answers], pa.large_list(pa.float32()))
    keep(
        "onnx_lengths",
        model,
        columns,
        {"score": pa.array([answer[0][0, 0] for answer in answers]), "scores": scores},
        1e-5,
        [],
    )


def lengths_open():
    """skl2onnx with the number of columns left open, as `FloatTensorType([None, None])` does."""
    values = random.normal(size=(ROWS, 4)).astype(np.float32)
    fitted = LogisticRegression().fit(values, values.sum(1) > 0.3)
    model = skl2onnx.to_onnx(
        fitted, initial_types=[("X", FloatTensorType([None, None]))], options={"zipmap": False}
    ).SerializeToString()
    columns = {name: values[:, place] for place, name in enumerate("abcd")}
    answers = alone(model, [{"X": row} for row in values])
    expected = {
        "prediction": [int(label[0]) for label, _ in answers],
        "probability": pa.array([scores[0, 1] for _, scores in answers]),
    }
    keep("onnx_lengths_open", model, columns, expected, 1e-6, ["--features", "a,b,c,d"])


def mixing():
    """Values less the mean of their column in the batch, as a network gives that was exported while
    it trained."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["x", "mean"], ["less"]),
    ]
    nodes.append(helper.make_node("Add", ["less", "x"], ["y"]))
    port = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 3])
    graph = helper.make_graph(nodes, "mixing", [port("x")], [port("y")])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    values = random.normal(size=(ROWS, 3)).astype(np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), 3)
    answers = np.concatenate([answer[0] for answer in alone(model, [{"x": row} for row in values])])
    keep(
        "onnx_mixing",
        model,
        {"x": vectors},
        {"y": pa.FixedSizeListArray.from_arrays(pa.array(answers.reshape(-1)), 3)},
        1e-6,
        [],
    )


def tagger():
    """torch's `GRU(2, 4, batch_first=True, bidirectional=True)` and a linear layer for every step:
    the states of both directions are joined by a reshape."""
    real = lambda *shape: random.normal(size=shape).astype(np.float32)
    weights = {
        "W": real(2, 12, 2),
        "R": real(2, 12, 4),
        "joined": np.array([0, 0, -1]),
        "weight": real(8, 1),
    }
    node = helper.make_node
    nodes = [
        node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]),
        node("GRU", ["steps", "W", "R"], ["Y"], hidden_size=4, direction="bidirectional"),
        node("Transpose", ["Y"], ["states"], perm=[0, 2, 1, 3]),
        node("Reshape", ["states", "joined"], ["pairs"]),
        node("Transpose", ["pairs"], ["rows"], perm=[1, 0, 2]),
        node("MatMul", ["rows", "weight"], ["y"]),
    ]
    port = lambda name, width: helper.make_tensor_value_info(
        name, TensorProto.FLOAT, ["rows", "time", width]
    )
    graph = helper.make_graph(
        nodes,
        "tagger",
        [port("x", 2)],
        [port("y", 1)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    rows = [real(1 + row % 5, 2) for row in range(ROWS)]
    session = onnxruntime.InferenceSession(model)
    answers = [session.run(None, {"x": row[None]})[0].reshape(-1).tolist() for row in rows]
    lists = pa.array([row.tolist() for row in rows], pa.list_(pa.list_(pa.float32())))
    expected = {"y": pa.array(answers, pa.list_(pa.float32()))}
    keep("onnx_lengths_tagger", model, {"x": lists}, expected, 1e-5, [])


lengths()
lengths_open()
mixing()
tagger()
print(VERSIONS)
