//! Small networks for tests: safetensors files made in memory and layers written in TOML.

use super::{Architecture, Encoding, Network};
use crate::error::Result;
use crate::feature::{Columns, FeatureBlock};
use crate::model::{Model, NumericModel};
use crate::outcome::Margins;

/// A file with these tensors, in this order.
pub(crate) fn safetensors(tensors: &[(&str, &[usize], Vec<f32>)]) -> Vec<u8> {
    let parts = tensors.iter().map(|(name, shape, values)| {
        (
            *name,
            "F32",
            shape.to_vec(),
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        )
    });
    raw(&parts.collect::<Vec<_>>())
}

/// A file with these tensors of any type, bytes as they are.
pub(crate) fn raw(tensors: &[(&str, &str, Vec<usize>, Vec<u8>)]) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, dtype, shape, bytes) in tensors {
        let offsets = [data.len(), data.len() + bytes.len()];
        header.insert(
            (*name).to_owned(),
            serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets }),
        );
        data.extend_from_slice(bytes);
    }
    let header = serde_json::Value::Object(header).to_string();
    [
        (header.len() as u64).to_le_bytes().as_slice(),
        header.as_bytes(),
        &data,
    ]
    .concat()
}

/// The layers of a `[network]` table.
pub(crate) fn architecture(layers: &str) -> Architecture {
    toml::from_str(layers).unwrap()
}

/// Numbers as they are.
pub(crate) fn plain(count: usize) -> Vec<Encoding> {
    vec![
        Encoding::Number {
            mean: 0.0,
            scale: 1.0
        };
        count
    ]
}

/// Numbers between −1 and 1, the same for the same seed.
pub(crate) fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// The margins of rows.
pub(crate) fn score(network: &Network, rows: &[Vec<f32>]) -> Result<Vec<f32>> {
    let mut columns = Columns::filled(rows.len(), network.feature_count(), 0.0);
    for feature in 0..network.feature_count() {
        columns
            .column_mut(feature)
            .iter_mut()
            .zip(rows)
            .for_each(|(value, row)| *value = row[feature]);
    }
    let Margins::Single(margins) = network.margins(&FeatureBlock::Single(columns))? else {
        unreachable!("networks compute in single precision")
    };
    Ok(margins)
}
