//! The keys of this control plane, made once.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use toehold_core::model::AppName;
use toehold_core::wire::proxy::TrackKey;

use crate::secret::{FileError, Secret, file, random_bytes, random_text};

/// The keys, each in a file of its own under `keys/`.
#[derive(Clone)]
pub struct Keys {
    cookie: [u8; 32],
    links: [u8; 32],
    apps: [u8; 32],
    vault: [u8; 32],
    local_token: Secret,
}

impl Keys {
    /// The file in the state folder that holds the token of whoever may read it: this machine's
    /// own user, with every right.
    pub const LOCAL_TOKEN_FILE: &str = "keys/local.token";

    /// The public part of that token.
    pub(super) const LOCAL_ID: &str = "local";

    /// Reads the keys under `dir`, making those that are not there yet.
    pub fn open(dir: &Path) -> Result<Self, FileError> {
        let folder = dir.join("keys");
        Ok(Self {
            cookie: key(&folder.join("cookie.key"), "visitors may change their track once")?,
            links: key(&folder.join("links.key"), "links that were mailed stop working")?,
            apps: key(&folder.join("apps.key"), "instances read no flags until they are replaced")?,
            vault: key(&folder.join("vault.key"), "secrets that were set must be set again")?,
            local_token: local_token(&dir.join(Self::LOCAL_TOKEN_FILE))?,
        })
    }

    /// Signs the sticky cookies; proxies get it.
    #[must_use]
    pub const fn cookie(&self) -> &[u8; 32] {
        &self.cookie
    }

    /// Signs links in mails.
    #[must_use]
    pub const fn links(&self) -> &[u8; 32] {
        &self.links
    }

    /// Names versions of secrets, so that a weak one cannot be guessed from its name.
    pub(super) const fn vault(&self) -> &[u8; 32] {
        &self.vault
    }

    /// The token of this machine's own user.
    #[must_use]
    pub const fn local_token(&self) -> &Secret {
        &self.local_token
    }

    /// The token an app's instances read their flags with. It is the same each time, so that an
    /// instance's environment does not change; nothing of it is stored.
    #[must_use]
    pub fn app_token(&self, app: &AppName) -> Secret {
        let proof = mac(&self.apps, &format!("evaluate:{app}"));
        Secret::new(format!("th_app.{app}_{}", URL_SAFE_NO_PAD.encode(proof)))
    }

    /// The secret by which visitors of an app name the track they are served by. Nothing of it is
    /// stored.
    #[must_use]
    pub fn track_key(&self, app: &AppName) -> TrackKey {
        let proof = mac(&self.apps, &format!("track:{app}"));
        TrackKey::new(hex::encode(&proof[..16]))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(***)")
    }
}

/// HMAC-SHA256.
pub(super) fn mac(key: &[u8; 32], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn key(path: &Path, lost: &'static str) -> Result<[u8; 32], FileError> {
    let text = made_once(path, || hex::encode(random_bytes::<32>()))?;
    let mut key = [0; 32];
    if hex::decode_to_slice(text.trim(), &mut key).is_err() {
        let what = "it does not hold 64 hex digits";
        return Err(FileError::Damaged { path: path.to_owned(), what, lost });
    }
    Ok(key)
}

fn local_token(path: &Path) -> Result<Secret, FileError> {
    let prefix = format!("th_{}_", Keys::LOCAL_ID);
    let text = made_once(path, || format!("{prefix}{}", random_text()))?;
    match text.trim() {
        token if token.len() == prefix.len() + 43 && token.starts_with(&prefix) => {
            Ok(Secret::new(token))
        }
        _ => Err(FileError::Damaged {
            path: path.to_owned(),
            what: "it does not hold a token",
            lost: "a new token is made",
        }),
    }
}

/// The text of a file for its owner alone, that is made the first time it is asked for.
pub fn made_once(path: &Path, make: impl FnOnce() -> String) -> Result<String, FileError> {
    if let Some(text) = file::read(path)? {
        return Ok(text);
    }
    if let Some(folder) = path.parent() {
        file::make_dir(folder)?;
    }
    let text = make();
    if file::write_new(path, &format!("{text}\n"))? {
        return Ok(text);
    }
    Ok(file::read(path)?.unwrap_or_default())
}
