//! A manifest as it is written: a new one, or an earlier one with keys added.
//!
//! Owns the order of keys and what is kept: every key that the user wrote. Comments are not kept.
//! It must not know what a key means to a model.

use toml::{Table, Value};

use crate::contract::{ColumnType, Policy, type_name};
use crate::error::{Error, Result};
use crate::storage::Location;

/// The first line of every manifest that is written.
const HEADER: &str = "# Written by `tallow pack`; `tallow guide packages` explains the keys.\n";

/// A manifest being written.
#[derive(Clone, Debug, Default)]
pub struct WrittenManifest {
    table: Table,
}

impl WrittenManifest {
    /// An earlier manifest.
    ///
    /// # Errors
    /// A contract error if it is not TOML.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let unreadable = || Error::contract("cannot read the manifest");
        let text = std::str::from_utf8(bytes).map_err(|error| unreadable().because(error))?;
        let table = text
            .parse::<Table>()
            .map_err(|error| unreadable().because(error.message().to_owned()))?;
        Ok(Self { table })
    }

    /// Sets a string at the top.
    pub fn set(&mut self, key: &str, value: &str) {
        self.table.insert(key.to_owned(), value.into());
    }

    /// Sets a section, such as `[golden]`.
    pub fn set_section(&mut self, key: &str, entries: Table) {
        self.table.insert(key.to_owned(), Value::Table(entries));
    }

    /// Sets a list of sections, such as `[[gates]]`.
    pub fn set_list(&mut self, key: &str, entries: Vec<Table>) {
        let entries = entries.into_iter().map(Value::Table).collect();
        self.table.insert(key.to_owned(), Value::Array(entries));
    }

    /// Lists a file or directory of the model, or sets the digest of one that is listed.
    pub fn set_artefact(&mut self, path: &Location, sha256: Option<&str>) {
        let path = path.to_string_lossy();
        let entry = entry(self.entries("artefacts"), "path", &path);
        match sha256 {
            Some(sha256) => _ = entry.insert("sha256".to_owned(), sha256.into()),
            None => _ = entry.remove("sha256"),
        }
    }

    /// Lists an input, with its type unless the user wrote one. One that the data need not have
    /// is `otherwise`, unless the user wrote what it is.
    pub fn add_input(
        &mut self,
        name: &str,
        column_type: Option<ColumnType>,
        otherwise: Option<Policy>,
    ) {
        let entry = entry(self.entries("inputs"), "name", name);
        if let Some(column_type) = column_type
            && !entry.contains_key("type")
        {
            entry.insert("type".to_owned(), type_name(column_type).into());
        }
        if let Some(otherwise) = otherwise {
            entry.insert("required".to_owned(), false.into());
            let written = entry.entry("on_null");
            written.or_insert_with(|| policy(otherwise));
        }
    }

    fn entries(&mut self, key: &str) -> &mut Vec<Value> {
        let list = self
            .table
            .entry(key)
            .or_insert_with(|| Value::Array(Vec::new()));
        if !list.is_array() {
            *list = Value::Array(Vec::new());
        }
        match list {
            Value::Array(list) => list,
            _ => unreachable!("it was made a list above"),
        }
    }

    /// The text of the file.
    ///
    /// # Errors
    /// Fails only for values that TOML has no form for.
    pub fn to_text(&self) -> Result<String> {
        // Plain values come before tables; otherwise the order is the user's.
        let is_section = |value: &Value| match value {
            Value::Table(_) => true,
            Value::Array(list) => list.iter().any(Value::is_table),
            _ => false,
        };
        let (sections, plain): (Vec<_>, Vec<_>) =
            self.table.iter().partition(|(_, value)| is_section(value));
        let ordered: Table = plain
            .into_iter()
            .chain(sections)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let text = toml::to_string(&ordered)
            .map_err(|error| Error::internal("a manifest without TOML").because(error))?;
        Ok(format!("{HEADER}\n{text}"))
    }
}

/// The entry of a list whose `key` is `name`; a new one if there is none.
fn entry<'a>(list: &'a mut Vec<Value>, key: &str, name: &str) -> &'a mut Table {
    let is_it = |value: &Value| value.get(key).and_then(Value::as_str) == Some(name);
    let index = list.iter().position(is_it).unwrap_or_else(|| {
        list.push(Value::Table(Table::from_iter([(
            key.to_owned(),
            Value::from(name),
        )])));
        list.len() - 1
    });
    match &mut list[index] {
        Value::Table(table) => table,
        _ => unreachable!("only tables have keys"),
    }
}

fn policy(policy: Policy) -> Value {
    match policy {
        Policy::Error => "error".into(),
        Policy::Reject => "reject".into(),
        Policy::Null => "null".into(),
        Policy::Default(value) => Table::from_iter([("default".to_owned(), value.into())]).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Manifest;

    #[test]
    fn a_new_manifest_lists_what_it_is_given() {
        let mut manifest = WrittenManifest::default();
        manifest.set("name", "churn");
        manifest.set_artefact(&Location::from("model.ubj"), None);
        manifest.add_input("age", Some(ColumnType::Int32), None);
        manifest.add_input("region", None, None);
        manifest.set("version", "7");
        manifest.set_artefact(&Location::from("model.ubj"), Some(&"a".repeat(64)));
        let text = manifest.to_text().unwrap();
        let digest = "a".repeat(64);
        assert_eq!(
            text,
            format!(
                "{HEADER}\nname = \"churn\"\nversion = \"7\"\n\n[[artefacts]]\n\
                 path = \"model.ubj\"\nsha256 = \"{digest}\"\n\n[[inputs]]\nname = \"age\"\n\
                 type = \"int32\"\n\n[[inputs]]\nname = \"region\"\n"
            )
        );
        Manifest::parse(text.as_bytes()).unwrap();
    }

    #[test]
    fn an_earlier_manifest_keeps_every_key() {
        let earlier = "name = \"churn\" # ours\n[outputs]\nthreshold = 0.3\n[[inputs]]\n\
                       name = \"age\"\ntype = \"int64\"\non_null = { default = 40.0 }\n\
                       [[derived]]\nname = \"x\"\nexpression = \"a / b\"\n";
        let mut manifest = WrittenManifest::parse(earlier.as_bytes()).unwrap();
        manifest.set_artefact(&Location::from("model.ubj"), None);
        manifest.add_input("age", Some(ColumnType::Int32), None);
        let text = manifest.to_text().unwrap();
        let parsed = Manifest::parse(text.as_bytes()).unwrap();
        let mut expected = Manifest::parse(earlier.as_bytes()).unwrap();
        expected.artefacts = parsed.artefacts.clone();
        assert_eq!(parsed, expected);
        let again = WrittenManifest::parse(text.as_bytes()).unwrap();
        assert_eq!(again.to_text().unwrap(), text, "written again");
    }
}
