//! The link to the proxy.

use std::sync::Arc;

use toehold_core::wire::proxy::{FromProxy, ToProxy};
use toehold_host::link::{self, LinkError};
use tokio::net::UnixStream;
use tracing::{error, info, warn};

use super::shown::State;
use super::{Applied, Fleet};

/// Serves the proxy, which dialled in.
pub(super) async fn serve(fleet: Arc<Fleet>, stream: UnixStream) {
    match talk(&fleet, stream).await {
        Ok(()) => info!("the proxy hung up"),
        Err(error) => warn!(%error, "the link to the proxy broke"),
    }
    fleet.tell();
}

/// A proxy that is connected; it is not any more once this is dropped.
struct Link<'a> {
    fleet: &'a Fleet,
    id: u64,
}

impl<'a> Link<'a> {
    fn open(fleet: &'a Fleet) -> Self {
        let id = {
            let mut known = fleet.known();
            known.next_link += 1;
            known.next_link
        };
        fleet.shown.send_modify(|all| drop(all.insert(id, State::default())));
        Self { fleet, id }
    }

    fn shows(&self, change: impl FnOnce(&mut State)) {
        self.fleet.shown.send_modify(|all| change(all.entry(self.id).or_default()));
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        self.fleet.shown.send_modify(|all| drop(all.remove(&self.id)));
        let left = self.fleet.known().proxies.hung_up(self.id);
        if let Some(applied) = left {
            self.fleet.applied.send_replace(applied);
        }
    }
}

async fn talk(fleet: &Fleet, stream: UnixStream) -> Result<(), LinkError> {
    let (mut reader, mut writer) = link::split::<FromProxy, ToProxy>(stream);
    let link = Link::open(fleet);
    let mut routes = fleet.routes.subscribe();
    routes.mark_changed();
    let mut certificates = fleet.certificates.subscribe();
    certificates.mark_changed();
    loop {
        tokio::select! {
            said = reader.next() => match said? {
                None => return Ok(()),
                Some(said) => hear(&link, said),
            },
            _ = routes.changed() => {
                let now = routes.borrow_and_update().clone();
                if let Some(now) = now {
                    writer.send(&ToProxy::Routes(now)).await?;
                }
            }
            _ = certificates.changed() => {
                let now = certificates.borrow_and_update().clone();
                if let Some(now) = now {
                    writer.send(&ToProxy::Certificates(now)).await?;
                }
            }
        }
    }
}

fn hear(link: &Link<'_>, said: FromProxy) {
    let fleet = link.fleet;
    match said {
        FromProxy::Hello { version, listens } => {
            info!(proxy.version = %version, listens = ?listens, "the proxy dialled in");
        }
        FromProxy::Applied { order, at_us } => {
            let applied = fleet.known().proxies.applied(link.id, Applied { order, at_us });
            if let Some(applied) = applied {
                fleet.applied.send_replace(applied);
            }
        }
        FromProxy::Refused { order, why } => {
            error!(order.epoch = order.epoch, order.rev = order.rev, %why, "the proxy refused routes");
        }
        FromProxy::Certified { serial } => link.shows(|it| it.certified(serial)),
        FromProxy::Uncertified { serial, why } => {
            error!(serial, %why, "the proxy refused certificates");
            link.shows(|it| it.uncertified(serial, why));
        }
        FromProxy::Report(report) => {
            fleet.known().proxies.reported(link.id, report);
        }
    }
    fleet.tell();
}
