//! Machines reached by SSH: real hosts with a real `sshd`, each with a network address of its own.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::hosts::{Hosts, until_state};
use crate::stage::{App, Stage, said, until};

/// An app that runs on machines SSH leads to, with so many instances at least; pushed.
fn pushed(stage: &Stage, min: u32) -> App<'_> {
    let app = stage.app("hello");
    app.add("toehold.toml", "\n[machines]\nprovider = \"ssh\"\n");
    app.set("[scale]\n", &format!("[scale]\nmin = {min}\n"));
    app.commit("run elsewhere");
    app.push("main");
    app
}

/// The machines the app's instances are on.
fn machines(app: &App<'_>) -> BTreeSet<String> {
    let status = app.status();
    let instances = status["instances"].as_array().expect("a list").clone();
    let of = |it: &Value| it["instance"]["place"]["machine"].as_str().map(str::to_owned);
    instances.iter().filter_map(of).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|it| (*it).to_owned()).collect()
}

#[test]
fn an_app_runs_on_machines_that_ssh_leads_to() {
    let Some(hosts) = Hosts::new(2) else { return };
    let stage = hosts.stage();
    hosts.join(&stage);
    let app = pushed(&stage, 2);
    app.until_healthy(2);
    assert_eq!(machines(&app), set(&["web1", "web2"]));
    assert_eq!(app.visit(), (200, "v1\n".into()));
    let log = app.done(&["logs", "web.2"]);
    assert!(log.contains("started as process"), "{log}");

    // The next release takes the same machines, a canary beside it too.
    app.says("v2").push("main");
    app.until_heard("v2");
    app.says("v3").push("canary");
    until("the canary takes its share", || app.visits(10).contains_key("v3").then_some(()));
    app.done(&["rollout", "abort"]);
    assert_eq!(app.visits(20).len(), 1);

    // It is told where to ask for its flags only where that can be reached from there.
    let said = hosts.all()[0].run(&["sh", "-c", "cat /proc/[0-9]*/environ | tr '\\0' '\\n'"]);
    assert!(said.contains("TOEHOLD_DATA=") && !said.contains("OFREP_ENDPOINT"), "{said}");

    // What runs on another machine than Toehold listens where the proxy reaches it, and only there.
    let addresses: BTreeSet<String> = app.status()["instances"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|it| it["status"]["addr"].as_str()?.rsplit_once(':').map(|it| it.0.to_owned()))
        .collect();
    let known: BTreeSet<String> = hosts.all().iter().map(|it| it.address.to_string()).collect();
    assert_eq!(addresses, known);
}

/// Answers visitors with what its flag is, asked as its environment says.
const ASKS: &str = "'use strict';
const http = require('node:http');
const [name, value] = process.env.OFREP_HEADERS.split('=');
const headers = { 'content-type': 'application/json', [name]: decodeURIComponent(value) };
const at = `${process.env.OFREP_ENDPOINT}/ofrep/v1/evaluate/flags/feature1`;
const ask = async () => {
  const answer = await fetch(at, { method: 'POST', headers, body: '{}' });
  return `feature1 is ${(await answer.json()).value}\\n`;
};
const server = http.createServer((request, response) => {
  ask().then((said) => response.end(said), (error) => response.writeHead(500).end(`${error}`));
});
server.listen(Number(process.env.PORT), process.env.HOST);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
";

/// What stands before the API for whoever is elsewhere: each connection is handed on.
fn front(listener: TcpListener, api: u16) {
    let carry = |mut from: TcpStream, mut to: TcpStream| {
        std::thread::spawn(move || {
            // Either side may hang up at any time; then the other one is told.
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    };
    std::thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let far = TcpStream::connect(("127.0.0.1", api)).expect("the API listens");
            carry(near.try_clone().expect("a handle"), far.try_clone().expect("a handle"));
            carry(far, near);
        }
    });
}

#[test]
fn an_app_elsewhere_reads_its_flags_where_the_dashboard_is_said_to_be() {
    let Some(hosts) = Hosts::new(1) else { return };
    let listener = TcpListener::bind((hosts.gateway(), 0)).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let stage = hosts.stage_with_dashboard(&url);
    front(listener, stage.api);
    hosts.join(&stage);
    let app = stage.app("hello");
    app.add("toehold.toml", "\n[machines]\nprovider = \"ssh\"\n");
    app.write("main.js", ASKS);
    app.commit("ask for the flag elsewhere");
    app.push("main");
    let said = hosts.all()[0].run(&["sh", "-c", "cat /proc/[0-9]*/environ | tr '\\0' '\\n'"]);
    assert!(said.contains(&format!("OFREP_ENDPOINT={url}\n")), "{said}");
    assert_eq!(app.visit(), (200, "feature1 is true\n".into()));
    app.done(&["flags", "set", "feature1", "false"]);
    assert_eq!(app.visit(), (200, "feature1 is false\n".into()));
}

