//! `wifi.txt` of the settings partition: what is clear in it is taken, and each mistake is told with its line.
//!
//! Nothing that could be a password is repeated in a mistake: those stand on the TV and in the log.

mod country;
mod pasted;
mod supplicant;
#[cfg(test)]
mod tests;
mod words;

use intercom_base::letters::clipped;
use intercom_core::tv::message::Text;
use intercom_core::tv::mistake::Fault;

use super::Problem;
use super::plain_text::{self, trim, unquote};
use words::{Key, key_of, nearest_word};

/// Networks that are taken; home joins the first of them that is there.
pub const MOST_NETWORKS: usize = 8;

/// Passwords of a network that are tried.
const MOST_PASSWORDS: usize = 4;

/// Bytes of a network's name (IEEE 802.11, 9.4.2.2).
const LONGEST_NAME: usize = 32;

/// Bytes of a value that is looked at more closely; no name or password is as long.
const LONGEST_VALUE: usize = 256;

/// What `wifi.txt` says.
#[derive(Default)]
pub struct Wifi {
    /// Two capital letters of ISO 3166.
    pub country: Option<&'static str>,
    /// The best first; empty if there is no Wi-Fi to join.
    pub networks: Vec<Network>,
    /// What is wrong, in the order of the lines.
    pub problems: Vec<Problem>,
}

/// A network to join.
#[derive(Clone, PartialEq, Eq)]
pub struct Network {
    /// Its name as it goes over the air: 1 to 32 bytes.
    pub ssid: Vec<u8>,
    /// What lets home in.
    pub secret: Secret,
}

/// What lets a device into a network.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// Nothing is needed.
    Open,
    /// A password of 8 to 63 bytes, for WPA2 and WPA3.
    Password(String),
    /// The key of WPA2 itself, in 64 small hex digits. WPA3 needs the password.
    Key(String),
}

/// Reads a `wifi.txt`.
pub fn read(bytes: &[u8]) -> Wifi {
    let mut reader = Reader::default();
    match plain_text::read(bytes) {
        Ok(text) => {
            for (line, words) in &text.lines {
                reader.handle_line(*line, words);
            }
            reader.end_block();
            reader.keep_open_ones();
            if let (true, Some(line)) = (text.guessed, reader.beyond_ascii) {
                reader.complain(line, "", Fault::EncodingGuessed);
            }
        }
        Err(why) => reader.wifi.problems.push(Problem::of(None, "", why.fault(), None)),
    }
    let mut wifi = reader.wifi;
    wifi.problems.sort_by_key(|problem| problem.line);
    wifi
}

/// The lines that belong to one network.
#[derive(Default)]
struct Block {
    /// There was a name, right or wrong.
    is_named: bool,
    /// Where.
    line: usize,
    ssid: Option<Vec<u8>>,
    /// Each with its line.
    secrets: Vec<(usize, Secret)>,
    /// Something was not understood, perhaps the password.
    is_unclear: bool,
}

#[derive(Default)]
struct Reader {
    wifi: Wifi,
    block: Block,
    /// What came first in the file, name or password, comes first in each block.
    first: Option<Key>,
    /// Something in the file was not understood, perhaps a password: then nothing is joined without one.
    is_unclear: bool,
    /// Networks without a password, each with the line of its name.
    open: Vec<(usize, Vec<u8>)>,
    /// Within `network={ … }`.
    in_braces: bool,
    /// The first line with a name or password beyond ASCII.
    beyond_ascii: Option<usize>,
}

impl Reader {
    fn complain(&mut self, line: usize, key: &str, fault: Fault) {
        self.wifi.problems.push(Problem::of(Some(line), key, fault, None));
    }

