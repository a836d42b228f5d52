//! Small inputs that ask for a lot of memory: they are refused with a message, and the process
//! never takes what it may not.
//!
//! `data/greedy` holds graphs of a few hundred bytes, one for each kind of operator whose result a
//! file may make as large as it likes; `greedy.py` in it makes them.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Float32Array, Int32Array, ListArray, MapArray, RecordBatch,
    StringArray, StringViewBuilder, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int32Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;

use crate::harness::{Room, data};
use crate::text_models::{lay_out, table_of};

const MIB: u64 = 1 << 20;

/// What a run came to.
struct Ended {
    code: Option<i32>,
    message: String,
    peak: u64,
    seconds: f64,
}

/// Runs the program with arguments that have no spaces, after what `limits` does to the shell, and
/// watches its peak.
fn watched(room: &Room, limits: &str, line: &str) -> Ended {
    let script = format!("{limits} exec {} {line}", env!("CARGO_BIN_EXE_tallow"));
    let mut command = Command::new("bash");
    command
        .args(["-c", &script])
        .current_dir(room.path(""))
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    let mut run = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (status, start, mut peak) = (format!("/proc/{}/status", run.id()), Instant::now(), 0);
    while run.try_wait().unwrap().is_none() {
        // Until the program is loaded the memory is that of the test itself.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let mut lines = text.lines().filter(|_| text.starts_with("Name:\ttallow\n"));
        let kib = lines.find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .trim()
                .trim_end_matches(" kB")
                .trim()
                .parse::<u64>()
                .ok()
        });
        peak = kib.map_or(peak, |kib| peak.max(kib * 1_024));
        if start.elapsed() > Duration::from_mins(2) {
            run.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let seconds = start.elapsed().as_secs_f64();
    let output = run.wait_with_output().unwrap();
    Ended {
        code: output.status.code(),
        message: String::from_utf8_lossy(&output.stderr).into_owned(),
        peak,
        seconds,
    }
}

