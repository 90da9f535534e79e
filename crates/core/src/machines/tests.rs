use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::model::MachineGoal;

const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

pub(super) fn ago(seconds: u64) -> Timestamp {
    Timestamp::from_ms(NOW.as_ms() - seconds * 1000)
}

/// A world of machines, in words: `a: ready 100s silent=70s instances=1 cut`.
#[derive(Default)]
struct Scene {
    machines: BTreeMap<MachineName, Machine>,
    sights: BTreeMap<MachineName, Sight>,
    given: BTreeMap<Provider, Lists>,
    refused: BTreeMap<Provider, Refused>,
    needs: Vec<Need>,
    limits: Limits,
}

pub(super) fn name(text: &str) -> MachineName {
    text.parse().expect("it is a machine's name")
}

fn app() -> AppName {
    "shop".parse().expect("it is an app's name")
}

pub(super) fn machine(
    text: &str,
    provider: Provider,
    phase: MachinePhase,
    since: Timestamp,
) -> Machine {
    Machine {
        name: name(text),
        provider,
        app: provider.is_elastic().then(app),
        goal: MachineGoal::Run,
        phase,
        since,
        address: None,
        access: None,
        provider_id: provider.is_elastic().then(|| format!("id-{text}")),
        size: None,
        configured: BTreeMap::new(),
        trouble: None,
        created_at: since,
    }
}

impl Scene {
    fn new(provider: Provider, machines: &[&str]) -> Self {
        let limits = Limits { machines: 5, size: "small".into(), idle: IDLE, ..Limits::default() };
        let mut scene = Self { limits, ..Self::default() };
        for line in machines {
            scene.add(provider, line);
        }
        scene
    }

    fn add(&mut self, provider: Provider, line: &str) {
        let (of, how) = line.split_once(": ").expect("a machine is written `a: ready`");
        let mut words = how.split_whitespace();
        let why = || "so".to_owned();
        let phase = match words.next().expect("a phase") {
            "wanted" => MachinePhase::Wanted,
            "bringing" => MachinePhase::Bringing,
            "ready" => MachinePhase::Ready,
            "lost" => MachinePhase::Lost { why: why() },
            "failed" => MachinePhase::Failed { why: why() },
            "leaving" => MachinePhase::Leaving,
            other => panic!("{other} is no phase"),
        };
        let mut made = machine(of, provider, phase, ago(100));
        let seconds = |text: &str| {
            let digits = text.trim_end_matches('s').parse().expect("seconds");
            Duration::from_secs(digits)
        };
        let mut sight = Sight {
            silent: Some(Duration::ZERO),
            watched: Duration::from_hours(1),
            ..Sight::default()
        };
        for word in words {
            match word.split_once('=') {
                Some(("for", time)) => made.since = ago(seconds(time).as_secs()),
                Some(("silent", time)) => sight.silent = Some(seconds(time)),
                Some(("empty", time)) => sight.empty = seconds(time),
                Some(("instances", count)) => sight.instances = count.parse().expect("a number"),
                None if word == "unheard" => sight.silent = None,
                None if word == "unmade" => made.provider_id = None,
                None if word == "cut" => sight.is_cut_off = true,
                None if word == "remove" => made.goal = MachineGoal::Remove,
                _ => panic!("{word} says nothing"),
            }
        }
        self.sights.insert(made.name.clone(), sight);
        self.machines.insert(made.name.clone(), made);
    }

    /// What the provider lists.
    fn lists(self, provider: Provider, names: &[&str]) -> Self {
        self.listed(0, provider, names)
    }

    /// What it listed so many seconds ago, and three seconds before that.
    fn listed(mut self, seconds: u64, provider: Provider, names: &[&str]) -> Self {
        let of = |it: &&str| Given { name: (*it).to_owned(), provider_id: format!("id-{it}") };
        let machines: Vec<Given> = names.iter().map(of).collect();
        let listed = |ago_s| Listed { asked_at: ago(ago_s), machines: Clone::clone(&machines) };
        let (last, before) = (listed(seconds), Some(listed(seconds + 3)));
        self.given.insert(provider, Lists { last, before });
        self
    }

    fn waits(mut self, waiting: usize) -> Self {
        let provider = Provider::DigitalOcean;
        self.needs.push(Need { app: app(), provider, size: None, waiting });
        self
    }

