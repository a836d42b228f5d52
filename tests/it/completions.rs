//! `tallow completions` and the help that every verb has.

use crate::harness::Room;

#[test]
fn every_shell_has_a_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = Room::new().tallow(&format!("completions {shell}")).ok();
        assert!(run.stdout.contains("tallow") && run.stderr.is_empty(), "{run}");
    }
}

#[test]
fn help_of_every_verb_says_how_to_choose() {
    for verb in ["score", "inspect", "check", "completions"] {
        let run = Room::new().tallow(&format!("{verb} --help")).ok();
        assert!(run.stdout.contains("Usage: tallow") && run.stderr.is_empty(), "{run}");
    }
}

#[test]
fn a_wrong_flag_is_a_usage_error_in_text_and_in_json() {
    let run = Room::new().tallow("score --modle x").fails(2);
    assert!(run.stdout.is_empty() && run.stderr.contains("--modle"), "{run}");
    let run = Room::new().tallow("score --modle x --format json").fails(2);
    assert_eq!(run.json()["exit_code"], 2);
}
