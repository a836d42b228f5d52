"""How do I export a TensorFlow (Keras) network as a package that tallow scores?

    python examples/export_tensorflow.py churn_package
    tallow check --model churn_package customers.parquet

Needs tensorflow, tf2onnx, onnx, pandas, pyarrow. `export` is what you copy; the rest makes a small
network to show it on."""

import hashlib
import json
import pathlib
import sys

import numpy as np
import onnx
import pandas as pd
import tensorflow as tf
import tf2onnx


def export(network, rows, directory, name, version):
    """Writes a network that reads one matrix of numbers and gives one number a row, or several,
    which are one list; `rows`, a data frame of its columns in the order of training, are the golden
    rows."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    rows = rows.astype(np.float32)
    signature = [tf.TensorSpec((None, rows.shape[1]), tf.float32, name="x")]
    # The key names the graph's output.
    forward = tf.function(
        lambda x: {"prediction": network(x, training=False)}, input_signature=signature
    )
    model, _ = tf2onnx.convert.from_function(forward, input_signature=signature, opset=17)
    # The names bind the matrix's columns to the table's.
    entry = model.metadata_props.add()
    entry.key, entry.value = "feature_names", json.dumps(list(rows.columns))
    onnx.save(model, directory / "model.onnx")
    rows.to_parquet(directory / "golden_rows.parquet", index=False)
    answers = network(rows.to_numpy(), training=False).numpy().reshape(len(rows), -1)
    answers = answers[:, 0] if answers.shape[1] == 1 else list(answers)
    pd.DataFrame({"prediction": answers}).to_parquet(
        directory / "golden_expected.parquet", index=False
    )
    digest = hashlib.sha256((directory / "model.onnx").read_bytes()).hexdigest()
    (directory / "tallow.toml").write_text(f"""\
name = {json.dumps(name)}
version = {json.dumps(version)}

[[artefacts]]
path = "model.onnx"
sha256 = "{digest}"

[golden]
rows = "golden_rows.parquet"
expected = "golden_expected.parquet"
""")


def main():
    tf.random.set_seed(1)
    generator = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            "age": generator.normal(0, 1, 50),
            "visits": generator.normal(0, 1, 50),
            "charge": generator.normal(0, 1, 50),
        }
    )
    network = tf.keras.Sequential(
        [
            tf.keras.Input((3,)),
            tf.keras.layers.Dense(16, "relu"),
            tf.keras.layers.Dense(1, "sigmoid"),
        ]
    )
    export(network, rows, sys.argv[1], "stays", "1")


if __name__ == "__main__":
    main()
