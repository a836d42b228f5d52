//! Operators on texts: normalising, splitting, joining, matching, and counting n-grams.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use regex::Regex;

use super::broadcast::{map, zip};
use crate::error::{Error, Result};
use crate::graph::element::unsupported;
use crate::graph::entry::{Entry, MICROSOFT};
use crate::graph::layout::length_of;
use crate::graph::operator::{Built, Call, Definition, missing_attribute, several, single};
use crate::graph::tensor::{Data, TEXT_BYTES, Tensor, element_count, room_of, shape_count};
use crate::graph::value::Value;
use crate::memory;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("StringNormalizer", 1, 1, normalizer),
    Entry::new("StringConcat", 2, 2, |_| {
        single(|call| joined(call.tensor(0)?, call.tensor(1)?))
    }),
    Entry::new("StringSplit", 1, 1, split),
    Entry::new("RegexFullMatch", 1, 1, full_match),
    Entry::new("TfIdfVectorizer", 1, 1, vectorizer),
    Entry::new("Tokenizer", 1, 1, tokenizer).of(MICROSOFT),
    Entry::new("CDist", 2, 2, distances).of(MICROSOFT).floats(),
];

/// The bytes that texts of these lengths take.
fn content_bytes(lengths: impl Iterator<Item = usize>) -> usize {
    lengths.fold(0, |sum, length| {
        sum.saturating_add(length).saturating_add(TEXT_BYTES)
    })
}

/// Each text with another one behind it, broadcast.
fn joined(left: &Tensor, right: &Tensor) -> Result<Tensor> {
    let lengths = zip(left, right, |a: &Arc<str>, b: &Arc<str>| {
        (a.len() + b.len()) as u64
    })?;
    let content = content_bytes(
        lengths
            .values::<u64>()?
            .iter()
            .map(|length| *length as usize),
    );
    memory::room_for(content)?;
    zip(left, right, |a: &Arc<str>, b: &Arc<str>| {
        Arc::<str>::from([&**a, &**b].concat())
    })?
    .with_content(content)
}

fn cased(text: &str, case: usize) -> Arc<str> {
    match case {
        1 => Arc::from(text.to_lowercase()),
        2 => Arc::from(text.to_uppercase()),
        _ => Arc::from(text),
    }
}

fn normalizer(node: &Definition) -> Result<Built> {
    let case = node.choice("case_change_action", &["NONE", "LOWER", "UPPER"], 0)?;
    let minds_case = node.flag("is_case_sensitive", false)?;
    let key = move |text: &str| {
        if minds_case {
            text.to_owned()
        } else {
            text.to_lowercase()
        }
    };
    let stops: HashSet<String> = node
        .find_strings("stopwords")?
        .unwrap_or_default()
        .iter()
        .map(|word| key(word))
        .collect();
    single(move |call| {
        let data = call.tensor(0)?;
        let mut shape = match *data.shape() {
            [_] => vec![0],
            [1, _] => vec![1, 0],
            _ => return Err(Error::failed(format!("texts of shape {:?}", data.shape()))),
        };
        // In another case a text may be three times as long.
        memory::room_for(content_bytes(
            data.values::<Arc<str>>()?.iter().map(|text| 3 * text.len()),
        ))?;
        let kept = data
            .values::<Arc<str>>()?
            .iter()
            .filter(|text| stops.is_empty() || !stops.contains(&key(text)));
        let mut texts: Vec<Arc<str>> = kept.map(|text| cased(text, case)).collect();
        if texts.is_empty() {
            texts.push(Arc::from(""));
        }
        if let Some(last) = shape.last_mut() {
            *last = texts.len();
        }
        let content = content_bytes(texts.iter().map(|text| text.len()));
        Tensor::new(shape, texts)?.with_content(content)
    })
}

/// The parts of each text, filled up with empty ones, and how many there are.
fn split(node: &Definition) -> Result<Built> {
    let delimiter = node.string("delimiter", "")?;
    let most = node
        .find_int("maxsplit")?
        .map(length_of)
        .transpose()?
        .unwrap_or(usize::MAX);
    several(move |call| {
        let data = call.tensor(0)?;
        // At most, every byte of a text is a part.
        let lengths = || {
            data.values::<Arc<str>>()
                .map(|texts| texts.iter().map(|text| text.len() * size_of::<&str>()))
        };
        memory::temporary(content_bytes(lengths()?))?;
        let parts: Vec<Vec<&str>> = data
            .values::<Arc<str>>()?
            .iter()
            .map(|text| parts_of(text, &delimiter, most))
            .collect();
        let width = parts.iter().map(Vec::len).max().unwrap_or(0);
        let shape = [data.shape(), &[width]].concat();
        let cells = room_of::<Arc<str>>(&shape)?;
        let content = content_bytes(parts.iter().flatten().map(|part| part.len()))
            .saturating_add(cells.saturating_mul(TEXT_BYTES));
        memory::room_for(content)?;
        let padded = |own: &Vec<&str>| {
            own.iter()
                .copied()
                .chain(std::iter::repeat(""))
                .take(width)
                .map(Arc::<str>::from)
                .collect::<Vec<_>>()
        };
        let texts =
            Tensor::new(shape, parts.iter().flat_map(padded).collect())?.with_content(content)?;
        let counts = Tensor::new(
            data.shape().to_vec(),
            parts.iter().map(|own| own.len() as i64).collect(),
        )?;
        Ok(vec![Value::Tensor(texts), Value::Tensor(counts)])
    })
}

