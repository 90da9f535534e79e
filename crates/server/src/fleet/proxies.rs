//! The link to the proxy.

use std::sync::Arc;
use std::time::Instant;

use toehold_core::wire::proxy::{FromProxy, ToProxy};
use toehold_host::link::{self, LinkError};
use tokio::net::UnixStream;
use tracing::{error, info, warn};

use super::{Applied, Fleet, ProxyReported};

/// Serves the proxy, which dialled in.
pub(super) async fn serve(fleet: Arc<Fleet>, stream: UnixStream) {
    match talk(&fleet, stream).await {
        Ok(()) => info!("the proxy hung up"),
        Err(error) => warn!(%error, "the link to the proxy broke"),
    }
    fleet.tell();
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
