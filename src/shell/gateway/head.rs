//! Reads the head of a stranger's request: strict, bounded, and nothing of it is passed on as it came.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::forwarded::{Forwarded, Sent};
use super::origin::{self, LONGEST_HOST, Way, is_host};
use super::remembered;

/// Longest head, its empty line included. Cookies know no ports: those of other services at the same address come along, 4 KiB each.
pub const LONGEST_HEAD: usize = 32 * 1024;
/// Most header fields.
pub const MOST_HEADERS: usize = 64;
/// Longest target of a request line.
pub const LONGEST_TARGET: usize = 1024;
/// Letters of an access key or a token in a link.
const KEY_LETTERS: usize = 22;
/// Where a page asks whether home takes it for its own.
const ORIGIN: &str = "/origin";
/// Longest `If-None-Match` that is passed on; ours are 66 characters.
const LONGEST_TAGS: usize = 512;

/// The methods that are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The page.
    Get,
    /// The page's head.
    Head,
}

/// A request as far as anybody here cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// GET or HEAD.
    pub method: Method,
    /// Path and query as they came: printable ASCII that begins with `/`.
    pub target: String,
    /// `Host`, checked: a name or address, with a port if one was said.
    pub host: String,
    /// The tags that the browser has already.
    pub if_none_match: Option<String>,
    /// Whether the browser takes gzip.
    pub takes_gzip: bool,
    /// What a proxy says of the client; anyone can write it.
    pub forwarded: Forwarded,
    /// `Origin`: the site whose page asks; none where it is no page.
    origin: Option<String>,
    /// What a page wants of the cookie that remembers it; `None` where that is not what is asked.
    device: Option<Result<remembered::Wish, Refusal>>,
    /// Whether it wants to become something else.
    upgrade: Option<Upgrade>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Upgrade {
    websocket: bool,
    http_1_1: bool,
    version: Option<String>,
    key: Option<String>,
}

/// Why a request is not answered with what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400: not a request that we understand.
    Malformed,
    /// 403: a WebSocket from another site's page.
    Foreign,
    /// 404: there is nothing.
    NotFound,
    /// 405: neither GET nor HEAD.
    Method,
    /// 408: the head did not come in time.
    TooSlow,
    /// 414: the target is too long.
    TargetTooLong,
    /// 426: a WebSocket of version 13 is wanted here.
    NotAWebSocket,
    /// 431: the head is too long, or of too many fields.
    HeadTooLong,
    /// 503: no room, or the pages do not answer.
    Unavailable,
    /// 505: not HTTP/1.
    Version,
}

/// Where the head in `bytes` ends (behind its empty line), looking from `from` on; `None` if there is more to come.
pub fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    // The empty line's first byte may be up to three before what has just come.
    let from = from.saturating_sub(3).min(bytes.len());
    bytes[from..].windows(4).position(|four| four == b"\r\n\r\n").map(|at| from + at + 4)
}

/// What is wrong with a head that has not ended within [`LONGEST_HEAD`].
pub fn too_long(bytes: &[u8]) -> Refusal {
    if bytes.contains(&b'\n') { Refusal::HeadTooLong } else { Refusal::TargetTooLong }
}

