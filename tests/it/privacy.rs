//! Encrypted Parquet, in and out: files of pyarrow and `DuckDB` with their keys, keys that are
//! missing or wrong, and outputs that hold no row without a key.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use arrow::util::display::array_value_to_string;

use crate::harness::{Room, data, table};

/// A room with the encrypted files of `data/parquet/encrypted`, whose keys only their owner reads.
fn room() -> Room {
    let room = Room::new();
    for entry in std::fs::read_dir(data("parquet/encrypted")).unwrap() {
        let entry = entry.unwrap();
        let path = room.path(&entry.file_name().to_string_lossy());
        std::fs::copy(entry.path(), &path).unwrap();
        if path.extension().is_some_and(|ending| ending == "key") {
            own(&path);
        }
    }
    std::fs::copy(data("hostile/good.json"), room.path("good.json")).unwrap();
    room
}

fn own(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn key(room: &Room, name: &str, bytes: &[u8]) {
    own(&room.file(name, bytes));
}

/// The values of a table, row by row.
fn values(path: &Path) -> Vec<String> {
    let rows = table(path);
    let columns = rows.schema();
    let row = |index: usize| {
        let cells = rows.columns().iter().zip(columns.fields());
        let cells = cells.map(|(column, field)| {
            format!(
                "{}={}",
                field.name(),
                array_value_to_string(column, index).unwrap()
            )
        });
        cells.collect::<Vec<_>>().join(" ")
    };
    (0..rows.num_rows()).map(row).collect()
}

/// Each file with the keys that open it.
const FILES: [(&str, &str); 6] = [
    ("uniform_128", "--decryption-key short.key"),
    ("uniform_256", "--decryption-key long.key"),
    ("plain_footer", "--decryption-key short.key"),
    (
        "columns",
        "--decryption-key columns.footer.key --decryption-key a=columns.amounts.key \
         --decryption-key tags=columns.labels.key",
    ),
    (
        "columns",
        "--decryption-key a=columns.amounts.key --decryption-key columns.footer.key \
         --decryption-key tags.list.element=columns.labels.key",
    ),
    (
        "columns_plain_footer",
        "--decryption-key columns_plain_footer.footer.key \
         --decryption-key a=columns_plain_footer.amounts.key \
         --decryption-key tags=columns_plain_footer.labels.key",
    ),
];

#[test]
fn encrypted_files_of_other_writers_have_the_rows_of_the_open_file() {
    let room = room();
    let score = "score -qq --model good.json --on-null null --passthrough all --output";
    room.tallow(&format!("{score} open.out.parquet open.parquet"))
        .ok();
    let expected = values(&room.path("open.out.parquet"));
    assert_eq!(expected.len(), 6);
    for (index, (name, keys)) in FILES.iter().enumerate() {
        let run = room.tallow(&format!("{score} {index}.parquet {name}.parquet {keys}"));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{name}: {run}");
        assert_eq!(
            values(&room.path(&format!("{index}.parquet"))),
            expected,
            "{name}"
        );
        let shown = room
            .tallow(&format!("inspect {name}.parquet {keys} --format json"))
            .ok()
            .json();
        assert_eq!(shown["rows"], 6, "{name}");
        let run = room.tallow(&format!(
            "profile {name}.parquet {keys} --output {index}.profile.pq"
        ));
        run.ok();
        let drift = format!("drift {index}.profile.pq {name}.parquet {keys} --format json");
        let drift = room.tallow(&drift).ok().json();
        assert_eq!(drift["status"], "done", "{name}");
    }
    // Columns that are not encrypted need no key, nor does the schema of an open footer.
    let plain = "columns_plain_footer.parquet --passthrough id,region --features b,b";
    room.tallow(&format!("{score} plain.parquet {plain}"))
        .fails(2);
    room.tallow("inspect columns_plain_footer.parquet").ok();
}

#[test]
fn a_key_that_is_missing_or_wrong_is_one_clear_error() {
    let room = room();
    key(&room, "wrong.key", &[9; 16]);
    key(&room, "newline.key", b"0123456789abcdef\n");
    key(&room, "hex.key", b"00112233445566778899aabbccddeeff\n");
    let cut = std::fs::read(room.path("uniform_128.parquet")).unwrap();
    room.file("cut.parquet", &cut[..cut.len() - 40]);
    let mut changed = cut.clone();
    changed[40] ^= 1;
    room.file("changed.parquet", changed);
    let plain = std::fs::read(room.path("plain_footer.parquet")).unwrap();
    let at = plain.windows(6).rposition(|one| one == b"region").unwrap();
    let mut signed = plain;
    signed[at] = b'R';
    room.file("signed.parquet", signed);
    let cases = [
        "uniform_128.parquet",
        "uniform_128.parquet --decryption-key wrong.key",
        "uniform_128.parquet --decryption-key long.key",
        "uniform_128.parquet --decryption-key newline.key",
        "uniform_128.parquet --decryption-key hex.key",
        "uniform_128.parquet --decryption-key none.key",
        "uniform_128.parquet --decryption-key a=short.key",
        "plain_footer.parquet",
        "plain_footer.parquet --decryption-key wrong.key",
        "columns.parquet --decryption-key columns.footer.key",
        "columns.parquet --decryption-key columns.footer.key --decryption-key a=wrong.key",
        "columns_plain_footer.parquet",
        "prefix_elsewhere.parquet --decryption-key short.key",
        "ctr.parquet --decryption-key short.key",
        "duckdb.parquet --decryption-key short.key",
        "cut.parquet --decryption-key short.key",
        "changed.parquet --decryption-key short.key",
        "signed.parquet --decryption-key short.key",
        "open.parquet --encryption-key short.key --output out.csv",
        "open.parquet --encryption-key short.key --rejected r.csv",
        "open.parquet --encryption-key short.key --encryption-key regoin=long.key",
        "open.parquet --plaintext-footer",
    ];
    let mut page = String::new();
    for case in cases {
        let output = if case.contains("--output") {
            ""
        } else {
            " --output out.parquet"
        };
        let line = format!("score -q --model good.json --on-null null {case}{output}");
        let run = room.tallow(&line);
        assert_ne!(run.code, 0, "{case}: {run}");
        page += &format!("$ {case}\nexit {}: {}\n", run.code, run.stderr);
    }
    assert!(!room.path("out.parquet").exists());
    insta::assert_snapshot!("keys", page);
}

#[test]
fn files_with_different_keys_are_read_together() {
    let room = room();
    let score = "score -qq --overwrite --model good.json --on-null null --passthrough all";
    let of_a = "--decryption-key columns.footer.key --decryption-key a=columns.amounts.key";
    let of_tags = "--decryption-key tags=columns.labels.key";
    let alone = [
        ("uniform_128", "--decryption-key short.key".to_owned()),
        ("uniform_256", "--decryption-key long.key".to_owned()),
        ("columns", format!("{of_a} {of_tags}")),
    ];
    let mut expected = Vec::new();
    for (name, keys) in &alone {
        let line = format!("{score} {name}.parquet {keys} --output {name}.out.parquet");
        room.tallow(&line).ok();
        expected.extend(values(&room.path(&format!("{name}.out.parquet"))));
    }
    let all = "uniform_128.parquet uniform_256.parquet columns.parquet --output all.parquet";
    let keys = [&alone[1].1, &alone[0].1, &alone[2].1].map(String::as_str);
    room.tallow(&format!("{score} {all} {}", keys.join(" ")))
        .ok();
    assert_eq!(values(&room.path("all.parquet")), expected);
    // The keys of columns are those of the footer before them.
    let keys = format!("{} {} {of_tags}", alone[2].1, alone[0].1);
    let line = format!("{score} columns.parquet --output x.parquet");
    room.tallow(&format!("{line} {keys}")).ok();
    let keys = format!(
        "--decryption-key columns.footer.key {} {of_tags}",
        alone[0].1
    );
    room.tallow(&format!("{line} {keys}")).fails(1);
    // Each output under its own key, and each input under its own.
    for (index, (name, keys)) in alone.iter().take(2).enumerate() {
        let key = ["short.key", "long.key"][index];
        let output = format!("--encryption-key {key} --output {name}.sealed.parquet");
        let line = format!("{score} {name}.parquet {keys} {output}");
        room.tallow(&line).ok();
    }
    let compare = "compare uniform_128.sealed.parquet uniform_256.sealed.parquet --attribute \
                   --format json";
    room.tallow(&format!("{compare} --decryption-key short.key"))
        .fails(1);
    let keys = "--decryption-key long.key --decryption-key short.key";
    let found = room.tallow(&format!("{compare} {keys}")).ok().json();
    assert!(found["attribution"].is_object(), "{found}");
}

#[test]
fn a_changed_byte_of_an_encrypted_file_is_an_error_or_changes_no_row() {
    let room = room();
    let bytes = std::fs::read(room.path("uniform_128.parquet")).unwrap();
    let score = "score -qq --overwrite --model good.json --on-null null --passthrough all \
                 --decryption-key short.key --output out.parquet";
    room.tallow(&format!("{score} uniform_128.parquet")).ok();
    let expected = values(&room.path("out.parquet"));
    for index in (0..bytes.len()).step_by(61) {
        let mut changed = bytes.clone();
        changed[index] ^= 0x55;
        room.file("x.parquet", changed);
        let run = room.tallow(&format!("{score} x.parquet"));
        assert!(!run.stderr.contains("panicked"), "byte {index}: {run}");
        if run.code == 0 {
            assert_eq!(values(&room.path("out.parquet")), expected, "byte {index}");
        }
    }
}

#[test]
fn keys_that_others_can_read_are_a_warning() {
    let room = room();
    let path = room.path("short.key");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let run = room
        .tallow(
            "score --model good.json --on-null null uniform_128.parquet --output x.parquet \
             --decryption-key short.key",
        )
        .ok();
    assert!(
        run.stderr
            .contains("other users of this machine can read the key"),
        "{run}"
    );
    assert!(run.stderr.contains("chmod 600 short.key"), "{run}");
}

/// Whether a text is in a file's bytes, or in its name.
fn holds(path: &Path, text: &str) -> bool {
    let bytes = std::fs::read(path).unwrap();
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

/// Whether a value of a table holds a text, in the bytes of binary values too.
fn shows(path: &Path, text: &str) -> bool {
    let rows = table(path);
    let hexadecimal: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let hexadecimal = hexadecimal.concat();
    let value = |column, row| arrow::util::display::array_value_to_string(column, row).unwrap();
    rows.columns().iter().any(|column| {
        let mut values = (0..column.len()).map(|row| value(column, row));
        values.any(|value| value.contains(text) || value.contains(&hexadecimal))
    })
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Customers, one of whose rows is rejected.
fn customers(room: &Room) {
    let text = "id,a,b,region\nsecret-1,1.5,2,secret-north\nsecret-2,x,3,secret-south\n\
                secret-3,0.5,1,secret-north\n";
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for row in 4..=300 {
        lines.push(format!(
            "secret-{row},{}.5,{},secret-north",
            row % 7,
            row % 3
        ));
    }
    room.file("rows.csv", lines.join("\n") + "\n");
}

#[test]
fn rows_are_written_encrypted_and_read_back_with_the_key() {
    let room = room();
    customers(&room);
    let score = "score -qq --model good.json rows.csv --on-unseen reject --on-null null";
    room.tallow(&format!("{score} --output plain.parquet")).ok();
    let expected = values(&room.path("plain.parquet"));
    for (name, flags, keys) in [
        (
            "uniform",
            "--encryption-key long.key",
            "--decryption-key long.key",
        ),
        (
            "footer",
            "--encryption-key short.key --plaintext-footer --encryption-key-id k7",
            "--decryption-key short.key",
        ),
        (
            "columns",
            "--encryption-key short.key --encryption-key region=long.key \
             --encryption-key-id region=k-region",
            "--decryption-key short.key --decryption-key region=long.key",
        ),
    ] {
        room.tallow(&format!("{score} --output {name}.out.parquet {flags}"))
            .ok();
        for file in ["out.parquet", "out.rejected.pq"] {
            let path = room.path(&format!("{name}.{file}"));
            assert!(!holds(&path, "secret-"), "{name}.{file}");
            let is_sealed = std::fs::read(&path).unwrap().starts_with(b"PARE");
            assert_eq!(is_sealed, name != "footer", "{name}.{file}");
        }
        let report = room.tallow(&format!("inspect {name}.out.report.pq")).ok();
        assert!(!report.stdout.contains("secret-"), "{report}");
        // The same command again finds its own output.
        let again = room.tallow(&format!("{score} --output {name}.out.parquet {flags} -v"));
        assert_eq!(again.code, 0, "{again}");
        let compare =
            format!("compare {name}.out.parquet plain.parquet --key id {keys} --format json");
        let found = room.tallow(&compare).ok().json();
        assert_eq!(found["comparison"]["rows_compared"], 299, "{name}: {found}");
        let line = format!(
            "score -qq --model good.json {name}.out.parquet --features prediction,prediction \
             --passthrough id,region,prediction --output {name}.again.parquet {keys}"
        );
        room.tallow(&line);
        room.tallow(&format!("inspect {name}.out.rejected.pq {keys}"))
            .ok();
        room.tallow(&format!(
            "inspect {name}.out.parquet --decryption-key columns.footer.key"
        ))
        .fails(1);
    }
    assert_eq!(expected.len(), 299);
}

#[test]
fn an_encrypted_data_set_is_resumed_replayed_and_corrected() {
    let room = room();
    customers(&room);
    let score = "score -qq --model good.json rows.csv --on-unseen reject --on-null null \
                 --output set/ --rows-per-part 100 --encryption-key long.key \
                 --encryption-key-id k7 --partition-by region";
    room.tallow(score).ok();
    let key = std::fs::read(room.path("long.key")).unwrap();
    for path in files(&room.path("set")) {
        let is_table = path
            .extension()
            .is_some_and(|ending| ending == "parquet" || ending == "pq");
        let name = path.to_string_lossy().into_owned();
        let is_report = name.contains("_tallow/report") || name.contains("_tallow/observed");
        if is_table && !is_report {
            assert!(!holds(&path, "secret-1"), "{}", path.display());
            assert!(std::fs::read(&path).unwrap().starts_with(b"PARE"));
        }
        let bytes = std::fs::read(&path).unwrap();
        assert!(
            !bytes.windows(32).any(|part| part == key),
            "{}",
            path.display()
        );
    }
    let manifest = std::fs::read_to_string(room.path("set/_tallow/manifest.json")).unwrap();
    assert!(
        manifest.contains("k7") && manifest.contains("long.key"),
        "{manifest}"
    );
    room.tallow("inspect set").fails(1);
    room.tallow("inspect set --decryption-key long.key").ok();
    let found = room.tallow("replay set --format json").ok().json();
    assert_eq!(found["status"], "same", "{found}");
    assert!(found.to_string().contains("same_rows"), "{found}");
    let text = room.tallow("replay set").ok().stdout;
    assert!(text.contains("have the same rows"), "{text}");
    // Nothing to do, with the key in its place; another data set with another key.
    room.tallow(&format!("{score} --skip-code 99")).fails(99);
    let other = room
        .tallow(&score.replace("long.key", "short.key"))
        .fails(1);
    let changed = "these changed: the key of `--encryption-key`";
    assert!(other.stderr.contains(changed), "{other}");
    room.tallow(&score.replace("--encryption-key-id k7", "--plaintext-footer"))
        .fails(1);
    let explained = room.tallow("explain set --row 1").ok().stdout;
    assert!(explained.contains("secret-1"), "{explained}");
    // The key's file was moved since: where nothing is written, none is needed.
    std::fs::rename(room.path("long.key"), room.path("moved.key")).unwrap();
    assert_eq!(room.tallow("explain set --row 1").ok().stdout, explained);
    let gone = room.tallow("replay set").fails(1).stderr;
    assert!(gone.contains("`--encryption-key FILE` names"), "{gone}");
    let found = room.tallow("replay set --encryption-key moved.key --format json");
    assert_eq!(found.ok().json()["status"], "same");
    let other = room
        .tallow("replay set --encryption-key short.key")
        .fails(3);
    assert!(
        other.stderr.contains("the key of `--encryption-key`"),
        "{other}"
    );
    room.file(
        "fixed.csv",
        "id,a,b,region,rejected_file,rejected_row\nsecret-2,4,3,secret-south,rows.csv,2\n",
    );
    let retry = "retry -qq set --corrected fixed.csv";
    room.tallow(retry).fails(1);
    room.tallow(&format!("{retry} --encryption-key short.key"))
        .fails(3);
    room.tallow(&format!("{retry} --encryption-key moved.key"))
        .ok();
    std::fs::rename(room.path("moved.key"), room.path("long.key")).unwrap();
    for path in files(&room.path("set")) {
        let name = path.to_string_lossy().into_owned();
        if name.ends_with(".parquet") {
            assert!(std::fs::read(&path).unwrap().starts_with(b"PARE"), "{name}");
        }
    }
    let compare = room
        .tallow("compare set set --key id --decryption-key long.key --format json")
        .ok()
        .json();
    assert_eq!(compare["comparison"]["rows_compared"], 300, "{compare}");
}

#[test]
fn a_run_goes_on_with_the_key_that_it_began_of_and_with_no_other() {
    let room = room();
    customers(&room);
    let score = "score -qq --model good.json rows.csv --on-unseen reject --on-null null \
                 --output set/ --rows-per-part 10 --encryption-key long.key \
                 --encryption-key region=short.key";
    let mut run = room
        .command()
        .args(score.split_whitespace())
        .args(["--threads", "1"])
        .spawn()
        .unwrap();
    while !room.path("set/_tallow/part-00001.json").exists() && run.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let _ = run.kill();
    run.wait().unwrap();
    std::fs::copy(room.path("long.key"), room.path("moved.key")).unwrap();
    own(&room.path("moved.key"));
    key(&room, "other.key", &[9; 16]);
    let column = score.replace("region=short.key", "region=other.key");
    let footer = score.replace("--encryption-key long.key", "--encryption-key other.key");
    for (line, changed) in [
        (&column, "the key of `--encryption-key region=…`"),
        (&footer, "the key of `--encryption-key`"),
    ] {
        let refused = room.tallow(line).fails(3);
        assert!(refused.stderr.contains(changed), "{refused}");
    }
    room.tallow(&score.replace("--encryption-key long.key", "--encryption-key moved.key"))
        .ok();
    let keys = "--decryption-key long.key --decryption-key region=short.key";
    room.tallow(&format!("compare set set --key id {keys}"))
        .ok();
}

#[test]
fn a_key_of_a_column_that_no_file_has_is_a_warning() {
    let room = room();
    customers(&room);
    room.tallow(
        "score -qq --model good.json rows.csv --on-unseen reject --on-null null \
         --output out.parquet --encryption-key long.key --encryption-key region=short.key",
    )
    .ok();
    let keys = "--decryption-key long.key --decryption-key region=short.key";
    let warning = "`--decryption-key` names a column that no file has which was read";
    for line in [
        "inspect out.parquet",
        "compare out.parquet out.parquet --key id",
        "profile out.parquet --overwrite --output out.pq",
    ] {
        let known = room.tallow(&format!("{line} {keys}"));
        assert!(!known.stderr.contains(warning), "{line}: {known}");
        let unknown = room.tallow(&format!("{line} {keys} --decryption-key regoin=short.key"));
        assert!(unknown.stderr.contains(warning), "{line}: {unknown}");
        assert!(unknown.stderr.contains("regoin"), "{line}: {unknown}");
    }
}

#[test]
fn a_job_file_names_keys_by_path() {
    let room = room();
    customers(&room);
    std::fs::create_dir(room.path("jobs")).unwrap();
    room.file(
        "jobs/night.toml",
        "model = \"../good.json\"\ninputs = [\"../uniform_128.parquet\"]\n\
         output = \"out.parquet\"\non_null = [\"null\"]\n\
         decryption_key = [\"../short.key\"]\n\
         encryption_key = [\"../long.key\", \"region=../short.key\"]\n",
    );
    room.tallow("score -qq --job jobs/night.toml").ok();
    room.tallow(
        "inspect jobs/out.parquet --decryption-key long.key --decryption-key region=short.key",
    )
    .ok();
    let printed = room
        .tallow(
            "score --model good.json uniform_128.parquet --output o.parquet \
             --decryption-key short.key --encryption-key region=long.key \
             --encryption-key short.key --print-job",
        )
        .ok()
        .stdout;
    assert!(
        printed.contains("decryption_key = [\"short.key\"]"),
        "{printed}"
    );
    assert!(
        printed.contains("encryption_key = [\"region=long.key\", \"short.key\"]"),
        "{printed}"
    );
}

/// The demo's customers as CSV and as Parquet, and a key of hashes.
fn demo(room: &Room) {
    for name in ["customers.csv", "customers.parquet"] {
        std::fs::copy(data(&format!("demo/{name}")), room.path(name)).unwrap();
    }
    key(room, "hash.key", b"0123456789abcdef");
}

fn column_texts(room: &Room, file: &str, name: &str) -> Vec<Option<String>> {
    let rows = table(&room.path(file));
    crate::harness::texts(crate::harness::column(&rows, name))
}

/// `hmac.new(b"0123456789abcdef", b"C-00021", "sha256").hexdigest()` of Python.
const CUSTOMER: &str = "9fe56749bb52f3dc647d86f7bfbdb651adc9bc1033952b1b114c5d80ceb2cad2";

#[test]
fn hashed_columns_are_the_same_in_every_format_and_join() {
    let room = Room::new();
    demo(&room);
    let model = data("demo/churn").display().to_string();
    let score = |input: &str, output: &str, more: &str| {
        let line = format!(
            "score -qq --model {model} {input} --hash-columns customer_id,region \
             --hash-key hash.key --drop-columns signup_date --output {output} {more}"
        );
        room.tallow(&line).ok()
    };
    score("customers.csv", "csv.parquet", "");
    score(
        "customers.parquet",
        "pq.parquet",
        "--threads 3 --batch-rows 17",
    );
    score("customers.csv", "out.csv", "");
    let plain = format!("score -qq --model {model} customers.csv --output plain.parquet");
    room.tallow(&plain).ok();
    let ids = column_texts(&room, "csv.parquet", "customer_id");
    assert_eq!(ids[0].as_deref(), Some(CUSTOMER));
    // The table of Parquet begins with the rows of the other one.
    assert_eq!(ids, column_texts(&room, "pq.parquet", "customer_id")[..200]);
    let real = column_texts(&room, "plain.parquet", "customer_id");
    assert_eq!(real[0].as_deref(), Some("C-00021"));
    let regions = column_texts(&room, "csv.parquet", "region");
    let words = column_texts(&room, "plain.parquet", "region");
    for (left, right) in regions.iter().zip(&words) {
        assert_eq!(left.is_none(), right.as_deref().is_none_or(str::is_empty));
        let same = words.iter().position(|word| word == right).unwrap();
        assert_eq!(left, &regions[same], "the same value has the same hash");
    }
    let schema = table(&room.path("csv.parquet")).schema();
    assert!(schema.column_with_name("signup_date").is_none());
    let text = std::fs::read_to_string(room.path("out.csv")).unwrap();
    assert!(
        text.contains(CUSTOMER) && !text.contains("C-00021"),
        "{text}"
    );
    let found = room
        .tallow("compare csv.parquet pq.parquet --key customer_id --format json")
        .ok()
        .json();
    assert_eq!(found["comparison"]["rows_compared"], 200, "{found}");
    // The split and the filter see the values; partitions and challengers the hashes.
    let challenger = data("demo/candidate.ubj").display().to_string();
    score(
        "customers.csv",
        "set/",
        &format!(
            "--partition-by region --challenger next={challenger} --where customer_id<>'C-00021'"
        ),
    );
    for path in files(&room.path("")) {
        let name = path.to_string_lossy().into_owned();
        if name.contains("/set") {
            assert!(!name.contains("north"), "{name}");
            // The manifest holds the condition, as it was typed.
            let is_manifest = name.ends_with("manifest.json");
            assert!(is_manifest || !holds(&path, "C-000"), "{name}");
        }
    }
    score(
        "customers.csv",
        "split.parquet",
        &format!("--challenger next={challenger} --split next=50% --split-by customer_id"),
    );
    let line = format!(
        "score -qq --model {model} customers.csv --challenger next={challenger} \
         --split next=50% --split-by customer_id --output open.parquet"
    );
    room.tallow(&line).ok();
    assert_eq!(
        column_texts(&room, "split.parquet", "model"),
        column_texts(&room, "open.parquet", "model")
    );
}

#[test]
fn rejected_rows_hide_the_columns_and_are_corrected_all_the_same() {
    let room = Room::new();
    demo(&room);
    let model = data("demo/churn").display().to_string();
    let text = std::fs::read_to_string(room.path("customers.csv")).unwrap();
    room.file("rows.csv", text.replacen(",35\n", ",abc\n", 1));
    let score = format!(
        "score -qq --model {model} rows.csv --on-unseen reject --on-null null \
         --hash-columns customer_id --hash-key hash.key --drop-columns region"
    );
    room.tallow(&format!("{score} --output set/ --rows-per-part 50"))
        .ok();
    let rejected = "set/_tallow/rejected/part-00000.pq";
    let ids = column_texts(&room, rejected, "customer_id");
    assert_eq!(ids, [Some(CUSTOMER.to_owned())]);
    let schema = table(&room.path(rejected)).schema();
    assert!(schema.column_with_name("region").is_none());
    let explained = room.tallow("explain set --row 2").ok().stdout;
    assert!(!explained.contains("C-000"), "{explained}");
    assert_eq!(
        room.tallow("replay set --format json").ok().json()["status"],
        "same"
    );
    // The rejected table itself, with the age put right: other columns come from the input.
    let inspected = room
        .tallow(&format!("inspect {rejected} --format json"))
        .ok();
    assert!(!inspected.stdout.contains("C-000"), "{inspected}");
    let rows = table(&room.path(rejected));
    let names = rows.schema();
    let cells: Vec<String> = names
        .fields()
        .iter()
        .zip(rows.columns())
        .map(|(field, column)| match field.name().as_str() {
            "age" => "35".to_owned(),
            _ => array_value_to_string(column, 0).unwrap(),
        })
        .collect();
    let head: Vec<&str> = names
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    room.file(
        "fixed.csv",
        format!("{}\n{}\n", head.join(","), cells.join(",")),
    );
    std::fs::rename(room.path("hash.key"), room.path("moved.key")).unwrap();
    key(&room, "other.key", b"another key of hashes");
    let retry = "retry -qq set --corrected fixed.csv";
    for line in ["replay set", retry] {
        room.tallow(line).fails(1);
        let other = room.tallow(&format!("{line} --hash-key other.key"));
        assert_ne!(other.code, 0, "{other}");
        assert!(other.stderr.contains("`--hash-key`"), "{other}");
        room.tallow(&format!("{line} --hash-key moved.key")).ok();
    }
    std::fs::rename(room.path("moved.key"), room.path("hash.key")).unwrap();
    let right = score.replace("rows.csv", "customers.csv");
    room.tallow(&format!("{right} --output right/ --rows-per-part 50"))
        .ok();
    let name = "part-00000.parquet";
    assert_eq!(
        values(&room.path(&format!("set/{name}"))),
        values(&room.path(&format!("right/{name}")))
    );
}

#[test]
fn columns_that_cannot_be_hidden_are_named() {
    let room = Room::new();
    demo(&room);
    key(&room, "short.key", b"0123456789");
    key(&room, "newline.key", b"0123456789abcdef\n");
    let model = data("demo/churn").display().to_string();
    let cases = [
        "--hash-columns customer_id",
        "--hash-columns custmer_id --hash-key hash.key",
        "--drop-columns regoin",
        "--drop-columns probability",
        "--hash-columns region --drop-columns region --hash-key hash.key",
        "--hash-columns region,region --hash-key hash.key",
        "--hash-columns region --hash-key short.key",
        "--hash-columns region --hash-key newline.key",
        "--hash-columns region --hash-key none.key",
    ];
    let mut page = String::new();
    for case in cases {
        let line = format!("score -q --model {model} customers.csv {case} --output out.parquet");
        let run = room.tallow(&line);
        assert_ne!(run.code, 0, "{case}: {run}");
        page += &format!("$ {case}\nexit {}: {}\n", run.code, run.stderr);
    }
    insta::assert_snapshot!("columns", page);
    let printed = room
        .tallow(&format!(
            "score --model {model} customers.csv --output o.parquet --hash-columns region \
             --hash-key hash.key --drop-columns age --print-job"
        ))
        .ok()
        .stdout;
    for line in [
        "hash_columns = [\"region\"]",
        "hash_key = \"hash.key\"",
        "drop_columns = [\"age\"]",
    ] {
        assert!(printed.contains(line), "{printed}");
    }
}

/// Rows whose structs `s` have the leaves `s.b` and `s.c`, with keys for some leaves.
fn nested(room: &Room, name: &str, keys: &[(&str, &[u8])], has_plain_footer: bool) {
    use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, StructArray};
    use arrow::datatypes::{DataType, Field};
    use parquet::encryption::encrypt::FileEncryptionProperties;
    use parquet::file::properties::WriterProperties;

    let (b, c): (ArrayRef, ArrayRef) = (
        Arc::new(Int64Array::from(vec![1, 2, 3])),
        Arc::new(StringArray::from(vec!["secret-1", "secret-2", "secret-3"])),
    );
    let inner = StructArray::from(vec![
        (Arc::new(Field::new("b", DataType::Int64, true)), b),
        (Arc::new(Field::new("c", DataType::Utf8, true)), c),
    ]);
    let rows = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![7, 8, 9])) as ArrayRef),
        ("a", Arc::new(Float64Array::from(vec![0.5, 1.5, 2.5]))),
        ("b", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]))),
        ("s", Arc::new(inner)),
    ])
    .unwrap();
    let mut properties = WriterProperties::builder();
    if let Some((_, footer)) = keys.iter().find(|(column, _)| column.is_empty()) {
        let mut sealed = FileEncryptionProperties::builder(footer.to_vec())
            .with_plaintext_footer(has_plain_footer);
        for (column, key) in keys.iter().filter(|(column, _)| !column.is_empty()) {
            sealed = sealed.with_column_key(column, key.to_vec());
        }
        properties = properties.with_file_encryption_properties(sealed.build().unwrap());
    }
    let file = std::fs::File::create(room.path(name)).unwrap();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(file, rows.schema(), Some(properties.build()))
            .unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
}

