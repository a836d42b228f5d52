//! Directories of text models: every file, setting and tensor that decides the answer is obeyed, or
//! refused by name.
//!
//! What is obeyed has a golden case in `data/golden/text`; here is what is refused, and what may be
//! passed over.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use serde_json::{Value as Json, json};

use crate::harness::{Room, Run, column, numbers};
use crate::text_models::{lay_out, score, table_of};

/// A room with a model of a golden case and one text.
fn room(case: &str) -> Room {
    let room = Room::new();
    table_of(&room, &[Some("the quick brown fox"), Some("aaaa aaaa")]);
    lay_out(&room, case);
    room
}

fn read(room: &Room, name: &str) -> Json {
    serde_json::from_slice(&std::fs::read(room.path("model").join(name)).unwrap()).unwrap()
}

/// Writes the file with these settings on top of its own.
fn set(room: &Room, name: &str, settings: &Json) {
    let path = room.path("model").join(name);
    let mut all: Json = std::fs::read(&path).map_or_else(
        |_| json!({}),
        |bytes| serde_json::from_slice(&bytes).unwrap(),
    );
    for (key, value) in settings.as_object().unwrap() {
        all[key] = value.clone();
    }
    room.file(&format!("model/{name}"), all.to_string());
}

#[track_caller]
fn refused(run: Run, code: i32, parts: &[&str]) {
    let run = run.fails(code);
    assert!(
        parts.iter().all(|part| run.stderr.contains(part)),
        "{parts:?} missing in {run}"
    );
}

/// The weights with one more tensor of zeros.
fn add_tensor(path: &Path, name: &str, shape: &[usize]) {
    let bytes = std::fs::read(path).unwrap();
    let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
    let (header, data) = rest.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
    let mut header: Json = serde_json::from_slice(header).unwrap();
    let end = data.len() + 4 * shape.iter().product::<usize>();
    header[name] = json!({"dtype": "F32", "shape": shape, "data_offsets": [data.len(), end]});
    let header = header.to_string();
    let mut all = [
        &(header.len() as u64).to_le_bytes()[..],
        header.as_bytes(),
        data,
    ]
    .concat();
    all.resize(8 + header.len() + end, 0);
    std::fs::write(path, all).unwrap();
}

#[test]
fn module_classes_that_are_not_sentence_transformers_own_are_refused() {
    let classes = [
        "custom_st.Transformer",
        "my_pooling.Pooling",
        "pylate.models.Dense.Dense",
        "Pooling",
        "sentence_transformersX.models.Pooling",
    ];
    for class in classes {
        for module in [0, 1] {
            let room = room("bert_mean");
            let mut modules = read(&room, "modules.json");
            modules[module]["type"] = class.into();
            room.file("model/modules.json", modules.to_string());
            refused(
                score(&room, ""),
                6,
                &[&format!("`{class}`"), "modules.json"],
            );
        }
    }
}

#[test]
fn modules_that_are_not_understood_are_refused_by_name() {
    for (class, part) in [
        ("sentence_transformers.models.CNN", "`CNN`"),
        ("sentence_transformers.models.LSTM", "`LSTM`"),
        (
            "sentence_transformers.models.WeightedLayerPooling",
            "`WeightedLayerPooling`",
        ),
        ("sentence_transformers.models.WordWeights", "`WordWeights`"),
        (
            "sentence_transformers.base.modules.router.Router",
            "`Router`",
        ),
        (
            "sentence_transformers.sparse_encoder.modules.SpladePooling",
            "`SpladePooling`",
        ),
        (
            "sentence_transformers.base.modules.Normalize",
            "`Normalize` where Pooling is expected",
        ),
    ] {
        let room = room("bert_mean");
        let mut modules = read(&room, "modules.json");
        modules[1]["type"] = class.into();
        room.file("model/modules.json", modules.to_string());
        refused(score(&room, ""), 3, &[part]);
        modules[0]["type"] = class.into();
        room.file("model/modules.json", modules.to_string());
        refused(score(&room, ""), 3, &["first module is"]);
    }
    let room = room("bert_mean");
    let modules = read(&room, "modules.json");
    room.file("model/modules.json", json!([modules[0]]).to_string());
    refused(
        score(&room, ""),
        3,
        &["`modules.json` has no Pooling", "late-interaction"],
    );
}

