//! A proxy without a control plane: its backends stand in a file, and it follows that file.

mod backends;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::time::{sleep, timeout};

use crate::alone::backends::{Backend, parse, route};
use crate::look::Look;
use crate::registry::Registry;
use crate::sticky::Key;
use crate::worker::Shared;

/// How often is looked whether the file is another one.
const LOOK: Duration = Duration::from_millis(20);

/// The longest a name may take to be resolved.
const RESOLVE: Duration = Duration::from_secs(2);

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why the backends of a file cannot be used.
#[derive(Debug, Error)]
pub enum BackendsError {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It says something else than backends.
    #[error("{path}: {why}")]
    Wrong {
        /// Which.
        path: PathBuf,
        /// What and where.
        why: String,
    },
}

/// The file, followed.
pub(crate) struct Alone {
    shared: Arc<Shared>,
    registry: Rc<RefCell<Registry>>,
    path: PathBuf,
    /// What the file was like when it was read last.
    seen: RefCell<Option<Look>>,
    /// The number of each backend, which stays the same for as long as it is there: by it are its
    /// health and its counters known.
    numbers: RefCell<BTreeMap<SocketAddr, u64>>,
}

impl Alone {
    /// With the backends of the file in force.
    pub(crate) async fn open(
        shared: Arc<Shared>,
        registry: Rc<RefCell<Registry>>,
        path: PathBuf,
    ) -> Result<Self, BackendsError> {
        let alone =
            Self { shared, registry, path, seen: RefCell::default(), numbers: RefCell::default() };
        alone.seen.replace(Look::at(&alone.path).ok());
        alone.apply().await?;
        Ok(alone)
    }

    /// Puts in force what the file says, each time it is another one, for ever.
    pub(crate) async fn follow(self) {
        loop {
            sleep(LOOK).await;
            // Between two names of a file there may be none: what is in force stays so.
            let Ok(look) = Look::at(&self.path) else { continue };
            if self.seen.replace(Some(look)) == Some(look) {
                continue;
            }
            match self.apply().await {
                Ok(count) => tracing::info!("{count} backends are in force"),
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the backends of before stay in force"
                ),
            }
        }
    }

    async fn apply(&self) -> Result<usize, BackendsError> {
        let path = || self.path.clone();
        let text =
            read(&self.path).map_err(|source| BackendsError::Read { path: path(), source })?;
        let wrong = |why| BackendsError::Wrong { path: path(), why };
        let mut backends = Vec::new();
        for said in parse(&text).map_err(wrong)? {
            let found = timeout(RESOLVE, tokio::net::lookup_host(&said.address)).await;
            let addr = match found {
                // Many names of this machine and others lead to an IPv6 address nobody listens at.
                Ok(Ok(found)) => {
                    let found: Vec<SocketAddr> = found.collect();
                    found.iter().find(|it| it.is_ipv4()).or(found.first()).copied()
                }
                Ok(Err(error)) => {
                    return Err(wrong(format!("line {}: {}: {error}", said.line, said.address)));
                }
                Err(_) => None,
            };
            let nowhere = || wrong(format!("line {}: {} leads nowhere", said.line, said.address));
            backends.push(Backend { addr: addr.ok_or_else(nowhere)?, weight: said.weight });
        }
        let mut numbers = self.numbers.borrow_mut();
        let routes = route(&backends, &mut numbers).map_err(wrong)?;
        let table = self.registry.borrow_mut().table(&routes, Key::default());
        self.shared.table.store(Arc::new(table));
        self.shared.next_turn();
        Ok(backends.len())
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(text)
}
