//! The texts speak of the project alone: no path of somebody's machine, no host that packages
//! happened to come from.

use crate::finding::{Finding, assert_none, assert_one};
use crate::workspace::{File, files};

/// What must not be written, cut in two so that this file may hold it.
const FOREIGN: [(&str, &str); 11] = [
    (concat!("/wo", "rk/"), "a path of one machine: write it relative to the repository"),
    (concat!("/ro", "ot/"), "a path of one machine: write it relative to the repository"),
    (concat!("../sha", "red/"), "outside the repository: copy what is needed into it"),
    (concat!("target", "-h"), "a folder of one machine"),
    (concat!("static.cra", "tes.io"), "a registry's host: name the package instead"),
    (concat!("index.cra", "tes.io"), "a registry's host: name the package instead"),
    (concat!("registry.np", "mjs.org"), "a registry's host: name the package instead"),
    (concat!("files.python", "hosted.org"), "a registry's host: name the package instead"),
    (concat!("py", "pi.org"), "a registry's host: name the package instead"),
    (concat!("deb.deb", "ian.org"), "a registry's host: name the package instead"),
    (concat!("proxy.gol", "ang.org"), "a registry's host: name the package instead"),
];

fn check(file: &File) -> Vec<Finding> {
    if file.name() == "Cargo.lock" {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (i, line) in file.text.lines().enumerate() {
        for (word, why) in FOREIGN.iter().filter(|(word, _)| line.contains(word)) {
            findings.push(Finding::at(&file.path, i + 1, format!("`{word}`: {why}")));
        }
    }
    findings
}

#[test]
fn the_texts_speak_of_the_project_alone() {
    let findings: Vec<Finding> = files().iter().flat_map(check).collect();
    assert_none(&findings);
}

#[test]
fn a_foreign_path_is_seen() {
    let text = format!("see\n{}main/x\n", FOREIGN[0].0);
    assert_one(&check(&File::new("docs/guide.md", &text)), 2, "relative to the repository");
    assert_none(&check(&File::new("Cargo.lock", &text)));
    assert_none(&check(&File::new("docs/guide.md", "the work/ folder and rooted/ trees\n")));
}
