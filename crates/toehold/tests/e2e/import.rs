//! A job of Jenkins, carried over by the command.

use std::path::Path;
use std::process::{Command, Output};

use crate::stage::said;

const JOB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/tests/golden/jenkins/origin.xml");

fn import(folder: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_toehold"))
        .current_dir(folder)
        .args(["import", "jenkins", JOB])
        .args(more)
        .output()
        .expect("the program runs")
}

#[test]
fn a_job_of_jenkins_becomes_a_file_that_can_be_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let shown = import(folder.path(), &[]);
    assert!(shown.status.success(), "{}", said(&shown));
    let toml = String::from_utf8_lossy(&shown.stdout);
    assert!(toml.contains("\"M3\" = \"stable\""), "stdout is the file: {toml}");
    let talk = String::from_utf8_lossy(&shown.stderr);
    assert!(talk.contains("origin.xml:33: GitHubPushTrigger: "), "stderr is talk: {talk}");
    assert!(import(folder.path(), &["--out", "toehold.toml"]).status.success());
    let checked = Command::new(env!("CARGO_BIN_EXE_toehold"))
        .current_dir(folder.path())
        .args(["config", "check"])
        .output()
        .expect("the program runs");
    assert!(checked.status.success(), "{}", said(&checked));
    std::fs::write(folder.path().join("toehold.toml"), "# by hand\n").expect("written");
    let again = import(folder.path(), &["--out", "toehold.toml"]);
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
    let kept = std::fs::read_to_string(folder.path().join("toehold.toml")).expect("it is there");
    assert_eq!(kept, "# by hand\n");
}
