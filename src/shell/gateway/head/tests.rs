//! Heads as browsers, proxies and strangers send them.

use super::*;

fn get(rest: &str) -> Result<Head, Refusal> {
    parse(format!("GET / HTTP/1.1\r\nHost: home:8443\r\n{rest}\r\n").as_bytes())
}

const SOCKET: &str = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[test]
fn a_browsers_request_is_understood_and_made_anew() {
    let text = "GET /app.js?v=2 HTTP/1.1\r\nHost: Home.Example.org:8443\r\nCookie: a=b\r\nX-Evil: 1\r\n\
                If-None-Match: \"abc\"\r\nAccept: */*\r\nAccept-Encoding: br, GZIP\r\n\r\n";
    let head = parse(text.as_bytes()).unwrap();
    assert_eq!((head.path(), head.host.as_str()), ("/app.js", "home.example.org:8443"));
    assert_eq!(
        String::from_utf8(head.to_pages()).unwrap(),
        "GET /app.js HTTP/1.1\r\nHost: pages\r\nConnection: close\r\nIf-None-Match: \"abc\"\r\n\
         Accept-Encoding: gzip\r\n\r\n"
    );
    assert!(!get("Accept-Encoding: gzip;q=0, br\r\n").unwrap().takes_gzip);
    assert_eq!(head.websocket(Way::Direct), Err(Refusal::NotAWebSocket));
}

#[test]
fn the_end_of_a_head_is_found_wherever_it_was_cut() {
    let text = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
    let end = text.len() - 4;
    for cut in 0..=text.len() {
        let expected = (cut >= end).then_some(end);
        assert_eq!(end_of_head(&text[..cut], cut.saturating_sub(1)).or(end_of_head(&text[..cut], 0)), expected);
    }
    assert_eq!(end_of_head(text, end - 1), Some(end));
    assert_eq!(end_of_head(b"", 9), None);
}

