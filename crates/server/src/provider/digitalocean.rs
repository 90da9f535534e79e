//! Machines of `DigitalOcean` (Droplets), by its API v2.
//!
//! The API has no idempotency key, so a machine's name is one: names are never used twice, what is
//! there is looked at before anything is made, and what a lost answer left behind is found under
//! its name or given back as surplus. Everything made here carries the tag of this Toehold.

mod api;
mod droplet;
mod firewall;
mod identity;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::json;
use toehold_core::machines::Given;
use toehold_core::model::{Access, Machine, MachineName};
use tokio::sync::Mutex;

use super::{Made, Provider, ProviderError};
use crate::secret::Secret;
use api::Api;
use droplet::Droplet;

/// The longest a machine may take from being asked for until it has an address.
const DEADLINE: Duration = Duration::from_mins(6);

/// How often the list is asked for while a machine is waited for: at first, and later. One list
/// serves everybody who waits.
const FIRST_LOOK: Duration = Duration::from_secs(2);
const LAST_LOOK: Duration = Duration::from_secs(10);

/// A machine that was asked for may be missing from the list for so long: until then it is not
/// asked for again.
const CONSISTENT_AFTER: Duration = Duration::from_mins(1);

/// `[machines.digitalocean]` of server.toml.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The file whose first line is the API token.
    pub token_file: PathBuf,
    /// Where machines are made: `fra1`.
    pub region: String,
    /// The size of a machine whose app names none.
    #[serde(default = "usual_size")]
    pub size: String,
    /// What is on its disk at first.
    #[serde(default = "usual_image")]
    pub image: String,
    /// The private network it is put into, by its id.
    pub vpc: Option<String>,
    /// The addresses (CIDR) that may reach it: Toehold's own. Where any is named, a firewall keeps
    /// everybody else out.
    #[serde(default)]
    pub allow_from: Vec<String>,
    /// Where the API is.
    #[serde(default = "usual_url")]
    pub api_url: String,
}

fn usual_size() -> String {
    "s-1vcpu-1gb".to_owned()
}

fn usual_image() -> String {
    "debian-12-x64".to_owned()
}

fn usual_url() -> String {
    "https://api.digitalocean.com".to_owned()
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
    asked: Mutex<BTreeMap<MachineName, Instant>>,
    guarded: Mutex<bool>,
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
            asked: Mutex::default(),
            guarded: Mutex::default(),
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
        // Of two that a lost answer left, the older is the one; the other is surplus.
        found.sort_by_key(|it| it.id);
        Ok(found.into_iter().next())
    }

    async fn make(&self, machine: &Machine) -> Result<(), ProviderError> {
        let mut asked = self.asked.lock().await;
        let is_fresh = |at: &Instant| at.elapsed() < CONSISTENT_AFTER;
        if asked.get(&machine.name).is_some_and(is_fresh) {
            return Ok(());
        }
        asked.retain(|_, at| is_fresh(at));
        self.guard().await?;
        let identity = identity::made(&self.place, &machine.name).await?;
        let mut body = json!({
            "name": machine.name,
            "region": self.settings.region,
            "size": machine.size.as_deref().unwrap_or(&self.settings.size),
            "image": self.settings.image,
            "tags": [self.place.tag],
            "user_data": identity.user_data()?,
            "monitoring": false,
            "with_droplet_agent": false,
        });
        // The contract knows no null here.
        if let Some(vpc) = &self.settings.vpc {
            body["vpc_uuid"] = json!(vpc);
        }
        // What is not answered may have been done all the same.
        asked.insert(machine.name.clone(), Instant::now());
        let made = self.api.make(&body).await;
        if made.as_ref().is_err_and(|error| !error.is_transient) {
            asked.remove(&machine.name);
        }
        made
    }

    /// Sees to the firewall, once.
    async fn guard(&self) -> Result<(), ProviderError> {
        let mut guarded = self.guarded.lock().await;
        if *guarded || self.settings.allow_from.is_empty() {
            return Ok(());
        }
        firewall::ensure(&self.api, &self.place.tag, &self.settings.allow_from).await?;
        *guarded = true;
        Ok(())
    }

    async fn wait(&self, machine: &Machine) -> Result<Made, ProviderError> {
        let (begun, mut look) = (Instant::now(), FIRST_LOOK);
        loop {
            match self.found(machine, look).await {
                Ok(Some(droplet)) => {
                    if let Some(address) = droplet.public_address() {
                        return self.made(machine, &droplet, address).await;
                    }
                }
                Ok(None) => {}
                Err(error) if !error.is_transient => return Err(error),
                // It is asked again; the deadline is the limit.
                Err(error) => {
                    tracing::warn!(machine.name = %machine.name, %error, "a machine that is being made could not be looked at");
                }
            }
            if begun.elapsed() >= DEADLINE {
                let minutes = DEADLINE.as_secs() / 60;
                return Err(ProviderError::lasting(format!(
                    "digitalocean did not have it ready within {minutes} min"
                )));
            }
            tokio::time::sleep(look).await;
            look = (look * 3 / 2).min(LAST_LOOK);
        }
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
            let given = |it: Droplet| Given { name: it.name, provider_id: it.id.to_string() };
            Ok(self.list(Duration::ZERO).await?.into_iter().map(given).collect())
        }
        .boxed()
    }

    fn ensure<'a>(&'a self, machine: &'a Machine) -> BoxFuture<'a, Result<Made, ProviderError>> {
        async {
            if self.found(machine, Duration::ZERO).await?.is_none() {
                self.make(machine).await?;
            }
            self.wait(machine).await
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
}
