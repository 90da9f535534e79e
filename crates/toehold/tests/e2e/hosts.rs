//! Machines of our own to deploy to: each in a network namespace with its own address, its own
//! processes and its own `sshd`, on a network with this machine. Making them takes root; where the
//! tests have not got that, they say that they are skipped.

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::stage::{Stage, free_port, until};

/// A network with some hosts in it.
pub struct Hosts {
    folder: TempDir,
    /// What the names of bridge, cables and namespaces begin with.
    prefix: String,
    /// The first three numbers of every address.
    net: String,
    all: Vec<Host>,
}

/// One of them.
pub struct Host {
    /// What Toehold calls it: `web1`.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    namespace: String,
    folder: PathBuf,
    sshd: Option<Child>,
}

/// Runs `sshd` as the only service of a host that has its own processes, its own name and its own
/// place for an agent. The arguments are the host's folder and its name.
const BOOT: &str = r#"
set -eu
hostname "$2"
mount --make-rprivate /
mkdir -p /var/lib/toehold-agent /run/sshd
mount --bind "$1/state" /var/lib/toehold-agent
exec /usr/sbin/sshd -D -e -f /dev/null -h "$1/key" -o Port=22 -o StrictModes=no -o UsePAM=no \
    -o AuthorizedKeysFile="$1/authorized_keys" -o PidFile=none
"#;

impl Hosts {
    /// So many hosts, up and listening; `None`, said aloud, where this user may not make any.
    pub fn new(count: u8) -> Option<Self> {
        let id = std::process::id();
        let (a, b) = (64 + (id >> 8) % 60, id % 256);
        let folder = TempDir::new().expect("a folder");
        let (prefix, net) = (format!("th{id}"), format!("10.{a}.{b}"));
        let mut hosts = Self { folder, prefix, net, all: Vec::new() };
        if !hosts.wire() {
            // Said past what the test runner keeps to itself.
            let said = "skipped: making network namespaces takes root\n";
            let _ = std::io::stderr().write_all(said.as_bytes());
            return None;
        }
        for number in 1..=count {
            hosts.add(number);
        }
        Some(hosts)
    }

    /// The network itself; `false` where it may not be made.
    fn wire(&self) -> bool {
        let bridge = format!("{}b", self.prefix);
        let made = Command::new("ip")
            .args(["link", "add", &bridge, "type", "bridge"])
            .stderr(Stdio::null())
            .status();
        if !made.is_ok_and(|status| status.success()) {
            return false;
        }
        ip(&["addr", "add", &format!("{}/24", self.gateway()), "dev", &bridge]);
        ip(&["link", "set", &bridge, "up"]);
        true
    }

    fn add(&mut self, number: u8) {
        let namespace = format!("{}n{number}", self.prefix);
        let (outer, bridge) = (format!("{}v{number}", self.prefix), format!("{}b", self.prefix));
        let address = format!("{}.{}", self.net, 10 + number);
        ip(&["netns", "add", &namespace]);
        ip(&["link", "add", &outer, "type", "veth", "peer", "name", "eth0", "netns", &namespace]);
        ip(&["link", "set", &outer, "master", &bridge, "up"]);
        ip(&["-n", &namespace, "addr", "add", &format!("{address}/24"), "dev", "eth0"]);
        for device in ["lo", "eth0"] {
            ip(&["-n", &namespace, "link", "set", device, "up"]);
        }
        let name = format!("web{number}");
        let folder = self.folder.path().join(&name);
        fs::create_dir_all(folder.join("state")).expect("the host's folder");
        let mut host = Host {
            address: address.parse().expect("an address"),
            name,
            namespace,
            folder,
            sshd: None,
        };
        host.new_key();
        host.boot();
        self.all.push(host);
    }

    /// The address of this machine on the network.
    pub fn gateway(&self) -> String {
        format!("{}.1", self.net)
    }

    /// A Toehold that other machines can call.
    pub fn stage(&self) -> Stage {
        self.stage_with("")
    }

    /// The same, with more under `[machines]` in its `server.toml`.
    pub fn stage_with(&self, more: &str) -> Stage {
        let listen = format!("{}:{}", self.gateway(), free_port());
        Stage::with_settings(&format!("[machines]\nlisten = \"{listen}\"\n{more}"))
    }

