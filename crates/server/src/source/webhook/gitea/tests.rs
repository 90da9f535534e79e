use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::*;

const AFTER: &str = "bffeb74224043ba2feb48d137756c8a9331c449a";
const BEFORE: &str = "28e1879d029cb852e4844d9c718537df08844e03";

/// A push as Gitea's documentation has it, with the parts we do not read. The newest commit first.
fn payload(edit: impl FnOnce(&mut serde_json::Value)) -> String {
    let head = serde_json::json!({
        "id": AFTER, "message": "Webhooks Yay!\n", "url": "http://localhost:3000/acme/shop/commit/x",
        "author": { "name": "Ada", "email": "ada@example.com", "username": "ada" },
        "committer": { "name": "Ada", "email": "ada@example.com", "username": "ada" },
        "timestamp": "2017-03-13T13:52:11-04:00"
    });
    let mut payload = serde_json::json!({
        "ref": "refs/heads/main", "before": BEFORE, "after": AFTER,
        "compare_url": "http://localhost:3000/acme/shop/compare/a...b",
        "commits": [head, { "id": BEFORE, "message": "Older" }],
        "total_commits": 2, "head_commit": head,
        "repository": {
            "id": 140, "owner": { "id": 1, "login": "acme" }, "name": "shop",
            "full_name": "acme/shop", "private": false,
            "clone_url": "http://169.254.169.254/acme/shop.git", "default_branch": "main"
        },
        "pusher": { "id": 1, "login": "ada" }, "sender": { "id": 1, "login": "ada" }
    });
    edit(&mut payload);
    payload.to_string()
}

/// The headers of a delivery of a Gitea, or of a Forgejo, which sends Gitea's too.
fn headers(forgejo: bool, event: &str) -> HeaderMap {
    let mut names = vec!["x-github", "x-gogs", "x-gitea"];
    names.extend(forgejo.then_some("x-forgejo"));
    let mut headers = HeaderMap::new();
    for name in names {
        for (what, value) in
            [("event", event), ("delivery", "f6266f16-1bf3-46a5-9ea4-602e06ead473")]
        {
            let name: hyper::header::HeaderName = format!("{name}-{what}").parse().expect("a name");
            headers.insert(name, value.parse().expect("it is a header"));
        }
    }
    headers.insert("content-type", "application/json".parse().expect("it is a header"));
    headers
}

fn kind(forgejo: bool, event: &str, body: &str) -> Result<DeliveryKind, DeliveryError> {
    read(Forge::Gitea, &headers(forgejo, event), body.as_bytes()).map(|it| it.said[0].clone())
}

#[test]
fn a_push_of_either_is_read() {
    for forgejo in [false, true] {
        let push = match kind(forgejo, "push", &payload(|_| {})) {
            Ok(DeliveryKind::Push(push)) => push,
            other => panic!("not a push: {other:?}"),
        };
        assert!(push.is_of("acme/shop"));
        assert_eq!((push.commit.as_str(), push.subject.as_str()), (AFTER, "Webhooks Yay!"));
        assert_eq!(push.author, "Ada <ada@example.com>");
    }
}

#[test]
fn what_is_not_to_be_built_is_told_apart() {
    let gone = payload(|it| {
        it["after"] = "0".repeat(40).into();
        it["head_commit"] = serde_json::Value::Null;
    });
    assert!(matches!(kind(false, "push", &gone), Ok(DeliveryKind::Deleted { .. })));
    let tag = payload(|it| it["ref"] = "refs/tags/v1".into());
    assert!(matches!(kind(true, "push", &tag), Ok(DeliveryKind::Tag { .. })));
    for event in ["create", "delete", "pull_request", "issues"] {
        assert!(matches!(kind(false, event, "{}"), Ok(DeliveryKind::Ignored(_))), "{event}");
    }
    let evil = payload(|it| it["ref"] = "refs/heads/$(reboot)/../x".into());
    assert!(matches!(kind(false, "push", &evil), Err(DeliveryError::Field { .. })));
    let github = HeaderMap::new();
    assert!(read(Forge::Gitea, &github, b"{}").is_err());
}

#[test]
fn a_signature_is_bare_hex_of_either_name_or_githubs() {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").expect("any key will do");
    mac.update(b"body");
    let digits = hex::encode(mac.finalize().into_bytes());
    let check = |name: &'static str, value: &str, secret: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("it is a header"));
        verify(&["old", secret], &headers, b"body")
    };
    for name in ["x-gitea-signature", "x-forgejo-signature"] {
        assert_eq!(check(name, &digits, "secret"), Ok(()));
        assert_eq!(check(name, &digits, "other"), Err(WebhookRefusal::Mismatch));
        assert_eq!(check(name, &digits[2..], "secret"), Err(WebhookRefusal::Malformed));
    }
    assert_eq!(check("x-hub-signature-256", &format!("sha256={digits}"), "secret"), Ok(()));
    let sha1 = check("x-hub-signature", "sha1=00", "secret");
    assert_eq!(sha1, Err(WebhookRefusal::Sha1Only));
    assert_eq!(check("x-other", "1", "secret"), Err(WebhookRefusal::Unsigned));
    assert_eq!(verify(&[""], &HeaderMap::new(), b"body"), Err(WebhookRefusal::NoSecret));
}
