//! Slows down those who guess keys, per address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::people::fairness::Source;

/// The wait after the first wrong key.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// After this long without a wrong key everything is forgotten.
const QUIET: Duration = Duration::from_secs(600);
/// Sources remembered; past it the one that was quiet for longest is forgotten.
const MOST: usize = 1024;

/// Remembers who gave wrong keys. Only wrong keys come here, so a valid one is never delayed.
#[derive(Debug, Default)]
pub struct Guessers {
    known: HashMap<Source, Guesser>,
}

#[derive(Debug)]
struct Guesser {
    delay: Duration,
    last: Instant,
}

impl Guessers {
    /// Nobody has guessed yet.
    pub fn new() -> Guessers {
        Guessers::default()
    }

    /// Somebody at `address` gave a wrong key: how long to wait before telling them so. Doubles from 0.5 s to
    /// 30 s with each one, over all addresses of an IPv6 /64 together.
    pub fn handle_wrong(&mut self, address: IpAddr, now: Instant) -> Duration {
        let source = Source::of(address);
        if !self.known.contains_key(&source) && self.known.len() >= MOST {
            self.forget_quietest();
        }
        let guesser = self.known.entry(source).or_insert(Guesser { delay: FIRST_DELAY, last: now });
        if now.saturating_duration_since(guesser.last) >= QUIET {
            guesser.delay = FIRST_DELAY;
        }
        guesser.last = now;
        let delay = guesser.delay;
        guesser.delay = (delay * 2).min(LONGEST_DELAY);
        delay
    }

    fn forget_quietest(&mut self) {
        if let Some(quietest) = self.known.iter().min_by_key(|(_, guesser)| guesser.last).map(|(who, _)| *who) {
            self.known.remove(&quietest);
        }
    }
}

// A test's time begins at some time.
#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_wrong_key_waits_twice_as_long_up_to_half_a_minute() {
        let (mut guessers, now) = (Guessers::new(), Instant::now());
        let waits: Vec<u128> = (0..9).map(|_| guessers.handle_wrong(address("192.0.2.1"), now).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(guessers.handle_wrong(address("192.0.2.2"), now), FIRST_DELAY, "a neighbour pays nothing");
    }

    #[test]
    fn changing_the_address_within_a_64_helps_nobody() {
        let (mut guessers, now) = (Guessers::new(), Instant::now());
        guessers.handle_wrong(address("2001:db8::1"), now);
        assert_eq!(guessers.handle_wrong(address("2001:db8::2"), now), FIRST_DELAY * 2);
    }

    #[test]
    fn ten_quiet_minutes_are_forgiven() {
        let (mut guessers, now) = (Guessers::new(), Instant::now());
        for _ in 0..5 {
            guessers.handle_wrong(address("192.0.2.1"), now);
        }
        let early = now + QUIET - Duration::from_secs(1);
        assert_eq!(guessers.handle_wrong(address("192.0.2.1"), early), Duration::from_secs(16));
        assert_eq!(guessers.handle_wrong(address("192.0.2.1"), early + QUIET), FIRST_DELAY);
    }

    #[test]
    fn the_table_stays_bounded_and_keeps_the_busiest() {
        let (mut guessers, now) = (Guessers::new(), Instant::now());
        let busy = address("192.0.2.1");
        for n in 0..5000u32 {
            let at = now + Duration::from_millis(u64::from(n));
            guessers.handle_wrong(IpAddr::from((n + 0x0a00_0000).to_be_bytes()), at);
            if n % 100 == 0 {
                guessers.handle_wrong(busy, at);
            }
        }
        assert_eq!(guessers.known.len(), MOST);
        assert_eq!(guessers.handle_wrong(busy, now + Duration::from_secs(5)), LONGEST_DELAY);
    }
}
