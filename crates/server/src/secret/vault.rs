//! The secrets of apps: values of environment variables that are in files of their own, never in
//! the store. Each change makes a version that stays, so that a rollback brings its secrets back.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use toehold_core::model::{AppName, Digest};

use crate::secret::keys::mac;
use crate::secret::{FileError, Keys, Secret, file};

/// The secrets of all apps, under `secrets/`. Its calls read and write small files.
#[derive(Clone)]
pub struct Vault {
    dir: PathBuf,
    key: [u8; 32],
    /// One change at a time: each begins from the version before.
    changing: Arc<Mutex<()>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// A secret that cannot be set or read.
#[derive(Debug, Error)]
pub enum VaultError {
    /// It cannot be the name of an environment variable.
    #[error(
        "{name:?} cannot be the name of a secret: use A-Z, a-z, 0-9 and _, not beginning with a digit, at most 128 characters"
    )]
    Name {
        /// The name given.
        name: String,
    },
    /// It cannot be the value of an environment variable.
    #[error("the value of {name} cannot be used: it {why}")]
    Value {
        /// The secret's name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A version is not there.
    #[error(
        "{app} has no version {version} of its secrets: set them again with `toehold secrets set`"
    )]
    NotFound {
        /// The app.
        app: AppName,
        /// The version.
        version: Digest,
    },
    /// A file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
}

type Values = BTreeMap<String, String>;

impl Vault {
    /// The largest value, in bytes.
    pub const MAX_VALUE_BYTES: usize = 32 * 1024;

    /// The secrets under `dir`.
    #[must_use]
    pub fn new(dir: &Path, keys: &Keys) -> Self {
        Self { dir: dir.join("secrets"), key: *keys.vault(), changing: Arc::default() }
    }

    /// Sets a secret; the answer is the version with it.
    pub fn set(&self, app: &AppName, name: &str, value: &Secret) -> Result<Digest, VaultError> {
        check(name, value.reveal())?;
        self.change(app, |values| {
            values.insert(name.to_owned(), value.reveal().to_owned());
        })
    }

    /// Removes a secret; the answer is the version without it. One that is not there stays away.
    pub fn remove(&self, app: &AppName, name: &str) -> Result<Digest, VaultError> {
        self.change(app, |values| {
            values.remove(name);
        })
    }

    /// The names of the secrets an app has now.
    pub fn names(&self, app: &AppName) -> Result<Vec<String>, VaultError> {
        match self.current(app)? {
            None => Ok(Vec::new()),
            Some(version) => Ok(self.values(app, &version)?.into_keys().collect()),
        }
    }

    /// The version a release made now runs with; `None` where no secret was ever set.
    pub fn current(&self, app: &AppName) -> Result<Option<Digest>, VaultError> {
        let path = self.folder(app).join("current");
        let Some(text) = file::read(&path)? else { return Ok(None) };
        match text.trim().parse() {
            Ok(version) => Ok(Some(version)),
            Err(_) => Err(damaged(&path, "it does not hold a version").into()),
        }
    }

    /// The values of a version.
    pub fn read(
        &self,
        app: &AppName,
        version: &Digest,
    ) -> Result<BTreeMap<String, Secret>, VaultError> {
        let values = self.values(app, version)?;
        Ok(values.into_iter().map(|(name, value)| (name, Secret::new(value))).collect())
    }

    fn values(&self, app: &AppName, version: &Digest) -> Result<Values, VaultError> {
        let path = self.version(app, version);
        let Some(text) = file::read(&path)? else {
            return Err(VaultError::NotFound { app: app.clone(), version: version.clone() });
        };
        if self.name_of(&text) != *version {
            return Err(damaged(&path, "its content is not what its name says").into());
        }
        let values = serde_json::from_str(&text);
        values.map_err(|_| damaged(&path, "it is not JSON").into())
    }

    fn change(
        &self,
        app: &AppName,
        change: impl FnOnce(&mut Values),
    ) -> Result<Digest, VaultError> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        file::make_dir(&self.folder(app))?;
        let mut values = match self.current(app)? {
            None => Values::new(),
            Some(version) => self.values(app, &version)?,
        };
        change(&mut values);
        let text = serde_json::to_string(&values).expect("a map of texts is JSON");
        let version = self.name_of(&text);
        file::write_new(&self.version(app, &version), &text)?;
        // The version is there before anything points to it.
        file::write(&self.folder(app).join("current"), &format!("{}\n", version.as_str()))?;
        Ok(version)
    }

    /// A version's name comes from its content and a key: from the name alone, which stands in
    /// releases, nobody can try out guesses.
    fn name_of(&self, text: &str) -> Digest {
        Digest::from_raw(&mac(&self.key, text))
    }

    fn folder(&self, app: &AppName) -> PathBuf {
        self.dir.join(app.as_str())
    }

    fn version(&self, app: &AppName, version: &Digest) -> PathBuf {
        self.folder(app).join(format!("{}.json", version.as_str()))
    }
}

fn check(name: &str, value: &str) -> Result<(), VaultError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let name_holds = (1..=128).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if !name_holds {
        return Err(VaultError::Name { name: name.chars().take(80).collect() });
    }
    let why = if value.contains('\0') {
        "has a NUL byte in it"
    } else if value.len() > Vault::MAX_VALUE_BYTES {
        "is larger than 32 KiB"
    } else {
        return Ok(());
    };
    Err(VaultError::Value { name: name.to_owned(), why })
}

fn damaged(path: &Path, what: &'static str) -> FileError {
    let lost = "the app's secrets must be set again";
    FileError::Damaged { path: path.to_owned(), what, lost }
}
