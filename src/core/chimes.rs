//! When home's speaker chimes: once for who arrives and once for who leaves, not for who comes back at once, and seldom
//! for those who come and go all the time.

use std::time::{Duration, Instant};

/// Who leaves is told of after this time; who is back by then (a page that was loaded again) is not told of at all.
pub const LINGER: Duration = Duration::from_secs(3);

/// Several who arrive, or leave, within this time are told of by one chime.
pub const TOGETHER: Duration = Duration::from_secs(2);

/// So many chimes may follow one another; then one is earned back each [`EARNED`].
pub const BURST: u32 = 6;

/// See [`BURST`].
pub const EARNED: Duration = Duration::from_secs(60);

/// Departures kept at once; a home takes no more visitors. Further ones are told of by the chime of those.
const MOST: usize = 32;

/// What to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chime {
    /// Somebody arrived.
    Arrive,
    /// Somebody left.
    Leave,
}

/// Decides. Viewers are told apart by the numbers of their keys.
#[derive(Debug)]
pub struct Chimes {
    leaving: Vec<(u64, Instant)>,
    last: Option<(Chime, Instant)>,
    budget: u32,
    earned: Instant,
}

impl Chimes {
    /// Nobody came yet.
    pub fn new(now: Instant) -> Chimes {
        Chimes { leaving: Vec::new(), last: None, budget: BURST, earned: now }
    }

    /// The media of a visit came up for the first time.
    pub fn handle_arrival(&mut self, key: u64, now: Instant) -> Option<Chime> {
        if let Some(back) = self.leaving.iter().position(|(gone, _)| *gone == key) {
            self.leaving.swap_remove(back);
            return None;
        }
        self.chime(Chime::Arrive, now)
    }

    /// A visit ended that had arrived.
    pub fn handle_departure(&mut self, key: u64, now: Instant) {
        if self.leaving.len() < MOST {
            self.leaving.push((key, now + LINGER));
        }
    }

    /// To be called when [`Chimes::poll_timeout`] is reached.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Chime> {
        let before = self.leaving.len();
        self.leaving.retain(|(_, due)| *due > now);
        (self.leaving.len() < before).then(|| self.chime(Chime::Leave, now)).flatten()
    }

    /// When somebody's leaving is to be told.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.leaving.iter().map(|(_, due)| *due).min()
    }

    fn chime(&mut self, chime: Chime, now: Instant) -> Option<Chime> {
        if self.last.is_some_and(|(last, at)| last == chime && now.saturating_duration_since(at) < TOGETHER) {
            return None;
        }
        while self.budget < BURST && now.saturating_duration_since(self.earned) >= EARNED {
            self.earned += EARNED;
            self.budget += 1;
        }
        if self.budget == BURST {
            self.earned = now;
        }
        self.budget = self.budget.checked_sub(1)?;
        self.last = Some((chime, now));
        Some(chime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::clock;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn who_arrives_is_heard_at_once_and_who_leaves_a_moment_later() {
        let now = clock::now();
        let mut chimes = Chimes::new(now);
        assert_eq!(chimes.poll_timeout(), None);
        assert_eq!(chimes.handle_arrival(1, now), Some(Chime::Arrive));
        chimes.handle_departure(1, now + SECOND * 60);
        assert_eq!(chimes.poll_timeout(), Some(now + SECOND * 60 + LINGER));
        assert_eq!(chimes.handle_timeout(now + SECOND * 60 + LINGER), Some(Chime::Leave));
        assert_eq!((chimes.poll_timeout(), chimes.handle_timeout(now + SECOND * 90)), (None, None));
    }

    #[test]
    fn a_page_that_is_loaded_again_is_not_heard() {
        let now = clock::now();
        let mut chimes = Chimes::new(now);
        chimes.handle_arrival(1, now);
        chimes.handle_departure(1, now + SECOND * 10);
        assert_eq!(chimes.handle_arrival(1, now + SECOND * 11), None);
        assert_eq!(chimes.poll_timeout(), None, "nor is its leaving");
        chimes.handle_departure(1, now + SECOND * 20);
        assert_eq!(chimes.handle_arrival(2, now + SECOND * 21), Some(Chime::Arrive), "another one is");
        assert_eq!(chimes.handle_timeout(now + SECOND * 23), Some(Chime::Leave));
    }

    #[test]
    fn several_at_once_are_one_chime() {
        let now = clock::now();
        let mut chimes = Chimes::new(now);
        let heard: Vec<_> = (0..5).filter_map(|n| chimes.handle_arrival(n, now + SECOND / 4 * n as u32)).collect();
        assert_eq!(heard, [Chime::Arrive]);
        (0..5).for_each(|n| chimes.handle_departure(n, now + SECOND * 60));
        assert_eq!(chimes.handle_timeout(now + SECOND * 63), Some(Chime::Leave));
        assert_eq!(chimes.poll_timeout(), None);
    }

    #[test]
    fn an_hour_of_coming_and_going_is_heard_once_a_minute_and_a_calm_home_hears_all() {
        let begin = clock::now();
        let mut chimes = Chimes::new(begin);
        let mut heard = 0;
        for n in 0..360u32 {
            let now = begin + SECOND * 10 * n;
            heard += u32::from(chimes.handle_timeout(now).is_some());
            heard += u32::from(chimes.handle_arrival(1, now).is_some());
            chimes.handle_departure(1, now + SECOND * 5);
        }
        assert!((30..=BURST + 60).contains(&heard), "{heard}");
        for n in 0..20u32 {
            let now = begin + SECOND * (7200 + 120 * n);
            chimes.handle_timeout(now);
            assert_eq!(chimes.handle_arrival(1, now), Some(Chime::Arrive), "{n}");
            chimes.handle_departure(1, now + SECOND * 30);
            assert_eq!(chimes.handle_timeout(now + SECOND * 33), Some(Chime::Leave), "{n}");
        }
    }

    #[test]
    fn however_many_leave_what_is_kept_is_bounded() {
        let now = clock::now();
        let mut chimes = Chimes::new(now);
        (0..1000).for_each(|n| chimes.handle_departure(n, now));
        assert_eq!(chimes.leaving.len(), MOST);
    }
}
