//! The tensors of a safetensors file, taken by name and shape.
//!
//! Owns every check of the file: that a tensor is there, has the shape and a type that the layer
//! wants, holds finite numbers, and is read. Nothing is allocated from a count in the file before
//! the count was checked against the bytes that are there.

use std::collections::BTreeSet;

use candle_core::safetensors::SliceSafetensors;
use candle_core::{DType, Device};

use crate::count::listed;
use crate::error::{Error, Result};

/// Counters of training, which PyTorch keeps alongside the weights and no evaluation reads.
const TRAINING_ONLY: &str = "num_batches_tracked";

/// A tensor in single precision, row-major.
#[derive(Debug)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

/// An extent of a tensor that a layer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Any,
    Exactly(usize),
}

/// A safetensors file and which of its tensors were read.
pub(super) struct Weights<'a> {
    file: SliceSafetensors<'a>,
    taken: BTreeSet<String>,
    /// The numbers of all tensors read so far.
    pub(super) parameter_count: usize,
}

impl<'a> Weights<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self> {
        let file = SliceSafetensors::new(bytes).map_err(|error| {
            let hint = "the file is cut short or no safetensors file: copy it again, or save it \
                        again with `safetensors.torch.save_file`";
            Error::failed("cannot read the weights")
                .because(error)
                .hint(hint)
        })?;
        Ok(Self {
            file,
            taken: BTreeSet::new(),
            parameter_count: 0,
        })
    }

    /// The tensor of this name in single precision; each tensor is given out once.
    pub(super) fn take(&mut self, name: &str, expected: &[Extent]) -> Result<Array> {
        let shape = self.check(name, expected)?;
        if !self.taken.insert(name.to_owned()) {
            return Err(
                Error::contract(format!("two layers read the tensor `{name}`"))
                    .hint("give each layer its own `weights`"),
            );
        }
        let loaded = self
            .file
            .load(name, &Device::Cpu)
            .and_then(|tensor| tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>());
        let values = loaded.map_err(|error| {
            Error::failed(format!("cannot read the tensor `{name}`")).because(error)
        })?;
        self.parameter_count += values.len();
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(Error::failed(format!(
                "the tensor `{name}` holds `{}` at position {at}",
                values[at]
            ))
            .hint("the training diverged, or the values exceed single precision")),
            None => Ok(Array { shape, values }),
        }
    }

    fn check(&self, name: &str, expected: &[Extent]) -> Result<Vec<usize>> {
        let Ok(view) = self.file.get(name) else {
            return Err(Error::contract(format!(
                "the weights have no tensor `{name}` (expected {})",
                shape_text(expected)
            ))
            .hint(self.known()));
        };
        let found = view.shape();
        let fits = found.len() == expected.len()
            && found
                .iter()
                .zip(expected)
                .all(|(&size, extent)| extent.admits(size));
        if !fits {
            return Err(Error::contract(format!(
                "the tensor `{name}` has the shape {found:?}, expected {}",
                shape_text(expected)
            )));
        }
        match DType::try_from(view.dtype()) {
            Ok(DType::F16 | DType::BF16 | DType::F32 | DType::F64) => Ok(found.to_vec()),
            _ => Err(Error::contract(format!(
                "the tensor `{name}` is of type `{:?}`, expected f16, bf16, f32 or f64",
                view.dtype()
            ))),
        }
    }

    fn known(&self) -> String {
        /// Enough names to see the pattern of a file's naming.
        const SHOWN: usize = 8;
        let names = self.names();
        let names = names.iter().map(|name| format!("`{name}`"));
        format!("the file holds {}", listed(names, SHOWN, ", ", ""))
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .file
            .tensors()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        names.sort();
        names
    }

    /// Fails for tensors that no layer reads, unless one of `unused` begins their names: a
    /// forgotten layer gives wrong scores.
    pub(super) fn finish(self, unused: &[String]) -> Result<()> {
        let is_left = |name: &&String| {
            !self.taken.contains(*name)
                && !name.ends_with(TRAINING_ONLY)
                && !unused
                    .iter()
                    .any(|prefix| name.starts_with(prefix.as_str()))
        };
        match self.names().iter().find(is_left) {
            Some(name) => Err(
                Error::contract(format!("no layer reads the tensor `{name}`")).hint(format!(
                    "add its layer to `tallow.toml`, or say `unused = [\"{name}\"]` under \
                     `[network]`"
                )),
            ),
            None => Ok(()),
        }
    }
}

impl Extent {
    fn admits(self, size: usize) -> bool {
        match self {
            Self::Any => size > 0,
            Self::Exactly(expected) => size == expected,
        }
    }
}

fn shape_text(expected: &[Extent]) -> String {
    let sizes: Vec<String> = expected
        .iter()
        .map(|extent| match extent {
            Extent::Any => "any".to_owned(),
            Extent::Exactly(size) => size.to_string(),
        })
        .collect();
    format!("[{}]", sizes.join(", "))
}
