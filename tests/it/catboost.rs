//! CatBoost's own format as a user and as an attacker meets it: `inspect`, counts, refusals, broken
//! files.

use tallow::feature::{Columns, FeatureBlock};
use tallow::format::{Artefact, ImportOptions, import};
use tallow::model::LoadedModel;

use crate::harness::{Room, data};

/// Cases that have every part of the format between them.
const CASES: [&str; 4] = [
    "catboost_ctr_combined",
    "catboost_ctr_v0244_lossguide",
    "catboost_cbm_one_hot",
    "catboost_ctr_summed",
];

fn model(case: &str) -> Vec<u8> {
    std::fs::read(data("golden").join(case).join("model.cbm")).unwrap()
}

fn load(bytes: Vec<u8>) -> tallow::error::Result<LoadedModel> {
    import(
        &Artefact::new("model.cbm", bytes),
        &ImportOptions::default(),
    )
}

#[test]
fn no_truncated_file_is_accepted() {
    for case in CASES {
        let bytes = model(case);
        assert!(load(bytes.clone()).is_ok(), "{case}");
        for length in 4..bytes.len() {
            let refused = load(bytes[..length].to_vec()).map(|_| ()).unwrap_err();
            assert!(!refused.to_string().is_empty(), "{case}: {length} bytes");
        }
    }
}

#[test]
fn no_changed_byte_panics_or_hangs() {
    for case in CASES {
        let bytes = model(case);
        let mut state = 7_u64;
        for _ in 0..2_500 {
            let mut next = || {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as usize
            };
            let mut wild = bytes.clone();
            for _ in 0..=next() % 3 {
                let index = 4 + next() % (wild.len() - 4);
                wild[index] = [0, 1, 0x7f, 0x80, 0xff, next() as u8][next() % 6];
            }
            let Ok(loaded) = load(wild) else { continue };
            let columns = Columns::filled(3, loaded.model.feature_count(), 7.0);
            let block = FeatureBlock::Double(columns);
            loaded.model.as_numeric().unwrap().margins(&block).unwrap();
        }
    }
}

#[test]
fn inspect_names_ctrs_and_categories() {
    let room = Room::new();
    let path = data("golden").join("catboost_ctr_simple/model.cbm");
    let run = room.tallow(&format!("inspect {}", path.display())).ok();
    for expected in [
        "catboost",
        "ctr_features",
        "ctr_projections",
        "category, known by",
    ] {
        assert!(run.stdout.contains(expected), "{expected}: {run}");
    }
}

#[test]
fn unseen_categories_are_counted_and_rejected_when_asked() {
    let room = Room::new();
    let case = data("golden").join("catboost_ctr_simple");
    let (model, rows) = (case.join("model.cbm"), case.join("input.parquet"));
    let line = |more: &str| {
        format!(
            "score --model {} {} --output out.parquet --format json {more}",
            model.display(),
            rows.display()
        )
    };
    let run = room.tallow(&line("")).ok();
    assert!(run.stdout.contains("\"unseen"), "{run}");
    let run = room.tallow(&line("--on-unseen error --overwrite")).fails(1);
    assert!(
        run.stderr.contains("a category was never seen in training"),
        "{run}"
    );
}

/// Where a field of the flatbuffer's table at `start` lies.
fn field(bytes: &[u8], start: usize, number: usize) -> usize {
    let fields = start - i32::from_le_bytes(bytes[start..start + 4].try_into().unwrap()) as usize;
    let index = fields + 4 + 2 * number;
    start
        + usize::from(u16::from_le_bytes(
            bytes[index..index + 2].try_into().unwrap(),
        ))
}

/// Where an offset leads.
fn followed(bytes: &[u8], index: usize) -> usize {
    index + u32::from_le_bytes(bytes[index..index + 4].try_into().unwrap()) as usize
}

#[test]
fn every_wild_number_has_its_message() {
    let lossguide = model("catboost_cbm_lossguide");
    let simple = model("catboost_ctr_simple");
    let trees = |bytes: &[u8]| followed(bytes, field(bytes, followed(bytes, 8), 1));
    let core_end = |bytes: &[u8]| followed(bytes, 4) + 4;
    let vector = |bytes: &[u8], table: usize, number: usize| {
        followed(bytes, field(bytes, table, number)) + 4
    };
    let table = core_end(&simple) + 8;
    let counts = followed(&simple, table);
    let buckets = vector(&simple, counts, 1);
    let used = (buckets..)
        .step_by(12)
        .find(|&index| simple[index..index + 8] != [0xff; 8])
        .unwrap();
    let core = followed(&simple, 8);
    let cases: [(&[u8], usize, [u8; 4], &str); 9] = [
        (
            &lossguide,
            4,
            [0xf0, 0xff, 0xff, 0xff],
            "the model's core should have 4294967280 bytes",
        ),
        (
            &lossguide,
            field(&lossguide, trees(&lossguide), 0),
            i32::MAX.to_le_bytes(),
            "leaf values for 2147483647 outputs a leaf",
        ),
        (
            &lossguide,
            vector(&lossguide, trees(&lossguide), 1),
            (-1_i32).to_le_bytes(),
            "a split asks for condition -1 of",
        ),
        (
            &lossguide,
            vector(&lossguide, trees(&lossguide), 10),
            [0xff, 0xff, 1, 0],
            "node 0 leads to node 65535 of",
        ),
        (
            &lossguide,
            vector(&lossguide, trees(&lossguide), 3),
            (-5_i32).to_le_bytes(),
            "the tree's splits lie outside the file's",
        ),
        (
            &simple,
            core_end(&simple),
            i32::MAX.to_le_bytes(),
            "the file ends before the table of a CTR (`model.cbm`, CTR table",
        ),
        (
            &simple,
            used + 8,
            (1_u32 << 31).to_le_bytes(),
            "counts 2147483648 of",
        ),
        (
            &simple,
            field(&simple, core, 2),
            u32::MAX.to_le_bytes(),
            "an offset leads out of the buffer",
        ),
        (
            &simple,
            field(&simple, followed(&simple, field(&simple, counts, 0)), 0),
            0_u32.to_le_bytes(),
            "an offset leads out of the buffer",
        ),
    ];
    for (bytes, index, value, expected) in cases {
        let mut wild = bytes.to_vec();
        wild[index..index + 4].copy_from_slice(&value);
        let message = load(wild).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains(expected), "{expected}: {message}");
    }
}
