//! What the proxies said. There is one; while it is replaced there are two, for as long as requests
//! go on at the one before, and what is said of "the proxy" is said of both.

use std::collections::BTreeMap;
use std::time::Instant;

use toehold_core::time::Timestamp;
use toehold_core::wire::proxy::{InstanceCounters, ProxyReport};

use super::{Applied, ProxyReported, SILENCE};

/// Of how many proxies that have ended what they counted is kept apart; older ones are one.
const KEPT: usize = 8;

/// What the proxies said.
#[derive(Default)]
pub(super) struct Heard {
    /// By when it began, which tells one from another.
    proxies: BTreeMap<Timestamp, Proxy>,
    /// What each link said to be in force.
    applied: BTreeMap<u64, Applied>,
}

struct Proxy {
    said: ProxyReported,
    /// The link it is at; `None` where it has hung up: on this machine that means that it ended.
    link: Option<u64>,
}

impl Heard {
    /// Routes are in force at one of them; since when they are at all.
    pub(super) fn applied(&mut self, link: u64, applied: Applied) -> Option<Applied> {
        self.applied.insert(link, applied);
        self.in_force()
    }

    /// A link ended; what is in force at those that are left.
    pub(super) fn hung_up(&mut self, link: u64) -> Option<Applied> {
        self.applied.remove(&link);
        for proxy in self.proxies.values_mut().filter(|it| it.link == Some(link)) {
            proxy.link = None;
        }
        self.fold();
        self.in_force()
    }

    /// One of them reported.
    pub(super) fn reported(&mut self, link: u64, report: ProxyReport) {
        let (began, at) = (report.started_at, Instant::now());
        let proxy = Proxy { said: ProxyReported { report, at }, link: Some(link) };
        self.proxies.insert(began, proxy);
    }

    /// All that serve or drain, as one; `None` where none was heard of lately.
    pub(super) fn now(&self) -> Option<ProxyReported> {
        let linked: Vec<_> = self.live().collect();
        if linked.is_empty() {
            // It may be on its way back.
            return self.lately().max_by_key(|it| it.at).cloned();
        }
        together(&linked)
    }

    /// The same, with what those counted that have ended, as far as it is of instances that are
    /// still spoken of: what is counted does not fall when one takes over from another.
    pub(super) fn counted(&self) -> Option<ProxyReported> {
        let mut now = self.now()?;
        let is_now =
            |it: &&Proxy| it.link.is_none() && it.said.report.started_at != now.report.started_at;
        let ended: Vec<_> = self.proxies.values().filter(is_now).collect();
        for proxy in ended {
            let report = &proxy.said.report;
            for mine in &mut now.report.instances {
                if let Some(theirs) =
                    report.instances.iter().find(|it| it.instance == mine.instance)
                {
                    let in_flight = mine.in_flight;
                    mine.add(theirs);
                    mine.in_flight = in_flight;
                }
            }
            now.report.add_refused(&report.refused);
            now.report.access_lines_dropped += report.access_lines_dropped;
        }
        Some(now)
    }

    /// Each of them that was heard of lately, those that ended just now included.
    pub(super) fn each(&self) -> Vec<ProxyReported> {
        self.lately().cloned().collect()
    }

    /// How many serve or drain.
    pub(super) fn count(&self) -> usize {
        self.live().count()
    }

    fn lately(&self) -> impl Iterator<Item = &ProxyReported> {
        self.proxies.values().map(|it| &it.said).filter(|it| it.at.elapsed() < SILENCE)
    }

    fn live(&self) -> impl Iterator<Item = &ProxyReported> {
        let linked = self.proxies.values().filter(|it| it.link.is_some());
        linked.map(|it| &it.said).filter(|it| it.at.elapsed() < SILENCE)
    }

    /// What all of them have in force, since the last one does.
    fn in_force(&self) -> Option<Applied> {
        let order = self.applied.values().map(|it| it.order).min()?;
        let at_us = self.applied.values().map(|it| it.at_us).max()?;
        Some(Applied { order, at_us })
    }

    /// Makes one of the two oldest that have ended, where there are many.
    fn fold(&mut self) {
        let ended = self.proxies.iter().filter(|(_, it)| it.link.is_none());
        let ended: Vec<Timestamp> = ended.map(|(began, _)| *began).collect();
        if let [oldest, next, ..] = ended.as_slice()
            && ended.len() > KEPT
            && let Some(oldest) = self.proxies.remove(oldest)
            && let Some(next) = self.proxies.get_mut(next)
            && let Some(both) = together(&[&oldest.said, &next.said])
        {
            next.said = both;
        }
    }
}

