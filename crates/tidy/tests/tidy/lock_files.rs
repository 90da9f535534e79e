//! What the lock files may name: one registry for Rust, no foreign TLS, and no address at all for
//! Node, so that a team's own mirror serves as well.

use crate::finding::{Finding, assert_none, assert_one};
use crate::workspace::{File, file, files};

/// The one registry, as Cargo writes it.
const REGISTRY: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

/// rustls is our TLS; these would bring another, and a C library to install.
const FOREIGN_TLS: [&str; 3] = ["openssl", "openssl-sys", "native-tls"];

fn cargo(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.starts_with("source = ") && line != REGISTRY {
            let what = format!("{line}: dependencies come from crates.io alone");
            findings.push(Finding::at(path, i + 1, what));
        }
        let package = line.strip_prefix("name = \"").and_then(|rest| rest.strip_suffix('"'));
        if let Some(name) = package.filter(|name| FOREIGN_TLS.contains(name)) {
            let what = format!("`{name}`: use rustls; `cargo tree -i {name}` tells who brings it");
            findings.push(Finding::at(path, i + 1, what));
        }
    }
    findings
}

fn node(file: &File) -> Vec<Finding> {
    if file.name() != "package-lock.json" {
        return Vec::new();
    }
    let address = concat!("\"resolved\": \"", "http");
    file.text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.contains(address))
        .map(|(i, _)| {
            let what = "a registry's address: `npm install --omit-lockfile-registry-resolved`";
            Finding::at(&file.path, i + 1, what)
        })
        .collect()
}

#[test]
fn cargo_lock_names_one_registry_and_one_tls() {
    let lock = file("Cargo.lock").expect("the lock file is committed");
    assert_none(&cargo(&lock.path, &lock.text));
}

#[test]
fn no_lock_file_of_node_names_a_registry() {
    let findings: Vec<Finding> = files().iter().flat_map(node).collect();
    assert_none(&findings);
}

#[test]
fn another_registry_or_tls_is_seen() {
    assert_none(&cargo("Cargo.lock", &format!("name = \"openssl-probe\"\n{REGISTRY}\n")));
    assert_one(&cargo("Cargo.lock", "\nsource = \"git+https://a.b/c\"\n"), 2, "crates.io alone");
    assert_one(&cargo("Cargo.lock", "name = \"native-tls\"\n"), 1, "use rustls");
    let lock = File::new("a/package-lock.json", "{\n\"resolved\": \"https://a.b/c.tgz\"\n}\n");
    assert_one(&node(&lock), 2, "omit-lockfile-registry-resolved");
}
