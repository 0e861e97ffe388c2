//! Access keys and one-use tokens: 128 random bits, shown once, hashed wherever they stay.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Numbers a key. Stored keys count from 1 and a number is never used again; [`KeyId::TEMPORARY`] is the key that
/// ends with the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub u64);

impl KeyId {
    /// The key that `intercom run` mints for itself and stores nowhere.
    pub const TEMPORARY: KeyId = KeyId(0);
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// SHA-256 of a key's 16 bytes. A plain hash is enough: 128 random bits cannot be tried one after the other.
pub type KeyHash = [u8; 32];

/// An access key: 128 random bits. Shown once, in a link; everything that stays knows its hash only.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 16]);

impl Key {
    /// A new key out of `entropy`, which fills the bytes it is given with random ones.
    pub fn mint<E>(entropy: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Key, E> {
        let mut bytes = [0; 16];
        entropy(&mut bytes)?;
        Ok(Key(bytes))
    }

    /// Reads [`Key::to_text`]; nothing else is a key.
    pub fn parse(text: &str) -> Option<Key> {
        // A longer text is refused before it is decoded: it comes from strangers.
        if text.len() != 22 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Key(bytes.try_into().ok()?))
    }

    /// The key as it stands in links: 22 characters of base64url without padding (RFC 4648 section 5).
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What is stored.
    pub fn hash(&self) -> KeyHash {
        Sha256::digest(self.0).into()
    }
}

impl fmt::Debug for Key {
    /// Says nothing, so that no log ever holds a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// As it stands in a file.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads [`hex`].
pub(super) fn unhex(text: &str) -> Option<KeyHash> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (n, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_travels_as_22_characters_and_never_into_a_log() {
        let key = Key::mint(|bytes| {
            bytes.iter_mut().zip(7u8..).for_each(|(byte, n)| *byte = n.wrapping_mul(31));
            Ok::<_, ()>(())
        });
        let key = key.unwrap();
        let text = key.to_text();
        assert_eq!(text.len(), 22);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        assert_eq!(Key::parse(&text), Some(key.clone()));
        assert!(!format!("{key:?}").contains(&text));
    }
}
