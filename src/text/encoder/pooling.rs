//! From a text's token vectors to one vector: pooling, dense layers, normalisation, as
//! sentence-transformers' modules do it.
//!
//! Owns the modules behind the encoder. It must not know tokens' ids or columns.

use serde_json::Value as Json;

use super::architecture::Activation;
use super::config::Config;
use super::curve::Curve;
use super::head::{VectorLayer, VectorNorm};
use super::load::TensorFiles;
use super::parts::ModulePart;
use crate::error::{Error, Result};

/// A way from many vectors to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Cls,
    Max,
    Mean,
    MeanSqrtLen,
    WeightedMean,
    LastToken,
}

/// (name, older name of a boolean, mode), in the order in which older settings put the vectors
/// side by side.
const MODES: [(&str, &str, Mode); 6] = [
    ("cls", "pooling_mode_cls_token", Mode::Cls),
    ("max", "pooling_mode_max_tokens", Mode::Max),
    ("mean", "pooling_mode_mean_tokens", Mode::Mean),
    (
        "mean_sqrt_len_tokens",
        "pooling_mode_mean_sqrt_len_tokens",
        Mode::MeanSqrtLen,
    ),
    (
        "weightedmean",
        "pooling_mode_weightedmean_tokens",
        Mode::WeightedMean,
    ),
    ("lasttoken", "pooling_mode_lasttoken", Mode::LastToken),
];

/// A step behind pooling.
#[derive(Debug)]
enum Step {
    Dense(DenseStep),
    Norm(VectorNorm),
    Normalize,
}

/// All modules behind the encoder.
#[derive(Debug)]
pub(super) struct Pooling {
    modes: Vec<Mode>,
    /// Whether the prompt's tokens are pooled too.
    pub(super) includes_prompt: bool,
    steps: Vec<Step>,
    width: usize,
    /// The vector's first numbers that are kept.
    pub(super) dimensions: usize,
    /// Whether the shortened vector is scaled to length 1.
    normalizes_at_end: bool,
}

impl Pooling {
    /// The modules behind an encoder that gives a vector for each token; none of them: the mean, as
    /// sentence-transformers takes for models without.
    pub(super) fn load(modules: Option<&[ModulePart]>, hidden: usize) -> Result<Self> {
        let Some(modules) = modules else {
            return Self::behind(&[], vec![Mode::Mean], true, hidden);
        };
        match modules.split_first() {
            Some((first, rest)) if first.kind == "Pooling" => {
                let modes = pooling_modes(&first.config)?;
                Self::behind(
                    rest,
                    modes,
                    first.config.boolean("include_prompt", true),
                    hidden,
                )
            }
            first => Err(not_pooled(first.map(|(module, _)| module), modules)),
        }
    }

    /// The modules behind an encoder that gives one vector for a text.
    pub(super) fn of_texts(modules: &[ModulePart], hidden: usize) -> Result<Self> {
        Self::behind(modules, vec![Mode::Mean], true, hidden)
    }

    fn behind(
        rest: &[ModulePart],
        modes: Vec<Mode>,
        includes_prompt: bool,
        hidden: usize,
    ) -> Result<Self> {
        let mut width = hidden * modes.len();
        let mut steps = Vec::new();
        for module in rest {
            match module.kind.as_str() {
                "Normalize" => {
                    check_input(&module.config, &module.kind)?;
                    steps.push(Step::Normalize);
                }
                "Dropout" => {}
                "LayerNorm" => steps.push(Step::Norm(layer_norm(module, width)?)),
                "Dense" => {
                    check_input(&module.config, &module.kind)?;
                    let dense = DenseStep::load(module, width)?;
                    width = dense.layer.outer();
                    steps.push(Step::Dense(dense));
                }
                other => {
                    let error = Error::contract(format!(
                        "modules of type `{other}` in `modules.json` are not supported"
                    ));
                    return Err(error.hint(
                        "supported: Transformer or StaticEmbedding, then Pooling, Dense, \
                         LayerNorm, Normalize",
                    ));
                }
            }
        }
        Ok(Self {
            modes,
            includes_prompt,
            steps,
            width,
            dimensions: width,
            normalizes_at_end: false,
        })
    }

    /// Keeps the first numbers of each vector only, and scales what is left to length 1 if
    /// `normalizes`.
    pub(super) fn shorten(&mut self, dimensions: Option<usize>, normalizes: bool) -> Result<()> {
        self.normalizes_at_end = normalizes;
        match dimensions {
            None => Ok(()),
            Some(count) if (1..=self.width).contains(&count) => Ok(self.dimensions = count),
            Some(count) => {
                let error = Error::contract(format!(
                    "`--dimensions {count}`: the model's vectors have {}",
                    self.width
                ));
                Err(error.hint(format!("give 1 to {}", self.width)))
            }
        }
    }

