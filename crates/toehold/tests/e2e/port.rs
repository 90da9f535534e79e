//! The control plane's port for agents, with real TLS and real agents. The control plane's clock is
//! ours.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;
use toehold_agent::{AgentError, ControlPlane, Ending, Membership, Settings};
use toehold_core::model::{
    Digest, Goal, HealthCheck, HealthKind, InstanceStatus, MachineName, Number, Track,
};
use toehold_core::time::Timestamp;
use toehold_core::wire::Order;
use toehold_core::wire::agent::Placed;
use toehold_server::authority::Authority;
use toehold_server::clock::SetClock;
use toehold_server::fleet::Fleet;
use toehold_server::store::{SqliteStore, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The longest anything may take.
pub const DEADLINE: Duration = Duration::from_secs(30);

pub const DAY: Duration = Duration::from_hours(24);

/// A control plane's port for agents.
pub struct Port {
    folder: TempDir,
    pub clock: Arc<SetClock>,
    store: Arc<dyn Store>,
    authority: Arc<Authority>,
    pub fleet: Arc<Fleet>,
    pub at: SocketAddr,
    shutdown: CancellationToken,
}

/// An agent of a machine that joined.
pub struct Agent {
    ending: watch::Sender<Option<Ending>>,
    thread: std::thread::JoinHandle<Result<(), AgentError>>,
}

impl Agent {
    /// Ends it, and all it keeps running.
    pub async fn end(self) {
        self.end_and(Ending::StopAll).await;
    }

    /// Ends it.
    pub async fn end_and(self, how: Ending) {
        self.ending.send_replace(Some(how));
        let thread = self.thread;
        let joined = tokio::task::spawn_blocking(move || thread.join());
        let ended = tokio::time::timeout(DEADLINE, joined).await.expect("it ends");
        ended.expect("no panic").expect("no panic").expect("it ran");
    }
}

impl Port {
    /// One whose clock is by so much behind ours.
    pub async fn behind(late: Duration) -> Self {
        let folder = TempDir::new().expect("a folder");
        let store = SqliteStore::open(&folder.path().join("store")).expect("a store");
        let store: Arc<dyn Store> = Arc::new(store);
        let clock = Arc::new(SetClock::at(ago(late)));
        let authority = Authority::open(folder.path(), Arc::clone(&store), clock.clone()).await;
        let authority = Arc::new(authority.expect("it opens"));
        let fleet = Fleet::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let shutdown = CancellationToken::new();
        let shelf = folder.path().join("shelf");
        let on_shelf = move |digest: &Digest| shelf.join(digest.as_str());
        let known = Arc::clone(&authority);
        fleet.listen_for_machines(listener, known, on_shelf, &shutdown).expect("it listens");
        Self { folder, clock, store, authority, fleet, at, shutdown }
    }

    pub fn dir(&self, name: &str) -> PathBuf {
        self.folder.path().join("machines").join(name)
    }

    pub async fn token(&self, name: &str) -> String {
        let token = self.authority.invite(&machine(name), "ann").await.expect("a token");
        token.reveal().to_owned()
    }

    pub async fn join(&self, name: &str) {
        self.join_by(self.at, name).await;
    }

    /// Joins by another address than its own.
    pub async fn join_by(&self, at: SocketAddr, name: &str) {
        let token = self.token(name).await;
        let joined = toehold_agent::join(&self.dir(name), &at.to_string(), &token).await;
        joined.expect("it is let in");
    }

    /// Where an artifact lies that agents fetch.
    pub fn on_shelf(&self, artifact: &Digest) -> PathBuf {
        let shelf = self.folder.path().join("shelf");
        std::fs::create_dir_all(&shelf).expect("the shelf");
        shelf.join(artifact.as_str())
    }

    /// Waits until the machine obeys what was placed in an epoch at a revision.
    pub async fn until_applied(&self, name: &str, (epoch, rev): (u64, u64)) {
        let wanted = Order { epoch, rev };
        let applied = || Some(self.fleet.agents().get(&machine(name))?.report.applied);
        self.until("it obeys", async || applied() == Some(wanted)).await;
    }

    /// What the machine said last of its first instance.
    pub fn status(&self, name: &str) -> Option<InstanceStatus> {
        self.fleet.agents().get(&machine(name))?.report.instances.first().cloned()
    }

    /// Waits until the machine's first instance is healthy.
    pub async fn until_healthy(&self, name: &str) -> InstanceStatus {
        self.until("it is healthy", async || self.status(name).is_some_and(|it| it.healthy)).await;
        self.status(name).expect("just seen")
    }

    pub fn start(&self, name: &str) -> Agent {
        start(&self.dir(name))
    }

    /// Waits until the machine is heard after now.
    pub async fn until_heard(&self, name: &str) {
        let now = std::time::Instant::now();
        self.until("it is heard", async || {
            self.fleet.agents().get(&machine(name)).is_some_and(|seen| seen.at > now)
        })
        .await;
    }

    pub async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let waiting = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(DEADLINE, waiting).await;
        waited.unwrap_or_else(|_| panic!("it never became so that {what}"));
    }

    /// The certificates that are good for a machine, the oldest first.
    pub async fn certificates(&self, name: &str) -> Vec<Value> {
        let key = format!("certificate/{name}").parse().expect("a key");
        let doc = self.store.get(&key).await.expect("it can be read");
        let value: Value =
            doc.map_or(Value::Null, |it| serde_json::from_str(&it.value).expect("JSON"));
        value["certificates"].as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub fn start(dir: &Path) -> Agent {
    let membership = Membership::open(dir).expect("it can be read").expect("it joined");
    let settings = Settings {
        dir: dir.to_owned(),
        machine: membership.machine(),
        control: ControlPlane::Elsewhere(membership),
        version: "test".to_owned(),
    };
    let (ending, wishes) = watch::channel(None);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(toehold_agent::run(settings, wishes))
    });
    Agent { ending, thread }
}

