//! The bytes that observers store with a part, pinned to their versions. Where this fails, a run
//! that goes on after parts of an earlier version would read other bytes than it expects: raise
//! [`Observer::version`] together with what is expected here.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use super::against::{BaselineObserver, Precisions};
use super::estimate::loss::LossObserver;
use super::pairs::{PairObserver, Pairing};
use super::profile::{ColumnProfile, Kind, Profile};
use super::profiling::ProfileObserver;
use super::reading::InputReader;
use super::scores::ScoreObserver;
use crate::contract::binding::BoundInput;
use crate::contract::{Input, InputKind};
use crate::feature::missing::MissingValues;
use crate::feature::verdict::Origin;
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::pipeline::observer::{
    ChampionScores, EncodedBlock, Features, Observer, Partial, ScoredPortion,
};
use crate::statistics::hash::of_bytes;
use crate::storage::Location;

fn reader() -> InputReader {
    let bound = BoundInput {
        input: Input::of_kind("f", InputKind::Number),
        column: "a".to_owned(),
        data_type: DataType::Float64,
    };
    let sentinels = MissingValues::default().of(&bound.input, "a");
    InputReader::new(&bound, &sentinels)
}

/// What an observer sees of four rows.
fn seen(observer: &dyn Observer) -> Box<dyn Partial> {
    let values = [Some(0.25), None, Some(1e30), Some(-2.0)];
    let singles = values.iter().map(|value| value.map(|one| one as f32));
    let numbers: ArrayRef = Arc::new(singles.collect::<Float32Array>());
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a", "c"]));
    let scores = [numbers.clone(), texts.clone()];
    let rows = RecordBatch::try_new_with_options(
        Arc::new(Schema::new(vec![Field::new(
            "loss",
            DataType::Float32,
            true,
        )])),
        vec![numbers.clone()],
        &RecordBatchOptions::new(),
    );
    let rows = rows.unwrap();
    let portion = ScoredPortion {
        rows: &rows,
        rejections: &[],
        scores: &scores,
        verdicts: &[],
        origin: Origin {
            path: &Location::default(),
            kept_rows: None,
            first_row: 0,
        },
        champion: Some(ChampionScores {
            scores: &[numbers.clone(), texts],
            keys: &[3, 1, 4, 2],
        }),
    };
    let mut partial = observer.observe(&portion).unwrap();
    let mut features = Columns::<f64>::filled(4, 1, f64::NAN);
    let known = values.iter().enumerate();
    known.for_each(|(row, value)| features.column_mut(0)[row] = value.unwrap_or(f64::NAN));
    let features = FeatureBlock::Double(features);
    let block = EncodedBlock {
        columns: std::slice::from_ref(&numbers),
        features: Features::Numbers(&features),
        rejected: &[],
        row_count: 4,
    };
    if observer.watches_blocks() {
        observer.observe_block(&mut *partial, &block).unwrap();
    }
    partial
}

#[test]
fn stored_bytes_are_those_of_their_versions() {
    let fields = vec![
        Field::new("probability", DataType::Float32, true),
        Field::new("prediction", DataType::Utf8, true),
    ];
    let mut known = ColumnProfile::new("a".to_owned(), Kind::Numbers);
    known.observe_values(&[0.25, 0.5, 1.0, -2.0], 1);
    let baseline = Profile {
        columns: vec![known],
    };
    let inputs = || vec![(0, reader())];
    let precisions = Precisions {
        model: Precision::Double,
        block: None,
    };
    let against =
        BaselineObserver::new(inputs(), &baseline, baseline.digest(), precisions).unwrap();
    let observers: Vec<Box<dyn Observer>> = vec![
        Box::new(ScoreObserver::new(fields.clone())),
        Box::new(ProfileObserver::new(inputs(), fields.clone())),
        Box::new(Arc::new(against)),
        Box::new(LossObserver::new("loss")),
        Box::new(PairObserver::new(Pairing::new(&fields, &fields))),
    ];
    let lines: Vec<String> = observers
        .iter()
        .map(|observer| {
            let bytes = seen(&**observer).to_bytes();
            let read = observer.partial_of(&bytes).map(|one| one.to_bytes());
            assert!(read.as_ref() == Some(&bytes), "{}", observer.name());
            let (name, version) = (observer.name(), observer.version());
            format!(
                "{name} {version}: {} bytes, {:032x}",
                bytes.len(),
                of_bytes(&bytes)
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "scores 1: 125 bytes, 54efb6e05217039f032440a705ab5f5c",
            "profile 3: 366 bytes, 64131709b893bac745fb4f1ab26fe905",
            "inputs 4: 112 bytes, 9a71a73bd306502da817a64e5cd4f5c6",
            "loss 2: 41 bytes, 888c7cb2abc525c04f90963441f977c0",
            "pairs 1: 68 bytes, 99f694d75d87a9cf7c992e3729aef63b",
        ]
    );
}