    fn handle_line(&mut self, line: usize, text: &str) {
        // Of files with sections, and of JSON.
        let is_frame = text.starts_with('[') && text.ends_with(']') || text.chars().all(|c| "{},".contains(c));
        if plain_text::is_comment(text) {
            return;
        }
        if self.in_braces {
            return self.handle_in_braces(line, text);
        }
        if is_frame {
            return;
        }
        if let Some(fields) = pasted::qr_fields(text) {
            self.end_block();
            for (key, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
                self.take(line, *key, value);
            }
            return self.end_block();
        }
        if pasted::is_broken_code(text) {
            return self.refuse(line, Fault::CodeUnclear);
        }
        if let Some(behind) = pasted::block_begin(text) {
            self.end_block();
            self.in_braces = true;
            return self.handle_in_braces(line, behind);
        }
        self.handle_pair(line, text);
    }

    fn handle_in_braces(&mut self, line: usize, text: &str) {
        let (lines, ends) = pasted::block_lines(text);
        for text in lines.iter().filter(|text| !text.is_empty()) {
            self.handle_pair(line, text);
        }
        if ends {
            self.end_block();
            self.in_braces = false;
        }
    }

    /// Such as `network = Our home`.
    fn handle_pair(&mut self, line: usize, text: &str) {
        let text = ["- ", "* ", "• "].iter().find_map(|mark| text.strip_prefix(mark)).unwrap_or(text);
        let Some((word, value)) = text.split_once(['=', ':', '＝', '：']) else {
            return self.handle_words(line, text);
        };
        let ((word, is_json), value) = (unquote(trim(word)), trim(value));
        let value = if is_json { value.strip_suffix(',').unwrap_or(value) } else { value };
        let Some(key) = key_of(word) else {
            // Such as `password a:b`.
            return match word.split_whitespace().next().and_then(key_of) {
                Some(_) if word.contains(char::is_whitespace) => self.handle_words(line, text),
                _ => self.handle_unknown(line, word),
            };
        };
        let (inside, has_quotes) = unquote(value);
        if inside.is_empty() {
            if matches!(key, Key::Network | Key::Password) {
                self.first.get_or_insert(key);
            }
            return;
        }
        if matches!(key, Key::Network | Key::Country) && !has_quotes && has_password(inside) {
            if key == Key::Network {
                self.take_name(line, Vec::new());
            }
            self.is_unclear = true;
            let word = if key == Key::Network { "network" } else { "country" };
            return self.complain(line, word, Fault::OneLine);
        }
        // In wpa_supplicant's own files a name without quotes is in hex.
        if key == Key::Network
            && self.in_braces
            && !has_quotes
            && let Some(name) = from_hex(inside)
        {
            return self.take_name(line, name);
        }
        self.take(line, key, inside);
    }

