//! Machines of our own to deploy to: each in a network namespace with its own address, its own
//! processes and its own `sshd`. Making them takes root; where the tests have not got that, they
//! say that they are skipped. What goes wrong with one fails the test.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use toehold_scenery::{Network, SceneryError};

use crate::stage::{Stage, free_port, until};

/// A network with some hosts in it.
pub struct Hosts {
    all: Vec<Host>,
    network: Network,
    /// Outlives the hosts, which keep what they have in it.
    _folder: TempDir,
}

/// One of them.
pub struct Host {
    /// What Toehold calls it: `web1`.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    inner: toehold_scenery::Host,
}

/// A network without hosts; `None`, said aloud, where this user may not make any.
pub fn network() -> Option<(Network, TempDir)> {
    let folder = TempDir::new().expect("a folder");
    match Network::new(folder.path()) {
        Ok(network) => Some((network, folder)),
        Err(SceneryError::NotRoot) => {
            // Said past what the test runner keeps to itself.
            let said = "skipped: making network namespaces takes root\n";
            let _ = std::io::stderr().write_all(said.as_bytes());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A Toehold that other machines can call, with more under `[machines]` in its `server.toml`.
pub fn stage_at(gateway: Ipv4Addr, more: &str) -> Stage {
    Stage::with_settings(&settings_at(gateway, more))
}

/// What lets other machines call.
fn settings_at(gateway: Ipv4Addr, more: &str) -> String {
    let listen = format!("{gateway}:{}", free_port());
    format!("[machines]\nlisten = \"{listen}\"\n{more}")
}

impl Hosts {
    /// So many hosts, up and listening; `None`, said aloud, where this user may not make any.
    pub fn new(count: usize) -> Option<Self> {
        let (mut network, folder) = network()?;
        let all = (0..count)
            .map(|_| {
                let mut inner = network.host().expect("a host");
                inner.boot().expect("it boots");
                Host { name: inner.name().to_owned(), address: inner.address(), inner }
            })
            .collect();
        Some(Self { all, network, _folder: folder })
    }

    /// A Toehold that other machines can call.
    pub fn stage(&self) -> Stage {
        stage_at(self.gateway(), "")
    }

    /// One that is this copy of the program.
    pub fn stage_of_copy(&self, program: &Path) -> Stage {
        Stage::of_copy(program, &settings_at(self.gateway(), ""))
    }

    /// One whose API machines reach at this address of it.
    pub fn stage_with_dashboard(&self, url: &str) -> Stage {
        let settings = settings_at(self.gateway(), "");
        Stage::with_settings(&format!("dashboard_url = \"{url}\"\n{settings}"))
    }

    /// The address of this machine on the network.
    pub fn gateway(&self) -> Ipv4Addr {
        self.network.gateway()
    }

    /// Every host.
    pub fn all(&self) -> &[Host] {
        &self.all
    }

    /// A host, to be changed.
    pub fn host(&mut self, index: usize) -> &mut Host {
        &mut self.all[index]
    }

    /// Lets Toehold in and makes every host known to it; waits until all are ready.
    pub fn join(&self, stage: &Stage) {
        for host in &self.all {
            host.join(stage);
        }
        for host in &self.all {
            until_state(stage, &host.name, "ready");
        }
    }
}

impl Host {
    /// Lets Toehold in and makes the host known to it.
    pub fn join(&self, stage: &Stage) {
        self.authorize(&stage.done(&["machines", "key"]));
        let at = format!("root@{}", self.address);
        stage.done(&["machines", "add", &self.name, &at, "--host-key", &self.key()]);
    }

    /// The public half of its host key.
    pub fn key(&self) -> String {
        self.inner.key().expect("it has a key")
    }

    /// Where its agent keeps what it has, seen from here.
    pub fn state(&self) -> PathBuf {
        self.inner.state()
    }

    /// Whom it lets in.
    pub fn authorize(&self, key: &str) {
        self.inner.authorize(key).expect("the key is written");
    }

    /// Another host key, as a machine has that was set up anew.
    pub fn new_key(&mut self) {
        self.inner.new_key().expect("another key");
    }

    /// Starts it.
    pub fn boot(&mut self) {
        self.inner.boot().expect("it boots");
    }

    /// Takes its power away: every process of it ends at once.
    pub fn halt(&mut self) {
        self.inner.halt();
    }

    /// Pulls its cable, or plugs it in again.
    pub fn cable(&self, is_in: bool) {
        self.inner.cable(is_in).expect("the cable");
    }

    /// The process id of its agent, seen from inside.
    pub fn agent(&self) -> String {
        self.inner.agent().expect("an agent was started")
    }

    /// Runs a command on it.
    pub fn run(&self, arguments: &[&str]) -> String {
        self.inner.run(arguments).expect("it is up")
    }
}

/// Waits until a machine is in this state.
pub fn until_state(stage: &Stage, name: &str, state: &str) {
    until(&format!("{name} is {state}"), || {
        let machines = stage.json(&["machines", "ls"]);
        let all = machines.as_array()?;
        let found = all.iter().find(|it| it["machine"]["name"] == name)?;
        (found["machine"]["phase"]["state"] == state).then_some(())
    });
}
