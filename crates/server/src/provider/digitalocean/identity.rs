//! The host key a machine is made with: given to it, so that nobody has to be believed at first
//! sight.

use std::path::PathBuf;

use serde_json::json;
use toehold_core::model::MachineName;

use super::Place;
use crate::provider::{ProviderError, host_key};

/// The most that the API takes of it, in bytes.
const MOST_BYTES: usize = 64 * 1024;

/// A machine's host key, and who may log in.
pub(super) struct Identity {
    private: String,
    public: String,
    /// Toehold's own public key.
    visitor: String,
}

impl Identity {
    /// What cloud-init is told. JSON is YAML: nothing in it can be read in another way.
    pub(super) fn user_data(&self) -> Result<String, ProviderError> {
        let config = json!({
            "disable_root": false,
            "ssh_deletekeys": true,
            "ssh_keys": { "ed25519_private": self.private, "ed25519_public": self.public },
            "ssh_authorized_keys": [self.visitor],
            "users": [{ "name": "root", "ssh_authorized_keys": [self.visitor] }],
        });
        let text = serde_json::to_string_pretty(&config)
            .map_err(|error| ProviderError::lasting(error.to_string()))?;
        let text = format!("#cloud-config\n{text}\n");
        if text.len() > MOST_BYTES {
            return Err(ProviderError::lasting(format!(
                "what the machine is told at first has {} bytes, and digitalocean takes \
                 {MOST_BYTES}: is Toehold's own key (`toehold machines key`) a key?",
                text.len()
            )));
        }
        Ok(text)
    }
}

fn file(place: &Place, machine: &MachineName) -> PathBuf {
    place.host_keys.join(machine.as_str())
}

/// The host key of a machine that is to be made, the same at each try.
pub(super) async fn made(place: &Place, machine: &MachineName) -> Result<Identity, ProviderError> {
    let failed = |error: &dyn std::fmt::Display| ProviderError::transient(error.to_string());
    tokio::fs::create_dir_all(&place.host_keys).await.map_err(|error| failed(&error))?;
    let host = host_key::own(&file(place, machine)).await.map_err(|error| failed(&error))?;
    let visitor = host_key::own(&place.key).await.map_err(|error| failed(&error))?;
    let read = async |path: PathBuf| {
        tokio::fs::read_to_string(&path).await.map_err(|error| {
            ProviderError::transient(format!("cannot read {}: {error}", path.display()))
        })
    };
    Ok(Identity {
        private: read(host.clone()).await?,
        public: read(public(&host)).await?.trim().to_owned(),
        visitor: read(public(&visitor)).await?.trim().to_owned(),
    })
}

/// The host key a machine was made with.
pub(super) async fn read(place: &Place, machine: &MachineName) -> Result<String, ProviderError> {
    let path = public(&file(place, machine));
    let text = tokio::fs::read_to_string(&path).await.map_err(|error| {
        ProviderError::lasting(format!(
            "{machine} was not made by this Toehold: its host key is not in {} ({error})",
            path.display()
        ))
    })?;
    host_key::parse(&text).map_err(|error| ProviderError::lasting(error.to_string()))
}

/// A machine that is gone needs no key.
pub(super) async fn forget(place: &Place, machine: &MachineName) {
    let path = file(place, machine);
    for path in [public(&path), path] {
        if let Err(error) = tokio::fs::remove_file(&path).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "the host key of a machine that is gone could not be removed");
        }
    }
}

/// A machine's name may have dots in it, so that nothing is cut off.
fn public(path: &std::path::Path) -> PathBuf {
    path.with_added_extension("pub")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cloud_init_is_told_is_never_longer_than_it_may_be() {
        let key = |bytes| Identity {
            private: String::new(),
            public: String::new(),
            visitor: "x".repeat(bytes),
        };
        let text = key(MOST_BYTES / 2 - 200).user_data().expect("it fits");
        assert!(text.len() <= MOST_BYTES && text.len() > MOST_BYTES - 400, "{}", text.len());
        let error = key(MOST_BYTES / 2).user_data().expect_err("it is too long");
        assert!(error.why.contains("65536"), "{error}");
    }

    #[test]
    fn what_cloud_init_is_told_is_one_document_that_begins_as_it_must() {
        let identity = Identity {
            private:
                "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n"
                    .into(),
            public: "ssh-ed25519 AAAA".into(),
            visitor: "ssh-ed25519 BBBB toehold".into(),
        };
        let text = identity.user_data().expect("it can be written");
        let json = text.strip_prefix("#cloud-config\n").expect("the first line");
        let read: serde_json::Value = serde_json::from_str(json).expect("one document");
        assert_eq!(read["ssh_keys"]["ed25519_private"], identity.private);
        assert!(text.len() < 64 * 1024);
    }
}
