//! What a person steers by hand.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::stage::{Stage, request, said, until};

#[test]
fn the_number_of_instances_is_given_frozen_and_given_back() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    app.done(&["scale", "2"]);
    app.until_healthy(2);
    app.done(&["scale", "freeze"]);
    assert!(
        said(&app.toehold(&["scale"])).contains("frozen"),
        "{}",
        said(&app.toehold(&["scale"]))
    );
    app.done(&["scale", "auto"]);
    assert!(
        said(&app.toehold(&["scale"])).contains("by load"),
        "{}",
        said(&app.toehold(&["scale"]))
    );
    assert_eq!(app.toehold(&["scale", "many"]).status.code(), Some(2));
}

#[test]
fn the_log_is_followed_over_a_deploy() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.add("main.js", "console.log('here is ' + words);\n");
    app.commit("say it in the log");
    app.push("main");
    let mut follower = Command::new(env!("CARGO_BIN_EXE_toehold"))
        .current_dir(&app.repository)
        .arg("--dir")
        .arg(stage.state())
        .args(["logs", "-f"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let lines = BufReader::new(follower.stdout.take().expect("a pipe")).lines();
    let (sender, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let follows = |words: &str| {
        until(&format!("the log says {words}"), || {
            heard.try_iter().any(|line| line.contains(words)).then_some(())
        });
    };
    follows("here is v1");
    app.says("v2").push("main");
    follows("here is v2");
    follower.kill().expect("it runs until then");
    follower.wait().expect("it ends");
}

#[test]
fn a_canary_goes_through_its_steps_and_waits_for_approval() {
    let stage = Stage::new();
    let app = stage.app("hello");
    let steps = "\n[canary]\nsteps = [\"10% for 1s\", \"60% for 1s\", \"approve\"]\n";
    app.add("toehold.toml", steps);
    app.commit("go slowly");
    app.push("main");
    app.says("v2").push("canary");
    let said_so = |share: &str| {
        let splits = app.events("rollout.split");
        splits.iter().position(|it| it["text"].as_str().is_some_and(|text| text.contains(share)))
    };
    until("it waits for approval", || said_so("waits for approval"));
    assert!(said_so("10 %") < said_so("60 %"), "one step after the other");
    assert_eq!(app.status()["rollout"]["phase"]["state"], "serving");
    app.done(&["rollout", "resume"]);
    until("it is stable", || (app.status()["serving"] == 2).then_some(()));
}

#[test]
fn what_goes_to_no_track_is_not_deployed() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    app.git(&["switch", "--quiet", "--create", "feature"]);
    app.says("v2");
    let refused = app.toehold(&["deploy"]);
    assert!(
        !refused.status.success() && said(&refused).contains("[branches]"),
        "{}",
        said(&refused)
    );
    app.git(&["switch", "--quiet", "--detach"]);
    let refused = app.toehold(&["deploy"]);
    assert!(!refused.status.success() && said(&refused).contains("--track"), "{}", said(&refused));
    app.done(&["deploy", "--track", "stable"]);
    app.until_heard("v2");
    // The newest commit of the track is the one that came last, not the branch's.
    let token = app.done(&["tokens", "create", "job", "--scope", "deploy:hello"]);
    let token = token.split_whitespace().find(|word| word.starts_with("th_")).expect("a token");
    let ask = format!(
        "POST /deploy HTTP/1.1\r\nHost: toehold\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n"
    );
    let (status, answer) = request(stage.api, &ask).expect("an answer");
    assert!((200..300).contains(&status), "{status} {answer}");
    assert_eq!(app.visits(20).into_keys().collect::<Vec<_>>(), ["v2"]);
    assert_eq!(app.status()["wanted"], 2);
}

#[test]
fn a_push_that_is_broken_off_before_git_took_it_deploys_nothing() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.set("[build]\n", "[build]\nreject_push = true\n");
    app.set("lint = \"true\"", "lint = \"sleep 3\"");
    app.commit("be strict");
    app.push("main");
    app.says("v2");
    let pusher = app.push_in_background("main");
    until("it is built", || (app.events("build.started").len() == 2).then_some(()));
    pusher.interrupt();
    until("it is given up", || (!app.events("build.cancelled").is_empty()).then_some(()));
    assert_eq!(app.visit(), (200, "v1\n".to_owned()));
    app.push("main");
    app.until_heard("v2");
}

#[test]
fn a_secret_reaches_the_app_and_no_log() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.set("[run]\n", "[run]\nsecrets = [\"SESSION_KEY\"]\n");
    app.write("words.js", "module.exports = 'it has ' + (process.env.SESSION_KEY || '').length;\n");
    app.commit("need a key");
    let refused = app.push("main");
    assert!(refused.contains("SESSION_KEY") && refused.contains("secrets set"), "{refused}");
    let mut set = Command::new(env!("CARGO_BIN_EXE_toehold"))
        .current_dir(&app.repository)
        .arg("--dir")
        .arg(stage.state())
        .args(["secrets", "set", "SESSION_KEY"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = set.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut stdin, b"correct-horse-battery").expect("written");
    drop(stdin);
    assert!(set.wait().expect("it ends").success());
    app.commit("again");
    app.push("main");
    app.until_heard("it has 21");
    let everywhere = Command::new("grep")
        .args(["--recursive", "--files-with-matches", "--text", "correct-horse-battery"])
        .arg(stage.state())
        .output()
        .expect("grep runs");
    for path in said(&everywhere).lines() {
        let mode = std::fs::metadata(path).expect("it is there").mode() & 0o777;
        assert_eq!(mode, 0o600, "others can read {path}");
        let state = stage.state();
        let place = Path::new(path).strip_prefix(&state).expect("it lies below");
        let held = ["secrets", "agent"].iter().any(|folder| place.starts_with(folder));
        assert!(held, "it lies in {path}: in a log, the store or an artifact");
    }
    assert!(app.done(&["secrets", "ls"]).contains("SESSION_KEY"));
}
