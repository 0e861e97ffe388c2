//! By which names and addresses home is known, and what a handshake asks for of them.

use std::fmt;
use std::net::IpAddr;

/// What is always ours.
const LOCALHOST: &str = "localhost";

/// How home is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The machine's own name, without a domain.
    pub hostname: Option<String>,
    /// `public_address` where it is a name.
    pub public_name: Option<String>,
    /// `public_address` where it is an address.
    pub public_address: Option<IpAddr>,
}

/// What a leaf is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// A name of ours.
    Name(String),
    /// An address of ours, and the public one that leads to it.
    Address(IpAddr),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Name(name) => name.fmt(f),
            Wanted::Address(address) => address.fmt(f),
        }
    }
}

impl Names {
    /// This machine's, with `public_host`, the host of `public_address`.
    pub fn of(public_host: Option<&str>) -> Names {
        let mut names = Names { hostname: hostname(), ..Names::default() };
        match public_host.map(|host| (host, host.trim_matches(['[', ']']).parse::<IpAddr>())) {
            Some((_, Ok(address))) => names.public_address = Some(address),
            Some((name, Err(_))) => names.public_name = Some(name.trim_end_matches('.').to_ascii_lowercase()),
            None => {}
        }
        names
    }

    /// All names. One that no certificate can carry (with an underscore, say) is left out.
    pub fn all(&self) -> Vec<String> {
        let local = self.hostname.iter().flat_map(|name| [name.clone(), format!("{name}.local")]);
        let mut all = vec![LOCALHOST.to_owned()];
        for name in local.chain(self.public_name.clone()) {
            if rustls_pki_types::DnsName::try_from(name.as_str()).is_ok() && !all.contains(&name) {
                all.push(name);
            }
        }
        all
    }

    /// What a handshake asks for that names `server_name`, if any, and came to `local`. A name that is not ours counts as none.
    pub fn wanted(&self, server_name: Option<&str>, local: IpAddr) -> Wanted {
        let name = server_name.map(|name| name.trim_end_matches('.').to_ascii_lowercase());
        match name.filter(|name| self.all().contains(name)) {
            Some(name) => Wanted::Name(name),
            None => Wanted::Address(local.to_canonical()),
        }
    }

    /// The subject alternative names of a leaf for it.
    pub fn alternatives(&self, wanted: &Wanted) -> Vec<String> {
        match wanted {
            Wanted::Name(name) => vec![name.clone()],
            Wanted::Address(address) => {
                let leads_here = |public: &IpAddr| {
                    public != address && public.is_ipv4() == address.is_ipv4() && !address.is_loopback()
                };
                let public = self.public_address.filter(leads_here);
                [Some(*address), public].into_iter().flatten().map(|address| address.to_string()).collect()
            }
        }
    }
}

/// The machine's name up to its first dot.
fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim().split('.').next()?.to_ascii_lowercase();
    (!name.is_empty() && name != LOCALHOST).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(public_host: Option<&str>) -> Names {
        Names { hostname: Some("pi".into()), ..Names::of(public_host) }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_of_ours_gets_what_it_asks_for_and_a_foreign_one_the_address() {
        let names = names(Some("Home.Example.ORG."));
        for name in ["pi", "pi.local", "PI.local.", "localhost", "home.example.org"] {
            let ours = name.trim_end_matches('.').to_ascii_lowercase();
            assert_eq!(names.wanted(Some(name), address("192.0.2.1")), Wanted::Name(ours), "{name}");
        }
        for name in [None, Some("evil.example"), Some("example.org"), Some("x.pi.local"), Some("192.0.2.1")] {
            assert_eq!(names.wanted(name, address("192.0.2.1")), Wanted::Address(address("192.0.2.1")), "{name:?}");
        }
        assert_eq!(names.wanted(None, address("::ffff:192.0.2.1")), Wanted::Address(address("192.0.2.1")));
    }

    #[test]
    fn a_leaf_says_nothing_but_what_was_asked_for() {
        let names = names(Some("203.0.113.7"));
        assert_eq!(names.alternatives(&Wanted::Name("pi.local".into())), ["pi.local"]);
        let at = |text: &str| names.alternatives(&Wanted::Address(address(text)));
        assert_eq!(at("192.168.1.20"), ["192.168.1.20", "203.0.113.7"], "a router leads from there to here");
        assert_eq!(at("203.0.113.7"), ["203.0.113.7"]);
        assert_eq!(at("2001:db8::1"), ["2001:db8::1"]);
        assert_eq!(at("127.0.0.1"), ["127.0.0.1"]);
    }

    #[test]
    fn names_that_no_certificate_can_carry_are_left_out() {
        let names = Names { hostname: Some("my_box!".into()), ..Names::of(Some("home example")) };
        assert_eq!(names.all(), ["localhost"]);
    }
}
