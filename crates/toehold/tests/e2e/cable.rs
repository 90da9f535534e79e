//! A cable between agents and the control plane: it can be pulled, and made to break after so many
//! bytes, and it counts what it carries.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A cable.
pub struct Cable {
    /// Where agents dial.
    pub at: SocketAddr,
    is_in: watch::Sender<bool>,
    counts: Arc<Counts>,
}

struct Counts {
    /// Bytes that reached an agent.
    carried: AtomicU64,
    /// Connections that were broken for carrying too many.
    cuts: AtomicU64,
    /// How many bytes each connection may carry to an agent.
    most: AtomicU64,
}

impl Cable {
    /// One to a control plane.
    pub async fn to(control: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let counts = Counts {
            carried: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
            most: AtomicU64::new(u64::MAX),
        };
        let (counts, is_in) = (Arc::new(counts), watch::Sender::new(true));
        tokio::spawn({
            let (counts, is_in) = (Arc::clone(&counts), is_in.clone());
            async move {
                while let Ok((agent, _)) = listener.accept().await {
                    let (counts, mut pulled) = (Arc::clone(&counts), is_in.subscribe());
                    tokio::spawn(async move {
                        tokio::select! {
                            _ = pulled.wait_for(|is_in| !is_in) => {}
                            () = relay(agent, control, &counts) => {}
                        }
                    });
                }
            }
        });
        Self { at, is_in, counts }
    }

    /// Pulls it, or plugs it in again.
    pub fn plug(&self, is_in: bool) {
        self.is_in.send_replace(is_in);
    }

    /// From now on each connection breaks after so many bytes to the agent.
    pub fn breaks_after(&self, bytes: u64) {
        self.counts.most.store(bytes, Ordering::SeqCst);
    }

    /// How many bytes reached an agent.
    pub fn carried(&self) -> u64 {
        self.counts.carried.load(Ordering::SeqCst)
    }

    /// How many connections broke because of what they carried.
    pub fn cuts(&self) -> u64 {
        self.counts.cuts.load(Ordering::SeqCst)
    }
}

async fn relay(agent: TcpStream, control: SocketAddr, counts: &Counts) {
    let Ok(control) = TcpStream::connect(control).await else { return };
    let (mut from_agent, mut to_agent) = agent.into_split();
    let (mut from_control, mut to_control) = control.into_split();
    let down = async {
        let (mut piece, mut carried) = (vec![0; 16 * 1024], 0);
        while let Ok(read @ 1..) = from_control.read(&mut piece).await {
            if to_agent.write_all(&piece[..read]).await.is_err() {
                return;
            }
            carried += read as u64;
            counts.carried.fetch_add(read as u64, Ordering::SeqCst);
            if carried > counts.most.load(Ordering::SeqCst) {
                counts.cuts.fetch_add(1, Ordering::SeqCst);
                return;
            }
        }
    };
    // Whoever ends first ends it.
    tokio::select! {
        () = down => {}
        _ = tokio::io::copy(&mut from_agent, &mut to_control) => {}
    }
}
