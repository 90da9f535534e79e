//! The reference pages are made from the comments beside the code, so that they cannot say anything
//! else. `TIDY_WRITE=1 cargo test -p tidy` writes them anew.

use std::fmt::Write as _;
use std::fs;

use crate::finding::{Finding, assert_none, assert_one};
use crate::items::{Item, items};
use crate::workspace::{File, file, root};

/// Where the made part of a page begins and ends.
const BEGIN: &str = "<!-- made from the code by `TIDY_WRITE=1 cargo test -p tidy`: begin -->\n";
const END: &str = "<!-- end -->";

/// The keys of `toehold.toml`: a table for each section, in the order of the code.
fn keys(source: &str) -> String {
    let mut page = String::new();
    for item in items(source).iter().filter(|item| item.name.starts_with("Raw")) {
        let (heading, doc) = section(item);
        let doc = if doc.is_empty() { String::new() } else { format!("{}\n\n", capital(doc)) };
        let _ = write!(page, "\n## {heading}\n\n{doc}| key | meaning |\n|---|---|\n");
        for part in &item.parts {
            let _ = writeln!(page, "| `{}` | {} |", part.name, cell(&part.doc));
        }
    }
    page
}

/// What the first words of a struct's comment say it is: `` `[build]`. How it is built ``.
fn section(item: &Item) -> (&str, &str) {
    let named = item.doc.strip_prefix('`').and_then(|rest| rest.split_once('`'));
    match named {
        Some((name, rest)) if name.starts_with('[') => {
            (name, rest.trim_start_matches(['.', ':', ' ']))
        }
        _ => ("The whole file", item.doc.trim_start_matches("The whole file. ")),
    }
}

/// A sentence begins with a capital.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The kinds of events: a word and a sentence each.
fn kinds(source: &str) -> String {
    let mut page = String::from("\n| kind | meaning |\n|---|---|\n");
    let mut doc = "";
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            doc = text;
        } else if let Some((_, word)) = line.split_once(" = \"") {
            let word = word.trim_end_matches("\",");
            if word.contains('.') && line.ends_with("\",") {
                let _ = writeln!(page, "| `{word}` | {} |", cell(doc));
            }
        }
    }
    page
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The page with its made part as it should be; `None` where it has none.
fn renewed(page: &str, made: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{made}\n{END}{after}"))
}

fn check(page: &File, made: &str) -> Option<Finding> {
    match renewed(&page.text, made) {
        None => Some(Finding::of(&page.path, "the marks of what is made from the code are gone")),
        Some(text) if text != page.text => {
            let what = "is not what the code says: run `TIDY_WRITE=1 cargo test -p tidy`";
            Some(Finding::of(&page.path, what))
        }
        Some(_) => None,
    }
}

/// Compares a page with its source, or writes it where that is asked for.
fn fresh(page: &str, source: &str, render: fn(&str) -> String) {
    let page = file(page).expect("the page is there");
    let source = file(source).expect("its source is there");
    let made = render(&source.text);
    if std::env::var_os("TIDY_WRITE").is_some() {
        let text = renewed(&page.text, &made).expect("the page has the marks");
        fs::write(root().join(&page.path), text).expect("the page can be written");
        return;
    }
    assert_none(&check(page, &made).into_iter().collect::<Vec<_>>());
}

#[test]
fn the_reference_of_the_configuration_is_fresh() {
    fresh("docs/configuration.md", "crates/core/src/spec/raw.rs", keys);
}

#[test]
fn the_reference_of_the_events_is_fresh() {
    fresh("docs/events.md", "crates/core/src/model/event.rs", kinds);
}

#[test]
fn a_page_is_made_of_the_comments() {
    let source = "/// The file.\nstruct RawSpec {\n    /// Its name.\n    app: u8,\n}\n\
                  /// `[run]`: how it runs.\nstruct RawRun {\n    /// `a|b`.\n    web: u8,\n}\n";
    let page = keys(source);
    assert!(page.contains("## The whole file\n\nThe file.\n"), "{page}");
    assert!(page.contains("| `app` | Its name. |"), "{page}");
    assert!(page.contains("## [run]\n\nHow it runs.\n"), "{page}");
    assert!(page.contains("| `web` | `a\\|b`. |"), "{page}");
    let events = kinds("    /// An app was made.\n    AppCreated = \"app.created\",\n");
    assert!(events.contains("| `app.created` | An app was made. |"), "{events}");
}

#[test]
fn a_stale_page_is_seen() {
    let page = |text: &str| File::new("docs/x.md", text);
    let look = |text: &str| check(&page(text), "new").into_iter().collect::<Vec<_>>();
    assert_none(&look(&format!("a\n{BEGIN}new\n{END}\nb\n")));
    assert_one(&look(&format!("a\n{BEGIN}old\n{END}\nb\n")), 0, "not what the code says");
    assert_one(&look("a\n"), 0, "the marks");
}
