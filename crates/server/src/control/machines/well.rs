//! Whether other machines can call, who reaches them, and what is wrong with them: for `doctor`.

use std::net::IpAddr;

use toehold_core::model::{Machine, MachinePhase, Provider};
use toehold_core::tell;

use super::held::trouble;
use crate::control::{Control, Finding};
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
        vec![calls(set), ports(set, &machines), all_well(&machines, held)]
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
fn ports(set: &MachineSettings, machines: &[Machine]) -> Finding {
    let mut says = Vec::new();
    let allowed = set.digitalocean.as_ref().map(|it| it.allow_from.join(", "));
    let is_open = allowed.as_ref().is_some_and(String::is_empty);
    match allowed {
        Some(_) if is_open => {
            says.push("everybody reaches what runs on machines of digitalocean".to_owned());
        }
        Some(allowed) => says.push(format!(
            "on machines of digitalocean a firewall lets in {allowed} alone, to SSH and {PORTS}"
        )),
        None => {}
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
    let hint = "set `allow_from` under [machines.digitalocean] in server.toml to the address this \
                machine is seen by, and start Toehold again";
    Finding {
        what: "machines reached".into(),
        ok: !is_open,
        says: says.join("; "),
        hint: hint.into(),
    }
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
        let open = ports(&set(cloud), &[]);
        assert!(!open.ok && open.says.contains("everybody"), "{open:?}");
        let kept = ports(&set(&format!("{cloud}allow_from = [\"203.0.113.7/32\"]")), &[]);
        assert!(kept.ok && kept.says.contains("203.0.113.7/32 alone"), "{kept:?}");
        let addresses = ["203.0.113.9", "10.0.0.1", "fd00::1", "2001:db8::1"];
        let public: Vec<bool> =
            addresses.map(|it| public(it.parse().expect("an address"))).to_vec();
        assert_eq!(public, [true, false, false, true]);
    }
}
