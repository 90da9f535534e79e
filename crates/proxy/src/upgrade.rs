//! Connections that go on in another protocol: bytes passed both ways until one side ends.

use std::sync::Arc;
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::time::{Instant, sleep_until};

use crate::meter::Flight;
use crate::visit::Pulse;

/// Joins a visitor and an instance that agreed to go on in another protocol, until one of them
/// ends or nothing was carried for `idle`. The request stays in flight until then.
pub(crate) fn tunnel(
    visitor: OnUpgrade,
    instance: OnUpgrade,
    pulse: Arc<Pulse>,
    flight: Flight,
    idle: Duration,
) {
    tokio::task::spawn_local(async move {
        let _flight = flight;
        let (visitor, instance) = match tokio::try_join!(visitor, instance) {
            Ok(both) => both,
            Err(error) => {
                tracing::debug!(%error, "an upgrade that was agreed to did not come about");
                return;
            }
        };
        let (mut visitor, mut instance) = (TokioIo::new(visitor), TokioIo::new(instance));
        tokio::select! {
            copied = copy_bidirectional(&mut visitor, &mut instance) => {
                if let Err(error) = copied {
                    tracing::trace!(%error, "an upgraded connection broke off");
                }
            }
            () = silence(&pulse, idle) => {
                tracing::debug!("an upgraded connection is closed: nothing for {idle:?}");
            }
        }
    });
}

/// Waits until nothing was carried for so long. Whatever goes through passes the visitor's socket,
/// so looking at that side is enough.
async fn silence(pulse: &Pulse, idle: Duration) {
    let idle_ms = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
    loop {
        let quiet_ms = pulse.now_ms().saturating_sub(pulse.last_io_ms());
        if quiet_ms >= idle_ms {
            return;
        }
        sleep_until(Instant::now() + Duration::from_millis(idle_ms - quiet_ms)).await;
    }
}
