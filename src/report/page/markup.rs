//! How the parts of a page become HTML.
//!
//! Every text is escaped here; only SVG, which this room makes itself, goes in as it is.

use std::fmt::{self, Display, Formatter};

use super::block::{Block, html};
use super::svg::Svg;

impl Display for Block {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => table.fmt(f),
            Self::Figure(figure) => figure.fmt(f),
            Self::Trend(trend) => trend.fmt(f),
            Self::Grid(class, blocks) => {
                write!(f, "<div class=\"{class}\">")?;
                blocks.iter().try_for_each(|block| block.fmt(f))?;
                f.write_str("</div>")
            }
            Self::Heading(text) => write!(f, "<h3 class=\"hd\">{}</h3>", html(text)),
            Self::Note(text) => write!(f, "<p class=\"note\">{}</p>", html(text)),
            Self::Facts(facts) => {
                f.write_str("<dl class=\"kv\">")?;
                for (name, value) in facts {
                    write!(f, "<dt>{}</dt><dd>{}</dd>", html(name), html(value))?;
                }
                f.write_str("</dl>")
            }
            Self::Legend(items) => {
                f.write_str("<ul class=\"legend\">")?;
                for (Svg(shape), text) in items {
                    write!(f, "<li>{shape}{}</li>", html(text))?;
                }
                f.write_str("</ul>")
            }
        }
    }
}