    /// A line without `=`: clear if it begins with one word that is known, and the next is none.
    fn handle_words(&mut self, line: usize, text: &str) {
        let (word, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let is_arrow = |word: &str| word.chars().all(|c| "-–—=>→|".contains(c));
        let value = match trim(value).split_once(char::is_whitespace) {
            Some((arrow, rest)) if is_arrow(arrow) => rest,
            _ => value,
        };
        let (value, _) = unquote(trim(value));
        let next = value.split_whitespace().next().unwrap_or_default();
        match key_of(word) {
            Some(_) if value.is_empty() => {}
            Some(key) if key_of(next).is_none() => self.take(line, key, value),
            _ => self.handle_unknown(line, ""),
        }
    }

    /// `word` may be a part of a password, so it is repeated only if it is a known one but for a letter or two.
    fn handle_unknown(&mut self, line: usize, word: &str) {
        (self.block.is_unclear, self.is_unclear) = (true, true);
        let is_slip = |near: &str| word.chars().all(char::is_alphabetic) && word.len().abs_diff(near.len()) <= 2;
        match nearest_word(word) {
            Some(near) => {
                let key = if is_slip(near) { word } else { "" };
                let problem = Problem::of(Some(line), key, Fault::NoSuchKey, Some(near.to_owned()));
                self.wifi.problems.push(problem);
            }
            None => self.complain(line, "", Fault::LineUnclear),
        }
    }

    /// `value` is not empty.
    fn take(&mut self, line: usize, key: Key, value: &str) {
        if matches!(key, Key::Network | Key::Password) && !value.is_ascii() {
            self.beyond_ascii.get_or_insert(line);
        }
        match key {
            Key::Network if value.chars().any(is_odd) => {
                self.take_name(line, Vec::new());
                self.complain(line, "network", Fault::LetterUnclear);
            }
            Key::Network => self.take_name(line, value.as_bytes().to_vec()),
            Key::Password => self.take_password(line, value),
            Key::Country => self.take_country(line, value),
            Key::Security => self.take_security(line, value),
            Key::User => self.refuse(line, Fault::UsersRefused),
            Key::Needless => {}
        }
    }

    /// An empty one is wrong, and has been told.
    fn take_name(&mut self, line: usize, name: Vec<u8>) {
        self.first.get_or_insert(Key::Network);
        if self.block.is_named {
            self.end_block();
        }
        (self.block.is_named, self.block.line) = (true, line);
        self.is_unclear |= name.is_empty() || name.len() > LONGEST_NAME;
        if name.len() > LONGEST_NAME {
            self.complain(line, "network", Fault::NameLong { bytes: name.len() });
        } else if !name.is_empty() {
            self.block.ssid = Some(name);
        }
    }

    fn take_password(&mut self, line: usize, password: &str) {
        let is_new = *self.first.get_or_insert(Key::Password) == Key::Password && self.block.is_named;
        if is_new && !self.block.secrets.is_empty() {
            self.end_block();
        }
        let (bytes, letters) = (password.len(), password.chars().count());
        let is_key = bytes == 64 && password.bytes().all(|byte| byte.is_ascii_hexdigit());
        let wrong = match bytes {
            _ if is_key => None,
            _ if password.chars().any(is_odd) => Some(Fault::LetterUnclear),
            ..8 => Some(Fault::PasswordShort { letters }),
            64.. => Some(Fault::PasswordLong { letters }),
            _ => None,
        };
        if let Some(fault) = wrong {
            (self.block.is_unclear, self.is_unclear) = (true, true);
            return self.complain(line, "password", fault);
        }
        let secret =
            if is_key { Secret::Key(password.to_ascii_lowercase()) } else { Secret::Password(password.to_owned()) };
        if self.block.secrets.iter().any(|(_, known)| *known == secret) {
            return;
        }
        if !self.block.secrets.is_empty() {
            self.complain(line, "password", Fault::PasswordSecond);
        }
        // Word processors and phones put other letters in the place of these, which no router has.
        let typed = as_typed(password);
        let typed = (typed != password && (8..64).contains(&typed.len())).then_some(Secret::Password(typed));
        for secret in [secret].into_iter().chain(typed) {
            if self.block.secrets.len() < MOST_PASSWORDS {
                self.block.secrets.push((line, secret));
            }
        }
    }

    fn take_country(&mut self, line: usize, value: &str) {
        match country::code_of(value) {
            Some(code) if self.wifi.country.is_none_or(|known| known == code) => self.wifi.country = Some(code),
            Some(_) => self.complain(line, "country", Fault::CountrySecond),
            None => {
                // What has no country's letters may be anything.
                let is_word = value.chars().all(|c| c.is_alphabetic() || c.is_whitespace());
                let fault = match is_word {
                    true => Fault::CountryUnknown { country: Text::new(clipped(value, 20)) },
                    false => Fault::CountryUnclear,
                };
                self.complain(line, "country", fault);
            }
        }
    }

    fn take_security(&mut self, line: usize, value: &str) {
        let value = value.to_ascii_lowercase();
        if value.contains("wep") {
            self.refuse(line, Fault::WepRefused);
        } else if value.contains("eap") || value.contains("enterprise") {
            self.refuse(line, Fault::UsersRefused);
        }
    }

    /// This network cannot be joined at all.
    fn refuse(&mut self, line: usize, fault: Fault) {
        (self.block.is_unclear, self.is_unclear) = (true, true);
        self.complain(line, "", fault);
    }

    fn end_block(&mut self) {
        let Block { is_named, line, ssid, secrets, is_unclear } = std::mem::take(&mut self.block);
        if let (false, Some((line, _))) = (is_named, secrets.first()) {
            self.is_unclear = true;
            self.complain(*line, "password", Fault::NameMissing);
        }
        let Some(ssid) = ssid else { return };
        if secrets.is_empty() {
            // Why it is unclear has been told.
            if !is_unclear {
                self.add(line, Network { ssid: ssid.clone(), secret: Secret::Open });
                self.open.push((line, ssid));
            }
            return;
        }
        for (line, secret) in secrets {
            self.add(line, Network { ssid: ssid.clone(), secret });
        }
    }

    fn add(&mut self, line: usize, network: Network) {
        if self.wifi.networks.contains(&network) {
            return;
        }
        if self.wifi.networks.len() == MOST_NETWORKS {
            return self.complain(line, "", Fault::NetworksMany { most: MOST_NETWORKS });
        }
        self.wifi.networks.push(network);
    }

    /// Of the networks without a password those that are meant to have none. Whoever is near can make one of any name: it is no way
    /// out of a mistake.
    fn keep_open_ones(&mut self) {
        let networks = std::mem::take(&mut self.wifi.networks);
        let has_secret = |ssid: &[u8]| {
            let of_name = networks.iter().filter(|network| network.ssid == ssid);
            of_name.into_iter().any(|network| network.secret != Secret::Open)
        };
        let all_open = networks.iter().all(|network| network.secret == Secret::Open);
        // Which password is whose is clear only where each stands below its name.
        let is_mixed = self.first == Some(Key::Password) && !all_open;
        if is_mixed {
            for (line, _) in self.open.clone().iter().filter(|(_, ssid)| !has_secret(ssid)) {
                self.complain(*line, "network", Fault::PasswordMissing);
            }
        }
        let is_kept = |network: &Network| {
            let is_open = network.secret == Secret::Open;
            !is_open || !(self.is_unclear || is_mixed || has_secret(&network.ssid))
        };
        self.wifi.networks = networks.iter().filter(|network| is_kept(network)).cloned().collect();
    }
}

/// The password with the letters that keyboards have instead of those that programs make of them.
fn as_typed(password: &str) -> String {
    let mut typed = String::with_capacity(password.len());
    for letter in password.chars() {
        match letter {
            '‘' | '’' | '‚' | '‛' => typed.push('\''),
            '“' | '”' | '„' | '‟' => typed.push('"'),
            '–' => typed.push('-'),
            '—' => typed.push_str("--"),
            '…' => typed.push_str("..."),
            '\u{a0}' => typed.push(' '),
            other => typed.push(other),
        }
    }
    typed
}

/// Whether a value goes on with `password = …`, which was to be a line of its own. A name that has such words may be quoted.
fn has_password(value: &str) -> bool {
    if value.len() > LONGEST_VALUE {
        return false;
    }
    let parts: Vec<&str> =
        value.split([' ', '\t', ';', ',', '"', '\'', '{', '}']).filter(|part| !part.is_empty()).collect();
    let is_word = |part: &str| key_of(part) == Some(Key::Password);
    // A password behind it, with its mark in the same part, the next, or none at all.
    let marked = |part: &str| part.split_once(['=', ':']).is_some_and(|(word, _)| is_word(word));
    let followed = |two: &[&str]| is_word(two[0]) && (two[1].starts_with(['=', ':']) || two[1].len() >= 8);
    parts.iter().skip(1).any(|part| marked(part)) || parts.get(1..).is_some_and(|rest| rest.windows(2).any(followed))
}

/// What no keyboard types.
fn is_odd(letter: char) -> bool {
    letter.is_control() || letter == char::REPLACEMENT_CHARACTER
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().as_chunks::<2>();
    if !pairs.1.is_empty() {
        return None;
    }
    pairs.0.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}
