//! Who dials in is served, each by a task of its own.

use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// The wait after a link could not be accepted: mostly there are too many open files, for now.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves every link until `shutdown`, which ends those that are open, too.
pub(super) async fn links<F: Future<Output = ()> + Send + 'static>(
    listener: UnixListener,
    shutdown: CancellationToken,
    serve: impl Fn(UnixStream) -> F,
) {
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
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
