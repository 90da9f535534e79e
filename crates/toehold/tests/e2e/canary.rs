//! A canary beside stable.

use crate::stage::{App, Stage, until};

fn with_canary(app: &App<'_>) {
    app.push("main");
    app.says("v2").push("canary");
    until("the canary is visited", || app.visits(20).contains_key("v2").then_some(()));
}

#[test]
fn a_canary_takes_a_third_and_is_given_back_and_promoted() {
    let stage = Stage::new();
    let app = stage.app("hello");
    with_canary(&app);
    let heard = app.visits(600);
    let of_it = heard["v2"];
    // A third of 600 is 200; six standard deviations are 69.
    assert!((131..=269).contains(&of_it), "{of_it} of 600 came to the canary");
    app.done(&["rollout", "set", "0%"]);
    assert!(!app.visits(100).contains_key("v2"), "it has no share");
    until("who knows the secret sees it", || (app.look() == "v2").then_some(()));
    app.done(&["rollout", "set", "50%"]);
    until("it has half", || app.visits(20).contains_key("v2").then_some(()));
    app.done(&["rollout", "abort"]);
    assert!(!app.visits(300).contains_key("v2"), "everything was given back");
    until("the lag is measured", || (!app.events("rollout.lag").is_empty()).then_some(()));
    app.done(&["rollout", "retry"]);
    until("it is visited again", || app.visits(20).contains_key("v2").then_some(()));
    let artifact = app.json(&["releases"])[0]["release"]["artifact"].clone();
    app.done(&["rollout", "promote"]);
    until("it is stable", || {
        (app.status()["rollout"]["phase"]["state"] == "promoted").then_some(())
    });
    // What is decided is told to the proxy in the next moment.
    until("everyone gets it", || {
        (app.visits(50).into_keys().collect::<Vec<_>>() == ["v2"]).then_some(())
    });
    assert_eq!(app.json(&["releases"])[0]["release"]["artifact"], artifact, "the same bytes");
    assert_eq!(app.events("build.started").len(), 2, "nothing was built again");
}

#[test]
fn an_alert_on_the_canary_sends_everyone_back_until_it_is_cleared() {
    let stage = Stage::new();
    let app = stage.app("hello");
    let alert = "\n[alerts.cpu]\nwhen = \"cpu > 45% for 3s\"\nclear = \"cpu < 40%\"\n";
    // A small allotment: what burns is far above the threshold also on a machine that is busy.
    app.set("[run]\n", "[run]\ncpus = 0.25\n");
    app.add("toehold.toml", alert);
    app.commit("watch the cpu");
    app.push("main");
    let burn = "setInterval(() => { const until = Date.now() + 15; while (Date.now() < until) {} }, 20);\n";
    app.add("main.js", burn);
    app.says("v2").push("canary");
    until("the alert is raised", || (!app.events("rollout.held").is_empty()).then_some(()));
    assert!(!app.visits(300).contains_key("v2"), "everyone is back on stable");
    assert_eq!(app.look(), "v2", "who knows the secret sees it all the same");
    let alerts = app.json(&["alerts", "ls"]);
    let raised = alerts.as_array().expect("a list").iter().find(|it| it["track"] == "canary");
    let id = raised.expect("an alert on the canary")["id"].to_string();
    app.done(&["alerts", "clear", &id]);
    until("it is visited again", || app.visits(20).contains_key("v2").then_some(()));
}

#[test]
fn a_canary_that_dies_is_given_back() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    app.add("main.js", "setTimeout(() => process.exit(7), 3000);\n");
    app.says("v2").push("canary");
    until("its death is noticed", || (!app.events("rollout.held").is_empty()).then_some(()));
    assert!(!app.visits(100).contains_key("v2"));
}
