//! Packing: from a model, as it is, to a package that can prove itself.
//!
//! Owns the order of the steps. Everything is written to a temporary directory, opened and checked
//! there as `tallow check` would, and only then given its name. The same inputs give the same
//! bytes: nothing of the machine or the time goes in.

mod copy;
mod facts;
mod features;
mod golden;
mod lost;
mod sample;
mod watched;

use std::io::Write;

use toml::Table;

use self::golden::{Golden, golden};
use crate::error::{Error, Result, shell_word};
use crate::format::ImportOptions;
use crate::interrupt::Interrupt;
use crate::monitor::estimate::reference::Reference;
use crate::monitor::profile::Profile;
use crate::monitor::profile_table::read_profile;
use crate::output::profile as profile_file;
use crate::package::card::{CARD_NAME, card};
use crate::package::open::{Identity, OpenedModel, golden_rows, open};
use crate::package::signature::SIGNATURE_NAME;
use crate::package::written::WrittenManifest;
use crate::package::{MANIFEST_NAME, Manifest};
use crate::plan::replay::replay;
use crate::plan::signed::{default_signature, sign_model_as};
use crate::registry::name::{check_name, nearest_name};
use crate::request::pack::Pack;
use crate::request::signature::Sign;
use crate::request::work::{Quality, Work};
use crate::run::profile::profile_as_read;
use crate::storage::{
    Location, PendingFile, StagedDirectory, canonical, files_below, find, metadata, read,
    read_unchanged,
};
use crate::table::origin::Origin;

/// The name of the baseline profile in a package.
const BASELINE: &str = "baseline.parquet";

/// The name of the reference performance in a package.
const REFERENCE: &str = "reference.json";

/// The most bytes of a model card.
const CARD_BYTES_LIMIT: u64 = 16 << 20;

/// The most bytes of a manifest.
const MANIFEST_BYTES_LIMIT: u64 = 64 << 20;

/// A package that was made.
#[derive(Debug)]
pub struct Packed {
    /// The model's name.
    pub name: String,
    /// Its version, if it has one.
    pub version: Option<String>,
    /// The package's digest, as reports of its scores record it: `sha256:…`.
    pub digest: String,
    /// The number of files.
    pub file_count: usize,
    /// The golden rows, if there are any.
    pub golden: Option<Golden>,
    /// The rows of the baseline, if there is one.
    pub baseline_rows: Option<u64>,
    /// The labelled rows behind the reference performance, if there is one.
    pub reference_rows: Option<u64>,
    /// Whether it is signed.
    pub is_signed: bool,
    /// What earlier packages had and this one has not: a signature, gates, rules.
    pub warnings: Vec<Error>,
}

/// Makes a package.
///
/// # Errors
/// Fails if the model cannot be opened, if the data does not fit it, if the original's answers
/// differ from this machine's, or if the output exists and may not be replaced.
pub fn pack(request: &Pack, interrupt: &Interrupt) -> Result<Packed> {
    refuse_other(request)?;
    let dropped = dropped_signature(request)?;
    let earlier = lost::earlier(request)?;
    let opened = read_unchanged(|| open(&request.model, &ImportOptions::default()))?;
    let staged = StagedDirectory::create(&request.output, request.overwrite)?;
    let packed = in_directory(request, &opened, staged.path(), interrupt).map_err(|error| {
        // Users know the directory by its final name.
        error.map_path(|path| {
            let below = Location::from(path).strip_prefix(staged.path())?;
            Some(request.output.join(below).as_os_str().to_owned())
        })
    })?;
    let mut warnings = lost::lost(earlier, staged.path())?;
    staged.publish(request.overwrite)?;
    warnings.extend(dropped.map(|signature| unsigned(request, &signature)));
    Ok(Packed { warnings, ..packed })
}

/// The signature of the model, or of the package that is replaced, if the new one has none.
fn dropped_signature(request: &Pack) -> Result<Option<Location>> {
    if request.sign_key.is_some() {
        return Ok(None);
    }
    let replaced = request.output.join(SIGNATURE_NAME);
    for signature in [default_signature(&request.model)?, replaced] {
        if find(&signature)?.is_some() {
            return Ok(Some(signature));
        }
    }
    Ok(None)
}

fn unsigned(request: &Pack, signature: &Location) -> Error {
    let package = shell_word(&request.output.to_string_lossy());
    Error::trust("the package is not signed, and what it was made of was")
        .at_path(signature)
        .hint(format!(
            "tallow sign {package} --key KEY.pem, or pack with `--sign-key KEY.pem`"
        ))
}

