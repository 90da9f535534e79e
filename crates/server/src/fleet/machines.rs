//! The port for agents on other machines: TLS, and what each connection is about.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use toehold_core::model::{Digest, MachineName};
use toehold_core::wire::agent::FromAgent;
use toehold_core::wire::call::{Answer, Call, Join};
use toehold_host::link::{self, LinkError, Reader, Writer};
use toehold_host::tls;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::agents::{Caller, converse, is_placed};
use super::shares::{Share, Shares, Use};
use super::strangers::Strangers;
use super::{Fleet, accept};
use crate::authority::Authority;

/// How long a caller may take to show who it is and what it wants.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest first line, in bytes: nobody is known before it was read.
const FIRST_LINE_BYTES: usize = 4 * 1024;

/// How long a receiver may take for one piece of an artifact.
const PIECE_PATIENCE: Duration = Duration::from_secs(30);

/// How much is sent at once, in bytes.
const PIECE_BYTES: usize = 128 * 1024;

/// Where the bytes of an artifact lie.
pub(super) type Shelf = Box<dyn Fn(&Digest) -> PathBuf + Send + Sync>;

/// What every connection needs.
pub(super) struct Gate {
    fleet: Arc<Fleet>,
    authority: Arc<Authority>,
    acceptor: TlsAcceptor,
    shelf: Shelf,
    strangers: Strangers,
    shares: Shares,
}

impl Gate {
    pub(super) fn new(
        fleet: Arc<Fleet>,
        authority: Arc<Authority>,
        acceptor: TlsAcceptor,
        shelf: Shelf,
    ) -> Self {
        let (strangers, shares) = (Strangers::default(), Shares::default());
        Self { fleet, authority, acceptor, shelf, strangers, shares }
    }
}

/// Serves every caller until `shutdown`.
pub(super) async fn listen(listener: TcpListener, gate: Gate, shutdown: CancellationToken) {
    let gate = Arc::new(gate);
    accept::links(listener, shutdown, move |stream| serve(Arc::clone(&gate), stream)).await;
}

async fn serve(gate: Arc<Gate>, stream: TcpStream) {
    // Whoever has no address any more has gone.
    let Ok(from) = stream.peer_addr().map(|it| it.ip()) else { return };
    let Some(stranger) = gate.strangers.enter(from) else {
        debug!(%from, "a caller was turned away: too many have not shown who they are");
        return;
    };
    let begun = tokio::time::timeout(PATIENCE, begin(&gate, stream)).await;
    let (machine, call, reader, writer) = match begun {
        Ok(Ok(begun)) => begun,
        Ok(Err(why)) => return debug!(%why, "a caller did not come in"),
        Err(_) => return debug!("a caller took too long"),
    };
    let unknown = match (machine, call) {
        (_, Call::Join(join)) => return admit(&gate, &join, &from.to_string(), writer).await,
        (Some((machine, shown)), Call::Work) => {
            drop(stranger);
            let Some(_share) = gate.shares.enter(&machine, Use::Link) else {
                return too_many(&machine);
            };
            let authority = Arc::clone(&gate.authority);
            authority.dialled(&machine, &shown);
            let caller = Caller::Known { machine, shown, authority };
            let reader: Reader<FromAgent> = reader.expecting();
            return converse(&gate.fleet, &caller, reader, writer.saying()).await;
        }
        (Some((machine, _)), Call::Fetch { artifact, from_byte }) => {
            drop(stranger);
            let Some(share) = gate.shares.enter(&machine, Use::Fetch) else {
                return too_many(&machine);
            };
            let asked = Asked { machine, artifact, from_byte, share };
            return give(&gate, &asked, reader, writer).await;
        }
        (None, _) => machine_unknown(writer),
    };
    unknown.await;
}

