//! What home sends to addresses that a viewer named: their number is bounded, and so are connectivity checks (RFC 8445) to
//! each that does not answer. Else a viewer could have home send to whomever they like.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use crate::people::fairness::{Budget, Rate};

/// Candidates that a peer connection may be given; a call of hours restarts ICE now and then.
const CANDIDATES: Rate = Rate { burst: 64.0, per_second: 0.1 };
/// Checks sent to an address that has not answered one.
const UNANSWERED: u16 = 8;
/// Addresses remembered: those named, and those that checks came from.
const MOST: usize = 512;

/// See the module.
pub(super) struct Checks {
    candidates: Budget,
    known: HashMap<SocketAddr, Address>,
}

#[derive(Clone, Copy)]
enum Address {
    /// Checks that may still be sent there.
    Unproven(u16),
    /// It has answered one: anyone who is there wants this.
    Proven,
}

impl Checks {
    pub fn new(now: Instant) -> Checks {
        Checks { candidates: Budget::new(CANDIDATES, now), known: HashMap::new() }
    }

    /// Whether one more candidate is taken.
    pub fn admit(&mut self, now: Instant) -> bool {
        self.candidates.spend(1.0, now)
    }

    /// Whether a datagram may be sent there.
    pub fn may_send(&mut self, to: SocketAddr, datagram: &[u8]) -> bool {
        if !is_binding_request(datagram) {
            return true;
        }
        match self.entry(to) {
            Some(Address::Proven) => true,
            Some(Address::Unproven(0)) | None => false,
            Some(Address::Unproven(left)) => {
                *left -= 1;
                true
            }
        }
    }

    /// A STUN message came from there whose integrity was verified. An answer to a check of ours proves the address; a check
    /// allows one in return, no more: its sender may have forged the address.
    pub fn heard(&mut self, from: SocketAddr, datagram: &[u8]) {
        let answer = is_binding_success(datagram);
        match self.entry(from) {
            Some(address) if answer => *address = Address::Proven,
            Some(Address::Unproven(left)) => *left = left.saturating_add(1),
            Some(Address::Proven) | None => {}
        }
    }

    fn entry(&mut self, address: SocketAddr) -> Option<&mut Address> {
        let room = self.known.len() < MOST;
        match self.known.entry(address) {
            std::collections::hash_map::Entry::Occupied(known) => Some(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(new) if room => Some(new.insert(Address::Unproven(UNANSWERED))),
            std::collections::hash_map::Entry::Vacant(_) => None,
        }
    }
}

/// RFC 8489 section 5: class and method are in the first two bytes.
fn is_binding_request(datagram: &[u8]) -> bool {
    datagram.starts_with(&[0, 1])
}

fn is_binding_success(datagram: &[u8]) -> bool {
    datagram.starts_with(&[1, 1])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const REQUEST: [u8; 20] = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const SUCCESS: [u8; 20] = [1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    #[expect(clippy::disallowed_methods, reason = "a test's time begins at some time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn at(n: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], n))
    }

    fn sent(checks: &mut Checks, to: SocketAddr) -> usize {
        (0..100).filter(|_| checks.may_send(to, &REQUEST)).count()
    }

    #[test]
    fn an_address_that_does_not_answer_gets_eight_checks() {
        let mut checks = Checks::new(start());
        assert_eq!(sent(&mut checks, at(1)), 8);
        assert_eq!(sent(&mut checks, at(2)), 8, "each address has its own");
        assert!(checks.may_send(at(1), &SUCCESS), "answers are no checks");
        checks.heard(at(1), &REQUEST);
        assert_eq!(sent(&mut checks, at(1)), 1, "one for each that comes from there");
        checks.heard(at(1), &SUCCESS);
        assert_eq!(sent(&mut checks, at(1)), 100);
    }

    #[test]
    fn sixty_four_candidates_are_taken_and_few_more_later() {
        let now = start();
        let mut checks = Checks::new(now);
        assert_eq!((0..900).filter(|_| checks.admit(now)).count(), 64);
        let hour = now + Duration::from_secs(3600);
        assert_eq!((0..900).filter(|_| checks.admit(hour)).count(), 64);
    }

    #[test]
    fn addresses_beyond_the_bound_get_nothing() {
        let mut checks = Checks::new(start());
        for n in 0..2000 {
            checks.heard(at(n), &REQUEST);
        }
        assert_eq!(checks.known.len(), MOST);
        assert_eq!(sent(&mut checks, at(1999)), 0);
    }
}