    fn decides(&self, expected: &str) {
        let fresh: Vec<String> = ["x1", "x2", "x3", "x4"].map(str::to_owned).into();
        let verdict = decide(Yard {
            machines: &self.machines,
            sights: &self.sights,
            given: &self.given,
            refused: &self.refused,
            needs: &self.needs,
            playbooks: &[],
            limits: &self.limits,
            fresh: &fresh,
            now: NOW,
        });
        let steps = verdict
            .steps
            .iter()
            .map(|step| format!("{} {}", step.machine.name, step.machine.phase.as_str()));
        let held = verdict.held.iter().map(|why| {
            let first: Vec<&str> = why.why.split(' ').take(4).collect();
            format!("held: {}", first.join(" "))
        });
        let said: Vec<String> = steps.chain(held).collect();
        let said = if said.is_empty() { "nothing".to_owned() } else { said.join("; ") };
        assert_eq!(said, expected);
    }
}

const SSH: Provider = Provider::Ssh;
const CLOUD: Provider = Provider::DigitalOcean;

#[test]
fn a_machine_is_ready_when_its_agent_calls() {
    Scene::new(SSH, &["a: bringing"]).decides("a ready");
    Scene::new(SSH, &["a: bringing unheard"]).decides("nothing");
    Scene::new(SSH, &["a: failed"]).decides("a ready");
    Scene::new(SSH, &["a: lost"]).decides("a ready");
    Scene::new(SSH, &["a: lost silent=11s"]).decides("nothing");
}

#[test]
fn a_machine_that_does_not_come_up_is_given_up_where_another_can_be_made() {
    Scene::new(SSH, &["a: bringing unheard for=9999s"]).decides("nothing");
    Scene::new(CLOUD, &["a: bringing unheard for=599s"]).decides("nothing");
    Scene::new(CLOUD, &["a: bringing unheard for=600s", "b: wanted unheard for=600s"])
        .decides("a failed; b failed");
    let mut patient = Scene::new(CLOUD, &["a: wanted unheard for=600s"]);
    patient.limits.deadline = Duration::from_secs(601);
    patient.decides("nothing");
}

#[test]
fn one_that_never_becomes_active_is_given_up_and_given_back_by_what_it_is_called() {
    let mut stuck = machine("a", CLOUD, MachinePhase::Wanted, ago(600));
    stuck.trouble = Some("the cloud is in trouble".into());
    let (sights, given, limits) = (BTreeMap::new(), BTreeMap::new(), Limits::default());
    let machines = BTreeMap::from([(stuck.name.clone(), stuck)]);
    let yard = Yard {
        machines: &machines,
        sights: &sights,
        given: &given,
        refused: &BTreeMap::new(),
        needs: &[],
        playbooks: &[],
        limits: &limits,
        fresh: &[],
        now: NOW,
    };
    let step = decide(yard).steps.into_iter().next().expect("it is given up");
    assert_eq!(step.machine.provider_id.as_deref(), Some("id-a"), "by which it is given back");
    assert_eq!(
        step.event.text,
        "a failed: its provider began to make it and did not have it ready within 10 min; last: \
         the cloud is in trouble; it is given back"
    );
}

#[test]
fn a_silent_machine_is_lost_only_where_visitors_do_not_reach_it_either() {
    Scene::new(SSH, &["a: ready silent=9999s instances=1"]).decides("nothing");
    Scene::new(SSH, &["a: ready silent=59s instances=1 cut"]).decides("nothing");
    Scene::new(SSH, &["a: ready silent=60s instances=1 cut"]).decides("a lost");
    Scene::new(SSH, &["a: ready silent=300s"]).decides("a lost");
    Scene::new(SSH, &["a: ready silent=60s instances=1 remove"]).decides("a lost");
}

#[test]
fn a_machine_that_was_deleted_by_hand_is_lost_but_half_of_all_at_once_are_not_believed() {
    Scene::new(CLOUD, &["a: ready instances=1", "b: ready instances=1", "c: ready instances=1"])
        .lists(CLOUD, &["a", "b"])
        .decides("c lost");
    Scene::new(CLOUD, &["a: ready instances=1"]).lists(CLOUD, &[]).decides("a lost");
    let four = ["a: ready instances=1", "b: ready instances=1", "c: ready instances=1 remove"];
    Scene::new(CLOUD, &four).lists(CLOUD, &["a"]).decides("c lost; held: digitalocean says that 2");
    Scene::new(CLOUD, &four).lists(CLOUD, &[]).decides("c lost; held: digitalocean says that 3");
    // Nor does a list say anything of a machine that is younger.
    let young = ["a: ready for=10s instances=1"];
    Scene::new(CLOUD, &young).listed(15, CLOUD, &[]).decides("nothing");
    Scene::new(CLOUD, &young).listed(5, CLOUD, &[]).decides("a lost");
    // One list that misses a machine is not believed: the next may have it.
    let mut once = Scene::new(CLOUD, &["a: ready instances=1"]).lists(CLOUD, &[]);
    let lists = once.given.get_mut(&CLOUD).expect("it was listed");
    lists.before = None;
    once.decides("nothing");
    let lists = once.given.get_mut(&CLOUD).expect("it was listed");
    let given = Given { name: "a".into(), provider_id: "id-a".into() };
    lists.before = Some(Listed { asked_at: ago(15), machines: vec![given] });
    once.decides("nothing");
    // A provider that does not answer says nothing.
    Scene::new(CLOUD, &four).decides("nothing");
}

