//! What crosses the walls about people: keys and links that were made and stored elsewhere, and changes to be stored.

use std::fmt;
use std::time::Duration;

use super::register::Person;

/// A key that was minted and stored.
#[derive(Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Its number.
    pub number: u64,
    /// SHA-256 of its 16 bytes.
    pub hash: [u8; 32],
    /// Whose device has it.
    pub person: Person,
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
    pub person: Person,
    /// SHA-256 of its token.
    pub hash: [u8; 32],
    /// It must be opened before then; UTC since 1970.
    pub until: Duration,
    /// Devices that it is good for.
    pub devices: u64,
}

/// Numbers the links that an owner's page asks for; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InviteId(pub u64);

/// What an owner changed. It holds in memory already, and is to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This person is so from now on.
    Person(Person),
    /// The person of this number is gone, with all devices and links.
    Removed(u64),
}

impl fmt::Debug for NewLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewLink").field("person", &self.person).finish_non_exhaustive()
    }
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("number", &self.number).field("person", &self.person).finish_non_exhaustive()
    }
}
