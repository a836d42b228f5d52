//! How well rows obey the run's rules: counts of a portion, merged, and what they come to.
//!
//! Owns what is counted for each rule and when it holds. The rules themselves are
//! [`crate::pipeline::rule`]'s. Counts are a function of the rows alone, whatever their order or
//! grouping; the rows that are named as examples are the first of the input. It must not know
//! reports.

use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use indicatif::HumanCount;

use crate::count::counted;
use crate::error::{Error, Kind, Result, shell_word};
use crate::memory::{Pool, Reservation};
use crate::package::manifest::OnFail;
use crate::path_text;
use crate::pipeline::observer::{Observer, Partial, ScoredPortion};
use crate::pipeline::rule::{Ask, Rule, Rules, text_of};
use crate::pipeline::{Job, Outcomes};
use crate::statistics::bytes::{Reader, Writer};
use crate::statistics::distinct::{Distinct, RELATIVE_ERROR};
use crate::statistics::hash;

/// Beyond so many standard errors of an estimate, values are repeated for sure.
const SURE: f64 = 4.0;

/// What a key takes in a set of keys that is up to half empty.
const KEY_BYTES: u64 = 40;

/// What was counted for one rule.
#[derive(Debug)]
enum Counts {
    Row {
        tested: u64,
        failed: u64,
        /// The first rows that fail, as texts, if they are asked for.
        examples: Vec<String>,
    },
    Distinct {
        tested: u64,
        distinct: Distinct,
    },
    Keys {
        tested: u64,
        keys: Keys,
    },
    Newest {
        tested: u64,
        newest: Option<i64>,
    },
    Nothing,
}

/// The hashes of all values of a column, counted as memory.
#[derive(Debug, Default)]
struct Keys {
    hashes: HashSet<u128>,
    reserved: Option<Reservation>,
}

/// What was counted for all rules of a run.
#[derive(Debug)]
pub struct QualityCounts {
    rules: Vec<Counts>,
    example_count: usize,
}

/// Counts how rows obey the rules.
#[derive(Debug)]
pub struct QualityObserver {
    rules: Arc<Rules>,
}

impl QualityObserver {
    /// The observer of these rules.
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        Self { rules }
    }

    fn nothing(&self) -> QualityCounts {
        QualityCounts {
            rules: self.rules.iter().map(Counts::nothing).collect(),
            example_count: self.rules.example_count(),
        }
    }
}

impl Observer for QualityObserver {
    fn name(&self) -> &'static str {
        "quality"
    }

    fn version(&self) -> u32 {
        1
    }

    fn empty(&self) -> Box<dyn Partial> {
        Box::new(self.nothing())
    }

    fn observe(&self, portion: &ScoredPortion<'_>) -> Result<Box<dyn Partial>> {
        let mut counts = self.nothing();
        for (counts, rule) in counts.rules.iter_mut().zip(self.rules.iter()) {
            counts
                .observe(rule, &self.rules, portion)
                .map_err(|error| error.adding(&format!(", in the rule `{}`", rule.name)))?;
        }
        Ok(Box::new(counts))
    }

    fn needs_only_scores(&self) -> bool {
        false
    }

    fn partial_of(&self, bytes: &[u8]) -> Option<Box<dyn Partial>> {
        let mut reader = Reader::new(bytes);
        if reader.integer()? != self.rules.iter().len() as u64 {
            return None;
        }
        let rules = self.rules.iter();
        let rules = rules.map(|rule| Counts::read(&Counts::nothing(rule), &mut reader));
        let rules = rules.collect::<Option<Vec<_>>>()?;
        reader.is_at_end().then(|| {
            Box::new(QualityCounts {
                rules,
                example_count: self.rules.example_count(),
            }) as Box<dyn Partial>
        })
    }
}

impl Partial for QualityCounts {
    fn merge(&mut self, other: &dyn Partial) -> Result<()> {
        let other: &dyn Any = other;
        let other = other
            .downcast_ref::<Self>()
            .filter(|other| other.rules.len() == self.rules.len())
            .ok_or_else(|| Error::internal("counts of other rules"))?;
        let example_count = self.example_count;
        self.rules
            .iter_mut()
            .zip(&other.rules)
            .try_for_each(|(own, other)| own.merge(other, example_count))
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.integer(self.rules.len() as u64);
        self.rules
            .iter()
            .for_each(|counts| counts.write(&mut writer));
        writer.into_bytes()
    }
}

