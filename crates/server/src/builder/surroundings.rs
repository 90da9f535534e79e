//! What of the machine's environment a build may know: where programs and registries are, never
//! what Toehold itself was given.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Ways to the outside, certificates, and the homes of version managers.
const PASSED: [&str; 27] = [
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "NPM_CONFIG_REGISTRY",
    "npm_config_registry",
    "NPM_CONFIG_USERCONFIG",
    "npm_config_userconfig",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "PYENV_ROOT",
    "VOLTA_HOME",
    "ASDF_DATA_DIR",
    "NVM_DIR",
    "TZ",
];

/// Where programs are when nothing says.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What of this process's environment a build may know. A build's home is a folder of its app, so
/// files that tools look for in the operator's home are named where they are there.
#[must_use]
pub fn surroundings() -> Vec<(OsString, OsString)> {
    let mut found: Vec<(OsString, OsString)> =
        PASSED.iter().filter_map(|name| Some(((*name).into(), env::var_os(name)?))).collect();
    let path = env::var_os("PATH").filter(|path| !path.is_empty());
    found.push(("PATH".into(), path.unwrap_or_else(|| PATH.into())));
    if let Some(home) = env::var_os("HOME").map(PathBuf::from) {
        for (name, other, file) in [
            ("npm_config_userconfig", "NPM_CONFIG_USERCONFIG", ".npmrc"),
            ("RUSTUP_HOME", "RUSTUP_HOME", ".rustup"),
            ("PIP_CONFIG_FILE", "PIP_CONFIG_FILE", ".config/pip/pip.conf"),
        ] {
            let file = home.join(file);
            let said = found.iter().any(|(it, _)| it == name || it == other);
            if !said && file.exists() {
                found.push((name.into(), file.into()));
            }
        }
    }
    found
}

/// The whole environment of a build's commands.
pub(super) fn environment(
    surroundings: &[(OsString, OsString)],
    home: &Path,
    tmp: &Path,
) -> Vec<(OsString, OsString)> {
    let own = [
        ("HOME", home.as_os_str()),
        ("TMPDIR", tmp.as_os_str()),
        ("LANG", "C.UTF-8".as_ref()),
        ("TERM", "dumb".as_ref()),
        ("CI", "true".as_ref()),
        ("NO_COLOR", "1".as_ref()),
        ("PYTHONUNBUFFERED", "1".as_ref()),
        ("GIT_TERMINAL_PROMPT", "0".as_ref()),
        ("npm_config_fund", "false".as_ref()),
        ("npm_config_audit", "false".as_ref()),
        ("npm_config_update_notifier", "false".as_ref()),
        ("npm_config_progress", "false".as_ref()),
    ];
    let own: Vec<(OsString, OsString)> =
        own.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    let named = |name: &OsString| own.iter().any(|(it, _)| it == name);
    let mut whole: Vec<_> = surroundings.iter().filter(|(name, _)| !named(name)).cloned().collect();
    if !whole.iter().any(|(name, _)| name == "PATH") {
        whole.push(("PATH".into(), PATH.into()));
    }
    whole.extend(own);
    whole
}
