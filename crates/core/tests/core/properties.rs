//! The safety rules by their names, for whatever anybody does in whatever order. A failure is cut
//! down to the shortest story that still breaks the rule.

use std::time::Duration;

use proptest::prelude::*;
use toehold_core::alert::{Change, Gauge};
use toehold_core::model::{
    AlertRule, App, Arm, Goal, Metric, Outside, Scale, ScaleMode, Split, Track,
};
use toehold_core::outside::Word;
use toehold_core::sample::Window;
use toehold_core::scale::{Use, Why, want};
use toehold_core::spec::{ScaleSpec, Spec};
use toehold_core::time::Timestamp;
use toehold_core::wish::Wish;
use toehold_core::world::{Luck, Nature, World};

/// Something that happens.
#[derive(Clone, Debug)]
enum Deed {
    Push(Track, Nature),
    Wish(Wish),
    Hear(Word),
    KillInstance(usize),
    SilenceAgent(u32),
    KillProxy(u32),
    KillControl(u32),
    Load(u32),
    Pass(Luck, u32),
}

fn natures() -> impl Strategy<Value = Nature> {
    prop_oneof![
        4 => Just(Nature::Sound),
        2 => Just(Nature::Burns),
        1 => Just(Nature::Sick),
        1 => Just(Nature::Dies),
        1 => Just(Nature::Unstartable),
    ]
}

fn wishes() -> impl Strategy<Value = Wish> {
    let split = (0_u32..=4, 1_u32..=4).prop_map(|(stable, canary)| {
        Split::new(stable, canary).expect("the canary's part is not 0")
    });
    prop_oneof![
        4 => Just(Wish::Promote),
        1 => Just(Wish::Abort),
        1 => Just(Wish::Pause),
        1 => Just(Wish::Resume),
        2 => Just(Wish::Retry),
        2 => Just(Wish::Rollback { to: None }),
        1 => Just(Wish::Unpin),
        1 => Just(Wish::ScaleAuto),
        1 => split.prop_map(|split| Wish::SetSplit { split }),
        1 => (1_u32..=4).prop_map(|count| Wish::ScaleTo { count }),
        1 => (1_u64..=4).prop_map(|alert| Wish::ClearAlert { alert }),
    ]
}

fn words() -> impl Strategy<Value = Word> {
    let track = prop_oneof![1 => Just(Track::Stable), 3 => Just(Track::Canary)];
    (track, 0_u64..3, any::<bool>()).prop_map(|(track, nth, holds)| {
        let (since, link) = (Timestamp::from_ms(nth), String::new());
        let told = Outside { fingerprint: nth.to_string(), reason: "5xx".into(), since, link };
        Word { name: "errors".into(), track, told, holds }
    })
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let track = prop_oneof![Just(Track::Stable), Just(Track::Canary)];
    let deed = prop_oneof![
        3 => (track, natures()).prop_map(|(track, nature)| Deed::Push(track, nature)),
        3 => wishes().prop_map(Deed::Wish),
        2 => words().prop_map(Deed::Hear),
        1 => (0_usize..6).prop_map(Deed::KillInstance),
        1 => (1_u32..30).prop_map(Deed::SilenceAgent),
        1 => (1_u32..10).prop_map(Deed::KillProxy),
        1 => (0_u32..10).prop_map(Deed::KillControl),
        1 => (0_u32..250).prop_map(Deed::Load),
        3 => (1_u32..12).prop_map(|steps| Deed::Pass(Luck::Plain, steps)),
        3 => (1_u32..12).prop_map(|steps| Deed::Pass(Luck::Bad, steps)),
    ];
    prop::collection::vec(deed, 1..40)
}

/// Plays the deeds and looks at what each step made of what was before.
fn play(
    deeds: &[Deed],
    look: impl Fn(&App, &World) -> Result<(), TestCaseError>,
) -> Result<World, TestCaseError> {
    let mut world = World::new(1);
    for deed in deeds {
        let before = world.app().clone();
        // What is refused changes nothing, and that is what matters here.
        match deed.clone() {
            Deed::Push(track, nature) => drop(world.push(track, nature)),
            Deed::Wish(wish) => drop(world.wish(&wish)),
            Deed::Hear(word) => world.hear(&word),
            Deed::KillInstance(at) => {
                if let Some(instance) = before.instances.get(at) {
                    world.crash(&instance.id);
                }
            }
            Deed::SilenceAgent(steps) => world.silence(steps),
            Deed::KillProxy(steps) => world.kill_proxy(steps),
            Deed::KillControl(steps) => world.restart_control(steps),
            Deed::Load(percent) => world.load(f64::from(percent)),
            Deed::Pass(luck, steps) => {
                for _ in 0..steps {
                    let before = world.app().clone();
                    world.step(luck);
                    look(&before, &world)?;
                }
                continue;
            }
        }
        look(&before, &world)?;
    }
    prop_assert!(world.faults().is_empty(), "{:?}", world.faults());
    Ok(world)
}

