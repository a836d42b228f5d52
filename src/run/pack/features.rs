//! What a package's manifest says of inputs: names, and types of the columns that feed them.
//!
//! Owns how they are learned from the training data.

use toml::Table;

use super::{Packing, golden};
use crate::contract::{ColumnType, Contract, InputKind};
use crate::error::{Error, Result};
use crate::format::ImportOptions;
use crate::package::open::{OpenedModel, open};
use crate::plan::text::reads_texts;

impl Packing<'_> {
    /// Lists the model's inputs, with the types of the training data's columns.
    pub(super) fn learn(&mut self, opened: &OpenedModel) -> Result<()> {
        let contract = &opened.loaded.contract;
        if let Some(names) = &self.request.features {
            return self.name_features(opened, names);
        }
        if !contract.named || reads_texts(contract) {
            return Ok(());
        }
        let types = self.data_types()?;
        // Names that the model's file does not hold itself, but MLflow's description of it.
        self.write_manifest()?;
        let packed = open(self.directory, &ImportOptions::default())?;
        let is_named = packed.loaded.contract.named;
        for input in &contract.inputs {
            let is_native = matches!(input.kind, InputKind::Native(_));
            let learnt = types
                .iter()
                .find(|(name, _)| *name == input.name)
                .map(|(_, column_type)| *column_type);
            // A graph declares its own types.
            let column_type = input.column_type.or(learnt).filter(|_| !is_native);
            if !is_native || !is_named {
                let otherwise = (!input.required).then_some(input.on_null);
                self.manifest.add_input(&input.name, column_type, otherwise);
            }
        }
        Ok(())
    }

    /// Names the features of a model that has no names, or the columns of a graph's inputs.
    fn name_features(&mut self, opened: &OpenedModel, names: &[String]) -> Result<()> {
        let contract = &opened.loaded.contract;
        if !contract.named || reads_texts(contract) {
            names
                .iter()
                .for_each(|name| self.manifest.add_input(name, None, None));
            return Ok(());
        }
        let features = match (by_input(names, contract), contract.inputs.as_slice()) {
            (Some(features), _) => features,
            (None, [input]) => {
                let names = names.iter().map(|name| name.as_str().into()).collect();
                Table::from_iter([(input.name.clone(), toml::Value::Array(names))])
            }
            (None, _) => {
                return Err(Error::usage(
                    "`--features` is for models without names, and this model names its features",
                )
                .hint(
                    "omit it, or name the columns of a graph's inputs: `--features x=a,b`; \
                     to rename columns, use `tallow score --rename`",
                ));
            }
        };
        self.manifest.set_section(
            "graph",
            Table::from_iter([("features".to_owned(), features.into())]),
        );
        Ok(())
    }

    /// (name, type) of the training data's columns. Delimited text has no types.
    fn data_types(&self) -> Result<Vec<(String, ColumnType)>> {
        if self.request.data.is_empty() {
            return Ok(Vec::new());
        }
        let dataset = golden::dataset(&self.request.data)?;
        if dataset.is_text() {
            return Ok(Vec::new());
        }
        let schema = dataset.schema();
        let columns = schema
            .fields()
            .iter()
            .filter_map(|field| Some((field.name().clone(), ColumnType::of(field.data_type())?)));
        Ok(columns.collect())
    }
}

/// The columns of each input of a graph, where the first of them is written `INPUT=COLUMN`.
fn by_input(names: &[String], contract: &Contract) -> Option<Table> {
    let mut features = Table::new();
    let mut last = None;
    for name in names {
        let is_input = |text: &str| contract.inputs.iter().any(|input| input.name == text);
        let begun = name.split_once('=').filter(|(input, _)| is_input(input));
        let (input, column) = match begun {
            Some((input, column)) => (last.insert(input.to_owned()), column),
            None => (last.as_mut()?, name.as_str()),
        };
        features
            .entry(input.clone())
            .or_insert_with(|| toml::Value::Array(Vec::new()))
            .as_array_mut()?
            .push(column.into());
    }
    Some(features)
}