#[test]
fn a_module_before_pooling_is_named_and_not_taken_for_late_interaction() {
    let room = room("bert_mean");
    let mut modules = read(&room, "modules.json");
    let mut dense = modules[1].clone();
    dense["path"] = "1_Dense".into();
    dense["type"] = "sentence_transformers.models.Dense".into();
    modules.as_array_mut().unwrap().insert(1, dense);
    room.file("model/modules.json", modules.to_string());
    room.file("model/1_Dense/config.json", "{}");
    let run = score(&room, "");
    assert!(!run.stderr.contains("late-interaction"), "{run}");
    refused(
        run,
        3,
        &["a module `Dense` before Pooling is not supported"],
    );
}

#[test]
fn vectors_that_are_said_to_be_of_a_cross_encoder_are_refused() {
    let room = room("bert_mean");
    set(
        &room,
        "config_sentence_transformers.json",
        &json!({"model_type": "CrossEncoder"}),
    );
    for flags in ["", "--task embedding"] {
        refused(
            score(&room, flags),
            3,
            &[
                "a cross-encoder by its configuration",
                "correct `model_type`",
            ],
        );
    }
}

#[test]
fn a_module_without_its_settings_is_a_download_that_broke_off() {
    let room = room("bert_mean");
    let modules = read(&room, "modules.json");
    let path = modules[1]["path"].as_str().unwrap();
    std::fs::remove_file(room.path("model").join(path).join("config.json")).unwrap();
    let missing = format!("the text model has no `{path}/config.json`");
    refused(score(&room, ""), 3, &[&missing, "the whole directory"]);
}

#[test]
fn mpnet_counts_positions_from_the_same_row_whatever_its_padding_is() {
    // `MPNetEmbeddings` of transformers: `self.padding_idx = 1`, without a look at the config.
    let vectors = |padding: Option<u32>| {
        let room = room("mpnet_mean");
        if let Some(padding) = padding {
            set(&room, "config.json", &json!({"pad_token_id": padding}));
        }
        score(&room, "").ok();
        numbers(
            &column(&room.table("out.parquet"), "embedding")
                .as_list::<i32>()
                .values()
                .clone(),
        )
    };
    let expected = vectors(None);
    assert!(expected == vectors(Some(1)) && expected == vectors(Some(0)));
}

#[test]
fn late_interaction_models_are_refused_whatever_reports_them() {
    let room_of = || room("bert_mean");
    for (file, settings, part) in [
        (
            "config.json",
            json!({"architectures": ["HF_ColBERT"]}),
            "is a ColBERT",
        ),
        (
            "config.json",
            json!({"colbert_config": {"dim": 128}}),
            "is a ColBERT",
        ),
        (
            "config_sentence_transformers.json",
            json!({"model_type": "ColBERT"}),
            "type `ColBERT`",
        ),
        (
            "config_sentence_transformers.json",
            json!({"model_type": "MultiVectorEncoder"}),
            "type `MultiVectorEncoder`",
        ),
        (
            "config_sentence_transformers.json",
            json!({"similarity_fn_name": "MaxSim"}),
            "`similarity_fn_name` is `MaxSim`",
        ),
        (
            "config_sentence_transformers.json",
            json!({"query_prefix": "[Q] "}),
            "`query_prefix`",
        ),
        (
            "artifact.metadata",
            json!({"dim": 128}),
            "artifact.metadata",
        ),
        (
            "2_Normalize/config.json",
            json!({"module_input_name": "token_embeddings"}),
            "`module_input_name` is \"token_embeddings\"",
        ),
    ] {
        let room = room_of();
        set(&room, file, &settings);
        refused(score(&room, ""), 3, &[part]);
    }
    let room = room_of();
    let mut modules = read(&room, "modules.json");
    modules[1]["type"] = "sentence_transformers.models.Dense".into();
    room.file("model/modules.json", modules.to_string());
    refused(
        score(&room, ""),
        3,
        &["`Dense` where Pooling is expected", "ColBERT, PyLate"],
    );
}