#[test]
fn machines_are_made_for_who_waits() {
    Scene::new(CLOUD, &[]).waits(2).decides("shop-x1 wanted; shop-x2 wanted");
    Scene::new(CLOUD, &["a: wanted unheard", "b: ready"]).waits(2).decides("nothing");
    Scene::new(CLOUD, &["a: ready instances=1"]).waits(1).decides("shop-x1 wanted");
    Scene::new(CLOUD, &["a: leaving"]).waits(1).decides("shop-x1 wanted");
}

#[test]
fn no_more_are_made_than_may_be() {
    let mut scene = Scene::new(CLOUD, &["a: ready instances=1"]).waits(9);
    scene.limits.machines = 2;
    scene.decides("shop-x1 wanted; held: no more machines are");
    scene.limits.machines = 9;
    scene.limits.hourly = Some(0.025);
    // Before the provider has said its prices there is nothing to say.
    scene.decides("nothing");
    scene.limits.prices = Some(BTreeMap::new());
    scene.decides("held: no machine is made");
    scene.limits.prices = Some(BTreeMap::from([("small".into(), 0.009)]));
    scene.decides("shop-x1 wanted; held: no more machines are");
    let failed = ["a: failed silent=99s", "b: failed silent=99s", "c: failed silent=99s"];
    Scene::new(CLOUD, &failed).waits(1).decides("held: no more machines are");
}

#[test]
fn what_nobody_needs_is_given_back() {
    Scene::new(CLOUD, &["a: ready empty=119s"]).decides("nothing");
    Scene::new(CLOUD, &["a: ready empty=120s"]).decides("a leaving");
    Scene::new(CLOUD, &["a: ready empty=120s"]).waits(1).decides("nothing");
    let mut patient = Scene::new(CLOUD, &["a: ready empty=120s"]);
    patient.limits.idle = Duration::from_secs(121);
    patient.decides("nothing");
    patient.limits.idle = Duration::from_secs(5);
    patient.decides("a leaving");
    Scene::new(CLOUD, &["a: lost silent=99s"]).decides("a leaving");
    Scene::new(CLOUD, &["a: lost silent=99s instances=1"]).decides("nothing");
    Scene::new(CLOUD, &["a: failed silent=99s for=3600s"]).decides("a leaving");
    Scene::new(SSH, &["a: ready empty=9999s", "b: ready remove", "c: ready remove instances=1"])
        .decides("b leaving");
}

