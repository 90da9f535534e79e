//! Connections that go on in another protocol: bytes passed both ways until one side ends.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::meter::Flight;
use crate::visit::{Ends, Pulse};

/// Joins a visitor and an instance that agreed to go on in another protocol, until one of them
/// ends or nothing was carried for too long. The request stays in flight until then.
pub(crate) fn tunnel(
    visitor: OnUpgrade,
    instance: OnUpgrade,
    pulse: Arc<Pulse>,
    flight: Flight,
    ends: Ends,
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
        let Ends { idle, farewell, stop } = ends;
        tokio::select! {
            () = join(TokioIo::new(visitor), TokioIo::new(instance), farewell) => {}
            () = silence(&pulse, idle) => {
                tracing::debug!("an upgraded connection is closed: nothing for {idle:?}");
            }
            () = async { stop.cancelled().await; sleep(farewell).await } => {
                tracing::debug!("an upgraded connection is closed: the proxy stops");
            }
        }
    });
}

/// Passes bytes both ways. Once one side has closed its end, the other has a while to say its last.
async fn join(
    visitor: impl AsyncRead + AsyncWrite,
    instance: impl AsyncRead + AsyncWrite,
    farewell: Duration,
) {
    let (mut visitor_says, mut to_visitor) = split(visitor);
    let (mut instance_says, mut to_instance) = split(instance);
    let mut up = pin!(one_way(&mut visitor_says, &mut to_instance));
    let mut down = pin!(one_way(&mut instance_says, &mut to_visitor));
    tokio::select! {
        () = &mut up => { let _ = timeout(farewell, down).await; }
        () = &mut down => { let _ = timeout(farewell, up).await; }
    }
}

async fn one_way(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) {
    if let Err(error) = copy(from, to).await {
        tracing::trace!(%error, "an upgraded connection broke off");
    }
    // Its other end may be gone; then there is nobody to tell.
    let _ = to.shutdown().await;
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
