//! What is left of the picture where a path has hardly room for the sound: all frames, single pictures, or none.

use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

/// Room must be short for so long before the picture gives way.
const SHORT_FOR: Duration = Duration::from_millis(1500);
/// While single pictures are shown, nothing is sent to find out what the path carries: on a narrow one that is what the
/// sound would lose. It is tried after this time, and doubles up to the longest after each trial that failed.
const FIRST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(80);
/// A trial takes so long; the room must have been there for the last part of it.
const TRIAL: Duration = Duration::from_secs(4);
const ROOM_FOR: Duration = Duration::from_millis(1500);
/// Moving pictures that lasted this long were right.
const HELD: Duration = Duration::from_secs(60);
/// With less than this left nothing is shown: one picture would take a quarter of a minute.
const NOTHING: Bitrate = Bitrate::from_kbps(4);
/// Pictures come at least so far apart, and at most.
const SOONEST: Duration = Duration::from_secs(2);
const LATEST: Duration = Duration::from_secs(20);

/// After half a second of reports the estimator climbs beyond what the voice takes, and sends padding. So it is put to rest before that, again
/// and again.
const RESTS_AGAIN: Duration = Duration::from_millis(200);

/// Queues have drained by then, and the reports of the time before have come.
const QUIET_AFTER: Duration = Duration::from_secs(8);

/// What the estimator is to do from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimating {
    /// Nothing beyond the sound is sent for its sake.
    Rest,
    /// Find out what the path carries.
    Try,
}

/// One viewer's picture beside the sound.
#[derive(Debug)]
pub struct StillMode {
    /// What moving pictures need at least.
    need: Bitrate,
    /// What is left beside the sound, if known.
    room: Option<Bitrate>,
    /// Since when single pictures are shown only.
    still: Option<Instant>,
    short_since: Option<Instant>,
    room_since: Option<Instant>,
    moving_since: Option<Instant>,
    wait: Duration,
    /// The trial that is on ends then, or the next begins.
    trial: Option<Instant>,
    next_trial: Option<Instant>,
    news: Option<Estimating>,
    rest_again: Option<Instant>,
    last: Option<Instant>,
    /// The next picture was asked for.
    asked: Option<Instant>,
    /// Size of a single picture, in bits.
    size: u64,
}

impl StillMode {
    /// Pictures move, and need this much for it.
    pub fn new(need: Bitrate) -> StillMode {
        StillMode {
            need,
            room: None,
            still: None,
            short_since: None,
            room_since: None,
            moving_since: None,
            wait: FIRST_WAIT,
            trial: None,
            next_trial: None,
            news: None,
            rest_again: None,
            last: None,
            asked: None,
            // 8 kB, until one has been seen.
            size: 64_000,
        }
    }

    /// Whether single pictures are shown only.
    pub fn is_still(&self) -> bool {
        self.still.is_some()
    }

    /// Whether that has been so for long enough that what got lost since is not due to moving pictures.
    pub fn is_quiet(&self, now: Instant) -> bool {
        self.still.is_some_and(|t| now.saturating_duration_since(t) >= QUIET_AFTER)
    }

    /// Whether estimates of the path mean nothing, because nothing is sent that would tell.
    pub fn is_resting(&self) -> bool {
        self.is_still() && self.trial.is_none()
    }

    /// What the estimator is to do, if that changed.
    pub fn take_news(&mut self) -> Option<Estimating> {
        self.news.take()
    }

    /// What is left beside the sound; `lowest` says that there is no smaller picture to go to first.
    pub fn handle_room(&mut self, room: Option<Bitrate>, lowest: bool, now: Instant) {
        if self.is_resting() {
            self.handle_timeout(now);
            return;
        }
        self.room = room;
        let short = lowest && room.is_some_and(|room| room < self.need);
        let ample = room.is_none_or(|room| room >= self.need.percent(150));
        self.short_since = if short { self.short_since.or(Some(now)) } else { None };
        self.room_since = if ample { self.room_since.or(Some(now)) } else { None };
        self.handle_timeout(now);
    }

    /// A picture of this size, in bytes, was sent.
    pub fn handle_sent(&mut self, bytes: usize, now: Instant) {
        self.size = bytes as u64 * 8;
        self.last = Some(now);
        self.asked = None;
    }

    /// Whether it is time to ask for the next single picture. One that did not come is asked for again.
    pub fn handle_due(&mut self, now: Instant) -> bool {
        let due = self.ask_at().is_some_and(|at| now >= at);
        if due {
            self.asked = Some(now);
        }
        due
    }

    fn ask_at(&self) -> Option<Instant> {
        let due = self.due()?;
        Some(self.asked.map_or(due, |asked| due.max(asked + SOONEST)))
    }

    /// Whether the single picture that is at hand may be sent.
    pub fn takes(&self, now: Instant) -> bool {
        self.due().is_some_and(|due| now >= due)
    }

    /// When the next single picture is to be made.
    pub fn due(&self) -> Option<Instant> {
        let room = self.room.filter(|room| self.is_still() && *room >= NOTHING)?;
        let last = self.last?;
        let every = Duration::from_millis(self.size * 1000 / room.bps().max(1));
        Some(last + every.clamp(SOONEST, LATEST))
    }

