//! Who may come into a simulated home.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use intercom_core::call::home::Doorkeeper;
use intercom_core::call::items::{Invited, NewKey, NewLink};
use intercom_core::people::register::{Link, People, Person, Role};

/// Each key begins so.
pub const KEY: &str = "a-key-of-this-home";

/// A valid key for each number, [`KEY`] and then the number, and those that were minted; each wrong one waits a second longer.
#[derive(Default)]
pub struct Keys {
    wrong: u32,
    added: Vec<NewKey>,
    /// The links.
    people: People,
    /// No key outlives the process yet.
    fresh: bool,
}

/// A hash that is as good as any in here.
pub fn hash(key: &str) -> [u8; 32] {
    std::array::from_fn(|n| key.as_bytes().get(n).copied().unwrap_or(0))
}

impl Keys {
    /// As on the first day: no key outlives the process yet.
    pub fn none() -> Keys {
        Keys { fresh: true, ..Keys::default() }
    }
}

impl Doorkeeper for Keys {
    fn verify(&self, key: &str) -> Option<u64> {
        let added = self.added.iter().find(|added| added.hash == hash(key)).map(|added| added.number);
        let given = || key.strip_prefix(KEY)?.parse().ok();
        added.or_else(given)
    }

    fn handle_wrong(&mut self, _address: IpAddr, _now: Instant) -> Duration {
        self.wrong += 1;
        Duration::from_secs(self.wrong.into())
    }

    fn invited(&self, token: &str, unix: Duration) -> Option<Invited> {
        self.people.invited(token, unix)
    }

    fn person(&self, key: u64) -> (u64, Option<&str>) {
        let added = self.added.iter().find(|added| added.number == key);
        added.map_or((key, None), |added| (added.person, added.name.as_deref()))
    }

    fn has_keys(&self) -> bool {
        !self.fresh || !self.added.is_empty()
    }

    fn handle_added(&mut self, key: NewKey, unix: Duration) {
        if key.by_link {
            self.people.use_link(key.person, unix);
        }
        self.added.push(key);
    }

    fn handle_invited(&mut self, link: NewLink) {
        let NewLink { person, name, hash, until, devices } = link;
        let somebody = Person { number: person, name, role: Role::Family };
        self.people.take_link(somebody, Link { person, hash, until, devices, used: 0 });
    }

    fn handle_revoked(&mut self, number: u64) -> Option<Vec<u64>> {
        let _links = self.people.revoke(number);
        (number < 1000).then(|| vec![number])
    }

    fn handle_reset(&mut self) -> usize {
        self.added.len()
    }

    fn numbers(&self) -> Vec<u64> {
        self.added.iter().map(|added| added.person).collect()
    }
}