/// Several as one: the newest of them says what it takes for well, all of them what they counted.
fn together(all: &[&ProxyReported]) -> Option<ProxyReported> {
    let newest = all.iter().max_by_key(|it| it.report.started_at)?;
    let mut one = (*newest).clone();
    for other in all.iter().filter(|it| it.report.started_at != newest.report.started_at) {
        let report = &other.report;
        one.report.at = one.report.at.max(report.at);
        one.report.applied = one.report.applied.min(report.applied);
        for theirs in &report.instances {
            let mut all = one.report.instances.iter_mut();
            if let Some(mine) = all.find(|it| it.instance == theirs.instance) {
                mine.add(theirs);
            } else {
                // Whoever gets no new requests probes nobody.
                let theirs = InstanceCounters { set_aside: None, reached: false, ..theirs.clone() };
                one.report.instances.push(theirs);
            }
        }
        one.report.add_refused(&report.refused);
        one.report.access_lines_dropped += report.access_lines_dropped;
    }
    Some(one)
}

#[cfg(test)]
mod tests {
    use toehold_core::model::{Number, Track};
    use toehold_core::wire::Order;
    use toehold_core::wire::proxy::{Histogram, RefusedCounter};

    use super::*;

    fn counters(instance: &str, started: u64, in_flight: u64) -> InstanceCounters {
        InstanceCounters {
            instance: instance.parse().expect("an instance"),
            release: Number(1),
            track: Track::Stable,
            in_flight,
            started,
            answered: [0, started - in_flight, 0, 0, 0],
            failed: 0,
            retried: 0,
            bytes_in: started * 10,
            bytes_out: started * 100,
            latency: Histogram::default(),
            last_started_us: started,
            set_aside: (in_flight > 0).then(|| "it broke off".to_owned()),
            reached: false,
            ejections: 1,
        }
    }

    fn report(began: u64, rev: u64, instances: Vec<InstanceCounters>) -> ProxyReport {
        ProxyReport {
            at: Timestamp::from_ms(began + 10),
            applied: Order { epoch: 1, rev },
            started_at: Timestamp::from_ms(began),
            instances,
            refused: vec![RefusedCounter {
                app: "shop".parse().expect("a name"),
                status: 503,
                count: 1,
            }],
            access_lines_dropped: 1,
        }
    }

    /// Started, in flight, and bytes out, of the first instance.
    fn first(said: Option<ProxyReported>) -> (u64, u64, u64) {
        let report = said.expect("one was heard of").report;
        let first = &report.instances[0];
        (first.started, first.in_flight, first.bytes_out)
    }

    #[test]
    fn two_proxies_are_one_and_what_the_one_before_counted_is_not_lost() {
        let mut heard = Heard::default();
        assert!(heard.now().is_none() && heard.counted().is_none());
        heard.reported(
            1,
            report(1_000, 7, vec![counters("shop/web.1", 100, 3), counters("shop/web.2", 5, 1)]),
        );
        heard.reported(2, report(2_000, 8, vec![counters("shop/web.1", 10, 0)]));
        assert_eq!(first(heard.now()), (110, 3, 11_000));
        let both = heard.now().expect("both are heard").report;
        assert_eq!((both.applied.rev, both.started_at.as_ms()), (7, 2_000));
        // It is the newer one that knows who is well, and the one before still has requests there.
        assert!(both.instances.iter().all(|it| it.set_aside.is_none()));
        assert_eq!((both.instances[1].in_flight, both.refused[0].count), (1, 2));
        assert_eq!(heard.count(), 2);
        heard.hung_up(1);
        assert_eq!(first(heard.now()), (10, 0, 1_000));
        assert_eq!(first(heard.counted()), (110, 0, 11_000));
        assert_eq!((heard.count(), heard.each().len()), (1, 2));
        // Where none is left, the last one is remembered for a while.
        heard.hung_up(2);
        assert_eq!(first(heard.now()), (10, 0, 1_000));
        assert_eq!(first(heard.counted()), (110, 0, 11_000));
    }

    #[test]
    fn however_many_ended_none_of_their_counts_is_lost() {
        let mut heard = Heard::default();
        for link in 1..100 {
            heard.reported(link, report(link * 1_000, 1, vec![counters("shop/web.1", 10, 0)]));
            if link > 1 {
                heard.hung_up(link - 1);
            }
        }
        assert_eq!(first(heard.counted()).0, 990);
        assert!(heard.proxies.len() <= KEPT + 1);
    }

    #[test]
    fn routes_are_in_force_once_they_are_at_each_proxy() {
        let mut heard = Heard::default();
        let at = |rev, at_us| Applied { order: Order { epoch: 1, rev }, at_us };
        assert_eq!(heard.applied(1, at(7, 70)), Some(at(7, 70)));
        assert_eq!(heard.applied(2, at(8, 80)), Some(at(7, 80)));
        assert_eq!(heard.applied(1, at(8, 90)), Some(at(8, 90)));
        assert_eq!(heard.hung_up(1), Some(at(8, 80)));
        assert_eq!(heard.hung_up(2), None);
    }
}
