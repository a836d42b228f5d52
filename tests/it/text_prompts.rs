//! Prompts of cross-encoders: sentence-transformers puts them before the first text of a pair.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};

use crate::harness::{Room, Run, column, numbers};
use crate::text_models::lay_out;

/// The model's settings, with prompts.
const SETTINGS: &str = r#"{"model_type": "CrossEncoder",
"activation_fn": "torch.nn.modules.activation.Sigmoid",
"prompts": {"q": "query: ", "d": "the dog "}, "default_prompt_name": "q"}"#;

/// `CrossEncoder(model).predict(PAIRS, …)` of sentence-transformers 6.2, by the flags that stand
/// for its arguments: none, `prompt_name="d"`, `prompt="she "`, `prompt=""`.
const EXPECTED: [(&str, [f64; 3]); 4] = [
    ("", [0.892_346_44, 0.853_497_92, 0.829_209_63]),
    ("--prompt d", [0.862_720_73, 0.834_073_66, 0.845_085_68]),
    (
        "--prompt-text=she\u{a0}",
        [0.855_137_65, 0.832_452_06, 0.797_553_06],
    ),
    ("--prompt none", [0.866_624_24, 0.832_140_62, 0.730_957_45]),
];

const PAIRS: [(&str, &str); 3] = [
    ("the quick fox", "how to return an order"),
    ("she sells sea shells", "the lazy dog"),
    ("", "a dog"),
];

fn pairs(room: &Room) {
    let side = |values: [&str; 3]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let batch = RecordBatch::try_from_iter([
        ("query", side(PAIRS.map(|pair| pair.0))),
        ("passage", side(PAIRS.map(|pair| pair.1))),
    ])
    .unwrap();
    room.parquet("pairs.parquet", &batch, 1_000);
}

fn score_pairs(room: &Room, flags: impl IntoIterator<Item = String>) -> Run {
    let line = "score --model model pairs.parquet --output scores.parquet --overwrite --text query \
                --text-pair passage";
    let words = line.split_whitespace().map(str::to_owned);
    room.run(words.chain(flags).collect::<Vec<_>>())
}

#[test]
fn a_cross_encoders_prompt_stands_before_the_first_text_of_a_pair() {
    let room = Room::new();
    pairs(&room);
    lay_out(&room, "bert_reranking");
    room.file("model/config_sentence_transformers.json", SETTINGS);
    for (flags, expected) in EXPECTED {
        let flags: Vec<String> = flags
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(|word| word.replace('\u{a0}', " "))
            .collect();
        let exact = ["--precision".to_owned(), "f32-exact".to_owned()];
        score_pairs(&room, [&exact[..], &flags].concat()).ok();
        let found = numbers(column(&room.table("scores.parquet"), "prediction"));
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-5,
                "{flags:?}: {found} {expected}"
            );
        }
    }
}

#[test]
fn the_prompt_of_a_cross_encoder_is_shown_and_an_unknown_one_refused() {
    let room = Room::new();
    pairs(&room);
    lay_out(&room, "bert_reranking");
    room.file("model/config_sentence_transformers.json", SETTINGS);
    let shown = room.run(["inspect", "model"]).ok();
    assert!(shown.stdout.contains("query: "), "{shown}");
    let run = score_pairs(&room, ["--prompt", "x"].map(str::to_owned)).fails(3);
    assert!(run.stderr.contains("the model has `d`, `q`"), "{run}");
}

#[test]
fn a_classifier_of_transformers_reads_no_prompt() {
    let room = Room::new();
    pairs(&room);
    lay_out(&room, "bert_two");
    let plain = [
        "score",
        "--model",
        "model",
        "pairs.parquet",
        "--text",
        "query",
        "--output",
    ];
    room.run([&plain[..], &["plain.parquet"]].concat()).ok();
    let settings = SETTINGS.replace("CrossEncoder", "SentenceTransformer");
    room.file("model/config_sentence_transformers.json", settings);
    room.run([&plain[..], &["same.parquet"]].concat()).ok();
    let probability = |file: &str| numbers(column(&room.table(file), "probability"));
    assert_eq!(probability("plain.parquet"), probability("same.parquet"));
    let run = room
        .run([&plain[..], &["o.parquet", "--prompt", "q"]].concat())
        .fails(2);
    assert!(run.stderr.contains("`--prompt` has no effect"), "{run}");
}
