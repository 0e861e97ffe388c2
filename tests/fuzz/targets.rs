//! What must hold of each parser, whatever it is given.

use intercom::access::keys::{Key, KeyId};
use intercom::access::people::{People, Person, Role};
use intercom::core::protocol::{FromHome, FromPage};
use intercom::reach::ranking;
use intercom::shell::control::Request;
use intercom::shell::gateway::head;
use intercom::shell::gateway::reply::{self, FromPages};

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
    let passed_on = request.to_pages();
    assert_eq!(head::end_of_head(&passed_on, 0), Some(passed_on.len()), "exactly one request");
    assert!(passed_on.len() < 2048 && passed_on.is_ascii());
    let location = request.secure_location(8443);
    assert!(location.starts_with("https://") && location.bytes().all(|byte| byte.is_ascii_graphic()));
    let redirect = reply::redirect(&location);
    assert_eq!(head::end_of_head(&redirect, 0), Some(redirect.len()));
    if let Ok(accept) = request.websocket() {
        assert_eq!(accept.len(), 28);
    }
}

/// An answer is passed on with our fields and never with the server's name.
pub fn fuzz_from_pages(data: &[u8]) {
    for to_head in [false, true] {
        if let FromPages::Whole(whole) = reply::from_pages(data, to_head) {
            let end = head::end_of_head(&whole, 0).expect("a head");
            let text = String::from_utf8_lossy(&whole[..end]).to_ascii_lowercase();
            assert!(text.contains("content-security-policy: default-src 'none'") && !text.contains("\r\nserver:"));
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
    let somebody = |number| Person { number, name: None, role: Role::Family };
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
