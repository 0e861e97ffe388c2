//! What one viewer's path offers, and how far its estimator looks for more.

use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

use crate::rate::delivery::Queue;

/// While frames queue up, and for this long after, the path is used with more room.
const PRESSED_FOR: Duration = Duration::from_secs(2);

/// Part of the estimate that is used, in percent. The estimator finds the edge by stepping over it; what is kept free
/// is what keeps those steps from becoming delay.
const USED: u64 = 75;
const USED_PRESSED: u64 = 60;
/// On a path whose queue has been empty between any two frames for so long, so much is used of what its narrowest place carries, as far
/// as bursts tell, and of so much of the estimate: it follows what is sent.
const USED_CALM: u64 = 90;
/// Where bursts tell nothing, so much of the estimate.
const USED_CALM_BLIND: u64 = 83;
const BEYOND_ESTIMATE: u64 = 135;
/// An estimate of so much of it is all there is to find.
const NO_MORE: u64 = 88;
const CALM_AFTER: Duration = Duration::from_millis(1500);
const EMPTY_QUEUE: Duration = Duration::from_millis(8);
/// And whose packets wait no longer on the average than so long, and than a packet before them takes.
const SHORT_QUEUE: Duration = Duration::from_millis(15);
const PACKET_BITS: u64 = 1250 * 8;

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

/// Where packets wait at least so long, report after report, what comes is all that the path carries: until it is calm again, or more
/// comes, and at most for so long.
const STANDING_QUEUE: Duration = Duration::from_millis(60);
const EDGE_FOR: Duration = Duration::from_secs(6);
/// Where so much of that comes, in percent, it carries more.
const MORE_THAN_EDGE: u64 = 115;

