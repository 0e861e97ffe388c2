//! Reads the address of a camera's stream, and writes the request for it.

use std::fmt;

use super::cause;

/// Where a camera's stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path and query, from the first slash on.
    target: String,
}

impl Address {
    /// Reads a URL; an error says in words what is wrong with it.
    pub fn parse(url: &str) -> Result<Address, String> {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        let rest = match scheme.to_ascii_lowercase().as_str() {
            "http" => &url["http://".len()..],
            "" => return Err("does not begin with http://".into()),
            "https" => return Err("is an https address, and only http is spoken".into()),
            other if cause::is_scheme(other) => {
                return Err(format!("is of the kind {}, and only http is spoken", crate::words::shown(other)));
            }
            // It may be anything, a password too.
            _ => return Err("is of no kind that is known, and only http is spoken".into()),
        };
        if url.len() > 2000 || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("has letters that a URL cannot have, or too many".into());
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("has a user or a password in it; they have options of their own".into());
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or("has an IPv6 address without its closing bracket")?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => 80,
            Some(digits) => digits.parse().ok().filter(|port| *port > 0).ok_or("has a port that is no port")?,
            None => return Err("has something between the host and its port".into()),
        };
        if host.is_empty() {
            return Err("names no host".into());
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Address { host: host.into(), port, target: format!("{slash}{target}") })
    }

    /// The request for the stream, with what proves who asks, if that is known.
    pub fn request(&self, authorization: Option<&[u8]>) -> Vec<u8> {
        // HTTP/1.0, since an answer that ends with the connection needs no chunks; some cameras chunk it even so.
        let head = format!(
            "GET {} HTTP/1.0\r\nHost: {}\r\nUser-Agent: intercom\r\nAccept: multipart/x-mixed-replace, image/jpeg, */*\r\n\
             Accept-Encoding: identity\r\nConnection: close\r\n",
            self.target,
            self.authority()
        );
        let authorization = authorization.map(|value| [b"Authorization: ", value, b"\r\n"].concat());
        [head.as_bytes(), &authorization.unwrap_or_default(), b"\r\n"].concat()
    }

    /// Path and query, as a request names them.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Where a redirect leads (RFC 3986, 5.2); an error says in words what is wrong with it.
    pub fn follow(&self, location: &str) -> Result<Address, String> {
        let location = location.split('#').next().unwrap_or_default().trim();
        let scheme = location.split_once("://").is_some_and(|(scheme, _)| !scheme.contains(['/', '?']));
        if scheme {
            return Address::parse(location);
        }
        if location.starts_with("//") {
            return Address::parse(&format!("http:{location}"));
        }
        let path = self.target.split('?').next().unwrap_or_default();
        let folder = path.rfind('/').map_or("/", |slash| &path[..=slash]);
        let target = match location.chars().next() {
            None => return Err("names no address".into()),
            Some('/') => location.to_owned(),
            Some('?') => format!("{path}{location}"),
            Some(_) => format!("{folder}{location}"),
        };
        Address::parse(&format!("http://{}{}", self.authority(), without_dots(&target)))
    }

    /// Whether it is the same machine, perhaps at another port.
    pub fn is_at_host_of(&self, other: &Address) -> bool {
        self.host.eq_ignore_ascii_case(&other.host)
    }

    /// All of it, with the query, which often holds a password.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.authority(), self.target)
    }

    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == 80 { host } else { format!("{host}:{}", self.port) }
    }
}

/// A path without its steps `.` and `..`; the query stays as it is.
fn without_dots(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut steps: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        match part {
            "." | ".." => {
                if part == ".." {
                    steps.pop();
                }
                if parts.peek().is_none() {
                    steps.push("");
                }
            }
            part => steps.push(part),
        }
    }
    format!("/{}{query}", steps.join("/"))
}

impl fmt::Display for Address {
    /// Without the query, which often holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.target.split('?').next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_cameras_have_them() {
        for (url, host, port, target, shown) in [
            ("http://10.0.0.9/video.mjpg", "10.0.0.9", 80, "/video.mjpg", "http://10.0.0.9/video.mjpg"),
            ("HTTP://cam.local:8081", "cam.local", 8081, "/", "http://cam.local:8081/"),
            ("http://[fe80::1]:81/?action=stream", "fe80::1", 81, "/?action=stream", "http://[fe80::1]:81/"),
            ("http://cam?usr=a&pwd=b#x", "cam", 80, "/?usr=a&pwd=b", "http://cam/"),
        ] {
            let address = Address::parse(url).expect(url);
            assert_eq!((address.host.as_str(), address.port, address.target.as_str()), (host, port, target));
            assert_eq!(address.to_string(), shown);
        }
    }

    #[test]
    fn other_addresses_are_refused_in_words() {
        for (url, word) in [
            ("10.0.0.9/video", "begin"),
            ("https://cam/", "https"),
            ("rtsp://cam/", "rtsp"),
            ("http://", "no host"),
            ("http:///x", "no host"),
            ("http://a:b@cam/", "options of their own"),
            ("http://cam:99999/", "port"),
            ("http://cam:0/", "port"),
            ("http://[::1/", "bracket"),
            ("http://[::1]x/", "between"),
            ("http://cam/a b", "letters"),
            ("http://cam/\r\nX: y", "letters"),
        ] {
            let problem = Address::parse(url).expect_err(url);
            assert!(problem.contains(word), "{url}: {problem}");
        }
    }

    #[test]
    fn the_request_names_the_host_and_carries_what_proves_who_asks() {
        let address = Address::parse("http://cam:8080/a?b=c").unwrap();
        let request = |proof| String::from_utf8(address.request(proof)).unwrap();
        let proven = request(Some(&b"Basic x"[..]));
        assert!(proven.starts_with("GET /a?b=c HTTP/1.0\r\nHost: cam:8080\r\n"), "{proven}");
        assert!(proven.ends_with("\r\nAuthorization: Basic x\r\n\r\n"), "{proven}");
        assert!(request(None).ends_with("\r\n\r\n") && !request(None).contains("Authorization"));
    }

    #[test]
    fn redirects_lead_where_a_browser_would_go() {
        let from = Address::parse("http://cam:81/a/b?c=d").unwrap();
        for (location, to) in [
            ("http://CAM/x?y", "http://CAM/x?y"),
            ("//cam:82/x", "http://cam:82/x"),
            ("/x", "http://cam:81/x"),
            ("x#z", "http://cam:81/a/x"),
            ("?u=http://v/w", "http://cam:81/a/b?u=http://v/w"),
            ("./x", "http://cam:81/a/x"),
            ("../../x/./y/..", "http://cam:81/x/"),
        ] {
            let followed = from.follow(location).expect(location);
            assert_eq!(followed, Address::parse(to).unwrap(), "{location}");
            assert!(followed.is_at_host_of(&from));
        }
        for (location, word) in [("", "no address"), ("https://cam/", "https"), ("/a\r\nX: y", "letters")] {
            assert!(from.follow(location).expect_err(location).contains(word));
        }
        assert!(!from.follow("http://cam.evil/").unwrap().is_at_host_of(&from));
    }
}
