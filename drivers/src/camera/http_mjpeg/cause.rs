//! Why a camera on the network gives no picture, in words that name the cause and what helps, from what it was seen to do.

use std::io;
use std::net::SocketAddr;

use super::address::Address;
use super::reply::Head;
use crate::contract::DeviceError;
use crate::words::{shown, without_numbers};

/// So many bytes of an answer are looked at to say what it is.
pub const SAMPLE: usize = 512;

const FIND_URL: &str =
    "look in the camera's manual for the address of its MJPEG stream, and put it into url under [camera.http-mjpeg]";
const SET_MJPEG: &str = "set the camera to MJPEG, or find the address of its MJPEG stream, and put that into url under \
                         [camera.http-mjpeg]; for other formats use driver = \"exec\" with ffmpeg";
const SET_USER: &str = "write user and password under [camera.http-mjpeg], as they are set in the camera";
const LESS: &str = "choose another quality or a smaller picture in the camera's own settings, plain (baseline) JPEG of at most 4096x4096";
const REACH: &str =
    "check that the camera is on and in the same network, and the address in url under [camera.http-mjpeg]";
const RESTART: &str = "end other programs that watch the camera, or restart it; it is tried again by itself";

fn told(what: impl Into<String>, remedy: &str) -> DeviceError {
    DeviceError::Explained { what: what.into(), remedy: remedy.into() }
}

/// Whether this can stand before the colon of a URL.
pub fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// Where an address from outside leads, as it is safe in a log: without user, password and query. Cameras also write a password into
/// the path, as in `/user=a&password=b`.
fn place(location: &str) -> String {
    let location = location.trim();
    let is_start = |before: &str| before.is_empty() || before.strip_suffix(':').is_some_and(is_scheme);
    let (start, rest) = match location.split_once("//") {
        Some((before, _)) if is_start(before) => location.split_at(before.len() + 2),
        _ => ("", location),
    };
    let end = if start.is_empty() { 0 } else { rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()) };
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default();
    // A password may itself hold one of the letters that end it. Then it cannot be told from the rest.
    if path.contains('@') || !is_host(host) {
        return format!("{}...", shown(start));
    }
    let kept = path.split(['?', '#', ';', '&', '=']).next().unwrap_or_default();
    let more = if kept.len() < path.len() { "..." } else { "" };
    shown(&format!("{start}{host}{kept}{more}"))
}

/// Whether it is a host with or without a port, by its letters.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((_, port)) => ("", port),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        && (port.is_empty()
            || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|digit| digit.is_ascii_digit())))
}

/// The camera's name has no address.
pub fn no_name(name: &str, why: &str) -> DeviceError {
    told(
        format!("the name {name} is not found: {why}"),
        "check the name in url under [camera.http-mjpeg], or write the camera's IP address instead",
    )
}

/// Nobody takes the connection.
pub fn no_connection(at: &SocketAddr, error: &io::Error) -> DeviceError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => told(
            format!("{at} refuses the connection: connect: {error}"),
            "check the port in url under [camera.http-mjpeg], and that http is turned on in the camera",
        ),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            told(format!("{at} does not answer: connect: {error}"), REACH)
        }
        _ => told(format!("there is no way to {at}: connect: {error}"), REACH),
    }
}

/// What a status other than success means; 401 and redirects are judged elsewhere.
pub fn status(head: &Head) -> DeviceError {
    match head.status {
        400 => told(
            "it does not understand the request (400)",
            "check the port: one for https is not spoken; check the path in url under [camera.http-mjpeg]",
        ),
        403 => told(
            "it forbids this (403)",
            "allow it in the camera's settings for users, or write another user and password under [camera.http-mjpeg]",
        ),
        code @ (404 | 410) => told(format!("it answers {code}: there is nothing at this path"), FIND_URL),
        code @ (405 | 406 | 415) => told(format!("it answers {code}: this path is for something else"), FIND_URL),
        407 => told("a proxy that wants a password answers (407)", REACH),
        code @ (429 | 503) => told(format!("it answers {code}: it is busy"), RESTART),
        code @ 500..=599 => told(format!("it answers {code}: it has a fault of its own"), RESTART),
        code => told(format!("it answers with status {code}"), FIND_URL),
    }
}

/// It wants a password, in these ways, and none is known.
pub fn wants_password(ways: &str) -> DeviceError {
    told(format!("it wants a name and a password (401, {ways})"), SET_USER)
}

/// What it sent us to wants a password, as `how` says. It was told none, as it is at another port than the one in the config.
pub fn withheld(address: &Address, how: &str) -> DeviceError {
    let place = place(&address.url());
    told(
        format!("it sends us on to {place:?}, which wants a name and a password ({how}) and is at another port"),
        &format!(
            "write that new address ({place}) into url under [camera.http-mjpeg]; user and password are sent only to the port in url"
        ),
    )
}

