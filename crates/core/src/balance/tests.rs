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

/// So many requests in flight, and no latency known.
fn busy(in_flight: u64) -> Load {
    Load { in_flight, latency_us: 0 }
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
        assert_eq!(pick(2, |_| true, |i| busy([5, 4][i]), random), Some(1));
        assert_eq!(pick(3, |i| i != 1, |i| busy([5, 0, 4][i]), random), Some(2));
    }
}

#[test]
fn equally_busy_instances_share_evenly() {
    let mut seen = [0_u32; 5];
    for random in randoms(3).take(50_000) {
        seen[pick(5, |_| true, |_| busy(2), random).expect("all are usable")] += 1;
    }
    // Three standard deviations of 50 000 draws at one fifth are 268.
    assert!(seen.iter().all(|&n| n.abs_diff(10_000) < 268), "{seen:?}");
}

#[test]
fn what_is_not_usable_is_never_picked() {
    for random in randoms(9).take(1_000) {
        assert_eq!(pick(4, |i| i == 3, |_| busy(0), random), Some(3));
        assert_eq!(pick(4, |_| false, |_| busy(0), random), None);
        assert_eq!(pick(0, |_| true, |_| busy(0), random), None);
    }
}

/// One that answers requests one after the other, each within so many microseconds on average.
struct Server {
    takes_us: f64,
    free_at_us: u64,
    /// When requests under way began and end.
    under_way: std::collections::VecDeque<(u64, u64)>,
    peak: Peak,
    served: u32,
}

/// Sends requests to servers, so many a second, and says how long one takes on average and what
/// share each server got, in percent.
fn sent(takes_ms: &[f64], per_second: f64, by_latency: bool) -> (u64, Vec<u32>) {
    let mut dice = randoms(11);
    let mut chance = || dice.next().expect("it never ends");
    let server = |takes_ms: &f64| Server {
        takes_us: takes_ms * 1_000.0,
        free_at_us: 0,
        under_way: std::collections::VecDeque::new(),
        peak: Peak::default(),
        served: 0,
    };
    let mut servers: Vec<Server> = takes_ms.iter().map(server).collect();
    let (mut now_us, mut took_us, count) = (0, 0, 20_000_u32);
    for _ in 0..count {
        now_us += by_chance(1_000_000.0 / per_second, chance());
        for server in &mut servers {
            while let Some((begun, ended)) = server.under_way.front().copied()
                && ended <= now_us
            {
                server.peak = server.peak.seen(ended - begun, ended);
                server.under_way.pop_front();
            }
        }
        let load = |at: usize| Load {
            in_flight: servers[at].under_way.len() as u64,
            latency_us: if by_latency { servers[at].peak.at(now_us) } else { 0 },
        };
        let at = pick(servers.len(), |_| true, load, chance()).expect("all are usable");
        let server = &mut servers[at];
        let ended = server.free_at_us.max(now_us) + by_chance(server.takes_us, chance());
        (server.free_at_us, server.served) = (ended, server.served + 1);
        server.under_way.push_back((now_us, ended));
        took_us += ended - now_us;
    }
    (took_us / u64::from(count), servers.iter().map(|it| it.served * 100 / count).collect())
}

/// A time by chance, with this mean.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "it is some seconds at most, and never below 0"
)]
fn by_chance(mean_us: f64, random: u64) -> u64 {
    (-(1.0 - random as f64 / 2_f64.powi(64)).max(1e-12).ln() * mean_us) as u64 + 1
}

#[test]
fn latencies_keep_requests_away_from_a_slow_one_and_tell_equals_no_worse_apart() {
    // Little is in flight: by that alone nearly as many go to the slow one as to the others.
    let slow = [5.0, 5.0, 5.0, 50.0];
    let ((alone_us, by_flight), (both_us, by_both)) =
        (sent(&slow, 100.0, false), sent(&slow, 100.0, true));
    assert!(both_us * 3 < alone_us * 2, "{alone_us} us, {both_us} us");
    assert!(by_both[3] * 2 < by_flight[3] && by_both[3] > 0, "{by_flight:?} {by_both:?}");
    // Equals, nearly idle and busy.
    for per_second in [50.0, 500.0] {
        let equal = [5.0; 4];
        let ((alone_us, _), (both_us, by_both)) =
            (sent(&equal, per_second, false), sent(&equal, per_second, true));
        assert!(both_us * 10 < alone_us * 11, "{alone_us} us, {both_us} us");
        assert!(by_both.iter().all(|share| share.abs_diff(25) < 5), "{by_both:?}");
    }
}
