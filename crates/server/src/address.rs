//! What an address is, before anything is called there: of the public internet, or nobody's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether anybody could be reached there who is not on this machine, in its network, or the
/// machine's own provider.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// Whether nobody who is meant has this address: of the local link, where clouds keep a machine's
/// own secrets, or of no host at all. It is called by nobody, whatever else of a network is allowed.
pub(crate) fn is_no_host(ip: IpAddr) -> bool {
    let is_none = |v4: Ipv4Addr| v4.is_link_local() || v4.is_unspecified() || v4.is_multicast();
    match ip {
        IpAddr::V4(v4) => is_none(v4),
        IpAddr::V6(v6) => v4_of(v6).map_or_else(
            || v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast(),
            is_none,
        ),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let special =
        a == 0 || a >= 240 || (a == 192 && b == 0 && c == 0) || (a == 198 && matches!(b, 18 | 19));
    let near = ip.is_loopback() || ip.is_private() || ip.is_link_local();
    !(near || shared || special || ip.is_multicast() || ip.is_broadcast())
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(v4) = v4_of(ip) {
        return is_public_v4(v4);
    }
    let near = ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local();
    !(near || ip.is_unique_local() || ip.is_multicast())
}

/// The IPv4 address that an IPv6 one is written of, where it is.
fn v4_of(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => of(high, low),
        // `::` and `::1` are what they are.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => of(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_not_public_however_it_is_written() {
        for near in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:0.0.0.0",
            "::ffff:0.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::10.0.0.1",
        ] {
            assert!(!is_public(near.parse().expect(near)), "{near}");
        }
        for far in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(far.parse().expect(far)), "{far}");
        }
    }

    #[test]
    fn what_is_nobodys_is_known_however_it_is_written() {
        for none in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
        ] {
            assert!(is_no_host(none.parse().expect(none)), "{none}");
        }
        for other in ["10.0.0.1", "127.0.0.1", "::1", "fd00::1", "1.1.1.1"] {
            assert!(!is_no_host(other.parse().expect(other)), "{other}");
        }
    }
}
