//! Texts and small messages: requests, answers, keys, signaling, tables of the kernel, names.

use intercom::shell::control::Request;
use intercom::shell::gateway::head;
use intercom::shell::gateway::origin::Way;
use intercom::shell::gateway::reply::{self, FromPages};
use intercom::shell::jail::wire::{self, Answer, Order};
use intercom_core::call::protocol::{FromHome, FromPage};
use intercom_core::people::keys::{Key, KeyId};
use intercom_core::people::names as access_names;
use intercom_core::people::register::{People, Person, Role};
use intercom_core::reach::ranking;
use intercom_core::tv::local_time;

use super::bytes::{Bytes, owned};

/// An accepted head is one harmless request, to `pages` and in a redirect.
pub fn fuzz_head(data: &[u8]) {
    let end = head::end_of_head(data, 0);
    for from in [data.len() / 3, data.len() / 2] {
        // However the bytes arrived, the first end is found.
        let early = head::end_of_head(&data[..from], 0);
        assert_eq!(early.or_else(|| head::end_of_head(data, from)), end);
    }
    let Ok(request) = head::parse(&data[..end.unwrap_or(data.len())]) else { return };
    assert!(end.is_some() && data.len() >= 16, "accepted without its end");
    let is_post = request.method == head::Method::Post;
    assert!(
        request.body <= head::LONGEST_BODY
            && is_post == (request.body > 0)
            && (!is_post || request.path() == head::SIGNAL)
    );
    let passed_on = request.to_pages();
    assert_eq!(head::end_of_head(&passed_on, 0), Some(passed_on.len()), "exactly one request");
    assert!(passed_on.len() < 2048 && passed_on.is_ascii());
    if let Some(link) = request.mended_link() {
        assert!(
            link.len() == 26
                && link.starts_with("/#")
                && link[4..].bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        );
    }
    let location = request.secure_location(&request.target, 8443);
    assert!(location.starts_with("https://") && location.bytes().all(|byte| byte.is_ascii_graphic()));
    let redirect = reply::redirect(&location);
    assert_eq!(head::end_of_head(&redirect, 0), Some(redirect.len()));
    if let Ok(accept) = request.websocket(Way::Proxy) {
        assert_eq!(accept.len(), 28);
    }
}

/// An answer is passed on with our fields and never with the server's name.
pub fn fuzz_from_pages(data: &[u8]) {
    for (to_head, keep) in [(false, false), (true, true)] {
        if let FromPages::Whole(whole) = reply::from_pages(data, to_head, keep) {
            let end = head::end_of_head(&whole, 0).expect("a head");
            let text = String::from_utf8_lossy(&whole[..end]).to_ascii_lowercase();
            assert!(text.contains("content-security-policy: default-src 'none'") && !text.contains("\r\nserver:"));
            let connection = if keep { "\r\nconnection: keep-alive\r\n" } else { "\r\nconnection: close\r\n" };
            assert_eq!(
                (text.matches("\r\nconnection:").count(), text.contains(connection)),
                (1, true),
                "the gateway's word"
            );
        }
    }
}

/// An accepted request says the same when it is written again.
pub fn fuzz_control(data: &[u8]) {
    if let Ok(request) = Request::parse(data) {
        let text = serde_json::to_vec(&request).unwrap();
        assert_eq!(Request::parse(&text), Ok(request));
    }
}

/// Only the one text of a key is that key.
pub fn fuzz_key(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(other) = Key::mint(|bytes| {
        bytes.fill(7);
        Ok::<_, std::convert::Infallible>(())
    });
    let mut people = People::new();
    let somebody = |number| Person::new(number, None, Role::Family);
    people.take_device(somebody(1), KeyId(2), other.hash());
    match Key::parse(&text) {
        Some(key) => {
            assert_eq!(key.to_text(), text);
            assert_eq!(people.verify(&text).is_some(), key == other);
            people.take_device(somebody(3), KeyId(4), key.hash());
            assert!(people.verify(&text).is_some());
        }
        None => assert!(people.verify(&text).is_none()),
    }
}

/// An accepted file says the same when it is written again.
pub fn fuzz_key_file(data: &[u8]) {
    if let Ok(people) = People::from_toml(&String::from_utf8_lossy(data)) {
        assert_eq!(People::from_toml(&people.to_toml()), Ok(people));
    }
}

