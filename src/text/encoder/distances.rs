//! What attention asks of the positions of tokens: rotations, windows, rows of tables of distances.
//!
//! Owns the arithmetic of texts of one length, computed once for all layers and laid on the device.
//! It must not know weights.

use candle_core::{Device, Result as CandleResult, Tensor};

use super::architecture::{Architecture, AttentionPositions, disentangled_index, relative_bucket};

/// For texts of one length.
pub(super) struct Distances {
    /// (base, cosines, sines) of each base that layers rotate by, both \[length, size / 2\].
    rotations: Vec<(f64, Tensor, Tensor)>,
    /// (window, mask) of each window that is shorter than the texts, the mask \[1, 1, length,
    /// length\].
    masks: Vec<(usize, Tensor)>,
    /// \[length²\]: the rows of the table of biases, where distances are bucketed.
    pub(super) buckets: Option<Tensor>,
    /// \[length, length\]: for (query, key) the row of the table of positions' keys, where
    /// positions are disentangled.
    pub(super) key_rows: Option<Tensor>,
    /// \[length, length\]: for (key, query) the row of the table of positions' queries, likewise.
    pub(super) query_rows: Option<Tensor>,
}

impl Distances {
    /// # Errors
    /// Fails if the device has no room.
    pub(super) fn new(
        architecture: &Architecture,
        length: usize,
        device: &Device,
    ) -> CandleResult<Self> {
        let mut new = Self {
            rotations: Vec::new(),
            masks: Vec::new(),
            buckets: None,
            key_rows: None,
            query_rows: None,
        };
        for layer in &architecture.layers {
            if let (AttentionPositions::Rotary { size }, Some(base)) =
                (architecture.attention, layer.rotary_base)
                && new.rotation(base).is_none()
            {
                let (cosines, sines) = rotation(length, size, base, device)?;
                new.rotations.push((base, cosines, sines));
            }
            if let Some(window) = layer
                .window
                .filter(|window| *window < length && new.mask(*window).is_none())
            {
                new.masks
                    .push((window, window_mask(length, window, device)?));
            }
        }
        match architecture.attention {
            AttentionPositions::None | AttentionPositions::Rotary { .. } => {}
            AttentionPositions::Bucketed {
                bucket_count,
                max_distance,
            } => {
                let buckets = by_distance(length, device, |query, key| {
                    relative_bucket(key - query, bucket_count, max_distance)
                })?;
                new.buckets = Some(buckets.flatten_all()?);
            }
            AttentionPositions::Disentangled {
                content_to_position,
                position_to_content,
                span,
                bucket_count,
                max_distance,
            } => {
                let row =
                    |distance: i64| disentangled_index(distance, span, bucket_count, max_distance);
                new.key_rows = content_to_position
                    .then(|| by_distance(length, device, |query, key| row(query - key)))
                    .transpose()?;
                new.query_rows = position_to_content
                    .then(|| by_distance(length, device, |key, query| row(query - key)))
                    .transpose()?;
            }
        }
        Ok(new)
    }

    /// Cosines and sines \[length, size / 2\] for a base.
    pub(super) fn rotation(&self, base: f64) -> Option<(&Tensor, &Tensor)> {
        self.rotations
            .iter()
            .find(|(known, ..)| *known == base)
            .map(|(_, cosines, sines)| (cosines, sines))
    }

    /// 0 where two tokens see one another through a window, else minus infinity; none where all do.
    pub(super) fn mask(&self, window: usize) -> Option<&Tensor> {
        self.masks
            .iter()
            .find(|(known, _)| *known == window)
            .map(|(_, mask)| mask)
    }
}

/// A number for each (row, column) of a square, \[length, length\].
fn by_distance(
    length: usize,
    device: &Device,
    number: impl Fn(i64, i64) -> usize,
) -> CandleResult<Tensor> {
    let numbers: Vec<u32> = (0..length * length)
        .map(|index| number((index / length) as i64, (index % length) as i64) as u32)
        .collect();
    Tensor::from_vec(numbers, (length, length), device)
}

fn window_mask(length: usize, window: usize, device: &Device) -> CandleResult<Tensor> {
    let sees = |index: usize| (index / length).abs_diff(index % length) <= window;
    let mask: Vec<f32> = (0..length * length)
        .map(|index| if sees(index) { 0.0 } else { f32::NEG_INFINITY })
        .collect();
    Tensor::from_vec(mask, (1, 1, length, length), device)
}

/// Cosines and sines \[length, size / 2\], in single precision as the original computes them.
fn rotation(
    length: usize,
    size: usize,
    base: f64,
    device: &Device,
) -> CandleResult<(Tensor, Tensor)> {
    let frequencies: Vec<f32> = (0..size)
        .step_by(2)
        .map(|index| 1.0 / (base as f32).powf(index as f32 / size as f32))
        .collect();
    let angles = (0..length).flat_map(|position| {
        frequencies
            .iter()
            .map(move |frequency| position as f32 * frequency)
    });
    let angles = Tensor::from_vec(angles.collect::<Vec<f32>>(), (length, size / 2), device)?;
    Ok((angles.cos()?, angles.sin()?))
}
