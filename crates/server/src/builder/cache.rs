//! Dependencies are installed once for a lock file, and copied from then on.
//!
//! A copy and no hard links: a build that writes into a dependency in place would poison every
//! build after it, and the artifacts of all of them.

mod key;

pub(super) use key::{Plan, plan};

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use crate::builder::copy::{Copied, copy_tree, remove_tree};
use crate::builder::order::Limits;

/// What is noted of an entry once it is whole.
const NOTE: &str = "whole.json";

/// The tree of an entry.
const TREE: &str = "tree";

/// Puts the dependencies of `plan` into the checkout, where they were installed before. `false`
/// where they were not; then the checkout is as it was.
pub(super) fn restore(plan: &Plan, cache: &Path, checkout: &Path) -> bool {
    let entry = cache.join(&plan.key);
    let Some(note) = note(&entry) else { return false };
    let target = checkout.join(plan.folder);
    if fs::symlink_metadata(&target).is_ok() {
        return false;
    }
    let tree = entry.join(TREE);
    if !tree.exists() && note == Copied::default() {
        // There was nothing to install, which is worth knowing too.
        return true;
    }
    match copy_tree(&tree, &target) {
        // An entry that a power cut left hollow has not what was noted of it.
        Ok(copied) if copied == note => {
            let _ = File::open(entry.join(NOTE)).and_then(|it| it.set_modified(SystemTime::now()));
            true
        }
        Ok(_) | Err(_) => {
            let _ = remove_tree(&target);
            let _ = remove_tree(&entry);
            false
        }
    }
}

/// Keeps what was just installed.
pub(super) fn save(plan: &Plan, cache: &Path, checkout: &Path, limits: &Limits) -> io::Result<()> {
    let installed = checkout.join(plan.folder);
    let entry = cache.join(&plan.key);
    if note(&entry).is_some() {
        return Ok(());
    }
    remove_tree(&entry)?;
    let fresh = cache.join(format!("{}.new", plan.key));
    remove_tree(&fresh)?;
    fs::create_dir_all(&fresh)?;
    let copied = match fs::symlink_metadata(&installed) {
        Ok(about) if about.is_dir() => copy_tree(&installed, &fresh.join(TREE))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Copied::default(),
        Ok(_) | Err(_) => return remove_tree(&fresh),
    };
    if copied.bytes > limits.cache_bytes {
        return remove_tree(&fresh);
    }
    fs::write(fresh.join(NOTE), serde_json::to_vec(&copied)?)?;
    fs::rename(&fresh, &entry)?;
    evict(cache, limits)
}

fn note(entry: &Path) -> Option<Copied> {
    serde_json::from_slice(&fs::read(entry.join(NOTE)).ok()?).ok()
}

/// Those used last stay, as far as the limits go.
fn evict(cache: &Path, limits: &Limits) -> io::Result<()> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(cache)?.flatten() {
        if let Some(Copied { bytes, .. }) = note(&entry.path()) {
            let used = fs::metadata(entry.path().join(NOTE))?.modified()?;
            entries.push((used, bytes, entry.path()));
        }
    }
    entries.sort_by_key(|(used, _, _)| std::cmp::Reverse(*used));
    let mut total = 0_u64;
    for (index, (_, bytes, path)) in entries.into_iter().enumerate() {
        total = total.saturating_add(bytes);
        if index >= limits.cache_count || total > limits.cache_bytes {
            remove_tree(&path)?;
        }
    }
    Ok(())
}