#[test]
fn settings_that_decide_the_answer_and_are_not_obeyed_are_refused() {
    let encoder = "sentence_bert_config.json";
    for (file, settings, code, part) in [
        (
            "config.json",
            json!({"auto_map": {"AutoModel": "modeling_own.OwnModel"}}),
            6,
            "`modeling_own.OwnModel`",
        ),
        (
            "config.json",
            json!({"quantization_config": {"quant_method": "bitsandbytes"}}),
            3,
            "`quantization_config`",
        ),
        (
            "config.json",
            json!({"transformers_weights": "other.safetensors"}),
            3,
            "`transformers_weights`",
        ),
        (
            "config.json",
            json!({"pruned_heads": {"0": [1]}}),
            3,
            "`pruned_heads`",
        ),
        (
            "config.json",
            json!({"add_cross_attention": true}),
            3,
            "`add_cross_attention`",
        ),
        (
            "config.json",
            json!({"is_decoder": true}),
            3,
            "`is_decoder`",
        ),
        (
            "config.json",
            json!({"position_embedding_type": "relative_key"}),
            3,
            "`position_embedding_type`",
        ),
        (
            "config.json",
            json!({"rope_scaling": {"type": "linear", "factor": 2.0}}),
            3,
            "`rope_scaling`",
        ),
        (
            "tokenizer_config.json",
            json!({"auto_map": {"AutoTokenizer": ["tok.Own", null]}}),
            6,
            "tok.Own",
        ),
        (
            "adapter_config.json",
            json!({"peft_type": "LORA"}),
            3,
            "an adapter of PEFT",
        ),
        (
            encoder,
            json!({"transformer_task": "fill-mask"}),
            3,
            "`transformer_task`",
        ),
        (
            encoder,
            json!({"modality_config":
                {"message": {"method": "forward", "method_output_name": "logits"}}}),
            3,
            "`modality_config`",
        ),
        (
            encoder,
            json!({"processing_kwargs": {"text": {"max_length": 4}}}),
            3,
            "`processing_kwargs`",
        ),
        (
            encoder,
            json!({"model_args": {"ignore_mismatched_sizes": true}}),
            3,
            "`ignore_mismatched_sizes`",
        ),
        (
            encoder,
            json!({"config_kwargs": {"num_hidden_layers": 1}}),
            3,
            "`num_hidden_layers`",
        ),
        (
            encoder,
            json!({"tokenizer_name_or_path": "other"}),
            3,
            "`tokenizer_name_or_path`",
        ),
        (encoder, json!({"pooler": "own"}), 3, "`pooler`"),
        (
            "config_sentence_transformers.json",
            json!({"model_type": "SparseEncoder"}),
            3,
            "`SparseEncoder`",
        ),
    ] {
        let room = room("bert_mean");
        set(&room, file, &settings);
        refused(score(&room, ""), code, &[part]);
    }
    // What training, memory and speed are set by changes nothing.
    let room = room("bert_mean");
    set(
        &room,
        "config.json",
        &json!({"use_cache": true, "classifier_dropout": 0.5, "torch_dtype": "bfloat16",
            "auto_map": {"AutoConfig": "own.Config"}}),
    );
    set(
        &room,
        encoder,
        &json!({"model_args": {"attn_implementation": "sdpa"}, "unpad_inputs": true}),
    );
    score(&room, "").ok();
}

#[test]
fn tensors_that_nothing_reads_are_refused_unless_they_are_heads_of_other_tasks() {
    for (case, name, shape, part) in [
        (
            "bert_mean",
            "linear.weight",
            vec![8, 32],
            Some("`linear.weight` [8, 32]"),
        ),
        (
            "bert_mean",
            "encoder.layer.0.adapter.weight",
            vec![32],
            Some("`encoder.layer.0.adapter.weight`"),
        ),
        (
            "bert_mean",
            "encoder.layer.1.crossattention.self.key.weight",
            vec![32, 32],
            Some("crossattention"),
        ),
        ("bert_mean", "embeddings.position_ids", vec![1, 64], None),
        ("bert_mean", "classifier.weight", vec![2, 32], None),
        ("bert_mean", "cls.predictions.bias", vec![384], None),
        (
            "distilbert_hidden",
            "vocab_layer_norm.weight",
            vec![32],
            None,
        ),
        (
            "bert_two",
            "second_classifier.weight",
            vec![2, 32],
            Some("`second_classifier.weight`"),
        ),
        ("bert_two", "cls.predictions.bias", vec![384], None),
    ] {
        let room = room(case);
        add_tensor(&room.path("model/model.safetensors"), name, &shape);
        match part {
            Some(part) => refused(
                score(&room, ""),
                3,
                &[part, "which no part of the model reads"],
            ),
            None => drop(score(&room, "").ok()),
        }
    }
}

