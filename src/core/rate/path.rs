//! What one viewer's path offers, and how far its estimator looks for more.

use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

use crate::rate::climb::Climb;
use crate::rate::delivery::Queue;
use crate::rate::edge::Edge;

/// While frames queue up, and for this long after, the path is used with more room.
const PRESSED_FOR: Duration = Duration::from_secs(2);

/// Part of the estimate that is used, in percent. The estimator finds the edge by stepping over it; what is kept free
/// is what keeps those steps from becoming delay.
const USED: u64 = 75;
const USED_PRESSED: u64 = 60;

/// Most of what a path below this carries is the voice, which comes evenly and makes no queue: more of it may be used.
const VOICE: Bitrate = Bitrate::from_kbps(120);
const USED_BY_VOICE: u64 = 85;

/// What a path of which nothing is known is taken to carry: enough for a small picture that moves.
pub const UNKNOWN: Bitrate = Bitrate::from_kbps(400);

/// The estimator looks this far beyond what it has found, in percent, and at least so far. Its probes are up to twice as large
/// again: on a thin path they would be lost, and the voice with them.
const BEYOND: u64 = 150;
/// On a pipe that several share the others' packets wait behind the probes: little is sought while a queue stands now and then.
const BEYOND_SHARE: u64 = 115;
const BEYOND_STEADY: u64 = 200;
const LEAST_SOUGHT: Bitrate = Bitrate::from_kbps(200);

/// So much more than before, in percent, is more.
const MORE: u64 = 125;

/// What came through a full path is all that it carries, until the estimator has found that, too; a little less, so that the
/// queue drains.
const CARRIED: u64 = 90;
const FULL_FOR: Duration = Duration::from_secs(3);
/// As long as its queue is so long, so much of that is used, in percent: a keyframe that comes to a full queue is lost as well.
const USED_DRAINING: u64 = 45;
const LONG_QUEUE: Duration = Duration::from_millis(100);

/// Of a pipe that several share, a path whose estimate is below this part of its share, in percent, begins anew with the share:
/// the others had pushed it aside. Not oftener than this.
const PUSHED_ASIDE: u64 = 75;
const BEGINS_ANEW: Duration = Duration::from_secs(2);

/// A share that differs by less, in percent, is the same.
const SAME: u64 = 5;

/// In its first seconds a path is looked at as fast as its answers come, later from time to time.
const FIRST: Duration = Duration::from_secs(5);

/// The path to one viewer.
#[derive(Debug)]
pub struct PathState {
    began: Instant,
    /// Taken to be so until there is an estimate.
    start: Bitrate,
    estimate: Option<Bitrate>,
    pressed_until: Option<Instant>,
    /// It was full, and is taken to carry no more than this until then.
    full: Option<(Bitrate, Instant)>,
    long_queue: bool,
    /// By what waits on it.
    edge: Edge,
    /// By what it loses.
    climb: Climb,
    /// What it carried when it was full, once that is over.
    carried: Option<Bitrate>,
    /// Its part of a pipe that it shares with other viewers.
    share: Option<Bitrate>,
    /// Nobody waits on that pipe, so that more can be looked for.
    steady: bool,
    /// What the estimator was told that we would like to send, and what it had found before.
    sought: Bitrate,
    found: Bitrate,
}

impl PathState {
    /// A path that is taken to carry `start`.
    pub fn new(start: Bitrate, now: Instant) -> PathState {
        PathState {
            began: now,
            start,
            estimate: None,
            pressed_until: None,
            full: None,
            long_queue: false,
            edge: Edge::default(),
            climb: Climb::new(now),
            carried: None,
            share: None,
            steady: false,
            sought: start,
            found: start,
        }
    }

    /// It is looked at from the beginning, and taken to carry `start`.
    pub fn begin(&mut self, start: Bitrate, now: Instant) {
        *self = PathState { share: self.share, climb: self.climb.clone(), ..PathState::new(start, now) };
    }

    /// Its part of a pipe that it shares with others, if it does.
    pub fn share(&self) -> Option<Bitrate> {
        self.share
    }

    /// Its part of a pipe that it shares with others now. Whether that is news.
    pub fn set_share(&mut self, share: Option<Bitrate>, steady: bool) -> bool {
        self.steady = steady;
        let same = match (self.share, share) {
            (Some(old), Some(new)) => old.bps().abs_diff(new.bps()) * 100 <= old.bps() * SAME,
            (old, new) => old == new,
        };
        if !same {
            self.share = share;
        }
        !same
    }

