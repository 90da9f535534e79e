use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use toehold_core::model::{AppName, EventKind};
use toehold_core::time::Timestamp;

use crate::clock::{Clock, SetClock};
use crate::secret::{
    Apps, Keys, Principal, Refused, Scope, Secret, Sessions, TokenError, Tokens, Vault, VaultError,
};
use crate::store::{LogRange, Rev, SqliteStore, Store};

struct Stage {
    store: Arc<dyn Store>,
    clock: Arc<SetClock>,
    keys: Keys,
    dir: TempDir,
}

impl Stage {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let store = Arc::new(SqliteStore::open(dir.path()).expect("the store opens"));
        let clock = Arc::new(SetClock::at(Timestamp::from_ms(1_800_000_000_000)));
        let keys = Keys::open(dir.path()).expect("keys are made");
        Self { store, clock, keys, dir }
    }

    fn tokens(&self) -> Tokens {
        Tokens::new(self.store.clone(), self.clock.clone(), self.keys.clone())
    }

    fn sessions(&self) -> Sessions {
        Sessions::new(self.store.clone(), self.clock.clone())
    }

    fn vault(&self) -> Vault {
        Vault::new(self.dir.path(), &self.keys)
    }

    /// Everything in the store, as text.
    async fn everything(&self) -> String {
        let docs = self.store.list("").await.expect("list").0;
        let log = self.store.log("", LogRange::After(Rev::NONE), usize::MAX).await.expect("log");
        format!("{docs:?} {log:?}")
    }
}

fn app(name: &str) -> AppName {
    name.parse().expect(name)
}

fn deploy(name: &str) -> Scope {
    Scope::Deploy(Apps::One(app(name)))
}

#[tokio::test]
async fn a_token_is_good_for_what_it_says_until_it_is_taken_back() {
    let stage = Stage::new();
    let tokens = stage.tokens();
    let (view, text) =
        tokens.create("jenkins", vec![deploy("shop")], None, "anna").await.expect("made");
    assert_eq!(view.scopes, ["deploy:shop"]);
    let principal = tokens.verify(text.reveal()).await.expect("good");
    assert!(principal.may(&deploy("shop")) && !principal.may(&deploy("blog")));
    assert_eq!(principal.name, "jenkins");

    tokens.revoke(&view.id, "anna").await.expect("taken back");
    assert!(matches!(tokens.verify(text.reveal()).await, Err(Refused::Unknown)));
    assert!(matches!(tokens.revoke(&view.id, "anna").await, Err(TokenError::NotFound { .. })));
    let log = stage.store.log("event/", LogRange::After(Rev::NONE), 9).await.expect("log");
    let kinds: Vec<_> =
        log.iter().map(|e| e.event().expect("readable").expect("an event").kind).collect();
    assert_eq!(kinds, [EventKind::TokenCreated, EventKind::TokenRevoked]);
}

#[tokio::test]
async fn a_token_ends_when_it_was_to_end() {
    let stage = Stage::new();
    let tokens = stage.tokens();
    let until = stage.clock.now().plus(Duration::from_hours(1));
    let (_, text) =
        tokens.create("ci", vec![Scope::Read], Some(until), "anna").await.expect("made");
    stage.clock.advance(Duration::from_mins(59));
    assert!(tokens.verify(text.reveal()).await.is_ok());
    stage.clock.advance(Duration::from_mins(1));
    assert!(matches!(tokens.verify(text.reveal()).await, Err(Refused::Expired { .. })));
}

#[tokio::test]
async fn the_text_of_a_token_is_not_in_the_store() {
    let stage = Stage::new();
    let (_, text) = stage.tokens().create("ci", vec![Scope::Admin], None, "a").await.expect("made");
    let proof = text.reveal().rsplit('_').next().expect("a part").to_owned();
    assert!(!stage.everything().await.contains(&proof));
}

#[tokio::test]
async fn what_is_not_a_token_is_refused_without_a_look() {
    let stage = Stage::new();
    let tokens = stage.tokens();
    let (view, text) = tokens.create("ci", vec![Scope::Admin], None, "a").await.expect("made");
    let other = format!("th_{}_{}", view.id, "A".repeat(43));
    let cut = &text.reveal()[..text.reveal().len() - 1];
    let longer = format!("{}A", text.reveal());
    let wrong_local = format!("th_local_{}", "A".repeat(43));
    let elsewhere = format!("th_../../x_{}", "A".repeat(43));
    for bad in ["", "th_", "th__", cut, &longer, &other, &wrong_local, &elsewhere, "th_ä_x"] {
        assert!(matches!(tokens.verify(bad).await, Err(Refused::Unknown)), "{bad:?}");
    }
}

