"""The matrix of Keras networks, exported by tf2onnx in every operator set that it writes, scored by
tallow and ONNX Runtime.

    python data/golden/onnx_keras.py TALLOW_BINARY [--only NAME,...] [--folder FOLDER]

Needs numpy, pyarrow, tensorflow, tf2onnx, onnx, onnxruntime. Each network has random weights and is
scored on 50 rows; tallow must agree with ONNX Runtime to 1e-4, and with Keras itself to 1e-3
(relative, or absolute below 1)."""

import argparse
import collections
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
import tf2onnx

keras = tf.keras
layers = keras.layers
ROWS, TOLERANCE, KERAS_TOLERANCE = 50, 1e-4, 1e-3
OPERATOR_SETS = range(13, 19)


def functional(inputs, build):
    """A network of inputs by name: (shape, type)."""
    ports = {
        name: keras.Input(shape, dtype=kind, name=name) for name, (shape, kind) in inputs.items()
    }
    return keras.Model(list(ports.values()), build(**ports))


def dense(x):
    for width, curve in [(32, "relu"), (16, "tanh"), (16, "selu"), (8, "swish")]:
        x = layers.Dense(width, curve)(x)
    return layers.Dense(1, "sigmoid")(layers.BatchNormalization()(layers.Dropout(0.3)(x)))


def images(x):
    x = layers.MaxPooling2D()(layers.Conv2D(8, 3, padding="same", activation="relu")(x))
    x = layers.BatchNormalization()(layers.DepthwiseConv2D(3, strides=2, padding="same")(x))
    x = layers.ReLU(6.0)(layers.SeparableConv2D(12, 3)(x))
    return layers.Dense(4, "softmax")(layers.GlobalAveragePooling2D()(x))


def segments(x):
    y = layers.Conv2D(6, 3, strides=2, padding="same", activation="elu")(x)
    y = layers.Conv2DTranspose(6, 3, strides=2, padding="same")(y)
    y = layers.Concatenate()(
        [layers.UpSampling2D(2, interpolation="bilinear")(layers.AveragePooling2D(2)(x)), y]
    )
    return layers.GlobalMaxPooling2D()(layers.Conv2D(3, 1)(layers.UpSampling2D(2)(y)))


def residual(x):
    y = layers.LeakyReLU()(
        layers.LayerNormalization()(layers.Conv1D(8, 3, padding="causal", dilation_rate=2)(x))
    )
    return layers.Dense(2)(layers.Flatten()(layers.Add()([layers.Conv1D(8, 1)(x), y])))


def attention(tokens):
    x = layers.Embedding(40, 16)(tokens)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8)(x, x))
    return layers.Dense(1)(
        layers.GlobalAveragePooling1D()(x + layers.Dense(16)(layers.Dense(32, "relu")(x)))
    )


def mixed(shop, day, numbers):
    words = [
        layers.Flatten()(layers.Embedding(size, 4)(column))
        for size, column in ((20, shop), (7, day))
    ]
    x = layers.Concatenate()([*words, layers.Rescaling(0.5, offset=0.1)(numbers)])
    return [
        layers.Dense(1, "sigmoid", name="likely")(x),
        layers.Dense(1, "exponential", name="amount")(x),
    ]


def networks():
    """(name, network, inputs by name): random rows for each."""
    generator = np.random.default_rng(3)
    floats = lambda *shape: generator.normal(size=(ROWS, *shape)).astype(np.float32)
    tokens = lambda most, *shape: generator.integers(0, most, size=(ROWS, *shape)).astype(np.int64)
    steps = {"x": floats(7, 4)}
    over = lambda build: functional({"x": ((7, 4), "float32")}, lambda x: layers.Dense(1)(build(x)))
    yield "dense", functional({"x": ((9,), "float32")}, dense), {"x": floats(9)}
    yield "images", functional({"x": ((16, 16, 3), "float32")}, images), {"x": floats(16, 16, 3)}
    yield (
        "segments",
        functional({"x": ((16, 16, 3), "float32")}, segments),
        {"x": floats(16, 16, 3)},
    )
    yield "residual", functional({"x": ((20, 2), "float32")}, residual), {"x": floats(20, 2)}
    yield "lstm", over(lambda x: layers.LSTM(12)(layers.LSTM(8, return_sequences=True)(x))), steps
    yield "gru", over(layers.GRU(12)), steps
    yield "gru_plain", over(layers.GRU(12, reset_after=False)), steps
    yield "bidirectional", over(layers.Bidirectional(layers.LSTM(6))), steps
    yield "rnn", over(layers.SimpleRNN(6)), steps
    yield (
        "time_distributed",
        over(lambda x: layers.Flatten()(layers.TimeDistributed(layers.Dense(3, "tanh"))(x))),
        steps,
    )
    yield (
        "embedding",
        functional(
            {"x": ((10,), "int64")},
            lambda x: layers.Dense(2, "softmax")(
                layers.GlobalAveragePooling1D()(layers.Embedding(40, 8)(x))
            ),
        ),
        {"x": tokens(40, 10)},
    )
    yield (
        "masked",
        functional(
            {"x": ((10,), "int64")},
            lambda x: layers.Dense(1)(layers.LSTM(8)(layers.Embedding(40, 8, mask_zero=True)(x))),
        ),
        {"x": tokens(40, 10)},
    )
    yield (
        "attention",
        functional({"tokens": ((10,), "int64")}, attention),
        {"tokens": tokens(40, 10)},
    )
    ports = {"shop": ((1,), "int64"), "day": ((1,), "int64"), "numbers": ((3,), "float32")}
    yield (
        "mixed",
        functional(ports, mixed),
        {"shop": tokens(20, 1), "day": tokens(7, 1), "numbers": floats(3)},
    )


