//! The logical type of a Parquet column that no Arrow type expresses: its name, kept in a field's
//! metadata, and the column's type with it put back.
//!
//! Owns the names of these types ([`Annotation`]). Which columns have one is `parquet_types`'s;
//! which values they have as text is `csv_sink`'s.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use parquet::basic::{
    ConvertedType, EdgeInterpolationAlgorithm as Edges, LogicalType, TimeUnit, Type as PhysicalType,
};
use parquet::errors::ParquetError;
use parquet::schema::types::{PrimitiveTypeBuilder, Type, TypePtr};
use serde::{Deserialize, Serialize};

/// The metadata of a field that holds its annotation. It never reaches a file.
pub(super) const KEY: &str = "tallow:parquet_type";

/// The metadata of a column of vectors of one length that says that it has no null.
pub(super) const WHOLE: &str = "tallow:whole";

/// The bytes of an interval: months, days and milliseconds, of 32 bits each.
pub(super) const INTERVAL_BYTES: i32 = 12;

/// The bytes of a time of the type INT96: nanoseconds of the day in 64 bits, and the Julian day in
/// 32.
pub(super) const INT96_BYTES: i32 = 12;

/// The bytes of a UUID.
pub(super) const UUID_BYTES: i32 = 16;

/// What a column is beyond its Arrow type.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum Annotation {
    /// 16 bytes that are a UUID.
    Uuid,
    /// A text that is JSON.
    Json,
    /// Bytes that are BSON.
    Bson,
    /// A text of a few that there are.
    Enum,
    /// 12 bytes: months, days, milliseconds.
    Interval,
    /// A time of the type INT96, as its 12 bytes.
    Int96,
    /// A time of day in UTC.
    TimeUtc,
    /// A time of day that only the older, converted type names.
    OldTime,
    /// A timestamp that only the older, converted type names: readers take it for local time.
    OldTimestamp,
    /// Well-known binary; the coordinate system, if one is named.
    Geometry(Option<String>),
    /// Well-known binary on a sphere; the coordinate system, if one is named, and the number of the
    /// algorithm.
    Geography(Option<String>, Option<i32>),
    /// A struct of metadata and value; the version of its specification.
    Variant(Option<i8>),
}

impl Annotation {
    /// What a Parquet type says beyond the Arrow type that it is read as.
    pub(super) fn of(parquet: &Type) -> Option<Self> {
        let info = parquet.get_basic_info();
        match (info.logical_type_ref(), info.converted_type()) {
            (Some(LogicalType::Uuid), _) => Some(Self::Uuid),
            (Some(LogicalType::Json), _) | (None, ConvertedType::JSON) => Some(Self::Json),
            (Some(LogicalType::Bson), _) | (None, ConvertedType::BSON) => Some(Self::Bson),
            (Some(LogicalType::Enum), _) | (None, ConvertedType::ENUM) => Some(Self::Enum),
            (Some(LogicalType::Time(time)), _) => {
                time.is_adjusted_to_u_t_c.then_some(Self::TimeUtc)
            }
            (None, ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS) => Some(Self::OldTime),
            (None, ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS) => {
                Some(Self::OldTimestamp)
            }
            (Some(LogicalType::Geometry(of)), _) => Some(Self::Geometry(of.crs.clone())),
            (Some(LogicalType::Geography(of)), _) => {
                Some(Self::Geography(of.crs.clone(), of.algorithm.map(number_of)))
            }
            (Some(LogicalType::Variant(of)), _) => Some(Self::Variant(of.specification_version)),
            (None, ConvertedType::INTERVAL) => Some(Self::Interval),
            _ if parquet.is_primitive() && parquet.get_physical_type() == PhysicalType::INT96 => {
                Some(Self::Int96)
            }
            _ => None,
        }
    }

    /// The annotation of a field that was read from Parquet.
    pub(super) fn of_field(field: &Field) -> Option<Self> {
        serde_json::from_str(field.metadata().get(KEY)?).ok()
    }