/// Reads a whole head, its empty line included.
pub fn parse(head: &[u8]) -> Result<Head, Refusal> {
    if head.len() > LONGEST_HEAD {
        return Err(too_long(&head[..LONGEST_HEAD]));
    }
    // A lone line feed would be a line's end to some readers and not to others (RFC 9112 section 2.2).
    if head.iter().enumerate().any(|(n, byte)| *byte == b'\n' && (n == 0 || head[n - 1] != b'\r')) {
        return Err(Refusal::Malformed);
    }
    let mut fields = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => return Err(Refusal::Malformed),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLong),
        Err(httparse::Error::Version) => return Err(Refusal::Version),
        Err(_) => return Err(Refusal::Malformed),
    }
    let method = match request.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        _ => return Err(Refusal::Method),
    };
    let target = request.path.unwrap_or_default();
    if target.len() > LONGEST_TARGET {
        return Err(Refusal::TargetTooLong);
    }
    if !target.starts_with('/') || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Refusal::Malformed);
    }
    let fields = Fields(request.headers);
    // There is no body to a GET, and one that comes nevertheless would be taken for the next request.
    if fields.any("transfer-encoding") || fields.all("content-length").any(|value| value.trim_ascii() != b"0") {
        return Err(Refusal::Malformed);
    }
    let host = fields.one("host")?.filter(|host| is_host(host)).ok_or(Refusal::Malformed)?;
    let tags = fields.text("if-none-match").filter(|tags| tags.len() <= LONGEST_TAGS && is_visible(tags));
    let upgrade = match fields.any("upgrade") {
        true => Some(Upgrade {
            websocket: fields.lists("upgrade", "websocket") && fields.lists("connection", "upgrade"),
            http_1_1: request.version == Some(1) && method == Method::Get,
            version: fields.one("sec-websocket-version")?.map(str::to_owned),
            key: fields.one("sec-websocket-key")?.map(str::to_owned),
        }),
        false => None,
    };
    let origin = fields.one("origin")?.map(str::to_owned);
    let forwarded = Forwarded::read(Sent {
        forwarded: fields.last("forwarded"),
        x_for: fields.last("x-forwarded-for"),
        x_real_ip: fields.last("x-real-ip"),
        x_host: fields.last("x-forwarded-host"),
    });
    let device = match target.split('?').next() == Some(remembered::PATH) {
        true => {
            let (field, site) = (fields.one(remembered::FIELD)?, fields.one("sec-fetch-site")?);
            Some(remembered::read(field, site, fields.all("cookie")))
        }
        false => None,
    };
    let (target, host) = (target.to_owned(), host.to_ascii_lowercase());
    // A client that lists it with a weight, even with none, is no known browser: it gets the plain page.
    let takes_gzip = fields.lists("accept-encoding", "gzip");
    Ok(Head {
        method,
        target,
        host,
        if_none_match: tags.map(str::to_owned),
        takes_gzip,
        forwarded,
        origin,
        device,
        upgrade,
    })
}

impl Head {
    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The key to answer a WebSocket's handshake with (`Sec-WebSocket-Accept`), if this is one and a correct one
    /// (RFC 6455 section 4.2.1).
    pub fn websocket(&self, way: Way) -> Result<String, Refusal> {
        let upgrade = self.upgrade.as_ref().filter(|upgrade| upgrade.websocket).ok_or(Refusal::NotAWebSocket)?;
        if upgrade.version.as_deref() != Some("13") {
            return Err(Refusal::NotAWebSocket);
        }
        if !upgrade.http_1_1 {
            return Err(Refusal::Malformed);
        }
        if self.origin.as_deref().is_some_and(|origin| !self.is_own(origin, way)) {
            return Err(Refusal::Foreign);
        }
        let key = upgrade.key.as_deref().ok_or(Refusal::Malformed)?;
        match STANDARD.decode(key) {
            Ok(nonce) if nonce.len() == 16 => Ok(tungstenite::handshake::derive_accept_key(key.as_bytes())),
            _ => Err(Refusal::Malformed),
        }
    }

    /// Whether a page of `origin` is one of the host that was asked for.
    pub fn is_own(&self, origin: &str, way: Way) -> bool {
        origin::is_own(origin, &self.host, self.forwarded.host.as_deref(), way)
    }

    /// What a page of home's own wants of the cookie that remembers it; `None` where that is not what is asked.
    pub fn device(&self, way: Way) -> Option<Result<remembered::Wish, Refusal>> {
        let foreign = self.origin.as_deref().is_some_and(|origin| !self.is_own(origin, way));
        let wish = self.device.clone()?;
        Some(if foreign { Err(Refusal::Foreign) } else { wish })
    }

    /// The origin for which a page asks whether home would take its WebSocket: `/origin?https%3A%2F%2Fhome`. `None` if that
    /// is not what is asked.
    pub fn asked_origin(&self) -> Option<String> {
        let escaped = self.target.strip_prefix(ORIGIN)?.strip_prefix('?')?;
        let plain = [("%3A", ":"), ("%2F", "/"), ("%5B", "["), ("%5D", "]")].into_iter();
        Some(plain.fold(escaped.to_owned(), |text, (from, to)| text.replace(from, to)))
    }

    /// What is logged of a page that is refused: its origin, and the host that was asked for.
    pub fn origin_and_host(&self) -> String {
        let shown = |text: &str| text.chars().filter(char::is_ascii_graphic).take(LONGEST_HOST).collect::<String>();
        let origin = shown(self.origin.as_deref().unwrap_or("none"));
        match &self.forwarded.host {
            Some(host) => format!("origin {origin:?}, Host {:?}, X-Forwarded-Host {:?}", self.host, shown(host)),
            None => format!("origin {origin:?}, Host {:?}", self.host),
        }
    }

