use std::sync::Arc;
use std::time::Duration;

use toehold_core::wire::call::Join;

use super::*;
use crate::clock::SetClock;
use crate::store::{LogRange, SqliteStore};

struct Stage {
    folder: tempfile::TempDir,
    store: Arc<dyn Store>,
    clock: Arc<SetClock>,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(&folder.path().join("store")).expect("a store");
        let clock = Arc::new(SetClock::at(Timestamp::from_ms(1_800_000_000_000)));
        Self { folder, store: Arc::new(store), clock }
    }

    async fn authority(&self) -> Authority {
        let store = Arc::clone(&self.store);
        Authority::open(self.folder.path(), store, self.clock.clone()).await.expect("it opens")
    }
}

fn web1() -> MachineName {
    "web1".parse().expect("a machine's name")
}

/// The public half of a key, as an agent says it.
fn public_key() -> String {
    use base64::Engine as _;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
    base64::engine::general_purpose::STANDARD.encode(key.public_key_raw())
}

async fn join(authority: &Authority, token: &str) -> Result<Certificate, NotAdmitted> {
    let asked = Join { token: token.to_owned(), public_key: public_key() };
    authority.admit(&asked, "10.0.0.9").await.map(|joined| joined.certificate)
}

fn fingerprint(certificate: &Certificate) -> Digest {
    let der = toehold_host::tls::first_certificate(certificate.pem.as_bytes()).expect("PEM");
    toehold_host::tls::fingerprint(&der)
}

#[tokio::test]
async fn a_token_lets_one_machine_in_once() {
    let stage = Stage::new();
    let authority = stage.authority().await;
    let token = authority.invite(&web1(), "ann").await.expect("a token");
    let certificate = join(&authority, token.reveal()).await.expect("it is let in");
    assert_eq!(authority.who(&fingerprint(&certificate)), Some(web1()));
    let again = join(&authority, token.reveal()).await.expect_err("it was used");
    assert!(matches!(again, NotAdmitted::Unknown), "{again}");
    assert!(again.to_string().contains("was used already"), "{again}");
}

#[tokio::test]
async fn of_many_who_use_one_token_at_once_one_is_let_in() {
    let stage = Stage::new();
    let authority = Arc::new(stage.authority().await);
    let token = authority.invite(&web1(), "ann").await.expect("a token");
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (authority, token) = (Arc::clone(&authority), token.reveal().to_owned());
        callers.spawn(async move { join(&authority, &token).await.is_ok() });
    }
    let let_in = callers.join_all().await.into_iter().filter(|it| *it).count();
    assert_eq!(let_in, 1);
}

#[tokio::test]
async fn a_token_ends_after_a_quarter_of_an_hour_and_a_wrong_one_is_none() {
    let stage = Stage::new();
    let authority = stage.authority().await;
    let token = authority.invite(&web1(), "ann").await.expect("a token");
    let mut other: Vec<char> = token.reveal().chars().collect();
    other[20] = if other[20] == 'a' { 'b' } else { 'a' };
    let other: String = other.into_iter().collect();
    assert!(matches!(join(&authority, &other).await, Err(NotAdmitted::Unknown)));
    stage.clock.advance(Duration::from_mins(15));
    let late = join(&authority, token.reveal()).await.expect_err("it is too old");
    assert!(matches!(late, NotAdmitted::Ended(_)), "{late}");
}

#[tokio::test]
async fn what_is_no_public_key_spends_no_token() {
    let stage = Stage::new();
    let authority = stage.authority().await;
    let token = authority.invite(&web1(), "ann").await.expect("a token");
    let asked = Join { token: token.reveal().to_owned(), public_key: "AAAA".into() };
    assert!(authority.admit(&asked, "10.0.0.9").await.is_err());
    join(&authority, token.reveal()).await.expect("the token is still good");
}

#[tokio::test]
async fn a_machine_is_known_over_a_restart_until_it_is_expelled() {
    let stage = Stage::new();
    let authority = stage.authority().await;
    let token = authority.invite(&web1(), "ann").await.expect("a token");
    let first = join(&authority, token.reveal()).await.expect("it is let in");
    let shown = fingerprint(&first);
    let second = authority.renew(&web1(), &shown, &public_key()).await.expect("another one");
    drop(authority);
    let authority = stage.authority().await;
    for certificate in [&first, &second] {
        assert_eq!(authority.who(&fingerprint(certificate)), Some(web1()));
    }
    authority.expel(&web1(), "ann").await.expect("it is forgotten");
    for certificate in [&first, &second] {
        assert_eq!(authority.who(&fingerprint(certificate)), None);
    }
    assert_eq!(stage.authority().await.who(&fingerprint(&second)), None);
}

#[tokio::test]
async fn a_certificate_is_renewed_after_two_thirds_and_the_oldest_go() {
    let stage = Stage::new();
    let authority = stage.authority().await;
    let token = authority.invite(&web1(), "ann").await.expect("a token");
    let first = join(&authority, token.reveal()).await.expect("it is let in");
    let now = |days: u64| first.made_at.plus(Duration::from_hours(24 * days));
    assert!(!first.is_old(now(19)));
    assert!(first.is_old(now(20)));
    assert_eq!(first.ends_at, now(30));
    let shown = fingerprint(&first);
    for _ in 0..KEPT {
        authority.renew(&web1(), &shown, &public_key()).await.expect("another one");
    }
    assert_eq!(authority.who(&shown), None);
}

