//! What a message offers to do by a link: a deed, bound to the situation it was offered in. A link
//! is opened hours later; what it would do then must be what it said.

use serde::{Deserialize, Serialize};

use crate::model::{App, Number, RolloutPhase};
use crate::wish::Wish;

/// For how many hours a link silences.
const SILENCE_HOURS: u32 = 4;

/// Something a link does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
pub enum Offer {
    /// Back to an earlier release.
    RollBack {
        /// What serves everyone.
        from: Number,
        /// What should.
        to: Number,
    },
    /// The canary becomes stable.
    Promote {
        /// Which.
        release: Number,
    },
    /// The canary is given up.
    GiveUp {
        /// Which.
        release: Number,
    },
    /// Nobody is told of an alert's rule for a while.
    Silence {
        /// The alert.
        alert: u64,
        /// Its rule.
        rule: String,
    },
}

impl Offer {
    /// Going back from what serves now, where there is something to go back to.
    #[must_use]
    pub fn roll_back(app: &App) -> Option<Self> {
        let from = app.serving()?;
        let to = app.good.iter().rev().copied().find(|good| *good != from)?;
        Some(Self::RollBack { from, to })
    }

    /// Giving up the canary that exists.
    #[must_use]
    pub fn give_up(app: &App) -> Option<Self> {
        app.canary().map(|release| Self::GiveUp { release })
    }

    /// Promoting the canary, while it takes traffic.
    #[must_use]
    pub fn promote(app: &App) -> Option<Self> {
        let rollout = app.rollout.as_ref()?;
        matches!(rollout.phase, RolloutPhase::Serving | RolloutPhase::Paused)
            .then_some(Self::Promote { release: rollout.release })
    }

    /// Silencing an alert.
    #[must_use]
    pub fn silence(app: &App, id: u64) -> Option<Self> {
        let alert = app.alerts.iter().find(|alert| alert.id == id)?;
        Some(Self::Silence { alert: id, rule: alert.rule.clone() })
    }

    /// The word for it, for programs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::RollBack { .. } => "roll_back",
            Self::Promote { .. } => "promote",
            Self::GiveUp { .. } => "give_up",
            Self::Silence { .. } => "silence",
        }
    }

    /// What a button says: `Roll back to #41`.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::RollBack { to, .. } => format!("Roll back to {to}"),
            Self::Promote { release } => format!("Promote canary {release}"),
            Self::GiveUp { release } => format!("Give up canary {release}"),
            Self::Silence { rule, .. } => format!("Silence {rule} for {SILENCE_HOURS} h"),
        }
    }

    /// Exactly what will happen, in sentences.
    #[must_use]
    pub fn says(&self) -> String {
        match self {
            Self::RollBack { from, to } => format!(
                "Release {to} will serve everyone again instead of {from}, with its artifact, its \
                 configuration and its environment. From then on pushes are built and not \
                 deployed, until somebody unpins."
            ),
            Self::Promote { release } => format!(
                "Canary {release} will become stable: everyone gets it, and its instances replace \
                 those of the release that serves now."
            ),
            Self::GiveUp { release } => format!(
                "Canary {release} will be given up: everyone gets stable, and its instances end."
            ),
            Self::Silence { rule, .. } => format!(
                "Nobody will be told of {rule} for {SILENCE_HOURS} hours. What an alert does to \
                 the canary's traffic goes on."
            ),
        }
    }

    /// The wish behind it.
    #[must_use]
    pub const fn wish(&self) -> Wish {
        match self {
            Self::RollBack { to, .. } => Wish::Rollback { to: Some(*to) },
            Self::Promote { .. } => Wish::Promote,
            Self::GiveUp { .. } => Wish::Abort,
            Self::Silence { alert, .. } => {
                Wish::SilenceAlert { alert: *alert, hours: SILENCE_HOURS }
            }
        }
    }

    /// Whether it is still what it was offered as.
    ///
    /// # Errors
    /// What has changed, in a sentence.
    pub fn stands(&self, app: &App) -> Result<(), String> {
        match self {
            Self::RollBack { from, .. } => match app.serving() {
                Some(serving) if serving == *from => match &app.stable {
                    Some(stable) if stable.release != *from => {
                        Err(format!("release {} is on its way to everyone.", stable.release))
                    }
                    _ => Ok(()),
                },
                Some(serving) => Err(format!("{from} does not serve any more: {serving} does.")),
                None => Err("no release serves everyone.".to_owned()),
            },
            Self::Promote { release } => {
                the_canary(app, *release)?;
                match app.rollout.as_ref().map(|rollout| &rollout.phase) {
                    Some(RolloutPhase::Serving | RolloutPhase::Paused) => Ok(()),
                    Some(phase) => Err(format!("canary {release} is {}.", phase.as_str())),
                    None => Err("there is no canary.".to_owned()),
                }
            }
            Self::GiveUp { release } => the_canary(app, *release),
            Self::Silence { alert, rule } => {
                let kept = app.alerts.iter().any(|it| it.id == *alert && it.rule == *rule);
                kept.then_some(()).ok_or_else(|| format!("alert/{alert} ended long ago."))
            }
        }
    }
}

fn the_canary(app: &App, release: Number) -> Result<(), String> {
    match app.canary() {
        Some(canary) if canary == release => Ok(()),
        Some(canary) => Err(format!("the canary is {canary} now, and not {release}.")),
        None => Err(format!("canary {release} has ended.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Scene, said};

    const CANARY: &str = "#1 stable v2 up; #2 canary v3 up; route 2:1; alert #2";

    #[test]
    fn what_is_offered_stands_until_what_it_rests_on_has_changed() {
        let scene = Scene::new("good=v1,v2 stable=v2*1 canary=v3*1", CANARY);
        let app = &scene.app;
        let back = Offer::roll_back(app).expect("v1 served before");
        assert_eq!(back, Offer::RollBack { from: Number(2), to: Number(1) });
        let all = [
            back.clone(),
            Offer::promote(app).expect("it serves"),
            Offer::give_up(app).expect("there is one"),
            Offer::silence(app, 1).expect("there is one"),
        ];
        for offer in &all {
            assert_eq!(offer.stands(app), Ok(()), "{offer:?}");
        }
        let mut after = app.clone();
        after.good.push(Number(3));
        assert_eq!(back.stands(&after), Err("#2 does not serve any more: #3 does.".to_owned()));
        after.rollout = None;
        for offer in &all[1..3] {
            assert_eq!(offer.stands(&after), Err("canary #3 has ended.".to_owned()));
        }
        after.alerts.clear();
        assert!(all[3].stands(&after).is_err());
    }

    #[test]
    fn what_a_link_does_is_what_a_person_could_wish() {
        let scene = Scene::new("good=v1,v2 stable=v2*1 canary=v3*1", CANARY);
        let offer = Offer::silence(&scene.app, 1).expect("there is one");
        let decision = scene.granted(&offer.wish()).expect("it is granted");
        assert!(said(&decision).starts_with("alert.silenced 1"), "{}", said(&decision));
        assert!(decision.app.is_silent("cpu", scene.now));
    }
}
