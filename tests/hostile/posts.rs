//! A page's words in a POST, on the connection that brought the page; and everything that is no such POST.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use intercom::shell::clock;
use intercom::shell::gateway::Timeouts;
use intercom::shell::posts::Answer as Words;

use crate::client::{
    Answer, LONG, Tls, ask, browser, get, loopback, parse_answer, read_all, tcp, tcp_from, tls, tls_over,
};
use crate::front::{self, Front, PROXY};

const LINES: &str = "{\"type\":\"hello\"}\n{\"type\":\"offer\"}";
const KEEP: &str = "Connection: keep-alive\r\n";

fn post_as(front: &Front, path: &str, fields: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: {}\r\n{fields}\r\n{body}", front.host())
}

/// As a browser sends it.
fn post(front: &Front, body: &str) -> String {
    let own = format!("Origin: https://{}\r\nSec-Fetch-Site: same-origin\r\n", front.host());
    post_as(front, "/signal", &format!("{KEEP}{own}Content-Length: {}\r\n", body.len()), body)
}

fn page(front: &Front, fields: &str) -> String {
    format!("GET /ca.crt HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", front.host())
}

/// One answer, behind which the connection may stay; none if it is closed instead.
fn next(stream: &mut Tls) -> Option<Answer> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    let head = parse_answer(&bytes);
    let mut body = vec![0; head.field("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    Some(Answer { body, ..head })
}

fn one(stream: &mut Tls) -> Answer {
    next(stream).expect("an answer")
}

/// What home hears next; it answers with these words.
fn home_says(front: &Front, lines: &str, welcome: bool) -> String {
    let post = front.posts.recv_timeout(LONG).unwrap();
    post.reply.answer.try_send(Words { lines: lines.into(), welcome }).unwrap();
    post.reply.wake.wake();
    post.lines
}

#[test]
fn a_post_goes_on_the_connection_of_its_page_and_home_answers_on_it() {
    let front = front::open();
    let mut stream = tls(&front);
    stream.write_all(page(&front, KEEP).as_bytes()).unwrap();
    let got = one(&mut stream);
    assert_eq!((got.status, got.field("connection")), (200, Some("keep-alive")));
    for _ in 0..2 {
        stream.write_all(post(&front, LINES).as_bytes()).unwrap();
        assert_eq!(home_says(&front, "welcome\nanswer", true), LINES);
        let said = one(&mut stream);
        assert_eq!((said.status, said.body.as_slice()), (200, &b"welcome\nanswer"[..]));
        assert_eq!((said.field("connection"), said.field("cache-control")), (Some("keep-alive"), Some("no-store")));
        assert!(said.field("content-security-policy").is_some());
    }
    stream.write_all(page(&front, KEEP).as_bytes()).unwrap();
    let last = parse_answer(&read_all(&mut stream));
    assert_eq!((last.status, last.field("connection")), (200, Some("close")), "four are enough");
}

/// The picture comes over the same path. Too fast would be the mistake, so a busy machine changes nothing.
#[test]
fn over_a_thin_path_what_comes_behind_the_picture_takes_a_third_of_it() {
    let front = front::open();
    let wish = part(&front);
    let mut stream = tls(&front);
    tell(&front, &mut stream, 1200, true);
    let begun = clock::now();
    stream.write_all(wish.as_bytes()).unwrap();
    let got = one(&mut stream);
    assert_slow(&got, begun.elapsed());
    assert_eq!(got.body, ask(&front, wish.replace(KEEP, "")).body, "and is whole");
}

/// A browser asks over several connections.
#[test]
fn all_connections_of_a_thin_paths_page_share_that() {
    let front = front::open();
    let wish = part(&front);
    tell(&front, &mut tls(&front), 1200, true);
    let begun = clock::now();
    let mut others = [0, 1].map(|_| tls(&front));
    others.iter_mut().for_each(|stream| stream.write_all(wish.as_bytes()).unwrap());
    let [first, second] = others.map(|mut stream| one(&mut stream));
    assert_eq!(first.body, second.body);
    assert_slow(&first, begun.elapsed() / 2);
}

/// Over the thinnest of paths a part takes seconds. The document stands in front of the next picture, and whoever home does not know
/// shall slow nobody at the same address.
#[test]
fn the_document_waits_for_no_part_and_nobody_for_a_strangers_path() {
    let front = front::open();
    let wish = part(&front);
    let slowly = Duration::from_secs(5);
    tell(&front, &mut tls(&front), 1, false);
    let begun = clock::now();
    ask(&front, wish.replace(KEEP, ""));
    assert!(begun.elapsed() < slowly, "a stranger's path is everybody's");

    tell(&front, &mut tls(&front), 1, true);
    let mut behind = tls(&front);
    behind.write_all(wish.as_bytes()).unwrap();
    behind.read_exact(&mut [0; 4000]).unwrap();
    let begun = clock::now();
    for _ in 0..4 {
        assert_eq!(get(&front, "/").status, 200);
    }
    assert!(begun.elapsed() < slowly, "the document waits behind a part");
    // A page that came fast is on another path.
    tell(&front, &mut tls(&front), 9000, true);
    let begun = clock::now();
    ask(&front, wish.replace(KEEP, ""));
    assert!(begun.elapsed() < slowly, "the old path's pace");
}

/// A wish for the largest part of the page.
fn part(front: &Front) -> String {
    let document = String::from_utf8(get(front, "/").body).unwrap();
    let rest = document.split("<meta name=\"part\" content=\"").nth(1).and_then(|rest| rest.split_once('"')).unwrap().0;
    format!("GET {rest} HTTP/1.1\r\nHost: {}\r\n{KEEP}Accept-Encoding: gzip\r\n\r\n", front.host())
}

/// Says that the page came at so much; home welcomes it or not.
fn tell(front: &Front, stream: &mut Tls, kbps: u32, welcome: bool) {
    stream.write_all(post(front, &format!("{{\"type\":\"offer\",\"kbps\":{kbps}}}")).as_bytes()).unwrap();
    home_says(front, "answer", welcome);
    assert_eq!(one(stream).body, b"answer");
}

/// It took as long as at a third of 1200 kbit/s, but for what goes at once.
fn assert_slow(part: &Answer, took: Duration) {
    let least = Duration::from_secs_f64((part.body.len() as f64 - 7000.0) / 50_000.0);
    assert!(least > Duration::from_millis(400) && took > least, "{took:?} for {} bytes", part.body.len());
}

#[test]
fn a_fifth_request_is_not_answered() {
    let front = front::open();
    let mut stream = tls(&front);
    for n in 1..=4 {
        stream.write_all(page(&front, KEEP).as_bytes()).unwrap();
        assert_eq!(one(&mut stream).field("connection"), Some(if n < 4 { "keep-alive" } else { "close" }));
    }
    let _closed = stream.write_all(page(&front, KEEP).as_bytes());
    let mut rest = Vec::new();
    let _reset = stream.read_to_end(&mut rest);
    assert_eq!(rest, b"");
}

#[test]
fn a_connection_stays_only_for_who_asks_for_it_and_comes_directly() {
    let front = front::open();
    let host = front.host();
    for (request, from) in [
        (page(&front, ""), loopback(1)),
        (page(&front, "Connection: keep-alive, close\r\n"), loopback(2)),
        (format!("GET /ca.crt HTTP/1.0\r\nHost: {host}\r\n{KEEP}\r\n"), loopback(3)),
        // Whoever speaks through a proxy next may be somebody else.
        (page(&front, &format!("{KEEP}Via: 1.1 proxy\r\n")), loopback(4)),
        (page(&front, &format!("{KEEP}X-Forwarded-For: 203.0.113.7\r\n")), loopback(5)),
        (page(&front, &format!("{KEEP}X-Forwarded-For: 203.0.113.7\r\n")), PROXY),
        (page(&front, KEEP), PROXY),
    ] {
        let mut stream = tls_over(tcp_from(from, front.address()), &browser(&front));
        stream.write_all(request.as_bytes()).unwrap();
        let got = parse_answer(&read_all(&mut stream));
        assert_eq!((got.status, got.field("connection")), (200, Some("close")), "{request}");
    }
}

#[test]
fn what_is_no_post_of_homes_own_page_is_refused_and_home_hears_nothing() {
    let front = front::open();
    let host = front.host();
    let length = format!("Content-Length: {}\r\n", LINES.len());
    let own = format!("Origin: https://{host}\r\n");
    for (fields, status) in [
        (format!("Origin: https://evil.example\r\n{length}"), 403),
        (format!("Origin: null\r\n{length}"), 403),
        (format!("{own}Sec-Fetch-Site: cross-site\r\n{length}"), 403),
        (format!("{own}{own}{length}"), 400),
        (own.clone(), 411),
        (format!("{own}{length}{length}"), 400),
        (format!("{own}Content-Length: 0\r\n"), 400),
        (format!("{own}Content-Length: -1\r\n"), 400),
        (format!("{own}Content-Length: +5\r\n"), 400),
        (format!("{own}Content-Length: 5, 5\r\n"), 400),
        (format!("{own}Content-Length: 0x5\r\n"), 400),
        (format!("{own}Content-Length: 65537\r\n"), 413),
        (format!("{own}Content-Length: 99999999999999999999999999\r\n"), 413),
        (format!("{own}Transfer-Encoding: chunked\r\n"), 400),
        (format!("{own}Transfer-Encoding: chunked\r\n{length}"), 400),
    ] {
        let refused = ask(&front, post_as(&front, "/signal", &fields, LINES));
        assert_eq!((refused.status, refused.field("connection")), (status, Some("close")), "{fields}");
    }
    for path in ["/", "/signal/", "/signals", "/device", "/origin?https%3A%2F%2Fa", "/%23k=abc_DEF-1234567890xyzQ"] {
        let refused = ask(&front, post_as(&front, path, &format!("{own}{length}"), LINES));
        assert_eq!(refused.status, 405, "{path}");
    }
    let mut raw = post(&front, "1234").into_bytes();
    let end = raw.len();
    raw[end - 4..].copy_from_slice(b"\xff\xfe\0\0");
    assert_eq!(ask(&front, raw).status, 400, "no text");
    let mut plain = tcp(front.address());
    plain.write_all(post(&front, LINES).as_bytes()).unwrap();
    assert_eq!(parse_answer(&read_all(&mut plain)).status, 308, "nothing is said without TLS");
    let preflight = format!("OPTIONS /signal HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\n\r\n");
    assert_eq!(ask(&front, preflight).status, 405);
    assert!(front.posts.is_empty() && front.sockets.is_empty());
}

#[test]
fn the_longest_post_gets_through_whole_in_any_pieces() {
    let front = front::open();
    let body = "x".repeat(64 * 1024);
    for piece in [1000, 16 * 1024, usize::MAX] {
        let mut stream = tls(&front);
        let request = post(&front, &body).into_bytes();
        for part in request.chunks(piece.min(request.len())) {
            stream.write_all(part).unwrap();
        }
        assert_eq!(home_says(&front, "yes", false), body);
        let said = parse_answer(&read_all(&mut stream));
        assert_eq!((said.status, said.body.as_slice()), (200, &b"yes"[..]));
        assert_eq!(said.field("connection"), Some("close"), "a stranger gets one answer a connection");
    }
}

#[test]
fn of_pipelined_requests_only_the_first_is_answered_also_where_the_connection_might_stay() {
    let front = front::open();
    let mut stream = tls(&front);
    stream.write_all((page(&front, KEEP) + &post(&front, LINES)).as_bytes()).unwrap();
    let bytes = read_all(&mut stream);
    assert_eq!(parse_answer(&bytes).field("connection"), Some("close"));
    assert!(front.posts.is_empty());

    let mut stream = tls(&front);
    stream.write_all((post(&front, LINES) + &page(&front, KEEP)).as_bytes()).unwrap();
    assert_eq!(home_says(&front, "yes", true), LINES);
    let bytes = read_all(&mut stream);
    let said = parse_answer(&bytes);
    assert_eq!((said.body.as_slice(), said.field("connection")), (&b"yes"[..], Some("close")), "and nothing behind it");
}

#[test]
fn a_slow_body_a_home_without_words_and_a_page_that_asks_no_more_have_a_deadline() {
    let front = front::open_impatient();
    let request = post(&front, LINES);
    let mut slow = tls(&front);
    slow.write_all(&request.as_bytes()[..request.len() - 1]).unwrap();
    assert_eq!(parse_answer(&read_all(&mut slow)).status, 408);
    assert!(front.posts.is_empty());

    let mut unheard = tls(&front);
    unheard.write_all(request.as_bytes()).unwrap();
    assert_eq!(parse_answer(&read_all(&mut unheard)).status, 503);
    let late = front.posts.recv_timeout(LONG).unwrap();
    assert!(late.reply.answer.try_send(Words::default()).is_err(), "nobody is there");

    let mut refused = tls(&front);
    refused.write_all(request.as_bytes()).unwrap();
    let post = front.posts.recv_timeout(LONG).unwrap();
    drop(post.reply.answer);
    post.reply.wake.wake();
    assert_eq!(parse_answer(&read_all(&mut refused)).status, 503, "whom home closes without a word");

    let mut idle = tls(&front);
    idle.write_all(page(&front, KEEP).as_bytes()).unwrap();
    assert_eq!(one(&mut idle).field("connection"), Some("keep-alive"));
    assert_eq!(read_all(&mut idle), b"", "an orderly end");
}

#[test]
fn a_home_that_is_behind_with_posts_says_so() {
    let front = front::open_with(Timeouts::default(), 1);
    let mut first = tls(&front);
    first.write_all(post(&front, LINES).as_bytes()).unwrap();
    while front.posts.is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    let second = ask(&front, post(&front, LINES));
    assert_eq!((second.status, second.field("retry-after")), (503, Some("1")));
    assert_eq!(get(&front, "/ca.crt").status, 200, "pages are another matter");
    home_says(&front, "yes", true);
    assert_eq!(one(&mut first).body, b"yes");
}

#[test]
fn further_requests_cost_as_much_as_connections() {
    let front = front::open();
    let config = browser(&front);
    let mut answered = 0;
    'all: for _ in 0..200 {
        let mut stream = tls_over(tcp_from(loopback(77), front.address()), &config);
        for _ in 0..4 {
            let asked = stream.write_all(page(&front, KEEP).as_bytes()).is_ok();
            if !asked || next(&mut stream).is_none() {
                break 'all;
            }
            answered += 1;
        }
    }
    assert!((200..800).contains(&answered), "256, and 20 a second: {answered}");
    assert_eq!(get(&front, "/ca.crt").status, 200, "a neighbour pays nothing");
}