/// Makes the package in a temporary directory.
fn in_directory(
    request: &Pack,
    opened: &OpenedModel,
    directory: &Location,
    interrupt: &Interrupt,
) -> Result<Packed> {
    let mut packing = Packing {
        request,
        directory,
        manifest: WrittenManifest::default(),
    };
    packing.copy(opened)?;
    packing.name(opened);
    packing.learn(opened)?;
    packing.rules()?;
    packing.gates(opened)?;
    packing.reference()?;
    packing.write_manifest()?;
    let golden = packing.golden(interrupt)?;
    let baseline = packing.baseline(interrupt)?;
    packing.digests()?;
    packing.write_manifest()?;
    let reference = packing.card(&opened.identity(), golden.as_ref(), baseline.as_ref())?;
    packing.sign()?;
    let opened = packing.check()?;
    let file_count = files_below(directory, "")?.len();
    Ok(Packed {
        digest: format!("sha256:{}", opened.digest),
        name: opened.name,
        version: opened.version,
        file_count,
        golden,
        baseline_rows: baseline.map(|profile| facts::row_count(&profile)),
        reference_rows: reference.map(|reference| reference.rows),
        is_signed: request.sign_key.is_some(),
        warnings: Vec::new(),
    })
}

/// Refuses to replace what is not a package.
fn refuse_other(request: &Pack) -> Result<()> {
    let output = &request.output;
    if request.golden.is_empty() && request.original.is_some() {
        return Err(Error::usage("`--original` needs `--golden`"));
    }
    if metadata(&request.model)?.is_directory {
        let parent = canonical(output.directory())?;
        if parent.starts_with(canonical(&request.model)?) {
            return Err(
                Error::usage("the package would be inside the model's own directory")
                    .at_path(output)
                    .hint("name a directory outside of it"),
            );
        }
    }
    if find(output)?.is_some() && request.overwrite && find(output.join(MANIFEST_NAME))?.is_none() {
        return Err(Error::usage("the output exists and is not a package")
            .at_path(output)
            .hint("name another directory"));
    }
    if request.overwrite && find(output)?.is_some() {
        copy::refuse_foreign(request)?;
    }
    Ok(())
}

/// A package in the making.
struct Packing<'a> {
    request: &'a Pack,
    /// The temporary directory.
    directory: &'a Location,
    manifest: WrittenManifest,
}

