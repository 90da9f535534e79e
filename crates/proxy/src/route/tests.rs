use toehold_core::model::{Arm as WireArm, InstanceId, Target};

use super::*;
use crate::instance::Doubt;
use crate::meter::Meter;

fn app(name: &str) -> AppName {
    name.parse().expect("it is a name")
}

fn target(app_name: &str, ordinal: u64) -> Target {
    let port = 40_000 + u16::try_from(ordinal).expect("it is small");
    Target {
        instance: InstanceId::new(app(app_name), ordinal),
        addr: ([127, 0, 0, 1], port).into(),
    }
}

fn arm(track: Track, weight: u32, targets: Vec<Target>) -> WireArm {
    WireArm { track, release: Number(weight.into()), weight, targets }
}

fn route(name: &str, hosts: &[&str], arms: Vec<WireArm>) -> AppRoute {
    AppRoute {
        app: app(name),
        rev: 1,
        hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
        arms,
        sticky: false,
        timeout: Duration::from_secs(30),
        max_body_bytes: 1 << 20,
        track_key: TrackKey::default(),
    }
}

fn routes(apps: Vec<AppRoute>) -> Routes {
    Routes { apps, cookie_key: "ab".repeat(16), ..Routes::default() }
}

fn table(routes: &Routes) -> Table {
    let key = check(routes).expect("they hold");
    let instance = |target: &Target| {
        let id = target.instance.clone();
        Arc::new(Instance::new(id.ordinal(), id, target.addr, Arc::new(Meter::new(1))))
    };
    let arms = |route: &AppRoute| {
        let arm = |arm: &WireArm| Arm {
            track: arm.track,
            release: arm.release,
            weight: arm.weight,
            instances: arm.targets.iter().map(instance).collect(),
        };
        route.arms.iter().map(arm).collect()
    };
    Table::build(routes, key, arms, |_| Arc::new(AppMeter::new(1)))
}

/// Stable with instances 1 and 2, a canary with 3.
fn split(stable: u32, canary: u32) -> Table {
    table_of(vec![
        arm(Track::Stable, stable, vec![target("shop", 1), target("shop", 2)]),
        arm(Track::Canary, canary, vec![target("shop", 3)]),
    ])
}

fn table_of(arms: Vec<WireArm>) -> Table {
    table(&routes(vec![route("shop", &[], arms)]))
}

fn chosen(table: &Table, kept: Option<(Track, Number)>, tried: &Tried) -> Option<u64> {
    let app = table.app("").expect("it is alone");
    let aim = kept.map_or(Aim::Drawn, Aim::Kept);
    choose(app, aim, tried, (0, 0), || fastrand::u64(..)).map(|choice| choice.instance.id.ordinal())
}

