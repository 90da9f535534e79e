use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::*;
use crate::source::webhook::Push;

const AFTER: &str = "709d658dc5b6d6afcd46049c2f332ee3f515a67d";
const BEFORE: &str = "1e65c05c1d5171631d92438a13901ca7dae9618c";

fn target(hash: &str, message: &str) -> Value {
    json!({
        "type": "commit", "hash": hash, "message": message, "date": "2015-06-09T03:34:49+00:00",
        "author": { "type": "author", "raw": "Ada <ada@example.com>" }, "parents": []
    })
}

/// A change as Bitbucket Cloud's documentation of the event has it.
fn change(kind: &str, name: &str) -> Value {
    json!({
        "old": { "type": kind, "name": name, "target": target(BEFORE, "Older\n"), "links": {} },
        "new": { "type": kind, "name": name, "target": target(AFTER, "new commit message\n"), "links": {} },
        "links": {}, "created": false, "forced": true, "closed": false, "commits": [], "truncated": false
    })
}

fn cloud(changes: &[Value]) -> String {
    json!({
        "actor": { "type": "user", "display_name": "Ada" },
        "repository": {
            "type": "repository", "full_name": "acme/shop", "name": "shop",
            "links": { "html": { "href": "https://bitbucket.org/acme/shop" } }
        },
        "push": { "changes": changes }
    })
    .to_string()
}

/// A push as Data Center's documentation of the event has it.
fn data_center(kind: &str, to: &str) -> String {
    json!({
        "eventKey": "repo:refs_changed", "date": "2023-01-13T22:26:25+1100",
        "actor": { "name": "admin", "emailAddress": "admin@example.com", "id": 2 },
        "repository": {
            "slug": "shop", "id": 84, "name": "shop", "scmId": "git",
            "project": { "key": "ACME", "id": 84, "name": "acme", "type": "NORMAL" }
        },
        "changes": [{
            "ref": { "id": "refs/heads/main", "displayId": "main", "type": "BRANCH" },
            "refId": "refs/heads/main", "fromHash": BEFORE, "toHash": to, "type": kind
        }],
        "toCommit": {
            "id": AFTER, "displayId": &AFTER[..11], "message": "Updating\n\nmore",
            "author": { "name": "Ada", "emailAddress": "ada@example.com" }
        }
    })
    .to_string()
}

fn said(event: &str, body: &str) -> Result<Vec<DeliveryKind>, DeliveryError> {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-event-key", event),
        ("x-request-uuid", "1c2b3d4e-0000-4000-8000-000000000000"),
        ("content-type", "application/json; charset=utf-8"),
    ] {
        headers.insert(name, value.parse().expect("it is a header"));
    }
    read(&headers, body.as_bytes()).map(|it| it.said)
}

fn push(said: &DeliveryKind) -> &Push {
    match said {
        DeliveryKind::Push(push) => push,
        other => panic!("not a push: {other:?}"),
    }
}

#[test]
fn a_push_in_the_cloud_tells_of_every_ref() {
    let gone = {
        let mut gone = change("branch", "old");
        gone["new"] = Value::Null;
        gone["closed"] = true.into();
        gone
    };
    let new = {
        let mut new = change("branch", "canary");
        new["old"] = Value::Null;
        new
    };
    let all = cloud(&[change("branch", "main"), gone, change("tag", "v1"), new]);
    let said = said("repo:push", &all).expect("it is a delivery");
    let first = push(&said[0]);
    assert!(first.is_of("acme/shop") && first.forced);
    assert_eq!((first.branch.as_str(), first.commit.as_str()), ("main", AFTER));
    assert_eq!(first.subject, "new commit message");
    assert_eq!(first.author, "Ada <ada@example.com>");
    assert!(matches!(said[1], DeliveryKind::Deleted { .. }));
    assert!(matches!(said[2], DeliveryKind::Tag { .. }));
    assert_eq!((push(&said[3]).branch.as_str(), &push(&said[3]).before), ("canary", &None));
}

#[test]
fn each_ref_of_a_delivery_is_remembered_by_itself() {
    let shop = "shop".parse().expect("a name");
    let delivery = Delivery::new(Forge::Bitbucket, "one".into(), Vec::new(), b"body");
    assert_ne!(delivery.keys(&shop, 0), delivery.keys(&shop, 1));
    let blog = "blog".parse().expect("a name");
    assert_ne!(delivery.keys(&shop, 0)[1], delivery.keys(&blog, 0)[1]);
}

#[test]
fn a_push_to_data_center_is_read() {
    let update = said("repo:refs_changed", &data_center("UPDATE", AFTER)).expect("it is one");
    let push = push(&update[0]);
    assert!(push.is_of("ACME/shop") && push.is_of("acme/shop"));
    assert_eq!((push.commit.as_str(), push.subject.as_str()), (AFTER, "Updating"));
    let gone = said("repo:refs_changed", &data_center("DELETE", &"0".repeat(40)));
    assert!(matches!(gone.expect("it is one")[0], DeliveryKind::Deleted { .. }));
}

#[test]
fn what_else_comes_is_no_error_and_what_is_hostile_is() {
    assert_eq!(said("diagnostics:ping", "{\"test\":true}"), Ok(vec![DeliveryKind::Ping]));
    assert!(matches!(said("pullrequest:created", "{}").as_deref(), Ok([DeliveryKind::Ignored(_)])));
    assert_eq!(said("repo:push", &cloud(&[])), Ok(Vec::new()));
    let both_gone = json!({ "old": null, "new": null });
    assert_eq!(said("repo:push", &cloud(&[both_gone])), Ok(Vec::new()));
    let evil = said("repo:push", &cloud(&[change("branch", "--upload-pack=reboot")]));
    assert!(matches!(evil, Err(DeliveryError::Field { .. })), "{evil:?}");
    let many = vec![change("branch", "main"); MAX_REFS + 1];
    assert!(said("repo:push", &cloud(&many)).is_err());
    assert!(said("repo:push", "{}").is_err() && said("", "{}").is_err());
}

#[test]
fn a_signature_is_sha256_in_spite_of_its_headers_name() {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").expect("any key will do");
    mac.update(b"body");
    let digits = hex::encode(mac.finalize().into_bytes());
    let check = |value: &str, secret: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("x-hub-signature", value.parse().expect("it is a header"));
        verify(&[secret], &headers, b"body")
    };
    assert_eq!(check(&format!("sha256={digits}"), "secret"), Ok(()));
    assert_eq!(check(&format!("sha256={digits}"), "other"), Err(WebhookRefusal::Mismatch));
    assert_eq!(check("sha1=00", "secret"), Err(WebhookRefusal::Sha1Only));
    assert_eq!(check(&digits, "secret"), Err(WebhookRefusal::Malformed));
    assert_eq!(verify(&["secret"], &HeaderMap::new(), b"body"), Err(WebhookRefusal::Unsigned));
}
