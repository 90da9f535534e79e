//! What is nowhere in the code, with what to write instead.

use crate::code::{Code, has_word};
use crate::finding::{Finding, assert_none, assert_one};
use crate::workspace::{File, rust};

/// Not even in tests.
const NOWHERE: [(&str, &str); 7] = [
    ("#[allow(", "write `#[expect(lint, reason = \"…\")]`, so that it goes when it is not needed"),
    ("#![allow(", "write `#[expect(lint, reason = \"…\")]`, so that it goes when it is not needed"),
    ("#[ignore", "a test that does not run keeps nothing: make it run or take it out"),
    ("todo!(", "write it, or leave it out and say so in the documents"),
    ("unimplemented!(", "write it, or leave it out and say so in the documents"),
    ("dbg!(", "take it out"),
    ("unsafe", "find a safe way; rustix has one for most calls"),
];

/// Only in tests.
const TESTS_ONLY: [(&str, &str); 2] = [
    (".unwrap()", "return an error, or `.expect(\"why it cannot happen\")`"),
    ("use super::*", "import by name, so that arrows can be read off the lines"),
];

fn check(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line, in_test) in Code::read(&file.text).numbered() {
        let mut find = |(word, instead): &(&str, &str)| {
            if has_word(line, word) {
                findings.push(Finding::at(&file.path, number, format!("`{word}`: {instead}")));
            }
        };
        NOWHERE.iter().for_each(&mut find);
        if !in_test && !file.is_test {
            TESTS_ONLY.iter().for_each(&mut find);
        }
    }
    findings
}

#[test]
fn the_code_keeps_its_manners() {
    let findings: Vec<Finding> = rust().flat_map(check).collect();
    assert_none(&findings);
}

#[test]
fn bad_manners_are_seen() {
    let look = |path: &str, text: &str| check(&File::new(path, text));
    let source = "crates/x/src/a.rs";
    assert_none(&look(source, "// todo!( and \"dbg!(\"\n#![forbid(unsafe_code)]\n"));
    assert_one(&look(source, "\n#[allow(dead_code)]\nfn a() {}\n"), 2, "#[expect(");
    assert_one(&look(source, "#[test]\n#[ignore]\nfn a() {}\n"), 2, "does not run");
    assert_one(&look(source, "fn a() { todo!() }\n"), 1, "todo!(");
    assert_one(&look(source, "fn a() { unsafe { b() } }\n"), 1, "safe way");
    assert_one(&look(source, "fn a() { b().unwrap(); }\n"), 1, "expect");
    assert_one(&look(source, "use super::*;\n"), 1, "by name");
    assert_none(&look(
        source,
        "#[cfg(test)]\nmod t {\n use super::*;\n fn a() { b().unwrap() }\n}\n",
    ));
    assert_none(&look("crates/x/tests/it/main.rs", "fn a() { b().unwrap() }\n"));
}
