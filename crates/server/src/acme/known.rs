//! A CA as the settings have it: the first, or the fallback.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use instant_acme::ExternalAccountKey;
use toehold_core::certificates::Which;

use super::Settings;
use crate::secret::Secret;

/// What is said of one CA.
pub(super) struct Known {
    pub(super) directory: String,
    /// The authorities that vouch for it.
    pub(super) pem: Option<Vec<u8>>,
    /// The account that was made with it before: its id, and its key in base64url.
    pub(super) bound_to: Option<(String, Secret)>,
    /// What its keys begin with.
    pub(super) prefix: &'static str,
}

impl Known {
    /// What the settings, and the files they name, say of a CA; `None` where there is no such one.
    /// An error says which cannot be used.
    pub(super) fn read(settings: &Settings, which: Which) -> Result<Option<Self>, String> {
        let (prefix, directory, ca_file, id, key_file) = match which {
            Which::First => (
                "",
                Some(&settings.directory),
                &settings.ca_file,
                &settings.eab_key_id,
                &settings.eab_key_file,
            ),
            Which::Fallback => (
                "fallback_",
                settings.fallback_directory.as_ref(),
                &settings.fallback_ca_file,
                &settings.fallback_eab_key_id,
                &settings.fallback_eab_key_file,
            ),
        };
        let Some(directory) = directory.cloned() else { return Ok(None) };
        let read = |key: &str, path: &PathBuf| {
            std::fs::read(path)
                .map_err(|error| format!("acme.{prefix}{key}: {}: {error}", path.display()))
        };
        let pem = ca_file.as_ref().map(|path| read("ca_file", path)).transpose()?;
        let key = key_file.as_ref().map(|path| read("eab_key_file", path)).transpose()?;
        let key = key.map(|text| {
            let text = String::from_utf8_lossy(&text);
            Secret::new(text.lines().next().unwrap_or_default().trim().trim_end_matches('='))
        });
        let known = Self { directory, pem, bound_to: id.clone().zip(key), prefix };
        known.bound().map(|_| Some(known))
    }

    /// The account it is bound to, as it is shown to the CA.
    pub(super) fn bound(&self) -> Result<Option<ExternalAccountKey>, String> {
        let Some((id, key)) = &self.bound_to else { return Ok(None) };
        let key = URL_SAFE_NO_PAD.decode(key.reveal()).ok().filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| {
            format!("acme.{}eab_key_file: its first line is not a key in base64url", self.prefix)
        })?;
        Ok(Some(ExternalAccountKey::new(id.clone(), &key)))
    }
}
