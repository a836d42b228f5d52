"""Opens what tallow writes with the readers that people use: pyarrow, pandas, polars, DuckDB, and
Spark where it is installed.

    python tests/readers/open_outputs.py TALLOW WORKDIR

Every type of a column goes through a run as a column that comes along, and must come out as the
same values and the same type: as Parquet, as a partitioned data set, as rejected rows, and as CSV.
Exits 1 and names each difference."""

import datetime as dt
import decimal
import json
import pathlib
import shutil
import subprocess
import sys
import uuid

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet as pq

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "data/hostile/good.json"
EXE, WORK = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
ROWS = 6
FAULTS = []


def fault(what):
    FAULTS.append(what)
    print("FAULT", what, flush=True)


def tallow(*args, code=0):
    run = subprocess.run([EXE, *map(str, args)], cwd=WORK, capture_output=True, text=True)
    if run.returncode != code:
        raise RuntimeError(
            f"exit {run.returncode} of `tallow {' '.join(map(str, args))}`: {run.stderr.strip()}"
        )
    return run


def attempt(what, action):
    """The action's result; none, and a fault, if it fails."""
    try:
        return action()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # whatever a reader raises is a fault of the file; polars panics
        fault(f"{what}: {' '.join(str(error).split())[:300]}")
        return None


def d(text):
    return decimal.Decimal(text)


