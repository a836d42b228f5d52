//! Histograms and bars in one line of text.
//!
//! Owns the blocks. It must not know what is counted.

/// Eighths of a cell, from the lowest on.
const BLOCKS: [char; 8] = [
    '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}',
];

/// A cell for each height, with a full block for `full`, the largest. An empty bin is a space, and
/// every other one shows at least the lowest block.
#[must_use]
pub fn cells(heights: &[f64], full: f64) -> String {
    let cell = |height: &f64| match *height {
        some if some > 0.0 && full > 0.0 => {
            let eighth = (8.0 * some / full).ceil().clamp(1.0, 8.0);
            BLOCKS[eighth as usize - 1]
        }
        _ => ' ',
    };
    heights.iter().map(cell).collect()
}

/// Parts of a cell from the left, in eighths.
const PARTS: [char; 8] = [
    ' ', '\u{258f}', '\u{258e}', '\u{258d}', '\u{258c}', '\u{258b}', '\u{258a}', '\u{2589}',
];

/// A bar of a share of so many cells, in eighths; a share above 0 has one at least.
#[must_use]
pub fn bar(share: f64, cells: usize) -> String {
    if share.is_nan() || share <= 0.0 {
        return String::new();
    }
    let eighths = (share.min(1.0) * 8.0 * cells as f64).round().max(1.0) as usize;
    let mut bar = "\u{2588}".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(PARTS[eighths % 8]);
    }
    bar
}

/// The largest height.
#[must_use]
pub fn largest<'a>(heights: impl IntoIterator<Item = &'a f64>) -> f64 {
    heights.into_iter().copied().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bin_with_a_row_is_seen() {
        let heights = [0.0, 1e-9, 0.5, 1.0, f64::NAN];
        assert_eq!(
            cells(&heights, largest(&heights)),
            " \u{2581}\u{2584}\u{2588} "
        );
        assert_eq!(cells(&[0.0, 0.0], 0.0), "  ");
        assert_eq!(bar(0.77, 20), "\u{2588}".repeat(15) + "\u{258d}");
        assert_eq!(bar(1.0, 2), "\u{2588}\u{2588}");
        assert_eq!([bar(0.0, 9), bar(f64::NAN, 9)], ["", ""]);
        assert_eq!(bar(1e-9, 9), "\u{258f}");
    }
}
