//! How the parts of a page become HTML.
//!
//! Every text is escaped here; only SVG, which this room makes itself, goes in as it is.

use std::fmt::{self, Display, Formatter};

use super::block::{Block, Cell, Figure, Section, Table, Trend, html};
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

impl Display for Cell {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let tag = if self.is_head { "th" } else { "td" };
        let scope = if self.is_head { " scope=\"row\"" } else { "" };
        write!(f, "<{tag}{scope}{}>", class(&self.class))?;
        let text = html(&self.text);
        match self.state {
            Some(state) => write!(
                f,
                "<span class=\"st {icon}\"><svg viewBox=\"0 0 11 11\" aria-hidden=\"true\">\
                 <use href=\"#i-{icon}\"/></svg>{text}</span>",
                icon = state.icon()
            )?,
            None if self.is_code => write!(f, "<span class=\"mono\">{text}</span>")?,
            None => f.write_str(&text)?,
        }
        f.write_str(&self.chart.0)?;
        if !self.note.is_empty() {
            write!(f, "<span class=\"sub\">{}</span>", html(&self.note))?;
        }
        write!(f, "</{tag}>")
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.fold.is_empty() {
            write!(f, "<details><summary>{}</summary>", html(&self.fold))?;
        }
        let frame = if self.is_sticky {
            "scroll stick"
        } else {
            "scroll"
        };
        write!(
            f,
            "<div class=\"{frame}\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n\
             <table{}><thead><tr>",
            html(&self.label),
            class(self.class)
        )?;
        for head in &self.heads {
            write!(
                f,
                "<th scope=\"col\"{}>{}</th>",
                class(head.class),
                html(&head.text)
            )?;
        }
        f.write_str("</tr></thead>\n<tbody>")?;
        for row in &self.rows {
            f.write_str("\n<tr>")?;
            row.iter().try_for_each(|cell| cell.fmt(f))?;
            f.write_str("</tr>")?;
        }
        f.write_str("\n</tbody></table></div>")?;
        f.write_str(if self.fold.is_empty() {
            ""
        } else {
            "</details>"
        })
    }
}

impl Display for Figure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("<figure>")?;
        let title = html(&self.title);
        match (title.is_empty(), self.is_code) {
            (true, _) => {}
            (_, true) => write!(f, "<h3><span class=\"mono\">{title}</span></h3>")?,
            (_, false) => write!(f, "<h3>{title}</h3>")?,
        }
        if !self.caption.is_empty() {
            write!(f, "<p class=\"cap\">{}</p>", html(&self.caption))?;
        }
        if !self.chart.0.is_empty() {
            write!(
                f,
                "<div class=\"plot {}\">{}</div>",
                self.class, self.chart.0
            )?;
        }
        writeln!(f, "{}</figure>", self.values)
    }
}

impl Display for Trend {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            value,
            state,
            remark,
            usual,
            chart,
        } = self;
        write!(
            f,
            "<figure class=\"tr\"><figcaption><b>{}</b><span class=\"big {}\">{}</span> ",
            html(name),
            state.class(),
            html(value)
        )?;
        if !remark.is_empty() {
            write!(
                f,
                "<span class=\"{}\">{}</span> ",
                state.text_class(),
                html(remark)
            )?;
        }
        writeln!(
            f,
            "<span class=\"u\">{}</span></figcaption><div class=\"c\">{}</div></figure>",
            html(usual),
            chart.0
        )
    }
}

impl Display for Section {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            id, title, lead, ..
        } = self;
        let last = if self.is_of_last_run {
            "<small> of the last run</small>"
        } else {
            ""
        };
        write!(
            f,
            "\n<section id=\"{id}\" aria-labelledby=\"{id}-h\"><h2 id=\"{id}-h\">{}{last}</h2>\n",
            html(title)
        )?;
        if !lead.is_empty() {
            writeln!(f, "<p>{}</p>", html(lead))?;
        }
        self.blocks
            .iter()
            .try_for_each(|block| writeln!(f, "{block}"))?;
        f.write_str("</section>")
    }
}

/// A class as an attribute; nothing for none.
fn class(name: &str) -> String {
    if name.is_empty() {
        String::new()
    } else {
        format!(" class=\"{name}\"")
    }
}
