//! Machines that are missing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::{Held, Need, Step, Verdict, Yard, event};
use crate::model::{EventKind, Machine, MachineGoal, MachineName, MachinePhase, Provider};

/// After so many failures within an hour no more machines are made for an app.
const MOST_FAILURES: usize = 3;

/// That the account is refused is said to people only once it has lasted for so long: a request for a
/// moment's patience is no news.
const SAID_AFTER: Duration = Duration::from_mins(1);

/// Asks for the machines apps wait for, as far as the limits allow.
pub(super) fn missing(yard: Yard<'_>, verdict: &mut Verdict) {
    let mut fresh = yard.fresh.iter();
    for need in yard.needs.iter().filter(|need| need.provider.is_elastic()) {
        let coming = yard.machines.values().filter(|it| comes_for(it, need, yard)).count();
        for _ in coming..need.waiting {
            match may(need, yard, verdict) {
                May::Yes => {}
                May::NotYet => break,
                May::No(why) => {
                    verdict.held.push(Held { app: Some(need.app.clone()), why });
                    break;
                }
            }
            let Some(step) = fresh.next().and_then(|ending| wanted(need, ending, yard)) else {
                return;
            };
            verdict.steps.push(step);
        }
    }
}

/// A machine that will take one of the instances that wait.
fn comes_for(machine: &Machine, need: &Need, yard: Yard<'_>) -> bool {
    let is_on_its_way = match machine.phase {
        MachinePhase::Wanted | MachinePhase::Bringing => true,
        MachinePhase::Ready => {
            yard.sights.get(&machine.name).is_none_or(|sight| sight.instances == 0)
        }
        MachinePhase::Lost { .. }
        | MachinePhase::Failed { .. }
        | MachinePhase::Leaving
        | MachinePhase::Gone => false,
    };
    is_on_its_way
        && machine.goal == MachineGoal::Run
        && machine.provider == need.provider
        && machine.app.as_ref() == Some(&need.app)
}

/// Whether one more may be made.
enum May {
    Yes,
    /// It is not known yet; nothing is said of that.
    NotYet,
    /// What stands in the way, in words.
    No(String),
}

fn may(need: &Need, yard: Yard<'_>, verdict: &Verdict) -> May {
    let (app, limits) = (&need.app, yard.limits);
    let new = verdict.steps.iter().map(|step| &step.machine).filter(|it| is_new(it, yard));
    let all: Vec<&Machine> = yard.machines.values().chain(new).filter(|it| costs(it)).collect();
    let failed = |it: &&Machine| {
        it.app.as_ref() == Some(app) && matches!(it.phase, MachinePhase::Failed { .. })
    };
    let failures = yard.machines.values().filter(failed).count();
    if failures >= MOST_FAILURES {
        return May::No(format!(
            "no more machines are made for {app}: {failures} failed within an hour; see \
             `toehold machines ls`, and remove them with `toehold machines rm` to try again"
        ));
    }
    let refused = yard.refused.get(&need.provider).filter(|it| it.ended_at.is_none());
    let waits = |it: &Machine| it.provider == need.provider && it.phase == MachinePhase::Wanted;
    // One machine that waits already finds out when it is over.
    if let Some(refused) = refused
        && yard.machines.values().any(waits)
    {
        if yard.now.since(refused.began_at) < SAID_AFTER {
            return May::NotYet;
        }
        return May::No(format!("no more machines are made for {app}: {}", refused.why));
    }
    if all.len() >= limits.machines {
        return May::No(format!(
            "no more machines are made for {app}: there are {} and at most {} may be; raise \
             `most` under [machines] in server.toml",
            all.len(),
            limits.machines
        ));
    }
    let Some(most) = limits.hourly else { return May::Yes };
    let Some(prices) = &limits.prices else { return May::NotYet };
    let price = |size: &Option<String>| prices.get(size.as_ref().unwrap_or(&limits.size)).copied();
    let Some(one) = price(&need.size) else {
        let size = need.size.as_ref().unwrap_or(&limits.size);
        return May::No(format!(
            "no machine is made for {app}: what {size} costs is not known, and most_per_hour is set"
        ));
    };
    let sum: f64 = all.iter().filter_map(|machine| price(&machine.size)).sum();
    if sum + one <= most {
        return May::Yes;
    }
    May::No(format!(
        "no more machines are made for {app}: they cost {sum:.3} an hour, one more {one:.3}, and at \
         most {most:.3} may be spent; raise `most_per_hour` under [machines] in server.toml"
    ))
}

fn is_new(machine: &Machine, yard: Yard<'_>) -> bool {
    !yard.machines.contains_key(&machine.name)
}

fn costs(machine: &Machine) -> bool {
    let is_there = match machine.phase {
        MachinePhase::Gone => false,
        MachinePhase::Failed { .. } => machine.provider_id.is_some(),
        MachinePhase::Wanted
        | MachinePhase::Bringing
        | MachinePhase::Ready
        | MachinePhase::Lost { .. }
        | MachinePhase::Leaving => true,
    };
    is_there && machine.provider.is_elastic()
}

fn wanted(need: &Need, ending: &str, yard: Yard<'_>) -> Option<Step> {
    let name: MachineName = format!("{}-{ending}", need.app).parse().ok()?;
    let machine = Machine {
        size: Some(need.size.clone().unwrap_or_else(|| yard.limits.size.clone())),
        app: Some(need.app.clone()),
        ..blank(name, need.provider, yard)
    };
    let text = format!(
        "{} is asked for: {} of {} wait{} for a machine",
        machine.name,
        need.waiting,
        need.app,
        if need.waiting == 1 { "s" } else { "" },
    );
    let facts = json!({ "waiting": need.waiting, "size": machine.size });
    let event = event(&machine, EventKind::MachineWanted, text, &facts, yard.now);
    Some(Step { machine, event })
}

fn blank(name: MachineName, provider: Provider, yard: Yard<'_>) -> Machine {
    Machine {
        name,
        provider,
        app: None,
        goal: MachineGoal::Run,
        phase: MachinePhase::Wanted,
        since: yard.now,
        address: None,
        access: None,
        provider_id: None,
        size: None,
        configured: BTreeMap::new(),
        trouble: None,
        created_at: yard.now,
    }
}
