//! How home is reached: the machine's addresses and their changes, its name, its Wi-Fi.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

pub mod links;
pub mod publisher;
pub mod ranking;
pub mod wifi;

/// The addresses at which home can be reached now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Every usable address of the machine, best first (the default route's, other physical ones, IPv6, bridges
    /// of containers last); no link-local, no multicast, no loopback.
    pub local: Vec<IpAddr>,
    /// The default route's address, if there is a default route.
    pub best: Option<IpAddr>,
    /// `public_address` from the config if it is an IP address: announced as server-reflexive.
    pub public: Option<SocketAddr>,
}

impl Addresses {
    /// Whether somebody at this address comes from beyond home's own network, as far as the address tells.
    pub fn is_outside(&self, far: IpAddr) -> bool {
        match far.to_canonical() {
            // A router may put its own outer address before what comes back to it from within.
            far if self.public.is_some_and(|public| public.ip() == far) => false,
            IpAddr::V4(v4) => {
                let is_shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
                let is_ours = self.local.contains(&IpAddr::V4(v4));
                !(v4.is_private()
                    || v4.is_loopback()
                    || v4.is_link_local()
                    || v4.is_unspecified()
                    || is_shared
                    || is_ours)
            }
            IpAddr::V6(v6) => {
                // Everything in a home has an address of the same /64.
                let network = |v6: Ipv6Addr| v6.to_bits() >> 64;
                let is_near = |ours: &IpAddr| matches!(ours, IpAddr::V6(ours) if network(*ours) == network(v6));
                let is_local =
                    v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unspecified();
                !(is_local || self.local.iter().any(is_near))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_from_beyond_homes_network_is_known_by_the_address() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let local = ["192.168.1.5", "2001:db8:1:2::5", "fd00::5"].map(ip).to_vec();
        let public = Some("203.0.113.5:443".parse().unwrap());
        let home = Addresses { local, best: None, public };
        for outside in ["198.51.100.7", "::ffff:198.51.100.7", "2001:db8:1:3::7", "2001:db8:9::1", "100.128.0.1"] {
            assert!(home.is_outside(ip(outside)), "{outside}");
        }
        let inside = ["192.168.1.9", "10.0.0.2", "172.16.0.1", "127.0.0.1", "169.254.1.1", "100.64.0.9", "203.0.113.5"];
        let inside = inside.into_iter().chain([
            "::ffff:192.168.1.9",
            "::1",
            "fe80::1",
            "fd00::9",
            "2001:db8:1:2::9",
            "0.0.0.0",
            "::",
        ]);
        for inside in inside {
            assert!(!home.is_outside(ip(inside)), "{inside}");
        }
    }
}
