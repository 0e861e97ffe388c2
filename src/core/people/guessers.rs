//! Slows down those who guess keys, per address.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::people::fairness::Source;

/// The wait after the first wrong key.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// After this long without a wrong key everything is forgotten.
const QUIET: Duration = Duration::from_secs(600);
/// Sources remembered; past it the one that was quiet for longest is forgotten.
const MOST: usize = 1024;
/// Guesses remembered of each source, the newest, and how long after their answer.
const MOST_GUESSES: usize = 4;
const REPEATED_WITHIN: Duration = Duration::from_secs(60);

/// A wrong secret that a page shows, and what the page calls itself: the same again, over another socket, is the same guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess([u8; 32]);

impl Guess {
    /// Keeps neither: the secret may be right for another home.
    pub fn new(page: &str, secret: &str) -> Guess {
        let mut hash = Sha256::new();
        hash.update(page.len().to_be_bytes());
        hash.update(page);
        hash.update(secret);
        Guess(hash.finalize().into())
    }
}

/// What a wrong key costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// How long the answer is held back.
    pub wait: Duration,
    /// It is a further guess, and no repetition of one.
    pub counted: bool,
}

/// Remembers who gave wrong keys. Only wrong keys come here, so a valid one is never delayed.
#[derive(Debug, Default)]
pub struct Guessers {
    known: HashMap<Source, Guesser>,
}

#[derive(Debug)]
struct Guesser {
    delay: Duration,
    last: Instant,
    /// The last guesses, and when they are answered.
    guesses: VecDeque<(Guess, Instant)>,
}

impl Guessers {
    /// Nobody has guessed yet.
    pub fn new() -> Guessers {
        Guessers::default()
    }

    /// Somebody at `address` gave a wrong key: how long to wait before telling them so. Doubles from 0.5 s to
    /// 30 s with each one, over all addresses of an IPv6 /64 together. The same guess again is answered when the first one is: it
    /// tells nobody anything new.
    pub fn handle_wrong(&mut self, address: IpAddr, guess: Option<Guess>, now: Instant) -> Wrong {
        let source = Source::of(address);
        if !self.known.contains_key(&source) && self.known.len() >= MOST {
            self.forget_quietest();
        }
        let fresh = || Guesser { delay: FIRST_DELAY, last: now, guesses: VecDeque::new() };
        let guesser = self.known.entry(source).or_insert_with(fresh);
        guesser.guesses.retain(|(_, answer_at)| now < *answer_at + REPEATED_WITHIN);
        if let Some((_, answer_at)) = guesser.guesses.iter().find(|(known, _)| Some(*known) == guess) {
            return Wrong { wait: answer_at.saturating_duration_since(now), counted: false };
        }
        if now.saturating_duration_since(guesser.last) >= QUIET {
            guesser.delay = FIRST_DELAY;
        }
        guesser.last = now;
        let wait = guesser.delay;
        guesser.delay = (wait * 2).min(LONGEST_DELAY);
        if let Some(guess) = guess {
            if guesser.guesses.len() >= MOST_GUESSES {
                guesser.guesses.pop_front();
            }
            guesser.guesses.push_back((guess, now + wait));
        }
        Wrong { wait, counted: true }
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

    fn wait(guessers: &mut Guessers, address: IpAddr, now: Instant) -> Duration {
        guessers.handle_wrong(address, None, now).wait
    }

    #[test]
    fn each_wrong_key_waits_twice_as_long_up_to_half_a_minute() {
        let (mut guessers, now) = (Guessers::new(), Instant::now());
        let waits: Vec<u128> = (0..9).map(|_| wait(&mut guessers, address("192.0.2.1"), now).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(wait(&mut guessers, address("192.0.2.2"), now), FIRST_DELAY, "a neighbour pays nothing");
    }

    #[test]
    fn changing_the_address_within_a_64_helps_nobody() {
        let (mut guessers, now) = (Guessers::new(), Instant::now());
        wait(&mut guessers, address("2001:db8::1"), now);
        assert_eq!(wait(&mut guessers, address("2001:db8::2"), now), FIRST_DELAY * 2);
    }

    #[test]
    fn ten_quiet_minutes_are_forgiven() {
        let (mut guessers, now) = (Guessers::new(), Instant::now());
        for _ in 0..5 {
            wait(&mut guessers, address("192.0.2.1"), now);
        }
        let early = now + QUIET - Duration::from_secs(1);
        assert_eq!(wait(&mut guessers, address("192.0.2.1"), early), Duration::from_secs(16));
        assert_eq!(wait(&mut guessers, address("192.0.2.1"), early + QUIET), FIRST_DELAY);
    }

    #[test]
    fn the_table_stays_bounded_and_keeps_the_busiest() {
        let (mut guessers, now) = (Guessers::new(), Instant::now());
        let busy = address("192.0.2.1");
        for n in 0..5000u32 {
            let at = now + Duration::from_millis(u64::from(n));
            wait(&mut guessers, IpAddr::from((n + 0x0a00_0000).to_be_bytes()), at);
            if n % 100 == 0 {
                wait(&mut guessers, busy, at);
            }
        }
        assert_eq!(guessers.known.len(), MOST);
        assert_eq!(wait(&mut guessers, busy, now + Duration::from_secs(5)), LONGEST_DELAY);
    }

    #[test]
    fn the_same_guess_of_the_same_page_counts_once_and_any_other_as_another() {
        let (mut guessers, now) = (Guessers::new(), Instant::now());
        let far = address("192.0.2.1");
        let first = Some(Guess::new("a page", "a key"));
        let second = Duration::from_secs(1);
        for _ in 0..3 {
            wait(&mut guessers, far, now);
        }
        assert_eq!(guessers.handle_wrong(far, first, now), Wrong { wait: second * 4, counted: true });
        let again = guessers.handle_wrong(far, first, now + second * 3);
        assert_eq!(again, Wrong { wait: second, counted: false }, "it is answered with the first");
        let late = guessers.handle_wrong(far, first, now + second * 30);
        assert_eq!(late, Wrong { wait: Duration::ZERO, counted: false });
        for (page, key, wait) in [("a page", "another key", 8), ("another page", "a key", 16), ("a pagea", " key", 30)]
        {
            let wrong = guessers.handle_wrong(far, Some(Guess::new(page, key)), now + second * 30);
            assert_eq!((wrong.wait, wrong.counted), (second * wait, true), "{page}, {key}");
        }
        assert!(guessers.handle_wrong(address("192.0.2.2"), first, now).counted, "elsewhere it is another");
        for n in 0..100 {
            guessers.handle_wrong(far, Some(Guess::new("a page", &n.to_string())), now + second * 30);
        }
        assert_eq!(guessers.known[&Source::of(far)].guesses.len(), MOST_GUESSES);
        assert!(guessers.handle_wrong(far, first, now + second * 31).counted, "nobody remembers for ever");
    }
}
