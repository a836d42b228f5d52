//! From the arguments of `tallow registry` to a [`RegistryRequest`].
//!
//! Owns the correspondence, field by field. It must not know what a field means.

use super::registry_args::{RegistryArgs, RegistryVerb};
use super::user::actor;
use crate::error::{Error, Result};
use crate::plan::options::seconds;
use crate::request::registry::{RegistryCommand, RegistryRequest};
use crate::storage::Location;

impl TryFrom<RegistryArgs> for RegistryRequest {
    type Error = Error;

    fn try_from(args: RegistryArgs) -> Result<Self> {
        let registry = args.registry.ok_or_else(|| {
            Error::usage("no registry was given").hint("`--registry DIR`, or `TALLOW_REGISTRY`")
        })?;
        Ok(Self {
            registry: registry.into(),
            actor: args.actor.unwrap_or_else(actor),
            command: args.verb.try_into()?,
        })
    }
}

impl TryFrom<RegistryVerb> for RegistryCommand {
    type Error = Error;

    fn try_from(verb: RegistryVerb) -> Result<Self> {
        Ok(match verb {
            RegistryVerb::Push {
                package,
                name,
                reason,
            } => Self::Push {
                package: package.into(),
                name,
                reason,
            },
            RegistryVerb::List => Self::List,
            RegistryVerb::Show { model } => Self::Show { model },
            RegistryVerb::Promote {
                target,
                alias,
                evaluation,
                comparison,
                gates,
                skip_gates,
                accept_unnamed,
                expect,
                reason,
            } => Self::Promote {
                version: target,
                alias,
                evaluation: evaluation.map(Location::from),
                comparison: comparison.map(Location::from),
                gates,
                skip_gates,
                accept_unnamed,
                expect,
                reason,
            },
            RegistryVerb::Rollback {
                alias,
                expect,
                reason,
            } => Self::Rollback {
                alias,
                expect,
                reason,
            },
            RegistryVerb::Log { model } => Self::Log { model },
            RegistryVerb::Verify { model, heads } => Self::Verify { model, heads },
            RegistryVerb::Gc {
                older_than,
                dry_run,
            } => {
                let older_than_seconds = seconds("--older-than", &older_than)? as u64;
                Self::Gc {
                    older_than_seconds,
                    dry_run,
                }
            }
        })
    }
}
