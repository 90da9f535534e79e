//! Certificates for the hosts of apps: the loop that sees which are due, has a CA asked for them, a few
//! at a time, and tells the proxies the whole of what there is.

mod ask;
mod held;
mod tell;
mod wish;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use toehold_core::certificates::{Which, why_not_public};
use toehold_core::model::AppName;
use toehold_core::wire::certificates::Certificates;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tracing::{error, warn};

use super::{Control, ControlError};
use crate::acme::{Ca, Settings, Shelf};
use crate::layout::Layout;

use held::Held;

/// The longest time without a look.
const LOOK: Duration = Duration::from_secs(1);

/// The wait after the store could not be read.
const AGAIN: Duration = Duration::from_secs(5);

/// The most orders at a time.
const AT_ONCE: usize = 3;

/// The most hosts that get a certificate: all of them go to a proxy in one message.
const HOSTS: usize = 1_000;

/// What certificates are kept with.
pub(super) struct Keeper {
    settings: Settings,
    first: Ca,
    fallback: Option<Ca>,
    shelf: Shelf,
    held: Held,
    /// Held from when something was read of a host until what comes of it is written.
    writing: tokio::sync::Mutex<()>,
}

/// The keeper of the settings; made before anything runs, so that bad settings are found at once.
pub(super) fn prepare(settings: &Settings, layout: &Layout) -> Result<Arc<Keeper>, ControlError> {
    let folder = layout.certificates();
    let ca = |which| Ca::new(settings, which, &folder).map_err(ControlError::Setting);
    let none = || ControlError::Setting("acme.directory: it is not there".to_owned());
    Ok(Arc::new(Keeper {
        first: ca(Which::First)?.ok_or_else(none)?,
        fallback: ca(Which::Fallback)?,
        settings: settings.clone(),
        shelf: Shelf::new(folder),
        held: Held::default(),
        writing: tokio::sync::Mutex::default(),
    }))
}

/// Where certificates were kept once and are not any more, the proxies are told that there are none.
pub(super) async fn take_back(control: &Control) -> Result<(), ControlError> {
    let (docs, _) = control.store().list(held::PREFIX).await?;
    if !docs.is_empty() {
        let serial = held::serial(control.parts.epoch, 0);
        control.parts.fleet.certify(Certificates { serial, ..Certificates::default() });
    }
    Ok(())
}

/// Keeps certificates until shutdown.
pub(super) async fn run(control: Arc<Control>, keeper: Arc<Keeper>) {
    while let Err(error) = keeper.load(&control).await {
        error!(%error, "what is kept of certificates cannot be read; it is tried again");
        tokio::select! {
            () = control.shutdown.cancelled() => return,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
    let (mut orders, mut wishes) = (JoinSet::new(), JoinSet::new());
    let mut changed = control.changed.subscribe();
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = control.shutdown.cancelled() => return,
            Some(_) = orders.join_next() => {}
            Some(_) = wishes.join_next() => {}
            changed = changed.changed() => if changed.is_err() { return },
            _ = tick.tick() => {}
        }
        let wanted = control.hosts().await;
        let now = control.clock().now();
        if keeper.held.want(&wanted) {
            keeper.show(&control);
        }
        keeper.tell_ends(&control, now).await;
        keeper.forget(&control, now).await;
        // Without a proxy nobody could answer the CA; one that is new comes within a second or two.
        if !keeper.settings.enabled || !control.parts.fleet.has_proxies() {
            continue;
        }
        if wishes.is_empty() && keeper.held.has_wishes(now) {
            wishes.spawn(wish::run(Arc::clone(&control), Arc::clone(&keeper)));
        }
        let free = AT_ONCE.saturating_sub(orders.len());
        for (host, which) in keeper.held.begin(keeper.settings.directories(), now, free) {
            orders.spawn(ask::run(Arc::clone(&control), Arc::clone(&keeper), host, which));
        }
    }
}

impl Keeper {
    fn ca(&self, which: Which) -> &Ca {
        match which {
            Which::First => &self.first,
            Which::Fallback => self.fallback.as_ref().unwrap_or(&self.first),
        }
    }

    /// Tells the proxies what there is now; the answer is its serial.
    fn show(&self, control: &Control) -> u64 {
        let redirect = self.settings.redirect;
        self.held.show(control.parts.epoch, redirect, |all| control.parts.fleet.certify(all))
    }
}

impl Control {
    /// The hosts of routed apps that a public CA can give a certificate for, with the app of each.
    pub(super) async fn hosts(&self) -> BTreeMap<String, AppName> {
        let apps = self.apps.lock().await;
        let mut hosts = BTreeMap::new();
        for (name, loaded) in &apps.by_name {
            if loaded.app.route.arms.is_empty() {
                continue;
            }
            for host in super::project::hosts(loaded) {
                if why_not_public(&host).is_none() {
                    hosts.entry(host).or_insert_with(|| name.clone());
                }
            }
        }
        if hosts.len() > HOSTS {
            warn!(
                hosts = hosts.len(),
                "more than {HOSTS} hosts want a certificate: the last get none"
            );
            hosts = hosts.into_iter().take(HOSTS).collect();
        }
        hosts
    }
}
