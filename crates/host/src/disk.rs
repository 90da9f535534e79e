//! Free space.

use std::io;
use std::path::Path;

/// The bytes an ordinary user may still write to the file system `path` lies on.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_known_of_a_folder_and_not_of_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(free_bytes(dir.path()).expect("known") > 0);
        assert!(free_bytes(&dir.path().join("absent")).is_err());
    }
}
