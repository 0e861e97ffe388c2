//! How fast a connection gets what it asks for. Over a thin path the page's other parts would fill the queue in front of the
//! picture; so they come at a part of what the page itself says that it came at.

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

/// A token bucket.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    bytes_per_second: u32,
    /// When all that went would have gone at this pace.
    gone: Instant,
}

impl Pace {
    /// For a page with these words, if they say that its path is thin.
    pub fn of(words: &str, now: Instant) -> Option<Pace> {
        #[derive(Deserialize)]
        struct Offer {
            kbps: Option<u32>,
        }
        let kbps = words.split('\n').find_map(|line| serde_json::from_str::<Offer>(line).ok()?.kbps)?;
        let kbps = (kbps < THIN_KBPS).then(|| (kbps / PART).max(LEAST_KBPS))?;
        Some(Pace { bytes_per_second: kbps * 1000 / 8, gone: now })
    }

    /// How many bytes may go now.
    pub fn room(&self, now: Instant) -> usize {
        let ahead = self.gone.saturating_duration_since(now).as_secs_f64() * f64::from(self.bytes_per_second);
        (f64::from(AT_ONCE) - ahead).max(0.0) as usize
    }

    /// So many bytes went.
    pub fn handle_sent(&mut self, bytes: usize, now: Instant) {
        self.gone = self.gone.max(now) + self.time(bytes as u32);
    }

    /// When there is room for a packet.
    pub fn due(&self, now: Instant) -> Instant {
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
}