    fn is_draining(&self) -> bool {
        self.full.is_some() && self.long_queue
    }

    /// What waits on it now, and what comes. Whether more or less of it may be used for that.
    pub fn handle_queue(&mut self, queue: Queue, now: Instant) -> bool {
        let before = (self.is_draining(), self.usable());
        self.edge.handle_queue(queue, now);
        self.climb.handle_queue(&queue, now);
        self.long_queue = queue.least > LONG_QUEUE;
        before != (self.is_draining(), self.usable())
    }

    /// What it is to begin anew with, where up to `most` is of use: others have pushed it aside on the pipe that they share, or its estimator
    /// has fallen far below what came while it was full, or takes the path's own losses for a full one.
    pub fn begins_anew(&mut self, most: Bitrate, now: Instant) -> Option<Bitrate> {
        let estimate = self.estimate.filter(|_| self.full.is_none())?;
        let since = now.saturating_duration_since(self.began);
        let carries = match self.share {
            Some(share) => (since >= BEGINS_ANEW).then_some(share)?,
            None => match self.carried.take() {
                Some(carried) => carried,
                None => return self.climb.next(estimate, most, now),
            },
        };
        (estimate < carries.percent(PUSHED_ASIDE)).then_some(carries)
    }

    /// Whether it is worth to look for more than it is known to carry: up to `most`.
    pub fn is_short_of(&self, most: Bitrate) -> bool {
        let most = self.share.filter(|_| !self.steady).map_or(most, |share| most.min(share));
        // Bursts tell that there is no more, and would tell if there were.
        let most = self.edge.no_more().map_or(most, |no_more| most.min(no_more));
        self.estimate.is_some_and(|estimate| estimate < most)
    }

    /// What the path carries, if known.
    pub fn estimate(&self) -> Option<Bitrate> {
        self.estimate
    }

    /// What it is taken to carry as long as that is not known.
    pub fn start(&self) -> Bitrate {
        self.start
    }

    /// What may be used of it now.
    pub fn usable(&self) -> Bitrate {
        if let Some(usable) = self.calm_use() {
            return usable;
        }
        let carries = self.carries();
        carries.percent(match self.pressed_until {
            _ if self.is_draining() => USED_DRAINING,
            Some(_) => USED_PRESSED,
            None if carries < VOICE => USED_BY_VOICE,
            None => USED,
        })
    }

    /// The same where no queue is near, if that is known.
    fn calm_use(&self) -> Option<Bitrate> {
        // Others' packets wait in the same queue, and count on its edge.
        let alone = self.share.is_none() && self.full.is_none() && self.pressed_until.is_none();
        self.edge.usable(self.estimate.filter(|estimate| alone && *estimate >= VOICE)?)
    }

    /// What may be used where hardly more than the voice is sent, which comes evenly and makes no queue; if that is known.
    pub fn usable_by_voice(&self) -> Option<Bitrate> {
        Some(self.estimate?.percent(USED_BY_VOICE))
    }

    /// Takes a new estimate. What to tell the estimator to look for, of `most` that would be of use, if that changes.
    pub fn handle_estimate(&mut self, estimate: Bitrate, most: Bitrate, now: Instant) -> Option<Bitrate> {
        self.estimate = Some(estimate);
        self.handle_timeout(now);
        let goal = self.goal(most);
        let young = now.saturating_duration_since(self.began) < FIRST;
        (goal < self.sought || (young && goal > self.sought)).then(|| self.seek(goal))
    }

    /// The path is full, and carries no more than this. Whether that is news.
    pub fn handle_full(&mut self, carried: Bitrate, now: Instant) -> bool {
        let most = carried.percent(CARRIED);
        let news = self.carries() > most;
        self.edge.handle_full();
        if news {
            self.full = Some((most, now + FULL_FOR));
        }
        news
    }

    /// What it is taken to carry now.
    fn carries(&self) -> Bitrate {
        let estimate = self.share.or(self.estimate).unwrap_or(self.start);
        let standing = self.edge.standing().filter(|_| self.share.is_none());
        self.full.map(|(most, _)| most).into_iter().chain(standing).fold(estimate, Bitrate::min)
    }