#[test]
fn a_key_is_of_a_column_or_a_leaf_that_is_written() {
    let room = room();
    nested(&room, "nested.parquet", &[], false);
    for (input, column, hint) in [
        ("open.parquet", "tags", None),
        ("open.parquet", "tags.list.element", None),
        ("open.parquet", "tags.element", Some("tags.list.element")),
        ("open.parquet", "tags.list", Some("tags.list.element")),
        (
            "open.parquet",
            "tags.list.elemnt",
            Some("did you mean `tags.list.element`?"),
        ),
        ("open.parquet", "region.x", Some("region")),
        ("open.parquet", "regoin", Some("did you mean `region`?")),
        ("nested.parquet", "s.b", None),
        ("nested.parquet", "s.d", Some("s.")),
        ("nested.parquet", "s.", Some("s")),
    ] {
        let run = room.tallow(&format!(
            "score -qq --model good.json {input} --on-null null --passthrough all --overwrite \
             --output out.parquet --encryption-key short.key --encryption-key {column}=long.key"
        ));
        let Some(hint) = hint else {
            assert_eq!(run.code, 0, "{column}: {run}");
            let keys = "--decryption-key short.key";
            room.tallow(&format!("inspect out.parquet {keys}")).ok();
            let run = room.tallow(&format!(
                "score -qq --model good.json out.parquet {keys} --on-null null \
                 --passthrough {} --output again.parquet",
                column.split('.').next().unwrap()
            ));
            assert_eq!(
                run.code, 1,
                "the footer's key does not open {column}: {run}"
            );
            continue;
        };
        let run = run.fails(2);
        assert!(run.stderr.contains("not in the output"), "{column}: {run}");
        assert!(run.stderr.contains(hint), "{column}: {run}");
    }
}