    /// What is pooled, in words.
    pub(super) fn described(&self) -> String {
        let name = |mode: &Mode| {
            MODES
                .iter()
                .find(|(.., known)| known == mode)
                .map_or("", |(name, ..)| *name)
        };
        let modes = self.modes.iter().map(name).collect::<Vec<_>>().join(" + ");
        let steps = self.steps.iter().map(|step| match step {
            Step::Dense(DenseStep { layer, .. }) => {
                format!(", dense {} to {}", layer.inner(), layer.outer())
            }
            Step::Norm(_) => ", layer norm".to_owned(),
            Step::Normalize => ", normalised".to_owned(),
        });
        modes + &steps.collect::<String>()
    }

    /// The vector of a text whose tokens' vectors are `hidden`, `width` numbers each; the first
    /// `passed_over` tokens are the prompt's.
    pub(super) fn vector(&self, hidden: &[f32], width: usize, passed_over: usize) -> Vec<f32> {
        let pooled = self
            .modes
            .iter()
            .flat_map(|mode| pooled(*mode, hidden, width, passed_over));
        let mut vector: Vec<f32> = pooled.collect();
        for step in &self.steps {
            match step {
                Step::Normalize => normalize(&mut vector),
                Step::Norm(norm) => norm.apply(&mut vector),
                Step::Dense(dense) => vector = dense.apply(&vector),
            }
        }
        vector
    }

    /// The vector of a row from those of its chunks: their mean, normalised again where the modules
    /// end so.
    pub(super) fn finished(&self, mut chunks: Vec<Vec<f32>>) -> Vec<f32> {
        let count = chunks.len();
        let Some(mut vector) = chunks.pop() else {
            return vec![0.0; self.dimensions];
        };
        if count > 1 {
            for (index, value) in vector.iter_mut().enumerate() {
                let sum = chunks
                    .iter()
                    .map(|chunk| f64::from(chunk[index]))
                    .sum::<f64>()
                    + f64::from(*value);
                *value = (sum / count as f64) as f32;
            }
            if matches!(self.steps.last(), Some(Step::Normalize)) {
                normalize(&mut vector);
            }
        }
        vector.truncate(self.dimensions);
        if self.normalizes_at_end {
            normalize(&mut vector);
        }
        vector
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.steps
            .iter()
            .map(|step| {
                if let Step::Dense(dense) = step {
                    dense.memory_bytes()
                } else {
                    0
                }
            })
            .sum()
    }
}

/// The error for an encoder that is not pooled.
fn not_pooled(first: Option<&ModulePart>, modules: &[ModulePart]) -> Error {
    if let Some(first) = first.filter(|_| modules.iter().any(|one| one.kind == "Pooling")) {
        return Error::contract(format!(
            "a module `{}` before Pooling is not supported",
            first.kind
        ))
        .at_node("modules.json")
        .hint("supported: Transformer, then Pooling, Dense, LayerNorm, Normalize");
    }
    let message = match first {
        None => "`modules.json` has no Pooling: the model gives a vector for each token".to_owned(),
        Some(module) => format!(
            "`modules.json` has `{}` where Pooling is expected: the model gives a vector for each \
             token",
            module.kind
        ),
    };
    let hint = "late-interaction models (ColBERT, PyLate) and sparse ones are not supported; \
                `--task embedding` does not change that";
    Error::contract(message).at_node("modules.json").hint(hint)
}

/// Fails for a module that reads or writes something else than the text's vector.
fn check_input(config: &Config, kind: &str) -> Result<()> {
    for name in ["module_input_name", "module_output_name"] {
        if let Some(key) = config
            .value(&[name])
            .filter(|key| *key != "sentence_embedding")
        {
            let message = format!("a module `{kind}` whose `{name}` is {key} is not supported");
            return Err(
                Error::contract(message).hint("supported: `sentence_embedding`, one vector a text")
            );
        }
    }
    Ok(())
}

fn pooling_modes(config: &Config) -> Result<Vec<Mode>> {
    let named = |name: &str| {
        let known = MODES
            .iter()
            .find(|(known, ..)| *known == name)
            .map(|(.., mode)| *mode);
        known.ok_or_else(|| Error::contract(format!("the pooling mode `{name}` is not supported")))
    };
    let older = || {
        MODES
            .iter()
            .filter(|(_, older, _)| config.boolean(older, false))
            .map(|(.., mode)| *mode)
            .collect::<Vec<_>>()
    };
    let modes = match config.value(&["pooling_mode"]) {
        Some(Json::String(name)) => vec![named(name)?],
        Some(Json::Array(names)) => names
            .iter()
            .map(|name| named(name.as_str().unwrap_or_default()))
            .collect::<Result<_>>()?,
        Some(other) => {
            return Err(Error::contract(format!(
                "the pooling mode {other} is not supported"
            )));
        }
        None => older(),
    };
    // What no setting turns on is the mean, as in sentence-transformers.
    Ok(if modes.is_empty() {
        vec![Mode::Mean]
    } else {
        modes
    })
}

/// A dense layer over single vectors, with its curve and what is added to it.
#[derive(Debug)]
struct DenseStep {
    layer: VectorLayer,
    curve: Curve,
    residual: Residual,
}

/// What is added to a dense layer's result.
#[derive(Debug)]
enum Residual {
    None,
    Input,
    Layer(VectorLayer),
}