impl Counts {
    fn nothing(rule: &Rule) -> Self {
        match &rule.ask {
            Ask::Row(_) => Self::Row {
                tested: 0,
                failed: 0,
                examples: Vec::new(),
            },
            Ask::Unique {
                is_exact: false, ..
            } => Self::Distinct {
                tested: 0,
                distinct: Distinct::default(),
            },
            Ask::Unique { is_exact: true, .. } => Self::Keys {
                tested: 0,
                keys: Keys::default(),
            },
            Ask::Fresh { .. } => Self::Newest {
                tested: 0,
                newest: None,
            },
            Ask::RowCount { .. } => Self::Nothing,
        }
    }

    fn observe(&mut self, rule: &Rule, rules: &Rules, portion: &ScoredPortion<'_>) -> Result<()> {
        match (self, &rule.ask) {
            (
                Self::Row {
                    tested,
                    failed,
                    examples,
                },
                Ask::Row(index),
            ) => {
                let met = portion
                    .verdicts
                    .get(*index)
                    .ok_or_else(|| Error::internal("a rule that was not judged"))?;
                *tested += met.len() as u64;
                *failed += met.false_count() as u64;
                *examples = first_failures(met, rules.example_count(), portion);
            }
            (Self::Distinct { tested, distinct }, Ask::Unique { column, .. }) => {
                *tested += each_hash(&rules.column(portion.rows, column)?, |hash| {
                    distinct.add(hash);
                    Ok(())
                })?;
            }
            (Self::Keys { tested, keys }, Ask::Unique { column, .. }) => {
                *tested += each_hash(&rules.column(portion.rows, column)?, |hash| keys.add(hash))?;
            }
            (Self::Newest { tested, newest }, Ask::Fresh { column, query, .. }) => {
                let values = rules.column(portion.rows, column)?;
                *tested += (values.len() - values.null_count()) as u64;
                *newest = Rules::newest(query, column, values)?.max(*newest);
            }
            (Self::Nothing, _) => {}
            _ => return Err(Error::internal("counts of another rule")),
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self, example_count: usize) -> Result<()> {
        match (self, other) {
            (
                Self::Row {
                    tested,
                    failed,
                    examples,
                },
                Self::Row {
                    tested: more,
                    failed: more_failed,
                    examples: more_examples,
                },
            ) => {
                *tested += more;
                *failed += more_failed;
                let free = example_count.saturating_sub(examples.len());
                examples.extend(more_examples.iter().take(free).cloned());
            }
            (
                Self::Distinct { tested, distinct },
                Self::Distinct {
                    tested: more,
                    distinct: other,
                },
            ) => {
                *tested += more;
                distinct.merge(other);
            }
            (
                Self::Keys { tested, keys },
                Self::Keys {
                    tested: more,
                    keys: other,
                },
            ) => {
                *tested += more;
                other.hashes.iter().try_for_each(|hash| keys.add(*hash))?;
            }
            (
                Self::Newest { tested, newest },
                Self::Newest {
                    tested: more,
                    newest: other,
                },
            ) => {
                *tested += more;
                *newest = (*newest).max(*other);
            }
            (Self::Nothing, Self::Nothing) => {}
            _ => return Err(Error::internal("counts of other rules")),
        }
        Ok(())
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Row {
                tested,
                failed,
                examples,
            } => {
                writer.integer(*tested);
                writer.integer(*failed);
                writer.integer(examples.len() as u64);
                examples.iter().for_each(|example| writer.text(example));
            }
            Self::Distinct { tested, distinct } => {
                writer.integer(*tested);
                distinct.write(writer);
            }
            Self::Keys { tested, keys } => {
                writer.integer(*tested);
                let mut hashes: Vec<u128> = keys.hashes.iter().copied().collect();
                hashes.sort_unstable();
                writer.integer(hashes.len() as u64);
                for hash in hashes {
                    writer.integer(hash as u64);
                    writer.integer((hash >> 64) as u64);
                }
            }
            Self::Newest { tested, newest } => {
                writer.integer(*tested);
                writer.integer(u64::from(newest.is_some()));
                writer.signed(newest.unwrap_or(0));
            }
            Self::Nothing => {}
        }
    }

    /// Reads counts of the same kind.
    fn read(kind: &Self, reader: &mut Reader) -> Option<Self> {
        Some(match kind {
            Self::Row { .. } => {
                let (tested, failed) = (reader.count()?, reader.count()?);
                let count = reader.length()?;
                let mut examples = Vec::new();
                for _ in 0..count {
                    examples.push(reader.text()?.to_owned());
                }
                (failed <= tested).then_some(Self::Row {
                    tested,
                    failed,
                    examples,
                })?
            }
            Self::Distinct { .. } => Self::Distinct {
                tested: reader.count()?,
                distinct: Distinct::read(reader)?,
            },
            Self::Keys { .. } => {
                let (tested, count) = (reader.count()?, reader.length()?);
                let mut keys = Keys::default();
                for _ in 0..count {
                    let low = reader.integer()?;
                    let hash = u128::from(reader.integer()?) << 64 | u128::from(low);
                    keys.add(hash).ok()?;
                }
                Self::Keys { tested, keys }
            }
            Self::Newest { .. } => {
                let (tested, is_known) = (reader.count()?, reader.integer()?);
                let newest = reader.signed()?;
                Self::Newest {
                    tested,
                    newest: (is_known == 1).then_some(newest),
                }
            }
            Self::Nothing => Self::Nothing,
        })
    }
}

