//! Which viewers share one pipe, what it carries, and what of it each may have.
//!
//! Each viewer's estimator knows its own packets only. Where home's own uplink is the narrow place they push each other aside,
//! and who comes last is left with the least. But packets that wait in the same queue wait equally long at the same time: by
//! that the viewers are known who share one. What comes of all of them while the queue stands is what the pipe carries, and
//! each gets an equal part, whatever its estimator says. Whose packets wait alone has a narrow place of its own besides, and gets
//! no more than came through that; the others have the rest.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

use crate::rate::delivery::Queue;

/// A queue stands where even the packet that waits least waits for so long.
const STANDS: Duration = Duration::from_millis(12);

/// Two wait in the same queue if they wait equally long, give or take so much and this part of it, in percent.
const ALIKE: Duration = Duration::from_millis(10);
const ALIKE_PERCENT: u32 = 35;

/// What was told of another viewer counts for so long.
const FRESH: Duration = Duration::from_millis(350);

/// So often the same within so long is no accident.
const SURE: u8 = 2;
const WITHIN: Duration = Duration::from_secs(5);

/// Whose packets wait alone has a narrow place of its own, too. It carries this part of what came then, in percent, and is taken to
/// carry so much more each second, in percent.
const NARROW: u64 = 95;
const WIDENS: u64 = 5;
/// So often in a row alone is no accident.
const ALONE: u8 = 3;

/// A new measure moves the old one by this part, in percent, if it is lower: a keyframe that drains says little.
const DOWN: u64 = 25;

/// But not below the most that came in so long: what is not sent cannot come, and a queue may be somebody else's. Unless less
/// than this part of what is sent comes, in percent.
const PROVEN_FOR: Duration = Duration::from_secs(30);
const COMES: u64 = 90;

/// Without a queue for so long the pipe is taken to carry more, by so many percent a second; and by so many where all who share it
/// have found so much more than their share, in percent.
const STEADY: Duration = Duration::from_secs(3);
const GROWS: u64 = 2;
const GROWS_FAST: u64 = 25;
const ROOM: u64 = 130;

/// What was measured so long ago is forgotten.
const LIFE: Duration = Duration::from_secs(120);

/// Whoever is left alone begins anew with all of it, and is then left to its own estimator.
const LEFT_ALONE: Duration = Duration::from_secs(4);

/// One viewer.
#[derive(Debug)]
struct Member<K> {
    id: K,
    newest: Option<(Instant, Queue)>,
    /// How often of late it waited with others, and not alone; and when it did last.
    together: u8,
    matched: Option<Instant>,
    /// How often in a row it waited alone.
    alone: u8,
    /// What a narrow place of its own carried, and when that was seen.
    narrow: Option<(Instant, Bitrate)>,
}

impl<K> Member<K> {
    fn shares(&self) -> bool {
        self.together >= SURE
    }

    /// Its packets waited while others' did not.
    fn handle_alone(&mut self, queue: Queue, now: Instant) {
        self.alone += 1;
        if self.alone < ALONE {
            return;
        }
        self.alone = 0;
        if !self.shares() {
            self.together = 0;
        } else if queue.came < queue.sent.percent(COMES) {
            let carries = queue.came.percent(NARROW);
            self.narrow = Some((now, self.narrow(now).map_or(carries, |narrow| narrow.min(carries))));
        }
    }

    /// Its packets waited as long as another's.
    fn handle_alike(&mut self, now: Instant) {
        let old = self.matched.replace(now).is_none_or(|at| now.saturating_duration_since(at) > WITHIN);
        if old && !self.shares() {
            self.together = 0;
        }
        self.alone = 0;
        self.together = (self.together + 1).min(SURE);
    }

    /// What a narrow place of its own is taken to carry.
    fn narrow(&self, now: Instant) -> Option<Bitrate> {
        let (at, carries) = self.narrow?;
        let since = now.saturating_duration_since(at);
        (since < LIFE).then(|| carries.percent(100 + WIDENS * since.as_secs()))
    }