def column(values):
    """An Arrow column of rows: plain numbers, or lists of one length."""
    flat = values.reshape(len(values), -1)
    return (
        pa.array(flat[:, 0])
        if flat.shape[1] == 1
        else pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), flat.shape[1])
    )


def answer(table, name):
    column = table.column(name).combine_chunks()
    flat = column.flatten() if pa.types.is_fixed_size_list(column.type) else column
    return np.asarray(flat, dtype=np.float64).reshape(len(column), -1)


def difference(given, wanted):
    return float(np.max(np.abs(given - wanted) / np.maximum(np.abs(wanted), 1)))


def verdict(tallow, network, inputs, folder, operator_set):
    """(outcome, what there is to say)."""
    model, rows, out = folder / "model.onnx", folder / "rows.parquet", folder / "out.parquet"
    signature = [
        tf.TensorSpec((None, *values.shape[1:]), values.dtype, name=name)
        for name, values in inputs.items()
    ]
    try:
        forward = tf.function(
            lambda *values: network(list(values) if len(values) > 1 else values[0], training=False),
            input_signature=signature,
        )
        converted, _ = tf2onnx.convert.from_function(
            forward, input_signature=signature, opset=operator_set
        )
        onnx.save(converted, model)
        session = onnxruntime.InferenceSession(str(model))
        names = [one.name for one in session.get_outputs()]
        expected = dict(
            zip(names, (array.reshape(ROWS, -1) for array in session.run(None, inputs)))
        )
    except Exception as error:
        return "not exported", " ".join(str(error).split())[:100]
    own = network(
        list(inputs.values()) if len(inputs) > 1 else next(iter(inputs.values())), training=False
    )
    own = [np.asarray(one).reshape(ROWS, -1) for one in (own if isinstance(own, list) else [own])]
    pq.write_table(pa.table({name: column(values) for name, values in inputs.items()}), rows)
    command = [
        tallow,
        "score",
        "--model",
        str(model),
        str(rows),
        "--output",
        str(out),
        "--passthrough",
        "none",
        "--overwrite",
        "--quiet",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return "refused", done.stderr.strip().replace("\n", " ")[:300]
    table = pq.read_table(out)
    given = {
        name: answer(table, name if name in table.column_names else "prediction")
        for name in expected
    }
    theirs = max(difference(given[name], wanted) for name, wanted in expected.items())
    ours = max(difference(given[name], wanted) for name, wanted in zip(expected, own))
    agrees = theirs <= TOLERANCE and ours <= KERAS_TOLERANCE
    return ("agreed" if agrees else "wrong"), f"ONNX Runtime {theirs:.1e}, Keras {ours:.1e}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tallow")
    parser.add_argument("--only", default="")
    parser.add_argument("--folder")
    options = parser.parse_args()
    tf.random.set_seed(7)
    with tempfile.TemporaryDirectory() as temporary:
        root, counts = pathlib.Path(options.folder or temporary), collections.Counter()
        for name, network, inputs in networks():
            if options.only and name not in options.only.split(","):
                continue
            for operator_set in OPERATOR_SETS:
                folder = root / f"{name}_{operator_set}"
                folder.mkdir(parents=True, exist_ok=True)
                outcome, detail = verdict(options.tallow, network, inputs, folder, operator_set)
                counts[outcome] += 1
                print(f"{folder.name:30} {outcome:13} {detail}", flush=True)
        print(dict(counts))
        sys.exit(1 if counts["wrong"] or counts["refused"] else 0)


if __name__ == "__main__":
    main()
