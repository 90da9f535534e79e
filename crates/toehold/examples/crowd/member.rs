//! A machine of the crowd: it joins as any machine does, and dials with what it was given.

use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, PublicKeyData};
use toehold_core::model::MachineName;
use toehold_core::wire::agent::{FromAgent, ToAgent};
use toehold_core::wire::call::{Answer, CONTROL_NAME, Call, Join, JoinToken};
use toehold_host::link::{self, Reader, Writer};
use toehold_host::tls::{known_connector, pinned_connector};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::Outcome;

/// One that joined.
pub struct Member {
    /// Its name.
    pub name: MachineName,
    address: IpAddr,
    control: SocketAddr,
    connector: TlsConnector,
}

/// Joins with a token.
pub async fn join(
    name: MachineName,
    address: IpAddr,
    control: SocketAddr,
    token: &str,
) -> Outcome<Member> {
    let authority = JoinToken::parse(token).ok_or("that is no token")?.authority;
    let key = KeyPair::generate()?;
    let public_key = STANDARD.encode(key.der_bytes());
    let stream = dial(address, control, &pinned_connector(authority)?).await?;
    let (mut reader, mut writer) = link::split::<Answer, Call>(stream);
    writer.send(&Call::Join(Join { token: token.to_owned(), public_key })).await?;
    let Some(Answer::Joined(joined)) = reader.next().await? else {
        return Err(format!("{name} was not let in").into());
    };
    let connector = known_connector(
        joined.certificate.pem.as_bytes(),
        key.serialize_pem().as_bytes(),
        joined.authority.as_bytes(),
    )?;
    Ok(Member { name, address, control, connector })
}

impl Member {
    /// Begins the link.
    pub async fn work(&self) -> Outcome<(Reader<ToAgent>, Writer<FromAgent>)> {
        let stream = dial(self.address, self.control, &self.connector).await?;
        let (reader, mut writer) = link::split::<ToAgent, Call>(stream);
        writer.send(&Call::Work).await?;
        Ok((reader, writer.saying()))
    }
}

/// Dials from an address of its own.
async fn dial(
    from: IpAddr,
    to: SocketAddr,
    connector: &TlsConnector,
) -> Outcome<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    link::keep_alive(&stream)?;
    Ok(connector.connect(ServerName::try_from(CONTROL_NAME)?, stream).await?)
}
