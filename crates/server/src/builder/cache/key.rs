//! What dependencies are told by: lock file, package manager, platform, the tool that builds them.

use std::env::consts::{ARCH, OS};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use toehold_host::process::program;

/// How the dependencies of an app are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builder) struct Plan {
    /// Two checkouts with the same key have the same dependencies.
    pub(in crate::builder) key: String,
    /// The folder they lie in.
    pub(in crate::builder) folder: &'static str,
    /// What has to be run although they were restored.
    pub(in crate::builder) rest: Option<String>,
}

/// Hooks of the app itself that run with an install and may write anywhere.
const HOOKS: [&str; 6] =
    ["preinstall", "install", "postinstall", "prepublish", "prepare", "preprepare"];

/// What of `package.json` an install depends on.
const SECTIONS: [&str; 9] = [
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "bundledDependencies",
    "bundleDependencies",
    "overrides",
    "resolutions",
    "packageManager",
];

/// How what `install` installs can be kept; `None` where it cannot be told what it depends on.
/// `path` is the build's `PATH`.
pub(in crate::builder) fn plan(install: &str, checkout: &Path, path: &OsStr) -> Option<Plan> {
    let (command, rest) = match install.split_once("&&") {
        Some((command, rest)) => (command.trim(), Some(rest.trim().to_owned())),
        None => (install.trim(), None),
    };
    if command.contains([';', '|', '&', '>', '<', '$', '`', '\n']) {
        return None;
    }
    let words: Vec<&str> = command.split_ascii_whitespace().collect();
    match words.as_slice() {
        ["npm", "ci" | "install" | "i" | "clean-install", flags @ ..]
        | ["pnpm" | "yarn", "install" | "i", flags @ ..]
            if flags.iter().all(|flag| flag.starts_with("--")) =>
        {
            node(command, words[0], checkout, path, rest)
        }
        ["python3" | "python", "-m", "pip", "install", "--target", ".packages", lists @ ..] => {
            python(command, words[0], lists, checkout, path, rest)
        }
        ["cargo", "build", flags @ ..] if flags.iter().all(|flag| flag.starts_with("--")) => {
            // Cargo itself knows best what is fresh, so it always runs.
            let mut key = Key::new(command);
            key.file(checkout, "Cargo.lock")?;
            key.tool("rustc", path)?;
            Some(key.plan("target", Some(install.to_owned())))
        }
        _ => None,
    }
}

fn node(
    command: &str,
    manager: &str,
    checkout: &Path,
    path: &OsStr,
    rest: Option<String>,
) -> Option<Plan> {
    let locks: &[&str] = match manager {
        "npm" => &["package-lock.json", "npm-shrinkwrap.json"],
        "pnpm" => &["pnpm-lock.yaml"],
        _ => &["yarn.lock"],
    };
    let package = fs::read(checkout.join("package.json")).ok()?;
    let package: Value = serde_json::from_slice(&package).ok()?;
    let hooked = HOOKS.iter().any(|hook| package["scripts"].get(hook).is_some());
    if hooked
        || package.get("workspaces").is_some()
        || checkout.join("pnpm-workspace.yaml").exists()
    {
        return None;
    }
    let mut key = Key::new(command);
    let lock = locks.iter().find(|lock| checkout.join(lock).is_file())?;
    let text = key.file(checkout, lock)?;
    // A package that lies in a folder of the machine changes without its lock file.
    if ["\"link\": true", "file:", "link:"].iter().any(|mark| text.contains(mark)) {
        return None;
    }
    for section in SECTIONS {
        key.part(section, package.get(section).unwrap_or(&Value::Null).to_string().as_bytes());
    }
    for file in [".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs"] {
        key.file(checkout, file);
    }
    key.tool("node", path)?;
    key.tool(manager, path)?;
    Some(key.plan("node_modules", rest))
}

fn python(
    command: &str,
    python: &str,
    lists: &[&str],
    checkout: &Path,
    path: &OsStr,
    rest: Option<String>,
) -> Option<Plan> {
    let mut key = Key::new(command);
    let lists = lists.chunks(2).map(|pair| match pair {
        ["-r", list] => Some(*list),
        _ => None,
    });
    for list in lists.collect::<Option<Vec<_>>>()? {
        let text = key.file(checkout, list)?;
        let mut wanted = text.lines().map(str::trim).filter(|line| !line.is_empty());
        // A list without exact versions means something else tomorrow.
        if !wanted.all(|line| line.starts_with('#') || line.contains("==")) {
            return None;
        }
    }
    key.tool(python, path)?;
    Some(key.plan(".packages", rest))
}

/// A key that grows.
struct Key(Sha256);

impl Key {
    fn new(command: &str) -> Self {
        let mut key = Self(Sha256::new());
        key.part("version", b"1");
        key.part("platform", format!("{OS} {ARCH}").as_bytes());
        key.part("command", command.as_bytes());
        key
    }

    fn part(&mut self, name: &str, bytes: &[u8]) {
        self.0.update(format!("{name} {}\n", bytes.len()).as_bytes());
        self.0.update(bytes);
    }

    /// A file of the checkout; `None` where it is not there. Links are not followed.
    fn file(&mut self, checkout: &Path, name: &str) -> Option<String> {
        let path = checkout.join(name);
        let about = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file);
        let text = about.and_then(|_| fs::read_to_string(&path).ok());
        self.part(name, text.as_deref().unwrap_or_default().as_bytes());
        text
    }

    /// A program, told by its file: asking it for its version would take longer than a copy.
    fn tool(&mut self, name: &str, path: &OsStr) -> Option<()> {
        let file = fs::canonicalize(program(name, path)?).ok()?;
        let about = fs::metadata(&file).ok()?;
        let told = format!("{} {} {}", file.display(), about.len(), about.mtime());
        self.part(name, told.as_bytes());
        Some(())
    }

    fn plan(self, folder: &'static str, rest: Option<String>) -> Plan {
        Plan { key: hex::encode(self.0.finalize()), folder, rest }
    }
}
