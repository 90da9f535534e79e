//! Libraries never print, exit or parse arguments: that is the command's.

use crate::code::{Code, has_word};
use crate::finding::{Finding, assert_none, assert_one};
use crate::workspace::{File, rust};

/// What belongs to the command, and what a library does instead.
const COMMAND_ONLY: [(&str, &str); 8] = [
    ("println!", "return it, or log it with `tracing`"),
    ("eprintln!", "return it, or log it with `tracing`"),
    ("print!", "return it, or log it with `tracing`"),
    ("eprint!", "return it, or log it with `tracing`"),
    ("process::exit", "return an error"),
    ("env::args", "take the value as an argument"),
    ("env::args_os", "take the value as an argument"),
    ("clap", "take the value as an argument"),
];

fn check(file: &File) -> Vec<Finding> {
    let is_library = file.source().is_some_and(|(name, _)| name != "toehold");
    if !is_library || file.is_test {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line, _) in Code::read(&file.text).numbered().filter(|&(_, _, test)| !test) {
        if let Some((word, instead)) = COMMAND_ONLY.iter().find(|(word, _)| has_word(line, word)) {
            let what = format!("`{word}` in a library: {instead}");
            findings.push(Finding::at(&file.path, number, what));
        }
    }
    findings
}

#[test]
fn libraries_leave_the_terminal_to_the_command() {
    let findings: Vec<Finding> = rust().flat_map(check).collect();
    assert_none(&findings);
}

#[test]
fn a_library_that_prints_is_seen() {
    let look = |path: &str, text: &str| check(&File::new(path, text));
    let prints = "fn f() {\n    println!(\"x\");\n}\n";
    assert_one(&look("crates/proxy/src/tls.rs", prints), 2, "`println!` in a library");
    assert_none(&look("crates/toehold/src/report.rs", prints));
    assert_none(&look("crates/proxy/tests/it/main.rs", prints));
    assert_one(&look("crates/host/src/lock.rs", "std::process::exit(1);\n"), 1, "an error");
}
