use std::sync::Arc;

use toehold_core::model::{InstanceId, Number, Track};

use super::*;
use crate::meter::Meter;

fn arm(count: u64) -> Arm {
    let instance = |ordinal| {
        let id = InstanceId::new("shop".parse().expect("it is a name"), ordinal);
        Arc::new(Instance::new(ordinal, id, ([127, 0, 0, 1], 1).into(), Arc::new(Meter::new(1))))
    };
    let instances = (1..=count).map(instance).collect();
    Arm { track: Track::Stable, release: Number(1), weight: 1, instances }
}

/// So many answers of each instance, each of which took so long.
fn answer(arm: &Arm, count: u32, took_ms: &[u64]) {
    for (instance, took_ms) in arm.instances.iter().zip(took_ms) {
        for _ in 0..count {
            instance.meter.answered(0, 200, 0, took_ms * 1_000);
        }
    }
}

#[test]
fn one_that_is_much_slower_than_the_others_is_told() {
    let (arm, now) = (arm(3), Instant::now());
    let mut paces = Paces::new();
    assert!(paces.outliers(&arm, now).is_empty());
    answer(&arm, 19, &[10, 400, 10]);
    assert!(paces.outliers(&arm, now).is_empty(), "19 answers say nothing");
    answer(&arm, 1, &[10, 400, 10]);
    let told = paces.outliers(&arm, now);
    let [(instance, why)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(instance.id.ordinal(), 2);
    assert_eq!(why, "half of its answers take 458 ms or more, most of the others' 10 ms or less");
    // It is told once for the same answers.
    assert!(paces.outliers(&arm, now).is_empty());
    // The others had nothing to do since, and are known for a while.
    answer(&arm, 20, &[0, 400]);
    assert_eq!(paces.outliers(&arm, now + KNOWN / 2).len(), 1);
}

#[test]
fn what_is_forgotten_aside_or_slow_as_all_are_makes_no_outlier() {
    let (arm, now) = (arm(2), Instant::now());
    let mut paces = Paces::new();
    paces.outliers(&arm, now);
    answer(&arm, 20, &[400, 400]);
    assert!(paces.outliers(&arm, now).is_empty(), "both are slow");
    // Few answers in a long time are not taken together.
    answer(&arm, 10, &[10, 400]);
    assert!(paces.outliers(&arm, now + WINDOW).is_empty());
    answer(&arm, 10, &[10, 400]);
    assert!(paces.outliers(&arm, now + WINDOW).is_empty());
    answer(&arm, 10, &[10, 400]);
    assert!(arm.instances[1].doubt(Doubt::Slow, "it is slow"));
    assert!(paces.outliers(&arm, now + WINDOW).is_empty(), "it is passed over already");
}
