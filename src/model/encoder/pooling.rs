//! From a text's token vectors to one vector: pooling, dense layers, normalisation, as sentence-transformers' modules do it.
//!
//! Owns the modules behind the encoder. It must not know tokens' ids or columns.

use serde_json::Value as Json;

use super::architecture::Activation;
use super::config::Config;
use super::head::{VectorLayer, curve};
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

/// (name, older name of a truth value, mode), in the order in which older settings put the vectors side by side.
const MODES: [(&str, &str, Mode); 6] = [
    ("cls", "pooling_mode_cls_token", Mode::Cls),
    ("max", "pooling_mode_max_tokens", Mode::Max),
    ("mean", "pooling_mode_mean_tokens", Mode::Mean),
    ("mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", Mode::MeanSqrtLen),
    ("weightedmean", "pooling_mode_weightedmean_tokens", Mode::WeightedMean),
    ("lasttoken", "pooling_mode_lasttoken", Mode::LastToken),
];

/// A step behind pooling.
#[derive(Debug)]
enum Step {
    Dense { layer: VectorLayer, activation: Option<Curve> },
    Normalize,
}

/// The curves of dense modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Curve {
    Known(Activation),
    Sigmoid,
}

impl Curve {
    fn of(self, x: f32) -> f32 {
        match self {
            Self::Known(activation) => curve(activation, x),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        }
    }
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
    /// The modules' settings; none of them: the mean, as sentence-transformers takes for models without.
    pub(super) fn load(modules: &[ModulePart], hidden: usize) -> Result<Self> {
        let (mut modes, mut includes_prompt, mut rest) = (vec![Mode::Mean], true, modules);
        if let Some((first, others)) = modules.split_first().filter(|(first, _)| first.kind == "Pooling") {
            modes = pooling_modes(&first.config)?;
            includes_prompt = first.config.truth("include_prompt", true);
            rest = others;
        }
        let mut width = hidden * modes.len();
        let mut steps = Vec::new();
        for module in rest {
            match module.kind.as_str() {
                "Normalize" => steps.push(Step::Normalize),
                "Dropout" => {}
                "Dense" => {
                    let (layer, activation) = dense(module, width)?;
                    width = layer.outer();
                    steps.push(Step::Dense { layer, activation });
                }
                other => {
                    return Err(Error::contract(format!("modules of type `{other}` in `modules.json` are not supported"))
                        .hint("supported: Transformer, Pooling, Dense, Normalize"));
                }
            }
        }
        Ok(Self { modes, includes_prompt, steps, width, dimensions: width, normalizes_at_end: false })
    }

    /// Keeps the first numbers of each vector only, and scales what is left to length 1 if `normalizes`.
    pub(super) fn shorten(&mut self, dimensions: Option<usize>, normalizes: bool) -> Result<()> {
        self.normalizes_at_end = normalizes;
        match dimensions {
            None => Ok(()),
            Some(count) if (1..=self.width).contains(&count) => Ok(self.dimensions = count),
            Some(count) => {
                let error = Error::contract(format!("`--dimensions {count}`: the model's vectors have {}", self.width));
                Err(error.hint(format!("give 1 to {}", self.width)))
            }
        }
    }

    /// What is pooled, in words.
    pub(super) fn described(&self) -> String {
        let name = |mode: &Mode| MODES.iter().find(|(.., known)| known == mode).map_or("", |(name, ..)| *name);
        let modes = self.modes.iter().map(name).collect::<Vec<_>>().join(" + ");
        let steps = self.steps.iter().map(|step| match step {
            Step::Dense { layer, .. } => format!(", dense {} to {}", layer.inner(), layer.outer()),
            Step::Normalize => ", normalised".to_owned(),
        });
        modes + &steps.collect::<String>()
    }

    /// The vector of a text whose tokens' vectors are `hidden`, `width` numbers each; the first `passed_over` tokens are the prompt's.
    pub(super) fn vector(&self, hidden: &[f32], width: usize, passed_over: usize) -> Vec<f32> {
        let pooled = self.modes.iter().flat_map(|mode| pooled(*mode, hidden, width, passed_over));
        let mut vector: Vec<f32> = pooled.collect();
        for step in &self.steps {
            match step {
                Step::Normalize => normalize(&mut vector),
                Step::Dense { layer, activation } => {
                    vector = layer.apply(&vector);
                    if let Some(activation) = activation {
                        vector.iter_mut().for_each(|value| *value = activation.of(*value));
                    }
                }
            }
        }
        vector
    }

