//! `tallow completions` and the help that every verb has.

use crate::harness::Room;

#[test]
fn every_shell_has_a_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = Room::new().tallow(&format!("completions {shell}")).ok();
        assert!(
            run.stdout.contains("tallow") && run.stderr.is_empty(),
            "{run}"
        );
    }
}

#[test]
fn tallow_and_every_verb_have_a_manual_page() {
    let page = Room::new().tallow("man").ok().stdout;
    assert!(
        page.contains(".TH tallow 1") && page.contains("Exit codes: 0 done"),
        "{page}"
    );
    for verb in ["score", "inspect", "check", "retry", "completions", "man"] {
        let page = Room::new().tallow(&format!("man {verb}")).ok().stdout;
        assert!(
            page.contains(&format!(".TH tallow-{verb} 1")) && page.contains(".SH OPTIONS"),
            "{page}"
        );
    }
    let room = Room::new();
    for _ in 0..2 {
        let run = room.tallow("man --output man/man1").ok();
        assert!(
            run.stdout.is_empty() && run.stderr.contains("manual pages"),
            "{run}"
        );
    }
    let pages = room.listing_of("man/man1");
    for page in [
        "tallow.1",
        "tallow-score.1",
        "tallow-registry.1",
        "tallow-registry-push.1",
    ] {
        assert!(pages.iter().any(|name| name == page), "{pages:?}");
    }
    let page = std::fs::read_to_string(room.path("man/man1/tallow-score.1")).unwrap();
    assert_eq!(page, room.tallow("man score").ok().stdout);
    room.tallow("man score --output man").fails(2);
    let run = Room::new().tallow("man scroe").fails(2);
    assert!(
        run.stderr.contains("`scroe` is not a verb")
            && run.stderr.contains("score, inspect, check"),
        "{run}"
    );
}

#[test]
fn help_of_every_verb_explains_how_to_choose() {
    for verb in ["score", "inspect", "check", "completions"] {
        let run = Room::new().tallow(&format!("{verb} --help")).ok();
        assert!(
            run.stdout.contains("Usage: tallow") && run.stderr.is_empty(),
            "{run}"
        );
    }
}

#[test]
fn a_wrong_flag_is_a_usage_error_in_text_and_in_json() {
    let run = Room::new().tallow("score --modle x").fails(2);
    assert!(
        run.stdout.is_empty() && run.stderr.contains("--modle"),
        "{run}"
    );
    let run = Room::new().tallow("score --modle x --format json").fails(2);
    assert_eq!(run.json()["exit_code"], 2);
}

#[test]
fn a_usage_error_in_json_holds_the_whole_message() {
    let json = Room::new()
        .tallow("--format=json score rows.csv")
        .fails(2)
        .json();
    assert_eq!(
        json["error"]["message"], "`tallow score` needs `--model <PATH>`, `--output <FILE|DIR/>`",
        "{json}"
    );
    let json = Room::new()
        .tallow("score --format json --modle x")
        .fails(2)
        .json();
    assert_eq!(
        (&json["error"]["message"], &json["error"]["hint"]),
        (
            &"`--modle` is not a flag of `tallow score`".into(),
            &"did you mean `--model`? `tallow score --help` shows every flag".into()
        )
    );
    assert_eq!(
        Room::new().tallow("--format json").fails(2).json()["exit_code"],
        2
    );
}

#[test]
fn a_usage_error_is_json_where_the_variable_asks_for_it_and_no_flag_states_otherwise() {
    let room = Room::new();
    let run = |flags: &[&str]| {
        room.command()
            .env("TALLOW_FORMAT", "json")
            .args(["score", "--modle", "x"])
            .args(flags)
            .output()
            .unwrap()
    };
    let json: serde_json::Value = serde_json::from_slice(&run(&[]).stdout).unwrap();
    assert_eq!(
        (&json["status"], &json["exit_code"]),
        (&"failed".into(), &2.into())
    );
    assert!(run(&["--format", "text"]).stdout.is_empty());
}
