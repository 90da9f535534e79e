use toehold_core::certificates::{Attempt, Certificate};
use toehold_core::wire::certificates::KeyPem;

use super::*;

const OF: Directories<'_> = Directories { first: "https://ca.example.com", fallback: None };
const DAY: Duration = Duration::from_hours(24);

fn start() -> Timestamp {
    Timestamp::from_ms(1_800_000_000_000)
}

fn wanting(hosts: impl IntoIterator<Item = String>) -> Held {
    let held = Held::default();
    let app: AppName = "shop".parse().expect("a name");
    held.want(&hosts.into_iter().map(|host| (host, app.clone())).collect());
    held
}

fn begun(held: &Held, now: Timestamp, free: usize) -> Vec<String> {
    held.begin(OF, now, free).into_iter().map(|(host, _)| host).collect()
}

/// A host has a certificate that lives for so many days.
fn has(held: &Held, host: &str, days: u64) {
    let certificate = Certificate {
        names: vec![host.to_owned()],
        not_before: start(),
        not_after: start().plus(Duration::from_hours(24 * days)),
        from: Origin::Acme { directory: OF.first.to_owned() },
    };
    held.keep(host, Kept::issued(certificate, Digest::of(host.as_bytes())), Rev(1));
    held.have(host, pair(host, 10));
}

fn pair(host: &str, bytes: usize) -> Pair {
    Pair { names: vec![host.to_owned()], chain: "x".repeat(bytes), key: KeyPem::new("key") }
}

fn told(held: &Held) -> Certificates {
    let mut told = None;
    held.show(2, true, |all| told = Some(all));
    told.expect("it is told at once")
}

#[test]
fn who_has_none_comes_first_and_then_whose_ends_first_and_nobody_twice() {
    let held = wanting(["a", "b", "c", "d"].map(|host| format!("{host}.example.com")));
    has(&held, "a.example.com", 9);
    has(&held, "b.example.com", 6);
    has(&held, "d.example.com", 900);
    let now = start().plus(DAY * 7);
    assert_eq!(begun(&held, now, 2), ["c.example.com", "b.example.com"]);
    assert_eq!(begun(&held, now, 2), ["a.example.com"]);
    assert!(begun(&held, now, 2).is_empty(), "all are under way, or not due");
    held.ended("c.example.com");
    assert_eq!(begun(&held, now, 2), ["c.example.com"]);
}

#[test]
fn what_failed_waits_and_what_leads_nowhere_is_not_asked_for() {
    let held = wanting(["a.example.com", "b.example.com"].map(String::from));
    let attempt = Attempt { at: start(), why: "no".into(), not_before: None, chance: 0.0 };
    held.keep("a.example.com", Kept::default().failed(attempt), Rev(1));
    assert_eq!(begun(&held, start(), 9), ["b.example.com"]);
    held.ended("b.example.com");
    held.want(&BTreeMap::new());
    assert!(begun(&held, start().plus(DAY), 9).is_empty());
    assert_eq!(held.over(start().plus(DAY)), ["a.example.com", "b.example.com"]);
}

#[test]
fn no_more_orders_are_begun_than_a_ca_takes() {
    let held = wanting((0..500).map(|it| format!("h{it}.example.com")));
    assert_eq!(begun(&held, start(), 1_000).len(), ORDERS);
    assert!(begun(&held, start().plus(WINDOW / 2), 3).is_empty());
    assert_eq!(begun(&held, start().plus(WINDOW), 3).len(), 3);
    // A clock that is set back holds nothing up.
    assert_eq!(begun(&held, start(), 3).len(), 3);
}

#[test]
fn the_whole_is_told_with_a_later_serial_each_time_and_fits_into_one_message() {
    let held = wanting(["a.example.com", "b.example.com", "c.example.com"].map(String::from));
    held.have("a.example.com", pair("a.example.com", MOST_BYTES));
    held.have("b.example.com", pair("b.example.com", 10));
    held.have("gone.example.com", pair("gone.example.com", 10));
    let proof = Proof::Http { token: "t".into(), authorization: "t.print".into() };
    held.prove("c.example.com", proof);
    let first = told(&held);
    let names: Vec<&String> = first.pairs.iter().flat_map(|it| &it.names).collect();
    assert_eq!(names, ["b.example.com"], "one is too large, one leads nowhere");
    assert_eq!(first.http_challenges.get("t").map(String::as_str), Some("t.print"));
    held.ended("c.example.com");
    let second = told(&held);
    assert!(second.http_challenges.is_empty());
    assert_eq!((first.serial, second.serial), (2_000_000_001, 2_000_000_002));
    let long = serde_json::to_string(&second).expect("it is JSON").len();
    assert!(long < toehold_core::wire::MAX_MESSAGE_BYTES, "{long}");
}