fn arm(app: &App, track: Track) -> Option<&Arm> {
    app.route.arms.iter().find(|arm| arm.track == track)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_route_to_nobody(deeds in deeds()) {
        play(&deeds, |before, world| {
            let app = world.app();
            for arm in &app.route.arms {
                prop_assert!(arm.weight == 0 || !arm.targets.is_empty());
            }
            prop_assert!(before.route.arms.is_empty() || !app.route.arms.is_empty());
            Ok(())
        })?;
    }

    #[test]
    fn never_route_to_what_is_ending(deeds in deeds()) {
        play(&deeds, |_, world| {
            for arm in &world.app().route.arms {
                for target in &arm.targets {
                    let runs = world.app().instances.iter().any(|it| {
                        it.id == target.instance && it.goal == Goal::Run && it.release == arm.release
                    });
                    prop_assert!(runs, "{} is in the route", target.instance);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn never_leave_stable_at_zero(deeds in deeds()) {
        play(&deeds, |before, world| {
            let app = world.app();
            if before.serving().is_some() {
                let serving = app.serving();
                prop_assert!(serving.is_some() && app.stable.is_some());
                let left = app.instances.iter().any(|it| {
                    it.track == Track::Stable && it.goal == Goal::Run && Some(it.release) == serving
                });
                prop_assert!(left);
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_canary_gets_at_most_what_was_asked(deeds in deeds()) {
        play(&deeds, |_, world| {
            let app = world.app();
            if let Some(canary) = arm(app, Track::Canary) {
                let total: u32 = app.route.arms.iter().map(|arm| arm.weight).sum();
                let share = f64::from(canary.weight) / f64::from(total);
                let asked = app.rollout.as_ref().map_or(0.0, |it| it.split.canary_share());
                prop_assert!(share <= asked + 1e-9, "{share} of {asked}");
            }
            Ok(())
        })?;
    }

    #[test]
    fn an_alert_on_the_canary_means_that_everyone_gets_stable(deeds in deeds()) {
        play(&deeds, |_, world| {
            let app = world.app();
            let targets = arm(app, Track::Canary).map_or(&[][..], |arm| &arm.targets);
            for alert in app.alerts.iter().filter(|alert| alert.is_raised()) {
                let is_tried = alert.track == Track::Canary && app.canary() == Some(alert.release);
                if alert.outside().is_some() && is_tried {
                    prop_assert!(arm(app, Track::Canary).is_none_or(|arm| arm.weight == 0));
                }
                prop_assert!(!targets.iter().any(|target| Some(&target.instance) == alert.instance()));
            }
            Ok(())
        })?;
    }

    #[test]
    fn numbers_and_revisions_only_grow(deeds in deeds()) {
        play(&deeds, |before, world| {
            let app = world.app();
            prop_assert!(app.next_instance >= before.next_instance);
            prop_assert!(app.route.rev >= before.route.rev);
            prop_assert_eq!(app.route.rev == before.route.rev, app.route.arms == before.route.arms);
            let ordinals: Vec<u64> = app.instances.iter().map(|it| it.id.ordinal()).collect();
            prop_assert!(ordinals.is_sorted_by(|a, b| a < b));
            Ok(())
        })?;
    }

    #[test]
    fn whatever_happened_it_comes_to_rest(deeds in deeds()) {
        let mut world = play(&deeds, |_, _| Ok(()))?;
        for _ in 0..150 {
            world.step(Luck::Good);
        }
        prop_assert_eq!(world.unrest(), Vec::<String>::new(), "{}", world.story());
    }
}

const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

fn uses() -> impl Strategy<Value = Vec<Use>> {
    let percent = prop_oneof![
        6 => (0.0_f64..200.0).prop_map(Some),
        1 => Just(None),
        1 => Just(Some(f64::NAN)),
    ];
    let one = (percent.clone(), percent)
        .prop_map(|(cpu_percent, memory_percent)| Use { cpu_percent, memory_percent });
    prop::collection::vec(one, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn scaling_stays_within_its_limits_and_goes_in_one_by_one(
        ready in uses(), wanted in 1_u32..10, min in 1_u32..4, more in 0_u32..6, shrink: bool,
    ) {
        let spec = ScaleSpec { min, max: min + more, ..Spec::default().scale };
        let scale = Scale { mode: ScaleMode::Auto, wanted, changed_at: None };
        if let Some((next, why)) = want(&spec, &ready, &scale, shrink, NOW) {
            prop_assert!((spec.min..=spec.max).contains(&next));
            prop_assert_ne!(next, wanted);
            match why {
                Why::Over { .. } => prop_assert!(next > wanted && next <= wanted * 2),
                Why::Under { .. } => {
                    prop_assert_eq!(next, wanted - 1);
                    prop_assert!(shrink && ready.len() >= wanted as usize);
                    let known = |value: Option<f64>| value.is_some_and(|it| !it.is_nan());
                    let all = |it: &Use| known(it.cpu_percent) && known(it.memory_percent);
                    prop_assert!(ready.iter().all(all), "what is not known never makes it smaller");
                }
                Why::BelowMin { .. } => prop_assert_eq!(next, min),
                Why::AboveMax { .. } => prop_assert_eq!(next, spec.max),
            }
        }
    }

    #[test]
    fn a_load_that_stays_is_not_scaled_back_and_forth(load in 0.0_f64..400.0, wanted in 1_u32..8) {
        let spec = ScaleSpec { min: 1, max: 16, memory_percent: None, ..Spec::default().scale };
        let mut scale = Scale { mode: ScaleMode::Auto, wanted, changed_at: None };
        let mut turns = Vec::new();
        for _ in 0..40 {
            let each = load / f64::from(scale.wanted);
            let one = Use { cpu_percent: Some(each), memory_percent: None };
            let ready = vec![one; scale.wanted as usize];
            let Some((next, _)) = want(&spec, &ready, &scale, true, NOW) else { break };
            turns.push(next > scale.wanted);
            scale.wanted = next;
        }
        turns.dedup();
        prop_assert!(turns.len() <= 1, "it went {turns:?} for {load} %");
    }

    #[test]
    fn an_alert_is_raised_and_cleared_by_turns_and_never_without_samples(
        samples in prop::collection::vec(prop::option::weighted(0.8, 0.0_f64..100.0), 0..120),
    ) {
        let rule = AlertRule {
            name: "cpu".into(),
            metric: Metric::Cpu,
            above: 45.0,
            below: 40.0,
            window: Duration::from_mins(1),
            quiet: Duration::from_mins(10),
            notify: Vec::new(),
        };
        let mut gauge = Gauge::new(&rule);
        let mut raised = false;
        for (at, sample) in (0_u64..).step_by(10).zip(samples) {
            for change in gauge.sample(&rule, sample, Timestamp::from_ms(at * 1_000)) {
                match change {
                    Change::Raise(mean) => {
                        prop_assert!(!raised && mean.percent > 45.0 && mean.samples >= 3);
                        raised = true;
                    }
                    Change::Clear(mean) => {
                        prop_assert!(raised && mean.percent < 40.0 && mean.samples >= 3);
                        raised = false;
                    }
                    Change::Stale => prop_assert!(sample.is_none()),
                    Change::Fresh => prop_assert!(sample.is_some()),
                }
            }
        }
    }

    #[test]
    fn a_mean_lies_between_the_least_and_the_most(
        samples in prop::collection::vec(0.0_f64..1000.0, 6..40),
    ) {
        let mut window = Window::new(Duration::from_mins(1));
        for (at, sample) in (0_u64..).step_by(10).zip(&samples) {
            window.push(Timestamp::from_ms(at * 1_000), Some(*sample));
        }
        let mean = window.mean().expect("the window is full").percent;
        let last = &samples[samples.len() - 6..];
        let least = last.iter().copied().fold(f64::INFINITY, f64::min);
        let most = last.iter().copied().fold(0.0, f64::max);
        prop_assert!(mean >= least - 1e-9 && mean <= most + 1e-9);
    }
}
