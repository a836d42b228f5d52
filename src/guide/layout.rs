//! A topic as a terminal shows it: prose and tables as wide as the terminal, without marks that are
//! for tests.
//!
//! Owns how Markdown becomes lines. It must not know what the topics say.

use std::fmt::Write as _;

/// The text without the marks that tell tests how to run its blocks: ```` ```sh unrun ```` is
/// ```` ```sh ````.
#[must_use]
pub fn unmarked(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(' ') {
        Some((fence, _)) if fence.starts_with(FENCE) => fence,
        _ => line,
    });
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// The text with prose and tables in lines of at most `width` characters where their words allow
/// it. Blocks of code stay as they are; of links the text stays.
#[must_use]
pub fn fitted(text: &str, width: usize) -> String {
    let text = unmarked(text);
    let mut page = Page {
        width,
        text: String::new(),
        block: Block::None,
    };
    let mut is_code = false;
    for line in text.lines() {
        if line.starts_with(FENCE) || is_code {
            page.end_block();
            page.line(line);
            is_code ^= line.starts_with(FENCE);
        } else {
            page.add(line);
        }
    }
    page.end_block();
    page.text
}

const FENCE: &str = "```";

/// What the last lines are, which are not written yet.
enum Block {
    None,
    /// Words of a paragraph or of an item, and how far its first and its other lines are indented.
    Prose(String, String, String),
    Table(Vec<Vec<String>>),
}

struct Page {
    width: usize,
    text: String,
    block: Block,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text += line.trim_end();
        self.text.push('\n');
    }

    fn add(&mut self, line: &str) {
        let content = line.trim_start();
        let indent = &line[..line.len() - content.len()];
        if content.is_empty() || content.starts_with('#') || content.starts_with("![") {
            self.end_block();
            self.line(line);
        } else if let Some(row) = content.strip_prefix('|') {
            if !matches!(self.block, Block::Table(_)) {
                self.end_block();
                self.block = Block::Table(Vec::new());
            }
            if let Block::Table(rows) = &mut self.block {
                rows.push(cells(row));
            }
        } else if let Some(mark) = mark_of_item(content) {
            self.end_block();
            let rest = format!("{indent}{}", " ".repeat(mark.len()));
            let first = format!("{indent}{mark}");
            self.block = Block::Prose(content[mark.len()..].to_owned(), first, rest);
        } else if let Block::Prose(words, ..) = &mut self.block {
            words.push(' ');
            words.push_str(content);
        } else {
            self.end_block();
            self.block = Block::Prose(content.to_owned(), indent.to_owned(), indent.to_owned());
        }
    }

    fn end_block(&mut self) {
        match std::mem::replace(&mut self.block, Block::None) {
            Block::None => {}
            Block::Prose(words, first, rest) => {
                let width = self.width.saturating_sub(rest.len());
                for (index, line) in wrapped(&without_links(&words), width).iter().enumerate() {
                    let indent = if index == 0 { &first } else { &rest };
                    self.line(&format!("{indent}{line}"));
                }
            }
            Block::Table(rows) => self.table(rows),
        }
    }

    fn table(&mut self, rows: Vec<Vec<String>>) {
        let rows: Vec<Vec<String>> = rows
            .into_iter()
            .map(|row| row.iter().map(|cell| without_links(cell)).collect())
            .collect();
        let widths = column_widths(&rows, self.width);
        for row in &rows {
            let is_rule = row.iter().all(|cell| is_rule(cell));
            let cells: Vec<Vec<String>> = widths
                .iter()
                .enumerate()
                .map(|(column, width)| match row.get(column) {
                    Some(_) if is_rule => vec!["-".repeat(*width)],
                    Some(cell) => wrapped(cell, *width),
                    None => Vec::new(),
                })
                .collect();
            for index in 0..cells.iter().map(Vec::len).max().unwrap_or(0).max(1) {
                let mut line = "|".to_owned();
                for (lines, width) in cells.iter().zip(&widths) {
                    let text = lines.get(index).map_or("", String::as_str);
                    let _ = write!(line, " {text:width$} |");
                }
                self.line(&line);
            }
        }
    }
}

/// `- ` or `1. `, if the line begins an item of a list.
fn mark_of_item(content: &str) -> Option<&str> {
    let length = match content.split_once(' ')? {
        ("-" | "*", _) => 2,
        (number, _) if number.strip_suffix('.')?.parse::<u8>().is_ok() => number.len() + 1,
        _ => return None,
    };
    Some(&content[..length])
}