fn parts_of<'a>(text: &'a str, delimiter: &str, most: usize) -> Vec<&'a str> {
    if !delimiter.is_empty() {
        return if text.is_empty() {
            Vec::new()
        } else {
            text.splitn(most.saturating_add(1), delimiter).collect()
        };
    }
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = if parts.len() == most {
            None
        } else {
            rest.find(char::is_whitespace)
        };
        let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
        parts.push(part);
        rest = after.trim_start();
    }
    parts
}

fn full_match(node: &Definition) -> Result<Built> {
    let pattern = node
        .find_string("pattern")?
        .ok_or_else(|| missing_attribute("pattern"))?;
    let regex = Regex::new(&format!("^(?:{pattern})$"))
        .map_err(|error| Error::failed("the pattern is broken").because(error))?;
    single(move |call| map(call.tensor(0)?, |text: &Arc<str>| regex.is_match(text)))
}

/// An item of an n-gram.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Item {
    Text(Arc<str>),
    Number(i64),
}

fn items(tensor: &Tensor) -> Result<Vec<Item>> {
    match tensor.data() {
        Data::String(values) => Ok(values.iter().cloned().map(Item::Text).collect()),
        _ => Ok(tensor.integers()?.into_iter().map(Item::Number).collect()),
    }
}

/// Counts of n-grams with gaps, weighted.
fn vectorizer(node: &Definition) -> Result<Built> {
    let mode = node.choice("mode", &["TF", "IDF", "TFIDF"], 0)?;
    let (least, most) = (
        length_of(node.required_int("min_gram_length")?)?,
        length_of(node.required_int("max_gram_length")?)?,
    );
    let max_skipped = length_of(node.required_int("max_skip_count")?)?;
    let starts = node
        .find_ints("ngram_counts")?
        .ok_or_else(|| missing_attribute("ngram_counts"))?
        .into_iter()
        .map(length_of)
        .collect::<Result<Vec<usize>>>()?;
    let indices = node
        .find_ints("ngram_indexes")?
        .ok_or_else(|| missing_attribute("ngram_indexes"))?
        .into_iter()
        .map(length_of)
        .collect::<Result<Vec<usize>>>()?;
    let pool = match (
        node.find_strings("pool_strings")?,
        node.find_ints("pool_int64s")?,
    ) {
        (Some(texts), _) => items(&Tensor::vector(texts))?,
        (None, Some(numbers)) => items(&Tensor::vector(numbers))?,
        (None, None) => return Err(missing_attribute("pool_strings")),
    };
    let weights = node
        .find_floats("weights")?
        .unwrap_or_else(|| vec![1.0; indices.len()]);
    let width = indices
        .iter()
        .max()
        .map_or(0, |most| most.saturating_add(1));
    shape_count(&[width])?;
    let mut grams: HashMap<Vec<Item>, usize> = HashMap::new();
    for (index, &start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(pool.len());
        let part = pool
            .get(start..end)
            .ok_or_else(|| Error::failed("`ngram_counts` leaves the pool"))?;
        for gram in part.chunks_exact(index + 1) {
            grams.insert(gram.to_vec(), grams.len());
        }
    }
    if grams.len() > indices.len() || weights.len() != indices.len() || most > starts.len().max(1) {
        return Err(Error::failed(
            "the n-grams, their indices and their weights differ in number",
        ));
    }
    single(move |call| {
        let data = call.tensor(0)?;
        let (rows, length, mut shape) = match *data.shape() {
            [] => (1, 1, vec![]),
            [length] => (1, length, vec![]),
            [rows, length] => (rows, length, vec![rows]),
            _ => return Err(Error::failed(format!("texts of shape {:?}", data.shape()))),
        };
        let all = items(data)?;
        shape.push(width);
        let mut scores = vec![0.0_f32; element_count(&shape)?];
        for row in 0..rows {
            let own = &all[row * length..(row + 1) * length];
            let mut counts = vec![0_u32; indices.len()];
            for size in least.max(1)..=most {
                // One item has no gaps, whatever the largest gap is.
                for gap in 1..=(if size == 1 {
                    1
                } else {
                    max_skipped.saturating_add(1).min(length.max(1))
                }) {
                    let reach = (size - 1).saturating_mul(gap);
                    for start in 0..own.len().saturating_sub(reach) {
                        let gram: Vec<Item> = (0..size)
                            .map(|step| own[start + step * gap].clone())
                            .collect();
                        if let Some(&found) = grams.get(&gram) {
                            counts[found] += 1;
                        }
                    }
                }
            }
            for (gram, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                scores[row * width + indices[gram]] = match mode {
                    0 => count as f32,
                    1 => weights[gram],
                    _ => count as f32 * weights[gram],
                };
            }
        }
        Tensor::new(shape, scores)
    })
}