/// It wants the password in clear, and could do better before.
pub fn downgraded() -> DeviceError {
    told(
        "it wants the password in clear (401, Basic now, after Digest), so it may be another device; it was not sent",
        "set the camera's login for http to Digest; if you have set it to Basic yourself, restart the intercom",
    )
}

/// It does not take the password.
pub fn wrong_password(way: &str) -> DeviceError {
    told(format!("it does not take this name and password (401, {way})"), SET_USER)
}

/// It wants a password in a way that is not spoken, or not sent.
pub fn unknown_way(ways: &str) -> DeviceError {
    told(
        format!("it wants a password by {ways} (401), and only Digest (MD5, SHA-256) and Basic are spoken"),
        "set the camera's login for http to Digest or Basic",
    )
}

/// It sends us where we do not go, and why not.
pub fn sent_on(to: &str, why: &str) -> DeviceError {
    told(
        format!("it sends us on to {:?}, {why}", place(to)),
        "write the stream's own http address into url under [camera.http-mjpeg]",
    )
}

/// What answers is no web server; these are its first bytes.
pub fn no_http(first: &[u8]) -> DeviceError {
    let text = String::from_utf8_lossy(&first[..first.len().min(60)]).into_owned();
    if first.starts_with(b"RTSP/") {
        return told("an RTSP server answers at this port, and RTSP is not spoken", SET_MJPEG);
    }
    // A TLS record: an alert or a handshake, version 3.
    if matches!(first, [0x15 | 0x16, 3, ..]) {
        let remedy = "write the port of plain http into url under [camera.http-mjpeg], and turn http on in the camera";
        return told("a TLS (https) server answers at this port, and only plain http is spoken", remedy);
    }
    told(format!("what answers is no web server: it begins with {:?}", shown(&text)), FIND_URL)
}

/// What an answer without any picture is, by its first bytes.
fn kind_of(sample: &[u8]) -> Option<&'static str> {
    let text = sample.trim_ascii_start();
    let begins = |word: &[u8]| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    // A stream of parts has lines of its own in front.
    let has = |word: &[u8]| sample.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    Some(match sample {
        _ if begins(b"<!doctype html") || begins(b"<html") || begins(b"<head") || has(b"<html") => "a web page (HTML)",
        _ if begins(b"<?xml") || begins(b"<") => "a page (XML)",
        _ if begins(b"{") || begins(b"[") => "data (JSON)",
        [0x1F, 0x8B, ..] => "something that is compressed (gzip)",
        _ if sample.get(4..8) == Some(b"ftyp") || has(b"moof") => "an MP4 video (H.264 or H.265)",
        [0x47, ..] if sample.get(188) == Some(&0x47) => "an MPEG transport stream (H.264 or H.265)",
        [0, 0, 1, ..] | [0, 0, 0, 1, ..] => "a raw H.264 or H.265 stream",
        [b'F', b'L', b'V', ..] => "a Flash video",
        [0x1A, 0x45, 0xDF, 0xA3, ..] => "a Matroska or WebM video",
        _ if begins(b"#EXTM3U") => "a playlist (HLS)",
        _ if begins(b"v=0") => "a session description (SDP, for RTSP)",
        _ if has(b"\x89PNG\r\n") => "a PNG picture",
        _ if has(b"GIF8") => "a GIF picture",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "a WebP picture",
        _ => return None,
    })
}

/// Some pictures came at once, and then the end.
pub fn recording() -> DeviceError {
    told("it sends some pictures and ends: that is a recording, no live picture", FIND_URL)
}

/// The answer is no good HTTP.
pub fn broken(what: &str) -> DeviceError {
    told(format!("its answer is damaged: {what}"), RESTART)
}

/// What was seen of an answer that gave no picture.
#[derive(Debug, Default)]
pub struct Seen<'a> {
    /// Its head, once it was complete.
    pub head: Option<&'a Head>,
    /// The first bytes of its body, at most [`SAMPLE`].
    pub sample: &'a [u8],
    /// Anything came at all.
    pub answered: bool,
    /// It is over.
    pub ended: bool,
    /// A picture is on its way.
    pub within: bool,
    /// What was wrong with the last picture, if all were damaged.
    pub damaged: Option<&'a str>,
    /// How long was waited, in seconds.
    pub seconds: u64,
}

/// Why there is no picture.
pub fn no_picture(seen: &Seen) -> DeviceError {
    if let Some(why) = seen.damaged {
        // With its numbers: they are of the camera's kind of picture, and help to choose another.
        return told(format!("pictures come, all damaged: {why}"), LESS);
    }
    let Some(head) = seen.head else {
        return match (seen.answered, seen.ended) {
            (false, false) => {
                told(format!("it takes the connection and answers nothing within {} s", seen.seconds), RESTART)
            }
            (false, true) => told("it closes the connection without an answer", RESTART),
            (true, _) => told("its answer breaks off in the head", RESTART),
        };
    };
    if seen.within {
        return match seen.ended {
            true => told("a picture breaks off, and the camera ends the stream", RESTART),
            false => told(
                format!("no picture is complete within {} s", seen.seconds),
                "choose a smaller picture or a lower quality in the camera's own settings, or a better network",
            ),
        };
    }
    if let Some(kind) = kind_of(seen.sample) {
        return told(format!("it sends {kind}, not JPEG"), if kind.contains("page") { FIND_URL } else { SET_MJPEG });
    }
    if seen.sample.is_empty() {
        return told("it answers with a head, and then sends no picture", RESTART);
    }
    let label = if head.kind.is_empty() { "without a type".into() } else { format!("as {:?}", shown(&head.kind)) };
    told(format!("what it sends ({label}) has no JPEG in it"), SET_MJPEG)
}

