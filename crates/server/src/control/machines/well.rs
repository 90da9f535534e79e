//! Whether other machines can call, who reaches them, and what is wrong with them: for `doctor`.

use std::net::IpAddr;

use toehold_core::model::{Machine, MachinePhase, Provider};
use toehold_core::tell;

use super::held::trouble;
use crate::control::{Control, Finding};
use crate::provider::Guard;
use crate::settings::MachineSettings;

/// The ports instances may listen on: what Linux gives away by itself.
const PORTS: &str = "32768-60999";

impl Control {
    /// Nothing where nobody uses other machines.
    pub(in crate::control) fn machine_findings(&self) -> Vec<Finding> {
        let set = &self.settings().machines;
        let (machines, held): (Vec<Machine>, Vec<String>) = {
            let known = self.machines();
            let all = known.by_name.values().map(|it| &it.machine);
            let there = all.filter(|it| it.phase != MachinePhase::Gone).cloned().collect();
            (there, known.held.iter().map(|it| it.why.clone()).collect())
        };
        if set.listen.is_none() && set.digitalocean.is_none() && machines.is_empty() {
            return Vec::new();
        }
        let cloud = self.parts.providers.get(&Provider::DigitalOcean);
        let guard = cloud.map_or(Guard::None, |it| it.guard());
        vec![calls(set), ports(set, &machines, &guard), all_well(&machines, held)]
    }
}

/// Whether they can call.
fn calls(set: &MachineSettings) -> Finding {
    let (ok, says) = match (set.control(), set.listen) {
        (None, None) => (false, "`listen` is not set: no other machine can call".to_owned()),
        (None, Some(listen)) => {
            (false, format!("{listen} is no address to dial, and `address` is not set"))
        }
        (Some(control), _) if leads_home(&control) => {
            (false, format!("they dial {control}, which leads each of them to itself"))
        }
        (Some(control), _) => (true, format!("they dial {control}")),
    };
    let hint = "set `listen` (and `address`) under [machines] in server.toml to what they reach, \
                and start Toehold again";
    Finding { what: "machines call".into(), ok, says, hint: hint.into() }
}

fn leads_home(control: &str) -> bool {
    let host = control.rsplit_once(':').map_or(control, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

/// Who reaches what runs there.
fn ports(set: &MachineSettings, machines: &[Machine], guard: &Guard) -> Finding {
    let mut says = Vec::new();
    let mut ok = true;
    let mut hint = OPEN_HINT;
    if let Some(cloud) = &set.digitalocean {
        let has_some = machines.iter().any(|it| it.provider == Provider::DigitalOcean);
        let guarded = guarded(&cloud.allow_from.join(", "), guard, has_some);
        (ok, hint) = (guarded.ok, guarded.hint);
        says.push(guarded.says);
    }
    let is_public = |it: &&Machine| it.provider == Provider::Ssh && it.address.is_some_and(public);
    let public: Vec<&str> = machines.iter().filter(is_public).map(|it| it.name.as_str()).collect();
    if !public.is_empty() {
        says.push(format!(
            "{} can be reached from anywhere: let in this machine alone there, to {PORTS}",
            public.join(", ")
        ));
    }
    if says.is_empty() {
        says.push("they have no public address".to_owned());
    }
    Finding { what: "machines reached".into(), ok, says: says.join("; "), hint: hint.into() }
}

const OPEN_HINT: &str = "set `allow_from` under [machines.digitalocean] in server.toml to the \
                         address this machine is seen by, and start Toehold again";

/// Who reaches machines of a cloud.
struct Guarded {
    ok: bool,
    says: String,
    hint: &'static str,
}

/// What was seen to is said, and not what is set: a firewall that could not be made guards nobody.
fn guarded(allowed: &str, guard: &Guard, has_some: bool) -> Guarded {
    let (ok, says, hint) = match guard {
        Guard::None => {
            let says = "everybody reaches what runs on machines of digitalocean".to_owned();
            (false, says, OPEN_HINT)
        }
        Guard::Stands => {
            let says = format!(
                "on machines of digitalocean a firewall lets in {allowed} alone, to SSH and {PORTS}"
            );
            (true, says, OPEN_HINT)
        }
        Guard::Unseen => {
            let says = format!(
                "the firewall that lets in {allowed} alone to machines of digitalocean was not \
                 seen to yet"
            );
            (!has_some, says, "it is seen to before the next one is made: look again in a moment")
        }
        Guard::Failed { why } => {
            let says = format!(
                "the firewall that should let in {allowed} alone to machines of digitalocean could \
                 not be seen to: {why}"
            );
            (false, says, "it is tried again by itself; until then everybody may reach them")
        }
    };
    Guarded { ok, says, hint }
}

fn public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => !(it.is_private() || it.is_loopback() || it.is_link_local()),
        IpAddr::V6(it) => !(it.is_unique_local() || it.is_loopback() || it.is_unicast_link_local()),
    }
}

