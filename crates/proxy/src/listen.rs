//! Listening sockets: shared out to the threads, and accepted from.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls::ServerConfig;

use crate::handover;
use crate::headers;
use crate::meet::meet;
use crate::page::Page;
use crate::serve::serve;
use crate::socket::Socket;
use crate::worker::Worker;

/// How long accepting rests after it failed for want of something.
const PAUSE: Duration = Duration::from_millis(50);

/// How long the request of a visitor who is turned away is waited for.
const REQUEST: Duration = Duration::from_millis(50);

/// Shares sockets out: each thread accepts at each address. Where an address has several sockets
/// (one for each core, as `SO_REUSEPORT` allows) each is used; where it has too few, threads share.
pub(crate) fn share_out(
    listeners: Vec<std::net::TcpListener>,
    threads: usize,
) -> io::Result<Vec<Vec<std::net::TcpListener>>> {
    let mut by_addr: BTreeMap<SocketAddr, Vec<std::net::TcpListener>> = BTreeMap::new();
    for listener in listeners {
        listener.set_nonblocking(true)?;
        // Connections that are accepted have it from here.
        SockRef::from(&listener).set_tcp_nodelay(true)?;
        by_addr.entry(listener.local_addr()?).or_default().push(listener);
    }
    let mut shares: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
    for sockets in by_addr.into_values() {
        for thread in sockets.len()..threads {
            shares[thread].push(sockets[thread % sockets.len()].try_clone()?);
        }
        for (at, socket) in sockets.into_iter().enumerate() {
            shares[at % threads].push(socket);
        }
    }
    Ok(shares)
}

/// Accepts visitors until the proxy is asked to stop; none while another process does. The socket
/// stays open meanwhile, and nothing here hears of who comes.
pub(crate) async fn accept(
    worker: Rc<Worker>,
    socket: std::net::TcpListener,
    first: TcpListener,
    tls: Option<Arc<ServerConfig>>,
) -> io::Result<()> {
    let stop = worker.shared.stop.clone();
    let mut drains = worker.shared.drains.clone();
    let mut listener = Some(first);
    loop {
        if *drains.borrow_and_update() {
            drop(listener.take());
        } else if listener.is_none() {
            listener = Some(TcpListener::from_std(socket.try_clone()?)?);
        }
        let accepting = async {
            match &listener {
                Some(listener) => accept_at(&worker, listener, tls.as_ref()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            _ = handover::next(&mut drains) => {}
            () = accepting => {}
        }
    }
}

/// Accepts visitors, for ever.
async fn accept_at(worker: &Rc<Worker>, listener: &TcpListener, tls: Option<&Arc<ServerConfig>>) {
    let mut spare = Spare::new();
    loop {
        let accepted = listener.accept().await;
        match accepted {
            Ok((stream, peer)) => {
                let worker = worker.clone();
                match (worker.guests.let_in(&worker.shared.limits, peer.ip()), tls) {
                    (Some(guest), None) => {
                        let socket = Socket::Plain(stream);
                        let peer = headers::address(peer.ip());
                        tokio::task::spawn_local(serve(worker, socket, peer, Some(guest)));
                    }
                    (Some(guest), Some(config)) => {
                        let peer = headers::address(peer.ip());
                        let meeting = meet(worker, config.clone(), stream, peer, guest);
                        tokio::task::spawn_local(meeting);
                    }
                    (None, None) => {
                        tokio::task::spawn_local(turn_away(stream));
                    }
                    // It would have to be met by TLS before it could be told.
                    (None, Some(_)) => {}
                }
            }
            // The visitor went away before it was its turn.
            Err(error) if is_visitors(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "a visitor could not be let in: too few files or no memory");
                spare.free();
                if let Ok(Ok((stream, _))) = timeout(PAUSE, listener.accept()).await {
                    turn_away(stream).await;
                }
                spare = Spare::new();
                sleep(PAUSE).await;
            }
        }
    }
}

/// A file that is held only to be given up when there is none left: a visitor is then told so
/// rather than left waiting.
struct Spare(Option<File>);

impl Spare {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    fn free(&mut self) {
        self.0 = None;
    }
}

fn is_visitors(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Says to a visitor that there are too many.
async fn turn_away(mut stream: TcpStream) {
    let Page { status, text } = Page::BUSY;
    let length = text.len() + 1;
    let answer = format!(
        "HTTP/1.1 {status} Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
         Retry-After: 1\r\nConnection: close\r\n\r\n{text}\n"
    );
    let said = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    };
    // Whether it heard is its own affair.
    let _ = timeout(Duration::from_secs(1), said).await;
    // Its request is on its way or there: left unread, it would take the answer along.
    let _ = timeout(REQUEST, stream.readable()).await;
    let mut space = [0; 4096];
    while matches!(stream.try_read(&mut space), Ok(1..)) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener() -> std::net::TcpListener {
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free")
    }

    /// At how many addresses each thread accepts, and how many sockets there are in all.
    fn shared(listeners: Vec<std::net::TcpListener>, threads: usize) -> (Vec<usize>, usize) {
        let shares = share_out(listeners, threads).expect("they are sockets");
        let addrs = |share: &Vec<std::net::TcpListener>| {
            let mut addrs: Vec<_> =
                share.iter().map(|it| it.local_addr().expect("it is bound")).collect();
            addrs.dedup();
            addrs.len()
        };
        (shares.iter().map(addrs).collect(), shares.iter().map(Vec::len).sum())
    }

    #[test]
    fn each_thread_accepts_at_each_address() {
        assert_eq!(shared(vec![listener(), listener()], 3), (vec![2, 2, 2], 6));
        assert_eq!(shared(vec![], 2), (vec![0, 0], 0));
    }

    #[test]
    fn no_socket_is_left_out_where_there_are_more_than_threads() {
        let first = listener();
        let same = || first.try_clone().expect("it can be shared");
        assert_eq!(shared(vec![same(), same(), same()], 2), (vec![1, 1], 3));
    }
}
