//! The pretend control plane: the real decisions, over what was seen.

use super::{Luck, World};
use crate::check::check;
use crate::decide::{Memory, decide};
use crate::model::{App, Goal, MachineName};
use crate::outside::{Word, hear};
use crate::situation::{Decision, MachineSeen, Seen, Situation};
use crate::wish::{Wish, grant};

/// An agent counts as heard for so many steps.
const HEARD: u64 = 10;

impl World {
    /// Looks, decides, checks and commits.
    pub(super) fn control(&mut self, luck: Luck) {
        let seen = self.look();
        let (app, releases) = (self.app.clone(), std::mem::take(&mut self.releases));
        let situation = Situation { app: &app, releases: &releases, seen: &seen, now: self.now() };
        let decided = self.decide(luck, situation);
        if let Some(decision) = &decided {
            self.judge(decision, situation);
        }
        self.releases = releases;
        if let Some(decision) = decided {
            self.commit(decision);
        }
    }

    /// One decision; none too where the store refuses it and the memory goes back.
    fn decide(&mut self, luck: Luck, situation: Situation<'_>) -> Option<Decision> {
        if luck == Luck::Bad && self.dice.chance(3) {
            self.tell("the store refuses whatever is decided");
            let _ = decide(situation, &mut self.memory.clone());
            return None;
        }
        decide(situation, &mut self.memory)
    }

    /// What is seen now.
    fn look(&mut self) -> Seen {
        let said = self.machine.report(&mut self.dice, super::true_time(self.steps));
        if let Some(said) = said {
            self.heard_at = Some(self.steps);
            self.said = said;
        }
        let heard = self.heard_at.is_some_and(|at| self.steps - at <= HEARD);
        let machines = [(MachineName::local(), MachineSeen::local(heard))].into();
        Seen { instances: self.said.clone(), machines, proxy: self.proxy.seen() }
    }

    /// Checks a decision, against the rules and against the truth.
    fn judge(&mut self, decision: &Decision, situation: Situation<'_>) {
        if decision.events.is_empty() && decision.app != *situation.app {
            self.fault("a decision without an event");
        }
        for violation in check(situation.app, &decision.app, situation) {
            self.fault(violation.to_string());
        }
        self.nothing_reached_ends(situation.app, &decision.app);
    }

    /// In truth too, nothing ends that the proxy still sends requests to, unless its time is over.
    fn nothing_reached_ends(&mut self, before: &App, next: &App) {
        for instance in next.instances.iter().filter(|it| it.goal == Goal::Stop) {
            let was = before.instances.iter().find(|it| it.id == instance.id).map(|it| it.goal);
            let is_over = match was {
                Some(Goal::Stop) => true,
                Some(Goal::Drain { until }) => until <= self.now(),
                Some(Goal::Run) | None => false,
            };
            let in_flight = self.proxy.in_flight(&instance.id);
            if !is_over && (self.proxy.routes_to(&instance.id) || in_flight > 0) {
                let name = instance.id.short();
                self.fault(format!("{name} ends with {in_flight} requests in flight"));
            }
        }
    }

    /// Somebody wishes for something. `Ok` where it was granted; the refusal in words where not.
    pub fn wish(&mut self, wish: &Wish) -> Result<(), String> {
        if self.control_away > 0 {
            return Err("the control plane is away".to_owned());
        }
        self.tell(format!("ann wishes {wish:?}"));
        let seen = self.look();
        let (app, releases) = (self.app.clone(), self.releases.clone());
        let situation = Situation { app: &app, releases: &releases, seen: &seen, now: self.now() };
        let decision = grant(situation, wish, "ann").map_err(|refusal| {
            self.tell(format!("  refused: {refusal}"));
            refusal.to_string()
        })?;
        self.judge(&decision, situation);
        self.commit(decision);
        self.twice_is_once(wish, &seen);
        Ok(())
    }

    /// Another system says something of the app; said again, it is no news.
    pub fn hear(&mut self, word: &Word) {
        if self.control_away > 0 {
            return;
        }
        self.tell(format!("a monitor says {word:?}"));
        let seen = self.look();
        let (app, releases) = (self.app.clone(), self.releases.clone());
        let situation = Situation { app: &app, releases: &releases, seen: &seen, now: self.now() };
        let (decision, _) = hear(situation, std::slice::from_ref(word), "monitor");
        self.judge(&decision, situation);
        self.commit(decision);
        let (app, releases) = (self.app.clone(), self.releases.clone());
        let situation = Situation { app: &app, releases: &releases, seen: &seen, now: self.now() };
        let (again, _) = hear(situation, std::slice::from_ref(word), "monitor");
        let raised = again.app.alerts.iter().filter(|alert| alert.is_raised()).count();
        if raised > app.alerts.iter().filter(|alert| alert.is_raised()).count() {
            self.fault(format!("{word:?} twice is not once"));
        }
    }

    /// What was granted is granted again without a change. (`rollback` alone goes further back when
    /// it is said again after it was done.)
    fn twice_is_once(&mut self, wish: &Wish, seen: &Seen) {
        if matches!(wish, Wish::Rollback { to: None } | Wish::Resume) {
            return;
        }
        let (app, releases) = (self.app.clone(), self.releases.clone());
        let situation = Situation { app: &app, releases: &releases, seen, now: self.now() };
        match grant(situation, wish, "ann") {
            Ok(again) if again.events.is_empty() && again.app == app => {}
            Ok(again) => {
                let said: Vec<_> = again.events.into_iter().map(|event| event.text).collect();
                self.fault(format!("{wish:?} twice is not once: {said:?}"));
            }
            Err(refusal) => self.fault(format!("{wish:?} was granted, then refused: {refusal}")),
        }
    }

    /// The control plane is killed, and back after so many steps with nothing in its memory.
    pub(super) fn kill_control(&mut self, steps: u32) {
        self.tell(format!("the control plane is killed for {steps} s"));
        self.control_away = steps;
        self.memory = Memory::default();
        self.heard_at = None;
        self.said.clear();
    }
}
