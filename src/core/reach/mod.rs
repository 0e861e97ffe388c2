//! How home is reached: the machine's addresses and their changes, its name, its Wi-Fi.

use std::net::{IpAddr, SocketAddr};

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