    fn fresh(&self, now: Instant) -> Option<Queue> {
        self.newest.filter(|(at, _)| now.saturating_duration_since(*at) <= FRESH).map(|(_, queue)| queue)
    }
}

/// What one viewer would like to have, and what its own estimator has found.
#[derive(Clone, Copy, Debug)]
pub struct Wish<K> {
    pub id: K,
    pub most: Bitrate,
    pub estimate: Option<Bitrate>,
}

/// The pipe that several viewers share, if they do. `K` tells viewers apart.
#[derive(Debug)]
pub struct Uplink<K> {
    members: Vec<Member<K>>,
    /// When its queue stood last, what it carries, and since when that is so.
    measured: Option<Measured>,
    /// What came of all who share it while its queue stood, of late.
    proven: VecDeque<(Instant, Bitrate)>,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    at: Instant,
    carries: Bitrate,
    grown: Instant,
    /// Since when there is but one who shares it.
    alone: Option<Instant>,
}

impl Measured {
    fn is_steady(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) >= STEADY
    }

    /// It may carry more by now: up to `most`, the sum of all wishes.
    fn grow(&mut self, most: Bitrate, fast: bool, now: Instant) {
        let since = now.saturating_duration_since(self.grown).min(Duration::from_secs(1));
        self.grown = now;
        if self.is_steady(now) && self.carries < most {
            let percent = if fast { GROWS_FAST } else { GROWS };
            let more = self.carries.bps() * percent * since.as_millis() as u64 / 100_000;
            self.carries = Bitrate::from_bps(self.carries.bps() + more).min(most);
        }
    }
}

impl<K: Copy + Eq> Default for Uplink<K> {
    fn default() -> Uplink<K> {
        Uplink { members: Vec::new(), measured: None, proven: VecDeque::new() }
    }
}

impl<K: Copy + Eq> Uplink<K> {
    /// Only these viewers are served now.
    pub fn retain(&mut self, is_served: impl Fn(K) -> bool) {
        self.members.retain(|member| is_served(member.id));
        if self.members.is_empty() {
            self.measured = None;
            self.proven.clear();
        }
    }

    /// What waits on the way to one viewer.
    pub fn handle_queue(&mut self, id: K, queue: Queue, now: Instant) {
        let at = self.at(id);
        self.members[at].newest = Some((now, queue));
        if self.measured.is_some_and(|measured| now.saturating_duration_since(measured.at) >= LIFE) {
            self.measured = None;
            self.members.iter_mut().for_each(|member| member.together = 0);
        }
        if queue.least < STANDS {
            self.members[at].alone = 0;
            return;
        }
        let (mut with, mut less, mut others) = (0, 0, 0);
        for member in self.members.iter().filter(|member| member.id != id) {
            let Some(other) = member.fresh(now) else { continue };
            others += 1;
            less += usize::from(other.mean < queue.mean / 2);
            with += usize::from(other.least >= STANDS / 2 && alike(other.mean, queue.mean));
        }
        let member = &mut self.members[at];
        if with > 0 {
            member.handle_alike(now);
        } else if others > 0 && less == others {
            member.handle_alone(queue, now);
        } else {
            member.alone = 0;
        }
        self.measure(now);
    }