/// An accepted message can be said again; what is said is accepted.
pub fn fuzz_signaling(data: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<FromPage>(data) {
        let text = serde_json::to_string(&message).unwrap();
        serde_json::from_str::<FromPage>(&text).unwrap();
    }
    if let Ok(message) = serde_json::from_slice::<FromHome>(data) {
        serde_json::to_string(&message).unwrap();
    }
}

/// Each address stands in the text, in the kernel's 32 digits, and its flags in the same line.
pub fn fuzz_if_inet6(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for (address, flags) in ranking::parse_if_inet6(&text) {
        let std::net::IpAddr::V6(address) = address else { panic!("{address} out of a table of IPv6") };
        let digits = format!("{:032x}", address.to_bits());
        let says_so = |line: &str| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let is = words.first().is_some_and(|word| word.eq_ignore_ascii_case(&digits));
            is && words.get(4).and_then(|word| u32::from_str_radix(word, 16).ok()) == Some(flags)
        };
        assert!(text.lines().any(says_so), "{address} with {flags:x}");
    }
}

/// An answer of a jail that was taken over has a picture within bounds, and text that can be printed.
pub fn fuzz_jail_wire(data: &[u8]) {
    if let Some(head) = data.first_chunk::<{ wire::ORDER_HEAD }>()
        && let Some(order) = Order::parse(*head)
    {
        assert_eq!(Order::parse(order.head()), Some(order));
    }
    let Some(bytes) = data.first_chunk::<{ wire::ANSWER }>() else { return };
    let Some(answer) = Answer::parse(bytes) else { return };
    match &answer {
        Answer::Picture { width, height } => assert!(wire::picture_bytes(*width, *height) <= wire::PICTURE_BYTES),
        Answer::Broken(text) => assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte))),
        Answer::Ready { .. } | Answer::Nothing => {}
    }
    assert_eq!(Answer::parse(&answer.to_bytes()), Some(answer));
}

/// A zone's file gives an offset, or none, at each time.
pub fn fuzz_zone(data: &[u8]) {
    let mut bytes = Bytes(data);
    let unix = bytes.long() as i64 >> 16;
    local_time::offset_at(bytes.0, unix);
}

/// A name can be seen, is short, and stays what it is.
pub fn fuzz_name(data: &[u8]) {
    if let Ok(name) = access_names::tidy(&String::from_utf8_lossy(data)) {
        assert!(!name.is_empty() && name.chars().count() <= access_names::LONGEST);
        assert!(!name.chars().any(char::is_control));
        assert_eq!(access_names::tidy(&name), Ok(name));
    }
}

// ---- Seeds. ----

pub fn heads() -> Vec<Vec<u8>> {
    owned(&[
        b"GET / HTTP/1.1\r\nHost: home.local:8443\r\nAccept: */*\r\nIf-None-Match: \"a\", W/\"b\"\r\n\r\n",
        b"HEAD /a/b.js?c=d HTTP/1.0\r\nHost: [2001:db8::1]:8443\r\nContent-Length: 0\r\n\r\n",
        b"GET /signal HTTP/1.1\r\nHost: home\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://home\r\n\r\n",
        b"POST /signal HTTP/1.1\r\nHost: home\r\nConnection: keep-alive\r\nContent-Length: 65536\r\n\
          Origin: https://home\r\nSec-Fetch-Site: same-origin\r\n\r\n",
    ])
}

pub fn pages() -> Vec<Vec<u8>> {
    owned(&[
        b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\nhello",
        b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n",
    ])
}

pub fn requests() -> Vec<Vec<u8>> {
    owned(&[
        br#"{"command":"link"}"#,
        br#"{"command":"link","name":"Ann","days":7,"devices":3}"#,
        br#"{"command":"code","name":"Ann"}"#,
        br#"{"command":"revoke","id":18446744073709551615}"#,
        br#"{"command":"mute","on":true}"#,
        br#"{"command":"status"}"#,
        br#"{"command":"health"}"#,
        br#"{"command":"reset"}"#,
    ])
}

pub fn keys() -> Vec<Vec<u8>> {
    owned(&[b"AAAAAAAAAAAAAAAAAAAAAA", b"BwcHBwcHBwcHBwcHBwcHBw", b"-_-_-_-_-_-_-_-_-_-_-Q"])
}

