"""Parquet files by pyarrow 26 with metadata that is not UTF-8: `data/golden/not_text`.

`extension` and `nested` have extension types whose parameters are bytes, as a pickle's are, `field`
and `schema` have metadata of a field and of the file, `writer` the name of its writer, which is
patched. `plain` has the same columns without."""

import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent / "not_text"
HERE.mkdir(exist_ok=True)


class Extension(pa.ExtensionType):
    def __init__(self):
        super().__init__(pa.float64(), "test.ext")

    def __arrow_ext_serialize__(self):
        return b"\x80\x04\xff\xfe\x95 parameters"

    @classmethod
    def __arrow_ext_deserialize__(cls, storage, serialized):
        return cls()


numbers = pa.array([0.1, 0.2, None, 0.4])
extended = pa.ExtensionArray.from_storage(Extension(), numbers)
plain = pa.table(
    {
        "a": numbers,
        "b": pa.array([1.0, 2.0, 3.0, 4.0]),
        "id": pa.array([1, 2, 3, 4], pa.int16()),
        "d": pa.array(["x", "y", "x", None]).dictionary_encode(),
        "at": pa.array([1, 2, None, 4], pa.timestamp("s", "Europe/Berlin")),
        "l": pa.array([[1.0], [2.0], [], None], pa.large_list(pa.float64())),
    }
)


def write(name, table):
    path = HERE / f"{name}.parquet"
    pq.write_table(table, path, compression="none")
    print(name, pq.read_table(path).schema.types)


write("plain", plain)
write("extension", plain.append_column("e", extended))
inner = pa.StructArray.from_arrays([extended], ["q"])
write("nested", plain.append_column("s", inner).set_column(0, "a", extended))
metadata = {b"k": b"\xff\xfe", b"ok": b"fine"}
fields = [plain.schema.field(0).with_metadata(metadata), *list(plain.schema)[1:]]
write("field", plain.cast(pa.schema(fields)))
write("schema", plain.replace_schema_metadata({b"\xff": b"v", **metadata}))
bytes_ = (HERE / "plain.parquet").read_bytes()
assert bytes_.count(b"parquet-cpp-arrow version") == 1
(HERE / "writer.parquet").write_bytes(
    bytes_.replace(b"parquet-cpp-arrow version", b"parquet-cpp-arr\xff\xfe version")
)
print(pq.read_table(HERE / "writer.parquet").num_rows)
