//! Looking for more on a path that loses packets by itself.
//!
//! The estimator takes losses for a full path: where a tenth is lost, an estimate that began low stays low for good. But a full path also
//! makes packets wait. Where some are lost and none waits, home goes up by steps instead, as long as what is lost stays the same part.

use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

use crate::rate::delivery::Queue;

/// From this part of the packets on losses keep the estimate low.
const LOST: f64 = 0.025;
/// How far one report of a fifth of a second moves what is known of them.
const FOLLOWS: f64 = 0.15;

/// And some have been lost all along for so long, the first seconds of a path excepted: where the path has become narrower, losses end as
/// soon as less is sent.
const LOST_NOW: f64 = 0.01;
const FOLLOWS_FAST: f64 = 0.3;
const LASTS: Duration = Duration::from_secs(4);
const LASTS_AT_FIRST: Duration = Duration::from_secs(1);
const FIRST: Duration = Duration::from_secs(5);

/// Packets that wait no longer than this, at least and on the average, lie in no queue.
const EMPTY: Duration = Duration::from_millis(20);
const EMPTY_MEAN: Duration = Duration::from_millis(60);
/// None has been seen for so long before a step, and the last one has shown what it does.
const CALM: Duration = Duration::from_millis(1200);

/// A step goes to this part of what was estimated, in percent, once this part of that is sent: what is not used shows nothing.
const STEP: u64 = 200;
const SENT: u64 = 45;

/// A step that loses so much more than before was too far: the place that drops what is too much has no queue. One of which less than this
/// part is left, in percent, was of no use. After either and after a queue there are no steps for so long, and twice as long each time.
const MORE_LOST: f64 = 0.05;
const HELD: u64 = 60;
const RESTS: Duration = Duration::from_secs(5);
const RESTS_MOST: Duration = Duration::from_secs(320);

/// The state for one viewer's path.
#[derive(Clone, Debug)]
pub struct Climb {
    began: Instant,
    lost: f64,
    lost_now: f64,
    loses_since: Option<Instant>,
    sent: Bitrate,
    empty_since: Option<Instant>,
    step: Option<Step>,
    rests: Duration,
    rests_until: Option<Instant>,
}

/// The last step: from where to where, what was lost before, and when it was.
#[derive(Clone, Debug)]
struct Step {
    from: Bitrate,
    to: Bitrate,
    lost: f64,
    at: Instant,
}

impl Climb {
    /// Nothing is known of the path.
    pub fn new(now: Instant) -> Climb {
        Climb {
            began: now,
            lost: 0.0,
            lost_now: 0.0,
            loses_since: None,
            sent: Bitrate::from_kbps(0),
            empty_since: None,
            step: None,
            rests: RESTS,
            rests_until: None,
        }
    }

    /// Takes what waits on the path.
    pub fn handle_queue(&mut self, queue: &Queue, now: Instant) {
        if queue.least > EMPTY || queue.mean > EMPTY_MEAN {
            (self.empty_since, self.loses_since, self.lost, self.lost_now) = (None, None, 0.0, 0.0);
            if self.step.take().is_some() {
                self.rest(now);
            }
            return;
        }
        self.empty_since.get_or_insert(now);
        self.sent = queue.sent;
        self.lost += (queue.lost - self.lost) * FOLLOWS;
        self.lost_now += (queue.lost - self.lost_now) * FOLLOWS_FAST;
        self.loses_since = (self.lost_now >= LOST_NOW).then(|| self.loses_since.unwrap_or(now));
    }