#[test]
fn what_came_of_an_act_moves_the_machine_on_once() {
    let at = machine("a", CLOUD, MachinePhase::Wanted, ago(10));
    let access = || crate::model::Access {
        user: "root".into(),
        host: "192.0.2.1".into(),
        port: 22,
        host_key: "ssh-ed25519 AAAA".into(),
    };
    // What it is called is known before it is there, and kept.
    let at = Machine { provider_id: None, ..at };
    let coming = |id: Option<&str>| Outcome::Coming { provider_id: id.map(str::to_owned) };
    assert_eq!(outcome(&at, coming(None), NOW), None);
    let begun = outcome(&at, coming(Some("7")), NOW).expect("it is noted").machine;
    assert_eq!((&begun.phase, begun.provider_id.as_deref()), (&MachinePhase::Wanted, Some("7")));
    assert_eq!(outcome(&begun, coming(Some("7")), NOW), None, "it is said once");
    let given_up = Machine { phase: MachinePhase::Failed { why: "so".into() }, ..at.clone() };
    let known = outcome(&given_up, coming(Some("7")), NOW).expect("it is noted").machine;
    assert_eq!(known.provider_id.as_deref(), Some("7"), "it is given back by that");
    let made = || Outcome::Made {
        provider_id: "7".into(),
        address: [192, 0, 2, 1].into(),
        access: access(),
    };
    let next = outcome(&at, made(), NOW).expect("it moves on").machine;
    assert_eq!((&next.phase, next.provider_id.as_deref()), (&MachinePhase::Bringing, Some("7")));
    assert_eq!(outcome(&next, made(), NOW), None);
    let failed = |remedy| Outcome::Failed { why: "so".into(), remedy };
    let tried = outcome(&next, failed(Remedy::Again), NOW).expect("it is noted").machine;
    assert_eq!((&tried.phase, tried.trouble.as_deref()), (&MachinePhase::Bringing, Some("so")));
    assert_eq!(outcome(&tried, failed(Remedy::Again), NOW), None, "the same trouble is said once");
    let held = outcome(&next, failed(Remedy::Account), NOW).expect("it is noted").machine;
    assert_eq!(held.phase, MachinePhase::Bringing, "it is not the machine's fault");
    let refused = outcome(&next, failed(Remedy::Person), NOW).expect("it is noted").machine;
    assert!(matches!(refused.phase, MachinePhase::Failed { .. }));
    // Whoever owns a machine that is there already may mend it at any time.
    let theirs = Machine { provider: SSH, ..next.clone() };
    let tried = outcome(&theirs, failed(Remedy::Person), NOW).expect("it is noted").machine;
    assert_eq!(tried.phase, MachinePhase::Bringing);
    let never = outcome(&theirs, failed(Remedy::Nothing), NOW).expect("it is noted").machine;
    assert!(matches!(never.phase, MachinePhase::Failed { .. }), "nobody can mend it");
    let left = Machine { phase: MachinePhase::Leaving, ..next };
    assert_eq!(
        outcome(&left, failed(Remedy::Person), NOW).map(|it| it.machine.phase),
        Some(MachinePhase::Leaving)
    );
    assert_eq!(
        outcome(&left, Outcome::Gone, NOW).map(|it| it.machine.phase),
        Some(MachinePhase::Gone)
    );
}

#[test]
fn only_what_a_document_names_is_given_back() {
    let mut scene = Scene::new(CLOUD, &["a: ready", "b: wanted"]);
    let mut gone = machine("c", CLOUD, MachinePhase::Gone, ago(100));
    gone.provider_id = None;
    scene.machines.insert(gone.name.clone(), gone);
    let mut given_up = machine("d", CLOUD, MachinePhase::Failed { why: "so".into() }, ago(100));
    given_up.provider_id = None;
    scene.machines.insert(given_up.name.clone(), given_up);
    if let Some(wanted) = scene.machines.get_mut(&name("b")) {
        wanted.provider_id = None;
    }
    let of = |name: &str, id: &str| Given { name: name.into(), provider_id: id.into() };
    let given = [
        of("a", "id-a"),
        of("a", "second"),
        of("b", "1"),
        of("b", "2"),
        of("c", "3"),
        of("d", "5"),
        of("x", "4"),
    ];
    let found = surplus(&scene.machines, CLOUD, &given);
    assert_eq!(found.give_back, [of("a", "second"), of("c", "3"), of("d", "5")]);
    assert_eq!(found.strange, [of("x", "4")]);
}

#[test]
fn while_the_account_is_refused_no_machine_is_given_up_and_no_other_is_asked_for() {
    let waiting = ["a: wanted unheard for=9999s unmade"];
    let mut scene = Scene::new(CLOUD, &waiting).waits(2);
    let since = |began_at, ended_at| {
        let why = "the account may have no more".into();
        Refused { why, began_at, ended_at }
    };
    let ended = |ended_at| since(ago(9999), ended_at);
    // A moment's patience is no news.
    scene.refused.insert(CLOUD, since(ago(59), None));
    scene.decides("nothing");
    scene.refused.insert(CLOUD, since(ago(60), None));
    scene.decides("held: no more machines are");
    // From when it ended, each has its whole time.
    scene.refused.insert(CLOUD, ended(Some(ago(599))));
    scene.decides("shop-x1 wanted");
    scene.refused.insert(CLOUD, ended(Some(ago(600))));
    scene.decides("a failed; shop-x1 wanted");
    // Where nobody is left who would find out that it is over, somebody is asked for.
    let mut scene = Scene::new(CLOUD, &[]).waits(1);
    scene.refused.insert(CLOUD, ended(None));
    scene.decides("shop-x1 wanted");
}
