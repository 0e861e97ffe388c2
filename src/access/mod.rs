//! Who may visit: keys, and the patience with those who guess.

use std::net::{IpAddr, Ipv6Addr};

pub mod door;
pub mod guessers;
pub mod keys;
pub mod names;

/// All addresses that one stranger commands at least: an IPv4 address, or the /64 around an IPv6 address
/// (RFC 6177: nobody is given less). What is limited per address is limited per this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stranger(IpAddr);

impl Stranger {
    /// Who is at `address`; an IPv4-mapped IPv6 address is the IPv4 address in it.
    pub fn at(address: IpAddr) -> Stranger {
        match address.to_canonical() {
            IpAddr::V6(v6) => Stranger(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))),
            v4 => Stranger(v4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_neighbours_of_one_64_are_one_stranger_and_ipv4_ones_are_not() {
        let at = |text: &str| Stranger::at(text.parse().unwrap());
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
        assert_eq!(at("192.0.2.1"), at("::ffff:192.0.2.1"));
    }
}
