//! One host: its own network address, its own processes, its own name, its own places for an agent
//! and for logs, and a real `sshd`. The rest of its file system is this machine's.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::command::run;
use crate::error::SceneryError;

/// Where an agent keeps what it has, seen from inside.
const STATE: &str = "/var/lib/toehold-agent";

/// How long an `sshd` may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `sshd` as the only service of a host. The arguments are the host's folder, its name, and
/// where the agent's folder is to be.
const BOOT: &str = r#"
set -eu
hostname "$2"
mount --make-rprivate /
mkdir -p "$3" /run/sshd
mount --bind "$1/log" /var/log
if [ -e "$1/full" ]; then
    mount -t tmpfs -o size=64k tmpfs "$3"
else
    mount --bind "$1/state" "$3"
fi
exec /usr/sbin/sshd -D -e -f /dev/null -h "$1/key" -o Port=22 -o StrictModes=no -o UsePAM=no \
    -o AuthorizedKeysFile="$1/authorized_keys" -o PidFile=none
"#;

/// A host of a network; it ends with this.
#[derive(Debug)]
pub struct Host {
    name: String,
    address: Ipv4Addr,
    namespace: String,
    folder: PathBuf,
    sshd: Option<Child>,
}

impl Host {
    /// A host with a key of its own and without power.
    pub(crate) fn new(
        name: String,
        address: Ipv4Addr,
        namespace: String,
        folder: PathBuf,
    ) -> Result<Self, SceneryError> {
        let mut host = Self { name, address, namespace, folder, sshd: None };
        for folder in [host.state(), host.log()] {
            fs::create_dir_all(folder).map_err(SceneryError::system("make the host's folder"))?;
        }
        host.new_key()?;
        Ok(host)
    }

    /// What it calls itself: `web1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is reached.
    #[must_use]
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The public half of its host key.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn key(&self) -> Result<String, SceneryError> {
        let key = fs::read_to_string(self.folder.join("key.pub"));
        key.map(|it| it.trim().to_owned()).map_err(SceneryError::system("read the host's key"))
    }

    /// Where its agent keeps what it has, seen from here.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Its `/var/log`, seen from here.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Leaves no room on it for an agent, from the next boot on.
    ///
    /// # Errors
    /// Where it cannot be noted down.
    pub fn fill(&mut self) -> Result<(), SceneryError> {
        fs::write(self.folder.join("full"), "").map_err(SceneryError::system("fill a host"))
    }

    /// Lets in whoever has this public key, and nobody else.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn authorize(&self, key: &str) -> Result<(), SceneryError> {
        fs::write(self.folder.join("authorized_keys"), key)
            .map_err(SceneryError::system("write whom the host lets in"))
    }

    /// Another host key, as a machine has that was set up anew; it is shown after the next boot.
    ///
    /// # Errors
    /// Where `ssh-keygen` makes none.
    pub fn new_key(&mut self) -> Result<(), SceneryError> {
        let path = self.folder.join("key");
        for old in [&path, &path.with_extension("pub")] {
            match fs::remove_file(old) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(SceneryError::system("remove the host's old key")(error));
                }
                _ => {}
            }
        }
        let plain = ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"].map(Path::new);
        run("ssh-keygen", &[&plain[..], &[&path]].concat()).map(|_| ())
    }

    /// A host key of somebody else's choice, in the form OpenSSH keeps it; it is shown after the
    /// next boot.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn set_key(&mut self, key: &str) -> Result<(), SceneryError> {
        fs::write(self.folder.join("key"), key)
            .map_err(SceneryError::system("write the host's key"))
    }

    /// Starts it, and waits until it listens.
    ///
    /// # Errors
    /// Where it does not start, or does not listen in half a minute.
    pub fn boot(&mut self) -> Result<(), SceneryError> {
        let log = fs::File::create(self.folder.join("sshd.log"))
            .map_err(SceneryError::system("make a log"))?;
        let child = Command::new("ip")
            .args(["netns", "exec", &self.namespace])
            .args(["unshare", "--mount", "--pid", "--uts", "--fork", "--mount-proc"])
            .args(["--kill-child", "sh", "-c", BOOT, "sh"])
            .args([self.folder.as_path(), Path::new(&self.name), Path::new(STATE)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // ^C is not for it.
            .process_group(0)
            .spawn()
            .map_err(SceneryError::system("start a host"))?;
        self.sshd = Some(child);
        let (began, address) = (Instant::now(), SocketAddr::from((self.address, 22)));
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            if began.elapsed() > PATIENCE {
                let what = format!("the sshd of {}", self.name);
                return Err(SceneryError::Silent { what, seconds: PATIENCE.as_secs() });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Takes its power away: every process of it ends at once.
    pub fn halt(&mut self) {
        if let Some(mut child) = self.sshd.take() {
            // Where it has ended already there is nobody left to be told.
            let _ = run("kill", &["-KILL", "--", &format!("-{}", child.id())]);
            let _ = child.wait();
        }
    }

    /// Pulls its cable, or plugs it in again.
    ///
    /// # Errors
    /// Where `ip` cannot.
    pub fn cable(&self, is_in: bool) -> Result<(), SceneryError> {
        let state = if is_in { "up" } else { "down" };
        run("ip", &["-n", &self.namespace, "link", "set", "eth0", state]).map(|_| ())
    }

    /// The process id of its agent, seen from inside.
    ///
    /// # Errors
    /// Where none was started.
    pub fn agent(&self) -> Result<String, SceneryError> {
        let id = fs::read_to_string(self.state().join("agent.pid"));
        id.map(|it| it.trim().to_owned()).map_err(SceneryError::system("find the host's agent"))
    }

    /// Runs a command on it, as root; gives what it printed, however it ended.
    ///
    /// # Errors
    /// Where the host is not up.
    pub fn run(&self, arguments: &[&str]) -> Result<String, SceneryError> {
        let output = Command::new("nsenter")
            .args(["--target", &self.first_process()?, "--mount", "--pid", "--net", "--"])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(SceneryError::system("run a command on a host"))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The `sshd` of the host, as this machine numbers it.
    fn first_process(&self) -> Result<String, SceneryError> {
        let is_down = || SceneryError::Silent { what: self.name.clone(), seconds: 0 };
        let parent = self.sshd.as_ref().ok_or_else(is_down)?.id().to_string();
        run("pgrep", &["--parent", &parent]).map(|it| it.trim().to_owned())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.halt();
        // Nothing more can be done than to try.
        let _ = run("ip", &["netns", "del", &self.namespace]);
    }
}
