//! How fast a client gets what it asks for. Over a thin path the page's other parts would fill the queue in front of the
//! picture; so they come at a part of what the page itself says that it came at. A browser asks for them over several connections at once, which
//! share that.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use intercom_core::people::fairness::Source;
use serde::Deserialize;

use super::{Connection, Step};
use crate::shell::gateway::progress::Next;

/// A path that the page came over at less, in kbit/s, is thin.
const THIN_KBPS: u32 = 2500;

/// Part of such a path, as a divisor, that what the page asks for may take.
const PART: u32 = 3;

/// And at least so much, in kbit/s: the controls come within ten seconds.
const LEAST_KBPS: u32 = 40;

/// So many bytes go at once, and a packet after that.
const AT_ONCE: u32 = 4000;
const PACKET: u32 = 1350;

/// For so long from the page's words on: then all of it is there.
const LASTS: Duration = Duration::from_secs(30);
/// Clients at a time; the oldest goes.
const MOST: usize = 64;

/// What a page says that it came at, in kbit/s, if it does.
pub fn told(words: &str) -> Option<u32> {
    #[derive(Deserialize)]
    struct Offer {
        kbps: Option<u32>,
    }
    words.split('\n').find_map(|line| serde_json::from_str::<Offer>(line).ok()?.kbps)
}

/// The clients whose path is thin.
#[derive(Debug, Default)]
pub struct Paces(RefCell<VecDeque<(Source, Pace, Instant)>>);

impl Paces {
    /// A page of this client, whom home has welcomed, came at so much.
    pub fn handle_told(&self, client: IpAddr, kbps: u32, now: Instant) {
        let client = Source::of(client);
        let mut paces = self.0.borrow_mut();
        paces.retain(|(other, _, until)| *other != client && now < *until);
        if kbps < THIN_KBPS {
            paces.push_back((client, Pace::at((kbps / PART).max(LEAST_KBPS), now), now + LASTS));
        }
        if paces.len() > MOST {
            paces.pop_front();
        }
    }

    /// How many of these bytes may go to this client now. If none, when.
    pub fn room(&self, client: IpAddr, bytes: usize, now: Instant) -> Result<usize, Instant> {
        let client = Source::of(client);
        let paces = self.0.borrow();
        let Some((_, pace, _)) = paces.iter().find(|(other, _, until)| *other == client && now < *until) else {
            return Ok(bytes);
        };
        let room = pace.room(now).min(bytes);
        // Another connection may have taken it: less than a packet is not worth one.
        if room < bytes.min(PACKET as usize) { Err(pace.due(now)) } else { Ok(room) }
    }

    /// So many bytes went to this client.
    pub fn handle_sent(&self, client: IpAddr, bytes: usize, now: Instant) {
        let client = Source::of(client);
        if let Some((_, pace, _)) = self.0.borrow_mut().iter_mut().find(|(other, ..)| *other == client) {
            pace.handle_sent(bytes, now);
        }
    }
}

impl Connection {
    /// It may get more at `due`. That it is slow is our own doing, for as long as the pace lasts.
    pub(super) fn wait_for_room(&mut self, due: Instant) -> Step {
        self.paced = Some(due);
        self.deadline.0 = self.deadline.0.max(self.opened + LASTS);
        Step::Out(Next::Stay)
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
    fn at(kbps: u32, now: Instant) -> Pace {
        Pace { bytes_per_second: kbps * 1000 / 8, gone: now }
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

    /// When there is room for a packet; by a millisecond late, so that there is.
    fn due(&self, now: Instant) -> Instant {
        let due = self.gone.checked_sub(self.time(AT_ONCE - PACKET)).map_or(now, |due| due.max(now));
        due + Duration::from_millis(1)
    }

    fn time(&self, bytes: u32) -> Duration {
        Duration::from_secs(1) * bytes / self.bytes_per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::clock;

    fn addresses() -> [IpAddr; 2] {
        [1, 2].map(|n| IpAddr::from([192, 0, 2, n]))
    }

    #[test]
    fn a_thin_paths_page_gets_a_third_of_it_and_others_all() {
        let (now, [client, _]) = (clock::now(), addresses());
        let paces = Paces::default();
        let pace = |words: &str| {
            paces.handle_told(client, 9000, now);
            told(words).into_iter().for_each(|kbps| paces.handle_told(client, kbps, now));
            paces.0.borrow().front().map(|(_, pace, _)| pace.bytes_per_second * 8 / 1000)
        };
        assert_eq!(pace("{\"type\":\"hello\"}\n{\"type\":\"offer\",\"kbps\":300}"), Some(100));
        assert_eq!((pace("{\"kbps\":30}"), pace("{\"kbps\":0}")), (Some(40), Some(40)));
        for other in ["", "\n\n", "{", "{\"kbps\":null}", "{\"kbps\":-4}", "{\"kbps\":9000}", "{\"type\":\"hello\"}"] {
            assert_eq!(pace(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_small_goes_at_once_and_the_rest_packet_by_packet() {
        let (begun, [client, _]) = (clock::now(), addresses());
        let paces = Paces::default();
        paces.handle_told(client, 300, begun);
        let (mut now, mut sent, mut turns) = (begun, 0, 0);
        while sent < 43_000 {
            match paces.room(client, 43_000 - sent, now) {
                Ok(bytes) => {
                    paces.handle_sent(client, bytes, now);
                    sent += bytes;
                    turns += 1;
                }
                Err(due) => now = due,
            }
        }
        // 39 kB at 12.5 kB/s.
        let time = now - begun;
        assert!(time > Duration::from_millis(2900) && time < Duration::from_millis(3500), "{time:?}");
        assert!((28..34).contains(&turns), "{turns}");
        assert_eq!(paces.room(client, 9000, now + Duration::from_secs(9)), Ok(AT_ONCE as usize));
    }

    #[test]
    fn a_clients_connections_share_its_pace_for_a_while() {
        let (now, [thin, other]) = (clock::now(), addresses());
        let paces = Paces::default();
        paces.handle_told(thin, 300, now);
        assert_eq!((paces.room(thin, 9000, now), paces.room(thin, 10, now)), (Ok(AT_ONCE as usize), Ok(10)));
        // One connection takes it, and the next one has to wait for a whole packet's room.
        paces.handle_sent(thin, AT_ONCE as usize - 20, now);
        let due = paces.room(thin, 9000, now).unwrap_err();
        assert!(paces.room(thin, 9000, due).unwrap() >= PACKET as usize);
        assert_eq!(paces.room(thin, 10, now), Ok(10), "what is smaller fits");
        assert_eq!((paces.room(other, 9000, now), paces.room(thin, 9000, now + LASTS)), (Ok(9000), Ok(9000)));
        // A page that came fast: the same client is somewhere else now.
        paces.handle_told(thin, 20_000, now);
        assert_eq!(paces.room(thin, 9000, now), Ok(9000));
    }

    #[test]
    fn thousands_of_clients_take_no_memory_and_the_newest_are_paced() {
        let now = clock::now();
        let paces = Paces::default();
        for n in 0..1000u32 {
            paces.handle_told(IpAddr::from(n.to_be_bytes()), 300, now);
        }
        assert_eq!(paces.0.borrow().len(), MOST);
        assert_eq!(paces.room(IpAddr::from(999u32.to_be_bytes()), 9000, now), Ok(AT_ONCE as usize));
    }
}
