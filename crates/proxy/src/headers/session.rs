//! The sessions of the dashboard, which a browser sends to every port of a host, and what names a
//! track with a secret: they are no app's to have.

use toehold_core::wire::api::{SESSION_COOKIE_PLAIN, SESSION_COOKIE_SECURE};

use crate::forced;

/// Shows a line of cookies without those; nothing where nothing else is on it.
pub(crate) fn without(line: &[u8], mut show: impl FnMut(&[u8])) {
    let pairs = || line.split(|byte| *byte == b';');
    if !pairs().any(is_ours) {
        show(line);
        return;
    }
    let kept: Vec<&[u8]> = pairs().filter(|pair| !is_ours(pair)).collect();
    let kept = kept.join(&b';');
    let kept = kept.trim_ascii();
    if !kept.is_empty() {
        show(kept);
    }
}

fn is_ours(pair: &[u8]) -> bool {
    if forced::cookie(pair).is_some() {
        return true;
    }
    let name = pair.split(|byte| *byte == b'=').next().unwrap_or(pair).trim_ascii();
    name == SESSION_COOKIE_PLAIN.as_bytes() || name == SESSION_COOKIE_SECURE.as_bytes()
}
