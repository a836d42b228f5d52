//! What does a value cost that the report takes in: its moments, exactly, and its quantiles?
//!
//! `cargo bench --bench statistics`

use divan::Bencher;
use divan::counter::ItemsCount;
use tallow::statistics::distribution::Distribution;

const VALUES: usize = 100_000;

fn main() {
    divan::main();
}

/// Scores as a logistic link gives them.
fn scores() -> impl Iterator<Item = f64> {
    (0..VALUES).map(|row| {
        1.0 / (1.0 + (-((row * 2_654_435_761 % 1_000_003) as f64 / 125_000.0 - 4.0)).exp())
    })
}

#[divan::bench]
fn single(bencher: Bencher) {
    let values: Vec<f32> = scores().map(|score| score as f32).collect();
    bencher
        .counter(ItemsCount::new(VALUES))
        .bench_local(|| Distribution::default().observe_f32(&values));
}

#[divan::bench]
fn double(bencher: Bencher) {
    let values: Vec<f64> = scores().collect();
    bencher
        .counter(ItemsCount::new(VALUES))
        .bench_local(|| Distribution::default().observe_f64(&values));
}
