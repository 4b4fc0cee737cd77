//! Which addresses functions may send requests to (security.md R01): those on the public Internet, and what an operator allows.
//!
//! [`AddressPolicy`] judges addresses after they were resolved, because that is the only moment at which `0x7f.1`,
//! `2130706433` and a rebinding name all look like what they are. Pure. Absent: the lookup.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

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

/// Where functions may send requests: to public addresses, and what is allowed besides.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    names: HashSet<String>,
    networks: Vec<IpNet>,
    refused: Vec<SocketAddr>,
}

impl AddressPolicy {
    /// `allowed` are names and CIDRs; `refused` are never connected to, whatever is allowed (the admin listener).
    ///
    /// # Errors
    /// The entry that is neither.
    pub fn new(allowed: &[String], refused: Vec<SocketAddr>) -> Result<Self, String> {
        let mut policy = Self { refused, ..Self::default() };
        for entry in allowed {
            if let Ok(network) = entry.parse::<IpNet>() {
                policy.networks.push(network);
            } else if let Ok(address) = entry.parse::<IpAddr>() {
                policy.networks.push(IpNet::from(address));
            } else if is_host_name(entry) {
                policy.names.insert(plain_name(entry));
            } else {
                return Err(entry.clone());
            }
        }
        Ok(policy)
    }

    /// Whether a connection to `address`, which `host` resolved to, is permitted; `host` is empty where nobody knows the name.
    #[must_use]
    pub fn permits(&self, host: &str, address: SocketAddr) -> bool {
        let ip = address.ip();
        let canonical = ip.to_canonical();
        let refused = self.refused.iter().any(|refused| {
            refused.port() == address.port()
                && (refused.ip().is_unspecified()
                    || canonical.is_unspecified()
                    || refused.ip().to_canonical() == canonical)
        });
        !refused
            && (is_public(ip)
                || self.networks.iter().any(|network| network.contains(&canonical))
                || self.names.contains(&plain_name(host)))
    }
}

/// Whether `host` can be a host name: letters, digits, hyphens, underscores and dots.
#[must_use]
pub fn is_host_name(host: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !host.is_empty() && host.len() <= 254 && !host.starts_with('.') && host.bytes().all(legal)
}

/// A name as names are compared: lower-case, without the dot at its end.
#[must_use]
pub fn plain_name(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
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

    fn permits(policy: &AddressPolicy, host: &str, ip: &str) -> bool {
        policy.permits(host, SocketAddr::new(ip.parse().unwrap(), 80))
    }

    #[test]
    fn only_public_addresses_by_default() {
        let policy = AddressPolicy::new(&[], Vec::new()).unwrap();
        let refused = "0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 127.0.0.1 127.255.255.255 169.254.169.254 172.16.0.1 \
            172.31.255.255 192.168.1.1 198.18.0.1 224.0.0.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1 \
            ::ffff:93.184.216.34 ::7f00:1 64:ff9b::7f00:1 fe80::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 \
            2001:db8::1 2001::1 2002:7f00:1::1 100::1";
        for refused in refused.split_whitespace() {
            assert!(!permits(&policy, "a.test", refused), "{refused}");
        }
        for allowed in ["93.184.216.34", "172.32.0.1", "172.15.255.255", "9.9.9.9", "2606:4700::1", "2a00:1450::1"] {
            assert!(permits(&policy, "a.test", allowed), "{allowed}");
        }
    }

    #[test]
    fn names_and_networks_can_be_allowed() {
        let allowed = ["10.1.0.0/16".to_owned(), "192.168.0.7".to_owned(), "Intern.test".to_owned()];
        let policy = AddressPolicy::new(&allowed, Vec::new()).unwrap();
        assert!(permits(&policy, "a.test", "10.1.2.3"));
        assert!(!permits(&policy, "a.test", "10.2.0.1"));
        assert!(permits(&policy, "a.test", "192.168.0.7"));
        assert!(!permits(&policy, "a.test", "192.168.0.8"));
        assert!(permits(&policy, "intern.TEST.", "127.0.0.1"));
        assert!(!permits(&policy, "x.intern.test", "127.0.0.1"));
    }

    #[test]
    fn refused_sockets_stay_refused() {
        let admin: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let policy = AddressPolicy::new(&["127.0.0.0/8".to_owned(), "0.0.0.0/8".to_owned()], vec![admin]).unwrap();
        assert!(!permits(&policy, "a.test", "127.0.0.1"));
        assert!(!permits(&policy, "a.test", "::ffff:127.0.0.1"));
        assert!(!permits(&policy, "a.test", "0.0.0.0"), "the unspecified address reaches every local socket");
        assert!(permits(&policy, "a.test", "127.0.0.2"));
        let everywhere = vec!["0.0.0.0:80".parse().unwrap()];
        let policy = AddressPolicy::new(&["127.0.0.0/8".to_owned()], everywhere).unwrap();
        assert!(!permits(&policy, "a.test", "127.0.0.2"));
    }

    #[test]
    fn nonsense_is_named() {
        assert_eq!(AddressPolicy::new(&["10.0.0.0/99".to_owned()], Vec::new()).unwrap_err(), "10.0.0.0/99");
    }
}
