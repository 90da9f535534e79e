//! From a push to a visitor's request.

use crate::stage::{Stage, said};

#[test]
fn a_push_is_tested_and_live_and_the_pusher_sees_it() {
    let stage = Stage::new();
    let app = stage.app("hello");
    let seen = app.push("main");
    for words in ["fetch", "test", "artifact", "hello.localhost", "undo: toehold rollback"] {
        assert!(seen.contains(words), "the pusher does not see {words:?}:\n{seen}");
    }
    assert_eq!(app.visit(), (200, "v1\n".to_owned()));
    let manifest = app.json(&["releases"]);
    assert_eq!(manifest[0]["state"], "serving");
}

#[test]
fn a_push_that_fails_a_test_deploys_nothing_and_says_where() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    let seen = app.says("broken").push("main");
    for words in ["are whole", "Expected words to be whole.", "test.js:4"] {
        assert!(seen.contains(words), "the pusher does not see {words:?}:\n{seen}");
    }
    assert_eq!(app.visits(20).into_keys().collect::<Vec<_>>(), ["v1"]);
    let failed = app.events("build.failed");
    assert_eq!(failed.len(), 1);
    app.says("v3").push("main");
    app.until_heard("v3");
    assert_eq!(app.events("build.fixed").len(), 1);
}

#[test]
fn a_failed_build_fails_the_push_where_that_is_asked_for() {
    let stage = Stage::new();
    let app = stage.app("strict");
    app.set("[build]\n", "[build]\nreject_push = true\n");
    app.says("broken");
    let refused = app.try_git(&["push", "toehold", "HEAD:refs/heads/main"]);
    assert!(!refused.status.success(), "the push went through: {}", said(&refused));
    app.says("v2").push("main");
    app.until_heard("v2");
}

#[test]
fn the_work_here_is_deployed_without_a_push() {
    let stage = Stage::new();
    let app = stage.app("hello");
    let seen = app.done(&["deploy"]);
    assert!(seen.contains("hello.localhost"), "{seen}");
    app.write("words.js", "module.exports = 'not committed';\n");
    app.done(&["deploy", "--dirty"]);
    app.until_heard("not committed");
    let plan = app.done(&["plan"]);
    assert!(plan.contains("to stable") && plan.contains("not committed"), "{plan}");
}

#[test]
fn a_rollback_goes_back_to_the_last_good_release_and_holds_pushes() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    app.says("v2").push("main");
    app.until_heard("v2");
    app.done(&["rollback", "--yes"]);
    app.until_heard("v1");
    app.says("v3").push("main");
    assert_eq!(app.visits(10).into_keys().collect::<Vec<_>>(), ["v1"], "it is pinned");
    app.done(&["unpin"]);
    app.says("v4").push("main");
    app.until_heard("v4");
    let why = app.done(&["why", "#1"]);
    assert!(why.contains("push.received"), "{why}");
}
