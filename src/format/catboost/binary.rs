//! CatBoost's own format, `.cbm`, as the neutral structure.
//!
//! Owns the container (a magic number, the core, the parts that the core names) and the fields of
//! its flatbuffers. Every offset, length and index is hostile until checked. It must not know how
//! the model is scored. Source: CatBoost's `flatbuffers/model.fbs`, `ctr_data.fbs`, `features.fbs`
//! and `model.cpp`, 0.24 and 1.2.

use std::collections::HashMap;

use super::binary_trees::Trees;
use super::info::ModelInfo;
use super::stored::{
    CategoricalFeature, Counts, Ctr, CtrTable, CtrType, EMPTY_HASH, FloatFeature, Projection,
    Question, Stored, missing_rule, refuse_features,
};
use crate::error::{Error, Result};
use crate::format::wire::flatbuffers::{Budget, Fixed, Table};

/// How the file begins.
pub(super) const MAGIC: &[u8] = b"CBM1";

/// The version of the core that all files have; the spelling is CatBoost's.
const VERSION: &str = "FlabuffersModel_v1";

/// The part that holds the tables of CTRs.
const CTR_PART: &str = "static_provider_v1";

/// A length that is followed by a longer one.
const LONG: u32 = u32::MAX;

/// Reads the file.
///
/// # Errors
/// Names what is broken, and what is not supported.
pub(super) fn read(bytes: &[u8]) -> Result<Stored> {
    parsed(bytes).map_err(|error| {
        if error.kind() == crate::error::Kind::Failed && error.hint_text().is_none() {
            error.hint("the file is cut short or changed: copy it or save it again")
        } else {
            error
        }
    })
}

fn parsed(bytes: &[u8]) -> Result<Stored> {
    let mut rest = bytes
        .strip_prefix(MAGIC)
        .ok_or_else(|| Error::failed("the file does not begin with `CBM1`"))?;
    let core = sized(&mut rest, "the model's core")?;
    let budget = Budget::new(core.len());
    let core = Table::root(core, &budget)?;
    let version = core.text(0)?;
    if version != VERSION {
        return Err(Error::contract(format!(
            "the CatBoost model has the format version `{version}`, and tallow reads `{VERSION}`"
        )));
    }
    let trees = core.table(1)?;
    refuse_features("text", &feature_names(&trees, 12)?)?;
    refuse_features("embedding", &feature_names(&trees, 18)?)?;
    if !trees.tables(13)?.is_empty() {
        return Err(Error::contract("estimated features are not supported")
            .hint("train without text and embedding features"));
    }
    let parts = core.texts(3)?;
    let tables = match parts.as_slice() {
        [] => Vec::new(),
        [part] if part == CTR_PART => tables(&mut rest)?,
        _ => {
            return Err(Error::contract(format!(
                "the model has parts that are not supported: {}",
                parts.join(", ")
            )));
        }
    };
    stored(&trees, info(&core)?, tables)
}

/// The bytes behind a length, both cut off.
fn sized<'a>(rest: &mut &'a [u8], what: &str) -> Result<&'a [u8]> {
    let length = size(rest, what)?;
    let cut = usize::try_from(length)
        .ok()
        .and_then(|length| rest.split_at_checked(length));
    let (taken, left) = cut.ok_or_else(|| {
        Error::failed(format!(
            "{what} should have {length} bytes, and {} follow",
            rest.len()
        ))
    })?;
    *rest = left;
    Ok(taken)
}

fn size(rest: &mut &[u8], what: &str) -> Result<u64> {
    let ended = || Error::failed(format!("the file ends before {what}"));
    let (short, left) = rest.split_first_chunk::<4>().ok_or_else(ended)?;
    let short = u32::from_le_bytes(*short);
    *rest = left;
    if short != LONG {
        return Ok(u64::from(short));
    }
    let (long, left) = rest.split_first_chunk::<8>().ok_or_else(ended)?;
    *rest = left;
    Ok(u64::from_le_bytes(*long))
}

/// What training left behind, every value a text.
fn info(core: &Table) -> Result<ModelInfo> {
    let mut values = serde_json::Map::new();
    for entry in core.tables(2)? {
        values.insert(entry.text(0)?, serde_json::Value::String(entry.text(1)?));
    }
    serde_json::from_value(serde_json::Value::Object(values))
        .map_err(|error| Error::internal("the model's information").because(error))
}

/// The names of text or embedding features.
fn feature_names(trees: &Table, field: usize) -> Result<Vec<String>> {
    let named = |feature: &Table| {
        let name = feature.text(2)?;
        if name.is_empty() {
            Ok(feature.number(1, -1_i32)?.to_string())
        } else {
            Ok(name)
        }
    };
    trees.tables(field)?.iter().map(named).collect()
}

