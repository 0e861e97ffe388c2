//! The way to `/signal`, right and wrong.

use std::io::{Read, Write};
use std::time::Duration;

use intercom::core::protocol::MAX_MESSAGE;
use intercom::shell::gateway::Patience;
use intercom::shell::wires::OpenSocket;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use crate::client::{self, LONG, Tls, ask, get, tls};
use crate::front::{self, Front};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fn upgrade(front: &Front, path: &str) -> String {
    let host = front.host();
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nOrigin: https://{host}\r\n\r\n"
    )
}

/// Sends the handshake with `behind` in the same record; the page's end of the WebSocket.
fn open(front: &Front, behind: &[u8]) -> WebSocket<Tls> {
    let mut stream = tls(front);
    stream.write_all(&[upgrade(front, "/signal").as_bytes(), behind].concat()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let answer = client::parse_answer(&head);
    assert_eq!(answer.status, 101);
    assert_eq!(answer.field("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    WebSocket::from_raw_socket(stream, Role::Client, None)
}

/// What the stub gets of the page, as the loop would: without ever blocking.
fn next_of_page(home: &mut OpenSocket) -> Result<Message, Error> {
    let deadline = intercom::shell::clock::now() + LONG;
    loop {
        match home.socket.read() {
            Err(Error::Io(e)) if e.kind() == std::io::ErrorKind::WouldBlock => {
                assert!(intercom::shell::clock::now() < deadline, "nothing came");
                let mut fds = [rustix::event::PollFd::new(&home.socket.get_ref().sock, rustix::event::PollFlags::IN)];
                let timeout = rustix::event::Timespec { tv_sec: LONG.as_secs() as i64, tv_nsec: 0 };
                rustix::event::poll(&mut fds, Some(&timeout)).unwrap();
            }
            other => return other,
        }
    }
}

/// A masked text frame (RFC 6455 section 5.2), its mask zero.
fn frame(text: &str) -> Vec<u8> {
    let mut bytes = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

#[test]
fn a_websocket_enters_the_loop_open_with_what_came_behind_the_head() {
    let front = front::open();
    let mut page = open(&front, &[frame("hello"), frame("offer")].concat());
    let mut home = front.sockets.recv_timeout(LONG).unwrap();
    assert_eq!(home.peer, page.get_ref().sock.local_addr().unwrap());
    assert_eq!(home.local, front.address());
    assert_eq!(next_of_page(&mut home).unwrap().to_text().unwrap(), "hello");
    assert_eq!(next_of_page(&mut home).unwrap().to_text().unwrap(), "offer");
    home.socket.send(Message::text("welcome")).unwrap();
    assert_eq!(page.read().unwrap().to_text().unwrap(), "welcome");
    page.send(Message::text("later")).unwrap();
    assert_eq!(next_of_page(&mut home).unwrap().to_text().unwrap(), "later");
}

#[test]
fn an_open_websocket_outlives_the_gateways_patience_and_the_gateway() {
    let front = front::open_impatient();
    let mut page = open(&front, b"");
    let mut home = front.sockets.recv_timeout(LONG).unwrap();
    // The gateway has closed this one for being slow: the time is over for the WebSocket too, were it counted.
    let mut slow = client::tcp(front.address());
    assert!(client::closed_silently(&mut slow));
    front.handle.stop();
    page.send(Message::text("still here")).unwrap();
    assert_eq!(next_of_page(&mut home).unwrap().to_text().unwrap(), "still here");
}

#[test]
fn a_wrong_handshake_is_refused_in_http() {
    let front = front::open();
    let good = upgrade(&front, "/signal");
    for (from, to, status) in [
        ("Upgrade: websocket\r\n", "", 426),
        ("Upgrade: websocket", "Upgrade: h2c", 426),
        ("Connection: Upgrade", "Connection: close", 426),
        ("Version: 13", "Version: 12", 426),
        (KEY, "c2hvcnQ=", 400),
        (KEY, "not base64!!", 400),
        ("Origin: https://", "Origin: http://", 403),
        ("Origin: https://127", "Origin: https://evil.example", 403),
        ("GET", "HEAD", 400),
        ("HTTP/1.1", "HTTP/1.0", 400),
        ("/signal", "/Signal", 404),
        ("/signal", "/signal/", 404),
    ] {
        let refused = ask(&front, good.replacen(from, to, 1));
        assert_eq!(refused.status, status, "{from} → {to}");
        assert!(front.sockets.is_empty());
    }
    let plain = ask(&front, good.replace("Upgrade: websocket\r\n", ""));
    assert_eq!((plain.field("upgrade"), plain.field("sec-websocket-version")), (Some("websocket"), Some("13")));
}

#[test]
fn when_the_loop_takes_no_more_newcomers_are_told_to_come_back() {
    let front = front::open_with(Patience::default(), 1);
    let _first = open(&front, b"");
    let refused = loop {
        // The first one is handed over right after its answer is sent.
        if front.sockets.is_full() {
            break ask(&front, upgrade(&front, "/signal"));
        }
        std::thread::yield_now();
    };
    assert_eq!((refused.status, refused.field("retry-after")), (503, Some("1")));
    assert_eq!(get(&front, "/ca.crt").status, 200, "pages go on");
    let _home = front.sockets.recv_timeout(LONG).unwrap();
    open(&front, b"");
}

#[test]
fn messages_and_frames_over_the_bound_are_refused() {
    let front = front::open();
    let big = |length: usize, page: &mut WebSocket<Tls>| {
        page.set_config(|config: &mut WebSocketConfig| config.max_write_buffer_size = usize::MAX);
        page.send(Message::text("x".repeat(length)))
    };
    let mut page = open(&front, b"");
    let mut home = front.sockets.recv_timeout(LONG).unwrap();
    big(MAX_MESSAGE, &mut page).unwrap();
    assert_eq!(next_of_page(&mut home).unwrap().len(), MAX_MESSAGE);
    // It may fail on the way already: home closes at the frame's head.
    let _ = big(MAX_MESSAGE + 1, &mut page);
    assert!(matches!(next_of_page(&mut home), Err(Error::Capacity(_))));
}

#[test]
fn rubbish_in_frames_is_an_error_of_that_socket_only() {
    let front = front::open();
    let other = open(&front, b"");
    let mut other_home = front.sockets.recv_timeout(LONG).unwrap();
    let unmasked = [0x81, 2, b'h', b'i'];
    let reserved = [0xf1, 0x80, 0, 0, 0, 0];
    let endless = [0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    let not_utf8 = [0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe];
    let fat_ping = [&[0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0][..], &[0; 256]].concat();
    for bytes in [&unmasked[..], &reserved, &endless, &not_utf8, &fat_ping] {
        let _page = open(&front, bytes);
        let mut home = front.sockets.recv_timeout(LONG).unwrap();
        assert!(next_of_page(&mut home).is_err(), "{bytes:x?}");
    }
    let mut other = other;
    other.send(Message::text("unharmed")).unwrap();
    assert_eq!(next_of_page(&mut other_home).unwrap().to_text().unwrap(), "unharmed");
}

#[test]
fn a_viewer_that_stops_reading_fills_a_bounded_buffer_and_is_still_heard() {
    let front = front::open();
    let mut page = open(&front, b"");
    let mut home = front.sockets.recv_timeout(LONG).unwrap();
    let message = "x".repeat(MAX_MESSAGE);
    let deadline = intercom::shell::clock::now() + Duration::from_secs(30);
    loop {
        match home.socket.send(Message::text(message.clone())) {
            Ok(()) => {}
            Err(Error::Io(e)) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(Error::WriteBufferFull(_)) => break,
            Err(e) => panic!("{e}"),
        }
        assert!(intercom::shell::clock::now() < deadline, "the buffer has no bound");
    }
    page.send(Message::text("I still talk")).unwrap();
    assert_eq!(next_of_page(&mut home).unwrap().to_text().unwrap(), "I still talk");
}
