//! Runs killed at random moments and at chosen ones: whatever a reader sees is whole and of one
//! version, and the same command again ends in the same bytes.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::Sweep;
use crate::harness::{Room, data};
use crate::mutation::Generator;
use crate::recovery::{SCORE, correct, files, room};

/// A command whose output must survive, and what lies there before it.
struct Scenario {
    name: &'static str,
    /// Runs that make what is there before.
    before: &'static [&'static str],
    /// The command; `{}` is [`SCORE`].
    line: &'static str,
    /// Whether rejected rows of the data set are corrected before the command.
    corrects: bool,
    /// Paths that show that the run has come to a certain step: it is killed there.
    steps: &'static [&'static str],
}

const SCENARIOS: [Scenario; 7] = [
    Scenario {
        name: "a data set",
        before: &[],
        line: "{} --output out/set/ --batch-rows 100",
        corrects: false,
        steps: &[
            "out/set/_tallow/identity.json",
            "out/set/_tallow/staged",
            "out/set/_tallow/part-00000.json",
            "out/set/_tallow/part-00017.json",
            "out/set/_tallow/publication.json",
            "out/set/part-00000.parquet",
            "out/set/_tallow/rejected",
            "out/set/part-00021.parquet",
            "out/set/_SUCCESS",
        ],
    },
    Scenario {
        name: "a data set with partitions",
        before: &[],
        line: "{} --output out/set/ --batch-rows 100 --partition-by region",
        corrects: false,
        steps: &[
            "out/set/_tallow/part-00002.json",
            "out/set/_tallow/publication.json",
            "out/set/region=north",
            "out/set/region=south",
        ],
    },
    Scenario {
        name: "a data set over an old one",
        before: &[
            "score --quiet --model good.json in-1.parquet --on-null a=reject --rows-per-part 500 \
             --output out/set/",
        ],
        line: "{} --output out/set/ --batch-rows 100 --overwrite",
        corrects: false,
        steps: &[
            "out/set/_tallow/part-00003.json",
            "out/set/_tallow/publication.json",
            "out/set/part-00021.parquet",
        ],
    },
    Scenario {
        name: "a data set whose rows are corrected",
        before: &["{} --output out/set/"],
        line: "retry --quiet --batch-rows 100 --threads 1 out/set",
        corrects: true,
        steps: &[
            "out/set/_tallow/part-00001.json",
            "out/set/_tallow/publication.json",
        ],
    },
    Scenario {
        name: "a Parquet file",
        before: &[],
        line: "score --quiet --model good.json in-0.parquet in-1.parquet --on-null a=reject \
               --batch-rows 50 --output out/all.parquet",
        corrects: false,
        steps: &[
            "out/.all.parquet.lock",
            "out/all.parquet",
            "out/all.rejected.pq",
        ],
    },
    Scenario {
        name: "a CSV file over an old one",
        before: &[
            "score --quiet --model good.json in-1.parquet --on-null a=reject --output out/all.csv",
        ],
        line: "score --quiet --model good.json in-0.parquet in-1.parquet --on-null a=reject \
               --batch-rows 50 --output out/all.csv --overwrite",
        corrects: false,
        steps: &["out/.all.csv.lock"],
    },
    Scenario {
        name: "a data set that is started over",
        before: &["{} --output out/set/ --limit 5000"],
        line: "{} --output out/set/ --batch-rows 100 --restart --overwrite",
        corrects: false,
        steps: &[
            "out/set/_tallow/part-00003.json",
            "out/set/_tallow/publication.json",
        ],
    },
];

type Tree = BTreeMap<String, Vec<u8>>;

/// What readers see below a directory, apart from what shows times, and from what a run keeps for
/// itself.
fn seen(directory: &Path) -> Tree {
    let is_state = |name: &str| {
        name.split('/')
            .any(|part| part.starts_with('.') || part.starts_with("_tallow"))
    };
    let is_hidden = |name: &str| {
        is_state(name) && (!name.contains("set/_tallow/rejected/") || name.contains("/."))
    };
    let is_timed = |name: &str| {
        let name = name.rsplit('/').next().unwrap_or(name);
        name.starts_with("_manifest") || name.contains("report")
    };
    files(directory)
        .into_iter()
        .filter(|(name, _)| !is_hidden(name) && !is_timed(name))
        .collect()
}

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    assert!(
        Command::new("cp")
            .arg("-r")
            .args([from, to])
            .status()
            .unwrap()
            .success()
    );
}

