//! Scripts stop at the first thing that goes wrong.

use crate::finding::{Finding, assert_none, assert_one};
use crate::workspace::{File, files};

/// What a script begins with.
const FIRST: &str = "#!/usr/bin/env bash";

/// What it says before it does anything.
const STRICT: &str = "set -euo pipefail";

fn check(file: &File) -> Option<Finding> {
    let ours = file.path.starts_with("script/") || file.path.starts_with(".ci/");
    if !ours || !file.text.starts_with("#!") {
        return None;
    }
    if !file.text.starts_with(FIRST) {
        return Some(Finding::at(&file.path, 1, format!("begin with `{FIRST}`")));
    }
    let first = file.text.lines().position(|line| !line.is_empty() && !line.starts_with('#'))?;
    let strict = file.text.lines().nth(first) == Some(STRICT);
    (!strict).then(|| Finding::at(&file.path, first + 1, format!("`{STRICT}` comes first")))
}

#[test]
fn scripts_are_strict() {
    let findings: Vec<Finding> = files().iter().filter_map(check).collect();
    assert_none(&findings);
}

#[test]
fn a_lax_script_is_seen() {
    let look = |text: &str| check(&File::new("script/x", text)).into_iter().collect::<Vec<_>>();
    assert_none(&look(&format!("{FIRST}\n# why\n\n{STRICT}\necho\n")));
    assert_one(&look("#!/bin/sh\nset -e\n"), 1, "begin with");
    assert_one(&look(&format!("{FIRST}\ncd x\n{STRICT}\n")), 2, "comes first");
}
