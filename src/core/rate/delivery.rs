//! Whether the path takes what is sent, by the viewer's feedback on each packet.
//!
//! The estimator of the WebRTC library looks at how the delay *changes*. When a path narrows much, its queue is full within a
//! moment, and from then on nothing changes: packets are late and lost, and the estimate falls over seconds. Here the
//! plain sum is made: what was sent of late, what of it came, and how late it was. A path that loses packets without being late
//! does that by itself, and is none of ours.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use intercom_base::units::Bitrate;

use crate::rate::dispersion::{Arrival, Dispersion};

/// The packets that are looked at: those of so long, and at least so many that came over so long.
const WINDOW: Duration = Duration::from_millis(400);
const LEAST_PACKETS: usize = 16;
const LEAST_SPAN: Duration = Duration::from_millis(60);

/// A path is full where this part of the packets is lost while the others wait in a queue for so long ...
const LOST: f64 = 0.05;
const QUEUED: f64 = 0.06;
/// ... or where they wait for so long, lost or not.
const QUEUED_LONG: f64 = 0.3;

/// And if not more than this part of what is sent comes.
const CAME: f64 = 0.85;

/// After that the queue drains first.
const DRAINS: Duration = Duration::from_millis(1000);

/// The shortest delay is that of the last so long to twice as long: clocks drift, and paths change.
const SHORTEST_OF: Duration = Duration::from_secs(30);

/// Packets whose feedback is awaited: some seconds' worth.
const AWAITED: usize = 4096;

/// A packet that came so long after a later one was overtaken.
const OVERTAKEN: Duration = Duration::from_millis(2);

/// What waits is told this often.
const TOLD_EVERY: Duration = Duration::from_millis(200);

/// How long the packets of a moment waited on their way, and what came of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Queue {
    /// How long the one waited that waited least.
    pub least: Duration,
    /// How long they waited on the average.
    pub mean: Duration,
    /// What came of them, and what was sent, lost or not.
    pub came: Bitrate,
    /// See `came`.
    pub sent: Bitrate,
    /// What part of them is lost.
    pub lost: f64,
    /// What part of them came after one that was sent later: a copy of each, where packets are sent twice and one is lost.
    pub overtaken: f64,
    /// What the narrowest place carries, as far as bursts tell.
    pub carries: Option<Bitrate>,
}

/// What is known of one packet.
#[derive(Clone, Copy, Debug)]
struct Packet {
    sent: Instant,
    /// On the viewer's clock.
    came: Option<Instant>,
    bytes: u64,
}

/// The packets of one connection.
#[derive(Debug)]
pub struct Delivery {
    /// The number of the first that is awaited.
    first: u64,
    awaited: VecDeque<(Instant, u64)>,
    recent: VecDeque<Packet>,
    dispersion: Dispersion,
    /// The shortest delays in seconds, on two clocks: of this time and of the one before.
    shortest: [f64; 2],
    since: Instant,
    rests_until: Option<Instant>,
    told: Instant,
    /// When the newest packet was sent that was told of.
    told_of: Option<Instant>,
}

impl Delivery {
    /// Nothing was sent yet.
    pub fn new(now: Instant) -> Delivery {
        Delivery {
            first: 0,
            awaited: VecDeque::new(),
            recent: VecDeque::new(),
            dispersion: Dispersion::default(),
            shortest: [f64::INFINITY; 2],
            since: now,
            rests_until: None,
            told: now,
            told_of: None,
        }
    }

    /// A number near those that feedback is about.
    pub fn near(&self) -> u64 {
        self.first + self.awaited.len() as u64
    }

    /// A packet of so many bytes was sent; `number` is the low part of its transport-wide one.
    pub fn handle_sent(&mut self, number: u16, bytes: usize, now: Instant) {
        let next = self.near();
        if next as u16 != number {
            // A count that does not go on evenly begins anew.
            self.awaited.clear();
            self.recent.clear();
            self.dispersion.clear();
            self.first = u64::from(number);
        }
        self.awaited.push_back((now, bytes as u64));
        if self.awaited.len() > AWAITED {
            self.awaited.pop_front();
            self.first += 1;
        }
    }

