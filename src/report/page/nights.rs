//! Which reports belong together: the nights of a page.
//!
//! Owns that alone. It must not know how facts are shown.

use std::collections::HashMap;

use super::night::{Indexed, Night};
use crate::report::stored::StoredReport;
use crate::report::{evaluation, number};

/// The nights of these reports, the earliest first. An evaluation belongs to the run that made its
/// predictions. Other reports of different kinds belong together if they are of the same day, the
/// first of one kind to the first of another, and so on, unless they name different models.
#[must_use]
pub(super) fn nights(reports: &[StoredReport]) -> Vec<Night<'_>> {
    let mut all: Vec<Indexed> = reports.iter().map(Indexed::new).collect();
    all.sort_by_key(Indexed::started_at);
    let (of_runs, others): (Vec<Indexed>, Vec<Indexed>) =
        all.into_iter().partition(|one| scored_by(one).is_some());
    let mut nights = of_days(others);
    // The latest evaluation of a run knows the most labels.
    for report in of_runs.into_iter().rev() {
        let mut made = nights
            .iter_mut()
            .rev()
            .filter(|night| may_have(night, &report));
        match made.find(|night| ran(night, &report)) {
            Some(night) => night.add(report),
            None => nights.push(Night::with_one(report)),
        }
    }
    nights.sort_by_key(|night| night.main().started_at());
    nights
}

/// The nights of reports that name no run.
fn of_days(reports: Vec<Indexed<'_>>) -> Vec<Night<'_>> {
    let kinds: Vec<&str> = reports.iter().map(Indexed::kind).collect();
    let is_single = ["ledger", "evaluation", "drift", "run"]
        .iter()
        .all(|kind| kinds.iter().filter(|one| *one == kind).count() < 2);
    let mut nights: Vec<((String, usize), Night)> = Vec::new();
    let mut counts: HashMap<(String, &str), usize> = HashMap::new();
    for (report, kind) in reports.into_iter().zip(kinds) {
        // One report of each kind is one night, whenever they were made.
        let day = if is_single {
            String::new()
        } else {
            number::day(report.started_at()).to_owned()
        };
        let count = counts.entry((day.clone(), kind)).or_default();
        let key = (day, *count);
        *count += 1;
        let mut same = nights.iter_mut().filter(|(own, _)| *own == key);
        match same.find(|(_, night)| may_have(night, &report)) {
            Some((_, night)) => night.add(report),
            None => nights.push((key, Night::with_one(report))),
        }
    }
    nights.into_iter().map(|(_, night)| night).collect()
}

/// The run that made the predictions of an evaluation, where it names one.
fn scored_by<'a>(report: &Indexed<'a>) -> Option<&'a str> {
    report.text(evaluation::SECTION, "", evaluation::RUN_ID)
}

/// Whether the run of a night made the predictions of an evaluation.
fn ran(night: &Night<'_>, evaluation: &Indexed<'_>) -> bool {
    let mut runs = night.reports().iter().filter(|one| one.kind() == "ledger");
    runs.any(|one| Some(one.report.run_id.as_str()) == scored_by(evaluation))
}

/// Whether a report fits into a night: no other is of its kind, and none of another model.
fn may_have(night: &Night<'_>, report: &Indexed<'_>) -> bool {
    let model = |one: &Indexed<'_>| one.text("model", "", "digest").map(str::to_owned);
    let own = model(report);
    night.reports().iter().all(|one| {
        let is_same = model(one).is_none_or(|other| own.is_none() || Some(other) == own);
        one.kind() != report.kind() && is_same
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Fact;

    fn report(kind: &'static str, day: u32, run_id: &str, further: Vec<Fact>) -> StoredReport {
        let started_at = format!("2026-11-{day:02}T02:00:00Z");
        let facts = vec![
            Fact::text("run", "", "started_at", started_at),
            Fact::count(kind, "", "rows_in", 10, "rows"),
        ];
        StoredReport {
            run_id: run_id.to_owned(),
            facts: facts.into_iter().chain(further).collect(),
        }
    }

    fn evaluation_of(run_id: &str, day: u32, name: &str) -> StoredReport {
        let run = Fact::text("evaluation", "", "run_id", run_id);
        report("evaluation", day, name, vec![run])
    }

    fn names(reports: &[StoredReport]) -> Vec<Vec<String>> {
        let names = |night: &Night<'_>| {
            let reports = night.reports().iter();
            reports.map(|one| one.report.run_id.clone()).collect()
        };
        nights(reports).iter().map(names).collect()
    }

    #[test]
    fn an_evaluation_belongs_to_the_run_that_scored_its_rows() {
        let runs = ["a", "b", "c"];
        let runs = runs.iter().zip(1..);
        let mut all: Vec<StoredReport> = runs
            .map(|(run_id, day)| report("ledger", day, run_id, Vec::new()))
            .collect();
        // Three days late, twice; and of a run whose report is not here.
        all.extend([
            evaluation_of("a", 4, "early"),
            evaluation_of("a", 5, "late"),
            evaluation_of("x", 3, "other"),
        ]);
        let expected = [
            vec!["a", "late"],
            vec!["b"],
            vec!["c"],
            vec!["other"],
            vec!["early"],
        ];
        assert_eq!(names(&all), expected);
    }

    #[test]
    fn reports_that_name_no_run_go_by_their_day_and_their_model() {
        let digest = |text: &str| vec![Fact::text("model", "", "digest", text)];
        let run = report("ledger", 1, "a", digest("sha256:1"));
        let same = report("evaluation", 9, "same", digest("sha256:1"));
        let unknown = report("evaluation", 9, "unknown", Vec::new());
        let other = report("evaluation", 9, "other", digest("sha256:2"));
        assert_eq!(names(&[run.clone(), same]), [["a", "same"]]);
        assert_eq!(names(&[run.clone(), unknown]), [["a", "unknown"]]);
        assert_eq!(names(&[run, other]), [["a"], ["other"]]);
    }
}
