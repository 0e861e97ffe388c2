//! Who may come in: people and their keys, and how long a guesser waits.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::people::guessers::{Guess, Guessers, Wrong};
use crate::people::items::{Invited, NewKey, NewLink};
use crate::people::keys::KeyId;
use crate::people::register::{Link, People, Person, Role};

/// Numbers of the removed that are remembered; the smallest are forgotten first.
const MOST_REMOVED: usize = 4096;

/// See the module.
#[derive(Debug)]
pub struct Access {
    people: People,
    guessers: Guessers,
    /// Who was removed: a key or a link that was being stored meanwhile lets nobody in.
    removed: BTreeSet<u64>,
}

impl Access {
    /// For these people.
    pub fn new(people: People) -> Access {
        Access { people, guessers: Guessers::new(), removed: BTreeSet::new() }
    }

    /// Whose key `text` is, if it is one.
    pub fn verify(&self, text: &str) -> Option<KeyId> {
        self.people.verify(text)
    }

    /// A wrong key came from `address`: how long its answer is held back.
    pub fn handle_wrong(&mut self, address: IpAddr, guess: Option<Guess>, now: Instant) -> Wrong {
        self.guessers.handle_wrong(address, guess, now)
    }

    /// Whose device a link's token makes now (UTC since 1970), if anybody's.
    pub fn invited(&self, token: &str, unix: Duration) -> Option<Invited> {
        self.people.invited(token, unix)
    }

    /// Whose device has this key. Somebody without any right, if nobody's.
    pub fn person(&self, key: KeyId) -> Person {
        self.people.owner_of(key).cloned().unwrap_or_else(|| Person::new(0, None, Role::Guest))
    }

    /// Everybody, with their devices and links.
    pub fn people(&self) -> &People {
        &self.people
    }

    /// Whether any key outlives the process. Without one nobody could come in tomorrow.
    pub fn has_keys(&self) -> bool {
        self.people.has_stored()
    }

    /// A key was made elsewhere, now (UTC since 1970). False if it lets nobody in, as its person was removed meanwhile.
    pub fn handle_added(&mut self, key: NewKey, unix: Duration) -> bool {
        let person = key.person.number;
        if self.removed.contains(&person) {
            return false;
        }
        self.people.take_device(key.person, KeyId(key.number), key.hash);
        if key.by_link {
            self.people.use_link(person, unix);
        }
        true
    }

    /// A link was made elsewhere. False if it lets nobody in, as its person was removed meanwhile.
    pub fn handle_invited(&mut self, link: NewLink) -> bool {
        let NewLink { person, hash, until, devices } = link;
        if self.removed.contains(&person.number) {
            return false;
        }
        let number = person.number;
        self.people.take_link(person, Link { person: number, hash, until, devices, used: 0 });
        true
    }

    /// A person is another one from now on. False if there is none of this number.
    pub fn handle_changed(&mut self, person: Person) -> bool {
        self.people.change(person)
    }

    /// Ends the key of this number, or all keys and links of this person. Which keys those are; `None` if nothing has this number.
    pub fn handle_revoked(&mut self, number: u64) -> Option<Vec<KeyId>> {
        let ended = self.people.revoke(number)?;
        if number != 0 {
            self.removed.insert(number);
        }
        if self.removed.len() > MOST_REMOVED {
            self.removed.pop_first();
        }
        Some(ended)
    }

    /// Nobody may come in any more. How many people could.
    pub fn handle_reset(&mut self) -> usize {
        let people = self.people.numbers().len();
        self.people = People::new();
        people
    }

    /// The numbers of all persons.
    pub fn numbers(&self) -> Vec<u64> {
        self.people.numbers()
    }
}
