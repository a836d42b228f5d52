//! Which code an input reached, as far as the build can shows.
//!
//! With `tests/fuzz/instrumented` as `RUSTC_WORKSPACE_WRAPPER` the program counts how often each
//! region of its code ran; the counters are a section of the executable and are read where they lie
//! in memory. Without them the ends of a run stand in: its exit code and the shape of its message.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The counters' section, in LLVM's words.
const SECTION: &str = "__llvm_prf_cnts";

/// What was reached so far, by all workers that kept it in the same file.
pub(crate) struct Coverage {
    path: PathBuf,
    counters: Option<Counters>,
    /// For each counter a bit for each order of magnitude that was seen.
    seen: Vec<u8>,
    ends: HashSet<u64>,
}

impl Coverage {
    /// What the file at `path` says was reached, if it is of this build.
    pub(crate) fn new(path: &Path) -> Self {
        let counters = Counters::find();
        let region_count = counters.as_ref().map_or(0, |counters| counters.length / 8);
        let stored = std::fs::read(path).unwrap_or_default();
        let (seen, ends) = stored.split_at_checked(region_count).unwrap_or((&[], &[]));
        let mut seen = seen.to_vec();
        seen.resize(region_count, 0);
        let number = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap());
        Self {
            path: path.to_owned(),
            seen,
            ends: ends.chunks_exact(8).map(number).collect(),
            counters,
        }
    }

    /// Starts counting for one run.
    pub(crate) fn clear(&self) {
        self.counters.iter().for_each(Counters::clear);
    }

    /// Whether the run since [`Coverage::clear`] reached what none before it did.
    pub(crate) fn is_new(&mut self, code: i32, message: &str) -> bool {
        let mut is_new = self.ends.insert(shape(code, message));
        let counts = self.counters.as_ref().map(Counters::read);
        let counts = counts.iter().flat_map(|counts| counts.chunks_exact(8));
        for (seen, count) in self.seen.iter_mut().zip(counts) {
            let count = u64::from_ne_bytes(count.try_into().unwrap());
            // Orders of magnitude, as a loop that runs once more is nothing new.
            let bit = count.checked_ilog2().map_or(0, |log| 1 << (log / 2).min(7));
            is_new |= bit & !*seen != 0;
            *seen |= bit;
        }
        if is_new {
            let mut stored = self.seen.clone();
            stored.extend(self.ends.iter().flat_map(|end| end.to_ne_bytes()));
            std::fs::write(&self.path, stored).unwrap();
        }
        is_new
    }
}

/// The exit code and the message without its numbers and without what it quotes.
pub(crate) fn shape(code: i32, message: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    code.hash(&mut hasher);
    for (index, part) in message.split('`').enumerate() {
        if index % 2 == 0 {
            part.chars()
                .filter(|letter| !letter.is_ascii_digit())
                .for_each(|letter| letter.hash(&mut hasher));
        }
    }
    hasher.finish()
}

/// Where the counters lie in this process.
struct Counters {
    memory: File,
    address: u64,
    length: usize,
}

impl Counters {
    fn find() -> Option<Self> {
        let program = std::fs::read("/proc/self/exe").ok()?;
        let (offset, length) = section(&program, SECTION)?;
        let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
        // The program's own mapping is the first.
        let base = u64::from_str_radix(maps.split('-').next()?, 16).ok()?;
        let memory = File::options()
            .read(true)
            .write(true)
            .open("/proc/self/mem")
            .ok()?;
        Some(Self {
            memory,
            address: base + offset,
            length,
        })
    }

    fn read(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.length];
        self.memory.read_exact_at(&mut bytes, self.address).unwrap();
        bytes
    }

    fn clear(&self) {
        let zeros = vec![0; self.length];
        self.memory.write_all_at(&zeros, self.address).unwrap();
    }
}

/// The address and length of a section of an ELF file of 64 bits.
fn section(program: &[u8], name: &str) -> Option<(u64, usize)> {
    let number = |at: usize, width: usize| {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(program.get(at..at + width)?);
        Some(u64::from_le_bytes(bytes))
    };
    let (table, size) = (number(0x28, 8)? as usize, number(0x3a, 2)? as usize);
    let (count, names) = (number(0x3c, 2)? as usize, number(0x3e, 2)? as usize);
    let names = number(table + names * size + 0x18, 8)? as usize;
    (0..count).find_map(|index| {
        let header = table + index * size;
        let start = names + number(header, 4)? as usize;
        let own = program.get(start..start + name.len() + 1)?;
        if own.strip_suffix(b"\0")? != name.as_bytes() {
            return None;
        }
        Some((
            number(header + 0x10, 8)?,
            number(header + 0x20, 8)? as usize,
        ))
    })
}

#[test]
fn a_shape_is_that_of_the_message_without_its_values() {
    let shapes = [
        shape(1, "error: `a.csv` ends at row 5"),
        shape(1, "error: `b.csv` ends at row 17"),
    ];
    assert_eq!(shapes[0], shapes[1]);
    assert_ne!(shapes[0], shape(2, "error: `a.csv` ends at row 5"));
    assert_ne!(shapes[0], shape(1, "error: `a.csv` starts at row 5"));
}
