//! `tallow guide`: the manual, fitted to the terminal and through a pager there, as plain Markdown
//! elsewhere.

use super::console::Console;
use super::pager::page;
use super::shell_args::GuideArgs;
use crate::error::{Error, Result};
use crate::guide::{self, layout};

pub(super) fn run(args: &GuideArgs, console: &Console) -> Result<()> {
    let Some(name) = &args.topic else {
        return console.data(&guide::contents());
    };
    let topic = guide::find(name).ok_or_else(|| unknown(name))?;
    if !console.is_on_terminal() {
        return console.data(&layout::unmarked(topic.text));
    }
    let text = layout::fitted(topic.text, console.width());
    page(&text).map_or_else(|| console.data(&text), Ok)
}

fn unknown(name: &str) -> Error {
    let hint = match (guide::nearest(name), guide::section_about(name)) {
        (Some(near), _) => format!("tallow guide {}; ", near.name),
        (None, Some(found)) => {
            format!(
                "\"{}\" in tallow guide {}; ",
                found.heading, found.topic.name
            )
        }
        (None, None) => String::new(),
    };
    Error::usage(format!("`{name}` is not a topic of the guide"))
        .hint(format!("{hint}`tallow guide` lists all topics"))
}
