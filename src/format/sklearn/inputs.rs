//! The inputs of a pipeline, and the parts that compute further columns of them.
//!
//! Owns what is known of each input, which becomes the contract, and the slots that columns read.

use std::sync::Arc;

use super::codes::{Codes, add};
use super::column::{Column, Step, UNSEEN};
use super::engine::Engine;
use super::fitted::Finished;
use super::formula::Formula;
use super::label::{Label, is_kept};
use super::object::Object;
use super::part::Part;
use super::words::Words;
use crate::contract::renaming::Renaming;
use crate::contract::{CategoryValue, Contract, Input, InputKind, NumberRange, Policy, Vocabulary};
use crate::error::Result;

/// An input as far as the translation knows it.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what several steps say, each alone"
)]
struct Known {
    name: String,
    categories: Option<Vec<CategoryValue>>,
    /// Whether its readers have different categories, of which `categories` are all.
    is_merged: bool,
    /// The kind that a model of another library gives the input.
    kind: Option<InputKind>,
    is_number: bool,
    /// Whether a step reads it that may not use it.
    is_read: bool,
    rejects_null: bool,
    rejects_unseen: bool,
    /// Whether what reads it takes infinite numbers, which nearly all of scikit-learn refuses.
    takes_infinity: bool,
    /// Whether trees read it in single precision.
    is_single: bool,
}

impl Known {
    /// Whether any step reads it.
    fn is_used(&self) -> bool {
        self.is_read || self.is_number || self.categories.is_some() || self.kind.is_some()
    }
}

/// Translates the decisions of an estimator; none if it has none.
type Decisions = fn(&Object, &[Column], &mut Inputs) -> Result<Option<Vec<Column>>>;

/// How the estimators and transformers inside others are translated, whatever their class: what
/// families call, without knowing one another.
#[derive(Clone, Copy)]
pub(super) struct Translator {
    /// The columns that an estimator reads, and what it computes of them.
    pub(super) finish: fn(&Object, Vec<Column>, &mut Inputs) -> Result<Finished>,
    /// The columns that a transformer makes of others.
    pub(super) transform: fn(&Object, Vec<Column>, &mut Inputs) -> Result<Vec<Column>>,
    /// The decisions of an estimator; none if it has none.
    pub(super) decisions: Decisions,
}

impl std::fmt::Debug for Translator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Translator")
    }
}

/// The inputs of the pipeline, and the parts that compute further columns of them.
///
/// Columns read slots: the inputs come first, the outputs of each part behind them.
#[derive(Debug)]
pub(super) struct Inputs {
    known: Vec<Known>,
    named: bool,
    parts: Vec<Part>,
    slot_count: usize,
    /// The bytes of the parts.
    bytes: usize,
    /// Whether an input is a text.
    has_texts: bool,
    /// The outputs that are texts of the table, and what takes the place of missing ones.
    passed: Vec<(usize, String)>,
    /// How a library inside changed the names of the inputs.
    renaming: Renaming,
    translator: Translator,
    /// Transformers that were translated.
    visits: usize,
    /// What models of other libraries say of themselves.
    facts: Vec<(String, String)>,
    /// Whether readers of an input have different categories: all of them are known only at the
    /// end, so that the pipeline is translated anew.
    differ: bool,
    /// The step that is translated, where the pipeline is to be followed.
    current: Option<Arc<Label>>,
    /// The estimator that was translated last, until a part is made of it.
    finished: Option<Arc<Label>>,
}

impl Inputs {
    /// Inputs by name, or so many without names.
    pub(super) fn new(names: Option<Vec<String>>, count: usize, translator: Translator) -> Self {
        let named = names.is_some();
        let names = names.unwrap_or_else(|| (0..count).map(|one| format!("x{one}")).collect());
        let slot_count = names.len();
        let known = names.into_iter().map(|name| Known {
            name,
            categories: None,
            is_merged: false,
            kind: None,
            is_number: false,
            is_read: false,
            rejects_null: false,
            rejects_unseen: false,
            takes_infinity: false,
            is_single: false,
        });
        Self {
            known: known.collect(),
            named,
            parts: Vec::new(),
            slot_count,
            bytes: 0,
            has_texts: false,
            passed: Vec::new(),
            renaming: Renaming::None,
            translator,
            visits: 0,
            facts: Vec::new(),
            differ: false,
            current: None,
            finished: None,
        }
    }

    /// Begins the translation of a step; returns the one around it, for [`Inputs::leave`].
    pub(super) fn enter(&mut self, object: &Object) -> Option<Arc<Label>> {
        self.finished = None;
        let own = is_kept().then(|| Arc::new(object.label()));
        std::mem::replace(&mut self.current, own)
    }

