//! How fast a client gets what it asks for. Over a thin path the page's other parts would fill the queue in front of the
//! picture; so they come at a part of what the page itself says that it came at. A browser asks for them over several connections at once, which
//! share that.

use std::cell::RefCell;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde::Deserialize;

/// A path that the page came over at less, in kbit/s, is thin.
const THIN_KBPS: u32 = 2500;

/// Part of such a path, as a divisor, that what the page asks for may take.
const PART: u32 = 3;

/// And at least so much, in kbit/s: the controls come within ten seconds.
const LEAST_KBPS: u32 = 40;

/// So many bytes go at once, and a packet after that.
const AT_ONCE: u32 = 4000;
const PACKET: u32 = 1350;

/// For so long from the page's first words on: then all of it is there.
const LASTS: Duration = Duration::from_secs(30);
/// Clients at a time.
const MOST: usize = 64;

/// The clients whose path is thin.
#[derive(Debug, Default)]
pub struct Paces(RefCell<Vec<(IpAddr, Pace, Instant)>>);

impl Paces {
    /// A page of this client has said these words.
    pub fn handle_words(&self, client: IpAddr, words: &str, now: Instant) {
        let Some(pace) = Pace::of(words, now) else { return };
        let mut paces = self.0.borrow_mut();
        paces.retain(|(other, _, until)| *other != client && now < *until);
        if paces.len() < MOST {
            paces.push((client, pace, now + LASTS));
        }
    }

    /// How many of these bytes may go to this client now. If none, when.
    pub fn room(&self, client: IpAddr, bytes: usize, now: Instant) -> Result<usize, Instant> {
        let paces = self.0.borrow();
        let Some((_, pace, _)) = paces.iter().find(|(other, _, until)| *other == client && now < *until) else {
            return Ok(bytes);
        };
        match pace.room(now) {
            0 => Err(pace.due(now)),
            room => Ok(bytes.min(room)),
        }
    }

    /// So many bytes went to this client.
    pub fn handle_sent(&self, client: IpAddr, bytes: usize, now: Instant) {
        let mut paces = self.0.borrow_mut();
        if let Some((_, pace, _)) = paces.iter_mut().find(|(other, ..)| *other == client) {
            pace.handle_sent(bytes, now);
        }
    }
}

/// A token bucket.
#[derive(Clone, Copy, Debug)]
struct Pace {
    bytes_per_second: u32,
    /// When all that went would have gone at this pace.
    gone: Instant,
}

impl Pace {
    /// For a page with these words, if they say that its path is thin.
    fn of(words: &str, now: Instant) -> Option<Pace> {
        #[derive(Deserialize)]
        struct Offer {
            kbps: Option<u32>,
        }
        let kbps = words.split('\n').find_map(|line| serde_json::from_str::<Offer>(line).ok()?.kbps)?;
        let kbps = (kbps < THIN_KBPS).then(|| (kbps / PART).max(LEAST_KBPS))?;
        Some(Pace { bytes_per_second: kbps * 1000 / 8, gone: now })
    }

    /// How many bytes may go now.
    fn room(&self, now: Instant) -> usize {
        let ahead = self.gone.saturating_duration_since(now).as_secs_f64() * f64::from(self.bytes_per_second);
        (f64::from(AT_ONCE) - ahead).max(0.0) as usize
    }

    /// So many bytes went.
    fn handle_sent(&mut self, bytes: usize, now: Instant) {
        self.gone = self.gone.max(now) + self.time(bytes as u32);
    }

    /// When there is room for a packet.
    fn due(&self, now: Instant) -> Instant {
        self.gone.checked_sub(self.time(AT_ONCE - PACKET)).map_or(now, |due| due.max(now))
    }

    fn time(&self, bytes: u32) -> Duration {
        Duration::from_secs(1) * bytes / self.bytes_per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::clock;

    #[test]
    fn a_thin_paths_page_gets_a_third_of_it_and_others_all() {
        let now = clock::now();
        let pace = |words: &str| Pace::of(words, now).map(|pace| pace.bytes_per_second * 8 / 1000);
        assert_eq!(pace("{\"type\":\"hello\"}\n{\"type\":\"offer\",\"kbps\":300}"), Some(100));
        assert_eq!((pace("{\"kbps\":30}"), pace("{\"kbps\":0}")), (Some(40), Some(40)));
        for other in ["", "\n\n", "{", "{\"kbps\":null}", "{\"kbps\":-4}", "{\"kbps\":9000}", "{\"type\":\"hello\"}"] {
            assert_eq!(pace(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_small_goes_at_once_and_the_rest_packet_by_packet() {
        let begun = clock::now();
        let mut pace = Pace::of("{\"kbps\":300}", begun).unwrap();
        let (mut now, mut sent, mut turns) = (begun, 0, 0);
        while sent < 43_000 {
            let bytes = pace.room(now).min(43_000 - sent);
            pace.handle_sent(bytes, now);
            sent += bytes;
            turns += 1;
            now = pace.due(now);
        }
        // 39 kB at 12.5 kB/s.
        let time = now - begun;
        assert!(time > Duration::from_millis(2900) && time < Duration::from_millis(3500), "{time:?}");
        assert!((28..34).contains(&turns), "{turns}");
        assert_eq!(pace.room(now + Duration::from_secs(9)), AT_ONCE as usize);
    }

    #[test]
    fn a_clients_connections_share_its_pace_for_a_while() {
        let now = clock::now();
        let [thin, other] = [1, 2].map(|n| IpAddr::from([192, 0, 2, n]));
        let paces = Paces::default();
        paces.handle_words(thin, "{\"kbps\":300}", now);
        assert_eq!((paces.room(thin, 9000, now), paces.room(thin, 10, now)), (Ok(AT_ONCE as usize), Ok(10)));
        // One connection takes it, and the next one has to wait.
        paces.handle_sent(thin, AT_ONCE as usize, now);
        assert!(paces.room(thin, 10, now).is_err_and(|due| due > now && paces.room(thin, 9000, due).is_ok()));
        assert_eq!(paces.room(other, 9000, now), Ok(9000));
        assert_eq!(paces.room(thin, 9000, now + LASTS), Ok(9000));
        // Thousands of clients take no memory.
        for n in 0..1000u32 {
            paces.handle_words(IpAddr::from(n.to_be_bytes()), "{\"kbps\":300}", now);
        }
        assert_eq!(paces.0.borrow().len(), MOST);
    }
}
