"""Make the hostile files: broken, mislabelled and malicious models and tables, each small, each
with one message in tests/it/hostile.rs.

usage: hostile.py          (writes beside itself; xgboost 3.2.0, pyarrow 25.0.1; deterministic)
"""

import copy, io, json, pathlib, pickle, zipfile, zlib
import numpy as np, pyarrow as pa, pyarrow.parquet as pq, xgboost as xgb
from onnx import TensorProto, helper

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(1)
x = rng.random((200, 2)).astype(np.float32)
booster = xgb.train(
    {"objective": "binary:logistic", "max_depth": 2, "nthread": 1},
    xgb.DMatrix(x, (x[:, 0] > x[:, 1]).astype(int), feature_names=["a", "b"]),
    2,
)
booster.save_model(here / "good.json")
good = json.loads((here / "good.json").read_text())
tree = lambda model: model["learner"]["gradient_booster"]["model"]["trees"][1]


def model(name, change):
    broken = copy.deepcopy(good)
    change(broken)
    (here / name).write_text(json.dumps(broken))


model("cycle.json", lambda m: tree(m)["left_children"].__setitem__(1, 0))
model("child_out_of_range.json", lambda m: tree(m)["right_children"].__setitem__(0, 99))
model("feature_out_of_range.json", lambda m: tree(m)["split_indices"].__setitem__(0, 7))
model("short_array.json", lambda m: tree(m)["split_conditions"].pop())
model("absurd_count.json", lambda m: tree(m)["tree_param"].__setitem__("num_nodes", "4000000000"))
model(
    "unknown_objective.json",
    lambda m: m["learner"]["objective"].__setitem__("name", "binary:astrology"),
)
model("nan_threshold.json", lambda m: tree(m)["split_conditions"].__setitem__(0, float("nan")))
(here / "truncated.json").write_bytes((here / "good.json").read_bytes()[:1500])
(here / "not_a_model.json").write_text('{"hello": "world"}')
(here / "empty.model").write_bytes(b"")
(here / "pickled.pkl").write_bytes(pickle.dumps({"model": [1, 2, 3]}, protocol=4))
# What `pickle.dumps` makes of an object whose `__reduce__` gives `os.system`.
(here / "os_system.pkl").write_bytes(b"\x80\x04cos\nsystem\nX\x08\x00\x00\x00echo run\x85R.")
# `by_value.pkl` is cloudpickle's, of a script with `class Scale(StandardScaler): pass`:
# cloudpickle.dumps(Scale().fit(numpy.eye(2)), protocol=2)
# `methods_by_value.pkl` is cloudpickle's, of a script with `class Scale(BaseEstimator)` whose `fit`
# and `transform` are its own: cloudpickle.dumps(make_pipeline(Scale(), Ridge()).fit(…), protocol=4)
# `calls_in_pipeline.pkl` is a fitted make_pipeline(StandardScaler(), Ridge()) with an attribute
# whose `__reduce__` gives `os.system`.
whole = (here.parent / "golden/pickles/forest_p4_1_9_1").read_bytes()
(here / "cut.pkl").write_bytes(whole[:1000])
(here / "bomb.joblib").write_bytes(zlib.compress(zlib.compress(bytes(100_000))))


def archive(name, members):
    """Made by hand in the form that the library writes, as far as its kind is told by it: members
    and their first bytes."""
    with zipfile.ZipFile(here / name, "w", zipfile.ZIP_STORED) as file:
        for member, content in members.items():
            file.writestr(zipfile.ZipInfo(member), content)


archive(
    "checkpoint.pt",
    {
        "model/data.pkl": b"\x80\x02}q\x00.",
        "model/byteorder": b"little",
        "model/data/0": bytes(16),
        "model/version": b"3\n",
    },
)
archive(
    "script.pt",
    {
        "model/data.pkl": b"\x80\x02.",
        "model/code/__torch__.py": b"class Net(Module):\n",
        "model/constants.pkl": b"\x80\x02).",
        "model/version": b"3\n",
    },
)
# `scripted.pt` is one of PyTorch 2.15's own, whose directory has records of 64 bits:
# torch.jit.script(torch.nn.Sequential(torch.nn.Linear(4, 2)).eval()).save("scripted.pt")
archive(
    "pipeline.skops",
    {
        "schema.json": json.dumps(
            {
                "__class__": "LogisticRegression",
                "__module__": "sklearn.linear_model",
                "__loader__": "ObjectNode",
                "protocol": 2,
            }
        ),
        "1.npy": b"\x93NUMPY",
    },
)
archive(
    "network.keras",
    {
        "metadata.json": b"{}",
        "config.json": b'{"class_name": "Sequential"}',
        "model.weights.h5": b"\x89HDF\r\n\x1a\n",
    },
)
# SavedModel: a schema version of 1, then a graph with its tag and signature.
field = lambda number, content: bytes([number << 3 | 2, len(content)]) + content
graph = field(1, field(4, b"serve")) + field(5, field(1, b"serving_default"))
(here / "saved_model.pb").write_bytes(b"\x08\x01" + field(2, graph))
booster.save_model(here / "good.ubj")
(here / "truncated.onnx").write_bytes(
    (here.parent / "golden/onnx_logistic_nameless/model.onnx").read_bytes()[:400]
)
# Two classes of one name: they would be one column.
number = [TensorProto.FLOAT, ["n", 1]]
nodes = [
    helper.make_node("Concat", ["a", "b"], ["x"], axis=1),
    helper.make_node(
        "LinearClassifier",
        ["x"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        coefficients=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
        intercepts=[0.0, 0.0, 0.0],
        classlabels_strings=["low", "low", "high"],
        post_transform="SOFTMAX",
    ),
]
graph = helper.make_graph(
    nodes,
    "classes",
    [helper.make_tensor_value_info(name, *number) for name in "ab"],
    [
        helper.make_tensor_value_info("label", TensorProto.STRING, ["n"]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 3]),
    ],
)
operators = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 3)]
model = helper.make_model(graph, opset_imports=operators)
(here / "classes_of_one_name.onnx").write_bytes(model.SerializeToString())
(here / "truncated.ubj").write_bytes((here / "good.ubj").read_bytes()[:900])
(here / "good.ubj").unlink()

