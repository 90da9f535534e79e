//! Entity tags: whether a client has the answer already.

use sha2::{Digest, Sha256};

/// The strong tag of a body.
pub(super) fn of(body: &[u8]) -> String {
    format!("\"{}\"", hex::encode(Sha256::digest(body)))
}

/// Whether an `If-None-Match` header names the tag: `*`, or a list in which it stands, strong or
/// weak (a proxy on the way may have made it weak).
pub(super) fn matches(header: &str, etag: &str) -> bool {
    // A tag of ours holds no comma, so a list may be cut at each.
    header.trim() == "*"
        || header.split(',').map(str::trim).any(|it| it.strip_prefix("W/").unwrap_or(it) == etag)
}
