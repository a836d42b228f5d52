//! What a manifest says of a network: its layers, in TOML's words.
//!
//! Owns the names of layers and of their settings. It must not know tensors: [`super::build`] fits
//! the layers to the weights.

use serde::Deserialize;

/// The `[network]` table of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// The layers, first to last; the last one gives the margins, so the final sigmoid or softmax
    /// is the output's link instead.
    pub layers: Vec<Layer>,
    /// Tensors of the file, or the beginnings of their names, that no layer reads on purpose.
    #[serde(default)]
    pub unused: Vec<String>,
}

/// One layer. `weights` is the beginning of its tensors' names, as in PyTorch's `state_dict`: `"0"`
/// stands for `0.weight`, `0.bias`, …
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Layer {
    /// `x · weightᵀ + bias`, weight of shape \[out, in\] (`torch.nn.Linear`).
    Linear {
        /// The tensors' prefix.
        weights: String,
        /// Whether there is a bias.
        #[serde(default = "yes")]
        bias: bool,
    },
    /// Batch normalisation with its running statistics (`torch.nn.BatchNorm1d` in evaluation mode).
    BatchNorm {
        /// The tensors' prefix.
        weights: String,
        /// Whether there are a weight and a bias.
        #[serde(default = "yes")]
        affine: bool,
        /// What is added to the variance.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    /// Layer normalisation over the whole row (`torch.nn.LayerNorm`); without `weights` it has no
    /// gain and no bias.
    LayerNorm {
        /// The tensors' prefix.
        weights: Option<String>,
        /// Whether there is a bias alongside the weight.
        #[serde(default = "yes")]
        bias: bool,
        /// What is added to the variance.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    /// Nothing: dropout only acts in training.
    Dropout {
        /// The probability of training, of no effect.
        p: Option<f64>,
    },
    /// max(x, 0).
    Relu {},
    /// x where positive, else slope · x.
    LeakyRelu {
        /// The slope below zero.
        #[serde(default = "slope")]
        slope: f64,
    },
    /// x where positive, else alpha · (exp(x) − 1).
    Elu {
        /// The limit below zero, negated.
        #[serde(default = "one")]
        alpha: f64,
    },
    /// x · Φ(x) by the error function (`torch.nn.GELU()`).
    Gelu {},
    /// GELU by the hyperbolic tangent (`torch.nn.GELU("tanh")`).
    GeluTanh {},
    /// x · sigmoid(x), also known as swish.
    Silu {},
    /// The hyperbolic tangent.
    Tanh {},
    /// 1 / (1 + exp(−x)).
    Sigmoid {},
    /// shortcut(x) + layers(x).
    Residual {
        /// The branch.
        layers: Vec<Layer>,
        /// What x goes through before it is added; nothing by default.
        #[serde(default)]
        shortcut: Vec<Layer>,
    },
}

impl Layer {
    /// The name that the manifest calls it by.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Linear { .. } => "linear",
            Self::BatchNorm { .. } => "batch_norm",
            Self::LayerNorm { .. } => "layer_norm",
            Self::Dropout { .. } => "dropout",
            Self::Relu {} => "relu",
            Self::LeakyRelu { .. } => "leaky_relu",
            Self::Elu { .. } => "elu",
            Self::Gelu {} => "gelu",
            Self::GeluTanh {} => "gelu_tanh",
            Self::Silu {} => "silu",
            Self::Tanh {} => "tanh",
            Self::Sigmoid {} => "sigmoid",
            Self::Residual { .. } => "residual",
        }
    }
}

const fn yes() -> bool {
    true
}

/// PyTorch's default for both norms.
const fn epsilon() -> f64 {
    1e-5
}

/// PyTorch's default for the leaky rectifier.
const fn slope() -> f64 {
    0.01
}

const fn one() -> f64 {
    1.0
}
