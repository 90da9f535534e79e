//! `toehold demo`, which fails where anything of its stories did not truly happen.

use std::process::{Command, Stdio};

#[test]
fn the_whole_story_is_true() {
    is_true(&["--json", "demo"]);
}

#[test]
fn the_story_on_machines_of_a_cloud_is_true() {
    // Said aloud where hosts cannot be made here.
    if crate::hosts::network().is_some() {
        is_true(&["--json", "demo", "--machines", "ssh"]);
    }
}

fn is_true(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_toehold"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let told = String::from_utf8_lossy(&output.stdout);
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{talk}");
    let end: serde_json::Value =
        serde_json::from_str(told.lines().last().expect("an end")).expect("JSON");
    assert_eq!(end["lost"], 0);
}
