//! `MLflow` model directories: which of the files holds the model, and what the signature says of
//! its columns.
//!
//! Owns the reading of `MLmodel` and what the model is called. The file itself goes to its
//! importer. Source: <https://mlflow.org/docs/latest/ml/model/>.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::wire::yaml::Yaml;
use super::{
    Artefact, ImportOptions, Imported, Importer, ModelFiles, SavedFrom, import, with_parts,
};
use crate::contract::{ColumnType, Contract, Policy};
use crate::digest::hexadecimal;
use crate::error::{Error, Result};
use crate::model::Description;
use crate::storage::Location;

/// The file's name in a model's directory.
pub const MLMODEL: &str = "MLmodel";

/// Written alongside `MLmodel` when a registered model is downloaded.
const REGISTERED: &str = "registered_model_meta";

/// The description of a logged model in a file store, in the directory above its `artifacts`.
const LOGGED: &str = "meta.yaml";

/// The directory that holds every logged model's files since `MLflow` 3, whatever the model is
/// called.
const ARTIFACTS: &str = "artifacts";

/// The flavours that are read, the most faithful first.
const FLAVOURS: [&str; 6] = [
    "onnx", "xgboost", "lightgbm", "catboost", "sklearn", "pytorch",
];

/// The program in the folder of a model of PyTorch, as `torch.export` writes it.
const EXPORTED: &str = "model.pt2";

/// Directories that `MLflow` writes.
#[derive(Debug)]
pub(super) struct MlflowModel;

impl Importer for MlflowModel {
    fn name(&self) -> &'static str {
        "mlflow"
    }

    fn is_of_directories(&self) -> bool {
        true
    }

    fn recognises(&self, files: &dyn ModelFiles) -> Result<bool> {
        files.has(&Location::from(MLMODEL))
    }

    fn may_begin(&self, _head: &Artefact) -> bool {
        false
    }

    /// The file that `MLmodel` names, under its signature.
    fn import(&self, files: &dyn ModelFiles, options: &ImportOptions) -> Result<Imported> {
        let path = files.path().join(MLMODEL);
        let at_manifest = |error: Error| error.at_path(&path);
        let manifest = files
            .read(&Location::from(MLMODEL))?
            .ok_or_else(|| at_manifest(Error::failed("the file is gone")))?;
        let mlflow = Mlflow::parse(&manifest).map_err(at_manifest)?;
        if mlflow.flavour == "pytorch" && !files.has(&mlflow.data)? {
            let message = "the MLflow model holds a pickled PyTorch module: its layers are code";
            let hint = "log the program that `torch.export` makes, `mlflow.pytorch.log_model(…, \
                        input_example=…)` of MLflow 3.15 or later, or log it with `mlflow.onnx`";
            return Err(at_manifest(Error::contract(message).hint(hint)));
        }
        let artefact = files.artefact(&mlflow.data).map_err(at_manifest)?;
        let options = ImportOptions {
            feature_count: options.feature_count.or(mlflow.column_count()),
            saved_from: mlflow.saved_from(),
            ..options.clone()
        };
        let mut loaded = import(&artefact, &options)?;
        mlflow.apply(&mut loaded.contract).map_err(at_manifest)?;
        mlflow.describe(&mut loaded.description);
        let digest = Sha256::new()
            .chain_update(&manifest)
            .chain_update(Sha256::digest(&artefact.bytes));
        let digest = with_parts(digest, &loaded.description);
        let Named { name, version } = mlflow.named(files)?;
        Ok(Imported {
            loaded,
            digest: Some(hexadecimal(&digest.finalize())),
            name,
            version,
        })
    }
}

/// What `MLmodel` says.
#[derive(Debug)]
struct Mlflow {
    /// The model's file, from the directory.
    data: Location,
    flavour: &'static str,
    version: Option<String>,
    uuid: Option<String>,
    /// What the file was saved from, such as `xgboost.sklearn.XGBClassifier`; none before `MLflow`
    /// 1.29.
    class: Option<String>,
    /// Where the model was logged: a name, or since `MLflow` 3 an address without one.
    artifact_path: Option<String>,
    /// The logged model, since `MLflow` 3.
    model_id: Option<String>,
    run_id: Option<String>,
    columns: Vec<Column>,
}

