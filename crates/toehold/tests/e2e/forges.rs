//! Each forge as it calls, end to end, and what it is told.

use std::process::Command;
use std::sync::mpsc::Receiver;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::death::part;
use crate::forge::{Forge, SECRET, api, deliver, signed};
use crate::stage::{Stage, until};

const NOTHING: &str = "0000000000000000000000000000000000000000";

fn is_taken(status: u16) -> bool {
    (200..300).contains(&status)
}

/// What GitLab says of a push to `main`.
fn of_gitlab(before: &str, after: &str) -> String {
    json!({
        "object_kind": "push", "ref": "refs/heads/main", "before": before, "after": after,
        "checkout_sha": after, "total_commits_count": 1,
        "project": { "path_with_namespace": "acme/shop", "git_http_url": "ext::sh -c touch% x" },
        "commits": [{ "id": after, "message": "say so", "author": { "name": "Ada", "email": "a@b.c" } }],
    })
    .to_string()
}

/// What Gitea says of one, and GitHub too.
fn of_gitea(before: &str, after: &str) -> String {
    json!({
        "ref": "refs/heads/main", "before": before, "after": after, "forced": before != NOTHING,
        "repository": { "full_name": "acme/shop", "clone_url": "--upload-pack=touch x" },
        "head_commit": { "id": after, "message": "say so" },
        "commits": [{ "id": after, "message": "say so" }],
    })
    .to_string()
}

/// What Bitbucket Cloud says of one.
fn of_bitbucket(before: &str, after: &str) -> String {
    let at = |hash: &str| {
        let target = json!({ "hash": hash, "message": "say so" });
        json!({ "type": "branch", "name": "main", "target": target })
    };
    json!({
        "repository": { "full_name": "acme/shop" },
        "push": { "changes": [{ "old": at(before), "new": at(after) }] },
    })
    .to_string()
}

fn has_secrets(stage: &Stage, kinds: &[&str]) {
    for kind in kinds {
        let file = stage.state().join(format!("{kind}-secrets"));
        std::fs::write(file, SECRET).expect("written");
    }
}

#[test]
fn every_forge_that_calls_is_believed_in_its_own_way_and_its_push_is_live() {
    let forge = Forge::new();
    let kinds = ["gitlab", "gitea", "forgejo", "bitbucket"];
    let settings: String =
        kinds.iter().map(|kind| forge.settings(kind) + "poll = \"off\"\n").collect();
    let stage = Stage::with_settings(&settings);
    has_secrets(&stage, &kinds);
    let app = stage.app("hello");
    let mut before = NOTHING.to_owned();
    for (nth, way) in
        ["gitlab by token", "gitlab signed", "gitea", "forgejo", "bitbucket"].iter().enumerate()
    {
        let words = format!("w{nth}");
        app.says(&words);
        let commit = forge.take(&app);
        let id = format!("0f5f{nth:04}");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let now = now.to_string();
        let kind = way.split(' ').next().expect("a word");
        let body = match kind {
            "gitlab" => of_gitlab(&before, &commit),
            "bitbucket" => of_bitbucket(&before, &commit),
            _ => of_gitea(&before, &commit),
        };
        let hex = signed(SECRET, &body, "hex");
        let with_name = format!("sha256={hex}");
        let base64 = format!("v1,{}", signed(SECRET, &format!("{id}.{now}.{body}"), "base64"));
        let headers = match *way {
            "gitlab by token" => {
                vec![
                    ("X-Gitlab-Event", "Push Hook"),
                    ("X-Gitlab-Token", SECRET),
                    ("Idempotency-Key", &id),
                ]
            }
            "gitlab signed" => vec![
                ("X-Gitlab-Event", "Push Hook"),
                ("webhook-id", &id),
                ("webhook-timestamp", &now),
                ("webhook-signature", &base64),
            ],
            "gitea" => vec![
                ("X-Gitea-Event", "push"),
                ("X-Gitea-Delivery", &id),
                ("X-Gitea-Signature", &hex),
                ("X-GitHub-Event", "push"),
                ("X-GitHub-Delivery", &id),
            ],
            "forgejo" => vec![
                ("X-Forgejo-Event", "push"),
                ("X-Forgejo-Delivery", &id),
                ("X-Forgejo-Signature", &hex),
                ("X-Gitea-Event", "push"),
                ("X-GitHub-Event", "push"),
                ("X-Hub-Signature-256", &with_name),
            ],
            _ => vec![
                ("X-Event-Key", "repo:push"),
                ("X-Request-UUID", &id),
                ("X-Hub-Signature", &with_name),
            ],
        };
        // One letter of the body is another: nobody of that name signed it.
        let forged = body.replacen("acme", "acne", 1);
        if *way != "gitlab by token" {
            assert_eq!(deliver(&stage, kind, &headers, &forged), 403, "{way}");
        }
        assert!(is_taken(deliver(&stage, kind, &headers, &body)), "{way}");
        app.until_heard(&words);
        assert!(is_taken(deliver(&stage, kind, &headers, &body)), "{way}: said twice");
        let queued = app.events("build.queued");
        assert_eq!(queued.len(), nth + 1, "{way}: built once");
        let trigger = &queued[nth]["facts"]["trigger"];
        assert_eq!(
            (&trigger["forge"], &queued[nth]["facts"]["commit"]),
            (&json!(kind), &json!(commit))
        );
        before = commit;
    }
}

