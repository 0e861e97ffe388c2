//! Which rung a viewer gets, and at which bitrate a rung is encoded.

use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

use crate::call::protocol::RungName;

/// An estimate must stay below the floor for this long before the viewer goes down while nothing jams. A far end that is
/// short of CPU reads its packets late, which the estimator takes for a full path; it needs seconds to think better of it.
const DOWN_AFTER: Duration = Duration::from_secs(8);

/// Unless it says that the path carries not even a third: no slow far end is taken for that.
const DOWN_AFTER_FAR: Duration = Duration::from_secs(2);

/// With frames jammed as well, this is trend enough.
const DOWN_AFTER_JAMMED: Duration = Duration::from_millis(1500);

/// And comfortably above it for this long before the viewer comes up again.
const UP_AFTER: Duration = Duration::from_secs(5);

/// First pause after a climb that failed; doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(10);

/// Longest pause between attempts to climb.
const MAX_PAUSE: Duration = Duration::from_secs(120);

/// A climb that held this long was right: the pause starts over.
const HELD: Duration = Duration::from_secs(60);

/// While frames queue up, and for this long after, the viewer's path is used with more room.
const PRESSED_FOR: Duration = Duration::from_secs(2);

/// Part of the estimate that is used, in percent. The estimator finds the edge by stepping over it; what is kept free
/// is what keeps those steps from becoming delay.
const USED: u64 = 85;
const USED_PRESSED: u64 = 65;

/// The bitrates of a rung.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Never encoded below this.
    pub floor: Bitrate,
    /// Never above this.
    pub max: Bitrate,
}

/// Where one viewer is on the ladder.
#[derive(Debug)]
pub struct LadderState {
    rung: RungName,
    /// What the full rung needs at least, sound and headers included.
    need: Bitrate,
    estimate: Option<Bitrate>,
    pressed_until: Option<Instant>,
    below_since: Option<Instant>,
    above_since: Option<Instant>,
    climbed: Option<Instant>,
    not_before: Option<Instant>,
    pause: Duration,
}

impl LadderState {
    /// Everybody starts on the full rung; `need` is its floor plus what sound and headers take.
    pub fn new(need: Bitrate) -> LadderState {
        LadderState {
            rung: RungName::Full,
            need,
            estimate: None,
            pressed_until: None,
            below_since: None,
            above_since: None,
            climbed: None,
            not_before: None,
            pause: FIRST_PAUSE,
        }
    }

    /// The rung that this viewer should get.
    pub fn rung(&self) -> RungName {
        self.rung
    }

    /// What the path carries, if known.
    pub fn estimate(&self) -> Option<Bitrate> {
        self.estimate
    }

    /// Takes a new estimate of what the path carries.
    pub fn handle_estimate(&mut self, estimate: Bitrate, now: Instant) {
        self.estimate = Some(estimate);
        self.below_since = if estimate < self.need { self.below_since.or(Some(now)) } else { None };
        self.above_since = if estimate >= self.need.percent(120) { self.above_since.or(Some(now)) } else { None };
        self.handle_timeout(now);
    }

    /// What of the path may be used now.
    pub fn usable(&self) -> Option<Bitrate> {
        let used = if self.pressed_until.is_some() { USED_PRESSED } else { USED };
        self.estimate.map(|e| e.percent(used))
    }

    /// Takes note that frames queue up although the estimate may not say so yet.
    pub fn handle_pressure(&mut self, jammed: bool, now: Instant) {
        self.pressed_until = Some(now + PRESSED_FOR);
        let below = self.below_since.is_some_and(|t| now.saturating_duration_since(t) >= DOWN_AFTER_JAMMED);
        if jammed && below && self.rung == RungName::Full {
            self.go_down(now);
        }
    }

