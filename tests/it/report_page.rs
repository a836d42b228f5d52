//! `tallow report`: reports as one HTML page.

use std::fmt::Write;

use regex::Regex;

use crate::harness::{Room, data};

/// What a page must be, whatever is on it: whole, of one file, without a request or a script.
fn checked(page: &str) {
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    assert!(page.contains("default-src 'none'"));
    let requests = Regex::new(r"(?i)<script|<link|<img|<iframe|\bsrc=|@import|url\(h").unwrap();
    assert!(!requests.is_match(page), "{:?}", requests.find(page));
    let address = Regex::new(r"https?://").unwrap();
    assert!(!address.is_match(page), "{:?}", address.find(page));
    for target in Regex::new(r##"href="#([^"]+)""##)
        .unwrap()
        .captures_iter(page)
    {
        assert!(
            page.contains(&format!("id=\"{}\"", &target[1])),
            "{}",
            &target[1]
        );
    }
    let coordinates = Regex::new(r"(NaN|inf)%|[MLVH](NaN|inf)").unwrap();
    assert!(!coordinates.is_match(page), "{:?}", coordinates.find(page));
    assert!(page.len() < 200_000, "{} bytes", page.len());
}

fn page(room: &Room, arguments: &str) -> String {
    room.tallow(&format!(
        "report {arguments} --output page.html --overwrite"
    ))
    .ok();
    let page = std::fs::read_to_string(room.path("page.html")).unwrap();
    checked(&page);
    page
}

/// The text of the page between tags.
fn text(page: &str) -> String {
    let body = page.split("</style>").nth(1).unwrap();
    let plain = Regex::new(r"<[^>]*>")
        .unwrap()
        .replace_all(body, " ")
        .into_owned();
    Regex::new(r"\s+")
        .unwrap()
        .replace_all(&plain, " ")
        .into_owned()
}

fn score(room: &Room, more: &str) {
    let model = data("demo/churn");
    let rows = data("demo/customers.parquet");
    room.tallow(&format!(
        "score --model {} {} {more}",
        model.display(),
        rows.display()
    ))
    .ok();
}

#[test]
fn a_run_is_a_page_with_every_section_that_its_report_has() {
    let room = Room::new();
    score(&room, "--output o.parquet --price-per-hour 0.40");
    let shown = page(&room, "o.report.pq");
    let words = text(&shown);
    for part in [
        "churn",
        "2,000 rows scored, none rejected.",
        "2,000 in = 2,000 scored + 0 rejected + 0 filtered.",
        "The mean probability is 0.274.",
        "Peak memory",
        "per million rows",
        "at 0.400 per hour",
        "total_charge missing 168 8.4%",
    ] {
        assert!(words.contains(part), "{part} in {words}");
    }
    assert!(!shown.contains("id=\"drift\"") && !shown.contains("id=\"gates\""));
    assert!(!shown.contains("id=\"evaluation\""));
    assert_eq!(
        page(&room, "o.parquet"),
        shown,
        "the output stands for its report"
    );
    assert_eq!(page(&room, "*.report.pq"), shown, "a pattern");
}

#[test]
fn a_data_set_stands_for_its_report() {
    let room = Room::new();
    score(&room, "--output scored/");
    let shown = page(&room, "scored");
    assert!(text(&shown).contains("2,000 rows scored"));
    std::fs::create_dir(room.path("empty")).unwrap();
    let refused = room.tallow("report empty --output page2.html").fails(1);
    assert!(
        refused
            .stderr
            .contains("there is no report in the directory (`empty`)"),
        "{}",
        refused.stderr
    );
}

fn table(shift: f64, plans: &[&str], missing: usize) -> String {
    let mut text = "amount,plan,secret\n".to_owned();
    for row in 0..3000_usize {
        let amount = ((row * 7919) % 1009) as f64 / 10.0 + shift;
        let amount = if row % 10 < missing {
            String::new()
        } else {
            amount.to_string()
        };
        writeln!(
            text,
            "{amount},{},user{row}@example.org",
            plans[row % plans.len()]
        )
        .unwrap();
    }
    text
}

#[test]
fn reports_of_a_run_of_drift_and_of_an_evaluation_are_one_night() {
    let room = Room::new();
    score(&room, "--output o.parquet");
    room.file("old.csv", table(0.0, &["a", "b", "b"], 1));
    room.file("new.csv", table(30.0, &["a", "b", "unheard"], 3));
    room.tallow("drift old.csv new.csv --output drift.pq").ok();
    let labels = data("demo/outcomes.csv");
    room.tallow(&format!(
        "evaluate o.parquet --label churned --labels {} --key customer_id --by region \
         --positive 1 --output evaluation.pq",
        labels.display()
    ))
    .ok();
    let shown = page(&room, "o.report.pq drift.pq evaluation.pq");
    let words = text(&shown);
    for part in [
        "2 of 3 columns drifted: ",
        "mean 50.4 \u{2192} 80.4",
        "missing 10.0% \u{2192} 30.0%",
        "new categories in 33.3% of rows",
        "AUC 0.8144",
        "ECE 0.0198",
        "The top 10% of scores hold 26.3% of positives",
        "region=east",
    ] {
        assert!(words.contains(part), "{part} in {words}");
    }
    for secret in ["unheard", "user1@", "example.org"] {
        assert!(!shown.contains(secret), "{secret}");
    }
    // Extremes of an input are values of one row each.
    assert!(!words.contains("130.8"), "the largest amount");
    let order = [
        "id=\"rows\"",
        "id=\"drift\"",
        "id=\"scores\"",
        "id=\"evaluation\"",
    ];
    let found: Vec<_> = order.iter().map(|id| shown.find(id).unwrap()).collect();
    assert!(found.is_sorted(), "{found:?}");
}

#[test]
fn a_comparison_is_a_page_of_its_verdict_metrics_decisions_and_segments() {
    let room = Room::new();
    score(&room, "--output a.parquet");
    score(&room, "--output b.parquet --trees 10");
    let labels = data("demo/outcomes.csv").display().to_string();
    let line = format!("a.parquet b.parquet --label churned --labels {labels} --key customer_id");
    let shown = room
        .tallow(&format!(
            "compare {line} --by region --output comparison.pq"
        ))
        .ok()
        .stdout;
    let sentence = shown.lines().next().unwrap().replace(" -0", " \u{2212}0");
    let sentence = sentence.replace("(-0", "(\u{2212}0");
    let shown = page(&room, "comparison.pq");
    let words = text(&shown);
    let body = shown.split("</style>").nth(1).unwrap();
    assert_eq!(body.matches(&sentence).count(), 1, "{words}");
    let hyphens = Regex::new(r"[ (]-[0-9]").unwrap();
    assert!(!hyphens.is_match(&words), "{:?}", hyphens.find(&words));
    for raw in ["psi", "delong", "mcnemar", "Version"] {
        assert!(
            !words.split(' ').any(|word| word == raw),
            "{raw} in {words}"
        );
    }
    assert!(
        Regex::new(r"agreement \d\d\.\d%").unwrap().is_match(&words),
        "{words}"
    );
    for part in [
        sentence.as_str(),
        "Comparison",
        "ROC AUC 0.8144",
        "DeLong",
        "McNemar",
        "PSI",
        "rank correlation 0.9",
        "a: 0",
        "b: 1",
        "a churn",
        "region=east",
        "Differences of scores",
        "Deciles of a in deciles of b",
    ] {
        assert!(words.contains(part), "{part} in {words}");
    }
    assert!(!words.contains("Other facts"), "{words}");
    room.tallow("compare a.parquet b.parquet --attribute --output attributed.pq")
        .ok();
    let words = text(&page(&room, "attributed.pq"));
    assert_eq!(words.matches("due to the model").count(), 1, "{words}");
    assert!(
        !words.contains("change by") && !words.contains("Other facts"),
        "{words}"
    );
    room.tallow(&format!(
        "compare {line} --gate flip_rate<0.001 --output gated.pq"
    ))
    .fails(5);
    let words = text(&page(&room, "gated.pq"));
    assert!(words.contains("The only gate failed."), "{words}");
    assert!(!words.contains("Published"), "{words}");
}

#[test]
fn models_of_a_run_and_arms_of_an_evaluation_are_tables() {
    let room = Room::new();
    let candidate = data("demo/candidate.ubj").display().to_string();
    room.file("broken.json", "{}");
    score(
        &room,
        &format!("--output o.parquet --challenger next={candidate} --challenger broken.json"),
    );
    let words = text(&page(&room, "o.parquet"));
    for part in [
        "2 models next to the run's own model",
        "champion",
        "dropped out",
        "rank correlation",
        "1 dropped out",
    ] {
        let part = part.replace('\'', "&#39;");
        assert!(words.contains(&part), "{part} in {words}");
    }
    let labels = data("demo/outcomes.csv").display().to_string();
    room.tallow(&format!(
        "evaluate o.parquet --arm next=o.parquet.challengers/next.pq --label churned --labels \
         {labels} --key customer_id --output e.pq"
    ))
    .ok();
    let words = text(&page(&room, "e.pq"));
    for part in ["Ranking", "By ROC AUC", " best ", "Less the best"] {
        assert!(words.contains(part), "{part} in {words}");
    }
    // Whichever arm comes first, the page opens with the best.
    let flipped = "evaluate o.parquet.challengers/next.pq --arm own=o.parquet --label churned \
                   --key customer_id --output f.pq --labels";
    room.tallow(&format!("{flipped} {labels}")).ok();
    let opening = |report: &str| {
        let words = text(&page(&room, report));
        let (_, rest) = words.split_once(" is first of 2 arms: ROC AUC ").unwrap();
        rest.split(' ').next().unwrap().to_owned()
    };
    assert_eq!(opening("e.pq"), opening("f.pq"));
}

#[test]
fn many_reports_are_a_history_with_control_limits() {
    let room = Room::new();
    let mut rows = "run_id,section,subject,metric,value,text,unit\n".to_owned();
    for night in 0..30 {
        let mut add = |section: &str, subject: &str, metric: &str, value: &str, text: &str| {
            writeln!(
                rows,
                "n{night:02},{section},{subject},{metric},{value},{text},"
            )
            .unwrap();
        };
        let status = if night == 20 { "withheld" } else { "done" };
        add("run", "", "status", "", status);
        add(
            "run",
            "",
            "started_at",
            "",
            &format!("2026-11-{:02}T02:00:00Z", night + 1),
        );
        add("model", "", "name", "", "churn");
        add(
            "model",
            "",
            "version",
            "",
            if night < 10 { "6" } else { "7" },
        );
        let count = 1000 + (night * 7) % 13;
        add("ledger", "", "rows_in", &count.to_string(), "");
        add("ledger", "", "scored", &count.to_string(), "");
        add("ledger", "", "rejected", "0", "");
        add("ledger", "", "filtered", "0", "");
        let js = if night == 29 {
            0.4
        } else {
            0.01 + 0.001 * f64::from(night % 5)
        };
        add("drift", "age", "js", &js.to_string(), "");
        add(
            "drift",
            "age",
            "verdict",
            "",
            if night == 29 { "drift" } else { "ok" },
        );
    }
    room.file("history.csv", &rows);
    let shown = page(&room, "history.csv");
    let words = text(&shown);
    for part in [
        "30 runs",
        "versions 6, 7",
        "js(age) is outside the usual range.",
        "js(age) 0.400 outside usual up to",
        "failed, 1",
        "Run State Rows in",
        "2026-11-21 02:00:00Z withheld",
        "Ask the owner of the data: age changed since the baseline.",
        "Drift of the last run",
    ] {
        assert!(words.contains(part), "{part} in {words}");
    }
    assert!(shown.contains("class=\"vl\"") && shown.contains("class=\"fb\""));
    assert!(
        !shown.contains("class=\"pt\""),
        "a series without gaps has no dots"
    );
}

#[test]
fn a_night_between_two_without_a_value_is_a_dot() {
    let room = Room::new();
    let mut rows = "run_id,section,subject,metric,value,text,unit\n".to_owned();
    for night in 0..9 {
        let started_at = format!("2026-11-{:02}T02:00:00Z", night + 1);
        rows += &format!("n{night},run,,status,,done,\nn{night},run,,started_at,,{started_at},\n");
        rows += &format!("n{night},ledger,,rows_in,{},,\n", 1000 + night % 2);
        if night % 4 == 0 {
            rows += &format!("n{night},evaluation,,roc_auc,0.{},,\n", 80 + night);
        }
    }
    room.file("history.csv", &rows);
    let shown = page(&room, "history.csv");
    let dots = Regex::new("class=\"pt\" d=\"(M1 [0-9]+h0)(M9 [0-9]+h0)(M17 [0-9]+h0)\"").unwrap();
    assert!(dots.is_match(&shown), "{shown}");
}

#[test]
fn facts_outside_their_limits_are_listed_and_the_others_counted() {
    let room = Room::new();
    let mut rows = "run_id,section,subject,metric,value,text,unit\n".to_owned();
    rows += "n,run,,status,,done,\nn,ledger,,rows_in,10,,\nn,history,,reports,30,,\n";
    for (name, zscore, verdict) in [
        ("mean(probability)", -5.0, "beyond"),
        ("js(age)", 9.5, "beyond"),
        ("rows_in", 0.2, "ok"),
        ("rejected", 0.0, "ok"),
        ("missing_rate(age)", 2.0, "shift"),
        ("drifted_share", 7e10, "beyond"),
    ] {
        let no_width = name == "drifted_share";
        for (metric, value) in [
            ("zscore", zscore),
            ("value", 0.25),
            ("limit_low", if no_width { -4e-12 } else { 0.1 }),
            ("limit_high", if no_width { 4e-12 } else { 0.2 }),
            ("median", if no_width { 0.0 } else { 0.15 }),
            ("nights", 30.0),
            ("adwin", f64::from(u8::from(verdict == "shift"))),
        ] {
            rows += &format!("n,history,{name},{metric},{value},,\n");
        }
        rows += &format!("n,history,{name},verdict,,{verdict},\n");
    }
    room.file("night.csv", &rows);
    let words = text(&page(&room, "night.csv"));
    let order = ["js(age)", "mean(probability)", "missing_rate(age)"];
    let section = words.split("Limits: median").nth(1).unwrap();
    let found: Vec<usize> = order.map(|name| section.find(name).unwrap()).into();
    assert!(found.is_sorted(), "{section}");
    for part in [
        "of up to 30 runs before, wider where those are few.",
        "0.100 to 0.200",
        "25.0% always 0",
        "lasting change: ADWIN",
        "2 more facts are within their limits.",
    ] {
        assert!(words.contains(part), "{part} in {words}");
    }
    assert!(
        !words.contains("Other facts") && !section.contains("rejected"),
        "{words}"
    );
}

#[test]
fn a_directory_of_reports_is_a_history() {
    let room = Room::new();
    std::fs::create_dir(room.path("h")).unwrap();
    score(&room, "--output a.parquet --report h/a.report.pq");
    score(&room, "--output b.parquet --report h/b.report.pq");
    std::fs::copy(room.path("a.parquet"), room.path("h/scores.parquet")).unwrap();
    let shown = page(&room, "h");
    assert!(text(&shown).contains("2 runs"), "{}", text(&shown));
    assert_eq!(page(&room, "h/*.report.pq"), shown);
    // One that was cut short is no silent gap.
    let whole = std::fs::read(room.path("h/a.report.pq")).unwrap();
    std::fs::write(room.path("h/a.report.pq"), &whole[..whole.len() / 2]).unwrap();
    let refused = room.tallow("report h --output cut.html").fails(1);
    assert!(refused.stderr.contains("h/a.report.pq"), "{refused}");
}

#[test]
fn predicted_labels_are_bars_and_no_number_line() {
    let room = Room::new();
    score(&room, "--output o.parquet");
    let words = text(&page(&room, "o.report.pq"));
    assert!(words.contains("Label Rows Share 0 prediction"), "{words}");
    assert!(!words.contains("Histogram of prediction"), "{words}");
}

#[test]
fn text_from_data_is_escaped_and_long_names_do_no_harm() {
    let room = Room::new();
    let name = "<script>alert(1)</script>\u{202e}&\"'";
    let facts = [
        ("run", "", "status", "", "done"),
        ("run", "", "started_at", "", name),
        ("model", "", "name", "", name),
        ("ledger", "", "rows_in", "1", ""),
        ("drift", name, "verdict", "", "drift"),
        ("drift", name, "js", "nan", ""),
        ("drift", name, "category_00_name", "", name),
        ("drift", name, "category_00_count", "5", ""),
        ("drift", name, "histogram_00_low", "inf", ""),
        ("scores", name, "mean", "-inf", ""),
        ("scores", name, "null_count", "0", ""),
        ("gates", name, "state", "", "fail"),
        ("gates", name, "value", "1e308", ""),
        ("evaluation", "", "rows_evaluated", "10", ""),
        ("evaluation", "", name, "0.5", ""),
        ("coercions", name, name, "3", ""),
        ("rejections", name, name, "3", ""),
        ("files", name, "rows_in", "3", ""),
        (
            "bad_files",
            "/home/anna/x.csv",
            "error",
            "",
            "row `4711` is bad",
        ),
        ("elsewhere", name, name, "3", "secret"),
    ];
    let mut rows = "run_id,section,subject,metric,value,text,unit\n".to_owned();
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    for (section, subject, metric, value, text) in facts {
        let cells = [name, section, subject, metric, value, text, ""].map(quoted);
        writeln!(rows, "{}", cells.join(",")).unwrap();
    }
    room.file("hostile.csv", &rows);
    let shown = page(&room, "hostile.csv");
    assert!(shown.contains("&lt;script&gt;alert(1)") || shown.contains("&#60;script&#62;alert(1)"));
    assert!(!shown.contains('\u{202e}'));
    for hidden in ["4711", "anna"] {
        assert!(!shown.contains(hidden), "{hidden}");
    }
    let open = page(&room, "hostile.csv --show-values");
    assert!(open.contains("4711") && open.contains("anna"));
}

#[test]
fn what_is_not_a_report_or_a_page_is_refused() {
    let room = Room::new();
    score(&room, "--output o.parquet");
    room.file("other.csv", "a,b\n1,2\n");
    let refusals: Vec<String> = [
        "report o.report.pq --output page.pdf",
        "report missing.pq --output page.html",
        "report other.csv --output page.html",
        "report no*.pq --output page.html",
    ]
    .iter()
    .map(|arguments| {
        let run = room.tallow(arguments);
        assert!(!room.path("page.html").exists());
        run.stderr
    })
    .collect();
    insta::assert_snapshot!("refused_report_pages", refusals.join("\n"));
    page(&room, "o.report.pq");
    let taken = room
        .tallow("report o.report.pq --output page.html")
        .fails(1);
    assert!(taken.stderr.contains("--overwrite"), "{}", taken.stderr);
}

#[test]
fn a_year_of_reports_is_a_page_of_less_than_150_kib() {
    let room = Room::new();
    let (model, rows) = (data("demo/churn"), data("demo/customers.parquet"));
    let (model, rows) = (model.display(), rows.display());
    room.tallow(&format!("profile {rows} --model {model} --output base.pq"))
        .ok();
    score(
        &room,
        "--output o.parquet --report o.csv --baseline base.pq --gate js(*)<0.5 --gate \
         missing_rate(*)<=0.5",
    );
    let report = std::fs::read_to_string(room.path("o.csv")).unwrap();
    let (head, facts) = report.split_once('\n').unwrap();
    std::fs::create_dir(room.path("year")).unwrap();
    let months = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31_u32];
    let days = (1_u32..)
        .zip(months)
        .flat_map(|(month, days)| (1..=days).map(move |day| (month, day)));
    for (night, (month, day)) in days.enumerate() {
        let mut text = format!("{head}\n");
        for (row, line) in facts.lines().enumerate() {
            let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            cells[0] = format!("run-{night}");
            if cells[3] == "started_at" {
                cells[5] = format!("2026-{month:02}-{day:02}T02:00:00Z");
            } else if ["drift", "inputs", "scores", "performance"].contains(&&*cells[1])
                && cells[4].contains('.')
                && let Ok(value) = cells[4].parse::<f64>()
            {
                let noise = (night * 7919 + row * 104_729) % 997;
                cells[4] = (value * (1.0 + noise as f64 / 20_000.0)).to_string();
            }
            text += &cells.join(",");
            text.push('\n');
        }
        room.file(&format!("year/{night:03}.csv"), text);
    }
    let shown = page(&room, "year/*.csv");
    assert!(shown.len() < 125 << 10, "{} bytes", shown.len());
}
