//! TLS: whom a server that is dialled must be vouched for by, and how two sides that know each
//! other's certificates meet.

mod mutual;
mod pinned;

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub use mutual::{acceptor, fingerprint, known_connector};
pub use pinned::pinned_connector;

/// TLS with the authorities of `pem` and no others; where it is `None`, with those of the system, or
/// of the file that `SSL_CERT_FILE` names. An error says what is wrong with `pem`.
pub fn connector(pem: Option<&[u8]>) -> Result<TlsConnector, String> {
    let roots = pem.map_or_else(|| Ok(of_the_system()), authorities)?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // Some that the system holds may be too old to be read; the others are enough.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The certificates of a PEM text, in order; at least one.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("no certificate is in it".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(error.to_string()),
    }
}

/// The first certificate of a PEM text. An error says what is wrong with it.
pub fn first_certificate(pem: &[u8]) -> Result<CertificateDer<'static>, String> {
    certificates(pem)?.into_iter().next().ok_or_else(|| "no certificate is in it".to_owned())
}

/// Whether a chain and a key, both PEM, belong together. An error says what is wrong.
pub fn check_pair(chain: &[u8], key: &[u8]) -> Result<(), String> {
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("the key: {error}"))?;
    CertifiedKey::from_der(certificates(chain)?, key, &provider())
        .map(|_| ())
        .map_err(|error| error.to_string())
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    Ok(roots)
}
