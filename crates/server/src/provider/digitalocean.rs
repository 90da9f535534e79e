//! Machines of `DigitalOcean` (Droplets), by its API v2.
//!
//! The API has no idempotency key, so a machine's name is one: names are never used twice, what is
//! there is looked at before anything is made, and what a lost answer left behind is found under
//! its name or given back as surplus. Everything made here carries the tag of this Toehold.

mod api;
mod droplet;
mod firewall;
mod gate;
mod identity;
mod settings;
mod watch;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use toehold_core::machines::Given;
use toehold_core::model::{Access, Machine, MachineName};
use tokio::sync::Mutex;

use super::{Ensured, Guard, Made, Provider, ProviderError};
use crate::secret::Secret;
use api::{Api, MakeError};
use droplet::Droplet;
use watch::Watch;

pub use settings::Settings;

/// While a machine is waited for, a list of this age is good enough: one serves everybody who waits.
const SHARED: Duration = Duration::from_secs(2);

/// How long is waited before something is asked for again.
#[derive(Clone, Copy)]
struct Pace {
    /// A machine that was promised may be missing from the list for so long.
    promised: Duration,
    /// One that was asked for without a clear answer, the first time; each further time it is twice
    /// as long, up to `promised`.
    unclear: Duration,
}

const PACE: Pace = Pace { promised: Duration::from_mins(1), unclear: Duration::from_secs(5) };

impl Pace {
    /// The wait after so many answers before that were unclear.
    fn after_unclear(self, before: u32) -> Duration {
        self.unclear.saturating_mul(1 << before.min(10)).min(self.promised)
    }
}

/// That a machine was asked for.
#[derive(Clone, Copy)]
struct Ask {
    /// Until then it is not asked for again, unless the list is without it by then.
    holds_until: Instant,
    /// What it is called, where that was answered.
    id: Option<u64>,
    /// How often it was asked for without a clear answer.
    unclear: u32,
}

/// Where what belongs to this Toehold lies.
pub struct Place {
    /// Toehold's own private key for SSH.
    pub key: PathBuf,
    /// A folder for the host keys that machines are made with.
    pub host_keys: PathBuf,
    /// What everything made here is marked with.
    pub tag: String,
}

/// The provider.
pub struct DigitalOcean {
    api: Api,
    settings: Settings,
    place: Place,
    listed: Mutex<Option<(Instant, Vec<Droplet>)>>,
    asked: std::sync::Mutex<BTreeMap<MachineName, Ask>>,
    pace: Pace,
    watch: Watch,
}

impl DigitalOcean {
    /// The provider as it is set up. An error says what is wrong with the settings.
    pub fn new(settings: Settings, token: Secret, place: Place) -> Result<Self, String> {
        let api = Api::new(&settings.api_url, token)?;
        Ok(Self {
            api,
            settings,
            place,
            listed: Mutex::default(),
            asked: std::sync::Mutex::default(),
            pace: PACE,
            watch: Watch::default(),
        })
    }

    /// Everything with our tag, not older than `age`.
    async fn list(&self, age: Duration) -> Result<Vec<Droplet>, ProviderError> {
        let mut listed = self.listed.lock().await;
        if let Some((at, droplets)) = &*listed
            && at.elapsed() < age
        {
            return Ok(droplets.clone());
        }
        let droplets = self.api.list(&self.place.tag).await?;
        *listed = Some((Instant::now(), droplets.clone()));
        Ok(droplets)
    }

    async fn found(
        &self,
        machine: &Machine,
        age: Duration,
    ) -> Result<Option<Droplet>, ProviderError> {
        let mut found = self.list(age).await?;
        found.retain(|it| it.name == machine.name.as_str());
        // Of two that a lost answer left, the one that is known is the one, else the older; the
        // other is surplus.
        let is_known = |it: &Droplet| Some(it.id.to_string()) == machine.provider_id;
        found.sort_by_key(|it| (!is_known(it), it.id));
        Ok(found.into_iter().next())
    }

    /// Asks for a machine, unless it was asked for a moment ago; gives its id where that is known.
    async fn make(&self, machine: &Machine) -> Result<Option<u64>, ProviderError> {
        if let Some(ask) = self.asked_for(&machine.name) {
            return Ok(ask.id);
        }
        self.ensure_guard().await?;
        let identity = identity::made(&self.place, &machine.name).await?;
        let body = self.body(machine, &identity.user_data()?);
        // What is not answered may have been done all the same, also where nobody hears the answer.
        let unclear = self.note_unclear(&machine.name);
        match self.api.make(&body).await {
            Ok(id) => {
                let holds_until = Instant::now() + self.pace.promised;
                let ask = Ask { holds_until, id: Some(id), unclear };
                self.asked().insert(machine.name.clone(), ask);
                Ok(Some(id))
            }
            Err(MakeError::Refused(error)) => {
                self.asked().remove(&machine.name);
                Err(error)
            }
            Err(MakeError::Unclear(error)) => Err(error),
        }
    }

