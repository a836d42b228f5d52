//! Delimited text: CSV and TSV, plain, gzip or zstd.
