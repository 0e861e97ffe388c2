//! Pages, redirects, and requests that are not ones.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use intercom::shell::clock;
use intercom::shell::gateway::Timeouts;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use sha2::{Digest, Sha256};

use crate::client::{
    LONG, answer, ask, browser, closed_silently, get, loopback, parse_answer, read_all, tcp, tcp_from, tls, tls_over,
    trusting_any,
};
use crate::front;

#[test]
fn a_page_comes_with_strict_fields_and_can_be_had_as_head_and_not_modified() {
    let front = front::open();
    let page = get(&front, "/ca.crt");
    assert_eq!(page.status, 200);
    assert_eq!(page.field("content-type"), Some("application/x-x509-ca-cert"));
    assert_eq!(page.body, front.certificates.authority().unwrap().as_ref());
    let policy = page.field("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("http"));
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-cache"),
        ("connection", "close"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(page.field(name), Some(value), "{name}");
    }
    assert!(page.field("permissions-policy").unwrap().contains("camera=(self)"));
    assert_eq!((page.field("server"), page.field("strict-transport-security")), (None, None));

    let host = front.host();
    let head = ask(&front, format!("HEAD /ca.crt HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.field("content-length"), page.field("content-length"));
    let tag = page.field("etag").unwrap();
    let again = ask(&front, format!("GET /ca.crt HTTP/1.1\r\nHost: {host}\r\nIf-None-Match: {tag}\r\n\r\n"));
    assert_eq!((again.status, again.body.len(), again.field("etag")), (304, 0, Some(tag)));
}

#[test]
fn the_start_page_is_there_and_nothing_beside_the_pages_is() {
    let front = front::open();
    let page = get(&front, "/?from=home");
    assert_eq!((page.status, page.field("content-type")), (200, Some("text/html; charset=utf-8")));
    for path in ["/nothing", "/../ca.key", "/%2e%2e/ca.key", "//ca.crt", "/ca.crt/", "/ca.key", "/keys.toml"] {
        let missing = get(&front, path);
        assert_eq!((missing.status, missing.body.as_slice()), (404, &b"404 Not Found\n"[..]), "{path}");
    }
}

/// Scripts and styles that stand in a page.
fn counts(path: &str) -> [(&'static str, usize); 2] {
    let (scripts, styles) = if path == "/" { (2, 1) } else { (1, 2) };
    [("script", scripts), ("style", styles)]
}

#[test]
fn a_page_runs_the_scripts_that_stand_in_it_and_its_policy_lets_no_other_run() {
    let front = front::open();
    for path in ["/", "/trust.html"] {
        let page = get(&front, path);
        let text = String::from_utf8(page.body.clone()).unwrap();
        let policy = page.field("content-security-policy").unwrap();
        for (tag, count) in counts(path) {
            let bodies: Vec<&str> = text
                .split(&format!("<{tag}>"))
                .skip(1)
                .map(|rest| rest.split_once(&format!("</{tag}>")).expect("an end").0)
                .collect();
            assert_eq!(bodies.len(), count, "{path}: {tag}");
            for body in bodies {
                let hash = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(body)));
                let list = policy.split("; ").find_map(|part| part.strip_prefix(&format!("{tag}-src "))).unwrap();
                assert!(list.split(' ').any(|source| source == hash), "{path}: {tag}");
                // The page's parts are scripts of home's own.
                let known = |source: &str| source.starts_with("'sha256-") || (tag == "script" && source == "'self'");
                assert!(list.split(' ').all(known), "{list}");
            }
        }
        assert!(!text.contains(" src=\"/first.js") && get(&front, "/first.js").status == 404, "it is whole");
    }
}

/// What the document asks for behind the picture: the paths that it names.
fn parts(document: &str) -> Vec<&str> {
    let rest = document.split("<meta name=\"part\" content=\"").skip(1);
    rest.map(|rest| rest.split_once('"').expect("an end").0).collect()
}

#[test]
fn what_comes_behind_the_picture_stands_beside_the_document_and_may_be_kept() {
    let front = front::open();
    let page = get(&front, "/");
    let policy = page.field("content-security-policy").unwrap().to_owned();
    let document = String::from_utf8(page.body).unwrap();
    let parts = parts(&document);
    assert_eq!(parts.len(), 2, "{parts:?}");
    for path in parts {
        let part = get(&front, path);
        assert_eq!((part.status, part.field("content-type")), (200, Some("text/javascript; charset=utf-8")), "{path}");
        assert_eq!(part.field("cache-control"), Some("max-age=31536000, immutable"));
        let hash = Sha256::digest(&part.body).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
        assert!(path.ends_with(&format!("-{hash}.js")), "{path} is named by what is in it: {hash}");
        assert_eq!(get(&front, &format!("{path}?1")).body, part.body, "asked for again");
        // `$parts.place("rest", "STYLE", …`: its style runs by its hash, too.
        let text = String::from_utf8(part.body).unwrap();
        let strings = text.split_once(".place(\"").and_then(|(_, rest)| rest.split_once(", ")).expect("a style").1;
        let style = serde_json::Deserializer::from_str(strings).into_iter::<String>().next().unwrap().unwrap();
        let hash = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(style)));
        assert!(policy.contains(&hash), "{path}");
    }
    let other = document.split("/rest-").nth(1).unwrap().replace(|c: char| c.is_ascii_digit(), "f");
    let missing = get(&front, &format!("/rest-{}", &other[..other.find('"').unwrap()]));
    assert_eq!((missing.status, missing.field("cache-control")), (404, Some("no-store")), "of another version");
}

