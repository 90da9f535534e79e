//! Jenkins' own clients, and Jenkins itself, against Toehold.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::stage::{App, Stage, request, said};

/// The interpreter with python-jenkins, which `script/setup` makes.
fn python() -> String {
    std::env::var("TOEHOLD_TEST_PYTHON").unwrap_or_else(|_| {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/test-tools/bin/python3").to_owned()
    })
}

fn token(app: &App<'_>, name: &str, scopes: &[&str]) -> String {
    let mut arguments = vec!["tokens", "create", name];
    for scope in scopes {
        arguments.extend(["--scope", scope]);
    }
    let made = app.json(&arguments);
    made["token"].as_str().expect("it is shown once").to_owned()
}

/// Brings what is checked out to Toehold without a push, of which a build would come.
fn bring(stage: &Stage, app: &App<'_>, branch: &str) {
    let bare = stage.state().join("git/hello.git");
    let status = Command::new("git")
        .arg("-C")
        .arg(bare)
        .args(["fetch", "--quiet"])
        .arg(&app.repository)
        .arg(format!("+HEAD:refs/heads/{branch}"))
        .status();
    assert!(status.expect("git runs").success());
}

#[test]
fn a_script_that_drove_jenkins_drives_toehold() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    app.until_heard("v1");
    let token = token(&app, "ci", &["read", "deploy:hello"]);
    let branch = |words: &str| {
        app.says(words);
        bring(&stage, &app, "work");
    };
    app.add("toehold.toml", "\n[branches]\nmain = \"stable\"\nwork = \"stable\"\n");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/jenkins_client.py");
    let url = format!("http://127.0.0.1:{}/jenkins", stage.api);
    let mut client = Command::new(python())
        .args([script, &url, "ci", &token, "hello"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs: see script/setup");
    let mut go = client.stdin.take().expect("it listens");
    let mut lines = BufReader::new(client.stdout.take().expect("it talks")).lines();
    let mut next = || lines.next().and_then(Result::ok).unwrap_or_default();
    assert_eq!(next(), "READY");
    branch("v2");
    go.write_all(b"GO\n").expect("it listens");
    assert_eq!(next(), "BREAK");
    app.until_heard("v2");
    branch("broken");
    go.write_all(b"GO\n").expect("it listens");
    assert_ne!(next(), "", "it says what it saw");
    assert!(client.wait().expect("it ends").success());
    assert_eq!(app.visit().1.trim(), "v2", "what failed was not deployed");
}

/// What the Notification plugin posts, to the URL it is set up with.
fn notify(stage: &Stage, query: &str, basic: &str, body: &serde_json::Value) -> (u16, String) {
    let body = body.to_string();
    let text = format!(
        "POST /jenkins/notify{query} HTTP/1.1\r\nHost: toehold\r\nConnection: close\r\n\
         Content-Type: application/json;charset=UTF-8\r\nAuthorization: Basic {basic}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    request(stage.api, &text).expect("an answer")
}

/// By another hand than Toehold's.
fn base64(text: &str) -> String {
    let mut child = Command::new("base64")
        .arg("-w0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("base64 runs");
    child.stdin.take().expect("it listens").write_all(text.as_bytes()).expect("it listens");
    said(&child.wait_with_output().expect("it ends")).trim().to_owned()
}

#[test]
fn what_jenkins_passed_is_deployed_once_and_nothing_else_is() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    app.until_heard("v1");
    app.says("v2");
    bring(&stage, &app, "main");
    let commit = app.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let basic = base64(&format!("jenkins:{}", token(&app, "jenkins", &["deploy:hello"])));
    let told = |number: u64, phase: &str, status: &str, commit: &str| {
        serde_json::json!({
            "name": "hello", "display_name": "hello", "url": "job/hello/",
            "build": {
                "full_url": "http://jenkins.example.com/job/hello/7/", "number": number,
                "queue_id": 9, "timestamp": 1_700_000_000_000_u64 + number, "duration": 0,
                "phase": phase, "status": status, "url": "job/hello/7/",
                "scm": { "url": "git@example.com:hello.git", "branch": "origin/main",
                    "commit": commit, "changes": [], "culprits": [] },
                "log": "", "notes": "", "artifacts": {},
            },
        })
    };
    let read = token(&app, "reader", &["read"]);
    let refused = notify(&stage, "", &base64(&format!("x:{read}")), &told(7, "", "", &commit));
    assert_eq!(refused.0, 403, "{}", refused.1);
    let builds = || app.events("build.queued").len();
    for (number, phase, status) in
        [(6, "STARTED", "SUCCESS"), (6, "FINALIZED", "FAILURE"), (6, "COMPLETED", "UNSTABLE")]
    {
        let (code, body) = notify(&stage, "", &basic, &told(number, phase, status, &commit));
        assert_eq!(code, 200, "{body}");
        assert!(body.contains("\"outcome\":\"ignored\""), "{body}");
    }
    assert_eq!(builds(), 1, "nothing was built of that");
    let ignored = app.events("push.ignored");
    assert_eq!(ignored.len(), 2, "what ended badly is said: {ignored:?}");
    // The newest commit is not what that build passed.
    for no_commit in ["", &commit[..7], "trunk@1234"] {
        let unclear = notify(&stage, "", &basic, &told(6, "FINALIZED", "SUCCESS", no_commit));
        assert!(unclear.0 == 400 && unclear.1.contains("commit_unclear"), "{}", unclear.1);
    }
    assert_eq!(builds(), 1, "nothing was built of that either");
    let queued = notify(&stage, "", &basic, &told(7, "COMPLETED", "SUCCESS", &commit));
    assert_eq!(queued.0, 202, "{}", queued.1);
    let twice = notify(&stage, "", &basic, &told(7, "FINALIZED", "SUCCESS", &commit));
    assert!(twice.0 == 200 && twice.1.contains("was deployed before"), "{}", twice.1);
    app.until_heard("v2");
    assert_eq!(builds(), 2);
    let elsewhere = notify(&stage, "", &basic, &told(8, "FINALIZED", "SUCCESS", &"5".repeat(40)));
    assert_eq!(elsewhere.0, 404, "it was not pushed here: {}", elsewhere.1);
}

#[test]
fn a_webhook_that_woke_a_job_wakes_a_build() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    app.until_heard("v1");
    let token = token(&app, "hook", &["deploy:hello"]);
    app.says("v2");
    bring(&stage, &app, "main");
    let url =
        format!("http://127.0.0.1:{}/generic-webhook-trigger/invoke?token={token}", stage.api);
    let push = |reference: &str, after: &str| {
        let body = serde_json::json!({ "ref": reference, "after": after }).to_string();
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "-H", "Content-Type: application/json"])
            .args(["--data", &body, &url])
            .output();
        let answer = said(&output.expect("curl runs"));
        serde_json::from_str::<serde_json::Value>(&answer).expect(&answer)
    };
    let commit = app.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let other = push("refs/heads/elsewhere", &commit);
    assert_eq!(other["jobs"]["hello"]["triggered"], false, "{other}");
    let taken = push("refs/heads/main", &commit);
    assert_eq!(taken["jobs"]["hello"]["triggered"], true, "{taken}");
    app.until_heard("v2");
    assert_eq!(app.events("build.queued").len(), 2, "one for each of the two commits");
}
