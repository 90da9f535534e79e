//! What git is told beside its arguments.

use std::process::Command;

/// What every command is told, whatever the repository's own configuration says.
const HARDENING: [&str; 8] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "http.followRedirects=false",
    "advice.detachedHead=false",
];

/// What passes from our environment to git's. No `GIT_*`: a hook's would point it elsewhere.
const PASSED: [&str; 12] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
    "ALL_PROXY",
];

/// The variables by which a hook's git tells its children where it works.
const POINTING: [&str; 16] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Lets nothing of the machine's, a user's or a surrounding git's configuration through.
pub(super) fn seal(command: &mut Command) {
    seal_variables(command);
    for setting in HARDENING {
        command.args(["-c", setting]);
    }
}

/// The same by the environment alone: the repository's own configuration and hooks count.
pub(in crate::source) fn seal_variables(command: &mut Command) {
    command.env_clear().env("LC_ALL", "C.UTF-8");
    for name in PASSED {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "true")
        .env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=15")
        .env("GIT_ALLOW_PROTOCOL", "https:http:ssh:file");
}

/// Takes away what would make git work elsewhere than where it is started.
pub(super) fn unpoint(command: &mut Command) {
    for name in POINTING {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C.UTF-8").env("GIT_TERMINAL_PROMPT", "0");
}
