//! Laws of profiles over hostile columns: any cut, order and merge gives the bytes of one pass, and
//! stored bytes are read back.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Date32Array, Decimal128Array, Float64Array, Int64Array, NullArray,
    RecordBatch, StringArray, TimestampNanosecondArray,
};
use arrow::compute::{concat_batches, take_record_batch};
use proptest::prelude::*;

use super::bins::FrozenBins;
use super::drift::Drift;
use super::golden::distribution;
use super::profile::tests::{bytes, of};
use super::profile::{ColumnProfile, Kind, Profile};
use super::{distance, moments};
use crate::statistics::bytes::Writer;
use crate::statistics::categories::Categories;

/// Numbers that break sums and bins.
const HOSTILE: [f64; 12] = [
    0.0,
    -0.0,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    1e300,
    -1e300,
    f64::MAX,
    5e-324,
    -5e-324,
    f64::MIN_POSITIVE,
    9_007_199_254_740_992.0,
];

/// Columns of these rows: a number picks what each column holds there.
fn hostile(rows: &[(u8, f64)]) -> RecordBatch {
    let picks = || rows.iter().map(|(pick, _)| *pick);
    let numbers = rows.iter().map(|(pick, number)| match pick {
        0..12 => Some(HOSTILE[usize::from(*pick)]),
        12..16 => None,
        _ => Some(*number),
    });
    let integer = |pick: u8| match pick {
        0 => Some(i64::MIN),
        1 => Some(i64::MAX),
        2..6 => None,
        other => Some(i64::from(other) - 9),
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("numbers", Arc::new(numbers.collect::<Float64Array>())),
        ("null", Arc::new(NullArray::new(rows.len()))),
        ("none", Arc::new(Float64Array::from(vec![None; rows.len()]))),
        ("one", Arc::new(Float64Array::from(vec![7.5; rows.len()]))),
        (
            "integers",
            Arc::new(picks().map(integer).collect::<Int64Array>()),
        ),
        (
            "times",
            Arc::new(picks().map(integer).collect::<TimestampNanosecondArray>()),
        ),
        (
            "dates",
            Arc::new(
                picks()
                    .map(|pick| (pick > 3).then_some(i32::from(pick) - 9))
                    .collect::<Date32Array>(),
            ),
        ),
        (
            "decimals",
            Arc::new(
                picks()
                    .map(|pick| (pick > 2).then_some(10_i128.pow(37) - i128::from(pick)))
                    .collect::<Decimal128Array>(),
            ),
        ),
        (
            "bytes",
            Arc::new(
                picks()
                    .map(|pick| (pick > 2).then_some([pick, 255]))
                    .collect::<BinaryArray>(),
            ),
        ),
        (
            "texts",
            Arc::new(
                picks()
                    .map(|pick| (pick > 4).then(|| "é\n\u{202e}".repeat(usize::from(pick))))
                    .collect::<StringArray>(),
            ),
        ),
    ];
    let columns = columns.into_iter();
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .unwrap()
}

fn profiled(batches: &[RecordBatch]) -> Profile {
    of(batches, false)
}

