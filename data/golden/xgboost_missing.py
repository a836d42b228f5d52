"""XGBoost's estimators with `missing=`, against tallow's `--missing` on Parquet and CSV.

usage: python data/golden/xgboost_missing.py TALLOW
Needs numpy, pandas, pyarrow and xgboost. Every kind of column must give the estimator's own
numbers."""

import decimal, pathlib, subprocess, sys, tempfile
import numpy as np, pandas as pd, pyarrow as pa, pyarrow.csv as pc, pyarrow.parquet as pq, xgboost

TALLOW = sys.argv[1]


def columns(values, kind):
    rows = values.tolist()
    whole = [int(v) for v in rows]
    return {
        "int8": lambda: pa.array([max(-128, min(127, v)) for v in whole], pa.int8()),
        "int16": lambda: pa.array(whole, pa.int16()),
        "int32": lambda: pa.array(whole, pa.int32()),
        "int64": lambda: pa.array(whole, pa.int64()),
        "float": lambda: pa.array(rows, pa.float32()),
        "double": lambda: pa.array(rows, pa.float64()),
        "decimal": lambda: pa.array(
            [decimal.Decimal(v).quantize(decimal.Decimal("0.01")) for v in rows],
            pa.decimal128(12, 2),
        ),
        "dictionary": lambda: pa.array(rows, pa.float64()).dictionary_encode(),
        "dictionary_int": lambda: pa.array(whole, pa.int64()).dictionary_encode(),
    }[kind]()


def run(missing, estimator, task, folder):
    rng, count = np.random.default_rng(7), 300
    x = np.round(rng.normal(size=(count, 3)) * 20)
    x[rng.random((count, 3)) < 0.3] = missing
    y = (x[:, 0] + x[:, 1] > 0).astype(int) if task == "binary" else x[:, 0] * 0.5 - x[:, 2]
    model = estimator(n_estimators=12, max_depth=4, missing=missing)
    model.fit(pd.DataFrame(x, columns=["a", "b", "c"]), y)
    model.save_model(folder / "model.json")
    expected = (
        model.predict_proba(pd.DataFrame(x, columns=["a", "b", "c"]))[:, 1]
        if task == "binary"
        else model.predict(pd.DataFrame(x, columns=["a", "b", "c"]))
    )
    wrong = 0
    for kind in [
        "int16",
        "int32",
        "int64",
        "float",
        "double",
        "decimal",
        "dictionary",
        "dictionary_int",
        "csv",
    ]:
        table = pa.table(
            {
                name: columns(x[:, place], "double" if kind == "csv" else kind)
                for place, name in enumerate("abc")
            }
        )
        path = folder / f"rows.{'csv' if kind == 'csv' else 'parquet'}"
        pc.write_csv(table, path) if kind == "csv" else pq.write_table(table, path)
        out = folder / "out.parquet"
        done = subprocess.run(
            [
                TALLOW,
                "score",
                "--model",
                folder / "model.json",
                path,
                "--output",
                out,
                "--overwrite",
                f"--missing={missing:g}",
                "--passthrough",
                "none",
            ],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            print(f"{task} missing={missing:g} {kind}: exit {done.returncode}: {done.stderr[:400]}")
            wrong += 1
            continue
        found = pq.read_table(out)[("probability" if task == "binary" else "prediction")].to_numpy()
        differences = int((np.abs(found - expected) > 1e-6 * np.maximum(1, np.abs(expected))).sum())
        if differences:
            print(f"{task} missing={missing:g} {kind}: {differences} of {count} differ")
            wrong += 1
    return wrong


with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    wrong = sum(
        run(missing, estimator, task, folder)
        for missing in [-999.0, 0.0, -1.0]
        for estimator, task in [(xgboost.XGBClassifier, "binary"), (xgboost.XGBRegressor, "number")]
    )
sys.exit(print(f"{wrong} kinds differ") or bool(wrong))
