//! The digest of what lies in a file.

use std::fs::File;
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use toehold_core::model::Digest;

/// The SHA-256 of a file's bytes, read apart from what else is done.
///
/// # Errors
/// Where it cannot be read.
pub async fn of_file(path: &Path) -> io::Result<Digest> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let mut hash = Sha256::new();
        io::copy(&mut File::open(path)?, &mut hash)?;
        Ok(Digest::from_raw(&hash.finalize().into()))
    });
    read.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_that_of_the_bytes() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), b"abc").expect("it is written");
        assert_eq!(of_file(file.path()).await.expect("it is read"), Digest::of(b"abc"));
        assert!(of_file(Path::new("/nowhere")).await.is_err());
    }
}
