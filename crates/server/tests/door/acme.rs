//! Certificates of a real CA, from a host that wants one to a proxy that has it.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use toehold_core::certificates::{Challenge, Kept};
use toehold_core::model::{Event, EventKind};
use toehold_server::acme;
use toehold_server::clock::{Clock, SetClock, SystemClock};
use toehold_server::control::Span;
use toehold_server::settings::Settings;
use toehold_server::store::Txn;

use crate::front::{Answers, Front, is_good};
use crate::pebble::Pebble;
use crate::redis_server::until;
use crate::shop;
use crate::stage::Stage;

const HOST: &str = "shop.example.com";

/// A control plane in a folder, at a time of the test's own.
struct Scene {
    clock: Arc<SetClock>,
    set: acme::Settings,
    epoch: u64,
}

impl Scene {
    fn new(pebble: &Pebble) -> Self {
        let set = acme::Settings {
            agree_to_terms: true,
            email: Some("ops@example.com".into()),
            directory: pebble.directory(),
            ca_file: Some(pebble.ca_file()),
            ..acme::Settings::default()
        };
        Self { clock: Arc::new(SetClock::at(SystemClock.now())), set, epoch: 0 }
    }

    async fn begin(&mut self) -> Stage {
        let folder = TempDir::new().expect("a folder can be made");
        // What is for one's own network wants none.
        let hosts = [HOST, "shop.localhost", "shop.internal", "192.0.2.7"];
        self.go_on(folder, shop::written_for(&hosts)).await
    }

    async fn go_on(&mut self, folder: TempDir, before: Txn) -> Stage {
        self.epoch += 1;
        let set_up = |it: &mut Settings| it.acme = Some(self.set.clone());
        Stage::on(folder, before, set_up, Arc::clone(&self.clock) as Arc<dyn Clock>, self.epoch)
            .await
    }
}

/// The events of a kind, oldest first.
async fn events(stage: &Stage, kind: EventKind) -> Vec<Event> {
    let all = stage.control.events(Some(&shop::name()), Span::Last, 1_000).await;
    all.expect("they are read").into_iter().filter(|it| it.kind == kind).collect()
}

/// Waits for the `count`th event of a kind.
async fn wait_for_event(stage: &Stage, kind: EventKind, count: usize) -> Event {
    let what = format!("{kind} no. {count}");
    until(&what, async || events(stage, kind).await.into_iter().nth(count - 1)).await
}

async fn kept(stage: &Stage) -> Kept {
    let key = format!("tls/{HOST}").parse().expect("a key");
    let doc = stage.control.store().get_as::<Kept>(&key).await.expect("it is read");
    doc.expect("it is there").value
}

#[tokio::test]
async fn a_certificate_is_had_kept_over_a_restart_and_renewed_when_it_is_due() {
    let mut front = Front::listen().await;
    let mut pebble = Pebble::start(front.ports).await;
    let mut scene = Scene::new(&pebble);
    let stage = scene.begin().await;
    front.dial(&stage, Answers::Yes).await;
    let first = front.pair(HOST, None).await;
    assert_eq!(is_good(&first, HOST, &pebble.root().await).await, Ok(()));
    assert_eq!(front.told().pairs.len(), 1, "nothing else wants one");
    let said = wait_for_event(&stage, EventKind::CertificateIssued, 1).await;
    assert!(
        said.text.starts_with("shop.example.com has a certificate of 127.0.0.1, good until"),
        "{}",
        said.text
    );
    for entry in std::fs::read_dir(stage.path().join("keys/tls")).expect("it is there").flatten() {
        let mode = entry.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
    }

    let folder = stage.end_but_for_its_folder().await;
    let stage = scene.go_on(folder, Txn::default()).await;
    let before = front.told().serial;
    front.dial(&stage, Answers::Yes).await;
    let again = front.until("it is told anew", |it| it.serial > before).await;
    assert_eq!(again.pairs, [first.clone()], "the same as before");

    // The CA has lost everything meanwhile, our account included.
    pebble.start_anew().await;
    let ends_at = kept(&stage).await.certificate.expect("there is one").not_after;
    scene.clock.advance(ends_at.since(scene.clock.now()) - Duration::from_hours(24 * 29));
    let second = front.pair(HOST, Some(&first)).await;
    assert_eq!(is_good(&second, HOST, &pebble.root().await).await, Ok(()));
    let said = wait_for_event(&stage, EventKind::CertificateIssued, 2).await;
    assert_eq!(said.facts["renewed"], true);
    assert_eq!(
        events(&stage, EventKind::CertificateIssued).await.len(),
        2,
        "no more were asked for"
    );
    assert_eq!(events(&stage, EventKind::CertificateFailed).await, []);
    stage.end().await;
}

#[tokio::test]
async fn a_host_is_proved_by_tls_alone_where_that_is_set() {
    let mut front = Front::listen().await;
    let pebble = Pebble::start(front.ports).await;
    let mut scene = Scene::new(&pebble);
    scene.set.challenge = Challenge::TlsAlpn01;
    let stage = scene.begin().await;
    front.dial(&stage, Answers::Yes).await;
    let pair = front.pair(HOST, None).await;
    assert_eq!(is_good(&pair, HOST, &pebble.root().await).await, Ok(()));
    stage.end().await;
}
