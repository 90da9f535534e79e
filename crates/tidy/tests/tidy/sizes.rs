//! A file is one idea. A long one has several, and their borders can be found.

use crate::finding::{Finding, assert_none, assert_one};
use crate::workspace::{File, rust};

/// Nobody's idea is longer.
const HARD: usize = 500;

/// Worth a second look.
const SOFT: usize = 400;

fn check(file: &File) -> Option<Finding> {
    let lines = file.text.lines().count();
    (lines > HARD).then(|| {
        let what = format!("{lines} lines, {HARD} is the most: split it at the border of an idea");
        Finding::of(&file.path, what)
    })
}

#[test]
fn files_are_short() {
    let findings: Vec<Finding> = rust().filter_map(check).collect();
    assert_none(&findings);
    let long = rust().filter(|file| file.text.lines().count() > SOFT).count();
    println!("{long} of {} files have more than {SOFT} lines", rust().count());
}

#[test]
fn a_long_file_is_seen() {
    let long = File::new("crates/x/src/a.rs", &"\n".repeat(HARD + 1));
    assert_one(&check(&long).into_iter().collect::<Vec<_>>(), 0, "501 lines");
    assert!(check(&File::new("crates/x/src/a.rs", &"\n".repeat(HARD))).is_none());
}
