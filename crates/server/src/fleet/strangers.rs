//! Callers that have not shown who they are: so many at once, and of them so many from one address,
//! so that nobody who only keeps connections open shuts out everybody else.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many may be there at once.
const ALL: usize = 512;

/// How many of them from one address.
const FROM_ONE: usize = 16;

/// Who is there.
#[derive(Clone, Debug, Default)]
pub(super) struct Strangers(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

/// One of them, for as long as this is held.
#[derive(Debug)]
pub(super) struct Stranger {
    all: Strangers,
    from: IpAddr,
}

impl Strangers {
    /// One more; `None` where there are too many.
    pub(super) fn enter(&self, from: IpAddr) -> Option<Stranger> {
        let from = place(from);
        let mut known = self.known();
        let all: usize = known.values().sum();
        let here = known.get(&from).copied().unwrap_or(0);
        if all >= ALL || here >= FROM_ONE {
            return None;
        }
        known.insert(from, here + 1);
        drop(known);
        Some(Stranger { all: self.clone(), from })
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut known = self.all.known();
        match known.get_mut(&self.from) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                known.remove(&self.from);
            }
        }
    }
}

/// Whoever has one address of IPv6 has the whole network of 64 bits around it.
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(it) => it.into(),
        IpAddr::V6(it) => {
            let [a, b, c, d, ..] = it.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn one_address_shuts_out_no_other() {
        let strangers = Strangers::default();
        let silent: Vec<_> =
            (0..1000).filter_map(|_| strangers.enter(address("10.0.0.1"))).collect();
        assert_eq!(silent.len(), FROM_ONE);
        let other = strangers.enter(address("10.0.0.2"));
        assert!(other.is_some());
        drop(silent);
        assert!(strangers.enter(address("10.0.0.1")).is_some());
        drop(other);
        assert!(strangers.known().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_there_is_an_end_to_all() {
        let strangers = Strangers::default();
        let of = |last: usize| strangers.enter(address(&format!("2001:db8::{last:x}")));
        let held: Vec<_> = (1..100).map(of).collect();
        assert_eq!(held.iter().flatten().count(), FROM_ONE);
        let many: Vec<_> = (0..1000)
            .filter_map(|it| strangers.enter(address(&format!("10.1.{}.{}", it / 250, it % 250))))
            .collect();
        assert_eq!(many.len(), ALL - FROM_ONE);
    }
}
