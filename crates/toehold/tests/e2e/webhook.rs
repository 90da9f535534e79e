//! A forge calls, and somebody is called.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use crate::death::{kill, part};
use crate::forge::{Forge, SECRET, api, signed};
use crate::stage::{Stage, request, until};

#[test]
fn a_delivery_that_was_accepted_outlives_a_sudden_death() {
    let forge = Forge::new();
    // Nothing but the delivery tells of the push.
    let stage = Stage::with_settings(&(forge.settings("github") + "poll = \"off\"\n"));
    std::fs::write(stage.state().join("github-secrets"), SECRET).expect("written");
    let app = stage.app("hello");
    let remote = forge.path();
    app.git(&["push", "--quiet", remote.to_str().expect("text"), "HEAD:refs/heads/main"]);
    let commit = app.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let body = told("refs/heads/main", &commit, false);
    let control = until("it runs", || part(&stage, "serve"));
    assert!((200..300).contains(&deliver(&stage, "1", SECRET, "push", &body)));
    kill(control);
    app.until_heard("v1");
    assert!((200..300).contains(&deliver(&stage, "1", SECRET, "push", &body)), "said twice");
    assert_eq!(app.events("build.queued").len(), 1);
}

#[test]
fn the_forge_is_told_what_came_of_a_push() {
    let forge = Forge::new();
    let (port, asked) = api();
    let more = format!("token_file = \"token\"\napi_url = \"http://127.0.0.1:{port}\"\n");
    let stage = Stage::with_settings(&(forge.settings("github") + &more));
    std::fs::write(stage.state().join("github-secrets"), SECRET).expect("written");
    std::fs::write(stage.state().join("token"), "ghp_sesame\n").expect("written");
    let app = stage.app("hello");
    let remote = forge.path();
    app.git(&["push", "--quiet", remote.to_str().expect("text"), "HEAD:refs/heads/main"]);
    let commit = app.git(&["rev-parse", "HEAD"]).trim().to_owned();
    deliver(&stage, "1", SECRET, "push", &told("refs/heads/main", &commit, false));
    app.until_heard("v1");
    let (mut statuses, mut deployments) = (Vec::new(), Vec::new());
    let is_done = |statuses: &[String], deployments: &[String]| {
        statuses.iter().any(|it| it == "toehold/deploy success")
            && deployments.iter().any(|it| it == "success")
    };
    while !is_done(&statuses, &deployments) {
        let (head, body) = asked.recv_timeout(Duration::from_mins(1)).expect("it is told");
        assert!(head.to_ascii_lowercase().contains("authorization: bearer ghp_sesame"), "{head}");
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        if head.contains(&format!("/statuses/{commit} ")) {
            statuses.push(format!("{} {}", text("context"), text("state")));
        } else if head.contains("/deployments/1/statuses ") {
            deployments.push(text("state"));
        }
    }
    for status in ["toehold/test success", "toehold/lint success"] {
        assert!(statuses.iter().any(|it| it == status), "{status} is missing: {statuses:?}");
    }
    let told = app.events("report.failed");
    assert!(told.is_empty(), "{told:?}");
}

/// What GitHub says of a push.
fn told(reference: &str, commit: &str, deleted: bool) -> String {
    serde_json::json!({
        "ref": reference, "before": "0".repeat(40), "after": commit, "deleted": deleted,
        "repository": { "full_name": "acme/shop", "clone_url": "https://evil.example/shop.git" },
        "head_commit": { "id": commit, "message": "say v2" },
    })
    .to_string()
}

/// A delivery as GitHub makes it.
fn deliver(stage: &Stage, id: &str, secret: &str, kind: &str, body: &str) -> u16 {
    let signature = signed(secret, body, "hex");
    let text = format!(
        "POST /webhooks/github/hello HTTP/1.1\r\nHost: toehold\r\nConnection: close\r\n\
         Content-Type: application/json\r\nX-GitHub-Event: {kind}\r\nX-GitHub-Delivery: {id}\r\n\
         X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    request(stage.api, &text).expect("an answer").0
}

#[test]
fn a_push_to_the_forge_is_built_once_and_nothing_else_is() {
    let forge = Forge::new();
    let stage = Stage::with_settings(&forge.settings("github"));
    let app = stage.app("hello");
    app.push("main");
    let path = forge.path();
    let remote = path.to_str().expect("text");
    app.says("v2");
    app.git(&["push", "--quiet", remote, "HEAD:refs/heads/main"]);
    let commit = app.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let body = told("refs/heads/main", &commit, false);
    // No secret is set yet: nobody is believed.
    assert!(deliver(&stage, "0", SECRET, "push", &body) >= 400);
    let file = stage.state().join("github-secrets");
    std::fs::write(&file, format!("an older one\n{SECRET}\n")).expect("written");
    assert_eq!(deliver(&stage, "1", "a guess", "push", &body), 403);
    assert_eq!(app.events("build.queued").len(), 1, "nothing was built of that");

    assert!((200..300).contains(&deliver(&stage, "2", SECRET, "push", &body)));
    app.until_heard("v2");
    assert!((200..300).contains(&deliver(&stage, "2", SECRET, "push", &body)), "said twice");
    assert!((200..300).contains(&deliver(&stage, "3", SECRET, "ping", "{\"zen\":\"\"}")));
    let tag = told("refs/tags/v2", &commit, false);
    assert!((200..300).contains(&deliver(&stage, "4", SECRET, "push", &tag)));
    let gone = told("refs/heads/main", &"0".repeat(40), true);
    assert!((200..300).contains(&deliver(&stage, "5", SECRET, "push", &gone)));
    until("what was passed over is said", || (app.events("push.ignored").len() >= 2).then_some(()));
    assert_eq!(app.events("build.queued").len(), 2, "built once, and nothing else");
}

#[test]
fn a_message_is_posted_with_a_signature_and_an_id() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it has one").port();
    let (sender, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a link");
            stream.set_read_timeout(Some(Duration::from_millis(500))).expect("set");
            let mut text = Vec::new();
            // The sender waits for an answer, so the silence after it is its end.
            let _ = stream.read_to_end(&mut text);
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
            if sender.send(String::from_utf8_lossy(&text).into_owned()).is_err() {
                return;
            }
        }
    });
    let stage = Stage::with_settings(&format!(
        "[webhook]\nurl = \"http://127.0.0.1:{port}/hook\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n"
    ));
    let app = stage.app("hello");
    app.push("main");
    app.says("broken").push("main");
    let told = heard.recv_timeout(Duration::from_mins(1)).expect("a message came");
    let lower = told.to_ascii_lowercase();
    for header in ["webhook-id: ", "webhook-timestamp: ", "webhook-signature: v1,"] {
        assert!(lower.contains(header), "{header} is missing: {told}");
    }
    assert!(told.contains("build.failed") && told.contains("Expected words to be whole"), "{told}");
}
