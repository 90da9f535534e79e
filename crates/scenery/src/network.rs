//! A network on this machine: a bridge that this machine has an address on, and a network
//! namespace for each host. Making them takes root.

mod leftovers;
mod turn;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::command::run;
use crate::error::SceneryError;
use crate::host::Host;
use turn::Turn;

/// The most hosts a network has room for.
const MOST: u8 = 200;

/// A network without hosts; it ends with this.
#[derive(Debug)]
pub struct Network {
    folder: PathBuf,
    /// What the names of bridge, cables and namespaces begin with.
    prefix: String,
    /// The first three numbers of every address.
    net: [u8; 3],
    made: u8,
    /// Ends last: after it another one of the same names may be made.
    _turn: Turn,
}

impl Network {
    /// What its hosts keep lies in `folder`, which outlives them.
    ///
    /// Waits where this process has another one already.
    ///
    /// # Errors
    /// [`SceneryError::NotRoot`] where this user may not make any.
    pub fn new(folder: &Path) -> Result<Self, SceneryError> {
        let id = std::process::id();
        let [_, _, high, low] = id.to_be_bytes();
        let network = Self {
            folder: folder.to_owned(),
            prefix: leftovers::prefix(id),
            // Those of two processes at the same time come out different, with luck.
            net: [10, 64 + high % 60, low],
            made: 0,
            _turn: Turn::take(),
        };
        leftovers::sweep();
        let bridge = network.bridge();
        run("ip", &["link", "add", &bridge, "type", "bridge"]).map_err(or_not_root)?;
        run("ip", &["addr", "add", &format!("{}/24", network.gateway()), "dev", &bridge])?;
        run("ip", &["link", "set", &bridge, "up"])?;
        Ok(network)
    }

    fn bridge(&self) -> String {
        format!("{}b", self.prefix)
    }

    fn address(&self, last: u8) -> Ipv4Addr {
        let [a, b, c] = self.net;
        Ipv4Addr::new(a, b, c, last)
    }

    /// The address of this machine on the network.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        self.address(1)
    }

    /// One more host, which is wired and has no power yet. The first is called `web1`.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn host(&mut self) -> Result<Host, SceneryError> {
        if self.made == MOST {
            return Err(SceneryError::Full { most: MOST });
        }
        self.made += 1;
        let number = self.made;
        let (namespace, outer) =
            (format!("{}n{number}", self.prefix), format!("{}v{number}", self.prefix));
        let (name, address) = (format!("web{number}"), self.address(10 + number));
        run("ip", &["netns", "add", &namespace])?;
        // From here on it is taken away again, whatever comes.
        let host = Host::new(name.clone(), address, namespace.clone(), self.folder.join(name))?;
        run(
            "ip",
            &["link", "add", &outer, "type", "veth", "peer", "name", "eth0", "netns", &namespace],
        )?;
        run("ip", &["link", "set", &outer, "master", &self.bridge(), "up"])?;
        run("ip", &["-n", &namespace, "addr", "add", &format!("{address}/24"), "dev", "eth0"])?;
        for device in ["lo", "eth0"] {
            run("ip", &["-n", &namespace, "link", "set", device, "up"])?;
        }
        Ok(host)
    }
}

/// What the kernel says to whoever may not make a network is told by that name.
fn or_not_root(error: SceneryError) -> SceneryError {
    match error {
        SceneryError::Command { said, .. } if said.contains("Operation not permitted") => {
            SceneryError::NotRoot
        }
        other => other,
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Nothing more can be done than to try.
        let _ = run("ip", &["link", "del", &self.bridge()]);
    }
}
