"""Writes the encrypted Parquet files of `encrypted/` with pyarrow and DuckDB, and their keys.

    python data/parquet/encrypted.py

Every file holds the same six rows. Files with keys of columns come from pyarrow's factory, whose
data keys are random: a service of keys that keeps what it is asked to wrap hands them out."""

import base64
import os
import pathlib

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

OUT = pathlib.Path(__file__).resolve().parent / "encrypted"
SHORT, LONG = b"0123456789abcdef", bytes(range(32))
TABLE = pa.table({
    "id": ["r1", "r2", "r3", "r4", "r5", "r6"],
    "a": [0.5, -1.25, None, 3.0, 0.0, 2.5],
    "b": [1.0, 2.0, 3.0, -4.0, 5.5, 0.25],
    "region": ["north", "south", "north", None, "north", "south"],
    "tags": [["x", "y"], [], None, ["z"], ["x"], ["y", None]],
})


def key(name, value):
    path = OUT / f"{name}.key"
    path.write_bytes(value)
    os.chmod(path, 0o600)


def write(name, **options):
    properties = pe.create_encryption_properties(options.pop("footer_key"), **options)
    pq.write_table(TABLE, OUT / f"{name}.parquet", encryption_properties=properties,
                   row_group_size=4, use_dictionary=["region"])


class Keeper(pe.KmsClient):
    """Keeps the data keys that it is asked to wrap."""

    kept = {}

    def __init__(self, _):
        pe.KmsClient.__init__(self)

    def wrap_key(self, key_bytes, master_key_identifier):
        self.kept[master_key_identifier] = key_bytes
        return base64.b64encode(master_key_identifier.encode())

    def unwrap_key(self, wrapped_key, master_key_identifier):
        return self.kept[master_key_identifier]


def write_with_column_keys(name, **options):
    factory = pe.CryptoFactory(Keeper)
    config = pe.EncryptionConfiguration(
        footer_key="footer", column_keys={"amounts": ["a"], "labels": ["tags.list.element"]},
        encryption_algorithm="AES_GCM_V1", double_wrapping=False, data_key_length_bits=256,
        **options)
    Keeper.kept.clear()
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), config)
    pq.write_table(TABLE, OUT / f"{name}.parquet", encryption_properties=properties,
                   row_group_size=4)
    for master, value in Keeper.kept.items():
        key(f"{name}.{master}", value)


OUT.mkdir(exist_ok=True)
for old in OUT.iterdir():
    old.unlink()
key("short", SHORT)
key("long", LONG)
write("uniform_128", footer_key=SHORT)
write("uniform_256", footer_key=LONG, aad_prefix=b"table-7")
write("plain_footer", footer_key=SHORT, plaintext_footer=True)
write("prefix_elsewhere", footer_key=SHORT, aad_prefix=b"table-7", store_aad_prefix=False)
write("ctr", footer_key=SHORT, encryption_algorithm="AES_GCM_CTR_V1")
write_with_column_keys("columns")
write_with_column_keys("columns_plain_footer", plaintext_footer=True)
# Its own ciphers are good enough for a test.
db = duckdb.connect(config={"force_mbedtls_unsafe": "true"})
db.execute(f"PRAGMA add_parquet_key('k', '{SHORT.decode()}')")
db.register("t", TABLE)
db.execute(f"COPY t TO '{OUT}/duckdb.parquet' (ENCRYPTION_CONFIG {{footer_key: 'k'}})")
pq.write_table(TABLE, OUT / "open.parquet", row_group_size=4)
