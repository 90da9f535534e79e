//! Machines that are there already: somebody named them, and SSH leads to them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use toehold_core::machines::Given;
use toehold_core::model::{Access, Machine};

use super::bring::leave;
use super::shell::Shell;
use super::{Ensured, Guard, Made, Provider, ProviderError};

/// The longest a name may take to be resolved.
const RESOLVE: Duration = Duration::from_secs(10);

/// Machines that are there already.
pub struct SshHosts {
    /// Toehold's own private key.
    pub key: PathBuf,
    /// A folder for what `ssh` wants to read.
    pub run: PathBuf,
}

impl Provider for SshHosts {
    /// Nobody lists them but us.
    fn observe(&self) -> BoxFuture<'_, Result<Vec<Given>, ProviderError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    /// It is there already: where?
    fn ensure<'a>(&'a self, machine: &'a Machine) -> BoxFuture<'a, Result<Ensured, ProviderError>> {
        async {
            let access = access(machine)?;
            let address = match machine.address {
                Some(address) => address,
                None => resolve(access).await?,
            };
            let provider_id = format!("{}:{}", access.host, access.port);
            Ok(Ensured::Made(Made { provider_id, address, access: access.clone() }))
        }
        .boxed()
    }

    /// The agent ends there, with what it keeps. One that cannot be reached is left as it is: its
    /// certificate is worth nothing any more.
    fn remove<'a>(&'a self, machine: &'a Machine) -> BoxFuture<'a, Result<(), ProviderError>> {
        async {
            let access = access(machine)?;
            let shell = Shell { machine: &machine.name, access, key: &self.key, run: &self.run };
            if let Err(error) = leave(&shell).await {
                tracing::warn!(machine.name = %machine.name, %error, "the agent on a machine that was removed could not be ended");
            }
            Ok(())
        }
        .boxed()
    }

    fn discard<'a>(&'a self, _given: &'a Given) -> BoxFuture<'a, Result<(), ProviderError>> {
        async { Ok(()) }.boxed()
    }

    fn prices(&self) -> BoxFuture<'_, Result<BTreeMap<String, f64>, ProviderError>> {
        async { Ok(BTreeMap::new()) }.boxed()
    }

    /// Whoever gave them sees to that.
    fn guard(&self) -> Guard {
        Guard::None
    }
}

fn access(machine: &Machine) -> Result<&Access, ProviderError> {
    machine.access.as_ref().ok_or_else(|| {
        ProviderError::lasting(format!(
            "it is not known how to reach {}: add it again",
            machine.name
        ))
    })
}

async fn resolve(access: &Access) -> Result<IpAddr, ProviderError> {
    let failed = |why: String| {
        ProviderError::transient(format!("{} has no address that can be found: {why}", access.host))
    };
    let looked =
        tokio::time::timeout(RESOLVE, tokio::net::lookup_host((&*access.host, access.port)));
    let mut found = looked
        .await
        .map_err(|_| failed(format!("no answer within {} s", RESOLVE.as_secs())))?
        .map_err(|error| failed(error.to_string()))?;
    found.next().map(|it| it.ip()).ok_or_else(|| failed("no answer".to_owned()))
}