#[test]
fn a_branch_that_was_pushed_by_force_is_built_as_it_is_now() {
    let forge = Forge::new();
    let stage = Stage::with_settings(&(forge.settings("github") + "poll = \"off\"\n"));
    has_secrets(&stage, &["github"]);
    let app = stage.app("hello");
    let tell = |id: &str, before: &str, after: &str| {
        let body = of_gitea(before, after);
        let signature = format!("sha256={}", signed(SECRET, &body, "hex"));
        let headers = [
            ("X-GitHub-Event", "push"),
            ("X-GitHub-Delivery", id),
            ("X-Hub-Signature-256", signature.as_str()),
        ];
        assert!(is_taken(deliver(&stage, "github", &headers, &body)));
    };
    let first = forge.take(&app);
    tell("1", NOTHING, &first);
    app.until_heard("v1");
    app.says("v2");
    let second = forge.take(&app);
    tell("2", &first, &second);
    app.until_heard("v2");
    // Another history, in which v2 never was.
    app.git(&["reset", "--quiet", "--hard", &first]);
    app.says("v3");
    let third = forge.take(&app);
    tell("3", &second, &third);
    app.until_heard("v3");
    // And back to a commit that was built long ago.
    app.git(&["reset", "--quiet", "--hard", &second]);
    assert_eq!(forge.take(&app), second);
    tell("4", &third, &second);
    app.until_heard("v2");
    let commits: Vec<Value> =
        app.events("build.queued").iter().map(|it| it["facts"]["commit"].clone()).collect();
    assert_eq!(commits, [json!(first), json!(second), json!(third), json!(second)]);
}

/// Waits until what is asked of the forge is such; gives its body.
fn until_asked(
    asked: &Receiver<(String, Value)>,
    is: impl Fn(&str, &Value) -> bool,
) -> (String, Value) {
    loop {
        let (head, body) = asked.recv_timeout(Duration::from_mins(1)).expect("it is asked");
        if is(&head, &body) {
            return (head, body);
        }
    }
}

#[test]
fn the_findings_of_a_style_check_stand_at_their_lines() {
    let forge = Forge::new();
    let (port, asked) = api();
    let more = format!(
        "app_id = 42\ninstallation_id = 7\nprivate_key_file = \"app.pem\"\n\
         api_url = \"http://127.0.0.1:{port}\"\npoll = \"off\"\n"
    );
    let stage = Stage::with_settings(&(forge.settings("github") + &more));
    has_secrets(&stage, &["github"]);
    let key = Command::new("openssl")
        .arg("genrsa")
        .arg("-out")
        .arg(stage.state().join("app.pem"))
        .arg("2048")
        .output();
    assert!(key.expect("openssl runs").status.success());
    let app = stage.app("hello");
    app.write(
        "lint.js",
        "require('node:fs').writeFileSync('checkstyle.xml', `<?xml version=\"1.0\"?>\n\
         <checkstyle version=\"4.3\"><file name=\"words.js\">\n\
         <error line=\"1\" column=\"23\" severity=\"warning\" message=\"Missing semicolon.\" source=\"jshint.W033\"/>\n\
         <error line=\"2\" column=\"1\" severity=\"error\" message=\"It is &lt;not&gt; defined.\" source=\"jshint.E001\"/>\n\
         </file></checkstyle>`);\nprocess.exit(2);\n",
    );
    app.set("lint = \"true\"", "lint = \"node lint.js\"");
    app.set(
        "junit = \"reports/*.xml\"",
        "junit = \"reports/*.xml\"\ncheckstyle = \"checkstyle.xml\"",
    );
    app.commit("look at the style");
    let commit = forge.take(&app);
    assert!(is_taken(github_tells(&stage, &of_gitea(NOTHING, &commit))));
    let (head, check) =
        until_asked(&asked, |head, _| head.starts_with("POST") && head.contains("/check-runs "));
    assert!(head.to_ascii_lowercase().contains("authorization: bearer ghs_of_the_app"), "{head}");
    assert_eq!((&check["head_sha"], &check["conclusion"]), (&json!(commit), &json!("failure")));
    let lines: Vec<String> = check["output"]["annotations"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|it| {
            let text = |name: &str| it[name].as_str().unwrap_or_default().to_owned();
            let line = &it["start_line"];
            format!("{}:{line} {} {}", text("path"), text("annotation_level"), text("message"))
        })
        .collect();
    let expected =
        ["words.js:1 warning Missing semicolon.", "words.js:2 failure It is <not> defined."];
    assert_eq!(lines, expected);
}

