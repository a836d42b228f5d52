"""Make graphs of a few hundred bytes that ask for gigabytes, one for each kind of operator whose
result a file may make as large as it likes.

usage: greedy.py          (writes next to itself; onnx 1.19; deterministic)
"""

import pathlib
import numpy as np
from onnx import TensorProto as T, helper as h, numpy_helper as nh

here = pathlib.Path(__file__).parent
N = h.make_node
V = h.make_tensor_value_info


def const(name, value, dtype=np.int64):
    return nh.from_array(np.array(value, dtype=dtype), name)


def save(name, nodes, constants=(), opset=18):
    """A graph that reads `x` (rows x 2) and gives `y`; the last node's result `z` is summed over
    all axes but the first."""
    graph = h.make_graph(
        nodes, "g", [V("x", T.FLOAT, [None, 2])], [V("y", T.FLOAT, [None, 1])], list(constants)
    )
    model = h.make_model(
        graph, opset_imports=[h.make_opsetid("", opset), h.make_opsetid("ai.onnx.ml", 3)]
    )
    model.ir_version = 9
    entry = model.metadata_props.add()
    entry.key, entry.value = "feature_names", '["a","b"]'
    (here / f"{name}.onnx").write_bytes(model.SerializeToString())


# z is rows x n: its mean is the answer.
MEAN = [N("ReduceMean", ["z", "ax"], ["y"], keepdims=1)]
AX = const("ax", [1])
FLAT = [N("Flatten", ["big"], ["z"])] + MEAN
# big does not depend on the rows: its greatest number is added to each.
ADD = [N("ReduceMax", ["big"], ["m"], keepdims=0), N("Add", ["x", "m"], ["z"])] + MEAN
TIMES = 1 << 27

body = h.make_graph(
    [N("Identity", ["cond"], ["co"]), N("Concat", ["v", "v"], ["vo"], axis=1)],
    "b",
    [V("i", T.INT64, []), V("cond", T.BOOL, []), V("v", T.FLOAT, None)],
    [V("co", T.BOOL, []), V("vo", T.FLOAT, None)],
)
save(
    "loop_concat",
    [N("Loop", ["n", "t", "x"], ["z"], body=body)] + MEAN,
    [const("n", 60), const("t", True, np.bool_), AX],
)
keep = h.make_graph(
    [
        N("Identity", ["cond"], ["co"]),
        N("Expand", ["x", "s"], ["e"]),
        N("SequenceInsert", ["q", "e"], ["qo"]),
    ],
    "b",
    [
        V("i", T.INT64, []),
        V("cond", T.BOOL, []),
        h.make_tensor_sequence_value_info("q", T.FLOAT, None),
    ],
    [V("co", T.BOOL, []), h.make_tensor_sequence_value_info("qo", T.FLOAT, None)],
)
save(
    "loop_sequence",
    [
        N("SequenceEmpty", [], ["q0"]),
        N("Loop", ["n", "t", "q0"], ["q"], body=keep),
        N("ConcatFromSequence", ["q"], ["big"], axis=0),
    ]
    + ADD,
    [const("n", 3000), const("t", True, np.bool_), const("s", [1 << 21, 1, 1]), AX],
)
stack = h.make_graph(
    [N("Identity", ["cond"], ["co"]), N("Expand", ["x", "s"], ["e"])],
    "b",
    [V("i", T.INT64, []), V("cond", T.BOOL, [])],
    [V("co", T.BOOL, []), V("e", T.FLOAT, None)],
)
save(
    "loop_stack",
    [N("Loop", ["n", "t"], ["big"], body=stack)] + ADD,
    [const("n", 100), const("t", True, np.bool_), const("s", [1 << 22, 1, 1]), AX],
)
double = h.make_graph(
    [N("Identity", ["cond"], ["co"]), N("StringConcat", ["v", "v"], ["vo"])],
    "b",
    [V("i", T.INT64, []), V("cond", T.BOOL, []), V("v", T.STRING, None)],
    [V("co", T.BOOL, []), V("vo", T.STRING, None)],
)
save(
    "loop_text",
    [
        N("Cast", ["x"], ["s"], to=T.STRING),
        N("Loop", ["n", "t", "s"], ["r"], body=double),
        N("Equal", ["r", "s"], ["e"]),
        N("Cast", ["e"], ["z"], to=T.FLOAT),
    ]
    + MEAN,
    [const("n", 60), const("t", True, np.bool_), AX],
    20,
)
nodes, last = [], "x"
for i in range(50):
    nodes.append(N("Concat", [last, last], [f"k{i}" if i < 49 else "z"], axis=1))
    last = f"k{i}"
save("concat", nodes + MEAN, [AX])
nodes, last = [], "x"
for i in range(20):
    nodes += [
        N("ConstantOfShape", ["s"], [f"c{i}"]),
        N("ReduceMax", [f"c{i}"], [f"m{i}"], keepdims=0),
        N("Add", [last, f"m{i}"], ["z" if i == 19 else f"y{i}"]),
    ]
    last = f"y{i}"
