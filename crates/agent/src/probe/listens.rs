//! Which ports the processes of a tree listen on, for an app that listens on the wrong one.

use std::collections::BTreeSet;
use std::fs;

/// The ports at least one of `pids` listens on, by TCP.
pub(crate) fn listening_ports(pids: &[u32]) -> BTreeSet<u16> {
    let held: BTreeSet<u64> = pids.iter().flat_map(|&pid| sockets(pid)).collect();
    // All of them are in one network; the first one that still lives tells of it.
    let table = |file: &str| {
        pids.iter()
            .find_map(|pid| fs::read_to_string(format!("/proc/{pid}/net/{file}")).ok())
            .unwrap_or_default()
    };
    [table("tcp"), table("tcp6")]
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(listener)
        .filter(|(_, inode)| held.contains(inode))
        .map(|(port, _)| port)
        .collect()
}

/// The inodes of the sockets a process holds.
fn sockets(pid: u32) -> Vec<u64> {
    let inode = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    entries.filter_map(inode).collect()
}

/// Port and inode of a line of `/proc/net/tcp` that speaks of a listener.
fn listener(line: &str) -> Option<(u16, u64)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (local, state) = (fields.get(1)?, fields.get(3)?);
    if *state != "0A" {
        return None;
    }
    let (_, port) = local.rsplit_once(':')?;
    Some((u16::from_str_radix(port, 16).ok()?, fields.get(9)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_listener_is_found_and_gone_when_it_is_closed() {
        let us = [std::process::id()];
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = std::net::TcpListener::bind(address) else { continue };
            let port = listener.local_addr().expect("bound").port();
            assert!(listening_ports(&us).contains(&port), "{address}");
            drop(listener);
            assert!(!listening_ports(&us).contains(&port), "{address}");
        }
    }
}
