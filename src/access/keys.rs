//! Access keys: minted, hashed, compared in constant time; the text of the file that keeps them.

use std::fmt;

use super::names;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

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

/// No home has given out this many keys; a file that says so is broken.
const MOST_NUMBER: u64 = u32::MAX as u64;

/// A key as the ring knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    id: KeyId,
    hash: KeyHash,
    /// When it was made, RFC 3339, for the people who read the file; empty for a temporary one.
    created: String,
    /// What home calls whoever has it.
    name: Option<String>,
}

/// All keys that open the door now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRing {
    entries: Vec<Entry>,
    next: u64,
}

impl Default for KeyRing {
    fn default() -> KeyRing {
        KeyRing { entries: Vec::new(), next: 1 }
    }
}

impl KeyRing {
    /// No key at all.
    pub fn new() -> KeyRing {
        KeyRing::default()
    }

    /// Which key `text` is, if it is one. Takes the same time whichever of the keys it is, and however much of
    /// one it resembles.
    pub fn verify(&self, text: &str) -> Option<KeyId> {
        let hash = Key::parse(text)?.hash();
        let (mut found, mut number) = (subtle::Choice::from(0), 0u64);
        for entry in &self.entries {
            let same = entry.hash.ct_eq(&hash);
            number.conditional_assign(&entry.id.0, same);
            found |= same;
        }
        bool::from(found).then_some(KeyId(number))
    }

    /// Adds a key under the next number and returns that; `created` is its time of birth in RFC 3339, `name` what
    /// home calls its owner, as [`super::names::tidy`] gives it.
    pub fn add_next(&mut self, hash: KeyHash, created: String, name: Option<String>) -> KeyId {
        let id = KeyId(self.next);
        self.next += 1;
        self.entries.push(Entry { id, hash, created, name });
        id
    }

    /// Adds a key whose number was given out elsewhere (by whoever keeps the file), or a temporary one.
    pub fn add(&mut self, id: KeyId, hash: KeyHash, name: Option<String>) {
        self.next = self.next.max(id.0.saturating_add(1));
        self.entries.push(Entry { id, hash, created: String::new(), name });
    }

    /// What home calls the owner of a key.
    pub fn name(&self, id: KeyId) -> Option<&str> {
        self.entries.iter().find(|entry| entry.id == id)?.name.as_deref()
    }

    /// Whether any key outlives the process.
    pub fn has_stored(&self) -> bool {
        self.entries.iter().any(|entry| entry.id != KeyId::TEMPORARY)
    }

