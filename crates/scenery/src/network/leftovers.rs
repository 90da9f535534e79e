//! What processes left that were killed: they could not take their networks with them.

use std::collections::BTreeSet;
use std::path::Path;

use crate::command::run;

/// What the names of everything begin with that the process of this id makes.
pub fn prefix(process: u32) -> String {
    format!("toe{process}")
}

/// Ends the hosts and removes the networks of processes that are not there any more. What cannot be
/// removed is in nobody's way.
pub fn sweep() {
    let namespaces = run("ip", &["netns", "list"]).unwrap_or_default();
    let bridges = run("ip", &["-oneline", "link", "show", "type", "bridge"]).unwrap_or_default();
    for process in made_by(&namespaces, &bridges).into_iter().filter(|it| !is_there(*it)) {
        let prefix = prefix(process);
        let of_it = namespaces.lines().filter_map(|line| line.split(' ').next());
        for name in of_it.filter(|name| owner(name, 'n') == Some(process)) {
            let inside = run("ip", &["netns", "pids", name]).unwrap_or_default();
            for id in inside.split_whitespace() {
                let _ = run("kill", &["-KILL", id]);
            }
            let _ = run("ip", &["netns", "del", name]);
        }
        let _ = run("ip", &["link", "del", &format!("{prefix}b")]);
    }
}

/// The processes that made these namespaces and bridges, as `ip` lists them.
fn made_by(namespaces: &str, bridges: &str) -> BTreeSet<u32> {
    let of_namespaces = namespaces.lines().filter_map(|line| owner(line.split(' ').next()?, 'n'));
    // `7: toe123b: <BROADCAST,…`
    let of_bridges = bridges.lines().filter_map(|line| owner(line.split(": ").nth(1)?, 'b'));
    of_namespaces.chain(of_bridges).collect()
}

/// The process that gave this name: `toe123` and the kind, for a host with its number.
fn owner(name: &str, kind: char) -> Option<u32> {
    let (process, number) = name.strip_prefix("toe")?.split_once(kind)?;
    let is_number = number.chars().all(|it| it.is_ascii_digit());
    process.parse().ok().filter(|_| is_number)
}

fn is_there(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

#[cfg(test)]
mod tests {
    use super::made_by;

    #[test]
    fn what_others_made_is_left_alone() {
        let namespaces = "toe12n1 (id: 0)\ntoe12n2\nblue\ntoebn1\n";
        let bridges = "7: toe345b: <BROADCAST> mtu 1500\n8: docker0: <UP>\n9: toe7bx: <UP>\n";
        assert_eq!(made_by(namespaces, bridges).into_iter().collect::<Vec<_>>(), [12, 345]);
    }
}