fn name(table: &Table, field: usize) -> Result<Option<String>> {
    Ok(Some(table.text(field)?).filter(|name| !name.is_empty()))
}

fn index(table: &Table, field: usize, what: &str) -> Result<u32> {
    let index = table.number(field, -1_i32)?;
    u32::try_from(index).map_err(|_| Error::failed(format!("{what} has the index {index}")))
}

fn stored(trees: &Table, info: ModelInfo, tables: Vec<CtrTable>) -> Result<Stored> {
    let (values, output_count) = (trees.numbers::<f64>(8)?, trees.number(0, 0_i32)?);
    let output_count = usize::try_from(output_count)
        .ok()
        .filter(|count| (1..=values.len()).contains(count))
        .ok_or_else(|| {
            Error::failed(format!(
                "{} leaf values for {output_count} outputs a leaf",
                values.len()
            ))
        })?;
    let mut questions = Vec::new();
    let floats = trees
        .tables(5)?
        .iter()
        .map(|feature| float(feature, &mut questions))
        .collect::<Result<_>>()?;
    let categories = trees
        .tables(4)?
        .iter()
        .map(category)
        .collect::<Result<_>>()?;
    for feature in trees.tables(6)? {
        let index = index(&feature, 0, "a one-hot feature")?;
        let hashes = feature.numbers::<i32>(1)?.into_iter();
        questions.extend(hashes.map(|hash| Question::OneHot {
            feature: index,
            hash: hash.cast_unsigned(),
        }));
    }
    let ctrs = ctrs(&trees.tables(7)?, &tables, &mut questions)?;
    let read = Trees {
        questions,
        splits: trees.numbers(1)?,
        sizes: trees.numbers(2)?,
        starts: trees.numbers(3)?,
        values,
        output_count,
    };
    let steps = trees.numbers::<(u16, u16)>(10)?;
    let is_symmetric = steps.is_empty();
    let trees_read = if is_symmetric {
        read.symmetric()?
    } else {
        read.branching(&steps, &trees.numbers(11)?)?
    };
    if trees_read.is_empty() {
        return Err(Error::failed("the model holds no trees"));
    }
    let biases = trees.numbers::<f64>(16)?;
    let bias = if biases.is_empty() {
        vec![trees.number(15, 0.0)?; output_count]
    } else {
        biases
    };
    Ok(Stored {
        floats,
        categories,
        texts: None,
        ctrs,
        tables,
        trees: trees_read,
        is_symmetric,
        output_count,
        scale: trees.number(14, 1.0)?,
        bias,
        info,
    })
}

fn float(feature: &Table, questions: &mut Vec<Question>) -> Result<FloatFeature> {
    let index = index(feature, 1, "a float feature")?;
    let treatment = match feature.number(5, 0_u8)? {
        0 => "AsIs",
        1 => "AsFalse",
        2 => "AsTrue",
        other => {
            return Err(Error::failed(format!("unknown treatment of NaN `{other}`"))
                .at_node(format!("float feature {index}")));
        }
    };
    let borders = feature.numbers::<f32>(3)?.into_iter();
    questions.extend(borders.map(|border| Question::Float {
        feature: index,
        border,
    }));
    Ok(FloatFeature {
        index,
        flat: self::index(feature, 2, "a float feature among all features")?,
        name: name(feature, 4)?,
        missing: missing_rule(treatment, feature.number(0, 0_u8)? != 0, index)?,
    })
}

fn category(feature: &Table) -> Result<CategoricalFeature> {
    Ok(CategoricalFeature {
        index: index(feature, 0, "a categorical feature")?,
        flat: index(feature, 1, "a categorical feature among all features")?,
        name: name(feature, 2)?,
    })
}

fn ctrs(stored: &[Table], tables: &[CtrTable], asked: &mut Vec<Question>) -> Result<Vec<Ctr>> {
    let known: HashMap<_, _> = tables
        .iter()
        .enumerate()
        .map(|(index, table)| {
            let key = (table.projection.key(), table.kind, table.classifier);
            (key, index)
        })
        .collect();
    let mut ctrs = Vec::with_capacity(stored.len());
    for (index, feature) in stored.iter().enumerate() {
        let mut read = || {
            let ctr = feature.table(0)?;
            let Base(projection, kind, classifier) = base(&ctr.table(0)?)?;
            let table = *known
                .get(&(projection.key(), kind, classifier))
                .ok_or_else(|| Error::failed("the file has no counts of the CTR"))?;
            let borders = feature.numbers::<f32>(1)?.into_iter();
            asked.extend(borders.map(|border| Question::Ctr { ctr: index, border }));
            let border = ctr.number(1, 0_i32)?;
            Ok(Ctr {
                table,
                target_border: usize::try_from(border)
                    .map_err(|_| Error::failed(format!("the target border is {border}")))?,
                prior: [ctr.number(2, 0.0)?, ctr.number(3, 1.0)?],
                shift: ctr.number(4, 0.0)?,
                scale: ctr.number(5, 1.0)?,
            })
        };
        ctrs.push(read().map_err(|error: Error| error.at_node(format!("CTR {index}")))?);
    }
    Ok(ctrs)
}

