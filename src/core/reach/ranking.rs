//! Which of the machine's addresses are worth announcing, and in which order: pure, fed with what the kernel says.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::Addresses;

/// One address of one interface, as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The interface's name.
    pub interface: String,
    /// The address.
    pub address: IpAddr,
    /// The interface has a carrier (RFC 2863: operational).
    pub running: bool,
    /// The interface leads to one peer only: a tunnel.
    pub point_to_point: bool,
    /// The address's flags as in `/proc/net/if_inet6`; zero for IPv4.
    pub flags: u32,
}

/// `IFA_F_TEMPORARY`: made up for privacy, replaced within a day (RFC 8981).
const TEMPORARY: u32 = 0x01;
/// `IFA_F_DADFAILED`: somebody else has it.
const DUPLICATE: u32 = 0x08;
/// `IFA_F_DEPRECATED`: still works, about to go.
const DEPRECATED: u32 = 0x20;
/// `IFA_F_TENTATIVE`: not known to be ours alone yet.
const TENTATIVE: u32 = 0x40;

/// How good an address is; the first is the best. Also the order of the printed links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    DefaultRoute,
    Physical4,
    Global6,
    /// Unique local (RFC 4193).
    Local6,
    Passing6,
    Tunnel,
    Bridge,
}

/// Sorts `candidates` into the addresses of home. `routes` are the addresses that a packet to the outside would
/// leave from (IPv4 first, then IPv6), `public` is the configured one.
pub fn rank(candidates: &[Candidate], routes: &[IpAddr], public: Option<SocketAddr>) -> Addresses {
    let best = routes.iter().copied().find(|route| {
        candidates.iter().any(|c| c.address == *route && usable(c) && !is_container_bridge(&c.interface))
    });
    let mut classed: Vec<(Class, IpAddr)> =
        candidates.iter().filter(|c| usable(c)).map(|c| (class(c, best), c.address)).collect();
    // Stable, so that the kernel's order decides between equals and the list does not jump about.
    classed.sort_by_key(|(class, _)| *class);
    let mut local: Vec<IpAddr> = Vec::with_capacity(classed.len());
    for (_, address) in classed {
        if !local.contains(&address) {
            local.push(address);
        }
    }
    Addresses { local, best, public }
}

/// Whether an interface connects containers or virtual machines of this computer, and nobody else.
pub fn is_container_bridge(interface: &str) -> bool {
    const PREFIXES: [&str; 14] = [
        "docker", "veth", "virbr", "podman", "cni", "lxc", "lxdbr", "incusbr", "flannel", "cali", "vnet", "vboxnet",
        "vmnet", "kube",
    ];
    // Docker's own networks are called br- and twelve hexadecimal digits; a plain br0 is a home's real network.
    PREFIXES.iter().any(|prefix| interface.starts_with(prefix)) || interface.starts_with("br-")
}

/// Reads `/proc/net/if_inet6` for the flags of each IPv6 address. Lines that make no sense are passed over.
pub fn parse_if_inet6(text: &str) -> HashMap<IpAddr, u32> {
    let line = |line: &str| -> Option<(IpAddr, u32)> {
        let mut words = line.split_ascii_whitespace();
        let is_hex = |word: &&str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let address = words.next().filter(is_hex)?;
        let bits = u128::from_str_radix(address, 16).ok()?;
        let flags = u32::from_str_radix(words.nth(3)?, 16).ok()?;
        Some((IpAddr::V6(Ipv6Addr::from_bits(bits)), flags))
    };
    text.lines().filter_map(line).collect()
}

fn usable(c: &Candidate) -> bool {
    let address_is = match c.address {
        IpAddr::V4(a) => {
            !(a.is_loopback() || a.is_link_local() || a.is_multicast() || a.is_unspecified() || a.is_broadcast())
        }
        IpAddr::V6(a) => {
            !(a.is_loopback()
                || a.is_unicast_link_local()
                || a.is_multicast()
                || a.is_unspecified()
                || a.to_ipv4_mapped().is_some())
        }
    };
    address_is && c.running && c.flags & (TENTATIVE | DUPLICATE) == 0
}