#[test]
fn a_leaf_and_its_column_have_keys_in_any_order() {
    let room = room();
    nested(&room, "nested.parquet", &[], false);
    key(&room, "leaf.key", &[3; 16]);
    let score = "score -qq --model good.json --passthrough all --output";
    room.tallow(&format!("{score} open.out.parquet nested.parquet"))
        .ok();
    let expected = values(&room.path("open.out.parquet"));
    let orders = ["s=long.key s.b=leaf.key", "s.b=leaf.key s=long.key"];
    let flags = |flag: &str, order: &str| -> String {
        let keys = std::iter::once("short.key").chain(order.split(' '));
        let keys: Vec<String> = keys.map(|key| format!(" {flag} {key}")).collect();
        keys.concat()
    };
    for (index, written) in orders.iter().enumerate() {
        let keys = flags("--encryption-key", written);
        room.tallow(&format!("{score} {index}.parquet nested.parquet {keys}"))
            .ok();
        for (other, read) in orders.iter().enumerate() {
            let keys = flags("--decryption-key", read);
            let line = format!(
                "score -qq --model good.json --passthrough id,a,b,s --output \
                 {index}.{other}.parquet {index}.parquet {keys}"
            );
            room.tallow(&line).ok();
            assert_eq!(
                values(&room.path(&format!("{index}.{other}.parquet"))),
                expected
            );
        }
        // The key of the column alone does not open the leaf that has its own.
        let keys = flags("--decryption-key", "s=long.key");
        let score = "score -qq --model good.json --passthrough s --output";
        let line = format!("{score} no.parquet {index}.parquet {keys}");
        let run = room.tallow(&line).fails(1);
        assert!(
            run.stderr
                .contains("the key passed for it does not open it"),
            "{run}"
        );
    }
}

