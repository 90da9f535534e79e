//! The ways to the control plane: its Unix socket on the same machine, TLS from any other.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use toehold_core::wire::call::{CONTROL_NAME, Call};
use toehold_host::link::{self, LinkError, Reader, Writer};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::identity::Membership;

/// The longest a call to a socket may take to be answered, and one over the network.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(2);
const NETWORK_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the control plane is.
#[derive(Clone)]
pub enum ControlPlane {
    /// On this machine, at this socket.
    Here(PathBuf),
    /// Elsewhere, for a machine that joined.
    Elsewhere(Arc<Membership>),
}

/// Why the control plane cannot be spoken with.
#[derive(Debug, Error)]
pub enum DialError {
    /// The link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// What was kept of the certificates cannot be used.
    #[error("this machine's certificate cannot be used ({0}): let it join again")]
    Identity(String),
    /// Nobody answers there, or not whom we know.
    #[error("cannot reach the control plane at {at}: is that port open to this machine?")]
    Network {
        /// Where.
        at: String,
        /// Why.
        source: io::Error,
    },
}

/// Begins a link.
pub(crate) async fn work<I: DeserializeOwned, O: Serialize>(
    control: &ControlPlane,
) -> Result<(Reader<I>, Writer<O>), DialError> {
    match control {
        ControlPlane::Here(socket) => Ok(link::split(link::dial(socket, SOCKET_TIMEOUT).await?)),
        ControlPlane::Elsewhere(membership) => {
            let stream = known(membership).await?;
            let (reader, mut writer) = link::split::<I, Call>(stream);
            writer.send(&Call::Work).await?;
            Ok((reader, writer.saying()))
        }
    }
}

/// Dials with this machine's certificate.
pub(crate) async fn known(membership: &Membership) -> Result<TlsStream<TcpStream>, DialError> {
    let (at, connector) = membership.way().map_err(DialError::Identity)?;
    dial(&at, &connector).await
}

/// Dials `at`, which must prove to be the control plane.
pub(crate) async fn dial(
    at: &str,
    connector: &TlsConnector,
) -> Result<TlsStream<TcpStream>, DialError> {
    let failed = |source| DialError::Network { at: at.to_owned(), source };
    let name = ServerName::try_from(CONTROL_NAME).expect("the name is fixed and allowed");
    let connected = async {
        let stream = TcpStream::connect(at).await?;
        stream.set_nodelay(true)?;
        toehold_host::link::keep_alive(&stream)?;
        connector.connect(name, stream).await
    };
    match tokio::time::timeout(NETWORK_TIMEOUT, connected).await {
        Ok(connected) => connected.map_err(failed),
        Err(_) => Err(failed(io::ErrorKind::TimedOut.into())),
    }
}
