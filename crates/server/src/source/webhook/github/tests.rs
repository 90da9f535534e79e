use super::*;
use crate::source::webhook::Push;
use crate::source::webhook::field::TEXT_KEPT;
use toehold_core::model::BranchName;

const ID: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";
const AFTER: &str = "8c1f2ab0d1e2f3a4b5c6d7e8f90a1b2c3d4e5f60";
const BEFORE: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";
const ZERO: &str = "0000000000000000000000000000000000000000";

/// A push as GitHub's schema of the event has it, with the parts we do not read.
fn payload(edit: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut payload = serde_json::json!({
        "ref": "refs/heads/main",
        "before": BEFORE,
        "after": AFTER,
        "repository": {
            "id": 186_853_002, "node_id": "MDEwOlJlcG9zaXRvcnkxODY4NTMwMDI=", "name": "shop",
            "full_name": "acme/shop", "private": false,
            "owner": { "name": "acme", "email": "team@example.com", "login": "acme", "id": 1 },
            "html_url": "https://github.com/acme/shop", "description": null, "fork": false,
            "clone_url": "ext::sh -c reboot", "ssh_url": "file:///etc",
            "default_branch": "main", "master_branch": "main", "pushed_at": 1_557_933_657
        },
        "pusher": { "name": "ada", "email": "ada@example.com" },
        "sender": { "login": "ada", "id": 2, "type": "User", "site_admin": false },
        "created": false, "deleted": false, "forced": false, "base_ref": null,
        "compare": "https://github.com/acme/shop/compare/6113728f27ae...8c1f2ab0d1e2",
        "commits": [],
        "head_commit": {
            "id": AFTER, "tree_id": BEFORE, "distinct": true,
            "message": "Add token endpoint\n\nIt was asked for.",
            "timestamp": "2019-05-15T15:20:33Z",
            "url": "https://github.com/acme/shop/commit/8c1f2ab",
            "author": { "name": "Ada", "email": "ada@example.com", "username": "ada" },
            "committer": { "name": "Ada", "email": "ada@example.com", "username": "ada" },
            "added": [], "removed": [], "modified": ["README.md"]
        }
    });
    edit(&mut payload);
    payload.to_string()
}

fn parse_github(
    event: &str,
    delivery: &str,
    content_type: &str,
    body: &[u8],
) -> Result<Delivery, DeliveryError> {
    let mut headers = HeaderMap::new();
    for (name, value) in
        [("x-github-event", event), ("x-github-delivery", delivery), ("content-type", content_type)]
    {
        headers.insert(name, value.parse().expect("it is a header"));
    }
    super::read(&headers, body)
}

/// The only thing a delivery of GitHub says.
fn kind(delivery: Delivery) -> DeliveryKind {
    assert_eq!(delivery.said.len(), 1);
    delivery.said.into_iter().next().expect("there is one")
}

fn read(body: &str) -> Result<DeliveryKind, DeliveryError> {
    parse_github("push", ID, "application/json", body.as_bytes()).map(kind)
}

fn read_push(body: &str) -> Push {
    match read(body) {
        Ok(DeliveryKind::Push(push)) => push,
        other => panic!("not a push: {other:?}"),
    }
}

#[test]
fn a_push_is_read() {
    let delivery = parse_github("push", ID, "application/json", payload(|_| {}).as_bytes());
    let delivery = delivery.expect("it is a delivery");
    let shop = "shop".parse().expect("a name");
    let keys = delivery.keys(&shop, 0);
    assert_eq!(keys[0], format!("delivery/shop/github/{ID}/0"));
    assert!(keys[1].starts_with("delivery/shop/body/") && keys.len() == 2, "{keys:?}");
    let expected = Push {
        repository: "acme/shop".into(),
        branch: "main".parse().expect("it is a branch"),
        commit: AFTER.parse().expect("it is a commit"),
        before: Some(BEFORE.parse().expect("it is a commit")),
        forced: false,
        subject: "Add token endpoint".into(),
        author: "Ada <ada@example.com>".into(),
        skip: false,
    };
    assert!(expected.is_of("Acme/Shop.git") && !expected.is_of("acme/shop2"));
    assert_eq!(kind(delivery), DeliveryKind::Push(expected));
}

#[test]
fn a_push_is_the_same_however_it_came() {
    let json = payload(|it| it["head_commit"]["message"] = "50% + \"ü\" & more".into());
    let form: String = json
        .bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    let form = format!("payload={form}");
    let kinds = [
        parse_github("push", ID, "application/json; charset=utf-8", json.as_bytes()),
        parse_github("push", ID, "application/x-www-form-urlencoded", form.as_bytes()),
    ]
    .map(|it| kind(it.expect("it is a delivery")));
    assert_eq!(kinds[0], kinds[1]);
    assert_eq!(read_push(&json).subject, "50% + \"ü\" & more");
}

#[test]
fn what_is_not_to_be_built_is_told_apart() {
    let repository = || "acme/shop".to_owned();
    let branch: BranchName = "main".parse().expect("it is a branch");
    let deleted = payload(|it| {
        it["deleted"] = true.into();
        it["after"] = ZERO.into();
        it["head_commit"] = serde_json::Value::Null;
    });
    assert_eq!(read(&deleted), Ok(DeliveryKind::Deleted { repository: repository(), branch }));
    let tag = payload(|it| it["ref"] = "refs/tags/v1".into());
    let name = "v1".to_owned();
    assert_eq!(read(&tag), Ok(DeliveryKind::Tag { repository: repository(), name }));
    let notes = payload(|it| it["ref"] = "refs/notes/commits".into());
    assert!(matches!(read(&notes), Ok(DeliveryKind::Ignored(_))));
    let new = payload(|it| it["before"] = ZERO.into());
    assert_eq!(read_push(&new).before, None);
    assert!(read_push(&payload(|it| it["forced"] = true.into())).forced);
    let skipped = payload(|it| it["head_commit"]["message"] = "Docs\n\n[CI skip]".into());
    assert!(read_push(&skipped).skip);
}