impl Keys {
    fn add(&mut self, hash: u128) -> Result<()> {
        if !self.hashes.insert(hash) {
            return Ok(());
        }
        let expected = self.hashes.capacity() as u64 * KEY_BYTES;
        let held = self.reserved.as_ref().map_or(0, Reservation::bytes);
        if expected <= held {
            return Ok(());
        }
        let refused = |error: Error| {
            error.hint(
                "`unique(COLUMN)` estimates in 4 KiB; `unique(COLUMN, exact)` holds every value's \
                 hash: give it more `--memory`",
            )
        };
        let what = "the values of a column that must be unique";
        match &mut self.reserved {
            Some(reserved) => reserved.grow(expected - held, what).map_err(refused),
            None => {
                let reserved = Pool::of_process().reserve(expected, what);
                self.reserved = Some(reserved.map_err(refused)?);
                Ok(())
            }
        }
    }
}

/// Passes on the hash of each value that is not null; returns how many there are.
fn each_hash(values: &ArrayRef, mut add: impl FnMut(u128) -> Result<()>) -> Result<u64> {
    let texts = text_of(values)?;
    let texts = texts.as_string::<i32>();
    for text in texts.iter().flatten() {
        add(hash::of_bytes(text.as_bytes()))?;
    }
    Ok((texts.len() - texts.null_count()) as u64)
}

/// The first rows that do not meet a condition: file, row and nothing of their values.
fn first_failures(met: &BooleanArray, count: usize, portion: &ScoredPortion<'_>) -> Vec<String> {
    let failures = (0..met.len()).filter(|row| !met.value(*row)).take(count);
    failures
        .map(|row| {
            let path = path_text::text(portion.origin.path);
            let number = portion.origin.row_number(row);
            format!("{path}, row {number}: {}", values_of(portion.rows, row))
        })
        .collect()
}

/// The most characters of an example.
const EXAMPLE_LENGTH: usize = 300;

/// The values of a row that was asked for as an example.
fn values_of(rows: &RecordBatch, row: usize) -> String {
    let schema = rows.schema();
    let values = schema.fields().iter().zip(rows.columns());
    let values = values.map(|(field, column)| {
        let text = text_of(&column.slice(row, 1)).ok();
        let text = text.and_then(|text| {
            let texts = text.as_string::<i32>();
            texts.iter().next().flatten().map(str::to_owned)
        });
        format!("{}={}", field.name(), text.as_deref().unwrap_or("null"))
    });
    let all = values.collect::<Vec<_>>().join(", ");
    if all.chars().count() <= EXAMPLE_LENGTH {
        return all;
    }
    let start: String = all.chars().take(EXAMPLE_LENGTH).collect();
    format!("{start}…")
}

/// Whether a rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Ok,
    /// It does not.
    Broken,
    /// The estimate does not say.
    Undecided,
}

impl Verdict {
    /// The word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Broken => "broken",
            Self::Undecided => "undecided",
        }
    }
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule's name.
    pub name: String,
    /// What the user wrote.
    pub expression: String,
    /// What happens if it does not hold.
    pub on_fail: OnFail,
    /// The least share that must meet it.
    pub mostly: f64,
    /// The rows or values that were tested.
    pub tested: u64,
    /// Those that do not meet it, estimated where `is_estimate`.
    pub failed: u64,
    /// Whether `failed` is an estimate.
    pub is_estimate: bool,
    /// The share that meets it: 1 where nothing was tested.
    pub compliance: f64,
    /// Whether it holds.
    pub verdict: Verdict,
    /// Of a rule about freshness: the age of the newest value, in seconds.
    pub age_seconds: Option<f64>,
    /// Of a rule about the number of rows: that.
    pub row_count: Option<u64>,
    /// Whether it is about the table, which meets it or not.
    pub is_of_table: bool,
    /// Whether it is about the values of a column.
    pub is_of_column: bool,
    /// Rows that do not meet it, if they were asked for.
    pub examples: Vec<String>,
}

