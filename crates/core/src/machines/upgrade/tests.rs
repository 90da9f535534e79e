use super::*;
use crate::machines::tests::{ago, machine, name};
use crate::model::{Access, Provider};

fn ready(text: &str) -> (MachineName, Machine) {
    let access = Access {
        user: "root".into(),
        host: format!("{text}.example.com"),
        port: 22,
        host_key: "ssh-ed25519 AAAA".into(),
    };
    let it = machine(text, Provider::Ssh, MachinePhase::Ready, ago(100));
    (name(text), Machine { access: Some(access), ..it })
}

fn agent(text: &str, program: Option<&[u8]>) -> (MachineName, AgentSight) {
    let program = program.map(Digest::of);
    (name(text), AgentSight { program, heard: true, free: true, tried: None, is_unfit: false })
}

fn own() -> Digest {
    Digest::of(b"ours")
}

#[test]
fn one_machine_at_a_time_and_one_that_fails_holds_up_nobody() {
    let machines = ["web1", "web2"].map(ready).into();
    let mut agents: BTreeMap<_, _> = ["web1", "web2"].map(|it| agent(it, Some(b"old"))).into();
    let next = |agents: &_, last: Option<(&MachineName, Duration)>| {
        to_upgrade(&machines, agents, &own(), last).map(ToString::to_string)
    };
    assert_eq!(next(&agents, None).as_deref(), Some("web1"));
    let (web1, web2) = (name("web1"), name("web2"));
    agents
        .insert(web1.clone(), AgentSight { tried: Some(Duration::ZERO), ..agent("web1", None).1 });
    let begun = |ago| Some((&web1, ago));
    assert_eq!(next(&agents, begun(PATIENCE / 2)), None, "web1 has not called yet");
    assert_eq!(next(&agents, begun(PATIENCE)).as_deref(), Some("web2"), "it had its time");
    assert_eq!(next(&agents, None).as_deref(), Some("web2"), "it did not work on web1");
    agents.extend([agent("web1", Some(b"ours"))]);
    assert_eq!(next(&agents, begun(Duration::ZERO)).as_deref(), Some("web2"), "web1 is done");
    agents.extend([agent("web2", Some(b"ours"))]);
    assert_eq!(next(&agents, Some((&web2, Duration::ZERO))), None);
}

#[test]
fn a_machine_is_tried_again_after_a_while_and_only_where_it_can_be() {
    let next = |machine: Machine, agent: AgentSight| {
        let machines = [(name("web1"), machine)].into();
        to_upgrade(&machines, &[(name("web1"), agent)].into(), &own(), None).is_some()
    };
    let (machine, other) = (ready("web1").1, agent("web1", Some(b"old")).1);
    let tried = |ago| AgentSight { tried: Some(ago), ..other.clone() };
    assert!(next(machine.clone(), other.clone()));
    assert!(next(machine.clone(), agent("web1", None).1), "one of an earlier time does not say");
    assert!(!next(machine.clone(), tried(RETRY / 2)));
    assert!(next(machine.clone(), tried(RETRY)));
    assert!(!next(machine.clone(), AgentSight { heard: false, ..other.clone() }));
    assert!(!next(machine.clone(), AgentSight { free: false, ..other.clone() }));
    assert!(!next(machine.clone(), AgentSight { is_unfit: true, ..other.clone() }));
    assert!(!next(Machine { access: None, ..machine.clone() }, other.clone()));
    assert!(!next(Machine { phase: MachinePhase::Leaving, ..machine }, other));
}

#[test]
fn one_that_is_gone_is_not_waited_for() {
    let machines = [ready("web2")].into();
    let agents = [agent("web2", Some(b"old"))].into();
    let gone = name("web1");
    let next = to_upgrade(&machines, &agents, &own(), Some((&gone, Duration::ZERO)));
    assert_eq!(next, Some(&name("web2")));
}