    /// Ends a key; says whether there was one.
    pub fn revoke(&mut self, id: KeyId) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.id != id);
        self.entries.len() < before
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody can come in.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The numbers of all keys, in order.
    pub fn ids(&self) -> Vec<KeyId> {
        let mut ids: Vec<KeyId> = self.entries.iter().map(|entry| entry.id).collect();
        ids.sort();
        ids
    }

    /// Reads the text of `keys.toml`. The error says the line and what is wrong there.
    pub fn from_toml(text: &str) -> Result<KeyRing, String> {
        let file: File = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            format!("line {line}: {}", e.message())
        })?;
        let mut ring = KeyRing { entries: Vec::new(), next: file.next.max(1) };
        if file.next > MOST_NUMBER {
            return Err(format!("next = {} is too large", file.next));
        }
        for key in file.key {
            let hash = unhex(&key.sha256)
                .ok_or_else(|| format!("key {}: sha256 must be 64 hexadecimal digits", key.number))?;
            if key.number == 0 || key.number > MOST_NUMBER || ring.entries.iter().any(|entry| entry.id.0 == key.number)
            {
                return Err(format!("key number {} is zero, too large or there twice", key.number));
            }
            ring.next = ring.next.max(key.number.saturating_add(1));
            let name = match key.name.map(|name| names::tidy(&name)).transpose() {
                Ok(name) => name,
                Err(problem) => return Err(format!("key {}: name: {problem}", key.number)),
            };
            ring.entries.push(Entry { id: KeyId(key.number), hash, created: key.created, name });
        }
        Ok(ring)
    }

    /// The text of `keys.toml`; temporary keys are left out.
    pub fn to_toml(&self) -> String {
        let stored = self.entries.iter().filter(|entry| entry.id != KeyId::TEMPORARY);
        let mut text = format!(
            "# Keys of viewers, hashed. `intercom link` adds one, `intercom link --revoke N` ends one.\nnext = {}\n",
            self.next
        );
        for entry in stored {
            // The time is a plain RFC 3339 text of ours, or of a file that TOML has already read.
            let created = toml::Value::String(entry.created.clone());
            text += &format!("\n[[key]]\nnumber = {}\n", entry.id);
            if let Some(name) = &entry.name {
                text += &format!("name = {}\n", toml::Value::String(name.clone()));
            }
            text += &format!("created = {created}\nsha256 = \"{}\"\n", hex(&entry.hash));
        }
        text
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    next: u64,
    #[serde(default)]
    key: Vec<FileKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileKey {
    number: u64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    created: String,
    sha256: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<KeyHash> {
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

    fn key(seed: u8) -> Key {
        Key::mint(|bytes| {
            bytes.iter_mut().enumerate().for_each(|(n, byte)| *byte = seed.wrapping_mul(31).wrapping_add(n as u8));
            Ok::<_, ()>(())
        })
        .unwrap()
    }

    #[test]
    fn a_key_travels_as_22_characters_and_never_into_a_log() {
        let text = key(7).to_text();
        assert_eq!(text.len(), 22);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        assert_eq!(Key::parse(&text), Some(key(7)));
        assert!(!format!("{:?}", key(7)).contains(&text));
    }

    #[test]
    fn only_the_right_keys_open() {
        let mut ring = KeyRing::new();
        assert_eq!(ring.verify(&key(1).to_text()), None);
        let first = ring.add_next(key(1).hash(), "2026-11-02T10:00:00Z".into(), None);
        let second = ring.add_next(key(2).hash(), String::new(), None);
        ring.add(KeyId::TEMPORARY, key(3).hash(), None);
        assert_eq!(ring.verify(&key(1).to_text()), Some(first));
        assert_eq!(ring.verify(&key(2).to_text()), Some(second));
        assert_eq!(ring.verify(&key(3).to_text()), Some(KeyId::TEMPORARY));
        assert_eq!(ring.verify(&key(4).to_text()), None);
        for wrong in ["", "k", "é", "AAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAA+", "AAAAAAAAAAAAAAAAAAAAAB"] {
            assert_eq!(ring.verify(wrong), None, "{wrong}");
        }
        assert_eq!(ring.verify(&key(1).to_text().repeat(1000)), None);
    }

    #[test]
    fn a_revoked_key_is_shut_out_and_its_number_never_comes_back() {
        let mut ring = KeyRing::new();
        let first = ring.add_next(key(1).hash(), String::new(), None);
        assert!(ring.revoke(first));
        assert!(!ring.revoke(first));
        assert_eq!(ring.verify(&key(1).to_text()), None);
        let mut again = KeyRing::from_toml(&ring.to_toml()).unwrap();
        assert_ne!(again.add_next(key(2).hash(), String::new(), None), first);
    }

    #[test]
    fn the_file_keeps_stored_keys_hashed_and_temporary_ones_not_at_all() {
        let mut ring = KeyRing::new();
        ring.add_next(key(1).hash(), "2026-11-02T10:00:00Z".into(), None);
        ring.add_next(key(2).hash(), "2026-11-03T10:00:00Z".into(), None);
        ring.add_next(key(4).hash(), String::new(), Some("Ju\"rgen".into()));
        let stored = ring.clone();
        assert_eq!((stored.name(KeyId(3)), stored.name(KeyId(1))), (Some("Ju\"rgen"), None));
        assert!(stored.has_stored() && !KeyRing::new().has_stored());
        ring.add(KeyId::TEMPORARY, key(3).hash(), None);
        let text = ring.to_toml();
        assert!(!text.contains(&key(1).to_text()) && !text.contains(&hex(&key(3).hash())));
        assert_eq!(KeyRing::from_toml(&text).unwrap(), stored);
        assert_eq!(KeyRing::from_toml("").unwrap(), KeyRing::new());
    }

    #[test]
    fn a_broken_file_is_told_by_line() {
        assert!(KeyRing::from_toml("next = 1\nnext = 2\n").unwrap_err().contains("line 2"));
        assert!(KeyRing::from_toml("next = 1\nkeyz = 2\n").unwrap_err().contains("keyz"));
        assert!(KeyRing::from_toml("[[key]]\nnumber = 3\nsha256 = \"é\"\n").unwrap_err().contains("key 3"));
        let twice =
            "[[key]]\nnumber = 1\nsha256 = \"0000000000000000000000000000000000000000000000000000000000000000\"\n";
        assert!(KeyRing::from_toml(&twice.repeat(2)).unwrap_err().contains("twice"));
    }
}