#[tokio::test]
async fn the_certificate_in_use_goes_for_no_other_until_another_is_used() {
    let stage = Stage::new();
    let authority = stage.authority().await;
    let token = authority.invite(&web1(), "ann").await.expect("a token");
    let first = fingerprint(&join(&authority, token.reveal()).await.expect("it is let in"));
    authority.dialled(&web1(), &first);
    let mut last = first.clone();
    for _ in 0..4 * KEPT {
        let given = authority.renew(&web1(), &first, &public_key()).await.expect("another one");
        last = fingerprint(&given);
        assert_eq!(authority.who(&first), Some(web1()));
    }
    assert_eq!(stage.authority().await.who(&first), Some(web1()), "nor is it gone after a restart");
    authority.dialled(&web1(), &last);
    for _ in 0..=KEPT {
        authority.renew(&web1(), &last, &public_key()).await.expect("another one");
    }
    assert_eq!((authority.who(&first), authority.who(&last)), (None, Some(web1())));
}

#[tokio::test]
async fn a_certificate_that_has_ended_is_nobodys() {
    let stage = Stage::new();
    let authority = stage.authority().await;
    let token = authority.invite(&web1(), "ann").await.expect("a token");
    let first = fingerprint(&join(&authority, token.reveal()).await.expect("it is let in"));
    stage.clock.advance(CERTIFICATE);
    assert_eq!(authority.who(&first), None);
    let late = authority.renew(&web1(), &first, &public_key()).await;
    assert!(matches!(late, Err(AuthorityError::Expelled(_))), "{late:?}");
}

#[tokio::test]
async fn who_was_expelled_comes_back_by_neither_certificate_nor_token() {
    let stage = Stage::new();
    let authority = stage.authority().await;
    let token = authority.invite(&web1(), "ann").await.expect("a token");
    let first = fingerprint(&join(&authority, token.reveal()).await.expect("it is let in"));
    let open = authority.invite(&web1(), "ann").await.expect("a token");
    let other: MachineName = "web2".parse().expect("a name");
    let others = authority.invite(&other, "ann").await.expect("a token");
    authority.expel(&web1(), "ann").await.expect("it is forgotten");
    let again = join(&authority, open.reveal()).await;
    assert!(matches!(again, Err(NotAdmitted::Unknown)), "{again:?}");
    let renewed = authority.renew(&web1(), &first, &public_key()).await;
    assert!(matches!(renewed, Err(AuthorityError::Expelled(_))), "{renewed:?}");
    assert_eq!(stage.authority().await.who(&first), None);
    join(&authority, others.reveal()).await.expect("another machine's token is still good");
}

#[tokio::test]
async fn two_control_planes_that_write_at_once_refuse_nobody_for_it() {
    let stage = Stage::new();
    let (one, other) = (Arc::new(stage.authority().await), Arc::new(stage.authority().await));
    let mut callers = tokio::task::JoinSet::new();
    for at in [&one, &other, &one, &other] {
        let token = at.invite(&web1(), "ann").await.expect("a token").reveal().to_owned();
        let at = Arc::clone(at);
        callers.spawn(async move { join(&at, &token).await.map(drop) });
    }
    for joined in callers.join_all().await {
        joined.expect("each has a token of its own");
    }
}

#[tokio::test]
async fn a_token_made_used_and_refused_is_an_event_and_a_stranger_makes_no_flood() {
    let stage = Stage::new();
    let authority = stage.authority().await;
    let token = authority.invite(&web1(), "ann").await.expect("a token");
    join(&authority, token.reveal()).await.expect("it is let in");
    for _ in 0..50 {
        join(&authority, token.reveal()).await.expect_err("it was used");
        join(&authority, "nonsense").await.expect_err("it is none");
    }
    stage.clock.advance(Duration::from_mins(10));
    join(&authority, "nonsense").await.expect_err("it is none");
    let log =
        stage.store.log("event/", LogRange::After(Rev::NONE), 1000).await.expect("it is read");
    let said: Vec<String> =
        log.iter().filter_map(|entry| Some(entry.event().expect("it is one")?.text)).collect();
    assert_eq!(said.len(), 4, "{said:?}");
    assert_eq!(said[..2], ["ann asked for a token web1 may join with", "web1 joined with a token"]);
    assert!(said[2].starts_with("somebody at 10.0.0.9 was not let in"), "{said:?}");
    assert!(said[3].contains("99 more were refused"), "{said:?}");
}

#[tokio::test]
async fn neither_key_nor_token_is_in_the_store() {
    let stage = Stage::new();
    let authority = stage.authority().await;
    let token = authority.invite(&web1(), "ann").await.expect("a token");
    let (docs, _) = stage.store.list("").await.expect("it can be read");
    let everything: String = docs.into_iter().map(|doc| doc.value).collect();
    assert!(!everything.contains(&token.reveal()[..40]), "{everything}");
    assert!(!everything.contains("PRIVATE KEY"), "{everything}");
}
