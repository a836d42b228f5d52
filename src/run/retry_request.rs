//! The request of a retry: the options of the run that made the data set, seen from here.
//!
//! Owns which options are kept, and where paths in them begin. It must not run anything.

use std::ffi::OsString;

use serde_json::Value as Json;

use super::retry::Retry;
use crate::error::{Error, Result};
use crate::output::manifest::Manifest;
use crate::report::previous::PreviousRun;
use crate::request::challenger::{Challengers, split_name};
use crate::request::keys::Keys;
use crate::request::monitoring::Monitoring;
use crate::request::output::{Limits, Output};
use crate::request::signature::TrustRequest;
use crate::request::work::{Quality, Work};
use crate::request::{Request, VERSION};
use crate::storage::{Location, find};
use crate::table::location::anchored_at;

/// What was asked of the run that made the data set, with this run's resources. Paths that begin at
/// the directory that it was made in begin at `base`, which is that directory as it is seen from
/// here.
pub(super) fn request(retry: &Retry, manifest: &Manifest, base: &Location) -> Result<Request> {
    let made = Request::from_json(manifest.request.clone()).map_err(|error| {
        Error::failed("cannot read the options in the manifest")
            .at_path(&retry.directory)
            .because(error)
    })?;
    let inputs = made.work.inputs.iter();
    let inputs: Vec<Location> = inputs
        .map(|input| anchored_at(base, input))
        .collect::<Result<_>>()?;
    let mut paths = made.work.inputs.iter().chain([&made.work.model]);
    let needs_base = !base.is_empty() && paths.any(Location::is_relative);
    if needs_base && find(base)?.is_none_or(|found| !found.is_directory) {
        let error =
            Error::failed("the directory where the data set was made is gone").at_path(base);
        return Err(error.hint("the inputs are needed again: their paths begin there"));
    }
    let report = made
        .output
        .report
        .map(|report| anchored(base, report, "none"));
    let is_kept =
        |report: &Location| report.as_os_str() == "none" || is_report_of(report, manifest);
    Ok(Request {
        version: VERSION,
        work: Work {
            model: base.join(&made.work.model),
            registry: made
                .work
                .registry
                .as_ref()
                .map(|registry| base.join(registry)),
            trust: anchored_trust(base, &made.work.trust),
            inputs,
            quality: Quality {
                reference: made
                    .work
                    .quality
                    .reference
                    .map(|path| anchored(base, path, "none")),
                ..made.work.quality
            },
            challengers: split_of(&made.work.challengers, base),
            resources: retry.resources.clone(),
            ..made.work
        },
        output: Output {
            output: retry.directory.join(""),
            overwrite: true,
            restart: false,
            rows_per_part: Some(manifest.rows_per_part),
            bytes_per_part: None,
            report: report.filter(is_kept),
            sign_key: made.output.sign_key.map(|key| base.join(key)),
            sign_certificate: made
                .output
                .sign_certificate
                .iter()
                .map(|certificate| base.join(certificate))
                .collect(),
            ..made.output
        },
        keys: kept_keys(&retry.keys, &made.keys, base),
        limits: Limits {
            skip_code: retry.skip_code,
            ..Limits::default()
        },
        monitoring: anchored_monitoring(base, made.monitoring),
        telemetry: retry.telemetry.clone(),
    })
}

/// The keys of the run, where those that are named now do not replace them.
fn kept_keys(named: &Keys, made: &Keys, base: &Location) -> Keys {
    let made = made.anchored(base);
    let either = |named: &[Location], made: Vec<Location>| {
        if named.is_empty() {
            made
        } else {
            named.to_vec()
        }
    };
    Keys {
        decryption_key: either(&named.decryption_key, made.decryption_key),
        encryption_key: either(&named.encryption_key, made.encryption_key),
        hash_key: named.hash_key.clone().or(made.hash_key),
        ..made
    }
}

/// Takes the keys of the output from a run that writes nothing. What it hashes is left out.
pub(super) fn without_output_keys(request: &mut Request) {
    let decryption_key = std::mem::take(&mut request.keys.decryption_key);
    request.keys = Keys {
        decryption_key,
        ..Keys::default()
    };
    let outcome = &mut request.work.outcome;
    outcome.drop_columns.append(&mut outcome.hash_columns);
}

/// Whether challengers scored the rows too.
pub(super) fn has_challengers(manifest: &Manifest) -> bool {
    let is_there = |name: &str| {
        let named = manifest.request.get(name).and_then(Json::as_array);
        named.is_some_and(|named| !named.is_empty())
    };
    is_there("challenger") && !is_there("split")
}

/// The models that answer a share of the rows, with paths that begin at `base`; challengers that
/// only score them as well are left out.
fn split_of(made: &Challengers, base: &Location) -> Challengers {
    if made.split.is_empty() {
        return Challengers::default();
    }
    let anchored = |text: &Location| {
        let (name, model) = split_name(text);
        let model = base.join(model);
        name.map_or(model.clone(), |name| {
            let mut named = OsString::from(format!("{name}="));
            named.push(model.as_os_str());
            Location::from(&named)
        })
    };
    let is_resolved = |index: usize| {
        let resolved = made.resolved_challengers.get(index);
        resolved.is_some_and(Option::is_some)
    };
    let named = made.challenger.iter().enumerate();
    let named = named.map(|(index, text)| {
        if is_resolved(index) {
            text.clone()
        } else {
            anchored(text)
        }
    });
    Challengers {
        challenger: named.collect(),
        ..made.clone()
    }
}

/// What is watched, with paths that begin at `base`.
fn anchored_monitoring(base: &Location, made: Monitoring) -> Monitoring {
    Monitoring {
        history: made.history.map(|path| base.join(path)),
        profile: made.profile.map(|path| anchored(base, path, "auto")),
        baseline: made.baseline.map(|path| anchored(base, path, "none")),
        ..made
    }
}

/// A path that begins at `base`, if it is not the word that stands for one.
fn anchored(base: &Location, path: Location, word: &str) -> Location {
    if path.as_os_str() == word {
        path
    } else {
        base.join(path)
    }
}

/// Whom to trust, with paths that begin at `base`.
fn anchored_trust(base: &Location, trust: &TrustRequest) -> TrustRequest {
    TrustRequest {
        keys: trust.keys.iter().map(|key| base.join(key)).collect(),
        ..trust.clone()
    }
}

/// Whether a file is the report that the manifest's own run wrote. Anyone who made the manifest may
/// have named any file in it: one that is something else is not replaced, and the report goes into
/// the data set.
fn is_report_of(report: &Location, manifest: &Manifest) -> bool {
    PreviousRun::read(report).is_ok_and(|previous| previous.run_id == manifest.run_id)
}