    /// Feedback on some packets: number, and when it came by the viewer's clock. What the path carries, if it is less than
    /// what is sent.
    pub fn handle_feedback(
        &mut self,
        packets: impl Iterator<Item = (u64, Option<Instant>)>,
        now: Instant,
    ) -> Option<Bitrate> {
        for (number, came) in packets {
            let Some(at) = number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok()) else { continue };
            let Some((sent, bytes)) = self.awaited.get(at).copied() else { continue };
            // What is before it was told of, or never will be.
            self.awaited.drain(..=at);
            self.first = number + 1;
            self.recent.push_back(Packet { sent, came, bytes });
            if let Some(came) = came {
                self.shortest[0] = self.shortest[0].min(delay(sent, came));
                self.dispersion.handle_arrival(Arrival { number, sent, came, bytes });
            }
        }
        if now.saturating_duration_since(self.since) >= SHORTEST_OF {
            self.shortest = [f64::INFINITY, self.shortest[0]];
            self.since = now;
        }
        let newest = self.recent.back()?.sent;
        while self.recent.front().is_some_and(|packet| newest.saturating_duration_since(packet.sent) > WINDOW) {
            self.recent.pop_front();
        }
        if self.rests_until.is_some_and(|until| now < until) {
            return None;
        }
        let carried = self.narrower()?;
        self.recent.clear();
        self.dispersion.clear();
        self.rests_until = Some(now + DRAINS);
        Some(carried)
    }

    /// What waits on the path now, if it is time to tell that, and if there is news of it.
    pub fn poll_queue(&mut self, now: Instant) -> Option<Queue> {
        if now.saturating_duration_since(self.told) < TOLD_EVERY {
            return None;
        }
        self.told = now;
        let newest = self.recent.back()?.sent;
        if self.told_of.replace(newest).is_some_and(|told| newest <= told) {
            return None;
        }
        let of_late = || {
            let since = |packet: &&Packet| newest.saturating_duration_since(packet.sent) <= TOLD_EVERY;
            self.recent.iter().filter(since)
        };
        let arrived = || of_late().filter_map(|p| Some((p.came?, delay(p.sent, p.came?), p.bytes)));
        let (first, last) = (arrived().next()?, arrived().next_back()?);
        let sent_for = newest.saturating_duration_since(of_late().next()?.sent);
        let came_for = last.0.checked_duration_since(first.0).filter(|span| *span >= LEAST_SPAN)?;
        // Nothing comes much faster than it was sent, whatever a viewer says.
        let came_for = came_for.max(sent_for / 2).as_secs_f64();
        let shortest = self.shortest[0].min(self.shortest[1]);
        let waited = |delay: f64| Duration::from_secs_f64((delay - shortest).clamp(0.0, 60.0));
        let (count, sum) = arrived().fold((0, 0.0), |(count, sum), (_, delay, _)| (count + 1, sum + delay));
        let rate = |bytes: u64, seconds: f64| Bitrate::from_bps((bytes as f64 * 8.0 / seconds) as u64);
        let all = of_late().count() as f64;
        Some(Queue {
            least: waited(arrived().map(|(_, delay, _)| delay).fold(f64::INFINITY, f64::min)),
            mean: waited(sum / f64::from(count)),
            came: rate(arrived().skip(1).map(|(_, _, bytes)| bytes).sum(), came_for),
            sent: rate(of_late().skip(1).map(|packet| packet.bytes).sum(), sent_for.as_secs_f64().max(0.001)),
            lost: 1.0 - f64::from(count) / all,
            overtaken: overtaken(of_late().filter_map(|packet| packet.came)) as f64 / all,
            carries: self.dispersion.carries(now),
        })
    }

    /// What the path carries, if it is full.
    fn narrower(&self) -> Option<Bitrate> {
        let came: Vec<(usize, Instant, f64, u64)> = self
            .recent
            .iter()
            .enumerate()
            .filter_map(|(at, p)| Some((at, p.came?, delay(p.sent, p.came?), p.bytes)))
            .collect();
        if came.len() < LEAST_PACKETS {
            return None;
        }
        // The newer half: a path that has just changed is not what it was on the average.
        let late = &came[came.len() / 2..];
        let (first, last) = (late.first()?, late.last()?);
        let span = last.1.checked_duration_since(first.1).filter(|span| *span >= LEAST_SPAN)?.as_secs_f64();
        let shortest = self.shortest[0].min(self.shortest[1]);
        let queued = late.iter().map(|(_, _, delay, _)| delay - shortest).sum::<f64>() / late.len() as f64;
        let lost = 1.0 - came.len() as f64 / self.recent.len() as f64;
        if !(queued > QUEUED_LONG || queued > QUEUED && lost > LOST) {
            return None;
        }
        let rate = |amount: u64, seconds: f64| amount as f64 / seconds;
        // The first marks the beginning: it came before that. And what was sent meanwhile: a keyframe before that is none of it.
        let carried = rate(late[1..].iter().map(|(_, _, _, bytes)| bytes).sum(), span);
        let stretch = self.recent.range(first.0..=last.0);
        let sent_for = self.recent[last.0].sent.saturating_duration_since(self.recent[first.0].sent).as_secs_f64();
        let sent = rate(stretch.skip(1).map(|packet| packet.bytes).sum(), sent_for.max(0.001));
        // Of few large packets one that gets lost is much: so they are counted as well.
        let came = rate(late.len() as u64 - 1, span);
        let went = rate((last.0 - first.0) as u64, sent_for.max(0.001));
        (carried < sent * CAME && came < went * CAME).then(|| Bitrate::from_bps((carried * 8.0) as u64))
    }
}

