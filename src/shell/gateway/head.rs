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
/// Where signaling is: the WebSocket, and POSTs.
pub const SIGNAL: &str = "/signal";
/// Longest body of a POST, as a message over the WebSocket.
pub const LONGEST_BODY: usize = 64 * 1024;
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
    /// A page's words to home.
    Post,
}

/// A request as far as anybody here cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// GET, HEAD, or POST to [`SIGNAL`].
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
    /// Bytes behind the head; none but for a POST.
    pub body: usize,
    /// The browser itself asks for the connection to stay. Through a proxy, whoever comes next may be somebody else.
    pub keep_alive: bool,
    /// A browser says that the page is of another site.
    foreign: bool,
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
    /// 403: a WebSocket or a POST from another site's page.
    Foreign,
    /// 404: there is nothing.
    NotFound,
    /// 405: neither GET nor HEAD, nor a POST where there is something to say.
    Method,
    /// 408: the head did not come in time.
    TooSlow,
    /// 411: a POST that does not say how long it is.
    NoLength,
    /// 413: a POST that is too long.
    TooLarge,
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
        Some("POST") if request.path.is_some_and(|target| path_of(target) == SIGNAL) => Method::Post,
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
    let body = body_length(&fields, method)?;
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
    let kept = fields.lists("connection", "keep-alive") && !fields.lists("connection", "close");
    let keep_alive = kept && request.version == Some(1) && !fields.any("via");
    let foreign = fields.one("sec-fetch-site")?.is_some_and(|site| site != "same-origin");
    let origin = fields.one("origin")?.map(str::to_owned);
    let forwarded = Forwarded::read(Sent {
        forwarded: fields.last("forwarded"),
        x_for: fields.last("x-forwarded-for"),
        x_real_ip: fields.last("x-real-ip"),
        x_host: fields.last("x-forwarded-host"),
    });
    let keep_alive = keep_alive && forwarded.is_empty();
    let device = match path_of(target) == remembered::PATH {
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
        body,
        keep_alive,
        foreign,
        origin,
        device,
        upgrade,
    })
}

impl Head {
    /// The target without its query.
    pub fn path(&self) -> &str {
        path_of(&self.target)
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
        if self.is_foreign(way) {
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

    /// Whether a page of another site asks.
    fn is_foreign(&self, way: Way) -> bool {
        self.origin.as_deref().is_some_and(|origin| !self.is_own(origin, way))
    }

    /// Whether a POST may be said to home.
    pub fn post(&self, way: Way) -> Result<(), Refusal> {
        if self.foreign || self.is_foreign(way) { Err(Refusal::Foreign) } else { Ok(()) }
    }

    /// What a page of home's own wants of the cookie that remembers it; `None` where that is not what is asked.
    pub fn device(&self, way: Way) -> Option<Result<remembered::Wish, Refusal>> {
        let wish = self.device.clone()?;
        Some(if self.is_foreign(way) { Err(Refusal::Foreign) } else { wish })
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
        let method = if self.method == Method::Head { "HEAD" } else { "GET" };
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

/// A target without its query.
fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// How much comes behind the head. There is no body to a GET, and one that comes nevertheless would be taken for the next request; that
/// of a POST says how long it is, once.
fn body_length(fields: &Fields<'_>, method: Method) -> Result<usize, Refusal> {
    if fields.any("transfer-encoding") {
        return Err(Refusal::Malformed);
    }
    if method != Method::Post {
        let none = fields.all("content-length").all(|value| value.trim_ascii() == b"0");
        return if none { Ok(0) } else { Err(Refusal::Malformed) };
    }
    let said = fields.one("content-length")?.ok_or(Refusal::NoLength)?;
    if said.is_empty() || !said.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::Malformed);
    }
    match said.parse::<usize>() {
        Ok(0) => Err(Refusal::Malformed),
        Ok(length) if length <= LONGEST_BODY => Ok(length),
        // Also what is no number of ours any more.
        _ => Err(Refusal::TooLarge),
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
mod tests;
