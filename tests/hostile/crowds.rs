//! Many strangers, and slow ones, while somebody wants in.

use std::io::Write;
use std::net::TcpStream;

use crate::client::{answer, browser, closed_silently, get, loopback, tcp, tcp_from, tls, tls_over};
use crate::front;

#[test]
fn two_hundred_half_open_connections_do_not_keep_a_visitor_out() {
    let front = front::open();
    let config = browser(&front);
    let mut half_open: Vec<TcpStream> = Vec::new();
    let mut in_head = Vec::new();
    for n in 0..200u32 {
        match n % 4 {
            // Nothing; half a ClientHello; half a plain head; TLS and half a head.
            0 => half_open.push(tcp_from(loopback(n / 10), front.address())),
            1 => {
                let mut stream = tcp_from(loopback(n / 10), front.address());
                stream.write_all(&[0x16, 3, 1, 2, 0, 1, 0]).unwrap();
                half_open.push(stream);
            }
            2 => {
                let mut stream = tcp_from(loopback(n / 10), front.address());
                stream.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
                half_open.push(stream);
            }
            _ => {
                let mut stream = tls_over(tcp_from(loopback(n / 10), front.address()), &config);
                stream.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
                in_head.push(stream);
            }
        }
        if n % 20 == 0 {
            assert_eq!(get(&front, "/ca.crt").status, 200);
        }
    }
    assert_eq!(get(&front, "/ca.crt").status, 200);
}

#[test]
fn more_connections_than_there_is_room_for_do_not_keep_a_visitor_out() {
    let front = front::open();
    let mut oldest = tcp_from(loopback(1), front.address());
    let _many: Vec<TcpStream> = (2..400).map(|n| tcp_from(loopback(n), front.address())).collect();
    assert_eq!(get(&front, "/ca.crt").status, 200);
    assert!(closed_silently(&mut oldest), "the oldest made room");
}

#[test]
fn one_address_can_only_push_out_its_own() {
    let front = front::open();
    let mut neighbour = tls_over(tcp_from(loopback(9), front.address()), &browser(&front));
    neighbour.write_all(b"GET /ca.crt HTTP/1.1\r\n").unwrap();
    let mut first = tcp(front.address());
    let many: Vec<TcpStream> = (0..100).map(|_| tcp(front.address())).collect();
    assert!(closed_silently(&mut first));
    assert_eq!(get(&front, "/ca.crt").status, 200, "the newcomer of the same address");
    write!(neighbour, "Host: {}\r\n\r\n", front.host()).unwrap();
    assert_eq!(answer(&mut neighbour).status, 200, "the neighbour");
    drop(many);
}

#[test]
fn slow_ones_are_shut_out_at_every_stage() {
    let front = front::open_impatient();
    let mut silent = tcp(front.address());
    let mut half_hello = tcp(front.address());
    half_hello.write_all(&[0x16, 3, 1, 2, 0, 1]).unwrap();
    let mut half_head = tcp(front.address());
    half_head.write_all(b"GET / HT").unwrap();
    assert!(closed_silently(&mut silent));
    assert!(closed_silently(&mut half_hello));
    assert_eq!(answer(&mut half_head).status, 408);

    let mut slow = tls(&front);
    slow.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX: ").unwrap();
    // Drips for as long as it is listened to.
    slow.sock.set_read_timeout(Some(std::time::Duration::from_millis(20))).unwrap();
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 1024];
        match std::io::Read::read(&mut slow, &mut chunk) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                // What is dripped after the end may meet a closed socket.
                if slow.write_all(b"x").is_err() {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    assert!(bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&bytes));
    assert_eq!(get(&front, "/ca.crt").status, 200);
}

#[test]
fn those_who_do_not_read_their_answer_hold_up_nobody() {
    let front = front::open();
    let config = browser(&front);
    let mut deaf = Vec::new();
    for n in 0..40 {
        let mut stream = tls_over(tcp_from(loopback(n), front.address()), &config);
        write!(stream, "GET /ca.crt HTTP/1.1\r\nHost: {}\r\n\r\n", front.host()).unwrap();
        stream.flush().unwrap();
        deaf.push(stream);
    }
    assert_eq!(get(&front, "/ca.crt").status, 200);
    for mut stream in deaf {
        assert_eq!(answer(&mut stream).status, 200, "and they still get it");
    }
}