    /// The part of the pipe that each of these viewers may have at most, in the order asked for. `None`: it does not share one.
    pub fn shares(&mut self, viewers: &[Wish<K>], now: Instant) -> Vec<Option<Bitrate>> {
        let mut shares = vec![None; viewers.len()];
        let mut open: Vec<(usize, Bitrate)> = Vec::new();
        for (at, viewer) in viewers.iter().enumerate() {
            let Some(member) = self.members.iter().find(|member| member.id == viewer.id && member.shares()) else {
                continue;
            };
            // Nobody pushes it aside in its own narrow place: there its own estimator finds what it carries.
            let narrow = member.narrow(now).map(|narrow| narrow.max(viewer.estimate.unwrap_or(narrow)));
            open.push((at, narrow.map_or(viewer.most, |narrow| narrow.min(viewer.most))));
        }
        let Some(measured) = self.measured.as_mut().filter(|_| !open.is_empty()) else { return shares };
        measured.alone = (open.len() == 1).then(|| measured.alone.unwrap_or(now));
        if measured.alone.is_some_and(|since| now.saturating_duration_since(since) >= LEFT_ALONE) {
            return shares;
        }
        let equal = Bitrate::from_bps(measured.carries.bps() / open.len() as u64);
        let has_room = |(at, most): &(usize, Bitrate)| {
            *most <= equal || viewers[*at].estimate.is_some_and(|found| found > equal.percent(ROOM))
        };
        let all = Bitrate::from_bps(open.iter().map(|(_, most)| most.bps()).sum());
        measured.grow(all, open.iter().all(has_room), now);
        open.sort_by_key(|(_, most)| *most);
        // Who wants least is served first: what that one leaves is the others'.
        let mut left = measured.carries.bps();
        let mut count = open.len() as u64;
        for (at, most) in open {
            let share = (left / count).min(most.bps());
            shares[at] = Some(Bitrate::from_bps(share));
            left -= share;
            count -= 1;
        }
        shares
    }

    /// Whether no queue has stood of late, so that one may look for more.
    pub fn is_steady(&self, now: Instant) -> bool {
        self.measured.is_some_and(|measured| measured.is_steady(now))
    }

    /// What one more viewer would have of the pipe, if all who are here share one.
    pub fn next_share(&self) -> Option<Bitrate> {
        let all_share = !self.members.is_empty() && self.members.iter().all(Member::shares);
        let measured = self.measured.filter(|_| all_share)?;
        Some(Bitrate::from_bps(measured.carries.bps() / (self.members.len() as u64 + 1)))
    }

    /// Where a viewer is kept. Who is new is taken to share the pipe that all others share.
    fn at(&mut self, id: K) -> usize {
        self.members.iter().position(|member| member.id == id).unwrap_or_else(|| {
            let together = if self.next_share().is_some() { SURE } else { 0 };
            self.members.push(Member { id, newest: None, together, matched: None, alone: 0, narrow: None });
            self.members.len() - 1
        })
    }

    /// While the queue of all who share it stands, what comes of them is what the pipe carries.
    fn measure(&mut self, now: Instant) {
        let sharing = || self.members.iter().filter(|member| member.shares());
        if sharing().count() < 2 {
            return;
        }
        let all: Option<Vec<Queue>> = sharing().map(|member| member.fresh(now)).collect();
        let Some(all) = all.filter(|all| all.iter().all(|queue| queue.least >= STANDS / 2)) else { return };
        let sum = |of: fn(&Queue) -> Bitrate| Bitrate::from_bps(all.iter().map(|queue| of(queue).bps()).sum());
        let (came, sent) = (sum(|queue| queue.came), sum(|queue| queue.sent));
        let is_narrow = came < sent.percent(COMES);
        self.proven.retain(|(at, _)| !is_narrow && now.saturating_duration_since(*at) < PROVEN_FOR);
        self.proven.push_back((now, came));
        let proven = self.proven.iter().map(|(_, came)| *came).max().unwrap_or(came);
        let carries = match self.measured {
            Some(Measured { carries: old, .. }) if came < old => {
                let lower = Bitrate::from_bps((old.bps() * (100 - DOWN) + came.bps() * DOWN) / 100);
                lower.max(proven.min(old))
            }
            _ => came,
        };
        self.measured = Some(Measured { at: now, carries, grown: now, alone: None });
    }
}

