"""The files of a golden case of scikit-learn, for the scripts of this folder that make some.

Importing it takes the folder out of the path: scripts in it are called as the libraries whose cases
they make."""

import json
import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path = [path for path in sys.path if pathlib.Path(path or ".").resolve() != HERE]


def save(frame, path):
    """Writes a small file: zstd, and nothing of pandas."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(found, path, compression="zstd", compression_level=19, write_statistics=False)


def keep_case(name, model, rows, truth, tolerance=1e-12, arguments=(), what="numbers are its own"):
    """Keeps a fitted model, its rows and its answers as `sklearn_<version>_<name>`; `what` says what
    the expected values are."""
    import joblib
    import sklearn

    version = sklearn.__version__
    room = HERE / f"sklearn_{version.replace('.', '_')}_{name}"
    room.mkdir(exist_ok=True)
    joblib.dump(model, room / "model.joblib", compress=("zlib", 9))
    save(rows, room / "input.parquet")
    save(truth, room / "expected.parquet")
    case = {
        "model": "model.joblib",
        "tolerance": tolerance,
        "raw": False,
        "arguments": list(arguments),
    }
    (room / "case.json").write_text(json.dumps(case) + "\n")
    script = pathlib.Path(sys.argv[0]).name
    (room / "ORIGIN.md").write_text(
        f"# {room.name}\n\nMade by `data/golden/{script}` with scikit-learn {version} "
        f"and numpy {np.__version__}; the expected {what}.\n"
    )
