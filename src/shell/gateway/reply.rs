//! What strangers are answered: every response leaves through here, with the same strict header fields.

use super::head::Refusal;
use super::remembered::{Wish, set_cookie};

/// The fields of every answer.
///
/// `Strict-Transport-Security` is left out on purpose: with our own CA a browser that saw it would offer no way past
/// the certificate's warning any more, and it would hold for every port of that host, so a family could be locked out
/// of its home, and of its other devices at the same address, for as long as it says.
///
/// Scripts and styles stand in the documents, and run by their hashes. From home itself (`'self'`) come the parts of the
/// page, and nothing else that a browser takes for a script.
const ALWAYS: &str = concat!(
    "Content-Security-Policy: default-src 'none'; ",
    include_str!(concat!(env!("OUT_DIR"), "/policy.txt")),
    "; img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
form-action 'none'; frame-ancestors 'none'\r\n\
X-Content-Type-Options: nosniff\r\n\
Referrer-Policy: no-referrer\r\n\
Permissions-Policy: camera=(self), microphone=(self), fullscreen=(self), screen-wake-lock=(self), \
accelerometer=(), autoplay=(self), browsing-topics=(), display-capture=(), encrypted-media=(), \
gamepad=(), geolocation=(), gyroscope=(), hid=(), identity-credentials-get=(), idle-detection=(), \
local-fonts=(), magnetometer=(), midi=(), otp-credentials=(), payment=(), picture-in-picture=(self), \
publickey-credentials-get=(), serial=(), storage-access=(), usb=(), xr-spatial-tracking=()\r\n\
Cross-Origin-Opener-Policy: same-origin\r\n\
Cross-Origin-Resource-Policy: same-origin\r\n"
);

/// The connection ends behind this answer.
const CLOSE: &str = "Connection: close\r\n";

/// It may be asked for more.
const KEEP: &str = "Connection: keep-alive\r\n";

/// Longest head that `pages` may answer with.
const LONGEST_HEAD: usize = 4096;

impl Refusal {
    fn status(self) -> &'static str {
        match self {
            Refusal::Malformed => "400 Bad Request",
            Refusal::Foreign => "403 Forbidden",
            Refusal::NotFound => "404 Not Found",
            Refusal::Method => "405 Method Not Allowed",
            Refusal::TooSlow => "408 Request Timeout",
            Refusal::NoLength => "411 Length Required",
            Refusal::TooLarge => "413 Content Too Large",
            Refusal::TargetTooLong => "414 URI Too Long",
            Refusal::NotAWebSocket => "426 Upgrade Required",
            Refusal::HeadTooLong => "431 Request Header Fields Too Large",
            Refusal::Unavailable => "503 Service Unavailable",
            Refusal::Version => "505 HTTP Version Not Supported",
        }
    }

    /// The fields that RFC 9110 wants with this status.
    fn fields(self) -> &'static str {
        match self {
            Refusal::Method => "Allow: GET, HEAD\r\n",
            // Connection names Upgrade a second time; lists of one name add up (RFC 9110 section 5.3).
            Refusal::NotAWebSocket => "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
            Refusal::Unavailable => "Retry-After: 1\r\n",
            _ => "",
        }
    }
}

/// A refusal: its status in words and nothing else. `with_body` is false for HEAD.
pub fn refusal(refusal: Refusal, with_body: bool) -> Vec<u8> {
    let status = refusal.status();
    let body = format!("{status}\n");
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\n{}{ALWAYS}{CLOSE}\r\n",
        body.len(),
        refusal.fields()
    );
    if with_body { (head + &body).into_bytes() } else { head.into_bytes() }
}

/// Yes, and nothing else.
pub fn yes() -> Vec<u8> {
    format!("HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\n{ALWAYS}{CLOSE}\r\n").into_bytes()
}

/// Home's words to a page's POST.
pub fn words(lines: &str, keep: bool) -> Vec<u8> {
    let connection = if keep { KEEP } else { CLOSE };
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         {ALWAYS}{connection}\r\n{lines}",
        lines.len()
    )
    .into_bytes()
}

/// What a page wanted of the cookie that remembers its device: it is set, or ended; or what it has is told, which may be nothing.
pub fn remembered(wish: &Wish, with_body: bool) -> Vec<u8> {
    let (status, field, key) = match wish {
        Wish::Keep(key) => ("204 No Content", set_cookie(Some(key)), ""),
        Wish::Forget => ("204 No Content", set_cookie(None), ""),
        Wish::Restore(key) => {
            let key = key.as_deref().unwrap_or_default();
            let field = format!("Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n", key.len());
            ("200 OK", field, key)
        }
    };
    let body = if with_body { key } else { "" };
    format!("HTTP/1.1 {status}\r\n{field}Cache-Control: no-store\r\n{ALWAYS}{CLOSE}\r\n{body}").into_bytes()
}

