//! Reads `machine web1 ssh open`, and says where an instance is.

use crate::model::Place;
use crate::scene::{Scene, before};
use crate::situation::{MachineSeen, Standing};

/// No agent is heard.
pub(super) fn silent(scene: &mut Scene) {
    for machine in scene.seen.machines.values_mut() {
        machine.heard = false;
    }
}

/// `ssh` or `digitalocean`, then what differs from an open, configured machine whose agent is heard.
pub(super) fn machine(scene: &mut Scene, name: &str, how: &[&str]) {
    let mut seen = MachineSeen::local(true);
    for word in how {
        match *word {
            "silent" => seen.heard = false,
            "lost" => (seen.standing, seen.heard) = (Standing::Lost, false),
            "closed" => seen.standing = Standing::Closed,
            "emptying" => seen.standing = Standing::Emptying,
            "raw" => seen.is_configured = false,
            "busy" => seen.others = 3,
            provider => seen.provider = provider.parse().expect("it is a provider"),
        }
    }
    scene.seen.machines.insert(name.parse().expect("it is a machine's name"), seen);
}

pub(super) fn place(machine: &str) -> Place {
    Place { machine: machine.parse().expect("it is a machine's name"), since: before(10) }
}
