//! How much memory this process could have: the machine's, the container's, the shell's limit,
//! whichever is least.

use crate::storage::{Location, read};

/// The most bytes of a file of the system that are read.
const FILE_LIMIT: u64 = 1 << 20;

/// Addresses that a process takes for each byte that it uses, as a limit on them must be reckoned
/// with: allocator and threads reserve them ahead.
const ADDRESSES_PER_BYTE: u64 = 2;

/// The least of what the machine has and what its limits allow, in bytes; none if the system does
/// not say.
#[must_use]
pub fn machine_bytes() -> Option<u64> {
    let own = text("/proc/self/cgroup")
        .map(|cgroup| control_files(&cgroup))
        .unwrap_or_default();
    let groups = own
        .iter()
        .filter_map(|path| text(path)?.trim().parse().ok());
    let machine = text("/proc/meminfo").and_then(|text| kibibytes(&text, "MemTotal:"));
    let shell = text("/proc/self/limits")
        .and_then(|text| address_space(&text))
        .map(|bytes| bytes / ADDRESSES_PER_BYTE);
    groups.chain(machine).chain(shell).min()
}

fn text(path: impl Into<Location>) -> Option<String> {
    String::from_utf8(read(path, FILE_LIMIT).ok()?).ok()
}

fn kibibytes(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim()
        .trim_end_matches("kB")
        .trim()
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

/// `ulimit -v`, if there is one.
fn address_space(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The files that hold the limits of the process's control groups and of those above them, of
/// version 1 and 2.
fn control_files(cgroup: &str) -> Vec<Location> {
    let mut files = Vec::new();
    for line in cgroup.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            names if names.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // Inside a container the path may be that of the host; the container's own group is then
        // the root.
        let own = Location::from(path.trim_start_matches('/'));
        let groups = own
            .ancestors()
            .map(|group| Location::from(root).join(group).join(file));
        files.extend(groups);
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_memory() {
        assert!(machine_bytes().is_some_and(|bytes| bytes > 64 << 20));
    }

    #[test]
    fn the_files_of_both_versions_of_control_groups_are_found() {
        let files = control_files("4:memory:/a/b\n3:cpu:/a\n0::/user.slice/job\n");
        let names: Vec<_> = files
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let expected = [
            "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/user.slice/job/memory.max",
            "/sys/fs/cgroup/user.slice/memory.max",
            "/sys/fs/cgroup/memory.max",
        ];
        assert_eq!(names, expected);
        assert!(control_files("nonsense\n:\n").is_empty());
    }

    #[test]
    fn limits_are_read_as_the_system_writes_them() {
        assert_eq!(
            kibibytes("MemTotal:       24684544 kB\nMemFree: 1 kB\n", "MemTotal:"),
            Some(24_684_544 << 10)
        );
        assert_eq!(
            address_space(
                "Max address space         4294967296           unlimited            bytes     \n"
            ),
            Some(1 << 32)
        );
        assert_eq!(
            address_space(
                "Max address space         unlimited            unlimited            bytes     \n"
            ),
            None
        );
    }
}
