//! Whether a symbolic link stays inside.

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// How many links may be followed one after the other, as in the kernel.
const MOST_HOPS: usize = 40;

/// Whether following the link at `at` (a path below `root`) never leaves `root`, looked at as the
/// kernel would: each part in turn, other links followed where they stand. `x -> ..` is harmless
/// in a folder and not harmless behind a link to another folder, so the text alone does not tell.
/// Where it leads need not be there.
pub(super) fn stays_inside(root: &Path, at: &Path) -> bool {
    let mut place: Vec<OsString> = Vec::new();
    let mut todo: Vec<Step> = steps(at);
    let mut hops = 0;
    while let Some(step) = todo.pop() {
        match step {
            Step::Outside => return false,
            Step::Up => {
                if place.pop().is_none() {
                    return false;
                }
            }
            Step::Into(name) => {
                place.push(name);
                let path = root.join(place.iter().collect::<PathBuf>());
                let Ok(target) = fs::read_link(&path) else { continue };
                hops += 1;
                if hops > MOST_HOPS {
                    return false;
                }
                place.pop();
                todo.extend(steps(&target));
            }
        }
    }
    true
}

enum Step {
    Into(OsString),
    Up,
    Outside,
}

/// The parts of a path, the first one last.
fn steps(path: &Path) -> Vec<Step> {
    let step = |part| match part {
        Component::Normal(name) => Some(Step::Into(name.to_owned())),
        Component::ParentDir => Some(Step::Up),
        Component::CurDir => None,
        Component::RootDir | Component::Prefix(_) => Some(Step::Outside),
    };
    path.components().rev().filter_map(step).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_is_followed_as_the_kernel_would() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path();
        fs::create_dir_all(root.join("a/b/c")).expect("made");
        for (at, target, inside) in [
            ("a/up", "..", true),
            ("a/out", "../..", false),
            ("a/b/c/top", "../../..", true),
            ("a/b/c/trick", "top/../x", false),
            ("abs", "/etc/passwd", false),
            ("dangling", "not/there/../yet", true),
            ("a/self", "self", false),
            ("bin", "a/b/../b/c", true),
        ] {
            symlink(target, root.join(at)).expect("made");
            assert_eq!(stays_inside(root, Path::new(at)), inside, "{at} -> {target}");
        }
    }
}
