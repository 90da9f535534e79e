//! An instance as the proxy sees it: where it listens, and whether it is set aside.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use toehold_core::model::InstanceId;

use crate::meter::Meter;

/// The shortest and the longest time between two probes of an instance that is set aside.
const PROBE_AFTER: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));

/// An instance at one address. One that starts again elsewhere is another of these, with the same
/// meter.
#[derive(Debug)]
pub(crate) struct Instance {
    /// Never used twice in a process: pools are kept by it.
    pub(crate) key: u64,
    pub(crate) id: InstanceId,
    pub(crate) addr: SocketAddr,
    pub(crate) meter: Arc<Meter>,
    is_aside: AtomicBool,
    /// Times it was set aside since it last answered: it is probed less often each time.
    strikes: AtomicU32,
    aside: Mutex<Option<Aside>>,
}

/// Why an instance is set aside, and when it is looked at again.
#[derive(Clone, Debug)]
struct Aside {
    why: String,
    since: Instant,
    probe_at: Instant,
    probes: u32,
}

impl Instance {
    pub(crate) fn new(key: u64, id: InstanceId, addr: SocketAddr, meter: Arc<Meter>) -> Self {
        Self {
            key,
            id,
            addr,
            meter,
            is_aside: AtomicBool::new(false),
            strikes: AtomicU32::new(0),
            aside: Mutex::new(None),
        }
    }

    /// Whether it failed and has not been seen well since.
    pub(crate) fn is_aside(&self) -> bool {
        self.is_aside.load(Ordering::Relaxed)
    }

    /// Why it is set aside.
    pub(crate) fn why_aside(&self) -> Option<String> {
        self.story().as_ref().map(|aside| aside.why.clone())
    }

    /// How long it has been set aside; `None` where it is not.
    pub(crate) fn aside_for(&self) -> Option<Duration> {
        self.story().as_ref().map(|aside| aside.since.elapsed())
    }

    /// Sets it aside. The answer is whether that is news.
    pub(crate) fn set_aside(&self, why: &str) -> bool {
        let mut story = self.story();
        if story.is_some() {
            return false;
        }
        let strikes = self.strikes.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let probe_at = now + probe_after(strikes);
        *story = Some(Aside { why: why.to_owned(), since: now, probe_at, probes: strikes });
        self.is_aside.store(true, Ordering::Relaxed);
        true
    }

    /// Takes it back. The answer is whether that is news.
    pub(crate) fn take_back(&self) -> bool {
        let mut story = self.story();
        self.is_aside.store(false, Ordering::Relaxed);
        story.take().is_some()
    }

    /// It answered a request that was sent at this moment: what failed before is forgiven. An
    /// answer to a request from before it failed proves nothing. Says whether it was set aside.
    pub(crate) fn answered(&self, sent: Instant) -> bool {
        if self.strikes.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut story = self.story();
        if story.as_ref().is_some_and(|aside| sent <= aside.since) {
            return false;
        }
        self.strikes.store(0, Ordering::Relaxed);
        self.is_aside.store(false, Ordering::Relaxed);
        story.take().is_some()
    }

    /// When it should be probed; `None` where it is not set aside.
    pub(crate) fn probe_at(&self) -> Option<Instant> {
        self.story().as_ref().map(|aside| aside.probe_at)
    }

    /// A probe begins: the next one is due a while after.
    pub(crate) fn probed(&self) {
        if let Some(aside) = self.story().as_mut() {
            aside.probes = aside.probes.saturating_add(1);
            aside.probe_at = Instant::now() + probe_after(aside.probes);
        }
    }

    fn story(&self) -> MutexGuard<'_, Option<Aside>> {
        // What a panic left behind is still a whole value.
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Twice as long each time, within bounds.
fn probe_after(probes: u32) -> Duration {
    (PROBE_AFTER.0 * 2_u32.saturating_pow(probes.min(8))).min(PROBE_AFTER.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance() -> Instance {
        let app = "shop".parse().expect("it is a name");
        let meter = Arc::new(Meter::new(1));
        Instance::new(1, InstanceId::new(app, 1), ([127, 0, 0, 1], 1).into(), meter)
    }

    #[test]
    fn an_answer_to_a_request_from_before_it_failed_proves_nothing() {
        let (instance, sent) = (instance(), Instant::now());
        assert!(instance.set_aside("it refuses connections"));
        assert!(!instance.answered(sent) && instance.is_aside());
        assert!(instance.answered(Instant::now() + Duration::from_millis(1)));
        assert!(!instance.is_aside() && instance.why_aside().is_none());
    }

    #[test]
    fn whoever_fails_again_and_again_is_probed_less_often() {
        let instance = instance();
        let wait = |instance: &Instance| {
            let before = Instant::now();
            assert!(instance.set_aside("it refuses connections"));
            instance.probe_at().expect("it is set aside") - before
        };
        let first = wait(&instance);
        instance.take_back();
        assert!(wait(&instance) > first.mul_f64(1.5));
        assert!(instance.answered(Instant::now() + Duration::from_millis(1)));
        assert!(wait(&instance) < first.mul_f64(1.5));
    }
}
