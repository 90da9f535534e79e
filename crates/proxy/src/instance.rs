//! An instance as the proxy sees it: where it listens, and whether it is set aside.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use toehold_core::balance;
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
    /// A [`Standing`].
    standing: AtomicU8,
    /// Times it was set aside as dead since it last answered: it is probed less often each time.
    strikes: AtomicU32,
    /// Failures since it last answered well.
    in_a_row: AtomicU32,
    story: Mutex<Story>,
    made: Instant,
    /// When it came, or came back, in milliseconds since it was made, and one more; 0 where that is
    /// long ago.
    came_ms: AtomicU64,
}

/// What is thought of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Standing {
    Well,
    /// It can be reached, and is passed over while there are others.
    Doubted,
    /// It cannot be reached, or broke off.
    Dead,
}

/// Why an instance that can be reached is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It fails again and again: its time over, it is probed.
    Failing,
    /// It is much slower than others: its time over, it is tried.
    Slow,
}

#[derive(Debug, Default)]
struct Story {
    aside: Option<Aside>,
    /// How often it was doubted, and when the last doubt ended.
    doubts: u32,
    trusted_since: Option<Instant>,
}

/// Why an instance is set aside, and when it is looked at again.
#[derive(Clone, Debug)]
struct Aside {
    why: String,
    /// `None`: it is dead.
    doubt: Option<Doubt>,
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
            standing: AtomicU8::new(Standing::Well as u8),
            strikes: AtomicU32::new(0),
            in_a_row: AtomicU32::new(0),
            story: Mutex::default(),
            made: Instant::now(),
            came_ms: AtomicU64::new(0),
        }
    }

    /// Whether it failed and has not been seen well since, or is doubted.
    pub(crate) fn is_aside(&self) -> bool {
        self.standing.load(Ordering::Relaxed) != Standing::Well as u8
    }

    /// Whether it is set aside since it cannot be reached, or broke off.
    pub(crate) fn is_dead(&self) -> bool {
        self.standing.load(Ordering::Relaxed) == Standing::Dead as u8
    }

    /// Whether it is set aside though it can be reached.
    pub(crate) fn is_doubted(&self) -> bool {
        self.standing.load(Ordering::Relaxed) == Standing::Doubted as u8
    }

    /// Why it is set aside.
    pub(crate) fn why_aside(&self) -> Option<String> {
        self.story().aside.as_ref().map(|aside| aside.why.clone())
    }

    /// How long it has been dead; `None` where it is not.
    pub(crate) fn dead_for(&self) -> Option<Duration> {
        let story = self.story();
        let aside = story.aside.as_ref().filter(|aside| aside.doubt.is_none())?;
        Some(aside.since.elapsed())
    }

    /// Sets it aside: that it is dead is proven. The answer is whether that is news.
    pub(crate) fn set_aside(&self, why: &str) -> bool {
        let mut story = self.story();
        match &story.aside {
            Some(Aside { doubt: None, .. }) => return false,
            Some(Aside { doubt: Some(_), .. }) => {}
            None => self.meter.ejected(),
        }
        let strikes = self.strikes.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        story.aside = Some(Aside {
            why: why.to_owned(),
            doubt: None,
            since: now,
            probe_at: now + probe_after(strikes),
            probes: strikes,
        });
        self.standing.store(Standing::Dead as u8, Ordering::Relaxed);
        true
    }

    /// Sets it aside for a while, longer each time. The answer is whether that is news.
    pub(crate) fn doubt(&self, doubt: Doubt, why: &str) -> bool {
        let mut story = self.story();
        if story.aside.is_some() {
            return false;
        }
        let now = Instant::now();
        if story.trusted_since.is_some_and(|it| balance::is_forgiven(story.doubts, now - it)) {
            story.doubts = 0;
        }
        let probe_at = now + balance::lasts(story.doubts);
        story.doubts = story.doubts.saturating_add(1);
        let (why, doubt) = (why.to_owned(), Some(doubt));
        story.aside = Some(Aside { why, doubt, since: now, probe_at, probes: 0 });
        self.standing.store(Standing::Doubted as u8, Ordering::Relaxed);
        self.meter.ejected();
        true
    }

    /// Takes it back. The answer is whether that is news.
    pub(crate) fn take_back(&self) -> bool {
        self.trust(&mut self.story())
    }

    fn trust(&self, story: &mut Story) -> bool {
        self.standing.store(Standing::Well as u8, Ordering::Relaxed);
        self.in_a_row.store(0, Ordering::Relaxed);
        let before = story.aside.take();
        if before.is_some() {
            self.comes();
        }
        if before.as_ref().is_some_and(|aside| aside.doubt.is_some()) {
            story.trusted_since = Some(Instant::now());
        }
        before.is_some()
    }

    /// It comes just now, or comes back: its share grows from now on.
    pub(crate) fn comes(&self) {
        let since_ms = u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.came_ms.store(since_ms + 1, Ordering::Relaxed);
    }

    /// Whether it takes part in a choice that these random bits make.
    pub(crate) fn is_let_in(&self, random: u64) -> bool {
        let came_ms = self.came_ms.load(Ordering::Relaxed);
        if came_ms == 0 {
            return true;
        }
        let age = self.made.elapsed().saturating_sub(Duration::from_millis(came_ms - 1));
        if age >= balance::RAMP {
            // Unless it came anew just now.
            let _ = self.came_ms.compare_exchange(came_ms, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
        balance::lets_in(age, random)
    }

    /// It answered a request that was sent at this moment: that it failed before is forgiven. An
    /// answer to a request from before it failed proves nothing, and none ends a doubt. Says whether
    /// it was set aside.
    pub(crate) fn answered(&self, sent: Instant) -> bool {
        if self.strikes.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut story = self.story();
        match &story.aside {
            Some(aside) if aside.doubt.is_some() || sent <= aside.since => return false,
            Some(_) | None => {}
        }
        self.strikes.store(0, Ordering::Relaxed);
        self.trust(&mut story)
    }

    /// It failed in a way that is no proof. The answer is how often it did in a row.
    pub(crate) fn falters(&self) -> u32 {
        self.in_a_row.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// It answered well.
    pub(crate) fn is_steady(&self) {
        if self.in_a_row.load(Ordering::Relaxed) > 0 {
            self.in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// When it should be looked at, and whether it is only doubted for being slow: then its time is
    /// over; else it is probed. `None` where it is not set aside.
    pub(crate) fn due(&self) -> Option<(Instant, bool)> {
        let story = self.story();
        let aside = story.aside.as_ref()?;
        Some((aside.probe_at, aside.doubt == Some(Doubt::Slow)))
    }

    /// A probe begins: the next one is due a while after.
    pub(crate) fn probed(&self) {
        if let Some(aside) = self.story().aside.as_mut() {
            aside.probes = aside.probes.saturating_add(1);
            aside.probe_at = Instant::now() + probe_after(aside.probes);
        }
    }

    fn story(&self) -> MutexGuard<'_, Story> {
        // What a panic left behind is still a whole value.
        self.story.lock().unwrap_or_else(PoisonError::into_inner)
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
            instance.due().expect("it is set aside").0 - before
        };
        let first = wait(&instance);
        instance.take_back();
        assert!(wait(&instance) > first.mul_f64(1.5));
        assert!(instance.answered(Instant::now() + Duration::from_millis(1)));
        assert!(wait(&instance) < first.mul_f64(1.5));
    }

    #[test]
    fn whoever_is_doubted_again_and_again_is_so_for_longer_and_no_answer_ends_it() {
        let instance = instance();
        let wait = |doubt| {
            let before = Instant::now();
            assert!(instance.doubt(doubt, "it is slow") && !instance.doubt(doubt, "it is slow"));
            assert!(instance.is_doubted() && instance.is_aside() && !instance.is_dead());
            let (at, _) = instance.due().expect("it is set aside");
            assert!(!instance.answered(Instant::now() + Duration::from_millis(1)));
            assert!(instance.take_back() && !instance.is_aside());
            at - before
        };
        let first = wait(Doubt::Slow);
        assert!(first >= balance::lasts(0));
        assert!(wait(Doubt::Failing) > first.mul_f64(1.5));
        assert_eq!(instance.meter.read(instance.id.clone(), None, true).ejections, 2);
    }

    #[test]
    fn a_doubt_gives_way_to_a_proof_and_is_one_ejection_with_it() {
        let instance = instance();
        assert!(instance.doubt(Doubt::Slow, "it is slow"));
        assert!(instance.set_aside("it refuses connections") && instance.is_dead());
        assert_eq!(instance.why_aside().as_deref(), Some("it refuses connections"));
        assert!(!instance.doubt(Doubt::Slow, "it is slow") && instance.dead_for().is_some());
        assert!(instance.answered(Instant::now() + Duration::from_millis(1)));
        assert_eq!(instance.meter.read(instance.id.clone(), None, true).ejections, 1);
    }
}
