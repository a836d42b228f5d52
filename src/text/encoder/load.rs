//! The tensors of safetensors files, taken by name and shape; everything that is wrong with them is
//! told at once.
//!
//! Owns every check of the files: a tensor is there, has the shape and a type that is needed, and
//! holds finite numbers. Nothing is allocated from a number in a file before it was checked against
//! the bytes that are there.

use std::collections::{BTreeMap, HashSet};

use candle_core::safetensors::SliceSafetensors;
use candle_core::{DType, Device, Storage, Tensor};

use super::weights::{Linear, Norm};
use crate::count::{and_more, listed};
use crate::error::{Error, Result};

/// Problems that are reported one by one.
const SHOWN: usize = 12;

/// Safetensors files that are one model's.
pub(super) struct TensorFiles<'a> {
    files: Vec<SliceSafetensors<'a>>,
    positions: BTreeMap<String, usize>,
    /// Names of the tensors that were taken.
    taken: HashSet<String>,
    problems: Vec<String>,
    /// Numbers of all tensors that were taken.
    pub(super) parameter_count: usize,
}

impl<'a> TensorFiles<'a> {
    /// `files` are (name, content).
    pub(super) fn open(files: &'a [(String, Vec<u8>)]) -> Result<Self> {
        let mut opened = Self {
            files: Vec::new(),
            positions: BTreeMap::new(),
            taken: HashSet::new(),
            problems: Vec::new(),
            parameter_count: 0,
        };
        for (position, (name, bytes)) in files.iter().enumerate() {
            let file = SliceSafetensors::new(bytes).map_err(|error| {
                let hint = "the file is cut short, or a pointer of git-lfs instead of the file: \
                            download it again";
                Error::failed(format!("cannot read the weights in `{name}`"))
                    .because(error)
                    .hint(hint)
            })?;
            opened.positions.extend(
                file.tensors()
                    .into_iter()
                    .map(|(tensor, _)| (tensor, position)),
            );
            opened.files.push(file);
        }
        Ok(opened)
    }

    /// Whether there is such a tensor.
    pub(super) fn has(&self, name: &str) -> bool {
        self.positions.contains_key(name)
    }

    /// The tensor of this name and shape in single precision, on the CPU. What is wrong is noted,
    /// and a stand-in of no use returned.
    pub(super) fn take(&mut self, name: &str, shape: &[usize]) -> Tensor {
        match self.read(name, shape) {
            Ok(tensor) => {
                self.parameter_count += tensor.elem_count();
                self.taken.insert(name.to_owned());
                tensor
            }
            Err(problem) => {
                self.problems.push(problem);
                Tensor::new(0_f32, &Device::Cpu).expect("one number fits")
            }
        }
    }

    fn read(&self, name: &str, shape: &[usize]) -> Result<Tensor, String> {
        let Some(file) = self
            .positions
            .get(name)
            .and_then(|position| self.files.get(*position))
        else {
            return Err(format!("no tensor `{name}` (expected {shape:?})"));
        };
        let view = file
            .get(name)
            .map_err(|error| format!("the tensor `{name}`: {error}"))?;
        if view.shape() != shape {
            return Err(format!(
                "the tensor `{name}` has the shape {:?}, expected {shape:?}",
                view.shape()
            ));
        }
        if !matches!(
            DType::try_from(view.dtype()),
            Ok(DType::F16 | DType::BF16 | DType::F32 | DType::F64)
        ) {
            return Err(format!(
                "the tensor `{name}` is of type `{:?}`, expected f16, bf16, f32 or f64",
                view.dtype()
            ));
        }
        let loaded = file
            .load(name, &Device::Cpu)
            .and_then(|tensor| tensor.to_dtype(DType::F32)?.contiguous());
        let loaded = loaded.map_err(|error| format!("the tensor `{name}`: {error}"))?;
        if !is_finite(&loaded) {
            return Err(format!("the tensor `{name}` holds NaN or infinity"));
        }
        Ok(loaded)
    }

    /// Notes that something is wrong if a tensor's name begins like this.
    pub(super) fn must_not_go_on(&mut self, start: &str) {
        if let Some(name) = self
            .positions
            .keys()
            .filter(|name| name.starts_with(start))
            .min()
        {
            self.problems
                .push(format!("`{name}` is of a layer more than there should be"));
        }
    }