    /// Ends the translation of a step, and returns its label.
    pub(super) fn leave(&mut self, around: Option<Arc<Label>>) -> Option<Arc<Label>> {
        std::mem::replace(&mut self.current, around)
    }

    /// Notes that an estimator is translated, unless one in it was the last.
    pub(super) fn finished(&mut self, label: Option<Arc<Label>>) {
        self.finished = self.finished.take().or(label);
    }

    /// The estimator that was translated last, or the step that is translated.
    pub(super) fn label(&mut self) -> Option<Arc<Label>> {
        self.finished.take().or_else(|| self.current.clone())
    }

    /// Notes what a model of another library says of itself; of several, the first.
    pub(super) fn note(&mut self, facts: Vec<(String, String)>) {
        if self.facts.is_empty() {
            self.facts = facts;
        }
    }

    /// What a model of another library said of itself.
    pub(super) fn take_facts(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.facts)
    }

    /// The columns that an estimator reads, and what it computes of them.
    ///
    /// # Errors
    /// A contract error for what is not supported.
    pub(super) fn finish(&mut self, object: &Object, columns: Vec<Column>) -> Result<Finished> {
        (self.translator.finish)(object, columns, self)
    }

    /// The columns that a transformer makes of others.
    ///
    /// # Errors
    /// A contract error for what is not supported.
    pub(super) fn transform(
        &mut self,
        object: &Object,
        columns: Vec<Column>,
    ) -> Result<Vec<Column>> {
        (self.translator.transform)(object, columns, self)
    }

    /// The decisions of an estimator, as its `decision_function` returns them; none if it has none.
    ///
    /// # Errors
    /// A contract error for what is not supported.
    pub(super) fn decisions(
        &mut self,
        object: &Object,
        columns: &[Column],
    ) -> Result<Option<Vec<Column>>> {
        (self.translator.decisions)(object, columns, self)
    }

    /// Notes that a step reads these columns, whatever it makes of them.
    pub(super) fn read(&mut self, columns: &[Column]) {
        for column in columns {
            if let Some(known) = self.known.get_mut(column.input) {
                known.is_read = true;
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Counts a transformer; false after more than any honest file has, which one that refers to a
    /// part of itself over and over can reach.
    pub(super) fn visit(&mut self) -> bool {
        const VISITS_LIMIT: usize = 100_000;
        self.visits += 1;
        self.visits <= VISITS_LIMIT
    }

    /// The index of the input of this name.
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.known.iter().position(|input| input.name == name)
    }

    /// Whether a column reads the table, not the output of a part.
    pub(super) fn is_input(&self, slot: usize) -> bool {
        slot < self.known.len()
    }

    /// Computes further columns of others; columns that pass stay as they are.
    pub(super) fn push(&mut self, columns: Vec<Column>, engine: Engine) -> Vec<Column> {
        self.push_reading(columns, engine, false)
    }

    /// The same, where a missing value may be an error in scikit-learn.
    pub(super) fn push_reading(
        &mut self,
        columns: Vec<Column>,
        engine: Engine,
        rejects_missing: bool,
    ) -> Vec<Column> {
        if matches!(engine, Engine::Columns) {
            return columns;
        }
        self.bound_by(&columns, &engine);
        self.bytes = self.bytes.saturating_add(engine.memory_bytes());
        let part = Part {
            rejects_missing,
            label: self.label(),
            ..Part::new(columns, engine)
        };
        let (start, width) = (self.slot_count, part.width());
        self.slot_count += width;
        self.parts.push(part);
        (start..start + width).map(Column::computed).collect()
    }

    /// Fails where the parts hold so much that the file repeats them over and over.
    ///
    /// # Errors
    /// Fails for more than any honest file of its size has.
    pub(super) fn check_bytes(&self, object: &Object) -> Result<()> {
        if self.bytes > bytes_limit(object) {
            return Err(object.refuse("the file repeats its parts over and over"));
        }
        Ok(())
    }

    /// A formula of columns; a row with a missing value is rejected.
    pub(super) fn compute(&mut self, columns: Vec<Column>, formula: Formula) -> Vec<Column> {
        self.reject_missing(&columns);
        self.push_reading(columns, Engine::Formula(formula), true)
    }

    /// Missing values in these columns are an error in scikit-learn.
    pub(super) fn reject_missing(&mut self, columns: &[Column]) {
        for column in columns.iter().filter(|column| column.may_miss) {
            self.reject_null(column.input);
        }
    }

    /// The name of what a column reads.
    pub(super) fn name(&self, slot: usize) -> &str {
        self.known
            .get(slot)
            .map_or("of another part", |known| &known.name)
    }

    /// Takes the input for a number; false if it is read as categories elsewhere.
    pub(super) fn number(&mut self, slot: usize) -> bool {
        let Some(known) = self.known.get_mut(slot) else {
            return true;
        };
        known.is_number = true;
        known.categories.is_none()
            && known
                .kind
                .as_ref()
                .is_none_or(|kind| matches!(kind, InputKind::Number | InputKind::CategoryCode))
    }

    /// Whether the input is read as a number.
    pub(super) fn is_number(&self, slot: usize) -> bool {
        self.known.get(slot).is_some_and(|known| known.is_number)
    }

    /// Takes the input for codes of these categories; none if it is read otherwise elsewhere.
    pub(super) fn categories(&mut self, slot: usize, values: &[CategoryValue]) -> Option<Codes> {
        let known = self.known.get_mut(slot)?;
        if known.is_number || known.kind.is_some() {
            known.categories = Some(values.to_vec());
            return None;
        }
        let Some(all) = &mut known.categories else {
            known.categories = Some(values.to_vec());
            return Some(Codes::Own);
        };
        let is_same = all == values;
        if known.is_merged {
            return Some(if is_same {
                Codes::Own
            } else {
                Codes::of(all, values)
            });
        }
        if !is_same {
            self.differ = true;
            add(all, values);
        }
        Some(Codes::Own)
    }

    /// The same inputs with all categories that their readers have, where these differ: the
    /// pipeline is to be translated anew.
    pub(super) fn merged(&self) -> Option<Self> {
        if !self.differ {
            return None;
        }
        let names = self.known.iter().map(|known| known.name.clone()).collect();
        let mut merged = Self::new(Some(names), self.known.len(), self.translator);
        merged.named = self.named;
        for (own, known) in merged.known.iter_mut().zip(&self.known) {
            own.categories.clone_from(&known.categories);
            own.is_merged = own.categories.is_some();
        }
        Some(merged)
    }

    /// Takes the input for what a model of another library reads; false if it is read otherwise
    /// elsewhere.
    pub(super) fn kind(&mut self, slot: usize, kind: &InputKind) -> bool {
        let Some(known) = self.known.get_mut(slot) else {
            return false;
        };
        let fits = known.kind.as_ref().is_none_or(|other| other == kind);
        known.kind = Some(kind.clone());
        fits && known.categories.is_none() && !known.is_number
    }

    /// A null of this input is an error in scikit-learn.
    pub(super) fn reject_null(&mut self, slot: usize) {
        if let Some(known) = self.known.get_mut(slot) {
            known.rejects_null = true;
        }
    }

    /// Infinite numbers in these columns are numbers, as for histogram-based boosting and for other
    /// libraries' boosters; elsewhere they are an error ("Input X contains infinity").
    pub(super) fn allow_infinity(&mut self, columns: &[Column]) {
        for column in columns.iter().filter(|column| column.is_raw()) {
            if let Some(known) = self.known.get_mut(column.input) {
                known.takes_infinity = true;
            }
        }
    }

    /// Notes which columns an engine reads in single precision: a number that is too large for that
    /// is an error in scikit-learn, whatever took the place of missing ones before.
    pub(super) fn bound_by(&mut self, columns: &[Column], engine: &Engine) {
        for column in columns.iter().filter(|_| engine.is_bounded()) {
            if column.keeps_numbers()
                && let Some(known) = self.known.get_mut(column.input)
            {
                known.is_single = true;
            }
        }
    }

    /// An unseen category of this input is an error in scikit-learn.
    pub(super) fn reject_unseen(&mut self, slot: usize) {
        if let Some(known) = self.known.get_mut(slot) {
            known.rejects_unseen = true;
        }
    }

    /// Takes the input for a text and computes its terms; none if it is read otherwise elsewhere.
    pub(super) fn words(&mut self, column: Column, words: Words) -> Option<Vec<Column>> {
        if !self.kind(column.input, &InputKind::Text) {
            return None;
        }
        self.reject_null(column.input);
        self.has_texts = true;
        Some(self.push(vec![column], Engine::Words(Box::new(words))))
    }

    /// The vectoriser whose outputs these columns are, all and in order.
    pub(super) fn vectoriser(&mut self, columns: &[Column]) -> Option<&mut Words> {
        let part = self.parts.last_mut()?;
        let start = self.slot_count - part.width();
        let Engine::Words(words) = &mut part.engine else {
            return None;
        };
        let is_whole = columns.len() == words.width
            && columns
                .iter()
                .enumerate()
                .all(|(index, one)| one.is_raw() && one.input == start + index);
        is_whole.then_some(words)
    }

    /// The columns that the first step reads.
    pub(super) fn columns(&self) -> Vec<Column> {
        let named = self.known.iter().enumerate();
        let column = |(input, known): (usize, &Known)| Column {
            name: Some(known.name.as_str().into()),
            ..Column::of(input)
        };
        named.map(column).collect()
    }

    /// Makes an output the text of an input, in which this one takes the place of missing ones;
    /// false if the input is read otherwise elsewhere.
    pub(super) fn pass(&mut self, output: usize, input: usize, filled: String) -> bool {
        self.has_texts = true;
        self.passed.push((output, filled));
        self.kind(input, &InputKind::Text)
    }

    /// The outputs that are texts of the table.
    pub(super) fn take_passed(&mut self) -> Vec<(usize, String)> {
        std::mem::take(&mut self.passed)
    }

    /// Whether an input is a text.
    pub(super) fn has_texts(&self) -> bool {
        self.has_texts
    }

    /// Notes that the inputs have the names that a library gave them.
    pub(super) fn renamed_by(&mut self, renaming: Renaming) {
        self.renaming = renaming;
    }

    /// The contract, and the parts; `last` are the columns that the last part reads.
    ///
    /// Columns of the training table that every step drops, as a `ColumnTransformer` does by
    /// default, are no inputs where columns have names. Others keep their place.
    pub(super) fn into_parts(mut self, last: &mut [Column]) -> (Contract, Vec<Part>) {
        let mut parts = std::mem::take(&mut self.parts);
        let columns = parts.iter().flat_map(|part| &part.columns);
        self.read(&columns.chain(&*last).cloned().collect::<Vec<_>>());
        if self.named && self.known.iter().any(Known::is_used) {
            let count = self.known.len();
            let used: Vec<bool> = self.known.iter().map(Known::is_used).collect();
            let dropped_before = |slot: usize| {
                let before = used.iter().take(slot.min(count));
                before.filter(|is_used| !**is_used).count()
            };
            let moved: Vec<usize> = (0..=count).map(dropped_before).collect();
            let columns = parts.iter_mut().flat_map(|part| &mut part.columns);
            for column in columns.chain(last) {
                column.input -= moved[column.input.min(count)];
            }
            self.known.retain(Known::is_used);
        }
        (self.contract(), parts)
    }

    /// What the pipeline needs of a table.
    fn contract(self) -> Contract {
        let inputs = self.known.into_iter().map(|known| {
            if !known.is_used() {
                return unread(known.name);
            }
            let numbers = match known {
                Known {
                    is_single: true, ..
                } => NumberRange::Single,
                Known {
                    takes_infinity: true,
                    ..
                } => NumberRange::All,
                _ => NumberRange::Finite,
            };
            let mut input = match (known.kind, known.categories) {
                (Some(kind), _) if kind != InputKind::Number => Input::of_kind(known.name, kind),
                (_, Some(values)) => {
                    let vocabulary = Vocabulary {
                        values,
                        unseen_code: UNSEEN,
                    };
                    Input::of_kind(known.name, InputKind::Category(vocabulary))
                }
                _ => Input {
                    numbers,
                    ..Input::number(known.name)
                },
            };
            if known.rejects_null {
                input.on_null = Policy::Reject;
            }
            if known.rejects_unseen {
                input.on_unseen = Policy::Reject;
            }
            input
        });
        Contract {
            inputs: inputs.collect(),
            named: self.named,
            renaming: self.renaming,
            ..Contract::default()
        }
    }
}

/// A column that keeps the place of one that no step reads: it holds what it likes.
fn unread(name: String) -> Input {
    let vocabulary = Vocabulary {
        values: Vec::new(),
        unseen_code: UNSEEN,
    };
    Input {
        required: false,
        ..Input::of_kind(name, InputKind::Category(vocabulary))
    }
}

/// The most bytes that an honest file's parts hold.
pub(super) fn bytes_limit(object: &Object) -> usize {
    /// What a compressed file may hold more than its bytes, and what small ones may.
    const INFLATED: usize = 64;
    const SMALL: usize = 1 << 26;
    let inflated = object.arena.file_bytes().saturating_mul(INFLATED);
    inflated.saturating_add(SMALL)
}

/// Takes the inputs of columns for numbers.
pub(super) fn numbers(object: &Object, columns: &[Column], inputs: &mut Inputs) -> Result<()> {
    if let Some(column) = columns.iter().find(|column| column.filled.is_some()) {
        let name = inputs.name(column.input).to_owned();
        return Err(object.refuse(&format!("column `{name}` is a text where numbers are read")));
    }
    for column in columns {
        let is_coded = column
            .steps
            .iter()
            .any(|step| matches!(step, Step::Equals(_) | Step::Table(..) | Step::Find(_)));
        if !is_coded && !inputs.number(column.input) {
            let name = inputs.name(column.input).to_owned();
            return Err(object.refuse(&format!(
                "column `{name}` is read as a number here and as categories elsewhere"
            )));
        }
    }
    Ok(())
}
