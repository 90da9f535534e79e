//! What a machine that failed said when it first started is kept: with the machine it would be gone.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;
use toehold_core::model::{Event, EventKind, Machine, MachineName, Subject};
use tracing::{info, warn};

use crate::control::Control;
use crate::provider::bring::first_words;
use crate::provider::shell::Shell;

/// The longest line of it that an event shows, in characters.
const LINE: usize = 200;

impl Control {
    /// Keeps it, once, where the machine can be reached; it is given back in any case.
    pub(super) async fn keep_first_words(&self, machine: &Machine) {
        let Some(access) = &machine.access else { return };
        let name = &machine.name;
        let (folder, run, key) =
            (self.layout().machine_logs(), self.layout().run(), self.layout().ssh_key());
        if place(&folder, name).exists() {
            return;
        }
        let shell = Shell { machine: name, access, key: &key, run: &run };
        let said = match first_words(&shell).await {
            Ok(said) => said,
            Err(error) => {
                info!(machine.name = %name, %error, "what a machine that failed said at first cannot be read");
                return;
            }
        };
        match kept(&folder, name, &said) {
            Ok(None) => {}
            Ok(Some(path)) => {
                let event = event(machine, &path, &said, self.clock().now());
                self.say(event).await;
            }
            Err(error) => {
                warn!(machine.name = %name, %error, "what a machine that failed said at first cannot be kept");
            }
        }
    }

    /// What is kept of a machine nobody remembers goes, too.
    pub(super) fn forget_first_words(&self, name: &MachineName) {
        let path = place(&self.layout().machine_logs(), name);
        if let Err(error) = std::fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            warn!(path = %path.display(), %error, "what a machine said at first cannot be removed");
        }
    }
}

fn place(folder: &Path, name: &MachineName) -> PathBuf {
    folder.join(format!("{name}.log"))
}

/// Where it is kept; `None` where the machine said nothing.
fn kept(folder: &Path, name: &MachineName, said: &str) -> io::Result<Option<PathBuf>> {
    if said.trim().is_empty() {
        return Ok(None);
    }
    std::fs::create_dir_all(folder)?;
    let path = place(folder, name);
    std::fs::write(&path, said)?;
    Ok(Some(path))
}

fn event(machine: &Machine, path: &Path, said: &str, at: toehold_core::time::Timestamp) -> Event {
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let last: String = last.chars().filter(|c| !c.is_control()).take(LINE).collect();
    let name = &machine.name;
    Event {
        rev: 0,
        at,
        app: machine.app.clone(),
        kind: EventKind::MachineTrouble,
        subject: Subject::Machine(name.clone()),
        cause: None,
        actor: "toehold".into(),
        text: format!(
            "what {name} said when it first started is kept in {}; its last line: {last}",
            path.display()
        ),
        facts: json!({ "machine": name, "path": path }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_said_is_kept_whole_and_its_last_line_is_told() {
        let folder = tempfile::TempDir::new().expect("a folder can be made");
        let logs = folder.path().join("machines");
        let name: MachineName = "shop-1".parse().expect("it is a name");
        assert_eq!(kept(&logs, &name, "\n").expect("nothing is written"), None);
        assert!(!logs.exists());
        let said = "== /var/log/cloud-init-output.log\nfailed: \u{1b}[31mno space\n\n";
        let path = kept(&logs, &name, said).expect("it is kept").expect("there is something");
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), said);
        let at = toehold_core::time::Timestamp::from_ms(1_800_000_000_000);
        let machine = super::super::people::here(name, at);
        let event = event(&machine, &path, said, machine.since);
        assert!(event.text.ends_with("its last line: failed: [31mno space"), "{}", event.text);
        assert!(event.text.contains("shop-1.log"), "{}", event.text);
    }
}
