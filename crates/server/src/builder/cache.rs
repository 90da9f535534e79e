//! Dependencies are installed once for a lock file, and unpacked from then on.
//!
//! An entry is one archive, `KEY.tar.zst`: a build that writes into a dependency in place changes
//! its own copy alone, and one file is written much faster than the tens of thousands in it.

mod key;
mod tree;

pub(super) use key::{Plan, plan};

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::builder::order::Limits;
use crate::builder::remove::remove_tree;

/// How the name of an entry ends.
const ENTRY: &str = "tar.zst";

/// How the name of one that is not whole yet ends.
const FRESH: &str = "new";

/// Puts the dependencies of `plan` into the checkout, where they were installed before. `false`
/// where they were not; then the checkout is as it was.
pub(super) fn restore(plan: &Plan, cache: &Path, checkout: &Path) -> bool {
    let entry = entry(cache, plan);
    let target = checkout.join(plan.folder);
    if fs::symlink_metadata(&target).is_ok() {
        return false;
    }
    let Ok(file) = File::open(&entry) else { return false };
    // An entry that a power cut left hollow does not unpack: it carries a checksum.
    if tree::unpack(&file, &target).is_err() {
        let _ = remove_tree(&target);
        let _ = fs::remove_file(&entry);
        return false;
    }
    // It was used now: those used last stay.
    let _ = file.set_modified(SystemTime::now());
    true
}

/// Keeps what was just installed.
pub(super) fn save(plan: &Plan, cache: &Path, checkout: &Path, limits: &Limits) -> io::Result<()> {
    let installed = checkout.join(plan.folder);
    let entry = entry(cache, plan);
    if entry.exists() {
        return Ok(());
    }
    fs::create_dir_all(cache)?;
    let fresh = entry.with_added_extension(FRESH);
    let packed = tree::pack(&installed, &fresh);
    if packed.is_err() || fs::metadata(&fresh)?.len() > limits.cache_bytes {
        let _ = fs::remove_file(&fresh);
        return packed;
    }
    fs::rename(&fresh, &entry)?;
    evict(cache, limits)
}

fn entry(cache: &Path, plan: &Plan) -> PathBuf {
    cache.join(&plan.key).with_added_extension(ENTRY)
}

/// Those used last stay, as far as the limits go. What is no entry goes.
fn evict(cache: &Path, limits: &Limits) -> io::Result<()> {
    let mut entries = Vec::new();
    for found in fs::read_dir(cache)?.flatten() {
        let (path, about) = (found.path(), found.metadata()?);
        if about.is_dir() {
            remove_tree(&path)?;
        } else if path.extension().is_some_and(|it| it == FRESH) {
            fs::remove_file(&path)?;
        } else {
            entries.push((about.modified()?, about.len(), path));
        }
    }
    entries.sort_by_key(|(used, _, _)| std::cmp::Reverse(*used));
    let mut total = 0_u64;
    for (index, (_, bytes, path)) in entries.into_iter().enumerate() {
        total = total.saturating_add(bytes);
        if index >= limits.cache_count || total > limits.cache_bytes {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
