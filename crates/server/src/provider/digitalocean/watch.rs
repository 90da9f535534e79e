//! Whether the firewall was seen to since this control plane started: once is enough, and where it
//! failed it is tried again, with patience.

use std::sync::{MutexGuard, PoisonError};

use tokio::sync::Mutex;
use tracing::warn;

use super::gate::Gate;
use crate::provider::{Guard, ProviderError};

#[derive(Default)]
pub(super) struct Watch {
    /// One sees to it, and the others wait for that.
    seeing: Mutex<()>,
    now: std::sync::Mutex<Guard>,
    /// Closed for a while where it could not be seen to.
    pub(super) again: Gate,
}

impl Watch {
    pub(super) fn now(&self) -> Guard {
        self.lock().clone()
    }

    /// Sees to it, unless that was done.
    pub(super) async fn see_to(
        &self,
        ensure: impl Future<Output = Result<(), ProviderError>>,
    ) -> Result<(), ProviderError> {
        let _seeing = self.seeing.lock().await;
        if self.now() == Guard::Stands {
            return Ok(());
        }
        let done = ensure.await;
        *self.lock() = match &done {
            Ok(()) => Guard::Stands,
            Err(error) => {
                warn!(%error, "the firewall around machines of digitalocean could not be seen to");
                self.again.close(None, error.why.clone());
                Guard::Failed { why: error.why.clone() }
            }
        };
        done
    }

    /// As if this control plane had just started.
    #[cfg(test)]
    pub(super) fn forget(&self) {
        *self.lock() = Guard::default();
    }

    fn lock(&self) -> MutexGuard<'_, Guard> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