/// A model's name in a registry, or among a run's logged models, and its version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Named {
    /// Its name.
    name: Option<String>,
    /// Its version.
    version: Option<String>,
}

impl Named {
    /// Reads [`REGISTERED`] (`model_name`, `model_version`) or [`LOGGED`] (`name`). What cannot be
    /// read names nothing.
    fn parse(bytes: &[u8]) -> Self {
        let yaml = Yaml::parse(bytes).unwrap_or(Yaml::Null);
        let text = |key: &str| {
            yaml.get(key)
                .and_then(Yaml::text)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        Self {
            name: text("model_name").or_else(|| text("name")),
            version: text("model_version"),
        }
    }
}

/// A column of the signature.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Column {
    name: String,
    r#type: String,
    #[serde(default = "required")]
    required: bool,
}

const fn required() -> bool {
    true
}

impl Mlflow {
    /// Reads `MLmodel`.
    ///
    /// # Errors
    /// A contract error for a file of another form, or without a flavour that is read; a trust
    /// error where the model is a Python object.
    fn parse(bytes: &[u8]) -> Result<Self> {
        let yaml = Yaml::parse(bytes)?;
        let Some(Yaml::Map(flavours)) = yaml.get("flavors") else {
            return Err(Error::contract(
                "the file lists no `flavors`, so it is not an MLflow model",
            ));
        };
        let find = |name: &&'static str| {
            Some((*name, &flavours.iter().find(|(known, _)| known == name)?.1))
        };
        let Some((flavour, options)) = FLAVOURS.iter().find_map(find) else {
            return Err(none_read(flavours));
        };
        let data = options.get("data").or_else(|| options.get("pickled_model"));
        let data = data.and_then(Yaml::text).map(Location::from);
        let folder = options.get("model_data").and_then(Yaml::text);
        let data = data.or_else(|| folder.map(|folder| Location::from(folder).join(EXPORTED)));
        let data = data.ok_or_else(|| {
            Error::contract(format!(
                "the flavour `{flavour}` does not name its `data` directory"
            ))
        })?;
        let text = |key: &str| yaml.get(key).and_then(Yaml::text).map(str::to_owned);
        let signature = yaml
            .get("signature")
            .and_then(|signature| signature.get("inputs"))
            .and_then(Yaml::text);
        let columns = signature.map(columns).transpose()?.unwrap_or_default();
        let class = options
            .get("model_class")
            .and_then(Yaml::text)
            .map(str::to_owned);
        Ok(Self {
            data,
            flavour,
            version: text("mlflow_version"),
            uuid: text("model_uuid"),
            class,
            artifact_path: text("artifact_path"),
            model_id: text("model_id"),
            run_id: text("run_id"),
            columns,
        })
    }

    /// What `MLflow` loads the file as; before it wrote the class, always a booster.
    fn saved_from(&self) -> SavedFrom {
        match self.class.as_deref() {
            Some(class) if class.contains(".sklearn.") => SavedFrom::Estimator,
            _ => SavedFrom::Booster,
        }
    }

    /// What `MLmodel` itself calls the model, for a directory that has no name of its own: where it
    /// was logged (a name before `MLflow` 3), else the logged model, else the run.
    fn name(&self) -> Option<String> {
        let path = self
            .artifact_path
            .as_deref()
            .filter(|path| !path.contains("://") && !path.starts_with('/'));
        let last = path.and_then(|path| path.trim_end_matches('/').rsplit('/').next());
        let name = last.filter(|name| !name.is_empty() && *name != ARTIFACTS);
        let ids = [
            name.map(str::to_owned),
            self.model_id.clone(),
            self.run_id.clone(),
        ];
        ids.into_iter().flatten().next()
    }

    /// What the model is called: as it is registered, as it was logged, or else by its directory
    /// (no name) unless all are called so.
    fn named(&self, files: &dyn ModelFiles) -> Result<Named> {
        let registered = files.read(&Location::from(REGISTERED))?;
        let registered = registered.map_or_else(Named::default, |bytes| Named::parse(&bytes));
        let (directory, logged) = files.surroundings(&Location::from(LOGGED))?;
        if registered.name.is_some() || directory.is_none_or(|name| name != ARTIFACTS) {
            return Ok(registered);
        }
        let logged = logged.map_or_else(Named::default, |bytes| Named::parse(&bytes));
        Ok(Named {
            name: logged.name.or_else(|| self.name()),
            version: None,
        })
    }

    /// Says of a model's inputs what the signature says: names where the model has none, types, and
    /// which columns may be missing.
    ///
    /// # Errors
    /// A contract error for a model without names whose signature has another number of columns.
    fn apply(&self, contract: &mut Contract) -> Result<()> {
        if !contract.named && !self.columns.is_empty() {
            if self.columns.len() != contract.inputs.len() {
                let (columns, inputs) = (self.columns.len(), contract.inputs.len());
                return Err(Error::contract(format!(
                    "the signature has {columns} columns for a model of {inputs} inputs without \
                     names"
                )));
            }
            contract
                .inputs
                .iter_mut()
                .zip(&self.columns)
                .for_each(|(input, column)| input.name.clone_from(&column.name));
            contract.named = true;
        }
        for input in &mut contract.inputs {
            if let Some(column) = self.columns.iter().find(|column| column.name == input.name) {
                input.column_type = column_type(&column.r#type).or(input.column_type);
                // A column that may be missing needs something that the model reads instead.
                input.required = column.required || input.on_null == Policy::Error;
            }
        }
        Ok(())
    }

    /// The number of columns of the signature, if it names any.
    fn column_count(&self) -> Option<usize> {
        Some(self.columns.len()).filter(|count| *count > 0)
    }

    /// Adds to a model's description what the directory says.
    fn describe(&self, description: &mut Description) {
        let version = self
            .version
            .as_ref()
            .map_or_else(String::new, |version| format!(" of MLflow {version}"));
        description.facts.push((
            "mlflow_flavour".into(),
            format!("{}{version}", self.flavour),
        ));
        description.facts.extend(
            self.class
                .clone()
                .map(|class| ("mlflow_model_class".into(), class)),
        );
        description.facts.extend(
            self.uuid
                .clone()
                .map(|uuid| ("mlflow_model_uuid".into(), uuid)),
        );
        description
            .facts
            .extend(self.run_id.clone().map(|run| ("mlflow_run".into(), run)));
    }
}

