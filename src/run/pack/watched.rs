//! What the runs of a package watch: rules, gates and the reference performance.
//!
//! Owns how flags become sections of the manifest. It must not know how a run applies them.

use std::sync::Arc;

use toml::Table;

use super::{Packing, REFERENCE, missing};
use crate::error::Result;
use crate::monitor::estimate::observer::PerformanceObserver;
use crate::monitor::estimate::reference::Reference;
use crate::package::manifest::RuleEntry;
use crate::package::open::{Identity, OpenedModel};
use crate::plan::quality::{check_model, read_reference, rule};
use crate::report::gate_names::check_package;
use crate::report::gates::planned;
use crate::storage::find;

impl Packing<'_> {
    /// Lists the gates, in place of earlier ones.
    pub(super) fn gates(&mut self, opened: &OpenedModel) -> Result<()> {
        let gates = planned(&self.request.gates)?;
        if gates.is_empty() {
            return Ok(());
        }
        let named = opened.identity().named().into_iter();
        let counters = opened.loaded.model.counters().iter();
        let of_model = named.map(|(name, _)| name);
        let of_model = of_model.chain(counters.map(|counter| counter.metric.to_owned()));
        check_package(&gates, &of_model.collect::<Vec<String>>())?;
        let entries = gates.iter().map(|one| {
            let expression = one.gate.to_string();
            Table::from_iter([("expression".to_owned(), expression.into())])
        });
        self.manifest.set_list("gates", entries.collect());
        Ok(())
    }

    /// Lists the rules, in place of earlier ones.
    pub(super) fn rules(&mut self) -> Result<()> {
        let rules = &self.request.rules;
        if rules.is_empty() {
            return Ok(());
        }
        let entries = rules.iter().map(|text| {
            let RuleEntry {
                name,
                expression,
                mostly,
                on_fail,
            } = rule(text)?;
            let name = name.map(|name| ("name".to_owned(), name.into()));
            let others = [
                ("expression".to_owned(), expression.into()),
                ("mostly".to_owned(), mostly.into()),
                ("on_fail".to_owned(), on_fail.name().into()),
            ];
            Ok(name.into_iter().chain(others).collect::<Table>())
        });
        let entries = entries.collect::<Result<Vec<_>>>()?;
        self.manifest.set_list("rules", entries);
        Ok(())
    }

    /// Copies how well the model did on labelled rows.
    pub(super) fn reference(&mut self) -> Result<()> {
        let Some(path) = &self.request.reference else {
            return Ok(());
        };
        let (reference, _) = read_reference(path)?;
        self.write(REFERENCE, &reference.to_bytes()?)?;
        let entries = Table::from_iter([("performance".to_owned(), REFERENCE.into())]);
        self.manifest.set_section("reference", entries);
        Ok(())
    }

    /// The reference performance of the package, which must be of the scores of its model: that
    /// which was packed. From now on it is of the model's own file.
    pub(super) fn checked_reference(
        &self,
        packed: &Identity,
        opened: &OpenedModel,
    ) -> Result<Option<Reference>> {
        let Some(path) = &opened.monitoring.reference else {
            return Ok(None);
        };
        let named = self.request.reference.as_ref();
        if find(path)?.is_none() {
            let name = path.file_name().unwrap_or_default();
            return Err(missing("reference performance", "--reference")
                .at_path(self.request.model.join(name)));
        }
        let (mut reference, _) = read_reference(path)?;
        let model = opened.identity();
        if check_model(&reference, &model).is_err() {
            check_model(&reference, packed)
                .map_err(|error| error.at_path(named.unwrap_or(path)))?;
            if let Some(of) = &mut reference.model {
                of.digest = model.file_digest;
            }
            let name = path
                .file_name()
                .map_or_else(|| REFERENCE.into(), |name| name.to_string_lossy());
            self.write(&name, &reference.to_bytes()?)?;
        }
        let loaded = &opened.loaded;
        let (margins, precision) = (loaded.model.margin_count(), loaded.model.precision());
        let fields = loaded.outcome.fields(margins, precision, false);
        PerformanceObserver::new(Arc::new(reference.clone()), &fields)
            .map_err(|error| error.at_path(named.unwrap_or(path)))?;
        Ok(Some(reference))
    }
}