    /// To be called at [`LadderState::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.pressed_until.is_some_and(|t| t <= now) {
            self.pressed_until = None;
        }
        match self.rung {
            RungName::Full => {
                if self.below_since.is_some_and(|t| now.saturating_duration_since(t) >= self.patience()) {
                    self.go_down(now);
                }
            }
            RungName::Reduced | RungName::Frosted => {
                let steady = self.above_since.is_some_and(|t| now.saturating_duration_since(t) >= UP_AFTER);
                if steady && self.not_before.is_none_or(|t| now >= t) {
                    self.rung = RungName::Full;
                    self.climbed = Some(now);
                    self.below_since = None;
                }
            }
        }
    }

    /// When the rung may change without a new estimate.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.rung {
            RungName::Full => self.below_since.map(|t| t + self.patience()),
            RungName::Reduced | RungName::Frosted => {
                self.above_since.map(|t| (t + UP_AFTER).max(self.not_before.unwrap_or(t)))
            }
        }
    }

    /// How long the path must be too narrow for the full rung.
    fn patience(&self) -> Duration {
        let far = self.estimate.is_some_and(|estimate| estimate.percent(300) < self.need);
        if far { DOWN_AFTER_FAR } else { DOWN_AFTER }
    }

    fn go_down(&mut self, now: Instant) {
        let held = self.climbed.is_none_or(|t| now.saturating_duration_since(t) >= HELD);
        self.pause = if held { FIRST_PAUSE } else { (self.pause * 2).min(MAX_PAUSE) };
        self.not_before = Some(now + self.pause);
        self.rung = RungName::Reduced;
        self.above_since = None;
        self.below_since = None;
    }
}

/// The bitrate of a rung: what the slowest of its viewers can take, within the rung's range. `left` is what each
/// viewer's path offers beside the sound. Viewers of whom nothing is known yet do not hold the others back.
pub fn rung_bitrate(range: Range, left: impl Iterator<Item = Bitrate>) -> Bitrate {
    left.min().unwrap_or(range.max).clamp(range.floor, range.max)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const NEED: Bitrate = Bitrate::from_kbps(1600);

    fn seconds(start: Instant, s: f64) -> Instant {
        start + Duration::from_secs_f64(s)
    }

    #[test]
    fn a_dip_changes_nothing_a_trend_does() {
        let start = Instant::now();
        let mut ladder = LadderState::new(NEED);
        ladder.handle_estimate(Bitrate::from_kbps(900), start);
        ladder.handle_estimate(Bitrate::from_kbps(2500), seconds(start, 0.5));
        ladder.handle_timeout(seconds(start, 9.0));
        assert_eq!(ladder.rung(), RungName::Full);
        ladder.handle_estimate(Bitrate::from_kbps(900), seconds(start, 10.0));
        let due = ladder.poll_timeout().unwrap();
        ladder.handle_timeout(due);
        assert_eq!(ladder.rung(), RungName::Reduced);
    }

    #[test]
    fn climbs_back_and_waits_longer_after_each_failed_climb() {
        let start = Instant::now();
        let mut ladder = LadderState::new(NEED);
        let mut now = start;
        let mut pauses = Vec::new();
        for _ in 0..4 {
            ladder.handle_estimate(Bitrate::from_kbps(500), now);
            now += DOWN_AFTER;
            ladder.handle_timeout(now);
            assert_eq!(ladder.rung(), RungName::Reduced);
            let down = now;
            ladder.handle_estimate(Bitrate::from_kbps(4000), now);
            now = ladder.poll_timeout().unwrap();
            ladder.handle_timeout(now);
            assert_eq!(ladder.rung(), RungName::Full);
            pauses.push((now - down).as_secs());
        }
        assert_eq!(pauses, [10, 20, 40, 80]);
    }

    #[test]
    fn a_rung_is_encoded_for_its_slowest_viewer_but_never_below_the_floor() {
        let range = Range { floor: Bitrate::from_kbps(1500), max: Bitrate::from_kbps(2500) };
        let rate = |kbps: &[u64]| rung_bitrate(range, kbps.iter().map(|k| Bitrate::from_kbps(*k))).kbps();
        assert_eq!(rate(&[]), 2500);
        assert_eq!(rate(&[9000, 2000]), 2000);
        assert_eq!(rate(&[9000, 700]), 1500);
    }
}
