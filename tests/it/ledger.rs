//! The ledger of random tables: in = scored + rejected + filtered, and every row lies where the
//! ledger says, once.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use serde_json::Value as Json;

use crate::harness::{Room, column, data, texts};

/// The model's categories.
const CATEGORIES: [&str; 2] = ["contract", "payment_method"];

/// A row's values that a policy may refuse: `tenure_months`, `monthly_charge`, `contract`.
#[derive(Clone, Debug)]
struct Row {
    tenure: Option<i64>,
    charge: Option<String>,
    contract: Option<&'static str>,
}

/// Files of rows, and how they are scored.
#[derive(Clone, Debug)]
struct Job {
    files: Vec<Vec<Row>>,
    is_text: bool,
    on_null: &'static str,
    on_unseen: &'static str,
    filter: Option<i64>,
    limit: Option<usize>,
    rows_per_part: Option<usize>,
    threads: usize,
    batch_rows: usize,
}

fn row() -> impl Strategy<Value = Row> {
    let charge = prop_oneof![6 => (0..90_u32).prop_map(|charge| Some(format!("{charge}.5"))),
        1 => Just(None), 1 => Just(Some("n/k".to_owned()))];
    let contract = prop_oneof![4 => Just(Some("one year")), 4 => Just(Some("two year")),
        1 => Just(Some("never")), 1 => Just(None)];
    let tenure = prop_oneof![6 => (0..70_i64).prop_map(Some), 1 => Just(None)];
    (tenure, charge, contract).prop_map(|(tenure, charge, contract)| Row {
        tenure,
        charge,
        contract,
    })
}

fn job() -> impl Strategy<Value = Job> {
    let files = prop::collection::vec(prop::collection::vec(row(), 0..40), 1..4);
    let policy = || prop::sample::select(vec!["reject", "null", "error", "1"]);
    // Unseen categories have no number to be replaced by.
    let unseen = prop::sample::select(vec!["reject", "null", "error"]);
    let sizes = (
        prop::option::of(0..70_i64),
        prop::option::of(1..90_usize),
        prop::option::of(1..30_usize),
        1..4_usize,
        1..50_usize,
    );
    (files, any::<bool>(), policy(), unseen, sizes).prop_map(
        |(files, is_text, on_null, on_unseen, sizes)| {
            let (filter, limit, rows_per_part, threads, batch_rows) = sizes;
            Job {
                files,
                is_text,
                on_null,
                on_unseen,
                filter,
                limit,
                rows_per_part,
                threads,
                batch_rows,
            }
        },
    )
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Scored,
    Rejected,
    Filtered,
    /// The run fails.
    Fatal,
}

/// The rules, once more, as plainly as can be. Text that is not a number cannot be in a Parquet
/// file of numbers: there it is null.
fn fate(job: &Job, row: &Row) -> Fate {
    if job
        .filter
        .is_some_and(|least| row.tenure.is_none_or(|tenure| tenure < least))
    {
        return Fate::Filtered;
    }
    let is_word = |text: &Option<String>| text.as_deref() == Some("n/k") && job.is_text;
    let is_null = row.tenure.is_none()
        || row.contract.is_none()
        || row.charge.is_none()
        || row.charge.as_deref() == Some("n/k") && !job.is_text;
    let is_unseen = row.contract == Some("never") || is_word(&row.charge);
    let policies = [(is_null, job.on_null), (is_unseen, job.on_unseen)];
    let has = |policy: &str| policies.iter().any(|(is_so, own)| *is_so && *own == policy);
    if has("error") {
        Fate::Fatal
    } else if has("reject") {
        Fate::Rejected
    } else {
        Fate::Scored
    }
}

/// Writes a file; its rows' ids begin at `first`. Columns that the model needs besides are always
/// good.
fn write(room: &Room, job: &Job, index: usize, first: usize) -> String {
    let rows = &job.files[index];
    if job.is_text {
        let name = format!("in-{index}.csv");
        let mut text = "id,tenure_months,monthly_charge,contract,payment_method,age,total_charge,\
                        support_calls,late_payments,data_usage_gb,paperless_billing,has_fiber\n"
            .to_owned();
        for (number, row) in rows.iter().enumerate() {
            let tenure = row
                .tenure
                .map(|tenure| tenure.to_string())
                .unwrap_or_default();
            let (charge, contract) = (
                row.charge.clone().unwrap_or_default(),
                row.contract.unwrap_or_default(),
            );
            text.push_str(&format!(
                "{},{tenure},{charge},{contract},mailed check,40,12.5,1,0,3.5,true,false\n",
                first + number
            ));
        }
        room.file(&name, text);
        return name;
    }
    let name = format!("in-{index}.parquet");
    let numbers = |of: &dyn Fn(&Row) -> Option<f64>| {
        Arc::new(rows.iter().map(of).collect::<Float64Array>()) as ArrayRef
    };
    let flags = |flag: bool| {
        Arc::new(rows.iter().map(|_| Some(flag)).collect::<BooleanArray>()) as ArrayRef
    };
    let words = |of: &dyn Fn(&Row) -> Option<&'static str>| {
        Arc::new(rows.iter().map(of).collect::<StringArray>()) as ArrayRef
    };
    let columns = [
        (
            "id",
            Arc::new(
                (first..first + rows.len())
                    .map(|id| id as i64)
                    .collect::<Int64Array>(),
            ) as ArrayRef,
        ),
        (
            "tenure_months",
            Arc::new(rows.iter().map(|row| row.tenure).collect::<Int64Array>()) as ArrayRef,
        ),
        (
            "monthly_charge",
            numbers(&|row| row.charge.as_ref().and_then(|text| text.parse().ok())),
        ),
        ("contract", words(&|row| row.contract)),
        ("payment_method", words(&|_| Some("mailed check"))),
        ("age", numbers(&|_| Some(40.0))),
        ("total_charge", numbers(&|_| Some(12.5))),
        ("support_calls", numbers(&|_| Some(1.0))),
        ("late_payments", numbers(&|_| Some(0.0))),
        ("data_usage_gb", numbers(&|_| Some(3.5))),
        ("paperless_billing", flags(true)),
        ("has_fiber", flags(false)),
    ];
    room.parquet(
        &name,
        &RecordBatch::try_from_iter_with_nullable(
            columns.map(|(name, column)| (name, column, true)),
        )
        .unwrap(),
        13,
    );
    name
}

