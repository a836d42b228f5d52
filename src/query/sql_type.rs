//! Names of types in `CAST` and before literals.
//!
//! It must not know values.

use arrow::datatypes::{DataType, TimeUnit};
use sqlparser::ast::{DataType as SqlType, ExactNumberInfo, TimezoneInfo};

use super::parse::{Parsed, unsupported};

/// The type of Arrow that a name of SQL stands for.
pub(super) fn arrow_type(sql: &SqlType) -> Parsed<DataType> {
    use SqlType as S;
    Ok(match sql {
        S::Bool | S::Boolean => DataType::Boolean,
        S::TinyInt(None) => DataType::Int8,
        S::SmallInt(None) | S::Int2(None) => DataType::Int16,
        S::Int(None) | S::Integer(None) | S::Int4(None) | S::Int32 | S::Signed => DataType::Int32,
        S::BigInt(None) | S::Int8(None) | S::Int64 => DataType::Int64,
        S::UTinyInt => DataType::UInt8,
        S::USmallInt => DataType::UInt16,
        S::UInt32 => DataType::UInt32,
        S::UBigInt | S::UInt64 => DataType::UInt64,
        S::Float(ExactNumberInfo::None) | S::Real | S::Float4 | S::Float32 => DataType::Float32,
        S::Double(ExactNumberInfo::None) | S::DoublePrecision | S::Float8 | S::Float64 => {
            DataType::Float64
        }
        S::Decimal(info) | S::Numeric(info) | S::Dec(info) => decimal(*info, sql)?,
        S::Varchar(None)
        | S::Char(None)
        | S::Text
        | S::String(None)
        | S::CharacterVarying(None)
        | S::Character(None)
        | S::Nvarchar(None) => DataType::Utf8,
        S::Date => DataType::Date32,
        S::Timestamp(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone)
        | S::Datetime(None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        S::Custom(name, modifiers) if modifiers.is_empty() => {
            match name.to_string().to_ascii_lowercase().as_str() {
                "uinteger" => DataType::UInt32,
                "utinyint" => DataType::UInt8,
                "usmallint" => DataType::UInt16,
                "ubigint" => DataType::UInt64,
                _ => return unknown_type(sql),
            }
        }
        _ => return unknown_type(sql),
    })
}

fn unknown_type<T>(sql: &SqlType) -> Parsed<T> {
    unsupported(
        format!("the type `{sql}`"),
        "BOOLEAN, TINYINT to BIGINT, UTINYINT to UBIGINT, FLOAT, DOUBLE, DECIMAL(p, s), VARCHAR, \
         DATE and TIMESTAMP work",
    )
}

fn decimal(info: ExactNumberInfo, sql: &SqlType) -> Parsed<DataType> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (18, 3),
        ExactNumberInfo::Precision(precision) => (precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (precision, scale),
    };
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale))
            if scale >= 0 && i64::from(scale) <= i64::from(precision) =>
        {
            Ok(DataType::Decimal128(precision, scale))
        }
        _ => unsupported(
            format!("the type `{sql}`"),
            "a decimal has up to 38 digits: `DECIMAL(18, 3)`",
        ),
    }
}
