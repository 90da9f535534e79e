//! `toehold demo`, which fails where anything of the story did not truly happen.

use std::process::{Command, Stdio};

#[test]
fn the_whole_story_is_true() {
    let output = Command::new(env!("CARGO_BIN_EXE_toehold"))
        .args(["--json", "demo"])
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
