//! How a camera wants to be told who asks, without I/O: its challenges, and the answers of HTTP Digest (RFC 7616, and RFC 2617 and
//! 2069 before it) and Basic (RFC 7617).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::digest::Digest as _;
use sha2::{Sha256, Sha512_256};

use crate::words::shown;

/// Challenges that are looked at; cameras send one or two.
const CHALLENGES: usize = 16;
/// Parameters of one that are looked at.
const PARAMETERS: usize = 24;
/// Longest of the values that an answer repeats, in bytes. Real ones are below 100.
const LONGEST: usize = 1024;

/// One way in which a camera takes a name and a password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// `Digest`, `Basic` or another word, as the camera writes it.
    pub scheme: String,
    /// Keys in small letters, values without quotes. A value need not be UTF-8.
    parameters: Vec<(String, Vec<u8>)>,
}

impl Challenge {
    fn value(&self, key: &str) -> Option<&[u8]> {
        self.parameters.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_slice())
    }

    /// Whether it says that only the nonce was too old.
    pub fn is_stale(&self) -> bool {
        self.value("stale").is_some_and(|value| value.eq_ignore_ascii_case(b"true"))
    }

    /// Whether it is of this scheme.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }
}

/// Reads the challenges of all `WWW-Authenticate` headers. Commas between parameters and between challenges are the same letter,
/// and some cameras leave them out: what has no `=` behind it is a scheme.
pub fn challenges<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Vec<Challenge> {
    let mut all: Vec<Challenge> = Vec::new();
    for header in headers {
        let (mut rest, first) = (header, all.len());
        loop {
            let start = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b','));
            let Some(start) = start else { break };
            rest = &rest[start..];
            let end = rest.iter().position(|byte| matches!(byte, b' ' | b'\t' | b',' | b'=')).unwrap_or(rest.len());
            let word = String::from_utf8_lossy(&rest[..end]).into_owned();
            rest = rest[end..].trim_ascii_start();
            let Some(value) = rest.strip_prefix(b"=") else {
                if all.len() >= CHALLENGES {
                    return all;
                }
                all.push(Challenge { scheme: word, parameters: Vec::new() });
                continue;
            };
            let value = take_value(value.trim_ascii_start(), &mut rest);
            if let Some(challenge) = all[first..].last_mut()
                && challenge.parameters.len() < PARAMETERS
            {
                challenge.parameters.push((word.to_ascii_lowercase(), value));
            }
        }
    }
    all
}

/// A value, quoted or not; `rest` is what comes behind it.
fn take_value<'a>(text: &'a [u8], rest: &mut &'a [u8]) -> Vec<u8> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|byte| matches!(byte, b' ' | b'\t' | b',')).unwrap_or(text.len());
        let (value, behind) = text.split_at(end);
        *rest = behind;
        return value.to_vec();
    };
    let (mut value, mut bytes) = (Vec::new(), quoted.iter());
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => value.extend(bytes.next()),
            _ => value.push(byte),
        }
    }
    *rest = bytes.as_slice();
    value
}

/// The `Authorization` of Basic: the password in clear.
pub fn basic((user, password): &(String, String)) -> Vec<u8> {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))).into_bytes()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Md5,
    Sha256,
    Sha512Of256,
}

