//! Everything that outlives a table: instances with their health, and counters.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use toehold_core::model::{AppName, InstanceId, Target};
use toehold_core::wire::proxy::{AppRoute, ProxyReport, Routes};

use crate::clock;
use crate::instance::Instance;
use crate::meter::{AppMeter, Meter};
use crate::route::{Arm, Table};
use crate::sticky::Key;

/// How long what left the routes is still reported, once nothing is in flight there.
const KEPT: Duration = Duration::from_mins(1);

/// Instances and apps, those that left the routes a while ago included.
#[derive(Debug)]
pub(crate) struct Registry {
    threads: usize,
    next_key: u64,
    instances: BTreeMap<InstanceId, Known<Arc<Instance>>>,
    apps: BTreeMap<AppName, Known<Arc<AppMeter>>>,
}

/// Something the registry keeps, and since when it is out of the routes.
#[derive(Debug)]
struct Known<T> {
    it: T,
    out_since: Option<Instant>,
}

impl Registry {
    /// Counts for so many threads.
    pub(crate) const fn new(threads: usize) -> Self {
        Self { threads, next_key: 1, instances: BTreeMap::new(), apps: BTreeMap::new() }
    }

    /// The table for routes that hold. Instances keep their counters, and their health where they
    /// stay at their address.
    pub(crate) fn table(&mut self, routes: &Routes, key: Key) -> Table {
        let now = Instant::now();
        for known in self.instances.values_mut() {
            known.out_since.get_or_insert(now);
        }
        for known in self.apps.values_mut() {
            known.out_since.get_or_insert(now);
        }
        let Self { threads, next_key, instances, apps } = self;
        let arms = |route: &AppRoute| {
            let arm = |arm: &toehold_core::model::Arm| {
                let newest = *next_key;
                let find = |target| find(instances, next_key, *threads, target);
                let found: Vec<Arc<Instance>> = arm.targets.iter().map(find).collect();
                let is_new = |it: &&Arc<Instance>| it.key > newest;
                if !found.iter().all(|it| is_new(&it)) {
                    // Others serve already: these get their share bit by bit.
                    found.iter().filter(is_new).for_each(|it| it.comes());
                }
                for instance in &found {
                    instance.meter.routed_as(arm.release, arm.track);
                }
                Arm { track: arm.track, release: arm.release, weight: arm.weight, instances: found }
            };
            route.arms.iter().map(arm).collect()
        };
        let meter = |app: &AppName| {
            let fresh = || Known { it: Arc::new(AppMeter::new(*threads)), out_since: None };
            let known = apps.entry(app.clone()).or_insert_with(fresh);
            known.out_since = None;
            known.it.clone()
        };
        Table::build(routes, key, arms, meter)
    }

    /// Forgets what left the routes a minute ago and has nothing in flight.
    pub(crate) fn forget(&mut self) {
        let now = Instant::now();
        for known in self.instances.values_mut() {
            // The minute begins when the last request is through.
            if known.out_since.is_some() && known.it.meter.in_flight() > 0 {
                known.out_since = Some(now);
            }
        }
        let fresh = |since: Option<Instant>| since.is_none_or(|since| now - since < KEPT);
        self.instances.retain(|_, known| fresh(known.out_since));
        self.apps.retain(|_, known| fresh(known.out_since));
    }

    /// Instances in the routes that are set aside.
    pub(crate) fn aside(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.instances
            .values()
            .filter(|known| known.out_since.is_none())
            .map(|known| &known.it)
            .filter(|instance| instance.is_aside())
    }

    /// Adds what was counted to a report.
    pub(crate) fn read(&self, report: &mut ProxyReport) {
        report.at = clock::now();
        report.instances = self
            .instances
            .iter()
            .map(|(id, Known { it, .. })| {
                it.meter.read(id.clone(), it.why_aside(), it.is_doubted())
            })
            .collect();
        report.refused.clear();
        for (app, known) in &self.apps {
            known.it.read(app, &mut report.refused);
        }
    }
}

fn find(
    instances: &mut BTreeMap<InstanceId, Known<Arc<Instance>>>,
    next_key: &mut u64,
    threads: usize,
    target: &Target,
) -> Arc<Instance> {
    let mut make = |meter| {
        *next_key += 1;
        Arc::new(Instance::new(*next_key, target.instance.clone(), target.addr, meter))
    };
    match instances.entry(target.instance.clone()) {
        Entry::Vacant(entry) => {
            let it = make(Arc::new(Meter::new(threads)));
            entry.insert(Known { it, out_since: None }).it.clone()
        }
        Entry::Occupied(mut entry) => {
            let known = entry.get_mut();
            known.out_since = None;
            if known.it.addr != target.addr {
                known.it = make(known.it.meter.clone());
            }
            known.it.clone()
        }
    }
}
