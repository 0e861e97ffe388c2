//! What an offer says of a transport, and which of it holds for the sections that are wanted.

use super::Transport;
use super::section::Section;

/// Longest fragment of a user name, in bytes; RFC 8839 allows 256.
const MOST_UFRAG: usize = 64;

/// How one transport is reached and secured. An offer says it before its sections, or in each of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Credentials<'a> {
    pub ufrag: Option<&'a str>,
    pub password: Option<&'a str>,
    pub setup: Option<&'a str>,
    pub fingerprint: Option<&'a str>,
}

impl<'a> Credentials<'a> {
    /// Takes an attribute, if it is one of these.
    pub fn take(&mut self, name: &str, value: &'a str) -> Result<(), String> {
        match name {
            // RFC 8839 section 5.4. Browsers have 4 to 8 letters. The library puts both sides' into one field of 128 bytes, and
            // panics where they do not fit.
            "ice-ufrag" if !is_ice(value, 4) || value.len() > MOST_UFRAG => {
                Err(format!("ice-ufrag takes 4 to {MOST_UFRAG} letters and digits"))
            }
            "ice-ufrag" => first(&mut self.ufrag, value),
            "ice-pwd" if !is_ice(value, 22) => Err("ice-pwd takes 22 to 256 letters and digits".into()),
            "ice-pwd" => first(&mut self.password, value),
            // RFC 8842 section 5.2.
            "setup" if !matches!(value, "actpass" | "active" | "passive") => {
                Err("setup is actpass, active or passive".into())
            }
            "setup" => first(&mut self.setup, value),
            "fingerprint" => self.take_fingerprint(value),
            _ => Ok(()),
        }
    }

    /// RFC 8122 section 5. Whatever else a browser hashes its certificate with, SHA-256 is there (RFC 8827 section 6.5).
    fn take_fingerprint(&mut self, value: &'a str) -> Result<(), String> {
        let Some((hash, bytes)) = value.split_once(' ') else {
            return Err("a fingerprint is a hash and its bytes".into());
        };
        if !hash.eq_ignore_ascii_case("sha-256") {
            return Ok(());
        }
        let is_byte = |byte: &str| byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit());
        if bytes.split(':').count() != 32 || !bytes.split(':').all(is_byte) {
            return Err("a sha-256 fingerprint has 32 bytes".into());
        }
        first(&mut self.fingerprint, bytes)
    }

    /// What a form says: the transport of its sections is that of the `first` one (BUNDLE, RFC 9143 section 7.2). What it does not say
    /// stands before all sections or, as in a section that only joins another's transport, elsewhere.
    pub fn of(
        transport: &Transport<'a>,
        sections: &[Section<'a>],
        wanted: impl Fn(&Section<'a>) -> bool,
    ) -> Credentials<'a> {
        let (form, others): (Vec<_>, Vec<_>) = sections.iter().partition(|section| wanted(section));
        let mut places: Vec<Credentials> = form.iter().chain(&others).map(|section| section.credentials).collect();
        places.insert(form.len().min(1), transport.credentials);
        Credentials {
            ufrag: places.iter().find_map(|place| place.ufrag),
            password: places.iter().find_map(|place| place.password),
            setup: places.iter().find_map(|place| place.setup),
            fingerprint: places.iter().find_map(|place| place.fingerprint),
        }
    }
}

/// Keeps what is said first.
fn first<'a>(place: &mut Option<&'a str>, value: &'a str) -> Result<(), String> {
    place.get_or_insert(value);
    Ok(())
}

/// ice-char (RFC 8839 section 5.1).
fn is_ice(text: &str, least: usize) -> bool {
    (least..=256).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}
