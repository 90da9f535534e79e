//! Whether the pretend world has come to rest where it was asked to be.

use super::process::Life;
use super::{Nature, World};
use crate::decide::decide;
use crate::model::{Goal, InstanceId, MachineName, Number, RolloutPhase, Track};
use crate::situation::{MachineSeen, Seen, Situation};

impl World {
    /// What is not as it should be when trouble is over and enough time has passed; empty at rest.
    #[must_use]
    pub fn unrest(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.stable_serves(&mut found);
        self.canary_is_settled(&mut found);
        self.only_what_is_wished_runs(&mut found);
        self.proxy_agrees(&mut found);
        if let Some(said) = self.nothing_is_left_to_do() {
            found.push(format!("there is still something to do: {said}"));
        }
        found
    }

    /// Panics with the story where a rule was broken or the world is not at rest.
    ///
    /// # Panics
    ///
    /// Where a rule was broken or the world is not at rest.
    pub fn assert_at_rest(&self) {
        self.assert_safe();
        let unrest = self.unrest();
        assert!(unrest.is_empty(), "not at rest: {}\n{}", unrest.join("\n"), self.story());
    }

    /// The release that is wished serves everyone, with as many instances as are wished.
    fn stable_serves(&self, found: &mut Vec<String>) {
        let wished = self.app.stable.as_ref().map(|stable| stable.release);
        if wished != self.app.serving() {
            found.push(format!("{wished:?} is wished and {:?} serves", self.app.serving()));
        }
        let Some(serving) = self.app.serving() else { return };
        // Only an agent that lied can have let one of these serve.
        let nature = self.natures.get(&serving);
        if matches!(nature, Some(Nature::Sick | Nature::Dies | Nature::Unstartable)) {
            return;
        }
        let up = self.count_up(Track::Stable, serving);
        if up != self.app.scale.wanted as usize {
            found.push(format!("{up} of {} instances are up", self.app.scale.wanted));
        }
    }

    fn count_up(&self, track: Track, release: Number) -> usize {
        let is_up = |id: &InstanceId| {
            self.machine.processes.get(id).is_some_and(|process| process.life == Life::Up)
        };
        let instances = self.app.instances.iter();
        instances
            .filter(|it| it.goal == Goal::Run && it.track == track && it.release == release)
            .filter(|it| is_up(&it.id))
            .count()
    }

    /// The canary serves with its share, or is held, or is over; it is not on its way.
    fn canary_is_settled(&self, found: &mut Vec<String>) {
        let Some(rollout) = &self.app.rollout else { return };
        let arm = self.app.route.arms.iter().find(|arm| arm.track == Track::Canary);
        let weight = arm.map_or(0, |arm| arm.weight);
        let expected = match rollout.phase {
            RolloutPhase::Starting | RolloutPhase::Promoting => {
                return found.push(format!("the canary is still {}", rollout.phase.as_str()));
            }
            RolloutPhase::Serving | RolloutPhase::Paused => rollout.split.canary(),
            RolloutPhase::Held { .. } | RolloutPhase::Promoted | RolloutPhase::Aborted { .. } => 0,
        };
        if weight != expected {
            found.push(format!("the canary has weight {weight} and not {expected}"));
        }
    }

    /// Nothing is on its way out, and no process runs that nobody wishes.
    fn only_what_is_wished_runs(&self, found: &mut Vec<String>) {
        for instance in self.app.instances.iter().filter(|it| it.goal != Goal::Run) {
            found.push(format!("{} is still {:?}", instance.id.short(), instance.goal));
        }
        for id in self.machine.processes.keys() {
            if !self.app.instances.iter().any(|instance| instance.id == *id) {
                found.push(format!("{} runs and nobody wishes it", id.short()));
            }
        }
        let canaries = self.app.instances.iter().filter(|it| it.track == Track::Canary).count();
        let wished = self.app.rollout.as_ref().filter(|it| it.phase.runs()).map_or(0, |rollout| {
            self.releases.get(&rollout.release).map_or(1, |it| it.spec.canary.instances as usize)
        });
        if canaries != wished {
            found.push(format!("{canaries} canary instances, and {wished} are wished"));
        }
    }

    fn proxy_agrees(&self, found: &mut Vec<String>) {
        if self.proxy.applied != self.app.route {
            found.push(format!(
                "the proxy has route {} in force and not {}",
                self.proxy.applied.rev, self.app.route.rev
            ));
        }
    }

    /// What one more decision would say.
    fn nothing_is_left_to_do(&self) -> Option<String> {
        let mut next = self.clone();
        let said = next.machine.report(&mut next.dice, super::true_time(self.steps))?;
        let machines = [(MachineName::local(), MachineSeen::local(true))].into();
        let seen = Seen { instances: said, machines, proxy: next.proxy.seen() };
        let situation =
            Situation { app: &self.app, releases: &self.releases, seen: &seen, now: self.now() };
        let decision = decide(situation, &mut next.memory)?;
        Some(decision.events.iter().map(|event| event.text.as_str()).collect::<Vec<_>>().join("; "))
    }
}
