"""Encrypted Parquet between tallow, pyarrow and DuckDB, both ways.

    python tests/readers/encryption.py TALLOW WORKDIR

tallow reads what pyarrow encrypts, with one key and with keys of columns; pyarrow and DuckDB read
what tallow encrypts with one key, and neither does with another key. Exits 1 and names each
difference."""

import pathlib
import shutil
import subprocess
import sys

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXE, WORK = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve() / "keys"
MODEL = ROOT / "data/hostile/good.json"
FAULTS = []
SHORT, LONG = b"0123456789abcdef", b"0123456789abcdef0123456789ABCDEF"


def fault(what):
    FAULTS.append(what)
    print("FAULT", what, flush=True)


def tallow(*args, code=0):
    run = subprocess.run([EXE, *map(str, args)], cwd=WORK, capture_output=True, text=True)
    if run.returncode != code:
        fault(f"exit {run.returncode} of `tallow {' '.join(map(str, args))}`: {run.stderr.strip()}")
    return run


def key(name, value):
    path = WORK / name
    path.write_bytes(value)
    path.chmod(0o600)


def rows(count):
    random = np.random.default_rng(7)
    return pa.table({
        "id": [f"r{row}" for row in range(count)],
        "a": random.normal(size=count),
        "b": pa.array(random.normal(size=count), mask=random.random(count) < 0.1),
        "region": pa.array(random.choice(["north", "south", "east"], count)).dictionary_encode(),
        "amount": random.integers(0, 1 << 40, count),
        "tags": [["x", "y"][: row % 3] for row in range(count)],
    })


def same(what, found, expected):
    found = found.select(expected.column_names)
    for name in expected.column_names:
        left, right = found[name].to_pylist(), expected[name].to_pylist()
        if left != right:
            fault(f"{what}: column {name} differs")


def from_pyarrow(table):
    """tallow reads files of pyarrow: the same scores as of the plain file."""
    score = ["score", "-qq", "--overwrite", "--model", MODEL, "--on-null", "null", "--passthrough", "all"]
    pq.write_table(table, WORK / "plain.parquet", row_group_size=1000)
    tallow(*score, "plain.parquet", "--output", "expected.parquet")
    expected = pq.read_table(WORK / "expected.parquet")
    for name, value in [("short.key", SHORT), ("long.key", LONG)]:
        for options in [{}, {"plaintext_footer": True}, {"aad_prefix": b"t7"}]:
            for writer in [{"use_dictionary": True}, {"data_page_version": "2.0"},
                           {"compression": "zstd", "write_page_index": True,
                            "data_page_size": 2000}]:
                properties = pe.create_encryption_properties(value, **options)
                pq.write_table(table, WORK / "in.parquet", encryption_properties=properties,
                               row_group_size=1000, **writer)
                what = f"pyarrow {name} {options} {writer}"
                tallow(*score, "in.parquet", "--output", "out.parquet", "--threads", "3",
                       "--batch-rows", "173", "--decryption-key", name)
                same(what, pq.read_table(WORK / "out.parquet"), expected)
                if not options.get("plaintext_footer"):
                    tallow(*score, "in.parquet", "--output", "never.parquet", code=1)
    return expected


def to_others(table, expected):
    """pyarrow and DuckDB read files of tallow."""
    score = ["score", "-qq", "--overwrite", "--model", MODEL, "plain.parquet", "--on-null", "null",
             "--passthrough", "all"]
    for name, value in [("short.key", SHORT), ("long.key", LONG)]:
        for more in [[], ["--plaintext-footer"], ["--encryption-key-id", "k7"]]:
            tallow(*score, "--output", "sealed.parquet", "--encryption-key", name, *more)
            what = f"tallow {name} {more}"
            properties = pe.create_decryption_properties(value)
            same(f"{what} in pyarrow",
                 pq.read_table(WORK / "sealed.parquet", decryption_properties=properties), expected)
            for other in (b"x" * 16, b"x" * 32):
                try:
                    pq.read_table(WORK / "sealed.parquet",
                                  decryption_properties=pe.create_decryption_properties(other))
                    fault(f"{what}: pyarrow reads it with another key")
                except (OSError, pa.ArrowInvalid):
                    pass
            if "--plaintext-footer" in more:
                continue  # DuckDB reads encrypted footers only
            # DuckDB 2.0 does not read lists and column chunks of several pages, of pyarrow either.
            flat = [one for one in expected.column_names if one != "tags"]
            db = duckdb.connect()
            db.execute(f"PRAGMA add_parquet_key('k', '{value.decode()}')")
            found = db.execute(
                f"SELECT {', '.join(flat)} FROM read_parquet('{WORK}/sealed.parquet', "
                "encryption_config = {footer_key: 'k'})").to_arrow_table()
            same(f"{what} in DuckDB", found, expected.select(flat))
    # A data set of parts and partitions.
    shutil.rmtree(WORK / "set", ignore_errors=True)
    tallow(*score, "--output", "set/", "--rows-per-part", "1000", "--partition-by", "region",
           "--encryption-key", "long.key")
    count = 0
    for path in sorted((WORK / "set").rglob("part-*.parquet")):
        properties = pe.create_decryption_properties(LONG)
        count += pq.ParquetFile(path, decryption_properties=properties).read().num_rows
    if count != table.num_rows:
        fault(f"a data set has {count} rows of {table.num_rows}")


shutil.rmtree(WORK, ignore_errors=True)
WORK.mkdir(parents=True)
key("short.key", SHORT)
key("long.key", LONG)
TABLE = rows(3500)
to_others(TABLE, from_pyarrow(TABLE))
print(f"encryption: {len(FAULTS)} faults")
sys.exit(bool(FAULTS))
