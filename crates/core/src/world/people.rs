//! What people and jobs do in the pretend world.

use super::{Nature, World, release};
use crate::model::{Number, Split, Track};
use crate::spec::Spec;
use crate::wish::Wish;

impl World {
    /// A push with some configuration becomes a release and is to run on a track, unless that is
    /// refused.
    pub fn push(&mut self, track: Track, nature: Nature) -> Result<Number, String> {
        let spec = release::any_spec(&mut self.dice);
        self.push_with(track, nature, spec)
    }

    /// A push with this configuration becomes a release and is to run on a track, unless that is
    /// refused.
    pub fn push_with(
        &mut self,
        track: Track,
        nature: Nature,
        spec: Spec,
    ) -> Result<Number, String> {
        let number = Number(self.app.next_number);
        self.app.next_number += 1;
        let release = release::release(number, spec, self.now());
        self.releases.insert(number, release);
        self.natures.insert(number, nature);
        self.tell(format!("push {number} ({nature:?}) for {track}"));
        self.wish(&Wish::Deploy { release: number, track, automatic: true })?;
        Ok(number)
    }

    /// As much is asked of the app as so many percent of one instance can do.
    pub fn load(&mut self, percent: f64) {
        self.tell(format!("the load is {percent} % of an instance"));
        self.load_percent = percent;
    }

    /// Somebody does something, whether it makes sense or not.
    pub(super) fn somebody_acts(&mut self) {
        // Most of what people wish at random is refused; what matters is that nothing breaks.
        let _ = match self.dice.below(18) {
            0 | 1 => {
                let nature = self.any_nature();
                self.push(Track::Stable, nature).map(|_| ())
            }
            2 | 3 => {
                let nature = self.any_nature();
                self.push(Track::Canary, nature).map(|_| ())
            }
            4..=6 => self.wish(&Wish::Promote),
            7 => self.any_rollout_wish(),
            8 => self.wish(&Wish::Retry),
            9 => self.wish(&Wish::Rollback { to: None }),
            10 => self.any_release_wish(),
            11 => self.wish(&Wish::Unpin),
            12 => self.any_scale_wish(),
            13 => self.any_alert_wish(),
            _ => {
                let load = f64::from(self.dice.between(0, 250));
                self.load(load);
                Ok(())
            }
        };
    }

    fn any_nature(&mut self) -> Nature {
        match self.dice.below(10) {
            0 => Nature::Sick,
            1 => Nature::Dies,
            2 => Nature::Unstartable,
            3 => Nature::Burns,
            _ => Nature::Sound,
        }
    }

    fn any_rollout_wish(&mut self) -> Result<(), String> {
        let split = ["10%", "50%", "100%", "0%", "2:1"][self.dice.below(5) as usize];
        let split: Split = split.parse().unwrap_or(Split::DEFAULT);
        match self.dice.below(5) {
            0 => self.wish(&Wish::Pause),
            1 => self.wish(&Wish::Resume),
            2 => self.wish(&Wish::Abort),
            _ => self.wish(&Wish::SetSplit { split }),
        }
    }

    fn any_release_wish(&mut self) -> Result<(), String> {
        let kept: Vec<Number> = self.releases.keys().copied().collect();
        let Some(release) = self.dice.pick(&kept).copied() else { return Ok(()) };
        match self.dice.below(3) {
            0 => self.wish(&Wish::Rollback { to: Some(release) }),
            1 => self.wish(&Wish::Deploy { release, track: Track::Stable, automatic: false }),
            _ => self.wish(&Wish::Deploy { release, track: Track::Canary, automatic: false }),
        }
    }

    fn any_scale_wish(&mut self) -> Result<(), String> {
        let count = self.dice.between(1, 4);
        match self.dice.below(4) {
            0 => self.wish(&Wish::ScaleTo { count }),
            1 => self.wish(&Wish::ScaleFreeze),
            _ => self.wish(&Wish::ScaleAuto),
        }
    }

    fn any_alert_wish(&mut self) -> Result<(), String> {
        let ids: Vec<u64> = self.app.alerts.iter().map(|alert| alert.id).collect();
        let Some(alert) = self.dice.pick(&ids).copied() else { return Ok(()) };
        if self.dice.chance(50) {
            self.wish(&Wish::ClearAlert { alert })
        } else {
            self.wish(&Wish::AckAlert { alert })
        }
    }
}