/// What a CTR counts, how, and which way of cutting the target into classes it uses.
struct Base(Projection, CtrType, i32);

fn base(base: &Table) -> Result<Base> {
    let combination = base.table(0)?;
    let category = |value: i32| {
        u32::try_from(value)
            .map_err(|_| Error::failed(format!("an element of the CTR is feature {value}")))
    };
    let categories = combination.numbers::<i32>(0)?.into_iter();
    let floats = combination.numbers::<(i32, f32)>(1)?.into_iter();
    let one_hots = combination.numbers::<(i32, i32)>(2)?.into_iter();
    let projection = Projection {
        categories: categories.map(category).collect::<Result<_>>()?,
        floats: floats
            .map(|(feature, border)| Ok((category(feature)?, border)))
            .collect::<Result<_>>()?,
        one_hots: one_hots
            .map(|(feature, hash)| Ok((category(feature)?, hash.cast_unsigned())))
            .collect::<Result<_>>()?,
    };
    let kind = CtrType::numbered(base.number(1, 0_u8)?)?;
    Ok(Base(projection, kind, base.number(2, 0)?))
}

/// The tables of the CTRs.
fn tables(rest: &mut &[u8]) -> Result<Vec<CtrTable>> {
    let count = size(rest, "the tables of CTRs")?;
    let mut tables = Vec::new();
    for index in 0..count {
        let mut read = || table(sized(rest, "the table of a CTR")?);
        tables.push(read().map_err(|error| error.at_node(format!("CTR table {index}")))?);
    }
    Ok(tables)
}

/// A hash, in two halves, and the index of its counts.
type Bucket = ((u32, u32), u32);

fn table(bytes: &[u8]) -> Result<CtrTable> {
    let budget = Budget::new(bytes.len());
    let table = Table::root(bytes, &budget)?;
    let Base(projection, kind, classifier) = base(&table.table(0)?)?;
    let buckets = table.bytes(1, 1)?;
    let blob = table.bytes(2, 1)?;
    let width = match kind {
        CtrType::Borders | CtrType::Buckets => {
            let classes = table.number(4, 0_i32)?;
            usize::try_from(classes)
                .ok()
                .filter(|width| *width > 0)
                .ok_or_else(|| Error::failed(format!("the table has {classes} classes")))?
        }
        _ => 1,
    };
    let mut hashes = Vec::new();
    let mut rows = Vec::new();
    for bucket in buckets.chunks_exact(Bucket::WIDTH) {
        let ((low, high), row) = Bucket::read(bucket);
        let hash = u64::from(high) << 32 | u64::from(low);
        if hash != EMPTY_HASH {
            hashes.push(hash);
            rows.push(row);
        }
    }
    let counts = match kind {
        CtrType::Borders | CtrType::Buckets => {
            Counts::Classes(width, counted::<i32>(blob, &rows, width)?)
        }
        CtrType::BinarizedTargetMeanValue | CtrType::FloatTargetMeanValue => {
            Counts::Means(counted(blob, &rows, 1)?)
        }
        CtrType::Counter | CtrType::FeatureFreq => Counts::Single(counted(blob, &rows, 1)?),
    };
    Ok(CtrTable {
        projection,
        kind,
        classifier,
        hashes,
        counts,
        denominator: table.number(3, 0_i32)?,
    })
}

/// The counts of these rows, so many each. A row may be asked for once only, as every hash has its
/// own, so that no table is larger than its bytes.
fn counted<T: Fixed>(blob: &[u8], rows: &[u32], width: usize) -> Result<Vec<T>> {
    let row_bytes = width
        .checked_mul(T::WIDTH)
        .ok_or_else(|| Error::failed("the table has too many classes"))?;
    let available = blob.len() / row_bytes;
    if rows.len() > available {
        return Err(Error::failed(format!(
            "{} hashes, but counts of {available}",
            rows.len()
        )));
    }
    let mut counts = Vec::with_capacity(rows.len() * width);
    for &row in rows {
        let row = blob
            .chunks_exact(row_bytes)
            .nth(row as usize)
            .ok_or_else(|| Error::failed(format!("counts {row} of {available} are asked for")))?;
        counts.extend(row.chunks_exact(T::WIDTH).map(T::read));
    }
    Ok(counts)
}