#[test]
fn a_wrong_key_of_a_column_locks_no_other_column() {
    let room = room();
    nested(&room, "nested.parquet", &[], false);
    key(&room, "wrong.key", &[9; 16]);
    room.tallow(
        "score -qq --model good.json nested.parquet --passthrough all --output out.parquet \
         --encryption-key short.key --encryption-key s=long.key --encryption-key-id s=k-s",
    )
    .ok();
    let keys = "--decryption-key short.key --decryption-key s=wrong.key";
    let score = "score -qq --model good.json --output again.parquet";
    room.tallow(&format!("{score} out.parquet {keys} --passthrough id"))
        .ok();
    let run = room.tallow(&format!(
        "{score} out.parquet {keys} --overwrite --passthrough id,s"
    ));
    let run = run.fails(1);
    assert!(
        run.stderr.contains(
            "it is encrypted with the key `k-s`, and the key passed for it does not open it"
        ),
        "{run}"
    );
    // A list of pyarrow, whose column's key is named by its root.
    let keys = "--decryption-key columns.footer.key --decryption-key a=columns.amounts.key \
                --decryption-key tags=wrong.key";
    let columns = format!("{score} columns.parquet {keys} --overwrite --on-null null");
    room.tallow(&format!("{columns} --passthrough id")).ok();
    let run = room
        .tallow(&format!("{columns} --passthrough tags"))
        .fails(1);
    assert!(
        run.stderr
            .contains("the key passed for it does not open it"),
        "{run}"
    );
}

