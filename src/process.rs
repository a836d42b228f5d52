//! What the operating system shows about this process: time, processor seconds, peak memory.
//!
//! Where the system does not tell, the answer is none; nothing is estimated.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::storage::{Location, read};

/// Libraries underneath keep thread pools of their own, sized by these variables. Workers are ours
/// alone, so each of those pools gets one thread; candle, moreover, parses `/proc/cpuinfo` in every
/// matrix product while its variable is not set.
const LIBRARY_POOLS: [&str; 3] = [
    "RAYON_NUM_THREADS",
    "CANDLE_NUM_THREADS",
    "POLARS_MAX_THREADS",
];

/// Sets the sizes of the libraries' own thread pools. Must be the first thing that `main` does.
#[expect(
    unsafe_code,
    reason = "the only way to size pools that read the environment"
)]
pub fn confine_library_pools() {
    for variable in LIBRARY_POOLS {
        // SAFETY: called first in `main`, while no other thread exists that could read the
        // environment.
        unsafe { std::env::set_var(variable, "1") };
    }
}

/// Whether standard output was closed when the process began.
static OUTPUT_IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Notes that standard output is closed: Rust's runtime puts `/dev/null` in its place, which would
/// take all that is written.
pub fn note_closed_output() {
    OUTPUT_IS_CLOSED.store(true, Ordering::Relaxed);
}

/// Whether standard output is closed.
#[must_use]
pub fn output_is_closed() -> bool {
    OUTPUT_IS_CLOSED.load(Ordering::Relaxed)
}

/// Clock ticks per second of `/proc/self/stat`: fixed at 100 for user space on Linux (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// The most bytes of a file under `/proc` that we read.
const STATUS_LIMIT: u64 = 1 << 20;

/// The peak resident size, in bytes.
#[must_use]
pub fn peak_memory_bytes() -> Option<u64> {
    let status = String::from_utf8(read("/proc/self/status", STATUS_LIMIT).ok()?).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(
        line.trim()
            .trim_end_matches("kB")
            .trim()
            .parse::<u64>()
            .ok()?
            * 1024,
    )
}

/// The resident size now, in bytes.
#[must_use]
pub fn memory_bytes() -> Option<u64> {
    let pages = String::from_utf8(read("/proc/self/statm", STATUS_LIMIT).ok()?).ok()?;
    Some(pages.split_whitespace().nth(1)?.parse::<u64>().ok()? * PAGE_BYTES)
}

/// The size of a page of memory on the processors that Linux runs on here.
const PAGE_BYTES: u64 = 4096;

