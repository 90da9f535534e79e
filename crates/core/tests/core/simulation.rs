//! The pretend world goes wrong for a while and must be safe at every step; then it is left alone
//! and must come to rest where it was asked to be.

use toehold_core::model::{RolloutPhase, Track};
use toehold_core::wish::Wish;
use toehold_core::world::{Luck, Nature, World};

/// How many worlds.
const SEEDS: u64 = 500;

/// Steps full of trouble.
const BAD: u32 = 100;

/// Steps after which everything that waits has had its time: a start's deadline with what an
/// artifact takes to unpack, twice, and a drain.
const GOOD: u32 = 150;

fn after_trouble(seed: u64) -> World {
    let mut world = World::new(seed);
    for _ in 0..BAD {
        world.trouble();
        world.step(Luck::Bad);
        world.assert_safe();
    }
    world
}

fn left_alone(mut world: World, steps: u32) -> World {
    for _ in 0..steps {
        world.step(Luck::Good);
        world.assert_safe();
    }
    world
}

#[test]
fn the_world_goes_wrong_and_comes_to_rest() {
    for seed in 0..SEEDS {
        left_alone(after_trouble(seed), GOOD).assert_at_rest();
    }
}

#[test]
fn a_last_sound_push_serves_everyone_in_the_end() {
    for seed in SEEDS..SEEDS + SEEDS / 5 {
        let mut world = left_alone(after_trouble(seed), 2);
        world.wish(&Wish::Unpin).expect("pushes may always be let go on");
        let pushed = world.push(Track::Stable, Nature::Sound).expect("it is the newest");
        let world = left_alone(world, GOOD);
        world.assert_at_rest();
        assert_eq!(world.app().serving(), Some(pushed), "{}", world.story());
    }
}

#[test]
fn a_burning_canary_is_sent_home_whatever_came_before() {
    for seed in 2 * SEEDS..2 * SEEDS + SEEDS / 5 {
        let mut world = left_alone(after_trouble(seed), 2);
        world.wish(&Wish::Unpin).expect("pushes may always be let go on");
        world.push(Track::Stable, Nature::Sound).expect("it is the newest");
        let mut world = left_alone(world, GOOD);
        let canary = world.push(Track::Canary, Nature::Burns).expect("there is a stable release");
        let world = left_alone(world, GOOD);
        world.assert_at_rest();
        let rollout = world.app().rollout.as_ref().expect("there is a canary");
        assert_eq!(rollout.release, canary);
        assert!(matches!(rollout.phase, RolloutPhase::Held { .. }), "{}", world.story());
        assert!(world.app().route.arms.len() == 1, "{}", world.story());
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let live = |seed| left_alone(after_trouble(seed), GOOD);
    assert_eq!(live(7).events(), live(7).events());
}
