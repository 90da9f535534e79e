//! Runs `ansible-playbook` and listens to it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use toehold_core::model::MachineName;
use toehold_host::process::{Launch, Tree, program};
use tokio::process::Child;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::event::read;
use super::recap::{Ended, Recap};
use super::{Play, PlayError, Record, Told};

/// The plugin by which a run is heard.
const PLUGIN: &str = include_str!("toehold_events.py");

/// The programs Ansible reaches a machine by, and how it is told of each.
const WAYS: [(&str, &str); 3] = [
    ("ssh", "ANSIBLE_SSH_EXECUTABLE"),
    ("sftp", "ANSIBLE_SFTP_EXECUTABLE"),
    ("scp", "ANSIBLE_SCP_EXECUTABLE"),
];

/// Stands in for each of them.
const WAY: &str = include_str!("ssh.sh");

/// How often is looked for news of a run.
const LOOK: Duration = Duration::from_millis(200);

/// A run may print so much, in bytes.
const MOST_OUTPUT: u64 = 64 << 20;

/// How long a run has to obey when its time is up.
const GRACE: Duration = Duration::from_secs(5);

/// The longest path that leaves room for the socket of an SSH connection in it.
const SOCKET_ROOM: usize = 70;

/// Runs a playbook to its end, and gives what came of it for each machine it was limited to. What
/// it does is told while it does it; whoever does not listen holds up nothing.
pub async fn run(
    play: &Play<'_>,
    tell: &mpsc::Sender<Told>,
) -> Result<BTreeMap<MachineName, Ended>, PlayError> {
    if !play.checkout.join(play.playbook).is_file() {
        return Err(PlayError::NoPlaybook(play.playbook.to_owned()));
    }
    let path = play.environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value);
    let found = path.and_then(|path| program("ansible-playbook", path));
    let program = found.ok_or(PlayError::NoAnsible)?;
    let mut running = Running::start(play, &program)?;
    let ended = running.follow(play, tell).await;
    running.end().await;
    let (exit, cut_off) = ended?;
    running.hear(play.checkout, tell);
    let has_begun = running.recap.has_begun();
    if !has_begun && cut_off.is_none() {
        return Err(PlayError::Unreadable { exit, said: said(play.record) });
    }
    let came_of =
        |machine: &MachineName| (machine.clone(), running.recap.ended(machine, cut_off.as_deref()));
    Ok(play.machines.iter().map(came_of).collect())
}

/// A run that goes on. Where it is dropped, its processes end.
struct Running {
    tree: Tree,
    child: Child,
    events: Tail,
    recap: Recap,
    has_ended: bool,
}

impl Running {
    fn start(play: &Play<'_>, program: &Path) -> Result<Self, PlayError> {
        let record = play.record;
        let plugins = record.file("plugins");
        let inventory = record.file("inventory.json");
        prepare(play, &plugins, &inventory)
            .map_err(|source| PlayError::File { path: plugins.display().to_string(), source })?;
        let opened = |path: &Path| {
            let made = File::options().create(true).append(true).open(path);
            made.map_err(|source| PlayError::File { path: path.display().to_string(), source })
        };
        let output = opened(&record.output())?;
        let errors = opened(&record.output())?;
        let machines: Vec<&str> = play.machines.iter().map(MachineName::as_str).collect();
        let playbook = play.checkout.join(play.playbook);
        let launch = Launch {
            argv: vec![
                program.into(),
                "-i".into(),
                inventory.into(),
                "--limit".into(),
                machines.join(",").into(),
                playbook.into(),
            ],
            env: environment(play, &plugins),
            dir: home(play.checkout, play.playbook),
            stdout: output.into(),
            stderr: errors.into(),
            marker: record.marker(),
            nice: 0,
            cgroup: None,
        };
        let (tree, child) = launch.start()?;
        let events = Tail::of(record.events());
        Ok(Self { tree, child, events, recap: Recap::default(), has_ended: false })
    }

    /// How it ended, and why it was ended where it did not end by itself.
    async fn follow(
        &mut self,
        play: &Play<'_>,
        tell: &mpsc::Sender<Told>,
    ) -> Result<(String, Option<String>), PlayError> {
        let deadline = Instant::now() + play.timeout;
        let output = play.record.output();
        let failed = |source| PlayError::File { path: output.display().to_string(), source };
        loop {
            let ended = tokio::time::timeout(LOOK, self.child.wait()).await;
            self.hear(play.checkout, tell);
            if let Ok(status) = ended {
                return Ok((exit(status.map_err(failed)?), None));
            }
            let why = if Instant::now() >= deadline {
                format!("the playbook did not end within {} s", play.timeout.as_secs())
            } else if fs::metadata(&output).is_ok_and(|about| about.len() > MOST_OUTPUT) {
                format!("the playbook printed more than {} MiB", MOST_OUTPUT >> 20)
            } else {
                continue;
            };
            // An SSH that hangs in the kernel is reported, and holds up nothing.
            if let Err(error) = self.tree.end(GRACE).await {
                tracing::error!(%error, "processes of a playbook cannot be ended");
            }
            return Ok((why.clone(), Some(why)));
        }
    }

    /// Takes in what was said since the last look.
    fn hear(&mut self, checkout: &Path, tell: &mpsc::Sender<Told>) {
        for line in self.events.lines() {
            let Some(event) = read(&line) else { continue };
            for told in self.recap.take(event, checkout) {
                // All of it is in the record, too.
                let _ = tell.try_send(told);
            }
        }
    }

