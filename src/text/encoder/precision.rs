//! How products of matrices are computed in a text model.

use serde::Deserialize;

use crate::kernel::processor::Instructions;
use crate::text::transformer::Arithmetic;

/// How products of matrices are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum ProductPrecision {
    /// In single precision; on processors with AMX from numbers of 17 bits, see
    /// [`crate::kernel::product`].
    #[default]
    #[serde(rename = "f32")]
    Single,
    /// In single precision with all 24 bits on every processor.
    #[serde(rename = "f32-exact")]
    SingleExact,
    /// In bytes, summed exactly; what lies between two products stays in single precision.
    #[serde(rename = "int8")]
    Bytes,
}

impl ProductPrecision {
    /// How this processor computes so.
    pub(super) fn on_processor(self) -> (Instructions, Arithmetic) {
        match self {
            Self::Single => (Instructions::available()[0], Arithmetic::Single),
            Self::SingleExact => (Instructions::exact(), Arithmetic::Single),
            Self::Bytes => (Instructions::available()[0], Arithmetic::Bytes),
        }
    }

    /// What reports call it, on this processor or on another device.
    pub(super) fn described(self, is_processor: bool) -> &'static str {
        match self {
            Self::Single if is_processor && self.on_processor().0 == Instructions::Amx => {
                "f32 (products of 17 bits, AMX)"
            }
            Self::Single | Self::SingleExact => "f32",
            Self::Bytes => "int8",
        }
    }
}
