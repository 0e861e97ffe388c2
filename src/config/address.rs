//! `public_address`: `host` or `host:port`, an IPv6 address in brackets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use intercom_base::settings::PublicAddress;

use super::reader::Wrong;

/// What [`parse`] takes, for error messages.
pub(super) const ALLOWED: &str =
    "\"\" for none, or \"host\" or \"host:port\", an IPv6 address in brackets: \"[2001:db8::1]:8443\"";

/// Reads `host` or `host:port`; empty means none.
pub(super) fn parse(text: &str, own_port: u16) -> Result<Option<PublicAddress>, Wrong> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split(['/', '#', '?']).next().unwrap_or_default();
        let meant = parse(host, own_port).is_ok().then(|| format!("\"{host}\""));
        return Err(Wrong::near("this is a whole link, not an address", meant));
    }
    let (host, port) = split(text)?;
    let port = match port {
        None => own_port,
        Some(digits) => match digits.parse::<u16>() {
            Ok(port) if port > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => port,
            _ => return Err(Wrong::new(format!("`{digits}` is no port; a port is a number from 1 to 65535"))),
        },
    };
    check_host(host)?;
    Ok(Some(PublicAddress { host: host.to_ascii_lowercase(), port }))
}

/// Host without brackets, and the port's digits.
fn split(text: &str) -> Result<(&str, Option<&str>), Wrong> {
    if let Some(rest) = text.strip_prefix('[') {
        let Some((host, behind)) = rest.split_once(']') else {
            return Err(Wrong::new("the bracket `[` is not closed"));
        };
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(Wrong::new(format!("`{host}` in brackets is no IPv6 address")));
        }
        return match behind.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if behind.is_empty() => Ok((host, None)),
            None => Err(Wrong::new(format!("`{behind}` behind the bracket is no port"))),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(Wrong::near("an IPv6 address must stand in brackets", Some(format!("\"[{text}]\""))));
    }
    match text.split_once(':') {
        Some((_, port)) if port.contains(':') => Err(Wrong::new("too many colons, and no IPv6 address in brackets")),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

/// An IP address that can be reached, or a name by RFC 1123 section 2.1.
fn check_host(host: &str) -> Result<(), Wrong> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        let broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
        if ip.is_unspecified() || ip.is_multicast() || broadcast {
            return Err(Wrong::new(format!("nobody can be reached at {ip}")));
        }
        return Ok(());
    }
    let label_is_right = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.is_empty() || host.len() > 253 || !host.split('.').all(label_is_right) {
        return Err(Wrong::new(format!("`{host}` is neither an IP address nor a host name")));
    }
    // Browsers take a name whose last label is a number for an IPv4 address (WHATWG URL, "ends in a number").
    if host.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
        return Err(Wrong::new(format!("`{host}` looks like an IPv4 address but is none")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(text: &str) -> String {
        parse(text, 8443).unwrap().unwrap().to_string()
    }

    fn bad(text: &str) -> Wrong {
        parse(text, 8443).expect_err(text)
    }

    #[test]
    fn hosts_with_and_without_port() {
        assert_eq!(parse("", 8443), Ok(None));
        assert_eq!(good("203.0.113.7"), "203.0.113.7:8443");
        assert_eq!(good("203.0.113.7:443"), "203.0.113.7:443");
        assert_eq!(good("Home.Example.org"), "home.example.org:8443");
        assert_eq!(good("[2001:db8::1]"), "[2001:db8::1]:8443");
        assert_eq!(good("[2001:db8::1]:9000"), "[2001:db8::1]:9000");
        let v6 = parse("[2001:db8::1]:9000", 1).unwrap().unwrap();
        assert_eq!(v6.socket(), Some("[2001:db8::1]:9000".parse().unwrap()));
        assert_eq!(parse("home.example.org", 1).unwrap().unwrap().socket(), None);
    }

    #[test]
    fn slips_are_answered_with_what_was_meant() {
        assert_eq!(bad("2001:db8::1").nearest.as_deref(), Some("\"[2001:db8::1]\""));
        assert_eq!(bad("https://home.example.org:8443/#k=abc").nearest.as_deref(), Some("\"home.example.org:8443\""));
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        let wrong = [
            "home.example.org:",
            "home.example.org:0",
            "home.example.org:65536",
            "home.example.org:+80",
            "host:1:2",
            "[2001:db8::1",
            "[2001:db8::1]9000",
            "[203.0.113.7]",
            "[::1]:x",
            "-home.org",
            "ho me",
            "a..b",
            ".",
            ":8443",
            "203.0.113.256",
            "203.0.113",
            "0.0.0.0",
            "[::]",
            "224.0.0.1",
            "255.255.255.255",
            "https://",
            "höme.org",
        ];
        for text in wrong {
            bad(text);
        }
        bad(&"a".repeat(64));
        bad(&"a.".repeat(200));
    }
}