/// What became of each rule; `seconds_now` is what ages are counted from.
#[must_use]
pub fn findings(job: &Job, outcomes: &Outcomes, seconds_now: u64) -> Vec<Finding> {
    let Some(counts) = outcomes.seen.get::<QualityCounts>() else {
        return Vec::new();
    };
    let rows_in = outcomes.ledger.total().rows_in;
    job.rules
        .iter()
        .zip(&counts.rules)
        .map(|(rule, counts)| finding(rule, counts, rows_in, seconds_now))
        .collect()
}

fn finding(rule: &Rule, counts: &Counts, rows_in: u64, seconds_now: u64) -> Finding {
    let whole = |is_met: bool| (1, u64::from(!is_met));
    let (mut age_seconds, mut is_estimate) = (None, false);
    let mut undecided = false;
    let (tested, failed) = match (counts, &rule.ask) {
        (Counts::Row { tested, failed, .. }, _) => (*tested, *failed),
        (Counts::Distinct { tested, distinct }, _) => {
            is_estimate = !distinct.is_exact();
            let estimate = distinct.estimate();
            let repeated = (*tested as f64 - estimate).max(0.0).round() as u64;
            // With the error of the estimate on its side the rule might hold.
            let best = estimate * (1.0 + SURE * RELATIVE_ERROR);
            undecided = is_estimate
                && best >= rule.mostly * *tested as f64
                && estimate * (1.0 - SURE * RELATIVE_ERROR) < rule.mostly * *tested as f64;
            (*tested, repeated)
        }
        (Counts::Keys { tested, keys }, _) => (*tested, tested - keys.hashes.len() as u64),
        (
            Counts::Newest { newest, .. },
            Ask::Fresh {
                max_age_seconds, ..
            },
        ) => {
            age_seconds = newest.map(|newest| seconds_now as f64 - newest as f64 / 1e6);
            whole(age_seconds.is_some_and(|age| age <= *max_age_seconds))
        }
        (_, Ask::RowCount { min, max }) => whole((*min..=*max).contains(&rows_in)),
        _ => whole(true),
    };
    let compliance = if tested == 0 {
        1.0
    } else {
        (tested - failed) as f64 / tested as f64
    };
    let verdict = if undecided {
        Verdict::Undecided
    } else if compliance >= rule.mostly {
        Verdict::Ok
    } else {
        Verdict::Broken
    };
    let examples = match counts {
        Counts::Row { examples, .. } => examples.clone(),
        _ => Vec::new(),
    };
    Finding {
        name: rule.name.clone(),
        expression: rule.expression.clone(),
        on_fail: rule.on_fail,
        mostly: rule.mostly,
        tested,
        failed,
        is_estimate,
        compliance,
        verdict,
        age_seconds,
        row_count: matches!(rule.ask, Ask::RowCount { .. }).then_some(rows_in),
        is_of_table: matches!(rule.ask, Ask::RowCount { .. } | Ask::Fresh { .. }),
        is_of_column: matches!(rule.ask, Ask::Unique { .. }),
        examples,
    }
}

/// Whether a broken rule withholds the output.
///
/// # Errors
/// [`Kind::Gate`] for the first rule that must hold and does not.
pub fn judge(job: &Job, outcomes: &Outcomes, seconds_now: u64) -> Result<()> {
    let findings = findings(job, outcomes, seconds_now);
    let mut broken = findings
        .iter()
        .filter(|finding| finding.on_fail == OnFail::Fail && finding.verdict == Verdict::Broken);
    let Some(first) = broken.next() else {
        return Ok(());
    };
    let more = match broken.count() {
        0 => String::new(),
        count => format!(", and {}", counted(count as u64, "more rule")),
    };
    let error = Error::new(
        Kind::Gate,
        format!(
            "the data breaks the rule `{}`: {}{more}",
            first.name,
            first.text()
        ),
    );
    Err(error.hint(format!(
        "`tallow check --scan --rule-examples 5 --rule {}` names rows",
        shell_word(&first.expression)
    )))
}

impl Finding {
    /// How many rows do not meet it, in words.
    #[must_use]
    pub fn text(&self) -> String {
        if let Some(age) = self.age_seconds {
            return format!("the newest value is {:.1} h old", age / 3_600.0);
        }
        if let Some(rows) = self.row_count {
            return format!("the table has {}", counted(rows, "row"));
        }
        if self.tested == 1 && self.is_of_table {
            return "the column has no value".to_owned();
        }
        let about = if self.is_estimate { "about " } else { "" };
        format!(
            "{about}{} of {} do not meet it ({} % do, at least {} % must)",
            HumanCount(self.failed),
            counted(self.tested, if self.is_of_column { "value" } else { "row" }),
            percent(self.compliance),
            percent(self.mostly)
        )
    }
}

/// A share in percent, with the digits that tell it from 100.
fn percent(share: f64) -> String {
    let text = format!("{:.4}", 100.0 * share);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