fn line(text: &str) -> String {
    text.replace("{}", SCORE)
}

fn start(room: &Room, text: &str) -> Child {
    room.command()
        .args(text.split_whitespace())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What a scenario begins with and ends in.
struct Stage {
    room: Room,
    line: String,
    before: Tree,
    after: Tree,
    length: Duration,
}

impl Stage {
    fn new(scenario: &Scenario) -> Self {
        let room = room();
        std::fs::create_dir(room.path("out")).unwrap();
        scenario
            .before
            .iter()
            .for_each(|before| _ = room.tallow(&line(before)).ok());
        if scenario.corrects {
            let parts = room
                .listing_of("out/set/_tallow/rejected")
                .into_iter()
                .map(|name| name.split('.').next().unwrap().to_owned());
            parts
                .collect::<Vec<String>>()
                .iter()
                .for_each(|part| correct(&room, "out/set", part, 10));
        }
        copy(&room.path("out"), &room.path("start"));
        let line = line(scenario.line);
        let began = Instant::now();
        room.tallow(&line).ok();
        let (length, after) = (began.elapsed(), seen(&room.path("out")));
        let before = seen(&room.path("start"));
        assert!(before != after, "{}: nothing happens", scenario.name);
        Self {
            room,
            line,
            before,
            after,
            length,
        }
    }

    fn out(&self) -> PathBuf {
        self.room.path("out")
    }

    /// Runs the command and kills it at `moment`, which is given the process and returns when it is
    /// time.
    fn killed(&self, moment: impl FnOnce(&mut Child)) -> bool {
        let mut run = start(&self.room, &self.line);
        moment(&mut run);
        let _ = run.kill();
        run.wait().unwrap().signal() == Some(9)
    }

    /// Checks what readers see now.
    fn check(&self, index: &str) {
        let found = seen(&self.out());
        if let Ok(manifest) = std::fs::read(self.out().join("set/_tallow/manifest.json"))
            && self.out().join("set/_SUCCESS").exists()
        {
            let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
            for file in manifest["parts"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|part| part["files"].as_array().unwrap())
            {
                let name = file["path"].as_str().unwrap();
                let bytes = std::fs::read(self.out().join("set").join(name))
                    .unwrap_or_else(|error| panic!("{index}: {name}: {error}"));
                let digest = tallow::digest::hexadecimal(&Sha256::digest(bytes));
                assert_eq!(
                    file["sha256"].as_str(),
                    Some(digest.as_str()),
                    "{index}: `_SUCCESS`, and another {name}"
                );
            }
        }
        for (name, bytes) in &found {
            let is_whole = [&self.before, &self.after]
                .iter()
                .any(|version| version.get(name) == Some(bytes));
            assert!(is_whole, "{index}: {name} is torn, or of neither version");
        }
    }

    /// Runs the command to its end and checks what it made, then makes everything as it was.
    fn finish(&self, index: &str) {
        self.room.tallow(&self.line).ok();
        let found = seen(&self.out());
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            self.after.keys().collect::<Vec<_>>(),
            "{index}: other files"
        );
        assert!(found == self.after, "{index}: other bytes");
        self.reset();
    }

    fn reset(&self) {
        copy(&self.room.path("start"), &self.out());
    }
}

/// A moment within a run, a little behind its end at most.
fn moment(random: &mut Generator, length: Duration) -> Duration {
    length.mul_f64(random.below(1_200) as f64 / 1_000.0)
}

