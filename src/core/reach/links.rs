//! The links that viewers open: `https://ADDRESS:PORT/#p=TOKEN`, and `#k=KEY` for the key that ends with the process.

use std::net::IpAddr;

use intercom_base::settings::PublicAddress;

use super::Addresses;
use crate::people::keys::Key;

/// The links that one key opens.
#[derive(Clone, PartialEq, Eq)]
pub struct Links {
    /// One for each way to reach home, best first: the public address, then the machine's own.
    pub all: Vec<String>,
    /// What the QR code shows: the public address's, else the default route's; `None` if there is neither.
    pub best: Option<String>,
}

impl std::fmt::Debug for Links {
    /// Links carry a key, and keys do not go into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Links({})", self.all.len())
    }
}

/// Makes the links of `key`. `port` is our own; the public address brings its own.
pub fn links(addresses: &Addresses, port: u16, public: Option<&PublicAddress>, key: &Key) -> Links {
    links_to(addresses, port, public, &format!("k={}", key.to_text()))
}

/// Makes the links that a one-use token opens, `https://ADDRESS:PORT/#p=TOKEN`.
pub fn token_links(addresses: &Addresses, port: u16, public: Option<&PublicAddress>, token: &str) -> Links {
    links_to(addresses, port, public, &format!("p={token}"))
}

fn links_to(addresses: &Addresses, port: u16, public: Option<&PublicAddress>, key: &str) -> Links {
    let public = public.map(|public| link(&public.host, public.port, key));
    let best = public.clone().or_else(|| addresses.best.map(|address| link(&address.to_string(), port, key)));
    let mut all: Vec<String> = public.into_iter().collect();
    for address in &addresses.local {
        let link = link(&address.to_string(), port, key);
        if !all.contains(&link) {
            all.push(link);
        }
    }
    Links { all, best }
}

fn link(host: &str, port: u16, fragment: &str) -> String {
    // An IPv6 address stands in brackets (RFC 3986 section 3.2.2), and the port that https means is not said.
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let host = match bare.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => host.to_owned(),
    };
    match port {
        443 => format!("https://{host}/#{fragment}"),
        _ => format!("https://{host}:{port}/#{fragment}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        let local = ["192.168.1.20", "2001:db8::20", "172.17.0.1"].map(|text| text.parse().unwrap()).to_vec();
        Addresses { best: Some(local[0]), local, public: None }
    }

    fn key() -> Key {
        Key::mint(|_| Ok::<_, ()>(())).unwrap()
    }

    #[test]
    fn every_address_gets_a_link_and_the_default_routes_is_the_best() {
        let links = links(&addresses(), 8443, None, &key());
        assert_eq!(
            links.all,
            [
                "https://192.168.1.20:8443/#k=AAAAAAAAAAAAAAAAAAAAAA",
                "https://[2001:db8::20]:8443/#k=AAAAAAAAAAAAAAAAAAAAAA",
                "https://172.17.0.1:8443/#k=AAAAAAAAAAAAAAAAAAAAAA",
            ]
        );
        assert_eq!(links.best.as_ref(), links.all.first());
        assert!(!format!("{links:?}").contains("AAAA"));
    }

    #[test]
    fn the_public_address_comes_first_with_its_own_port() {
        let name = PublicAddress { host: "home.example.org".into(), port: 443 };
        let with_name = links(&addresses(), 8443, Some(&name), &key());
        assert_eq!(with_name.best.as_deref(), Some("https://home.example.org/#k=AAAAAAAAAAAAAAAAAAAAAA"));
        assert_eq!(with_name.all.len(), 4);
        let six = PublicAddress { host: "2001:db8::20".into(), port: 8443 };
        let with_six = links(&addresses(), 8443, Some(&six), &key());
        assert_eq!(with_six.best.as_deref(), Some("https://[2001:db8::20]:8443/#k=AAAAAAAAAAAAAAAAAAAAAA"));
        assert_eq!(with_six.all.len(), 3, "no link twice");
    }

    #[test]
    fn without_any_network_there_is_no_best_link() {
        let none = links(&Addresses::default(), 8443, None, &key());
        assert!(none.all.is_empty() && none.best.is_none());
    }
}