impl DenseStep {
    fn load(module: &ModulePart, width: usize) -> Result<Self> {
        let config = &module.config;
        let outer = config
            .value(&["out_features"])
            .and_then(Json::as_u64)
            .and_then(|count| usize::try_from(count).ok())
            .unwrap_or(0);
        let curve = config
            .text("activation_function")
            .map_or(Ok(Curve::Known(Activation::Tanh)), |path| {
                Curve::named(path, "a dense module")
            })?;
        let content = content(module)?;
        let mut files = TensorFiles::open(&content)?;
        let linear = files.linear("linear", outer, width, config.boolean("bias", true));
        let has_residual = config.boolean("use_residual", false);
        let residual =
            (has_residual && outer != width).then(|| files.linear("residual", outer, width, false));
        files.check()?;
        files.check_all_read(&|_| false)?;
        let residual = match residual {
            Some(linear) => Residual::Layer(VectorLayer::new(&linear)?),
            None if has_residual => Residual::Input,
            None => Residual::None,
        };
        Ok(Self {
            layer: VectorLayer::new(&linear)?,
            curve,
            residual,
        })
    }

    fn apply(&self, vector: &[f32]) -> Vec<f32> {
        let mut result = self.layer.apply(vector);
        result
            .iter_mut()
            .for_each(|value| *value = self.curve.of(*value));
        let added = match &self.residual {
            Residual::None => return result,
            Residual::Input => vector.to_vec(),
            Residual::Layer(layer) => layer.apply(vector),
        };
        result
            .iter_mut()
            .zip(added)
            .for_each(|(value, added)| *value += added);
        result
    }

    fn memory_bytes(&self) -> usize {
        let residual = if let Residual::Layer(layer) = &self.residual {
            layer.memory_bytes()
        } else {
            0
        };
        self.layer.memory_bytes() + residual
    }
}

/// The epsilon of PyTorch's layer norm.
const EPSILON: f64 = 1e-5;

fn layer_norm(module: &ModulePart, width: usize) -> Result<VectorNorm> {
    let content = content(module)?;
    let mut files = TensorFiles::open(&content)?;
    let norm = files.norm("norm", width, true);
    files.check()?;
    VectorNorm::new(&norm, EPSILON)
}

fn content(module: &ModulePart) -> Result<[(String, Vec<u8>); 1]> {
    let kind = &module.kind;
    let Some(weights) = &module.weights else {
        return Err(
            Error::contract(format!("a module `{kind}` has no `model.safetensors`"))
                .hint(SAVE_AGAIN),
        );
    };
    Ok([(
        format!("model.safetensors of a module `{kind}`"),
        weights.clone(),
    )])
}

/// How weights become safetensors.
pub(super) const SAVE_AGAIN: &str =
    "save it again as safetensors: `SentenceTransformer(\"DIRECTORY\").save(\"DIRECTORY\")`";

/// Sums are taken in double precision: their order is the tokens'.
fn pooled(mode: Mode, hidden: &[f32], width: usize, passed_over: usize) -> Vec<f32> {
    let tokens = hidden.chunks_exact(width).skip(passed_over);
    let count = tokens.len();
    let weighted = |weight: &dyn Fn(usize) -> f64, divisor: f64| {
        let mut sums = vec![0.0; width];
        for (index, token) in tokens.clone().enumerate() {
            let weight = weight(index);
            sums.iter_mut()
                .zip(token)
                .for_each(|(sum, value)| *sum += weight * f64::from(*value));
        }
        sums.iter()
            .map(|sum| (sum / divisor.max(1e-9)) as f32)
            .collect()
    };
    let copied = |token: Option<&[f32]>| token.map_or_else(|| vec![0.0; width], <[f32]>::to_vec);
    match mode {
        Mode::Cls => copied(tokens.clone().next()),
        Mode::LastToken => copied(tokens.clone().last()),
        Mode::Mean => weighted(&|_| 1.0, count as f64),
        Mode::MeanSqrtLen => weighted(&|_| 1.0, (count as f64).sqrt()),
        Mode::WeightedMean => {
            let weight = |index: usize| (passed_over + index + 1) as f64;
            weighted(&weight, (0..count).map(weight).sum())
        }
        Mode::Max => {
            let mut largest = copied(tokens.clone().next());
            tokens.for_each(|token| {
                largest
                    .iter_mut()
                    .zip(token)
                    .for_each(|(largest, value)| *largest = largest.max(*value));
            });
            largest
        }
    }
}

/// The mean of all tokens' vectors.
pub(super) fn mean(hidden: &[f32], width: usize) -> Vec<f32> {
    pooled(Mode::Mean, hidden, width, 0)
}

/// Scales to length 1; a vector of length 0 stays.
fn normalize(vector: &mut [f32]) {
    let length = vector
        .iter()
        .map(|value| f64::from(*value).powi(2))
        .sum::<f64>()
        .sqrt()
        .max(1e-12);
    vector
        .iter_mut()
        .for_each(|value| *value = (f64::from(*value) / length) as f32);
}