    /// Ends what is left of it: SSH connections that are kept open for a while.
    async fn end(&mut self) {
        self.has_ended = true;
        if let Err(error) = self.tree.kill().await {
            tracing::error!(%error, "processes of a playbook cannot be ended");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let tree = self.tree.clone();
        // Where the whole process ends, its successor sweeps.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let _ = tree.kill().await;
            });
        }
    }
}

/// The plugin and the inventory, as files.
fn prepare(play: &Play<'_>, plugins: &Path, inventory: &Path) -> io::Result<()> {
    fs::create_dir_all(plugins)?;
    fs::write(plugins.join("toehold_events.py"), PLUGIN)?;
    let ways = play.record.file("ways");
    fs::create_dir_all(&ways)?;
    for (program, _) in WAYS {
        let mut file = File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o700)
            .open(ways.join(program))?;
        file.write_all(WAY.as_bytes())?;
    }
    fs::write(play.record.file("known_hosts"), play.known_hosts)?;
    fs::write(inventory, serde_json::to_vec_pretty(play.inventory)?)
}

/// The operator's own Ansible has its own settings; what it is to tell us, and how, is said beside
/// them. Its way of talking is plain: a file reads it.
fn environment(play: &Play<'_>, plugins: &Path) -> Vec<(OsString, OsString)> {
    let mut all = play.environment.clone();
    let mut set = |name: &str, value: OsString| {
        all.retain(|(it, _)| it != name);
        all.push((name.into(), value));
    };
    let mut paths = plugins.as_os_str().to_owned();
    let others = play.environment.iter().find(|(name, _)| name == "ANSIBLE_CALLBACK_PLUGINS");
    if let Some((_, others)) = others {
        paths.push(":");
        paths.push(others);
    }
    set("ANSIBLE_CALLBACK_PLUGINS", paths);
    set("TOEHOLD_EVENTS", play.record.events().into());
    for (program, name) in WAYS {
        set(name, play.record.file("ways").join(program).into());
    }
    set("TOEHOLD_KNOWN_HOSTS", play.record.file("known_hosts").into());
    set("ANSIBLE_HOST_KEY_CHECKING", "True".into());
    set("ANSIBLE_NOCOLOR", "1".into());
    set("ANSIBLE_RETRY_FILES_ENABLED", "False".into());
    set("LANG", "C.UTF-8".into());
    set("LC_ALL", "C.UTF-8".into());
    set("PYTHONUNBUFFERED", "1".into());
    // Connections of ours end with the run, and so must not be shared with the operator's.
    let sockets = play.record.file("cp");
    if sockets.as_os_str().len() <= SOCKET_ROOM {
        set("ANSIBLE_SSH_CONTROL_PATH_DIR", sockets.into());
    }
    all
}

/// The folder whose `ansible.cfg` counts: the playbook's, or one above it in the repository.
fn home(checkout: &Path, playbook: &str) -> PathBuf {
    let playbook = checkout.join(playbook);
    let mut above = playbook.ancestors().skip(1).take_while(|dir| dir.starts_with(checkout));
    let found = above.find(|dir| dir.join("ansible.cfg").is_file());
    found.unwrap_or(checkout).to_owned()
}

fn exit(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "it ended in no way there is".to_owned(),
    }
}

/// Why it gave up, from what it printed: the line that says so, and where.
fn said(record: &Record) -> String {
    let text = fs::read(record.output()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let from = lines.iter().position(|line| line.to_ascii_lowercase().contains("error"));
    let from = from.unwrap_or_else(|| lines.len().saturating_sub(3));
    let told = lines.iter().skip(from).take(4).copied().collect::<Vec<_>>().join(" / ");
    if told.is_empty() { "it said nothing".to_owned() } else { told.chars().take(400).collect() }
}

/// A file that grows, read line by line.
struct Tail {
    path: PathBuf,
    read: u64,
    half: String,
}

impl Tail {
    const fn of(path: PathBuf) -> Self {
        Self { path, read: 0, half: String::new() }
    }

    /// The whole lines since the last look.
    fn lines(&mut self) -> Vec<String> {
        let mut bytes = Vec::new();
        let fresh = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.read))?;
            file.take(MOST_OUTPUT).read_to_end(&mut bytes)
        });
        // It is not there before the first event.
        self.read += fresh.unwrap_or_default() as u64;
        self.half.push_str(&String::from_utf8_lossy(&bytes));
        let whole = self.half.rfind('\n').map_or(0, |at| at + 1);
        let rest = self.half.split_off(whole);
        std::mem::replace(&mut self.half, rest).lines().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_nearest_to_the_playbook_count_and_none_outside_the_repository() {
        let outer = tempfile::tempdir().expect("a folder");
        let checkout = outer.path().join("checkout");
        fs::create_dir_all(checkout.join("ops/deep")).expect("folders");
        let settings = |dir: &Path| fs::write(dir.join("ansible.cfg"), "").expect("it is written");
        settings(outer.path());
        assert_eq!(home(&checkout, "ops/deep/site.yml"), checkout);
        settings(&checkout.join("ops"));
        assert_eq!(home(&checkout, "ops/deep/site.yml"), checkout.join("ops"));
        assert_eq!(home(&checkout, "site.yml"), checkout);
    }

    #[test]
    fn a_line_is_read_once_it_is_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut tail = Tail::of(dir.path().join("events.jsonl"));
        assert!(tail.lines().is_empty(), "it is not there yet");
        fs::write(&tail.path, "one\ntw").expect("it is written");
        assert_eq!(tail.lines(), ["one"]);
        fs::write(&tail.path, "one\ntwo\n").expect("it is written");
        assert_eq!(tail.lines(), ["two"]);
    }
}