/// ONNX Runtime's tokenizer: by separators, by a pattern, or character by character.
fn tokenizer(node: &Definition) -> Result<Built> {
    let marks = node.flag("mark", false)?;
    let pad: Arc<str> = Arc::from(node.string("pad_value", "#")?);
    let shortest = length_of(node.int("mincharnum", 1)?)?.max(1);
    let regex = |pattern: &str| {
        Regex::new(pattern).map_err(|error| {
            Error::failed(format!("the pattern `{pattern}` is broken")).because(error)
        })
    };
    let separators = node.find_strings("separators")?;
    let pattern = node
        .find_string("tokenexp")?
        .map(|pattern| regex(&pattern))
        .transpose()?;
    let is_by_character = separators
        .as_ref()
        .is_some_and(|all| all.iter().all(|one| one.is_empty()));
    let separators = separators
        .unwrap_or_default()
        .iter()
        .filter(|one| !one.is_empty())
        .map(|one| regex(one))
        .collect::<Result<Vec<Regex>>>()?;
    single(move |call: &mut Call| {
        let data = call.tensor(0)?;
        let tokens = |text: &Arc<str>| -> Vec<Arc<str>> {
            let found: Vec<&str> = match &pattern {
                Some(pattern) => pattern
                    .find_iter(text)
                    .map(|found| found.as_str())
                    .collect(),
                None if is_by_character => text
                    .char_indices()
                    .map(|(start, character)| &text[start..start + character.len_utf8()])
                    .collect(),
                None => separators.iter().fold(vec![&**text], |parts, separator| {
                    parts
                        .into_iter()
                        .flat_map(|part| separator.split(part))
                        .collect()
                }),
            };
            let long = found
                .into_iter()
                .filter(|token| token.chars().count() >= shortest)
                .map(Arc::from);
            if marks {
                std::iter::once(Arc::from("\u{2}"))
                    .chain(long)
                    .chain(std::iter::once(Arc::from("\u{3}")))
                    .collect()
            } else {
                long.collect()
            }
        };
        // At most, every byte of a text is a token of its own.
        let most = data
            .values::<Arc<str>>()?
            .iter()
            .map(|text| text.len() * 3 * TEXT_BYTES);
        memory::temporary(content_bytes(most))?;
        let all: Vec<Vec<Arc<str>>> = data.values::<Arc<str>>()?.iter().map(tokens).collect();
        let width = all.iter().map(Vec::len).max().unwrap_or(0);
        let shape = [data.shape(), &[width]].concat();
        room_of::<Arc<str>>(&shape)?;
        let content = content_bytes(all.iter().flatten().map(|token| token.len()));
        let padded = |own: &Vec<Arc<str>>| {
            own.iter()
                .cloned()
                .chain(std::iter::repeat_n(pad.clone(), width - own.len()))
                .collect::<Vec<_>>()
        };
        Tensor::new(shape, all.iter().flat_map(padded).collect())?.with_content(content)
    })
}

/// Between every row of one matrix and every row of another.
fn distances(node: &Definition) -> Result<Built> {
    let is_squared = node.choice("metric", &["euclidean", "sqeuclidean"], 1)? == 1;
    single(move |call| {
        let (left, right) = (call.tensor(0)?, call.tensor(1)?);
        let (&[rows, width], &[columns, other]) = (left.shape(), right.shape()) else {
            return Err(Error::failed("two matrices are expected"));
        };
        if width != other {
            return Err(Error::failed(format!(
                "rows of {width} and of {other} values"
            )));
        }
        let (a, b) = (left.doubles()?, right.doubles()?);
        let mut out = Vec::with_capacity(element_count(&[rows, columns])?);
        for row in 0..rows {
            for column in 0..columns {
                let pairs = a[row * width..(row + 1) * width]
                    .iter()
                    .zip(&b[column * width..(column + 1) * width]);
                let square: f64 = pairs.map(|(a, b)| (a - b) * (a - b)).sum();
                out.push(if is_squared { square } else { square.sqrt() });
            }
        }
        match left.data() {
            Data::Float(_) | Data::Double(_) => crate::graph::cast::cast(
                &Tensor::new(vec![rows, columns], out)?,
                left.element_type(),
            ),
            other => Err(unsupported(other)),
        }
    })
}
