//! Folders that nobody else looks into.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// Makes a folder, with those above it, that its owner alone may enter. One that is there already
/// is closed to everyone else: what lies in it was perhaps made by a program that asked nobody.
///
/// # Errors
/// Where it cannot be made, or is somebody else's.
pub fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    if fs::metadata(path)?.mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_closed_to_others_whoever_made_it() {
        let root = tempfile::tempdir().expect("a folder");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").mode() & 0o777;
        let fresh = root.path().join("log/builds");
        folder(&fresh).expect("it is made");
        assert_eq!(mode(&fresh), 0o700);
        let open = root.path().join("open");
        fs::create_dir(&open).expect("it is made");
        fs::set_permissions(&open, Permissions::from_mode(0o755)).expect("it is ours");
        folder(&open).expect("it is closed");
        assert_eq!(mode(&open), 0o700);
    }
}