save("constant_of_shape", nodes + MEAN, [const("s", [260_000_000]), AX])
nodes = (
    [N("ConstantOfShape", ["s"], [f"c{i}"]) for i in range(60)]
    + [N("Sum", [f"c{i}" for i in range(60)], ["big"])]
    + ADD
)
save("constants_at_once", nodes, [const("s", [4_000_000]), AX])
save(
    "expand",
    [N("Unsqueeze", ["x", "ax"], ["u"]), N("Expand", ["u", "s"], ["big"])] + FLAT,
    [const("s", [1, TIMES // 2, 1]), AX],
)
save("tile", [N("Tile", ["x", "s"], ["z"])] + MEAN, [const("s", [1, TIMES // 2]), AX])
save("pad", [N("Pad", ["x", "s"], ["z"])] + MEAN, [const("s", [0, 0, 0, TIMES]), AX])
save(
    "range",
    [N("Range", ["zero", "n", "one"], ["big"])] + ADD,
    [const("zero", 0, np.float32), const("n", TIMES, np.float32), const("one", 1, np.float32), AX],
)
save(
    "range_of_rows",
    [
        N("ReduceMax", ["x"], ["m0"], keepdims=0),
        N("Mul", ["m0", "zero"], ["m1"]),
        N("Add", ["m1", "n"], ["n1"]),
        N("Range", ["zero", "n1", "one"], ["big"]),
    ]
    + ADD,
    [const("zero", 0, np.float32), const("n", TIMES, np.float32), const("one", 1, np.float32), AX],
)
save(
    "resize",
    [N("Unsqueeze", ["x", "ax"], ["u"]), N("Resize", ["u", "", "", "s"], ["big"], mode="linear")]
    + FLAT,
    [const("s", [1, 1, TIMES // 2]), AX],
)
save(
    "one_hot",
    [N("Cast", ["x"], ["i"], to=T.INT64), N("OneHot", ["i", "n", "v"], ["big"])] + FLAT,
    [const("n", TIMES), const("v", [0, 1], np.float32), AX],
)
save(
    "outer_sum",
    [
        N("Slice", ["x", "zero", "onev", "ax"], ["c"]),
        N("Range", ["z0", "n", "o"], ["r"]),
        N("Add", ["c", "r"], ["z"]),
    ]
    + MEAN,
    [
        const("zero", [0]),
        const("onev", [1]),
        const("z0", 0, np.float32),
        const("n", 30_000_000, np.float32),
        const("o", 1, np.float32),
        AX,
    ],
)
save(
    "outer_product",
    [
        N("Slice", ["x", "zero", "onev", "ax"], ["c"]),
        N("Expand", ["c", "s"], ["r"]),
        N("Unsqueeze", ["r", "ax"], ["a"]),
        N("Unsqueeze", ["r", "two"], ["b"]),
        N("MatMul", ["b", "a"], ["big"]),
    ]
    + FLAT,
    [const("zero", [0]), const("onev", [1]), const("s", [1, 12_000]), const("two", [2]), AX],
)
save(
    "gather",
    [
        N("ConstantOfShape", ["s"], ["i0"], value=h.make_tensor("v", T.INT64, [1], [1])),
        N("Gather", ["x", "i0"], ["z"], axis=1),
    ]
    + MEAN,
    [const("s", [TIMES // 2]), AX],
)
save(
    "einsum",
    [N("Range", ["z0", "n", "o"], ["q"]), N("Einsum", ["x", "q"], ["big"], equation="ri,j->rij")]
    + FLAT,
    [const("z0", 0, np.float32), const("n", 30_000_000, np.float32), const("o", 1, np.float32), AX],
)
save(
    "conv_transpose",
    [
        N("Unsqueeze", ["x", "ax"], ["u"]),
        N("ConvTranspose", ["u", "w"], ["big"], strides=[TIMES // 2]),
    ]
    + FLAT,
    [const("w", [[[1.0]]], np.float32), AX],
)
save("window", [N("HannWindow", ["n"], ["big"])] + ADD, [const("n", TIMES), AX])
save(
    "mel",
    [N("MelWeightMatrix", ["bins", "dft", "rate", "low", "high"], ["big"])] + ADD,
    [
        const("bins", 20_000),
        const("dft", 20_000),
        const("rate", 44_000),
        const("low", 0.0, np.float32),
        const("high", 20_000.0, np.float32),
        AX,
    ],
)
save(
    "where",
    [
        N("Greater", ["x", "zero"], ["c0"]),
        N("Slice", ["c0", "z1", "onev", "ax"], ["c"]),
        N("ConstantOfShape", ["s"], ["r"]),
        N("Where", ["c", "r", "zero"], ["z"]),
    ]
    + MEAN,
    [
        const("zero", 0, np.float32),
        const("z1", [0]),
        const("onev", [1]),
        const("s", [30_000_000]),
        AX,
    ],
)
save(
    "cast_text",
    [
        N("Tile", ["x", "s"], ["e"]),
        N("Cast", ["e"], ["t"], to=T.STRING),
        N("Equal", ["t", "t"], ["q"]),
        N("Cast", ["q"], ["z"], to=T.FLOAT),
    ]
    + MEAN,
    [const("s", [1, 3_000_000]), AX],
    20,
)
save(
    "non_zero",
    [
        N("Tile", ["x", "s"], ["e"]),
        N("Reshape", ["e", "to"], ["r"]),
        N("NonZero", ["r"], ["nz"]),
        N("Cast", ["nz"], ["big"], to=T.FLOAT),
    ]
    + ADD,
    [const("s", [1, 3_000_000]), const("to", [0] + [-1] + [1] * 20), AX],
)
save(
    "sequence_split",
    [
        N("Tile", ["x", "s"], ["e"]),
        N("SplitToSequence", ["e"], ["q"], axis=1),
        N("ConcatFromSequence", ["q"], ["z"], axis=1),
    ]
    + MEAN,
    [const("s", [1, 3_000_000]), AX],
)
save(
    "trilu",
    [N("Tile", ["x", "s"], ["e"]), N("Unsqueeze", ["e", "ax"], ["u"]), N("Trilu", ["u"], ["big"])]
    + FLAT,
    [const("s", [1, 30_000_000]), AX],
)
