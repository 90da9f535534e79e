//! Whatever configuration there is, shown and read again it is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::{collection, option};

use crate::model::{AlertRule, HealthCheck, HealthKind, Metric, Provider, Split, StepKind, Track};
use crate::spec::{
    BuildSpec, CanarySpec, MachinesSpec, PlaybookSpec, ProxySpec, Reports, RunSpec, ScaleSpec,
    Spec, Step, show,
};

fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![1_u64..100_000_000, (1_u64..500).prop_map(|minutes| minutes * 60_000)]
        .prop_map(Duration::from_millis)
}

fn command() -> impl Strategy<Value = String> {
    // Quotes of every kind, backslashes, line ends and what is not ASCII.
    "[a-z'\"\\\\$#ä€\\[\\]{}=]([ -~\n\tä]{0,20}[a-z'\"])?"
}

fn percent() -> impl Strategy<Value = f64> {
    (1_u32..100_000).prop_map(|hundredths| f64::from(hundredths) / 100.0)
}

fn split() -> impl Strategy<Value = Split> {
    (0_u32..10_000, 1_u32..10_000)
        .prop_map(|(stable, canary)| Split::new(stable, canary).expect("both are in range"))
}

fn build() -> impl Strategy<Value = BuildSpec> {
    let pattern = || option::of("[a-z]{1,5}(/\\*\\*)?/[a-z*]{1,5}\\.xml");
    let commands = (option::of(command()), option::of(command()), option::of(command()));
    let reports = (pattern(), pattern(), pattern(), pattern());
    let rest = (time(), time(), any::<bool>(), any::<bool>(), any::<bool>());
    (commands, reports, rest, collection::vec("[a-z]{1,8}", 0..3)).prop_map(
        |((install, test, lint), (junit, tap, checkstyle, sarif), rest, exclude)| BuildSpec {
            off: if lint.is_none() && rest.4 {
                BTreeSet::from([StepKind::Lint])
            } else {
                BTreeSet::new()
            },
            install: install.map(|it| it.trim().to_owned()),
            test: test.map(|it| it.trim().to_owned()),
            lint: lint.map(|it| it.trim().to_owned()),
            timeout: rest.0,
            idle_timeout: rest.1,
            reports: Reports { junit, tap, checkstyle, sarif },
            reject_push: rest.2,
            lint_ratchet: rest.3,
            exclude,
        },
    )
}

fn run() -> impl Strategy<Value = RunSpec> {
    let env = collection::btree_map("E_[A-Z]{1,5}", "[ -~\näß\"'\\\\]{0,12}", 0..4);
    let numbers = (1_u32..1_000_000, 1_u64 << 20..1 << 50, time());
    (option::of(command()), env, collection::btree_set("S_[A-Z]{1,5}", 0..3), numbers).prop_map(
        |(web, env, secrets, (cpus, memory_bytes, grace))| RunSpec {
            web: web.map(|it| it.trim().to_owned()),
            release: None,
            env,
            secrets: secrets.into_iter().collect(),
            cpus: f64::from(cpus) / 1024.0,
            memory_bytes,
            grace,
        },
    )
}

fn health() -> impl Strategy<Value = HealthCheck> {
    let kind = prop_oneof![
        "/[a-z?=%]{0,9}".prop_map(|path| HealthKind::Http { path }),
        Just(HealthKind::Tcp),
        "[a-z]{1,9}".prop_map(|run| HealthKind::Command { run }),
    ];
    (kind, time(), time(), time(), 1_u32..9, 1_u32..9).prop_map(
        |(kind, interval, timeout, deadline, rise, fall)| HealthCheck {
            kind,
            interval,
            timeout,
            deadline,
            rise,
            fall,
        },
    )
}

fn proxy() -> impl Strategy<Value = ProxySpec> {
    let hosts = collection::btree_set("[a-z]{1,5}\\.example\\.com", 0..3);
    (hosts, time(), any::<bool>(), time(), 0_u64..1 << 40).prop_map(
        |(hosts, drain, sticky, timeout, max_body_bytes)| ProxySpec {
            hosts: hosts.into_iter().collect(),
            drain,
            sticky,
            timeout,
            max_body_bytes,
        },
    )
}