/// The cells of a row whose first bar is gone. A bar in code, or behind a `\`, ends no cell.
fn cells(row: &str) -> Vec<String> {
    let row = row.trim_end().strip_suffix('|').unwrap_or(row);
    let (mut cells, mut is_code, mut last) = (vec![String::new()], false, ' ');
    for letter in row.chars() {
        is_code ^= letter == '`';
        if letter == '|' && !is_code && last != '\\' {
            cells.push(String::new());
        } else if let Some(cell) = cells.last_mut() {
            cell.push(letter);
        }
        last = letter;
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

fn is_rule(cell: &str) -> bool {
    !cell.is_empty() && cell.chars().all(|letter| "-:".contains(letter))
}

/// As wide as the widest cells, and the widest columns narrower until the table fits; none narrower
/// than its longest word.
fn column_widths(rows: &[Vec<String>], width: usize) -> Vec<usize> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let max = |column: usize, length_of: fn(&str) -> usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widths = cells
            .filter(|cell| !is_rule(cell))
            .map(|cell| length_of(cell));
        widths.max().unwrap_or(0).max(3)
    };
    let longest_word = |cell: &str| cell.split_whitespace().map(length).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..count).map(|column| max(column, length)).collect();
    let floors: Vec<usize> = (0..count).map(|column| max(column, longest_word)).collect();
    while widths.iter().map(|width| width + 3).sum::<usize>() + 1 > width {
        let wide = widths.iter_mut().zip(&floors);
        let wide = wide.filter(|(width, floor)| **width > **floor);
        match wide.max_by_key(|(width, _)| **width) {
            Some((width, _)) => *width -= 1,
            None => break,
        }
    }
    widths
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Lines of at most `width` characters, of which a longer word makes one of its own. Code in
/// backticks is broken at its blanks too, as in the source.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if length(line) + 1 + length(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `[text](target)` is `text`.
fn without_links(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once('[') {
        let link = after
            .split_once("](")
            .and_then(|(name, after)| Some((name, after.split_once(')')?.1)));
        plain += before;
        rest = after;
        if let Some((name, after)) = link.filter(|(name, _)| !name.contains(['[', ']', '`'])) {
            plain += name;
            rest = after;
        } else {
            plain.push('[');
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guide::TOPICS;

    #[test]
    fn marks_of_tests_are_hidden() {
        let text = "a b\n```console unrun\n$ ls unrun\n```\n";
        assert_eq!(unmarked(text), "a b\n```console\n$ ls unrun\n```\n");
        for topic in TOPICS {
            for line in unmarked(topic.text).lines() {
                assert!(!line.starts_with("```") || !line.contains(' '), "{line}");
            }
        }
    }

    #[test]
    fn prose_items_and_tables_fit_and_code_stays() {
        let text = "# Heading\n\nOne two three four\nfive ([six](seven.md) eight).\n\n\
                    - an item that is long\n  and goes on\n2. another one\n\n\
                    | a | `b|c` |\n|---|---|\n| one | some words to be wrapped |\n\n\
                    ```sh unrun\na line of code that is longer than this\n```\n";
        insta::assert_snapshot!(fitted(text, 24), @r"
        # Heading

        One two three four five
        (six eight).

        - an item that is long
          and goes on
        2. another one

        | a   | `b|c`          |
        | --- | -------------- |
        | one | some words to  |
        |     | be wrapped     |

        ```sh
        a line of code that is longer than this
        ```
        ");
    }

    #[test]
    fn every_topic_keeps_its_words_and_fits_a_terminal() {
        for topic in TOPICS {
            for width in [60, 80, 120] {
                let text = fitted(topic.text, width);
                let mut is_code = false;
                for line in text.lines() {
                    is_code ^= line.starts_with("```");
                    // A table cannot be narrower than its longest words.
                    let is_other = is_code || line.starts_with(['#', '!', '|']);
                    let fits = length(line) <= width || is_other;
                    let is_one_word = line.split_whitespace().any(|word| length(word) > width / 3);
                    assert!(fits || is_one_word, "{}: {line}", topic.name);
                }
                let words = |text: &str| {
                    let text = without_links(&unmarked(text));
                    let mut words: Vec<String> = text
                        .split(|letter: char| !letter.is_alphanumeric())
                        .filter(|word| !word.is_empty())
                        .map(str::to_owned)
                        .collect();
                    words.sort();
                    words
                };
                assert_eq!(words(&text), words(topic.text), "{}", topic.name);
            }
        }
    }
}
