//! The rooms of the control plane stand on floors too. The rooms that do work do not know each
//! other: what two of them have to do with one another is said in `control`. All of them may read
//! the clock and use the store; tokens and secrets lie in the store, so they stand above it.

use crate::finding::{Finding, assert_none, assert_one};
use crate::paths::{mentions, module_of};
use crate::workspace::{File, rust};

/// The rooms by floor, from the ground.
const FLOORS: [&[&str]; 9] = [
    &["address", "site"],
    &["clock", "dial", "layout", "outbound"],
    &["store"],
    &["secret"],
    &["authority"],
    &[
        "acme",
        "alertmanager",
        "ansible",
        "builder",
        "fleet",
        "flags",
        "forge",
        "metrics",
        "mirror",
        "notify",
        "provider",
        "source",
    ],
    &["settings"],
    &["control"],
    &["door"],
];

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&room))
}

fn check(file: &File) -> Vec<Finding> {
    let Some(("server", room)) = module_of(file) else { return Vec::new() };
    let Some(mine) = floor_of(room) else {
        let what = format!("`{room}` is a new room: say in tidy's rooms.rs on which floor it is");
        return vec![Finding::of(&file.path, what)];
    };
    let up = |name: &str| name != room && floor_of(name).is_some_and(|floor| floor >= mine);
    mentions(file)
        .into_iter()
        .filter(|mention| up(&mention.name))
        .map(|mention| {
            let name = &mention.name;
            let what = format!(
                "`{room}` must not know `{name}`: take what you need as an argument, or let \
                 `control` bring the two together"
            );
            Finding::at(&file.path, mention.line, what)
        })
        .collect()
}

#[test]
fn no_room_of_the_control_plane_knows_one_above_or_beside_it() {
    let findings: Vec<Finding> = rust().flat_map(check).collect();
    assert_none(&findings);
}

#[test]
fn a_room_that_looks_up_or_aside_is_seen() {
    let look = |path: &str, text: &str| check(&File::new(path, text));
    let store = "use crate::store::Store;\nuse crate::secret::Secret;\n";
    assert_none(&look("crates/server/src/builder/step.rs", store));
    assert_one(&look("crates/server/src/store/sqlite.rs", store), 2, "must not know `secret`");
    let notify = "\nuse crate::notify::Mail;\n";
    assert_none(&look("crates/server/src/control.rs", notify));
    assert_one(&look("crates/server/src/builder.rs", notify), 2, "must not know `notify`");
    let control = "fn f() { crate::control::wake() }\n";
    assert_one(&look("crates/server/src/store.rs", control), 1, "must not know `control`");
    assert_one(&look("crates/server/src/cellar.rs", ""), 0, "a new room");
}
