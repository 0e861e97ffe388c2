//! What the home asks of those who know the keys.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::call::home::KeyNumber;
use crate::call::items::{Invited, NewKey, NewLink};

/// Knows the keys, and how long a guesser waits.
pub trait Doorkeeper {
    /// The number of this key, if it is one.
    fn verify(&self, key: &str) -> Option<KeyNumber>;

    /// A wrong key came from `address`: how long its answer is held back.
    fn handle_wrong(&mut self, address: IpAddr, now: Instant) -> Duration;

    /// Whose device a link's token makes now (UTC since 1970), if anybody's.
    fn invited(&self, token: &str, unix: Duration) -> Option<Invited>;

    /// Whose device has this key, and what home calls them.
    fn person(&self, key: KeyNumber) -> (u64, Option<&str>);

    /// Whether any key outlives the process: without one nobody could come in tomorrow.
    fn has_keys(&self) -> bool;

    /// A key was minted elsewhere, now (UTC since 1970).
    fn handle_added(&mut self, key: NewKey, unix: Duration);

    /// A link was made elsewhere.
    fn handle_invited(&mut self, link: NewLink);

    /// The key of this number opens no more, or all of this person, and their link is void. Which keys those are; `None` if nothing
    /// has this number.
    fn handle_revoked(&mut self, number: u64) -> Option<Vec<KeyNumber>>;

    /// Nobody may come in any more. How many people could.
    fn handle_reset(&mut self) -> usize;

    /// The numbers of all persons.
    fn numbers(&self) -> Vec<u64>;
}