/// A delivery as GitHub makes it.
fn github_tells(stage: &Stage, body: &str) -> u16 {
    let signature = format!("sha256={}", signed(SECRET, body, "hex"));
    let headers = [
        ("X-GitHub-Event", "push"),
        ("X-GitHub-Delivery", "1"),
        ("X-Hub-Signature-256", signature.as_str()),
    ];
    deliver(stage, "github", &headers, body)
}

#[test]
fn what_somebody_asks_for_is_told_to_the_forge_its_commit_came_from_alone() {
    let forge = Forge::new();
    let ((github, asked), (gitlab, nothing)) = (api(), api());
    let settings: String = [("github", github), ("gitlab", gitlab)]
        .iter()
        .map(|(kind, port)| {
            let more = format!("token_file = \"token\"\napi_url = \"http://127.0.0.1:{port}\"\n");
            forge.settings(kind) + &more + "poll = \"off\"\n"
        })
        .collect();
    let stage = Stage::with_settings(&settings);
    has_secrets(&stage, &["github", "gitlab"]);
    std::fs::write(stage.state().join("token"), "sesame\n").expect("written");
    let app = stage.app("hello");
    app.says("broken");
    let commit = forge.take(&app);
    assert!(is_taken(github_tells(&stage, &of_gitea(NOTHING, &commit))));
    let is_failure = |head: &str, body: &Value| {
        head.contains(&format!("/statuses/{commit} ")) && body["state"] == "failure"
    };
    until_asked(&asked, is_failure);
    until("the build has failed", || (app.events("build.failed").len() == 1).then_some(()));
    // Somebody has it built again: it is still a commit of GitHub.
    let again = app.toehold(&["deploy", "--commit", &commit, "--track", "stable"]);
    assert!(!again.status.success(), "it is as broken as before");
    until("it has failed again", || (app.events("build.failed").len() == 2).then_some(()));
    until_asked(&asked, is_failure);
    // A commit that only Toehold has is nothing to either.
    app.says("v2");
    app.done(&["deploy", "--track", "stable"]);
    app.until_heard("v2");
    let ours = app.git(&["rev-parse", "HEAD"]).trim().to_owned();
    assert!(!asked.try_iter().any(|(head, _)| head.contains(&ours)), "GitHub does not have it");
    let told = nothing.try_iter().next();
    assert!(told.is_none(), "GitLab was told of what is not its own: {told:?}");
}

/// The most memory a process had since it began, in MiB.
fn peak_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is counted");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

#[test]
fn the_longest_deliveries_take_memory_that_is_bounded() {
    let forge = Forge::new();
    let stage = Stage::with_settings(&(forge.settings("github") + "poll = \"off\"\n"));
    has_secrets(&stage, &["github"]);
    let app = stage.app("hello");
    let commit = forge.take(&app);
    let body = of_gitea(NOTHING, &commit);
    let long = format!("{},\"padding\":\"{}\"}}", &body[..body.len() - 1], "x".repeat(24 << 20));
    let signature = format!("sha256={}", signed(SECRET, &long, "hex"));
    let control = until("it runs", || part(&stage, "serve"));
    let before = peak_mib(control);
    let deliver_one = |nth: usize| {
        let id = nth.to_string();
        let headers = [
            ("X-GitHub-Event", "push"),
            ("X-GitHub-Delivery", id.as_str()),
            ("X-Hub-Signature-256", signature.as_str()),
        ];
        deliver(&stage, "github", &headers, &long)
    };
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let deliver_one = &deliver_one;
        let threads: Vec<_> = (0..8).map(|nth| scope.spawn(move || deliver_one(nth))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    // Whoever finds no room is answered before the end, or hung up on while still sending.
    assert!(statuses.iter().all(|status| matches!(status, 0 | 200 | 202 | 503)), "{statuses:?}");
    assert!(statuses.iter().any(|status| is_taken(*status)), "{statuses:?}");
    app.until_heard("v1");
    assert!(is_taken(deliver_one(8)), "there is room again");
    assert_eq!(app.events("build.queued").len(), 1, "the same words are one push");
    let more = peak_mib(control) - before;
    // Two have room at once, each in the pieces it came in and as a whole.
    assert!(more < 160, "{more} MiB more than before");
}
