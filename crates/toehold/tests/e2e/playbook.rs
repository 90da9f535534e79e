//! Playbooks: real Ansible configures real hosts before an app comes to them.

use crate::death::{kill, part};
use crate::hosts::{Host, Hosts, until_state};
use crate::stage::{App, Stage, free_port, said, until};

/// An app that runs on two machines, configured by these tasks.
fn app<'a>(stage: &'a Stage, more: &str, tasks: &str) -> App<'a> {
    let app = stage.app("hello");
    let machines = format!("\n[machines]\nprovider = \"ssh\"\nplaybook = \"ops/site.yml\"\n{more}");
    app.add("toehold.toml", &machines);
    app.set("[scale]\n", "[scale]\nmin = 2\n");
    app.write("ops/site.yml", &format!("{PLAY}{tasks}"));
    app.commit("configure machines");
    app
}

/// What stands before the tasks.
const PLAY: &str = "- hosts: app_hello\n  gather_facts: false\n  \
                    vars: { ansible_python_interpreter: /usr/bin/python3 }\n  tasks:\n";

/// What is known of the app's playbook on a machine, by its place in the list.
fn configured(stage: &Stage, machine: usize) -> serde_json::Value {
    stage.json(&["machines", "ls"])[machine]["machine"]["configured"]["hello"].clone()
}

/// Why it failed there; `None` while it did not.
fn failure(stage: &Stage, machine: usize) -> Option<String> {
    configured(stage, machine)["failed"].as_str().map(str::to_owned)
}

