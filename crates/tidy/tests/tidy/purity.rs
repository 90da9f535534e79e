//! The core knows and decides. It reads no clock and no environment, does no IO, starts nothing,
//! says nothing, and nothing in it has an order that differs from run to run.

use crate::code::{Code, has_word};
use crate::finding::{Finding, assert_none, assert_one};
use crate::workspace::{File, rust};

/// What must not be named, and what to do instead.
const BANNED: [(&str, &str); 19] = [
    ("std::fs", "take the bytes as an argument"),
    ("std::io", "take the bytes as an argument"),
    ("SystemTime", "take a `Timestamp` as an argument"),
    ("Instant", "take a `Timestamp` as an argument"),
    ("env::", "take the value as an argument"),
    ("env!", "take the value as an argument"),
    ("std::thread", "return what should be done"),
    ("thread::", "return what should be done"),
    ("process::Command", "return what should be done"),
    ("std::process", "return what should be done"),
    ("tokio", "return what should be done"),
    ("async", "return what should be done"),
    ("HashMap", "its order is not the same twice: use `BTreeMap`"),
    ("HashSet", "its order is not the same twice: use `BTreeSet`"),
    ("tracing", "reasons are data: put them into the answer"),
    ("println!", "reasons are data: put them into the answer"),
    ("eprintln!", "reasons are data: put them into the answer"),
    ("print!", "reasons are data: put them into the answer"),
    ("static mut", "pass state as an argument"),
];

/// Of `std::net` only the words for addresses.
const NET: [&str; 8] = [
    "SocketAddr",
    "SocketAddrV4",
    "SocketAddrV6",
    "IpAddr",
    "Ipv4Addr",
    "Ipv6Addr",
    "AddrParseError",
    "self",
];

fn check(file: &File) -> Vec<Finding> {
    if !file.path.starts_with("crates/core/src/") || file.is_test {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line, _) in Code::read(&file.text).numbered().filter(|&(_, _, test)| !test) {
        let banned = BANNED.iter().find(|(word, _)| has_word(line, word));
        if let Some((word, instead)) = banned {
            let what = format!("`{word}` in the core: {instead}");
            findings.push(Finding::at(&file.path, number, what));
        }
        if let Some(name) = beyond_addresses(line) {
            let what = format!("`std::net::{name}` in the core: only addresses may be named");
            findings.push(Finding::at(&file.path, number, what));
        }
    }
    findings
}

/// The first name of `std::net` in the line that is no address.
fn beyond_addresses(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("std::net")?;
    let names = rest.strip_prefix("::")?;
    let end = names.find([';', '(', '>']).unwrap_or(names.len());
    names[..end]
        .split(|c: char| !c.is_alphanumeric())
        .filter(|name| name.starts_with(char::is_uppercase))
        .find(|name| !NET.contains(name))
}

#[test]
fn the_core_is_pure() {
    let findings: Vec<Finding> = rust().flat_map(check).collect();
    assert_none(&findings);
}

#[test]
fn a_clock_in_the_core_is_seen() {
    let look = |text: &str| check(&File::new("crates/core/src/judge.rs", text));
    assert_none(&look("use std::net::{SocketAddr, IpAddr};\n// Instant::now() is banned\n"));
    assert_none(&look("#[cfg(test)]\nmod tests {\n    use std::collections::HashMap;\n}\n"));
    assert_one(&look("\nlet t = std::time::Instant::now();\n"), 2, "`Instant` in the core");
    assert_one(&look("use std::net::{SocketAddr, TcpStream};\n"), 1, "TcpStream");
    assert_one(&look("let m: HashMap<u8, u8> = x;\n"), 1, "use `BTreeMap`");
    assert_none(&check(&File::new("crates/host/src/disk.rs", "use std::fs;\n")));
}
