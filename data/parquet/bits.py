"""Small Parquet files with checksums of their pages, and for each the bits that pyarrow reads other
rows without.

    python data/parquet/bits.py

`bits.json` lists, for each file, the bits (8 × byte + bit) whose change pyarrow does not notice
though the rows or columns are other ones."""

import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
TABLES = {
    "plain": (
        pa.table(
            {"a": pa.array([1, 2, None, 4, 5, 6], pa.int64()), "f": [0.5, None, 1.5, 2.5, 3.5, 4.5]}
        ),
        {"use_dictionary": False, "compression": "none"},
    ),
    "dictionary": (
        pa.table(
            {
                "t": ["x", "y", None, "x", "x", "long text"],
                "n": pa.array([7, 7, 8, 7, 8, 8], pa.int32()),
            }
        ),
        {"compression": "snappy", "data_page_version": "2.0"},
    ),
    "nested": (
        pa.table(
            {
                "l": pa.array([[1, 2], [], None, [3], [None], [4, 5, 6]], pa.list_(pa.int32())),
                "d": pa.array([1, 2, 3, None, 5, 6], pa.date32()),
            }
        ),
        {"compression": "zstd", "row_group_size": 3},
    ),
}


def rows(data):
    """Columns and rows as pyarrow reads them; none if it fails."""
    try:
        found = pq.read_table(pa.BufferReader(data), page_checksum_verification=True)
        return repr((found.schema.names, found.to_pylist()))
    except Exception:
        return None


listed = {}
for name, (table, options) in TABLES.items():
    path = HERE / f"bits_{name}.parquet"
    pq.write_table(table, path, write_page_checksum=True, store_schema=False, **options)
    data = path.read_bytes()
    right, other = rows(data), []
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        if rows(bytes(changed)) not in (None, right):
            other.append(bit)
    listed[name] = other
    print(name, len(data), "bytes,", len(other), "bits")
(HERE / "bits.json").write_text(json.dumps(listed, indent=None, separators=(",", ":")) + "\n")
