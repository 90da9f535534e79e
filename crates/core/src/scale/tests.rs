use std::time::Duration;

use super::*;
use crate::model::{Scale, ScaleMode};
use crate::scene::{NOW, before};
use crate::spec::{ScaleSpec, Spec};

fn spec() -> ScaleSpec {
    ScaleSpec { min: 1, max: 8, memory_percent: Some(80.0), ..Spec::default().scale }
}

fn auto(wanted: u32) -> Scale {
    Scale { mode: ScaleMode::Auto, wanted, changed_at: None }
}

/// What is wanted where each instance uses so much CPU; a negative number is no reading.
fn wants(scale: &Scale, cpus: &[f64]) -> Option<u32> {
    let ready: Vec<Use> = cpus
        .iter()
        .map(|cpu| Use {
            cpu_percent: (*cpu >= 0.0 || cpu.is_nan()).then_some(*cpu),
            memory_percent: Some(10.0),
        })
        .collect();
    want(&spec(), &ready, scale, true, NOW).map(|(count, _)| count)
}

#[test]
fn sustained_over_use_brings_what_would_meet_the_target_but_at_most_twice_as_many() {
    assert_eq!(wants(&auto(1), &[45.0]), None, "exactly the target is not above it");
    assert_eq!(wants(&auto(1), &[50.0]), Some(2));
    assert_eq!(wants(&auto(1), &[100.0]), Some(2), "three are needed, two are twice as many");
    assert_eq!(wants(&auto(4), &[60.0; 4]), Some(6));
    assert_eq!(wants(&auto(8), &[100.0; 8]), None, "eight is the most");
}

#[test]
fn one_goes_where_the_rest_can_carry_it_with_room() {
    assert_eq!(wants(&auto(2), &[20.0, 20.0]), Some(1), "one would be at 40 %");
    assert_eq!(wants(&auto(2), &[21.0, 21.0]), None, "one would be at 42 %, the target is 45 %");
    assert_eq!(wants(&auto(4), &[5.0; 4]), Some(3), "one at a time");
    assert_eq!(wants(&auto(1), &[0.0]), None, "the last stays");
}

#[test]
fn what_was_not_measured_makes_it_neither_smaller_nor_larger() {
    assert_eq!(wants(&auto(3), &[1.0, 1.0, -1.0]), None);
    assert_eq!(wants(&auto(3), &[1.0, 1.0, f64::NAN]), None, "no number is no reading");
    assert_eq!(wants(&auto(3), &[1.0, 1.0]), None, "one of three is not ready");
    assert_eq!(wants(&auto(3), &[-1.0, -1.0, -1.0]), None);
    assert_eq!(wants(&auto(3), &[80.0, -1.0, -1.0]), None, "one busy of three is 27 %");
    assert_eq!(wants(&auto(2), &[]), None);
}

#[test]
fn the_larger_need_wins() {
    let ready = [Use { cpu_percent: Some(50.0), memory_percent: Some(160.0) }; 2];
    let (count, why) = want(&spec(), &ready, &auto(2), true, NOW).expect("more are needed");
    assert_eq!(count, 4);
    assert_eq!(why.to_string(), "memory is 160 %, above its target of 80 %");
    let ready = [Use { cpu_percent: Some(1.0), memory_percent: Some(70.0) }; 2];
    assert_eq!(want(&spec(), &ready, &auto(2), true, NOW), None, "memory keeps both");
}

#[test]
fn a_change_is_followed_by_a_rest() {
    let mut scale = auto(1);
    for (seconds, expected) in [(59, None), (60, Some(2))] {
        scale.changed_at = Some(before(seconds));
        assert_eq!(wants(&scale, &[90.0]), expected, "{seconds} s after a change");
    }
    let mut scale = auto(3);
    for (seconds, expected) in [(299, None), (300, Some(2))] {
        scale.changed_at = Some(before(seconds));
        assert_eq!(wants(&scale, &[1.0; 3]), expected, "{seconds} s after a change");
    }
    scale.changed_at = Some(NOW.plus(Duration::from_hours(1)));
    assert_eq!(wants(&scale, &[1.0; 3]), Some(2), "the clock was set back");
}

#[test]
fn a_person_and_a_freeze_are_obeyed() {
    for mode in [ScaleMode::Manual, ScaleMode::Frozen] {
        assert_eq!(wants(&Scale { mode, ..auto(1) }, &[100.0]), None);
        assert_eq!(wants(&Scale { mode, ..auto(3) }, &[0.0; 3]), None);
    }
}

#[test]
fn limits_are_obeyed_at_once() {
    let scale = Scale { changed_at: Some(before(1)), ..auto(1) };
    let spec = ScaleSpec { min: 3, ..spec() };
    let (count, why) = want(&spec, &[], &scale, false, NOW).expect("there are too few");
    assert_eq!((count, why), (3, Why::BelowMin { min: 3 }));
    let spec = ScaleSpec { min: 1, max: 2, ..spec };
    let many = Scale { changed_at: Some(before(1)), ..auto(5) };
    assert_eq!(want(&spec, &[], &many, true, NOW).map(|(count, _)| count), Some(2));
}

#[test]
fn it_does_not_shrink_while_a_canary_is_judged_but_it_may_grow() {
    let quiet = [Use { cpu_percent: Some(1.0), memory_percent: Some(1.0) }; 2];
    assert_eq!(want(&spec(), &quiet, &auto(2), false, NOW), None);
    let busy = [Use { cpu_percent: Some(90.0), memory_percent: Some(1.0) }; 2];
    assert_eq!(want(&spec(), &busy, &auto(2), false, NOW).map(|(count, _)| count), Some(4));
}

#[test]
fn no_target_scales_nothing() {
    let spec = ScaleSpec { cpu_percent: None, memory_percent: None, ..spec() };
    let ready = [Use { cpu_percent: Some(100.0), memory_percent: Some(100.0) }; 2];
    assert_eq!(want(&spec, &ready, &auto(2), true, NOW), None);
    assert_eq!(want(&spec, &[Use::default(); 2], &auto(2), true, NOW), None);
}