impl Packing<'_> {
    fn name(&mut self, opened: &OpenedModel) {
        if let Some(name) = &self.request.name {
            self.manifest.set("name", name);
        }
        let version = self
            .request
            .model_version
            .as_ref()
            .or(opened.version.as_ref());
        if let Some(version) = version {
            self.manifest.set("version", version);
        }
    }

    fn write_manifest(&self) -> Result<()> {
        self.write(MANIFEST_NAME, self.manifest.to_text()?.as_bytes())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut file = PendingFile::create(self.directory.join(name), true)?;
        file.write_all(bytes).map_err(|error| {
            Error::failed("cannot write the file")
                .because(error)
                .at_path(self.request.output.join(name))
        })?;
        file.publish(true)
    }

    /// The work of scoring `inputs` with the package.
    fn work(&self, inputs: &[Location]) -> Work {
        Work {
            model: self.directory.to_owned(),
            inputs: inputs.to_vec(),
            quality: Quality {
                is_off: true,
                ..Quality::default()
            },
            ..Work::default()
        }
    }

    fn golden(&mut self, interrupt: &Interrupt) -> Result<Option<Golden>> {
        if self.request.golden.is_empty() {
            return Ok(None);
        }
        let work = self.work(&self.request.golden);
        let golden = golden(&work, self.request, self.directory, interrupt)?;
        self.manifest.set_section(
            "golden",
            Table::from_iter([
                ("rows".to_owned(), golden.rows_name.into()),
                ("expected".to_owned(), golden::EXPECTED.into()),
                ("tolerance".to_owned(), golden::TOLERANCE.into()),
            ]),
        );
        Ok(Some(golden))
    }

    /// Profiles the training data as the model reads it, and the scores that it gives.
    fn baseline(&mut self, interrupt: &Interrupt) -> Result<Option<Profile>> {
        if self.request.data.is_empty() {
            return Ok(None);
        }
        let mut work = self.work(&self.request.data);
        work.outcome.passthrough = Some(vec!["none".into()]);
        let (profile, model) = profile_as_read(&work, interrupt)?;
        // The package has no digest before it is whole; that of the model's file stays.
        let origin = Origin {
            digest: model.file_digest.clone(),
            ..model.origin()
        };
        let path = self.directory.join(BASELINE);
        profile_file::create(&path, true, &profile, Some(&origin))?;
        let entries = Table::from_iter([("profile".to_owned(), BASELINE.into())]);
        self.manifest.set_section("baseline", entries);
        Ok(Some(profile))
    }

    /// Lists the digests of the model's files.
    fn digests(&mut self) -> Result<()> {
        for artefact in open(self.directory, &ImportOptions::default())?.artefacts {
            self.manifest
                .set_artefact(&artefact.path, Some(&artefact.sha256));
        }
        Ok(())
    }

    /// Writes the card, and returns the package's reference performance, which it shows.
    fn card(
        &self,
        packed: &Identity,
        golden: Option<&Golden>,
        baseline: Option<&Profile>,
    ) -> Result<Option<Reference>> {
        let opened = open(self.directory, &ImportOptions::default())?;
        let reference = self.checked_reference(packed, &opened)?;
        // What a package that is packed again keeps is told of again.
        let kept = match (golden, golden_rows(self.directory)?) {
            (None, Some(rows)) => Golden::kept(&rows)?,
            _ => None,
        };
        let kept_baseline = match (baseline, &opened.monitoring.baseline) {
            (None, Some(path)) => Some(read_profile(path)?),
            _ => None,
        };
        let golden = golden.or(kept.as_ref());
        let baseline = baseline.or(kept_baseline.as_ref());
        let facts = facts::of(&opened, golden, baseline, reference.as_ref());
        let text = card(&facts, self.earlier_card()?.as_deref());
        self.write(CARD_NAME, text.as_bytes())?;
        Ok(reference)
    }

    /// The card whose text is kept: the one that was named, that of the package which is replaced,
    /// or the model's own.
    fn earlier_card(&self) -> Result<Option<String>> {
        let Pack {
            card,
            output,
            model,
            ..
        } = self.request;
        let named = card.iter().cloned();
        let mut others = vec![output.join(CARD_NAME)];
        if metadata(model)?.is_directory {
            others.push(model.join(CARD_NAME));
        }
        let candidates = named.chain(others);
        for (index, path) in candidates.enumerate() {
            let is_named = index == 0 && card.is_some();
            if !is_named && find(&path)?.is_none_or(|found| found.is_directory) {
                continue;
            }
            let bytes = read(&path, CARD_BYTES_LIMIT)?;
            let text = String::from_utf8(bytes).map_err(|error| {
                Error::failed("the model card is not UTF-8")
                    .because(error)
                    .at_path(&path)
            })?;
            return Ok(Some(text));
        }
        Ok(None)
    }

    fn sign(&self) -> Result<()> {
        let Some(key) = &self.request.sign_key else {
            return Ok(());
        };
        let sign = Sign {
            model: self.directory.to_owned(),
            key: key.clone(),
            certificates: self.request.certificates.clone(),
            signature: None,
            overwrite: true,
        };
        let name = self.request.output.names().last();
        let name = name.map(|name| name.to_string_lossy().into_owned());
        sign_model_as(&sign, name.as_deref()).map(|_| ())
    }

    /// Opens the finished package and scores its golden rows again.
    fn check(&self) -> Result<OpenedModel> {
        let manifest = read(self.directory.join(MANIFEST_NAME), MANIFEST_BYTES_LIMIT)?;
        if let Some(baseline) = Manifest::parse(&manifest)?.baseline
            && find(self.directory.join(&baseline.profile))?.is_none()
        {
            return Err(missing("baseline profile", "--data")
                .at_path(self.request.model.join(baseline.profile)));
        }
        replay(&self.work(&[]))?;
        open(self.directory, &ImportOptions::default())
    }
}

/// The error of a file that the manifest names and the model's directory does not have.
fn missing(what: &str, flag: &str) -> Error {
    Error::contract(format!("the {what} of the manifest is missing"))
        .hint(format!("make it again with `{flag}`"))
}

/// A command for the user to type next; with another name where registries do not take the model's.
#[must_use]
pub fn next_command(request: &Pack, packed: &Packed) -> String {
    let package = shell_word(&request.output.to_string_lossy());
    let name = if check_name(&packed.name, "model").is_ok() {
        String::new()
    } else {
        format!(" --name {}", nearest_name(&packed.name))
    };
    format!("tallow registry push {package}{name}")
}
