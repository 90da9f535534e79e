//! The link to the proxy.

use std::sync::Arc;
use std::time::{Duration, Instant};

use toehold_core::wire::proxy::{FromProxy, ToProxy};
use toehold_host::link::{self, LinkError};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{Applied, Fleet, ProxyReported};

/// Serves the proxy whenever it dials in, until `shutdown`.
pub(super) async fn accept(fleet: Arc<Fleet>, listener: UnixListener, shutdown: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (fleet, shutdown) = (Arc::clone(&fleet), shutdown.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = shutdown.cancelled() => {}
                        ended = talk(&fleet, stream) => match ended {
                            Ok(()) => info!("the proxy hung up"),
                            Err(error) => warn!(%error, "the link to the proxy broke"),
                        },
                    }
                    fleet.tell();
                });
            }
            Err(error) => {
                warn!(%error, "the link of the proxy could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn talk(fleet: &Fleet, stream: UnixStream) -> Result<(), LinkError> {
    let (mut reader, mut writer) = link::split::<FromProxy, ToProxy>(stream);
    let mut routes = fleet.routes.subscribe();
    routes.mark_changed();
    loop {
        tokio::select! {
            said = reader.next() => match said? {
                None => return Ok(()),
                Some(said) => hear(fleet, said),
            },
            _ = routes.changed() => {
                let now = routes.borrow_and_update().clone();
                if let Some(now) = now {
                    writer.send(&ToProxy::Routes(now)).await?;
                }
            }
        }
    }
}

fn hear(fleet: &Fleet, said: FromProxy) {
    match said {
        FromProxy::Hello { version, listens } => {
            info!(proxy.version = %version, listens = ?listens, "the proxy dialled in");
        }
        FromProxy::Applied { order, at_us } => {
            fleet.applied.send_replace(Applied { order, at_us });
        }
        FromProxy::Refused { order, why } => {
            error!(order.epoch = order.epoch, order.rev = order.rev, %why, "the proxy refused routes");
        }
        FromProxy::Report(report) => {
            fleet.known().proxy = Some(ProxyReported { report, at: Instant::now() });
        }
    }
    fleet.tell();
}