def columns():
    """Columns of every Arrow type that pyarrow writes to Parquet; the third value is always
    null."""
    far = [
        dt.datetime(1, 1, 1),
        dt.datetime(9999, 12, 31, 23, 59, 59, 999999),
        None,
        dt.datetime(1970, 1, 1),
        dt.datetime(2026, 11, 28, 3, 4, 5, 6),
        dt.datetime(1600, 2, 29),
    ]
    near = [
        dt.datetime(1700, 1, 1),
        dt.datetime(2262, 1, 1),
        None,
        dt.datetime(1970, 1, 1),
        dt.datetime(2026, 11, 28, 3, 4, 5, 6),
        dt.datetime(1969, 12, 31, 23, 59, 59),
    ]
    seconds = [v and v.replace(microsecond=0) for v in far]
    days = [
        dt.date(1, 1, 1),
        dt.date(9999, 12, 31),
        None,
        dt.date(1970, 1, 1),
        dt.date(2024, 2, 29),
        dt.date(1969, 12, 31),
    ]
    times = [
        dt.time(0),
        dt.time(23, 59, 59, 999000),
        None,
        dt.time(12, 30),
        dt.time(0, 0, 1),
        dt.time(1, 2, 3),
    ]
    spans = [
        dt.timedelta(0),
        dt.timedelta(days=-1),
        None,
        dt.timedelta(days=100_000),
        dt.timedelta(seconds=1),
        dt.timedelta(hours=25),
    ]
    texts = ["00123", "", None, 'Köln, "x"\ny', "NA", "🦀"]
    blobs = [b"\x00\xff", b"", None, b"abc", b"\n", b"\xf0\x9f"]
    ids = [uuid.UUID(int=i * 0x1234567890ABCDEF).bytes for i in range(ROWS)]
    ids[2] = None
    whole = lambda low, high: [low, high, None, 0, 1, high // 2]
    c = {
        "boolean": pa.array([True, False, None, True, False, True]),
        **{
            f"int{b}": pa.array(whole(-(2 ** (b - 1)), 2 ** (b - 1) - 1), getattr(pa, f"int{b}")())
            for b in (8, 16, 32, 64)
        },
        **{
            f"uint{b}": pa.array(whole(0, 2**b - 1), getattr(pa, f"uint{b}")())
            for b in (8, 16, 32, 64)
        },
        "float16": pa.array(
            np.float16([0.1, -0.0, 0, 65504, np.inf, 6e-8]), mask=np.arange(ROWS) == 2
        ),
        "float32": pa.array(
            np.float32([0.1, -0.0, 0, 3.4e38, -np.inf, 1e-45]), mask=np.arange(ROWS) == 2
        ),
        "float64": pa.array([0.1, -0.0, None, 1.7e308, float("nan"), 5e-324]),
        "decimal_9": pa.array(
            [d("1.10"), d("-9999999.99"), None, d("0.00"), d("0.01"), d("9999999.99")],
            pa.decimal128(9, 2),
        ),
        "decimal_18": pa.array(
            [d("1.10"), d("-99999999999999.9999"), None, d("0"), d("0.0001"), d("5")],
            pa.decimal128(18, 4),
        ),
        "decimal_38": pa.array(
            [
                d("1.10"),
                d("-" + "9" * 28 + "." + "9" * 10),
                None,
                d("0"),
                d("0.0000000001"),
                d("5"),
            ],
            pa.decimal128(38, 10),
        ),
        "decimal_76": pa.array(
            [d("1"), d("-" + "9" * 76), None, d("0"), d("7"), d("5")], pa.decimal256(76, 0)
        ),
        "decimal32": pa.array(
            [d("1.10"), d("-9999999.99"), None, d("0.00"), d("0.01"), d("1")], pa.decimal32(9, 2)
        ),
        "decimal64": pa.array(
            [d("1.10"), d("-1234567890.99"), None, d("0.00"), d("0.01"), d("1")],
            pa.decimal64(18, 2),
        ),
        "date32": pa.array(days, pa.date32()),
        "date64": pa.array(days, pa.date64()),
        "time_s": pa.array([t and t.replace(microsecond=0) for t in times], pa.time32("s")),
        "time_ms": pa.array(times, pa.time32("ms")),
        "time_us": pa.array(times, pa.time64("us")),
        "time_ns": pa.array(times, pa.time64("ns")),
        "timestamp_s": pa.array(seconds, pa.timestamp("s")),
        "timestamp_ms": pa.array(seconds, pa.timestamp("ms")),
        "timestamp_us": pa.array(far, pa.timestamp("us")),
        "timestamp_ns": pa.array(near, pa.timestamp("ns")),
        "timestamp_utc": pa.array(far, pa.timestamp("us", "UTC")),
        "timestamp_zone": pa.array(near, pa.timestamp("us", "Europe/Berlin")),
        "duration_s": pa.array(
            [s and dt.timedelta(seconds=int(s.total_seconds())) for s in spans], pa.duration("s")
        ),
        "duration_ms": pa.array(spans, pa.duration("ms")),
        "duration_us": pa.array(spans, pa.duration("us")),
        "duration_ns": pa.array(spans, pa.duration("ns")),
        "text": pa.array(texts),
        "large_text": pa.array(texts, pa.large_string()),
        "text_view": pa.array(texts, pa.string_view()),
        "binary": pa.array(blobs, pa.binary()),
        "large_binary": pa.array(blobs, pa.large_binary()),
        "binary_view": pa.array(blobs, pa.binary_view()),
        "fixed_binary": pa.array(
            [b"abcd", b"\0\0\0\0", None, b"efgh", b"\xff\xff\xff\xff", b"ijkl"], pa.binary(4)
        ),
        "twelve_bytes": pa.array(
            [bytes([i] * 12) for i in range(2)] + [None] + [bytes([i] * 12) for i in range(3)],
            pa.binary(12),
        ),
        "category": pa.array(texts).dictionary_encode(),
        "category_int8": pa.DictionaryArray.from_arrays(
            pa.array([0, 1, None, 2, 0, 1], pa.int8()), ["b", "a", "c"]
        ),
        "category_ordered": pa.DictionaryArray.from_arrays(
            pa.array([0, 1, None, 2, 0, 1], pa.int8()), ["low", "mid", "high"], ordered=True
        ),
        "category_uint16": pa.DictionaryArray.from_arrays(
            pa.array([0, 1, None, 2, 0, 1], pa.uint16()), ["b", "a", "c"]
        ),
        "category_of_ints": pa.DictionaryArray.from_arrays(
            pa.array([0, 1, None, 2, 0, 1], pa.int32()), pa.array([5, 7, -1], pa.int64())
        ),
        "nothing": pa.nulls(ROWS),
        "list": pa.array([[1, 2], [], None, [None], [3], [4, 5, 6]], pa.list_(pa.int32())),
        "large_list": pa.array(
            [["a"], [], None, [None], ["b", "c"], [""]], pa.large_list(pa.string())
        ),
        "fixed_list": pa.array([[1.0, 2.0]] * ROWS, pa.list_(pa.float32(), 2)),
        "fixed_list_nulls": pa.array(
            [[1.0, 2.0], [0.0, 1.0], None, [5.0, 6.0], None, [7.0, 8.0]], pa.list_(pa.float32(), 2)
        ),
        "struct": pa.array(
            [
                {"x": 1, "y": "a"},
                {"x": None, "y": "b"},
                None,
                {"x": 2, "y": None},
                {"x": 3, "y": ""},
                {"x": 4, "y": "z"},
            ],
            pa.struct([("x", pa.int16()), ("y", pa.string())]),
        ),
        "map": pa.array(
            [[("k", 1)], [], None, [("a", None)], [("b", 2), ("c", 3)], [("d", 4)]],
            pa.map_(pa.string(), pa.int64()),
        ),
        "nested": pa.array(
            [[{"a": [1, 2]}], [], None, [{"a": None}], [{"a": []}, None], [{"a": [None, 3]}]],
            pa.list_(pa.struct([("a", pa.list_(pa.int8()))])),
        ),
        "uuid": pa.array(ids, pa.binary(16)).cast(pa.uuid()),
        "json": pa.ExtensionArray.from_storage(
            pa.json_(pa.string()), pa.array(['{"a": 1}', "[]", None, "null", '"x"', "1.10"])
        ),
    }
    return c


def table():
    fields = [
        pa.field(
            name, array.type, metadata={b"unit": b"of " + name.encode(), b"note": "ü".encode()}
        )
        for name, array in columns().items()
    ]
    along = pa.table(list(columns().values()), schema=pa.schema(fields, metadata={b"owner": b"us"}))
    good = pq.read_table(ROOT / "data/hostile/good.parquet").slice(0, ROWS)
    for name in ("a", "b"):
        along = along.append_column(name, good[name])
    return along


def same(what, field, expected, found):
    """Whether two columns hold the same values: those that are NaN and the signs of noughts
    included."""
    spelled = lambda column: [repr(value) for value in column.to_pylist()]
    if spelled(expected) != spelled(found):
        fault(f"{what}: {field.name}: {spelled(expected)[:4]} became {spelled(found)[:4]}")


def widened(kind):
    """Keys of dictionaries have 32 bits: a table may have more words than a row group."""
    if not pa.types.is_dictionary(kind) or kind.index_type.bit_width > 32:
        return kind
    return pa.dictionary(pa.int32(), kind.value_type, kind.ordered)


def compare(what, before, after, types=True):
    for field in before.schema:
        if field.name not in after.schema.names:
            fault(f"{what}: {field.name} is missing")
            continue
        own = after.schema.field(field.name)
        if types and own.type != widened(field.type) and field.name != "fixed_list_nulls":
            fault(f"{what}: {field.name} is {own.type}, was {field.type}")
        if types and dict(field.metadata or {}).items() - dict(own.metadata or {}).items():
            fault(f"{what}: {field.name}: metadata {own.metadata}, was {field.metadata}")
        same(what, field, before[field.name], after[field.name])


def readable(read, path, names):
    """The columns of a source that a reader can read at all."""
    kept = []
    for name in names:
        try:
            read(path, name)
            kept.append(name)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            print("not readable in the source:", name, flush=True)
    return kept


def every_reader(path, rows, what, names=None):
    """Opens a Parquet file with every reader and compares what they see of the columns that the
    source has, too."""
    one = attempt(f"{what}: pyarrow", lambda: pq.read_table(path, page_checksum_verification=True))
    frames = {
        "pandas": lambda: pd.read_parquet(path),
        "polars": lambda: pl.read_parquet(path, columns=names),
        "DuckDB": lambda: duckdb.sql(f"select * from read_parquet('{path}')").fetchall(),
    }
    for reader, read in frames.items():
        found = attempt(f"{what}: {reader}", read)
        if found is not None and len(found) != rows:
            fault(f"{what}: {reader} finds {len(found)} rows of {rows}")
    return one


def quoted(name):
    return f'"{name}"'


def described(path):
    return {
        row[0]: row[1]
        for row in duckdb.sql(f"describe select * from read_parquet('{path}')").fetchall()
    }


def logical(path):
    schema = pq.ParquetFile(path).schema
    return {
        schema.column(i).path: (
            schema.column(i).physical_type,
            str(schema.column(i).logical_type),
            str(schema.column(i).converted_type),
        )
        for i in range(len(schema))
    }


def parquet_types():
    before = table()
    pq.write_table(before, WORK / "types.parquet")
    tallow(
        "score",
        "--model",
        MODEL,
        "types.parquet",
        "--output",
        "out.parquet",
        "--passthrough",
        "all",
    )
    by_polars = readable(
        lambda path, name: pl.read_parquet(path, columns=[name]),
        WORK / "types.parquet",
        before.schema.names,
    )
    after = every_reader(WORK / "out.parquet", ROWS, "types", by_polars)
    if after is not None:
        # What pyarrow reads of the source is what it must read of the output, but for the vectors
        # with nulls, which it cannot read at all.
        names = [name for name in before.schema.names if name != "fixed_list_nulls"]
        compare("types", pq.read_table(WORK / "types.parquet", columns=names), after)
        same(
            "types",
            before.schema.field("fixed_list_nulls"),
            before["fixed_list_nulls"],
            after["fixed_list_nulls"],
        )
    own, source = described(WORK / "out.parquet"), described(WORK / "types.parquet")
    for name in source:
        if own.get(name) != source[name]:
            fault(f"DuckDB: {name} is {own.get(name)}, was {source[name]}")
    rows = lambda path: duckdb.sql(
        f"select {', '.join(quoted(name) for name in names)} from read_parquet('{path}')"
    ).fetchall()
    for before_row, after_row in zip(rows(WORK / "types.parquet"), rows(WORK / "out.parquet")):
        for name, left, right in zip(names, before_row, after_row):
            if repr(left) != repr(right):
                fault(f"DuckDB: {name}: {left!r} became {right!r}")
    left, right = (
        pl.read_parquet(WORK / path, columns=by_polars) for path in ("types.parquet", "out.parquet")
    )
    for name in by_polars:
        # Vectors with nulls become plain lists, which pyarrow can read; days stay days, which
        # polars takes for milliseconds in the source.
        if name == "date64":
            continue
        if (left[name].dtype != right[name].dtype and name != "fixed_list_nulls") or repr(
            left[name].to_list()
        ) != repr(right[name].to_list()):
            fault(
                f"polars: {name}: {left[name].dtype} {left[name].to_list()} became "
                f"{right[name].dtype} {right[name].to_list()}"
            )
    left, right = (
        pd.read_parquet(WORK / "types.parquet", columns=names),
        pd.read_parquet(WORK / "out.parquet"),
    )
    for name in names:
        if left[name].dtype != right[name].dtype or repr(list(left[name])) != repr(
            list(right[name])
        ):
            fault(
                f"pandas: {name}: {left[name].dtype} {list(left[name])[:3]} became "
                f"{right[name].dtype} {list(right[name])[:3]}"
            )


def odd_types():
    """Types that only some readers have."""
    near = [dt.datetime(1700, 1, 1), None, dt.datetime(2026, 11, 28, 3, 4, 5, 6)]
    good = pq.read_table(ROOT / "data/hostile/good.parquet", columns=["a", "b"]).slice(0, 3)
    before = good.append_column("offset", pa.array(near, pa.timestamp("us", "+05:30")))
    pq.write_table(before, WORK / "odd.parquet")
    tallow(
        "score",
        "--model",
        MODEL,
        "odd.parquet",
        "--output",
        "odd_out.parquet",
        "--passthrough",
        "all",
    )
    compare(
        "odd types", pq.read_table(WORK / "odd.parquet"), pq.read_table(WORK / "odd_out.parquet")
    )
    # A dictionary of bytes that is not text, and a name that is not plain.
    before = good.append_column(
        'Größe, "x"', pa.array([b"\xff", b"\xff", None]).dictionary_encode()
    )
    pq.write_table(before, WORK / "bytes.parquet")
    tallow(
        "score",
        "--model",
        MODEL,
        "bytes.parquet",
        "--output",
        "bytes_out.parquet",
        "--passthrough",
        "all",
    )
    compare(
        "odd types",
        pq.read_table(WORK / "bytes.parquet"),
        pq.read_table(WORK / "bytes_out.parquet"),
    )


def logical_types():
    """Logical types that Arrow does not have, written by DuckDB; and timestamps as INT96."""
    one, last = (
        uuid.UUID("12345678-1234-5678-1234-567812345678"),
        uuid.UUID("ffffffff-ffff-ffff-ffff-ffffffffffff"),
    )
    duckdb.sql(
        "create or replace temp table t (id int, a float, b float, v interval, u uuid, t timetz, "
        "e enum('sad', 'happy'), j json, z timestamptz, l interval[], s struct(u uuid))"
    )
    duckdb.sql(f"""insert into t values
        (0, 0.5, 0.5, '3 months 4 days 05:06:07.008', '{one}', '03:04:05.678901+00', 'happy',
            '{{"a": 1}}', '2026-01-02 03:04:05Z', [interval 1 month], {{'u': '{one}'}}),
        (1, 0.5, 0.5, null, null, null, null, null, null, null, null),
        (2, 0.5, 0.5, '1 year', '{last}', '00:00:00+00', 'sad', '[]',
            '1900-01-01 00:00:00Z', [], {{'u': null}})""")
    duckdb.sql(f"copy t to '{WORK / 'duck.parquet'}' (format parquet)")
    tallow(
        "score",
        "--model",
        MODEL,
        "duck.parquet",
        "--output",
        "duck_out.parquet",
        "--passthrough",
        "all",
    )
    attempt(
        "logical types: pyarrow",
        lambda: pq.read_table(WORK / "duck_out.parquet", page_checksum_verification=True),
    )
    attempt(
        "logical types: pandas",
        lambda: pd.read_parquet(
            WORK / "duck_out.parquet", columns=["v", "u", "t", "e", "j", "z", "s"]
        ),
    )
    before, after = logical(WORK / "duck.parquet"), logical(WORK / "duck_out.parquet")
    for path, own in before.items():
        # An integer of the size of its type says so or does not.
        if after.get(path) != own and path not in ("id", "a", "b"):
            fault(f"logical types: {path}: {own} became {after.get(path)}")
    rows = lambda name: duckdb.sql(
        f"select id, a, b, v, u, t, e, j, z, l, s from read_parquet('{WORK / name}')"
    ).fetchall()
    if repr(rows("duck.parquet")) != repr(rows("duck_out.parquet")):
        fault(f"logical types: {rows('duck.parquet')} became {rows('duck_out.parquet')}")
    tallow(
        "score",
        "--model",
        MODEL,
        "duck.parquet",
        "--output",
        "duck_out.csv",
        "--report",
        "none",
        "--passthrough",
        "id,v,u,t,e,j,z",
    )
    lines = (WORK / "duck_out.csv").read_text().splitlines()
    right = [
        '0,P3M4DT5H6M7.008S,12345678-1234-5678-1234-567812345678,03:04:05.678901Z,happy,"{""a"": '
        '1}",2026-01-02T03:04:05Z,',
        "1,,,,,,,",
        "2,P12M,ffffffff-ffff-ffff-ffff-ffffffffffff,00:00:00Z,sad,[],1900-01-01T00:00:00Z,",
    ]
    for line, expected in zip(lines[1:], right):
        if not line.startswith(expected):
            fault(f"logical types in CSV: {line} where {expected} is right")
    # The same values as the logical types' own tables of partitions.
    tallow(
        "score",
        "--model",
        MODEL,
        "duck.parquet",
        "--output",
        "by_uuid",
        "--partition-by",
        "u",
        "--passthrough",
        "id,u",
    )
    found = sorted(path.name for path in (WORK / "by_uuid").iterdir() if path.name.startswith("u="))
    if found != [
        "u=12345678-1234-5678-1234-567812345678",
        "u=__HIVE_DEFAULT_PARTITION__",
        "u=ffffffff-ffff-ffff-ffff-ffffffffffff",
    ]:
        fault(f"partitions by UUID: {found}")


def int96():
    far = [
        dt.datetime(9999, 12, 31, 23, 59, 59),
        dt.datetime(1, 1, 1),
        None,
        dt.datetime(2300, 1, 1),
        dt.datetime(2026, 11, 28, 3, 4, 5, 6),
        dt.datetime(1600, 2, 29),
    ]
    fine = pa.array([1, -1, None, 1_700_000_000_123_456_789, 0, 999], pa.timestamp("ns"))
    good = table().select(["a", "b"])
    for name, column in {"far": pa.array(far, pa.timestamp("us")), "fine": fine}.items():
        inside = pa.StructArray.from_arrays([column], ["t"])
        source = good.append_column("t", column).append_column("s", inside)
        pq.write_table(
            source,
            WORK / f"{name}.parquet",
            use_deprecated_int96_timestamps=True,
            store_schema=False,
        )
        tallow(
            "score",
            "--model",
            MODEL,
            f"{name}.parquet",
            "--output",
            f"{name}_out.parquet",
            "--passthrough",
            "all",
        )
        found = every_reader(WORK / f"{name}_out.parquet", ROWS, f"INT96, {name}")
        same(f"INT96, {name}", source.schema.field("t"), column, found["t"].cast(column.type))
        same(
            f"INT96, {name}",
            source.schema.field("s"),
            inside,
            found["s"].combine_chunks().cast(inside.type),
        )
        frame = pd.read_parquet(WORK / f"{name}_out.parquet")
        if name == "far" and frame["t"][0].year != 9999:
            fault(f"INT96 in pandas: {frame['t'][0]}")
        tallow(
            "score",
            "--model",
            MODEL,
            f"{name}.parquet",
            "--output",
            f"{name}_out.csv",
            "--report",
            "none",
            "--passthrough",
            "t",
        )
        text = pyarrow.csv.read_csv(
            WORK / f"{name}_out.csv",
            convert_options=pyarrow.csv.ConvertOptions(column_types={"t": column.type}),
        )
        same(f"INT96 in CSV, {name}", source.schema.field("t"), column, text["t"])


def csv_values():
    before = table()
    flat = [
        f.name for f in before.schema if not pa.types.is_nested(f.type) and f.name not in ("a", "b")
    ]
    tallow(
        "score",
        "--model",
        MODEL,
        "types.parquet",
        "--output",
        "out.csv",
        "--report",
        "none",
        "--passthrough",
        ",".join(flat),
    )
    frames = {
        "pandas": lambda: pd.read_csv(WORK / "out.csv"),
        "polars": lambda: pl.read_csv(WORK / "out.csv", infer_schema=False),
        "DuckDB": lambda: duckdb.sql(
            f"select * from read_csv('{WORK / 'out.csv'}', all_varchar = true)"
        ).fetchall(),
        "pyarrow": lambda: pyarrow.csv.read_csv(
            WORK / "out.csv", parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True)
        ),
    }
    for reader, read in frames.items():
        found = attempt(f"CSV: {reader}", read)
        if found is not None and len(found) != ROWS:
            fault(f"CSV: {reader} finds {len(found)} rows of {ROWS}")
    # Types that pyarrow reads from text must come back as the same values.
    texts = {f.name: pa.string() for f in before.schema if f.name in flat}
    read = pyarrow.csv.read_csv(
        WORK / "out.csv",
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(column_types=texts),
    )
    for name in flat:
        kind = before.schema.field(name).type
        found, expected = read[name].to_pylist(), before[name].to_pylist()
        if kind in (pa.date32(), pa.date64()):
            found = [dt.date.fromisoformat(v) if v else None for v in found]
        elif pa.types.is_integer(kind):
            found = [v and int(v) for v in found]
            found = [None if v == "" else v for v in found]
        elif pa.types.is_decimal(kind):
            found, expected = (
                [v or None for v in found],
                [v if v is None else f"{v:f}" for v in expected],
            )
        elif pa.types.is_timestamp(kind):
            parsed = [v and dt.datetime.fromisoformat(v) for v in found]
            found, expected = (
                [v or None for v in parsed],
                [
                    v
                    if v is None
                    else pd.Timestamp(v).to_pydatetime()
                    if name == "timestamp_ns"
                    else v
                    for v in expected
                ],
            )
            found = [
                v if v is None or v.tzinfo is None else v.astimezone(dt.timezone.utc) for v in found
            ]
            expected = [
                v if v is None or v.tzinfo is None else v.astimezone(dt.timezone.utc)
                for v in expected
            ]
        elif name == "uuid":
            found, expected = [v or None for v in found], [v and str(v) for v in expected]
        elif pa.types.is_floating(kind):
            width = {16: np.float16, 32: np.float32, 64: np.float64}[kind.bit_width]
            found, expected = (
                [repr(width(v)) if v else None for v in found],
                [None if v is None else repr(width(v)) for v in expected],
            )
        elif (
            pa.types.is_binary(kind)
            or pa.types.is_large_binary(kind)
            or pa.types.is_fixed_size_binary(kind)
            or kind == pa.binary_view()
        ):
            found, expected = (
                [v or "" for v in found],
                ["" if v is None else v.hex() for v in expected],
            )
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
            expected = [v or "" for v in expected]
        else:
            continue
        if found != expected:
            fault(f"CSV: {name}: {expected[:4]} became {found[:4]}")


