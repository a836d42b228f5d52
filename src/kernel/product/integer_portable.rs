//! The integer product's tiles in plain arithmetic, which defines what the others compute.

use super::integer_tile::ByteTile;
use super::line::LINE;

/// Multiplies a tile of `row_count` rows.
pub(super) fn tile(tile: &ByteTile<'_>, row_count: usize, out: &mut [f32]) {
    assert!(tile.holds(row_count, out), "a tile lies inside its slices");
    for part in 0..tile.width() {
        let columns = (tile.columns - part * LINE).min(LINE);
        for row in 0..row_count {
            let mut sums = [0_i32; LINE];
            let (quads, _) =
                tile.bytes[row * tile.stride..(row + 1) * tile.stride].as_chunks::<4>();
            for (values, line) in quads
                .iter()
                .zip(tile.lines[part..].iter().step_by(tile.width()))
                .take(tile.quads)
            {
                let (weights, _) = line.0.as_chunks::<4>();
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    *sum += values
                        .iter()
                        .zip(weights)
                        .map(|(value, weight)| i32::from(*value) * i32::from(*weight))
                        .sum::<i32>();
                }
            }
            let first = row * tile.out_stride + part * LINE;
            for (column, index) in out[first..first + columns].iter_mut().enumerate() {
                let whole = sums[column] - tile.row_zeros[row] * tile.sums[part].0[column];
                *index = whole as f32 * (tile.row_scales[row] * tile.scales[part].0[column])
                    + tile.bias[part].0[column];
            }
        }
    }
}
