//! Both licences are there in full, and every crate names them.

use crate::finding::{Finding, assert_none, assert_one};
use crate::manifest::{entries, of_crates};
use crate::workspace::file;

/// What each file must hold, from its beginning to its end.
const TEXTS: [(&str, &[&str]); 2] = [
    ("LICENSE-APACHE", &["Version 2.0, January 2004", "END OF TERMS AND CONDITIONS"]),
    ("LICENSE-MIT", &["Permission is hereby granted, free of charge", "OTHER DEALINGS IN"]),
];

fn text(name: &str, text: Option<&str>, holds: &[&str]) -> Option<Finding> {
    let whole = text.is_some_and(|text| holds.iter().all(|part| text.contains(part)));
    (!whole).then(|| Finding::of(name, "the licence must be there, in full"))
}

fn named(path: &str, manifest: &str) -> Option<Finding> {
    let inherits = entries(manifest).iter().any(|it| it.key == "license.workspace");
    (!inherits).then(|| Finding::of(path, "add `license.workspace = true`"))
}

#[test]
fn the_licences_are_there() {
    let mut findings: Vec<Finding> = TEXTS
        .iter()
        .filter_map(|(name, holds)| text(name, file(name).map(|it| it.text.as_str()), holds))
        .collect();
    findings.extend(of_crates().filter_map(|(_, file)| named(&file.path, &file.text)));
    assert_none(&findings);
}

#[test]
fn a_missing_or_cut_licence_is_seen() {
    let (name, holds) = TEXTS[0];
    let found = |given| text(name, given, holds).into_iter().collect::<Vec<_>>();
    assert_one(&found(None), 0, "in full");
    assert_one(&found(Some("Version 2.0, January 2004")), 0, "in full");
    assert!(named("Cargo.toml", "[package]\nname = \"x\"\n").is_some());
}
