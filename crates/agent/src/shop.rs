//! What all instances on a machine share: folders, ports, logs, and the board.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use toehold_core::model::{Digest, InstanceId};
use toehold_core::wire::agent::Placed;
use toehold_host::process::{Marker, boot_id, marked};

use crate::artifact::{Artifacts, Limits};
use crate::board::Board;
use crate::bringing::Bringing;
use crate::dial::ControlPlane;
use crate::journal::Journals;
use crate::release::Releases;
use crate::sample::Measured;

/// The variable every process of an instance carries, to be found by.
pub(crate) const MARK: &str = "TOEHOLD_INSTANCE";

/// Variables of the agent that an app may see.
const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];

/// What all instances on a machine share.
pub(crate) struct Shop {
    pub(crate) dir: PathBuf,
    /// Where artifacts come from that are not on this machine.
    pub(crate) control: ControlPlane,
    /// Whose turn it is to be brought here: two instances of a release need it once.
    pub(crate) bringing: Bringing,
    pub(crate) board: Board,
    pub(crate) artifacts: Artifacts,
    pub(crate) journals: Journals,
    pub(crate) releases: Releases,
    /// This boot: what was written down in another one runs no more.
    pub(crate) boot: String,
    /// Tells this state folder from others on the machine.
    folder: String,
    inherited: Vec<(OsString, OsString)>,
    running: Mutex<BTreeMap<InstanceId, Measured>>,
    ports: Mutex<BTreeMap<InstanceId, u16>>,
}

impl Shop {
    /// The shop whose state lies in `dir`, which is there.
    pub(crate) fn open(dir: &Path, control: ControlPlane) -> io::Result<Self> {
        let dir = fs::canonicalize(dir)?;
        fs::create_dir_all(dir.join("instances"))?;
        let folder = Digest::of(dir.as_os_str().as_encoded_bytes()).short().to_owned();
        Ok(Self {
            board: Board::default(),
            artifacts: Artifacts::new(dir.join("releases"), Limits::default()),
            journals: Journals::new(dir.join("log")),
            releases: Releases::open(dir.join("release-commands")),
            boot: boot_id(),
            folder,
            inherited: inherited(),
            running: Mutex::default(),
            ports: Mutex::default(),
            control,
            bringing: Bringing::default(),
            dir,
        })
    }

    /// The mark of an instance of this agent: another agent on the same machine has other marks.
    pub(crate) fn marker(&self, id: &InstanceId) -> Marker {
        Marker { name: MARK.to_owned(), value: format!("{id}@{}", self.folder) }
    }

    /// Every live process that carries a mark of ours, with its instance.
    pub(crate) fn marked(&self) -> Vec<(toehold_core::model::RunId, InstanceId)> {
        let ours = |value: &str| {
            let (id, folder) = value.rsplit_once('@')?;
            if folder == self.folder { id.parse().ok() } else { None }
        };
        marked(MARK).into_iter().filter_map(|(run, value)| Some((run, ours(&value)?))).collect()
    }

    /// The name of an instance's cgroup.
    pub(crate) fn group_name(&self, id: &InstanceId) -> String {
        format!("{}-{}", id.file_name(), self.folder)
    }

    /// The whole environment of an instance: what it was given, over a few variables of the
    /// agent's, under what Toehold says.
    pub(crate) fn environment(&self, placed: &Placed, port: u16) -> Vec<(OsString, OsString)> {
        let ours = [
            ("PORT", port.to_string()),
            ("HOST", placed.listen.to_string()),
            ("RELEASE", placed.release.0.to_string()),
            ("TRACK", placed.track.to_string()),
            ("INSTANCE", placed.id.to_string()),
            ("TOEHOLD_DATA", self.data_dir(placed).display().to_string()),
        ];
        let mut env: BTreeMap<OsString, OsString> = self.inherited.iter().cloned().collect();
        env.extend(placed.env.iter().map(|(key, value)| (key.into(), value.into())));
        env.extend(ours.map(|(key, value)| (key.into(), value.into())));
        env.into_iter().collect()
    }

    /// The folder all instances of an app on this machine share.
    pub(crate) fn data_dir(&self, placed: &Placed) -> PathBuf {
        let ours = || self.dir.join("data").join(placed.id.app().as_str());
        placed.data_dir.as_ref().map_or_else(ours, PathBuf::from)
    }

    /// Where an artifact lies that was brought here.
    pub(crate) fn packed(&self, artifact: &Digest) -> PathBuf {
        self.dir.join("artifacts").join(format!("{}.tar.zst", artifact.as_str()))
    }

    /// Removes what was brought of artifacts that nobody needs any more.
    pub(crate) fn forget_packed(&self, used: &BTreeSet<Digest>) {
        for entry in fs::read_dir(self.dir.join("artifacts")).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let is_used = used.iter().any(|it| name.to_string_lossy().starts_with(it.as_str()));
            if !is_used && let Err(error) = fs::remove_file(entry.path()) {
                tracing::warn!(path = %entry.path().display(), %error, "What was brought of an artifact could not be removed.");
            }
        }
    }

    /// A port of this machine for an instance: `wanted` where it is free, so that it stays the
    /// same over restarts; else one that is free now.
    pub(crate) fn port(&self, placed: &Placed, wanted: Option<u16>) -> io::Result<u16> {
        let (id, at) = (&placed.id, placed.listen);
        let mut ports = lock(&self.ports);
        ports.remove(id);
        let taken = |port: &u16| ports.values().any(|other| other == port);
        let port = match wanted.filter(|port| !taken(port) && bind(at, *port).is_ok()) {
            Some(port) => port,
            None => loop {
                // One given to an instance that does not listen yet is free only seemingly.
                let port = bind(at, 0)?;
                if !taken(&port) {
                    break port;
                }
            },
        };
        ports.insert(id.clone(), port);
        Ok(port)
    }

    /// An instance that was found running keeps its port.
    pub(crate) fn holds_port(&self, id: &InstanceId, port: u16) {
        lock(&self.ports).insert(id.clone(), port);
    }

    /// An instance that is gone needs no port.
    pub(crate) fn free_port(&self, id: &InstanceId) {
        lock(&self.ports).remove(id);
    }

    /// An instance runs: measure it.
    pub(crate) fn measure(&self, id: &InstanceId, measured: Measured) {
        lock(&self.running).insert(id.clone(), measured);
    }

    /// It does not any more.
    pub(crate) fn unmeasure(&self, id: &InstanceId) {
        lock(&self.running).remove(id);
    }

    /// What is to be measured.
    pub(crate) fn measured(&self) -> BTreeMap<InstanceId, Measured> {
        lock(&self.running).clone()
    }
}

fn bind(at: IpAddr, port: u16) -> io::Result<u16> {
    Ok(TcpListener::bind((at, port))?.local_addr()?.port())
}

fn inherited() -> Vec<(OsString, OsString)> {
    let defaults = [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/"),
        ("LANG", "C.UTF-8"),
    ];
    let mut env: BTreeMap<OsString, OsString> =
        defaults.map(|(key, value)| (key.into(), value.into())).into();
    env.extend(INHERITED.iter().filter_map(|key| Some(((*key).into(), std::env::var_os(key)?))));
    env.into_iter().collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is one insertion or removal: there is no half-made state to be afraid of.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
