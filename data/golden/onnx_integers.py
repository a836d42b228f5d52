"""Numbers that leave their integer type, and what ONNX Runtime 1.32 makes of them on x86-64:
`data/golden/onnx_integers/test_<operator>`, a node for each element type that it takes.

The layout is that of the ONNX project's node tests, so that `tests/it/onnx_nodes.rs` runs them.
Exponents of one element are part of the model, as ONNX Runtime multiplies for those of 2 and 3.
Left out is what differs between a scalar and a vector of the processor (float to `uint32` beyond
its range), and what was tried and agrees: sums, products, quotients and remainders of all pairs of
corners, absolute values, signs, casts between integers, products of matrices, shifts."""

import pathlib, shutil

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T, helper as h, numpy_helper as nh

HERE = pathlib.Path(__file__).parent / "onnx_integers"
INTEGERS = [np.dtype(f"{sign}{bits}") for sign in ("int", "uint") for bits in (8, 16, 32, 64)]
REALS = [np.dtype("float32"), np.dtype("float64"), np.dtype("float16")]
ort.set_default_logger_severity(4)


def session(nodes, values, outputs, constants):
    graph = h.make_graph(
        nodes,
        "integers",
        [
            h.make_tensor_value_info(name, h.np_dtype_to_tensor_dtype(value.dtype), value.shape)
            for name, value in values
            if name not in constants
        ],
        [h.make_empty_tensor_value_info(name) for name in outputs],
        [nh.from_array(value, name) for name, value in values if name in constants],
    )
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=9)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return model, ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def case(name, calls):
    """`calls`: (operator, inputs, attributes); those that ONNX Runtime refuses are left out."""
    nodes, values, results, constants = [], [], [], set()
    for operator, inputs, attributes in calls:
        names = [f"i{len(values) + place}" for place in range(len(inputs))]
        own = list(zip(names, inputs))
        fixed = {names[1]} if operator == "Pow" and inputs[1].size == 1 else set()
        output = f"o{len(nodes)}"
        node = h.make_node(operator, names, [output], **attributes)
        fed = {key: value for key, value in own if key not in fixed}
        try:
            results.append(session([node], own, [output], fixed)[1].run(None, fed)[0])
        except Exception:
            continue
        nodes.append(node)
        values += own
        constants |= fixed
    if not nodes:
        print(name, "is refused")
        return
    folder = HERE / f"test_{name}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "test_data_set_0").mkdir(parents=True)
    outputs = [f"o{place}" for place in range(len(nodes))]
    model, whole = session(nodes, values, outputs, constants)
    inputs = [pair for pair in values if pair[0] not in constants]
    for one, other in zip(results, whole.run(None, dict(inputs))):
        np.testing.assert_array_equal(one, other)
    onnx.save(model, folder / "model.onnx")
    for kind, arrays in (("input", [value for _, value in inputs]), ("output", results)):
        for place, value in enumerate(arrays):
            path = folder / "test_data_set_0" / f"{kind}_{place}.pb"
            path.write_bytes(nh.from_array(np.asarray(value)).SerializeToString())
    print(name, [str(value.dtype) for value in results])


