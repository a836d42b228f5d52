//! The product's tiles in plain arithmetic, which defines what the others compute: sums from first
//! to last, then the bias, then the rectifier.

use super::line::{LINE, Line};
use super::tile::Tile;

/// Multiplies a tile of `row_count` rows.
pub(super) fn tile(tile: &Tile<'_>, row_count: usize, out: &mut [f32]) {
    assert!(tile.holds(row_count, out), "a tile lies inside its slices");
    for part in 0..tile.width() {
        let columns = (tile.columns - part * LINE).min(LINE);
        for row in 0..row_count {
            let mut sums = [0.0_f32; LINE];
            let values = &tile.rows[row * tile.stride..row * tile.stride + tile.inner];
            for (value, line) in values
                .iter()
                .zip(tile.lines[part..].iter().step_by(tile.width()))
            {
                sums.iter_mut()
                    .zip(&line.0)
                    .for_each(|(sum, weight)| *sum += value * weight);
            }
            finish(&mut sums, &tile.bias[part], tile.rectifies);
            let first = row * tile.out_stride + part * LINE;
            out[first..first + columns].copy_from_slice(&sums[..columns]);
        }
    }
}

fn finish(sums: &mut [f32; LINE], bias: &Line, rectifies: bool) {
    sums.iter_mut()
        .zip(&bias.0)
        .for_each(|(sum, bias)| *sum += bias);
    if rectifies {
        sums.iter_mut()
            .for_each(|sum| *sum = if *sum < 0.0 { 0.0 } else { *sum });
    }
}
