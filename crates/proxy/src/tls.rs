//! What a visitor who speaks TLS is shown, and how it is spoken.

mod files;
mod local;
mod pair;
mod shown;

use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::NoServerSessionStorage;
use tokio_rustls::rustls::{Error, ServerConfig, version};

pub(crate) use crate::tls::files::Files;
pub use crate::tls::files::FilesError;
pub(crate) use crate::tls::local::Local;
pub(crate) use crate::tls::shown::{Shown, Wardrobe};

/// What a CA offers that looks at a certificate and at nothing else (RFC 8737).
pub(crate) const ACME: &[u8] = b"acme-tls/1";

/// HTTP/2.
pub(crate) const H2: &[u8] = b"h2";

/// What is spoken behind TLS, what we like best first.
const SPOKEN: [&[u8]; 3] = [H2, b"http/1.1", ACME];

/// How visitors are met: TLS 1.2 and 1.3, with resumption by tickets, whose keys change by
/// themselves.
pub(crate) fn config(shown: Arc<Shown>) -> Result<Arc<ServerConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(shown);
    config.alpn_protocols = SPOKEN.iter().map(|it| it.to_vec()).collect();
    config.ticketer = ring::Ticketer::new()?;
    // Tickets do without a memory of our own.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}
