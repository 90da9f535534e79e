use super::*;

/// A sequence that is the same at each run (`SplitMix64`).
fn randoms(mut seed: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(z ^ (z >> 31))
    })
}

fn share_of_second(weights: [u32; 2]) -> f64 {
    let draws = randoms(7).take(90_000);
    let second = draws.filter(|&r| draw(weights.into_iter(), r) == Some(1)).count();
    f64::from(u32::try_from(second).expect("it is small")) / 90_000.0
}

#[test]
fn two_to_one_gives_a_third_to_the_canary() {
    // Three standard deviations of 90 000 draws are 0.0047.
    assert!((share_of_second([2, 1]) - 1.0 / 3.0).abs() < 0.0047);
    assert!((share_of_second([199, 1]) - 0.005).abs() < 0.0008);
}

#[test]
fn an_arm_without_weight_is_never_drawn() {
    assert!(share_of_second([1, 0]).abs() < f64::EPSILON);
    assert!((share_of_second([0, 1]) - 1.0).abs() < f64::EPSILON);
    for extreme in [0, 1, u64::MAX - 1, u64::MAX] {
        assert_eq!(draw([0, 3, 0].into_iter(), extreme), Some(1));
        assert_eq!(draw([0, 0].into_iter(), extreme), None);
        assert_eq!(draw([u32::MAX, 0].into_iter(), extreme), Some(0));
    }
    assert_eq!(draw(std::iter::empty(), 5), None);
}

#[test]
fn of_two_the_less_busy_one_is_picked() {
    for random in randoms(1).take(1_000) {
        assert_eq!(pick(2, |_| true, |i| [5, 4][i], random), Some(1));
        assert_eq!(pick(3, |i| i != 1, |i| [5, 0, 4][i], random), Some(2));
    }
}

#[test]
fn equally_busy_instances_share_evenly() {
    let mut seen = [0_u32; 5];
    for random in randoms(3).take(50_000) {
        seen[pick(5, |_| true, |_| 2, random).expect("all are usable")] += 1;
    }
    // Three standard deviations of 50 000 draws at one fifth are 268.
    assert!(seen.iter().all(|&n| n.abs_diff(10_000) < 268), "{seen:?}");
}

#[test]
fn what_is_not_usable_is_never_picked() {
    for random in randoms(9).take(1_000) {
        assert_eq!(pick(4, |i| i == 3, |_| 0, random), Some(3));
        assert_eq!(pick(4, |_| false, |_| 0, random), None);
        assert_eq!(pick(0, |_| true, |_| 0, random), None);
    }
}
