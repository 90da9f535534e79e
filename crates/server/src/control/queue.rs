//! The queue of builds: one at a time for a track of an app, the newest push first to go on.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use toehold_core::model::{AppName, Number, RunId, Track};
use tokio_util::sync::CancellationToken;

use super::ControlError;

/// How many builds run at once.
const AT_ONCE: usize = 2;

/// How many builds may wait: newer ones of a track replace older ones, so that only many apps at
/// once come near it.
const WAITING: usize = 256;

/// A push that waits for the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldPush {
    /// Git's quarantine: where its objects lie until git takes them in.
    pub objects: PathBuf,
    /// The process of our hook, which waits. Once it has ended otherwise than by our verdict, git
    /// takes nothing in, and nobody will ever have the commit.
    pub hook: RunId,
}

/// A build that waits or runs.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) app: AppName,
    pub(super) number: Number,
    pub(super) track: Track,
    /// The push, where it waits for the verdict.
    pub(super) waiting: Option<HeldPush>,
}

/// Why a build is to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// A newer push took its place.
    Superseded(Number),
    /// Somebody said so.
    Cancelled(String),
}

/// A build that runs.
pub(super) struct Running {
    pub(super) entry: Entry,
    pub(super) cancel: CancellationToken,
    pub(super) stop: Arc<Mutex<Option<Stop>>>,
}

impl Running {
    fn stop(&self, stop: Stop) {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(stop);
        self.cancel.cancel();
    }
}

/// What waits and what runs.
#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<Entry>,
    running: Vec<Running>,
    /// Those that wait and may not start yet.
    held: BTreeSet<(AppName, Number)>,
}

impl Queue {
    /// The build of an app that runs, else the first that waits.
    pub(super) fn current(&self, app: &AppName) -> Option<Number> {
        let running = self.running.iter().map(|it| &it.entry);
        running.chain(&self.waiting).find(|entry| entry.app == *app).map(|entry| entry.number)
    }

    /// How many run, and how many wait.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.running.len(), self.waiting.len())
    }

    /// Whether one more may wait.
    pub(super) fn has_room(&self) -> Result<(), ControlError> {
        if self.waiting.len() >= WAITING {
            return Err(ControlError::QueueFull(self.waiting.len()));
        }
        Ok(())
    }

    /// Puts a build in line. Older ones of the same track give way: those that wait are handed
    /// back, one that runs is stopped.
    pub(super) fn push(&mut self, entry: Entry) -> Vec<Entry> {
        let same = |it: &Entry| it.app == entry.app && it.track == entry.track;
        let (gone, kept): (Vec<Entry>, Vec<Entry>) = self.waiting.drain(..).partition(same);
        self.waiting = kept.into();
        for running in self.running.iter().filter(|it| same(&it.entry)) {
            running.stop(Stop::Superseded(entry.number));
        }
        self.waiting.push_back(entry);
        gone
    }

    /// The same for one that may not start before [`Queue::release`]: its place counts already.
    pub(super) fn push_held(&mut self, entry: Entry) -> Vec<Entry> {
        self.held.insert((entry.app.clone(), entry.number));
        self.push(entry)
    }

    /// Lets a build start that was held.
    pub(super) fn release(&mut self, app: &AppName, number: Number) {
        self.held.remove(&(app.clone(), number));
    }

    /// Takes a build that waits out of line, or stops one that runs; says whether it was there.
    pub(super) fn cancel(&mut self, app: &AppName, number: Number, why: &str) -> Option<Entry> {
        let is = |it: &Entry| it.app == *app && it.number == number;
        if let Some(place) = self.waiting.iter().position(is) {
            return self.waiting.remove(place);
        }
        for running in self.running.iter().filter(|it| is(&it.entry)) {
            running.stop(Stop::Cancelled(why.to_owned()));
        }
        None
    }

    /// The next build that may start: one whose track of its app has none running.
    fn next(&mut self) -> Option<Running> {
        if self.running.len() >= AT_ONCE {
            return None;
        }
        let busy = |it: &Entry| {
            self.running.iter().any(|on| on.entry.app == it.app && on.entry.track == it.track)
        };
        let held = |it: &Entry| self.held.contains(&(it.app.clone(), it.number));
        let place = self.waiting.iter().position(|it| !busy(it) && !held(it))?;
        let entry = self.waiting.remove(place)?;
        Some(Running { entry, cancel: CancellationToken::new(), stop: Arc::default() })
    }

    /// Lets the next build begin, where one may.
    pub(super) fn begin(&mut self) -> Option<Started> {
        let running = self.next()?;
        let started = (running.entry.clone(), running.cancel.clone(), Arc::clone(&running.stop));
        self.running.push(running);
        Some(started)
    }

    /// A build runs no more.
    pub(super) fn ended(&mut self, entry: &Entry) {
        self.running.retain(|it| it.entry.app != entry.app || it.entry.number != entry.number);
    }

    /// Stops all that run, without a verdict.
    pub(super) fn stop_all(&self) {
        for running in &self.running {
            running.cancel.cancel();
        }
    }
}

/// What a build's task needs to know of its place in the queue.
pub(super) type Started = (Entry, CancellationToken, Arc<Mutex<Option<Stop>>>);

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(app: &str, number: u64, track: Track) -> Entry {
        let app = app.parse().expect("a name");
        Entry { app, number: Number(number), track, waiting: None }
    }

    fn start(queue: &mut Queue) -> Option<(Number, Arc<Mutex<Option<Stop>>>)> {
        queue.begin().map(|(entry, _, stop)| (entry.number, stop))
    }

    #[test]
    fn a_newer_push_replaces_one_that_waits_and_stops_one_that_runs() {
        let mut queue = Queue::default();
        assert!(queue.push(entry("shop", 1, Track::Stable)).is_empty());
        let (_, stop) = start(&mut queue).expect("it may start");
        assert!(queue.push(entry("shop", 2, Track::Stable)).is_empty());
        let gone = queue.push(entry("shop", 3, Track::Stable));
        assert_eq!(gone[0].number, Number(2));
        let stop = stop.lock().expect("nobody panicked").clone();
        assert_eq!(stop, Some(Stop::Superseded(Number(2))));
        assert!(start(&mut queue).is_none(), "the first still runs");
    }

    #[test]
    fn one_that_is_held_has_its_place_and_does_not_start() {
        let mut queue = Queue::default();
        queue.push(entry("shop", 1, Track::Stable));
        let gone = queue.push_held(entry("shop", 2, Track::Stable));
        assert_eq!(gone[0].number, Number(1), "it counts already");
        assert!(start(&mut queue).is_none());
        queue.release(&"shop".parse().expect("a name"), Number(2));
        assert_eq!(start(&mut queue).map(|(number, _)| number), Some(Number(2)));
    }

    #[test]
    fn the_tracks_of_an_app_do_not_wait_for_each_other() {
        let mut queue = Queue::default();
        queue.push(entry("shop", 1, Track::Stable));
        queue.push(entry("shop", 2, Track::Canary));
        queue.push(entry("blog", 1, Track::Stable));
        assert!(start(&mut queue).is_some() && start(&mut queue).is_some());
        assert!(start(&mut queue).is_none(), "two at once");
    }
}