/// TCP sends some 14 kB at once before it waits for the far end; the head of the answer is a part of that.
#[test]
fn the_document_is_small_and_has_nothing_that_only_owners_read() {
    const LIMIT: usize = 12 * 1024;
    let front = front::open();
    let with = |fields: &str| ask(&front, format!("GET / HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", front.host()));
    let short = with("Accept-Encoding: gzip\r\n").body.len();
    assert!(short <= LIMIT, "{short} bytes stand between the link and home's picture");
    let document = String::from_utf8(with("").body).unwrap();
    for words in ["id=\"people\"", "people-open", "Quiet hours", "Invite", "$visit", "$people", "id=\"dock\""] {
        assert!(!document.contains(words), "{words}");
    }
}

#[test]
fn a_browser_that_takes_gzip_gets_the_same_page_shorter_and_under_another_tag() {
    let front = front::open();
    let host = front.host();
    let with = |fields: &str| ask(&front, format!("GET / HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n"));
    let (plain, short) = (with(""), with("Accept-Encoding: gzip, deflate, br\r\n"));
    assert_eq!((plain.field("content-encoding"), short.field("content-encoding")), (None, Some("gzip")));
    assert!(short.body.len() * 2 < plain.body.len(), "{} of {}", short.body.len(), plain.body.len());
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(short.body.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == plain.body);
    let [tag, other] = [&short, &plain].map(|page| page.field("etag").unwrap());
    assert_ne!(tag, other);
    let again = with(&format!("Accept-Encoding: gzip\r\nIf-None-Match: {tag}\r\n"));
    assert_eq!((again.status, again.body.len(), again.field("vary")), (304, 0, Some("Accept-Encoding")));
    assert_eq!(with(&format!("If-None-Match: {tag}\r\n")).status, 200, "what it has is not what it would get");
}

