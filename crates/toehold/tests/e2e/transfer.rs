//! Artifacts on their way to a machine: cut, resumed, damaged.

use std::time::Duration;

use toehold_core::model::{Digest, InstancePhase};

use crate::cable::Cable;
use crate::port::{Agent, Port, pack, place, placed};

/// It runs, and that is all.
const SCRIPT: &str = "exec sleep 600\n";

/// How large the artifact is about, in bytes.
const NOISE: u32 = 2_000_000;

/// What links and handshakes may carry beside an artifact, and what of a message that was cut is
/// carried again, in bytes.
const BESIDE: u64 = 300_000;

/// A control plane with an artifact on its shelf, and a machine at the other end of a cable.
struct Way {
    port: Port,
    cable: Cable,
    artifact: Digest,
    packed: Vec<u8>,
}

impl Way {
    async fn new() -> Self {
        let port = Port::behind(Duration::ZERO).await;
        let cable = Cable::to(port.at).await;
        port.join_by(cable.at, "web1").await;
        let (artifact, packed) = pack(SCRIPT, NOISE);
        std::fs::write(port.on_shelf(&artifact), &packed).expect("on the shelf");
        place(&port, "web1", (1, 1), vec![placed(&artifact)]);
        Self { port, cable, artifact, packed }
    }

    fn size(&self) -> u64 {
        self.packed.len() as u64
    }

    /// What the machine brought of the artifact, under this ending.
    fn brought(&self, ending: &str) -> std::path::PathBuf {
        let folder = self.port.dir("web1").join("artifacts");
        std::fs::create_dir_all(&folder).expect("the folder");
        folder.join(format!("{}.{ending}", self.artifact.as_str()))
    }

    async fn end(self, agent: Agent) {
        agent.end().await;
    }
}

/// The same bytes, and one of them another.
fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = bytes.len() / 8;
    bytes[at] ^= 1;
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_is_cut_goes_on_where_it_broke_off() {
    let way = Way::new().await;
    way.cable.breaks_after(way.size() / 3);
    let agent = way.port.start("web1");
    way.port.until_healthy("web1").await;
    assert!(way.cable.cuts() >= 2, "it was cut {} times", way.cable.cuts());
    let carried = way.cable.carried();
    assert!(carried < way.size() + BESIDE, "{carried} bytes for {}", way.size());
    way.end(agent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_byte_that_flips_before_the_rest_has_come_is_found_and_all_of_it_is_brought_anew() {
    let way = Way::new().await;
    way.cable.breaks_after(way.size() / 3);
    let agent = way.port.start("web1");
    way.port.until("it was cut", async || way.cable.cuts() > 0).await;
    way.cable.plug(false);
    let part = way.brought("tar.part");
    let have = std::fs::read(&part).expect("a part of it is there");
    assert!(!have.is_empty() && have.len() < way.packed.len(), "{} bytes", have.len());
    let wrong = flipped(&have);
    let at = u64::try_from(have.len() / 8).expect("it is small");
    let file = std::fs::OpenOptions::new().write(true).open(&part).expect("it opens");
    let byte = &wrong[have.len() / 8..=have.len() / 8];
    std::os::unix::fs::FileExt::write_all_at(&file, byte, at).expect("it is written");
    way.cable.breaks_after(u64::MAX);
    way.cable.plug(true);
    way.port.until_healthy("web1").await;
    let carried = way.cable.carried();
    assert!(carried >= way.size() * 2, "{carried} bytes for {}", way.size());
    way.end(agent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_came_whole_and_flip_before_they_are_used_are_brought_anew() {
    let way = Way::new().await;
    std::fs::write(way.brought("tar.zst"), flipped(&way.packed)).expect("written");
    let agent = way.port.start("web1");
    way.port.until_healthy("web1").await;
    let carried = way.cable.carried();
    assert!((way.size()..way.size() + BESIDE).contains(&carried), "{carried} bytes");
    way.end(agent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_at_the_control_plane_runs_nowhere_and_is_asked_for_no_more_than_twice() {
    let way = Way::new().await;
    std::fs::write(way.port.on_shelf(&way.artifact), flipped(&way.packed)).expect("written");
    let agent = way.port.start("web1");
    let failed = || match way.port.status("web1")?.phase {
        InstancePhase::Failed { why } => Some(why),
        _ => None,
    };
    way.port.until("it is refused", async || failed().is_some()).await;
    let why = failed().expect("just seen");
    assert!(why.contains("damaged or changed"), "{why}");
    for _ in 0..3 {
        way.port.until_heard("web1").await;
    }
    let carried = way.cable.carried();
    assert!(carried < way.size() * 2 + BESIDE, "{carried} bytes for {}", way.size());
    assert!(!way.port.dir("web1").join("releases").join(way.artifact.as_str()).exists());
    way.end(agent).await;
}
