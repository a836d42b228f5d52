//! Formats of other programs, by their first bytes, and what to type about each.
//!
//! Owns the list. How a file's beginning is compared with it is `content`'s.

use Remedy::{Do, Run};

/// What to do about a file.
#[derive(Clone, Copy)]
pub(super) enum Remedy {
    /// A shell command, where `FILE` is the file's name and `STEM` its name without the last
    /// ending.
    Run(&'static str),
    /// Words.
    Do(&'static str),
}

/// Formats with a magic number: (offset, bytes, what it is, what to do).
pub(super) const MAGIC: &[(usize, &[u8], &str, Remedy)] = &[
    (0, b"ARROW1", "an Arrow IPC file (Feather)", Run(FEATHER)),
    (0, b"FEA1", "a Feather file of version 1", Run(FEATHER)),
    (
        0,
        b"\xff\xff\xff\xff",
        "an Arrow IPC stream",
        Run(ARROW_STREAM),
    ),
    (
        0,
        b"ORC",
        "an ORC file",
        Run("python -c \"import pandas; pandas.read_orc('FILE').to_parquet('STEM.parquet')\""),
    ),
    (
        0,
        b"Obj\x01",
        "an Avro file",
        Run(
            "duckdb -c \"INSTALL avro; LOAD avro; COPY (FROM read_avro('FILE')) TO \
             'STEM.parquet'\"",
        ),
    ),
    (
        0,
        b"SQLite format 3\0",
        "an SQLite database",
        Run("sqlite3 -header -csv FILE 'select * from the_table' > STEM.csv"),
    ),
    (
        8,
        b"DUCK",
        "a DuckDB database",
        Run("duckdb FILE -c \"COPY the_table TO 'STEM.parquet'\""),
    ),
    (
        0,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an Excel workbook (xls) or another Office file",
        Do(EXCEL),
    ),
    (
        0,
        b"%PDF-",
        "a PDF file",
        Do("export the table itself as CSV or Parquet"),
    ),
    (
        0,
        b"%!PS-Adobe",
        "a PostScript file",
        Do("export the table itself as CSV or Parquet"),
    ),
    (0, b"{\\rtf", "an RTF file", Do("save it as plain text")),
    (
        0,
        b"\x89HDF\r\n\x1a\n",
        "an HDF5 file",
        Run("python -c \"import pandas; pandas.read_hdf('FILE').to_parquet('STEM.parquet')\""),
    ),
    (0, b"\x93NUMPY", "a NumPy array", Run(NUMPY)),
    (
        0,
        b"MATLAB 5.0 MAT-file",
        "a MATLAB file",
        Do("export the table as CSV or Parquet: `writetable` in MATLAB"),
    ),
    (
        0,
        b"RDX2\n",
        "an R workspace",
        Do("export the table in R: `arrow::write_parquet(table, 'table.parquet')`"),
    ),
    (
        0,
        b"RDX3\n",
        "an R workspace",
        Do("export the table in R: `arrow::write_parquet(table, 'table.parquet')`"),
    ),
    (
        0,
        b"X\n\0\0\0",
        "an R data file (RDS)",
        Do("export the table in R: `arrow::write_parquet(table, 'table.parquet')`"),
    ),
    (
        0,
        b"$FL2@(#)",
        "an SPSS file",
        Run("python -c \"import pandas; pandas.read_spss('FILE').to_parquet('STEM.parquet')\""),
    ),
    (
        0,
        b"<stata_dta>",
        "a Stata file",
        Run("python -c \"import pandas; pandas.read_stata('FILE').to_parquet('STEM.parquet')\""),
    ),
    (
        12,
        b"\xc2\xea\x81\x60\xb3\x14\x11\xcf\xbd\x92\x08\x00\x09\xc7\x31\x8c",
        "a SAS data set",
        Run("python -c \"import pandas; pandas.read_sas('FILE').to_parquet('STEM.parquet')\""),
    ),
    (
        0,
        b"GGUF",
        "a GGUF model",
        Do("name it with `--model`, and name the data here"),
    ),
    (257, b"ustar", "a tar archive", Run("tar -xf FILE")),
    (0, b"Rar!\x1a\x07", "a RAR archive", Run("unrar x FILE")),
    (
        0,
        b"BZh",
        "a bzip2 file",
        Run("bzip2 -dc < FILE > UNPACKED"),
    ),
    (
        0,
        b"\xfd7zXZ\0",
        "an xz file",
        Run("xz -dc < FILE > UNPACKED"),
    ),
    (
        0,
        b"\x5d\0\0",
        "an lzma file",
        Run("xz --format=lzma -dc < FILE > UNPACKED"),
    ),
    (
        0,
        b"\x04\x22\x4d\x18",
        "an lz4 file",
        Run("lz4 -dc < FILE > UNPACKED"),
    ),
    (
        0,
        b"7z\xbc\xaf\x27\x1c",
        "a 7-Zip archive",
        Run("7z x FILE"),
    ),
    (
        0,
        b"\x1f\x9d",
        "a file compressed by compress",
        Run("gzip -dc < FILE > UNPACKED"),
    ),
    (
        0,
        b"\x89LZO\0",
        "an lzop file",
        Run("lzop -dc < FILE > UNPACKED"),
    ),
    (
        0,
        b"\xff\x06\0\0sNaPpY",
        "a file compressed by Snappy",
        Do("compress it with gzip or zstd instead"),
    ),
    (0, b"\x89PNG\r\n", "a PNG image", Do(NOT_DATA)),
    (0, b"\xff\xd8\xff", "a JPEG image", Do(NOT_DATA)),
    (0, b"GIF89a", "a GIF image", Do(NOT_DATA)),
    (0, b"\x7fELF", "a program", Do(NOT_DATA)),
    (0, b"#!/", "a script", Do(NOT_DATA)),
    (
        0,
        b"-----BEGIN ",
        "a key, a certificate or a signature",
        Do(NOT_DATA),
    ),
    (
        0,
        b"/annex/objects/",
        "a git-annex pointer, not the file itself",
        Run("git annex get FILE"),
    ),
    (
        0,
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, not the file itself",
        Run("git lfs pull --include FILE"),
    ),
];

const FEATHER: &str =
    "python -c \"import pandas; pandas.read_feather('FILE').to_parquet('STEM.parquet')\"";

const ARROW_STREAM: &str = "python -c \"import pyarrow as a, pyarrow.parquet as p; \
                            p.write_table(a.ipc.open_stream('FILE').read_all(), 'STEM.parquet')\"";

const NUMPY: &str = "python -c \"import numpy, pandas; \
                     pandas.DataFrame(numpy.load('FILE')).to_parquet('STEM.parquet')\"";

const EXCEL: &str =
    "save the sheet as CSV, or read it with `pandas.read_excel` and write it with `to_parquet`";

const NOT_DATA: &str = "remove it, or name only the data files";

pub(super) const WEB_PAGE: &str =
    "look into it: a download that failed often leaves a page with a message";

pub(super) const JSON_TO_PARQUET: &str =
    "duckdb -c \"COPY (FROM read_json('FILE')) TO 'STEM.parquet'\"";

/// Parts of the first names in a zip archive, and what such an archive is.
pub(super) const ZIPPED: &[(&[u8], &str, Remedy)] = &[
    (b"xl/", "an Excel workbook (xlsx)", Do(EXCEL)),
    (
        b"opendocument.spreadsheet",
        "an OpenDocument spreadsheet",
        Do(EXCEL),
    ),
    (b"word/", "a Word document", Do("save the table as CSV")),
    (
        b".npy",
        "a NumPy archive (npz)",
        Do("write its arrays as one table, such as with `pandas.DataFrame(…).to_parquet`"),
    ),
    (b"META-INF/", "a Java archive", Do(NOT_DATA)),
    (
        b"/code/__torch__",
        "a TorchScript program",
        Do("name a model with `--model`, and name the data here"),
    ),
    (
        b"data.pkl",
        "a PyTorch checkpoint",
        Do("name a model with `--model`, and name the data here"),
    ),
];

/// Beginnings of web pages and XML, in lower case.
pub(super) const MARKUP: [(&str, &str); 8] = [
    ("<!doctype html", "an HTML page"),
    ("<html", "an HTML page"),
    ("<head", "an HTML page"),
    ("<body", "an HTML page"),
    ("<table", "an HTML table"),
    ("<script", "an HTML page"),
    ("<?xml", "an XML file"),
    ("<!doctype", "an XML file"),
];
