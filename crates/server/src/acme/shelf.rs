//! Where certificates lie with their keys: files for our user alone, never the store. The store says
//! which file counts, by its digest.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toehold_core::model::Digest;
use toehold_core::wire::certificates::Pair;

use crate::secret::{FileError, file};

/// The folder they lie in.
#[derive(Clone, Debug)]
pub struct Shelf(PathBuf);

/// A file.
#[derive(Serialize, Deserialize)]
struct File {
    pair: Pair,
}

impl Shelf {
    /// The folder `path`; it is made when it is needed.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Puts it there, durably; the answer names it.
    ///
    /// # Panics
    /// Never: a pair is texts, which are JSON.
    pub fn put(&self, host: &str, pair: &Pair) -> Result<Digest, FileError> {
        file::make_dir(&self.0)?;
        let kept = File { pair: pair.clone() };
        let text = serde_json::to_string(&kept).expect("a pair is three texts, which are JSON");
        let digest = Digest::of(text.as_bytes());
        file::write(&self.place(host, &digest), &text)?;
        Ok(digest)
    }

    /// What lies there under a name; `None` where it is not there, or is not what its name says.
    pub fn get(&self, host: &str, digest: &Digest) -> Result<Option<Pair>, FileError> {
        let text = file::read(&self.place(host, digest))?;
        let whole = text.filter(|text| Digest::of(text.as_bytes()) == *digest);
        Ok(whole.and_then(|text| serde_json::from_str::<File>(&text).ok()).map(|it| it.pair))
    }

    /// Removes every file of a host but the one that counts.
    pub fn tidy(&self, host: &str, keep: Option<&Digest>) {
        let keep = keep.map(|digest| self.place(host, digest));
        let Ok(entries) = fs::read_dir(&self.0) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            if is_of(&path, host) && Some(&path) != keep.as_ref() {
                // One that stays is found the next time.
                let _ = fs::remove_file(&path);
            }
        }
    }

    fn place(&self, host: &str, digest: &Digest) -> PathBuf {
        self.0.join(format!("{host}_{}.json", digest.short()))
    }
}

/// No host has `_` in it.
fn is_of(path: &Path, host: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.split_once('_').is_some_and(|(of, _)| of == host)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;
    use toehold_core::wire::certificates::KeyPem;

    use super::*;

    fn pair(chain: &str) -> Pair {
        let names = vec!["shop.example.com".to_owned()];
        Pair { names, chain: chain.into(), key: KeyPem::new("sesame") }
    }

    #[test]
    fn what_is_put_there_is_found_by_its_name_and_nobody_else_reads_it() {
        let folder = TempDir::new().expect("a folder");
        let shelf = Shelf::new(folder.path().join("tls"));
        let host = "shop.example.com";
        let old = shelf.put(host, &pair("old")).expect("it is written");
        let new = shelf.put(host, &pair("new")).expect("it is written");
        let other = shelf.put("op.example.com", &pair("other")).expect("it is written");
        assert_eq!(shelf.get(host, &new).expect("it is read"), Some(pair("new")));
        shelf.tidy(host, Some(&new));
        assert_eq!(shelf.get(host, &old).expect("it is looked for"), None);
        assert_eq!(shelf.get("op.example.com", &other).expect("it is read"), Some(pair("other")));
        for entry in fs::read_dir(shelf.path()).expect("it is there").flatten() {
            let mode = entry.metadata().expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
        }
        let path = shelf.place(host, &new);
        fs::write(&path, "{}").expect("it is damaged");
        assert_eq!(shelf.get(host, &new).expect("it is looked at"), None);
    }
}