#[test]
fn keys_of_the_output_make_no_input_unreadable() {
    let room = room();
    let foreign: [(&str, &[u8]); 2] = [("", &[5; 16]), ("s.c", &[6; 16])];
    nested(&room, "foreign.parquet", &foreign, true);
    let score = "score -qq --model good.json foreign.parquet --passthrough id --overwrite \
                 --output out.parquet";
    room.tallow(score).ok();
    room.tallow(&format!("{score} --encryption-key long.key"))
        .ok();
    assert!(
        std::fs::read(room.path("out.parquet"))
            .unwrap()
            .starts_with(b"PARE")
    );
    // The column itself needs its key, and a key that is passed for reading has to fit.
    let line = score.replace("--passthrough id", "--passthrough s");
    let run = room
        .tallow(&format!("{line} --encryption-key long.key"))
        .fails(1);
    assert!(
        run.stderr
            .contains("cannot read the column: it is encrypted"),
        "{run}"
    );
    let run = room
        .tallow(&format!("{score} --decryption-key long.key"))
        .fails(1);
    assert!(run.stderr.contains("signature"), "{run}");
}

#[test]
fn hexadecimal_digits_as_a_key_are_a_warning() {
    let room = room();
    key(&room, "hex.key", b"00112233445566778899aabbccddeeff");
    let run = room
        .tallow(
            "score -q --model good.json open.parquet --on-null null --output out.parquet \
             --encryption-key hex.key",
        )
        .ok();
    assert!(run.stderr.contains("taken as the key's own bytes"), "{run}");
    assert!(run.stderr.contains("xxd -r -p hex.key"), "{run}");
}

