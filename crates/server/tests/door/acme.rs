//! Certificates of a real CA, from a host that wants one to a proxy that has it.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use toehold_core::certificates::{Challenge, Kept};
use toehold_core::model::{Event, EventKind};
use toehold_core::time::Timestamp;
use toehold_server::acme;
use toehold_server::clock::{Clock, SetClock, SystemClock};
use toehold_server::control::Span;
use toehold_server::settings::Settings;
use toehold_server::store::Txn;

use crate::ask::Ask;
use crate::front::{Answers, Front, is_good};
use crate::pebble::{MEMBER, Pebble, Ports};
use crate::redis_server::{free_port, until};
use crate::shop;
use crate::stage::Stage;
use crate::wishes::Wishes;

const HOST: &str = "shop.example.com";

/// A control plane in a folder, at a time of the test's own.
struct Scene {
    clock: Arc<SetClock>,
    set: acme::Settings,
    listen_tls: Option<SocketAddr>,
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
        let clock = Arc::new(SetClock::at(SystemClock.now()));
        // Only said: nobody listens there.
        let listen_tls = Some(([127, 0, 0, 1], 443).into());
        Self { clock, set, listen_tls, epoch: 0 }
    }

    async fn begin(&mut self) -> Stage {
        let folder = TempDir::new().expect("a folder can be made");
        // What is for one's own network wants none.
        let hosts = [HOST, "shop.localhost", "shop.internal", "192.0.2.7"];
        self.go_on(folder, shop::written_for(&hosts)).await
    }

    async fn go_on(&mut self, folder: TempDir, before: Txn) -> Stage {
        self.epoch += 1;
        let set_up = |it: &mut Settings| {
            it.acme = Some(self.set.clone());
            it.listen_tls = self.listen_tls;
        };
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Stage::on(folder, before, set_up, clock, self.epoch).await
    }

    /// It is so long before the certificate ends.
    async fn to_before_the_end(&self, stage: &Stage, left: Duration) {
        let ends_at = kept(stage).await.certificate.expect("there is one").not_after;
        let left_ms = u64::try_from(left.as_millis()).expect("it is short");
        self.clock.set(Timestamp::from_ms(ends_at.as_ms() - left_ms));
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

    let metrics = stage.owner(Ask::get("/metrics")).await.is(200).text();
    for says in ["toehold_control_certificates 1\n", "toehold_control_certificates_lacking 0\n"] {
        assert!(metrics.contains(says), "{says} is not in {metrics}");
    }

    let folder = stage.end_but_for_its_folder().await;
    let stage = scene.go_on(folder, Txn::default()).await;
    let before = front.told().serial;
    front.dial(&stage, Answers::Yes).await;
    let again = front.until("it is told anew", |it| it.serial > before).await;
    assert_eq!(again.pairs, std::slice::from_ref(&first), "the same as before");

    // The CA has lost everything meanwhile, our account included.
    pebble.days = 360;
    pebble.start_anew().await;
    scene.to_before_the_end(&stage, Duration::from_hours(24 * 29)).await;
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

const MINUTE: Duration = Duration::from_mins(1);

/// What `doctor` shows of certificates.
async fn finding(stage: &Stage) -> (bool, String) {
    let all: Vec<serde_json::Value> = stage.owner(Ask::get("/api/v1/health")).await.is(200).json();
    let found = all.into_iter().find(|it| it["what"] == "certificates").expect("it is looked at");
    (found["ok"] == true, found["says"].as_str().expect("a text").to_owned())
}

#[tokio::test]
async fn certificates_that_nobody_can_be_shown_are_named() {
    let front = Front::listen().await;
    let pebble = Pebble::start(front.ports).await;
    let mut scene = Scene::new(&pebble);
    scene.listen_tls = None;
    let stage = scene.begin().await;
    let says = "[acme] is set, and visitors are met by TLS nowhere".to_owned();
    assert_eq!(finding(&stage).await, (false, says));
    stage.end().await;
}

#[tokio::test]
async fn what_the_ca_could_not_reach_is_said_in_plain_words_and_asked_for_less_and_less() {
    let mut front = Front::listen().await;
    let closed = free_port();
    let pebble = Pebble::start(Ports { http: closed, ..front.ports }).await;
    let mut scene = Scene::new(&pebble);
    let stage = scene.begin().await;
    front.dial(&stage, Answers::Yes).await;
    let failed = wait_for_event(&stage, EventKind::CertificateFailed, 1).await;
    let says = "no certificate for shop.example.com: 127.0.0.1 could not reach \
                http://shop.example.com/.well-known/acme-challenge/…: does the name lead here, is \
                port 80 open? It said: ";
    assert!(failed.text.starts_with(says), "{}", failed.text);
    assert!(failed.text.contains("It is tried again at "), "{}", failed.text);
    let (ok, says) = finding(&stage).await;
    assert!(!ok && says.starts_with("no certificate for shop.example.com: "), "{says}");
    let trouble = kept(&stage).await.trouble.expect("it failed");
    let wait = trouble.again_at.since(failed.at);
    assert!(wait >= MINUTE && wait <= MINUTE * 5 / 4, "{wait:?}");

    scene.clock.advance(wait);
    let failed = wait_for_event(&stage, EventKind::CertificateFailed, 2).await;
    let trouble = kept(&stage).await.trouble.expect("it failed again");
    let wait = trouble.again_at.since(failed.at);
    assert!(wait >= MINUTE * 2 && wait <= MINUTE * 5 / 2, "{wait:?}");
    assert_eq!(trouble.count, 2);
    front.until("no proof is left", |it| it.http_challenges.is_empty()).await;

    front.listen_on(closed).await;
    scene.clock.advance(wait);
    front.pair(HOST, None).await;
    wait_for_event(&stage, EventKind::CertificateIssued, 1).await;
    let good = async || Some(finding(&stage).await).filter(|(ok, _)| *ok);
    let (_, says) = until("all is well", good).await;
    assert_eq!(says, "good for a while: 1 of 1 public host");
    assert_eq!(events(&stage, EventKind::CertificateFailed).await.len(), 2, "and no more");
    stage.end().await;
}

#[tokio::test]
async fn where_the_first_ca_fails_for_a_while_the_other_is_asked() {
    let mut front = Front::listen().await;
    let pebble = Pebble::start(front.ports).await;
    let mut scene = Scene::new(&pebble);
    scene.set.fallback_directory = Some(pebble.directory());
    scene.set.fallback_ca_file = scene.set.ca_file.take();
    scene.set.directory = format!("https://127.0.0.1:{}/dir", free_port());
    let stage = scene.begin().await;
    front.dial(&stage, Answers::Yes).await;
    for count in 1..=3 {
        let failed = wait_for_event(&stage, EventKind::CertificateFailed, count).await;
        assert!(failed.text.contains("127.0.0.1 could not be asked: "), "{}", failed.text);
        scene.clock.advance(MINUTE * 6);
    }
    let pair = front.pair(HOST, None).await;
    assert_eq!(is_good(&pair, HOST, &pebble.root().await).await, Ok(()));
    let issued = wait_for_event(&stage, EventKind::CertificateIssued, 1).await;
    assert_eq!(issued.facts["directory"], pebble.directory());
    assert_eq!(events(&stage, EventKind::CertificateFailed).await.len(), 3);
    stage.end().await;
}

#[tokio::test]
async fn the_ca_is_told_to_look_only_once_every_proxy_shows_what_it_should() {
    let mut front = Front::listen().await;
    let pebble = Pebble::start(front.ports).await;
    let mut scene = Scene::new(&pebble);
    let stage = scene.begin().await;
    // Nobody is asked for anything before a proxy is there.
    front.dial(&stage, Answers::No).await;
    let failed = wait_for_event(&stage, EventKind::CertificateFailed, 1).await;
    assert!(failed.text.contains("a proxy refused it: it is too late"), "{}", failed.text);
    // It is said before the proof is taken back; what is shown after this is of the next order.
    front.until("the proof is taken back", |it| it.http_challenges.is_empty()).await;

    front.dial(&stage, Answers::Nothing).await;
    scene.clock.advance(MINUTE * 5 / 4);
    front.until("it is to be shown", |it| !it.http_challenges.is_empty()).await;
    assert_eq!(events(&stage, EventKind::CertificateFailed).await.len(), 1, "it is waited for");

    // In the middle of that, the control plane ends.
    assert!(kept(&stage).await.begun_at.is_some());
    let folder = stage.end_but_for_its_folder().await;
    let stage = scene.go_on(folder, Txn::default()).await;
    front.dial(&stage, Answers::Yes).await;
    front
        .until("nothing is left of it", |it| {
            it.serial > 2_000_000_000 && it.http_challenges.is_empty()
        })
        .await;
    scene.clock.advance(MINUTE * 5);
    let pair = front.pair(HOST, None).await;
    assert_eq!(is_good(&pair, HOST, &pebble.root().await).await, Ok(()));
    stage.end().await;
}

#[tokio::test]
async fn a_certificate_that_nears_its_end_is_spoken_of_before_it_and_after() {
    let mut front = Front::listen().await;
    let mut pebble = Pebble::start(front.ports).await;
    let mut scene = Scene::new(&pebble);
    let stage = scene.begin().await;
    front.dial(&stage, Answers::Yes).await;
    let first = front.pair(HOST, None).await;
    wait_for_event(&stage, EventKind::CertificateIssued, 1).await;
    pebble.end();
    scene.to_before_the_end(&stage, Duration::from_hours(48)).await;
    let soon = wait_for_event(&stage, EventKind::CertificateExpiring, 1).await;
    let says = "the certificate of shop.example.com ends in 4";
    assert!(soon.text.starts_with(says), "{}", soon.text);
    assert!(soon.text.contains("The last time: 127.0.0.1 could not be asked: "), "{}", soon.text);
    assert_eq!(finding(&stage).await, (false, soon.text.clone()));
    assert_eq!(
        front.told().pairs,
        std::slice::from_ref(&first),
        "it is shown as long as it is good"
    );

    scene.clock.advance(Duration::from_hours(49));
    let ended = wait_for_event(&stage, EventKind::CertificateExpiring, 2).await;
    assert!(ended.text.contains("browsers refuse it"), "{}", ended.text);
    assert_eq!(finding(&stage).await, (false, ended.text));

    pebble.days = 360;
    pebble.start_anew().await;
    scene.clock.advance(Duration::from_hours(15));
    front.pair(HOST, Some(&first)).await;
    wait_for_event(&stage, EventKind::CertificateIssued, 2).await;
    let good = async || Some(finding(&stage).await).filter(|(ok, _)| *ok);
    until("all is well", good).await;
    assert_eq!(events(&stage, EventKind::CertificateExpiring).await.len(), 2, "each is said once");
    stage.end().await;
}

#[tokio::test]
async fn a_certificate_is_renewed_when_the_ca_wishes_it() {
    let mut front = Front::listen().await;
    let pebble = Pebble::start(front.ports).await;
    let mut scene = Scene::new(&pebble);
    let in_days = |days: u64| scene.clock.now().plus(Duration::from_hours(24 * days));
    let window = (in_days(10), in_days(12));
    let wishes = Wishes::before(&pebble, window).await;
    scene.set.directory = wishes.directory();
    let stage = scene.begin().await;
    front.dial(&stage, Answers::Yes).await;
    let first = front.pair(HOST, None).await;
    let wished = async || kept(&stage).await.wished_at;
    let wished = until("the wish is written down", wished).await;
    assert!(window.0.as_ms() / 1_000 <= wished.as_ms() / 1_000 && wished <= window.1, "{wished}");

    scene.clock.set(wished);
    let second = front.pair(HOST, Some(&first)).await;
    assert_eq!(is_good(&second, HOST, &pebble.root().await).await, Ok(()));
    wait_for_event(&stage, EventKind::CertificateIssued, 2).await;
    let (asked, replaced) = wishes.heard();
    assert_eq!(replaced.first(), asked.first(), "it is said which one is replaced");
    assert_eq!(events(&stage, EventKind::CertificateFailed).await, []);
    stage.end().await;
}

#[tokio::test]
async fn a_ca_that_is_for_members_gives_one_to_a_member() {
    let mut front = Front::listen().await;
    let pebble = Pebble::start_for_members(front.ports).await;
    let mut scene = Scene::new(&pebble);
    let stage = scene.begin().await;
    front.dial(&stage, Answers::Yes).await;
    let failed = wait_for_event(&stage, EventKind::CertificateFailed, 1).await;
    assert!(failed.text.contains("say its `eab_key_id` and `eab_key_file`"), "{}", failed.text);

    let folder = stage.end_but_for_its_folder().await;
    let file = folder.path().join("eab-key");
    std::fs::write(&file, format!("{}\n", MEMBER.1)).expect("it is written");
    scene.set.eab_key_id = Some(MEMBER.0.into());
    scene.set.eab_key_file = Some(file);
    scene.clock.advance(MINUTE * 5 / 4);
    let stage = scene.go_on(folder, Txn::default()).await;
    front.dial(&stage, Answers::Yes).await;
    let pair = front.pair(HOST, None).await;
    assert_eq!(is_good(&pair, HOST, &pebble.root().await).await, Ok(()));
    stage.end().await;
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_said_and_costs_the_ca_no_storm() {
    let mut front = Front::listen().await;
    let pebble = Pebble::start(front.ports).await;
    let mut scene = Scene::new(&pebble);
    scene.clock.advance(Duration::from_hours(24 * 365));
    let stage = scene.begin().await;
    front.dial(&stage, Answers::Yes).await;
    let failed = wait_for_event(&stage, EventKind::CertificateFailed, 1).await;
    assert!(failed.text.contains("is this clock right?"), "{}", failed.text);
    let pair = front.pair(HOST, None).await;
    assert_eq!(
        is_good(&pair, HOST, &pebble.root().await).await,
        Ok(()),
        "it is shown all the same"
    );

    scene.clock.advance(MINUTE * 5 / 4);
    wait_for_event(&stage, EventKind::CertificateFailed, 2).await;
    let trouble = kept(&stage).await.trouble.expect("it is kept");
    assert_eq!(trouble.count, 2, "each waits longer");
    assert!(trouble.again_at > scene.clock.now().plus(MINUTE), "{trouble:?}");
    stage.end().await;
}
