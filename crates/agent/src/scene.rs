//! What the tests of several rooms begin with.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use toehold_core::model::{Digest, Goal, HealthCheck, HealthKind, Number, Track};
use toehold_core::wire::agent::Placed;
use tokio::time::Instant;

/// The longest anything may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// An instance of release 42 that sleeps; its artifact lies elsewhere.
pub(crate) fn placed(id: &str) -> Placed {
    let second = Duration::from_secs(1);
    Placed {
        id: id.parse().expect("an instance"),
        release: Number(42),
        track: Track::Stable,
        goal: Goal::Run,
        artifact: Digest::of(id.as_bytes()),
        artifact_path: None,
        listen: Ipv4Addr::LOCALHOST.into(),
        command: "exec sleep 600".to_owned(),
        release_command: None,
        env: BTreeMap::new(),
        secrets: BTreeSet::new(),
        data_dir: None,
        cpus: 1.0,
        memory_bytes: 256 << 20,
        grace: second,
        health: HealthCheck {
            kind: HealthKind::Tcp,
            interval: second,
            timeout: second,
            deadline: second,
            rise: 1,
            fall: 1,
        },
    }
}

/// What comes of it where it need not wait for anything.
pub(crate) async fn at_once<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = std::future::ready(()) => None,
    }
}

/// Returns once this is so.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < DEADLINE, "it never became so that {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