fn none_read(flavours: &[(String, Yaml)]) -> Error {
    let names: Vec<String> = flavours
        .iter()
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    let is_object = |(_, options): &(String, Yaml)| options.get("python_model").is_some();
    let hint = "log the model in one of these as well: `mlflow.onnx.log_model(onnx_model, \
                name=\"model\")`, `mlflow.xgboost`, `mlflow.lightgbm` or `mlflow.catboost`; \
                `examples/export_sklearn.py` shows how a pipeline becomes ONNX";
    if let Some((_, options)) = flavours.iter().find(|flavour| is_object(flavour)) {
        let model = options.get("python_model").and_then(Yaml::text);
        let message = format!(
            "refusing an MLflow model of the flavours {}: its Python model `{}` is code",
            names.join(", "),
            model.unwrap_or("python_model")
        );
        return Error::trust(message).hint(hint);
    }
    let loader = |(_, options): &(String, Yaml)| {
        let module = options.get("loader_module").and_then(Yaml::text)?;
        // Those of MLflow load what another flavour describes.
        (!module.starts_with("mlflow.")).then(|| module.to_owned())
    };
    if let Some(module) = flavours.iter().find_map(loader) {
        let message = format!(
            "refusing an MLflow model of the flavours {}: its loader `{module}` is code",
            names.join(", "),
        );
        return Error::trust(message).hint(hint);
    }
    Error::contract(format!(
        "the MLflow model has the flavours {}, and tallow reads {}",
        names.join(", "),
        FLAVOURS.join(", ")
    ))
    .hint(hint)
}

