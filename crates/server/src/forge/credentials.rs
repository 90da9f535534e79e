//! What proves to a forge that we may: a token, or a GitHub App's key.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::json;
use toehold_core::time::Timestamp;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::secret::Secret;

/// How long an App says that it is itself, in seconds: GitHub allows ten minutes.
const SAID_FOR: u64 = 9 * 60;

/// How far GitHub's clock may be behind ours, in seconds.
const BEHIND: u64 = 60;

/// What proves that we may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// A file whose first line is a token.
    pub token_file: Option<PathBuf>,
    /// A GitHub App.
    pub app: Option<App>,
}

/// A GitHub App.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its id.
    pub id: u64,
    /// Where it is installed.
    pub installation: u64,
    /// A file with its private key, in PEM.
    pub key_file: PathBuf,
}

/// The token of a file, read each time, so that a new one counts at once.
pub(super) fn token_of(path: &Path) -> Result<Secret, String> {
    let text = read(path)?;
    let token = text.lines().next().unwrap_or_default().trim();
    if token.is_empty() {
        return Err(format!("{} holds no token", path.display()));
    }
    Ok(Secret::new(token))
}

/// What an App shows to get a token: its id and the time, signed by its key (RS256).
pub(super) fn signed_by(app: &App, now: Timestamp) -> Result<Secret, String> {
    let pem = read(&app.key_file)?;
    let unusable = |why: &str| format!("{} cannot be used: {why}", app.key_file.display());
    let der = PrivateKeyDer::from_pem_slice(pem.as_bytes());
    let key = match der.map_err(|_| unusable("it is no private key in PEM"))? {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        _ => return Err(unusable("it is no RSA key")),
    };
    let key = key.map_err(|error| unusable(&error.to_string()))?;
    let seconds = now.as_ms() / 1_000;
    let encoded = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = encoded(json!({ "alg": "RS256", "typ": "JWT" }));
    let claims = encoded(json!({
        "iat": seconds.saturating_sub(BEHIND),
        "exp": seconds + SAID_FOR,
        "iss": app.id.to_string(),
    }));
    let text = format!("{head}.{claims}");
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
        .map_err(|_| unusable("it does not sign"))?;
    Ok(Secret::new(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))
}