def corners(dtype):
    """Numbers at the ends of a type and around zero."""
    info = np.iinfo(dtype)
    root = 1 << (info.bits // 2)
    found = {info.min, info.min + 1, info.max // 2 + 1, info.max - 1, info.max}
    found |= {-root - 1, -root, -7, -3, -2, -1, 0, 1, 2, 3, 10, root - 1, root, root + 1}
    return np.array(sorted(v for v in found if info.min <= v <= info.max), dtype)


# Powers, of tensors and with an exponent or a base of one element.
powers = []
for base in (np.dtype("int32"), np.dtype("int64")):
    info = np.iinfo(base)
    bases = np.array([*corners(base)[::2], 46341, 55109, min(info.max, 3037000500)], base)
    for exponent in (np.dtype("int32"), np.dtype("int64"), *REALS[:2]):
        exponents = [0, 1, 2, 3, 5, -1, -2, 31, 32, 63, 64, 2**31 - 1, -(2**31)]
        if exponent.kind == "f":
            exponents += [0.5, 1.5, -0.5, np.inf, -np.inf, np.nan, 2.0**31, 2.0**40]
        elif exponent.itemsize == 8:
            exponents += [2**32, 2**32 + 2, 2**62]
        exponents = np.array(exponents, exponent)
        powers.append(("Pow", [bases[:, None], exponents[None, :]], {}))
        if exponent.name in ("int64", "float32"):
            powers += [("Pow", [bases, np.array(one, exponent)], {}) for one in (2, 3, -1)]
            powers.append(("Pow", [bases, np.array([2], exponent)], {}))
            powers.append(("Pow", [np.array(3, base), exponents], {}))
case("pow", powers)
real_bases = [0.0, -0.0, 1.1, -1.1, 3.3333333, 0.1, 1e-30, 7e18, -2.5, np.inf, -np.inf, np.nan]
case(
    "pow_of_reals",
    [
        ("Pow", [np.array(real_bases, base)[:, None], np.array(own, exponent)[None, :]], {})
        for base in REALS[:2]
        for exponent, own in (
            ("int32", [0, 1, 2, 3, -1, -2, 7]),
            ("int64", [0, 2, 3, -3, 2**53 + 1, 2**24 + 1]),
            ("float32", [0, 0.1, 2, 3, 0.5, -0.5]),
            ("float64", [0, 0.1, 2, 3, 0.5, 1 / 3, 2**24 + 1]),
        )
    ],
)

# Along an axis.
for operator in (
    "ReduceSum", "ReduceMean", "ReduceProd", "ReduceL1", "ReduceL2",
    "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp",
):  # fmt: skip
    calls = []
    for dtype in INTEGERS:
        info, own = np.iinfo(dtype), corners(dtype)
        rows = [own[-4:], own[:4], own[::-3][:4], np.array([2, 3, 10, 1], dtype)]
        rows.append(np.array([info.max, 1, 0, 0], dtype))
        rows.append(np.array([info.max, info.max, info.max, 3], dtype))
        if info.min < 0:
            rows.append(np.array([info.min, -1, -1, 1], dtype))
        if operator.startswith("ReduceLog"):
            rows = [np.array([1, 2, 3, 10], dtype), np.array([7, 1, 1, 1], dtype)]
        axes = np.array([1], np.int64)
        calls.append((operator, [np.stack(rows), axes], {"keepdims": 0}))
    case(operator.lower(), calls)
# Casts from reals.
beyond = [0.0, -0.0, 0.5, -0.99, 1.5, -1.5, 127.5, 128, 129, -128.9, -129, 255.9, 256, 257, 300]
beyond += [-300, 32767.9, 32768, -32769, 65535.9, 65536, 65537, 70000, -70000]
beyond += [2.0**31 - 1, 2.0**31, 2.0**31 + 256, -(2.0**31), -(2.0**31) - 256, 2.0**32 - 1]
beyond += [2.0**32, 2.0**32 + 512, 2.0**53, 2.0**62, 2.0**63 - 1024, 2.0**63, 2.0**63 + 4096]
beyond += [1.8e19, 2.0**64, 1e30, -(2.0**63), -(2.0**63) - 4096, -1e30, np.inf, -np.inf, np.nan]
with np.errstate(over="ignore"):
    sources = [np.array(beyond, dtype) for dtype in REALS]
for target in (*INTEGERS, np.dtype("bool")):
    own = [
        value[(value > -1) & (value < 2.0**32)] if target.name == "uint32" else value
        for value in sources
    ]
    to = h.np_dtype_to_tensor_dtype(target)
    case(f"cast_reals_to_{target.name}", [("Cast", [value], {"to": to}) for value in own])
numbers = np.array([1 + 2**-11 + 2**-40, 65519.99, 65520, 1e-8, 3e-8, 1 + 2**-24, 1e300, 6e-5])
case(
    "cast_reals",
    [
        ("Cast", [numbers.astype(source)], {"to": h.np_dtype_to_tensor_dtype(target)})
        for source in REALS[:2]
        for target in REALS
    ],
)
