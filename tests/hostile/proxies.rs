//! A reverse proxy in front of home: it is believed for whom it asks, and nobody else is.

use std::io::{Read, Write};
use std::net::IpAddr;

use crate::client::{self, Answer, LONG, browser, get, loopback, tcp_from, tls_over};
use crate::front::{self, Front, PROXY};

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
    // Without TLS, so that a slow machine asks faster than the share grows.
    let plain = |fields: &str| {
        let mut stream = tcp_from(PROXY, front.address());
        let _closed = write!(stream, "GET / HTTP/1.1\r\nHost: home.example\r\n{fields}\r\n");
        let mut answer = Vec::new();
        let _closed = stream.read_to_end(&mut answer);
        answer.starts_with(b"HTTP/1.1 ")
    };
    let exhausted = |fields: &str| (0..900).any(|_| !plain(fields));
    assert!(exhausted("X-Forwarded-For: 203.0.113.7\r\n"), "it is given its share and no more");
    assert_eq!(page("203.0.113.8"), Some(200), "its neighbour");
    assert_eq!(get(&front, "/ca.crt").status, 200, "and whoever comes without the proxy");
}

#[test]
fn who_poses_as_another_behind_the_proxy_takes_nothing_of_theirs() {
    let front = front::open();
    let asks = |fields: &str| {
        let mut stream = tcp_from(PROXY, front.address());
        let _closed = write!(stream, "GET / HTTP/1.1\r\nHost: home.example\r\n{fields}\r\n");
        let mut answer = Vec::new();
        let _closed = stream.read_to_end(&mut answer);
        answer.starts_with(b"HTTP/1.1 ")
    };
    let posing = "X-Forwarded-For: 198.51.100.9\r\nForwarded: for=203.0.113.7\r\n";
    assert!((0..450).any(|_| !asks(posing)), "nobody asks without a limit");
    assert!((0..450).any(|_| !asks("Content-Length: 5\r\n")), "nor what is no request");
    assert!(asks("X-Forwarded-For: 203.0.113.7\r\n"), "whom they named");
}

#[test]
fn one_client_behind_the_proxy_has_no_more_connections_than_one_before_it() {
    let front = front::open();
    let config = browser(&front);
    // Their answers are on the way, and they read none.
    let _many: Vec<_> = (0..80)
        .map(|n| {
            let mut stream = tls_over(tcp_from(PROXY, front.address()), &config);
            let _closed = write!(
                stream,
                "GET /index.html HTTP/1.1\r\nHost: home.example\r\nX-Forwarded-For: 203.0.113.{}\r\n\r\n",
                n % 2
            );
            stream
        })
        .collect();
    let request = "GET /ca.crt HTTP/1.1\r\nHost: home.example\r\nX-Forwarded-For: 203.0.113.8\r\n\r\n";
    assert_eq!(answered(&front, PROXY, request).map(|answer| answer.status), Some(200));
}

#[test]
fn a_page_is_told_whether_its_socket_would_be_refused() {
    let front = front::open();
    let asks = |origin: &str| get(&front, &format!("/origin?{origin}")).status;
    let own = format!("https%3A%2F%2F127.0.0.1%3A{}", front.address().port());
    assert_eq!((asks(&own), asks("https%3A%2F%2Fhome.example"), asks("")), (204, 403, 403));
}