def vectors():
    """An output of vectors with a row that has none: every reader opens it."""
    model = WORK / "bert_mean"
    shutil.copytree(ROOT / "data/golden/text/bert_mean/model", model)
    shutil.copy(ROOT / "data/golden/text/tokenizers/wordpiece.json", model / "tokenizer.json")
    pq.write_table(
        pa.table({"id": [1, 2, 3], "text": ["a good day", None, "another"]}), WORK / "texts.parquet"
    )
    tallow(
        "score", "--model", model, "texts.parquet", "--text", "text", "--output", "vectors.parquet"
    )
    found = every_reader(WORK / "vectors.parquet", 3, "vectors")
    if found is not None and not pa.types.is_list(found.schema.field("embedding").type):
        fault(f"vectors: the embeddings are {found.schema.field('embedding').type}")
    lists = duckdb.sql(
        f"select embedding from read_parquet('{WORK / 'vectors.parquet'}')"
    ).fetchall()
    if [row[0] is None for row in lists] != [False, True, False]:
        fault("vectors: the row without a text is not the one without a vector")


def data_sets():
    before = table()
    tallow(
        "score",
        "--model",
        MODEL,
        "types.parquet",
        "--output",
        "parts",
        "--rows-per-part",
        "2",
        "--passthrough",
        "text,int64,date64,uuid,fixed_list_nulls,category",
    )
    readers = {
        "pyarrow": lambda: pa.dataset.dataset(WORK / "parts", format="parquet").to_table(),
        "pandas": lambda: pd.read_parquet(WORK / "parts"),
        "polars": lambda: pl.read_parquet(str(WORK / "parts/part-*.parquet")),
        "DuckDB": lambda: duckdb.sql(
            f"select * from read_parquet('{WORK / 'parts'}/part-*.parquet')"
        ).fetchall(),
    }
    for reader, read in readers.items():
        found = attempt(f"data set: {reader}", read)
        if found is not None and len(found) != ROWS:
            fault(f"data set: {reader} finds {len(found)} rows of {ROWS}")
    for column in ("date32", "int64", "boolean", "text", "decimal_9", "timestamp_us"):
        tallow(
            "score",
            "--model",
            MODEL,
            "types.parquet",
            "--output",
            f"by_{column}",
            "--partition-by",
            column,
            "--passthrough",
            f"int32,{column}",
        )
        found = attempt(
            f"partitions by {column}",
            lambda: duckdb.sql(
                f"select count(*) from read_parquet('{WORK / f'by_{column}'}/*/part-*.parquet', "
                "hive_partitioning = true)"
            ).fetchall()[0][0],
        )
        if found not in (None, ROWS):
            fault(f"partitions by {column}: {found} rows of {ROWS}")