table = pa.table({"id": pa.array(range(50)), "a": x[:50, 0], "b": x[:50, 1]})
pq.write_table(table, here / "good.parquet")
data = (here / "good.parquet").read_bytes()
(here / "cut_in_half.parquet").write_bytes(data[: len(data) // 2])
(here / "no_footer.parquet").write_bytes(data[:-8])
(here / "footer_too_long.parquet").write_bytes(
    data[:-8] + (1 << 30).to_bytes(4, "little") + b"PAR1"
)
spoiled = bytearray(data)
spoiled[60:90] = bytes(30)
(here / "spoiled_page.parquet").write_bytes(spoiled)
# In the page header of column `a`, a field that readers pass over: a list of 2147483647 doubles, of
# which the file holds some hundred.
endless = bytearray(data)
start = pq.ParquetFile(here / "good.parquet").metadata.row_group(0).column(1)
start = start.dictionary_page_offset or start.data_page_offset
endless[start : start + 7] = b"\xf9\xf7\xff\xff\xff\xff\x07"
(here / "endless_header.parquet").write_bytes(endless)
# A list of 2147483647 truth values, of which none is there: in the same page header, and, two
# hundred times, in fields behind those of the footer.
truths = b"\xf9\xf1\xff\xff\xff\xff\x07"
endless[start : start + 7] = truths
(here / "header_of_truths.parquet").write_bytes(endless)
footer_length = int.from_bytes(data[-8:-4], "little")
body, footer = data[: -8 - footer_length], data[-8 - footer_length : -8]


def with_footer(name, footer):
    (here / name).write_bytes(body + footer + len(footer).to_bytes(4, "little") + b"PAR1")


with_footer("footer_of_truths.parquet", footer[:-1] + truths * 200 + b"\x00")
# Schemas: a root of 2147483647 children, and a thousand groups in each other. Fields: version;
# elements (repetition, name, children); the rest.
element = lambda children: b"\x35\x00\x18\x01g\x15" + children + b"\x00"
with_footer(
    "many_children.parquet",
    b"\x15\x02\x19\x2c"
    + element(b"\xfe\xff\xff\xff\x0f")
    + b"\x15\x02\x25\x00\x18\x01a\x00"
    + b"\x16\x00\x19\x0c\x00",
)
groups = element(b"\x02") * 1000 + b"\x15\x02\x25\x00\x18\x01a\x00"
with_footer(
    "deep_schema.parquet", b"\x15\x02\x19\xfc" + b"\xe9\x07" + groups + b"\x16\x00\x19\x0c\x00"
)
(here / "parquet_named.csv").write_bytes(data)
(here / "empty.parquet").write_bytes(b"")
pq.write_table(
    table.set_column(1, "a", pa.array([str(v) for v in x[:50, 0]])), here / "text_column.parquet"
)
pq.write_table(
    table.drop_columns(["b"]).append_column("B", pa.array(x[:50, 1])), here / "other_case.parquet"
)
(here / "ragged.csv").write_text("id,a,b\n1,0.5,0.5\n2,0.5\n")
(here / "latin1.csv").write_bytes("id,a,b\nM\u00fcller,0.5,0.5\n".encode("latin-1"))
(here / "unclosed_quote.csv").write_text('id,a,b\n1,0.5,0.5\n"2,0.5,0.5\n')
(here / "doubled_name.csv").write_text("id,a,b,a\n1,0.5,0.5,0.6\n")
(here / "words.csv").write_text("id,a,b\n1,0.5,0.5\n2,much,0.5\n")
(here / "blank_first_line.csv").write_text("\nid,a,b\n1,0.5,0.5\n")
(here / "csv_named.parquet").write_text("id,a,b\n1,0.5,0.5\n")