/// Whether the first task waits there.
fn waits(host: &Host) -> bool {
    host.run(&["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]).contains("wait_for")
}

/// The first task waits until the test says so.
const MARK: &str = "    - name: Wait\n      ansible.builtin.wait_for:\n        \
                    path: /var/lib/toehold-agent/go\n    - name: Leave a mark\n      ansible.builtin.copy:\n        \
                    dest: /var/lib/toehold-agent/mark\n        content: \"{{ toehold_app }}\"\n";

#[test]
fn machines_are_configured_before_they_take_the_app_and_one_that_is_cut_off_holds_up_nobody() {
    let Some(hosts) = Hosts::new(3) else { return };
    let stage = hosts.stage();
    hosts.join(&stage);
    let app = app(&stage, "", MARK);
    let push = app.push_in_background("main");
    // It is cut off in the middle of a task.
    until("the first task runs everywhere", || hosts.all().iter().all(waits).then_some(()));
    hosts.all()[2].cable(false);
    for host in &hosts.all()[..2] {
        std::fs::write(host.state().join("go"), "").expect("the word is given");
    }
    app.until_healthy(2);
    for host in &hosts.all()[..2] {
        let mark = host.state().join("mark");
        assert_eq!(std::fs::read_to_string(mark).expect("the playbook ran"), "hello");
    }
    app.until_heard("v1");
    drop(push);
    let why = until("what became of the third is said", || failure(&stage, 3));
    assert!(why.contains("Ansible does not reach it"), "{why}");
    // What was done is told task by task, and what Ansible printed is kept.
    let events = app.done(&["events", "--lines", "200"]);
    assert!(events.contains("Leave a mark: changed on web1 web2"), "{events}");
    let printed = stage.done(&["machines", "playbook", "web1"]);
    assert!(printed.contains("TASK [Leave a mark]"), "{printed}");
    // Once is enough: the next release does not wait for it.
    app.says("v2").push("main");
    app.until_heard("v2");
    let events = app.done(&["events", "--lines", "500"]);
    assert_eq!(events.matches("(ops/site.yml) runs on web1").count(), 1, "{events}");
}

#[test]
fn what_is_wrong_with_a_playbook_is_said_and_mended_by_the_next_push() {
    let Some(hosts) = Hosts::new(1) else { return };
    let stage = hosts.stage();
    hosts.join(&stage);
    let fails = "    - name: Fetch the moon\n      ansible.builtin.command: cat /the/moon\n";
    let app = app(&stage, "", fails);
    app.set("min = 2\n", "min = 1\n");
    app.commit("one is enough");
    let push = app.push_in_background("main");
    let why = until("the task is named", || failure(&stage, 1));
    assert!(why.contains("\"Fetch the moon\" (ops/site.yml:5) failed"), "{why}");
    assert!(why.contains("No such file or directory"), "{why}");
    drop(push);
    // A playbook nobody can read is told from a task that failed, and each push is tried at once.
    app.write("ops/site.yml", "- hosts: all\n  tasks:\n    - no_such_module: yes\n");
    app.commit("another mistake");
    let push = app.push_in_background("main");
    until("it is said to be unreadable", || {
        failure(&stage, 1).filter(|why| why.contains("cannot use the playbook"))
    });
    drop(push);
    let mended =
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.raw: 'true'\n";
    app.write("ops/site.yml", mended);
    app.commit("mended");
    app.push("main");
    assert_eq!(app.visit(), (200, "v1\n".into()));
    // A person can have it run again.
    let before = configured(&stage, 1)["log"].clone();
    assert!(before.is_string(), "{before}");
    stage.done(&["machines", "configure", "web1"]);
    until("it was run again", || {
        let after = configured(&stage, 1)["log"].clone();
        (after.is_string() && after != before).then_some(())
    });
    assert_eq!(failure(&stage, 1), None);
    // Also while it runs there: what runs may have begun before what they mean was so.
    app.write("ops/site.yml", &format!("{PLAY}{MARK}"));
    app.commit("wait");
    app.push("main");
    let begun = || app.done(&["events", "--lines", "500"]).matches("runs on web1").count();
    let before = begun();
    stage.done(&["machines", "configure", "web1"]);
    let host = &hosts.all()[0];
    until("it waits", || waits(host).then_some(()));
    assert_eq!(begun(), before + 1);
    stage.done(&["machines", "configure", "web1"]);
    std::fs::write(host.state().join("go"), "").expect("the word is given");
    until("it was run twice", || (begun() == before + 2).then_some(()));
    until("that went through", || configured(&stage, 1)["log"].is_string().then_some(()));
    assert_eq!((begun(), failure(&stage, 1)), (before + 2, None));
    let nobody = stage.ask(&["machines", "playbook", "nobody"]);
    assert_eq!(nobody.status.code(), Some(2), "{}", said(&nobody));
}

#[test]
fn a_playbook_that_hangs_is_ended_and_leaves_nothing_behind() {
    let Some(hosts) = Hosts::new(1) else { return };
    let stage = hosts.stage();
    hosts.join(&stage);
    let hangs = "    - name: Wait for ever\n      ansible.builtin.command: sleep 4242\n";
    let app = app(&stage, "playbook_timeout = \"8s\"\n", hangs);
    let push = app.push_in_background("main");
    until("it is said where it hung", || {
        let why = failure(&stage, 1)?;
        (why.contains("did not end within 8 s") && why.contains("Wait for ever")).then_some(())
    });
    drop(push);
    until("nothing of it is left here", || {
        let left = std::process::Command::new("pgrep")
            .args(["--full", "ansible-playbook"])
            .output()
            .expect("pgrep runs");
        let ours = stage.state().display().to_string();
        (!String::from_utf8_lossy(&left.stdout).lines().any(|pid| {
            let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
            command.is_ok_and(|command| command.contains(&ours))
        }))
        .then_some(())
    });
    // The machine itself is none the worse.
    until_state(&stage, "web1", "ready");
}

/// A run says that it begins, and waits for the test's word.
const BEGINS: &str = "    - name: Say so\n      ansible.builtin.shell: \
                      echo begun >> /var/lib/toehold-agent/begun\n    - name: Wait\n      \
                      ansible.builtin.wait_for:\n        path: /var/lib/toehold-agent/go\n";

/// The runs of Ansible of this Toehold.
fn running(stage: &Stage) -> Vec<u32> {
    let of = stage.state().join("playbooks").display().to_string();
    let all = std::fs::read_dir("/proc").expect("there is one").flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        // One that has just ended is none.
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains("ansible-playbook") && line.contains(&of)
    })
    .collect()
}

