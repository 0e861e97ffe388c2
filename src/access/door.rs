//! The home's doorkeeper: the keys, and the patience with those who guess.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::access::guessers::Guessers;
use crate::access::keys::{KeyId, KeyRing};
use crate::core::home::{Doorkeeper, KeyNumber};
use crate::core::items::NewKey;

/// See the module.
#[derive(Debug)]
pub struct Door {
    ring: KeyRing,
    guessers: Guessers,
}

impl Door {
    /// A door that these keys open.
    pub fn new(ring: KeyRing) -> Door {
        Door { ring, guessers: Guessers::new() }
    }
}

impl Doorkeeper for Door {
    fn verify(&self, key: &str) -> Option<KeyNumber> {
        self.ring.verify(key).map(|id| id.0)
    }

    fn handle_wrong(&mut self, address: IpAddr, now: Instant) -> Duration {
        self.guessers.handle_wrong(address, now)
    }

    fn name(&self, key: KeyNumber) -> Option<&str> {
        self.ring.name(KeyId(key))
    }

    fn has_keys(&self) -> bool {
        self.ring.has_stored()
    }

    fn handle_added(&mut self, key: NewKey) {
        self.ring.add(KeyId(key.number), key.hash, key.name);
    }

    fn handle_revoked(&mut self, key: KeyNumber) -> bool {
        self.ring.revoke(KeyId(key))
    }

    fn handle_reset(&mut self) -> usize {
        let keys = self.keys().len();
        self.ring = KeyRing::new();
        keys
    }

    fn keys(&self) -> Vec<KeyNumber> {
        self.ring.ids().into_iter().map(|id| id.0).filter(|id| *id != KeyId::TEMPORARY.0).collect()
    }
}
