//! The user's pager, for texts longer than a terminal.

use std::io::Write;
use std::process::{Command, Stdio};

/// The pager where `PAGER` does not name one.
const PAGER: &str = "less";

/// Shows a text in the pager; none if there is no pager.
pub(super) fn page(text: &str) -> Option<()> {
    let pager = std::env::var("PAGER").unwrap_or_default();
    let pager = if pager.trim().is_empty() {
        PAGER
    } else {
        &pager
    };
    let mut command = Command::new("/bin/sh");
    command.args(["-c", pager]).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", "FRX");
    }
    let mut child = command.spawn().ok()?;
    // A reader who quits before the end closes the pipe.
    let _ = child.stdin.take()?.write_all(text.as_bytes());
    // 126 and 127: the shell found no such program.
    let code = child.wait().ok()?.code();
    (!matches!(code, Some(126 | 127))).then_some(())
}