#[test]
fn a_head_that_no_class_names_is_refused_until_the_task_is_given() {
    let room = room("bert_two");
    let mut config = read(&room, "config.json");
    config.as_object_mut().unwrap().remove("architectures");
    room.file("model/config.json", config.to_string());
    refused(
        score(&room, ""),
        3,
        &["`classifier.bias`", "--task embedding"],
    );
    score(&room, "--task embedding").ok();
    config["architectures"] = json!(["OwnRanker"]);
    room.file("model/config.json", config.to_string());
    refused(
        score(&room, ""),
        3,
        &["the class `OwnRanker` is not one of transformers' own"],
    );
    score(&room, "--task classification").ok();
}

#[test]
fn activations_outside_pytorch_and_problem_types_that_are_unknown_are_refused() {
    for (case, file, settings, part) in [
        (
            "bert_reranking",
            "config_sentence_transformers.json",
            json!({"activation_fn": "own.Curve"}),
            "`own.Curve` of a cross-encoder",
        ),
        (
            "albert_dense",
            "2_Dense/config.json",
            json!({"activation_function": "own.Curve"}),
            "`own.Curve` of a dense module",
        ),
        (
            "bert_two",
            "config.json",
            json!({"problem_type": "ranking"}),
            "the `problem_type` `ranking`",
        ),
    ] {
        let room = room(case);
        set(&room, file, &settings);
        let pair = if case == "bert_reranking" {
            "--text text --text-pair text"
        } else {
            ""
        };
        refused(score(&room, pair), 3, &[part]);
    }
}

#[test]
fn a_tokenizer_whose_class_and_file_contradict_is_refused() {
    let digits = json!({"pre_tokenizer": {"type": "Digits", "individual_digits": true}});
    let lowered = json!({"normalizer": {"type": "Lowercase"}});
    for (case, class, change, part) in [
        (
            "bert_mean",
            "BertTokenizer",
            digits.clone(),
            "another pre-tokenizer than BERT's",
        ),
        (
            "bert_mean",
            "BertTokenizerFast",
            lowered.clone(),
            "another normalizer than BERT's",
        ),
        (
            "roberta_cls",
            "RobertaTokenizer",
            lowered,
            "has a normalizer",
        ),
        (
            "roberta_cls",
            "RobertaTokenizer",
            digits,
            "another pre-tokenizer than RoBERTa's",
        ),
        (
            "deberta_hidden",
            "DebertaV2Tokenizer",
            json!({"normalizer": {"type": "Lowercase"}}),
            "`do_lower_case` is false",
        ),
    ] {
        let room = room(case);
        set(
            &room,
            "tokenizer_config.json",
            &json!({"tokenizer_class": class}),
        );
        set(&room, "tokenizer.json", &change);
        refused(score(&room, ""), 3, &[part, "PreTrainedTokenizerFast"]);
        set(
            &room,
            "tokenizer_config.json",
            &json!({"tokenizer_class": "PreTrainedTokenizerFast"}),
        );
        score(&room, "").ok();
    }
}

/// A text that a pattern with a backreference goes back on for ever.
const BACKTRACKING: &str = "abababababababababababababababababababababababababababab";

#[test]
fn a_pattern_that_reaches_the_limit_of_its_engine_stops_the_run_or_rejects_the_row() {
    let pattern = json!({"Regex": "(?i)(a|b|ab)*(?>c)"});
    for part in [
        json!({"pre_tokenizer": {"type": "Split", "pattern": pattern,
            "behavior": "Isolated", "invert": false}}),
        json!({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": pattern, "behavior": "Removed", "invert": true}]}}),
        json!({"normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Replace", "pattern": pattern, "content": "x"}]}}),
    ] {
        let room = room("roberta_cls");
        set(&room, "tokenizer.json", &part);
        score(&room, "").ok();
        table_of(&room, &[Some("the fox"), Some(BACKTRACKING)]);
        refused(
            score(&room, ""),
            1,
            &[
                "cannot tokenize the text (`texts.parquet`, row 2, column `text`)",
                "backtrack",
                "pass `--on-unseen text=reject` to reject such rows, or `--on-unseen text=null`",
            ],
        );
        table_of(
            &room,
            &[
                Some(BACKTRACKING),
                Some("the fox"),
                None,
                Some(BACKTRACKING),
            ],
        );
        let run = score(&room, "--on-unseen text=null --format json").ok();
        let vectors = |room: &Room| -> Vec<bool> {
            let table = room.table("out.parquet");
            let column = table.column_by_name("embedding").unwrap();
            (0..column.len()).map(|row| column.is_valid(row)).collect()
        };
        assert_eq!(vectors(&room), [false, true, false, false]);
        assert!(run.stdout.contains("does_not_fit"), "{run}");
        let line = "--on-unseen text=reject --on-null reject --max-errors 3";
        let run = score(&room, &format!("{line} --format json")).ok();
        assert_eq!(vectors(&room), [true]);
        assert!(run.stdout.contains("not_tokenized"), "{run}");
        let rejected = room.table("out.rejected.pq");
        let reasons = crate::harness::texts(rejected.column_by_name("rejected_reason").unwrap());
        let reasons: Vec<&str> = reasons.iter().flatten().map(String::as_str).collect();
        assert_eq!(reasons, ["not_tokenized", "null", "not_tokenized"]);
        let run = score(&room, "--on-unseen 0");
        refused(
            run,
            2,
            &[
                "`--on-unseen` cannot replace a text that the tokenizer refuses (column `text`)",
                "pass `error`, `reject` or `null`",
            ],
        );
    }
}

