//! Who dials in is served, each by a task of its own.

use std::io;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// The wait after a link could not be accepted: mostly there are too many open files, for now.
const PAUSE: Duration = Duration::from_millis(100);

/// What is dialled.
pub(super) trait Listener {
    /// One who dialled in.
    type Stream;

    /// The next one.
    async fn next(&self) -> io::Result<Self::Stream>;
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

/// Serves every link until `shutdown`, which ends those that are open, too.
pub(super) async fn links<L: Listener, F: Future<Output = ()> + Send + 'static>(
    listener: L,
    shutdown: CancellationToken,
    serve: impl Fn(L::Stream) -> F,
) {
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.next() => accepted,
        };
        match accepted {
            Ok(stream) => {
                let link = shutdown.clone().run_until_cancelled_owned(serve(stream));
                tokio::spawn(async move { link.await.unwrap_or_default() });
            }
            Err(error) => {
                warn!(%error, "a link could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
