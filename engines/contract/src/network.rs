//! Which addresses are on the public Internet: the rule for where functions may send requests (security.md R01). Judged
//! after a name was resolved. Pure. Absent: the lookup, and exceptions that an operator allows.

use ipnet::{Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks that are not on the public Internet (IANA special-purpose registry), multicast and reserved ones included.
const NOT_PUBLIC_V4: [(Ipv4Addr, u8); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Global unicast, the only part of IPv6 that is public; everything outside (loopback, mapped, unique local, link-local,
/// NAT64, multicast) is not.
const GLOBAL_UNICAST: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Parts of global unicast that are not public, or that carry an IPv4 address to who knows where (Teredo, 6to4).
const NOT_PUBLIC_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address is one of the public Internet.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    let in_v4 = |ip: Ipv4Addr, (net, bits): &(Ipv4Addr, u8)| {
        Ipv4Net::new(*net, *bits).is_ok_and(|network| network.contains(&ip))
    };
    let in_v6 = |ip: Ipv6Addr, (net, bits): &(Ipv6Addr, u8)| {
        Ipv6Net::new(*net, *bits).is_ok_and(|network| network.contains(&ip))
    };
    match ip {
        IpAddr::V4(ip) => !NOT_PUBLIC_V4.iter().any(|network| in_v4(ip, network)),
        IpAddr::V6(ip) => in_v6(ip, &GLOBAL_UNICAST) && !NOT_PUBLIC_V6.iter().any(|network| in_v6(ip, network)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_and_not() {
        for ip in ["1.1.1.1", "93.184.216.34", "2606:4700::1111"] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.0.1",
            "192.168.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:1.1.1.1",
            "fe80::1",
            "fc00::1",
            "64:ff9b::1",
            "2002:0101:0101::1",
            "ff02::1",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
    }
}
