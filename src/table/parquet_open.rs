//! A Parquet file's footer, opened: its bytes, its keys, and the types that columns are decoded as.
//!
//! Owns the steps from a file to a [`Footer`]. The record itself is checked by `parquet_footer`,
//! and opened with keys by `parquet_encryption`.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::FOOTER_SIZE;
use parquet::file::metadata::{
    FooterTail, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;

use super::keyring::Keyring;
use super::parquet_check::check_metadata;
use super::parquet_encryption::Sealed;
use super::parquet_footer::{CheckedFooter, check_footer};
use super::parquet_input::Input;
use super::parquet_stored_schema::legible;
use super::parquet_types::{annotated, readable};
use super::parquet_zones::{WIDE_INTEGERS, with_zones};
use super::thrift::TOO_DEEP;
use crate::error::{Error, Result};
use crate::memory;

/// A file's footer, read.
#[derive(Clone, Debug)]
pub(super) struct Footer {
    /// What it says, with the columns in the types that they are decoded as: times of the type
    /// INT96 are bytes here.
    pub(super) metadata: ArrowReaderMetadata,
    /// The leaves that cannot be read, each with the reason.
    pub(super) unreadable: Arc<[(usize, String)]>,
}

/// The footer of a file that is opened for the first time, or was before.
pub(super) fn footer(input: &Input) -> Result<Footer> {
    let path = input.0.path();
    let hint = "the file is cut off or damaged: write or copy it again";
    let damaged = |error: ParquetError| {
        let text = error.to_string();
        let hint = if text.contains(TOO_DEEP) {
            "write the table with columns that are nested less deeply"
        } else if text.contains(WIDE_INTEGERS) {
            "cast the column before you write the file, such as to `pl.Decimal(38, 0)`, `pl.Int64` \
             or `pl.String`"
        } else {
            hint
        };
        let failed = Error::failed("cannot read the Parquet footer").at_path(path);
        match error {
            ParquetError::External(source) => failed.because(source),
            other => failed.because(other),
        }
        .hint(hint)
    };
    let (bytes, is_sealed) = footer_bytes(input).map_err(damaged)?;
    let keyring = Keyring::of_process();
    let source = FooterSource::new(&bytes, is_sealed, &keyring)
        .map_err(damaged)?
        .map_err(|error| error.at_path(path))?;
    let footer = parsed_footer(source, input.len()).map_err(damaged)?;
    // The reader cannot decode dictionaries of booleans and decimals, which pandas writes for such
    // categories: they are read as plain columns. Keys of 8 bits, which pandas writes too, are
    // enough for the words of a row group, not for those of all row groups together.
    let metadata = with_types(&footer.metadata, readable_dictionaries).map_err(|error| {
        Error::failed("cannot read the Parquet schema")
            .at_path(path)
            .because(error)
    })?;
    Ok(Footer { metadata, ..footer })
}

/// Where a footer is decoded from.
struct FooterSource {
    /// The record; checked, if it is decoded without keys.
    bytes: bytes::Bytes,
    /// The leaves that cannot be read, each with the reason.
    unreadable: Vec<(usize, String)>,
    /// How it is decoded with keys.
    sealed: Option<Sealed>,
}

impl FooterSource {
    /// The footer in `bytes`, encrypted if `is_sealed`: the outer error is of what is damaged, the
    /// inner one of keys.
    fn new(
        bytes: &bytes::Bytes,
        is_sealed: bool,
        keyring: &Keyring,
    ) -> parquet::errors::Result<Result<Self>> {
        if is_sealed {
            return Ok(Sealed::of_encrypted(bytes, keyring)
                .map(|sealed| Self::of_sealed(sealed, bytes, Vec::new())));
        }
        let checked =
            check_footer(bytes).map_err(|refusal| ParquetError::External(Box::new(refusal)))?;
        let CheckedFooter {
            bytes: known,
            unreadable,
            encryption,
        } = checked;
        if let Some(encryption) = encryption {
            let id = encryption.key_id.as_deref();
            // Its signature is of the record as it was written.
            match Sealed::of_plain(bytes, id, keyring) {
                Ok(Some(sealed)) => {
                    let others = unreadable.into_iter();
                    let others = others.filter(|(leaf, _)| !encryption.leaves.contains(leaf));
                    return Ok(Ok(Self::of_sealed(sealed, bytes, others.collect())));
                }
                Ok(None) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(Self {
            bytes: known,
            unreadable,
            sealed: None,
        }))
    }

    fn of_sealed(
        sealed: Sealed,
        bytes: &bytes::Bytes,
        mut unreadable: Vec<(usize, String)>,
    ) -> Self {
        unreadable.extend(sealed.locked.clone());
        Self {
            bytes: bytes.clone(),
            unreadable,
            sealed: Some(sealed),
        }
    }

    fn decode(
        &self,
        options: Option<ParquetMetaDataOptions>,
    ) -> parquet::errors::Result<ParquetMetaData> {
        match &self.sealed {
            Some(sealed) => sealed.decode(options),
            None => {
                ParquetMetaDataReader::decode_metadata_with_options(&self.bytes, options.as_ref())
            }
        }
    }
}

fn parsed_footer(source: FooterSource, file_bytes: u64) -> parquet::errors::Result<Footer> {
    let parsed_bytes = (source.bytes.len() as u64).saturating_mul(PARSED_BYTES_PER_FOOTER_BYTE);
    let _parsed = memory::reserve(parsed_bytes, "the Parquet footer")
        .map_err(|refusal| ParquetError::External(Box::new(refusal)))?;
    let own = source.decode(None)?;
    let locked = source.sealed.as_ref().map(|sealed| &sealed.locked);
    check_metadata(&own, file_bytes, |leaf| {
        locked.is_some_and(|locked| locked.contains_key(&leaf))
    })?;
    let schema = own.file_metadata().schema_descr_ptr();
    let leaves = schema.columns().iter().map(|leaf| leaf.path().parts());
    Keyring::of_process().note_leaves(leaves);
    let metadata = match readable(&schema)? {
        Some(readable) => source.decode(Some(
            ParquetMetaDataOptions::new().with_schema(Arc::new(readable)),
        ))?,
        None => own,
    };
    let metadata = Arc::new(if source.sealed.is_none() {
        legible(metadata)
    } else {
        metadata
    });
    // An Arrow schema that does not fit the columns is ignored: the columns' own types are
    // what counts.
    let arrow = ArrowReaderMetadata::try_new(Arc::clone(&metadata), ArrowReaderOptions::new())
        .or_else(|_| {
            ArrowReaderMetadata::try_new(
                Arc::clone(&metadata),
                ArrowReaderOptions::new().with_skip_arrow_metadata(true),
            )
        })?;
    let whole = whole_columns(&metadata);
    let zoned = with_zones(
        arrow.schema(),
        metadata.file_metadata().key_value_metadata(),
    )?;
    let annotated = annotated(&zoned, &schema, |column| {
        whole.get(column).is_some_and(|is_whole| *is_whole)
    });
    let metadata = ArrowReaderMetadata::try_new(
        metadata,
        ArrowReaderOptions::new().with_schema(Arc::new(annotated)),
    )?;
    Ok(Footer {
        metadata,
        unreadable: source.unreadable.into(),
    })
}

/// For each column, whether its values are all there, at any depth, by its statistics.
fn whole_columns(metadata: &ParquetMetaData) -> Vec<bool> {
    let schema = metadata.file_metadata().schema_descr();
    let mut whole = vec![true; schema.root_schema().get_fields().len()];
    for group in metadata.row_groups() {
        for (leaf, chunk) in group.columns().iter().enumerate() {
            let null_count = chunk.statistics().and_then(Statistics::null_count_opt);
            if let Some(is_whole) = whole.get_mut(schema.get_column_root_idx(leaf)) {
                *is_whole &= null_count == Some(0);
            }
        }
    }
    whole
}

/// The footer's bytes, and whether they are encrypted.
fn footer_bytes(input: &Input) -> parquet::errors::Result<(bytes::Bytes, bool)> {
    let read = |start: u64, length: usize| input.get_bytes(start, length);
    let Some(tail_start) = input.len().checked_sub(FOOTER_SIZE as u64) else {
        return Err(ParquetError::EOF(
            "the file is too short for a footer".to_owned(),
        ));
    };
    let tail = FooterTail::try_from(&*read(tail_start, FOOTER_SIZE)?)?;
    let length = tail.metadata_length();
    let start = tail_start.checked_sub(length as u64);
    let start = start.ok_or_else(|| {
        ParquetError::EOF(format!(
            "the footer has a length of {length} bytes, the file has {}",
            input.len()
        ))
    })?;
    Ok((read(start, length)?, tail.is_encrypted_footer()))
}

/// What is parsed of a footer is a few times as large.
const PARSED_BYTES_PER_FOOTER_BYTE: u64 = 8;

/// Another type for a column that has dictionaries which cannot be read as they are declared.
fn readable_dictionaries(data_type: &DataType) -> Option<DataType> {
    Some(with_readable_dictionaries(data_type)).filter(|readable| readable != data_type)
}

fn with_readable_dictionaries(data_type: &DataType) -> DataType {
    let inner = |field: &FieldRef| {
        let data_type = with_readable_dictionaries(field.data_type());
        Arc::new(field.as_ref().clone().with_data_type(data_type))
    };
    match data_type {
        DataType::Dictionary(keys, value) => match (keys.as_ref(), value.as_ref()) {
            (_, DataType::Boolean | DataType::Decimal128(..) | DataType::Decimal256(..)) => {
                value.as_ref().clone()
            }
            (DataType::Int8 | DataType::UInt8 | DataType::Int16 | DataType::UInt16, _) => {
                DataType::Dictionary(Box::new(DataType::Int32), value.clone())
            }
            _ => data_type.clone(),
        },
        DataType::List(field) => DataType::List(inner(field)),
        DataType::LargeList(field) => DataType::LargeList(inner(field)),
        DataType::FixedSizeList(field, length) => DataType::FixedSizeList(inner(field), *length),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        other => other.clone(),
    }
}

/// The footer with some columns' types replaced; as it is if none is.
pub(super) fn with_types(
    footer: &ArrowReaderMetadata,
    replacement: impl Fn(&DataType) -> Option<DataType>,
) -> parquet::errors::Result<ArrowReaderMetadata> {
    let schema = footer.schema();
    if !schema
        .fields()
        .iter()
        .any(|field| replacement(field.data_type()).is_some())
    {
        return Ok(footer.clone());
    }
    let replaced = |field: &FieldRef| match replacement(field.data_type()) {
        Some(data_type) => Arc::new(field.as_ref().clone().with_data_type(data_type)),
        None => field.clone(),
    };
    let schema = Schema::new_with_metadata(
        schema.fields().iter().map(replaced).collect::<Vec<_>>(),
        schema.metadata().clone(),
    );
    ArrowReaderMetadata::try_new(
        footer.metadata().clone(),
        ArrowReaderOptions::new().with_schema(Arc::new(schema)),
    )
}

/// The type that a column is read as: texts and binaries as views into their pages, also inside
/// lists and structs.
#[must_use]
pub(super) fn read_type(data_type: &DataType) -> DataType {
    let inner = |field: &FieldRef| {
        Arc::new(
            field
                .as_ref()
                .clone()
                .with_data_type(read_type(field.data_type())),
        )
    };
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::List(field) => DataType::List(inner(field)),
        DataType::LargeList(field) => DataType::LargeList(inner(field)),
        DataType::FixedSizeList(field, length) => DataType::FixedSizeList(inner(field), *length),
        DataType::Map(entries, is_sorted) => DataType::Map(inner(entries), *is_sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        other => other.clone(),
    }
}
