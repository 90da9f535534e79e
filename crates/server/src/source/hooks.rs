//! The two hooks of an app's repository: a line of shell each, that hands over to `toehold hook`.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use toehold_core::model::AppName;

use crate::source::SourceError;

/// What the hooks call: `<toehold> hook <name> --dir <dir> --app <app>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookCommand {
    /// The program, by its absolute path.
    pub toehold: PathBuf,
    /// The state directory it is to use.
    pub dir: PathBuf,
}

/// The hooks that are written: one that may refuse a push, one that sees what was taken.
pub const HOOKS: [&str; 2] = ["pre-receive", "post-receive"];

/// The most options one push may carry.
const MAX_OPTIONS: usize = 64;

/// What was said with `git push -o …`, in order, as a hook finds it in its environment. What is
/// more than 64 options, or longer than a thousand characters, is left out.
#[must_use]
pub fn push_options(environment: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let count = environment("GIT_PUSH_OPTION_COUNT").and_then(|it| it.parse().ok()).unwrap_or(0);
    (0..MAX_OPTIONS.min(count))
        .filter_map(|nth| environment(&format!("GIT_PUSH_OPTION_{nth}")))
        .filter(|option| option.chars().count() <= 1000)
        .collect()
}

/// Writes the hooks of the repository at `path`, where they are not already as they should be.
///
/// # Errors
/// [`SourceError::File`] where one cannot be read or written.
pub(crate) fn write(path: &Path, app: &AppName, command: &HookCommand) -> Result<(), SourceError> {
    let folder = path.join("hooks");
    fs::create_dir_all(&folder).map_err(|source| failed("create", &folder, source))?;
    for name in HOOKS {
        let hook = folder.join(name);
        let script = script(name, app, command);
        let current = match fs::read(&hook) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(failed("read", &hook, source)),
        };
        if current.as_deref() != Some(&script) || !is_executable(&hook) {
            replace(&hook, &script).map_err(|source| failed("write", &hook, source))?;
        }
    }
    Ok(())
}

/// A push that comes meanwhile runs the old hook or the new one, never half of one.
fn replace(hook: &Path, script: &[u8]) -> io::Result<()> {
    let fresh = hook.with_extension("new");
    fs::write(&fresh, script)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755))?;
    fs::rename(&fresh, hook)
}

fn is_executable(hook: &Path) -> bool {
    fs::metadata(hook).is_ok_and(|it| it.permissions().mode() & 0o111 == 0o111)
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> SourceError {
    SourceError::File { what, path: path.to_owned(), source }
}

fn script(name: &str, app: &AppName, command: &HookCommand) -> Vec<u8> {
    let toehold = quoted(command.toehold.as_os_str());
    let dir = quoted(command.dir.as_os_str());
    let mut script =
        b"#!/bin/sh\n# Written by toehold, again whenever it starts: do not edit.\n".to_vec();
    script.extend_from_slice(b"toehold=");
    script.extend_from_slice(&toehold);
    script.extend_from_slice(
        b"\n[ -x \"$toehold\" ] || {\n    echo \"$toehold is not there any more: start toehold once from where it is now\" >&2\n    exit 1\n}\n",
    );
    script.extend_from_slice(format!("exec \"$toehold\" hook {name} --dir ").as_bytes());
    script.extend_from_slice(&dir);
    script.extend_from_slice(format!(" --app {app}\n").as_bytes());
    script
}

/// In single quotes, where the shell takes everything but the quote itself as it is.
fn quoted(text: &OsStr) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for &byte in text.as_bytes() {
        if byte == b'\'' {
            quoted.extend_from_slice(b"'\\''");
        } else {
            quoted.push(byte);
        }
    }
    quoted.push(b'\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_push_are_read_within_limits() {
        let long = "x".repeat(1001);
        let found = |count: &'static str| {
            let long = long.clone();
            push_options(move |name| match name {
                "GIT_PUSH_OPTION_COUNT" => Some(count.to_owned()),
                "GIT_PUSH_OPTION_0" => Some("wait".to_owned()),
                "GIT_PUSH_OPTION_1" => Some(long.clone()),
                "GIT_PUSH_OPTION_2" => Some("track=canary".to_owned()),
                _ => None,
            })
        };
        assert_eq!(found("3"), ["wait", "track=canary"]);
        assert_eq!(found("1"), ["wait"]);
        assert_eq!(found("18446744073709551615").len(), 2);
        assert!(found("-1").is_empty() && found("x").is_empty());
        assert!(push_options(|_| None).is_empty());
    }

    #[test]
    fn a_path_stays_one_word_whatever_it_holds() {
        let quote = |text: &str| String::from_utf8(quoted(OsStr::new(text))).expect("it is UTF-8");
        assert_eq!(quote("/a b/$(reboot)"), "'/a b/$(reboot)'");
        assert_eq!(quote("it's"), r"'it'\''s'");
    }
}