    /// Keeps a file for as long as the hosts are there.
    pub fn keep(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("the file");
        path
    }

    /// One more host, with a host key and a visitor of somebody else's choice; gives its address.
    pub fn boot_droplet(&mut self, key: &str, visitor: &str) -> String {
        let number = u8::try_from(self.all.len() + 1).expect("a few hosts");
        self.add(number);
        let host = self.all.last_mut().expect("it was added");
        host.halt();
        fs::write(host.folder.join("key"), key).expect("the key is written");
        host.authorize(visitor);
        host.boot();
        host.address.to_string()
    }

    /// A host is gone.
    pub fn halt_droplet(&mut self, address: &str) {
        if let Some(host) = self.all.iter_mut().find(|it| it.address.to_string() == address) {
            host.halt();
        }
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

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in &mut self.all {
            host.halt();
            let _ = Command::new("ip").args(["netns", "del", &host.namespace]).status();
        }
        let bridge = format!("{}b", self.prefix);
        let _ = Command::new("ip").args(["link", "del", &bridge]).status();
    }
}

impl Host {
    /// The public half of its host key.
    pub fn key(&self) -> String {
        fs::read_to_string(self.folder.join("key.pub")).expect("it has a key").trim().to_owned()
    }

    /// Where its agent keeps what it has, seen from here.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Lets Toehold in and makes the host known to it.
    pub fn join(&self, stage: &Stage) {
        self.authorize(&stage.done(&["machines", "key"]));
        stage.done(&[
            "machines",
            "add",
            &self.name,
            &format!("root@{}", self.address),
            "--host-key",
            &self.key(),
        ]);
    }

    /// Whom it lets in.
    pub fn authorize(&self, key: &str) {
        fs::write(self.folder.join("authorized_keys"), key).expect("the key is written");
    }

    /// Another host key, as a machine has that was set up anew.
    pub fn new_key(&mut self) {
        let path = self.folder.join("key");
        let _ = fs::remove_file(&path);
        let _ = fs::remove_file(path.with_extension("pub"));
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
            .arg(&path)
            .status();
        assert!(made.expect("ssh-keygen runs").success());
    }

    /// Starts it.
    pub fn boot(&mut self) {
        let log = fs::File::create(self.folder.join("sshd.log")).expect("a log");
        let child = Command::new("ip")
            .args(["netns", "exec", &self.namespace])
            .args(["unshare", "--mount", "--pid", "--uts", "--fork", "--mount-proc"])
            .args(["--kill-child", "sh", "-c", BOOT, "sh"])
            .args([self.folder.as_path(), Path::new(&self.name)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("the host starts");
        self.sshd = Some(child);
        let address = (self.address, 22).into();
        until("sshd listens", || {
            std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_secs(1)).ok()
        });
    }

    /// Takes its power away: every process of it ends at once.
    pub fn halt(&mut self) {
        if let Some(mut child) = self.sshd.take() {
            let group = format!("-{}", child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
            let _ = child.wait();
        }
    }

    /// Pulls its cable, or plugs it in again.
    pub fn cable(&self, is_in: bool) {
        ip(&["-n", &self.namespace, "link", "set", "eth0", if is_in { "up" } else { "down" }]);
    }

    /// The process id of its agent, seen from inside.
    pub fn agent(&self) -> String {
        let path = self.state().join("agent.pid");
        fs::read_to_string(path).expect("an agent was started").trim().to_owned()
    }

    /// Runs a command on it.
    pub fn run(&self, arguments: &[&str]) -> String {
        let inside = self.first_process();
        let output = Command::new("nsenter")
            .args(["--target", &inside, "--mount", "--pid", "--net", "--"])
            .args(arguments)
            .output()
            .expect("nsenter runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The `sshd` of the host, as this machine numbers it.
    fn first_process(&self) -> String {
        let parent = self.sshd.as_ref().expect("it is up").id().to_string();
        let output =
            Command::new("pgrep").args(["--parent", &parent]).output().expect("pgrep runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
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

fn ip(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status().expect("ip runs");
    assert!(status.success(), "ip {arguments:?}");
}