pub fn machine(name: &str) -> MachineName {
    name.parse().expect("a machine's name")
}

pub fn ago(late: Duration) -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let then = now.checked_sub(late).expect("after 1970");
    Timestamp::from_ms(u64::try_from(then.as_millis()).expect("not so far"))
}

/// Tells the machine that nothing runs there, so that it reports.
pub fn place_nothing(port: &Port, name: &str) {
    place(port, name, (1, 1), Vec::new());
}

/// Tells the machine what should run there, in an epoch at a revision.
pub fn place(port: &Port, name: &str, (epoch, rev): (u64, u64), instances: Vec<Placed>) {
    port.fleet.place(Order { epoch, rev }, [(machine(name), instances)].into());
}

/// An instance of an artifact that has to be fetched; it counts as healthy once it runs.
pub fn placed(artifact: &Digest) -> Placed {
    Placed {
        id: "shop/web.1".parse().expect("an instance"),
        release: Number(1),
        track: Track::Stable,
        goal: Goal::Run,
        artifact: artifact.clone(),
        artifact_path: None,
        listen: std::net::Ipv4Addr::LOCALHOST.into(),
        command: "exec sh run.sh".to_owned(),
        release_command: None,
        env: BTreeMap::new(),
        secrets: BTreeSet::new(),
        data_dir: None,
        cpus: 1.0,
        memory_bytes: 256 << 20,
        grace: Duration::from_secs(5),
        health: HealthCheck {
            kind: HealthKind::Command { run: "true".to_owned() },
            interval: Duration::from_millis(200),
            timeout: Duration::from_secs(2),
            deadline: DEADLINE,
            rise: 1,
            fall: 2,
        },
    }
}

/// An archive with this script and so many bytes that cannot be packed any smaller.
pub fn pack(script: &str, noise: u32) -> (Digest, Vec<u8>) {
    let noise: Vec<u8> = (0..noise)
        .map(|it| it.wrapping_mul(2_654_435_761).rotate_left(it % 31).to_be_bytes()[1])
        .collect();
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in [("run.sh", script.as_bytes()), ("noise", &noise)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, name, bytes).expect("packed");
    }
    let tar = tar.into_inner().expect("packed");
    (Digest::of(&tar), zstd::encode_all(&*tar, 1).expect("packed"))
}
