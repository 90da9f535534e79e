//! Each dependency says why it is here, and each crate keeps the lints of the house.

use crate::finding::{Finding, assert_none, assert_one};
use crate::manifest::{entries, of_crates};
use crate::workspace::file;

/// A reason is more than a word.
const SHORTEST_WHY: usize = 5;

fn whys(path: &str, manifest: &str) -> Vec<Finding> {
    entries(manifest)
        .iter()
        .filter(|entry| entry.is_dependency() && !entry.key.ends_with(".workspace"))
        .filter(|entry| entry.comment.len() < SHORTEST_WHY)
        .map(|entry| {
            let what = format!("say behind `{}` why it is here: `# …`", entry.dependency());
            Finding::at(path, entry.line, what)
        })
        .collect()
}

fn lints(path: &str, manifest: &str) -> Option<Finding> {
    let inherits = |text: &str| {
        entries(text)
            .iter()
            .any(|it| (it.section, it.key, it.value) == ("lints", "workspace", "true"))
    };
    (!inherits(manifest))
        .then(|| Finding::of(path, "add `[lints]` and `workspace = true`, as every crate has"))
}

/// What the workspace's own lints must say.
fn forbids_unsafe(path: &str, manifest: &str) -> Option<Finding> {
    let forbidden = entries(manifest).iter().any(|it| {
        (it.section, it.key, it.value) == ("workspace.lints.rust", "unsafe_code", "\"forbid\"")
    });
    (!forbidden).then(|| Finding::of(path, "`[workspace.lints.rust]` must forbid `unsafe_code`"))
}

#[test]
fn every_dependency_says_why() {
    let root = file("Cargo.toml").expect("the workspace has a manifest");
    let mut findings = whys(&root.path, &root.text);
    findings.extend(of_crates().flat_map(|(_, file)| whys(&file.path, &file.text)));
    assert_none(&findings);
}

#[test]
fn every_crate_keeps_the_lints() {
    let root = file("Cargo.toml").expect("the workspace has a manifest");
    let mut findings: Vec<Finding> =
        of_crates().filter_map(|(_, file)| lints(&file.path, &file.text)).collect();
    findings.extend(forbids_unsafe(&root.path, &root.text));
    assert_none(&findings);
}

#[test]
fn a_dependency_without_a_reason_is_seen() {
    let manifest = "[dependencies]\nserde.workspace = true\nrand = \"1\"\nlog = \"1\" # x\n";
    let findings = whys("Cargo.toml", manifest);
    assert_eq!(findings.iter().map(|it| it.line).collect::<Vec<_>>(), [3, 4]);
    assert_none(&whys("Cargo.toml", "[workspace.dependencies]\nx = \"1\" # it does a thing\n"));
}

#[test]
fn a_crate_without_the_lints_is_seen() {
    let found: Vec<Finding> =
        lints("Cargo.toml", "[package]\nname = \"x\"\n").into_iter().collect();
    assert_one(&found, 0, "[lints]");
    assert!(lints("Cargo.toml", "[lints]\nworkspace = true\n").is_none());
    let lax = "[workspace.lints.rust]\nunsafe_code = \"deny\"\n";
    assert!(forbids_unsafe("Cargo.toml", lax).is_some());
}
