//! A reverse proxy in front of home: it is believed for whom it asks, and nobody else is.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};

use intercom::shell::gateway::Timeouts;

use crate::client::{self, Answer, LONG, browser, get, loopback, tcp_from, tls_over};
use crate::front::{self, Front, PROXY};
use crate::wait;

/// What nginx asks for a page of `https://home.example`, unless it is told to pass `Host` on.
fn websocket(front: &Front, fields: &str) -> String {
    format!(
        "GET /signal HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://home.example\r\n{fields}\r\n",
        front.host()
    )
}

/// The head of the answer to a request from this address; `None` if the connection was closed instead.
fn answered(front: &Front, from: IpAddr, request: &str) -> Option<Answer> {
    let mut stream = tls_over(tcp_from(from, front.address()), &browser(front));
    let mut head = Vec::new();
    stream.write_all(request.as_bytes()).ok()?;
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    Some(client::parse_answer(&head))
}

/// Asks through the proxy without TLS, so that a slow machine asks faster than a share grows. The connection behind its answer;
/// `None` if it was closed without one.
fn plain(front: &Front, fields: &str) -> Option<TcpStream> {
    let mut stream = tcp_from(PROXY, front.address());
    let _closed = write!(stream, "GET / HTTP/1.1\r\nHost: home.example\r\n{fields}\r\n");
    let mut answer = Vec::new();
    let _closed = stream.read_to_end(&mut answer);
    answer.starts_with(b"HTTP/1.1 ").then_some(stream)
}

#[test]
fn the_proxy_tells_who_visits_and_what_they_asked_for() {
    let front = front::open();
    for fields in [
        "X-Forwarded-Host: home.example\r\nX-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n",
        "Forwarded: for=198.51.100.1, for=203.0.113.7;host=home.example;proto=https\r\n",
    ] {
        let answer = answered(&front, PROXY, &websocket(&front, fields)).expect("an answer");
        assert_eq!(answer.status, 101, "{fields}");
        let open = front.sockets.recv_timeout(LONG).unwrap();
        assert_eq!(open.peer.ip().to_string(), "203.0.113.7", "{fields}");
        let stranger = answered(&front, loopback(5), &websocket(&front, fields)).expect("an answer");
        assert_eq!(stranger.status, 403, "anyone can write that: {fields}");
    }
    let silent = websocket(&front, "X-Forwarded-For: 203.0.113.7\r\n");
    assert_eq!(answered(&front, PROXY, &silent).expect("an answer").status, 403, "Host is lost");
    assert!(front.sockets.is_empty());
}

#[test]
fn one_client_behind_the_proxy_cannot_keep_another_out() {
    let front = front::open();
    let page = |client: &str| {
        let request = format!("GET /ca.crt HTTP/1.1\r\nHost: home.example\r\nX-Forwarded-For: {client}\r\n\r\n");
        answered(&front, PROXY, &request).map(|answer| answer.status)
    };
    assert_eq!(page("203.0.113.7"), Some(200));
    let again = "X-Forwarded-For: 203.0.113.7\r\n";
    let refused = (0..2000).filter(|_| plain(&front, again).is_none()).count();
    assert!(refused > 200, "it is given its share and no more");
    assert_eq!(page("203.0.113.8"), Some(200), "its neighbour");
    assert_eq!(get(&front, "/ca.crt").status, 200, "and whoever comes without the proxy");
}

#[test]
fn who_poses_as_another_behind_the_proxy_takes_nothing_of_theirs() {
    let front = front::open();
    let asks = |fields: &str| plain(&front, fields).is_some();
    let posing = "X-Forwarded-For: 198.51.100.9\r\nForwarded: for=203.0.113.7\r\n";
    assert!((0..450).any(|_| !asks(posing)), "nobody asks without a limit");
    assert!((0..450).any(|_| !asks("Content-Length: 5\r\n")), "nor what is no request");
    assert!((0..450).any(|_| !asks(&format!("A: {}\r\n", "b".repeat(40_000)))), "nor what has no end");
    assert!(asks("X-Forwarded-For: 203.0.113.7\r\n"), "whom they named");
}

#[test]
fn one_client_behind_the_proxy_has_no_more_connections_than_one_before_it() {
    // Answered, and their far end does not close: they stay for longer than this test waits.
    let front = front::open_with(Timeouts { linger: LONG * 20, ..Timeouts::default() }, 16);
    let ask = |client: &str| plain(&front, &format!("X-Forwarded-For: {client}\r\n")).expect("an answer");
    let mut neighbour = ask("203.0.113.8");
    let mut many: Vec<TcpStream> = (0..40).map(|_| ask("203.0.113.7")).collect();
    // Whoever writes to a connection that is gone is told so with the next one.
    let is_there = |stream: &mut TcpStream| stream.write_all(b"x").and_then(|()| stream.write_all(b"x")).is_ok();
    wait("one client's oldest are closed", LONG, || {
        many.retain_mut(is_there);
        (many.len() <= 32).then_some(())
    });
    assert!(many.len() > 16 && is_there(&mut neighbour), "{} are left", many.len());
}

#[test]
fn who_asks_nonsense_through_the_proxy_takes_no_connection_of_the_others() {
    let front = front::open_with(Timeouts { linger: LONG * 20, ..Timeouts::default() }, 16);
    let is_there = |stream: &mut TcpStream| {
        stream.set_nonblocking(true).expect("non-blocking");
        stream.peek(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    let mut silent: Vec<TcpStream> = (0..100).map(|_| tcp_from(PROXY, front.address())).collect();
    for _ in 0..3 {
        plain(&front, "Content-Length: 5\r\n").expect("an answer");
    }
    silent.retain_mut(is_there);
    assert_eq!(silent.len(), 100, "they have not said yet for whom they ask");
    silent.extend((0..60).map(|_| tcp_from(PROXY, front.address())));
    wait("the oldest are closed", LONG, || {
        silent.retain_mut(is_there);
        (silent.len() <= 128).then_some(())
    });
    assert!(silent.len() > 100, "{} are left", silent.len());
}

#[test]
fn a_page_is_told_whether_its_socket_would_be_refused() {
    let front = front::open();
    let asks = |origin: &str| get(&front, &format!("/origin?{origin}")).status;
    let own = format!("https%3A%2F%2F127.0.0.1%3A{}", front.address().port());
    assert_eq!((asks(&own), asks("https%3A%2F%2Fhome.example"), asks("")), (204, 403, 403));
}
