//! What people get wrong: each answered with what, where and what to do, and the rest goes on.

use crate::stage::{Stage, request, said};

#[test]
fn an_app_that_never_listens_is_given_up_and_the_one_before_goes_on() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    app.add("toehold.toml", "\n[health]\ndeadline = \"3s\"\n");
    app.write("main.js", "setInterval(() => {}, 1000);\n");
    app.commit("listen to nobody");
    let seen = app.push("main");
    assert!(seen.contains("release") && seen.contains("error"), "{seen}");
    assert_eq!(app.events("deploy.failed").len(), 1);
    assert_eq!(app.visit(), (200, "v1\n".to_owned()));
    assert_eq!(app.status()["serving"], 1);
}

#[test]
fn a_configuration_that_cannot_be_used_is_named_with_the_key() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.write("toehold.toml", "[scale]\nmin = 3\nmax = 2\n");
    app.commit("shrink");
    let seen = app.push("main");
    assert!(seen.contains("min") && seen.contains("max"), "{seen}");
    let check = app.toehold(&["config", "check"]);
    assert_eq!(check.status.code(), Some(2), "{}", said(&check));
    app.write("toehold.toml", "[buidl]\n");
    let check = said(&app.toehold(&["config", "check"]));
    assert!(check.contains("buidl") && check.contains("build"), "{check}");
}

#[test]
fn names_that_could_leave_their_place_are_refused() {
    let stage = Stage::new();
    let app = stage.app("hello");
    for name in ["..", "a/b", "A", "a b", "$(reboot)"] {
        let answer = app.toehold(&["init", "--", name]);
        assert_eq!(answer.status.code(), Some(2), "{name:?}: {}", said(&answer));
    }
    let branch = app.push("feature/$(touch-x)");
    assert!(branch.contains("[branches]"), "{branch}");
}

#[test]
fn a_second_toehold_in_the_same_folder_is_told_whose_it_is() {
    let stage = Stage::new();
    let second = stage.ask(&["up"]);
    assert_eq!(second.status.code(), Some(2));
    let words = said(&second);
    assert!(words.contains(&stage.pid().to_string()), "{words}");
}

#[test]
fn the_api_lets_nobody_in_without_a_token() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    let (status, body) = crate::stage::get(stage.api, "localhost", "/api/v1/apps");
    assert_eq!(status, 401, "{body}");
    let post = |path: &str, token: &str| {
        request(
            stage.api,
            &format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        )
        .expect("an answer")
    };
    let (status, _) = crate::stage::get(stage.api, "localhost", "/deploy");
    assert_eq!(status, 405, "a GET changes nothing");
    assert_eq!(post("/deploy", "th_x_y").0, 401);
    let token = app.json(&["tokens", "create", "jenkins", "--scope", "deploy:hello"]);
    let token = token["token"].as_str().expect("it is shown once").to_owned();
    let (status, body) = post("/deploy", &token);
    assert!(status == 200 || status == 202, "{status} {body}");
}

#[test]
fn a_failure_is_json_where_json_was_asked_for() {
    let stage = Stage::new();
    let app = stage.app("hello");
    let answer = app.toehold(&["--json", "scale", "0"]);
    assert_eq!(answer.status.code(), Some(2));
    let told: serde_json::Value = serde_json::from_slice(&answer.stderr).expect("it is JSON");
    assert!(told["error"].as_str().is_some_and(|text| text.contains('0')), "{told}");
}

#[test]
fn a_remote_of_somebody_else_is_left_alone() {
    let stage = Stage::new();
    let app = stage.app("hello");
    let elsewhere = "https://example.com/hello.git";
    app.git(&["remote", "set-url", "toehold", elsewhere]);
    let answer = app.toehold(&["init", "hello"]);
    assert_eq!(answer.status.code(), Some(2));
    assert!(said(&answer).contains(elsewhere), "{}", said(&answer));
    assert_eq!(app.git(&["remote", "get-url", "toehold"]).trim(), elsewhere);
}

#[test]
fn what_would_be_built_is_said_before() {
    let stage = Stage::new();
    let app = stage.bare("found");
    app.write(
        "package.json",
        "{ \"scripts\": { \"test\": \"node test.js\", \"start\": \"node main.js\" } }",
    );
    app.commit("begin");
    for asked in [&["plan"][..], &["config", "show"]] {
        let seen = app.done(asked);
        assert!(seen.contains("npm"), "{asked:?}: {seen}");
    }
}

#[test]
fn what_came_last_and_failed_is_shown() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    app.says("broken").push("main");
    let seen = app.done(&["status"]);
    assert!(seen.contains("#2 failed") && seen.contains("toehold logs 2"), "{seen}");
    app.says("v3").push("main");
    assert!(!app.done(&["status"]).contains("failed"));
    // Deployed again without a build: it stays until it serves.
    app.done(&["deploy", "--release", "1"]);
    assert_eq!(app.status()["serving"], 1);
}
