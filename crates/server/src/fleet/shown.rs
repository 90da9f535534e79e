//! Which proxies show which certificates: whoever tells a CA to look waits until all of them do.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;
use toehold_core::wire::certificates::Certificates;

use super::Fleet;

/// How long a proxy may take to put certificates in force.
const PATIENCE: Duration = Duration::from_secs(10);

/// The proxies that are connected, by link.
pub(super) type Shown = BTreeMap<u64, State>;

/// What one of them has in force.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    serial: u64,
    refused: Option<(u64, String)>,
}

/// Why not every proxy shows what it should.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotShown {
    /// None is connected.
    #[error("no proxy is connected")]
    NoProxy,
    /// One cannot.
    #[error("a proxy refused it: {0}")]
    Refused(String),
    /// One has not said so in time.
    #[error("a proxy did not say within {} s that it is in force", PATIENCE.as_secs())]
    Silent,
}

impl Fleet {
    /// Says which certificates there are, and which proofs.
    pub fn certify(&self, certificates: Certificates) {
        self.certificates.send_replace(Some(certificates));
    }

    /// Whether a proxy is connected.
    #[must_use]
    pub fn has_proxies(&self) -> bool {
        !self.shown.borrow().is_empty()
    }

    /// Waits until every proxy that is connected has what was said under this serial, or later, in
    /// force.
    pub async fn shown(&self, serial: u64) -> Result<(), NotShown> {
        let mut shown = self.shown.subscribe();
        if shown.borrow().is_empty() {
            return Err(NotShown::NoProxy);
        }
        let decided = shown.wait_for(|all| {
            all.values().all(|it| it.serial >= serial || it.has_refused(serial).is_some())
        });
        match tokio::time::timeout(PATIENCE, decided).await {
            Ok(Ok(all)) if all.is_empty() => Err(NotShown::NoProxy),
            Ok(Ok(all)) => match all.values().find_map(|it| it.has_refused(serial)) {
                Some(why) => Err(NotShown::Refused(why.to_owned())),
                None => Ok(()),
            },
            // The sender lives as long as the fleet that is borrowed here.
            Ok(Err(_)) | Err(_) => Err(NotShown::Silent),
        }
    }
}

impl State {
    /// Certificates are in force.
    pub(super) fn certified(&mut self, serial: u64) {
        self.serial = self.serial.max(serial);
        self.refused = None;
    }

    /// Certificates were refused.
    pub(super) fn uncertified(&mut self, serial: u64, why: String) {
        self.refused = Some((serial, why));
    }

    fn has_refused(&self, serial: u64) -> Option<&str> {
        let refused = self.refused.as_ref().filter(|(of, _)| *of >= serial);
        refused.map(|(_, why)| why.as_str())
    }
}
