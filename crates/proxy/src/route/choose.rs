//! Which instance gets a request, and which gets it next when that one fails.

use std::sync::Arc;

use toehold_core::balance;
use toehold_core::model::{Number, Track};

use crate::instance::Instance;
use crate::route::{App, Arm};

/// The most tries of a request that are remembered. More tries than these are never made without
/// a pause between them, after which all is tried anew.
const REMEMBERED: usize = 4;

/// The instances a request was tried at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tried {
    keys: [u64; REMEMBERED],
    count: usize,
}

impl Tried {
    /// Remembers one.
    pub(crate) fn add(&mut self, instance: &Instance) {
        self.keys[self.count % REMEMBERED] = instance.key;
        self.count += 1;
    }

    fn holds(&self, instance: &Instance) -> bool {
        self.keys[..self.count.min(REMEMBERED)].contains(&instance.key)
    }
}

/// An instance for a request.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) instance: Arc<Instance>,
    pub(crate) track: Track,
    pub(crate) release: Number,
}

/// Which arm a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// One that gets requests, drawn by weight.
    Drawn,
    /// This one, where it gets requests, else one that is drawn.
    Kept((Track, Number)),
    /// This one alone, also without a weight; where no instance is in it, one that is drawn.
    Forced(Track),
    /// One that is drawn of those on another track than this.
    Beside(Track),
}

/// Chooses an instance of the arm that is aimed at. Where that arm has none left to try, of another
/// that gets requests, unless it was forced. Of an arm those that are well come before those that
/// are doubted, and these before another arm: what is only doubted leaves the shares as they are.
/// Where a try has failed, whoever is well comes first, wherever. Who came a moment ago is passed
/// over now and then, where there is another. The dead come last, but they come: the last one is
/// tried all the same. `None` where every one was tried, or no arm gets requests. `by` is the thread
/// that asks, and the moment, in microseconds since 1970.
pub(crate) fn choose(
    app: &App,
    aim: Aim,
    tried: &Tried,
    by: (usize, u64),
    mut random: impl FnMut() -> u64,
) -> Option<Choice> {
    let may = |arm: &Arm| match aim {
        Aim::Beside(track) => arm.weight > 0 && arm.track != track,
        Aim::Drawn | Aim::Kept(_) | Aim::Forced(_) => arm.weight > 0,
    };
    let aimed = app.arms.iter().position(|arm| match aim {
        Aim::Kept((track, release)) => may(arm) && arm.track == track && arm.release == release,
        Aim::Forced(track) => arm.track == track && !arm.instances.is_empty(),
        Aim::Drawn | Aim::Beside(_) => false,
    });
    let first = if let Some(arm) = aimed {
        arm
    } else {
        let weight = |arm: &Arm| if may(arm) { arm.weight } else { 0 };
        balance::draw(app.arms.iter().map(weight), random())?
    };
    let is_alone = aimed.is_some() && matches!(aim, Aim::Forced(_));
    let others =
        (0..app.arms.len()).filter(|&arm| !is_alone && arm != first && may(&app.arms[arm]));
    let in_order = || std::iter::once(first).chain(others.clone());
    let well = |it: &Instance| !it.is_aside() && !tried.holds(it);
    let reached = |it: &Instance| !it.is_dead() && !tried.holds(it);
    let untried = |it: &Instance| !tried.holds(it);
    let is_first = tried.count == 0;
    in_order()
        .find_map(|at| {
            let arm = &app.arms[at];
            let well = pick(arm, well, by, random());
            if well.is_some() || !is_first { well } else { pick(arm, reached, by, random()) }
        })
        .or_else(|| in_order().find_map(|arm| pick(&app.arms[arm], reached, by, random())))
        .or_else(|| in_order().find_map(|arm| pick(&app.arms[arm], untried, by, random())))
}

fn pick(
    arm: &Arm,
    usable: impl Fn(&Instance) -> bool,
    (thread, now_us): (usize, u64),
    random: u64,
) -> Option<Choice> {
    let instances = &arm.instances;
    let load = |at: usize| instances[at].meter.load(thread, now_us);
    let usable = |at: usize| usable(&instances[at]);
    // Other bits than those that choose.
    let bits = random.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let warm = |at: usize| usable(at) && instances[at].is_let_in(bits);
    let at = balance::pick(instances.len(), warm, load, random)
        .or_else(|| balance::pick(instances.len(), usable, load, random))?;
    Some(Choice { instance: instances[at].clone(), track: arm.track, release: arm.release })
}
