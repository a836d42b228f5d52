//! What happens to the results of a convolution on their way to memory.

/// What follows a convolution, number by number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// Nothing.
    None,
    /// No less than one number and no more than another, neither of them NaN; NaN stays.
    Clamp {
        /// The least.
        least: f32,
        /// The most.
        most: f32,
    },
    /// Negative numbers times this, which is finite.
    Leaky(f32),
}

/// What is done to results on their way to memory.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a> {
    /// What is added, one number for each result.
    pub residual: Option<&'a [f32]>,
    /// What follows.
    pub activation: Activation,
}

impl Activation {
    /// What it makes of one number.
    #[must_use]
    pub fn of(self, value: f32) -> f32 {
        match self {
            Self::None => value,
            Self::Clamp { least, most } => {
                let raised = if least > value { least } else { value };
                if most < raised { most } else { raised }
            }
            Self::Leaky(slope) => {
                if value < 0.0 {
                    slope * value
                } else {
                    value
                }
            }
        }
    }
}