#[test]
fn a_host_key_is_believed_on_a_persons_word_alone() {
    let Some(mut hosts) = Hosts::new(1) else { return };
    let stage = hosts.stage();
    let at = format!("root@{}", hosts.all()[0].address);
    let asked = stage.ask(&["machines", "add", "web1", &at]);
    assert_eq!(asked.status.code(), Some(2), "{}", said(&asked));
    let shown = said(&asked);
    let fingerprint = shown.split_whitespace().rfind(|it| it.starts_with("SHA256:"));
    let fingerprint = fingerprint.expect("it shows the fingerprint").to_owned();
    let wrong = ["machines", "add", "web1", &at, "--fingerprint", "SHA256:other"];
    let refused = stage.ask(&wrong);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));

    hosts.all()[0].authorize(&stage.done(&["machines", "key"]));
    stage.done(&["machines", "add", "web1", &at, "--fingerprint", &fingerprint]);
    until_state(&stage, "web1", "ready");

    // A machine that was set up anew under the same address is another machine.
    let host = hosts.host(0);
    host.halt();
    host.new_key();
    host.boot();
    until("the other key is refused", || {
        let machines = stage.json(&["machines", "ls"]);
        let trouble = machines[1]["machine"]["trouble"].as_str()?;
        let both = trouble.contains(&fingerprint) && trouble.matches("SHA256:").count() == 2;
        (trouble.contains("shows another host key") && both).then_some(())
    });
    // It is not let in again before a person says that it is the one.
    assert_eq!(stage.json(&["machines", "ls"])[1]["heard"], false);
    stage.done(&["machines", "rm", "web1", "--yes"]);
    until("it is forgotten", || {
        (stage.json(&["machines", "ls"]).as_array()?.len() == 1).then_some(())
    });
    let key = hosts.all()[0].key();
    stage.done(&["machines", "add", "web1", &at, "--host-key", &key]);
    until_state(&stage, "web1", "ready");
    until("it is heard", || (stage.json(&["machines", "ls"])[1]["heard"] == true).then_some(()));
}

/// Gives a host a user who is not root, in its own view of the files.
const USER: &str = "set -e; mount -t tmpfs -o mode=755 none /home; mkdir /home/deploy; \
     chown 5000:5000 /home/deploy; cp /etc/passwd /home/passwd; \
     echo deploy:x:5000:5000::/home/deploy:/bin/sh >>/home/passwd; \
     mount --bind /home/passwd /etc/passwd; echo made";

#[test]
fn a_user_who_is_not_root_is_enough() {
    let Some(hosts) = Hosts::new(1) else { return };
    let stage = hosts.stage();
    let host = &hosts.all()[0];
    host.authorize(&stage.done(&["machines", "key"]));
    // The user reads the keys that are let in.
    let state = host.state();
    for folder in state.ancestors().skip(1).take(2) {
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder, open).expect("it is ours");
    }
    assert_eq!(host.run(&["sh", "-c", USER]).trim(), "made");
    let at = format!("deploy@{}", host.address);
    stage.done(&["machines", "add", "web1", &at, "--host-key", &host.key()]);
    until_state(&stage, "web1", "ready");
    let app = pushed(&stage, 1);
    assert_eq!(app.visit(), (200, "v1\n".into()));
    let whose = "stat -c %u /proc/$(cat /home/deploy/.local/state/toehold-agent/agent.pid)";
    assert_eq!(host.run(&["sh", "-c", whose]).trim(), "5000");
}

#[test]
fn an_agent_that_is_killed_comes_back_and_its_instances_go_on() {
    let Some(hosts) = Hosts::new(1) else { return };
    let stage = hosts.stage();
    hosts.join(&stage);
    let app = pushed(&stage, 1);
    let process = app.status()["instances"][0]["status"]["run"]["pid"].clone();
    let host = &hosts.all()[0];
    let agent = host.agent();
    host.run(&["kill", "-KILL", &agent]);
    assert_eq!(app.visits(20).len(), 1);
    until("another agent was started", || (host.agent() != agent).then_some(()));
    until("it is heard", || {
        let machines = stage.json(&["machines", "ls"]);
        (machines[1]["heard"] == true).then_some(())
    });
    assert_eq!(app.status()["instances"][0]["status"]["run"]["pid"], process);
}