/// Seconds of processor time that all threads have used.
#[must_use]
pub fn processor_seconds() -> Option<f64> {
    let stat = String::from_utf8(read("/proc/self/stat", STATUS_LIMIT).ok()?).ok()?;
    let after_name: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| after_name.get(index)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

/// Bytes that the process has read and written through system calls, pages of memory-mapped files
/// not counted: `[read, written]`.
#[must_use]
pub fn bytes_moved() -> Option<[u64; 2]> {
    let io = String::from_utf8(read("/proc/self/io", STATUS_LIMIT).ok()?).ok()?;
    let count = |name: &str| {
        let line = io.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse::<u64>().ok()
    };
    Some([count("rchar:")?, count("wchar:")?])
}

/// Where Linux counts the energy that processors use (RAPL: Running Average Power Limit).
const POWER_ZONES: &str = "/sys/class/powercap";

/// The most processor packages that are looked for.
const MAX_PACKAGES: usize = 64;

/// What the energy counters of all processor packages showed at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnergyCounters(Vec<EnergyCounter>);

/// The counter of one package, in microjoules, and where it starts again from zero.
#[derive(Clone, Copy, Debug, PartialEq)]
struct EnergyCounter {
    now: u64,
    range: u64,
}

impl EnergyCounters {
    /// The counters now; none where the kernel has none or does not let this user read them.
    #[must_use]
    pub fn now() -> Option<Self> {
        Self::below(POWER_ZONES)
    }

    fn below(root: impl Into<Location>) -> Option<Self> {
        let root: Location = root.into();
        let mut counters = Vec::new();
        for package in 0..MAX_PACKAGES {
            let zone = root.join(format!("intel-rapl:{package}"));
            let text = |file: &str| {
                let bytes = read(zone.join(file), STATUS_LIMIT).ok()?;
                Some(String::from_utf8(bytes).ok()?.trim().to_owned())
            };
            let Some(name) = text("name") else { break };
            // The zone `psys` holds the packages once more.
            if name.starts_with("package") {
                counters.push(EnergyCounter {
                    now: text("energy_uj")?.parse().ok()?,
                    range: text("max_energy_range_uj")?.parse().ok()?,
                });
            }
        }
        (!counters.is_empty()).then_some(Self(counters))
    }

    /// Joules that all packages used from `self` until `later`, by this process and all others.
    /// None if the machine changed in between.
    #[must_use]
    pub fn joules_until(&self, later: &Self) -> Option<f64> {
        if self.0.len() != later.0.len() {
            return None;
        }
        let pairs = self.0.iter().zip(&later.0);
        let used = pairs.map(|(before, after)| {
            let range = after.range.saturating_add(1);
            match after.now.checked_sub(before.now) {
                Some(used) => used,
                // It started again from zero; how often more, nothing tells.
                None => after.now.saturating_add(range.saturating_sub(before.now)),
            }
        });
        Some(used.map(|microjoules| microjoules as f64).sum::<f64>() / 1e6)
    }
}

/// The time now, RFC 3339, UTC, to the second.
#[must_use]
pub fn now() -> String {
    rfc3339(seconds_now())
}

/// The time now, RFC 3339, UTC, to the millisecond.
#[must_use]
pub fn precise_now() -> String {
    let elapsed = since_1970();
    format!(
        "{}.{:03}Z",
        rfc3339(elapsed.as_secs()).trim_end_matches('Z'),
        elapsed.subsec_millis()
    )
}

/// The seconds since 1970, UTC.
#[must_use]
pub fn seconds_now() -> u64 {
    since_1970().as_secs()
}

/// The time since 1970, UTC.
#[must_use]
pub fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// A text that no other process has had: a random one of the kernel's where it gives one (Linux),
/// else process id and time.
#[must_use]
pub fn unique_text() -> String {
    let random = read("/proc/sys/kernel/random/uuid", STATUS_LIMIT)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    random.unwrap_or_else(|| format!("{} {}", std::process::id(), since_1970().as_nanos()))
}

/// The name of this machine.
#[must_use]
pub fn host_name() -> Option<String> {
    let name = read("/proc/sys/kernel/hostname", STATUS_LIMIT).ok()?;
    let name = String::from_utf8(name).ok()?.trim().to_owned();
    (!name.is_empty()).then_some(name)
}

/// A time in seconds since 1970 as RFC 3339, UTC.
#[must_use]
pub fn rfc3339(seconds: u64) -> String {
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The date of a day since 1970-01-01, by the proleptic Gregorian calendar (Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_at_leap_days_and_turns_of_centuries() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_778), (2026, 11, 21));
    }

    #[test]
    fn linux_reports_memory_and_time() {
        assert!(peak_memory_bytes().is_some_and(|bytes| bytes > 0));
        assert!(processor_seconds().is_some());
        let [read, _] = bytes_moved().unwrap();
        assert!(read > 0);
    }

    #[test]
    fn energy_is_the_sum_of_packages_and_survives_a_counter_that_starts_again() {
        let room = tempfile::tempdir().unwrap();
        let zone = |index: usize, name: &str, now: u64| {
            let zone = room.path().join(format!("intel-rapl:{index}"));
            std::fs::create_dir_all(&zone).unwrap();
            let files = [
                ("name", name.to_owned()),
                ("energy_uj", now.to_string()),
                ("max_energy_range_uj", "9999999".to_owned()),
            ];
            files
                .iter()
                .for_each(|(file, text)| std::fs::write(zone.join(file), text).unwrap());
        };
        assert_eq!(EnergyCounters::below(room.path()), None);
        zone(0, "package-0\n", 1_000_000);
        zone(1, "package-1\n", 9_000_000);
        zone(2, "psys\n", 5);
        let before = EnergyCounters::below(room.path()).unwrap();
        zone(0, "package-0\n", 3_500_000);
        zone(1, "package-1\n", 500_000);
        let after = EnergyCounters::below(room.path()).unwrap();
        assert_eq!(before.joules_until(&after), Some(2.5 + 1.5));
        assert_eq!(before.joules_until(&EnergyCounters::default()), None);
        std::fs::remove_file(room.path().join("intel-rapl:1/energy_uj")).unwrap();
        assert_eq!(EnergyCounters::below(room.path()), None, "not readable");
    }
}