/// How many of these, in the order of sending, came clearly after one that was sent later.
fn overtaken(came: impl DoubleEndedIterator<Item = Instant>) -> usize {
    let mut first: Option<Instant> = None;
    let is_overtaken = |came: &Instant| {
        let overtaken = first.is_some_and(|first| *came > first + OVERTAKEN);
        first = Some(first.map_or(*came, |first| first.min(*came)));
        overtaken
    };
    came.rev().filter(is_overtaken).count()
}

/// From sending to coming, on two clocks: only differences mean anything.
fn delay(sent: Instant, came: Instant) -> f64 {
    match came.checked_duration_since(sent) {
        Some(later) => later.as_secs_f64(),
        None => -sent.saturating_duration_since(came).as_secs_f64(),
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Sends `kbps` for a time into a path of `carries` with a queue of 300 ms, which loses each `nth` packet besides; what was said.
    fn send(delivery: &mut Delivery, from: Instant, time: u32, kbps: u64, carries: u64, nth: u64) -> Vec<(u32, u64)> {
        let (mut told, mut free, mut batch) = (vec![], from, vec![]);
        let every = Duration::from_micros(1000 * 8000 / kbps);
        let mut at = from;
        while at < from + time * MS {
            let number = delivery.near();
            delivery.handle_sent(number as u16, 1000, at);
            let start = free.max(at);
            let dropped = start - at > 300 * MS || number.is_multiple_of(nth);
            if !dropped {
                free = start + Duration::from_micros(1000 * 8000 / carries);
            }
            // The viewer's clock is another one.
            batch.push((number, (!dropped).then_some(free + 5000 * MS)));
            if batch.len() == 10 {
                let carried = delivery.handle_feedback(batch.drain(..), at + 30 * MS);
                told.extend(carried.map(|carried| ((at - from).as_millis() as u32, carried.kbps())));
            }
            at += every;
        }
        told
    }

    #[test]
    fn a_path_that_takes_all_is_left_alone_whatever_it_loses_by_itself() {
        let now = Instant::now();
        for nth in [u64::MAX, 10, 4] {
            assert_eq!(send(&mut Delivery::new(now), now, 20_000, 1000, 2000, nth), [], "{nth}");
        }
    }

    #[test]
    fn a_path_that_narrows_is_told_within_a_second_with_what_it_carries() {
        let now = Instant::now();
        for (kbps, carries) in [(2000, 400), (1500, 700), (3000, 1500)] {
            let mut delivery = Delivery::new(now);
            assert_eq!(send(&mut delivery, now, 5000, kbps, 2 * kbps, u64::MAX), []);
            let told = send(&mut delivery, now + 5000 * MS, 2000, kbps, carries, u64::MAX);
            let (at, first) = told[0];
            // The first look may be at the time of the change itself.
            assert!(at < 500 && first < kbps * 85 / 100, "{kbps} to {carries}: {told:?}");
            let (at, carried) = *told.last().unwrap();
            assert!(
                at < 1500 && (carries * 90 / 100..carries * 112 / 100).contains(&carried),
                "{kbps}, {carries}: {told:?}"
            );
        }
    }

    #[test]
    fn a_keyframe_on_a_late_path_that_loses_by_itself_is_no_full_path() {
        let now = Instant::now();
        let mut delivery = Delivery::new(now);
        let mut batch = vec![];
        for n in 0..3000u32 {
            let at = now + n * 5 * MS;
            let number = delivery.near();
            // Now and then as many bytes as in a second otherwise.
            let bytes = if n % 400 < 12 { 1200 } else { 100 };
            delivery.handle_sent(number as u16, bytes, at);
            // Little by little it is later than it was at best.
            let late = 20 + n.min(1600) / 20;
            batch.push((number, (n % 10 != 0).then_some(at + late * MS)));
            if batch.len() == 20 {
                assert_eq!(delivery.handle_feedback(batch.drain(..), at + 200 * MS), None, "{n}");
            }
        }
    }

    #[test]
    fn what_comes_as_a_copy_was_overtaken() {
        let now = Instant::now();
        let mut delivery = Delivery::new(now);
        let mut batch = vec![];
        for n in 0..200u32 {
            let at = now + n * 5 * MS;
            let number = delivery.near();
            delivery.handle_sent(number as u16, 1000, at);
            // One in ten comes behind the two after it; jitter moves the others, without changing their order by much.
            let late = if n.is_multiple_of(10) { 12 * MS } else { Duration::from_micros(u64::from(n % 3) * 900) };
            batch.push((number, Some(at + 30 * MS + late)));
        }
        assert_eq!(delivery.handle_feedback(batch.into_iter(), now + 1100 * MS), None);
        let queue = delivery.poll_queue(now + 1100 * MS).unwrap();
        assert!((0.08..0.12).contains(&queue.overtaken), "{queue:?}");
    }

    #[test]
    fn what_nobody_sent_and_what_comes_twice_says_nothing() {
        let now = Instant::now();
        let mut delivery = Delivery::new(now);
        delivery.handle_sent(65_535, 100, now);
        delivery.handle_sent(0, 100, now);
        assert_eq!(delivery.near(), 65_537);
        let strange = [0, 65_534, 65_535, 65_535, 65_536, 65_537, u64::MAX].map(|number| (number, Some(now)));
        assert_eq!(delivery.handle_feedback(strange.into_iter(), now), None);
        assert_eq!(delivery.recent.len(), 2);
        for _ in 0..3 * AWAITED {
            delivery.handle_sent(delivery.near() as u16, 100, now);
        }
        assert_eq!(delivery.awaited.len(), AWAITED);
    }

    #[test]
    fn what_waits_is_told_some_times_a_second_with_what_comes() {
        let now = Instant::now();
        let mut delivery = Delivery::new(now);
        assert_eq!(delivery.poll_queue(now + TOLD_EVERY), None, "nothing was sent");
        // Half of what the path carries, and then a little more than all.
        send(&mut delivery, now, 5000, 500, 1000, u64::MAX);
        let queue = delivery.poll_queue(now + 5000 * MS).unwrap();
        assert!(queue.least < MS && queue.mean < MS && queue.came.kbps().abs_diff(500) < 25, "{queue:?}");
        assert_eq!(delivery.poll_queue(now + 5100 * MS), None, "it was told");
        send(&mut delivery, now + 5000 * MS, 1000, 1200, 1000, u64::MAX);
        let queue = delivery.poll_queue(now + 6000 * MS).unwrap();
        assert!(queue.least > 100 * MS && queue.mean > queue.least && queue.mean < 250 * MS, "{queue:?}");
        assert!(queue.came.kbps().abs_diff(1000) < 50 && queue.sent.kbps().abs_diff(1200) < 50, "{queue:?}");
        assert_eq!(delivery.poll_queue(now + 7000 * MS), None, "nothing new came");
    }
}
