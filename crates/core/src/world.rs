//! A pretend world: machines that start slowly, crash, lie and fall silent; a proxy that is late and
//! dies; a control plane that forgets; people who wish for anything at any time.
//!
//! The decisions in it are the real ones, judged by the real checker at every step, and beyond it by
//! what truly happens to visitors. Everything follows from the seed: the same seed tells the same
//! story.

mod accident;
mod control;
mod dice;
mod machine;
mod people;
mod process;
mod proxy;
mod release;
mod rest;

pub use release::Nature;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::decide::Memory;
use crate::model::{App, Event, InstanceId, InstanceStatus, Number};
use crate::situation::{Decision, Releases};
use crate::time::Timestamp;
use dice::Dice;
use machine::Machine;
use proxy::Proxy;

/// Whether things go wrong by themselves in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Luck {
    /// What is broken mends, and nothing else breaks.
    Good,
    /// Nothing breaks by itself, and what was broken mends when its time has come.
    Plain,
    /// Starts are slow, processes die, messages are late, decisions are lost.
    Bad,
}

/// A step takes so long.
const STEP: Duration = Duration::from_secs(1);

/// So much of the story is told where something went wrong.
const TOLD: usize = 80;

/// The pretend world: one app, one machine, one proxy, one control plane.
#[derive(Clone, Debug)]
pub struct World {
    seed: u64,
    dice: Dice,
    /// Steps so far.
    steps: u64,
    /// The control plane's clock against true time, in milliseconds.
    clock_off_ms: i64,
    app: App,
    releases: Releases,
    natures: BTreeMap<Number, Nature>,
    events: Vec<Event>,
    memory: Memory,
    /// Steps until the control plane is back; 0 while it is up.
    control_away: u32,
    /// The step at which the control plane last heard the machine, since it was started.
    heard_at: Option<u64>,
    /// What it heard then.
    said: BTreeMap<InstanceId, InstanceStatus>,
    machine: Machine,
    proxy: Proxy,
    /// All that is asked of the app, in percent of what one instance can do.
    load_percent: f64,
    /// Steps since the last bad one.
    calm: u32,
    visitors: u64,
    /// Visitors turned away, over steps in a row in which any was.
    turned_away: u32,
    story: VecDeque<String>,
    faults: Vec<String>,
}

impl World {
    /// A world in which nothing has happened yet.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let start = Timestamp::from_ms(1_800_000_000_000);
        Self {
            seed,
            dice: Dice::new(seed),
            steps: 0,
            clock_off_ms: 0,
            app: App::new(release::app_name(), start),
            releases: Releases::new(),
            natures: BTreeMap::new(),
            events: Vec::new(),
            memory: Memory::default(),
            control_away: 0,
            heard_at: None,
            said: BTreeMap::new(),
            machine: Machine::default(),
            proxy: Proxy::default(),
            load_percent: 30.0,
            calm: 0,
            visitors: 0,
            turned_away: 0,
            story: VecDeque::new(),
            faults: Vec::new(),
        }
    }

    /// The app as it stands in the store.
    #[must_use]
    pub const fn app(&self) -> &App {
        &self.app
    }

    /// Its releases.
    #[must_use]
    pub const fn releases(&self) -> &Releases {
        &self.releases
    }

    /// Everything that was said so far, oldest first.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// How long the world has lasted.
    #[must_use]
    pub fn age(&self) -> Duration {
        STEP.saturating_mul(u32::try_from(self.steps).unwrap_or(u32::MAX))
    }

    /// The rules that were broken so far, each with its step; none in a world where all is well.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// What happened lately, a line each, beginning with the seed that tells it again.
    #[must_use]
    pub fn story(&self) -> String {
        let mut told = format!("seed {}\n", self.seed);
        for line in &self.story {
            told.push_str(line);
            told.push('\n');
        }
        told
    }

    /// Lets a second pass.
    pub fn step(&mut self, luck: Luck) {
        self.steps += 1;
        self.calm = if luck == Luck::Good { self.calm + 1 } else { 0 };
        match luck {
            Luck::Good => self.mend(),
            Luck::Plain => {}
            Luck::Bad => self.misfortune(),
        }
        self.control_away = self.control_away.saturating_sub(1);
        let placed = (self.control_away == 0).then_some(&self.app.instances[..]);
        self.machine.step(&mut self.dice, luck, &self.natures, placed, true_time(self.steps));
        let route = (self.control_away == 0).then_some(&self.app.route);
        self.proxy.step(&mut self.dice, luck, route);
        self.visit(luck);
        if self.control_away == 0 {
            self.control(luck);
        }
    }

    /// Panics with the story where a rule was broken so far.
    ///
    /// # Panics
    ///
    /// Where a rule was broken.
    pub fn assert_safe(&self) {
        assert!(self.faults.is_empty(), "{}\n{}", self.faults.join("\n"), self.story());
    }

    /// Notes what was decided, as the store does.
    fn commit(&mut self, decision: Decision) {
        for release in decision.releases {
            self.releases.insert(release.number, release);
        }
        for mut event in decision.events {
            event.rev = u64::try_from(self.events.len()).unwrap_or(u64::MAX) + 1;
            self.tell(format!("  {}: {}", event.kind, event.text));
            self.events.push(event);
        }
        self.app = decision.app;
    }

    fn tell(&mut self, what: impl AsRef<str>) {
        self.story.push_back(format!("{:>4} s {}", self.steps, what.as_ref()));
        if self.story.len() > TOLD {
            self.story.pop_front();
        }
    }

    fn fault(&mut self, what: impl AsRef<str>) {
        let what = format!("step {}: {}", self.steps, what.as_ref());
        self.tell(format!("BROKEN {what}"));
        self.faults.push(what);
    }

    /// The control plane's clock.
    fn now(&self) -> Timestamp {
        let true_ms = true_time(self.steps).as_ms();
        Timestamp::from_ms(true_ms.saturating_add_signed(self.clock_off_ms))
    }
}

/// The machines' clock, which is right.
fn true_time(steps: u64) -> Timestamp {
    let passed = STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX));
    Timestamp::from_ms(1_800_000_000_000).plus(passed)
}