fn class(c: &Candidate, best: Option<IpAddr>) -> Class {
    if best == Some(c.address) {
        return Class::DefaultRoute;
    }
    if is_container_bridge(&c.interface) {
        return Class::Bridge;
    }
    if c.point_to_point {
        return Class::Tunnel;
    }
    match c.address {
        IpAddr::V4(_) => Class::Physical4,
        IpAddr::V6(_) if c.flags & (TEMPORARY | DEPRECATED) != 0 => Class::Passing6,
        IpAddr::V6(a) if a.is_unique_local() => Class::Local6,
        IpAddr::V6(_) => Class::Global6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(interface: &str, address: &str) -> Candidate {
        Candidate {
            interface: interface.into(),
            address: address.parse().unwrap(),
            running: true,
            point_to_point: interface.starts_with("wg"),
            flags: 0,
        }
    }

    fn order(candidates: &[Candidate], routes: &[&str]) -> Vec<String> {
        let routes: Vec<IpAddr> = routes.iter().map(|route| route.parse().unwrap()).collect();
        rank(candidates, &routes, None).local.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_laptop_with_docker_and_a_tunnel_shows_its_wlan_first() {
        let laptop = [
            on("lo", "127.0.0.1"),
            on("lo", "::1"),
            on("docker0", "172.17.0.1"),
            on("br-0123456789ab", "172.18.0.1"),
            on("wg0", "10.8.0.2"),
            on("eth0", "10.0.0.5"),
            on("wlan0", "192.168.1.20"),
            on("wlan0", "fe80::1"),
            on("wlan0", "fd00::20"),
            on("wlan0", "2001:db8:1::20"),
        ];
        assert_eq!(
            order(&laptop, &["192.168.1.20", "2001:db8:1::20"]),
            ["192.168.1.20", "10.0.0.5", "2001:db8:1::20", "fd00::20", "10.8.0.2", "172.17.0.1", "172.18.0.1"]
        );
    }

    #[test]
    fn a_real_bridge_of_the_home_is_no_container_bridge() {
        assert!(!is_container_bridge("br0") && !is_container_bridge("eth0") && !is_container_bridge("enp3s0"));
        let home = [on("docker0", "172.17.0.1"), on("br0", "192.168.1.2")];
        assert_eq!(order(&home, &[]), ["192.168.1.2", "172.17.0.1"]);
        assert_eq!(rank(&home, &[], None).best, None);
    }

    #[test]
    fn the_best_is_never_a_container_bridge_and_may_be_ipv6() {
        let bridged = [on("docker0", "172.17.0.1"), on("eth0", "2001:db8::2")];
        let routes = ["172.17.0.1".parse().unwrap(), "2001:db8::2".parse().unwrap()];
        assert_eq!(rank(&bridged, &routes, None).best, Some(routes[1]));
        assert_eq!(rank(&bridged, &["198.51.100.7".parse().unwrap()], None).best, None, "an address that is not ours");
    }

    #[test]
    fn addresses_that_do_not_work_yet_or_any_more_are_left_out_or_last() {
        let mut tentative = on("eth0", "2001:db8::1");
        tentative.flags = TENTATIVE;
        let mut temporary = on("eth0", "2001:db8::2");
        temporary.flags = TEMPORARY;
        let mut unplugged = on("eth1", "10.0.0.1");
        unplugged.running = false;
        let stable = on("eth0", "2001:db8::3");
        let multicast = on("eth0", "239.1.2.3");
        let all = [tentative, temporary, unplugged, stable.clone(), multicast, stable];
        assert_eq!(order(&all, &[]), ["2001:db8::3", "2001:db8::2"]);
    }

    #[test]
    fn the_kernels_table_of_flags_is_read() {
        let text = "fe800000000000000000000000000001 02 40 20 80     eth0\n\
                    20010db8000000000000000000000002 02 40 00 41     eth0\n\
                    nonsense\n";
        let flags = parse_if_inet6(text);
        assert_eq!(flags.get(&"2001:db8::2".parse::<IpAddr>().unwrap()), Some(&(TENTATIVE | TEMPORARY)));
        assert_eq!(flags.len(), 2);
    }
}
