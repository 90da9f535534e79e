//! The small verbs.

use crate::stage::{Stage, said, until};

#[test]
fn doctor_finds_nothing_wrong_with_what_is_well() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    let seen = until("all is well", || {
        let output = app.toehold(&["doctor"]);
        output.status.success().then(|| said(&output))
    });
    for what in ["git", "store", "proxy", "agent", "disk"] {
        assert!(seen.contains(what), "{what} is not looked at: {seen}");
    }
}

#[test]
fn version_and_completions_need_no_toehold() {
    let stage = Stage::new();
    let version = said(&stage.ask(&["version"]));
    assert_eq!(version.matches(env!("CARGO_PKG_VERSION")).count(), 2, "{version}");
    for shell in ["bash", "zsh", "fish"] {
        let script = said(&stage.ask(&["completions", shell]));
        assert!(script.contains("rollback"), "{shell}");
    }
}

#[test]
fn what_is_not_known_ends_with_its_code() {
    let stage = Stage::new();
    let app = stage.app("hello");
    for (arguments, code) in [
        (&["flags", "get", "nope"][..], 1),
        (&["rollback", "--yes"], 1),
        (&["nonsense"], 2),
        (&["logs", "web.99"], 2),
    ] {
        let output = app.toehold(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
    }
    let nobody = tempfile::tempdir().expect("a folder");
    let away = std::process::Command::new(env!("CARGO_BIN_EXE_toehold"))
        .args(["status", "--dir"])
        .arg(nobody.path())
        .output()
        .expect("it runs");
    assert_eq!(away.status.code(), Some(3), "{}", said(&away));
    assert!(said(&away).contains("toehold up"), "{}", said(&away));
}
