//! What a file of backends says, a line each: `HOST:PORT` or `HOST:PORT*WEIGHT`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use toehold_core::model::{AppName, Arm, InstanceId, Number, Target, Track};
use toehold_core::wire::Order;
use toehold_core::wire::proxy::{AppRoute, Routes, TrackKey};

/// What all backends together are called where counters are shown.
const APP: &str = "backends";

/// The greatest weight of a backend.
const MAX_WEIGHT: u32 = 10_000;

/// The most backends of a file.
const MAX_BACKENDS: usize = 10_000;

/// The longest a request may take to be answered, and the largest body of one, as an app has them
/// that says nothing of it.
const TIMEOUT: Duration = Duration::from_mins(1);
const MAX_BODY_BYTES: u64 = 64 * 1024 * 1024;

/// A backend as its line says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) line: usize,
    /// `HOST:PORT`.
    pub(super) address: String,
    pub(super) weight: u32,
}

/// A backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backend {
    pub(super) addr: SocketAddr,
    pub(super) weight: u32,
}

/// Reads a file. Empty lines, and what stands behind a `#`, say nothing.
pub(super) fn parse(text: &str) -> Result<Vec<Said>, String> {
    let mut all = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let said = line.split('#').next().unwrap_or_default().trim();
        if said.is_empty() {
            continue;
        }
        let line = at + 1;
        let (address, weight) = match said.split_once('*') {
            None => (said, Ok(1)),
            Some((address, weight)) => (address.trim_end(), weight.trim().parse()),
        };
        let Some(weight) = weight.ok().filter(|weight| *weight <= MAX_WEIGHT) else {
            return Err(format!("line {line}: the weight is a number from 0 to {MAX_WEIGHT}"));
        };
        let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        let port: Option<u16> = port.and_then(|(_, port)| port.parse().ok());
        if port.is_none_or(|port| port == 0) || address.contains(char::is_whitespace) {
            return Err(format!("line {line}: write it as `HOST:PORT` or `HOST:PORT*WEIGHT`"));
        }
        if all.len() == MAX_BACKENDS {
            return Err(format!("line {line}: there are more than {MAX_BACKENDS} backends"));
        }
        all.push(Said { line, address: address.to_owned(), weight });
    }
    Ok(all)
}

/// The routes to them. Those of one weight share an arm, inside which the less busy one is chosen;
/// `numbers` are those of the backends of before, and become those of these.
pub(super) fn route(
    backends: &[Backend],
    numbers: &mut BTreeMap<SocketAddr, u64>,
) -> Result<Routes, String> {
    let there: BTreeSet<SocketAddr> = backends.iter().map(|it| it.addr).collect();
    if there.len() < backends.len() {
        return Err("two lines lead to the same address".to_owned());
    }
    let app: AppName = APP.parse().map_err(|_| "the name of the app is none".to_owned())?;
    numbers.retain(|addr, _| there.contains(addr));
    let mut next = numbers.values().max().map_or(1, |last| last + 1);
    for addr in there {
        numbers.entry(addr).or_insert_with(|| {
            next += 1;
            next - 1
        });
    }
    let mut arms: BTreeMap<u32, Vec<Target>> = BTreeMap::new();
    for Backend { addr, weight } in backends {
        let instance = InstanceId::new(app.clone(), numbers[addr]);
        arms.entry(*weight).or_default().push(Target { instance, addr: *addr });
    }
    let arms = arms.into_iter().map(|(weight, targets)| {
        let count = u32::try_from(targets.len()).unwrap_or(u32::MAX);
        let release = Number(u64::from(weight));
        Arm { track: Track::Stable, release, weight: weight.saturating_mul(count), targets }
    });
    let route = AppRoute {
        app,
        rev: 0,
        hosts: Vec::new(),
        arms: arms.collect(),
        sticky: false,
        timeout: TIMEOUT,
        max_body_bytes: MAX_BODY_BYTES,
        track_key: TrackKey::default(),
    };
    Ok(Routes { order: Order::default(), apps: vec![route], cookie_key: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_backend_and_what_is_none_is_refused_with_its_line() {
        let read = parse("# ours\n\n127.0.0.1:9001\n [::1]:9002 * 3 # the large one\nweb:80*0\n");
        let said = |line, address: &str, weight| Said { line, address: address.into(), weight };
        let wanted =
            vec![said(3, "127.0.0.1:9001", 1), said(4, "[::1]:9002", 3), said(5, "web:80", 0)];
        assert_eq!(read, Ok(wanted));
        for bad in ["web", "web:", ":80", "web:0", "web:80*", "web:80*x", "web:80*-1", "a b:80"] {
            let why = parse(&format!("a:1\n{bad}\n")).expect_err(bad);
            assert!(why.starts_with("line 2: "), "{bad}: {why}");
        }
        assert!(parse(&"a:1\n".repeat(MAX_BACKENDS + 1)).is_err());
    }

    #[test]
    fn those_of_one_weight_share_an_arm_and_a_backend_keeps_its_number() {
        let backend = |port, weight| Backend { addr: ([127, 0, 0, 1], port).into(), weight };
        let mut numbers = BTreeMap::new();
        let first = route(&[backend(1, 1), backend(2, 1), backend(3, 4)], &mut numbers);
        let arms = &first.expect("they differ").apps[0].arms;
        let shares: Vec<_> = arms.iter().map(|arm| (arm.weight, arm.targets.len())).collect();
        assert_eq!(shares, [(2, 2), (4, 1)]);
        let second = route(&[backend(4, 1), backend(3, 1)], &mut numbers).expect("they differ");
        let arm = &second.apps[0].arms[0];
        let names: Vec<String> = arm.targets.iter().map(|it| it.instance.to_string()).collect();
        assert_eq!(names, ["backends/web.4", "backends/web.3"]);
        assert!(route(&[backend(1, 1), backend(1, 2)], &mut numbers).is_err());
    }
}