impl Hash {
    /// The hash of `parts` with colons between them, in hexadecimal.
    fn of(self, parts: &[&[u8]]) -> Vec<u8> {
        let text = parts.join(&b':');
        let hash = match self {
            Hash::Md5 => Md5::digest(text).to_vec(),
            Hash::Sha256 => Sha256::digest(text).to_vec(),
            Hash::Sha512Of256 => Sha512_256::digest(text).to_vec(),
        };
        hex(&hash)
    }
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

/// A challenge of Digest that is being answered.
#[derive(Clone, Debug)]
pub struct Digest {
    hash: Hash,
    /// The session's variant of the hash.
    session: bool,
    /// `auth`, or `auth-int` where nothing else is offered; `None` is the way of RFC 2069.
    quality: Option<&'static str>,
    challenge: Challenge,
    /// Requests that used this nonce.
    count: u32,
    /// The client's text in the first of them.
    first: Option<Vec<u8>>,
}

impl Digest {
    /// Of a challenge of the scheme Digest.
    ///
    /// # Errors
    /// If it wants something that is not spoken; in words.
    pub fn new(challenge: &Challenge) -> Result<Digest, String> {
        let algorithm = challenge.value("algorithm").unwrap_or(b"MD5").trim_ascii();
        let algorithm = String::from_utf8_lossy(algorithm).to_ascii_uppercase();
        let (name, session) = match algorithm.strip_suffix("-SESS") {
            Some(name) => (name, true),
            None => (algorithm.as_str(), false),
        };
        let hash = match name {
            "MD5" | "" => Hash::Md5,
            "SHA-256" => Hash::Sha256,
            "SHA-512-256" => Hash::Sha512Of256,
            other => return Err(format!("Digest with the algorithm {}", shown(other))),
        };
        let offered = challenge.value("qop").map(|value| String::from_utf8_lossy(value).to_ascii_lowercase());
        let offers = |word: &str| {
            let words = offered.as_deref().unwrap_or_default().split([',', ' ', '\t']);
            words.map(str::trim).any(|offered| offered == word)
        };
        let quality = match &offered {
            None => None,
            Some(text) if text.trim().is_empty() => None,
            Some(_) if offers("auth") => Some("auth"),
            Some(_) if offers("auth-int") => Some("auth-int"),
            Some(other) => return Err(format!("Digest with the quality {}", shown(other))),
        };
        if challenge.value("nonce").is_none() {
            return Err("Digest without a nonce".into());
        }
        for key in ["realm", "nonce", "opaque"] {
            if challenge.value(key).is_some_and(|value| value.len() > LONGEST) {
                return Err(format!("Digest with a {key} of more than {LONGEST} bytes"));
            }
        }
        Ok(Digest { hash, session, quality, challenge: challenge.clone(), count: 0, first: None })
    }

    /// Whether it would answer with the same nonce as this challenge has.
    pub fn has_nonce_of(&self, challenge: &Challenge) -> bool {
        self.challenge.value("nonce") == challenge.value("nonce")
    }

    /// The `Authorization` for the next GET of `target`. `client` is a text that nobody can guess.
    pub fn answer(&mut self, (user, password): &(String, String), target: &str, client: &str) -> Vec<u8> {
        self.count = self.count.saturating_add(1);
        // The session's variants keep the first one (RFC 7616, 3.4.2). It is also sent each time: some cameras compute with what is sent.
        let kept = self.first.get_or_insert_with(|| client.as_bytes().to_vec()).clone();
        let client = if self.session { kept.as_slice() } else { client.as_bytes() };
        let count = format!("{:08x}", self.count).into_bytes();
        let value = |key| self.challenge.value(key).unwrap_or_default();
        let (realm, nonce) = (value("realm"), value("nonce"));
        let mut secret = self.hash.of(&[user.as_bytes(), realm, password.as_bytes()]);
        if self.session {
            secret = self.hash.of(&[&secret, nonce, client]);
        }
        let asked = match self.quality {
            // The request has no body.
            Some("auth-int") => self.hash.of(&[b"GET", target.as_bytes(), &self.hash.of(&[b""])]),
            _ => self.hash.of(&[b"GET", target.as_bytes()]),
        };
        let response = match self.quality {
            Some(quality) => self.hash.of(&[&secret, nonce, &count, client, quality.as_bytes(), &asked]),
            None => self.hash.of(&[&secret, nonce, &asked]),
        };
        let mut line = b"Digest ".to_vec();
        quoted(&mut line, "username", user.as_bytes());
        for (key, value) in [("realm", realm), ("nonce", nonce), ("uri", target.as_bytes()), ("response", &response)] {
            line.extend_from_slice(b", ");
            quoted(&mut line, key, value);
        }
        if let Some(algorithm) = self.challenge.value("algorithm") {
            line.extend([&b", algorithm="[..], algorithm.trim_ascii()].concat());
        }
        if let Some(opaque) = self.challenge.value("opaque") {
            line.extend_from_slice(b", ");
            quoted(&mut line, "opaque", opaque);
        }
        if let Some(quality) = self.quality {
            line.extend([b", qop=", quality.as_bytes(), b", nc=", &count].concat());
        }
        if self.quality.is_some() || self.session {
            line.extend_from_slice(b", ");
            quoted(&mut line, "cnonce", client);
        }
        line
    }
}

/// Adds a parameter. A control character becomes a space: a line of a request must stay one line.
fn quoted(line: &mut Vec<u8>, key: &str, value: &[u8]) {
    line.extend_from_slice(key.as_bytes());
    line.extend_from_slice(b"=\"");
    for &byte in value {
        if matches!(byte, b'"' | b'\\') {
            line.push(b'\\');
        }
        line.push(if byte.is_ascii_control() { b' ' } else { byte });
    }
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("text")
    }