    /// The Parquet type with the annotation put back.
    #[expect(clippy::match_same_arms, reason = "the fields of two types")]
    pub(super) fn applied(&self, parquet: &Type) -> Result<TypePtr, ParquetError> {
        if !parquet.is_primitive() {
            let logical = if let Self::Variant(version) = self {
                Some(LogicalType::variant(*version))
            } else {
                None
            };
            return group(parquet, parquet.get_fields().to_vec(), logical);
        }
        let logical = |logical: LogicalType| {
            primitive(parquet, |builder| builder.with_logical_type(Some(logical)))
        };
        let converted = |converted: ConvertedType| {
            primitive(parquet, |builder| builder.with_converted_type(converted))
        };
        let unit = match parquet.get_basic_info().logical_type_ref() {
            Some(LogicalType::Time(of)) => of.unit,
            Some(LogicalType::Timestamp(of)) => of.unit,
            _ => TimeUnit::NANOS,
        };
        match (self, unit) {
            (Self::Uuid, _) => logical(LogicalType::Uuid),
            (Self::Json, _) => logical(LogicalType::Json),
            (Self::Bson, _) => logical(LogicalType::Bson),
            (Self::Enum, _) => logical(LogicalType::Enum),
            (Self::Geometry(crs), _) => logical(LogicalType::geometry(crs.clone())),
            (Self::Geography(crs, edges), _) => {
                logical(LogicalType::geography(crs.clone(), edges.map(edges_of)))
            }
            (Self::Interval, _) => converted(ConvertedType::INTERVAL),
            (Self::TimeUtc, unit) => logical(LogicalType::time(true, unit)),
            (Self::OldTime, TimeUnit::MILLIS) => converted(ConvertedType::TIME_MILLIS),
            (Self::OldTime, TimeUnit::MICROS) => converted(ConvertedType::TIME_MICROS),
            (Self::OldTimestamp, TimeUnit::MILLIS) => converted(ConvertedType::TIMESTAMP_MILLIS),
            (Self::OldTimestamp, TimeUnit::MICROS) => converted(ConvertedType::TIMESTAMP_MICROS),
            (Self::OldTime | Self::OldTimestamp | Self::Variant(_) | Self::Int96, _) => {
                Ok(Arc::new(parquet.clone()))
            }
        }
    }

    /// Whether values of this Arrow type can have the annotation: a column may have been cast since
    /// it was read.
    pub(super) fn suits(&self, data_type: &DataType) -> bool {
        let value = if let DataType::Dictionary(_, value) = data_type {
            value.as_ref()
        } else {
            data_type
        };
        match self {
            Self::Uuid => *value == DataType::FixedSizeBinary(UUID_BYTES),
            Self::Interval => *value == DataType::FixedSizeBinary(INTERVAL_BYTES),
            Self::Int96 => *value == DataType::FixedSizeBinary(INT96_BYTES),
            Self::Json | Self::Enum => matches!(
                value,
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
            ),
            Self::Bson | Self::Geometry(_) | Self::Geography(..) => {
                matches!(
                    value,
                    DataType::Binary | DataType::LargeBinary | DataType::BinaryView
                )
            }
            Self::TimeUtc | Self::OldTime => {
                matches!(value, DataType::Time32(_) | DataType::Time64(_))
            }
            Self::OldTimestamp => matches!(value, DataType::Timestamp(_, None)),
            Self::Variant(_) => matches!(value, DataType::Struct(_)),
        }
    }
}

fn number_of(edges: Edges) -> i32 {
    match edges {
        Edges::SPHERICAL => 0,
        Edges::VINCENTY => 1,
        Edges::THOMAS => 2,
        Edges::ANDOYER => 3,
        Edges::KARNEY => 4,
        Edges::_Unknown(number) => number,
    }
}

fn edges_of(number: i32) -> Edges {
    [
        Edges::SPHERICAL,
        Edges::VINCENTY,
        Edges::THOMAS,
        Edges::ANDOYER,
        Edges::KARNEY,
    ]
    .get(usize::try_from(number).unwrap_or(usize::MAX))
    .copied()
    .unwrap_or(Edges::_Unknown(number))
}

/// A primitive type of the same name, size and repetition, with another annotation.
pub(super) fn primitive(
    like: &Type,
    annotate: impl FnOnce(PrimitiveTypeBuilder<'_>) -> PrimitiveTypeBuilder<'_>,
) -> Result<TypePtr, ParquetError> {
    let length = if let Type::PrimitiveType { type_length, .. } = like {
        *type_length
    } else {
        -1
    };
    typed(like, like.get_physical_type(), length, annotate)
}

pub(super) fn typed(
    like: &Type,
    physical: PhysicalType,
    length: i32,
    annotate: impl FnOnce(PrimitiveTypeBuilder<'_>) -> PrimitiveTypeBuilder<'_>,
) -> Result<TypePtr, ParquetError> {
    let info = like.get_basic_info();
    let builder = Type::primitive_type_builder(like.name(), physical)
        .with_repetition(info.repetition())
        .with_length(length);
    annotate(builder.with_id(info.has_id().then(|| info.id())))
        .build()
        .map(Arc::new)
}

/// A group with other fields, and with another logical type if there is one.
pub(super) fn group(
    like: &Type,
    fields: Vec<TypePtr>,
    logical: Option<LogicalType>,
) -> Result<TypePtr, ParquetError> {
    let info = like.get_basic_info();
    let builder = Type::group_type_builder(like.name())
        .with_fields(fields)
        .with_id(info.has_id().then(|| info.id()));
    let builder = if info.has_repetition() {
        builder.with_repetition(info.repetition())
    } else {
        builder
    };
    let builder = builder.with_converted_type(info.converted_type());
    builder
        .with_logical_type(logical.or_else(|| info.logical_type_ref().cloned()))
        .build()
        .map(Arc::new)
}
