//! One order, from its beginning to what is written down of it.

use std::sync::Arc;
use std::time::Duration;

use toehold_core::certificates::{self, Attempt, Kept, Refusal, Which};
use toehold_core::model::{Digest, EventKind};
use toehold_core::tell::chain;
use toehold_core::wire::certificates::Pair;

use super::{Control, Keeper};
use crate::acme::{Failed, Issued, Proof};
use crate::fleet::NotShown;
use crate::secret::random_bytes;

/// The longest an order may take, whatever it waits for.
const ORDER: Duration = Duration::from_mins(6);

/// Orders a certificate, and keeps what came of it.
pub(super) async fn run(control: Arc<Control>, keeper: Arc<Keeper>, host: String, which: Which) {
    let _ordered = Ordered { control: &control, keeper: &keeper, host: &host };
    {
        let _writing = keeper.writing.lock().await;
        let (kept, ..) = keeper.held.get(&host);
        keeper.keep(&control, &host, kept.begun(control.clock().now()), None).await;
    }
    let replaces = keeper.held.chain(&host, keeper.ca(which).directory());
    let late = || Failed { refusal: Refusal::TooLong, wait: None };
    let show = |proof| keeper.prove(&control, &host, proof);
    let ordering = keeper.ca(which).order(&host, replaces.as_deref(), show);
    let ordered = tokio::time::timeout(ORDER, ordering).await;
    let _writing = keeper.writing.lock().await;
    match ordered.unwrap_or_else(|_| Err(late())) {
        Ok(issued) => keeper.issued(&control, &host, which, issued).await,
        Err(failed) => keeper.failed(&control, &host, which, failed).await,
    }
}

/// An order under way. Once this is dropped, in whatever way, its proof is shown no more and the
/// host's next turn can come.
struct Ordered<'a> {
    control: &'a Control,
    keeper: &'a Keeper,
    host: &'a str,
}

impl Drop for Ordered<'_> {
    fn drop(&mut self) {
        self.keeper.held.ended(self.host);
        self.keeper.show(self.control);
    }
}

impl Keeper {
    /// Has every proxy show a proof.
    async fn prove(&self, control: &Control, host: &str, proof: Proof) -> Result<(), Refusal> {
        self.held.prove(host, proof);
        let serial = self.show(control);
        control.parts.fleet.shown(serial).await.map_err(|error| match error {
            NotShown::NoProxy => Refusal::NoProxy,
            NotShown::Refused(_) | NotShown::Silent => Refusal::Unshown(error.to_string()),
        })
    }

    async fn issued(&self, control: &Control, host: &str, which: Which, issued: Issued) {
        let Issued { certificate, pair } = issued;
        let digest = match self.put(host, pair.clone()).await {
            Ok(digest) => digest,
            Err(why) => {
                let refusal = Refusal::Unusable(why);
                self.failed(control, host, which, Failed { refusal, wait: None }).await;
                return;
            }
        };
        let (before, _, app) = self.held.get(host);
        self.held.have(host, pair);
        let until = certificate.not_after;
        let now = control.clock().now();
        if Kept::is_due_at_once(&certificate, now) {
            // It is shown all the same: perhaps the visitors' clocks are right.
            let trouble = before.trouble;
            let kept = Kept { trouble, ..Kept::issued(certificate, digest) };
            let why = format!("it ends at {until}, and here it is {now}: is this clock right?");
            let failed = Failed { refusal: Refusal::Unusable(why), wait: None };
            self.write_failure(control, host, which, kept, failed).await;
            return;
        }
        let renewed = before.certificate.is_some();
        let text = certificates::issued(host, self.ca(which).host(), until, renewed);
        let facts = serde_json::json!({
            "host": host, "directory": self.ca(which).directory(), "names": certificate.names,
            "not_before": certificate.not_before, "not_after": until, "renewed": renewed,
        });
        let event = super::tell::event(control, app, EventKind::CertificateIssued, text, facts);
        self.keep(control, host, Kept::issued(certificate, digest.clone()), Some(event)).await;
        self.shelf.tidy(host, Some(&digest));
    }

    /// The disk may be slow.
    async fn put(&self, host: &str, pair: Pair) -> Result<Digest, String> {
        let (shelf, host) = (self.shelf.clone(), host.to_owned());
        let put = tokio::task::spawn_blocking(move || shelf.put(&host, &pair)).await;
        put.map_err(|error| error.to_string())?.map_err(|error| chain(&error))
    }

    async fn failed(&self, control: &Control, host: &str, which: Which, failed: Failed) {
        let (kept, ..) = self.held.get(host);
        self.write_failure(control, host, which, kept, failed).await;
    }

    /// An order failed that left this.
    async fn write_failure(
        &self,
        control: &Control,
        host: &str,
        which: Which,
        kept: Kept,
        failed: Failed,
    ) {
        let ca = self.ca(which);
        let now = control.clock().now();
        let why = certificates::why(host, ca.host(), ca.challenge(), &failed.refusal);
        let not_before = failed.wait.map(|wait| now.plus(wait));
        let attempt = Attempt { at: now, why: why.clone(), not_before, chance: chance() };
        let (.., app) = self.held.get(host);
        let kept = kept.failed(attempt);
        let Some(trouble) = &kept.trouble else { return };
        let text = certificates::failed(host, &why, trouble.again_at);
        let facts = serde_json::json!({
            "host": host, "directory": ca.directory(), "challenge": ca.challenge(),
            "failures": trouble.count, "again_at": trouble.again_at,
            "not_after": kept.certificate.as_ref().map(|it| it.not_after),
        });
        let event = super::tell::event(control, app, EventKind::CertificateFailed, text, facts);
        self.keep(control, host, kept, Some(event)).await;
    }
}

/// From 0 to 1, at random.
fn chance() -> f64 {
    f64::from(u32::from_le_bytes(random_bytes())) / f64::from(u32::MAX)
}