/// The handshake and the first line: who it is, and what it wants.
async fn begin(
    gate: &Gate,
    stream: TcpStream,
) -> Result<(Option<(MachineName, Digest)>, Call, Reader<Call>, Writer<Answer>), String> {
    let said = |error: std::io::Error| error.to_string();
    stream.set_nodelay(true).and_then(|()| link::keep_alive(&stream)).map_err(said)?;
    let stream = gate.acceptor.accept(stream).await.map_err(said)?;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).map(tls::fingerprint);
    let machine = shown.and_then(|shown| Some((gate.authority.who(&shown)?, shown)));
    let (reader, writer) = link::split::<Call, Answer>(stream);
    let mut reader = reader.at_most(FIRST_LINE_BYTES);
    match reader.next().await {
        Ok(Some(call)) => Ok((machine, call, reader, writer)),
        Ok(None) => Err("it hung up".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

async fn machine_unknown(writer: Writer<Answer>) {
    let why = "this machine is not known here (any more): let it join again";
    refuse(writer, why.to_owned()).await;
}

async fn admit(gate: &Gate, join: &Join, from: &str, mut writer: Writer<Answer>) {
    let answer = match gate.authority.admit(join, from).await {
        Ok(joined) => {
            info!(machine.name = %joined.machine, "a machine joined");
            Answer::Joined(joined)
        }
        Err(error) => {
            debug!(%error, from, "a machine was not let in");
            Answer::Refused { why: error.to_string() }
        }
    };
    if let Err(error) = writer.send(&answer).await {
        warn!(%error, "a machine that wanted to join did not wait for the answer");
    }
}

fn too_many(machine: &MachineName) {
    warn!(machine.name = %machine, "a machine was hung up on: it has too many connections open");
}

/// What a machine wants the bytes of.
struct Asked {
    machine: MachineName,
    artifact: Digest,
    from_byte: u64,
    share: Share,
}

/// Sends the bytes of an artifact that is placed on the machine, when it is its turn.
async fn give(gate: &Gate, asked: &Asked, mut reader: Reader<Call>, writer: Writer<Answer>) {
    let Asked { machine, artifact, from_byte, share } = asked;
    if !is_placed(gate.fleet.placements.borrow().get(machine), artifact) {
        return refuse(writer, "it is not placed on this machine".to_owned()).await;
    }
    // Nothing is open for one who waits, and nobody waits who has gone. Who is hung up on asks again.
    let turn = tokio::select! {
        turn = share.turn() => turn,
        _ = reader.next() => None,
    };
    let Some(_turn) = turn else {
        return debug!(machine.name = %machine, artifact = %artifact.short(), "an artifact was not sent: its turn did not come, or nobody waits for it");
    };
    let (mut file, size) = match open(gate, artifact, *from_byte).await {
        Ok(opened) => opened,
        Err(why) => return refuse(writer, why).await,
    };
    if let Err(error) = send(&mut file, *from_byte, size, writer).await {
        warn!(machine.name = %machine, artifact = %artifact.short(), %error, "an artifact did not reach a machine whole: it may ask for the rest");
    }
}

async fn refuse(mut writer: Writer<Answer>, why: String) {
    // Whoever is refused may have gone already.
    let _ = writer.send(&Answer::Refused { why }).await;
}

async fn open(
    gate: &Gate,
    artifact: &Digest,
    from_byte: u64,
) -> Result<(tokio::fs::File, u64), String> {
    let path = (gate.shelf)(artifact);
    let said = |error: std::io::Error| format!("it cannot be read: {error}");
    let mut file = tokio::fs::File::open(&path).await.map_err(said)?;
    let size = file.metadata().await.map_err(said)?.len();
    if from_byte > size {
        return Err(format!("it has {size} bytes, and not {from_byte}"));
    }
    file.seek(std::io::SeekFrom::Start(from_byte)).await.map_err(said)?;
    Ok((file, size))
}

async fn send(
    file: &mut tokio::fs::File,
    from_byte: u64,
    size: u64,
    mut writer: Writer<Answer>,
) -> Result<(), LinkError> {
    writer.send(&Answer::Bytes { count: size - from_byte, of: size }).await?;
    let mut out = writer.into_bytes();
    let mut piece = vec![0; PIECE_BYTES];
    let mut left = size - from_byte;
    while left > 0 {
        let read = file.read(&mut piece).await.map_err(LinkError::Io)?;
        if read == 0 {
            return Err(LinkError::Cut);
        }
        let taken = tokio::time::timeout(PIECE_PATIENCE, out.write_all(&piece[..read])).await;
        taken.map_err(|_| LinkError::Stuck)?.map_err(LinkError::Io)?;
        left = left.saturating_sub(read as u64);
    }
    let ended = async {
        out.flush().await?;
        out.shutdown().await
    };
    tokio::time::timeout(PIECE_PATIENCE, ended)
        .await
        .map_err(|_| LinkError::Stuck)?
        .map_err(LinkError::Io)
}

#[cfg(test)]
mod tests;