    /// To be called at [`StillMode::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        let lasted =
            |since: Option<Instant>, time: Duration| since.is_some_and(|t| now.saturating_duration_since(t) >= time);
        if !self.is_still() && lasted(self.short_since, SHORT_FOR) {
            let held = lasted(self.moving_since, HELD) || self.moving_since.is_none();
            self.wait = if held { FIRST_WAIT } else { (self.wait * 2).min(LONGEST_WAIT) };
            self.still = Some(now);
            // What was on its way when there was too little room has to drain first.
            self.last = Some(now);
            self.rest(now);
        } else if self.is_still() && self.trial.is_some() && lasted(self.room_since, ROOM_FOR) {
            self.still = None;
            self.trial = None;
            self.moving_since = Some(now);
            self.short_since = None;
        } else if self.trial.is_some_and(|end| now >= end) {
            self.wait = (self.wait * 2).min(LONGEST_WAIT);
            self.rest(now);
        } else if self.next_trial.is_some_and(|at| now >= at) {
            self.next_trial = None;
            self.rest_again = None;
            self.trial = Some(now + TRIAL);
            self.room_since = None;
            self.news = Some(Estimating::Try);
        } else if self.rest_again.is_some_and(|at| now >= at) {
            self.rest_again = Some(now + RESTS_AGAIN);
            self.news = Some(Estimating::Rest);
        }
    }

    fn rest(&mut self, now: Instant) {
        self.trial = None;
        self.room_since = None;
        self.next_trial = Some(now + self.wait);
        self.rest_again = Some(now + RESTS_AGAIN);
        self.news = Some(Estimating::Rest);
    }

    /// When something changes without any news.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.is_still() {
            false => self.short_since.map(|t| t + SHORT_FOR),
            true => {
                let ample = self.room_since.map(|t| t + ROOM_FOR);
                [ample, self.trial, self.next_trial, self.rest_again, self.ask_at()].into_iter().flatten().min()
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const NEED: Bitrate = Bitrate::from_kbps(20);

    fn kbps(kbps: u64) -> Option<Bitrate> {
        Some(Bitrate::from_kbps(kbps))
    }

    #[test]
    fn a_moment_without_room_changes_nothing_and_a_larger_picture_gives_way_first() {
        let start = Instant::now();
        let mut still_mode = StillMode::new(NEED);
        still_mode.handle_room(kbps(10), true, start);
        still_mode.handle_room(kbps(40), true, start + Duration::from_secs(1));
        still_mode.handle_timeout(start + Duration::from_secs(5));
        assert!(!still_mode.is_still());
        still_mode.handle_room(kbps(0), false, start + Duration::from_secs(6));
        assert_eq!(still_mode.poll_timeout(), None);
    }

    /// A viewer with room for 10 kbit/s of picture, from when it stands still.
    fn still(now: Instant) -> (StillMode, Instant) {
        let mut still_mode = StillMode::new(NEED);
        still_mode.handle_room(kbps(10), true, now);
        let due = still_mode.poll_timeout().unwrap();
        still_mode.handle_timeout(due);
        assert!(still_mode.is_still());
        assert_eq!(still_mode.take_news(), Some(Estimating::Rest));
        (still_mode, due)
    }

    #[test]
    fn single_pictures_come_as_often_as_there_is_room_and_not_at_all_where_there_is_none() {
        let (mut still_mode, now) = still(Instant::now());
        assert!(!still_mode.takes(now));
        still_mode.handle_sent(5000, now);
        assert_eq!(still_mode.due(), Some(now + Duration::from_secs(4)));
        assert!(!still_mode.handle_due(now + Duration::from_secs(3)));
        assert!(
            still_mode.handle_due(now + Duration::from_secs(4)) && !still_mode.handle_due(now + Duration::from_secs(5))
        );
        assert!(still_mode.handle_due(now + Duration::from_secs(6)), "it did not come");
        let mut none = StillMode::new(NEED);
        none.handle_room(kbps(1), true, now);
        none.handle_timeout(now + SHORT_FOR);
        assert!(none.is_still() && none.due().is_none());
    }

    #[test]
    fn pictures_move_again_when_a_trial_finds_room() {
        let (mut still_mode, now) = still(Instant::now());
        still_mode.handle_room(kbps(500), true, now + Duration::from_secs(3));
        assert!(still_mode.is_still(), "what the estimator says while it rests means nothing");
        let begin = now + FIRST_WAIT;
        still_mode.handle_timeout(begin);
        assert_eq!(still_mode.take_news(), Some(Estimating::Try));
        still_mode.handle_room(kbps(500), true, begin + Duration::from_secs(1));
        let mut due = begin;
        while still_mode.is_still() {
            due = still_mode.poll_timeout().unwrap();
            still_mode.handle_due(due);
            still_mode.handle_timeout(due);
        }
        assert!(due < begin + TRIAL, "{:?}", due - begin);
    }

    #[test]
    fn each_trial_that_fails_makes_the_next_one_wait_longer() {
        let (mut still_mode, mut now) = still(Instant::now());
        let mut waits = Vec::new();
        for _ in 0..5 {
            let since = now;
            while still_mode.take_news() != Some(Estimating::Try) {
                now = still_mode.poll_timeout().unwrap();
                still_mode.handle_due(now);
                still_mode.handle_timeout(now);
            }
            waits.push((now - since).as_secs());
            still_mode.handle_room(kbps(5), true, now);
            while still_mode.take_news() != Some(Estimating::Rest) {
                now = still_mode.poll_timeout().unwrap();
                still_mode.handle_due(now);
                still_mode.handle_timeout(now);
            }
            assert!(still_mode.is_still());
        }
        assert_eq!(waits, [10, 20, 40, 80, 80]);
    }
}
