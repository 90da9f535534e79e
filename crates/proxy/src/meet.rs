//! A visitor who speaks TLS is met, and served what was agreed to.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use crate::guests::Guest;
use crate::h2::serve_streams;
use crate::serve::serve;
use crate::socket::Socket;
use crate::tls::{ACME, H2};
use crate::worker::Worker;

/// The first byte of each greeting (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

/// Said to who speaks no TLS.
const NO_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Content-Length: 43\r\nConnection: close\r\n\r\nThis port speaks TLS: begin with https://.\n";

/// Meets a visitor who speaks TLS, and serves what comes of it.
pub(crate) async fn meet(
    worker: Rc<Worker>,
    config: Arc<ServerConfig>,
    stream: TcpStream,
    peer: Rc<str>,
    guest: Guest,
) {
    let met = Box::pin(timeout(worker.shared.limits.head, shake_hands(stream, config))).await;
    let stream = match met {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "a visitor was not met by TLS");
            return;
        }
        Err(_) => return,
    };
    match stream.get_ref().1.alpn_protocol() {
        // It has seen what it wanted to see.
        Some(ACME) => {}
        Some(H2) => Box::pin(serve_streams(worker, stream, peer, guest)).await,
        _ => serve(worker, Socket::tls(stream), peer, Some(guest)).await,
    }
}

async fn shake_hands(
    mut stream: TcpStream,
    config: Arc<ServerConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [0];
    if stream.peek(&mut first).await? > 0 && first != [HANDSHAKE] {
        // Most of those who come without TLS forgot the `s`.
        stream.write_all(NO_TLS).await?;
        stream.shutdown().await?;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not TLS"));
    }
    TlsAcceptor::from(config).accept(stream).await
}
