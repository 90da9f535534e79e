//! What is written down of an instance, so that another agent can take it up.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toehold_core::model::{Exit, InstanceId, Number, RunId};
use toehold_core::time::Timestamp;
use toehold_core::wire::agent::Placed;
use toehold_host::cgroup::Cgroup;
use toehold_host::durable;

use crate::shop::Shop;

/// What has to be there before a process is started.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) folder: PathBuf,
    pub(super) port: u16,
}

/// Time between SIGTERM and SIGKILL where nothing says how long.
const GRACE: Duration = Duration::from_secs(10);

/// What is written down of an instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) release: Number,
    /// The boot of the machine this was written in.
    pub(super) boot: String,
    /// The port it listens on, or is about to.
    pub(super) port: Option<u16>,
    /// The address of this machine it listens at.
    #[serde(default = "here")]
    pub(super) listen: IpAddr,
    /// Its process; `None` while it has none, or it was not written down yet.
    pub(super) run: Option<RunId>,
    pub(super) group: Option<Cgroup>,
    /// Processes of the group that were ended for memory before this run.
    pub(super) oom_kills: u64,
    pub(super) started_at: Option<Timestamp>,
    pub(super) healthy: bool,
    pub(super) healthy_since: Option<Timestamp>,
    pub(super) restarts: u32,
    /// Deaths in a row.
    pub(super) streak: u32,
    pub(super) last_exit: Option<Exit>,
    /// For one that is not placed any more when the agent comes back.
    pub(super) grace: Duration,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            release: Number(0),
            boot: String::new(),
            port: None,
            listen: here(),
            run: None,
            group: None,
            oom_kills: 0,
            started_at: None,
            healthy: false,
            healthy_since: None,
            restarts: 0,
            streak: 0,
            last_exit: None,
            grace: GRACE,
        }
    }
}

const fn here() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

impl Kept {
    /// Where it listens, or is about to.
    pub(super) fn addr(&self) -> Option<SocketAddr> {
        self.port.map(|port| SocketAddr::new(self.listen, port))
    }

    /// What is written down; the beginning where nothing is, or where it is damaged: then the
    /// process is found by its mark, and stopped if where it listens is not known.
    pub(super) fn open(shop: &Shop, id: &InstanceId) -> Self {
        durable::load(&path(shop, id)).unwrap_or_else(|error| {
            tracing::error!(instance.id = %id, %error, "What was written down of an instance is lost.");
            None
        }).unwrap_or_default()
    }

    /// About to start.
    pub(super) fn intend(&mut self, shop: &Shop, placed: &Placed, ready: &Ready) {
        self.release = placed.release;
        self.boot.clone_from(&shop.boot);
        self.port = Some(ready.port);
        self.listen = placed.listen;
        self.run = None;
        self.grace = placed.grace;
        self.healthy = false;
        self.healthy_since = None;
    }

    /// Writes it down. Where that fails the instance is kept running all the same: an app that
    /// serves is worth more than our memory of it, and its mark is there to find it by.
    pub(super) fn save(&self, shop: &Shop, id: &InstanceId) {
        if let Err(error) = durable::save(&path(shop, id), self) {
            tracing::error!(instance.id = %id, %error, "What is known of an instance could not be written down.");
        }
    }

    /// Forgets it.
    pub(super) fn remove(shop: &Shop, id: &InstanceId) {
        let path = path(shop, id);
        for path in [path.with_added_extension("prev"), path] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "A file of an instance that is gone could not be removed.");
                }
                Ok(()) | Err(_) => {}
            }
        }
    }
}

/// The instances something is written down of.
pub(crate) fn known(shop: &Shop) -> Vec<InstanceId> {
    let entries = std::fs::read_dir(shop.dir.join("instances")).into_iter().flatten().flatten();
    let id = |name: &str| {
        let (app, ordinal) = name.strip_suffix(".prev").unwrap_or(name).split_once(".web.")?;
        format!("{app}/web.{ordinal}").parse().ok()
    };
    entries.filter_map(|entry| id(entry.file_name().to_str()?)).collect()
}

fn path(shop: &Shop, id: &InstanceId) -> PathBuf {
    shop.dir.join("instances").join(id.file_name())
}
