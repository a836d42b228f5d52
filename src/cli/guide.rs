//! `tallow guide`: the manual, through a pager on a terminal and as plain text elsewhere.

use std::io::Write;
use std::process::{Command, Stdio};

use super::console::Console;
use super::shell_args::GuideArgs;
use crate::error::{Error, Result};
use crate::guide::{self, Topic};

/// The pager where `PAGER` does not name one.
const PAGER: &str = "less";

pub(super) fn run(args: &GuideArgs, console: &Console) -> Result<()> {
    let Some(name) = &args.topic else {
        return console.data(&guide::contents());
    };
    let topic = guide::find(name).ok_or_else(|| unknown(name))?;
    if console.is_on_terminal() && page(topic).is_some() {
        return Ok(());
    }
    console.data(topic.text)
}

fn unknown(name: &str) -> Error {
    let nearest = guide::nearest(name).name;
    Error::usage(format!("`{name}` is not a topic of the guide")).hint(format!(
        "tallow guide {nearest}; `tallow guide` lists all topics"
    ))
}

/// Shows a topic in the pager; none if there is no pager.
fn page(topic: &Topic) -> Option<()> {
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
    let _ = child.stdin.take()?.write_all(topic.text.as_bytes());
    // 126 and 127: the shell found no such program.
    let code = child.wait().ok()?.code();
    (!matches!(code, Some(126 | 127))).then_some(())
}
