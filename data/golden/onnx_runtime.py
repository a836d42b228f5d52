"""Nodes of ONNX Runtime's own domain, and what ONNX Runtime 1.31 makes of them:
`data/golden/onnx_runtime/test_<case>`.

The layout is that of the ONNX project's node tests, so that `tests/it/onnx_nodes.rs` runs both. One
node each, small random inputs."""

import pathlib, shutil, sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T, helper as h, numpy_helper as nh

HERE = pathlib.Path(__file__).parent / "onnx_runtime"
R = np.random.default_rng(7)
MS = "com.microsoft"


def real(*shape, scale=1.0):
    return (R.standard_normal(shape) * scale).astype(np.float32)


def u8(*shape):
    return R.integers(0, 256, shape).astype(np.uint8)


def i8(*shape):
    return R.integers(-128, 128, shape).astype(np.int8)


def case(name, operator, inputs, outputs=1, constants=(), domain=MS, wanted=None, **attributes):
    """`inputs`: arrays or None for one that is left out; `constants`: the places of those that are
    part of the model."""
    folder = HERE / f"test_{name}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "test_data_set_0").mkdir(parents=True)
    names = [f"i{place}" if value is not None else "" for place, value in enumerate(inputs)]
    kept = [
        (n, v)
        for p, (n, v) in enumerate(zip(names, inputs))
        if v is not None and p not in constants
    ]
    out = [f"o{place}" if wanted is None or place in wanted else "" for place in range(outputs)]
    node = h.make_node(operator, names, out, domain=domain, **attributes)
    graph = h.make_graph(
        [node],
        name,
        [
            h.make_tensor_value_info(n, h.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for n, v in kept
        ],
        [h.make_empty_tensor_value_info(o) for o in out if o],
        [nh.from_array(inputs[p], names[p]) for p in constants],
    )
    model = h.make_model(
        graph, opset_imports=[h.make_opsetid("", 17), h.make_opsetid(MS, 1)], ir_version=8
    )
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    results = session.run(None, dict(kept))
    onnx.save(model, folder / "model.onnx")
    for place, (_, value) in enumerate(kept):
        (folder / "test_data_set_0" / f"input_{place}.pb").write_bytes(
            nh.from_array(value).SerializeToString()
        )
    for place, value in enumerate(results):
        (folder / "test_data_set_0" / f"output_{place}.pb").write_bytes(
            nh.from_array(np.asarray(value)).SerializeToString()
        )


F = np.float32
x = real(2, 5, 8)
case("gelu", "Gelu", [x])
case("bias_gelu", "BiasGelu", [x, real(8)])
case("fast_gelu", "FastGelu", [x])
case("fast_gelu_bias", "FastGelu", [x, real(8)])
case("quick_gelu", "QuickGelu", [x])
case("quick_gelu_alpha", "QuickGelu", [x], alpha=0.7)
for name, extra in (
    ("relu", {}),
    ("tanh", {}),
    ("leaky_relu", {"activation_alpha": 0.3}),
    ("hard_sigmoid", {"activation_alpha": 0.3, "activation_beta": 0.4}),
):
    activation = "".join(word.capitalize() for word in name.split("_"))
    case(
        f"fused_gemm_{name}",
        "FusedGemm",
        [real(4, 6), real(3, 6), real(3)],
        activation=activation,
        transB=1,
        alpha=0.5,
        beta=2.0,
        **extra,
    )
case(
    "fused_conv_relu",
    "FusedConv",
    [real(2, 3, 6, 6), real(4, 3, 3, 3), real(4)],
    activation="Relu",
    pads=[1, 1, 1, 1],
)
case(
    "fused_conv_clip",
    "FusedConv",
    [real(2, 3, 6), real(4, 3, 3), real(4)],
    activation="Clip",
    activation_params=[-0.5, 0.75],
)
case(
    "fused_conv_sum",
    "FusedConv",
    [real(2, 3, 6, 6), real(4, 3, 3, 3), real(4), real(2, 4, 4, 4)],
    activation="LeakyRelu",
    activation_params=[0.1],
)
case("fused_matmul", "FusedMatMul", [real(2, 3, 4, 5), real(2, 3, 6, 5)], transB=1, alpha=0.25)
case("fused_matmul_left", "FusedMatMul", [real(2, 5, 4), real(5, 6)], transA=1, alpha=2.0)
case("transpose_matmul", "TransposeMatMul", [real(3, 4), real(6, 4)], transB=1)
h8 = (real(8), real(8))
case("skip_norm", "SkipLayerNormalization", [x, real(2, 5, 8), *h8], epsilon=1e-5)
case(
    "skip_norm_bias",
    "SkipLayerNormalization",
    [x, real(2, 5, 8), *h8, real(8)],
    outputs=4,
    wanted=[0, 3],
    epsilon=1e-5,
)
case("skip_norm_plain", "SkipLayerNormalization", [x, real(2, 5, 8), h8[0]])
case(
    "skip_simplified_norm",
    "SkipSimplifiedLayerNormalization",
    [x, real(2, 5, 8), h8[0]],
    epsilon=1e-6,
)
case(
    "skip_simplified_norm_bias",
    "SkipSimplifiedLayerNormalization",
    [x, real(2, 5, 8), h8[0], real(8)],
    outputs=4,
    wanted=[0, 3],
    epsilon=1e-6,
)
case(
    "simplified_norm", "SimplifiedLayerNormalization", [x, h8[0]], domain="", axis=-1, epsilon=1e-6
)
ids = R.integers(0, 20, (3, 5)).astype(np.int32)
segments = R.integers(0, 2, (3, 5)).astype(np.int32)
mask = np.array([[1] * n + [0] * (5 - n) for n in (5, 3, 1)], np.int32)
tables = (real(20, 8), real(9, 8), real(2, 8))
case(
    "embed_norm",
    "EmbedLayerNormalization",
    [ids, segments, *tables, *h8, mask],
    outputs=3,
    constants=(2, 3, 4),
    mask_index_type=1,
)
case(
    "embed_norm_plain",
    "EmbedLayerNormalization",
    [ids, None, tables[0], tables[1], None, *h8],
    outputs=2,
    wanted=[0],
    constants=(2, 3),
    epsilon=1e-5,
)
case(
    "embed_norm_places",
    "EmbedLayerNormalization",
    [ids, segments, *tables, *h8, None, ids % 9],
    outputs=2,
    wanted=[0],
    constants=(2, 3, 4),
)

qkv = [x, real(8, 24, scale=0.5), real(24)]
case("attention", "Attention", qkv, constants=(1, 2), num_heads=2)
case(
    "attention_lengths",
    "Attention",
    [*qkv, np.array([5, 3], np.int32)],
    constants=(1, 2),
    num_heads=2,
)
case(
    "attention_ranges",
    "Attention",
    [*qkv, np.array([5, 3, 1, 0], np.int32)],
    constants=(1, 2),
    num_heads=2,
)
case("attention_mask", "Attention", [*qkv, mask[:2]], constants=(1, 2), num_heads=4)
case(
    "attention_mask_by_query",
    "Attention",
    [*qkv, R.integers(0, 2, (2, 5, 5)).astype(np.int32)],
    constants=(1, 2),
    num_heads=2,
    mask_filter_value=-50.0,
)
case("attention_causal", "Attention", qkv, constants=(1, 2), num_heads=2, unidirectional=1)
case(
    "attention_causal_mask",
    "Attention",
    [*qkv, mask[:2]],
    constants=(1, 2),
    num_heads=2,
    unidirectional=1,
)
case("attention_scale", "Attention", qkv, constants=(1, 2), num_heads=2, scale=0.2)
case(
    "attention_sizes",
    "Attention",
    [x, real(8, 28, scale=0.5), real(28)],
    constants=(1, 2),
    num_heads=2,
    qkv_hidden_sizes=[8, 8, 12],
)
case(
    "attention_bias",
    "Attention",
    [*qkv, None, None, real(2, 2, 5, 5)],
    constants=(1, 2),
    num_heads=2,
)
case(
    "attention_past",
    "Attention",
    [*qkv, None, real(2, 2, 2, 3, 4)],
    outputs=2,
    constants=(1, 2),
    num_heads=2,
    unidirectional=1,
)
q, k, v = real(2, 5, 8), real(2, 6, 8), real(2, 6, 8)
case("heads", "MultiHeadAttention", [q, k, v], num_heads=2)
case("heads_bias", "MultiHeadAttention", [q, k, v, real(24)], num_heads=2)
case(
    "heads_mask",
    "MultiHeadAttention",
    [q, k, v, None, np.array([[1] * 6, [1, 1, 0, 1, 0, 0]], np.int32)],
    num_heads=2,
)
case(
    "heads_lengths", "MultiHeadAttention", [q, k, v, None, np.array([6, 2], np.int32)], num_heads=2
)
case(
    "heads_attention_bias",
    "MultiHeadAttention",
    [q, k, v, None, None, real(1, 2, 5, 6)],
    num_heads=2,
)
case("heads_four_axes", "MultiHeadAttention", [q, real(2, 2, 6, 4), real(2, 2, 6, 4)], num_heads=2)
case(
    "heads_causal",
    "MultiHeadAttention",
    [x, real(2, 5, 8), real(2, 5, 8)],
    num_heads=2,
    unidirectional=1,
)
case(
    "heads_past",
    "MultiHeadAttention",
    [q, real(2, 5, 8), real(2, 5, 8), None, None, None, real(2, 2, 3, 4), real(2, 2, 3, 4)],
    outputs=3,
    num_heads=2,
)

s = lambda value: np.array(value, F)
z = lambda value: np.array(value, np.uint8)
zi = lambda value: np.array(value, np.int8)
case(
    "qlinear_add",
    "QLinearAdd",
    [u8(3, 40), s(0.02), z(120), u8(40), s(0.05), z(100), s(0.06), z(128)],
)
case(
    "qlinear_add_signed",
    "QLinearAdd",
    [i8(3, 40), s(0.02), zi(3), i8(3, 40), s(0.05), zi(-5), s(0.06), zi(1)],
)
case(
    "qlinear_mul",
    "QLinearMul",
    [u8(3, 40), s(0.02), z(120), u8(40), s(0.05), z(100), s(0.06), z(128)],
)
case(
    "qlinear_mul_signed",
    "QLinearMul",
    [i8(3, 40), s(0.02), zi(3), i8(3, 1), s(0.05), zi(-5), s(0.06), zi(1)],
)
case("qlinear_sigmoid", "QLinearSigmoid", [u8(64), s(0.05), z(120), s(1 / 256), z(0)])
case("qlinear_leaky_relu", "QLinearLeakyRelu", [i8(64), s(0.05), zi(3), s(0.04), zi(-1)], alpha=0.2)
case(
    "qlinear_softmax",
    "QLinearSoftmax",
    [u8(4, 10), s(0.03), z(120), s(1 / 256), z(0)],
    axis=-1,
    opset=13,
)
case(
    "qlinear_concat",
    "QLinearConcat",
    [s(0.05), z(110), u8(2, 3), s(0.02), z(120), u8(2, 4), s(0.07), z(90)],
    axis=1,
)
case(
    "qlinear_average_pool",
    "QLinearAveragePool",
    [u8(1, 3, 8, 8), s(0.02), z(120), s(0.018), z(128)],
    kernel_shape=[3, 3],
    strides=[2, 2],
    pads=[1, 1, 1, 1],
)
case(
    "qlinear_average_pool_pads",
    "QLinearAveragePool",
    [i8(1, 3, 8, 8), s(0.02), zi(3), s(0.018), zi(-7)],
    kernel_shape=[3, 3],
    pads=[1, 1, 1, 1],
    count_include_pad=1,
)
case(
    "qlinear_global_pool",
    "QLinearGlobalAveragePool",
    [u8(2, 3, 5, 5), s(0.02), z(120), s(0.004), z(128)],
)
case(
    "qlinear_where",
    "QLinearWhere",
    [
        R.integers(0, 2, (4, 6)).astype(bool),
        u8(4, 6),
        s(0.02),
        z(120),
        u8(6),
        s(0.05),
        z(100),
        s(0.04),
        z(128),
    ],
)
case(
    "qgemm",
    "QGemm",
    [
        u8(4, 6),
        s(0.02),
        z(120),
        i8(6, 3),
        s(0.01),
        zi(2),
        R.integers(-900, 900, 3).astype(np.int32),
        s(0.05),
        z(128),
    ],
    constants=(3, 4, 5, 6),
)
case(
    "qgemm_columns",
    "QGemm",
    [
        u8(4, 6),
        s(0.02),
        z(120),
        i8(3, 6),
        np.array([0.01, 0.02, 0.005], F),
        np.zeros(3, np.int8),
        None,
        s(0.05),
        z(128),
    ],
    constants=(3, 4, 5),
    transB=1,
)
case(
    "qgemm_real",
    "QGemm",
    [u8(4, 6), s(0.02), z(120), u8(6, 3), s(0.01), z(125)],
    constants=(3, 4, 5),
    alpha=1.0,
)
case(
    "qlinear_conv",
    "QLinearConv",
    [u8(1, 3, 6, 6), s(0.02), z(120), i8(4, 3, 3, 3), s(0.01), zi(0), s(0.05), z(128)],
    constants=(3, 4, 5),
)
case(
    "integer_to_float",
    "MatMulIntegerToFloat",
    [
        u8(4, 6),
        i8(6, 3),
        s(0.02),
        np.array([0.01, 0.02, 0.03], F),
        z(120),
        np.zeros(3, np.int8),
        real(3),
    ],
    constants=(1, 3, 5, 6),
)
case(
    "integer_to_float_plain",
    "MatMulIntegerToFloat",
    [u8(4, 6), u8(6, 3), s(0.02), s(0.01)],
    constants=(1, 3),
)
case(
    "dynamic_matmul",
    "DynamicQuantizeMatMul",
    [real(4, 6), i8(6, 3), s(0.02), zi(3), real(3)],
    constants=(1, 2, 3, 4),
)
case(
    "qattention",
    "QAttention",
    [u8(2, 5, 8), i8(8, 24), real(24), s(0.02), s(0.01), mask[:2], z(120), zi(0)],
    constants=(1, 2, 3, 4, 6, 7),
    num_heads=2,
)
case("quantize", "QuantizeLinear", [real(3, 4), s(0.02), z(100)])
case("dequantize", "DequantizeLinear", [u8(3, 4), s(0.02), z(100)])
for bits, rows, block in ((4, 32, 16), (4, 40, 32), (8, 32, 16)):
    blocks = -(-rows // block)
    blob = block * bits // 8
    packed = u8(6, blocks, blob)
    scales = (
        (real(6 * blocks, scale=0.05)).reshape(6, blocks)
        if bits == 4
        else real(6, blocks, scale=0.05)
    )
    case(
        f"nbits_{bits}_{rows}",
        "MatMulNBits",
        [real(3, rows), packed, scales.reshape(-1)],
        constants=(1, 2),
        K=rows,
        N=6,
        bits=bits,
        block_size=block,
    )
    zeros = u8(6 * -(-blocks * bits // 8))
    case(
        f"nbits_{bits}_{rows}_zeros",
        "MatMulNBits",
        [real(2, 3, rows), packed, scales.reshape(-1), zeros],
        constants=(1, 2, 3),
        K=rows,
        N=6,
        bits=bits,
        block_size=block,
    )
case(
    "embed_norm_unmasked",
    "EmbedLayerNormalization",
    [ids, None, tables[0], tables[1], None, *h8],
    outputs=2,
    constants=(2, 3),
)
for bits, rows, block in ((2, 64, 16), (2, 64, 32), (4, 40, 16), (4, 40, 32), (8, 100, 64)):
    blocks = -(-rows // block)
    left = real(4, rows)
    left[1, :block] = 0
    left[2] *= 1e3
    case(
        f"nbits_{bits}_{block}_bytes",
        "MatMulNBits",
        [left, u8(6, blocks, block * bits // 8), real(6 * blocks, scale=0.05)],
        constants=(1, 2),
        K=rows,
        N=6,
        bits=bits,
        block_size=block,
        accuracy_level=4,
    )
for name, scale in (("255", 1 / 255), ("100", 0.01), ("60", 0.0163)):
    case(
        f"qlinear_softmax_{name}",
        "QLinearSoftmax",
        [u8(40, 10), s(0.03), z(120), s(scale), z(3)],
        constants=(1, 2, 3, 4),
        axis=-1,
        opset=13,
    )
print(len(list(HERE.glob("test_*"))), "cases")