    fn one(header: &str) -> Challenge {
        let mut all = challenges([header.as_bytes()]);
        assert_eq!(all.len(), 1, "{header}");
        all.remove(0)
    }

    /// The value of a parameter of an answer.
    fn parameter(answer: &[u8], key: &str) -> Option<String> {
        let challenge = challenges([answer]).remove(0);
        challenge.value(key).map(|value| text(value.to_vec()))
    }

    #[test]
    fn the_answers_are_those_of_the_rfcs() {
        let old = "realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
        let new = "realm=\"http-auth@example.org\", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                   qop=\"auth, auth-int\"";
        let client = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (challenge, password, client, response) in [
            // RFC 2069, 2.4, as its errata correct it; RFC 2617, 3.5; RFC 7616, 3.9.1, twice.
            (old.to_owned(), "CircleOfLife", "", "1949323746fe6a43ef61f9606e7febea"),
            (format!("{old}, qop=\"auth,auth-int\""), "Circle Of Life", "0a4f113b", "6629fae49393a05397450978507c4ef1"),
            (format!("{new}, algorithm=MD5"), "Circle of Life", client, "8ca523f5e9506fed4657c9700eebdbec"),
            (
                format!("{new}, algorithm=SHA-256"),
                "Circle of Life",
                client,
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ] {
            let user = ("Mufasa".to_owned(), password.to_owned());
            let mut digest = Digest::new(&one(&format!("Digest {challenge}, opaque=\"5c\""))).unwrap();
            let answer = digest.answer(&user, "/dir/index.html", client);
            assert_eq!(parameter(&answer, "response").as_deref(), Some(response), "{challenge}");
            assert_eq!(parameter(&answer, "opaque").as_deref(), Some("5c"));
            for key in ["qop", "nc", "cnonce"] {
                assert_eq!(parameter(&answer, key).is_some(), challenge.contains("qop"), "{key}");
            }
            assert_eq!(parameter(&answer, "algorithm").is_some(), challenge.contains("algorithm"));
        }
    }

    #[test]
    fn every_algorithm_gives_what_an_independent_program_computes() {
        // Computed by Python's hashlib.
        let client = "07".repeat(16);
        for (algorithm, quality, response) in EXPECTED {
            let header =
                format!("Digest realm=\"a \\\"b\\\"\", nonce=\"n\\\\1\", algorithm={algorithm}, qop=\"{quality}\"");
            let mut digest = Digest::new(&one(&header)).unwrap();
            let user = ("me".to_owned(), "hush".to_owned());
            digest.answer(&user, "/a?b=c", &client);
            // A session goes on with the client's first text.
            let next = if algorithm.ends_with("-sess") { "08".repeat(16) } else { client.clone() };
            let answer = digest.answer(&user, "/a?b=c", &next);
            assert_eq!(parameter(&answer, "cnonce").as_ref(), Some(&client), "{algorithm}");
            assert_eq!(parameter(&answer, "response").as_deref(), Some(response), "{algorithm} {quality}");
            assert_eq!(parameter(&answer, "nc").as_deref(), Some("00000002"));
            let line = text(answer);
            assert!(line.contains("realm=\"a \\\"b\\\"\"") && line.contains("nonce=\"n\\\\1\""), "{line}");
            assert!(line.contains(&format!("algorithm={algorithm}")) && line.contains("uri=\"/a?b=c\""), "{line}");
        }
    }

    #[test]
    fn challenges_are_told_apart_however_they_are_written() {
        let schemes = |headers: &[&str]| -> Vec<String> {
            challenges(headers.iter().map(|header| header.as_bytes())).into_iter().map(|one| one.scheme).collect()
        };
        assert_eq!(schemes(&["Basic realm=\"x, Digest y\", Digest realm=\"z\",nonce=\"1\""]), ["Basic", "Digest"]);
        assert_eq!(schemes(&["Digest realm=a", "basic realm=\"b"]), ["Digest", "basic"]);
        assert_eq!(
            schemes(&["Negotiate, Basic", ",,Digest nonce = \"x\" , qop = auth"]),
            ["Negotiate", "Basic", "Digest"]
        );
        assert_eq!(schemes(&["", "=x", ", ,", "\t"]), [""; 0]);
        let spaced = one("DIGEST realm = \"x\" nonce=\"abc==\"  stale=TRUE, qop=\"auth-int, auth\"");
        assert!(spaced.is("digest") && spaced.is_stale());
        assert_eq!(spaced.value("nonce"), Some(&b"abc=="[..]));
        assert_eq!(Digest::new(&spaced).unwrap().quality, Some("auth"));
        let many = "Digest a=b, ".repeat(1000);
        assert_eq!(challenges([many.as_bytes()]).len(), CHALLENGES);
    }

    #[test]
    fn what_is_not_spoken_is_named() {
        for (header, word) in [
            ("Digest nonce=\"x\", algorithm=SHA3", "SHA3"),
            ("Digest nonce=\"x\", qop=\"token\"", "token"),
            ("Digest realm=\"x\"", "nonce"),
        ] {
            let why = Digest::new(&one(header)).expect_err(header);
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn what_is_repeated_has_a_bound_and_stays_on_its_line() {
        let long = |length: usize| "\\\"".repeat(length);
        for key in ["realm", "nonce", "opaque"] {
            let with = |length| {
                format!("Digest nonce=\"n\", {key}=\"{}\"", long(length)).replace("nonce=\"n\", nonce", "nonce")
            };
            let mut digest = Digest::new(&one(&with(LONGEST))).expect(key);
            assert!(digest.answer(&("me".into(), "hush".into()), "/", "c").len() < 3 * LONGEST);
            let why = Digest::new(&one(&with(LONGEST + 1))).expect_err(key);
            assert!(why.contains(key) && why.contains("1024"), "{why}");
        }
        let header = "Digest realm=\"a\r\nX: \0y\x1B\", nonce=\"\n\r\n\", opaque=\"\x7F\", algorithm=\"\r\nMD5\n\"";
        let answer = Digest::new(&one(header)).unwrap().answer(&("me".into(), "hush".into()), "/", "c");
        assert!(!answer.iter().any(u8::is_ascii_control), "{:?}", text(answer));
    }

    #[test]
    fn basic_is_that_of_its_rfc() {
        let user = ("Aladdin".to_owned(), "open sesame".to_owned());
        assert_eq!(text(basic(&user)), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    const EXPECTED: [(&str, &str, &str); 7] = [
        ("MD5", "auth", "32627fadf03053dede958f295b0ea8eb"),
        ("MD5-sess", "auth", "29e7de39b10625ac9cd83f167302ed92"),
        ("SHA-256", "auth", "7a3c8db49d1993a3e55457ccc2fd168c566cd293eb3858708153e9582c343d74"),
        ("SHA-256-sess", "auth", "c2381d4af73ff43b586fbb5d546766b1c108ceec3d84bca2efad1fe382285560"),
        ("SHA-512-256", "auth", "aa219731af9fbdb21a711937f6cd3c646c6a1a20348210791830cd079b43c6bd"),
        ("MD5", "auth-int", "c64b2275513b22e0bc3bae8c7182c8df"),
        ("SHA-256", "auth,auth-int", "7a3c8db49d1993a3e55457ccc2fd168c566cd293eb3858708153e9582c343d74"),
    ];
}