def rejected_rows():
    before = table().drop_columns(["fixed_list_nulls"])
    bad = before.set_column(
        before.schema.get_field_index("a"), "a", pa.array([None, 0.5] * (ROWS // 2), pa.float32())
    )
    pq.write_table(bad, WORK / "bad.parquet")
    tallow(
        "score",
        "--model",
        MODEL,
        "bad.parquet",
        "--output",
        "bad_out.parquet",
        "--on-null",
        "a=reject",
        "--passthrough",
        "all",
    )
    files = [path for path in WORK.iterdir() if path.name.startswith("bad_out.rejected")]
    if len(files) != 1:
        return fault(f"rejected rows: they are in {files}")
    found = every_reader(files[0], ROWS // 2, "rejected rows", ["text"])
    if found is not None:
        compare(
            "rejected rows",
            pa.concat_tables([bad.slice(row, 1) for row in range(0, ROWS, 2)]),
            found,
            types=False,
        )
        for name in (
            "uuid",
            "time_us",
            "category_ordered",
            "timestamp_zone",
            "date32",
            "decimal_38",
        ):
            if found.schema.field(name).type != widened(bad.schema.field(name).type):
                fault(
                    f"rejected rows: {name} is {found.schema.field(name).type}, was "
                    f"{bad.schema.field(name).type}"
                )


def spark():
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        return print("Spark is not installed: it is not asked")
    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    session = attempt(
        "Spark", lambda: builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    )
    if session is None:
        return
    session.sparkContext.setLogLevel("OFF")
    # Spark has no types for the others.
    kinds = table().drop_columns(
        [
            "time_s",
            "time_ms",
            "time_us",
            "time_ns",
            "decimal_76",
            "nothing",
            "float16",
            "timestamp_ns",
            "uuid",
        ]
    )
    pq.write_table(kinds, WORK / "kinds.parquet")
    tallow(
        "score",
        "--model",
        MODEL,
        "kinds.parquet",
        "--output",
        "kinds_out.parquet",
        "--passthrough",
        "all",
    )
    rows = lambda name: session.read.parquet(str(WORK / name))
    # As text: Python has no values for Spark's year 0.
    values = lambda frame, name: frame.select(name).toJSON().collect()
    for name in ("vectors", "far_out"):
        attempt(f"Spark: {name}", lambda: rows(f"{name}.parquet").toJSON().collect())
    before, after = (
        attempt("Spark: kinds", lambda: rows("kinds.parquet")),
        attempt("Spark: kinds", lambda: rows("kinds_out.parquet")),
    )
    if before is not None and after is not None:
        for name in before.columns:
            if dict(before.dtypes)[name] != dict(after.dtypes).get(name):
                fault(
                    f"Spark: {name}: {dict(before.dtypes)[name]} became "
                    f"{dict(after.dtypes).get(name)}"
                )
            elif values(before, name) != values(after, name):
                fault(f"Spark: {name}: {values(before, name)} became {values(after, name)}")


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    for step in (
        parquet_types,
        odd_types,
        logical_types,
        int96,
        csv_values,
        vectors,
        data_sets,
        rejected_rows,
        spark,
    ):
        attempt(step.__name__, step)
    print(json.dumps({"faults": len(FAULTS)}))
    sys.exit(bool(FAULTS))


main()
