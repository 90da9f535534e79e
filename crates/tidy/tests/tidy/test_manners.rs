//! A test waits for a state with a deadline, never for a time: a machine that is slow today must
//! not make it fail, and one that is fast must not make it wait.

use crate::code::{Code, has_word};
use crate::finding::{Finding, assert_none, assert_one};
use crate::workspace::{File, rust};

/// A pause between two looks is in order in the function that looks until a deadline; so it is
/// called.
const POLLS: [&str; 4] = ["eventually", "poll", "until", "wait"];

fn check(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut function = "";
    let code = Code::read(&file.text);
    for (number, line, in_test) in code.numbered() {
        if let Some(name) = function_name(line) {
            function = name;
        }
        let polls = POLLS.iter().any(|word| function.split('_').any(|part| part == *word));
        let sleeps = has_word(line, "sleep(") || has_word(line, "sleep_ms(");
        if sleeps && !polls && (in_test || file.is_test) {
            let what = format!(
                "`sleep` in a test (`{function}`): wait for a state with a deadline, in a function \
                 whose name says so ({})",
                POLLS.join(", ")
            );
            findings.push(Finding::at(&file.path, number, what));
        }
    }
    findings
}

/// The name after `fn`, where the line begins a function.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let begins = before.is_empty() || before.ends_with(' ');
    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (begins && end > 0).then(|| &after[..end])
}

#[test]
fn no_test_waits_for_a_time() {
    let findings: Vec<Finding> = rust().flat_map(check).collect();
    assert_none(&findings);
}

#[test]
fn a_test_that_sleeps_is_seen() {
    let sleeps = "#[test]\nfn it_comes_back() {\n    std::thread::sleep(TEN);\n}\n";
    assert_one(&check(&File::new("crates/x/src/a.rs", sleeps)), 3, "`it_comes_back`");
    assert_one(&check(&File::new("crates/x/tests/it/a.rs", sleeps)), 3, "with a deadline");
    let polls = "async fn wait_for(x: X) {\n    loop { tokio::time::sleep(TICK).await; }\n}\n";
    assert_none(&check(&File::new("crates/x/tests/it/a.rs", polls)));
    let works = "fn back_off() { std::thread::sleep(pause); }\n";
    assert_none(&check(&File::new("crates/x/src/a.rs", works)));
}