fn graphs() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(data("greedy"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.retain(|path| path.extension().is_some_and(|end| end == "onnx"));
    found.sort();
    found
}

fn room() -> Room {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    room.file(
        "rows.parquet",
        std::fs::read(data("hostile/good.parquet")).unwrap(),
    );
    room
}

#[test]
fn graphs_of_a_few_hundred_bytes_are_refused_within_the_memory_that_they_may_take() {
    let room = room();
    let mut wrong = Vec::new();
    for path in graphs() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let line = format!(
            "score --quiet --model {} rows.parquet --output {name}.parquet --threads 2 --memory \
             300MiB",
            path.display()
        );
        let Ended {
            code,
            message,
            peak,
            seconds,
        } = watched(&room, "", &line);
        let is_refused = code.is_some_and(|code| [1, 2, 3].contains(&code))
            && (message.contains("memory") || message.contains("larger than the"));
        if !is_refused || peak > 300 * MIB || message.len() > 2_000 {
            wrong.push(format!(
                "{name}: exit {code:?}, peak {} MiB after {seconds:.1} s: {message}",
                peak / MIB
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn without_a_limit_of_its_own_a_graph_may_take_half_of_what_there_is() {
    let room = room();
    for name in ["loop_concat", "concat", "loop_stack", "pad"] {
        let model = data(&format!("greedy/{name}.onnx"));
        let line = format!(
            "score --quiet --model {} rows.parquet --output {name}.parquet --threads 1",
            model.display()
        );
        // The shell lets the process have 4 GiB of addresses, half of which are taken to be
        // reserved and not used.
        let Ended {
            code,
            message,
            peak,
            ..
        } = watched(&room, "ulimit -v 4194304;", &line);
        assert_eq!(code, Some(1), "{name}: {message}");
        assert!(
            message.contains("50 % of the machine's memory; `--memory SIZE`") && peak < 1_600 * MIB,
            "{name}: {} MiB: {message}",
            peak / MIB
        );
    }
}

/// A file of so many bytes that takes no disk.
fn sparse(room: &Room, name: &str, head: &[u8], bytes: u64) {
    let path = room.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(head).unwrap();
    file.set_len(bytes).unwrap();
}

#[test]
fn files_of_many_gigabytes_are_recognised_by_their_beginning() {
    let room = room();
    let zeros: [(&str, &[u8], &str); 4] = [
        (
            "model.json",
            b"",
            "the file is not in a model format that tallow can read",
        ),
        ("model.onnx", b"", "the file is not a complete ONNX model"),
        (
            "model.ubj",
            b"\x01\x02\x03",
            "the file is not in a model format that tallow can read",
        ),
        (
            "folder/weights.bin",
            b"",
            "the directory has no model that tallow can read",
        ),
    ];
    let claimed: [(&str, &[u8], &str); 3] = [
        (
            "claims.json",
            b"{\"learner\":{\"attributes\":{},\"feature_names\":[",
            "reading the model file would take 20.00 GiB of memory",
        ),
        (
            "claims.txt",
            b"tree\nversion=v4\nnum_class=1\n",
            "reading the model file would take 20.00 GiB of memory",
        ),
        (
            "claims.onnx",
            b"\x08\x08\x12\x07pytorch\x3a\xff\xff\xff\xff\x0f",
            "reading the model file would take 20.00 GiB of memory",
        ),
    ];
    for (name, head, expected) in zeros.into_iter().chain(claimed) {
        sparse(&room, name, head, 20 << 30);
        let model = if name.starts_with("folder") {
            "folder"
        } else {
            name
        };
        for (verb, memory) in [
            ("score", "--memory 300MiB"),
            ("inspect", ""),
            ("check", "--memory 300MiB"),
        ] {
            let line = match verb {
                "score" => format!(
                    "score --quiet --model {model} rows.parquet --output out.parquet {memory}"
                ),
                "check" => format!("check --model {model} rows.parquet {memory}"),
                _ => format!("inspect {model}"),
            };
            let Ended {
                code,
                message,
                peak,
                seconds,
            } = watched(&room, "", &line);
            assert!(
                code.is_some_and(|code| [1, 3].contains(&code)) && message.contains(expected),
                "{line}: {code:?} {message}"
            );
            assert!(
                peak < 150 * MIB && seconds < 20.0,
                "{line}: {} MiB, {seconds:.1} s",
                peak / MIB
            );
        }
    }
}

#[test]
fn parts_of_a_model_are_measured_before_they_are_read() {
    let room = room();
    room.file(
        "text/config.json",
        br#"{"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 8}"#,
    );
    room.file("text/tokenizer.json", b"{}");
    sparse(
        &room,
        "text/model.safetensors",
        b"\x02\0\0\0\0\0\0\0{}",
        20 << 30,
    );
    room.file(
        "package/tallow.toml",
        b"name = \"a\"\n[[artefacts]]\npath = \"model.json\"\n",
    );
    sparse(&room, "package/model.json", b"{\"learner\":{", 20 << 30);
    room.file(
        "mlflow/MLmodel",
        b"flavors:\n  xgboost:\n    data: model.ubj\n",
    );
    sparse(
        &room,
        "mlflow/model.ubj",
        b"{L\0\0\0\0\0\0\0\x07learner{",
        20 << 30,
    );
    sparse(&room, "long/tallow.toml", b"name = \"a\"\n", 20 << 30);
    sparse(&room, "yaml/MLmodel", b"flavors:\n", 20 << 30);
    for model in ["text", "package", "mlflow", "long", "yaml"] {
        let Ended {
            code,
            message,
            peak,
            ..
        } = watched(&room, "", &format!("inspect {model}"));
        assert_eq!(code, Some(1), "{model}: {message}");
        assert!(
            message.contains("would take 20.00 GiB of memory") && peak < 150 * MIB,
            "{model}: {} MiB: {message}",
            peak / MIB
        );
    }
}

#[test]
fn long_records_and_wide_tables_are_counted_before_they_are_taken_apart() {
    let room = room();
    let field = "x".repeat(40 << 20);
    room.file(
        "long.csv",
        format!("id,a,b,note\n1,0.5,0.25,{field}\n2,0.5,0.25,{field}\n"),
    );
    let names: Vec<String> = (0..200_000).map(|number| format!("c{number}")).collect();
    room.file(
        "wide.csv",
        format!(
            "a,b,{}\n0.5,0.25{}\n",
            names.join(","),
            ",1".repeat(200_000)
        ),
    );
    room.file("commas.csv", ",".repeat(40 << 20));
    for (name, expected) in [
        ("long", "a long record would take"),
        ("wide", "a table of 200,002 columns would take"),
        ("commas", " would take"),
    ] {
        let line = format!(
            "score --quiet --model good.json {name}.csv --output out.parquet --memory 200MiB"
        );
        let Ended {
            code,
            message,
            peak,
            ..
        } = watched(&room, "", &line);
        assert!(
            code == Some(1) && message.contains(expected),
            "{name}: {code:?} {message}"
        );
        assert!(
            message.contains("a larger `--memory`") && peak < 200 * MIB,
            "{name}: {} MiB: {message}",
            peak / MIB
        );
    }
    let line = "score --quiet --model good.json long.csv --output out.parquet --memory 2GiB";
    let Ended {
        code,
        message,
        peak,
        ..
    } = watched(&room, "", line);
    assert!(
        code == Some(0) && peak < 2_048 * MIB,
        "{} MiB: {message}",
        peak / MIB
    );
}

#[test]
fn every_greedy_graph_is_small() {
    let sizes: Vec<u64> = graphs()
        .iter()
        .map(|path| std::fs::metadata(path).unwrap().len())
        .collect();
    assert!(
        sizes.len() > 20 && sizes.iter().all(|bytes| *bytes < 2_500),
        "{sizes:?}"
    );
}

/// A package of the good model with these derived columns.
fn derived(room: &Room, name: &str, columns: &[(&str, &str)]) {
    let columns: Vec<String> = columns
        .iter()
        .map(|(column, expression)| {
            format!("[[derived]]\nname = \"{column}\"\nexpression = \"{expression}\"\n")
        })
        .collect();
    let columns = columns.concat();
    room.file(
        &format!("{name}/tallow.toml"),
        format!("name = \"a\"\n[[artefacts]]\npath = \"good.json\"\n{columns}"),
    );
    let model = std::fs::read(data("hostile/good.json")).unwrap();
    room.file(&format!("{name}/good.json"), model);
}

/// A table of 20 000 rows with a text of 1 000 letters in each; in `words` it stands once.
fn long_texts(room: &Room) {
    let count = 20_000;
    let text = "x".repeat(1_000);
    let word = "y".repeat(1_000_000);
    let words = DictionaryArray::<Int32Type>::new(
        Int32Array::from(vec![0; count]),
        Arc::new(StringArray::from(vec![word])),
    );
    let batch = RecordBatch::try_from_iter([
        (
            "b",
            Arc::new(Float32Array::from(vec![0.25; count])) as ArrayRef,
        ),
        ("t", Arc::new(StringArray::from(vec![text.as_str(); count]))),
        ("words", Arc::new(words)),
    ]);
    room.parquet("texts.parquet", &batch.unwrap(), 20_000);
}

#[test]
fn text_that_expressions_make_is_counted_as_long_as_it_lives() {
    let room = room();
    long_texts(&room);
    let mut doubling = vec![("c0".to_owned(), "t || t".to_owned())];
    for column in 1..18 {
        let before = format!("c{}", column - 1);
        doubling.push((format!("c{column}"), format!("{before} || {before}")));
    }
    doubling.push(("a".to_owned(), "length(c17) * 1.0".to_owned()));
    let doubling: Vec<(&str, &str)> = doubling
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    derived(&room, "doubling", &doubling);
    let one = [
        ("repeat", "length(repeat('x', 1000000000)) * 1.0"),
        (
            "nested",
            "length(repeat(repeat(repeat(t, 1000), 1000), 1000)) * 1.0",
        ),
        ("lpad", "length(lpad(t, 1000000000, 'x')) * 1.0"),
        (
            "replace",
            "length(replace(repeat(t, 1000), 'x', repeat('x', 1000))) * 1.0",
        ),
        (
            "constant",
            "length(concat_ws(repeat('y', 1000000), t, t, t)) * 1.0",
        ),
        ("words", "length(words || 'x') * 1.0"),
    ];
    for (name, expression) in one {
        derived(&room, name, &[("a", expression)]);
    }
    for name in one.map(|(name, _)| name).into_iter().chain(["doubling"]) {
        let model = format!("--quiet --model {name} texts.parquet --threads 2 --memory 300MiB");
        for line in [
            format!("score {model} --output {name}.parquet"),
            format!("check --scan {model}"),
        ] {
            let Ended {
                code,
                message,
                peak,
                seconds,
            } = watched(&room, "", &line);
            let is_refused = [
                "the text that an expression makes of a batch would",
                "makes a text of more than 1 MiB",
                "its values are more than 128 MiB of text of one batch",
            ];
            let is_refused = is_refused.iter().any(|reason| message.contains(reason));
            assert!(
                code.is_some_and(|code| [1, 3].contains(&code)) && is_refused,
                "{line}: {code:?} {message}"
            );
            assert!(
                peak < 300 * MIB && seconds < 60.0,
                "{line}: {} MiB, {seconds:.1} s",
                peak / MIB
            );
        }
    }
}

#[test]
fn texts_that_do_not_fit_together_are_made_of_fewer_rows_at_once() {
    let room = room();
    long_texts(&room);
    for (name, expression, value) in [
        (
            "alive",
            "length(repeat(t, 40) || repeat(t, 41) || repeat(t, 42)) * 1.0",
            123_000,
        ),
        (
            "branches",
            "length(CASE WHEN b > 0 THEN repeat(t, 60) ELSE t END || t) * 1.0",
            61_000,
        ),
        (
            "hidden",
            "COALESCE(length(TRY(repeat(t, 400) || repeat(t, 401))), 1) * 1.0",
            801_000,
        ),
    ] {
        derived(&room, name, &[("a", expression)]);
        derived(&room, "constant", &[("a", &format!("{value}.0 + b * 0"))]);
        let line = |model: &str| {
            format!(
                "score --quiet --model {model} texts.parquet --limit 500 --threads 2 --memory \
                 300MiB --output {model}.csv --overwrite"
            )
        };
        let ended = watched(&room, "", &line(name));
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.message);
        assert!(ended.peak < 300 * MIB, "{name}: {} MiB", ended.peak / MIB);
        room.tallow(&line("constant")).ok();
        let read = |name: &str| std::fs::read(room.path(&format!("{name}.csv"))).unwrap();
        assert_eq!(read(name), read("constant"), "{name}");
    }
}

#[test]
fn the_hint_of_values_that_are_too_long_together_helps() {
    let room = room();
    long_texts(&room);
    let columns = [("c", "repeat(t, 40)"), ("a", "length(c) * 1.0")];
    derived(&room, "long", &columns);
    for memory in ["300MiB", "8GiB"] {
        let line = format!(
            "score --quiet --model long texts.parquet --threads 2 --memory {memory} --overwrite \
             --output out.parquet"
        );
        let refused = watched(&room, "", &line);
        assert_eq!(refused.code, Some(1), "{}", refused.message);
        let hint = refused.message.split("`--batch-rows ").nth(1).unwrap();
        let (rows, _) = hint.split_once('`').unwrap();
        let ended = watched(&room, "", &format!("{line} --batch-rows {rows}"));
        assert_eq!(ended.code, Some(0), "{}", ended.message);
    }
}

#[test]
fn long_texts_are_counted_before_they_are_tokenized() {
    let room = room();
    lay_out(&room, "roberta_cls");
    let words = "the quick brown fox ".repeat(1 << 20);
    let blanks = " ".repeat(20 << 20);
    for (name, text, flag) in [
        ("chunks", words, "--chunk 32"),
        ("blanks", blanks, "--chunk 32"),
    ] {
        table_of(&room, &[Some("a"), Some(&text)]);
        let line = format!(
            "score --quiet --model model texts.parquet --output {name}.parquet --threads 2 \
             --memory 400MiB {flag}"
        );
        let Ended {
            code,
            message,
            peak,
            ..
        } = watched(&room, "", &line);
        assert!(
            code == Some(1) && message.contains("tokenizing a text would take"),
            "{name}: {code:?} {message}"
        );
        assert!(
            message.contains("`texts.parquet`, row 2") && peak < 400 * MIB,
            "{name}: {} MiB: {message}",
            peak / MIB
        );
    }
}

/// 400 rows with one text again and again, 400 MB if each has its own: alone, and within lists,
/// structs and maps.
fn repeated_texts() -> Vec<(&'static str, ArrayRef)> {
    const ROWS: usize = 400;
    const COUNT: usize = 1_000;
    let word = "y".repeat(1_000);
    let words = |count: usize, word: &str| -> ArrayRef {
        let mut builder = StringViewBuilder::new().with_deduplicate_strings();
        (0..count).for_each(|_| builder.append_value(word));
        Arc::new(builder.finish())
    };
    let field =
        |name: &str, array: &ArrayRef| Arc::new(Field::new(name, array.data_type().clone(), true));
    let lists = |elements: ArrayRef, count: usize| -> ArrayRef {
        let offsets = OffsetBuffer::from_repeated_length(count, elements.len() / count);
        Arc::new(ListArray::new(
            field("item", &elements),
            offsets,
            elements,
            None,
        ))
    };
    let of = |array: ArrayRef| -> ArrayRef {
        Arc::new(StructArray::from(vec![(field("s", &array), array)]))
    };
    let all = || words(ROWS * COUNT, &word);
    let (key, value) = (words(ROWS * COUNT, "k"), all());
    let entries = StructArray::from(vec![
        (Arc::new(Field::new("key", DataType::Utf8View, false)), key),
        (field("value", &value), value),
    ]);
    let entry = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let offsets = OffsetBuffer::from_repeated_length(COUNT, ROWS);
    let map: ArrayRef = Arc::new(MapArray::new(entry, offsets, entries, None, false));
    let long = || words(ROWS, &"y".repeat(1_000_000));
    vec![
        ("text", long()),
        ("struct", of(long())),
        ("list", lists(all(), COUNT)),
        ("list of lists", lists(lists(all(), 100), COUNT / 100)),
        ("list of structs", lists(of(all()), COUNT)),
        ("map", map),
    ]
}

#[test]
fn texts_in_nested_columns_are_counted_where_they_are_copied() {
    let room = room();
    for (what, texts) in repeated_texts() {
        let rows = texts.len();
        let half: ArrayRef = Arc::new(Float32Array::from(vec![0.5; rows]));
        let shop: ArrayRef = Arc::new(StringArray::from(vec!["n"; rows]));
        let batch = RecordBatch::try_from_iter([
            ("a", half.clone()),
            ("b", half),
            ("shop", shop),
            ("texts", texts),
        ])
        .unwrap();
        let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
        let file = std::fs::File::create(room.path("rows.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new_with_options(file, batch.schema(), options).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        for output in ["out.parquet", "out/ --partition-by shop"] {
            let line = format!(
                "score --quiet --model good.json rows.parquet --output {output} --overwrite \
                 --passthrough all --memory 300MiB"
            );
            let Ended {
                code,
                message,
                peak,
                ..
            } = watched(&room, "", &line);
            assert_eq!(code, Some(0), "{what}, {output}: {message}");
            let mib = peak / MIB;
            assert!(mib < 300, "{what}, {output}: {mib} MiB");
        }
    }
}
