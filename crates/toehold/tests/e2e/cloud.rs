//! A cloud of the tests' own, whose Droplets are real hosts.

use std::net::Ipv4Addr;
use std::ops::Deref;

use tempfile::TempDir;
use toehold_scenery::Contract;
pub use toehold_scenery::Fault;

use crate::hosts::{network, stage_at};
use crate::stage::Stage;

/// The cloud; what it gave is gone with it.
pub struct Cloud {
    inner: toehold_scenery::Cloud,
    gateway: Ipv4Addr,
    /// Outlives the hosts, which keep what they have in it.
    folder: TempDir,
}

impl Cloud {
    /// A cloud without Droplets; `None`, said aloud, where hosts cannot be made here.
    pub fn new() -> Option<Self> {
        let (network, folder) = network()?;
        let gateway = network.gateway();
        let inner = toehold_scenery::Cloud::new(network).expect("a port is free");
        Some(Self { inner, gateway, folder })
    }

    /// A Toehold that has an account here.
    pub fn stage(&self, machines: &str) -> Stage {
        let token = self.folder.path().join("token");
        std::fs::write(&token, toehold_scenery::Cloud::TOKEN).expect("the token");
        let more = format!(
            "{machines}\n[machines.digitalocean]\ntoken_file = \"{}\"\nregion = \"fra1\"\n\
             api_url = \"{}\"\nallow_from = [\"203.0.113.7/32\"]\n",
            token.display(),
            self.inner.url()
        );
        stage_at(self.gateway, &more)
    }

    /// Every call, and what the double answered, held to the contract.
    pub fn assert_held(&self) {
        let mut breaches = self.inner.breaches();
        if let Some(contract) = Contract::beside_the_project() {
            breaches.extend(self.inner.called().iter().flat_map(|it| contract.breaches(it)));
        }
        assert_eq!(breaches, Vec::<String>::new());
    }
}

impl Deref for Cloud {
    type Target = toehold_scenery::Cloud;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}
