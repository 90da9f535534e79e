use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::*;

const AFTER: &str = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7";
const BEFORE: &str = "95790bf891e76fee5e1747ab589903a6a1f80f22";
const SECRET: &str = "a secret of the forge";
const NOW: u64 = 1_700_000_000;

/// A push as GitLab's documentation of the event has it, with the parts we do not read.
fn payload(edit: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut payload = serde_json::json!({
        "object_kind": "push", "event_name": "push", "before": BEFORE, "after": AFTER,
        "ref": "refs/heads/main", "ref_protected": true, "checkout_sha": AFTER,
        "message": null, "user_id": 4, "user_name": "Ada", "user_username": "ada",
        "user_email": "ada@example.com", "project_id": 15,
        "project": {
            "id": 15, "name": "Shop", "description": "", "namespace": "Web",
            "web_url": "http://example.com/acme/web/shop", "avatar_url": null,
            "git_ssh_url": "git@example.com:acme/web/shop.git",
            "git_http_url": "file:///etc/passwd", "visibility_level": 0,
            "path_with_namespace": "acme/web/shop", "default_branch": "main"
        },
        "commits": [
            {
                "id": BEFORE, "message": "Older", "title": "Older",
                "timestamp": "2011-12-12T14:27:31+02:00",
                "author": { "name": "Bob", "email": "bob@example.com" }
            },
            {
                "id": AFTER, "message": "fixed readme\n\nIt was wrong.", "title": "fixed readme",
                "timestamp": "2012-01-03T23:36:29+02:00",
                "author": { "name": "Ada", "email": "ada@example.com" },
                "added": ["CHANGELOG"], "modified": ["app/controller/application.rb"], "removed": []
            }
        ],
        "total_commits_count": 40,
        "push_options": {}
    });
    edit(&mut payload);
    payload.to_string()
}

fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        headers.append(*name, value.parse().expect("it is a header"));
    }
    headers
}

fn read_as(event: &str, body: &str) -> Result<DeliveryKind, DeliveryError> {
    let headers = headers(&[
        ("x-gitlab-event", event),
        ("x-gitlab-event-uuid", "13792a34-cac6-4fda-95a8-c58e00a3954e"),
        ("content-type", "application/json"),
    ]);
    read(&headers, body.as_bytes()).map(|it| it.said[0].clone())
}

#[test]
fn a_push_is_read_with_the_newest_commits_words() {
    let push = match read_as("Push Hook", &payload(|_| {})) {
        Ok(DeliveryKind::Push(push)) => push,
        other => panic!("not a push: {other:?}"),
    };
    assert!(push.is_of("acme/web/shop") && !push.is_of("acme/web"));
    assert_eq!((push.branch.as_str(), push.commit.as_str()), ("main", AFTER));
    assert_eq!(
        (push.subject.as_str(), push.author.as_str()),
        ("fixed readme", "Ada <ada@example.com>")
    );
    assert_eq!(push.before.map(|it| it.to_string()).as_deref(), Some(BEFORE));
}

#[test]
fn what_is_not_to_be_built_is_told_apart() {
    let zeros = "0".repeat(40);
    let gone = payload(|it| {
        it["after"] = zeros.as_str().into();
        it["checkout_sha"] = serde_json::Value::Null;
        it["commits"] = serde_json::json!([]);
    });
    assert!(matches!(read_as("Push Hook", &gone), Ok(DeliveryKind::Deleted { .. })));
    let tag = payload(|it| it["ref"] = "refs/tags/v1".into());
    assert!(matches!(read_as("Tag Push Hook", &tag), Ok(DeliveryKind::Tag { .. })));
    assert!(matches!(read_as("Merge Request Hook", "{}"), Ok(DeliveryKind::Ignored(_))));
    let evil = payload(|it| it["ref"] = "refs/heads/--upload-pack=reboot".into());
    assert!(matches!(read_as("Push Hook", &evil), Err(DeliveryError::Field { .. })));
    assert!(read_as("", "{}").is_err() && read_as("Push Hook", "{}").is_err());
}