    /// Where a link leads whose `#` was escaped on its way, as mail programs do: `/%23k=KEY` is `/#k=KEY`. `None` for anything but exactly
    /// a key or a token behind it.
    pub fn mended_link(&self) -> Option<String> {
        let mut plain = self.target.replace("%25", "%");
        while plain.contains("%25") {
            plain = plain.replace("%25", "%");
        }
        let plain = plain.replace("%23", "#").replace("%3D", "=").replace("%3d", "=");
        let secret = plain.strip_prefix("/#").or_else(|| plain.strip_prefix("/index.html#"))?;
        let kind = ["k=", "p="].into_iter().find(|kind| secret.starts_with(kind))?;
        let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let letters = secret[kind.len()..].bytes().take_while(|byte| is_letter(byte)).count();
        // Nothing of what stands around it is said again.
        (letters == KEY_LETTERS).then(|| format!("/#{}", &secret[..kind.len() + KEY_LETTERS]))
    }

    /// The one request that `pages` sees: made again out of what was checked.
    pub fn to_pages(&self) -> Vec<u8> {
        let method = match self.method {
            Method::Get => "GET",
            Method::Head => "HEAD",
        };
        let tags = self.if_none_match.as_ref().map(|tags| format!("If-None-Match: {tags}\r\n")).unwrap_or_default();
        let gzip = if self.takes_gzip { "Accept-Encoding: gzip\r\n" } else { "" };
        format!("{method} {} HTTP/1.1\r\nHost: pages\r\nConnection: close\r\n{tags}{gzip}\r\n", self.path())
            .into_bytes()
    }

    /// Where `target` is with TLS. `port` is ours, for a `Host` that names none: plain HTTP came to a port that
    /// a router forwarded, and only we know where TLS is.
    pub fn secure_location(&self, target: &str, port: u16) -> String {
        let has_port = self.host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        match (has_port, port) {
            (false, port) if port != 443 => format!("https://{}:{port}{target}", self.host),
            _ => format!("https://{}{target}", self.host),
        }
    }
}

