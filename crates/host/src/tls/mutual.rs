//! Both sides show a certificate of the same authority.

use std::sync::Arc;

use toehold_core::model::Digest;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{authorities, certificates, provider};

/// What a server meets its callers with: its chain (its own certificate first, the authority's
/// last) and key. Who shows a certificate must have it from the `authority`; who shows none is let
/// in as nobody: look at [`fingerprint`]. All three are PEM; an error says which is wrong.
pub fn acceptor(chain: &[u8], key: &[u8], authority: &[u8]) -> Result<TlsAcceptor, String> {
    let of = |what: &'static str| move |error: String| format!("{what}: {error}");
    let roots = authorities(authority).map_err(of("the authority"))?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()
        .map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("the key: {error}"))?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(chain).map_err(of("the certificate"))?, key)
        .map_err(|error| error.to_string())?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What a caller that has a certificate dials with; the server must have its own from the
/// `authority`. All three are PEM; an error says which is wrong.
pub fn known_connector(
    certificate: &[u8],
    key: &[u8],
    authority: &[u8],
) -> Result<TlsConnector, String> {
    let of = |what: &'static str| move |error: String| format!("{what}: {error}");
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("the key: {error}"))?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(authorities(authority).map_err(of("the authority"))?)
        .with_client_auth_cert(certificates(certificate).map_err(of("the certificate"))?, key)
        .map_err(|error| error.to_string())?;
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The SHA-256 of a certificate, which names it.
#[must_use]
pub fn fingerprint(certificate: &CertificateDer<'_>) -> Digest {
    Digest::of(certificate)
}