    fn body(&self, machine: &Machine, user_data: &str) -> Value {
        let mut body = json!({
            "name": machine.name,
            "region": self.settings.region,
            "size": machine.size.as_deref().unwrap_or(&self.settings.size),
            "image": self.settings.image,
            "tags": [self.place.tag],
            "user_data": user_data,
            "monitoring": false,
            "with_droplet_agent": false,
        });
        // The contract knows no null here, and an empty list says nothing.
        if !self.settings.ssh_keys.is_empty() {
            body["ssh_keys"] = json!(self.settings.ssh_keys);
        }
        if let Some(vpc) = &self.settings.vpc {
            body["vpc_uuid"] = json!(vpc);
        }
        body
    }

    /// What is known of a machine that was asked for a moment ago; `None` where it was not.
    fn asked_for(&self, name: &MachineName) -> Option<Ask> {
        self.asked().get(name).copied().filter(|it| it.holds_until > Instant::now())
    }

    /// Says how often the machine was asked for without a clear answer, this time included.
    fn note_unclear(&self, name: &MachineName) -> u32 {
        let now = Instant::now();
        let mut asked = self.asked();
        asked.retain(|of, it| of == name || it.holds_until > now);
        let before = asked.get(name).map_or(0, |it| it.unclear);
        let unclear = before.saturating_add(1);
        let holds_until = now + self.pace.after_unclear(before);
        asked.insert(name.clone(), Ask { holds_until, id: None, unclear });
        unclear
    }

    fn asked(&self) -> MutexGuard<'_, BTreeMap<MachineName, Ask>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to the firewall, once.
    async fn ensure_guard(&self) -> Result<(), ProviderError> {
        let (tag, allow_from) = (&self.place.tag, &self.settings.allow_from);
        if allow_from.is_empty() {
            return Ok(());
        }
        self.watch.see_to(firewall::ensure(&self.api, tag, allow_from)).await
    }

    async fn made(
        &self,
        machine: &Machine,
        droplet: &Droplet,
        address: IpAddr,
    ) -> Result<Made, ProviderError> {
        let host_key = identity::read(&self.place, &machine.name).await?;
        let access =
            Access { user: "root".to_owned(), host: address.to_string(), port: 22, host_key };
        Ok(Made { provider_id: droplet.id.to_string(), address, access })
    }
}

impl Provider for DigitalOcean {
    fn observe(&self) -> BoxFuture<'_, Result<Vec<Given>, ProviderError>> {
        async {
            // What was made before this start has to be as safe as what is made after it. A failure
            // is said by the guard: it is no reason to know nothing of the machines.
            if self.watch.again.pass().is_ok() {
                let _ = self.ensure_guard().await;
            }
            let given = |it: Droplet| Given { name: it.name, provider_id: it.id.to_string() };
            Ok(self.list(Duration::ZERO).await?.into_iter().map(given).collect())
        }
        .boxed()
    }

    fn ensure<'a>(&'a self, machine: &'a Machine) -> BoxFuture<'a, Result<Ensured, ProviderError>> {
        async {
            // Before a machine is asked for, and asked for again, it is looked whether it is there.
            let makes = self.asked_for(&machine.name).is_none() && self.api.making.pass().is_ok();
            let age = if makes { Duration::ZERO } else { SHARED };
            let id = match self.found(machine, age).await? {
                None => self.make(machine).await?,
                Some(droplet) => match droplet.public_address() {
                    Some(address) => {
                        let made = self.made(machine, &droplet, address).await?;
                        return Ok(Ensured::Made(made));
                    }
                    None => Some(droplet.id),
                },
            };
            Ok(Ensured::Coming { provider_id: id.map(|id| id.to_string()) })
        }
        .boxed()
    }

    fn remove<'a>(&'a self, machine: &'a Machine) -> BoxFuture<'a, Result<(), ProviderError>> {
        async {
            if let Some(id) = &machine.provider_id {
                self.api.remove(id).await?;
            }
            for droplet in self.list(Duration::ZERO).await? {
                if droplet.name == machine.name.as_str() {
                    self.api.remove(&droplet.id.to_string()).await?;
                }
            }
            identity::forget(&self.place, &machine.name).await;
            Ok(())
        }
        .boxed()
    }

    fn discard<'a>(&'a self, given: &'a Given) -> BoxFuture<'a, Result<(), ProviderError>> {
        self.api.remove(&given.provider_id).boxed()
    }

    fn prices(&self) -> BoxFuture<'_, Result<BTreeMap<String, f64>, ProviderError>> {
        self.api.prices().boxed()
    }

    fn guard(&self) -> Guard {
        if self.settings.allow_from.is_empty() { Guard::None } else { self.watch.now() }
    }
}

#[cfg(test)]
mod tests;