#[test]
fn a_playbook_whose_control_plane_is_killed_ends_and_is_run_again() {
    let Some(hosts) = Hosts::new(1) else { return };
    let stage = hosts.stage();
    hosts.join(&stage);
    let app = app(&stage, "", BEGINS);
    app.set("min = 2\n", "min = 1\n");
    app.commit("one is enough");
    let push = app.push_in_background("main");
    let begun = || {
        let path = hosts.all()[0].state().join("begun");
        std::fs::read_to_string(path).unwrap_or_default().lines().count()
    };
    until("it runs", || (begun() == 1).then_some(()));
    let first = until("Ansible runs", || Some(running(&stage)).filter(|all| !all.is_empty()));
    let serve = until("it runs", || part(&stage, "serve"));
    kill(serve);
    until("it is run again", || (begun() == 2).then_some(()));
    assert!(running(&stage).iter().all(|pid| !first.contains(pid)), "the first one runs on");
    std::fs::write(hosts.all()[0].state().join("go"), "").expect("the word is given");
    app.until_heard("v1");
    drop(push);
    assert_eq!(failure(&stage, 1), None);
    until("nothing is left of it", || running(&stage).is_empty().then_some(()));
    let machine = stage.json(&["machines", "ls"])[1].clone();
    assert_eq!(machine["doing"], serde_json::Value::Null, "{machine}");
    assert_eq!(begun(), 2);
}

/// What a run finds in its environment, one line each.
const TELLS: &str = "    - name: Tell\n      ansible.builtin.copy:\n        \
                     dest: /var/lib/toehold-agent/found\n        content: |\n          \
                     {{ lookup('env', 'ANSIBLE_DISPLAY_SKIPPED_HOSTS') }}\n          \
                     {{ lookup('env', 'ANSIBLE_HOST_KEY_CHECKING') }}\n          \
                     {{ lookup('env', 'ANSIBLE_CALLBACK_PLUGINS') }}\n          \
                     {{ lookup('env', 'SECRET_OF_ANOTHER') }}|\n";

#[test]
fn ansible_hears_what_is_set_for_it_and_nothing_else_and_believes_no_other_host_key() {
    let Some(hosts) = Hosts::new(1) else { return };
    let plugins = "/var/lib/nobody/plugins".to_owned();
    let unsafe_ssh = "-C -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null";
    let listen = format!("[machines]\nlisten = \"{}:{}\"\n", hosts.gateway(), free_port());
    let environment = [
        ("ANSIBLE_DISPLAY_SKIPPED_HOSTS", "false".to_owned()),
        ("ANSIBLE_HOST_KEY_CHECKING", "False".to_owned()),
        ("ANSIBLE_CALLBACK_PLUGINS", plugins.clone()),
        ("ANSIBLE_SSH_ARGS", unsafe_ssh.to_owned()),
        ("SECRET_OF_ANOTHER", "hunter2".to_owned()),
    ];
    let stage = Stage::with_environment(&listen, &environment);
    let host = &hosts.all()[0];
    host.authorize(&stage.done(&["machines", "key"]));
    listen_at_2222(host, "key");
    let (at, key) = (format!("root@{}", host.address), host.key());
    stage.done(&["machines", "add", "web1", &at, "--port", "2222", "--host-key", &key]);
    let app = app(&stage, "", TELLS);
    app.set("min = 2\n", "min = 1\n");
    app.commit("one is enough");
    app.push("main");
    let found = hosts.all()[0].state().join("found");
    let found = std::fs::read_to_string(found).expect("the playbook ran");
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!((lines[0], lines[1], lines[3]), ("false", "True", "|"), "{found}");
    assert!(lines[2].ends_with(&format!(":{plugins}")), "{found}");

    // Another host key at the same address is not believed, whatever is set for SSH.
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
        .arg(host.state().with_file_name("other"))
        .status();
    assert!(made.expect("ssh-keygen runs").success());
    listen_at_2222(host, "other");
    stage.done(&["machines", "configure", "web1"]);
    let why = until("it is refused", || failure(&stage, 1));
    assert!(why.contains("Ansible does not reach it"), "{why}");
}

/// Another SSH server of a host, in place of the one before, with one of the keys in its folder.
fn listen_at_2222(host: &Host, key: &str) {
    const LISTEN: &str = r#"
[ ! -e /var/lib/toehold-agent/other.pid ] || kill "$(cat /var/lib/toehold-agent/other.pid)"
rm -f /var/lib/toehold-agent/other.pid
/usr/sbin/sshd -f /dev/null -h "$1/$2" -o Port=2222 -o StrictModes=no -o UsePAM=no \
    -o AuthorizedKeysFile="$1/authorized_keys" -o PidFile=/var/lib/toehold-agent/other.pid \
    </dev/null >/dev/null 2>&1
while [ ! -e /var/lib/toehold-agent/other.pid ]; do sleep 0.1; done
"#;
    let folder = host.state().with_file_name("").display().to_string();
    host.run(&["sh", "-c", LISTEN, "sh", &folder, key]);
}