#[test]
fn a_normalizer_that_grows_a_text_without_bound_stops_the_run_small() {
    let double = json!({"type": "Replace", "pattern": {"String": "a"},
        "content": "aaaaaaaaaaaaaaaaaaaaaaaa"});
    let room = room("roberta_cls");
    set(
        &room,
        "tokenizer.json",
        &json!({"normalizer": {"type": "Sequence", "normalizers": [double, double, double, double,
            double, double, double, double]}}),
    );
    refused(
        score(&room, ""),
        1,
        &[
            "its normalizer makes more than 8388608 bytes of one text",
            "`texts.parquet`, row 2",
        ],
    );
    let long = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "x".repeat(5000)});
    set(&room, "tokenizer.json", &json!({"normalizer": long}));
    refused(score(&room, ""), 1, &["writes 5000 bytes at once"]);
    let mut model = read(&room, "tokenizer.json")["model"].clone();
    model["dropout"] = json!(0.1);
    set(
        &room,
        "tokenizer.json",
        &json!({"normalizer": null, "model": model}),
    );
    refused(score(&room, ""), 1, &["`dropout`"]);
    let room = self::room("bert_mean");
    let mut model = read(&room, "tokenizer.json")["model"].clone();
    model["max_input_chars_per_word"] = json!(1_000_000);
    set(&room, "tokenizer.json", &json!({"model": model}));
    refused(
        score(&room, ""),
        1,
        &["`max_input_chars_per_word` is 1000000"],
    );
}

