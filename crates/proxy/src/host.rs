//! The host a request is for.

use std::borrow::Cow;

/// The name of a host: lower case, without a port or the dot of a full name.
pub(crate) fn name(said: &str) -> Cow<'_, str> {
    let name = match said.rfind(':') {
        // A colon within brackets belongs to an IPv6 address.
        Some(colon) if !said[colon..].contains(']') => &said[..colon],
        _ => said,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_compared_without_port_case_and_last_dot() {
        for (given, read) in [
            ("shop.localhost", "shop.localhost"),
            ("Shop.LOCALHOST:8080", "shop.localhost"),
            ("shop.example.com.", "shop.example.com"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(name(given), read);
        }
    }
}