#[test]
fn a_run_killed_at_random_moments_leaves_nothing_torn_and_ends_in_the_same_bytes() {
    for scenario in &SCENARIOS {
        let stage = Stage::new(scenario);
        stage.reset();
        let mut kills = 0;
        for (seed, mut random) in Sweep::new(2) {
            let index = format!("{}, seed {seed}", scenario.name);
            // Killed a few times in a row, each time going on where the one before was killed.
            for _ in 0..=random.below(4) {
                let wait = moment(&mut random, stage.length);
                kills += u64::from(stage.killed(|_| std::thread::sleep(wait)));
                stage.check(&index);
            }
            stage.finish(&index);
        }
        assert!(kills > 0, "{}: never killed while it ran", scenario.name);
    }
}

#[test]
fn a_run_killed_at_each_of_its_steps_leaves_nothing_torn_and_ends_in_the_same_bytes() {
    for scenario in &SCENARIOS {
        let stage = Stage::new(scenario);
        for step in scenario.steps {
            stage.reset();
            let path = stage.room.path(step);
            let was_there = path.exists();
            let reached = |run: &mut Child| {
                while was_there == path.exists() && run.try_wait().unwrap().is_none() {
                    std::hint::spin_loop();
                }
            };
            stage.killed(reached);
            let index = format!("{}, at {step}", scenario.name);
            stage.check(&index);
            stage.finish(&index);
        }
    }
}

/// Runs with challengers, of which one scores, one hangs inside a block from row 250 on and one
/// fails: the champion's data set is that of a run alone, wherever the run is killed.
#[test]
fn the_champions_bytes_survive_kills_with_challengers_that_hang_and_fail() {
    let room = room();
    std::fs::copy(data("challengers/loop.onnx"), room.path("loop.onnx")).unwrap();
    let good = std::fs::read_to_string(room.path("good.json")).unwrap();
    let next = good.replace("1.4904803E-1", "3.4904803E-1");
    room.file("next.json", &next);
    room.file("broken.json", r#"{"learner": 1}"#);
    let row = |row| format!("{},{}", if row == 250 { 9e8 } else { 1.0 }, row % 5);
    let rows: Vec<String> = (0..500).map(row).collect();
    room.file("rows.csv", format!("a,b\n{}\n", rows.join("\n")));
    let score = "score -qq --model good.json rows.csv --features a,b --batch-rows 25 \
                 --rows-per-part 50 --threads 2";
    room.tallow(&format!("{score} --output alone/set/")).ok();
    let challenged = format!(
        "{score} --output out/set/ --challenger next.json --challenger loop.onnx \
         --challenger broken.json --challenger-time 1s"
    );
    let of = |directory: &str, prefix: &str| -> Tree {
        let found = seen(&room.path(directory)).into_iter();
        found.filter(|(name, _)| name.starts_with(prefix)).collect()
    };
    let expected = of("alone", "set/");
    assert!(expected.len() > 10, "{:?}", expected.keys());
    room.tallow(&challenged).ok();
    assert!(of("out", "set/") == expected, "with challengers");
    let answered = of("out", "set.challengers/next/");
    assert!(answered.len() > 10, "{:?}", seen(&room.path("out")).keys());
    let steps = [
        "out/set/_tallow/part-00001.json",
        "out/set/_tallow/part-00004.json",
        "out/set/_tallow/part-00006.json",
        "out/set/_tallow/publication.json",
    ];
    let mut kills = 0;
    for step in steps {
        std::fs::remove_dir_all(room.path("out")).unwrap();
        let path = room.path(step);
        let mut run = start(&room, &challenged);
        while !path.exists() && run.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        if step.ends_with("00004.json") {
            // While the challenger hangs.
            std::thread::sleep(Duration::from_millis(300));
        }
        let _ = run.kill();
        kills += u64::from(run.wait().unwrap().signal() == Some(9));
        for (name, bytes) in of("out", "set/") {
            assert!(
                expected.get(&name) == Some(&bytes),
                "{step}: {name} is torn"
            );
        }
        room.tallow(&challenged).ok();
        assert!(of("out", "set/") == expected, "{step}: other bytes");
        assert!(
            of("out", "set.challengers/next/") == answered,
            "{step}: other answers"
        );
        let hung = of("out", "set.challengers/loop/");
        assert!(
            !hung.keys().any(|name| name.ends_with("_SUCCESS")),
            "{step}"
        );
    }
    assert!(kills > 0, "never killed while it ran");
}
