//! Machines of a cloud: made when an app needs one, given back when it does not.

use std::process::Command;

use serde_json::json;

use crate::cloud::{Cloud, Fault};
use crate::death::{kill, part};
use crate::stage::{App, Stage, request, until};

const ON_CLOUD: &str = "\n[machines]\nprovider = \"digitalocean\"\n";

/// An app that runs in the cloud.
fn app(stage: &Stage) -> App<'_> {
    let app = stage.app("hello");
    app.add("toehold.toml", ON_CLOUD);
    app.commit("run in the cloud");
    app
}

fn states(stage: &Stage) -> Vec<String> {
    let machines = stage.json(&["machines", "ls"]);
    let all = machines.as_array().cloned().unwrap_or_default();
    all.iter()
        .filter(|it| it["machine"]["provider"] == "digitalocean")
        .map(|it| it["machine"]["phase"]["state"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Waits until an event says so.
fn until_said(app: &App<'_>, what: &str) {
    until("it is said", || {
        let events = app.toehold(&["events", "--lines", "50"]);
        String::from_utf8_lossy(&events.stdout).contains(what).then_some(())
    });
}

#[test]
fn a_machine_is_made_for_an_app_that_needs_one_and_given_back_when_it_does_not() {
    let Some(cloud) = Cloud::new() else { return };
    let stage = cloud.stage("");
    let app = app(&stage);
    app.push("main");
    assert_eq!(app.visit(), (200, "v1\n".into()));
    assert_eq!(cloud.names().len(), 1);
    // One more instance is one more machine; the next release takes the machines there are.
    app.done(&["scale", "2"]);
    app.until_healthy(2);
    assert_eq!(cloud.names().len(), 2);
    app.says("v2").push("main");
    app.until_heard("v2");
    assert_eq!(cloud.calls("POST /v2/droplets"), 2);
    // A canary has a machine of its own.
    app.says("v3").push("canary");
    until("the canary takes its share", || app.visits(10).contains_key("v3").then_some(()));
    assert_eq!(cloud.names().len(), 3);
    app.done(&["rollout", "abort"]);
    let name = cloud.names().last().expect("there are some").clone();
    stage.done(&["machines", "rm", &name, "--yes"]);
    until("it is given back", || (cloud.names().len() == 2).then_some(()));
    assert_eq!(cloud.firewalls().len(), 1);
    cloud.assert_held();
}

#[test]
fn what_goes_wrong_in_the_cloud_makes_no_second_machine() {
    let Some(cloud) = Cloud::new() else { return };
    let stage = cloud.stage("");
    let app = app(&stage);
    cloud.goes_wrong(Fault::LostAnswer);
    app.push("main");
    assert_eq!(app.visit(), (200, "v1\n".into()));
    cloud.goes_wrong(Fault::Lie);
    app.done(&["scale", "2"]);
    app.until_healthy(2);
    cloud.goes_wrong(Fault::Patience);
    app.done(&["scale", "3"]);
    app.until_healthy(3);
    assert_eq!((cloud.names().len(), cloud.calls("POST /v2/droplets")), (3, 3));
    // Somebody deletes one by hand: it is replaced, and said.
    let name = cloud.names()[0].clone();
    cloud.deletes(&name);
    until("it is replaced", || {
        assert_eq!(app.visit().0, 200);
        (cloud.names().len() == 3 && states(&stage).len() == 3).then_some(())
    });
    app.until_healthy(3);
    cloud.assert_held();
}

#[test]
fn where_no_more_may_be_made_it_is_said_and_nothing_is_lost() {
    let Some(cloud) = Cloud::new() else { return };
    let stage = cloud.stage("most = 1\n");
    let app = app(&stage);
    app.push("main");
    app.done(&["scale", "2"]);
    until_said(&app, "at most 1 may be");
    assert_eq!(cloud.names().len(), 1);
    assert_eq!(app.visits(10).len(), 1);
}

#[test]
fn no_more_is_spent_than_may_be_and_the_first_machine_waits_only_for_its_price() {
    let Some(cloud) = Cloud::new() else { return };
    // Two of 0.00893 an hour are within it, and three are not.
    let stage = cloud.stage("most_per_hour = 0.02\n");
    let app = app(&stage);
    app.push("main");
    assert_eq!(app.visit(), (200, "v1\n".into()));
    app.done(&["scale", "3"]);
    app.until_healthy(2);
    until_said(&app, "at most 0.020 may be spent");
    assert_eq!((cloud.names().len(), cloud.calls("POST /v2/droplets")), (2, 2));
    cloud.assert_held();
}

#[test]
fn a_firewall_that_lets_in_somebody_else_is_set_right() {
    let Some(cloud) = Cloud::new() else { return };
    let stage = cloud.stage("");
    let app = app(&stage);
    app.push("main");
    let before = cloud.firewalls();
    cloud.opens_firewall();
    assert_ne!(cloud.firewalls(), before);
    // It is looked at when a control plane first looks at the machines, and not only when it makes one.
    kill(until("it runs", || part(&stage, "serve")));
    until("it is set right", || (cloud.firewalls() == before).then_some(()));
    assert_eq!(cloud.names().len(), 1);
    cloud.assert_held();
}

#[test]
fn a_control_plane_that_is_killed_while_a_machine_is_made_makes_no_second_one() {
    let Some(cloud) = Cloud::new() else { return };
    let stage = cloud.stage("");
    let app = app(&stage);
    let _push = app.push_in_background("main");
    until("it is asked for", || (cloud.calls("POST /v2/droplets") > 0).then_some(()));
    kill(until("it runs", || part(&stage, "serve")));
    app.until_heard("v1");
    assert_eq!((cloud.names().len(), states(&stage)), (1, vec!["ready".to_owned()]));
    cloud.assert_held();
}

#[test]
fn a_machine_that_never_becomes_active_is_given_back_and_another_one_is_made() {
    let Some(cloud) = Cloud::new() else { return };
    let stage = cloud.stage("deadline = \"20s\"\n");
    let app = app(&stage);
    cloud.goes_wrong(Fault::Stuck);
    let _push = app.push_in_background("main");
    let stuck = until("it is asked for", || cloud.names().first().cloned());
    until_said(&app, "began to make it and did not have it ready");
    app.until_heard("v1");
    until("it is given back", || (!cloud.names().contains(&stuck)).then_some(()));
    assert_eq!((cloud.names().len(), cloud.calls("POST /v2/droplets")), (1, 2));
    cloud.assert_held();
}

#[test]
fn a_machine_whose_cloud_init_failed_is_given_back_and_what_it_said_is_kept() {
    let Some(cloud) = Cloud::new() else { return };
    let stage = cloud.stage("deadline = \"20s\"\n");
    let app = app(&stage);
    cloud.goes_wrong(Fault::Full);
    let _push = app.push_in_background("main");
    let broken = until("it is asked for", || cloud.names().first().cloned());
    until_said(&app, "its agent did not call");
    until_said(&app, &format!("its last line: {}", toehold_scenery::Cloud::FULL));
    app.until_heard("v1");
    until("it is given back", || (!cloud.names().contains(&broken)).then_some(()));
    assert_eq!((cloud.names().len(), cloud.calls("POST /v2/droplets")), (1, 2));
    // Whoever looks into it after the machine is gone finds all of it.
    let said = std::fs::read_to_string(stage.state().join(format!("log/machines/{broken}.log")))
        .expect("it is kept");
    assert!(said.contains("== /var/log/cloud-init-output.log"), "{said}");
    assert!(said.contains("Running module scripts-user failed"), "{said}");
    cloud.assert_held();
}

#[test]
fn an_account_that_is_full_burns_no_names_and_is_asked_again_by_itself() {
    let Some(cloud) = Cloud::new() else { return };
    let stage = cloud.stage("");
    let app = app(&stage);
    cloud.goes_wrong(Fault::Limit);
    let _push = app.push_in_background("main");
    until_said(&app, "will exceed your droplet limit");
    app.until_heard("v1");
    assert_eq!((cloud.names().len(), cloud.calls("POST /v2/droplets")), (1, 2));
    assert_eq!(states(&stage), ["ready"]);
}

#[test]
fn a_machine_nobody_needs_is_given_back_after_the_time_that_is_set() {
    let Some(cloud) = Cloud::new() else { return };
    let stage = cloud.stage("idle = \"5s\"\n");
    let app = app(&stage);
    app.push("main");
    app.done(&["scale", "2"]);
    app.until_healthy(2);
    app.done(&["scale", "1"]);
    until("it is given back", || (cloud.names().len() == 1).then_some(()));
    assert_eq!(app.visit(), (200, "v1\n".into()));
    cloud.assert_held();
}

/// Somebody with the same account makes a Droplet.
fn somebody_makes(stage: &Stage, name: &str, tag: &str) {
    let settings = std::fs::read_to_string(stage.state().join("server.toml")).expect("it is set");
    let port = settings.split_once("api_url = \"http://127.0.0.1:").expect("it is named").1;
    let port = port.split('"').next().and_then(|it| it.parse().ok()).expect("a port");
    let folder = tempfile::TempDir::new().expect("a folder");
    let key = folder.path().join("key");
    let mut make = Command::new("ssh-keygen");
    make.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key);
    assert!(make.status().expect("ssh-keygen runs").success());
    let key = std::fs::read_to_string(key).expect("it was made");
    let config = json!({ "ssh_keys": { "ed25519_private": key } });
    let body = json!({
        "name": name, "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-12-x64",
        "tags": [tag], "user_data": format!("#cloud-config\n{config}"),
    })
    .to_string();
    let head = "POST /v2/droplets HTTP/1.1\r\nhost: cloud\r\nauthorization: Bearer dop_v1_test";
    let text = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (status, said) = request(port, &text).expect("the cloud answers");
    assert_eq!(status, 202, "{said}");
}

#[test]
fn what_carries_our_mark_is_given_back_only_where_a_document_names_it() {
    let Some(cloud) = Cloud::new() else { return };
    let stage = cloud.stage("");
    let app = app(&stage);
    app.push("main");
    let ours = cloud.names()[0].clone();
    let tag = cloud.firewalls()[0]["name"].as_str().expect("it is our mark").to_owned();
    somebody_makes(&stage, "stranger", &tag);
    somebody_makes(&stage, &ours, "another-mark");
    somebody_makes(&stage, &ours, &tag);
    until_said(&app, "carries our tag and was not asked for here");
    until("the second one is given back", || (cloud.calls("DELETE ") == 1).then_some(()));
    // The one under our name without our mark is not ours, either.
    assert_eq!(cloud.names(), [&*ours, "stranger", &*ours]);
    assert_eq!(app.visit(), (200, "v1\n".into()));
    cloud.assert_held();
}