/// What came of late is carried, whatever the estimator makes of a probe that had to wait: so much of it, in percent, for so long.
const PROVEN: u64 = 95;
const PROVEN_FOR: Duration = Duration::from_secs(10);

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
    /// Since when its queue has been empty time and again, and whether that is so for long enough.
    empty_since: Option<Instant>,
    calm: bool,
    narrowest: Option<Bitrate>,
    /// What came in the report before this, and whether a queue stood.
    came: Option<(Bitrate, bool)>,
    /// The most that came in two reports, until then.
    proven: Option<(Bitrate, Instant)>,
    /// What it carries by what came while a queue stood, until then.
    edge: Option<(Bitrate, Instant)>,
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
            empty_since: None,
            calm: false,
            narrowest: None,
            came: None,
            proven: None,
            edge: None,
            carried: None,
            share: None,
            steady: false,
            sought: start,
            found: start,
        }
    }

    /// It is looked at from the beginning, and taken to carry `start`.
    pub fn begin(&mut self, start: Bitrate, now: Instant) {
        *self = PathState { share: self.share, ..PathState::new(start, now) };
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
        let before = (self.is_draining(), self.calm_use(), self.edge);
        let stands = queue.least > STANDING_QUEUE;
        if let Some((came, stood)) = self.came.replace((queue.came, stands)) {
            let came = Bitrate::from_bps((came.bps() + queue.came.bps()) / 2);
            if stood && stands {
                self.edge = Some((came, now + EDGE_FOR));
                self.proven = None;
            }
            self.proven.take_if(|(most, until)| *most <= came || *until <= now);
            self.proven.get_or_insert((came, now + PROVEN_FOR));
        }
        self.edge.take_if(|(edge, _)| queue.came > edge.percent(MORE_THAN_EDGE));
        self.long_queue = queue.least > LONG_QUEUE;
        let packet = Duration::from_secs(PACKET_BITS) / (queue.came.bps().clamp(PACKET_BITS, 1 << 31) as u32);
        self.narrowest = queue.carries;
        if queue.least < EMPTY_QUEUE && queue.mean < SHORT_QUEUE + packet {
            let since = *self.empty_since.get_or_insert(now);
            self.calm = now.saturating_duration_since(since) >= CALM_AFTER;
            self.edge.take_if(|_| self.calm);
        } else {
            (self.empty_since, self.calm) = (None, false);
        }
        before != (self.is_draining(), self.calm_use(), self.edge)
    }

    /// What it is to begin anew with: others have pushed it aside on the pipe that they share, or its estimator has fallen far below
    /// what came while it was full.
    pub fn begins_anew(&mut self, now: Instant) -> Option<Bitrate> {
        let estimate = self.estimate.filter(|_| self.full.is_none())?;
        let since = now.saturating_duration_since(self.began);
        let carries = match self.share {
            Some(share) => (since >= BEGINS_ANEW).then_some(share)?,
            None => self.carried.take()?,
        };
        (estimate < carries.percent(PUSHED_ASIDE)).then_some(carries)
    }

    /// Whether it is worth to look for more than it is known to carry: up to `most`.
    pub fn is_short_of(&self, most: Bitrate) -> bool {
        let most = self.share.filter(|_| !self.steady).map_or(most, |share| most.min(share));
        // Bursts tell that there is no more, and would tell if there were.
        let most = self.narrowest.map_or(most, |narrowest| most.min(narrowest.percent(NO_MORE)));
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
        let known = self.calm && self.share.is_none() && self.full.is_none() && self.edge.is_none();
        let estimate = self.estimate.filter(|_| known && self.pressed_until.is_none())?;
        let proven = self.proven.map_or(Bitrate::from_bps(0), |(came, _)| came.percent(PROVEN));
        let usable = match self.narrowest {
            Some(narrowest) => narrowest.min(estimate.percent(BEYOND_ESTIMATE).max(proven)).percent(USED_CALM),
            None => estimate.max(proven).percent(USED_CALM_BLIND),
        };
        (estimate >= VOICE).then_some(usable)
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
        self.proven = None;
        if news {
            self.full = Some((most, now + FULL_FOR));
        }
        news
    }

    /// What it is taken to carry now.
    fn carries(&self) -> Bitrate {
        let estimate = self.share.or(self.estimate).unwrap_or(self.start);
        let edges = self.full.into_iter().chain(self.edge.filter(|_| self.share.is_none()));
        edges.fold(estimate, |carries, (edge, _)| carries.min(edge))
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
        self.edge.take_if(|(_, until)| *until <= now);
        if let Some((most, _)) = self.full.take_if(|(_, until)| *until <= now) {
            self.carried = Some(most);
        }
    }

    /// When more may be used without a new estimate.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let until = |edge: Option<(Bitrate, Instant)>| edge.map(|(_, until)| until);
        [self.pressed_until, until(self.full), until(self.edge)].into_iter().flatten().min()
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
    const QUEUE: Queue = Queue {
        least: Duration::ZERO,
        mean: Duration::ZERO,
        came: Bitrate::from_kbps(700),
        sent: Bitrate::from_kbps(1000),
        carries: Some(Bitrate::from_kbps(1200)),
    };

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
        let mut waits = |least: u64| {
            let least = Duration::from_millis(least);
            (
                path.handle_queue(Queue { least, mean: least, came: kbps(1000), sent: kbps(1000), carries: None }, now),
                path.usable(),
            )
        };
        assert_eq!(
            [waits(50), waits(200), waits(150), waits(20)].map(|(_, usable)| usable.kbps()),
            [675, 405, 405, 675]
        );
        assert_eq!([waits(200), waits(200), waits(20)].map(|(news, _)| news), [true, false, true]);
        path.handle_timeout(path.poll_timeout().unwrap());
        assert_eq!(path.usable(), kbps(750), "so much came while a queue stood");
        path.handle_timeout(path.poll_timeout().unwrap());
        assert_eq!((path.usable(), path.poll_timeout()), (kbps(2250), None));
    }

    #[test]
    fn what_comes_while_a_queue_stands_is_what_it_carries_until_more_comes() {
        let now = Instant::now();
        let mut path = PathState::new(kbps(400), now);
        path.handle_estimate(kbps(2000), MOST, now);
        let mut waits = |least: u64, came: u64| {
            let queue = Queue { least: Duration::from_millis(least), came: kbps(came), ..QUEUE };
            (path.handle_queue(queue, now), path.usable().kbps())
        };
        assert_eq!([waits(80, 900), waits(20, 900), waits(80, 900)], [(false, 1500); 3], "for a moment it may");
        assert_eq!([waits(80, 1100), waits(20, 1100)], [(true, 750), (false, 750)]);
        assert_eq!(waits(20, 1200), (true, 1500));
    }

    #[test]
    fn a_path_whose_queue_is_empty_between_frames_is_used_closer_to_its_edge() {
        let now = Instant::now();
        let mut path = PathState::new(kbps(400), now);
        path.handle_estimate(kbps(1000), MOST, now);
        let mut waits = |least: u64, at: u32| {
            let queue = Queue { least: Duration::from_millis(least), ..QUEUE };
            (path.handle_queue(queue, now + at * Duration::from_millis(100)), path.usable().kbps())
        };
        assert_eq!([waits(2, 0), waits(2, 8), waits(2, 16)], [(false, 750), (false, 750), (true, 1080)]);
        assert_eq!([waits(20, 18), waits(2, 20), waits(2, 34)], [(true, 750), (false, 750), (false, 750)]);
        assert_eq!(waits(2, 35), (true, 1080));
        assert!(path.is_short_of(MOST));
        path.handle_estimate(kbps(1100), MOST, now);
        assert!(!path.is_short_of(MOST));
        path.handle_estimate(kbps(1000), MOST, now);
        let mean = Duration::from_millis(30);
        assert!(path.handle_queue(Queue { mean, ..QUEUE }, now + CALM_AFTER * 3), "each packet waits for others");
        path.handle_queue(QUEUE, now + CALM_AFTER * 4);
        path.handle_queue(QUEUE, now + CALM_AFTER * 5);
        assert_eq!(path.usable().kbps(), 1080);
        path.set_share(Some(kbps(1000)), true);
        assert_eq!(path.usable(), kbps(750), "others wait behind it");
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
        assert!(path.begins_anew(now + BEGINS_ANEW).is_none());
        // Where nobody waits it may look further.
        assert!(!path.set_share(Some(kbps(800)), true));
        assert_eq!((path.is_short_of(MOST), path.look_further(MOST)), (true, kbps(1600)));
        path.handle_estimate(kbps(300), MOST, now);
        assert_eq!((path.usable(), path.begins_anew(now)), (kbps(600), None), "not at once");
        let later = now + BEGINS_ANEW;
        assert_eq!(path.begins_anew(later), Some(kbps(800)));
        path.begin(kbps(800), later);
        assert_eq!((path.begins_anew(later), path.share()), (None, Some(kbps(800))));
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
            assert_eq!(path.begins_anew(now), None, "it is full");
            let later = path.poll_timeout().unwrap();
            path.handle_timeout(later);
            assert_eq!((path.begins_anew(later), path.begins_anew(later)), (anew, None));
        }
    }
}
