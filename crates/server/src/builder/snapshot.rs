//! What a checkout holds after its dependencies were installed: that, and nothing a test leaves
//! behind, becomes the artifact.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// Every path of a tree, relative to it, and how it looked.
#[derive(Debug, Default)]
pub(super) struct Snapshot(BTreeMap<PathBuf, Look>);

#[derive(Debug, PartialEq, Eq)]
struct Look {
    mode: u32,
    size: u64,
    changed_ns: (i64, i64),
}

/// What differs from a snapshot.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Not there before.
    pub(super) added: Vec<PathBuf>,
    /// There before, and changed or gone.
    pub(super) changed: Vec<PathBuf>,
}

impl Snapshot {
    /// How `root` looks now.
    pub(super) fn take(root: &Path) -> io::Result<Self> {
        let mut found = BTreeMap::new();
        for entry in WalkDir::new(root).min_depth(1) {
            let entry = entry?;
            let about = entry.metadata()?;
            // Folders change with what is in them.
            let look = if about.is_dir() {
                Look { mode: 0, size: 0, changed_ns: (0, 0) }
            } else {
                let changed_ns = (about.mtime(), about.mtime_nsec());
                Look { mode: about.mode(), size: about.len(), changed_ns }
            };
            let path = entry.path().strip_prefix(root).map_err(io::Error::other)?;
            found.insert(path.to_owned(), look);
        }
        Ok(Self(found))
    }

    /// Whether the path was there.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    /// The bytes of those of its files that count.
    pub(super) fn bytes(&self, counts: impl Fn(&Path) -> bool) -> u64 {
        self.0.iter().filter(|(path, _)| counts(path)).map(|(_, look)| look.size).sum()
    }

    /// What is otherwise in `later`.
    pub(super) fn against(&self, later: &Self) -> Difference {
        let added = later.0.keys().filter(|path| !self.has(path)).cloned().collect();
        let changed = self.0.iter().filter(|(path, look)| later.0.get(*path) != Some(look));
        Difference { added, changed: changed.map(|(path, _)| path.clone()).collect() }
    }
}
