//! The words that a user may give for a choice: clap's names for enums of [`crate::request`].
//!
//! Owns the words and their help. It must not know which flag takes them.

use std::sync::LazyLock;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::request::comparison::Compat;
use crate::request::monitoring::OnGate;
use crate::request::output::OnBudget;
use crate::request::rows::OnBadFile;
use crate::request::text::{AggregationName, PrecisionName, TaskName};
use crate::table::output_format::OutputFormat;

macro_rules! words {
    ($choice:ty { $($variant:ident $word:literal $help:literal),+ $(,)? }) => {
        impl ValueEnum for $choice {
            fn value_variants<'a>() -> &'a [Self] {
                &[$(Self::$variant),+]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                Some(match self {
                    $(Self::$variant => PossibleValue::new($word).help($help),)+
                })
            }
        }
    };
}

/// The formats of [`OutputFormat`], which the table formats decide.
impl ValueEnum for OutputFormat {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: LazyLock<Vec<OutputFormat>> = LazyLock::new(|| OutputFormat::all().collect());
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.about()))
    }
}

words!(OnBudget {
    Withhold "withhold" "Publish nothing but the rejected rows",
    Publish "publish" "Publish the scored rows as well",
});
words!(Compat {
    Evidently "evidently" "Numbers and verdicts of Evidently 0.7",
    NannyMl "nannyml" "Numbers of NannyML 0.13",
});
words!(OnGate {
    Withhold "withhold" "Keep the output back",
    Publish "publish" "Publish the output all the same",
});
words!(OnBadFile {
    Fail "fail" "Stop the run",
    Skip "skip" "Skip the whole file and report it; every file is read once in advance",
});
words!(TaskName {
    Embedding "embedding" "A vector for each text",
    Classification "classification" "Labels or a number for each text, or pair of texts",
    Reranking "reranking" "A score for each pair of texts",
    TokenClassification "token-classification" "Entities in each text",
});
words!(PrecisionName {
    F32 "f32" "Single precision; with AMX, 17 bits of each number are multiplied",
    F32Exact "f32-exact" "Single precision with all 24 bits on every processor",
    Int8 "int8" "Bytes, scaled per row and per column",
});
words!(AggregationName {
    None "none" "Each token on its own, with its label unchanged",
    Simple "simple" "Adjacent tokens of one label, merged",
    First "first" "Words, labelled by their first token",
    Average "average" "Words, labelled by the mean of their tokens",
    Max "max" "Words, labelled by their most certain token",
});