#[test]
fn plain_http_is_sent_to_tls_on_the_same_port() {
    let front = front::open();
    let host = front.host();
    let mut stream = tcp(front.address());
    write!(stream, "GET /a?b=c HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let redirect = answer(&mut stream);
    assert_eq!(redirect.status, 308);
    assert_eq!(redirect.field("location"), Some(format!("https://{host}/a?b=c").as_str()));
    let mut stream = tcp(front.address());
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nHost: evil\r\n\r\n").unwrap();
    assert_eq!(answer(&mut stream).status, 400);
}

#[test]
fn a_link_whose_mark_was_escaped_leads_to_the_page() {
    let front = front::open();
    let host = front.host();
    let key = "AQEBAQEBAQEBAQEBAQEBAQ";
    let secure = get(&front, &format!("/%23k={key}."));
    assert_eq!((secure.status, secure.field("location")), (308, Some(format!("/#k={key}").as_str())));
    assert_eq!(secure.field("cache-control"), Some("no-store"));
    let mut stream = tcp(front.address());
    write!(stream, "GET /%23p={key} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let plain = answer(&mut stream);
    assert_eq!((plain.status, plain.field("location")), (308, Some(format!("https://{host}/#p={key}").as_str())));
    assert_eq!(get(&front, &format!("/%23k={key}x")).status, 404);
}

#[test]
fn cookies_of_other_services_at_the_same_address_keep_nobody_out() {
    let front = front::open();
    let cookies = format!("Cookie: {}\r\n", "session=abcdefghijklmnop; ".repeat(1100));
    assert!(cookies.len() > 28_000);
    let page = ask(&front, format!("GET / HTTP/1.1\r\nHost: {}\r\n{cookies}\r\n", front.host()));
    assert_eq!(page.status, 200);
}

#[test]
fn ipv6_is_served_too() {
    let front = front::open();
    let Ok(stream) = std::net::TcpStream::connect((std::net::Ipv6Addr::LOCALHOST, front.handle.port())) else {
        return; // A machine without IPv6 has no ::1 to come from.
    };
    let mut stream = tls_over(stream, &browser(&front));
    write!(stream, "GET /ca.crt HTTP/1.1\r\nHost: [::1]:{}\r\n\r\n", front.handle.port()).unwrap();
    assert_eq!(answer(&mut stream).status, 200);
}

#[test]
fn bad_requests_are_answered_with_their_number_and_the_connection_ends() {
    let front = front::open();
    let host = front.host();
    let many = "A: b\r\n".repeat(65);
    let fat = format!("A: {}\r\n", "b".repeat(40_000));
    let long = "x".repeat(1100);
    let endless = "x".repeat(40_000);
    for (request, status) in [
        (format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\n\r\nabc"), 405),
        (format!("GET / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\n\r\nabc"), 400),
        (format!("GET / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400),
        ("GET / HTTP/1.1\r\n\r\n".into(), 400),
        (format!("GET / HTTP/1.1\r\nHost: {host}\r\n{many}\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: {host}\r\n{fat}\r\n"), 431),
        (format!("GET /{long} HTTP/1.1\r\nHost: {host}\r\n\r\n"), 414),
        (format!("GET /{endless}"), 414),
        (format!("GET / HTTP/3.0\r\nHost: {host}\r\n\r\n"), 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 505),
        (format!("GET https://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\nHost: {host}\n\r\n\r\n"), 400),
        ("\r\n\r\n".into(), 400),
        ("\0\u{1}\u{2}\r\n\r\n".into(), 400),
    ] {
        let refused = ask(&front, &request);
        assert_eq!(refused.status, status, "{:?}", &request[..request.len().min(60)]);
        assert_eq!(refused.field("connection"), Some("close"));
    }
    assert_eq!(ask(&front, format!("DELETE / HTTP/1.1\r\nHost: {host}\r\n\r\n")).field("allow"), Some("GET, HEAD"));
    assert_eq!(get(&front, "/ca.crt").status, 200);
}

#[test]
fn of_pipelined_requests_only_the_first_is_answered() {
    let front = front::open();
    let host = front.host();
    let mut stream = tls(&front);
    let request = format!("GET /ca.crt HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.repeat(20).as_bytes()).unwrap();
    let bytes = read_all(&mut stream);
    let page = parse_answer(&bytes);
    assert_eq!(page.field("content-length"), Some(page.body.len().to_string().as_str()));
    assert_eq!(bytes.windows(8).filter(|eight| eight == b"HTTP/1.1").count(), 1);
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let front = front::open();
    let mut stream = tls(&front);
    for byte in format!("GET /ca.crt HTTP/1.1\r\nHost: {}\r\n\r\n", front.host()).bytes() {
        stream.write_all(&[byte]).unwrap();
        stream.flush().unwrap();
    }
    assert_eq!(answer(&mut stream).status, 200);
}

/// The disk is a pipe here: who reads the stored certificate waits until somebody writes, and finds nothing.
#[test]
fn what_the_disk_took_for_a_certificate_is_not_the_clients_time() {
    let front = front::open_with(Timeouts { handshake: Duration::from_secs(2), ..Timeouts::default() }, 16);
    let leaf = front.path("leaves/127.0.0.1.pem");
    fs::create_dir_all(leaf.parent().unwrap()).unwrap();
    mknodat(CWD, &leaf, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let mut stream = tls(&front);
    stream.conn.write_tls(&mut stream.sock).unwrap();
    // It opens once the gateway reads there.
    let end = clock::now() + LONG;
    let disk = loop {
        match fs::OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&leaf) {
            Ok(disk) => break disk,
            Err(error) => assert!(clock::now() < end, "nobody reads the certificate: {error}"),
        }
        thread::sleep(Duration::from_millis(5));
    };
    // Longer than a handshake may take; and the client is some way off.
    thread::sleep(Duration::from_secs(3));
    drop(disk);
    thread::sleep(Duration::from_millis(300));
    write!(stream, "GET /ca.crt HTTP/1.1\r\nHost: {}\r\n\r\n", front.host()).unwrap();
    assert_eq!(answer(&mut stream).status, 200);
}

/// The kernel has all of the answer long before a thin path has brought it.
#[test]
fn who_reads_late_gets_the_whole_answer() {
    let front = front::open();
    let document = String::from_utf8(get(&front, "/").body).unwrap();
    let path = parts(&document)[0];
    let whole = get(&front, path);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect_timeout(&front.address().into(), LONG).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    let mut stream = tls_over(socket.into(), &browser(&front));
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", front.host()).unwrap();
    stream.flush().unwrap();
    // As long as its bytes take over such a path.
    thread::sleep(Duration::from_secs(4));
    assert!(answer(&mut stream).body == whole.body);
}

#[test]
fn a_second_visit_resumes_the_tls_session_and_speaks_http_1() {
    let front = front::open();
    let config = browser(&front);
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let mut stream = tls_over(tcp(front.address()), &config);
        write!(stream, "GET /ca.crt HTTP/1.1\r\nHost: {}\r\n\r\n", front.host()).unwrap();
        assert_eq!(answer(&mut stream).status, 200);
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        kinds.push(stream.conn.handshake_kind().unwrap());
    }
    assert_eq!(kinds, [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed]);
}

#[test]
fn a_handshake_tells_the_address_that_it_came_to_and_nothing_else() {
    let front = front::open();
    let shown = |to: u8, server_name: Option<&str>| {
        let address = std::net::SocketAddr::from(([127, 0, 0, to], front.handle.port()));
        let name = match server_name {
            Some(name) => rustls_pki_types::ServerName::try_from(name.to_owned()).unwrap(),
            None => rustls_pki_types::ServerName::from(address.ip()),
        };
        let mut stream = trusting_any(tcp(address), name);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        stream.conn.peer_certificates().unwrap().iter().map(|one| one.to_vec()).collect::<Vec<_>>()
    };
    let (first, second) = (shown(1, None), shown(2, None));
    assert_ne!(first, second, "each address has a certificate of its own");
    assert_eq!(shown(1, None), first);
    assert_eq!(shown(1, Some("bank.example")), first, "a name that is not ours counts as none");
    let named = shown(1, Some("localhost"));
    let alternatives = |chain: &[Vec<u8>]| {
        use x509_parser::prelude::FromDer;
        assert_eq!(chain.len(), 1, "the CA goes along");
        let (_, leaf) = x509_parser::certificate::X509Certificate::from_der(&chain[0]).unwrap();
        let names = leaf.subject_alternative_name().unwrap().unwrap().value.general_names.clone();
        names.iter().map(|name| format!("{name}")).collect::<Vec<_>>()
    };
    assert_eq!(alternatives(&first), ["IPAddress(7f:00:00:01)"]);
    assert_eq!(alternatives(&second), ["IPAddress(7f:00:00:02)"]);
    assert_eq!(alternatives(&named), ["DNSName(localhost)"]);
}

#[test]
fn garbage_is_shut_out_whatever_its_first_byte() {
    let front = front::open();
    let mut random = fastrand::Rng::with_seed(7);
    for first in 0..=255u8 {
        let mut stream = tcp_from(loopback(u32::from(first) / 16), front.address());
        let mut garbage = vec![first];
        garbage.extend((0..200).map(|_| random.u8(..)));
        // The gateway may close before all is sent.
        let _ = stream.write_all(&garbage);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        assert!(!bytes.windows(3).any(|three| three == b"200"), "{first}");
    }
    assert_eq!(get(&front, "/ca.crt").status, 200);
}

#[test]
fn broken_tls_is_shut_out() {
    let front = front::open();
    let mut random = fastrand::Rng::with_seed(11);
    // A real ClientHello, then ever more of it broken.
    let mut hello = Vec::new();
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    rustls::ClientConnection::new(browser(&front), name).unwrap().write_tls(&mut hello).unwrap();
    let (mut silent, mut alerts) = (0, 0);
    for round in 0..200 {
        let mut broken = hello.clone();
        for _ in 0..1 + round % 8 {
            let at = random.usize(1..broken.len());
            broken[at] = random.u8(..);
        }
        if round % 2 == 0 {
            broken.truncate(random.usize(1..=broken.len()));
        }
        let mut stream = tcp(front.address());
        stream.write_all(&broken).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut bytes = Vec::new();
        if let Err(error) = stream.read_to_end(&mut bytes) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "round {round}: it is kept on the line");
        }
        match bytes.first() {
            None => silent += 1,
            // An alert. A handshake's next message where what was broken does not matter, as in the client's random number.
            Some(0x15) => alerts += 1,
            Some(0x16) => {}
            Some(other) => panic!("round {round}: answered with {other:#x}"),
        }
    }
    assert!(silent > 20 && alerts > 20, "{silent} closed in silence, {alerts} with an alert");
    // A record longer than TLS allows is answered with an alert at once.
    let mut stream = tcp(front.address());
    stream.write_all(&[0x16, 3, 1, 0xff, 0xff, 1, 2, 3]).unwrap();
    let bytes = read_all(&mut stream);
    assert_eq!(bytes.first(), Some(&0x15), "an alert");
    assert_eq!(get(&front, "/ca.crt").status, 200);
}

#[test]
fn mutated_requests_never_keep_the_next_from_being_served() {
    let front = front::open();
    let config = browser(&front);
    let mut random = fastrand::Rng::with_seed(3);
    let good = format!("GET /ca.crt HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\n\r\n", front.host()).into_bytes();
    for _ in 0..100 {
        let mut request = good.clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..request.len());
            match random.u8(..3) {
                0 => request[at] = random.u8(..),
                1 => drop(request.remove(at)),
                _ => request.insert(at, b"\r\n:/ \0\xff"[random.usize(..7)]),
            }
        }
        let mut stream = tls_over(tcp(front.address()), &config);
        stream.write_all(&request).unwrap();
        stream.conn.send_close_notify();
        let _ = stream.flush();
        stream.sock.shutdown(std::net::Shutdown::Write).unwrap();
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        if !bytes.is_empty() {
            assert!([200, 400, 404, 405, 431, 505].contains(&parse_answer(&bytes).status));
        }
    }
    assert_eq!(get(&front, "/ca.crt").status, 200);
}

#[test]
fn a_stopped_gateway_closes_its_port_and_its_strangers() {
    let front = front::open();
    let mut waiting = tcp(front.address());
    assert_eq!(get(&front, "/ca.crt").status, 200);
    front.handle.stop();
    assert!(closed_silently(&mut waiting));
    assert!(std::net::TcpStream::connect(front.address()).is_err());
}

#[test]
fn a_device_is_remembered_for_pages_of_homes_own_and_told_to_no_other() {
    const KEY: &str = "abc_DEF-1234567890xyzQ";
    let front = front::open();
    let host = front.host();
    let wish = |fields: &str| ask(&front, format!("GET /device HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n"));
    let kept = wish(&format!("Intercom-Device: {KEY}\r\nSec-Fetch-Site: same-origin\r\n"));
    let cookie = kept.field("set-cookie").expect("a cookie");
    assert!(
        kept.status == 204 && cookie.starts_with(&format!("__Host-device={KEY}; Path=/; Secure; HttpOnly; ")),
        "{cookie}"
    );
    let ours = format!("Cookie: a=b; __Host-device={KEY}\r\n");
    let restored = wish(&format!("Intercom-Device: restore\r\nOrigin: https://{host}\r\n{ours}"));
    assert_eq!((restored.status, &restored.body[..]), (200, KEY.as_bytes()));
    assert_eq!((restored.field("cache-control"), restored.field("set-cookie")), (Some("no-store"), None));
    assert_eq!(wish("Intercom-Device: restore\r\n").body, b"", "nothing is remembered");
    let over = wish("Intercom-Device: forget\r\n");
    assert!(over.field("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")));
    for (fields, status) in [
        (format!("Intercom-Device: restore\r\nSec-Fetch-Site: cross-site\r\n{ours}"), 403),
        (format!("Intercom-Device: restore\r\nOrigin: https://evil.example\r\n{ours}"), 403),
        (format!("Intercom-Device: restore\r\nOrigin: null\r\n{ours}"), 403),
        (ours.clone(), 400),
        (format!("Intercom-Device: restore\r\nIntercom-Device: forget\r\n{ours}"), 400),
        (format!("Intercom-Device: {KEY}; Domain=x\r\n"), 400),
    ] {
        let refused = wish(&fields);
        assert_eq!(refused.status, status, "{fields}");
        assert!(!String::from_utf8_lossy(&refused.body).contains(KEY) && refused.field("set-cookie").is_none());
    }
    // Whoever asks first whether they may send that field is told that they may not.
    let preflight =
        ask(&front, format!("OPTIONS /device HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\n\r\n"));
    assert!(preflight.status == 405 && preflight.field("access-control-allow-origin").is_none());
}