    /// The shape of a tensor, if it is there.
    pub(super) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let view = self.files.get(*self.positions.get(name)?)?.get(name).ok()?;
        Some(view.shape().to_vec())
    }

    /// The numbers of a tensor of one dimension that are below `limit`, of an integer type.
    pub(super) fn indices(&mut self, name: &str, limit: usize) -> Vec<u32> {
        match self.read_indices(name, limit) {
            Ok(indices) => {
                self.taken.insert(name.to_owned());
                indices
            }
            Err(problem) => {
                self.problems.push(problem);
                Vec::new()
            }
        }
    }

    fn read_indices(&self, name: &str, limit: usize) -> Result<Vec<u32>, String> {
        let file = self
            .positions
            .get(name)
            .and_then(|position| self.files.get(*position))
            .ok_or_else(|| format!("no tensor `{name}`"))?;
        let loaded = file
            .load(name, &Device::Cpu)
            .and_then(|tensor| tensor.to_dtype(DType::I64)?.to_vec1::<i64>());
        let loaded = loaded.map_err(|error| format!("the tensor `{name}`: {error}"))?;
        let index = |value: i64| {
            u32::try_from(value)
                .ok()
                .filter(|index| (*index as usize) < limit)
        };
        let indices = loaded.iter().map(|value| {
            index(*value)
                .ok_or_else(|| format!("the tensor `{name}` holds {value}, not below {limit}"))
        });
        indices.collect()
    }

    /// Fails if a tensor was not read, unless its name may be passed over.
    pub(super) fn check_all_read(&self, may_pass: &dyn Fn(&str) -> bool) -> Result<()> {
        let unread: Vec<&String> = self
            .positions
            .keys()
            .filter(|name| !self.taken.contains(*name) && !may_pass(name))
            .collect();
        let Some(first) = unread.first() else {
            return Ok(());
        };
        let shape = self.shape(first).unwrap_or_default();
        let more = and_more(unread.len() - 1, "tensor");
        Err(Error::contract(format!(
            "the weights hold `{first}` {shape:?}{more}, which no part of the model reads"
        )))
    }

    /// `prefix.weight` \[outer, inner\] and, if there should be one, `prefix.bias` \[outer\].
    pub(super) fn linear(
        &mut self,
        prefix: &str,
        outer: usize,
        inner: usize,
        has_bias: bool,
    ) -> Linear {
        let weight = self.take(&format!("{prefix}.weight"), &[outer, inner]);
        Linear {
            weight,
            bias: has_bias.then(|| self.take(&format!("{prefix}.bias"), &[outer])),
        }
    }

    /// Several linear layers of equal width whose weights lie one below the other.
    pub(super) fn stacked(
        &mut self,
        prefix: &str,
        count: usize,
        outer: usize,
        inner: usize,
        has_bias: bool,
    ) -> Vec<Linear> {
        let all = self.linear(prefix, count * outer, inner, has_bias);
        let part = |tensor: &Tensor, position: usize| {
            tensor
                .narrow(0, position * outer, outer)
                .and_then(|part| part.contiguous())
                .unwrap_or_else(|_| tensor.clone())
        };
        (0..count)
            .map(|position| Linear {
                weight: part(&all.weight, position),
                bias: all.bias.as_ref().map(|bias| part(bias, position)),
            })
            .collect()
    }

    /// `prefix.weight` and `prefix.bias`, under their older names `gamma` and `beta` too.
    pub(super) fn norm(&mut self, prefix: &str, width: usize, has_bias: bool) -> Norm {
        let is_old = !self.has(&format!("{prefix}.weight")) && self.has(&format!("{prefix}.gamma"));
        let [weight, bias] = if is_old {
            ["gamma", "beta"]
        } else {
            ["weight", "bias"]
        };
        let weight = self.take(&format!("{prefix}.{weight}"), &[width]);
        Norm {
            weight,
            bias: has_bias.then(|| self.take(&format!("{prefix}.{bias}"), &[width])),
        }
    }

    /// Fails if anything was wrong, with all of it.
    pub(super) fn check(&self) -> Result<()> {
        let Some(first) = self.problems.first() else {
            return Ok(());
        };
        if self.problems.len() == 1 {
            return Err(
                Error::contract(format!("the weights do not fit `config.json`: {first}"))
                    .hint(HINT),
            );
        }
        Err(Error::contract(format!(
            "the weights do not fit `config.json`: {}",
            listed(&self.problems, SHOWN, "; ", "tensor")
        ))
        .hint(HINT))
    }
}

const HINT: &str =
    "config.json and the weights must come from the same model: download or save both again";

/// Whether no number of a contiguous tensor is NaN or infinite; looks at them where they lie.
fn is_finite(tensor: &Tensor) -> bool {
    let (storage, _) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        return false;
    };
    storage.as_slice::<f32>().is_ok_and(|values| {
        values
            .iter()
            .fold(true, |all, value| all & value.is_finite())
    })
}

/// The numbers of a tensor, row-major.
///
/// # Errors
/// Fails if its device cannot be read.
pub(super) fn numbers(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor
        .flatten_all()
        .and_then(|flat| flat.to_vec1::<f32>())
        .map_err(|error| Error::failed("cannot read a tensor").because(error))
}
