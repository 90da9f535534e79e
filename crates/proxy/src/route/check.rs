//! What must hold of routes before they are put in force, whoever sends them.

use std::collections::BTreeSet;

use toehold_core::model::Arm;
use toehold_core::wire::proxy::{AppRoute, Routes};

use crate::sticky::Key;

/// The shortest secret by which a track is named, in characters.
const MIN_TRACK_KEY: usize = 16;

/// The key of the cookies where the routes hold, or what is wrong with them.
pub(crate) fn check(routes: &Routes) -> Result<Key, String> {
    let mut apps = BTreeSet::new();
    let mut hosts = BTreeSet::new();
    for route in &routes.apps {
        let app = &route.app;
        if !apps.insert(app) {
            return Err(format!("{app} is there twice"));
        }
        check_hosts(route, &mut hosts)?;
        check_arms(route).map_err(|why| format!("{app}: {why}"))?;
        // Such a short one could be guessed.
        if (1..MIN_TRACK_KEY).contains(&route.track_key.reveal().len()) {
            return Err(format!("{app}: the secret of its tracks has less than 16 characters"));
        }
        if route.timeout.is_zero() {
            return Err(format!("{app}: no request can be answered within 0 s"));
        }
    }
    let sticky = routes.apps.iter().any(|route| route.sticky);
    match Key::from_hex(&routes.cookie_key) {
        Some(key) => Ok(key),
        None if !sticky && routes.cookie_key.is_empty() => Ok(Key::default()),
        None => Err("the key of the cookies is not at least 16 bytes in hex".into()),
    }
}

fn check_hosts(route: &AppRoute, hosts: &mut BTreeSet<String>) -> Result<(), String> {
    let own = format!("{}.localhost", route.app);
    let named = route.hosts.iter().filter(|&host| *host != own);
    for host in named.chain([&own]) {
        let fits = |c: char| !c.is_ascii_uppercase() && !c.is_whitespace() && !"/:@".contains(c);
        if host.is_empty() || !host.chars().all(fits) {
            return Err(format!("{}: {host:?} is not a host in lower case", route.app));
        }
        if !hosts.insert(host.clone()) {
            return Err(format!("the host {host} is there twice"));
        }
    }
    Ok(())
}

fn check_arms(route: &AppRoute) -> Result<(), String> {
    let mut tracks = BTreeSet::new();
    let mut instances = BTreeSet::new();
    let mut addrs = BTreeSet::new();
    for Arm { track, weight, targets, .. } in &route.arms {
        if !tracks.insert(track) {
            return Err(format!("{track} is there twice"));
        }
        if *weight > 0 && targets.is_empty() {
            return Err(format!("{track} should get requests and has no instance"));
        }
        for target in targets {
            let id = &target.instance;
            if *id.app() != route.app {
                return Err(format!("{id} is not an instance of it"));
            }
            if !instances.insert(id) {
                return Err(format!("{id} is there twice"));
            }
            if target.addr.port() == 0 || !addrs.insert(target.addr) {
                return Err(format!("{id} cannot be reached at {}", target.addr));
            }
        }
    }
    Ok(())
}
