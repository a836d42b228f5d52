"""How do I export a PyTorch network as a package that tallow scores?

    python examples/export_pytorch.py churn_package
    tallow check --model churn_package customers.parquet

Needs torch, onnx, pandas, pyarrow. `export` is what you copy; the rest makes a small network to
show it on."""

import hashlib
import json
import pathlib
import sys

import numpy as np
import onnx
import pandas as pd
import torch


def export(network, rows, directory, name, version):
    """Writes a network that reads one matrix of numbers and gives one number a row, or several,
    which are one list; `rows`, a data frame of its columns in the order of training, are the golden
    rows."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    network = network.eval()
    rows = rows.astype(np.float32)
    matrix = torch.from_numpy(rows.to_numpy())
    rows_axis = {"x": {0: "rows"}, "prediction": {0: "rows"}}
    torch.onnx.export(
        network,
        (matrix[:2],),
        str(directory / "model.onnx"),
        input_names=["x"],
        output_names=["prediction"],
        dynamic_axes=rows_axis,
        dynamo=False,
    )
    # The names bind the matrix's columns to the table's.
    model = onnx.load(directory / "model.onnx")
    entry = model.metadata_props.add()
    entry.key, entry.value = "feature_names", json.dumps(list(rows.columns))
    onnx.save(model, directory / "model.onnx")
    rows.to_parquet(directory / "golden_rows.parquet", index=False)
    with torch.no_grad():
        answers = network(matrix).numpy().reshape(len(rows), -1)
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
    torch.manual_seed(1)
    generator = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            "age": generator.normal(0, 1, 50),
            "visits": generator.normal(0, 1, 50),
            "charge": generator.normal(0, 1, 50),
        }
    )
    network = torch.nn.Sequential(
        torch.nn.Linear(3, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1), torch.nn.Sigmoid()
    )
    export(network, rows, sys.argv[1], "stays", "1")


if __name__ == "__main__":
    main()
