//! Whether a page that asks is home's own: the site that it came from, against the host that it asked for.

use std::net::IpAddr;

/// Longest host with its port (RFC 1035: a name has 253 characters).
pub const LONGEST_HOST: usize = 262;

/// By which way a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client itself, as far as is known.
    Direct,
    /// Through the configured reverse proxy: what it says of the client counts. Many leave the port out of `Host`, so the
    /// name alone is compared.
    Proxy,
}

/// Whether `origin` is the site of `host`. Through a proxy, `forwarded` may be the host instead.
pub fn is_own(origin: &str, host: &str, forwarded: Option<&str>, way: Way) -> bool {
    match way {
        Way::Direct => is_site(origin, host),
        Way::Proxy => {
            let (scheme, site) = origin.split_at_checked(8).unwrap_or_default();
            let same = |host: &str| without_port(site).eq_ignore_ascii_case(without_port(host));
            scheme.eq_ignore_ascii_case("https://") && (same(host) || forwarded.is_some_and(same))
        }
    }
}

/// A name, an IPv4 address or an IPv6 address in brackets, with or without a port.
pub fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let Some((address, port)) = rest.split_once(']') else { return false };
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            ("v6", if port.is_empty() { None } else { Some(port.strip_prefix(':').unwrap_or("-")) })
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    host.len() <= LONGEST_HOST
        && !name.is_empty()
        && name.bytes().all(is_name)
        && port.is_none_or(|port| {
            !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|p| p > 0)
        })
}

/// Whether `origin` is the site that `host` names, over TLS. Both leave out the port 443.
fn is_site(origin: &str, host: &str) -> bool {
    let is_443 = |host: &str| host.strip_suffix(":443").unwrap_or(host).to_ascii_lowercase();
    let (scheme, rest) = origin.split_at_checked(8).unwrap_or_default();
    scheme.eq_ignore_ascii_case("https://") && is_443(rest) == is_443(host)
}

/// A host without its port; an IPv6 address stays in its brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Whether it may be anybody's on the internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !(v4.is_private() || v4.is_loopback() || v4.is_link_local()),
        IpAddr::V6(v6) => !(v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_and_addresses_with_ports_and_nothing_else() {
        for good in ["home", "home.local:8443", "192.168.1.2:8443", "[2001:db8::1]", "[::1]:8443", "a_b"] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", ":8443", "a:", "a:0", "a:99999", "a:b", "a/b", "a@b", "[::1", "[x]", "[::1]8443", "a b", "é"] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn the_port_443_is_left_out_by_some_and_said_by_others() {
        let own = |origin: &str, host: &str| is_own(origin, host, None, Way::Direct);
        assert!(own("https://home", "home:443") && own("https://home:443", "HOME"));
        assert!(!own("https://home", "home:8443") && !own("http://home", "home") && !own("", "home"));
    }
}
