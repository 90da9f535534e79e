//! The link over a network as it is: the control plane's port for agents, real TLS and real agents.
//! The control plane's clock is ours.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;
use toehold_agent::{AgentError, ControlPlane, Ending, Membership, Settings};
use toehold_core::model::MachineName;
use toehold_core::time::Timestamp;
use toehold_server::authority::Authority;
use toehold_server::clock::{Clock, SetClock};
use toehold_server::fleet::Fleet;
use toehold_server::store::{SqliteStore, Store};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The longest anything may take.
const DEADLINE: Duration = Duration::from_secs(30);

const DAY: Duration = Duration::from_hours(24);

/// A control plane's port for agents.
struct Port {
    folder: TempDir,
    clock: Arc<SetClock>,
    store: Arc<dyn Store>,
    authority: Arc<Authority>,
    fleet: Arc<Fleet>,
    at: SocketAddr,
    shutdown: CancellationToken,
}

/// An agent of a machine that joined.
struct Agent {
    ending: watch::Sender<Option<Ending>>,
    thread: std::thread::JoinHandle<Result<(), AgentError>>,
}

impl Agent {
    async fn end(self) {
        self.ending.send_replace(Some(Ending::StopAll));
        let thread = self.thread;
        let joined = tokio::task::spawn_blocking(move || thread.join());
        let ended = tokio::time::timeout(DEADLINE, joined).await.expect("it ends");
        ended.expect("no panic").expect("no panic").expect("it ran");
    }
}

impl Port {
    /// One whose clock is by so much behind ours.
    async fn behind(late: Duration) -> Self {
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
        let on_shelf = move |digest: &toehold_core::model::Digest| shelf.join(digest.as_str());
        let known = Arc::clone(&authority);
        fleet.listen_for_machines(listener, known, on_shelf, &shutdown).expect("it listens");
        Self { folder, clock, store, authority, fleet, at, shutdown }
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.folder.path().join("machines").join(name)
    }

    async fn token(&self, name: &str) -> String {
        let token = self.authority.invite(&machine(name), "ann").await.expect("a token");
        token.reveal().to_owned()
    }

    async fn join(&self, name: &str) {
        let token = self.token(name).await;
        let joined = toehold_agent::join(&self.dir(name), &self.at.to_string(), &token).await;
        joined.expect("it is let in");
    }

    fn start(&self, name: &str) -> Agent {
        start(&self.dir(name))
    }

    /// Waits until the machine is heard after now.
    async fn until_heard(&self, name: &str) {
        let now = std::time::Instant::now();
        self.until("it is heard", async || {
            self.fleet.agents().get(&machine(name)).is_some_and(|seen| seen.at > now)
        })
        .await;
    }

    async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let waiting = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(DEADLINE, waiting).await;
        waited.unwrap_or_else(|_| panic!("it never became so that {what}"));
    }

    /// The certificates that are good for a machine, the oldest first.
    async fn certificates(&self, name: &str) -> Vec<Value> {
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

fn start(dir: &Path) -> Agent {
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

fn machine(name: &str) -> MachineName {
    name.parse().expect("a machine's name")
}

fn ago(late: Duration) -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let then = now.checked_sub(late).expect("after 1970");
    Timestamp::from_ms(u64::try_from(then.as_millis()).expect("not so far"))
}

/// Tells the machine that nothing runs there, so that it reports.
fn place_nothing(port: &Port, name: &str) {
    let order = toehold_core::wire::Order { epoch: 1, rev: 1 };
    port.fleet.place(order, [(machine(name), Vec::new())].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_renewed_once_and_the_one_in_use_stays() {
    // By its own clock the machine's certificate is three weeks old, and so is each it is given:
    // that is no reason to ask again and again.
    let port = Port::behind(DAY * 21).await;
    port.join("web1").await;
    place_nothing(&port, "web1");
    let agent = port.start("web1");
    port.until("it has another certificate", async || port.certificates("web1").await.len() == 2)
        .await;
    for _ in 0..4 {
        port.until_heard("web1").await;
    }
    let two = port.certificates("web1").await;
    assert_eq!(two.len(), 2, "it asked again: {two:?}");
    // The link breaks: it dials in with the newer one, and does not ask at once.
    port.fleet.hang_up(&machine("web1"));
    for _ in 0..3 {
        port.until_heard("web1").await;
    }
    assert_eq!(port.certificates("web1").await, two);
    agent.end().await;

    // The clock is right again: the next one is new, and nothing is asked for any more.
    port.clock.set(ago(Duration::ZERO));
    let agent = port.start("web1");
    port.until("it has a third", async || port.certificates("web1").await.len() == 3).await;
    let three = port.certificates("web1").await;
    port.fleet.hang_up(&machine("web1"));
    port.until_heard("web1").await;
    agent.end().await;
    let agent = port.start("web1");
    for _ in 0..3 {
        port.until_heard("web1").await;
    }
    assert_eq!(port.certificates("web1").await, three);
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_good_for_a_quarter_of_an_hour_and_for_one_of_two_at_once() {
    let port = Port::behind(Duration::ZERO).await;
    let (at, token) = (port.at.to_string(), port.token("web1").await);
    let (one, other) = (port.dir("one"), port.dir("other"));
    let (one, other) = tokio::join!(
        toehold_agent::join(&one, &at, &token),
        toehold_agent::join(&other, &at, &token)
    );
    let refused = match (one, other) {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused.to_string(),
        (one, other) => panic!("{:?} {:?}", one.map(drop), other.map(drop)),
    };
    assert!(refused.contains("used already"), "{refused}");
    let late = port.token("web2").await;
    port.clock.set(port.clock.now().plus(Duration::from_mins(15)));
    let refused = toehold_agent::join(&port.dir("web2"), &at, &late).await;
    let refused = refused.map(drop).expect_err("it is too late").to_string();
    assert!(refused.contains("the token ended at"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_nothing_shuts_out_nobody_and_is_hung_up_on() {
    let port = Port::behind(Duration::ZERO).await;
    port.join("web1").await;
    place_nothing(&port, "web1");
    let mut silent = Vec::new();
    for _ in 0..100 {
        let from = tokio::net::TcpSocket::new_v4().expect("a socket");
        from.bind("127.0.0.2:0".parse().expect("an address")).expect("it is ours");
        silent.push(from.connect(port.at).await.expect("it connects"));
    }
    let agent = port.start("web1");
    port.until_heard("web1").await;
    agent.end().await;
    // They are hung up on before long.
    for mut stream in silent {
        let read = tokio::time::timeout(DEADLINE, stream.read(&mut [0; 16])).await;
        assert!(matches!(read, Ok(Ok(0) | Err(_))), "{read:?}");
    }
}