#[test]
fn what_a_machine_that_is_cut_off_had_runs_elsewhere_and_nobody_is_lost() {
    let Some(hosts) = Hosts::new(2) else { return };
    let stage = hosts.stage();
    hosts.join(&stage);
    let app = pushed(&stage, 2);
    until("both are routed to", || {
        (app.status()["route"]["arms"][0]["targets"].as_array()?.len() == 2).then_some(())
    });
    // The proxy keeps connections to both.
    app.visits(30);
    hosts.all()[1].cable(false);
    // Visitors are served by the other one: the proxy passes over what it cannot reach, and asks
    // again what it had sent to what does not answer.
    assert_eq!(app.visits(30).len(), 1);
    until("its silence is noticed", || {
        (stage.json(&["machines", "ls"])[2]["heard"] == false).then_some(())
    });
    // What is silent holds up nobody: the next release runs on the other machine.
    app.says("v2").push("main");
    app.until_heard("v2");
    until_state(&stage, "web2", "lost");
    until("what was there is forgotten", || (machines(&app) == set(&["web1"])).then_some(()));
    hosts.all()[1].cable(true);
    until_state(&stage, "web2", "ready");
    until("what still ran there has ended", || {
        let all = hosts.all()[1].run(&["pgrep", "--full", "main.js"]);
        all.trim().is_empty().then_some(())
    });
    assert_eq!(app.visits(20).len(), 1);
}

#[test]
fn ansible_is_told_how_every_machine_is_reached() {
    let Some(hosts) = Hosts::new(1) else { return };
    let stage = hosts.stage();
    hosts.join(&stage);
    let told = stage.json(&["inventory", "--list"]);
    assert_eq!(told["ssh"]["hosts"], serde_json::json!(["web1"]));
    let vars = stage.json(&["inventory", "--host", "web1"]);
    assert_eq!(vars, told["_meta"]["hostvars"]["web1"]);
    assert_eq!(vars["ansible_host"], hosts.all()[0].address.to_string());
    // What Ansible would run: ssh with these arguments comes in, and believes no other key.
    let known = vars["ansible_ssh_common_args"].as_str().expect("a text");
    let command = format!(
        "exec ssh -o BatchMode=yes {known} -i {} root@{} hostname",
        vars["ansible_ssh_private_key_file"].as_str().expect("a path"),
        vars["ansible_host"].as_str().expect("an address"),
    );
    let output = std::process::Command::new("sh").args(["-c", &command]).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "web1", "{}", said(&output));
    assert_eq!(stage.json(&["inventory", "--host", "nobody"]), serde_json::json!({}));
}

#[test]
fn a_machine_is_emptied_and_removed_without_a_gap() {
    let Some(hosts) = Hosts::new(2) else { return };
    let stage = hosts.stage();
    hosts.join(&stage);
    let app = pushed(&stage, 1);
    let first = machines(&app);
    let name = first.first().expect("it is somewhere").clone();
    stage.done(&["machines", "rm", &name, "--yes"]);
    until("it runs elsewhere", || {
        assert_eq!(app.visit().0, 200);
        (machines(&app).is_disjoint(&first)).then_some(())
    });
    until("the machine is gone", || {
        let all = stage.json(&["machines", "ls"]);
        (all.as_array()?.len() == 2).then_some(())
    });
    let host = hosts.all().iter().find(|it| it.name == name).expect("it is one of ours");
    assert!(!host.state().join("agent/identity").exists(), "it forgot whose it was");
}

#[test]
fn a_machine_joins_by_itself_with_a_token_that_is_good_once() {
    let Some(hosts) = Hosts::new(1) else { return };
    let stage = hosts.stage();
    hosts.join(&stage);
    let token = stage.done(&["machines", "token", "web1"]);
    let token = token.lines().find(|it| it.starts_with("tj_")).expect("a token").to_owned();
    let listen = std::fs::read_to_string(stage.state().join("server.toml")).expect("settings");
    let listen = listen.rsplit('"').nth(1).expect("the address stands last").to_owned();
    let join = |token: &str| {
        let folder = tempfile::TempDir::new().expect("a folder");
        crate::stage::with_input(
            &["--dir", &folder.path().display().to_string(), "agent", "join", &listen],
            token,
        )
    };
    let joined = join(&token);
    assert!(joined.status.success(), "{}", said(&joined));
    let again = join(&token);
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("was used already"), "{}", said(&again));
    // Whoever shows another authority is not spoken to.
    let last = if token.ends_with('0') { '1' } else { '0' };
    let stranger = join(&format!("{}{last}", &token[..token.len() - 1]));
    assert!(said(&stranger).contains("does not show the authority"), "{}", said(&stranger));
    let nothing = join("nonsense");
    assert!(said(&nothing).contains("not a join token"), "{}", said(&nothing));
}