#[test]
fn another_hash_key_is_another_run() {
    let room = Room::new();
    demo(&room);
    let model = data("demo/churn").display().to_string();
    let text = std::fs::read_to_string(room.path("customers.csv")).unwrap();
    room.file("rows.csv", text.replacen(",35\n", ",abc\n", 1));
    let score = format!(
        "score -q --model {model} rows.csv --on-unseen reject --on-null null --output set/ \
         --rows-per-part 50 --hash-key hash.key"
    );
    let hashed = format!("{score} --hash-columns customer_id");
    room.tallow(&hashed).ok();
    room.tallow(&format!("{hashed} --skip-code 99")).fails(99);
    let manifest = std::fs::read_to_string(room.path("set/_tallow/manifest.json")).unwrap();
    // `hmac.new(b"0123456789abcdef", b"tallow: which key", "sha256").hexdigest()[:16]` of Python.
    assert!(manifest.contains("511989c149f38a77"), "{manifest}");
    assert!(!manifest.contains("0123456789abcdef"), "{manifest}");
    key(&room, "hash.key", b"another key of hashes");
    std::fs::copy(room.path("customers.csv"), room.path("fixed.csv")).unwrap();
    for line in [
        hashed.clone(),
        "retry -q set --corrected fixed.csv".to_owned(),
        "replay set".to_owned(),
    ] {
        let run = room.tallow(&line);
        assert_ne!(run.code, 0, "{line}: {run}");
        assert!(
            run.stderr.contains("the key of `--hash-key`"),
            "{line}: {run}"
        );
        assert!(!run.stderr.contains("511989c149f38a77"), "{line}: {run}");
    }
    // A key that hashes nothing is no part of the run.
    room.tallow(&format!("{score} --overwrite")).ok();
    key(&room, "hash.key", b"0123456789abcdef");
    room.tallow(&format!("{score} --skip-code 99")).fails(99);
}

