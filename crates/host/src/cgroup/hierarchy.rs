//! Where the cgroup file systems are, and where in them this process is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders of the groups this process is in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Version 2.
    pub(super) unified: Option<PathBuf>,
    /// Version 1, by controller.
    pub(super) legacy: BTreeMap<String, PathBuf>,
}

/// Looks it up for this process.
pub(super) fn find() -> Found {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    locate(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"))
}

/// A mounted hierarchy.
struct Mount<'a> {
    /// The group that is seen at the mount point: in a container, not always the first.
    root: &'a str,
    point: &'a str,
    v2: bool,
    options: &'a str,
}

fn locate(mountinfo: &str, membership: &str) -> Found {
    let mounts: Vec<Mount> = mountinfo.lines().filter_map(mount).collect();
    let mut found = Found::default();
    for line in membership.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        if controllers.is_empty() {
            found.unified = mounts.iter().find(|it| it.v2).and_then(|it| within(it, path));
            continue;
        }
        for controller in controllers.split(',') {
            let on = |it: &&Mount| !it.v2 && it.options.split(',').any(|word| word == controller);
            if let Some(dir) = mounts.iter().find(on).and_then(|it| within(it, path)) {
                found.legacy.insert(controller.to_owned(), dir);
            }
        }
    }
    found
}

/// A line of `/proc/self/mountinfo`: `36 35 0:31 /root /point opts [tags] - type source options`.
fn mount(line: &str) -> Option<Mount<'_>> {
    let (place, kind) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let (root, point) = (place.next()?, place.next()?);
    let mut kind = kind.split(' ');
    let (fs_type, options) = (kind.next()?, kind.nth(1)?);
    matches!(fs_type, "cgroup" | "cgroup2").then_some(Mount {
        root,
        point,
        v2: fs_type == "cgroup2",
        options,
    })
}

/// The folder of group `path`, where the mount shows it.
fn within(mount: &Mount, path: &str) -> Option<PathBuf> {
    let below = Path::new(path).strip_prefix(mount.root).ok()?;
    Some(Path::new(mount.point).join(below)).filter(|dir| dir.is_absolute())
}

/// Prepares group `base` of version 2 to have groups with limits below `base/parent`. Limits can
/// only be handed down by a group that holds no process itself: where `base` holds but this one,
/// it moves into `base/self`. As far as that works: without controllers a group still counts CPU
/// and can be killed whole.
pub(super) fn delegate(base: &Path, parent: &str) {
    let below = base.join(parent);
    if fs::create_dir_all(&below).is_err() {
        return;
    }
    if hand_down(base).is_none() && alone_in(base) {
        let own = base.join("self");
        let moved = fs::create_dir_all(&own)
            .and_then(|()| fs::write(own.join("cgroup.procs"), std::process::id().to_string()));
        if moved.is_ok() {
            let _ = hand_down(base);
        }
    }
    let _ = hand_down(&below);
}

/// Hands the controllers we use down to the groups below `dir`, each that is there.
fn hand_down(dir: &Path) -> Option<()> {
    let there = fs::read_to_string(dir.join("cgroup.controllers")).ok()?;
    let wanted: Vec<String> = there
        .split_whitespace()
        .filter(|name| ["cpu", "memory", "pids"].contains(name))
        .map(|name| format!("+{name}"))
        .collect();
    if wanted.is_empty() {
        return Some(());
    }
    fs::write(dir.join("cgroup.subtree_control"), wanted.join(" ")).ok()
}

fn alone_in(dir: &Path) -> bool {
    let held = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    held.trim() == std::process::id().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hybrid_machine_has_both() {
        let mounts = "\
30 25 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:28 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
32 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
33 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate";
        let found = locate(mounts, "4:memory:/a/b\n3:cpu,cpuacct:/\n0::/c");
        assert_eq!(found.unified, Some("/sys/fs/cgroup/unified/c".into()));
        assert_eq!(found.legacy["memory"], Path::new("/sys/fs/cgroup/memory/a/b"));
        assert_eq!(found.legacy["cpu"], found.legacy["cpuacct"]);
    }

    #[test]
    fn a_container_sees_its_own_group_at_the_mount_point() {
        let mounts = "31 30 0:28 /docker/1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";
        let inside = locate(mounts, "4:memory:/docker/1");
        assert_eq!(inside.legacy["memory"], Path::new("/sys/fs/cgroup/memory/"));
        let elsewhere = locate(mounts, "4:memory:/docker/2");
        assert!(elsewhere.legacy.is_empty(), "{elsewhere:?}");
    }
}
