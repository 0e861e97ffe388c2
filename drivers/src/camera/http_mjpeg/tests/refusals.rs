//! Cameras that want a password, send us elsewhere, or give no picture; and what is said of it.

use super::*;

fn with_password(url: &str) -> BoxedOpener<dyn CaptureVideo> {
    opener(&format!("url = '{url}'\nuser = 'me'\npassword = 'hush'")).unwrap()
}

/// A camera that answers the first requests with these heads, and then with pictures.
fn answers(heads: Vec<String>) -> (String, Receiver<String>) {
    let good = jpeg(&smooth(32, 32), Subsamp::Sub2x2);
    camera(move |n, socket| match heads.get(n) {
        Some(head) => drop(socket.write_all(format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n").as_bytes())),
        None => {
            let _ = socket.write_all(HEAD.as_bytes());
            send_all(socket, std::iter::repeat_with(|| part(&good)));
        }
    })
}

const DIGEST: &str = "401 No\r\nWWW-Authenticate: Basic realm=\"cam\"\r\nWWW-Authenticate: Digest realm=\"cam\", nonce=\"a\", qop=\"auth\"";

#[test]
fn the_password_is_never_sent_in_clear_where_digest_is_offered() {
    let stale = DIGEST.replace("nonce=\"a\"", "nonce=\"b\", stale=true");
    let (url, requests) = answers(vec![DIGEST.into(), stale]);
    let mut opener = with_password(&url);
    opener.open().expect("a camera");
    assert!(!opener.describe().contains("hush"));
    let sent: Vec<String> = requests.iter().take(3).collect();
    assert!(!sent[0].contains("Authorization"), "{}", sent[0]);
    for (request, nonce) in [(&sent[1], "nonce=\"a\""), (&sent[2], "nonce=\"b\"")] {
        assert!(request.contains("\r\nAuthorization: Digest username=\"me\"") && request.contains(nonce), "{request}");
        assert!(request.contains("uri=\"/video?secret=1\"") && request.contains("nc=00000001"), "{request}");
        assert!(!request.contains("Basic") && !request.contains("hush"), "{request}");
    }

    let (url, requests) = answers(vec!["401 No\r\nWWW-Authenticate: basic realm=x".into()]);
    with_password(&url).open().expect("a camera");
    let sent: Vec<String> = requests.iter().take(2).collect();
    assert!(!sent[0].contains("Authorization") && sent[1].contains("Basic bWU6aHVzaA=="), "{sent:?}");
}

#[test]
fn what_a_camera_says_of_passwords_is_passed_on() {
    let digest = |more: &str| format!("401 No\r\nWWW-Authenticate: Digest nonce=\"a\"{more}");
    let basic = || "401 No\r\nWWW-Authenticate: Basic realm=x".to_owned();
    for (heads, asked, words) in [
        (vec![DIGEST.to_owned(), DIGEST.to_owned()], 2, "does not take this name and password"),
        (vec![basic(), basic()], 2, "does not take this name and password"),
        (vec![digest(", algorithm=SHA3, Basic realm=x")], 1, "SHA3"),
        (vec!["401 No\r\nWWW-Authenticate: NTLM".into()], 1, "NTLM"),
        (vec![digest(""), basic()], 2, "Basic now, after Digest"),
        (vec![digest(", stale=true"); 9], 5, "does not take"),
    ] {
        let (url, requests) = answers(heads);
        let error = with_password(&url).open().err().expect(words);
        assert!(error.to_string().contains(words) && !error.remedy().contains("cable"), "{error}");
        assert!(!error.to_string().contains("hush") && !error.to_string().contains("secret"), "{error}");
        assert_eq!(requests.try_iter().count(), asked, "{words}");
    }
    let (url, _requests) = answers(vec![DIGEST.into()]);
    let error = at(&url).open().err().expect("an error");
    assert!(error.to_string().contains("wants a name and a password (401, Basic or Digest)"), "{error}");
    assert!(error.remedy().contains("user and password under [camera.http-mjpeg]"), "{}", error.remedy());
}

#[test]
fn who_takes_the_place_of_a_camera_with_digest_never_gets_the_password_in_clear() {
    let basic = || "401 No\r\nWWW-Authenticate: Basic realm=x".to_owned();
    let moved = || "302 Go\r\nLocation: /other".to_owned();
    let unknown = || "401 No\r\nWWW-Authenticate: Digest nonce=a, algorithm=SHA3".to_owned();
    for (heads, opened) in [
        (vec![DIGEST.into(), basic(), basic(), basic()], 3),
        (vec![DIGEST.into(), moved(), basic(), moved(), basic()], 2),
        (vec![unknown(), basic(), basic()], 3),
    ] {
        let count = heads.len();
        let (url, requests) = answers(heads);
        let mut opener = with_password(&url);
        let errors: Vec<DeviceError> = (0..opened).map(|_| opener.open().err().expect("an error")).collect();
        let last = &errors[opened - 1];
        assert!(last.to_string().contains("Basic now, after Digest") && last.remedy().contains("to Digest"), "{last}");
        let sent: Vec<String> = requests.try_iter().collect();
        assert_eq!(sent.len(), count);
        assert!(!sent.iter().any(|request| request.contains("Basic")), "{sent:?}");
    }
}

#[test]
fn a_challenge_on_several_lines_is_read_and_answered_on_one() {
    let folded = "401 No\r\nWWW-Authenticate: Digest realm=\"a\r\n X-Evil: b\",\r\n\tnonce=\"y\",\n qop=\"auth\"";
    let (url, requests) = answers(vec![folded.into()]);
    with_password(&url).open().expect("a camera");
    let sent: Vec<String> = requests.iter().take(2).collect();
    let lines: Vec<&str> = sent[1].split("\r\n").collect();
    let line = lines.iter().find(|line| line.starts_with("Authorization: Digest ")).expect("an answer");
    assert!(line.contains("realm=\"a   X-Evil: b\", nonce=\"y\"") && line.contains("qop=auth"), "{line}");
    assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}");
    assert_eq!(lines.len(), sent[0].split("\r\n").count() + 1);
}

#[test]
fn what_a_camera_says_is_short_plain_text_in_every_message() {
    let evil = "x\u{202E}\u{9B}2J\u{2066}\u{E4}\t".repeat(60);
    for answer in [
        format!("HTTP/1.1 302 Go\r\nLocation: http://{evil}/\r\n\r\n"),
        format!("HTTP/1.1 302 Go\r\nLocation: {evil}://cam/\r\n\r\n"),
        format!("HTTP/1.1 302 Go\r\nLocation: {}://cam/\r\n\r\n", "k".repeat(900)),
        format!("HTTP/1.1 302 Go\r\nLocation: /{evil}\r\n\r\n"),
        format!("HTTP/1.1 401 No\r\nWWW-Authenticate: {evil}\r\n\r\n"),
        format!("HTTP/1.1 401 No\r\n{}\r\n", format!("WWW-Authenticate: {}\r\n", "y".repeat(500)).repeat(12)),
        format!("HTTP/1.1 401 No\r\nWWW-Authenticate: Digest nonce=a, algorithm=\"{evil}\"\r\n\r\n"),
        format!("HTTP/1.1 401 No\r\nWWW-Authenticate: Digest nonce=a, qop=\"{evil}\"\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\nContent-Type: {evil}\r\n\r\n{evil}"),
        evil.clone(),
        format!("HTTP/1.1 {evil}"),
    ] {
        let sent = answer.clone();
        let (url, _requests) = camera(move |_, socket| drop(socket.write_all(sent.as_bytes())));
        let error = with_password(&url).open().err().expect("an error");
        let text = format!("{error}; {}", error.remedy());
        assert!(text.len() < 600 && text.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{answer:?}: {text:?}");
    }
}

#[test]
fn one_redirect_on_the_same_host_is_followed_and_no_other_host_learns_the_password() {
    let (url, requests) = answers(vec!["302 Found\r\nLocation: ../live.mjpg?x=1".into(), DIGEST.into()]);
    with_password(&url).open().expect("a camera");
    let sent: Vec<String> = requests.iter().take(3).collect();
    assert!(sent[1].starts_with("GET /live.mjpg?x=1 "), "{}", sent[1]);
    assert!(sent[2].contains("uri=\"/live.mjpg?x=1\""), "{}", sent[2]);

    // Another port of the same host is asked, without the password.
    let (elsewhere, heard) = answers(vec![DIGEST.into()]);
    let (url, _requests) = answers(vec![format!("301 Moved\r\nLocation: {elsewhere}")]);
    let error = with_password(&url).open().err().expect("it wants the password");
    assert!(error.to_string().contains("wants a name and a password"), "{error}");
    // The owner has written a password. The address is what must be mended.
    let new = elsewhere.split('?').next().unwrap();
    let remedy = error.remedy();
    assert!(remedy.contains(new) && remedy.contains("into url") && !remedy.contains("write user"), "{remedy}");
    assert!(!remedy.contains("secret") && !error.to_string().contains("secret"), "{error}; {remedy}");
    assert!(!heard.recv_timeout(LONG).unwrap().contains("Authorization"));

    for (to, words) in [
        ("http://192.0.2.1/x?y=hush", "another host"),
        ("http://admin:hush@127.0.0.1/x", "a user or a password in it"),
        ("rtsp://admin:hush@127.0.0.1/x", "rtsp"),
        ("https://127.0.0.1/x", "https"),
        ("", "no address"),
        ("/again", "not the first time"),
    ] {
        let head = format!("307 Go\r\nLocation: {to}");
        let (url, _requests) = answers(vec![head.clone(), head]);
        let error = with_password(&url).open().err().expect(words);
        assert!(error.to_string().contains(words) && !error.to_string().contains("hush"), "{error}");
        assert!(error.remedy().contains("url under [camera.http-mjpeg]"), "{}", error.remedy());
    }
}

#[test]
fn every_failure_says_what_was_seen_and_what_to_do() {
    let html = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n\r\n<html><p>Log in</p></html>";
    let cut = [HEAD.as_bytes(), &part(&jpeg(&smooth(32, 32), Subsamp::Sub2x2))[..120]].concat();
    for (answer, words, remedy) in [
        (&b"HTTP/1.1 404 Not Found\r\n\r\n"[..], "answers 404", "manual"),
        (b"HTTP/1.1 403 No\r\n\r\n", "forbids this (403)", "user and password"),
        (b"HTTP/1.1 503 Full\r\n\r\n", "503: it is busy", "end other programs"),
        (b"HTTP/1.1 500 Oh\r\n\r\n", "500", "restart"),
        (b"HTTP/1.1 400 Plain HTTP\r\n\r\n", "400", "https"),
        (b"RTSP/1.0 400 Bad Request\r\n\r\n", "RTSP server", "MJPEG"),
        (b"\x15\x03\x03\0\x02\x02\x28", "TLS (https)", "plain http"),
        (html.as_bytes(), "a web page (HTML), not JPEG", "manual"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1F\x8B\x08aaa", "gzip", "MJPEG"),
        (b"HTTP/1.1 200 OK\r\n\r\n\0\0\0\x18ftypisom", "MP4", "exec"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "with a head, and then", "restart"),
        (b"HTTP/1.1 200", "breaks off in the head", "restart"),
        (b"", "closes the connection without an answer", "restart"),
        (&cut, "breaks off", "restart"),
    ] {
        let answer = answer.to_vec();
        let (url, _requests) = camera(move |_, socket| drop(socket.write_all(&answer)));
        let error = at(&url).open().err().expect(words);
        assert!(error.to_string().contains(words) && error.to_string().contains("/video: "), "{words}: {error}");
        assert!(
            error.remedy().contains(remedy) && !error.to_string().contains("secret"),
            "{error}; {}",
            error.remedy()
        );
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = at(&format!("http://{nobody}/")).open().err().expect("an error");
    assert!(error.to_string().contains("refuses the connection") && error.remedy().contains("port"), "{error}");
    let mut lost = at("http://no-such-camera.invalid/");
    for _ in 0..2 {
        let error = lost.open().err().expect("an error");
        assert!(error.to_string().contains("name no-such-camera.invalid") && error.remedy().contains("IP"), "{error}");
    }
}

#[test]
fn a_camera_that_is_silent_says_how_far_it_came() {
    for (answer, words) in [
        ("", "answers nothing within 5 s"),
        ("HTTP/1.1 200 OK\r\n\r\n", "with a head, and then"),
        ("HTTP/1.1 200 OK\r\n\r\n\u{7f}\u{7f}", "has no JPEG"),
        ("HTTP/1.1 200 OK\r\n", "breaks off in the head"),
    ] {
        let (url, _requests) = camera(move |_, socket| {
            let _ = socket.write_all(answer.as_bytes());
            let _ = socket.read(&mut [0]);
        });
        let error = at(&url).open().err().expect(words);
        assert!(error.to_string().contains(words) && !error.remedy().contains("cable"), "{error}");
    }
}

#[test]
fn a_flood_without_a_picture_is_given_up_and_so_is_a_recording() {
    let (url, _requests) = camera(move |_, socket| {
        let flood = [b"HTTP/1.1 200 OK\r\n\r\n", &[b'a'; 1 << 20][..]].concat();
        while socket.write_all(&flood).is_ok() {}
    });
    let error = at(&url).open().err().expect("an error");
    assert!(error.to_string().contains("has no JPEG in it"), "{error}");
    let good = jpeg(&smooth(32, 32), Subsamp::Sub2x2);
    let (url, _requests) = camera(move |_, socket| drop(socket.write_all(&good.repeat(3))));
    // It may end before or after its first picture was seen.
    let all = |mut camera| -> Result<(), DeviceError> {
        loop {
            frame(&mut camera)?;
        }
    };
    let error = at(&url).open().and_then(all).expect_err("an end");
    assert!(["a recording", "ended the stream"].iter().any(|words| error.to_string().contains(words)), "{error}");
}
