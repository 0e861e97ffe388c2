//! A fuzz target for each parser of strangers' bytes, driven by a seeded mutator so that every run is the same.
//!
//! Each `fuzz_*` takes any bytes and asserts what must hold of them; a fuzzing engine may call the same functions.

// The targets' one look at the clock is the beginning of their time.
#![allow(clippy::disallowed_methods)]

mod driver;
mod home;
mod offers;
mod targets;

use driver::drive;
use targets::*;

#[test]
fn request_heads() {
    drive(
        fuzz_head,
        &[
            b"GET / HTTP/1.1\r\nHost: home.local:8443\r\nAccept: */*\r\nIf-None-Match: \"a\", W/\"b\"\r\n\r\n",
            b"HEAD /a/b.js?c=d HTTP/1.0\r\nHost: [2001:db8::1]:8443\r\nContent-Length: 0\r\n\r\n",
            b"GET /signal HTTP/1.1\r\nHost: home\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://home\r\n\r\n",
        ],
    );
}

#[test]
fn answers_of_pages() {
    drive(
        fuzz_from_pages,
        &[
            b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\nhello",
            b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n",
        ],
    );
}

#[test]
fn control_requests() {
    drive(
        fuzz_control,
        &[br#"{"command":"link"}"#, br#"{"command":"revoke","id":18446744073709551615}"#, br#"{"command":"status"}"#],
    );
}

#[test]
fn keys_out_of_links() {
    drive(fuzz_key, &[b"AAAAAAAAAAAAAAAAAAAAAA", b"dGhlIHNhbXBsZSBub25jZQ", b"-_-_-_-_-_-_-_-_-_-_-Q"]);
}

#[test]
fn files_of_keys() {
    let hash = "0123456789abcdef".repeat(4);
    let file = format!("next = 4\n\n[[key]]\nnumber = 3\ncreated = \"2026-11-02T10:00:00Z\"\nsha256 = \"{hash}\"\n");
    drive(fuzz_key_file, &[file.as_bytes(), b""]);
}

#[test]
fn signaling_messages() {
    drive(
        fuzz_signaling,
        &[
            br#"{"type":"hello","v":1,"key":"AAAAAAAAAAAAAAAAAAAAAA","resume":"x"}"#,
            br#"{"type":"offer","pc":1,"rev":1,"sdp":"v=0\r\n"}"#,
            br#"{"type":"candidate","pc":1,"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host"}"#,
            br#"{"type":"ping","t":1.5e300}"#,
        ],
    );
}

#[test]
fn the_kernels_table_of_ipv6_addresses() {
    let line: &[u8] = b"20010db8000000000000000000000002 02 40 00 41     eth0\n";
    drive(fuzz_if_inet6, &[line, b"+0010db8000000000000000000000002 02 40 00 41     eth0\n"]);
}
