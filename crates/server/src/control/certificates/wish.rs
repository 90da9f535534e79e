//! What CAs wish of certificates they gave: asked for now and then, one after the other.

use std::sync::Arc;

use toehold_core::certificates::{
    ASKED_AGAIN, Certificate, Kept, Origin, Which, Window, asked_again_at,
};
use tracing::{debug, info};

use super::held::chance;
use super::{Control, Keeper};

/// Asks for each host that is due.
pub(super) async fn run(control: Arc<Control>, keeper: Arc<Keeper>) {
    for which in [Which::First, Which::Fallback] {
        let ca = keeper.ca(which);
        loop {
            let now = control.clock().now();
            // Where it cannot be asked, or has no wishes, it is not asked again soon.
            let later = now.plus(ASKED_AGAIN);
            let Some((host, chain)) = keeper.held.next_to_wish(ca.directory(), now, later) else {
                break;
            };
            match ca.wish(&chain).await {
                Ok(Some((window, wait))) => {
                    keeper.held.wish_again(&host, asked_again_at(now, wait));
                    keeper.wished(&control, &host, &chain, window).await;
                }
                Ok(None) => debug!(%host, "the CA has no wishes"),
                Err(error) => debug!(%host, error, "the CA could not be asked for its wish"),
            }
        }
    }
}

impl Keeper {
    /// A CA wishes that the certificate of a host be renewed then.
    async fn wished(&self, control: &Control, host: &str, chain: &str, window: Window) {
        let _writing = self.writing.lock().await;
        let (kept, ..) = self.held.get(host);
        let Some(Certificate { from: Origin::Acme { directory }, not_after, .. }) =
            &kept.certificate
        else {
            return;
        };
        // Another one may have come meanwhile.
        if self.held.chain(host, directory).as_deref() != Some(chain) {
            return;
        }
        let wished_at = Some(window.moment(chance(host, *not_after)));
        if kept.wished_at != wished_at {
            info!(%host, from = %window.from, "the CA says when it wishes a renewal");
            self.keep(control, host, Kept { wished_at, ..kept }, None).await;
        }
    }
}
