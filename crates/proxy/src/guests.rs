//! The visitors of a thread: counted, and called when the proxy is to stop or to drain.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::rc::Rc;
use std::task::Waker;
use std::time::Instant;

use crate::limits::Limits;

/// The visitors of a thread.
#[derive(Debug, Default)]
pub(crate) struct Guests {
    next: Cell<u64>,
    count: Cell<usize>,
    /// How to wake whoever serves them.
    wakers: RefCell<BTreeMap<u64, Waker>>,
    by_client: RefCell<HashMap<IpAddr, u32>>,
    stay: Cell<Stay>,
}

/// For how long visitors may stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stay {
    /// As long as they like.
    #[default]
    Welcome,
    /// Another process serves since then: what is under way goes on, and nothing new is begun but
    /// one last request on a connection.
    Draining(Instant),
    /// The proxy is to stop since then.
    Stopping(Instant),
}

/// One visitor, counted for as long as this lives.
pub(crate) struct Guest {
    guests: Rc<Guests>,
    number: u64,
    client: Option<IpAddr>,
}

impl Guests {
    /// How many are there.
    pub(crate) const fn count(&self) -> usize {
        self.count.get()
    }

    /// For how long they may stay.
    pub(crate) const fn stay(&self) -> Stay {
        self.stay.get()
    }

    /// Whether a request is the last of its connection.
    pub(crate) const fn are_sent_home(&self) -> bool {
        !matches!(self.stay(), Stay::Welcome)
    }

    /// They may stay so long from now on: whoever serves one looks at that at once.
    pub(crate) fn may(&self, stay: Stay) {
        self.stay.set(stay);
        for waker in self.wakers.borrow().values() {
            waker.wake_by_ref();
        }
    }

    /// Lets a visitor in who comes from there, unless there are too many.
    pub(crate) fn let_in(self: &Rc<Self>, limits: &Limits, from: IpAddr) -> Option<Guest> {
        if self.count() >= limits.connections_per_thread {
            return None;
        }
        let client = client(from);
        if let Some(client) = client {
            let mut by_client = self.by_client.borrow_mut();
            let count = by_client.entry(client).or_default();
            if *count >= limits.connections_per_visitor {
                return None;
            }
            *count += 1;
        }
        let number = self.next.replace(self.next.get() + 1);
        self.count.set(self.count.get() + 1);
        Some(Guest { guests: self.clone(), number, client })
    }
}

/// Whom connections from an address belong to; `None` where all may be somebody else's: what runs
/// on this machine speaks for many.
fn client(from: IpAddr) -> Option<IpAddr> {
    match from.to_canonical() {
        IpAddr::V4(from) => Some(IpAddr::V4(from)).filter(|_| !from.is_loopback()),
        IpAddr::V6(from) => {
            let network = from.to_bits() >> 64 << 64;
            Some(IpAddr::V6(network.into())).filter(|_| !from.is_loopback())
        }
    }
}

impl Guest {
    /// Whoever serves it is called by this waker, for as long as it is there.
    pub(crate) fn is_served_by(&self, waker: &Waker) {
        self.guests.wakers.borrow_mut().insert(self.number, waker.clone());
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let guests = &self.guests;
        guests.count.set(guests.count.get() - 1);
        guests.wakers.borrow_mut().remove(&self.number);
        let Some(client) = self.client else { return };
        let mut by_client = guests.by_client.borrow_mut();
        if let Some(count) = by_client.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                by_client.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_an_address_or_a_network_of_ipv6_and_never_this_machine() {
        let of = |text: &str| client(text.parse().expect("it is an address"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!((of("127.0.0.1"), of("::1"), of("::ffff:127.0.0.9")), (None, None, None));
    }
}
