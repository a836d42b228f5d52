"""How long does a scikit-learn forest of 100 MB take to load, compared with reading its bytes?

    python data/golden/sklearn_load.py TALLOW [FOLDER]

Fits 140 trees, saves them plain and with zlib, and prints the seconds on the processors (the least
of five) of reading the bytes, of inflating them, of `inspect`, and of scoring one row, which is
reading, decoding, hashing and laying out. The seed is 20261129.
"""

import pathlib
import resource
import subprocess
import sys
import tempfile
import zlib

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

COLUMNS = [f"f{index}" for index in range(20)]


def files(folder):
    plain, packed, rows = (folder / name for name in ("plain.joblib", "zlib.joblib", "row.parquet"))
    if not rows.exists():
        rng = np.random.default_rng(20261129)
        table = rng.normal(size=(30_000, 20)).astype("f4")
        score = table[:, 0] + table[:, 1] * table[:, 2] + rng.normal(size=30_000) * 0.8
        model = RandomForestClassifier(140, random_state=0, max_features=2).fit(table, score > 0)
        joblib.dump(model, plain)
        joblib.dump(model, packed, compress=("zlib", 3))
        pd.DataFrame(table[:1], columns=COLUMNS).to_parquet(rows)
    return plain, packed, rows


def seconds(work):
    """The least seconds on the processors, of this process and its children."""
    found = []
    for _ in range(5):
        before = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        work()
        after = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        spent = (b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime for a, b in zip(before, after))
        found.append(sum(spent))
    return min(found)


def main(tallow, folder):
    plain, packed, rows = files(folder)
    for path in (plain, packed):
        run = lambda *arguments: subprocess.run([tallow, *map(str, arguments)], check=True, capture_output=True)
        output = folder / "output.parquet"
        flags = ["--quiet", "--overwrite", "--features", ",".join(COLUMNS)]
        parts = {
            "read": lambda: path.read_bytes(),
            "inflate": lambda: path == packed and zlib.decompress(path.read_bytes()),
            "inspect": lambda: run("inspect", path),
            "score one row": lambda: run("score", "--model", path, rows, "--output", output, *flags),
        }
        print(f"{path.name}, {path.stat().st_size / 1e6:.0f} MB")
        for name, work in parts.items():
            print(f"  {name:14} {seconds(work):.3f} s")


if __name__ == "__main__":
    room = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else pathlib.Path(tempfile.mkdtemp())
    room.mkdir(exist_ok=True)
    main(sys.argv[1], room)
