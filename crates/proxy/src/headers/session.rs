//! The sessions of the dashboard, which a browser sends to every port of a host: they are no app's
//! to have.

use toehold_core::wire::api::{SESSION_COOKIE_PLAIN, SESSION_COOKIE_SECURE};

/// Shows a line of cookies without those sessions; nothing where nothing else is on it.
pub(super) fn without(line: &[u8], mut show: impl FnMut(&[u8])) {
    let pairs = || line.split(|byte| *byte == b';');
    if !pairs().any(is_session) {
        show(line);
        return;
    }
    let kept: Vec<&[u8]> = pairs().filter(|pair| !is_session(pair)).collect();
    let kept = kept.join(&b';');
    let kept = kept.trim_ascii();
    if !kept.is_empty() {
        show(kept);
    }
}

fn is_session(pair: &[u8]) -> bool {
    let name = pair.split(|byte| *byte == b'=').next().unwrap_or(pair).trim_ascii();
    name == SESSION_COOKIE_PLAIN.as_bytes() || name == SESSION_COOKIE_SECURE.as_bytes()
}