#[test]
fn profiles_hold_no_values_of_columns_that_are_hashed_or_left_out() {
    let room = Room::new();
    demo(&room);
    let model = data("demo/churn").display().to_string();
    let score = format!("score -qq --model {model} customers.csv");
    room.tallow(&format!("{score} --output open/ --profile open.pq"))
        .ok();
    let open = room.path("open.pq");
    assert!(shows(&open, "credit card") && shows(&open, "one year"));
    let masked =
        "--hash-columns customer_id,payment_method --hash-key hash.key --drop-columns contract,age";
    let watched = "--rows-per-part 50 --profile auto";
    for (output, watching) in [
        ("bare", String::new()),
        (
            "gated",
            "--baseline open.pq --strict-gates --gate js(payment_method)<0.001 \
             --gate js(contract)<0.001 --gate unseen_rate(payment_method)<0.001"
                .to_owned(),
        ),
    ] {
        let line = format!("{score} {masked} {watched} {watching} --output {output}/");
        room.tallow(&line).ok();
        // Again, from what was stored of finished parts.
        room.tallow(&line).ok();
        for path in files(&room.path(output)) {
            // Reports name categories that the baseline has.
            let is_profile = path.extension().is_some_and(|ending| ending == "pq")
                && !path.ends_with("report.pq");
            for text in ["credit card", "one year", "C-000"] {
                assert!(
                    !is_profile || !shows(&path, text),
                    "{text}: {}",
                    path.display()
                );
            }
        }
    }
    // The profile says how many values there are, and is a baseline like others.
    let profile = room.path("gated/_tallow/profile.pq").display().to_string();
    let shown = room.tallow(&format!("inspect {profile}")).ok();
    assert!(shown.stdout.contains("payment_method"), "{shown}");
    for more in [masked, ""] {
        let line =
            format!("{score} {more} --baseline {profile} --overwrite --output again.parquet");
        room.tallow(&line).ok();
    }
}