pub fn people() -> Vec<Vec<u8>> {
    let hash = "0123456789abcdef".repeat(4);
    let old = format!("next = 4\n\n[[key]]\nnumber = 3\ncreated = \"2026-11-02T10:00:00Z\"\nsha256 = \"{hash}\"\n");
    let mut people = People::new();
    people.take_device(Person::new(1, Some("Ann".into()), Role::Family), KeyId(2), [7; 32]);
    people.take_device(Person::new(3, None, Role::Family), KeyId(4), [9; 32]);
    let link = format!(
        "[[link]]\nperson = 3\nuntil = \"9999-12-31T23:59:59-23:59\"\ndevices = 3\nused = 1\nsha256 = \"{hash}\"\n"
    );
    let links =
        [format!("{}\n{link}", people.to_toml()), format!("{}\n{}", people.to_toml(), link.replace("-23:59", "Z"))];
    let [late, latest] = links.map(String::into_bytes);
    vec![old.into_bytes(), people.to_toml().into_bytes(), late, latest, Vec::new()]
}

pub fn messages() -> Vec<Vec<u8>> {
    owned(&[
        br#"{"type":"hello","v":1,"key":"AAAAAAAAAAAAAAAAAAAAAA","resume":"x"}"#,
        br#"{"type":"pair","v":1,"token":"AAAA","nonce":"0123456789abcdef01234567"}"#,
        br#"{"type":"offer","pc":1,"rev":1,"sdp":"v=0\r\n"}"#,
        br#"{"type":"candidate","pc":1,"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host"}"#,
        br#"{"type":"keyframe","pc":1}"#,
        br#"{"type":"snapshot"}"#,
        br#"{"type":"state","microphone":true,"camera":false}"#,
        br#"{"type":"volume","percent":50}"#,
        br#"{"type":"ping","t":1.5e300}"#,
        br#"{"type":"leave"}"#,
        br#"{"type":"people"}"#,
        br#"{"type":"invite","request":7,"name":"Anna","role":"guest"}"#,
        br#"{"type":"person","person":1,"name":null,"role":"owner","entering":"knock","quiet_hours":"22:00-07:00"}"#,
        br#"{"type":"remove","person":1}"#,
        br#"{"type":"show_code","shown":true,"role":"owner"}"#,
        br#"{"type":"quiet_hours","hours":"22:00-07:00"}"#,
        br#"{"type":"let_in","visit":1}"#,
    ])
}

pub fn tables() -> Vec<Vec<u8>> {
    owned(&[
        b"20010db8000000000000000000000002 02 40 00 41     eth0\n",
        b"+0010db8000000000000000000000002 02 40 00 41     eth0\n",
    ])
}

pub fn answers() -> Vec<Vec<u8>> {
    let said = [
        Answer::Ready { files: true, calls: false },
        Answer::Picture { width: 640, height: 480 },
        Answer::Nothing,
        Answer::Broken("H.264 decoder: no".into()),
    ];
    let orders = [Order::Decode { stream: 1, fresh: true, length: 100 }, Order::Forget { stream: 2 }];
    said.iter().map(|answer| answer.to_bytes().to_vec()).chain(orders.map(|order| order.head().to_vec())).collect()
}

pub fn zones() -> Vec<Vec<u8>> {
    // Version 2: an empty first block, two transitions in the second, and a rule behind them.
    let head = |times: u32, types: u32, letters: u32| {
        let mut head = b"TZif2".to_vec();
        head.resize(20, 0);
        [0, 0, 0, times, types, letters].iter().for_each(|count| head.extend(count.to_be_bytes()));
        head
    };
    let mut zone = 1_790_000_000_i64.to_le_bytes().to_vec();
    zone.rotate_right(2);
    zone.extend([head(0, 1, 4), vec![0; 6], b"UTC\0".to_vec(), head(2, 2, 9)].concat());
    [1_700_000_000_i64, 1_710_000_000].iter().for_each(|time| zone.extend(time.to_be_bytes()));
    zone.extend([0, 1]);
    zone.extend([&3600_i32.to_be_bytes()[..], &[0, 0], &7200_i32.to_be_bytes(), &[1, 4]].concat());
    zone.extend(b"CET\0CEST\0\nCET-1CEST,M3.5.0,M10.5.0/3\n");
    let rule = [&zone[..zone.len() - 28], b"<+0330>-3:30<+0430>,J79/24,J263/24\n"].concat();
    vec![zone, rule]
}

pub fn names() -> Vec<Vec<u8>> {
    owned(&[" Ju\u{308}rgen ".as_bytes(), "Бабушка".as_bytes(), b"Ann\tB"])
}
