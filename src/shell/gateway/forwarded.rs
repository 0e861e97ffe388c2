//! What a reverse proxy says of the client behind it: `Forwarded` (RFC 7239), and the fields that proxies used before it.
//! Whoever sends these fields can write anything into them: they count from the configured proxy only. Most proxies write one of
//! them and pass the others on as the client sent them, so where two disagree none counts.

use std::net::{IpAddr, SocketAddr};

/// The client behind a proxy. Each proxy on the way adds to the end of a list: the last entry is the one that the
/// configured proxy wrote, whatever the client sent itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// Its address, if the proxy tells it.
    pub client: Option<IpAddr>,
    /// Two of the fields name different ones.
    pub disagrees: bool,
    /// The host that it asked for, with the port if one was said; not checked.
    pub host: Option<String>,
}

/// The values of the fields that proxies send, the last field of each name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent<'h> {
    /// `Forwarded`
    pub forwarded: Option<&'h str>,
    /// `X-Forwarded-For`
    pub x_for: Option<&'h str>,
    /// `X-Real-IP`
    pub x_real_ip: Option<&'h str>,
    /// `X-Forwarded-Host`
    pub x_host: Option<&'h str>,
}

impl Forwarded {
    /// Reads them; what is no address counts as not sent.
    pub fn read(sent: Sent<'_>) -> Forwarded {
        let last = |list: &str| list.rsplit(',').next().map(str::trim).unwrap_or_default().to_owned();
        let element = sent.forwarded.and_then(|list| split(list, ',').pop()).unwrap_or_default();
        let pairs: Vec<(&str, String)> = split(element, ';').into_iter().filter_map(pair).collect();
        let said = |name: &str| {
            let found = pairs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        let named = [said("for"), sent.x_for.map(last), sent.x_real_ip.map(last)];
        let clients: Vec<Option<IpAddr>> = named.iter().flatten().map(|text| address(text)).collect();
        let agree = clients.windows(2).all(|two| two[0] == two[1]);
        let client = clients.first().copied().flatten().filter(|_| agree);
        let host = said("host").or_else(|| sent.x_host.map(last)).filter(|host| !host.is_empty());
        Forwarded { client, disagrees: !agree, host }
    }

    /// No proxy speaks in it.
    pub fn is_empty(&self) -> bool {
        *self == Forwarded::default()
    }
}

/// `name=value` or `name="value"`.
fn pair(text: &str) -> Option<(&str, String)> {
    let (name, value) = text.split_once('=')?;
    let value = value.trim();
    let value = match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => unescaped(quoted),
        None => value.to_owned(),
    };
    Some((name.trim(), value))
}

fn unescaped(quoted: &str) -> String {
    let mut plain = String::with_capacity(quoted.len());
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => plain.extend(letters.next()),
            letter => plain.push(letter),
        }
    }
    plain
}

/// The parts of a list between separators that stand in no quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    let is_separator = |letter: char| {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            letter => return letter == separator && !quoted,
        }
        false
    };
    text.split(is_separator).collect()
}

/// An address as proxies write it: with or without a port, IPv6 with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(sent: Sent<'_>) -> Option<String> {
        Forwarded::read(sent).client.map(|address| address.to_string())
    }

    #[test]
    fn the_last_entry_counts_however_proxies_write_it() {
        let standard = |text: &str| client(Sent { forwarded: Some(text), ..Sent::default() });
        let older = |text: &str| client(Sent { x_for: Some(text), ..Sent::default() });
        for (text, expected) in [
            ("for=192.0.2.60", "192.0.2.60"),
            ("for=192.0.2.43, FOR=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=192.0.2.60;proto=https;by=203.0.113.43", "192.0.2.60"),
            ("by=\"a,b;for=1.1.1.1\" ; for=\"192.0.2.9:80\"", "192.0.2.9"),
            ("for=\"\\192.0.2.60\"", "192.0.2.60"),
            ("for=\"[::ffff:192.0.2.1]\"", "192.0.2.1"),
        ] {
            assert_eq!(standard(text).as_deref(), Some(expected), "{text}");
        }
        for (text, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            ("10.0.0.1, 203.0.113.7", "203.0.113.7"),
            ("10.0.0.1,203.0.113.7:51234", "203.0.113.7"),
            ("2001:db8::5", "2001:db8::5"),
            ("[2001:db8::5]:443", "2001:db8::5"),
        ] {
            assert_eq!(older(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(client(Sent { x_real_ip: Some("203.0.113.9"), ..Sent::default() }).as_deref(), Some("203.0.113.9"));
    }

    #[test]
    fn what_is_no_address_is_none() {
        for text in
            ["", "for=", "for=unknown", "for=_hidden", "for=\"192.0.2.1", "for=192.0.2.1,", ";;=,=\"", "\\", "\""]
        {
            assert_eq!(client(Sent { forwarded: Some(text), ..Sent::default() }), None, "{text:?}");
        }
        assert_eq!(client(Sent { x_for: Some("203.0.113.7, unknown"), ..Sent::default() }), None);
        assert!(Forwarded::read(Sent::default()).is_empty());
    }

    #[test]
    fn what_a_client_adds_itself_makes_it_nobody_else() {
        let x_for = Some("203.0.113.7");
        for forwarded in ["for=198.51.100.1", "for=unknown", "for=203.0.113.7, for=198.51.100.1"] {
            assert_eq!(client(Sent { forwarded: Some(forwarded), x_for, ..Sent::default() }), None, "{forwarded}");
        }
        let real = Sent { x_for: Some("198.51.100.1"), x_real_ip: Some("203.0.113.7"), ..Sent::default() };
        assert_eq!(client(real), None);
        let all = Sent { forwarded: Some("for=203.0.113.7"), x_for, x_real_ip: x_for, x_host: None };
        assert_eq!(client(all).as_deref(), x_for);
        // A field without a client says nothing of one.
        let host = Sent { forwarded: Some("host=a.example"), x_for, ..Sent::default() };
        assert_eq!(client(host).as_deref(), x_for);
    }

    #[test]
    fn the_host_is_the_one_that_the_client_asked_for() {
        let host = |sent: Sent<'_>| Forwarded::read(sent).host;
        let both =
            Sent { forwarded: Some("host=\"a.example:8443\";for=192.0.2.1"), x_host: Some("b"), ..Sent::default() };
        assert_eq!(host(both).as_deref(), Some("a.example:8443"));
        let older = Sent { x_host: Some("evil.example, home.example"), ..Sent::default() };
        assert_eq!(host(older).as_deref(), Some("home.example"));
        assert_eq!(host(Sent { x_host: Some(""), ..Sent::default() }), None);
    }
}
