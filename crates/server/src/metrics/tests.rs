use super::*;

fn counters(ended: u64, failed: u64) -> InstanceCounters {
    let mut counters = InstanceCounters {
        instance: "shop/web.1".parse().expect("an instance"),
        release: Number(1),
        track: Track::Stable,
        in_flight: 0,
        started: ended,
        answered: [0, ended - failed, 0, 0, 0],
        failed,
        retried: 0,
        bytes_in: 0,
        bytes_out: 0,
        latency: toehold_core::wire::proxy::Histogram::default(),
        last_started_us: 0,
        set_aside: None,
        reached: false,
        ejections: 0,
    };
    for _ in 0..ended - failed {
        counters.latency.count(1_000);
    }
    counters
}

fn report(at_ms: u64, started_ms: u64, counters: InstanceCounters) -> ProxyReport {
    ProxyReport {
        at: Timestamp::from_ms(at_ms),
        started_at: Timestamp::from_ms(started_ms),
        instances: vec![counters],
        ..ProxyReport::default()
    }
}

#[test]
fn rates_speak_of_the_last_minute() {
    let mut metrics = Metrics::default();
    for second in 0..100_u64 {
        metrics.take(&report(1_000_000 + second * 1_000, 1, counters((second + 1) * 10, 0)));
    }
    let app = "shop".parse().expect("a name");
    let traffic = metrics.traffic(&app, Timestamp::from_ms(1_099_000));
    assert_eq!(traffic.len(), 1);
    assert!((traffic[0].requests_per_second - 10.0).abs() < 0.01);
    assert_eq!(traffic[0].requests, 1_000);
}

#[test]
fn what_was_counted_before_this_began_is_no_second_of_its_own() {
    let mut metrics = Metrics::default();
    metrics.take(&report(1_000_000, 1, counters(100_000, 100)));
    metrics.take(&report(1_001_000, 1, counters(100_005, 100)));
    let app = "shop".parse().expect("a name");
    let traffic = metrics.traffic(&app, Timestamp::from_ms(1_001_000));
    assert_eq!(traffic[0].requests, 100_005);
    assert!((traffic[0].requests_per_second - 2.5).abs() < 0.01, "5 in 2 s");
    assert!(traffic[0].error_share < 1e-9);
}

#[test]
fn a_proxy_that_starts_again_loses_no_count() {
    let mut metrics = Metrics::default();
    metrics.take(&report(1_000_000, 999_000, counters(100, 10)));
    metrics.take(&report(1_001_000, 1_000_500, counters(5, 0)));
    let app = "shop".parse().expect("a name");
    let traffic = metrics.traffic(&app, Timestamp::from_ms(1_001_000));
    assert_eq!(traffic[0].requests, 105);
    assert!((traffic[0].error_share - 10.0 / 105.0).abs() < 1e-9);
}