fn alike(one: Duration, other: Duration) -> bool {
    one.abs_diff(other) <= ALIKE + one.max(other) * ALIKE_PERCENT / 100
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const MOST: Bitrate = Bitrate::from_kbps(5000);

    fn kbps(kbps: u64) -> Bitrate {
        Bitrate::from_kbps(kbps)
    }

    /// For so many fifths of a second the viewers' packets wait so many milliseconds, and so many kbit/s come; what time it is then.
    fn wait(uplink: &mut Uplink<u32>, from: Instant, fifths: u32, viewers: &[(u32, u32, u64)]) -> Instant {
        for n in 0..fifths {
            for (at, (id, waits, came)) in viewers.iter().enumerate() {
                let (least, mean) = (*waits * MS * 8 / 10, *waits * MS);
                let now = from + (n * 200 + 40 * at as u32) * MS;
                // All that is sent comes, unless less does than before.
                let sent = kbps(*came * if *waits > 80 { 2 } else { 1 });
                uplink.handle_queue(
                    *id,
                    Queue { least, mean, came: kbps(*came), sent, lost: 0.0, overtaken: 0.0, carries: None },
                    now,
                );
            }
        }
        from + fifths * 200 * MS
    }

    fn shares(uplink: &mut Uplink<u32>, ids: &[u32], estimate: u64, now: Instant) -> Vec<Option<u64>> {
        let wish = |id: &u32| Wish { id: *id, most: MOST, estimate: Some(kbps(estimate)) };
        let shares = uplink.shares(&ids.iter().map(wish).collect::<Vec<_>>(), now);
        shares.into_iter().map(|share| share.map(|share| share.kbps())).collect()
    }

    #[test]
    fn whose_packets_wait_equally_long_share_what_comes_and_others_do_not() {
        let (now, mut uplink) = (Instant::now(), Uplink::default());
        let now = wait(&mut uplink, now, 1, &[(1, 60, 700), (2, 70, 100), (3, 3, 2000)]);
        assert_eq!(shares(&mut uplink, &[1, 2, 3], 0, now), [None; 3], "once may be an accident");
        let now = wait(&mut uplink, now, 2, &[(1, 60, 700), (2, 70, 100), (3, 3, 2000)]);
        assert_eq!(shares(&mut uplink, &[1, 2, 3], 0, now), [Some(400), Some(400), None]);
        // Who wants less leaves the rest to the others.
        let wishes = [(1, 5000), (2, 50)].map(|(id, most)| Wish { id, most: kbps(most), estimate: None });
        assert_eq!(uplink.shares(&wishes, now), [Some(kbps(750)), Some(kbps(50))]);
    }

    #[test]
    fn waiting_without_others_or_for_other_times_shares_nothing() {
        for other in [0, 4, 130] {
            let (now, mut uplink) = (Instant::now(), Uplink::default());
            let now = wait(&mut uplink, now, 50, &[(1, 50, 700), (2, other, 300)]);
            assert_eq!(shares(&mut uplink, &[1, 2], 0, now), [None; 2], "{other} ms");
        }
        let (now, mut uplink) = (Instant::now(), Uplink::default());
        let now = wait(&mut uplink, now, 50, &[(1, 50, 700)]);
        assert_eq!(shares(&mut uplink, &[1], 0, now), [None], "alone");
    }

    #[test]
    fn who_comes_gets_a_part_at_once_and_who_goes_leaves_theirs() {
        let (now, mut uplink) = (Instant::now(), Uplink::default());
        assert_eq!(uplink.next_share(), None);
        let now = wait(&mut uplink, now, 6, &[(1, 60, 600), (2, 60, 300)]);
        assert_eq!(uplink.next_share(), Some(kbps(300)));
        let now = wait(&mut uplink, now, 1, &[(3, 0, 10)]);
        assert_eq!(shares(&mut uplink, &[1, 2, 3], 0, now), [Some(300); 3]);
        uplink.retain(|id| id == 3);
        assert_eq!(shares(&mut uplink, &[3], 0, now), [Some(900)]);
        assert_eq!(shares(&mut uplink, &[3], 0, now + LEFT_ALONE), [None], "its own estimator knows better by then");
        uplink.retain(|_| false);
        assert_eq!((uplink.next_share(), uplink.is_steady(now)), (None, false));
    }

    #[test]
    fn who_waits_alone_has_a_narrow_place_of_their_own() {
        let (now, mut uplink) = (Instant::now(), Uplink::default());
        let now = wait(&mut uplink, now, 6, &[(1, 60, 500), (2, 60, 500)]);
        // Two in a row may be the others' luck.
        let now = wait(&mut uplink, now, 2, &[(1, 2, 500), (2, 90, 200)]);
        assert_eq!(shares(&mut uplink, &[1, 2], 0, now), [Some(500); 2]);
        let now = wait(&mut uplink, now, 1, &[(1, 2, 500), (2, 90, 200)]);
        assert_eq!(shares(&mut uplink, &[1, 2], 0, now), [Some(810), Some(190)]);
        // In time it is thought to be wider.
        assert_eq!(shares(&mut uplink, &[1, 2], 0, now + Duration::from_secs(10))[1], Some(285));
    }

    #[test]
    fn without_a_queue_it_grows_little_by_little_and_fast_where_all_have_found_room_and_is_forgotten_in_the_end() {
        let (now, mut uplink) = (Instant::now(), Uplink::default());
        let now = wait(&mut uplink, now, 6, &[(1, 60, 500), (2, 60, 500)]);
        for (estimate, after_ten) in [(500, 560..590), (5000, 2000..3000)] {
            let mut uplink = Uplink { measured: uplink.measured, ..Uplink::default() };
            wait(&mut uplink, now - 200 * MS, 1, &[(1, 0, 400), (2, 0, 400)]);
            uplink.members.iter_mut().for_each(|member| member.together = SURE);
            let shares = (0..=50).map(|n| shares(&mut uplink, &[1, 2], estimate, now + n * 200 * MS));
            let last = shares.last().unwrap();
            assert!(last.iter().all(|share| after_ten.contains(&share.unwrap())), "{estimate}: {last:?}");
        }
        // A queue again, but all comes: it may be somebody else's, and no more was sent.
        let now = wait(&mut uplink, now, 20, &[(1, 60, 300), (2, 60, 300)]);
        assert_eq!(shares(&mut uplink, &[1, 2], 0, now), [Some(500); 2]);
        // Less comes than is sent: little by little down to that.
        let now = wait(&mut uplink, now, 1, &[(1, 90, 300), (2, 90, 300)]);
        let once = shares(&mut uplink, &[1, 2], 0, now)[0];
        assert!(once < Some(500) && once > Some(300), "{once:?}");
        let now = wait(&mut uplink, now, 10, &[(1, 90, 300), (2, 90, 300)]);
        assert!(shares(&mut uplink, &[1, 2], 0, now)[0] < Some(310));
        let now = wait(&mut uplink, now + LIFE, 1, &[(1, 0, 300), (2, 0, 300)]);
        assert_eq!(shares(&mut uplink, &[1, 2], 0, now), [None; 2]);
    }

    #[test]
    fn a_pipe_that_carries_more_than_anybody_wants_does_not_grow_for_ever() {
        let (now, mut uplink) = (Instant::now(), Uplink::default());
        let now = wait(&mut uplink, now, 6, &[(1, 60, 500), (2, 60, 500)]);
        let wishes = [1, 2].map(|id| Wish { id, most: kbps(50), estimate: Some(kbps(900)) });
        for n in 0..1200 {
            assert_eq!(uplink.shares(&wishes, now + n * 100 * MS), [Some(kbps(50)); 2]);
        }
    }

    #[test]
    fn a_match_now_and_then_is_an_accident() {
        let (mut now, mut uplink) = (Instant::now(), Uplink::default());
        for _ in 0..10 {
            now = wait(&mut uplink, now, 1, &[(1, 40, 500), (2, 40, 500)]);
            now = wait(&mut uplink, now, 30, &[(1, 1, 500), (2, 1, 500)]);
            assert_eq!(shares(&mut uplink, &[1, 2], 0, now), [None; 2]);
        }
    }
}
