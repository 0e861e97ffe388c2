//! When home's speaker chimes: once for who arrives and once for who leaves, not for who comes back at once, and seldom
//! for those who come and go all the time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::people::fairness::{Budget, Rate};
use crate::people::keys::KeyId;

/// Who leaves is announced after this time; who is back by then (a page that was loaded again) is not announced at all.
pub const LINGER: Duration = Duration::from_secs(3);

/// Several who arrive, or leave, within this time are announced by one chime.
pub const TOGETHER: Duration = Duration::from_secs(2);

/// So many chimes of one viewer may follow one another; then one is earned back each [`EARNED`].
pub const BURST: u32 = 6;

/// See [`BURST`].
pub const EARNED: Duration = Duration::from_secs(60);

/// Departures kept at once; a home takes no more viewers. The chime of those announces further ones.
const MOST: usize = 32;

/// What to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chime {
    /// Somebody arrived.
    Arrive,
    /// Somebody left.
    Leave,
    /// Somebody knocks.
    Knock,
}

/// Decides. Viewers are told apart by the numbers of their keys, and each has a budget of their own: who comes and goes all the time
/// makes nobody else come in unheard. Who arrives beyond their budget is heard as soon as they have earned one, if they are still here.
#[derive(Debug, Default)]
pub struct Chimes {
    leaving: Vec<(KeyId, Instant)>,
    last: Option<(Chime, Instant)>,
    budgets: HashMap<KeyId, Budget>,
    /// Arrivals that were not heard, and when they will be.
    owed: Vec<(KeyId, Instant)>,
}

const RATE: Rate = Rate { burst: BURST as f64, per_second: 1.0 / EARNED.as_secs() as f64 };

impl Chimes {
    /// The media of a visit came up for the first time.
    pub fn handle_arrival(&mut self, key: KeyId, now: Instant) -> Option<Chime> {
        if let Some(back) = self.leaving.iter().position(|(gone, _)| *gone == key) {
            self.leaving.swap_remove(back);
            return None;
        }
        let heard = self.chime(key, Chime::Arrive, now);
        if heard == Heard::TooOften && self.owed.len() < MOST && !self.owed.iter().any(|(who, _)| *who == key) {
            self.owed.push((key, now + EARNED));
        }
        (heard == Heard::Now).then_some(Chime::Arrive)
    }

    /// A visit ended that had arrived.
    pub fn handle_departure(&mut self, key: KeyId, now: Instant) {
        if let Some(unheard) = self.owed.iter().position(|(who, _)| *who == key) {
            self.owed.swap_remove(unheard);
        } else if self.leaving.len() < MOST {
            self.leaving.push((key, now + LINGER));
        }
    }

    /// To be called when [`Chimes::poll_timeout`] is reached.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Chime> {
        let due = |list: &mut Vec<(KeyId, Instant)>| -> Vec<KeyId> {
            list.extract_if(.., |(_, at)| *at <= now).map(|(who, _)| who).collect()
        };
        let (arrived, gone) = (due(&mut self.owed), due(&mut self.leaving));
        let arrived = arrived.into_iter().map(|who| (who, Chime::Arrive));
        let mut heard = None;
        for (who, chime) in arrived.chain(gone.into_iter().map(|who| (who, Chime::Leave))) {
            if heard.is_none() && self.chime(who, chime, now) == Heard::Now {
                heard = Some(chime);
            }
        }
        heard
    }

    /// When somebody's leaving, or an arrival from before, is to be announced.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.leaving.iter().chain(&self.owed).map(|(_, due)| *due).min()
    }

    fn chime(&mut self, key: KeyId, chime: Chime, now: Instant) -> Heard {
        if self.last.is_some_and(|(last, at)| last == chime && now.saturating_duration_since(at) < TOGETHER) {
            return Heard::WithAnother;
        }
        if self.budgets.len() >= MOST {
            self.budgets.retain(|_, budget| !budget.is_full(now));
            if self.budgets.len() >= MOST {
                self.budgets.clear();
            }
        }
        let budget = self.budgets.entry(key).or_insert_with(|| Budget::new(RATE, now));
        if !budget.spend(1.0, now) {
            return Heard::TooOften;
        }
        self.last = Some((chime, now));
        Heard::Now
    }
}

/// What became of a chime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Now,
    WithAnother,
    TooOften,
}