/// Every instance that 200 choices may give.
fn possible(table: &Table, kept: Option<(Track, Number)>, tried: &Tried) -> Vec<u64> {
    let mut all: Vec<_> = (0..200).filter_map(|_| chosen(table, kept, tried)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn instance(table: &Table, ordinal: u64) -> Arc<Instance> {
    let app = table.app("").expect("it is alone");
    let mut all = app.arms.iter().flat_map(|arm| &arm.instances);
    all.find(|instance| instance.id.ordinal() == ordinal).expect("it is there").clone()
}

#[test]
fn an_app_is_found_by_its_hosts() {
    let two = table(&routes(vec![
        route("shop", &["shop.example.com"], vec![]),
        route("blog", &[], vec![]),
    ]));
    let name = |host: &str| two.app(host).map(|app| app.name.to_string());
    assert_eq!(name("shop.example.com").as_deref(), Some("shop"));
    assert_eq!(name("shop.localhost").as_deref(), Some("shop"));
    assert_eq!(name("blog.localhost").as_deref(), Some("blog"));
    assert_eq!(name("other.example.com"), None);
}

#[test]
fn an_app_that_is_alone_answers_to_every_host() {
    assert!(table(&routes(vec![route("shop", &[], vec![])])).app("127.0.0.1").is_some());
    assert!(table(&routes(vec![])).app("shop.localhost").is_none());
}

#[test]
fn routes_that_do_not_hold_are_refused_with_the_reason() {
    let stable = |targets| arm(Track::Stable, 1, targets);
    let no_time = AppRoute { timeout: Duration::ZERO, ..route("shop", &[], vec![]) };
    let guessed = AppRoute { track_key: TrackKey::new("sesame"), ..route("shop", &[], vec![]) };
    let sticky = AppRoute { sticky: true, ..route("shop", &[], vec![]) };
    for (apps, why) in [
        (vec![route("shop", &[], vec![]), route("shop", &[], vec![])], "shop is there twice"),
        (
            vec![route("shop", &["a"], vec![]), route("blog", &["a"], vec![])],
            "host a is there twice",
        ),
        (vec![route("shop", &["blog.localhost"], vec![]), route("blog", &[], vec![])], "twice"),
        (vec![route("shop", &["A"], vec![])], "lower case"),
        (vec![route("shop", &[""], vec![])], "lower case"),
        (vec![route("shop", &["a:80"], vec![])], "lower case"),
        (vec![route("shop", &[], vec![stable(vec![])])], "no instance"),
        (vec![route("shop", &[], vec![stable(vec![target("blog", 1)])])], "not an instance"),
        (
            vec![route("shop", &[], vec![stable(vec![target("shop", 1), target("shop", 1)])])],
            "shop/web.1 is there twice",
        ),
        (
            vec![route(
                "shop",
                &[],
                vec![stable(vec![target("shop", 1)]), stable(vec![target("shop", 2)])],
            )],
            "stable is there twice",
        ),
        (vec![no_time], "within 0 s"),
        (vec![guessed], "less than 16 characters"),
    ] {
        let said = check(&routes(apps)).expect_err(why);
        assert!(said.contains(why), "{said:?} does not say {why:?}");
    }
    let keyless = Routes { cookie_key: "ab".into(), ..routes(vec![sticky]) };
    assert!(check(&keyless).expect_err("it is short").contains("16 bytes"));
}

#[test]
fn an_arm_without_weight_gets_nothing_whatever_a_cookie_says() {
    let canary = Some((Track::Canary, Number(0)));
    assert_eq!(possible(&split(1, 0), canary, &Tried::default()), [1, 2]);
}

#[test]
fn a_cookie_keeps_its_arm_while_that_release_serves() {
    let table = split(2, 1);
    let none = Tried::default();
    assert_eq!(possible(&table, Some((Track::Canary, Number(1))), &none), [3]);
    assert_eq!(possible(&table, Some((Track::Stable, Number(2))), &none), [1, 2]);
    assert_eq!(possible(&table, Some((Track::Canary, Number(9))), &none), [1, 2, 3]);
}

#[test]
fn what_was_tried_or_set_aside_gives_way_to_the_rest() {
    let table = split(2, 1);
    let canary = Some((Track::Canary, Number(1)));
    let mut tried = Tried::default();
    tried.add(&instance(&table, 3));
    assert_eq!(possible(&table, canary, &tried), [1, 2]);
    tried.add(&instance(&table, 1));
    assert_eq!(possible(&table, canary, &tried), [2]);
    tried.add(&instance(&table, 2));
    assert_eq!(chosen(&table, canary, &tried), None);

    instance(&table, 3).set_aside("refused");
    assert_eq!(possible(&table, canary, &Tried::default()), [1, 2]);
}

#[test]
fn what_is_only_doubted_is_asked_before_another_release_and_after_its_own() {
    let table = split(2, 1);
    let stable = Some((Track::Stable, Number(2)));
    assert!(instance(&table, 1).doubt(Doubt::Slow, "it is slow"));
    assert_eq!(possible(&table, stable, &Tried::default()), [2]);
    instance(&table, 2).set_aside("refused");
    assert_eq!(possible(&table, stable, &Tried::default()), [1]);
    // Once a try has failed, whoever is well comes first.
    let mut tried = Tried::default();
    tried.add(&instance(&table, 2));
    assert_eq!(possible(&table, stable, &tried), [3]);
    instance(&table, 3).set_aside("refused");
    assert_eq!(possible(&table, stable, &tried), [1], "the dead come last");
}

#[test]
fn who_came_a_moment_ago_gets_little_and_all_where_there_is_nobody_else() {
    let table = split(1, 0);
    instance(&table, 1).comes();
    let first = |_: &u32| chosen(&table, None, &Tried::default()) == Some(1);
    // Half of a tenth, and a little more for each moment that passes meanwhile.
    let count = (0_u32..1_000).filter(first).count();
    assert!((5..250).contains(&count), "{count}");
    instance(&table, 2).set_aside("refused");
    assert_eq!(possible(&table, None, &Tried::default()), [1]);
    instance(&table, 2).take_back();
    assert_eq!(possible(&table, None, &Tried::default()), [1, 2], "both came a moment ago");
}

#[test]
fn where_all_are_set_aside_they_are_tried_all_the_same() {
    let table = split(2, 1);
    for ordinal in 1..=3 {
        assert!(instance(&table, ordinal).set_aside("refused"));
        assert!(!instance(&table, ordinal).set_aside("refused"), "it is no news");
    }
    assert_eq!(possible(&table, None, &Tried::default()), [1, 2, 3]);
    assert!(instance(&table, 2).take_back());
    assert_eq!(possible(&table, None, &Tried::default()), [2]);
}

#[test]
fn a_forced_track_is_that_one_alone_also_without_a_weight() {
    let table = split(1, 0);
    let app = table.app("").expect("it is alone");
    let forced = |track, tried: &Tried| {
        let choice = choose(app, Aim::Forced(track), tried, (0, 0), || fastrand::u64(..));
        choice.map(|choice| choice.instance.id.ordinal())
    };
    let mut tried = Tried::default();
    assert!((0..50).all(|_| forced(Track::Canary, &tried) == Some(3)));
    tried.add(&instance(&table, 3));
    assert_eq!(forced(Track::Canary, &tried), None, "stable is not what was asked for");

    // Without a canary there is stable.
    let alone = table_of(vec![arm(Track::Stable, 1, vec![target("shop", 1)])]);
    let app = alone.app("").expect("it is alone");
    let choice = choose(app, Aim::Forced(Track::Canary), &Tried::default(), (0, 0), || 0);
    assert_eq!(choice.expect("it is stable").track, Track::Stable);
}

#[test]
fn beside_a_release_is_another_one_that_gets_requests() {
    let beside = |table: &Table, track| {
        let app = table.app("").expect("it is alone");
        let none = Tried::default();
        let choice = choose(app, Aim::Beside(track), &none, (0, 0), || fastrand::u64(..));
        choice.map(|choice| choice.release.0)
    };
    // Releases are numbered by their weights here.
    assert!((0..50).all(|_| beside(&split(2, 1), Track::Stable) == Some(1)));
    assert!((0..50).all(|_| beside(&split(2, 1), Track::Canary) == Some(2)));
    assert_eq!(beside(&split(1, 0), Track::Stable), None, "one without a share is asked by nobody");
}