#[test]
fn what_is_not_http_1_get_or_head_is_refused_with_its_own_number() {
    let refused = |text: &str| parse(text.as_bytes()).unwrap_err();
    assert_eq!(refused("POST / HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Method);
    assert_eq!(refused("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Method);
    assert_eq!(refused("PRI * HTTP/2.0\r\n\r\n"), Refusal::Version);
    assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), Refusal::Malformed);
    assert_eq!(refused("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Malformed);
    assert_eq!(refused("GET /\x07 HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Malformed);
    assert_eq!(refused("GET / HTTP/1.1\nHost: a\r\n\r\n"), Refusal::Malformed);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"), Refusal::Malformed);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), Refusal::Malformed);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), Refusal::Malformed);
    assert_eq!(get("Content-Length: 5\r\n").unwrap_err(), Refusal::Malformed);
    assert_eq!(get("Transfer-Encoding: chunked\r\n").unwrap_err(), Refusal::Malformed);
    assert!(get("Content-Length: 0\r\n").is_ok());
    assert!(parse(b"HEAD / HTTP/1.0\r\nHost: a\r\n\r\n").is_ok());
}

#[test]
fn what_is_too_long_is_refused() {
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(LONGEST_TARGET));
    assert_eq!(parse(long.as_bytes()), Err(Refusal::TargetTooLong));
    assert_eq!(get(&"A: b\r\n".repeat(MOST_HEADERS)), Err(Refusal::HeadTooLong));
    assert!(get(&"A: b\r\n".repeat(MOST_HEADERS - 1)).is_ok());
    assert_eq!(get(&format!("A: {}\r\n", "b".repeat(LONGEST_HEAD))), Err(Refusal::HeadTooLong));
    assert_eq!(too_long(b"GET /aaaa"), Refusal::TargetTooLong);
}

#[test]
fn a_websocket_needs_every_part_of_its_handshake() {
    let socket = |fields: &str| get(fields).and_then(|head| head.websocket(Way::Direct));
    // The example of RFC 6455 section 1.3.
    assert_eq!(socket(SOCKET).as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    for (cut, refusal) in [
        ("Upgrade: websocket\r\n", Refusal::NotAWebSocket),
        ("Connection: keep-alive, Upgrade\r\n", Refusal::NotAWebSocket),
        ("Sec-WebSocket-Version: 13\r\n", Refusal::NotAWebSocket),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", Refusal::Malformed),
    ] {
        assert_eq!(socket(&SOCKET.replace(cut, "")), Err(refusal), "{cut}");
    }
    assert_eq!(socket(&SOCKET.replace("Version: 13", "Version: 8")), Err(Refusal::NotAWebSocket));
    assert_eq!(socket(&SOCKET.replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=")), Err(Refusal::Malformed));
    let twice = format!("{SOCKET}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
    assert_eq!(socket(&twice), Err(Refusal::Malformed));
    let old = format!("GET / HTTP/1.0\r\nHost: home:8443\r\n{SOCKET}\r\n");
    assert_eq!(parse(old.as_bytes()).and_then(|head| head.websocket(Way::Direct)), Err(Refusal::Malformed));
}

#[test]
fn a_websocket_of_another_sites_page_is_refused() {
    let from =
        |origin: &str| get(&format!("{SOCKET}Origin: {origin}\r\n")).and_then(|head| head.websocket(Way::Direct));
    assert!(from("https://home:8443").is_ok());
    assert!(from("HTTPS://Home:8443").is_ok());
    for foreign in ["https://evil:8443", "https://home", "http://home:8443", "null", "", "https://home:8443.evil"] {
        assert_eq!(from(foreign), Err(Refusal::Foreign), "{foreign}");
    }
}

#[test]
fn the_proxy_may_change_host_and_port_if_it_says_what_was_asked_for_and_nobody_else_may() {
    let head = |fields: &str| {
        let text = format!("GET /signal HTTP/1.1\r\nHost: 192.168.1.20:8443\r\n{SOCKET}{fields}\r\n");
        parse(text.as_bytes()).unwrap()
    };
    let from = "Origin: https://Home.example:9443\r\n";
    for said in ["X-Forwarded-Host: home.example:9443\r\n", "Forwarded: host=home.example;for=192.0.2.1\r\n"] {
        let head = head(&format!("{from}{said}"));
        assert!(head.websocket(Way::Proxy).is_ok(), "{said}");
        assert_eq!(head.websocket(Way::Direct), Err(Refusal::Foreign), "{said}");
    }
    let silent = head(from);
    assert_eq!(silent.websocket(Way::Proxy), Err(Refusal::Foreign), "Host is gone, and nothing says so");
    assert_eq!(silent.origin_and_host(), "origin \"https://Home.example:9443\", Host \"192.168.1.20:8443\"");
    let foreign = head("Origin: https://evil.example\r\nX-Forwarded-Host: home.example\r\n");
    assert_eq!(foreign.websocket(Way::Proxy), Err(Refusal::Foreign));
    let v6 = head("Origin: https://[2001:db8::1]:443\r\nX-Forwarded-Host: [2001:db8::1]\r\n");
    assert!(v6.websocket(Way::Proxy).is_ok());
    let noise = head("Origin: https://evil\u{202e}.example\r\n");
    assert!(
        noise.origin_and_host().starts_with("origin \"https://evil.example\", Host "),
        "nothing that turns the log around"
    );
}

#[test]
fn a_page_may_ask_whether_it_is_homes_own() {
    let own = |target: &str, host: &str| {
        let head = parse(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).unwrap();
        head.asked_origin().map(|origin| head.is_own(&origin, Way::Direct))
    };
    assert_eq!(own("/origin?https%3A%2F%2Fhome%3A8443", "home:8443"), Some(true));
    assert_eq!(own("/origin?https%3A%2F%2F%5B2001%3Adb8%3A%3A1%5D", "[2001:db8::1]:443"), Some(true));
    assert_eq!(own("/origin?https%3A%2F%2Fhome.example", "192.168.1.20:8443"), Some(false));
    assert_eq!(own("/origin", "home"), None);
    assert_eq!(own("/origins?x", "home"), None);
}

#[test]
fn plain_http_is_sent_to_the_same_place_with_tls() {
    let location = |host: &str, target: &str, port: u16| {
        let head = parse(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).unwrap();
        head.secure_location(&head.target, port)
    };
    assert_eq!(location("home:9000", "/a?b", 8443), "https://home:9000/a?b");
    assert_eq!(location("home", "/", 8443), "https://home:8443/");
    assert_eq!(location("home", "/", 443), "https://home/");
    assert_eq!(location("[::1]", "//evil/", 8443), "https://[::1]:8443//evil/");
    assert_eq!(location("[::1]:80", "/", 8443), "https://[::1]:80/");
}

#[test]
fn a_link_whose_mark_was_escaped_is_mended_and_nothing_else_is() {
    let mended = |target: &str| {
        let head = parse(format!("GET {target} HTTP/1.1\r\nHost: home\r\n\r\n").as_bytes());
        head.unwrap_or_else(|e| panic!("{target}: {e:?}")).mended_link()
    };
    const KEY: &str = "abc_DEF-1234567890xyzQ";
    for kind in ["k", "p"] {
        let link = Some(format!("/#{kind}={KEY}"));
        for around in ["", ".", ")", ",", "/", "%22", "&utm=1", "?x=y", "%20thanks", ":8443"] {
            assert_eq!(mended(&format!("/%23{kind}={KEY}{around}")), link, "{around}");
        }
        assert_eq!(mended(&format!("/%23{kind}%3D{KEY}")), link);
        assert_eq!(mended(&format!("/%2523{kind}%253d{KEY}")), link);
        assert_eq!(mended(&format!("/%252523{kind}={KEY}")), link);
        assert_eq!(mended(&format!("/index.html%23{kind}={KEY}")), link);
    }
    for other in [
        "/",
        "/%23",
        "/%23k=",
        "/%23k=short",
        "/%23x=abc_DEF-1234567890xyzQ",
        "/%23k=abc_DEF-1234567890xyzQQ",
        "/%23k=abc_DEF-1234567890xyzQ-",
        "/k=abc_DEF-1234567890xyzQ",
        "//evil/%23k=abc_DEF-1234567890xyzQ",
        "/evil/%23k=abc_DEF-1234567890xyzQ",
        "/%23k=%0d%0aabc_DEF-1234567890xyzQ",
    ] {
        assert_eq!(mended(other), None, "{other}");
    }
}

#[test]
fn a_post_says_once_how_long_it_is_and_goes_to_signaling_alone() {
    let post = |path: &str, fields: &str| {
        let head = parse(format!("POST {path} HTTP/1.1\r\nHost: home:8443\r\n{fields}\r\n").as_bytes())?;
        head.post(Way::Direct).map(|()| head.body)
    };
    assert_eq!(post("/signal", "Content-Length: 65536\r\n"), Ok(LONGEST_BODY));
    assert_eq!(post("/signal?x", "Content-Length: 007\r\nOrigin: https://home:8443\r\n"), Ok(7));
    assert_eq!(post("/signal", "Content-Length: 65537\r\n"), Err(Refusal::TooLarge));
    assert_eq!(post("/signal", "Content-Length: 18446744073709551616\r\n"), Err(Refusal::TooLarge));
    assert_eq!(post("/signal", ""), Err(Refusal::NoLength));
    for length in ["", "0", "1 ", "+1", "-1", "1,1", "0x1", "1.0"] {
        let expected = if length == "1 " { Ok(1) } else { Err(Refusal::Malformed) };
        assert_eq!(post("/signal", &format!("Content-Length: {length}\r\n")), expected, "{length:?}");
    }
    let twice = "Content-Length: 1\r\n".repeat(2);
    for fields in
        [twice.as_str(), "Transfer-Encoding: identity\r\n", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"]
    {
        assert_eq!(post("/signal", fields), Err(Refusal::Malformed), "{fields}");
    }
    for foreign in ["Origin: https://evil\r\n", "Origin: null\r\n", "Sec-Fetch-Site: same-site\r\n"] {
        assert_eq!(post("/signal", &format!("Content-Length: 1\r\n{foreign}")), Err(Refusal::Foreign), "{foreign}");
    }
    for path in ["/", "/signal/", "//signal", "/Signal", "/%73ignal"] {
        assert_eq!(post(path, "Content-Length: 1\r\n"), Err(Refusal::Method), "{path}");
    }
}

#[test]
fn a_connection_stays_for_a_browser_that_says_so_and_for_no_proxy() {
    let kept = |fields: &str| get(fields).unwrap().keep_alive;
    assert!(kept("Connection: keep-alive\r\n") && kept("Connection: x, Keep-Alive\r\n"));
    for fields in ["", "Connection: close\r\n", "Connection: keep-alive\r\nConnection: close\r\n", "Keep-Alive: 5\r\n"]
    {
        assert!(!kept(fields), "{fields}");
    }
    for of_proxy in
        ["Via: 1.1 a\r\n", "Forwarded: for=192.0.2.1\r\n", "X-Real-IP: 192.0.2.1\r\n", "X-Forwarded-Host: a\r\n"]
    {
        assert!(!kept(&format!("Connection: keep-alive\r\n{of_proxy}")), "{of_proxy}");
    }
    let old = parse(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").unwrap();
    assert!(!old.keep_alive);
}