/// The header fields of one request, found without regard to case.
struct Fields<'h>(&'h [httparse::Header<'h>]);

impl<'h> Fields<'h> {
    fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'h [u8]> + use<'h, 'n> {
        let fields = self.0;
        fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    fn any(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The first one that is text.
    fn text(&self, name: &str) -> Option<&'h str> {
        self.all(name).find_map(|value| std::str::from_utf8(value).ok()).map(str::trim)
    }

    /// The last one that is text.
    fn last(&self, name: &str) -> Option<&'h str> {
        self.all(name).filter_map(|value| std::str::from_utf8(value).ok()).last()
    }

    /// The only one; twice is an attempt to be understood in two ways.
    fn one(&self, name: &str) -> Result<Option<&'h str>, Refusal> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => std::str::from_utf8(value).map(|v| Some(v.trim())).map_err(|_| Refusal::Malformed),
            _ => Err(Refusal::Malformed),
        }
    }

    /// Whether `word` stands in a comma-separated list of this name.
    fn lists(&self, name: &str, word: &str) -> bool {
        self.all(name).any(|value| {
            value.split(|byte| *byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
        })
    }
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(rest: &str) -> Result<Head, Refusal> {
        parse(format!("GET / HTTP/1.1\r\nHost: home:8443\r\n{rest}\r\n").as_bytes())
    }

    const SOCKET: &str = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    #[test]
    fn a_browsers_request_is_understood_and_made_anew() {
        let text = "GET /app.js?v=2 HTTP/1.1\r\nHost: Home.Example.org:8443\r\nCookie: a=b\r\nX-Evil: 1\r\n\
                    If-None-Match: \"abc\"\r\nAccept: */*\r\nAccept-Encoding: br, GZIP\r\n\r\n";
        let head = parse(text.as_bytes()).unwrap();
        assert_eq!((head.path(), head.host.as_str()), ("/app.js", "home.example.org:8443"));
        assert_eq!(
            String::from_utf8(head.to_pages()).unwrap(),
            "GET /app.js HTTP/1.1\r\nHost: pages\r\nConnection: close\r\nIf-None-Match: \"abc\"\r\n\
             Accept-Encoding: gzip\r\n\r\n"
        );
        assert!(!get("Accept-Encoding: gzip;q=0, br\r\n").unwrap().takes_gzip);
        assert_eq!(head.websocket(Way::Direct), Err(Refusal::NotAWebSocket));
    }

    #[test]
    fn the_end_of_a_head_is_found_wherever_it_was_cut() {
        let text = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
        let end = text.len() - 4;
        for cut in 0..=text.len() {
            let expected = (cut >= end).then_some(end);
            assert_eq!(end_of_head(&text[..cut], cut.saturating_sub(1)).or(end_of_head(&text[..cut], 0)), expected);
        }
        assert_eq!(end_of_head(text, end - 1), Some(end));
        assert_eq!(end_of_head(b"", 9), None);
    }

    #[test]
    fn what_is_not_http_1_get_or_head_is_refused_with_its_own_number() {
        let refused = |text: &str| parse(text.as_bytes()).unwrap_err();
        assert_eq!(refused("POST / HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Method);
        assert_eq!(refused("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Method);
        assert_eq!(refused("PRI * HTTP/2.0\r\n\r\n"), Refusal::Version);
        assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), Refusal::Malformed);
        assert_eq!(refused("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Malformed);
        assert_eq!(refused("GET /\x07 HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Malformed);
        assert_eq!(refused("GET / HTTP/1.1\nHost: a\r\n\r\n"), Refusal::Malformed);
        assert_eq!(refused("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"), Refusal::Malformed);
        assert_eq!(refused("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), Refusal::Malformed);
        assert_eq!(refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), Refusal::Malformed);
        assert_eq!(get("Content-Length: 5\r\n").unwrap_err(), Refusal::Malformed);
        assert_eq!(get("Transfer-Encoding: chunked\r\n").unwrap_err(), Refusal::Malformed);
        assert!(get("Content-Length: 0\r\n").is_ok());
        assert!(parse(b"HEAD / HTTP/1.0\r\nHost: a\r\n\r\n").is_ok());
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(LONGEST_TARGET));
        assert_eq!(parse(long.as_bytes()), Err(Refusal::TargetTooLong));
        assert_eq!(get(&"A: b\r\n".repeat(MOST_HEADERS)), Err(Refusal::HeadTooLong));
        assert!(get(&"A: b\r\n".repeat(MOST_HEADERS - 1)).is_ok());
        assert_eq!(get(&format!("A: {}\r\n", "b".repeat(LONGEST_HEAD))), Err(Refusal::HeadTooLong));
        assert_eq!(too_long(b"GET /aaaa"), Refusal::TargetTooLong);
    }

    #[test]
    fn a_websocket_needs_every_part_of_its_handshake() {
        let socket = |fields: &str| get(fields).and_then(|head| head.websocket(Way::Direct));
        // The example of RFC 6455 section 1.3.
        assert_eq!(socket(SOCKET).as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        for (cut, refusal) in [
            ("Upgrade: websocket\r\n", Refusal::NotAWebSocket),
            ("Connection: keep-alive, Upgrade\r\n", Refusal::NotAWebSocket),
            ("Sec-WebSocket-Version: 13\r\n", Refusal::NotAWebSocket),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", Refusal::Malformed),
        ] {
            assert_eq!(socket(&SOCKET.replace(cut, "")), Err(refusal), "{cut}");
        }
        assert_eq!(socket(&SOCKET.replace("Version: 13", "Version: 8")), Err(Refusal::NotAWebSocket));
        assert_eq!(socket(&SOCKET.replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=")), Err(Refusal::Malformed));
        let twice = format!("{SOCKET}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
        assert_eq!(socket(&twice), Err(Refusal::Malformed));
        let old = format!("GET / HTTP/1.0\r\nHost: home:8443\r\n{SOCKET}\r\n");
        assert_eq!(parse(old.as_bytes()).and_then(|head| head.websocket(Way::Direct)), Err(Refusal::Malformed));
    }

    #[test]
    fn a_websocket_of_another_sites_page_is_refused() {
        let from =
            |origin: &str| get(&format!("{SOCKET}Origin: {origin}\r\n")).and_then(|head| head.websocket(Way::Direct));
        assert!(from("https://home:8443").is_ok());
        assert!(from("HTTPS://Home:8443").is_ok());
        for foreign in ["https://evil:8443", "https://home", "http://home:8443", "null", "", "https://home:8443.evil"] {
            assert_eq!(from(foreign), Err(Refusal::Foreign), "{foreign}");
        }
    }

    #[test]
    fn the_proxy_may_change_host_and_port_if_it_says_what_was_asked_for_and_nobody_else_may() {
        let head = |fields: &str| {
            let text = format!("GET /signal HTTP/1.1\r\nHost: 192.168.1.20:8443\r\n{SOCKET}{fields}\r\n");
            parse(text.as_bytes()).unwrap()
        };
        let from = "Origin: https://Home.example:9443\r\n";
        for said in ["X-Forwarded-Host: home.example:9443\r\n", "Forwarded: host=home.example;for=192.0.2.1\r\n"] {
            let head = head(&format!("{from}{said}"));
            assert!(head.websocket(Way::Proxy).is_ok(), "{said}");
            assert_eq!(head.websocket(Way::Direct), Err(Refusal::Foreign), "{said}");
        }
        let silent = head(from);
        assert_eq!(silent.websocket(Way::Proxy), Err(Refusal::Foreign), "Host is gone, and nothing says so");
        assert_eq!(silent.origin_and_host(), "origin \"https://Home.example:9443\", Host \"192.168.1.20:8443\"");
        let foreign = head("Origin: https://evil.example\r\nX-Forwarded-Host: home.example\r\n");
        assert_eq!(foreign.websocket(Way::Proxy), Err(Refusal::Foreign));
        let v6 = head("Origin: https://[2001:db8::1]:443\r\nX-Forwarded-Host: [2001:db8::1]\r\n");
        assert!(v6.websocket(Way::Proxy).is_ok());
        let noise = head("Origin: https://evil\u{202e}.example\r\n");
        assert!(
            noise.origin_and_host().starts_with("origin \"https://evil.example\", Host "),
            "nothing that turns the log around"
        );
    }

    #[test]
    fn a_page_may_ask_whether_it_is_homes_own() {
        let own = |target: &str, host: &str| {
            let head = parse(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).unwrap();
            head.asked_origin().map(|origin| head.is_own(&origin, Way::Direct))
        };
        assert_eq!(own("/origin?https%3A%2F%2Fhome%3A8443", "home:8443"), Some(true));
        assert_eq!(own("/origin?https%3A%2F%2F%5B2001%3Adb8%3A%3A1%5D", "[2001:db8::1]:443"), Some(true));
        assert_eq!(own("/origin?https%3A%2F%2Fhome.example", "192.168.1.20:8443"), Some(false));
        assert_eq!(own("/origin", "home"), None);
        assert_eq!(own("/origins?x", "home"), None);
    }

    #[test]
    fn plain_http_is_sent_to_the_same_place_with_tls() {
        let location = |host: &str, target: &str, port: u16| {
            let head = parse(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).unwrap();
            head.secure_location(&head.target, port)
        };
        assert_eq!(location("home:9000", "/a?b", 8443), "https://home:9000/a?b");
        assert_eq!(location("home", "/", 8443), "https://home:8443/");
        assert_eq!(location("home", "/", 443), "https://home/");
        assert_eq!(location("[::1]", "//evil/", 8443), "https://[::1]:8443//evil/");
        assert_eq!(location("[::1]:80", "/", 8443), "https://[::1]:80/");
    }

    #[test]
    fn a_link_whose_mark_was_escaped_is_mended_and_nothing_else_is() {
        let mended = |target: &str| {
            let head = parse(format!("GET {target} HTTP/1.1\r\nHost: home\r\n\r\n").as_bytes());
            head.unwrap_or_else(|e| panic!("{target}: {e:?}")).mended_link()
        };
        const KEY: &str = "abc_DEF-1234567890xyzQ";
        for kind in ["k", "p"] {
            let link = Some(format!("/#{kind}={KEY}"));
            for around in ["", ".", ")", ",", "/", "%22", "&utm=1", "?x=y", "%20thanks", ":8443"] {
                assert_eq!(mended(&format!("/%23{kind}={KEY}{around}")), link, "{around}");
            }
            assert_eq!(mended(&format!("/%23{kind}%3D{KEY}")), link);
            assert_eq!(mended(&format!("/%2523{kind}%253d{KEY}")), link);
            assert_eq!(mended(&format!("/%252523{kind}={KEY}")), link);
            assert_eq!(mended(&format!("/index.html%23{kind}={KEY}")), link);
        }
        for other in [
            "/",
            "/%23",
            "/%23k=",
            "/%23k=short",
            "/%23x=abc_DEF-1234567890xyzQ",
            "/%23k=abc_DEF-1234567890xyzQQ",
            "/%23k=abc_DEF-1234567890xyzQ-",
            "/k=abc_DEF-1234567890xyzQ",
            "//evil/%23k=abc_DEF-1234567890xyzQ",
            "/evil/%23k=abc_DEF-1234567890xyzQ",
            "/%23k=%0d%0aabc_DEF-1234567890xyzQ",
        ] {
            assert_eq!(mended(other), None, "{other}");
        }
    }
}
