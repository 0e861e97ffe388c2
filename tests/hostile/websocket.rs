//! The way to `/signal`, right and wrong.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use intercom::shell::clock;
use intercom::shell::gateway::Timeouts;
use intercom::shell::signal_socket::{Heard, SignalSocket, Turn};
use intercom_core::call::protocol::{ErrorCode, FromHome, MAX_HELLO, MAX_MESSAGE};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

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

/// The loop's end of a socket, as the loop drives it.
struct Home {
    peer: SocketAddr,
    local: SocketAddr,
    socket: SignalSocket,
    heard: VecDeque<Heard>,
    /// How long a message may be.
    longest: usize,
    /// Most bytes that one turn took.
    most: u64,
}

impl Home {
    fn of(front: &Front) -> Home {
        let open = front.sockets.recv_timeout(LONG).unwrap();
        let socket = SignalSocket::new(open.socket);
        Home { peer: open.peer, local: open.local, socket, heard: VecDeque::new(), longest: MAX_HELLO, most: 0 }
    }

    fn turn(&mut self, now: Instant) -> Turn {
        let (heard, longest) = (&mut self.heard, self.longest);
        let (turn, bytes) = self.socket.read(now, |item| {
            heard.push_back(item);
            longest
        });
        self.most = self.most.max(bytes);
        turn
    }

    /// What the page says next; `None` if the socket is over.
    fn next(&mut self) -> Option<Heard> {
        let deadline = clock::now() + LONG;
        while self.heard.is_empty() {
            match self.turn(clock::now()) {
                Turn::Closed => return self.heard.pop_front(),
                Turn::More => {}
                Turn::Idle if self.heard.is_empty() => {
                    assert!(clock::now() < deadline, "nothing came");
                    let mut fds =
                        [rustix::event::PollFd::from_borrowed_fd(self.socket.fd(), rustix::event::PollFlags::IN)];
                    let timeout = rustix::event::Timespec { tv_sec: LONG.as_secs() as i64, tv_nsec: 0 };
                    rustix::event::poll(&mut fds, Some(&timeout)).unwrap();
                }
                Turn::Idle => {}
            }
        }
        self.heard.pop_front()
    }

    fn text(&mut self) -> String {
        match self.next() {
            Some(Heard::Text(text)) => text,
            other => panic!("{other:?}"),
        }
    }
}

/// A message of home's, some `size` bytes long.
fn words(size: usize) -> FromHome {
    FromHome::Error { code: ErrorCode::BadMessage, message: "x".repeat(size), fatal: false }
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
    let mut home = Home::of(&front);
    assert_eq!(home.peer, page.get_ref().sock.local_addr().unwrap());
    assert_eq!(home.local, front.address());
    assert_eq!(home.text(), "hello");
    assert_eq!(home.text(), "offer");
    assert_eq!(home.socket.say(&words(1), clock::now()), Turn::Idle);
    assert_eq!(page.read().unwrap().to_text().unwrap(), serde_json::to_string(&words(1)).unwrap());
    page.send(Message::text("later")).unwrap();
    assert_eq!(home.text(), "later");
}

#[test]
fn an_open_websocket_outlives_the_gateways_patience_and_the_gateway() {
    let front = front::open_impatient();
    let mut page = open(&front, b"");
    let mut home = Home::of(&front);
    // The gateway has closed this one for being slow: the time is over for the WebSocket too, were it counted.
    let mut slow = client::tcp(front.address());
    assert!(client::closed_silently(&mut slow));
    front.handle.stop();
    page.send(Message::text("still here")).unwrap();
    assert_eq!(home.text(), "still here");
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
    let front = front::open_with(Timeouts::default(), 1);
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
    let mut home = Home::of(&front);
    big(MAX_HELLO, &mut page).unwrap();
    home.longest = MAX_MESSAGE;
    assert_eq!(home.text().len(), MAX_HELLO);
    big(MAX_MESSAGE, &mut page).unwrap();
    assert_eq!(home.text().len(), MAX_MESSAGE);
    // It may fail on the way already: home closes at the frame's head.
    let _ = big(MAX_MESSAGE + 1, &mut page);
    assert_eq!(home.next(), None);

    let mut page = open(&front, b"");
    let mut home = Home::of(&front);
    let _ = big(MAX_HELLO + 1, &mut page);
    assert_eq!(home.next(), None, "anyone who has shown no key says little");
}

