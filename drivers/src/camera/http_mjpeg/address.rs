//! Reads the address of a camera's stream, and writes the request for it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

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
            other => return Err(format!("is of the kind {other}, and only http is spoken")),
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

    /// The request for the stream, with user and password if there are any.
    pub fn request(&self, user: Option<&(String, String)>) -> String {
        let authorization = match user {
            Some((user, password)) => {
                format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
            }
            None => String::new(),
        };
        // HTTP/1.0, since an answer that ends with the connection needs no chunks; some cameras chunk it even so.
        format!(
            "GET {} HTTP/1.0\r\nHost: {}\r\nUser-Agent: intercom\r\nAccept: multipart/x-mixed-replace, image/jpeg\r\n\
             {authorization}\r\n",
            self.target,
            self.authority()
        )
    }

    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == 80 { host } else { format!("{host}:{}", self.port) }
    }
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
    fn the_request_names_the_host_and_carries_the_password() {
        let address = Address::parse("http://cam:8080/a?b=c").unwrap();
        let user = ("Aladdin".to_string(), "open sesame".to_string());
        let request = address.request(Some(&user));
        assert!(request.starts_with("GET /a?b=c HTTP/1.0\r\nHost: cam:8080\r\n") && request.ends_with("\r\n\r\n"));
        // The example of RFC 7617.
        assert!(request.contains("\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
        assert!(!address.request(None).contains("Authorization"));
    }
}
