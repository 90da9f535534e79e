//! How often somebody may come with a wrong token.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use toehold_core::time::Timestamp;

/// How long failures are counted.
const WINDOW: Duration = Duration::from_mins(1);

/// How many failures a window may have.
const MOST: u32 = 20;

/// How many peers are remembered at most.
const PEERS: usize = 4_096;

/// Failures by peer. A right token is let in whatever was tried before from the same address: an
/// app with a stale token must not lock out the people on its machine, and nobody guesses 256 bits.
#[derive(Default)]
pub(crate) struct Throttle {
    peers: Mutex<BTreeMap<IpAddr, Failures>>,
}

struct Failures {
    since: Timestamp,
    count: u32,
}

impl Throttle {
    /// Counts a failure of `peer`; says in how many seconds it may try again where it has failed
    /// too often.
    pub(crate) fn failed(&self, peer: IpAddr, now: Timestamp) -> Option<u64> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let peer = network(peer);
        if peers.len() >= PEERS && !peers.contains_key(&peer) {
            forget(&mut peers, now);
        }
        let failures = peers.entry(peer).or_insert(Failures { since: now, count: 0 });
        if now.since(failures.since) >= WINDOW || now < failures.since {
            *failures = Failures { since: now, count: 0 };
        }
        failures.count = failures.count.saturating_add(1);
        let left = WINDOW.saturating_sub(now.since(failures.since));
        (failures.count > MOST).then(|| left.as_secs().max(1))
    }
}

/// Who has an IPv6 address has a whole network of them.
fn network(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            let network = || IpAddr::from([a, b, c, d, 0, 0, 0, 0]);
            address.to_ipv4_mapped().map_or_else(network, IpAddr::V4)
        }
    }
}

/// Makes room: those whose window is over, else the oldest.
fn forget(peers: &mut BTreeMap<IpAddr, Failures>, now: Timestamp) {
    peers.retain(|_, failures| now.since(failures.since) < WINDOW);
    if peers.len() >= PEERS {
        let oldest = peers.iter().min_by_key(|(_, failures)| failures.since).map(|(peer, _)| *peer);
        if let Some(oldest) = oldest {
            peers.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_ms(1_000_000 + seconds * 1_000)
    }

    fn peer(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn who_fails_too_often_waits_for_the_end_of_the_minute() {
        let throttle = Throttle::default();
        for _ in 0..MOST {
            assert_eq!(throttle.failed(peer("192.0.2.1"), at(0)), None);
        }
        assert_eq!(throttle.failed(peer("192.0.2.1"), at(20)), Some(40));
        assert_eq!(throttle.failed(peer("192.0.2.2"), at(20)), None, "another one is not held");
        assert_eq!(throttle.failed(peer("192.0.2.1"), at(61)), None, "a new minute");
    }

    #[test]
    fn a_network_of_addresses_counts_as_one_and_the_memory_is_bounded() {
        let throttle = Throttle::default();
        for i in 0..=MOST {
            throttle.failed(peer(&format!("2001:db8::{i:x}")), at(0));
        }
        assert!(throttle.failed(peer("2001:db8::ffff"), at(0)).is_some());
        for i in 0..10_000_u32 {
            throttle.failed(IpAddr::from(i.to_be_bytes()), at(1));
        }
        assert!(throttle.peers.lock().expect("no panic").len() <= PEERS);
    }
}