// A test's time begins at some time.
#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn who_arrives_is_heard_at_once_and_who_leaves_a_moment_later() {
        let now = Instant::now();
        let mut chimes = Chimes::default();
        assert_eq!(chimes.poll_timeout(), None);
        assert_eq!(chimes.handle_arrival(KeyId(1), now), Some(Chime::Arrive));
        chimes.handle_departure(KeyId(1), now + SECOND * 60);
        assert_eq!(chimes.poll_timeout(), Some(now + SECOND * 60 + LINGER));
        assert_eq!(chimes.handle_timeout(now + SECOND * 60 + LINGER), Some(Chime::Leave));
        assert_eq!((chimes.poll_timeout(), chimes.handle_timeout(now + SECOND * 90)), (None, None));
    }

    #[test]
    fn a_page_that_is_loaded_again_is_not_heard() {
        let now = Instant::now();
        let mut chimes = Chimes::default();
        chimes.handle_arrival(KeyId(1), now);
        chimes.handle_departure(KeyId(1), now + SECOND * 10);
        assert_eq!(chimes.handle_arrival(KeyId(1), now + SECOND * 11), None);
        assert_eq!(chimes.poll_timeout(), None, "nor is its leaving");
        chimes.handle_departure(KeyId(1), now + SECOND * 20);
        assert_eq!(chimes.handle_arrival(KeyId(2), now + SECOND * 21), Some(Chime::Arrive), "another one is");
        assert_eq!(chimes.handle_timeout(now + SECOND * 23), Some(Chime::Leave));
    }

    #[test]
    fn several_at_once_are_one_chime() {
        let now = Instant::now();
        let mut chimes = Chimes::default();
        let heard: Vec<_> =
            (0..5).filter_map(|n| chimes.handle_arrival(KeyId(n), now + SECOND / 4 * n as u32)).collect();
        assert_eq!(heard, [Chime::Arrive]);
        (0..5).for_each(|n| chimes.handle_departure(KeyId(n), now + SECOND * 60));
        assert_eq!(chimes.handle_timeout(now + SECOND * 63), Some(Chime::Leave));
        assert_eq!(chimes.poll_timeout(), None);
    }

    #[test]
    fn an_hour_of_coming_and_going_is_heard_once_a_minute_and_a_calm_home_hears_all() {
        let begin = Instant::now();
        let mut chimes = Chimes::default();
        let mut heard = 0;
        for n in 0..360u32 {
            let now = begin + SECOND * 10 * n;
            heard += u32::from(chimes.handle_timeout(now).is_some());
            heard += u32::from(chimes.handle_arrival(KeyId(1), now).is_some());
            chimes.handle_departure(KeyId(1), now + SECOND * 5);
        }
        assert!((30..=BURST + 60).contains(&heard), "{heard}");
        for n in 0..20u32 {
            let now = begin + SECOND * (7200 + 120 * n);
            chimes.handle_timeout(now);
            assert_eq!(chimes.handle_arrival(KeyId(1), now), Some(Chime::Arrive), "{n}");
            chimes.handle_departure(KeyId(1), now + SECOND * 30);
            assert_eq!(chimes.handle_timeout(now + SECOND * 33), Some(Chime::Leave), "{n}");
        }
    }

    #[test]
    fn who_comes_and_goes_all_the_time_makes_nobody_else_come_in_unheard() {
        let begin = Instant::now();
        let mut chimes = Chimes::default();
        let mut now = begin;
        for _ in 0..50 {
            now += SECOND * 4;
            chimes.handle_timeout(now);
            chimes.handle_arrival(KeyId(1), now);
            chimes.handle_departure(KeyId(1), now + SECOND / 2);
        }
        now += SECOND * 4;
        chimes.handle_timeout(now);
        assert_eq!(chimes.handle_arrival(KeyId(2), now), Some(Chime::Arrive), "another one is heard at once");
        // And who came too often is heard a little later, if they stay.
        now += SECOND * 5;
        assert_eq!(chimes.handle_arrival(KeyId(1), now), None);
        let due = chimes.poll_timeout().expect("it is owed");
        assert!(due <= now + EARNED);
        assert_eq!(chimes.handle_timeout(due), Some(Chime::Arrive));
        assert_eq!(chimes.poll_timeout(), None);
    }

    #[test]
    fn however_many_leave_what_is_kept_is_bounded() {
        let now = Instant::now();
        let mut chimes = Chimes::default();
        (0..1000).for_each(|n| chimes.handle_departure(KeyId(n), now));
        assert_eq!(chimes.leaving.len(), MOST);
    }
}
