//! Who may come in: people and their keys, and how long a guesser waits.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::people::guessers::Guessers;
use crate::people::items::{Invited, NewKey, NewLink};
use crate::people::keys::KeyId;
use crate::people::register::{Link, People, Person, Role};

/// See the module.
#[derive(Debug)]
pub struct Access {
    people: People,
    guessers: Guessers,
}

impl Access {
    /// For these people.
    pub fn new(people: People) -> Access {
        Access { people, guessers: Guessers::new() }
    }

    /// Whose key `text` is, if it is one.
    pub fn verify(&self, text: &str) -> Option<KeyId> {
        self.people.verify(text)
    }

    /// A wrong key came from `address`: how long its answer is held back.
    pub fn handle_wrong(&mut self, address: IpAddr, now: Instant) -> Duration {
        self.guessers.handle_wrong(address, now)
    }

    /// Whose device a link's token makes now (UTC since 1970), if anybody's.
    pub fn invited(&self, token: &str, unix: Duration) -> Option<Invited> {
        self.people.invited(token, unix)
    }

    /// The number of the person whose device has this key, and what home calls them. 0 for the key of the process.
    pub fn person(&self, key: KeyId) -> (u64, Option<&str>) {
        self.people.owner_of(key).map_or((0, None), |person| (person.number, person.name.as_deref()))
    }

    /// Whether any key outlives the process. Without one nobody could come in tomorrow.
    pub fn has_keys(&self) -> bool {
        self.people.has_stored()
    }

    /// A key was made elsewhere, now (UTC since 1970).
    pub fn handle_added(&mut self, key: NewKey, unix: Duration) {
        // The role is in the file; here nobody asks for it yet.
        let person = Person { number: key.person, name: key.name, role: Role::Family };
        self.people.take_device(person, KeyId(key.number), key.hash);
        if key.by_link {
            self.people.use_link(key.person, unix);
        }
    }

    /// A link was made elsewhere.
    pub fn handle_invited(&mut self, link: NewLink) {
        let NewLink { person, name, hash, until, devices } = link;
        let invited = Person { number: person, name, role: Role::Family };
        self.people.take_link(invited, Link { person, hash, until, devices, used: 0 });
    }

    /// Ends the key of this number, or all keys and links of this person. Which keys those are; `None` if nothing has this number.
    pub fn handle_revoked(&mut self, number: u64) -> Option<Vec<KeyId>> {
        self.people.revoke(number)
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
