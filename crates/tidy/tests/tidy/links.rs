//! A link in a document leads to a file and a heading that exist.

use std::collections::BTreeSet;

use crate::finding::{Finding, assert_none, assert_one};
use crate::workspace::{File, file, files, root};

/// Where a link leads: `(line, target)`. Code is not read, links to the web are not followed.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (i, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced || line.starts_with("    ") {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            let target = &rest[..rest.find([')', ' ']).unwrap_or(rest.len())];
            if !target.contains("://") && !target.starts_with("mailto:") && !in_code(line, at) {
                found.push((i + 1, target));
            }
        }
    }
    found
}

/// Whether the place stands between backticks.
fn in_code(line: &str, at: usize) -> bool {
    let before = line[..at].matches('`').count();
    before % 2 == 1 && line[at..].contains('`')
}

/// The anchors a document has, as forges make them of its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase())
        .map(|heading| {
            heading
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

/// `docs/a.md` + `../b.md` -> `b.md`.
fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn check(document: &File, text_of: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, target) in targets(&document.text) {
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path =
            if path.is_empty() { document.path.clone() } else { resolve(&document.path, path) };
        let wrong = match text_of(&path) {
            None => format!("the link leads to `{path}`, which does not exist"),
            Some(text) if !anchor.is_empty() && !anchors(&text).contains(anchor) => {
                format!("`{path}` has no heading `#{anchor}`")
            }
            Some(_) => continue,
        };
        findings.push(Finding::at(&document.path, line, wrong));
    }
    findings
}

/// The text at a path; empty for a folder or what is no text.
fn text_of(path: &str) -> Option<String> {
    match file(path) {
        Some(file) => Some(file.text.clone()),
        None => root().join(path).exists().then(String::new),
    }
}

#[test]
fn every_link_leads_somewhere() {
    let documents = files().iter().filter(|file| file.extension() == Some("md"));
    let findings: Vec<Finding> = documents.flat_map(|file| check(file, text_of)).collect();
    assert_none(&findings);
}

#[test]
fn a_dead_link_is_seen() {
    let there = |path: &str| (path == "docs/b.md").then(|| "# One & two\n".to_owned());
    let look = |text: &str| check(&File::new("docs/a.md", text), there);
    assert_none(&look("[b](b.md) [c](https://c.d/e) `[x](y)`\n```\n[z](z)\n```\n"));
    assert_none(&look("[b](../docs/b.md#one--two)\n"));
    assert_one(&look("\n[b](../b.md)\n"), 2, "`b.md`, which does not exist");
    assert_one(&look("[b](b.md#three)\n"), 1, "no heading `#three`");
}
