//! The machines as a dynamic inventory of Ansible tells of them: groups and, under `_meta`, how each
//! host is reached, so that one call says all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};
use toehold_core::model::{Access, AppName, Machine, MachineName, MachinePhase};

use crate::control::{Control, ControlError};
use crate::provider::shell::known_hosts;

impl Control {
    /// Every machine that SSH leads to: by provider (`ssh`, `digitalocean`), and by what runs there
    /// (`app_shop`).
    pub async fn inventory(&self) -> Result<Value, ControlError> {
        Ok(self.inventory_with(&self.apps_by_machine().await)?.told())
    }

    /// The same as a file, with machines an app is to come to among those it runs on.
    pub(super) async fn inventory_for(
        &self,
        app: &AppName,
        machines: &[MachineName],
    ) -> Result<Value, ControlError> {
        let mut apps = self.apps_by_machine().await;
        for machine in machines {
            apps.entry(machine.clone()).or_default().insert(app.clone());
        }
        Ok(self.inventory_with(&apps)?.written(app))
    }

    /// The host key of each machine, a line each, by its name.
    pub(super) fn known_host_keys(&self) -> String {
        let known = self.machines();
        let keys = known.by_name.values().filter_map(|it| {
            Some(format!("{} {}\n", it.machine.name, it.machine.access.as_ref()?.host_key))
        });
        keys.collect()
    }

    fn inventory_with(
        &self,
        apps: &BTreeMap<MachineName, BTreeSet<AppName>>,
    ) -> Result<Inventory, ControlError> {
        let (run, key) = (self.layout().run(), self.layout().ssh_key());
        let machines: Vec<Machine> = {
            let known = self.machines();
            let is_there = |it: &Machine| it.phase != MachinePhase::Gone;
            known.by_name.values().map(|it| it.machine.clone()).filter(is_there).collect()
        };
        let mut inventory = Inventory::default();
        for machine in &machines {
            let Some(access) = &machine.access else { continue };
            let known = known_hosts(&run, &machine.name, access)
                .map_err(|source| ControlError::File { path: run.clone(), source })?;
            let ways = Ways { key: &key, known_hosts: &known };
            inventory.add(machine, access, &ways, apps.get(&machine.name));
        }
        Ok(inventory)
    }

    async fn apps_by_machine(&self) -> BTreeMap<MachineName, BTreeSet<AppName>> {
        let apps = self.apps.lock().await;
        let mut all: BTreeMap<MachineName, BTreeSet<AppName>> = BTreeMap::new();
        for app in apps.by_name.values().map(|it| &it.app) {
            for place in app.instances.iter().filter_map(|it| it.place.as_ref()) {
                all.entry(place.machine.clone()).or_default().insert(app.name.clone());
            }
        }
        all
    }
}

/// The files a host is reached with.
struct Ways<'a> {
    key: &'a Path,
    known_hosts: &'a Path,
}

/// The inventory so far.
#[derive(Default)]
struct Inventory {
    groups: BTreeMap<String, Vec<MachineName>>,
    hosts: Map<String, Value>,
}

impl Inventory {
    fn add(
        &mut self,
        machine: &Machine,
        access: &Access,
        ways: &Ways<'_>,
        apps: Option<&BTreeSet<AppName>>,
    ) {
        let apps = apps.into_iter().flatten();
        // Ansible's groups are Python's names.
        let of_apps = apps.clone().map(|app| format!("app_{}", app.as_str().replace('-', "_")));
        for group in std::iter::once(machine.provider.to_string()).chain(of_apps) {
            self.groups.entry(group).or_default().push(machine.name.clone());
        }
        let apps: Vec<&AppName> = apps.collect();
        let vars = json!({
            "ansible_host": access.host,
            "ansible_port": access.port,
            "ansible_user": access.user,
            "ansible_ssh_private_key_file": ways.key,
            "ansible_ssh_common_args": ssh_arguments(&machine.name, ways),
            "toehold_apps": apps,
            "toehold_state": machine.phase.as_str(),
        });
        self.hosts.insert(machine.name.to_string(), vars);
    }

    fn told(self) -> Value {
        let mut all = Map::new();
        all.insert("_meta".into(), json!({ "hostvars": self.hosts }));
        let names: Vec<&String> = self.groups.keys().collect();
        all.insert("all".into(), json!({ "children": names }));
        for (group, hosts) in &self.groups {
            all.insert(group.clone(), json!({ "hosts": hosts }));
        }
        Value::Object(all)
    }

    /// As Ansible's YAML plugin reads it from a file; `toehold_app` says whose playbook runs.
    fn written(self, app: &AppName) -> Value {
        let of_group = |hosts: &[MachineName]| {
            let hosts: Map<String, Value> =
                hosts.iter().map(|name| (name.to_string(), json!({}))).collect();
            json!({ "hosts": hosts })
        };
        let groups: Map<String, Value> =
            self.groups.iter().map(|(name, hosts)| (name.clone(), of_group(hosts))).collect();
        json!({
            "all": { "hosts": self.hosts, "children": groups, "vars": { "toehold_app": app } }
        })
    }
}

/// The one host key that is believed, and an end to waiting for a machine that is cut off in the
/// middle of a task: Ansible by itself waits for ever. It takes this apart as a shell would.
fn ssh_arguments(machine: &MachineName, ways: &Ways<'_>) -> String {
    let quoted = ways.known_hosts.display().to_string().replace('\'', "'\\''");
    format!(
        "-o StrictHostKeyChecking=yes -o HostKeyAlias={machine} -o 'UserKnownHostsFile={quoted}' \
         -o GlobalKnownHostsFile=/dev/null -o IdentitiesOnly=yes \
         -o ServerAliveInterval=5 -o ServerAliveCountMax=3"
    )
}

#[cfg(test)]
mod tests {
    use toehold_core::model::{MachineGoal, Provider};
    use toehold_core::time::Timestamp;

    use super::*;

    #[test]
    fn a_host_is_in_the_groups_of_its_provider_and_of_what_it_runs() {
        let access = Access {
            user: "root".into(),
            host: "10.0.0.11".into(),
            port: 22,
            host_key: "ssh-ed25519 AAAA".into(),
        };
        let machine = Machine {
            name: "web1".parse().expect("a name"),
            provider: Provider::Ssh,
            app: None,
            goal: MachineGoal::Run,
            phase: MachinePhase::Ready,
            since: Timestamp::default(),
            address: None,
            access: Some(access.clone()),
            provider_id: None,
            size: None,
            configured: BTreeMap::new(),
            trouble: None,
            created_at: Timestamp::default(),
        };
        let ways = Ways { key: Path::new("/s/keys/ssh"), known_hosts: Path::new("/s/it's/web1") };
        let apps = BTreeSet::from(["my-shop".parse().expect("a name")]);
        let mut inventory = Inventory::default();
        inventory.add(&machine, &access, &ways, Some(&apps));
        let told = inventory.told();
        assert_eq!(told["ssh"], json!({ "hosts": ["web1"] }));
        assert_eq!(told["app_my_shop"], json!({ "hosts": ["web1"] }));
        assert_eq!(told["all"], json!({ "children": ["app_my_shop", "ssh"] }));
        let vars = &told["_meta"]["hostvars"]["web1"];
        assert_eq!(vars["ansible_host"], "10.0.0.11");
        let arguments = vars["ansible_ssh_common_args"].as_str().expect("a text");
        assert!(arguments.contains(r"'UserKnownHostsFile=/s/it'\''s/web1'"), "{arguments}");
    }
}
