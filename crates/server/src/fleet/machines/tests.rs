use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use toehold_core::model::{Goal, HealthCheck, HealthKind, Number, Track};
use toehold_core::time::Timestamp;
use toehold_core::wire::Order;
use toehold_core::wire::agent::{Placed, Placement};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;

use super::*;
use crate::clock::SetClock;
use crate::store::SqliteStore;

/// More than lies between the two sides, so that nothing is whole on its way that nobody reads.
const SIZE: usize = 1024 * 1024;

/// The longest anything here may take.
const SOON: Duration = Duration::from_secs(20);

/// A control plane with one artifact, which is placed on each machine.
struct Scene {
    gate: Arc<Gate>,
    artifact: Digest,
    opened: Arc<AtomicUsize>,
    _folder: TempDir,
}

/// One who asks for the artifact.
struct Asker {
    reader: Reader<Answer>,
    writer: Writer<Call>,
    given: JoinHandle<()>,
}

fn machine(name: &str) -> MachineName {
    name.parse().expect("a machine's name")
}

impl Scene {
    async fn new(machines: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("packed");
        std::fs::write(&path, vec![7; SIZE]).expect("it can be written");
        let store = SqliteStore::open(&folder.path().join("store")).expect("a store");
        let clock = Arc::new(SetClock::at(Timestamp::from_ms(1_800_000_000_000)));
        let authority = Authority::open(folder.path(), Arc::new(store), clock);
        let authority = Arc::new(authority.await.expect("it opens"));
        let acceptor = authority.acceptor().expect("it can let in");
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        let shelf = Box::new(move |_: &Digest| {
            count.fetch_add(1, Ordering::SeqCst);
            path.clone()
        });
        let fleet = Fleet::new();
        let artifact: Digest = "5".repeat(64).parse().expect("a digest");
        let placed = |name: &&str| {
            let placement =
                Placement { order: Order::default(), instances: vec![placed(&artifact)] };
            (machine(name), placement)
        };
        let all: BTreeMap<_, _> = machines.iter().map(placed).collect();
        fleet.placements.send_replace(all);
        let gate = Arc::new(Gate::new(fleet, authority, acceptor, shelf));
        Self { gate, artifact, opened, _folder: folder }
    }

    /// A machine asks; `None` where it has asked too often.
    async fn asks(&self, name: &str) -> Option<Asker> {
        let (near, far): (DuplexStream, DuplexStream) = tokio::io::duplex(4 * 1024);
        let (machine, artifact) = (machine(name), self.artifact.clone());
        let share = self.gate.shares.enter(&machine, Use::Fetch)?;
        let asked = Asked { machine, artifact, from_byte: 0, share };
        let (reader, writer) = link::split::<Call, Answer>(far);
        let gate = Arc::clone(&self.gate);
        let given = tokio::spawn(async move { give(&gate, &asked, reader, writer).await });
        // It goes as far as it can.
        tokio::task::yield_now().await;
        let (reader, writer) = link::split::<Answer, Call>(near);
        Some(Asker { reader, writer, given })
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

impl Asker {
    async fn begins(&mut self) {
        let answer = tokio::time::timeout(SOON, self.reader.next()).await.expect("it is its turn");
        let size = SIZE as u64;
        assert_eq!(answer.expect("it is a link"), Some(Answer::Bytes { count: size, of: size }));
    }
}

fn placed(artifact: &Digest) -> Placed {
    let id = "shop/web.1".parse().expect("an instance");
    Placed {
        id,
        release: Number(1),
        track: Track::Stable,
        goal: Goal::Run,
        artifact: artifact.clone(),
        artifact_path: None,
        listen: std::net::Ipv4Addr::LOCALHOST.into(),
        command: "true".into(),
        release_command: None,
        env: BTreeMap::new(),
        secrets: std::collections::BTreeSet::new(),
        data_dir: None,
        cpus: 1.0,
        memory_bytes: 1,
        grace: SOON,
        health: HealthCheck {
            kind: HealthKind::Tcp,
            interval: SOON,
            timeout: SOON,
            deadline: SOON,
            rise: 1,
            fall: 1,
        },
    }
}

#[tokio::test]
async fn a_machine_that_takes_nothing_of_what_it_asks_for_stands_in_no_others_way() {
    let scene = Scene::new(&["web1", "web2"]).await;
    let mut stuck = Vec::new();
    while let Some(asker) = scene.asks("web1").await {
        stuck.push(asker);
        assert!(stuck.len() < 1000, "there is an end to it");
    }
    for asker in &mut stuck[..2] {
        asker.begins().await;
    }
    let mut other = scene.asks("web2").await.expect("another machine may ask");
    other.begins().await;
    assert_eq!(scene.opened(), 3, "nothing is open for those who wait");
}

#[tokio::test]
async fn who_hangs_up_waits_no_longer_and_who_comes_after_gets_the_turn() {
    let scene = Scene::new(&["web1"]).await;
    let mut first = scene.asks("web1").await.expect("it may ask");
    let mut second = scene.asks("web1").await.expect("it may ask");
    first.begins().await;
    second.begins().await;
    let gone = scene.asks("web1").await.expect("it may wait");
    let mut patient = scene.asks("web1").await.expect("it may wait");
    let Asker { reader, writer, given } = gone;
    drop((reader, writer));
    tokio::time::timeout(SOON, given).await.expect("it waits no longer").expect("it ended well");
    assert_eq!(scene.opened(), 2);
    drop(first);
    patient.begins().await;
    assert_eq!(scene.opened(), 3);
}
