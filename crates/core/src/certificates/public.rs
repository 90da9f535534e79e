//! Which hosts want a certificate: names that a public CA can look up and be led to.

use std::net::IpAddr;

/// Why nobody is asked for a certificate for a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPublic {
    /// It is an address and not a name.
    Address,
    /// It has no dot in it.
    OneLabel,
    /// It is a pattern; what proves that all of it is ours is not done by HTTP.
    Pattern,
    /// Its last label is for one's own network, or for nothing.
    Private,
    /// It is not what DNS calls a name.
    NoName,
}

/// Ends of names that lead nowhere for the public (RFC 2606, 6761, 6762, 8375, 9476, and usage).
const PRIVATE: [&str; 14] = [
    "localhost",
    "local",
    "internal",
    "test",
    "example",
    "invalid",
    "onion",
    "alt",
    "home.arpa",
    "lan",
    "home",
    "corp",
    "localdomain",
    "intranet",
];

/// The longest name, and the longest label of one, in bytes.
const NAME_BYTES: usize = 253;
const LABEL_BYTES: usize = 63;

/// Why a host, in lower case, gets no certificate from a public CA; `None`: it can have one.
#[must_use]
pub fn why_not_public(host: &str) -> Option<NotPublic> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return Some(NotPublic::Address);
    }
    if host.contains('*') {
        return Some(NotPublic::Pattern);
    }
    let private = |end: &str| host == end || host.ends_with(&format!(".{end}"));
    if PRIVATE.into_iter().any(private) {
        return Some(NotPublic::Private);
    }
    if host.len() > NAME_BYTES || !host.split('.').all(is_label) {
        return Some(NotPublic::NoName);
    }
    let Some((_, last)) = host.rsplit_once('.') else { return Some(NotPublic::OneLabel) };
    // An address that was written in another way, such as 1.2.3, is no name either.
    last.bytes().all(|b| b.is_ascii_digit()).then_some(NotPublic::Address)
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_BYTES).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_public_can_reach_want_a_certificate_and_nothing_else_does() {
        for good in ["example.com", "shop.example.com", "a-1.b2.co.uk", "xn--bcher-kva.example.net"]
        {
            assert_eq!(why_not_public(good), None, "{good}");
        }
        for (bad, why) in [
            ("shop.localhost", NotPublic::Private),
            ("localhost", NotPublic::Private),
            ("printer.local", NotPublic::Private),
            ("db.internal", NotPublic::Private),
            ("shop.test", NotPublic::Private),
            ("nas.home.arpa", NotPublic::Private),
            ("shop", NotPublic::OneLabel),
            ("", NotPublic::NoName),
            ("192.0.2.7", NotPublic::Address),
            ("2001:db8::1", NotPublic::Address),
            ("[2001:db8::1]", NotPublic::Address),
            ("10.1", NotPublic::Address),
            ("*.example.com", NotPublic::Pattern),
            ("a_b.example.com", NotPublic::NoName),
            ("-a.example.com", NotPublic::NoName),
            ("a..example.com", NotPublic::NoName),
            (".example.com", NotPublic::NoName),
            ("example.com.", NotPublic::NoName),
            ("Shop.example.com", NotPublic::NoName),
            ("shop.example.com/../x", NotPublic::NoName),
        ] {
            assert_eq!(why_not_public(bad), Some(why), "{bad:?}");
        }
        // It ends in the letters of `local`, and is another name.
        assert_eq!(why_not_public("shop.glocal"), None);
    }
}
