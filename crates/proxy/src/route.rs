//! Routes in force: from a host to an app, from an app to its arms and their instances.

mod check;
mod choose;

#[cfg(test)]
mod tests;

pub(crate) use check::check;
pub(crate) use choose::{Aim, Choice, Tried, choose};

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use toehold_core::model::{AppName, Number, Track};
use toehold_core::wire::proxy::{AppRoute, Routes, TrackKey};

use crate::instance::Instance;
use crate::meter::AppMeter;
use crate::sticky::Key;

/// Everything a request needs to find its instance. It never changes; a new one takes its place.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) key: Key,
    apps: Vec<Arc<App>>,
    hosts: HashMap<String, usize>,
    names: HashMap<AppName, usize>,
}

/// An app's route.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) name: AppName,
    pub(crate) arms: Vec<Arm>,
    pub(crate) sticky: bool,
    pub(crate) timeout: Duration,
    pub(crate) max_body_bytes: u64,
    /// Who knows it names their track.
    pub(crate) track_key: TrackKey,
    pub(crate) meter: Arc<AppMeter>,
}

/// A release and its share.
#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) track: Track,
    pub(crate) release: Number,
    pub(crate) weight: u32,
    pub(crate) instances: Vec<Arc<Instance>>,
}

impl Table {
    /// From routes that hold ([`check`]); `instances` and `meter` find what is counted on.
    pub(crate) fn build(
        routes: &Routes,
        key: Key,
        mut arms: impl FnMut(&AppRoute) -> Vec<Arm>,
        mut meter: impl FnMut(&AppName) -> Arc<AppMeter>,
    ) -> Self {
        let mut table = Self { key, ..Self::default() };
        for (at, route) in routes.apps.iter().enumerate() {
            table.names.insert(route.app.clone(), at);
            table.hosts.insert(format!("{}.localhost", route.app), at);
            for host in &route.hosts {
                table.hosts.insert(host.clone(), at);
            }
            table.apps.push(Arc::new(App {
                name: route.app.clone(),
                arms: arms(route),
                sticky: route.sticky,
                timeout: route.timeout,
                max_body_bytes: route.max_body_bytes,
                track_key: route.track_key.clone(),
                meter: meter(&route.app),
            }));
        }
        table
    }

    /// The app that answers to `host` (lower case, without a port). One that is alone answers to
    /// every host.
    pub(crate) fn app(&self, host: &str) -> Option<&Arc<App>> {
        match self.apps.as_slice() {
            [alone] => Some(alone),
            apps => self.hosts.get(host).map(|&at| &apps[at]),
        }
    }

    /// The app with this name.
    pub(crate) fn named(&self, name: &AppName) -> Option<&Arc<App>> {
        self.names.get(name).map(|&at| &self.apps[at])
    }

    /// Whether an instance is in any arm.
    pub(crate) fn holds(&self, key: u64) -> bool {
        self.arms().any(|arm| arm.holds(key))
    }

    /// The arms of all apps.
    pub(crate) fn arms(&self) -> impl Iterator<Item = &Arm> {
        self.apps.iter().flat_map(|app| &app.arms)
    }
}

impl Arm {
    /// Whether an instance is in it.
    pub(crate) fn holds(&self, key: u64) -> bool {
        self.instances.iter().any(|instance| instance.key == key)
    }
}

impl App {
    /// Whether any arm gets new requests.
    pub(crate) fn serves(&self) -> bool {
        self.arms.iter().any(|arm| arm.weight > 0)
    }

    /// Whether this arm gets new requests.
    pub(crate) fn serves_arm(&self, named: Option<(Track, Number)>) -> bool {
        let is_it = |arm: &Arm| arm.weight > 0 && named == Some((arm.track, arm.release));
        self.arms.iter().any(is_it)
    }

    /// Whether any instance that gets new requests can be reached, as far as is known.
    pub(crate) fn has_reached(&self) -> bool {
        let mut serving = self.arms.iter().filter(|arm| arm.weight > 0);
        serving.any(|arm| arm.instances.iter().any(|instance| !instance.is_dead()))
    }

    /// Whether more than one arm gets new requests.
    pub(crate) fn is_split(&self) -> bool {
        self.arms.iter().filter(|arm| arm.weight > 0).count() > 1
    }

    /// Whether another release than that on this track gets new requests.
    pub(crate) fn serves_beside(&self, track: Track) -> bool {
        self.arms.iter().any(|arm| arm.weight > 0 && arm.track != track)
    }

    /// Whether an instance of it died within the last `time`: it may be back at once.
    pub(crate) fn has_just_failed(&self, time: Duration) -> bool {
        let mut instances = self.arms.iter().flat_map(|arm| &arm.instances);
        instances.any(|instance| instance.dead_for().is_some_and(|dead| dead < time))
    }
}