/// The columns of a signature, which is JSON inside the YAML; signatures of tensors name none.
fn columns(text: &str) -> Result<Vec<Column>> {
    let broken =
        |error| Error::contract("the signature's inputs are not a list of columns").because(error);
    let all: Vec<serde_json::Value> = serde_json::from_str(text).map_err(broken)?;
    if all
        .iter()
        .any(|column| column.get("type").is_some_and(|kind| kind == "tensor"))
    {
        return Ok(Vec::new());
    }
    all.into_iter()
        .filter(|column| column.get("name").is_some())
        .map(|column| serde_json::from_value(column).map_err(broken))
        .collect()
}

fn column_type(name: &str) -> Option<ColumnType> {
    Some(match name {
        "boolean" => ColumnType::Boolean,
        "integer" => ColumnType::Int32,
        "long" => ColumnType::Int64,
        "float" => ColumnType::Float,
        "double" => ColumnType::Double,
        "string" => ColumnType::String,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Input;
    use crate::error::Kind;

    const WRITTEN: &str = "artifact_path: model\nflavors:\n  \
        python_function:\n    data: model.ubj\n    \
        env:\n      \
         conda: conda.yaml\n      virtualenv: python_env.yaml\n    loader_module: \
         mlflow.xgboost\n  xgboost:\n    code: null\n    data: model.ubj\n    model_class: \
         xgboost.core.Booster\n    model_format: ubj\n    xgb_version: 3.2.0\nmlflow_version: \
         3.1.4\nmodel_uuid: 0f0e\nsignature:\n  inputs: '[{\"type\": \"double\", \"name\": \
         \"age\", \"required\": true}, {\"type\": \"long\",\n    \"name\": \"visits\", \
         \"required\": false}]'\n  outputs: '[{\"type\": \"float\", \"required\": true}]'\n  \
         params: null\nutc_time_created: '2026-11-01 10:00:00.000000'\n";

    #[test]
    fn the_signature_becomes_the_contract() {
        let mlflow = Mlflow::parse(WRITTEN.as_bytes()).unwrap();
        assert_eq!(
            (
                mlflow.data.to_str(),
                mlflow.flavour,
                mlflow.version.as_deref()
            ),
            (Some("model.ubj"), "xgboost", Some("3.1.4"))
        );
        let mut contract = Contract {
            inputs: vec![Input::number("f0"), Input::number("f1")],
            named: false,
            ..Contract::default()
        };
        mlflow.apply(&mut contract).unwrap();
        assert!(contract.named);
        let said: Vec<_> = contract
            .inputs
            .iter()
            .map(|input| (input.name.as_str(), input.column_type, input.required))
            .collect();
        assert_eq!(
            said,
            [
                ("age", Some(ColumnType::Double), true),
                ("visits", Some(ColumnType::Int64), false)
            ]
        );
        let mut other = Contract {
            inputs: vec![Input::number("f0")],
            named: false,
            ..Contract::default()
        };
        assert_eq!(mlflow.apply(&mut other).unwrap_err().kind(), Kind::Contract);
    }

    #[test]
    fn python_objects_and_other_flavours_are_refused() {
        let pickled = Mlflow::parse(
            b"flavors:\n  sklearn:\n    pickled_model: model.pkl\n  \
                python_function:\n    loader_module: mlflow.sklearn\n",
        );
        assert_eq!(pickled.unwrap().data, Location::from("model.pkl"));
        let program = Mlflow::parse(b"flavors:\n  pytorch:\n    model_data: data\n").unwrap();
        assert_eq!(program.data, Location::from("data/model.pt2"));
        let code = b"flavors:\n  python_function:\n    python_model: python_model.pkl\n";
        assert_eq!(Mlflow::parse(code).unwrap_err().kind(), Kind::Trust);
        let loader = b"flavors:\n  python_function:\n    loader_module: own.loader\n";
        let error = Mlflow::parse(loader).unwrap_err();
        assert_eq!(error.kind(), Kind::Trust);
        assert!(
            error
                .to_string()
                .contains("its loader `own.loader` is code")
        );
        assert_eq!(
            Mlflow::parse(b"flavors:\n  spark:\n    model_data: sparkml\n")
                .unwrap_err()
                .kind(),
            Kind::Contract
        );
        assert_eq!(Mlflow::parse(b"a: b\n").unwrap_err().kind(), Kind::Contract);
    }
}