#[test]
fn other_events_are_no_errors() {
    let parse = |event| parse_github(event, ID, "application/json", b"{}").map(kind);
    assert_eq!(parse("ping"), Ok(DeliveryKind::Ping));
    match parse("pull_request") {
        Ok(DeliveryKind::Ignored(why)) => assert!(why.contains("`pull_request`"), "{why}"),
        other => panic!("not ignored: {other:?}"),
    }
    assert!(parse("").is_err());
}

#[test]
fn hostile_names_are_refused() {
    let long = "x".repeat(5000);
    for name in
        ["--upload-pack=reboot", "../../etc", "a\u{0}b", "a b", "", "@{u}", "x.lock", long.as_str()]
    {
        let body = payload(|it| it["ref"] = format!("refs/heads/{name}").into());
        assert!(matches!(read(&body), Err(DeliveryError::Field { .. })), "{name:?} was taken");
        let body = payload(|it| it["ref"] = format!("refs/tags/{name}").into());
        assert!(matches!(read(&body), Err(DeliveryError::Field { .. })), "{name:?} was taken");
    }
    for commit in ["", "main", "--all", &AFTER[1..], &AFTER.to_uppercase(), "8c1f2ab"] {
        let body = payload(|it| it["after"] = commit.into());
        assert!(matches!(read(&body), Err(DeliveryError::Field { .. })), "{commit:?} was taken");
    }
    for name in ["acme", "acme/shop/x", "../shop", "acme/sh op", "/shop", "acme/"] {
        let body = payload(|it| it["repository"]["full_name"] = name.into());
        assert!(read(&body).is_err(), "{name:?} was taken");
    }
    for id in ["", "a b", &"x".repeat(201)] {
        assert!(parse_github("ping", id, "application/json", b"{}").is_err(), "{id:?} was taken");
    }
}

#[test]
fn hostile_bodies_are_refused() {
    let deep = |open: &str, close: &str| {
        let text = format!("{{\"x\":{}{},", open.repeat(100_000), close.repeat(100_000));
        payload(|_| {}).replacen('{', &text, 1)
    };
    for body in [
        "",
        "null",
        "[]",
        "{",
        "\"x\"",
        "{\"ref\":null}",
        &deep("[", "]"),
        &deep("{\"a\":", "}").replace(":}", ":1}"),
    ] {
        let result = read(body);
        let is_body = matches!(&result, Err(error) if error.status() == 400);
        assert!(is_body, "{body:.40}: {result:?}");
    }
    let result = parse_github("push", ID, "application/json", b"{\"ref\":\"\xff\"}");
    assert!(matches!(result, Err(DeliveryError::Body { .. })), "{result:?}");
    for form in ["payload", "x=1", "payload=%", "payload=%zz", "payload=%ff"] {
        let type_ = "application/x-www-form-urlencoded";
        assert!(parse_github("push", ID, type_, form.as_bytes()).is_err(), "{form:?} was taken");
    }
    let result = parse_github("push", ID, "text/plain", b"{}").map_err(|it| it.status());
    assert_eq!(result, Err(415));
}

#[test]
fn a_deep_text_is_not_a_deep_body() {
    let body = payload(|it| it["head_commit"]["message"] = "[\\\"{".repeat(1000).into());
    assert_eq!(read_push(&body).subject.len(), TEXT_KEPT);
}

#[test]
fn a_huge_body_is_refused_unread() {
    let body = vec![b'['; crate::source::webhook::MAX_BODY_BYTES + 1];
    let result = parse_github("push", ID, "application/json", &body);
    assert_eq!(result.map_err(|it| it.status()), Err(413));
    // Nearly as long and with nothing wrong in it is read.
    let body = payload(|it| it["x"] = " ".repeat(24 * 1024 * 1024).into());
    assert!(read(&body).is_ok());
}

#[test]
fn what_cannot_stand_in_a_key_is_remembered_by_its_digest() {
    let shop = "shop".parse().expect("a name");
    for id in ["a/b", "../x", "@1J2K3Lx123x456x0", &"x".repeat(200)] {
        let delivery = parse_github("ping", id, "application/json", b"{}").expect("it is one");
        for key in delivery.keys(&shop, 3) {
            key.parse::<crate::store::Key>().expect("it is a key");
        }
    }
}

#[test]
fn a_delivery_of_gitea_is_not_taken_for_one_of_github() {
    let mut headers = HeaderMap::new();
    for name in ["x-github-event", "x-gitea-event", "x-gogs-event"] {
        headers.insert(name, "push".parse().expect("it is a header"));
    }
    let taken = super::read(&headers, b"{}");
    assert_eq!(taken, Err(DeliveryError::Elsewhere { forge: Forge::Gitea }));
    // It is told so also where nobody could be believed.
    let now = toehold_core::time::Timestamp::from_ms(0);
    let refused = crate::source::webhook::verify(Forge::Github, &[], &headers, b"{}", now);
    assert_eq!(
        refused,
        Err(crate::source::webhook::WebhookRefusal::Elsewhere { forge: Forge::Gitea })
    );
    headers.insert("x-forgejo-event", "push".parse().expect("it is a header"));
    let taken = super::read(&headers, b"{}");
    assert_eq!(taken, Err(DeliveryError::Elsewhere { forge: Forge::Forgejo }));
}
