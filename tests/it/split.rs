//! A/B tests: each row is answered by one model, the same one for the same key.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::harness::{Room, column, data, table, texts};
use crate::recovery::{files, room};

const SPLIT: &str = "score --model good.json --challenger next.json in-0.parquet in-1.parquet \
                     --on-null a=reject --split next=30% --split-by id";

fn tested() -> Room {
    let room = room();
    let good = std::fs::read_to_string(room.path("good.json")).unwrap();
    room.file("next.json", good.replace("1.4904803E-1", "3.4904803E-1"));
    room
}

/// The point of a key, from the guide's words.
fn point(key: &str) -> f64 {
    let digest = Sha256::digest(format!("\u{1f}{key}"));
    let first: [u8; 8] = digest[..8].try_into().unwrap();
    u64::from_be_bytes(first) as f64 / 2_f64.powi(64)
}

/// The answers by id: all columns but those that name the model.
fn answers(room: &Room, name: &str) -> BTreeMap<String, Vec<Option<String>>> {
    let rows = table(&room.path(name));
    let ids = texts(column(&rows, "id"));
    let columns = ["region", "probability", "prediction"].map(|name| texts(column(&rows, name)));
    let row = |row: usize| columns.iter().map(|column| column[row].clone()).collect();
    (0..rows.num_rows())
        .map(|index| (ids[index].clone().unwrap(), row(index)))
        .collect()
}

#[test]
fn each_row_is_answered_by_the_model_that_its_key_decides() {
    let room = tested();
    let run = room.tallow(&format!("{SPLIT} --output ab.parquet")).ok();
    assert!(run.stderr.contains("next: answered "), "{}", run.stderr);
    let alone = |model: &str| {
        let line = format!(
            "score -q --model {model}.json in-0.parquet in-1.parquet --on-null a=reject --output \
             {model}.parquet"
        );
        room.tallow(&line).ok();
        answers(&room, &format!("{model}.parquet"))
    };
    let (good, next, both) = (alone("good"), alone("next"), answers(&room, "ab.parquet"));
    assert_eq!(both.len(), good.len());
    let rows = table(&room.path("ab.parquet"));
    let (ids, models) = (texts(column(&rows, "id")), texts(column(&rows, "model")));
    let versions = texts(column(&rows, "model_version"));
    assert!(
        versions.iter().all(Option::is_none),
        "these models have no version"
    );
    let mut count = 0;
    for (id, model) in ids.iter().flatten().zip(models.iter().flatten()) {
        let expected = if point(id) < 0.3 { "next" } else { "good" };
        assert_eq!(model, expected, "{id}");
        let own = if model == "next" { &next } else { &good };
        assert_eq!(both[id], own[id], "{id}");
        count += usize::from(model == "next");
    }
    let share = count as f64 / ids.len() as f64;
    assert!(
        (share - 0.3).abs() < 4.0 * (0.21 / ids.len() as f64).sqrt(),
        "{share}"
    );
    assert!(ids.windows(2).all(|pair| {
        let number = |id: &Option<String>| id.as_ref().unwrap().parse::<u64>().unwrap();
        number(&pair[0]) < number(&pair[1])
    }));
}

#[test]
fn threads_batches_parts_and_formats_change_no_answer() {
    let room = tested();
    room.tallow(&format!("{SPLIT} --output one.parquet --threads 1"))
        .ok();
    room.tallow(&format!(
        "{SPLIT} --output many.parquet --threads 5 --batch-rows 61"
    ))
    .ok();
    let read = |name: &str| std::fs::read(room.path(name)).unwrap();
    assert_eq!(read("one.parquet"), read("many.parquet"));
    assert_eq!(read("one.rejected.pq"), read("many.rejected.pq"));
    let where_ = format!("{SPLIT} --output kept.parquet --where id%2=0 --batch-rows 97");
    room.tallow(&where_).ok();
    let (all, kept) = (
        answers(&room, "one.parquet"),
        answers(&room, "kept.parquet"),
    );
    assert!(kept.iter().all(|(id, row)| all[id] == *row) && kept.len() == 7_001);
    let set = format!("{SPLIT} -q --rows-per-part 1000 --output");
    room.tallow(&format!("{set} set/")).ok();
    let expected = files(&room.path("set"));
    // A run that is killed goes on with the same models.
    let mut child = room
        .command()
        .args(format!("{set} killed/ --batch-rows 50 --threads 1").split_whitespace())
        .spawn()
        .unwrap();
    while !room.path("killed/_tallow/part-00003.json").exists()
        && child.try_wait().unwrap().is_none()
    {
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
    let _ = child.kill();
    child.wait().unwrap();
    room.tallow(&format!("{set} killed/")).ok();
    assert_eq!(files(&room.path("killed")), expected);
    let other = room
        .tallow(&format!("{set} set/").replace("next=30%", "next=20%"))
        .fails(1);
    assert!(other.stderr.contains("`--split`"), "{}", other.stderr);
    room.tallow("retry set").ok();
}

#[test]
fn an_evaluation_compares_the_models_of_an_a_b_test() {
    let room = Room::new();
    let demo = data("demo");
    let demo = demo.display();
    let run = room.tallow(&format!(
        "score -q --model {demo}/churn --challenger next={demo}/churn --split next=50% --split-by \
         customer_id {demo}/customers.csv --output ab.parquet"
    ));
    run.ok();
    let run = room
        .tallow(&format!(
            "evaluate ab.parquet --labels {demo}/outcomes.csv --key customer_id --label churned \
             --by model --output evaluation.csv"
        ))
        .ok();
    let facts = std::fs::read_to_string(room.path("evaluation.csv")).unwrap();
    assert!(
        facts.contains("model=churn") && facts.contains("model=next"),
        "{}\n{facts}",
        run.stdout
    );
}

#[test]
fn a_split_that_cannot_be_is_refused_before_the_run() {
    let room = tested();
    let base = "score --model good.json in-0.parquet --on-null a=reject --output out.parquet";
    let says = |options: &str, code: i32, expected: &str| {
        let run = room.tallow(&format!("{base} {options}")).fails(code);
        assert!(run.stderr.contains(expected), "{options}: {}", run.stderr);
    };
    let next = "--challenger next.json";
    says(
        &format!("{next} --split next=10%"),
        2,
        "`--split-by customer_id`",
    );
    says(
        &format!("{next} --split-by id"),
        2,
        "does nothing without `--split`",
    );
    says(
        &format!("{next} --split nxt=10% --split-by id"),
        2,
        "`next`",
    );
    says(
        &format!("{next} --split next=110% --split-by id"),
        2,
        "must be between 0 and 1, or a percentage; got `110%`",
    );
    says(
        &format!("{next} --split next --split-by id"),
        2,
        "NAME=SHARE",
    );
    says(
        &format!("{next} --split next=10% --split-by idd"),
        3,
        "`id`",
    );
    says(
        &format!("{next} --challenger b=good.json --split next=10% --split-by id"),
        2,
        "has no share",
    );
    says(
        "--challenger gone.json --split gone=10% --split-by id",
        1,
        "cannot answer its share",
    );
    assert!(!room.path("out.parquet").exists());
}
