//! Names that say nothing hide that nobody knew where a thing belongs.

use crate::code::Code;
use crate::finding::{Finding, assert_none, assert_one};
use crate::workspace::{File, rust};

/// Names of files and folders, and the ends of the names of types.
const EMPTY: [&str; 8] =
    ["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc"];

fn check(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    if file.name() == "mod.rs" {
        let what = "write `room.rs` beside the folder `room/`, so that tabs have names";
        findings.push(Finding::of(&file.path, what));
    }
    let parts = file.path.trim_end_matches(".rs").split('/');
    for part in parts.filter(|part| EMPTY.contains(part)) {
        let what = format!("`{part}` says nothing: name it for what it does");
        findings.push(Finding::of(&file.path, what));
    }
    for (number, line, _) in Code::read(&file.text).numbered() {
        if let Some(name) = declared(line).filter(|name| says_nothing(name)) {
            let what = format!("`{name}` says nothing: name it for what it does");
            findings.push(Finding::at(&file.path, number, what));
        }
    }
    findings
}

fn says_nothing(name: &str) -> bool {
    let last = name.rfind(char::is_uppercase).map_or(name, |at| &name[at..]);
    EMPTY.contains(&last.to_lowercase().as_str()) || name.starts_with("do_")
}

/// The name a line declares: a type, a module or a function.
fn declared(line: &str) -> Option<&str> {
    let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.find(|word| matches!(*word, "struct" | "enum" | "trait" | "type" | "mod" | "fn"))?;
    words.next().filter(|name| !name.is_empty())
}

#[test]
fn names_say_what_is_meant() {
    let findings: Vec<Finding> = rust().flat_map(check).collect();
    assert_none(&findings);
}

#[test]
fn names_that_say_nothing_are_seen() {
    let look = |path: &str, text: &str| check(&File::new(path, text));
    assert_one(&look("crates/x/src/a/mod.rs", ""), 0, "room.rs");
    assert_one(&look("crates/x/tests/common/stage.rs", ""), 0, "`common`");
    assert_one(&look("crates/x/src/utils.rs", ""), 0, "`utils`");
    assert_one(&look("crates/x/src/a.rs", "\npub struct LinkManager {\n"), 2, "`LinkManager`");
    assert_one(&look("crates/x/src/a.rs", "pub(crate) fn do_it() {\n"), 1, "`do_it`");
    assert_one(&look("crates/x/src/a.rs", "mod helper {\n"), 1, "`helper`");
    assert_none(&look("crates/x/src/a.rs", "struct Commonwealth;\nfn donate() {}\n"));
}