#[test]
fn rubbish_in_frames_is_an_error_of_that_socket_only() {
    let front = front::open();
    let other = open(&front, b"");
    let mut other_home = Home::of(&front);
    let unmasked = [0x81, 2, b'h', b'i'];
    let reserved = [0xf1, 0x80, 0, 0, 0, 0];
    let endless = [0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    let not_utf8 = [0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe];
    let fat_ping = [&[0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0][..], &[0; 256]].concat();
    for bytes in [&unmasked[..], &reserved, &endless, &not_utf8, &fat_ping] {
        let _page = open(&front, bytes);
        let mut home = Home::of(&front);
        assert_eq!(home.next(), None, "{bytes:x?}");
    }
    let mut other = other;
    other.send(Message::text("unharmed")).unwrap();
    assert_eq!(other_home.text(), "unharmed");
}

#[test]
fn a_far_end_that_stops_reading_is_still_heard_and_then_given_up() {
    let front = front::open();
    let mut page = open(&front, b"");
    let mut home = Home::of(&front);
    home.longest = MAX_MESSAGE;
    let start = clock::now();
    // More than the kernel takes on the way: from then on it waits here.
    while home.socket.deadline().is_none() {
        assert_eq!(home.socket.say(&words(MAX_MESSAGE / 2), start), Turn::Idle);
        assert!(clock::now() < start + LONG, "the kernel takes all");
    }
    let full = home.socket.deadline().unwrap();
    page.send(Message::text("I still talk")).unwrap();
    assert_eq!(home.text(), "I still talk");
    // What waits has a bound, and so has the wait, however much the far end says.
    let more = (0..100).find(|_| home.socket.say(&words(MAX_MESSAGE / 2), start) == Turn::Closed);
    assert!(more.is_some(), "the buffer has no bound");
    assert_eq!(home.socket.write(full - Duration::from_millis(1)), Turn::Idle);
    assert_eq!(home.socket.write(full), Turn::Closed);
}

#[test]
fn a_far_end_that_reads_slowly_keeps_its_socket() {
    let front = front::open();
    let mut page = open(&front, b"");
    let mut home = Home::of(&front);
    let start = clock::now();
    while home.socket.deadline().is_none() {
        assert_eq!(home.socket.say(&words(MAX_MESSAGE / 2), start), Turn::Idle);
    }
    let first = home.socket.deadline().unwrap();
    // Some of it is read, so that the system takes more; then the wait begins again.
    let until = clock::now() + LONG;
    while home.socket.deadline().is_some_and(|at| at == first) {
        assert!(page.read().unwrap().is_text());
        assert_eq!(home.socket.write(first - Duration::from_secs(1)), Turn::Idle);
        assert!(clock::now() < until, "nothing more was taken");
    }
    assert_eq!(home.socket.write(first), Turn::Idle);
}

#[test]
fn a_goodbye_is_heard_by_whoever_listens_and_ends_without_the_others() {
    let front = front::open();
    let mut page = open(&front, &[frame("hello"), frame("an offer behind it")].concat());
    let mut home = Home::of(&front);
    assert_eq!(home.text(), "hello");
    page.send(Message::text("more that nobody reads any more")).unwrap();
    assert_eq!(home.socket.say(&words(1), clock::now()), Turn::Idle);
    let mut leaving = home.socket.leave(clock::now());
    // The last words arrive although what came in was not read.
    let far = std::thread::spawn(move || {
        assert!(page.read().unwrap().is_text());
        assert!(matches!(page.read().unwrap(), Message::Close(_)));
    });
    let until = clock::now() + LONG;
    while !leaving.advance(leaving.since()) {
        assert!(clock::now() < until, "the far end has closed, and it is not over");
        std::thread::yield_now();
    }
    far.join().unwrap();

    // One that lets everything fill up: nothing more can be said, and it is over at its deadline all the same.
    let _deaf = open(&front, b"");
    let mut home = Home::of(&front);
    let start = clock::now();
    while home.socket.deadline().is_none() {
        home.socket.say(&words(MAX_MESSAGE / 2), start);
    }
    let mut leaving = home.socket.leave(start);
    assert!(!leaving.advance(leaving.deadline() - Duration::from_millis(1)));
    assert!(leaving.advance(leaving.deadline()));

    // One that never closes, and floods instead.
    let page = open(&front, b"");
    let mut leaving = Home::of(&front).socket.leave(clock::now());
    let mut page = page.into_inner().sock;
    let flood = std::thread::spawn(move || while page.write_all(&[0; 4096]).is_ok() {});
    let until = clock::now() + LONG;
    while !leaving.advance(leaving.since()) {
        assert!(clock::now() < until, "it is listened to for ever");
    }
    drop(leaving);
    flood.join().unwrap();
}

#[test]
fn frames_that_make_no_message_keep_nobody_busy() {
    let front = front::open();
    // The beginning of a text, then pieces of nothing for as long as somebody reads.
    let page = open(&front, &[0x01, 0x80, 0, 0, 0, 0]);
    let mut home = Home::of(&front);
    let mut stream = page.into_inner();
    let flood = std::thread::spawn(move || while stream.write_all(&[0x00, 0x80, 0, 0, 0, 0].repeat(2000)).is_ok() {});
    let (mut turns, until) = (0, clock::now() + LONG);
    while turns < 200 {
        home.most = 0;
        assert_eq!(home.turn(clock::now()), Turn::Idle);
        turns += u32::from(home.most > 0);
        assert!(home.most <= 32 * 1024, "{} bytes in a turn", home.most);
        assert!(clock::now() < until, "nothing came");
    }
    assert!(home.heard.is_empty());
    drop(home);
    flood.join().unwrap();
}