#[tokio::test]
async fn last_use_is_noted_once_a_minute() {
    let stage = Stage::new();
    let tokens = stage.tokens();
    let (_, text) = tokens.create("ci", vec![Scope::Read], None, "a").await.expect("made");
    let used = async || {
        tokens.verify(text.reveal()).await.expect("good");
        (
            tokens.list().await.expect("list")[0].last_used_at,
            stage.store.list("").await.expect("list").1,
        )
    };
    let begin = stage.clock.now();
    let (first, first_rev) = used().await;
    stage.clock.advance(Duration::from_secs(59));
    assert_eq!((first, used().await), (Some(begin), (Some(begin), first_rev)));
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(used().await.0, Some(stage.clock.now()));
}

#[tokio::test]
async fn the_local_token_may_everything_and_an_apps_token_reads_its_flags() {
    let stage = Stage::new();
    let tokens = stage.tokens();
    let file = fs::read_to_string(stage.dir.path().join(Keys::LOCAL_TOKEN_FILE)).expect("a file");
    let local = tokens.verify(file.trim()).await.expect("good");
    assert!(local.may(&Scope::Admin));

    let token = stage.keys.app_token(&app("shop"));
    let instance = tokens.verify(token.reveal()).await.expect("good");
    assert!(instance.may(&Scope::Evaluate(Apps::One(app("shop")))));
    assert!(!instance.may(&Scope::Evaluate(Apps::One(app("blog")))));
    assert!(!instance.may(&Scope::Flag(Apps::One(app("shop")))));
    let for_another = token.reveal().replace("app.shop", "app.blog");
    assert!(matches!(tokens.verify(&for_another).await, Err(Refused::Unknown)));
}

#[test]
fn keys_are_made_once_and_are_for_their_owner_alone() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let first = Keys::open(dir.path()).expect("made");
    let second = Keys::open(dir.path()).expect("read");
    assert_eq!((first.cookie(), first.links()), (second.cookie(), second.links()));
    assert_ne!(first.cookie(), first.links());
    assert!(first.local_token() == second.local_token());
    let track = |keys: &Keys, name| keys.track_key(&app(name));
    assert_eq!(track(&first, "shop"), track(&second, "shop"));
    assert_ne!(track(&first, "shop"), track(&first, "blog"));
    assert_eq!(track(&first, "shop").reveal().len(), 32);
    for entry in fs::read_dir(dir.path().join("keys")).expect("a folder") {
        let mode = entry.expect("an entry").metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_key_that_is_damaged_is_not_made_anew_and_an_open_one_is_closed() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    Keys::open(dir.path()).expect("made");
    let path = dir.path().join("keys/cookie.key");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
    Keys::open(dir.path()).expect("read");
    let mode = fs::metadata(&path).expect("metadata").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::write(&path, "cut").expect("write");
    let error = Keys::open(dir.path()).expect_err("damaged");
    assert!(error.to_string().contains("cookie.key"), "{error}");
}

#[tokio::test]
async fn a_code_becomes_one_session() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    let anna = Principal { name: "anna".into(), scopes: vec![Scope::Admin], token: None };
    let code = sessions.code(anna.clone()).await.expect("made");
    let (session, who) = sessions.redeem(code.reveal()).await.expect("good");
    assert_eq!(who, anna);
    assert_eq!(sessions.verify(session.reveal()).await.expect("good"), anna);
    assert!(matches!(sessions.redeem(code.reveal()).await, Err(Refused::Unknown)));
    assert!(matches!(sessions.verify(code.reveal()).await, Err(Refused::Unknown)));

    sessions.end(session.reveal()).await.expect("ended");
    assert!(matches!(sessions.verify(session.reveal()).await, Err(Refused::Unknown)));
    assert!(!stage.everything().await.contains(session.reveal()));
}