#[test]
fn an_agent_of_another_program_is_replaced_and_its_instances_go_on() {
    let Some(hosts) = Hosts::new(1) else { return };
    let stage = hosts.stage();
    hosts.join(&stage);
    let app = pushed(&stage, 1);
    app.until_healthy(1);
    let process = app.status()["instances"][0]["status"]["run"]["pid"].clone();
    let host = &hosts.all()[0];
    let program = host.state().join("bin/toehold");
    let size = || std::fs::metadata(&program).map(|it| it.len()).ok();
    let own = size();
    host.run(&["sh", "-c", OTHER]);
    let heard = || stage.json(&["machines", "ls"])[1]["heard"] == true;
    until("it has ours again", || (size() == own).then_some(()));
    until("it is heard", || heard().then_some(()));
    assert_eq!(app.visits(20).len(), 1);
    assert_eq!(app.status()["instances"][0]["status"]["run"]["pid"], process);
}

#[test]
fn an_agent_that_runs_on_although_ours_was_brought_is_replaced_too() {
    let Some(hosts) = Hosts::new(1) else { return };
    let stage = hosts.stage();
    hosts.join(&stage);
    let host = &hosts.all()[0];
    // As it is left where somebody is cut off between bringing the program and starting it.
    host.run(&["sh", "-c", &format!("{OTHER}mv bin/ours bin/toehold\n")]);
    let program =
        || host.run(&["sh", "-c", "readlink /proc/$(cat /var/lib/toehold-agent/agent.pid)/exe"]);
    until("ours runs", || program().trim().ends_with("bin/toehold").then_some(()));
    until("it is heard", || (stage.json(&["machines", "ls"])[1]["heard"] == true).then_some(()));
}

#[test]
fn what_is_brought_is_the_program_that_runs_whatever_lies_in_its_place() {
    let Some(hosts) = Hosts::new(1) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (program, next) = (folder.path().join("toehold"), folder.path().join("next"));
    let stage = hosts.stage_of_copy(&program);
    let own = std::fs::metadata(&program).expect("it is there").len();
    // The next version is put into its place, and not started yet.
    std::fs::copy(&program, &next).expect("it can be copied");
    let mut more = std::fs::OpenOptions::new().append(true).open(&next).expect("it is there");
    more.write_all(b"another").expect("it can be written");
    drop(more);
    std::fs::rename(&next, &program).expect("it takes its place");
    hosts.join(&stage);
    let brought = std::fs::metadata(hosts.all()[0].state().join("bin/toehold"));
    assert_eq!(brought.expect("it was brought").len(), own);
}

/// Puts a program there that does the same and is not ours, and lets it run as the agent.
const OTHER: &str = r#"
cd /var/lib/toehold-agent
cp bin/toehold bin/ours
cp bin/toehold bin/other && printf another >> bin/other && mv bin/other bin/toehold
kill "$(cat agent.pid)"
for _ in 1 2 3 4 5 6 7 8 9 10; do flock -n agent/lock true && break; sleep 0.2; done
setsid bin/toehold --dir /var/lib/toehold-agent agent </dev/null >>agent.log 2>&1 &
echo $! > agent.pid
for _ in 1 2 3 4 5 6 7 8 9 10; do flock -n agent/lock true || break; sleep 0.1; done
"#;

#[test]
fn a_machine_whose_certificate_is_not_known_any_more_joins_again() {
    let Some(hosts) = Hosts::new(1) else { return };
    let mut stage = hosts.stage();
    hosts.join(&stage);
    let store = stage.state().join("store");
    stage.restart(|| {
        use toehold_server::store::{SqliteStore, Store, Txn, Write};
        let store = SqliteStore::open(&store).expect("the store opens");
        let key = "certificate/web1".parse().expect("a key");
        let forgets = Txn::by("ann").write(Write::delete(key));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(store.commit(forgets)).expect("it is forgotten");
    });
    until("it is heard again", || {
        (stage.json(&["machines", "ls"])[1]["heard"] == true).then_some(())
    });
}