#[test]
fn examples_of_rules_show_hashes_and_leave_columns_out() {
    let room = Room::new();
    demo(&room);
    let model = data("demo/churn").display().to_string();
    let run = room
        .run([
            "score",
            "--model",
            &model,
            "customers.csv",
            "--output",
            "set/",
            "--hash-columns",
            "customer_id",
            "--hash-key",
            "hash.key",
            "--drop-columns",
            "region",
            "--rule",
            "young: age < 20 AND customer_id <> 'x' AND region <> 'x'",
            "--rule-examples",
            "3",
            "--log-format",
            "json",
            "-v",
            "--format",
            "json",
        ])
        .ok();
    let examples = run.json()["quality"]["young"].clone();
    let first = examples["example_1"].as_str().unwrap();
    assert!(
        first.contains(&format!("customer_id={CUSTOMER}")),
        "{first}"
    );
    assert!(!first.contains("region="), "{first}");
    let mut texts = run.stdout.clone() + &run.stderr;
    for path in files(&room.path("set")) {
        let is_table = path
            .extension()
            .is_some_and(|end| end == "pq" || end == "parquet");
        if is_table {
            texts.extend(values(&path));
        }
    }
    assert!(texts.contains(CUSTOMER));
    assert!(!texts.contains("C-000"), "a value in clear");
}