#[tokio::test]
async fn a_session_ends_with_the_token_it_was_begun_with() {
    let stage = Stage::new();
    let (tokens, sessions) = (stage.tokens(), stage.sessions());
    let (view, text) =
        tokens.create("anna", vec![Scope::Admin], None, "owner").await.expect("made");
    let anna = tokens.verify(text.reveal()).await.expect("good");
    let code = sessions.code(anna.clone()).await.expect("made");
    let (session, _) = sessions.redeem(code.reveal()).await.expect("good");
    let late = sessions.code(anna).await.expect("made");
    assert!(sessions.verify(session.reveal()).await.is_ok());
    tokens.revoke(&view.id, "owner").await.expect("taken back");
    assert!(matches!(sessions.verify(session.reveal()).await, Err(Refused::Unknown)));
    assert!(matches!(sessions.redeem(late.reveal()).await, Err(Refused::Unknown)));
}

#[tokio::test]
async fn codes_and_sessions_end_and_are_swept() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    let anna = Principal { name: "anna".into(), scopes: vec![Scope::Read], token: None };
    let late = sessions.code(anna.clone()).await.expect("made");
    let code = sessions.code(anna).await.expect("made");
    let (session, _) = sessions.redeem(code.reveal()).await.expect("good");
    stage.clock.advance(Sessions::CODE_LASTS);
    assert!(matches!(sessions.redeem(late.reveal()).await, Err(Refused::Expired { .. })));
    assert_eq!(sessions.sweep().await.expect("swept"), 1);
    assert!(sessions.verify(session.reveal()).await.is_ok());
    stage.clock.advance(Sessions::LASTS);
    assert!(matches!(sessions.verify(session.reveal()).await, Err(Refused::Expired { .. })));
    assert_eq!(sessions.sweep().await.expect("swept"), 1);
}

#[tokio::test]
async fn every_version_of_an_apps_secrets_stays() {
    let stage = Stage::new();
    let (vault, shop) = (stage.vault(), app("shop"));
    assert_eq!(vault.current(&shop).expect("read"), None);
    let first = vault.set(&shop, "SESSION_KEY", &Secret::new("hunter2")).expect("set");
    let second = vault.set(&shop, "API_KEY", &Secret::new("k")).expect("set");
    assert_eq!(vault.names(&shop).expect("read"), ["API_KEY", "SESSION_KEY"]);
    assert_eq!(vault.read(&shop, &first).expect("read").len(), 1);
    assert_eq!(vault.read(&shop, &first).expect("read")["SESSION_KEY"].reveal(), "hunter2");
    assert_eq!(vault.current(&shop).expect("read"), Some(second));
    assert_eq!(vault.remove(&shop, "API_KEY").expect("removed"), first, "the same content");
    assert!(vault.names(&app("blog")).expect("read").is_empty());

    let folder = stage.dir.path().join("secrets/shop");
    for entry in fs::read_dir(&folder).expect("a folder") {
        let mode = entry.expect("an entry").metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert!(!stage.everything().await.contains("hunter2"));
    assert!(!format!("{vault:?} {:?}", stage.keys).contains("hunter2"));
}

#[test]
fn a_version_that_was_changed_on_disk_is_refused() {
    let stage = Stage::new();
    let (vault, shop) = (stage.vault(), app("shop"));
    let version = vault.set(&shop, "A", &Secret::new("1")).expect("set");
    let path = stage.dir.path().join(format!("secrets/shop/{}.json", version.as_str()));
    fs::write(&path, r#"{"A":"2"}"#).expect("write");
    assert!(matches!(vault.read(&shop, &version), Err(VaultError::File(_))));
    fs::remove_file(&path).expect("remove");
    assert!(matches!(vault.read(&shop, &version), Err(VaultError::NotFound { .. })));
}

#[test]
fn a_secret_that_no_environment_can_hold_is_refused() {
    let stage = Stage::new();
    let (vault, shop) = (stage.vault(), app("shop"));
    for bad in ["", "1A", "A B", "A=B", "Ä", "A\0", &"A".repeat(129)] {
        let refused = vault.set(&shop, bad, &Secret::new("x"));
        assert!(matches!(refused, Err(VaultError::Name { .. })), "{bad:?}");
    }
    let large = "x".repeat(Vault::MAX_VALUE_BYTES + 1);
    for bad in ["a\0b", large.as_str()] {
        let refused = vault.set(&shop, "A", &Secret::new(bad));
        assert!(matches!(refused, Err(VaultError::Value { .. })));
    }
}
