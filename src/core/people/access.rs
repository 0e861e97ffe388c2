//! The home's doorkeeper: who may come in, and the patience with those who guess.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::call::home::{Doorkeeper, KeyNumber};
use crate::call::items::{Invited, NewKey, NewLink};
use crate::people::guessers::Guessers;
use crate::people::keys::KeyId;
use crate::people::register::{Link, People, Person, Role};

/// See the module.
#[derive(Debug)]
pub struct Access {
    people: People,
    guessers: Guessers,
}

impl Access {
    /// A door that opens for these.
    pub fn new(people: People) -> Access {
        Access { people, guessers: Guessers::new() }
    }
}

impl Doorkeeper for Access {
    fn verify(&self, key: &str) -> Option<KeyNumber> {
        self.people.verify(key).map(|id| id.0)
    }

    fn invited(&self, token: &str, unix: Duration) -> Option<Invited> {
        self.people.invited(token, unix)
    }

    fn handle_wrong(&mut self, address: IpAddr, now: Instant) -> Duration {
        self.guessers.handle_wrong(address, now)
    }

    fn person(&self, key: KeyNumber) -> (u64, Option<&str>) {
        self.people.owner_of(KeyId(key)).map_or((0, None), |person| (person.number, person.name.as_deref()))
    }

    fn has_keys(&self) -> bool {
        self.people.has_stored()
    }

    fn handle_added(&mut self, key: NewKey, unix: Duration) {
        // The role is in the file; here nobody asks for it yet.
        let person = Person { number: key.person, name: key.name, role: Role::Family };
        self.people.take_device(person, KeyId(key.number), key.hash);
        if key.by_link {
            self.people.use_link(key.person, unix);
        }
    }

    fn handle_invited(&mut self, link: NewLink) {
        let NewLink { person, name, hash, until, devices } = link;
        let invited = Person { number: person, name, role: Role::Family };
        self.people.take_link(invited, Link { person, hash, until, devices, used: 0 });
    }

    fn handle_revoked(&mut self, number: u64) -> Option<Vec<KeyNumber>> {
        self.people.revoke(number).map(|keys| keys.into_iter().map(|id| id.0).collect())
    }

    fn handle_reset(&mut self) -> usize {
        let people = self.people.numbers().len();
        self.people = People::new();
        people
    }

    fn numbers(&self) -> Vec<u64> {
        self.people.numbers()
    }
}
