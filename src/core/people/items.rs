//! Keys and links that were made and stored elsewhere.

use std::fmt;
use std::time::Duration;

/// A key that was minted and stored.
#[derive(Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Its number.
    pub number: u64,
    /// SHA-256 of its 16 bytes.
    pub hash: [u8; 32],
    /// Whose device has it.
    pub person: u64,
    /// What home calls them.
    pub name: Option<String>,
    /// They came by a link, which is good for one device less.
    pub by_link: bool,
}

/// Whom a token lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    /// Whose device it makes.
    pub person: u64,
    /// What home calls them.
    pub name: Option<String>,
}

/// A link that was made and stored.
#[derive(Clone, PartialEq, Eq)]
pub struct NewLink {
    /// Whose devices it makes.
    pub person: u64,
    /// What home calls them.
    pub name: Option<String>,
    /// SHA-256 of its token.
    pub hash: [u8; 32],
    /// It must be opened before then; UTC since 1970.
    pub until: Duration,
    /// Devices that it is good for.
    pub devices: u64,
}

impl fmt::Debug for NewLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewLink").field("person", &self.person).field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("number", &self.number).field("name", &self.name).finish_non_exhaustive()
    }
}