#[test]
fn the_id_is_the_one_that_stays_when_it_is_delivered_again() {
    let mut given = headers(&[
        ("x-gitlab-event", "Push Hook"),
        ("content-type", "application/json"),
        ("x-gitlab-event-uuid", "event"),
    ]);
    let id = |given: &HeaderMap| read(given, payload(|_| {}).as_bytes()).map(|it| it.id);
    assert_eq!(id(&given).as_deref(), Ok("event"));
    given.insert("idempotency-key", "again".parse().expect("it is a header"));
    assert_eq!(id(&given).as_deref(), Ok("again"));
    given.insert("webhook-id", "msg_1".parse().expect("it is a header"));
    assert_eq!(id(&given).as_deref(), Ok("msg_1"));
}

fn check(secrets: &[&str], given: &[(&'static str, &str)]) -> String {
    let now = Timestamp::from_ms(NOW * 1_000);
    match verify(secrets, &headers(given), b"body", now) {
        Ok(()) => "believed".to_owned(),
        Err(refusal) => format!("{refusal:?} {}", refusal.status()),
    }
}

#[test]
fn the_token_is_the_secret_itself() {
    assert_eq!(check(&["old", SECRET], &[("x-gitlab-token", SECRET)]), "believed");
    assert_eq!(check(&[SECRET], &[("x-gitlab-token", "guessed")]), "Mismatch 403");
    assert_eq!(check(&[SECRET], &[("x-gitlab-token", &SECRET[1..])]), "Mismatch 403");
    assert_eq!(check(&[SECRET], &[("x-gitlab-token", "")]), "Unsigned 401");
    assert_eq!(check(&[SECRET], &[]), "Unsigned 401");
    assert_eq!(check(&[""], &[("x-gitlab-token", "")]), "NoSecret 403");
    let doubled = [("x-gitlab-token", SECRET), ("x-gitlab-token", SECRET)];
    assert_eq!(check(&[SECRET], &doubled), "Malformed 401");
}

fn signed(key: &[u8], at: u64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key will do");
    mac.update(format!("msg_1.{at}.body").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[test]
fn a_signed_delivery_is_believed_while_it_is_fresh() {
    let check_signed = |secret: &str, signature: &str, at: u64| {
        let at = at.to_string();
        let given = [
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", at.as_str()),
            ("webhook-signature", signature),
        ];
        check(&[secret], &given)
    };
    assert_eq!(check_signed(SECRET, &signed(SECRET.as_bytes(), NOW), NOW), "believed");
    // However the key is written down.
    let written = format!("whsec_{}", STANDARD.encode(b"bytes of a key"));
    assert_eq!(check_signed(&written, &signed(b"bytes of a key", NOW), NOW), "believed");
    assert_eq!(check_signed(&written, &signed(written.as_bytes(), NOW), NOW), "believed");
    // While it is being replaced, a delivery is signed by both.
    let both = format!("{} {}", signed(b"other", NOW), signed(SECRET.as_bytes(), NOW));
    assert_eq!(check_signed(SECRET, &both, NOW), "believed");
    assert_eq!(check_signed(SECRET, &signed(b"other", NOW), NOW), "Mismatch 403");
    assert_eq!(check_signed(SECRET, &signed(SECRET.as_bytes(), NOW), NOW + 1), "Mismatch 403");
    for at in [NOW - 301, NOW + 301] {
        assert_eq!(check_signed(SECRET, &signed(SECRET.as_bytes(), at), at), "Stale 403");
    }
    assert_eq!(check_signed(SECRET, "v1,", NOW), "Mismatch 403");
    assert_eq!(check_signed(SECRET, "v2,AAAA", NOW), "Malformed 401");
    assert_eq!(check(&[SECRET], &[("webhook-signature", "v1,AAAA")]), "Malformed 401");
}