fn ids(room: &Room, names: &[String]) -> Vec<usize> {
    let tables = names.iter().map(|name| room.table(name));
    tables
        .flat_map(|table| texts(column(&table, "id")))
        .map(|id| id.unwrap().parse().unwrap())
        .collect()
}

/// The Parquet files of a directory, by name; none if it is not there.
fn parts(room: &Room, directory: &str) -> Vec<String> {
    let entries = std::fs::read_dir(room.path(directory))
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("part-"))
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| format!("{directory}/{name}"))
        .collect()
}

fn check(job: &Job) {
    let room = Room::new();
    let mut first = 0;
    let mut names = Vec::new();
    for (index, rows) in job.files.iter().enumerate() {
        names.push(write(&room, job, index, first));
        first += rows.len();
    }
    let mut line = vec![
        "score".to_owned(),
        "--model".into(),
        data("demo/churn/model.ubj").display().to_string(),
        "--format".into(),
        "json".into(),
    ];
    line.extend(names.iter().cloned());
    let mut flag = |name: &str, value: String| line.extend([name.to_owned(), value]);
    flag("--on-null", job.on_null.to_owned());
    // No category is a number.
    let of_category = if job.on_null == "1" {
        "null"
    } else {
        job.on_null
    };
    for column in CATEGORIES {
        flag("--on-null", format!("{column}={of_category}"));
    }
    flag("--on-unseen", job.on_unseen.to_owned());
    job.filter
        .iter()
        .for_each(|least| flag("--where", format!("tenure_months >= {least}")));
    job.limit
        .iter()
        .for_each(|limit| flag("--limit", limit.to_string()));
    job.rows_per_part
        .iter()
        .for_each(|rows| flag("--rows-per-part", rows.to_string()));
    flag("--threads", job.threads.to_string());
    flag("--batch-rows", job.batch_rows.to_string());
    flag("--passthrough", "id".into());
    // A run that scores no row fails unless this is said.
    flag("--max-error-rate", "100%".into());
    flag(
        "--output",
        if job.rows_per_part.is_some() {
            "out/".into()
        } else {
            "out.parquet".to_owned()
        },
    );
    let run = room.run(&line);
    let fates: Vec<Fate> = job
        .files
        .iter()
        .flatten()
        .take(job.limit.unwrap_or(usize::MAX))
        .map(|row| fate(job, row))
        .collect();
    if fates.contains(&Fate::Fatal) {
        let run = run.fails(1);
        assert!(
            parts(&room, "out").is_empty() && !room.path("out.parquet").exists(),
            "{run}"
        );
        return;
    }
    let run = run.ok();
    let json = run.json();
    let of = |expected: Fate| {
        (0..fates.len())
            .filter(|&id| fates[id] == expected)
            .collect::<Vec<usize>>()
    };
    let account = |json: &Json| {
        ["rows_in", "scored", "rejected", "filtered"]
            .map(|name| json[name].as_u64().unwrap() as usize)
    };
    let total = account(&json["ledger"]);
    assert_eq!(
        total,
        [
            fates.len(),
            of(Fate::Scored).len(),
            of(Fate::Rejected).len(),
            of(Fate::Filtered).len()
        ],
        "{job:?} {run}"
    );
    let mut next = 0;
    for (name, rows) in names.iter().zip(&job.files) {
        let ids: BTreeSet<usize> = (next..(next + rows.len()).min(fates.len())).collect();
        next = (next + rows.len()).min(fates.len());
        let count = |expected: Fate| of(expected).iter().filter(|id| ids.contains(id)).count();
        let expected = [
            ids.len(),
            count(Fate::Scored),
            count(Fate::Rejected),
            count(Fate::Filtered),
        ];
        assert_eq!(
            account(&json["files"][name]),
            expected,
            "{name}: {job:?} {run}"
        );
    }
    let (scored, rejected) = if job.rows_per_part.is_some() {
        (parts(&room, "out"), parts(&room, "out/_tallow/rejected"))
    } else {
        (
            vec!["out.parquet".to_owned()],
            ["out.rejected.pq".to_owned()]
                .into_iter()
                .filter(|name| room.path(name).exists())
                .collect(),
        )
    };
    assert_eq!(ids(&room, &scored), of(Fate::Scored), "{job:?}");
    assert_eq!(ids(&room, &rejected), of(Fate::Rejected), "{job:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200,
        failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_of_any_table_is_accounted_for(job in job()) {
        check(&job);
    }
}
