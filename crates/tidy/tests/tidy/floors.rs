//! Crates stand on floors; an arrow goes down. The core knows nobody, the data plane and the agent
//! do not know each other, and only the command knows all.

use crate::finding::{Finding, assert_none, assert_one};
use crate::manifest::{entries, of_crates};

/// The crates by floor, from the ground. Those on one floor do not know each other.
const FLOORS: [&[&str]; 5] =
    [&["core", "http", "scenery"], &["host"], &["agent", "proxy"], &["server"], &["toehold"]];

/// Who stands outside the house and knows nobody.
const OUTSIDE: [&str; 1] = ["tidy"];

fn floor_of(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&name))
}

/// `toehold-core` -> `core`; `None` for a dependency that is not ours.
fn ours(dependency: &str) -> Option<&str> {
    dependency.strip_prefix("toehold-").or_else(|| (dependency == "toehold").then_some("toehold"))
}

fn check(name: &str, path: &str, manifest: &str) -> Vec<Finding> {
    let mine = floor_of(name);
    if mine.is_none() && !OUTSIDE.contains(&name) {
        return vec![Finding::of(path, "a new crate: say in tidy's floors.rs where it stands")];
    }
    let arrow = |theirs: &str| match (mine, floor_of(theirs)) {
        (Some(mine), Some(floor)) if floor < mine => None,
        (Some(_), Some(_)) => {
            Some(format!("`{name}` must not know `{theirs}`: it does not stand below"))
        }
        (None, _) => Some(format!("`{name}` reads files and knows no crate of the house")),
        (_, None) => Some(format!("`{theirs}` has no floor: say in tidy's floors.rs where it is")),
    };
    entries(manifest)
        .iter()
        .filter(|entry| entry.is_dependency())
        .filter_map(|entry| Some((entry.line, arrow(ours(entry.dependency())?)?)))
        .map(|(line, what)| Finding::at(path, line, what))
        .collect()
}

#[test]
fn no_crate_knows_one_above_it() {
    let findings: Vec<Finding> =
        of_crates().flat_map(|(name, file)| check(name, &file.path, &file.text)).collect();
    assert_none(&findings);
}

#[test]
fn an_arrow_up_is_seen() {
    let down = "[dependencies]\ntoehold-core.workspace = true\n";
    assert_none(&check("agent", "Cargo.toml", down));
    let sideways = "[dependencies]\ntoehold-proxy.workspace = true\n";
    assert_one(&check("agent", "Cargo.toml", sideways), 2, "must not know `proxy`");
    let up = "[dev-dependencies]\n\ntoehold-server = { path = \"../server\" }\n";
    assert_one(&check("core", "Cargo.toml", up), 3, "must not know `server`");
    assert_one(&check("attic", "Cargo.toml", down), 0, "a new crate");
    assert_one(&check("tidy", "Cargo.toml", down), 2, "knows no crate");
}