/// To the same thing with TLS, or to a link that is mended.
pub fn redirect(location: &str) -> Vec<u8> {
    // Not permanent to a cache: the port may serve something else tomorrow.
    format!(
        "HTTP/1.1 308 Permanent Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\
         {ALWAYS}{CLOSE}\r\n"
    )
    .into_bytes()
}

/// The handshake's end: a WebSocket from here on (RFC 6455 section 4.2.2).
pub fn switching(accept: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes()
}

/// How far an answer of `pages` has come in.
#[derive(Debug, PartialEq, Eq)]
pub enum FromPages {
    /// There is more to come.
    Partial,
    /// All there; as it goes to the browser.
    Whole(Vec<u8>),
    /// Not an answer.
    Broken,
}

/// Looks at what `pages` has answered so far to a request whose method was HEAD or not. Its fields are passed on but
/// for those that are ours to say, as whether the connection is to `keep`; what the server calls itself is nobody's business.
pub fn from_pages(answer: &[u8], to_head: bool, keep: bool) -> FromPages {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(answer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if answer.len() < LONGEST_HEAD => return FromPages::Partial,
        _ => return FromPages::Broken,
    };
    let (Some(code), Some(reason)) = (response.code, response.reason) else { return FromPages::Broken };
    let is = |field: &httparse::Header<'_>, name: &str| field.name.eq_ignore_ascii_case(name);
    let said = response.headers.iter().find(|field| is(field, "content-length"));
    let said = said.and_then(|field| std::str::from_utf8(field.value).ok()?.parse::<usize>().ok()).unwrap_or(0);
    let body = if to_head || code == 304 { 0 } else { said };
    let Some(body) = answer.get(length..length.saturating_add(body)) else { return FromPages::Partial };
    let mut whole = Vec::with_capacity(answer.len() + ALWAYS.len() + 64);
    whole.extend_from_slice(format!("HTTP/1.1 {code} {reason}\r\n").as_bytes());
    for field in response.headers.iter() {
        if ["server", "connection", "date", "transfer-encoding"].iter().any(|name| is(field, name)) {
            continue;
        }
        whole.extend_from_slice(field.name.as_bytes());
        whole.extend_from_slice(b": ");
        whole.extend_from_slice(field.value);
        whole.extend_from_slice(b"\r\n");
    }
    whole.extend_from_slice(ALWAYS.as_bytes());
    whole.extend_from_slice(if keep { KEEP } else { CLOSE }.as_bytes());
    whole.extend_from_slice(b"\r\n");
    whole.extend_from_slice(body);
    FromPages::Whole(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_well_formed_and_says_nothing_of_itself() {
        for each in [
            Refusal::Malformed,
            Refusal::Foreign,
            Refusal::NotFound,
            Refusal::Method,
            Refusal::TooSlow,
            Refusal::NoLength,
            Refusal::TooLarge,
            Refusal::TargetTooLong,
            Refusal::NotAWebSocket,
            Refusal::HeadTooLong,
            Refusal::Unavailable,
            Refusal::Version,
        ] {
            let text = String::from_utf8(refusal(each, true)).unwrap();
            let mut fields = [httparse::EMPTY_HEADER; 32];
            let mut response = httparse::Response::new(&mut fields);
            let length = response.parse(text.as_bytes()).unwrap().unwrap();
            assert!(text[..length].contains("Content-Security-Policy: default-src 'none';"));
            assert!(!text.to_ascii_lowercase().contains("server:") && !text.contains("Strict-Transport"));
            assert_eq!(text[length..], format!("{}\n", each.status()));
            assert!(refusal(each, false).ends_with(b"\r\n\r\n"));
        }
    }

    #[test]
    fn an_answer_of_pages_is_whole_when_its_body_is() {
        let answer = b"HTTP/1.1 200 OK\r\nServer: tiny-http (Rust)\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\nhello";
        for cut in 0..answer.len() {
            assert_eq!(from_pages(&answer[..cut], false, true), FromPages::Partial, "cut at {cut}");
        }
        let FromPages::Whole(whole) = from_pages(answer, false, false) else { panic!("not whole") };
        let text = String::from_utf8(whole).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"x\"\r\n") && text.ends_with("hello"));
        assert!(!text.contains("tiny-http") && text.contains("nosniff") && text.contains("Connection: close\r\n"));
        let FromPages::Whole(kept) = from_pages(answer, false, true) else { panic!("not whole") };
        assert_eq!(String::from_utf8(kept).unwrap(), text.replace("Connection: close", "Connection: keep-alive"));
        assert!(matches!(from_pages(&answer[..answer.len() - 5], true, false), FromPages::Whole(_)));
        assert!(matches!(
            from_pages(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, false),
            FromPages::Whole(_)
        ));
    }

    #[test]
    fn rubbish_from_pages_is_no_answer() {
        assert_eq!(from_pages(b"what?\r\n\r\n", false, false), FromPages::Broken);
        assert_eq!(from_pages(&[b'a'; 5000], false, false), FromPages::Broken);
        assert_eq!(from_pages(&b"HTTP/1.1 200 OK\r\nA: b\r\n".repeat(300), false, false), FromPages::Broken);
    }
}
