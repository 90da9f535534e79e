//! `[acme]` of server.toml: which CA is asked for certificates, and how.

use std::path::PathBuf;

use serde::Deserialize;
use toehold_core::certificates::{Challenge, Directories};

/// Let's Encrypt, for certificates that count.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// `[acme]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether certificates are asked for; one that is there is shown also where not.
    pub enabled: bool,
    /// Whether the operator has read the terms of the CA, and of the fallback, and agrees.
    pub agree_to_terms: bool,
    /// Where the CA writes to.
    pub email: Option<String>,
    /// The URL of the CA's directory.
    pub directory: String,
    /// A PEM file of the only authorities that may vouch for the directory itself.
    pub ca_file: Option<PathBuf>,
    /// The id of an account that was made with the CA before, where it wants one (RFC 8555, 7.3.4).
    pub eab_key_id: Option<String>,
    /// The file whose first line is that account's MAC key, in base64url.
    pub eab_key_file: Option<PathBuf>,
    /// The directory of a CA that is asked where the first fails for a while.
    pub fallback_directory: Option<String>,
    /// The same as `ca_file`, for the fallback.
    pub fallback_ca_file: Option<PathBuf>,
    /// The same as `eab_key_id`, for the fallback.
    pub fallback_eab_key_id: Option<String>,
    /// The same as `eab_key_file`, for the fallback.
    pub fallback_eab_key_file: Option<PathBuf>,
    /// The kind of certificate that is asked for, where the CA has several: `shortlived`. The
    /// fallback is not asked for one.
    pub profile: Option<String>,
    /// How it is proved that a host is ours.
    pub challenge: Challenge,
    /// Whether who comes by HTTP to a host that has a certificate is sent to HTTPS.
    pub redirect: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            agree_to_terms: false,
            email: None,
            directory: LETS_ENCRYPT.into(),
            ca_file: None,
            eab_key_id: None,
            eab_key_file: None,
            fallback_directory: None,
            fallback_ca_file: None,
            fallback_eab_key_id: None,
            fallback_eab_key_file: None,
            profile: None,
            challenge: Challenge::Http01,
            redirect: true,
        }
    }
}

impl Settings {
    /// The files they name.
    pub fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let files = [
            &mut self.ca_file,
            &mut self.eab_key_file,
            &mut self.fallback_ca_file,
            &mut self.fallback_eab_key_file,
        ];
        files.into_iter().flatten()
    }

    /// The CAs that are asked.
    #[must_use]
    pub fn directories(&self) -> Directories<'_> {
        Directories { first: &self.directory, fallback: self.fallback_directory.as_deref() }
    }

    /// What is wrong with them, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.enabled && !self.agree_to_terms {
            return Err(format!(
                "[acme]: read the terms of the CA, which {} names as `termsOfService`, and say \
                 `agree_to_terms = true`",
                self.directory
            ));
        }
        let urls = [
            ("directory", Some(&self.directory)),
            ("fallback_directory", self.fallback_directory.as_ref()),
        ];
        for (key, url) in urls {
            if url.is_some_and(|url| !url.starts_with("https://")) {
                return Err(format!("acme.{key}: it begins with https://, as ACME demands"));
            }
        }
        if self.fallback_directory.as_ref() == Some(&self.directory) {
            return Err("acme.fallback_directory: it is the same as `directory`".to_owned());
        }
        let for_fallback = [&self.fallback_ca_file, &self.fallback_eab_key_file];
        if for_fallback.into_iter().any(Option::is_some) && self.fallback_directory.is_none() {
            return Err("acme: what is said of the fallback needs `fallback_directory`".to_owned());
        }
        let pairs = [
            ("", self.eab_key_id.is_some(), self.eab_key_file.is_some()),
            ("fallback_", self.fallback_eab_key_id.is_some(), self.fallback_eab_key_file.is_some()),
        ];
        if let Some((prefix, ..)) = pairs.into_iter().find(|(_, id, file)| id != file) {
            return Err(format!(
                "acme: `{prefix}eab_key_id` and `{prefix}eab_key_file` belong together"
            ));
        }
        let is_address = |it: &String| {
            it.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
                && it.chars().all(|c| c.is_ascii_graphic() && c != ',' && c != '?')
        };
        if self.email.as_ref().is_some_and(|it| !is_address(it)) {
            return Err("acme.email: write it as name@example.com".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut Settings);

    fn with(change: Change) -> Result<(), String> {
        let mut settings = Settings { agree_to_terms: true, ..Settings::default() };
        change(&mut settings);
        settings.check()
    }

    #[test]
    fn what_cannot_be_meant_is_refused_and_says_what_to_write() {
        assert_eq!(with(|_| {}), Ok(()));
        assert_eq!(with(|it| it.email = Some("ops@example.com".into())), Ok(()));
        assert_eq!(with(|it| (it.enabled, it.agree_to_terms) = (false, false)), Ok(()));
        let cases: [(Change, &str); 8] = [
            (|it| it.agree_to_terms = false, "agree_to_terms = true"),
            (
                |it| it.directory = "http://ca.example.com".into(),
                "acme.directory: it begins with https://",
            ),
            (|it| it.fallback_directory = Some("x".into()), "acme.fallback_directory: it begins"),
            (|it| it.fallback_directory = Some(LETS_ENCRYPT.into()), "the same as `directory`"),
            (|it| it.fallback_ca_file = Some("ca.pem".into()), "needs `fallback_directory`"),
            (|it| it.eab_key_id = Some("1".into()), "`eab_key_file` belong together"),
            (|it| it.eab_key_file = Some("key".into()), "`eab_key_id` and"),
            (|it| it.email = Some("a@b.c, d@e.f".into()), "name@example.com"),
        ];
        for (change, says) in cases {
            let why = with(change).expect_err(says);
            assert!(why.contains(says), "{why}");
        }
    }
}