fn all_well(machines: &[Machine], held: Vec<String>) -> Finding {
    let troubles: Vec<String> =
        held.into_iter().chain(machines.iter().filter_map(trouble)).collect();
    let (ok, says) = match troubles.first() {
        None => (true, tell::count(machines.len() as u64, "machine")),
        Some(first) => {
            let more = troubles.len() - 1;
            let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
            (false, format!("{first}{more}"))
        }
    };
    Finding { what: "machines".into(), ok, says, hint: "toehold machines ls".into() }
}

#[cfg(test)]
mod tests {
    use toehold_core::time::Timestamp;

    use super::super::people::here;
    use super::*;
    use crate::settings::Settings;

    fn set(text: &str) -> MachineSettings {
        let text = format!("[machines]\n{text}");
        toml::from_str::<Settings>(&text).expect("it is well-formed").machines
    }

    #[test]
    fn where_nobody_can_call_it_is_said_why() {
        for (text, ok, word) in [
            ("", false, "not set"),
            ("listen = \"0.0.0.0:7079\"", false, "no address to dial"),
            ("listen = \"127.0.0.1:7079\"", false, "to itself"),
            ("listen = \"0.0.0.0:7079\"\naddress = \"localhost:7079\"", false, "to itself"),
            ("listen = \"10.0.0.1:7079\"", true, "dial 10.0.0.1:7079"),
        ] {
            let found = calls(&set(text));
            assert!(found.ok == ok && found.says.contains(word), "{text}: {found:?}");
        }
    }

    #[test]
    fn where_everybody_reaches_the_machines_it_is_said() {
        let cloud = "[machines.digitalocean]\ntoken_file = \"t\"\nregion = \"fra1\"\n";
        let open = ports(&set(cloud), &[], &Guard::None);
        assert!(!open.ok && open.says.contains("everybody"), "{open:?}");
        let guarded = set(&format!("{cloud}allow_from = [\"203.0.113.7/32\"]"));
        let kept = ports(&guarded, &[], &Guard::Stands);
        assert!(kept.ok && kept.says.contains("lets in 203.0.113.7/32 alone"), "{kept:?}");
        let addresses = ["203.0.113.9", "10.0.0.1", "fd00::1", "2001:db8::1"];
        let public: Vec<bool> =
            addresses.map(|it| public(it.parse().expect("an address"))).to_vec();
        assert_eq!(public, [true, false, false, true]);
    }

    #[test]
    fn a_firewall_that_was_not_seen_to_is_not_said_to_stand() {
        let cloud = "[machines.digitalocean]\ntoken_file = \"t\"\nregion = \"fra1\"\n";
        let set = set(&format!("{cloud}allow_from = [\"203.0.113.7/32\"]"));
        let mut machine = here("shop-1".parse().expect("a name"), Timestamp::from_ms(0));
        machine.provider = Provider::DigitalOcean;
        let some = [machine];
        let failed = Guard::Failed { why: "digitalocean is in trouble".into() };
        for (guard, machines, ok, words) in [
            (&Guard::Unseen, &[][..], true, "not seen to yet"),
            (&Guard::Unseen, &some[..], false, "not seen to yet"),
            (&failed, &some[..], false, "could not be seen to: digitalocean is in trouble"),
            (&Guard::Stands, &some[..], true, "a firewall lets in"),
        ] {
            let found = ports(&set, machines, guard);
            assert!(found.ok == ok && found.says.contains(words), "{guard:?}: {found:?}");
        }
    }
}
