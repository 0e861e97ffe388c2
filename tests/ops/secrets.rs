//! The log holds no secret at any level, is not filled by anybody, and says which thread speaks.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tungstenite::Message;

use crate::home::Home;
use crate::signal::{Socket, any_certificate, open_over};

const OFFER: &str = include_str!("../fuzz/offers/chromium.sdp");

/// A signaling socket, as a page opens it.
fn open(home: &Home) -> Socket {
    let address = ([127, 0, 0, 1], home.port()).into();
    let stream = home.wait("the port", || TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok());
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    open_over(stream, address, &any_certificate()).expect("a WebSocket")
}

fn say(socket: &mut Socket, message: &Value) {
    socket.send(Message::text(message.to_string())).expect("send");
}

/// The next message of this type.
fn hear(socket: &mut Socket, kind: &str) -> Value {
    loop {
        if let Message::Text(text) = socket.read().expect(kind) {
            let message: Value = serde_json::from_str(&text).expect("JSON");
            if message["type"] == kind {
                return message;
            }
        }
    }
}

fn field<'a>(sdp: &'a str, name: &str) -> &'a str {
    sdp.lines().find_map(|line| line.strip_prefix(name)).expect(name).trim()
}

#[test]
fn no_secret_is_logged_at_the_noisiest_level() {
    let mut home = Home::new("[log]\nlevel = \"trace\"\n");
    home.start(|_| ());
    home.wait("a port", || home.ask("status").status.success().then_some(()));
    let said = String::from_utf8(home.ask("link --name Anna").stdout).expect("text");
    let token = said.split("#p=").nth(1).and_then(|rest| rest.lines().next()).expect("a token").to_owned();
    let mut socket = open(&home);
    say(&mut socket, &json!({ "type": "pair", "v": 1, "token": token, "nonce": "0123456789abcdef0123" }));
    let key = hear(&mut socket, "paired")["key"].as_str().expect("a key").to_owned();
    say(&mut socket, &json!({ "type": "hello", "v": 1, "key": key }));
    say(&mut socket, &json!({ "type": "offer", "pc": 1, "rev": 1, "sdp": OFFER }));
    let session = hear(&mut socket, "welcome")["session"].as_str().expect("a session").to_owned();
    let answer = hear(&mut socket, "answer")["sdp"].as_str().expect("an answer").to_owned();
    let candidate = "candidate:1 1 udp 2113937151 127.0.0.1 9 typ host";
    say(&mut socket, &json!({ "type": "candidate", "pc": 1, "candidate": candidate }));
    for offer in [OFFER.replace("a=ice-pwd", "a=ice-pwb"), format!("{OFFER}m=audio 9 x 1\r\n")] {
        say(&mut socket, &json!({ "type": "offer", "pc": 2, "rev": 1, "sdp": offer }));
        let refused = hear(&mut socket, "error").to_string();
        assert!(refused.contains("bad_offer") && !refused.contains("0x"), "{refused}");
    }
    // Its checks are made, and logged if anything is.
    home.wait("ICE", || home.log().contains("ICE Checking").then_some(()));
    let log = home.log();
    assert!(log.contains("visit 1 begins") && log.contains("TRACE"), "{log}");
    for (what, secret) in [
        ("the token", token.as_str()),
        ("the key", &key),
        ("the session", &session),
        ("the page's ICE password", field(OFFER, "a=ice-pwd:")),
        ("home's ICE password", field(&answer, "a=ice-pwd:")),
    ] {
        assert!(!log.contains(secret), "{what} is in the log: {:?}", log.lines().find(|line| line.contains(secret)));
    }
    assert!(log.lines().any(|line| line.contains("(loop)") || line.contains("[loop]")), "threads have names: {log}");
}

/// What a person compares who is warned by their browser.
#[test]
fn the_certificate_that_a_browser_shows_is_told_at_the_start_and_by_the_status() {
    let mut home = Home::new("");
    home.start(|_| ());
    home.wait("a port", || home.ask("status").status.success().then_some(()));
    let socket = open(&home);
    let leaf = socket.get_ref().conn.peer_certificates().expect("a certificate")[0].clone();
    let digits: Vec<String> = Sha256::digest(&leaf).iter().map(|byte| format!("{byte:02X}")).collect();
    let status: Value = serde_json::from_slice(&home.ask("status").stdout).expect("a status is JSON");
    assert_eq!(status["certificates"]["shown"]["127.0.0.1"], digits.join(":"), "{status}");
    assert!(status["certificates"]["ca"].as_str().is_some_and(|ca| ca != digits.join(":")), "{status}");
}

#[test]
fn a_client_that_does_the_same_again_and_again_is_told_of_a_few_times() {
    let mut home = Home::new("");
    home.start(|_| ());
    let said = {
        home.wait("a port", || home.ask("status").status.success().then_some(()));
        String::from_utf8(home.ask("link").stdout).expect("text")
    };
    let token = said.split("#p=").nth(1).and_then(|rest| rest.lines().next()).expect("a token").to_owned();
    let mut socket = open(&home);
    say(&mut socket, &json!({ "type": "pair", "v": 1, "token": token, "nonce": "0123456789abcdef0123" }));
    let key = hear(&mut socket, "paired")["key"].clone();
    for _ in 0..30 {
        let mut socket = open(&home);
        say(&mut socket, &json!({ "type": "hello", "v": 1, "key": key }));
        hear(&mut socket, "welcome");
        for pc in 1..=12 {
            say(&mut socket, &json!({ "type": "offer", "pc": pc, "rev": 1, "sdp": format!("rubbish {pc}") }));
            hear(&mut socket, "error");
        }
        say(&mut socket, &json!({ "type": "leave" }));
        while !matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::Io(_))) {}
    }
    for _ in 0..30 {
        let mut socket = open(&home);
        say(&mut socket, &json!({ "type": "hello", "v": 1, "key": "a guess" }));
        let _its_answer_is_not_awaited = socket.close(None);
    }
    let lines = |what: &str| home.log().lines().filter(|line| line.contains(what)).count();
    home.wait("guesses", || (lines("wrong key") > 0).then_some(()));
    for what in ["offer not usable", "wrong key", "begins with key"] {
        assert!((1..=10).contains(&lines(what)), "{} times: {what}\n{}", lines(what), home.log());
    }
}