    /// Whether looking further has found so much that it is worth to look on soon.
    pub fn found_more(&mut self) -> bool {
        let more = self.estimate.is_some_and(|estimate| estimate > self.found.percent(MORE));
        if more {
            self.found = self.estimate.unwrap_or(self.found);
        }
        more
    }

    /// It is time to look for more: what to tell the estimator.
    pub fn look_further(&mut self, most: Bitrate) -> Bitrate {
        self.found = self.estimate.unwrap_or(self.start);
        let goal = self.goal(most);
        self.seek(goal)
    }

    /// The estimator was told to look for this.
    pub fn seek(&mut self, goal: Bitrate) -> Bitrate {
        self.sought = goal;
        goal
    }

    /// Takes note that frames queue up although the estimate may not say so yet.
    pub fn handle_pressure(&mut self, now: Instant) {
        self.pressed_until = Some(now + PRESSED_FOR);
    }

    /// To be called at [`PathState::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.pressed_until.is_some_and(|t| t <= now) {
            self.pressed_until = None;
        }
        self.edge.handle_timeout(now);
        if let Some((most, _)) = self.full.take_if(|(_, until)| *until <= now) {
            self.carried = Some(most);
        }
    }

    /// When more may be used without a new estimate.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let full = self.full.map(|(_, until)| until);
        [self.pressed_until, full, self.edge.poll_timeout()].into_iter().flatten().min()
    }

    fn goal(&self, most: Bitrate) -> Bitrate {
        let carries = self.carries();
        let beyond = carries.percent(match self.share {
            None => BEYOND,
            Some(_) if self.steady => BEYOND_STEADY,
            Some(_) => BEYOND_SHARE,
        });
        beyond.max(LEAST_SOUGHT).min(most)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const MOST: Bitrate = Bitrate::from_kbps(5000);
    /// A report of 1000 kbit/s, of which `came` came and waited for so many milliseconds at least.
    fn waits(least: u64, came: u64) -> Queue {
        let least = Duration::from_millis(least);
        Queue { least, mean: least, came: kbps(came), sent: kbps(1000), lost: 0.0, overtaken: 0.0, carries: None }
    }

    fn kbps(kbps: u64) -> Bitrate {
        Bitrate::from_kbps(kbps)
    }

    #[test]
    fn while_frames_queue_up_more_is_kept_free() {
        let now = Instant::now();
        let mut path = PathState::new(kbps(400), now);
        assert_eq!(path.usable(), kbps(300));
        path.handle_estimate(kbps(1000), MOST, now);
        assert_eq!(path.usable(), kbps(750));
        path.handle_pressure(now);
        assert_eq!(path.usable(), kbps(600));
        let due = path.poll_timeout().unwrap();
        path.handle_timeout(due);
        assert_eq!((path.usable(), path.poll_timeout()), (kbps(750), None));
        path.handle_estimate(kbps(100), MOST, now);
        assert_eq!(path.usable(), kbps(85));
    }

    #[test]
    fn a_full_path_is_known_at_once_and_nothing_is_looked_for_beyond_it() {
        let now = Instant::now();
        let mut path = PathState::new(kbps(400), now);
        path.handle_estimate(kbps(3000), MOST, now);
        assert!(path.handle_full(kbps(1000), now));
        assert_eq!((path.usable(), path.look_further(MOST)), (kbps(675), kbps(1350)));
        assert!(!path.handle_full(kbps(1000), now), "that is known");
        let mut takes = |least: u64| (path.handle_queue(waits(least, 1000), now), path.usable());
        assert_eq!(
            [takes(50), takes(200), takes(150), takes(20)].map(|(_, usable)| usable.kbps()),
            [675, 405, 405, 675]
        );
        assert_eq!([takes(200), takes(200), takes(20)].map(|(news, _)| news), [true, false, true]);
        while let Some(due) = path.poll_timeout() {
            path.handle_timeout(due);
        }
        assert_eq!(path.usable(), kbps(2250));
    }

    #[test]
    fn its_edge_is_used_by_who_is_alone_there_and_looks_for_no_more_than_bursts_tell() {
        let now = Instant::now();
        let mut path = PathState::new(kbps(400), now);
        path.handle_estimate(kbps(1000), MOST, now);
        let calm = Queue { carries: Some(kbps(1200)), ..waits(2, 700) };
        let told = [0, 800, 1600].map(|ms| path.handle_queue(calm, now + Duration::from_millis(ms)));
        assert_eq!((told, path.usable()), ([false, false, true], kbps(1080)));
        assert!(path.is_short_of(MOST));
        path.handle_estimate(kbps(1100), MOST, now);
        assert!(!path.is_short_of(MOST));
        path.set_share(Some(kbps(1000)), true);
        assert_eq!(path.usable(), kbps(750), "others wait behind it");
        path.set_share(None, true);
        // A queue of ours stands.
        let later = now + Duration::from_secs(2);
        assert!(path.handle_queue(waits(80, 600), later) && path.handle_queue(waits(80, 600), later));
        assert_eq!((path.usable(), path.look_further(MOST)), (kbps(450), kbps(900)));
        while let Some(due) = path.poll_timeout() {
            path.handle_timeout(due);
        }
        assert_eq!(path.usable(), kbps(825), "that is long ago");
    }

    #[test]
    fn what_was_found_by_looking_further_is_told_once() {
        let now = Instant::now();
        let mut path = PathState::new(kbps(400), now);
        path.look_further(MOST);
        assert!(!path.found_more());
        path.handle_estimate(kbps(600), MOST, now + FIRST);
        assert!(path.found_more() && !path.found_more());
    }

    #[test]
    fn a_young_path_is_climbed_at_once_and_an_old_one_from_time_to_time() {
        let now = Instant::now();
        let mut path = PathState::new(kbps(400), now);
        assert_eq!(path.look_further(MOST), kbps(600));
        assert_eq!(path.handle_estimate(kbps(1000), MOST, now), Some(kbps(1500)));
        assert_eq!(path.handle_estimate(kbps(9000), MOST, now), Some(MOST));
        assert_eq!(path.handle_estimate(kbps(9000), MOST, now), None);
        let later = now + FIRST;
        assert_eq!(path.handle_estimate(kbps(300), MOST, later), Some(kbps(450)), "down at any time");
        assert_eq!(path.handle_estimate(kbps(1000), MOST, later), None);
        assert_eq!(path.look_further(MOST), kbps(1500));
        assert_eq!(path.handle_estimate(kbps(20), MOST, later), Some(LEAST_SOUGHT));
    }

    #[test]
    fn of_a_shared_pipe_it_has_its_part_and_begins_anew_where_others_pushed_it_aside() {
        let now = Instant::now();
        let mut path = PathState::new(kbps(400), now);
        path.handle_estimate(kbps(2000), MOST, now);
        assert!(path.set_share(Some(kbps(800)), false) && !path.set_share(Some(kbps(820)), false));
        assert_eq!(
            (path.usable(), path.look_further(MOST)),
            (kbps(600), kbps(920)),
            "the others wait behind its probes"
        );
        assert!(!path.is_short_of(MOST));
        assert!(path.begins_anew(MOST, now + BEGINS_ANEW).is_none());
        // Where nobody waits it may look further.
        assert!(!path.set_share(Some(kbps(800)), true));
        assert_eq!((path.is_short_of(MOST), path.look_further(MOST)), (true, kbps(1600)));
        path.handle_estimate(kbps(300), MOST, now);
        assert_eq!((path.usable(), path.begins_anew(MOST, now)), (kbps(600), None), "not at once");
        let later = now + BEGINS_ANEW;
        assert_eq!(path.begins_anew(MOST, later), Some(kbps(800)));
        path.begin(kbps(800), later);
        assert_eq!((path.begins_anew(MOST, later), path.share()), (None, Some(kbps(800))));
        assert!(path.set_share(None, false));
        path.handle_estimate(kbps(2000), MOST, later);
        assert_eq!(path.usable(), kbps(1500));
    }

    #[test]
    fn what_came_while_it_was_full_is_what_it_begins_anew_with_once() {
        let now = Instant::now();
        for (estimate, anew) in [(200, Some(kbps(360))), (300, None)] {
            let mut path = PathState::new(kbps(400), now);
            path.handle_estimate(kbps(1000), MOST, now);
            path.handle_full(kbps(400), now);
            path.handle_estimate(kbps(estimate), MOST, now);
            assert_eq!(path.begins_anew(MOST, now), None, "it is full");
            let later = path.poll_timeout().unwrap();
            path.handle_timeout(later);
            assert_eq!((path.begins_anew(MOST, later), path.begins_anew(MOST, later)), (anew, None));
        }
    }
}