/// Another order of the rows.
fn shuffled(batch: &RecordBatch, seed: u64) -> RecordBatch {
    let mut rows: Vec<u64> = (0..batch.num_rows() as u64).collect();
    rows.sort_by_key(|row| (row ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    take_record_batch(batch, &arrow::array::UInt64Array::from(rows)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_cut_order_and_merge_of_hostile_columns_gives_the_bytes_of_one_pass(
        rows in proptest::collection::vec((0u8..40, any::<f64>()), 1..200),
        cuts in proptest::collection::vec(0usize..200, 0..5),
        seed in any::<u64>(),
    ) {
        let whole = hostile(&rows);
        let expected = bytes(&profiled(std::slice::from_ref(&whole)));
        let mixed = shuffled(&whole, seed);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (rows.len() + 1)).collect();
        ends.extend([0, rows.len()]);
        ends.sort_unstable();
        let parts: Vec<RecordBatch> = ends
            .windows(2)
            .map(|ends| mixed.slice(ends[0], ends[1] - ends[0]))
            .collect();
        prop_assert!(bytes(&profiled(&parts)) == expected, "one pass over parts");
        let mut profiles: Vec<Profile> = parts
            .iter()
            .map(|part| profiled(std::slice::from_ref(part)))
            .collect();
        // As parts come back from a disk, in another order.
        profiles.reverse();
        let mut merged = profiled(&[mixed.slice(0, 0)]);
        for profile in &profiles {
            for (column, other) in merged.columns.iter_mut().zip(&profile.columns) {
                let stored = ColumnProfile::of_bytes(&other.to_bytes());
                prop_assert_eq!(stored.as_ref(), Some(other));
                prop_assert!(column.merge(&stored.unwrap()));
            }
        }
        prop_assert!(bytes(&merged) == expected, "merged");
        let twice = concat_batches(&whole.schema(), [&whole, &whole]).unwrap();
        prop_assert!(bytes(&profiled(&[twice])) != expected, "counts are there");
    }

    #[test]
    fn any_cut_of_hostile_numbers_gives_the_same_bins_and_moments(
        numbers in proptest::collection::vec((0u8..40, -1e6f64..1e6), 1..300),
        cut in 0usize..300,
    ) {
        let value = |(pick, number): &(u8, f64)| {
            HOSTILE.get(usize::from(*pick)).copied().unwrap_or(*number)
        };
        let values: Vec<f64> = numbers.iter().map(value).collect();
        let baseline: Vec<f64> = numbers.iter().map(|(_, number)| *number).collect();
        let known = distribution(&baseline);
        let bins = FrozenBins::new(&known, |value| value).unwrap();
        let scale = moments::Scale::new(known.mean(), known.standard_deviation());
        let counted = |values: &[f64]| {
            let mut counts = vec![0; bins.len() + 1];
            let nan_count = values.iter().filter(|value| value.is_nan()).count() as u64;
            bins.count(values, nan_count, &mut counts);
            let mut sums = moments::Moments::default();
            sums.add(values, &scale);
            (counts, sums)
        };
        let stored = |sums: &moments::Moments| {
            let mut writer = Writer::default();
            sums.write(&mut writer);
            writer.into_bytes()
        };
        let (counts, sums) = counted(&values);
        prop_assert_eq!(counts.iter().sum::<u64>(), values.len() as u64, "each value once");
        let (left, right) = values.split_at(cut % (values.len() + 1));
        let ((mut left_counts, left_sums), (right_counts, mut right_sums)) =
            (counted(left), counted(right));
        for (own, other) in left_counts.iter_mut().zip(right_counts) {
            *own += other;
        }
        right_sums.merge(&left_sums);
        prop_assert_eq!(left_counts, counts);
        prop_assert_eq!(stored(&right_sums), stored(&sums));
    }

    #[test]
    fn brackets_of_two_profiles_hold_the_exact_distances(
        baseline in proptest::collection::vec((0u8..30, -1e3f64..1e3), 1..400),
        current in proptest::collection::vec((0u8..30, -1e3f64..1e3), 1..400),
    ) {
        // Without the numbers whose differences are beyond the range of `f64`.
        let value = |(pick, number): &(u8, f64)| match pick {
            0 => 0.0,
            1 => -0.0,
            2 => 5e-324,
            3 => 1e9,
            4..10 => f64::from(*pick),
            _ => *number,
        };
        let sorted = |rows: &[(u8, f64)]| {
            let mut values: Vec<f64> = rows.iter().map(value).collect();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        let (baseline, current) = (sorted(&baseline), sorted(&current));
        let known = distribution(&baseline);
        let found = Drift::of_numbers(&known, &distribution(&current));
        let exact = distance::kolmogorov_smirnov(&baseline, &current).unwrap();
        let bracket = found.ks.unwrap();
        prop_assert!(
            bracket.low <= exact + 1e-12 && exact <= bracket.high + 1e-12,
            "{} {:?}", exact, bracket
        );
        let deviation = known.standard_deviation().filter(|one| *one > 0.0);
        if let (Some(bracket), Some(deviation)) = (found.wasserstein, deviation) {
            let exact = distance::wasserstein(&baseline, &current).unwrap() / deviation;
            prop_assert!(
                bracket.low <= exact * (1.0 + 1e-9) + 1e-12
                    && exact <= bracket.high * (1.0 + 1e-9) + 1e-12,
                "{} {:?}", exact, bracket
            );
        }
    }
}

#[test]
fn millions_of_categories_take_bounded_memory_and_lose_no_row() {
    let count: u64 = if cfg!(debug_assertions) {
        200_000
    } else {
        10_000_000
    };
    let mut column = ColumnProfile::new("id".to_owned(), Kind::Categories);
    let (mut first, mut second) = (Categories::default(), Categories::default());
    for row in 0..count {
        let text = format!("customer-{row}");
        column.observe_category(&text, 1);
        if row % 2 == 0 {
            &mut first
        } else {
            &mut second
        }
        .add(&text, 1);
    }
    assert!(column.to_bytes().len() < 150 << 10);
    let estimate = column.distinct.estimate();
    let off = (estimate / count as f64 - 1.0).abs();
    assert!(off < 0.05, "{estimate} of {count}");
    first.merge(&second);
    let mut writer = Writer::default();
    first.write(&mut writer);
    let mut whole = Writer::default();
    column.categories.write(&mut whole);
    assert!(
        writer.into_bytes() == whole.into_bytes(),
        "both halves, merged"
    );
}