/// It was opened, and now something else comes.
pub fn no_jpeg(how_long: &str) -> DeviceError {
    told(format!("{how_long}: what it sends has no JPEG in it"), SET_MJPEG)
}

/// It was opened, and now all that comes is damaged.
pub fn only_damaged(how_long: &str, why: &str) -> DeviceError {
    told(format!("{how_long}: {}", without_numbers(why)), LESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_instead_of_pictures_is_named_whatever_its_label_says() {
        let stream = [&[0x47][..], &[0; 187], &[0x47, 1, 2]].concat();
        for (sample, words) in [
            (&b"\r\n<!DOCTYPE html><p>"[..], "HTML"),
            (b"<?xml version='1.0'?>", "XML"),
            (b"{\"error\": 1}", "JSON"),
            (b"\x1F\x8B\x08", "gzip"),
            (b"\0\0\0\x18ftypisom", "MP4"),
            (&stream, "transport stream"),
            (b"\0\0\0\x01\x67\x42", "H.264"),
            (b"FLV\x01", "Flash"),
            (b"#EXTM3U\n", "HLS"),
            (b"--b\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\x1A\n", "PNG"),
            (b"RIFF1234WEBPVP8 ", "WebP"),
            (b"hello", "\"video/x\""),
        ] {
            let mut head = Head::default();
            head.kind = "video/x".into();
            let error = no_picture(&Seen { head: Some(&head), sample, answered: true, seconds: 5, ..Seen::default() });
            assert!(error.to_string().contains(words) && error.to_string().contains("JPEG"), "{error}");
            assert!(error.remedy().contains("url under [camera.http-mjpeg]"), "{}", error.remedy());
        }
    }

    #[test]
    fn what_comes_from_outside_is_short_and_harmless_in_the_log() {
        let text = "\u{1b}[2J\n\u{202E}\u{9B}".repeat(1000);
        assert!(shown(&text).bytes().all(|byte| matches!(byte, b' '..=b'~')) && shown(&text).len() == 100);
        assert_eq!((shown(&"a".repeat(100)), shown("b\u{2028}")), ("a".repeat(100), "b.".into()));
        let error = sent_on(&format!("http://x/{text}?password=hush"), "which is another host");
        assert!(error.to_string().len() < 300 && !error.to_string().contains("hush"), "{error}");
    }

    #[test]
    fn a_redirect_is_told_without_its_passwords() {
        for (location, told) in [
            ("http://cam:81/a/b.mjpg", "http://cam:81/a/b.mjpg"),
            ("HTTP://[fe80::1]:81/x", "HTTP://[fe80::1]:81/x"),
            ("../x?pwd=hush", "../x..."),
            ("/a//b", "/a//b"),
            ("", ""),
            ("http://admin:hush@cam/x", "http://cam/x"),
            ("//admin:hush@cam/x#y", "//cam/x..."),
            ("http://admin:hu=sh@hush@cam:8080", "http://cam:8080"),
            ("http://admin:hu/sh@cam/x", "http://..."),
            ("http://admin:hu?sh@cam/x", "http://..."),
            ("http://admin:12#hush@cam/x", "http://..."),
            ("http:///admin:hush@cam/x", "http://..."),
            ("http://admin:hush", "http://..."),
            ("http://admin%3Ahush%40cam/x", "http://..."),
            ("http:admin:hush@cam/x", "..."),
            ("http:\\\\admin:hush@cam", "..."),
            ("admin:hush@cam/x", "..."),
            ("admin:hush@http://cam/x", "..."),
            ("http://cam/user=admin&password=hush", "http://cam/user..."),
            ("http://cam/x;hush", "http://cam/x..."),
        ] {
            assert_eq!(place(location), told, "{location}");
            let from = Address::parse("http://cam/").unwrap();
            let why = from.follow(location).err().unwrap_or_default();
            assert!(!why.contains("hush"), "{location}: {why}");
        }
    }

    #[test]
    fn what_fails_again_and_again_is_told_in_the_same_words() {
        let texts = ["a JPEG of 5000x31 pixels", "a JPEG of 7x70000 pixels"].map(|why| only_damaged("x", why));
        assert_eq!(texts[0], texts[1]);
        assert!(texts[0].to_string().ends_with("x: a JPEG of ... pixels"), "{}", texts[0]);
    }
}