#[test]
fn a_run_that_is_asked_to_stop_confirms_it_at_once_and_stops_between_texts() {
    let room = room("deberta_hidden");
    let long = "nothing else was said by the Bank of England ".repeat(20);
    table_of(&room, &vec![Some(long.as_str()); 60_000]);
    let line = "score --model model texts.parquet --output out.parquet --task embedding --threads \
                1 --batch-rows 60000";
    let mut run = room
        .command()
        .args(line.split(' '))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !room.listing().iter().any(|name| name.starts_with(".tmp-")) {
        assert!(
            run.try_wait().unwrap().is_none(),
            "the run ended before it could be stopped"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(500));
    let start = Instant::now();
    assert!(
        std::process::Command::new("kill")
            .args(["-TERM", &run.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    let done = run.wait_with_output().unwrap();
    let stderr = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(143), "{stderr}");
    assert!(
        stderr.contains("stopping: what has begun ends first") && stderr.contains("by signal 15"),
        "{stderr}"
    );
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "it took {:?}",
        start.elapsed()
    );
}

/// Replaces a name in the room's graph by another of its length.
fn rename(room: &Room, file: &str, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let path = room.path("model").join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    let indices: Vec<usize> = (0..bytes.len() - from.len())
        .filter(|index| bytes[*index..].starts_with(from.as_bytes()))
        .collect();
    assert!(!indices.is_empty(), "{from} in {file}");
    for index in indices {
        bytes[index..index + to.len()].copy_from_slice(to.as_bytes());
    }
    room.file(&format!("model/{file}"), bytes);
}

#[test]
fn a_graph_that_is_not_a_text_models_is_refused_by_what_it_takes_and_gives() {
    for (case, file, from, to, line, part) in [
        (
            "onnx_bert_mean",
            "onnx/model.onnx",
            "input_ids",
            "input_abc",
            "",
            "nothing for the graph's input `input_abc`",
        ),
        (
            "onnx_bert_mean",
            "onnx/model.onnx",
            "token_type_ids",
            "past_key_value",
            "",
            "nothing for the graph's input `past_key_value`",
        ),
        (
            "onnx_bert_entities",
            "model.onnx",
            "logits",
            "logits",
            "--task embedding",
            "does not give a vector for each token; its outputs are `logits`",
        ),
        (
            "onnx_deberta_labels",
            "model.onnx",
            "logits",
            "labels",
            "--task embedding",
            "does not give a vector for each token; its outputs are `labels`",
        ),
    ] {
        let room = room(case);
        rename(&room, file, from, to);
        refused(score(&room, line), 3, &[part, file]);
    }
    let room = room("onnx_bert_mean");
    set(
        &room,
        "config.json",
        &json!({"architectures": ["BertForSequenceClassification"]}),
    );
    std::fs::remove_file(room.path("model/modules.json")).unwrap();
    refused(
        score(&room, ""),
        3,
        &[
            "does not give logits for each text",
            "--task text-classification",
        ],
    );
    let room = room_with_labels(3);
    refused(
        score(&room, ""),
        3,
        &["the graph gives 4 numbers for the 3 labels of config.json"],
    );
}

/// A graph of four logits, with so many labels.
fn room_with_labels(count: usize) -> Room {
    let room = room("onnx_deberta_labels");
    let labels: serde_json::Map<String, Json> = (0..count)
        .map(|label| (label.to_string(), json!(format!("l{label}"))))
        .collect();
    set(&room, "config.json", &json!({"id2label": labels}));
    room
}

#[test]
fn settings_that_a_graph_cannot_obey_are_usage_errors() {
    let room = room("onnx_bert_mean");
    for flag in [
        "--precision int8",
        "--precision f32-exact",
        "--device cuda:0",
    ] {
        refused(score(&room, flag), 2, &["in ONNX"]);
    }
}

#[test]
fn of_several_graphs_the_one_is_taken_that_sentence_transformers_takes() {
    let room = room("onnx_bert_mean");
    let inspected = |room: &Room| room.tallow("inspect model").ok().stdout;
    room.file("model/onnx/model_quantized.onnx", "not a graph");
    room.file("model/onnx/model_O3.onnx", "not a graph");
    assert!(
        inspected(&room).contains("graph            onnx/model.onnx"),
        "{}",
        inspected(&room)
    );
    let own = std::fs::read(room.path("model/onnx/model.onnx")).unwrap();
    room.file("model/model.onnx", own);
    assert!(inspected(&room).contains("graph            model.onnx"));
    std::fs::remove_file(room.path("model/model.onnx")).unwrap();
    // Transformers.js has models of which there is one graph alone, under another name.
    score(&room, "").ok();
    let expected = room.table("out.parquet");
    std::fs::remove_file(room.path("model/onnx/model_O3.onnx")).unwrap();
    std::fs::rename(
        room.path("model/onnx/model.onnx"),
        room.path("model/onnx/model_quantized.onnx"),
    )
    .unwrap();
    assert!(
        inspected(&room).contains("graph            onnx/model_quantized.onnx"),
        "{}",
        inspected(&room)
    );
    score(&room, "").ok();
    assert_eq!(room.table("out.parquet").columns(), expected.columns());
    room.file("model/onnx/model_O3.onnx", "not a graph");
    std::fs::remove_file(room.path("model/modules.json")).unwrap();
    refused(
        score(&room, ""),
        3,
        &[
            "only `onnx/model_O3.onnx`, `onnx/model_quantized.onnx`",
            "`ln -s model_O3.onnx model/onnx/model.onnx`",
        ],
    );
}

#[test]
fn texts_do_not_change_each_others_numbers_in_a_graph() {
    let texts = [
        "the quick brown fox",
        "she sells shells",
        "a",
        "",
        "New York",
    ];
    let bits = |texts: &[&str]| -> Vec<u64> {
        let room = room("onnx_bert_mean");
        table_of(&room, &texts.iter().copied().map(Some).collect::<Vec<_>>());
        score(&room, "").ok();
        let table = room.table("out.parquet");
        let vectors = column(&table, "embedding");
        (0..texts.len())
            .flat_map(|row| numbers(&vectors.as_list::<i32>().value(row)))
            .map(f64::to_bits)
            .collect()
    };
    let alone: Vec<u64> = texts.iter().flat_map(|text| bits(&[text])).collect();
    assert_eq!(bits(&texts), alone);
}
