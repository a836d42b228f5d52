//! The card of the model on the page: its headings, paragraphs and tables, from Markdown without
//! front matter and comments.
//!
//! Owns what of Markdown is understood; the rest is text. A heading with nothing below is left out.

use super::block::{Block, Cell, Head, Section, Table};

/// A piece of the card.
enum Piece {
    /// A heading with its level.
    Heading(usize, String),
    /// Anything else.
    Block(Block),
}

/// The section; none of a card without text.
#[must_use]
pub(super) fn section(text: &str) -> Option<Section> {
    let pieces = pieces(text);
    let has_content = |index: usize, level: usize| {
        let below = pieces[index + 1..].iter();
        let mut own =
            below.take_while(|piece| !matches!(piece, Piece::Heading(other, _) if *other <= level));
        own.any(|piece| matches!(piece, Piece::Block(_)))
    };
    let is_kept: Vec<bool> = pieces
        .iter()
        .enumerate()
        .map(|(index, piece)| match piece {
            Piece::Heading(level, _) => has_content(index, *level),
            Piece::Block(_) => true,
        })
        .collect();
    let kept = pieces
        .into_iter()
        .zip(is_kept)
        .filter(|(_, is_kept)| *is_kept);
    let blocks: Vec<Block> = kept
        .map(|(piece, _)| match piece {
            Piece::Heading(_, text) => Block::Heading(text),
            Piece::Block(block) => block,
        })
        .collect();
    (!blocks.is_empty()).then(|| Section {
        id: "card",
        title: "Model card".to_owned(),
        lead: "From the package that the report names.".to_owned(),
        blocks,
        ..Section::default()
    })
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut paragraph, mut table) = (String::new(), Vec::new());
    for line in text.lines().map(str::trim).chain([""]) {
        if line.starts_with('|') {
            end_paragraph(&mut paragraph, &mut pieces);
            table.push(line);
            continue;
        }
        end_table(&mut table, &mut pieces);
        let level = line.chars().take_while(|mark| *mark == '#').count();
        if level > 0 {
            end_paragraph(&mut paragraph, &mut pieces);
            pieces.push(Piece::Heading(level, plain(line[level..].trim())));
        } else if line.is_empty() || ["- ", "* "].iter().any(|mark| line.starts_with(mark)) {
            end_paragraph(&mut paragraph, &mut pieces);
            paragraph.push_str(line);
        } else {
            paragraph.push(' ');
            paragraph.push_str(line);
        }
    }
    end_paragraph(&mut paragraph, &mut pieces);
    pieces
}

fn end_paragraph(paragraph: &mut String, pieces: &mut Vec<Piece>) {
    let text = plain(paragraph.trim());
    paragraph.clear();
    if !text.is_empty() {
        pieces.push(Piece::Block(Block::Note(text)));
    }
}

fn end_table(lines: &mut Vec<&str>, pieces: &mut Vec<Piece>) {
    let mut rows = lines.drain(..).map(cells);
    let Some(heads) = rows.next() else {
        return;
    };
    let is_rule = |row: &Vec<String>| {
        let mut cells = row.iter();
        cells.all(|cell| !cell.is_empty() && cell.chars().all(|mark| "-:".contains(mark)))
    };
    let rows: Vec<Vec<Cell>> = rows
        .filter(|row| !is_rule(row))
        .map(|row| {
            let named = row.iter().enumerate();
            let cells = named.map(|(column, text)| match column {
                0 => Cell::head(text),
                _ => Cell::text(text),
            });
            cells.collect()
        })
        .collect();
    pieces.push(Piece::Block(Block::Table(Table {
        label: "model card".to_owned(),
        heads: heads.iter().map(|text| Head::new(text, "")).collect(),
        rows,
        ..Table::default()
    })));
}

/// The cells of a row: a bar behind a backslash is text.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut is_escaped) = (Vec::new(), String::new(), false);
    let inner = line.strip_prefix('|').unwrap_or(line);
    for character in inner.chars() {
        match character {
            '|' if is_escaped => {
                cell.pop();
                cell.push('|');
            }
            '|' => cells.push(plain(std::mem::take(&mut cell).trim())),
            other => cell.push(other),
        }
        is_escaped = character == '\\';
    }
    if !cell.trim().is_empty() {
        cells.push(plain(cell.trim()));
    }
    cells
}

/// Markdown without its marks.
fn plain(text: &str) -> String {
    text.replace("**", "").replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_tables_and_headings_without_text_are_left_out() {
        let card = "# churn\n\n## Details\n\n| fact | value |\n|:--|--:|\n| `a\\|b` | 7 |\n| c |\n\
                    after\n**that**.\n\n## Factors\n\n## Use\n\n### Who\n- one\n- **two**\nmore\n\
                    ## Data\n";
        let section = section(card).unwrap();
        let shown: Vec<String> = section
            .blocks
            .iter()
            .map(|block| match block {
                Block::Heading(text) => format!("h {text}"),
                Block::Note(text) => text.clone(),
                Block::Table(table) => {
                    let heads = table.heads.iter().map(|head| head.text.clone());
                    let row = |row: &Vec<Cell>| {
                        let cells = row.iter().map(|cell| cell.text.clone());
                        cells.collect::<Vec<_>>().join("/")
                    };
                    let rows: Vec<String> = table.rows.iter().map(row).collect();
                    format!("{} {}", heads.collect::<Vec<_>>().join("/"), rows.join(" "))
                }
                _ => "other".to_owned(),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "h churn",
                "h Details",
                "fact/value a|b/7 c",
                "after that.",
                "h Use",
                "h Who",
                "- one",
                "- two more",
            ]
        );
        assert!(super::section("# churn\n\n## Factors\n").is_none());
    }
}