    /// The vector of a row from those of its chunks: their mean, normalised again where the modules end so.
    pub(super) fn finished(&self, mut chunks: Vec<Vec<f32>>) -> Vec<f32> {
        let count = chunks.len();
        let Some(mut vector) = chunks.pop() else { return vec![0.0; self.dimensions] };
        if count > 1 {
            for (place, value) in vector.iter_mut().enumerate() {
                let sum = chunks.iter().map(|chunk| f64::from(chunk[place])).sum::<f64>() + f64::from(*value);
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
        self.steps.iter().map(|step| if let Step::Dense { layer, .. } = step { layer.memory_bytes() } else { 0 }).sum()
    }
}

fn pooling_modes(config: &Config) -> Result<Vec<Mode>> {
    let named = |name: &str| {
        let known = MODES.iter().find(|(known, ..)| *known == name).map(|(.., mode)| *mode);
        known.ok_or_else(|| Error::contract(format!("the pooling mode `{name}` is not supported")))
    };
    let modes = match config.value(&["pooling_mode"]) {
        Some(Json::String(name)) => vec![named(name)?],
        Some(Json::Array(names)) => names.iter().map(|name| named(name.as_str().unwrap_or_default())).collect::<Result<_>>()?,
        Some(other) => return Err(Error::contract(format!("the pooling mode {other} is not supported"))),
        None => MODES.iter().filter(|(_, older, _)| config.truth(older, false)).map(|(.., mode)| *mode).collect(),
    };
    if modes.is_empty() { Err(Error::contract("the settings of pooling name no mode")) } else { Ok(modes) }
}

fn dense(module: &ModulePart, width: usize) -> Result<(VectorLayer, Option<Curve>)> {
    let ModulePart { config, weights, .. } = module;
    if let Some(name) =
        ["module_input_name", "module_output_name"].iter().find(|name| config.text(name).is_some_and(|name| name != "sentence_embedding"))
    {
        return Err(Error::contract(format!("a dense module whose `{name}` is not `sentence_embedding` is not supported")));
    }
    if config.truth("use_residual", false) {
        return Err(Error::contract("dense modules with a residual are not supported"));
    }
    let curve = config.text("activation_function").and_then(|path| path.rsplit('.').next()).unwrap_or("Tanh");
    let activation = match curve {
        "Identity" => None,
        "Tanh" => Some(Curve::Known(Activation::Tanh)),
        "ReLU" => Some(Curve::Known(Activation::Relu)),
        "GELU" => Some(Curve::Known(Activation::Gelu)),
        "SiLU" => Some(Curve::Known(Activation::Silu)),
        "Sigmoid" => Some(Curve::Sigmoid),
        other => return Err(Error::contract(format!("the activation `{other}` of a dense module is not supported"))),
    };
    let outer = config.value(&["out_features"]).and_then(Json::as_u64).and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    let Some(weights) = weights else {
        return Err(Error::contract("a dense module has no `model.safetensors`").hint(SAVE_AGAIN));
    };
    let files = [("model.safetensors of a dense module".to_owned(), weights.clone())];
    let mut files = TensorFiles::open(&files)?;
    let linear = files.linear("linear", outer, width, config.truth("bias", true));
    files.check()?;
    Ok((VectorLayer::new(&linear)?, activation))
}

/// How weights become safetensors.
pub(super) const SAVE_AGAIN: &str = "save it again as safetensors: `SentenceTransformer(\"DIRECTORY\").save(\"DIRECTORY\")`";

/// Sums are taken in double precision: their order is the tokens'.
fn pooled(mode: Mode, hidden: &[f32], width: usize, passed_over: usize) -> Vec<f32> {
    let tokens = hidden.chunks_exact(width).skip(passed_over);
    let count = tokens.len();
    let weighted = |weight: &dyn Fn(usize) -> f64, divisor: f64| {
        let mut sums = vec![0.0; width];
        for (place, token) in tokens.clone().enumerate() {
            let weight = weight(place);
            sums.iter_mut().zip(token).for_each(|(sum, value)| *sum += weight * f64::from(*value));
        }
        sums.iter().map(|sum| (sum / divisor.max(1e-9)) as f32).collect()
    };
    let copied = |token: Option<&[f32]>| token.map_or_else(|| vec![0.0; width], <[f32]>::to_vec);
    match mode {
        Mode::Cls => copied(tokens.clone().next()),
        Mode::LastToken => copied(tokens.clone().last()),
        Mode::Mean => weighted(&|_| 1.0, count as f64),
        Mode::MeanSqrtLen => weighted(&|_| 1.0, (count as f64).sqrt()),
        Mode::WeightedMean => {
            let weight = |place: usize| (passed_over + place + 1) as f64;
            weighted(&weight, (0..count).map(weight).sum())
        }
        Mode::Max => {
            let mut greatest = copied(tokens.clone().next());
            tokens.for_each(|token| greatest.iter_mut().zip(token).for_each(|(greatest, value)| *greatest = greatest.max(*value)));
            greatest
        }
    }
}

/// The mean of all tokens' vectors.
pub(super) fn mean(hidden: &[f32], width: usize) -> Vec<f32> {
    pooled(Mode::Mean, hidden, width, 0)
}

/// Scales to length 1; a vector of length 0 stays.
fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt().max(1e-12);
    vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
}