    /// What the path is to be taken to carry from now on, of which so much is estimated, if that is another thing.
    pub fn next(&mut self, estimate: Bitrate, most: Bitrate, now: Instant) -> Option<Bitrate> {
        let since = |then: Instant| now.saturating_duration_since(then);
        if let Some(step) = self.step.take_if(|step| since(step.at) >= CALM) {
            if self.lost > step.lost + MORE_LOST {
                self.rest(now);
                return Some(step.from);
            }
            if estimate < step.to.percent(HELD) {
                self.rest(now);
            }
        }
        let calm = self.empty_since.is_some_and(|then| since(then) >= CALM);
        let lasts = if since(self.began) < FIRST { LASTS_AT_FIRST } else { LASTS };
        let loses = self.lost >= LOST && self.loses_since.is_some_and(|then| since(then) >= lasts);
        let rested = self.rests_until.is_none_or(|until| until <= now);
        let used = self.sent >= estimate.percent(SENT);
        if !(calm && rested && used && self.step.is_none() && loses && estimate < most) {
            return None;
        }
        let to = estimate.percent(STEP).min(most);
        self.step = Some(Step { from: estimate, to, lost: self.lost, at: now });
        Some(to)
    }

    fn rest(&mut self, now: Instant) {
        self.rests_until = Some(now + self.rests);
        self.rests = (self.rests * 2).min(RESTS_MOST);
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const MOST: Bitrate = Bitrate::from_kbps(5000);

    /// Runs for so long on a path that loses a part by itself, and beyond so many kbit/s has a queue, or drops what is too much. What is
    /// sent follows the estimate.
    fn run(climb: &mut Climb, now: &mut Instant, seconds: u32, lost: f64, carries: u64, queue: bool) -> Vec<u64> {
        let (mut estimate, mut all) = (Bitrate::from_kbps(250), vec![]);
        for _ in 0..seconds * 5 {
            *now += Duration::from_millis(200);
            let sent = estimate.percent(75);
            let over = sent.bps().saturating_sub(carries * 1000) as f64 / sent.bps() as f64;
            let waits = Duration::from_millis(if queue && over > 0.0 { 200 } else { 1 });
            let lost = if queue { lost } else { lost + over };
            let queue = Queue { least: waits, mean: waits, came: sent, sent, lost, overtaken: 0.0, carries: None };
            climb.handle_queue(&queue, *now);
            if let Some(next) = climb.next(estimate, MOST, *now) {
                estimate = next;
                all.push(next.kbps());
            }
        }
        all
    }

    #[test]
    fn a_wide_path_that_loses_is_climbed_by_steps() {
        let mut now = Instant::now();
        let mut climb = Climb::new(now);
        assert_eq!(run(&mut climb, &mut now, 10, 0.1, 100_000, true), [500, 1000, 2000, 4000, 5000]);
    }

    #[test]
    fn later_losses_must_last() {
        let mut now = Instant::now();
        let mut climb = Climb::new(now);
        run(&mut climb, &mut now, 10, 0.0, 100_000, true);
        assert!(run(&mut climb, &mut now, 2, 0.1, 100_000, true).is_empty(), "a path that has become narrower");
        assert!(run(&mut climb, &mut now, 5, 0.0, 100_000, true).is_empty(), "and is used less now");
        assert_eq!(run(&mut climb, &mut now, 6, 0.1, 100_000, true), [500, 1000]);
    }

    #[test]
    fn a_path_that_loses_next_to_nothing_is_left_to_the_estimator() {
        let mut now = Instant::now();
        let mut climb = Climb::new(now);
        assert!(run(&mut climb, &mut now, 30, 0.01, 100_000, true).is_empty());
    }

    #[test]
    fn a_queue_ends_the_climb_for_longer_each_time() {
        let mut now = Instant::now();
        let mut climb = Climb::new(now);
        let mut climbs = |seconds| run(&mut climb, &mut now, seconds, 0.1, 700, true);
        // Each ends some three seconds after it began.
        assert_eq!(climbs(5), [500, 1000]);
        assert!(climbs(2).is_empty(), "it rests");
        assert_eq!(climbs(8), [500, 1000]);
        assert!(climbs(4).is_empty(), "for longer");
        assert_eq!(climbs(12), [500, 1000]);
    }

    #[test]
    fn a_step_that_loses_more_is_taken_back() {
        let mut now = Instant::now();
        let mut climb = Climb::new(now);
        assert_eq!(run(&mut climb, &mut now, 9, 0.05, 700, false), [500, 1000, 2000, 1000]);
    }
}