fn canary() -> impl Strategy<Value = CanarySpec> {
    let step = prop_oneof![
        Just(Step::Approve),
        (split(), time()).prop_map(|(split, hold)| Step::Share { split, hold }),
    ];
    (split(), collection::vec(step, 0..4), 1_u32..9)
        .prop_map(|(split, steps, instances)| CanarySpec { split, steps, instances })
}

fn scale() -> impl Strategy<Value = ScaleSpec> {
    let targets = (option::of(percent()), option::of(percent()));
    (1_u32..9, 0_u32..9, targets, time(), time(), time()).prop_map(
        |(min, more, (cpu_percent, memory_percent), window, cooldown_out, cooldown_in)| ScaleSpec {
            min,
            max: min + more,
            cpu_percent,
            memory_percent,
            window,
            cooldown_out,
            cooldown_in,
        },
    )
}

fn alerts() -> impl Strategy<Value = Vec<AlertRule>> {
    let metric = prop_oneof![Just(Metric::Cpu), Just(Metric::Memory)];
    let rule = (metric, percent(), 1_u32..=100, time(), time(), any::<bool>());
    let name = prop_oneof!["cpu", "memory", "[a-z][a-z0-9_-]{0,6}"];
    collection::btree_map(name, rule, 0..4).prop_map(|rules| {
        rules
            .into_iter()
            .map(|(name, (metric, above, share, window, quiet, mail))| AlertRule {
                name,
                metric,
                above,
                below: above * f64::from(share) / 100.0,
                window,
                quiet,
                notify: if mail { vec!["mail".into()] } else { Vec::new() },
            })
            .collect()
    })
}

fn machines() -> impl Strategy<Value = MachinesSpec> {
    let provider =
        prop_oneof![Just(Provider::Local), Just(Provider::Ssh), Just(Provider::DigitalOcean)];
    let size = option::of("[a-z0-9-]{1,12}");
    let playbook = ("[a-z0-9]{1,5}(/[a-z0-9]{1,5})?\\.yml", time());
    let playbook = option::of(playbook.prop_map(|(path, timeout)| PlaybookSpec { path, timeout }));
    (provider, size, playbook).prop_map(|(provider, size, playbook)| MachinesSpec {
        provider,
        size: size.filter(|_| provider.is_elastic()),
        playbook: playbook.filter(|_| provider != Provider::Local),
    })
}

fn spec() -> impl Strategy<Value = Spec> {
    let branch = prop_oneof!["[a-z]{1,5}", "[a-z]{1,3}/[a-z$(ü)'\"]{1,5}"];
    let track = prop_oneof![Just(Track::Stable), Just(Track::Canary)];
    let branches = collection::btree_map(branch, track, 1..4);
    let flags = collection::btree_map("[a-zA-Z0-9._-]{1,6}", any::<bool>(), 0..4);
    let tables = (build(), run(), health(), proxy(), canary(), scale(), alerts(), machines());
    (option::of("[a-z]{1,6}"), branches, flags, tables).prop_map(
        |(app, branches, flags, (build, run, health, proxy, canary, scale, alerts, machines))| {
            Spec {
                app: app.map(|name| name.parse().expect("it is lower case")),
                branches,
                build,
                run,
                health,
                proxy,
                canary,
                scale,
                alerts,
                machines,
                flags: BTreeMap::from([("feature1".to_owned(), false)])
                    .into_iter()
                    .chain(flags)
                    .collect(),
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_shown_reads_back_the_same(spec in spec()) {
        let text = show(&spec);
        match Spec::parse(&text) {
            Ok(read) => assert_eq!(read, spec, "from:\n{text}"),
            Err(error) => panic!("{error}\nfrom:\n{text}"),
        }
    }
}

#[test]
fn the_defaults_read_back_the_same() {
    assert_eq!(Spec::parse(&show(&Spec::default())), Ok(Spec::default()));
}
