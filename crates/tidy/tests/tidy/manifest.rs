//! `Cargo.toml` as far as the rules need it: sections, keys, values and comments, line by line.

use crate::workspace::{File, files};

/// `key = value # comment` in a section.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The section's name, without brackets.
    pub(crate) section: &'a str,
    /// What stands before the first `=`.
    pub(crate) key: &'a str,
    /// What stands after it, without the comment.
    pub(crate) value: &'a str,
    /// What stands after the `#`, trimmed.
    pub(crate) comment: &'a str,
}

impl Entry<'_> {
    /// Whether it names a dependency, of whatever kind.
    pub(crate) fn is_dependency(&self) -> bool {
        self.section.ends_with("dependencies")
    }

    /// The dependency's name: `serde` of `serde.workspace`.
    pub(crate) fn dependency(&self) -> &str {
        self.key.split('.').next().unwrap_or(self.key)
    }
}

/// Every entry of a manifest.
pub(crate) fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut section = "";
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let (content, comment) = split_comment(line);
        let content = content.trim();
        if let Some(name) = content.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim_matches(['[', ']']);
        } else if let Some((key, value)) = content.split_once('=') {
            let (key, value) = (key.trim(), value.trim());
            found.push(Entry { line: i + 1, section, key, value, comment });
        }
    }
    found
}

/// The manifests of the crates, with the crates' folder names. What lies within a crate and has one of
/// its own is no part of the house, as the fuzzers are.
pub(crate) fn of_crates() -> impl Iterator<Item = (&'static str, &'static File)> {
    files().iter().filter_map(|file| {
        let name = file.path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
        (!name.contains('/')).then_some((name, file))
    })
}

/// A `#` within a string begins no comment.
fn split_comment(line: &str) -> (&str, &str) {
    let mut quoted = false;
    for (i, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return (&line[..i], line[i + 1..].trim()),
            _ => {}
        }
    }
    (line, "")
}

#[test]
fn a_manifest_is_read_by_section() {
    let text = "[dependencies]\nserde.workspace = true\nx = { path = \"a#b\" } # why\n";
    let read = entries(text);
    assert_eq!(read[0].dependency(), "serde");
    assert_eq!((read[1].line, read[1].comment, read[1].section), (3, "why", "dependencies"));
    assert_eq!(read[1].value, "{ path = \"a#b\" }");
}
