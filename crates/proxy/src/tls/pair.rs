//! A certificate with its key, made ready to be shown.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;

/// From PEM texts, which must belong together. The error says what is wrong with them.
pub(super) fn pair(chain: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, String> {
    let pair = unchecked(chain, key)?;
    pair.keys_match().map_err(|error| format!("certificate and key: {error}"))?;
    Ok(Arc::new(pair))
}

/// The same for what proves something to a CA: it has an extension that is critical and that rustls
/// does not know.
pub(super) fn proof(chain: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, String> {
    unchecked(chain, key).map(Arc::new)
}

fn unchecked(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, String> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("the certificate: {error}"))?;
    if chain.is_empty() {
        return Err("the certificate: none is in it".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("the key: {error}"))?;
    let key = ring::sign::any_supported_type(&key).map_err(|error| format!("the key: {error}"))?;
    Ok(CertifiedKey::new(chain, key))
}
