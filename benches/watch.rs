//! What does it cost to watch a run? Values counted in frozen bins, and whole runs of `score` with
//! and without `--baseline`, in turn.
//!
//! `cargo bench --bench watch`. With `TALLOW_WORKLOAD=DIR`, a directory with `model.json` and
//! `input.parquet`, whole runs are measured too; the bench fails if watching costs more than 10 %.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tallow::monitor::bins::FrozenBins;
use tallow::monitor::moments::{Moments, Scale};
use tallow::statistics::distribution::Distribution;

/// Rows of a block, and columns of the workload.
const ROWS: usize = 4032;
const COLUMNS: usize = 28;

/// Runs of each kind.
const RUNS: usize = 5;

/// What watching may cost of a run.
const MAX_COST: f64 = 0.1;

fn main() {
    values();
    if let Some(directory) = std::env::var_os("TALLOW_WORKLOAD") {
        runs(Path::new(&directory));
    }
}

/// Numbers that look normal, of which a few are missing.
fn normal(count: usize) -> Vec<f64> {
    let mut state = 7_u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let value = |_| {
        let sum: f64 = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        if sum > 2.2 {
            f64::NAN
        } else {
            f64::from(sum as f32)
        }
    };
    (0..count).map(value).collect()
}

fn values() {
    let mut baseline = Distribution::default();
    baseline.observe_f64(&normal(200_000));
    let bins = FrozenBins::new(&baseline, |x| f64::from(x as f32)).expect("finite numbers");
    let scale = Scale::new(baseline.mean(), baseline.standard_deviation());
    let values = normal(ROWS);
    let mut counts = vec![0; bins.len() + 1];
    let mut moments = Moments::default();
    let per_value = |name: &str, work: &mut dyn FnMut()| {
        let repeats = 40 * COLUMNS;
        let start = Instant::now();
        (0..repeats).for_each(|_| work());
        let nanoseconds = start.elapsed().as_secs_f64() * 1e9 / (repeats * ROWS) as f64;
        println!("{name}: {nanoseconds:.2} ns a value");
    };
    let singles: Vec<f32> = values.iter().map(|value| *value as f32).collect();
    let nan_count = values.iter().filter(|value| value.is_nan()).count() as u64;
    per_value("bins of singles", &mut || {
        bins.count(&singles, nan_count, &mut counts);
    });
    per_value("bins of doubles", &mut || {
        bins.count(&values, nan_count, &mut counts);
    });
    per_value("moments of singles", &mut || moments.add(&singles, &scale));
    per_value("moments of doubles", &mut || moments.add(&values, &scale));
    println!("{} bins, {} values", bins.len(), counts.iter().sum::<u64>());
}

fn runs(workload: &Path) {
    let room = tempfile::tempdir().expect("a temporary directory");
    let tallow = |arguments: &[&str]| -> Duration {
        let start = Instant::now();
        let status = Command::new(env!("CARGO_BIN_EXE_tallow"))
            .args(arguments)
            .arg("--quiet")
            .status()
            .expect("the program starts");
        assert!(status.success(), "{arguments:?}");
        start.elapsed()
    };
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (model, input) = (
        text(&workload.join("model.json")),
        text(&workload.join("input.parquet")),
    );
    let (base, output) = (
        text(&room.path().join("base.pq")),
        text(&room.path().join("o.parquet")),
    );
    tallow(&["profile", &input, "--model", &model, "--output", &base]);
    let plain = [
        "score",
        "--model",
        &model,
        &input,
        "--output",
        &output,
        "--overwrite",
    ];
    let watched = [&plain[..], &["--baseline", &base]].concat();
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        times[0].push(tallow(&plain));
        times[1].push(tallow(&watched));
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2].as_secs_f64()
    };
    let [plain, watched] = times.each_mut().map(median);
    let cost = watched / plain - 1.0;
    println!(
        "score {plain:.3} s, with --baseline {watched:.3} s: {:+.1} %",
        100.0 * cost
    );
    assert!(cost <= MAX_COST, "watching costs more than {MAX_COST}");
}
